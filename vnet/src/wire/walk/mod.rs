//! The header walk: from captured bytes to the outermost IP header and to what a flow key needs of it.
//!
//! Three steps, each with one length check a layer: [`link`] (addresses, tags, type), [`network`] (labels and PPPoE), [`ip`]
//! (octets, protocol, ports, TCP flags). They take any bytes, in time linear in what they consume, and answer with a [`Miss`]
//! where there is nothing to find. [`common_link`], [`common4`] and [`common6`] are the same walk for what most packets
//! are, as straight-line code; they give `None` for all others, and never another answer than the general steps.

use zerocopy::{
    FromBytes, Immutable, KnownLayout, Unaligned,
    network_endian::{U16, U32},
};

use super::{
    ethernet::{self, EtherType, MacAddress, MacWord, VlanTag},
    ip4,
    ip4::protocol,
    ip6,
    link::{LinkType, Sll2Header, SllHeader},
    mpls::Label,
    pppoe, tcp, udp,
};

/// Why there is no IP header to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Miss {
    /// The frame carries something else.
    NotIp,
    /// Capture or frame ends before the type of the payload is known: within the link header, a tag, a label stack or a PPPoE
    /// header.
    TruncatedLink,
    /// Capture or frame ends within the fixed IP header.
    TruncatedIp,
    /// The version is not the one announced, or the header length is below 20.
    BadIpHeader,
}

/// The link layer of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Source address; zero where the link type has none.
    pub source: MacWord,
    /// Destination address; zero where the link type has none.
    pub destination: MacWord,
    /// VLAN identifier of the outermost tag.
    pub vlan: Option<u16>,
    /// Type of the payload behind all tags; 0 when an LLC header without an Ethernet type follows.
    pub ethertype: EtherType,
    /// Offset of the payload.
    pub payload: usize,
}

/// Which Internet Protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// A fixed IP header in place, and what lies behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ip<'a> {
    /// IPv4.
    V4(&'a ip4::Header, Transport),
    /// IPv6.
    V6(&'a ip6::Header, Transport),
}

/// What a flow key and a flow's counters need from an IP packet besides its addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transport {
    /// IPv4 total length, or 40 + IPv6 payload length; the rest of the frame on the wire where the length field is 0.
    pub octets: u32,
    /// Source port (high half) and destination port (low half). ICMP and ICMPv6 have type * 256 + code in the low half.
    /// 0 when the protocol has none, in later fragments, and when they were not captured.
    pub ports: u32,
    /// TCP control bits, 12; 0 likewise.
    pub tcp_flags: u16,
    /// Protocol; behind IPv6 extension headers the last of the chain.
    pub protocol: u8,
}

impl Transport {
    /// Source port.
    #[must_use]
    pub const fn source_port(&self) -> u16 {
        (self.ports >> 16) as u16
    }

    /// Destination port.
    #[must_use]
    pub const fn destination_port(&self) -> u16 {
        self.ports as u16
    }
}

/// Reads the link header and all VLAN tags (802.1Q, 802.1ad, 0x9100).
///
/// # Errors
/// [`Miss::TruncatedLink`]; for raw IP also [`Miss::TruncatedIp`] without any byte and [`Miss::BadIpHeader`] when the
/// first is neither of a version 4 nor a 6.
pub fn link(bytes: &[u8], link_type: LinkType) -> Result<Link, Miss> {
    let none = MacWord::ZERO;
    let (source, destination, ethertype, payload) = match link_type {
        LinkType::Ethernet => {
            let (header, _) =
                ethernet::Header::ref_from_prefix(bytes).map_err(|_| Miss::TruncatedLink)?;
            let [destination, source] = header.words();
            (source, destination, header.ethertype, size_of::<ethernet::Header>())
        }
        LinkType::LinuxSll => {
            let (header, _) = SllHeader::ref_from_prefix(bytes).map_err(|_| Miss::TruncatedLink)?;
            let source = cooked_address(header.address, header.address_length.get());
            (source, none, header.protocol, size_of::<SllHeader>())
        }
        LinkType::LinuxSll2 => {
            let (header, _) =
                Sll2Header::ref_from_prefix(bytes).map_err(|_| Miss::TruncatedLink)?;
            let source = cooked_address(header.address, u16::from(header.address_length));
            (source, none, header.protocol, size_of::<Sll2Header>())
        }
        LinkType::Raw => {
            let ethertype = match bytes.first().ok_or(Miss::TruncatedIp)? >> 4 {
                4 => EtherType::IP4,
                6 => EtherType::IP6,
                _ => return Err(Miss::BadIpHeader),
            };
            (none, none, U16::new(ethertype.0), 0)
        }
    };
    tags(
        bytes,
        Link { source, destination, vlan: None, ethertype: EtherType(ethertype.get()), payload },
    )
}

/// Finds the IP header behind MPLS labels (whose payload is IP when its first nibble is 4 or 6) and PPPoE.
///
/// # Errors
/// [`Miss::NotIp`], [`Miss::TruncatedLink`], and [`Miss::TruncatedIp`] when nothing was captured behind the labels.
pub fn network(bytes: &[u8], link: &Link) -> Result<(Version, usize), Miss> {
    match link.ethertype {
        EtherType::IP4 => Ok((Version::V4, link.payload)),
        EtherType::IP6 => Ok((Version::V6, link.payload)),
        EtherType::MPLS | EtherType::MPLS_UPSTREAM => labels(bytes, link.payload),
        EtherType::PPPOE_SESSION => {
            let rest = bytes.get(link.payload..).ok_or(Miss::TruncatedLink)?;
            let (header, _) =
                pppoe::Header::ref_from_prefix(rest).map_err(|_| Miss::TruncatedLink)?;
            let payload = link.payload + size_of::<pppoe::Header>();
            match (header.code, header.protocol.get()) {
                (0, pppoe::protocol::IP4) => Ok((Version::V4, payload)),
                (0, pppoe::protocol::IP6) => Ok((Version::V6, payload)),
                (0, pppoe::protocol::MPLS) => labels(bytes, payload),
                _ => Err(Miss::NotIp),
            }
        }
        _ => Err(Miss::NotIp),
    }
}

/// Reads an IP packet. `bytes` is what was captured from its first byte on, `wire_length` how much the frame had from
/// there.
///
/// # Errors
/// [`Miss::TruncatedIp`] and [`Miss::BadIpHeader`]. Cut options, extension headers and transport headers are no errors:
/// they give ports of 0.
pub fn ip(version: Version, bytes: &[u8], wire_length: u32) -> Result<Ip<'_>, Miss> {
    match version {
        Version::V4 => {
            let (header, _) = ip4::Header::ref_from_prefix(bytes).map_err(|_| Miss::TruncatedIp)?;
            if header.version() != 4 || header.header_length() < size_of::<ip4::Header>() {
                return Err(Miss::BadIpHeader);
            }
            let octets = match header.total_length.get() {
                0 => wire_length,
                length => u32::from(length),
            };
            let packet = up_to(bytes, octets);
            let offset = (header.fragment_offset() == 0).then_some(header.header_length());
            Ok(Ip::V4(header, transport(header.protocol, packet, offset, octets)))
        }
        Version::V6 => {
            let (header, _) = ip6::Header::ref_from_prefix(bytes).map_err(|_| Miss::TruncatedIp)?;
            if header.version() != 6 {
                return Err(Miss::BadIpHeader);
            }
            let octets = match (header.payload_length.get(), header.next_header) {
                (0, protocol::NO_NEXT) => FIXED6,
                (0, _) => wire_length,
                (length, _) => FIXED6 + u32::from(length),
            };
            let payload = up_to(bytes, octets).get(size_of::<ip6::Header>()..).unwrap_or_default();
            let upper = ip6::upper_layer(header.next_header, payload);
            Ok(Ip::V6(header, transport(upper.protocol, payload, upper.offset, octets)))
        }
    }
}

/// [`link`] for IP over Ethernet with at most one 802.1Q or 802.1ad tag.
#[inline(always)]
#[must_use]
pub fn common_link(bytes: &[u8]) -> Option<Link> {
    let (tagged, _) = Tagged::ref_from_prefix(bytes).ok()?;
    let [destination, source] = tagged.header.words();
    let outer = EtherType(tagged.header.ethertype.get());
    if matches!(outer, EtherType::IP4 | EtherType::IP6) {
        let payload = size_of::<ethernet::Header>();
        return Some(Link { source, destination, vlan: None, ethertype: outer, payload });
    }
    let inner = EtherType(tagged.tag.ethertype.get());
    let is_common = matches!(outer, EtherType::VLAN | EtherType::QINQ)
        && matches!(inner, EtherType::IP4 | EtherType::IP6);
    let vlan = Some(tagged.tag.id());
    let payload = size_of::<Tagged>();
    is_common.then_some(Link { source, destination, vlan, ethertype: inner, payload })
}

/// [`ip`] for TCP or UDP over IPv4 without options and fragments.
#[inline(always)]
#[must_use]
pub fn common4(bytes: &[u8]) -> Option<(&ip4::Header, Transport)> {
    let (packet, _) = Common4::ref_from_prefix(bytes).ok()?;
    let header = &packet.network;
    let total = header.total_length.get();
    let is_tcp = header.protocol == protocol::TCP;
    let is_common = header.version_ihl == ip4::Header::VERSION_IHL
        && !header.is_fragment()
        && (is_tcp || header.protocol == protocol::UDP)
        && usize::from(total) >= size_of::<Common4>();
    let tcp_flags = if is_tcp { packet.transport.offset_flags.get() & tcp::flags::ALL } else { 0 };
    let transport = Transport {
        octets: u32::from(total),
        ports: packet.transport.ports.get(),
        tcp_flags,
        protocol: header.protocol,
    };
    is_common.then_some((header, transport))
}

/// [`ip`] for TCP or UDP directly over IPv6.
#[inline(always)]
#[must_use]
pub fn common6(bytes: &[u8]) -> Option<(&ip6::Header, Transport)> {
    let (packet, behind) = Common6::ref_from_prefix(bytes).ok()?;
    let header = &packet.network;
    let length = header.payload_length.get();
    let is_tcp = header.next_header == protocol::TCP;
    // The shortest frames end with their UDP header, which is not padded as that of IPv4 is.
    let (tcp_flags, least) = match is_tcp {
        true => (RestOfPrefix::ref_from_prefix(behind).ok()?.0.offset_flags.get(), TCP_PREFIX),
        false => (0, size_of::<udp::Header>()),
    };
    let is_common = header.version() == 6
        && (is_tcp || header.next_header == protocol::UDP)
        && usize::from(length) >= least;
    let transport = Transport {
        octets: FIXED6 + u32::from(length),
        ports: packet.ports.get(),
        tcp_flags: tcp_flags & tcp::flags::ALL,
        protocol: header.next_header,
    };
    is_common.then_some((header, transport))
}

/// Within so many bytes end the headers of an Ethernet frame that [`is_common`]: one tag, IPv6, TCP with all the options that it can
/// have, and a few more, so that these are whole cache lines.
pub const COMMON: usize = 128;
const _: () = assert!(size_of::<Tagged>() + size_of::<ip6::Header>() + tcp::MAX_HEADER <= COMMON);

/// Whether the first [`COMMON`] bytes of an Ethernet frame, or all where it has fewer, hold all its headers, because it is what most
/// packets are.
#[inline(always)]
#[must_use]
pub fn is_common(bytes: &[u8]) -> bool {
    common_link(bytes).is_some_and(|link| {
        let packet = bytes.get(link.payload..).unwrap_or_default();
        match link.ethertype {
            EtherType::IP4 => common4(packet).is_some(),
            _ => common6(packet).is_some(),
        }
    })
}

#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Tagged {
    header: ethernet::Header,
    tag: VlanTag,
}

#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Common4 {
    network: ip4::Header,
    transport: TransportPrefix,
}

#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Common6 {
    network: ip6::Header,
    ports: U32,
    between: [u8; 4],
}

/// What a TCP header has up to its flags, behind as much as a UDP header has.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct RestOfPrefix {
    between: [u8; 4],
    offset_flags: U16,
}

const TCP_PREFIX: usize = size_of::<TransportPrefix>();

/// A TCP header up to its flags; a UDP header and six bytes of what follows.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct TransportPrefix {
    ports: U32,
    between: [u8; 8],
    offset_flags: U16,
}

const FIXED6: u32 = size_of::<ip6::Header>() as u32;

fn cooked_address(address: [u8; 8], length: u16) -> MacWord {
    let [a, b, c, d, e, f, ..] = address;
    if length == 6 { MacAddress([a, b, c, d, e, f]).into() } else { MacWord::ZERO }
}

/// Steps over tags, and over a SNAP header with an Ethernet type (RFC 1042).
fn tags(bytes: &[u8], mut link: Link) -> Result<Link, Miss> {
    loop {
        let rest = bytes.get(link.payload..).ok_or(Miss::TruncatedLink)?;
        if link.ethertype.is_vlan() {
            let (tag, _) = VlanTag::ref_from_prefix(rest).map_err(|_| Miss::TruncatedLink)?;
            link.vlan = link.vlan.or_else(|| Some(tag.id()));
            link.ethertype = EtherType(tag.ethertype.get());
            link.payload += size_of::<VlanTag>();
        } else if link.ethertype.is_length() {
            if let &[0xaa, 0xaa, 0x03, 0, 0, 0, high, low, ..] = rest
                && !EtherType(u16::from_be_bytes([high, low])).is_length()
            {
                link.ethertype = EtherType(u16::from_be_bytes([high, low]));
                link.payload += 8;
            } else {
                link.ethertype = EtherType(0);
                return Ok(link);
            }
        } else {
            return Ok(link);
        }
    }
}

fn labels(bytes: &[u8], mut offset: usize) -> Result<(Version, usize), Miss> {
    loop {
        let rest = bytes.get(offset..).ok_or(Miss::TruncatedLink)?;
        let (label, payload) = Label::ref_from_prefix(rest).map_err(|_| Miss::TruncatedLink)?;
        offset += size_of::<Label>();
        if label.is_bottom() {
            return match payload.first().ok_or(Miss::TruncatedIp)? >> 4 {
                4 => Ok((Version::V4, offset)),
                6 => Ok((Version::V6, offset)),
                _ => Err(Miss::NotIp),
            };
        }
    }
}

/// The transport layer at `offset` of `bytes`; `None` says that there is no transport header.
fn transport(protocol: u8, bytes: &[u8], offset: Option<usize>, octets: u32) -> Transport {
    let header = offset.and_then(|offset| bytes.get(offset..)).unwrap_or_default();
    let mut transport = Transport { octets, ports: 0, tcp_flags: 0, protocol };
    match protocol {
        protocol::TCP | protocol::UDP | protocol::UDP_LITE | protocol::SCTP | protocol::DCCP => {
            if let Ok((ports, _)) = U32::ref_from_prefix(header) {
                transport.ports = ports.get();
            }
            if protocol == protocol::TCP
                && let Ok((prefix, _)) = TransportPrefix::ref_from_prefix(header)
            {
                transport.tcp_flags = prefix.offset_flags.get() & tcp::flags::ALL;
            }
        }
        protocol::ICMP | protocol::ICMP6 => {
            if let Ok((type_code, _)) = U16::ref_from_prefix(header) {
                transport.ports = u32::from(type_code.get());
            }
        }
        _ => (),
    }
    transport
}

fn up_to(bytes: &[u8], length: u32) -> &[u8] {
    usize::try_from(length).ok().and_then(|length| bytes.get(..length)).unwrap_or(bytes)
}

#[cfg(test)]
mod tests;
