//! The elements that a meter fills: a line each, in the order of their identifiers.

use super::{Field, Kinds, Role, Value};
use crate::{
    flow::{Addresses, FlowRecord, Keys},
    interface::SwIfIndex,
    ipfix::time::{ntp_from_unix_nanos, ntp_micros_from_unix_nanos},
};

const ALL: Kinds = Kinds::all();
const IP: Kinds = Kinds::IP;
const V4: Kinds = Kinds::V4;
const V6: Kinds = Kinds::V6;
const PORTS: Kinds = Kinds::PORTS;

const fn number(
    name: &'static str,
    role: Role,
    kinds: Kinds,
    value: fn(&FlowRecord) -> u64,
) -> Field {
    Field { name, role, kinds, needs_link: false, value: Value::Number(value) }
}

const fn octets(
    name: &'static str,
    role: Role,
    kinds: Kinds,
    value: fn(&FlowRecord, &mut [u8]),
) -> Field {
    Field { name, role, kinds, needs_link: false, value: Value::Octets(value) }
}

/// A field that is in the link header, or counts it.
const fn link(field: Field) -> Field {
    Field { needs_link: true, ..field }
}

const fn key(keys: Keys) -> Role {
    Role::Key(keys)
}

/// Sorted by identifier; a test says so.
#[rustfmt::skip]
pub(super) static FIELDS: [Field; 38] = [
    number("octetDeltaCount", Role::Sum, IP, |r| r.octets),
    number("packetDeltaCount", Role::Sum, ALL, |r| r.packets),
    number("deltaFlowCount", Role::Derived, ALL, |_| 1),
    number("protocolIdentifier", key(Keys::PROTOCOL), IP, |r| r.protocol.into()),
    number("tcpControlBits", Role::Or, PORTS, |r| r.tcp_flags.into()),
    number("sourceTransportPort", key(Keys::SOURCE_PORT), PORTS, |r| r.source_port.into()),
    octets("sourceIPv4Address", key(Keys::SOURCE_ADDRESS), V4, |r, out| put(out, &ip4(r).0)),
    number("ingressInterface", key(Keys::INGRESS), ALL, |r| interface(r.ingress)),
    number("destinationTransportPort", key(Keys::DESTINATION_PORT), PORTS, |r| r.destination_port.into()),
    octets("destinationIPv4Address", key(Keys::DESTINATION_ADDRESS), V4, |r, out| put(out, &ip4(r).1)),
    number("egressInterface", key(Keys::EGRESS), ALL, |r| interface(r.egress)),
    octets("sourceIPv6Address", key(Keys::SOURCE_ADDRESS), V6, |r, out| put(out, &ip6(r).0)),
    octets("destinationIPv6Address", key(Keys::DESTINATION_ADDRESS), V6, |r, out| put(out, &ip6(r).1)),
    number("icmpTypeCodeIPv4", key(Keys::ICMP), Kinds::ICMP4, |r| r.destination_port.into()),
    link(octets("sourceMacAddress", key(Keys::SOURCE_MAC), ALL, |r, out| put(out, &r.source_mac))),
    link(number("vlanId", key(Keys::VLAN), ALL, |r| r.vlan.unwrap_or(0).into())),
    number("ipVersion", Role::Derived, IP, version),
    number("flowDirection", key(Keys::DIRECTION), ALL, |r| r.direction as u64),
    link(octets("destinationMacAddress", key(Keys::DESTINATION_MAC), ALL, |r, out| put(out, &r.destination_mac))),
    number("flowEndReason", Role::Last, ALL, |r| r.end_reason as u64),
    number("icmpTypeCodeIPv6", key(Keys::ICMP), Kinds::ICMP6, |r| r.destination_port.into()),
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
    link(number("ethernetType", key(Keys::ETHERTYPE), ALL, |r| r.ethertype.into())),
    link(number("layer2OctetDeltaCount", Role::Sum, ALL, |r| r.layer2_octets)),
    link(number("layer2FrameDeltaCount", Role::Sum, ALL, |r| r.packets)),
];

const SECOND: u64 = 1_000_000_000;
const MILLISECOND: u64 = 1_000_000;

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
