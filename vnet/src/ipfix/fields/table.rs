//! The elements that a meter fills: a line each, in the order of their identifiers.

use super::{Field, Kinds, Role, Value, interfaces::Text};
use crate::{
    flow::{
        Addresses, Anomalies, DetailKeys, DetailMeters, Details, FlowContext, FlowRecord, Keys,
        Known, Seen, Side,
    },
    interface::SwIfIndex,
    ipfix::time::{ntp_from_unix_nanos, ntp_micros_from_unix_nanos},
};

const ALL: Kinds = Kinds::all();
const IP: Kinds = Kinds::IP;
const V4: Kinds = Kinds::V4;
const V6: Kinds = Kinds::V6;
const PORTS: Kinds = Kinds::PORTS;

/// A field that needs nothing beyond records.
pub(super) const fn plain(name: &'static str, role: Role, kinds: Kinds, value: Value) -> Field {
    Field {
        name,
        role,
        kinds,
        needs_link: false,
        needs_biflow: false,
        needs_details: false,
        needs_sequence: false,
        needs: Known::empty(),
        value,
    }
}

const fn number(
    name: &'static str,
    role: Role,
    kinds: Kinds,
    value: fn(&FlowRecord) -> u64,
) -> Field {
    plain(name, role, kinds, Value::Number(value))
}

const fn octets(
    name: &'static str,
    role: Role,
    kinds: Kinds,
    value: fn(&FlowRecord, &mut [u8]),
) -> Field {
    plain(name, role, kinds, Value::Octets(value))
}

/// Text of the interface on which packets came in: a key as its number is.
const fn text(name: &'static str, text: Text) -> Field {
    plain(name, key(Keys::INGRESS), ALL, Value::Text(text))
}

/// A field that is in the link header, or counts it.
const fn link(field: Field) -> Field {
    Field { needs_link: true, ..field }
}

/// A field for which packets are looked at in detail.
const fn detail(field: Field) -> Field {
    Field { needs_details: true, ..field }
}

/// A field of what is known of packets and not in them.
const fn known(needs: Known, field: Field) -> Field {
    Field { needs, ..field }
}

/// A field of packets that are dropped.
const fn dropped(field: Field) -> Field {
    known(Known::DROPS, field)
}

/// A field of records with both directions.
const fn reverse(field: Field) -> Field {
    Field { needs_biflow: true, ..field }
}

/// A field for which TCP's sequence numbers are followed.
const fn sequence(name: &'static str, value: fn(&FlowRecord) -> u64) -> Field {
    Field { needs_sequence: true, ..detail(number(name, Role::Sum, PORTS, value)) }
}

/// Bits by number, ORed.
const fn flags(name: &'static str, kinds: Kinds, value: fn(&FlowRecord) -> [u64; 4]) -> Field {
    plain(name, Role::Or, kinds, Value::Flags(value))
}

const fn key(keys: Keys) -> Role {
    Role::Key(keys)
}

/// Sorted by identifier; a test says so.
#[rustfmt::skip]
pub(super) static FIELDS: [Field; 111] = [
    number("octetDeltaCount", Role::Sum, IP, |r| r.octets),
    number("packetDeltaCount", Role::Sum, ALL, |r| r.packets),
    number("deltaFlowCount", Role::Derived, ALL, |_| 1),
    number("protocolIdentifier", key(Keys::PROTOCOL), IP, |r| r.protocol.into()),
    number("ipClassOfService", key(Keys::CLASS), IP, |r| keys(r).class.into()),
    number("tcpControlBits", Role::Or, PORTS, |r| r.tcp_flags.into()),
    number("sourceTransportPort", key(Keys::SOURCE_PORT), PORTS, |r| r.source_port.into()),
    octets("sourceIPv4Address", key(Keys::SOURCE_ADDRESS), V4, |r, out| put(out, &ip4(r).0)),
    number("ingressInterface", key(Keys::INGRESS), ALL, |r| interface(r.ingress)),
    number("destinationTransportPort", key(Keys::DESTINATION_PORT), PORTS, |r| r.destination_port.into()),
    octets("destinationIPv4Address", key(Keys::DESTINATION_ADDRESS), V4, |r, out| put(out, &ip4(r).1)),
    number("egressInterface", key(Keys::EGRESS), ALL, |r| interface(r.egress)),
    known(Known::NEXT_HOP, octets("ipNextHopIPv4Address", key(Keys::NEXT_HOP), V4, |r, out| put(out, &context(r).next_hop))),
    detail(number("minimumIpTotalLength", Role::Min, IP, |r| meters(r).min_octets.into())),
    detail(number("maximumIpTotalLength", Role::Max, IP, |r| meters(r).max_octets.into())),
    octets("sourceIPv6Address", key(Keys::SOURCE_ADDRESS), V6, |r, out| put(out, &ip6(r).0)),
    octets("destinationIPv6Address", key(Keys::DESTINATION_ADDRESS), V6, |r, out| put(out, &ip6(r).1)),
    number("flowLabelIPv6", key(Keys::FLOW_LABEL), V6, |r| keys(r).flow_label.into()),
    number("icmpTypeCodeIPv4", key(Keys::ICMP), Kinds::ICMP4, |r| r.destination_port.into()),
    detail(number("minimumTTL", Role::Min, IP, |r| meters(r).min_ttl.into())),
    detail(number("maximumTTL", Role::Max, IP, |r| meters(r).max_ttl.into())),
    detail(number("fragmentIdentification", Role::First, IP, |r| first(r).fragment_id.into())),
    link(octets("sourceMacAddress", key(Keys::SOURCE_MAC), ALL, |r, out| put(out, &r.source_mac))),
    link(number("vlanId", key(Keys::VLAN), ALL, |r| r.vlan.unwrap_or(0).into())),
    number("ipVersion", Role::Derived, IP, version),
    number("flowDirection", key(Keys::DIRECTION), ALL, |r| r.direction as u64),
    known(Known::NEXT_HOP, octets("ipNextHopIPv6Address", key(Keys::NEXT_HOP), V6, |r, out| put(out, &context(r).next_hop))),
    link(octets("mplsTopLabelStackSection", key(Keys::LABEL), ALL, |r, out| put(out, &keys(r).top_label))),
    link(detail(octets("mplsLabelStackSection2", Role::First, ALL, |r, out| put(out, &first(r).labels[1])))),
    link(detail(octets("mplsLabelStackSection3", Role::First, ALL, |r, out| put(out, &first(r).labels[2])))),
    link(detail(octets("mplsLabelStackSection4", Role::First, ALL, |r, out| put(out, &first(r).labels[3])))),
    link(octets("destinationMacAddress", key(Keys::DESTINATION_MAC), ALL, |r, out| put(out, &r.destination_mac))),
    text("interfaceName", Text::Name),
    text("interfaceDescription", Text::Description),
    detail(number("octetTotalCount", Role::Total, IP, |r| meters(r).total_octets)),
    detail(number("packetTotalCount", Role::Total, ALL, |r| meters(r).total_packets)),
    detail(number("fragmentOffset", Role::First, IP, |r| u64::from(first(r).fragment_offset / 8))),
    known(Known::STATUS, number("forwardingStatus", key(Keys::STATUS), ALL, |r| context(r).status.into())),
    dropped(number("droppedOctetDeltaCount", Role::Sum, IP, |r| r.octets)),
    dropped(number("droppedPacketDeltaCount", Role::Sum, ALL, |r| r.packets)),
    dropped(detail(number("droppedOctetTotalCount", Role::Total, IP, |r| meters(r).total_octets))),
    dropped(detail(number("droppedPacketTotalCount", Role::Total, ALL, |r| meters(r).total_packets))),
    number("flowEndReason", Role::Last, ALL, |r| r.end_reason as u64),
    number("icmpTypeCodeIPv6", key(Keys::ICMP), Kinds::ICMP6, |r| r.destination_port.into()),
    number("flowId", Role::Derived, ALL, flow_id),
    number("flowStartSeconds", Role::First, ALL, |r| r.start.0 / SECOND),
    number("flowEndSeconds", Role::Last, ALL, |r| r.end.0 / SECOND),
    number("flowStartMilliseconds", Role::First, ALL, |r| r.start.0 / MILLISECOND),
    number("flowEndMilliseconds", Role::Last, ALL, |r| r.end.0 / MILLISECOND),
    number("flowStartMicroseconds", Role::First, ALL, |r| ntp_micros_from_unix_nanos(r.start.0)),
    number("flowEndMicroseconds", Role::Last, ALL, |r| ntp_micros_from_unix_nanos(r.end.0)),
    number("flowStartNanoseconds", Role::First, ALL, |r| ntp_from_unix_nanos(r.start.0)),
    number("flowEndNanoseconds", Role::Last, ALL, |r| ntp_from_unix_nanos(r.end.0)),
    number("flowDurationMilliseconds", Role::Derived, ALL, |r| duration(r) / MILLISECOND),
    number("flowDurationMicroseconds", Role::Derived, ALL, |r| duration(r) / 1000),
    number("icmpTypeIPv4", key(Keys::ICMP_TYPE), Kinds::ICMP4, |r| u64::from(r.destination_port >> 8)),
    number("icmpCodeIPv4", key(Keys::ICMP_CODE), Kinds::ICMP4, |r| u64::from(r.destination_port & 0xff)),
    number("icmpTypeIPv6", key(Keys::ICMP_TYPE), Kinds::ICMP6, |r| u64::from(r.destination_port >> 8)),
    number("icmpCodeIPv6", key(Keys::ICMP_CODE), Kinds::ICMP6, |r| u64::from(r.destination_port & 0xff)),
    detail(number("tcpSequenceNumber", Role::First, PORTS, |r| first(r).sequence.into())),
    detail(number("tcpAcknowledgementNumber", Role::First, PORTS, |r| first(r).acknowledgment.into())),
    detail(number("tcpWindowSize", Role::First, PORTS, |r| first(r).window.into())),
    detail(number("ipHeaderLength", Role::First, IP, |r| first(r).ip_header.into())),
    detail(number("ipTTL", Role::First, IP, |r| first(r).ttl.into())),
    number("ipDiffServCodePoint", key(Keys::DSCP), IP, |r| u64::from(keys(r).class >> 2)),
    number("ipPrecedence", key(Keys::PRECEDENCE), IP, |r| u64::from(keys(r).class >> 5)),
    detail(number("fragmentFlags", Role::Or, IP, |r| meters(r).fragment_flags.into())),
    link(detail(number("mplsTopLabelTTL", Role::First, ALL, |r| first(r).label_ttl.into()))),
    link(detail(number("mplsLabelStackDepth", Role::First, ALL, |r| first(r).label_depth.into()))),
    link(number("mplsTopLabelExp", key(Keys::TOP_LABEL_CLASS), ALL, |r| u64::from(keys(r).top_label[2] >> 1 & 7))),
    detail(number("tcpSynTotalCount", Role::Total, PORTS, |r| meters(r).total_flags[1].into())),
    detail(number("tcpFinTotalCount", Role::Total, PORTS, |r| meters(r).total_flags[0].into())),
    detail(number("tcpRstTotalCount", Role::Total, PORTS, |r| meters(r).total_flags[2].into())),
    detail(number("tcpPshTotalCount", Role::Total, PORTS, |r| meters(r).total_flags[3].into())),
    detail(number("tcpAckTotalCount", Role::Total, PORTS, |r| meters(r).total_flags[4].into())),
    detail(number("tcpUrgTotalCount", Role::Total, PORTS, |r| meters(r).total_flags[5].into())),
    known(Known::INGRESS_VRF, number("ingressVRFID", key(Keys::INGRESS_VRF), IP, |r| context(r).ingress_vrf.into())),
    known(Known::EGRESS_VRF, number("egressVRFID", key(Keys::EGRESS_VRF), IP, |r| context(r).egress_vrf.into())),
    reverse(number("biflowDirection", Role::Derived, ALL, |r| u64::from(r.reverse().is_some()))),
    link(number("dot1qVlanId", key(Keys::VLAN), ALL, |r| r.vlan.unwrap_or(0).into())),
    link(number("dot1qPriority", key(Keys::PRIORITY), ALL, |r| keys(r).priority.into())),
    link(number("dot1qCustomerVlanId", key(Keys::CUSTOMER_VLAN), ALL, |r| keys(r).customer_vlan.into())),
    link(number("dot1qCustomerPriority", key(Keys::CUSTOMER_PRIORITY), ALL, |r| keys(r).customer_priority.into())),
    link(number("ethernetType", key(Keys::ETHERTYPE), ALL, |r| r.ethertype.into())),
    plain("greKey", key(Keys::INGRESS.union(Keys::EGRESS)), ALL, Value::Overlay(|of| of.gre_key.into())),
    known(Known::SELECTOR, number("selectorId", key(Keys::SELECTOR), ALL, |r| context(r).selector)),
    plain("layer2SegmentId", key(Keys::INGRESS.union(Keys::EGRESS)), ALL, Value::Overlay(|of| of.segment)),
    link(number("layer2OctetDeltaCount", Role::Sum, ALL, |r| r.layer2_octets)),
    link(detail(number("minimumLayer2TotalLength", Role::Min, ALL, |r| meters(r).min_layer2.into()))),
    link(detail(number("maximumLayer2TotalLength", Role::Max, ALL, |r| meters(r).max_layer2.into()))),
    dropped(link(number("droppedLayer2OctetDeltaCount", Role::Sum, ALL, |r| r.layer2_octets))),
    link(number("layer2FrameDeltaCount", Role::Sum, ALL, |r| r.packets)),
    detail(flags("ipv6ExtensionHeadersFull", V6, |r| [meters(r).extension_headers.into(), 0, 0, 0])),
    detail(flags("tcpOptionsFull", PORTS, |r| meters(r).tcp_options)),
    sequence("TRANSPORT_EVENT_PACKET_LOSS", |r| anomalies(r)[0].losses.into()),
    reverse(number("reverseOctetDeltaCount", Role::Sum, IP, |r| side(r).octets)),
    reverse(number("reversePacketDeltaCount", Role::Sum, ALL, |r| side(r).packets)),
    reverse(number("reverseTcpControlBits", Role::Or, PORTS, |r| side(r).tcp_flags.into())),
    reverse(number("reverseFlowStartSeconds", Role::First, ALL, |r| side(r).start / SECOND)),
    reverse(number("reverseFlowEndSeconds", Role::Last, ALL, |r| side(r).end / SECOND)),
    reverse(number("reverseFlowStartMilliseconds", Role::First, ALL, |r| side(r).start / MILLISECOND)),
    reverse(number("reverseFlowEndMilliseconds", Role::Last, ALL, |r| side(r).end / MILLISECOND)),
    reverse(number("reverseFlowStartMicroseconds", Role::First, ALL, |r| ntp_micros_from_unix_nanos(side(r).start))),
    reverse(number("reverseFlowEndMicroseconds", Role::Last, ALL, |r| ntp_micros_from_unix_nanos(side(r).end))),
    reverse(number("reverseFlowStartNanoseconds", Role::First, ALL, |r| ntp_from_unix_nanos(side(r).start))),
    reverse(number("reverseFlowEndNanoseconds", Role::Last, ALL, |r| ntp_from_unix_nanos(side(r).end))),
    reverse(link(number("reverseLayer2OctetDeltaCount", Role::Sum, ALL, |r| side(r).layer2_octets))),
    sequence("RETRANSMITTED_IN_PKTS", |r| anomalies(r)[0].retransmitted.into()),
    reverse(sequence("RETRANSMITTED_OUT_PKTS", |r| anomalies(r)[1].retransmitted.into())),
    sequence("OOORDER_IN_PKTS", |r| anomalies(r)[0].out_of_order.into()),
    reverse(sequence("OOORDER_OUT_PKTS", |r| anomalies(r)[1].out_of_order.into())),
];

const SECOND: u64 = 1_000_000_000;
const MILLISECOND: u64 = 1_000_000;

/// Of a record without details.
static NONE: Details = Details::NONE;

fn keys(record: &FlowRecord) -> &DetailKeys {
    &record.details.as_ref().unwrap_or(&NONE).keys
}

fn context(record: &FlowRecord) -> &FlowContext {
    &keys(record).context
}

fn meters(record: &FlowRecord) -> &DetailMeters {
    &record.details.as_ref().unwrap_or(&NONE).meters
}

/// Of the record's direction, and of the reverse one.
fn anomalies(record: &FlowRecord) -> &[Anomalies; 2] {
    &meters(record).anomalies
}

fn side(record: &FlowRecord) -> &Side {
    static NONE: Side = Side::NONE;
    record.reverse().unwrap_or(&NONE)
}

fn first(record: &FlowRecord) -> &Seen {
    &meters(record).first
}

/// The same for all records of a flow, and hardly ever that of another one: a hash of what tells flows apart.
fn flow_id(record: &FlowRecord) -> u64 {
    let (source, destination) = match record.addresses {
        Addresses::None => ([0; 16], [0; 16]),
        Addresses::V4(source, destination) => (wide(source), wide(destination)),
        Addresses::V6(source, destination) => (source, destination),
    };
    let DetailKeys {
        class,
        priority,
        customer_vlan,
        customer_priority,
        top_label,
        flow_label,
        context,
        ..
    } = *keys(record);
    let FlowContext { status, selector, ingress_vrf, egress_vrf, next_hop } = context;
    let point = [version(record), u64::from(record.ingress.0), u64::from(record.egress.0)];
    let numbers = [
        record.direction as u64,
        record.vlan.map_or(0, |vlan| 1 << 16 | u64::from(vlan)),
        record.ethertype.into(),
        record.protocol.into(),
        record.source_port.into(),
        record.destination_port.into(),
        class.into(),
        priority.into(),
        customer_vlan.into(),
        customer_priority.into(),
        flow_label.into(),
        status.into(),
        selector,
        ingress_vrf.into(),
        egress_vrf.into(),
    ];
    let macs = [record.source_mac, record.destination_mac].concat();
    let octets = [&source[..], &destination, &macs, &top_label, &next_hop];
    let octets = octets.concat().into_iter().map(u64::from);
    // FNV-1a, a number at a time.
    point.into_iter().chain(numbers).chain(octets).fold(0xcbf2_9ce4_8422_2325, |hash, value| {
        (hash ^ value).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23)
    })
}

fn wide(address: [u8; 4]) -> [u8; 16] {
    let mut wide = [0; 16];
    wide[..4].copy_from_slice(&address);
    wide
}

fn put(out: &mut [u8], octets: &[u8]) {
    let len = out.len().min(octets.len());
    out[..len].copy_from_slice(&octets[..len]);
}

fn ip4(record: &FlowRecord) -> ([u8; 4], [u8; 4]) {
    match record.addresses {
        Addresses::V4(source, destination) => (source, destination),
        Addresses::None | Addresses::V6(..) => ([0; 4], [0; 4]),
    }
}

fn ip6(record: &FlowRecord) -> ([u8; 16], [u8; 16]) {
    match record.addresses {
        Addresses::V6(source, destination) => (source, destination),
        Addresses::None | Addresses::V4(..) => ([0; 16], [0; 16]),
    }
}

fn version(record: &FlowRecord) -> u64 {
    match record.addresses {
        Addresses::None => 0,
        Addresses::V4(..) => 4,
        Addresses::V6(..) => 6,
    }
}

/// As in the profile `rfc`: 0 is what collectors take for none.
fn interface(index: SwIfIndex) -> u64 {
    if index == SwIfIndex::NONE { 0 } else { index.0.into() }
}

fn duration(record: &FlowRecord) -> u64 {
    record.end.0.saturating_sub(record.start.0)
}
