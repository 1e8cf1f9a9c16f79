//! The `rfc` profile: the blocks of VPP's flowprobe in VPP's order, with the elements that RFC 7011 collectors digest.

use zerocopy::byteorder::big_endian::{U16, U32, U64};

use super::{
    FlowEncoder, FlowTemplates, Framing, RecordSet, Shape,
    layout::{Block, Ip4, Ip6, Nothing, block, encoder as join},
};
use crate::{interface::SwIfIndex, runtime::PacketTime};

block! {
    /// Every record begins with these.
    Common |r| {
        "ingressInterface" U32: interface(r.ingress),
        "egressInterface" U32: interface(r.egress),
        "flowDirection" u8: r.direction as u8,
        "packetDeltaCount" U64: r.packets.into(),
        "flowStartMilliseconds" U64: millis(r.start),
        "flowEndMilliseconds" U64: millis(r.end),
        "flowEndReason" u8: r.end_reason as u8,
    }
}

block! {
    /// Layer 2. An untagged flow has vlanId 0, as a priority tag has.
    Ethernet |r| {
        "sourceMacAddress" [u8; 6]: r.source_mac,
        "destinationMacAddress" [u8; 6]: r.destination_mac,
        "ethernetType" U16: r.ethertype.into(),
        "vlanId" U16: r.vlan.unwrap_or(0).into(),
    }
}

block! {
    /// The VLAN alone.
    Vlan |r| {
        "vlanId" U16: r.vlan.unwrap_or(0).into(),
    }
}

block! {
    /// In place of IP: the octets of the frames.
    FrameOctets |r| {
        "layer2OctetDeltaCount" U64: r.layer2_octets.into(),
    }
}

block! {
    /// IP counted without layer 3 and 4.
    Octets |r| {
        "octetDeltaCount" U64: r.octets.into(),
    }
}

block! {
    /// IP without addresses.
    Protocol |r| {
        "protocolIdentifier" u8: r.protocol,
        "octetDeltaCount" U64: r.octets.into(),
    }
}

block! {
    /// Layer 4 of everything but ICMP.
    Transport |r| {
        "sourceTransportPort" U16: r.source_port.into(),
        "destinationTransportPort" U16: r.destination_port.into(),
        "tcpControlBits" U16: r.tcp_flags.into(),
    }
}

block! {
    /// Layer 4 of ICMP.
    Icmp4 |r| {
        "icmpTypeCodeIPv4" U16: r.destination_port.into(),
    }
}

block! {
    /// Layer 4 of ICMPv6.
    Icmp6 |r| {
        "icmpTypeCodeIPv6" U16: r.destination_port.into(),
    }
}

/// Kinds of records with the same fields have one template.
pub(super) fn templates(set: RecordSet, shapes: impl Iterator<Item = Shape>) -> FlowTemplates {
    let mut templates = FlowTemplates::new(Framing::RFC);
    for shape in shapes {
        templates.share(shape, encoder(shape, set));
    }
    templates
}

fn encoder(shape: Shape, set: RecordSet) -> FlowEncoder {
    if shape == Shape::NonIp {
        return join::<Common, Ethernet, FrameOctets, Nothing>();
    }
    if set.contains(RecordSet::L2) {
        network::<Ethernet>(shape, set)
    } else if set.contains(RecordSet::VLAN) {
        network::<Vlan>(shape, set)
    } else {
        network::<Nothing>(shape, set)
    }
}

fn network<L2: Block>(shape: Shape, set: RecordSet) -> FlowEncoder {
    if !set.intersects(RecordSet::L3 | RecordSet::L4) {
        join::<Common, L2, Octets, Nothing>()
    } else if !set.contains(RecordSet::L3) {
        transport::<L2, Protocol>(shape, set)
    } else if matches!(shape, Shape::Ip6 | Shape::Ip6Icmp) {
        transport::<L2, Ip6>(shape, set)
    } else {
        transport::<L2, Ip4>(shape, set)
    }
}

fn transport<L2: Block, L3: Block>(shape: Shape, set: RecordSet) -> FlowEncoder {
    if !set.contains(RecordSet::L4) {
        return join::<Common, L2, L3, Nothing>();
    }
    match shape {
        Shape::Ip4Icmp => join::<Common, L2, L3, Icmp4>(),
        Shape::Ip6Icmp => join::<Common, L2, L3, Icmp6>(),
        Shape::NonIp | Shape::Ip4 | Shape::Ip6 => join::<Common, L2, L3, Transport>(),
    }
}

/// 0 is what collectors take for "no such interface"; 2^32 - 1 would be shown as an interface.
#[inline(always)]
fn interface(index: SwIfIndex) -> U32 {
    U32::new(if index == SwIfIndex::NONE { 0 } else { index.0 })
}

#[inline(always)]
fn millis(time: PacketTime) -> U64 {
    U64::new(time.0 / 1_000_000)
}
