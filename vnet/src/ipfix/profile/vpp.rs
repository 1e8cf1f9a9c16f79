//! The `vpp` profile: the octets of VPP's flowprobe, those included that RFC 7011 has otherwise. Not for new collectors.
//!
//! ethernetType is little-endian, as on the hosts that VPP runs on; times have nanoseconds where NTP has fractions of a
//! second; octets go with addresses; an interface that is not known is 2^32 - 1; of the TCP flags there are eight.

use zerocopy::byteorder::{
    big_endian::{U16, U32, U64},
    little_endian,
};

use super::{
    FlowEncoder, FlowTemplates, Framing, RecordSet, Shape,
    layout::{Block, Ip4, Ip6, Nothing, block, encoder as join},
};
use crate::{flow::FlowRecord, ipfix::time::NTP_TO_UNIX, runtime::PacketTime, wire::ip4::protocol};

block! {
    /// Every record begins with these.
    Common |r| {
        "ingressInterface" U32: r.ingress.0.into(),
        "egressInterface" U32: r.egress.0.into(),
        "flowDirection" u8: r.direction as u8,
        "packetDeltaCount" U64: r.packets.into(),
        "flowStartNanoseconds" [U32; 2]: seconds_and_nanoseconds(r.start),
        "flowEndNanoseconds" [U32; 2]: seconds_and_nanoseconds(r.end),
    }
}

block! {
    /// Layer 2.
    Ethernet |r| {
        "sourceMacAddress" [u8; 6]: r.source_mac,
        "destinationMacAddress" [u8; 6]: r.destination_mac,
        "ethernetType" little_endian::U16: r.ethertype.into(),
    }
}

block! {
    /// Layer 4. ICMP has no ports, and here nothing in their place.
    Transport |r| {
        "sourceTransportPort" U16: ports(r).0.into(),
        "destinationTransportPort" U16: ports(r).1.into(),
        "tcpControlBits" U16: (r.tcp_flags & 0xff).into(),
    }
}

/// Packets without IP have a template only where layer 2 is recorded, and are sent without one else. A family has one of its
/// own even where another has the same fields.
pub(super) fn templates(set: RecordSet, shapes: impl Iterator<Item = Shape>) -> FlowTemplates {
    let mut templates = FlowTemplates::new(Framing::VPP);
    for shape in shapes {
        match shape {
            Shape::NonIp if !set.contains(RecordSet::L2) => {
                templates.untold = Some(encoder(shape, set));
            }
            Shape::Ip4Icmp => templates.alias(shape, Shape::Ip4),
            Shape::Ip6Icmp => templates.alias(shape, Shape::Ip6),
            Shape::NonIp | Shape::Ip4 | Shape::Ip6 => {
                templates.add(shape as usize, encoder(shape, set));
            }
        }
    }
    templates
}

fn encoder(shape: Shape, set: RecordSet) -> FlowEncoder {
    if set.contains(RecordSet::L2) {
        network::<Ethernet>(shape, set)
    } else {
        network::<Nothing>(shape, set)
    }
}

fn network<L2: Block>(shape: Shape, set: RecordSet) -> FlowEncoder {
    match shape {
        Shape::NonIp => join::<Common, L2, Nothing, Nothing>(),
        _ if !set.contains(RecordSet::L3) => transport::<L2, Nothing>(set),
        Shape::Ip6 | Shape::Ip6Icmp => transport::<L2, Ip6>(set),
        Shape::Ip4 | Shape::Ip4Icmp => transport::<L2, Ip4>(set),
    }
}

fn transport<L2: Block, L3: Block>(set: RecordSet) -> FlowEncoder {
    if set.contains(RecordSet::L4) {
        join::<Common, L2, L3, Transport>()
    } else {
        join::<Common, L2, L3, Nothing>()
    }
}

#[inline(always)]
fn seconds_and_nanoseconds(time: PacketTime) -> [U32; 2] {
    const SECOND: u64 = 1_000_000_000;
    // The era of NTP is not told.
    let seconds = (time.0 / SECOND + NTP_TO_UNIX) as u32;
    [seconds.into(), ((time.0 % SECOND) as u32).into()]
}

#[inline(always)]
fn ports(record: &FlowRecord) -> (u16, u16) {
    match record.protocol {
        protocol::TCP | protocol::UDP => (record.source_port, record.destination_port),
        _ => (0, 0),
    }
}
