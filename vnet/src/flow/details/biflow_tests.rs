//! Records of both directions, against those of one.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::{
    flow::{
        Addresses, Config, Families, FlowRecord, Keys, Meter, Observed, RecordSet, Scope,
        Selection, Start,
    },
    interface::SwIfIndex,
    runtime::PacketTime,
};

const SECOND: u64 = 1_000_000_000;

/// A packet in words: between two of four hosts, with two of three ports.
#[derive(Clone, Copy, Debug)]
struct Event {
    hosts: (u8, u8),
    ports: (u8, u8),
    ip6: bool,
    tcp_flags: u8,
    step: u64,
}

impl Event {
    fn bytes(&self) -> Vec<u8> {
        let mut packet = if self.ip6 {
            let mut packet = vec![0x60, 0, 0, 0, 0, 20, 6, 64];
            packet.extend([self.hosts.0; 16].iter().chain(&[self.hosts.1; 16]));
            packet
        } else {
            let (a, b) = self.hosts;
            vec![0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, a, 10, 0, 0, b]
        };
        packet.extend([0, self.ports.0, 0, self.ports.1, 0, 0, 0, 0, 0, 0, 0, 0, 0x50]);
        packet.extend([self.tcp_flags, 0, 0, 0, 0, 0, 0]);
        packet
    }
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let flags = prop_oneof![6 => Just(0x10_u8), 2 => Just(0x02), 1 => Just(0x12), 1 => Just(0x11)];
    let event = ((0..4_u8, 0..4_u8), (0..3_u8, 0..3_u8), any::<bool>(), flags, 0..SECOND);
    let event = event.prop_map(|(hosts, ports, ip6, tcp_flags, step)| Event {
        hosts,
        ports,
        ip6,
        tcp_flags,
        step,
    });
    prop::collection::vec(event, 1..200)
}

/// Without timers; each record ends with the capture.
fn records(events: &[Event], biflow: bool, frame: usize) -> Vec<FlowRecord> {
    let keys = Keys::ADDRESSES | Keys::PORTS;
    let selection = Selection {
        ip4: keys,
        ip6: keys,
        other: keys,
        tcp_flags: true,
        details: true,
        biflow,
        sequence: false,
    };
    let day = core::time::Duration::from_secs(86_400);
    let config = Config {
        selection: Some(selection),
        active: day,
        passive: day,
        max_flows: 2000,
        ..Config::new(Families::IP4 | Families::IP6, RecordSet::empty())
    };
    let (mut meter, mut records) = (Meter::new(&config).unwrap(), Vec::new());
    let bytes: Vec<_> = events.iter().map(Event::bytes).collect();
    let mut time = SECOND;
    let mut observed = Vec::new();
    for (event, bytes) in events.iter().zip(&bytes) {
        time += event.step;
        let packet = Observed::new(bytes, Start::Network(0), SwIfIndex(1));
        observed.push(Observed { time: PacketTime(time), ..packet });
    }
    for frame in observed.chunks(frame) {
        meter.frame(frame.iter().copied(), &mut |record: &_| records.push(*record));
    }
    meter.flush(Scope::All, &mut |record: &_| records.push(*record));
    assert_eq!(records.iter().map(FlowRecord::all_packets).sum::<u64>(), events.len() as u64);
    records
}

type Ends = (Addresses, u16, u16);

fn ends(record: &FlowRecord) -> Ends {
    (record.addresses, record.source_port, record.destination_port)
}

fn turned((addresses, source, destination): Ends) -> Ends {
    let addresses = match addresses {
        Addresses::V4(a, b) => Addresses::V4(b, a),
        Addresses::V6(a, b) => Addresses::V6(b, a),
        Addresses::None => Addresses::None,
    };
    (addresses, destination, source)
}

proptest! {
    #[test]
    fn each_direction_of_a_record_is_what_its_record_alone_would_be(
        events in events(), frame in prop_oneof![Just(1_usize), Just(7), Just(256)],
    ) {
        let alone: BTreeMap<Ends, FlowRecord> =
            records(&events, false, frame).iter().map(|record| (ends(record), *record)).collect();
        let both = records(&events, true, frame);
        let mut seen = 0;
        for record in &both {
            let forward = alone[&ends(record)];
            prop_assert_eq!(
                (record.packets, record.octets, record.layer2_octets, record.tcp_flags, record.start, record.end),
                (forward.packets, forward.octets, forward.layer2_octets, forward.tcp_flags, forward.start, forward.end)
            );
            seen += 1;
            let reverse = record.reverse().unwrap();
            let Some(other) = alone.get(&turned(ends(record))).filter(|_| turned(ends(record)) != ends(record)) else {
                prop_assert_eq!(reverse.packets, 0);
                continue;
            };
            seen += 1;
            prop_assert_eq!(
                (reverse.packets, reverse.octets, reverse.layer2_octets, reverse.tcp_flags),
                (other.packets, other.octets, other.layer2_octets, other.tcp_flags)
            );
            prop_assert_eq!((PacketTime(reverse.start), PacketTime(reverse.end)), (other.start, other.end));
            // Who sent a SYN alone began, or else who was first.
            let syn = |r: &FlowRecord| events.iter().position(|e| {
                e.tcp_flags == 0x02 && (u16::from(e.ports.0), u16::from(e.ports.1)) == (r.source_port, r.destination_port)
                    && r.addresses == addresses(e)
            });
            let began = match (syn(&forward), syn(other)) {
                (None, None) => forward.start <= other.start,
                (None, Some(_)) => false,
                (Some(_), None) => true,
                (Some(a), Some(b)) => a < b,
            };
            prop_assert!(began, "{forward:?} {other:?}");
        }
        prop_assert_eq!(seen, alone.len());
    }
}

fn addresses(event: &Event) -> Addresses {
    let (a, b) = event.hosts;
    if event.ip6 {
        Addresses::V6([a; 16], [b; 16])
    } else {
        Addresses::V4([10, 0, 0, a], [10, 0, 0, b])
    }
}

#[test]
fn a_record_after_the_first_keeps_its_initiator() {
    let keys = Keys::ADDRESSES | Keys::PORTS | Keys::PROTOCOL;
    let selection = Selection {
        ip4: keys,
        ip6: keys,
        other: keys,
        tcp_flags: true,
        details: false,
        biflow: true,
        sequence: false,
    };
    let config = Config {
        selection: Some(selection),
        active: core::time::Duration::from_secs(1),
        ..Config::new(Families::IP4, RecordSet::empty())
    };
    let (mut meter, mut records) = (Meter::new(&config).unwrap(), Vec::new());
    // 2 opens a connection to 1, and later only 1 sends.
    let packet =
        |hosts, ports, tcp_flags| Event { hosts, ports, ip6: false, tcp_flags, step: 0 }.bytes();
    let packets = [
        (SECOND, packet((2, 1), (9, 8), 0x02)),
        (SECOND + 1, packet((1, 2), (8, 9), 0x12)),
        (3 * SECOND, packet((1, 2), (8, 9), 0x10)),
    ];
    for (time, bytes) in &packets {
        let observed = Observed {
            time: PacketTime(*time),
            ..Observed::new(bytes, Start::Network(0), SwIfIndex(1))
        };
        meter.frame([observed], &mut |record: &_| records.push(*record));
    }
    meter.flush(Scope::All, &mut |record: &_| records.push(*record));
    let told: Vec<_> = records
        .iter()
        .map(|record| (ends(record).1, record.packets, record.reverse().unwrap().packets))
        .collect();
    assert_eq!(told, [(9, 1, 1), (9, 0, 1)]);
    assert_eq!(records[1].start, PacketTime(3 * SECOND));
}
