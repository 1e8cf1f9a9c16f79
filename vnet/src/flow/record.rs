//! What the metering process hands to the exporting process.

use core::hash::{Hash, Hasher};
use std::hash::DefaultHasher;

use super::{Details, Side};
use crate::{interface::SwIfIndex, runtime::PacketTime};

/// Direction of a flow at its observation point (flowDirection, IANA element 61).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Direction {
    /// Received.
    #[default]
    Ingress = 0,
    /// Sent.
    Egress = 1,
}

/// Why a record was made (flowEndReason, IANA element 136).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum EndReason {
    /// No packet for the passive (idle) timeout.
    IdleTimeout = 1,
    /// The flow lives on; its counts so far.
    ActiveTimeout = 2,
    /// A TCP FIN or RST was seen.
    EndOfFlow = 3,
    /// Metering ended: the interface was disabled, the capture or the program ended.
    ForcedEnd = 4,
    /// The cache needed the room.
    LackOfResources = 5,
}

/// The network-layer addresses of a flow, in network byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Addresses {
    /// Not an IP flow.
    None,
    /// IPv4 source and destination.
    V4([u8; 4], [u8; 4]),
    /// IPv6 source and destination.
    V6([u8; 16], [u8; 16]),
}

/// One flow record, independent of how the cache stores flows and of how a template encodes them.
///
/// A field that the recording did not ask for, or that the packets did not have, holds the value its comment names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowRecord {
    /// Interface on which the packets came in; [`SwIfIndex::NONE`] when unknown.
    pub ingress: SwIfIndex,
    /// Interface by which they left; [`SwIfIndex::NONE`] when unknown.
    pub egress: SwIfIndex,
    /// Seen on receipt or on sending.
    pub direction: Direction,
    /// Source MAC address; zero when not recorded.
    pub source_mac: [u8; 6],
    /// Destination MAC address; zero when not recorded.
    pub destination_mac: [u8; 6],
    /// Ethertype of the payload behind all tags, host order; 0 when not recorded or unknown.
    pub ethertype: u16,
    /// VLAN identifier of the outermost tag (0..=4095); `None` when untagged.
    pub vlan: Option<u16>,
    /// Network-layer addresses.
    pub addresses: Addresses,
    /// IP protocol, the last of an IPv6 extension header chain; 0 when not an IP flow.
    pub protocol: u8,
    /// Source port; 0 when the protocol has none, or in later fragments.
    pub source_port: u16,
    /// Destination port; 0 likewise. ICMP and ICMPv6 carry type * 256 + code here.
    pub destination_port: u16,
    /// OR of the TCP flag bits of all packets (RFC 9565: the low 12 bits of header bytes 12 and 13).
    pub tcp_flags: u16,
    /// Packets since the previous record of this flow; of one direction where the record has both.
    pub packets: u64,
    /// IP octets (total length, header included) since the previous record; 0 for flows without IP.
    pub octets: u64,
    /// Octets of the frames as on the wire, without FCS, since the previous record.
    pub layer2_octets: u64,
    /// When the first packet of this record was seen.
    pub start: PacketTime,
    /// When the last packet of this record was seen; never before `start`.
    pub end: PacketTime,
    /// Why this record was made.
    pub end_reason: EndReason,
    /// What a template asked for beyond these.
    pub details: Option<Details>,
}

impl FlowRecord {
    /// A hash of both ends of the flow, the same for both directions: of addresses, protocol and ports, or of MAC addresses
    /// and Ethernet type where there is no IP.
    #[must_use]
    pub fn symmetric_hash(&self) -> u32 {
        fn ends<T: Ord>(one: T, other: T) -> (T, T) {
            if one <= other { (one, other) } else { (other, one) }
        }
        let mut hasher = DefaultHasher::new();
        match self.addresses {
            Addresses::V4(from, to) => {
                ends((from, self.source_port), (to, self.destination_port)).hash(&mut hasher);
            }
            Addresses::V6(from, to) => {
                ends((from, self.source_port), (to, self.destination_port)).hash(&mut hasher);
            }
            Addresses::None => {
                ends(self.source_mac, self.destination_mac).hash(&mut hasher);
                self.ethertype.hash(&mut hasher);
            }
        }
        self.protocol.hash(&mut hasher);
        hasher.finish() as u32
    }

    /// Packets of both directions, where the record has both.
    #[must_use]
    pub fn all_packets(&self) -> u64 {
        self.packets + self.reverse().map_or(0, |reverse| reverse.packets)
    }

    /// IP octets, likewise.
    #[must_use]
    pub fn all_octets(&self) -> u64 {
        self.octets + self.reverse().map_or(0, |reverse| reverse.octets)
    }

    /// The other direction, where the record has both.
    #[must_use]
    pub fn reverse(&self) -> Option<&Side> {
        self.details.as_ref().and_then(|details| details.reverse.as_ref())
    }
}
