//! What is looked for in a packet when details are wanted. Whatever was not captured is 0.

use zerocopy::FromZeros;

use super::LABELS;
use crate::{
    flow::{Observed, Start},
    wire::{
        ethernet::EtherType,
        ip4::{self, protocol},
        ip6,
        link::LinkType,
        walk::{Link, Transport},
    },
};

/// The details of one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromZeros)]
pub struct Seen {
    /// When it was seen.
    pub time: u64,
    /// In records of both directions: 1, or 2 where the key was turned.
    pub side: u8,
    /// In those: whether it was seen on sending.
    pub is_sent: bool,
    /// Type of service, or traffic class.
    pub class: u8,
    /// TTL, or hop limit.
    pub ttl: u8,
    /// Octets of the IP header, options included, extension headers not.
    pub ip_header: u8,
    /// Reserved, DF, MF from the top bit on.
    pub fragment_flags: u8,
    /// In octets.
    pub fragment_offset: u16,
    /// Of the datagram that the fragment is of.
    pub fragment_id: u32,
    /// IPv6 flow label.
    pub flow_label: u32,
    /// Of IP.
    pub octets: u32,
    /// Of the frame.
    pub layer2_octets: u32,
    /// Priority of the outermost tag.
    pub priority: u8,
    /// Whether there is a second tag.
    pub has_customer_tag: bool,
    /// Its priority.
    pub customer_priority: u8,
    /// Its identifier.
    pub customer_vlan: u16,
    /// Label, traffic class and bottom-of-stack bit of the first labels.
    pub labels: [[u8; 3]; LABELS],
    /// TTL of the top label.
    pub label_ttl: u8,
    /// Labels in all, 255 at most.
    pub label_depth: u8,
    /// Bits of ipv6ExtensionHeadersFull.
    pub extension_headers: u32,
    /// TCP sequence number.
    pub sequence: u32,
    /// TCP acknowledgment number.
    pub acknowledgment: u32,
    /// TCP window, not scaled.
    pub window: u16,
    /// TCP control bits.
    pub tcp_flags: u16,
    /// Octets of the TCP header; 0 where there is none, or not enough of it.
    pub tcp_header: u8,
    /// Octets of TCP behind its header.
    pub segment: u32,
    /// Bits of tcpOptionsFull, the lowest word first.
    pub tcp_options: [u64; 4],
}

/// Bits of ipv6ExtensionHeadersFull (RFC 9740).
mod extension {
    pub(super) const DESTINATION: u32 = 1;
    pub(super) const HOP_BY_HOP: u32 = 1 << 1;
    pub(super) const NO_NEXT: u32 = 1 << 2;
    pub(super) const FIRST_FRAGMENT: u32 = 1 << 4;
    pub(super) const ROUTING: u32 = 1 << 5;
    pub(super) const LATER_FRAGMENT: u32 = 1 << 6;
    pub(super) const MOBILITY: u32 = 1 << 7;
    pub(super) const ESP: u32 = 1 << 8;
    pub(super) const AH: u32 = 1 << 9;
    pub(super) const HIP: u32 = 1 << 10;
    pub(super) const SHIM6: u32 = 1 << 11;
    pub(super) const EXPERIMENT_253: u32 = 1 << 12;
    pub(super) const EXPERIMENT_254: u32 = 1 << 13;
}

/// Extension headers that the header walk does not pass: each may have further ones behind it but for ESP, which hides them.
mod unwalked {
    pub(super) const ESP: u8 = 50;
    pub(super) const MOBILITY: u8 = 135;
    pub(super) const HIP: u8 = 139;
    pub(super) const SHIM6: u8 = 140;
    pub(super) const EXPERIMENT_253: u8 = 253;
    pub(super) const EXPERIMENT_254: u8 = 254;
}

impl Seen {
    /// Of no packet.
    pub(super) const NONE: Self = Self {
        time: 0,
        side: 0,
        is_sent: false,
        class: 0,
        ttl: 0,
        ip_header: 0,
        fragment_flags: 0,
        fragment_offset: 0,
        fragment_id: 0,
        flow_label: 0,
        octets: 0,
        layer2_octets: 0,
        priority: 0,
        has_customer_tag: false,
        customer_priority: 0,
        customer_vlan: 0,
        labels: [[0; 3]; LABELS],
        label_ttl: 0,
        label_depth: 0,
        extension_headers: 0,
        sequence: 0,
        acknowledgment: 0,
        window: 0,
        tcp_flags: 0,
        tcp_header: 0,
        segment: 0,
        tcp_options: [0; 4],
    };

    pub(super) fn of4(
        packet: &Observed<'_>,
        link: &Link,
        ip: &ip4::Header,
        transport: &Transport,
    ) -> Self {
        let mut seen = Self::of_frame(packet, link);
        seen.class = ip.tos;
        seen.ttl = ip.ttl;
        seen.ip_header = ip.header_length() as u8;
        let fragment = ip.flags_fragment.get();
        seen.fragment_flags = (fragment >> 8) as u8 & 0xe0;
        seen.fragment_offset = ip.fragment_offset() as u16;
        seen.fragment_id = ip.identification.get().into();
        seen.octets = transport.octets;
        let bytes = packet.ip_bytes(ip, transport.octets);
        if transport.protocol == protocol::TCP && seen.fragment_offset == 0 {
            seen.tcp(bytes, ip.header_length(), transport);
        }
        seen
    }

    pub(super) fn of6(
        packet: &Observed<'_>,
        link: &Link,
        ip: &ip6::Header,
        transport: &Transport,
    ) -> Self {
        let mut seen = Self::of_frame(packet, link);
        seen.class = ip.traffic_class();
        seen.ttl = ip.hop_limit;
        seen.ip_header = size_of::<ip6::Header>() as u8;
        seen.flow_label = ip.flow_label();
        seen.octets = transport.octets;
        let bytes = packet.ip_bytes(ip, transport.octets);
        let upper = seen.extension_headers(ip.next_header, bytes);
        if transport.protocol == protocol::TCP
            && let Some(upper) = upper
        {
            seen.tcp(bytes, upper, transport);
        }
        seen
    }

    pub(super) fn of_frame(packet: &Observed<'_>, link: &Link) -> Self {
        let mut seen = Self { time: packet.time.0, layer2_octets: packet.wire(), ..Self::NONE };
        let is_ethernet = match packet.start {
            Start::Link(link_type) => link_type == LinkType::Ethernet,
            Start::Network(offset) => offset > 0,
        };
        if is_ethernet && link.vlan.is_some() {
            seen.tags(packet.bytes);
        }
        if matches!(link.ethertype, EtherType::MPLS | EtherType::MPLS_UPSTREAM) {
            seen.labels(packet.bytes.get(link.payload..).unwrap_or_default());
        }
        seen
    }

    /// The tags of an Ethernet header: what the first says besides its identifier, and the second.
    fn tags(&mut self, bytes: &[u8]) {
        let tag = |at: usize| {
            let ethertype = EtherType(be16(bytes, at)?);
            let tci = be16(bytes, at + 2)?;
            ethertype.is_vlan().then_some(tci)
        };
        if let Some(outer) = tag(12) {
            self.priority = (outer >> 13) as u8;
        }
        if let Some(inner) = tag(16) {
            self.has_customer_tag = true;
            self.customer_priority = (inner >> 13) as u8;
            self.customer_vlan = inner & 0x0fff;
        }
    }

    fn labels(&mut self, bytes: &[u8]) {
        for (at, entry) in bytes.chunks_exact(4).enumerate() {
            let [a, b, c, ttl] = [entry[0], entry[1], entry[2], entry[3]];
            if let Some(label) = self.labels.get_mut(at) {
                *label = [a, b, c];
            }
            if at == 0 {
                self.label_ttl = ttl;
            }
            self.label_depth = self.label_depth.saturating_add(1);
            if c & 1 != 0 {
                break;
            }
        }
    }

    /// Notes the headers of the chain. Where the upper layer is, if its header is in this packet.
    fn extension_headers(&mut self, first: u8, bytes: &[u8]) -> Option<usize> {
        let (mut next, mut at) = (first, size_of::<ip6::Header>());
        loop {
            let length = |units: usize, more: usize| {
                bytes.get(at + 1).map(|length| (usize::from(*length) + more) * units)
            };
            let (bit, length) = match next {
                protocol::HOP_BY_HOP => (extension::HOP_BY_HOP, length(8, 1)),
                protocol::ROUTING => (extension::ROUTING, length(8, 1)),
                protocol::DESTINATION_OPTIONS => (extension::DESTINATION, length(8, 1)),
                protocol::AH => (extension::AH, length(4, 2)),
                protocol::FRAGMENT => (self.fragment(bytes, at)?, Some(8)),
                protocol => {
                    self.extension_headers |= last_bit(protocol);
                    return Some(at);
                }
            };
            self.extension_headers |= bit;
            // What follows in a later fragment is no header.
            if self.fragment_offset != 0 {
                return None;
            }
            next = *bytes.get(at)?;
            at += length?;
        }
    }

    /// The bit of a fragment header.
    fn fragment(&mut self, bytes: &[u8], at: usize) -> Option<u32> {
        let offset_more = be16(bytes, at + 2)?;
        self.fragment_offset = offset_more & 0xfff8;
        self.fragment_flags = if offset_more & 1 != 0 { 0x20 } else { 0 };
        self.fragment_id = be32(bytes, at + 4)?;
        let is_first = self.fragment_offset == 0;
        Some(if is_first { extension::FIRST_FRAGMENT } else { extension::LATER_FRAGMENT })
    }

    /// The header is at `at` of the packet.
    fn tcp(&mut self, bytes: &[u8], at: usize, transport: &Transport) {
        let header = bytes.get(at..).unwrap_or_default();
        self.tcp_flags = transport.tcp_flags;
        self.sequence = be32(header, 4).unwrap_or(0);
        self.acknowledgment = be32(header, 8).unwrap_or(0);
        self.window = be16(header, 14).unwrap_or(0);
        let end = header.get(12).map_or(0, |offset| usize::from(offset >> 4) * 4);
        if let Some(octets) = (transport.octets as usize).checked_sub(at + end)
            && end >= 20
        {
            (self.tcp_header, self.segment) = (end as u8, octets as u32);
        }
        let options = header.get(..end.min(header.len())).and_then(|h| h.get(20..));
        self.options(options.unwrap_or_default());
    }

    /// Octets of a TCP segment, if it was seen whole: not in fragments.
    pub(super) const fn segment(&self) -> Option<u32> {
        const MORE_FRAGMENTS: u8 = 0x20;
        let is_whole = self.tcp_header > 0 && self.fragment_flags & MORE_FRAGMENTS == 0;
        if is_whole { Some(self.segment) } else { None }
    }

    /// Whether one of these TCP flags is set.
    pub(super) const fn has(&self, flags: u16) -> bool {
        self.tcp_flags & flags != 0
    }

    fn options(&mut self, mut options: &[u8]) {
        while let Some(&kind) = options.first() {
            self.tcp_options[usize::from(kind >> 6)] |= 1 << (kind & 63);
            let length = match kind {
                0 => return,
                1 => 1,
                _ => options.get(1).map_or(0, |&length| usize::from(length)),
            };
            if length == 0 || (kind > 1 && length < 2) {
                return;
            }
            options = options.get(length..).unwrap_or_default();
        }
    }
}

/// The bit of what ends the chain, if it has any.
fn last_bit(protocol: u8) -> u32 {
    match protocol {
        protocol::NO_NEXT => extension::NO_NEXT,
        unwalked::ESP => extension::ESP,
        unwalked::MOBILITY => extension::MOBILITY,
        unwalked::HIP => extension::HIP,
        unwalked::SHIM6 => extension::SHIM6,
        unwalked::EXPERIMENT_253 => extension::EXPERIMENT_253,
        unwalked::EXPERIMENT_254 => extension::EXPERIMENT_254,
        _ => 0,
    }
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|octets| u16::from_be_bytes(*octets))
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|octets| u32::from_be_bytes(*octets))
}
