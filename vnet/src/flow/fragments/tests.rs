//! Fragments against a naive twin, and against those who send them to confuse a meter.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{BUCKETS, FragmentCounters, WAYS};
use crate::{
    flow::{Addresses, Config, Families, FlowRecord, Meter, Observed, RecordSet, Scope, Start},
    interface::SwIfIndex,
    runtime::PacketTime,
};

const SECOND: u64 = 1_000_000_000;

/// A fragment in words.
#[derive(Clone, Copy, Debug)]
struct Part {
    time: u64,
    interface: u32,
    host: u8,
    id: u16,
    ip6: bool,
    /// In units of 8 octets.
    offset: u16,
    more: bool,
    port: u16,
}

const FIRST: Part = Part {
    time: SECOND,
    interface: 1,
    host: 1,
    id: 7,
    ip6: false,
    offset: 0,
    more: true,
    port: 5000,
};
const LATER: Part = Part { offset: 4, more: false, port: 0, ..FIRST };

impl Part {
    fn bytes(&self) -> Vec<u8> {
        let mut packet = if self.ip6 {
            let mut packet = vec![0x60, 0, 0, 0, 0, 24, 44, 64];
            packet.extend([self.host; 16].iter().chain(&[0xfd; 16]));
            packet.extend([17, 0]);
            packet.extend((self.offset << 3 | u16::from(self.more)).to_be_bytes());
            packet.extend(u32::from(self.id).to_be_bytes());
            packet
        } else {
            let mut packet = vec![0x45, 0, 0, 36];
            packet.extend(self.id.to_be_bytes());
            packet.extend((u16::from(self.more) << 13 | self.offset).to_be_bytes());
            packet.extend([64, 17, 0, 0, 10, 0, 0, self.host, 10, 0, 1, 1]);
            packet
        };
        packet.extend(self.port.to_be_bytes());
        packet.extend([0, 53, 0, 16, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
        packet
    }

    fn is_fragment(&self) -> bool {
        self.more || self.offset != 0
    }
}

/// The records of fragments, and what was counted of them.
fn records(parts: &[Part], frame: usize) -> (Vec<FlowRecord>, FragmentCounters) {
    let day = core::time::Duration::from_secs(86_400);
    let config = Config {
        fragments: true,
        active: day,
        passive: day,
        max_flows: 2000,
        ..Config::new(Families::IP4 | Families::IP6, RecordSet::L3 | RecordSet::L4)
    };
    let (mut meter, mut records) = (Meter::new(&config).unwrap(), Vec::new());
    let bytes: Vec<_> = parts.iter().map(Part::bytes).collect();
    let observed: Vec<_> = parts
        .iter()
        .zip(&bytes)
        .map(|(part, bytes)| Observed {
            time: PacketTime(part.time),
            ..Observed::new(bytes, Start::Network(0), SwIfIndex(part.interface))
        })
        .collect();
    for frame in observed.chunks(frame) {
        meter.frame(frame.iter().copied(), &mut |record: &_| records.push(*record));
    }
    meter.flush(Scope::All, &mut |record: &_| records.push(*record));
    let counters = *meter.counters();
    assert_eq!(counters.measured, parts.len() as u64);
    assert_eq!(counters.recorded, counters.measured);
    (records, counters.fragments)
}

/// Packets by source port.
fn by_port(parts: &[Part]) -> (BTreeMap<u16, u64>, FragmentCounters) {
    let (records, counters) = records(parts, 256);
    let mut ports = BTreeMap::new();
    for record in records {
        *ports.entry(record.source_port).or_default() += record.packets;
    }
    (ports, counters)
}

/// What [`records`] must come to, with a table without end.
fn twin(parts: &[Part]) -> (BTreeMap<(u32, bool, u8, u16), u64>, FragmentCounters) {
    let mut firsts = BTreeMap::new();
    let (mut flows, mut counters) = (BTreeMap::new(), FragmentCounters::default());
    for part in parts {
        let datagram = (part.interface, part.ip6, part.host, part.id);
        let first = firsts.get(&datagram).copied();
        let first = first.filter(|(time, _)| part.time.abs_diff(*time) <= 15 * SECOND);
        let port = match (part.is_fragment(), part.offset, first) {
            (false, ..) => part.port,
            (true, 0, _) => {
                counters.first += 1;
                firsts.insert(datagram, (part.time, part.port));
                part.port
            }
            (true, _, Some((_, port))) => {
                counters.attributed += 1;
                port
            }
            (true, _, None) => {
                counters.without_first += 1;
                0
            }
        };
        *flows.entry((part.interface, part.ip6, part.host, port)).or_default() += 1;
    }
    (flows, counters)
}

fn parts() -> impl Strategy<Value = Vec<Part>> {
    let offset = prop_oneof![1 => Just(0_u16), 2 => 1..9_u16];
    let words = (1..3_u32, 1..3_u8, 0..3_u16, any::<bool>(), offset, any::<bool>());
    // A port tells flows apart from those without.
    let part = (words, 1..4_u16, 0..6 * SECOND, any::<bool>());
    let part = part.prop_map(|((interface, host, id, ip6, offset, more), port, step, back)| {
        (Part { time: 0, interface, host, id, ip6, offset, more, port }, step, back)
    });
    prop::collection::vec(part, 1..200).prop_map(|parts| {
        let mut time = 1000 * SECOND;
        let stamp = |(part, step, back): (Part, u64, bool)| {
            // Clocks of captures step back, too.
            time = if back { time - step / 2 } else { time + step };
            Part { time, ..part }
        };
        parts.into_iter().map(stamp).collect()
    })
}

proptest! {
    #[test]
    fn later_fragments_are_of_the_flow_of_the_first_one(
        parts in parts(), frame in prop_oneof![Just(1_usize), Just(7), Just(256)],
    ) {
        let (records, counters) = records(&parts, frame);
        let mut flows = BTreeMap::new();
        for record in &records {
            let (ip6, host) = match record.addresses {
                Addresses::V4([.., host], _) => (false, host),
                Addresses::V6([host, ..], _) => (true, host),
                Addresses::None => panic!("{record:?}"),
            };
            *flows.entry((record.ingress.0, ip6, host, record.source_port)).or_default() += record.packets;
        }
        let (expected, expected_counters) = twin(&parts);
        prop_assert_eq!(flows, expected);
        prop_assert_eq!(counters, expected_counters);
    }
}

#[test]
fn a_flood_of_first_fragments_is_bounded_and_counted() {
    let flood = (0..60_000_u32).map(|n| Part { id: n as u16, host: 9 + (n >> 16) as u8, ..FIRST });
    let mut parts = vec![FIRST];
    parts.extend(flood);
    parts.push(LATER);
    let (ports, counters) = by_port(&parts);
    assert_eq!(counters.first, 60_001);
    assert!(counters.evictions >= 60_001 - (BUCKETS * WAYS) as u64, "{counters:?}");
    // The victim's fragment has lost its first one, and is counted as that; nothing is lost of the sums.
    assert_eq!((counters.attributed, counters.without_first), (0, 1));
    assert_eq!(ports, BTreeMap::from([(0, 1), (5000, 60_001)]));
}

#[test]
fn later_fragments_alone_take_no_place() {
    let flood = (0..60_000_u32).map(|n| Part { id: n as u16, host: 9, ..LATER });
    let parts: Vec<_> = core::iter::once(FIRST).chain(flood).chain([LATER]).collect();
    let (_, counters) = by_port(&parts);
    assert_eq!((counters.attributed, counters.without_first, counters.evictions), (1, 60_000, 0));
}

#[test]
fn an_identification_used_again_is_of_the_new_datagram() {
    let again = Part { time: 2 * SECOND, port: 6000, ..FIRST };
    let parts = [FIRST, LATER, again, Part { time: 2 * SECOND, ..LATER }];
    assert_eq!(by_port(&parts).0, BTreeMap::from([(5000, 2), (6000, 2)]));
    // Two first fragments that overlap, each with ports of its own: the last one decides.
    assert_eq!(by_port(&[FIRST, again, LATER]).0, BTreeMap::from([(5000, 1), (6000, 2)]));
}

#[test]
fn a_first_fragment_is_forgotten_after_its_time() {
    for (age, ports) in [
        (15 * SECOND, BTreeMap::from([(5000, 2)])),
        (15 * SECOND + 1, BTreeMap::from([(0, 1), (5000, 1)])),
    ] {
        assert_eq!(by_port(&[FIRST, Part { time: SECOND + age, ..LATER }]).0, ports);
    }
}

#[test]
fn fragments_of_other_datagrams_and_places_are_left_alone() {
    for other in [
        Part { interface: 2, ..LATER },
        Part { host: 2, ..LATER },
        Part { id: 8, ..LATER },
        Part { ip6: true, ..LATER },
    ] {
        let (ports, counters) = by_port(&[FIRST, other]);
        assert_eq!((ports, counters.without_first), (BTreeMap::from([(0, 1), (5000, 1)]), 1));
    }
}

#[test]
fn fragments_that_overlap_and_come_twice_are_counted_as_they_come() {
    let tiny = Part { offset: 1, more: true, ..LATER };
    let parts = [FIRST, tiny, tiny, LATER, Part { offset: 2, ..LATER }];
    let (ports, counters) = by_port(&parts);
    assert_eq!((ports, counters.attributed), (BTreeMap::from([(5000, 5)]), 4));
}

/// RFC 8200 section 4.5: the next header of the first fragment is what counts.
#[test]
fn a_later_fragment_of_ip6_has_the_protocol_of_the_first_one() {
    let mut first = Part { ip6: true, ..FIRST }.bytes();
    // Destination options between fragment header and UDP.
    first.splice(48..48, [17, 0, 1, 4, 0, 0, 0, 0]);
    (first[5], first[40]) = (32, 60);
    let mut later = Part { ip6: true, ..LATER }.bytes();
    later[40] = 60;
    let config = Config {
        fragments: true,
        max_flows: 10,
        ..Config::new(Families::IP6, RecordSet::L3 | RecordSet::L4)
    };
    let (mut meter, mut records) = (Meter::new(&config).unwrap(), Vec::new());
    let packets = [&first, &later].map(|p| Observed::new(p, Start::Network(0), SwIfIndex(1)));
    meter.frame(packets, &mut |record: &_| records.push(*record));
    meter.flush(Scope::All, &mut |record: &_| records.push(*record));
    let told: Vec<_> = records.iter().map(|r| (r.protocol, r.source_port, r.packets)).collect();
    assert_eq!(told, [(17, 5000, 2)]);
}

/// RFC 1858: a first fragment without its ports, or without the flags of TCP.
#[test]
fn tiny_first_fragments_give_what_they_have() {
    let mut bytes = FIRST.bytes();
    bytes[9] = 6;
    bytes.truncate(28);
    bytes[3] = 28;
    let mut later = LATER.bytes();
    later[9] = 6;
    let mut cut = bytes.clone();
    cut.truncate(22);
    for (first, port) in [(&bytes, 5000), (&cut, 0)] {
        let config = Config {
            fragments: true,
            max_flows: 10,
            ..Config::new(Families::IP4, RecordSet::L3 | RecordSet::L4)
        };
        let (mut meter, mut records) = (Meter::new(&config).unwrap(), Vec::new());
        let packets = [first, &later].map(|p| Observed::new(p, Start::Network(0), SwIfIndex(1)));
        meter.frame(packets, &mut |record: &_| records.push(*record));
        meter.flush(Scope::All, &mut |record: &_| records.push(*record));
        let told: Vec<_> = records.iter().map(|r| (r.source_port, r.packets)).collect();
        assert_eq!((told, meter.counters().fragments.attributed), (vec![(port, 2)], 1));
    }
}
