//! What a tunnel's outer header takes from the packet inside.

use zerocopy::FromBytes;

use super::Payload;
use crate::wire::{
    ethernet::{self, EtherType, VlanTag},
    flow_hash, ip4, ip6,
};

/// The version of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// No IP packet.
    Other,
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// What is told of the packet inside: of a frame that of the IP packet that it carries, behind two VLAN tags at most. Zeros where there
/// is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inner {
    /// Its version.
    pub version: Version,
    /// DSCP and ECN.
    pub tos: u8,
    /// TTL or hop limit.
    pub ttl: u8,
    /// Whether it must not be fragmented on its way: flag of IPv4.
    pub dont_fragment: bool,
    /// IPv6 flow label.
    pub flow_label: u32,
    /// The same for all packets of a flow.
    pub flow_hash: u32,
}

impl Inner {
    /// Of an IP packet, or of nothing known.
    const NONE: Self = Self {
        version: Version::Other,
        tos: 0,
        ttl: 0,
        dont_fragment: false,
        flow_label: 0,
        flow_hash: 0,
    };

    /// What `bytes` tell, which begin with what the tunnel carries.
    #[inline]
    #[must_use]
    pub fn of(payload: Payload, bytes: &[u8]) -> Self {
        match payload {
            Payload::Ip => Self::of_packet(bytes),
            Payload::Ethernet => Self::of_frame(bytes),
        }
    }

    #[inline]
    fn of_packet(bytes: &[u8]) -> Self {
        match bytes.first().map(|first| first >> 4) {
            Some(4) => Self::of_ip4(bytes),
            Some(6) => Self::of_ip6(bytes),
            _ => Self::NONE,
        }
    }

    #[inline]
    fn of_frame(bytes: &[u8]) -> Self {
        let Ok((header, rest)) = ethernet::Header::ref_from_prefix(bytes) else {
            return Self::NONE;
        };
        match EtherType(header.ethertype.get()) {
            EtherType::IP4 => Self::of_ip4(rest),
            EtherType::IP6 => Self::of_ip6(rest),
            other => Self::of_any(header, other, rest),
        }
    }

    /// A frame with tags, or of something else, whose flow is that of its stations.
    #[cold]
    fn of_any(header: &ethernet::Header, ethertype: EtherType, rest: &[u8]) -> Self {
        let (mut ethertype, mut rest) = (ethertype, rest);
        for _ in 0..2 {
            if ethertype.is_vlan()
                && let Ok((tag, behind)) = VlanTag::ref_from_prefix(rest)
            {
                (ethertype, rest) = (EtherType(tag.ethertype.get()), behind);
            }
        }
        let inner = match ethertype {
            EtherType::IP4 => Self::of_ip4(rest),
            EtherType::IP6 => Self::of_ip6(rest),
            _ => Self::NONE,
        };
        if inner.version != Version::Other {
            return inner;
        }
        let [destination, source] = header.words().map(|word| u128::from(word.get()));
        Self { flow_hash: flow_hash::of(source, destination, 0, ethertype.0.into()), ..Self::NONE }
    }

    #[inline]
    fn of_ip4(bytes: &[u8]) -> Self {
        let Ok((ip, _)) = ip4::Header::ref_from_prefix(bytes) else { return Self::NONE };
        let behind = bytes.get(ip.header_length()..).and_then(|behind| behind.first_chunk());
        let ports = match behind {
            Some(ports) if !ip.is_fragment() => u32::from_be_bytes(*ports),
            _ => 0,
        };
        let address = |octets| u128::from(u32::from_be_bytes(octets));
        let (source, destination) = (address(ip.source), address(ip.destination));
        Self {
            version: Version::V4,
            tos: ip.tos,
            ttl: ip.ttl,
            dont_fragment: ip.flags_fragment.get() & ip4::Header::DONT_FRAGMENT != 0,
            flow_label: 0,
            flow_hash: flow_hash::of(source, destination, ip.protocol, ports),
        }
    }

    #[inline]
    fn of_ip6(bytes: &[u8]) -> Self {
        let Ok((ip, payload)) = ip6::Header::ref_from_prefix(bytes) else { return Self::NONE };
        let upper = ip6::upper_layer(ip.next_header, payload);
        let ports = upper.offset.and_then(|at| payload.get(at..)?.first_chunk());
        let ports = ports.map_or(0, |bytes| u32::from_be_bytes(*bytes));
        let address = u128::from_be_bytes;
        let (source, destination) = (address(ip.source), address(ip.destination));
        Self {
            version: Version::V6,
            tos: ip.traffic_class(),
            ttl: ip.hop_limit,
            dont_fragment: false,
            flow_label: ip.flow_label(),
            flow_hash: flow_hash::of(source, destination, upper.protocol, ports),
        }
    }

    /// The source port of the datagram: of the dynamic ones, so that the packets of a flow take one way and those of others another
    /// (RFC 7348, section 5).
    #[inline]
    #[must_use]
    pub const fn source_port(&self) -> u16 {
        const DYNAMIC: u16 = 0xc000;
        DYNAMIC | (self.flow_hash ^ self.flow_hash >> 16) as u16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet() -> Vec<u8> {
        let mut packet = vec![0x45, 0xb9, 0, 32, 0, 0, 0x40, 0, 63, 17, 0, 0];
        packet.extend([10, 0, 0, 1, 10, 0, 0, 2, 4, 0, 0, 53, 0, 12, 0, 0, 1, 2, 3, 4]);
        packet
    }

    #[test]
    fn a_frame_tells_what_its_packet_does_behind_whatever_tags() {
        let packet = packet();
        let of_packet = Inner::of(Payload::Ip, &packet);
        assert_eq!((of_packet.tos, of_packet.ttl), (0xb9, 63));
        assert!(of_packet.dont_fragment);
        assert!(of_packet.source_port() >= 49152);
        let tags: [&[u8]; 3] = [&[], &[0x81, 0, 0, 7], &[0x88, 0xa8, 0, 7, 0x81, 0, 0, 8]];
        for tags in tags {
            let frame = [&[2; 12], tags, &[8, 0], &packet].concat();
            assert_eq!(Inner::of(Payload::Ethernet, &frame), of_packet);
        }
    }

    #[test]
    fn what_is_no_packet_has_a_flow_of_its_stations() {
        let frame =
            |last: u8| [&[2, 0, 0, 0, 0, last, 2, 0, 0, 0, 0, 9, 8, 6][..], &[0; 28]].concat();
        let [a, b] = [1, 2].map(|last| Inner::of(Payload::Ethernet, &frame(last)));
        assert_eq!((a.version, a.tos), (Version::Other, 0));
        assert_ne!(a.flow_hash, b.flow_hash);
        for cut in [&[][..], &[0x45; 13], &[0x60; 13]] {
            for payload in [Payload::Ip, Payload::Ethernet] {
                assert_eq!(Inner::of(payload, cut), Inner::NONE);
            }
        }
    }
}
