//! What of an outer header depends on the packet inside: lengths, checksums, and what goes over by the tunnel's flags.

use vnet::{
    buffer::Buffer,
    error::ErrorSet,
    fib::Family,
    graph::{NextSet, PacketCx},
    tunnel::{Flags, Inner, Kind, Payload, Sender, Version},
    wire::{
        checksum::{self, Sum},
        ethernet::EtherType,
        gre, ip4, ip6, tunnel, udp,
    },
};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::segments::add_segments;

/// The bits of ECN.
const ECN: u8 = 3;

/// A header that is to be finished, in front of a packet.
pub(super) struct Finish<'a> {
    pub(super) sender: &'a Sender,
    pub(super) inner: Inner,
    /// Octets of the whole.
    pub(super) length: u16,
    pub(super) identification: u16,
}

impl Finish<'_> {
    /// DSCP and ECN: the congestion bits always go over (RFC 6040, section 4.1).
    fn tos(&self) -> u8 {
        let all = self.sender.flags.contains(Flags::COPY_DSCP);
        self.inner.tos & if all { 0xff } else { ECN }
    }

    /// The IP protocol of a packet in a packet.
    fn protocol(&self) -> u8 {
        match self.inner.version {
            Version::V6 => tunnel::IP6_IN_IP,
            Version::V4 | Version::Other => tunnel::IP4_IN_IP,
        }
    }

    fn dont_fragment(&self) -> bool {
        let flags = self.sender.flags;
        flags.contains(Flags::SET_DF) || flags.contains(Flags::COPY_DF) && self.inner.dont_fragment
    }

    fn flow_label(&self) -> u32 {
        let flags = self.sender.flags;
        match () {
            () if flags.contains(Flags::COPY_FLOW_LABEL) => self.inner.flow_label,
            () if flags.contains(Flags::INNER_HASH) => self.inner.flow_hash & 0x000f_ffff,
            () => 0,
        }
    }
}

/// Headers of a datagram over IPv4.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Datagram4 {
    ip: ip4::Header,
    udp: udp::Header,
}

/// Finishes the outer header at the current position.
#[inline(always)]
pub(super) fn finish<N: NextSet, E: ErrorSet>(
    cx: &PacketCx<'_, N, E>,
    buffer: &mut Buffer,
    of: &Finish<'_>,
) {
    match (of.sender.family, of.sender.kind.has_ports()) {
        (Family::Ip4, true) => {
            let Some(Datagram4 { ip, udp }) = buffer.view_mut::<Datagram4>() else { return };
            ip4(ip, of);
            udp.source_port.set(of.inner.source_port());
            // No checksum (RFC 7348, section 5; RFC 8926, section 3.3).
            udp.length.set(of.length - size_of::<ip4::Header>() as u16);
        }
        (Family::Ip4, false) => {
            let Some(ip) = buffer.view_mut::<ip4::Header>() else { return };
            ip4(ip, of);
            gre_protocol(buffer, size_of::<ip4::Header>(), of);
        }
        (Family::Ip6, ports) => {
            let Some(ip) = buffer.view_mut::<ip6::Header>() else { return };
            ip6(ip, of);
            gre_protocol(buffer, size_of::<ip6::Header>(), of);
            if ports {
                let _: Option<()> = udp6(cx, buffer, of);
            }
        }
    }
}

#[inline(always)]
fn ip4(ip: &mut ip4::Header, of: &Finish<'_>) {
    ip.total_length.set(of.length);
    ip.tos = of.tos();
    match of.dont_fragment() {
        true => ip.flags_fragment.set(ip4::Header::DONT_FRAGMENT),
        false => ip.identification.set(of.identification),
    }
    if of.sender.flags.contains(Flags::COPY_HOP_LIMIT) {
        ip.ttl = of.inner.ttl;
    }
    if of.sender.kind == Kind::Ipip {
        ip.protocol = of.protocol();
    }
    ip.checksum.set(checksum::of_ip4_header(ip));
}

fn ip6(ip: &mut ip6::Header, of: &Finish<'_>) {
    let word = 6 << 28 | u32::from(of.tos()) << 20 | of.flow_label();
    ip.version_class_flow.set(word);
    ip.payload_length.set(of.length - size_of::<ip6::Header>() as u16);
    if of.sender.flags.contains(Flags::COPY_HOP_LIMIT) {
        ip.hop_limit = of.inner.ttl;
    }
    if of.sender.kind == Kind::Ipip {
        ip.next_header = of.protocol();
    }
}

/// GRE says of IP packets which version they are.
#[inline(always)]
fn gre_protocol(buffer: &mut Buffer, at: usize, of: &Finish<'_>) {
    if of.sender.kind != Kind::Gre || of.sender.payload != Payload::Ip {
        return;
    }
    let behind = buffer.current_mut().get_mut(at..).unwrap_or_default();
    let Ok((header, _)) = gre::Header::mut_from_prefix(behind) else { return };
    let ethertype = if of.inner.version == Version::V6 { EtherType::IP6 } else { EtherType::IP4 };
    header.protocol.set(ethertype.0);
}

/// UDP over IPv6 has a checksum: receivers that were not told otherwise drop datagrams without (RFC 8200, section 8.1), and RFC 6936
/// leaves doing without it to those who have agreed on that.
fn udp6<N: NextSet, E: ErrorSet>(
    cx: &PacketCx<'_, N, E>,
    buffer: &mut Buffer,
    of: &Finish<'_>,
) -> Option<()> {
    const AT: usize = size_of::<ip6::Header>();
    let ip = *buffer.view::<ip6::Header>()?;
    let length = ip.payload_length.get();
    let (udp, _) = udp::Header::mut_from_prefix(buffer.current_mut().get_mut(AT..)?).ok()?;
    udp.source_port.set(of.inner.source_port());
    udp.length.set(length);
    let protocol = ip4::protocol::UDP;
    let seed = Sum::EMPTY.pseudo6(ip.source, ip.destination, protocol, length.into());
    let sum = add_segments(cx, buffer, AT, length.into(), seed)?;
    let (udp, _) = udp::Header::mut_from_prefix(buffer.current_mut().get_mut(AT..)?).ok()?;
    udp.checksum.set(udp::checksum_field(sum.checksum()));
    Some(())
}
