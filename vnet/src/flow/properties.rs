//! What a meter promises, checked with packets of all sorts against its naive twin.

use core::time::Duration;

use proptest::prelude::*;

use super::{
    Addresses, Config, Direction, EndReason, Families, FlowRecord, Keys, Meter, Observed,
    RecordSet, Scope, Selection, Start, Unmeasured,
    twin::{Twin, TwinPacket, sorted},
};
use crate::{interface::SwIfIndex, runtime::PacketTime, wire::link::LinkType};

const SECOND: u64 = 1_000_000_000;
const YEAR: u64 = 31_536_000 * SECOND;
const SOURCE_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
const DESTINATION_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];

/// A packet in words.
#[derive(Clone, Copy, Debug)]
struct Event {
    time: u64,
    /// Which flow: each number is another combination of family, addresses, protocol, VLAN, interface and direction.
    flow: u16,
    tcp_flags: u16,
    payload: u16,
}

impl Event {
    const fn is_ip6(&self) -> bool {
        self.flow & 1 != 0
    }

    const fn is_tcp(&self) -> bool {
        self.flow & 2 != 0
    }

    const fn vlan(&self) -> Option<u16> {
        if self.flow & 4 != 0 { Some(7) } else { None }
    }

    const fn direction(&self) -> Direction {
        if self.flow & 8 != 0 { Direction::Egress } else { Direction::Ingress }
    }

    const fn ingress(&self) -> SwIfIndex {
        SwIfIndex((self.flow >> 4 & 1) as u32 + 1)
    }

    const fn source_port(&self) -> u16 {
        1024 + (self.flow >> 5)
    }

    /// What it is on the wire.
    fn bytes(&self) -> Vec<u8> {
        let mut frame = [DESTINATION_MAC, SOURCE_MAC].concat();
        if let Some(vlan) = self.vlan() {
            frame.extend([0x81, 0x00]);
            frame.extend(vlan.to_be_bytes());
        }
        let protocol = if self.is_tcp() { 6 } else { 17 };
        let transport = 20 + self.payload;
        if self.is_ip6() {
            frame.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
            frame.extend(transport.to_be_bytes());
            frame.extend([protocol, 64]);
            frame.extend([0x20; 16].iter().chain(&[0xfd; 16]));
        } else {
            frame.extend([0x08, 0x00, 0x45, 0]);
            frame.extend((20 + transport).to_be_bytes());
            frame.extend([0, 0, 0, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        }
        frame.extend(self.source_port().to_be_bytes());
        frame.extend([0, 53]);
        frame.extend([0; 8]);
        frame.extend((0x5000 | self.tcp_flags).to_be_bytes());
        frame.extend([0; 6]);
        frame
    }

    fn observed<'a>(&self, bytes: &'a [u8]) -> Observed<'a> {
        Observed {
            wire_length: bytes.len() as u32 + u32::from(self.payload),
            time: PacketTime(self.time),
            direction: self.direction(),
            ..Observed::new(bytes, Start::Link(LinkType::Ethernet), self.ingress())
        }
    }

    fn twin(&self, record: RecordSet) -> TwinPacket {
        let l2 = record.contains(RecordSet::L2);
        let l4 = record.contains(RecordSet::L4);
        let wire = self.bytes().len() as u64 + u64::from(self.payload);
        let tag = if self.vlan().is_some() { 4 } else { 0 };
        TwinPacket {
            identity: FlowRecord {
                ingress: self.ingress(),
                egress: SwIfIndex::NONE,
                direction: self.direction(),
                source_mac: if l2 { SOURCE_MAC } else { [0; 6] },
                destination_mac: if l2 { DESTINATION_MAC } else { [0; 6] },
                ethertype: match (l2, self.is_ip6()) {
                    (false, _) => 0,
                    (true, false) => 0x0800,
                    (true, true) => 0x86dd,
                },
                vlan: self.vlan().filter(|_| record.contains(RecordSet::VLAN)),
                addresses: self.addresses(record.contains(RecordSet::L3)),
                protocol: if self.is_tcp() { 6 } else { 17 },
                source_port: if l4 { self.source_port() } else { 0 },
                destination_port: if l4 { 53 } else { 0 },
                tcp_flags: 0,
                packets: 0,
                octets: 0,
                layer2_octets: 0,
                start: PacketTime(0),
                end: PacketTime(0),
                end_reason: EndReason::ForcedEnd,
                details: None,
            },
            time: self.time,
            octets: wire - 14 - tag,
            layer2_octets: wire,
            tcp_flags: if self.is_tcp() && l4 { self.tcp_flags } else { 0 },
        }
    }

    /// As [`Self::twin`], with these fields as the key.
    fn twin_of(&self, keys: Keys) -> TwinPacket {
        let mut twin = self.twin(RecordSet::all());
        let identity = &mut twin.identity;
        let has = |key| keys.contains(key);
        // Nothing in the key is no claim about an interface: it has the number 0.
        let or = |is_key: bool, index| if is_key { index } else { SwIfIndex(0) };
        identity.ingress = or(has(Keys::INGRESS), identity.ingress);
        identity.egress = or(has(Keys::EGRESS), identity.egress);
        if !has(Keys::DIRECTION) {
            identity.direction = Direction::Ingress;
        }
        identity.source_mac = if has(Keys::SOURCE_MAC) { SOURCE_MAC } else { [0; 6] };
        identity.destination_mac =
            if has(Keys::DESTINATION_MAC) { DESTINATION_MAC } else { [0; 6] };
        identity.ethertype *= u16::from(has(Keys::ETHERTYPE));
        identity.vlan = identity.vlan.filter(|_| has(Keys::VLAN));
        identity.addresses = match self.addresses(true) {
            Addresses::V4(a, b) => Addresses::V4(
                if has(Keys::SOURCE_ADDRESS) { a } else { [0; 4] },
                if has(Keys::DESTINATION_ADDRESS) { b } else { [0; 4] },
            ),
            Addresses::V6(a, b) => Addresses::V6(
                if has(Keys::SOURCE_ADDRESS) { a } else { [0; 16] },
                if has(Keys::DESTINATION_ADDRESS) { b } else { [0; 16] },
            ),
            Addresses::None => Addresses::None,
        };
        identity.protocol *= u8::from(has(Keys::PROTOCOL));
        identity.source_port *= u16::from(has(Keys::SOURCE_PORT));
        identity.destination_port *= u16::from(has(Keys::DESTINATION_PORT));
        if !has(Keys::PORTS | Keys::PROTOCOL) {
            twin.tcp_flags = 0;
        }
        twin
    }

    fn addresses(&self, is_recorded: bool) -> Addresses {
        match (self.is_ip6(), is_recorded) {
            (false, true) => Addresses::V4([10, 0, 0, 1], [10, 0, 0, 2]),
            (false, false) => Addresses::V4([0; 4], [0; 4]),
            (true, true) => Addresses::V6([0x20; 16], [0xfd; 16]),
            (true, false) => Addresses::V6([0; 16], [0; 16]),
        }
    }
}

/// Times that mostly go on, sometimes rest, step back a little or much, or jump.
fn events(flows: u16, length: usize) -> impl Strategy<Value = Vec<Event>> {
    let step = prop_oneof![
        8 => (0..2 * SECOND).prop_map(|step| step as i64),
        4 => Just(0),
        2 => (0..1_000_000_i64).prop_map(|step| -step),
        1 => (0..100 * SECOND).prop_map(|step| step as i64),
        1 => (0..100 * SECOND).prop_map(|step| -(step as i64)),
        1 => Just(SECOND as i64),
        1 => (1..5_i64).prop_map(|years| years * YEAR as i64),
        1 => (1..5_i64).prop_map(|years| -years * YEAR as i64),
    ];
    let flags = prop_oneof![
        10 => Just(0x010_u16), 3 => Just(0x002), 2 => Just(0x011), 1 => Just(0x004), 1 => 0..0x1000_u16,
    ];
    let event = (step, 0..flows, flags, 0..1400_u16);
    proptest::collection::vec(event, 0..length).prop_map(|steps| {
        let mut time = 20 * YEAR;
        let mut next = |step: i64| {
            time = time.saturating_add_signed(step).clamp(1, 400 * YEAR);
            time
        };
        steps
            .into_iter()
            .map(|(step, flow, tcp_flags, payload)| Event {
                time: next(step),
                flow,
                tcp_flags,
                payload,
            })
            .collect()
    })
}

/// Many flows in little time, and rests in which some of them end: what fills windows.
fn crowd() -> impl Strategy<Value = Vec<Event>> {
    let step = prop_oneof![60 => 0..SECOND / 200, 1 => SECOND / 2..2 * SECOND];
    let event = (step, 0..1000_u16, prop_oneof![8 => Just(0x010_u16), 1 => Just(0x011)]);
    proptest::collection::vec(event, 800..2000).prop_map(|steps| {
        let mut time = 20 * YEAR;
        let mut next = |step: u64| {
            time += step;
            time
        };
        steps
            .into_iter()
            .map(|(step, flow, tcp_flags)| Event {
                time: next(step),
                flow: flow << 1,
                tcp_flags,
                payload: 0,
            })
            .collect()
    })
}

fn timers() -> impl Strategy<Value = (u64, u64)> {
    let active = prop_oneof![1 => Just(0), 2 => Just(SECOND), 2 => Just(10 * SECOND), 1 => Just(60 * SECOND)];
    let passive = prop_oneof![1 => Just(0), 2 => Just(SECOND), 2 => Just(5 * SECOND), 2 => Just(120 * SECOND)];
    (active, passive)
}

fn record_sets() -> impl Strategy<Value = RecordSet> {
    // With neither L3 nor L4 there is no protocol to tell TCP from UDP by, and the twin's packets would not be right.
    (0_u8..16)
        .prop_map(RecordSet::from_bits_truncate)
        .prop_filter("no protocol", |record| record.intersects(RecordSet::L3 | RecordSet::L4))
}

fn config((active, passive): (u64, u64), record: RecordSet, max_flows: usize) -> Config {
    Config {
        active: Duration::from_nanos(active),
        passive: Duration::from_nanos(passive),
        max_flows,
        ..Config::new(Families::IP4 | Families::IP6, record)
    }
}

/// Runs events in frames, with sweeps between frames, and checks the accounting law after each step.
fn run(
    config: &Config,
    events: &[Event],
    frame: usize,
    sweeps: &[usize],
) -> Result<Meter, TestCaseError> {
    let (meter, _) = records(config, events, frame, sweeps)?;
    Ok(meter)
}

fn records(
    config: &Config,
    events: &[Event],
    frame: usize,
    sweeps: &[usize],
) -> Result<(Meter, Vec<FlowRecord>), TestCaseError> {
    let mut meter = Meter::new(config).unwrap();
    let mut records = Vec::new();
    let mut sweeps = sweeps.iter().cycle();
    for events in events.chunks(frame) {
        let bytes: Vec<Vec<u8>> = events.iter().map(Event::bytes).collect();
        let packets = events.iter().zip(&bytes).map(|(event, bytes)| event.observed(bytes));
        meter.frame(packets, &mut |record: &_| records.push(*record));
        accounting_holds(&meter, &records)?;
        for _ in 0..*sweeps.next().unwrap_or(&0) {
            meter.sweep(1, &mut |record: &_| records.push(*record));
        }
        accounting_holds(&meter, &records)?;
    }
    meter.flush(Scope::All, &mut |record: &_| records.push(*record));
    accounting_holds(&meter, &records)?;
    prop_assert_eq!(meter.live_flows(), 0);
    prop_assert_eq!(meter.counters().recorded, events.len() as u64);
    Ok((meter, records))
}

fn accounting_holds(meter: &Meter, records: &[FlowRecord]) -> Result<(), TestCaseError> {
    let counters = meter.counters();
    let (mut held, mut flows) = (0, 0);
    meter.for_each_flow(&mut |record: &FlowRecord| {
        held += record.packets;
        flows += 1;
    });
    prop_assert_eq!(flows, meter.live_flows());
    prop_assert_eq!(counters.records_total(), records.len() as u64);
    let recorded: u64 = records.iter().map(|record| record.packets).sum();
    prop_assert_eq!(recorded + held + counters.unmeasured_total(), counters.seen);
    prop_assert!(records.iter().all(|record| record.packets > 0 && record.start <= record.end));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn records_are_those_of_the_rules(
        events in events(48, 300), timers in timers(), record in record_sets(),
        frame in prop_oneof![Just(1_usize), Just(7), Just(256)],
        sweeps in proptest::collection::vec(0_usize..12, 1..5),
    ) {
        let mut twin = Twin::new(timers.0, timers.1);
        for event in &events {
            twin.packet(&event.twin(record));
        }
        twin.flush();
        let (meter, records) = records(&config(timers, record, 1000), &events, frame, &sweeps)?;
        prop_assert_eq!(meter.counters().evictions, 0);
        prop_assert_eq!(sorted(&records), sorted(&twin.records));
    }

    #[test]
    fn only_the_keys_of_a_selection_tell_flows_apart(
        events in events(64, 300), timers in timers(), ip4: u32, ip6: u32,
        frame in prop_oneof![Just(1_usize), Just(7), Just(256)],
    ) {
        let (ip4, ip6) = (Keys::from_bits_truncate(ip4), Keys::from_bits_truncate(ip6));
        // A rule for both: what is a connection of one family must be one of the other.
        prop_assume!(ip4.contains(Keys::PORTS | Keys::PROTOCOL) == ip6.contains(Keys::PORTS | Keys::PROTOCOL));
        let selection = Selection { ip4, ip6, other: Keys::empty(), tcp_flags: false, details: false, biflow: false, sequence: false };
        let mut twin = Twin::new(timers.0, timers.1);
        for event in &events {
            twin.packet(&event.twin_of(if event.is_ip6() { ip6 } else { ip4 }));
        }
        twin.flush();
        let config = Config { selection: Some(selection), ..config(timers, RecordSet::empty(), 1000) };
        let (_, mut records) = records(&config, &events, frame, &[1])?;
        records.iter_mut().for_each(|record| record.details = None);
        prop_assert_eq!(sorted(&records), sorted(&twin.records));
    }

    #[test]
    fn frames_and_sweeps_change_no_record_even_when_flows_are_evicted(
        events in prop_oneof![3 => crowd(), 1 => events(2000, 1500)], timers in timers(),
        frames in (1_usize..300, 1_usize..300), max_flows in prop_oneof![Just(1_usize), Just(150)],
        sweeps in proptest::collection::vec(0_usize..12, 1..5),
    ) {
        // A table that cannot grow, and one that does before it evicts.
        let config = config(timers, RecordSet::L3 | RecordSet::L4, max_flows);
        let (_, once) = records(&config, &events, frames.0, &[0])?;
        let (_, again) = records(&config, &events, frames.1, &sweeps)?;
        prop_assert_eq!(sorted(&once), sorted(&again));
    }

    #[test]
    fn any_bytes_are_accounted_for(
        frames in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..80), 0..40),
        (own, wire, network) in (any::<bool>(), any::<u32>(), 0_u16..60),
        families in (1_u8..8).prop_map(Families::from_bits_truncate),
        record in (0_u8..16).prop_map(RecordSet::from_bits_truncate),
    ) {
        for start in LinkType::ALL.map(Start::Link).into_iter().chain([Start::Network(network)]) {
            let mut meter = Meter::new(&Config { max_flows: 8, ..Config::new(families, record) }).unwrap();
            let mut records = Vec::new();
            let packets = frames.iter().map(|bytes| Observed {
                wire_length: wire,
                is_own_export: own,
                ..Observed::new(bytes, start, SwIfIndex(1))
            });
            meter.frame(packets, &mut |record: &_| records.push(*record));
            meter.flush(Scope::All, &mut |record: &_| records.push(*record));
            accounting_holds(&meter, &records)?;
            prop_assert_eq!(meter.counters().seen, frames.len() as u64);
        }
    }
}

#[test]
fn full_window_evicts_and_says_so() {
    let count = 2000_u16;
    let events: Vec<Event> = (0..count)
        .map(|flow| Event {
            time: SECOND + u64::from(flow),
            flow: flow << 5,
            tcp_flags: 0,
            payload: 0,
        })
        .collect();
    let config = config((60 * SECOND, 60 * SECOND), RecordSet::L3 | RecordSet::L4, 1);
    let meter = run(&config, &events, 256, &[0]).unwrap();
    let counters = meter.counters();
    assert!(counters.evictions > 1000, "{counters:?}");
    assert_eq!(counters.records(EndReason::LackOfResources), counters.evictions);
    assert_eq!(counters.records_total(), u64::from(count));
}

#[test]
fn flow_that_was_seen_lately_is_not_the_one_evicted() {
    let busy = |time: u64| Event { time, flow: 0, tcp_flags: 0, payload: 0 };
    let other = |time: u64, flow: u16| Event { time, flow: flow << 5, tcp_flags: 0, payload: 0 };
    let events: Vec<Event> = (1..2000_u16)
        .flat_map(|flow| {
            let time = SECOND + u64::from(flow);
            [busy(time), other(time, flow)]
        })
        .collect();
    let config = config((60 * SECOND, 60 * SECOND), RecordSet::L3 | RecordSet::L4, 1);
    let (meter, records) = records(&config, &events, 256, &[0]).unwrap();
    assert!(meter.counters().evictions > 1000);
    let most = records.iter().map(|record| record.packets).max();
    assert_eq!(most, Some(1999));
}

#[test]
fn configured_flows_are_held_without_eviction() {
    let count = 16_000_u16;
    let events: Vec<Event> = (0..count)
        .map(|flow| Event { time: SECOND, flow: flow << 1, tcp_flags: 0, payload: 0 })
        .collect();
    let record = RecordSet::all();
    let config = config((60 * SECOND, 60 * SECOND), record, usize::from(count));
    assert_eq!(run(&config, &events, 256, &[0]).unwrap().counters().evictions, 0);
}

#[test]
fn flush_of_an_interface_leaves_the_others() {
    let events: Vec<Event> =
        (0..64).map(|flow| Event { time: SECOND, flow, tcp_flags: 0, payload: 10 }).collect();
    let mut meter = Meter::new(&config((SECOND, SECOND), RecordSet::all(), 100)).unwrap();
    let bytes: Vec<Vec<u8>> = events.iter().map(Event::bytes).collect();
    let packets = events.iter().zip(&bytes).map(|(event, bytes)| event.observed(bytes));
    meter.frame(packets, &mut |_: &FlowRecord| unreachable!("nothing is due"));
    let mut records = Vec::new();
    meter.flush(Scope::Interface(SwIfIndex(2)), &mut |record: &FlowRecord| records.push(*record));
    assert_eq!(records.len(), 32);
    assert!(records.iter().all(|record| record.ingress == SwIfIndex(2)));
    assert_eq!(meter.live_flows(), 32);
}

#[test]
fn time_alone_makes_records_due() {
    let event = Event { time: SECOND, flow: 0, tcp_flags: 0, payload: 10 };
    let mut meter = Meter::new(&config((60 * SECOND, 30 * SECOND), RecordSet::all(), 100)).unwrap();
    let bytes = event.bytes();
    let mut records = Vec::new();
    let mut sink = |record: &FlowRecord| records.push((record.end_reason, record.packets));
    meter.frame([event.observed(&bytes)], &mut sink);
    meter.advance(PacketTime(31 * SECOND));
    while meter.sweep(1, &mut sink) {}
    meter.advance(PacketTime(31 * SECOND + 1));
    meter.advance(PacketTime(5 * SECOND));
    while meter.sweep(1, &mut sink) {}
    assert_eq!(meter.watermark(), PacketTime(31 * SECOND + 1));
    assert_eq!(meter.live_flows(), 1, "two sweeps are an eighth of the timer apart at least");
    meter.advance(PacketTime(35 * SECOND));
    while meter.sweep(1, &mut sink) {}
    assert_eq!(meter.live_flows(), 0);
    assert_eq!(records, [(EndReason::IdleTimeout, 1)]);
}

#[test]
fn connection_is_one_record_with_its_last_packets() {
    let at = |milliseconds: u64, tcp_flags: u16| Event {
        time: 10 * SECOND + milliseconds * 1_000_000,
        flow: 2,
        tcp_flags,
        payload: 0,
    };
    let (syn, ack, fin_ack) = (0x002, 0x010, 0x011);
    let events = [at(0, syn), at(1, ack), at(20, fin_ack), at(40, ack), at(50, syn), at(60, ack)];
    let config = config((60 * SECOND, 30 * SECOND), RecordSet::all(), 100);
    let (_, records) = records(&config, &events, 256, &[1]).unwrap();
    let told: Vec<_> = records.iter().map(|r| (r.packets, r.tcp_flags, r.end_reason)).collect();
    assert_eq!(told, [(4, 0x013, EndReason::EndOfFlow), (2, 0x012, EndReason::ForcedEnd)]);
}

#[test]
fn non_ip_becomes_flows_of_macs_only_when_asked() {
    let arp = [DESTINATION_MAC.as_slice(), &SOURCE_MAC, &[0x81, 0, 0, 9, 8, 6], &[0; 28]].concat();
    let packet = || [Observed::new(&arp, Start::Link(LinkType::Ethernet), SwIfIndex(3))];
    let record = RecordSet::L3 | RecordSet::L4 | RecordSet::VLAN;
    let mut records = Vec::new();
    let mut meter = Meter::new(&Config::new(Families::IP4 | Families::IP6, record)).unwrap();
    meter.frame(packet(), &mut |_: &FlowRecord| unreachable!("not measured"));
    assert_eq!(meter.counters().unmeasured(Unmeasured::NotIp), 1);
    let mut meter = Meter::new(&Config::new(Families::all(), record)).unwrap();
    meter.frame(packet(), &mut |_: &FlowRecord| unreachable!("nothing is due"));
    meter.flush(Scope::All, &mut |record: &FlowRecord| records.push(*record));
    let [record] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!((record.source_mac, record.destination_mac), (SOURCE_MAC, DESTINATION_MAC));
    assert_eq!((record.ethertype, record.vlan), (0x0806, Some(9)));
    assert_eq!((record.packets, record.octets, record.layer2_octets), (1, 0, 46));
    assert_eq!((record.addresses, record.ingress), (Addresses::None, SwIfIndex(3)));
}

#[test]
fn type_and_code_of_icmp_tell_flows_apart_only_when_they_are_keys() {
    let packet = |kind: u8, code: u8| {
        let mut packet = vec![0x45, 0, 0, 28, 0, 0, 0, 0, 64, 1, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        packet.extend([kind, code, 0, 0, 0, 0, 0, 0]);
        packet
    };
    let packets = [packet(8, 0), packet(3, 1), packet(3, 2), packet(8, 0)];
    for (keys, flows) in [
        (Keys::ADDRESSES | Keys::PORTS, 1),
        (Keys::ICMP, 3),
        (Keys::ICMP_TYPE, 2),
        (Keys::ICMP_CODE | Keys::PROTOCOL, 3),
    ] {
        let selection = Selection {
            ip4: keys,
            ip6: keys,
            other: keys,
            tcp_flags: false,
            details: false,
            biflow: false,
            sequence: false,
        };
        let base = config((SECOND, SECOND), RecordSet::empty(), 100);
        let mut meter = Meter::new(&Config { selection: Some(selection), ..base }).unwrap();
        let observed =
            packets.iter().map(|bytes| Observed::new(bytes, Start::Network(0), SwIfIndex(1)));
        meter.frame(observed, &mut |_: &FlowRecord| ());
        assert_eq!(meter.live_flows(), flows, "{keys:?}");
    }
}

#[test]
fn known_offset_gives_the_records_of_the_walk() {
    let events: Vec<Event> =
        (0..64).map(|flow| Event { time: SECOND, flow, tcp_flags: 0x10, payload: flow }).collect();
    let bytes: Vec<Vec<u8>> = events.iter().map(Event::bytes).collect();
    let config = config((SECOND, SECOND), RecordSet::all(), 100);
    let measure = |start: &dyn Fn(&Event) -> Start| {
        let mut meter = Meter::new(&config).unwrap();
        let mut records = Vec::new();
        let packets = events
            .iter()
            .zip(&bytes)
            .map(|(event, bytes)| Observed { start: start(event), ..event.observed(bytes) });
        meter.frame(packets, &mut |_: &FlowRecord| unreachable!("nothing is due"));
        meter.flush(Scope::All, &mut |record: &FlowRecord| records.push(*record));
        sorted(&records)
    };
    let known = measure(&|event| Start::Network(if event.vlan().is_some() { 18 } else { 14 }));
    assert_eq!(known.len(), 64);
    assert_eq!(known, measure(&|_| Start::Link(LinkType::Ethernet)));
}

#[test]
fn meter_can_move_to_its_worker() {
    fn moves<T: Send>() {}
    moves::<Meter>();
}

#[test]
fn too_many_flows_are_refused() {
    let config = Config { max_flows: usize::MAX, ..Config::new(Families::IP4, RecordSet::L3) };
    let error = Meter::new(&config).unwrap_err().to_string();
    assert!(error.contains("at most 1073741824 flows"), "{error}");
}
