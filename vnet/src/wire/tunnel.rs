//! Tunnels: the packet that a packet carries.
//!
//! IP in IP (RFC 2003, 2473, 4213), GRE (RFC 2784, 2890) with IP or Ethernet in it, VXLAN (RFC 7348), Geneve (RFC 8926), and GTP-U
//! (3GPP TS 29.281). A tunnel in a tunnel is followed, up to [`MAX_DEPTH`] of them. Fragments are no tunnels: what a later one
//! carries cannot be told.

use zerocopy::FromBytes;

use super::{
    ethernet::{self, EtherType},
    geneve, gre,
    ip4::{self, protocol},
    ip6,
    link::LinkType,
    udp, vxlan,
    walk::{self, Version},
};

/// Tunnels in tunnels that are followed.
pub const MAX_DEPTH: usize = 4;

/// UDP ports of tunnels: of IANA's registry, and the one that Linux had for VXLAN before there was any.
const VXLAN: u16 = vxlan::PORT;
const VXLAN_LINUX: u16 = 8472;
const GENEVE: u16 = geneve::PORT;
const GTP_U: u16 = 2152;
const BRIDGED: EtherType = EtherType(gre::BRIDGED);

/// IP protocols of IP packets in IP packets.
pub const IP4_IN_IP: u8 = 4;
/// That of IPv6 ones.
pub const IP6_IN_IP: u8 = 41;

/// A kind of tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// An IP packet in an IP packet.
    Ip,
    /// Generic routing encapsulation.
    Gre,
    /// Virtual extensible LAN.
    Vxlan,
    /// Generic network virtualization encapsulation.
    Geneve,
    /// The user plane of GPRS tunnelling.
    GtpU,
}

impl Kind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [Self; 5] = [Self::Ip, Self::Gre, Self::Vxlan, Self::Geneve, Self::GtpU];

    /// For a summary line.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Ip => "IP in IP",
            Self::Gre => "GRE",
            Self::Vxlan => "VXLAN",
            Self::Geneve => "Geneve",
            Self::GtpU => "GTP-U",
        }
    }
}

/// The innermost packet of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inner<'a> {
    /// What was captured of it, and nothing behind it.
    pub bytes: &'a [u8],
    /// What it begins with: [`LinkType::Ethernet`] or [`LinkType::Raw`].
    pub link: LinkType,
    /// Its octets on the wire.
    pub wire_length: u32,
    /// The outermost tunnel.
    pub outermost: Kind,
    /// How many tunnels there are.
    pub depth: usize,
}

/// The innermost packet of the frame that `bytes` begin, of `wire_length` octets on the wire. `None` when it carries none, or
/// not so much of one that it could be read.
#[must_use]
pub fn innermost(bytes: &[u8], link: LinkType, wire_length: u32) -> Option<Inner<'_>> {
    let mut found: Option<Inner<'_>> = None;
    let mut next = Some((bytes, link, wire_length));
    while let Some((bytes, link, wire_length)) = next
        && found.is_none_or(|found| found.depth < MAX_DEPTH)
        && let Some((kind, bytes, link, wire_length)) = payload(bytes, link, wire_length)
    {
        let (outermost, depth) = found.map_or((kind, 1), |f| (f.outermost, f.depth + 1));
        found = Some(Inner { bytes, link, wire_length, outermost, depth });
        next = Some((bytes, link, wire_length));
    }
    found
}

/// What a frame carries in its outermost tunnel.
fn payload(bytes: &[u8], link: LinkType, wire_length: u32) -> Option<(Kind, &[u8], LinkType, u32)> {
    let link = walk::link(bytes, link).ok()?;
    let (version, network) = walk::network(bytes, &link).ok()?;
    let packet = bytes.get(network..)?;
    let (protocol, transport, octets) = upper(version, packet)?;
    let octets = if octets == 0 { wire_length.saturating_sub(network as u32) } else { octets };
    let (kind, link, offset) = inside(protocol, packet.get(transport..)?)?;
    let start = network + transport + offset;
    let wire_length = octets.checked_sub((transport + offset) as u32)?;
    let inner = bytes.get(start..)?;
    let inner = inner.get(..wire_length as usize).unwrap_or(inner);
    is_readable(inner, link).then_some((kind, inner, link, wire_length))
}

/// Protocol and offset of what an IP packet carries, and the octets of the packet, 0 where it does not say; `None` for a fragment.
fn upper(version: Version, packet: &[u8]) -> Option<(u8, usize, u32)> {
    match version {
        Version::V4 => {
            let (header, _) = ip4::Header::ref_from_prefix(packet).ok()?;
            let length = header.header_length();
            let is_whole = header.version() == 4
                && length >= size_of::<ip4::Header>()
                && !header.is_fragment();
            let octets = u32::from(header.total_length.get());
            is_whole.then_some((header.protocol, length, octets))
        }
        Version::V6 => {
            let (header, payload) = ip6::Header::ref_from_prefix(packet).ok()?;
            let is_whole = header.version() == 6
                && ip6::fragment_header(header.next_header, payload).is_none();
            let upper = ip6::upper_layer(header.next_header, payload);
            let fixed = size_of::<ip6::Header>();
            let octets = match header.payload_length.get() {
                0 => 0,
                length => fixed as u32 + u32::from(length),
            };
            let offset = upper.offset.filter(|_| is_whole)?;
            Some((upper.protocol, fixed + offset, octets))
        }
    }
}

/// What kind of tunnel begins with `bytes`, what is in it and where.
fn inside(protocol: u8, bytes: &[u8]) -> Option<(Kind, LinkType, usize)> {
    match protocol {
        IP4_IN_IP | IP6_IN_IP => Some((Kind::Ip, LinkType::Raw, 0)),
        gre::PROTOCOL => in_gre(bytes),
        protocol::UDP => {
            let (header, payload) = udp::Header::ref_from_prefix(bytes).ok()?;
            let (kind, link, offset) = match header.destination_port.get() {
                VXLAN => in_vxlan(payload),
                VXLAN_LINUX => in_vxlan(payload).filter(|_| payload.starts_with(&[8, 0, 0, 0])),
                GENEVE => in_geneve(payload),
                GTP_U => gtp(payload),
                _ => None,
            }?;
            Some((kind, link, size_of::<udp::Header>() + offset))
        }
        _ => None,
    }
}

/// RFC 2890; version 1 is that of PPTP.
fn in_gre(bytes: &[u8]) -> Option<(Kind, LinkType, usize)> {
    let (header, _) = gre::Header::ref_from_prefix(bytes).ok()?;
    if header.version() != 0 || header.flags.get() & gre::Header::ROUTING != 0 {
        return None;
    }
    let link = link_of(EtherType(header.protocol.get()))?;
    Some((Kind::Gre, link, header.length()))
}

fn in_vxlan(bytes: &[u8]) -> Option<(Kind, LinkType, usize)> {
    let (header, _) = vxlan::Header::ref_from_prefix(bytes).ok()?;
    let offset = size_of::<vxlan::Header>();
    header.is_valid().then_some((Kind::Vxlan, LinkType::Ethernet, offset))
}

fn in_geneve(bytes: &[u8]) -> Option<(Kind, LinkType, usize)> {
    let (header, _) = geneve::Header::ref_from_prefix(bytes).ok()?;
    let link = link_of(EtherType(header.protocol.get()))?;
    (header.version() == 0).then_some((Kind::Geneve, link, header.length()))
}

/// TS 29.281 section 5: a G-PDU of version 1. With any of three flags four more octets follow, the last of which is the type
/// of an extension header if the flag E is set.
fn gtp(bytes: &[u8]) -> Option<(Kind, LinkType, usize)> {
    const G_PDU: u8 = 255;
    const EXTENSION: u8 = 4;
    let &[flags, kind, ..] = bytes else { return None };
    if flags >> 4 != 3 || kind != G_PDU {
        return None;
    }
    let mut offset = if flags & 7 == 0 { 8 } else { 12 };
    let mut has_more = flags & EXTENSION != 0 && *bytes.get(11)? != 0;
    while has_more {
        let length = usize::from(*bytes.get(offset)?) * 4;
        offset += length;
        has_more = length != 0 && *bytes.get(offset - 1)? != 0;
    }
    Some((Kind::GtpU, LinkType::Raw, offset))
}

fn link_of(ethertype: EtherType) -> Option<LinkType> {
    match ethertype {
        EtherType::IP4 | EtherType::IP6 => Some(LinkType::Raw),
        BRIDGED => Some(LinkType::Ethernet),
        _ => None,
    }
}

/// Whether the first header of a packet is there.
fn is_readable(bytes: &[u8], link: LinkType) -> bool {
    match (link, bytes.first().map(|first| first >> 4)) {
        (LinkType::Raw, Some(4)) => bytes.len() >= size_of::<ip4::Header>(),
        (LinkType::Raw, Some(6)) => bytes.len() >= size_of::<ip6::Header>(),
        (LinkType::Ethernet, _) => bytes.len() >= size_of::<ethernet::Header>(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An IPv4 header in front of `payload`.
    fn ip4(protocol: u8, payload: &[u8]) -> Vec<u8> {
        let mut packet =
            vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        packet[2..4].copy_from_slice(&(20 + payload.len() as u16).to_be_bytes());
        packet.extend_from_slice(payload);
        packet
    }

    fn udp(port: u16, payload: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x30, 0x39];
        packet.extend(port.to_be_bytes());
        packet.extend((8 + payload.len() as u16).to_be_bytes());
        packet.extend([0, 0]);
        packet.extend_from_slice(payload);
        packet
    }

    fn inner(packet: &[u8]) -> Option<Inner<'_>> {
        innermost(packet, LinkType::Raw, packet.len() as u32)
    }

    #[test]
    fn each_kind_ends_where_its_headers_end() {
        let carried = ip4(17, &udp(53, b"question"));
        let in_ethernet = [&[2; 12], &[8, 0][..], &carried].concat();
        let gtp_plain = [&[0x30, 255, 0, 36, 0, 0, 0, 1][..], &carried].concat();
        let gtp_extended =
            [&[0x34, 255, 0, 44, 0, 0, 0, 1, 0, 0, 0, 0x85, 1, 0, 9, 0][..], &carried].concat();
        for (kind, link, packet) in [
            (Kind::Ip, LinkType::Raw, ip4(4, &carried)),
            (Kind::Gre, LinkType::Raw, ip4(47, &[&[0, 0, 8, 0][..], &carried].concat())),
            (
                Kind::Gre,
                LinkType::Raw,
                ip4(
                    47,
                    &[&[0xb0, 0, 8, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12][..], &carried]
                        .concat(),
                ),
            ),
            (
                Kind::Gre,
                LinkType::Ethernet,
                ip4(47, &[&[0, 0, 0x65, 0x58][..], &in_ethernet].concat()),
            ),
            (
                Kind::Vxlan,
                LinkType::Ethernet,
                ip4(17, &udp(4789, &[&[8, 0, 0, 0, 0, 0, 7, 0][..], &in_ethernet].concat())),
            ),
            (
                Kind::Geneve,
                LinkType::Ethernet,
                ip4(
                    17,
                    &udp(
                        6081,
                        &[&[1, 0, 0x65, 0x58, 0, 0, 7, 0, 1, 2, 3, 4][..], &in_ethernet].concat(),
                    ),
                ),
            ),
            (Kind::GtpU, LinkType::Raw, ip4(17, &udp(2152, &gtp_plain))),
            (Kind::GtpU, LinkType::Raw, ip4(17, &udp(2152, &gtp_extended))),
        ] {
            let expected = if link == LinkType::Raw { &carried } else { &in_ethernet };
            // What is behind a short frame is padding.
            let padded = [&packet[..], &[0; 9]].concat();
            for packet in [&packet, &padded] {
                let found = inner(packet).unwrap();
                assert_eq!((found.outermost, found.link, found.depth), (kind, link, 1));
                assert_eq!(
                    (found.bytes, found.wire_length),
                    (&expected[..], expected.len() as u32)
                );
            }
        }
    }

    #[test]
    fn tunnels_in_tunnels_are_followed_and_not_for_ever() {
        let mut packet = ip4(17, &udp(53, b"question"));
        let innermost = packet.clone();
        for depth in 1..=MAX_DEPTH {
            packet = ip4(4, &packet);
            let found = inner(&packet).unwrap();
            assert_eq!((found.depth, found.bytes), (depth, &innermost[..]));
        }
        packet = ip4(4, &packet);
        assert_eq!(inner(&packet).unwrap().bytes, ip4(4, &innermost));
    }

    #[test]
    fn what_is_no_tunnel_carries_nothing() {
        let carried = ip4(17, &udp(53, b"question"));
        let vxlan = ip4(17, &udp(4789, &[&[8, 0, 0, 0, 0, 0, 7, 0][..], &[2; 60]].concat()));
        let mut fragment = vxlan.clone();
        fragment[6] = 0x20;
        let mut cut = vxlan;
        cut.truncate(20 + 8 + 8 + 13);
        for packet in [
            carried.clone(),
            ip4(17, &udp(4789, &[0; 60])),
            ip4(17, &udp(8472, &[&[9, 0, 0, 0, 0, 0, 7, 0][..], &[2; 60]].concat())),
            ip4(47, &[&[0, 1, 8, 0][..], &carried].concat()),
            ip4(47, &[&[0, 0, 0x88, 0x0b][..], &carried].concat()),
            ip4(17, &udp(2152, &[&[0x30, 1, 0, 36, 0, 0, 0, 1][..], &carried].concat())),
            ip4(17, &udp(2152, &[0x34, 255, 0, 36, 0, 0, 0, 1, 0, 0, 0, 0x85, 0, 1, 1, 1])),
            ip4(4, &[0x50; 40]),
            fragment,
            cut,
        ] {
            assert_eq!(inner(&packet), None, "{packet:02x?}");
        }
    }
}
