//! Flow records for tests.

use proptest::prelude::*;

use crate::{
    flow::{Addresses, Direction, EndReason, FlowRecord},
    interface::SwIfIndex,
    runtime::PacketTime,
};

const TCP: FlowRecord = FlowRecord {
    ingress: SwIfIndex(1),
    egress: SwIfIndex::NONE,
    direction: Direction::Ingress,
    source_mac: [2, 0, 0, 0, 0, 1],
    destination_mac: [2, 0, 0, 0, 0, 2],
    ethertype: 0x800,
    vlan: Some(42),
    addresses: Addresses::V4([192, 0, 2, 1], [198, 51, 100, 2]),
    protocol: 6,
    source_port: 49152,
    destination_port: 80,
    tcp_flags: 0x1b,
    packets: 10,
    octets: 0x1_0000_0000,
    layer2_octets: 0x1_0000_0000 + 180,
    start: PacketTime(1_700_000_000_123_456_789),
    end: PacketTime(1_700_000_060_456_789_012),
    end_reason: EndReason::EndOfFlow,
    details: None,
};

/// Non-IP, IPv4, ICMP, IPv6, ICMPv6: the order of their templates.
pub(in crate::ipfix) fn one_of_each_shape() -> [FlowRecord; 5] {
    let ip6 = FlowRecord {
        ethertype: 0x86dd,
        addresses: Addresses::V6(
            "2001:db8::1".parse::<core::net::Ipv6Addr>().unwrap().octets(),
            "2001:db8:1::2".parse::<core::net::Ipv6Addr>().unwrap().octets(),
        ),
        vlan: None,
        direction: Direction::Egress,
        egress: SwIfIndex(7),
        ..TCP
    };
    let icmp = |record, protocol, type_and_code| FlowRecord {
        protocol,
        source_port: 0,
        destination_port: type_and_code,
        tcp_flags: 0,
        ..record
    };
    let non_ip = FlowRecord {
        addresses: Addresses::None,
        protocol: 0,
        source_port: 0,
        destination_port: 0,
        tcp_flags: 0,
        ethertype: 0x806,
        octets: 0,
        layer2_octets: 420,
        ..TCP
    };
    [non_ip, TCP, icmp(TCP, 1, 0x0800), ip6, icmp(ip6, 58, 0x8100)]
}

/// Any record that a meter could make.
pub(in crate::ipfix) fn records() -> impl Strategy<Value = FlowRecord> {
    let addresses = prop_oneof![
        Just(Addresses::None),
        any::<([u8; 4], [u8; 4])>().prop_map(|(s, d)| Addresses::V4(s, d)),
        any::<([u8; 16], [u8; 16])>().prop_map(|(s, d)| Addresses::V6(s, d)),
    ];
    let reason = prop::sample::select(vec![
        EndReason::IdleTimeout,
        EndReason::ActiveTimeout,
        EndReason::EndOfFlow,
        EndReason::ForcedEnd,
        EndReason::LackOfResources,
    ]);
    let direction = prop::sample::select(vec![Direction::Ingress, Direction::Egress]);
    let protocol = prop_oneof![Just(1), Just(6), Just(17), Just(58), any::<u8>()];
    let interface = prop_oneof![Just(SwIfIndex::NONE), (0..100_u32).prop_map(SwIfIndex)];
    // Until the year 2500: what fits into nanoseconds.
    let time = 0..16_000_000_000_000_000_000_u64;
    (
        (interface.clone(), interface, direction, any::<([u8; 6], [u8; 6])>(), any::<u16>()),
        (prop::option::of(0..4096_u16), addresses, protocol, any::<(u16, u16)>(), 0..0x1000_u16),
        (any::<(u64, u64, u64)>(), time.clone(), time, reason),
    )
        .prop_map(|(one, two, three)| {
            let (ingress, egress, direction, macs, ethertype) = one;
            let (vlan, addresses, protocol, ports, tcp_flags) = two;
            let (counts, a, b, end_reason) = three;
            let ip = addresses != Addresses::None;
            FlowRecord {
                ingress,
                egress,
                direction,
                source_mac: macs.0,
                destination_mac: macs.1,
                ethertype,
                vlan,
                addresses,
                protocol: if ip { protocol } else { 0 },
                source_port: ports.0,
                destination_port: ports.1,
                tcp_flags,
                packets: counts.0,
                octets: if ip { counts.1 } else { 0 },
                layer2_octets: counts.2,
                start: PacketTime(a.min(b)),
                end: PacketTime(a.max(b)),
                end_reason,
                details: None,
            }
        })
}

/// The same records each time.
pub(in crate::ipfix) fn many(count: usize) -> Vec<FlowRecord> {
    use proptest::{strategy::ValueTree as _, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    (0..count).map(|_| records().new_tree(&mut runner).unwrap().current()).collect()
}
