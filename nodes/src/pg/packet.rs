//! What the packets of a stream look like: headers from the outside in, then a payload.

use vnet::wire::ip4::protocol;

use super::Value;

/// The packets of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PacketSpec {
    /// Headers, outermost first.
    pub layers: Vec<Layer>,
    /// What follows them. Behind it a larger packet has zeros.
    pub payload: Vec<u8>,
}

/// One header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layer {
    /// ARP for IPv4 over Ethernet.
    Arp(Arp),
    /// Ethernet II with its VLAN tags.
    Ethernet(Ethernet),
    /// ICMP or, behind an IPv6 header, ICMPv6: type, code and checksum.
    Icmp(Icmp),
    /// IPv4 without options.
    Ip4(Ip4),
    /// IPv6 without extension headers.
    Ip6(Ip6),
    /// One MPLS label.
    Mpls(Mpls),
    /// TCP without options.
    Tcp(Tcp),
    /// UDP.
    Udp(Udp),
}

impl Layer {
    /// Its size in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        match self {
            Self::Ethernet(header) => 14 + 4 * header.tags.len(),
            Self::Arp(_) => 28,
            Self::Icmp(_) | Self::Mpls(_) => 4,
            Self::Ip4(_) => 20,
            Self::Tcp(header) => header.size(),
            Self::Ip6(_) => 40,
            Self::Udp(_) => 8,
        }
    }
}

/// An Ethernet header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ethernet {
    /// From whom, 48 bits.
    pub source: Value,
    /// To whom, 48 bits.
    pub destination: Value,
    /// Type of what follows the tags, 16 bits.
    pub ethertype: Value,
    /// 802.1Q tags, outermost first.
    pub tags: Vec<Tag>,
}

/// An 802.1Q tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// VLAN identifier, 12 bits.
    pub id: Value,
    /// Priority, 3 bits.
    pub priority: Value,
    /// Canonical format (drop eligible) indicator, 1 bit.
    pub cfi: Value,
}

/// An ARP packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arp {
    /// 1 for a request, 2 for a reply.
    pub operation: Value,
    /// MAC address of the sender.
    pub sender_mac: Value,
    /// IPv4 address of the sender.
    pub sender_ip: Value,
    /// MAC address of the target.
    pub target_mac: Value,
    /// IPv4 address of the target.
    pub target_ip: Value,
}

/// An MPLS label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mpls {
    /// The label, 20 bits.
    pub label: Value,
    /// Traffic class, 3 bits.
    pub exp: Value,
    /// Bottom of stack; by default 1 on the last label and 0 on the others.
    pub bottom: Option<Value>,
    /// Time to live.
    pub ttl: Value,
}

/// An IPv4 header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ip4 {
    /// Version, 4 bits.
    pub version: Value,
    /// Header length in 4-byte units, 4 bits.
    pub header_length: Value,
    /// DSCP and ECN.
    pub tos: Value,
    /// Total length; by default that of the packet.
    pub length: Option<Value>,
    /// Identification.
    pub identification: Value,
    /// Fragment offset in 8-byte units, 13 bits.
    pub fragment_offset: Value,
    /// More fragments.
    pub more_fragments: bool,
    /// Don't fragment.
    pub dont_fragment: bool,
    /// The reserved flag, which VPP calls congestion.
    pub congestion: bool,
    /// Time to live.
    pub ttl: Value,
    /// Protocol of the payload.
    pub protocol: Value,
    /// Header checksum; by default the right one.
    pub checksum: Option<Value>,
    /// Source address.
    pub source: Value,
    /// Destination address.
    pub destination: Value,
}

impl Ip4 {
    /// A header with VPP's defaults: TTL 64, no fragment, everything else filled in.
    #[must_use]
    pub fn new(protocol: Value, source: Value, destination: Value) -> Self {
        Self {
            version: Value::Fixed(4),
            header_length: Value::Fixed(5),
            tos: Value::Fixed(0),
            length: None,
            identification: Value::Fixed(0),
            fragment_offset: Value::Fixed(0),
            more_fragments: false,
            dont_fragment: false,
            congestion: false,
            ttl: Value::Fixed(64),
            protocol,
            checksum: None,
            source,
            destination,
        }
    }
}

/// An IPv6 header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ip6 {
    /// Version, 4 bits.
    pub version: Value,
    /// Traffic class.
    pub traffic_class: Value,
    /// Flow label, 20 bits.
    pub flow_label: Value,
    /// Payload length; by default that of what follows.
    pub length: Option<Value>,
    /// Next header.
    pub protocol: Value,
    /// Hop limit.
    pub hop_limit: Value,
    /// Source address. The ends of a range differ in the low 64 bits only.
    pub source: Value,
    /// Destination address, as `source`.
    pub destination: Value,
}

impl Ip6 {
    /// A header with VPP's defaults: hop limit 64, class and label 0, the length filled in.
    #[must_use]
    pub fn new(protocol: Value, source: Value, destination: Value) -> Self {
        Self {
            version: Value::Fixed(6),
            traffic_class: Value::Fixed(0),
            flow_label: Value::Fixed(0),
            length: None,
            protocol,
            hop_limit: Value::Fixed(64),
            source,
            destination,
        }
    }
}

/// A UDP header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Udp {
    /// Source port.
    pub source_port: Value,
    /// Destination port.
    pub destination_port: Value,
    /// Length; by default that of header and payload.
    pub length: Option<Value>,
    /// Checksum; by default the right one.
    pub checksum: Option<Value>,
}

impl Udp {
    /// A header with length and checksum filled in.
    #[must_use]
    pub fn new(source_port: Value, destination_port: Value) -> Self {
        Self { source_port, destination_port, length: None, checksum: None }
    }
}

/// A TCP header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tcp {
    /// Source port.
    pub source_port: Value,
    /// Destination port.
    pub destination_port: Value,
    /// Sequence number.
    pub sequence: Value,
    /// Acknowledgment number.
    pub acknowledgment: Value,
    /// The control bits of [`vnet::wire::tcp::flags`].
    pub flags: u16,
    /// Receive window.
    pub window: Value,
    /// Checksum; by default the right one.
    pub checksum: Option<Value>,
    /// Options, filled up with no-operations to a multiple of four bytes.
    pub options: Vec<TcpOption>,
}

/// An option of TCP: its kind, and values that are all of one width.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpOption {
    /// Its number in IANA's registry.
    pub kind: u8,
    /// Bytes of a value.
    pub width: usize,
    /// What it says.
    pub values: Vec<Value>,
}

impl TcpOption {
    /// Its size in bytes, kind and length included.
    #[must_use]
    pub fn size(&self) -> usize {
        2 + self.width * self.values.len()
    }
}

impl Tcp {
    /// Room for options, in bytes.
    pub const MAX_OPTIONS: usize = 40;

    /// Its size in bytes, options included.
    #[must_use]
    pub fn size(&self) -> usize {
        20 + self.options_size().next_multiple_of(4)
    }

    /// Bytes that the options take before they are filled up.
    #[must_use]
    pub fn options_size(&self) -> usize {
        self.options.iter().map(TcpOption::size).sum()
    }

    /// A header with VPP's defaults: window 4096, no flag, numbers 0, the checksum filled in.
    #[must_use]
    pub fn new(source_port: Value, destination_port: Value) -> Self {
        Self {
            source_port,
            destination_port,
            sequence: Value::Fixed(0),
            acknowledgment: Value::Fixed(0),
            flags: 0,
            window: Value::Fixed(4096),
            checksum: None,
            options: Vec::new(),
        }
    }
}

/// The fixed part of an ICMP message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Icmp {
    /// Type.
    pub kind: u8,
    /// Code.
    pub code: u8,
    /// Checksum; by default the right one.
    pub checksum: Option<Value>,
}

/// The IP header that a layer-4 header lies behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Network {
    Ip4,
    Ip6,
}

impl Network {
    /// The protocol number of ICMP over it.
    pub(super) fn icmp(self) -> u8 {
        match self {
            Self::Ip4 => protocol::ICMP,
            Self::Ip6 => protocol::ICMP6,
        }
    }
}
