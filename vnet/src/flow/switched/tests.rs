//! A meter of a switch against a list of flows, looked through from its head.

use core::time::Duration;

use proptest::prelude::*;

use super::super::{
    Config, Context, EndReason, Families, FlowRecord, Meter, Observed, Outer, Rate, RecordSet,
    Scope, Site, Start, Switch, TunnelKind, Unmeasured,
};
use crate::{interface::SwIfIndex, runtime::PacketTime, wire::link::LinkType};

const SECOND: u64 = 1_000_000_000;

/// What a record tells, as far as the list knows it: first octet of the source address, frame type, packets, octets, squares, least,
/// most, start, end, reason.
type Told = (u8, u16, u64, u64, u64, u32, u32, u64, u64, EndReason);

fn told(record: &FlowRecord) -> Told {
    let meters = record.details.as_ref().unwrap().meters;
    (
        record.source_mac[5],
        record.ethertype,
        record.packets,
        record.octets,
        meters.squares,
        meters.min_octets,
        meters.max_octets,
        record.start.0,
        record.end.0,
        record.end_reason,
    )
}

/// A frame of a flow, padded to `len`: IPv4 and UDP, IPv6 and UDP, or something else.
fn frame(flow: u8, len: usize) -> Vec<u8> {
    let ethertype = [0x0800_u16, 0x86dd, 0x0806][usize::from(flow % 3)];
    let mut frame = vec![2, 0, 0, 0, 0, 0xff, 2, 0, 0, 0, 0, flow];
    frame.extend(ethertype.to_be_bytes());
    match ethertype {
        0x0800 => frame.extend([0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17]),
        0x86dd => frame.extend([0x60, 0, 0, 0, 0, 16, 17, 64]),
        _ => (),
    }
    frame.resize(len, 0);
    frame
}

/// A flow of the list.
#[derive(Clone, Copy)]
struct Entry {
    flow: u8,
    told: Told,
}

/// What the meter must do, written down the long way.
struct List {
    entries: Vec<Entry>,
    most: usize,
    active: u64,
    records: Vec<Told>,
}

impl List {
    fn packet(&mut self, flow: u8, len: usize, now: u64) {
        let is_ip = flow % 3 != 2;
        let octets = if is_ip { len as u64 - 14 } else { 0 };
        let ethertype = [0x0800_u16, 0x86dd, 0x0806][usize::from(flow % 3)];
        let new: Told = (
            flow,
            ethertype,
            1,
            octets,
            octets * octets,
            octets as u32,
            octets as u32,
            now,
            now,
            EndReason::ForcedEnd,
        );
        if self.most == 0 {
            let reason = if self.active == 0 {
                EndReason::ActiveTimeout
            } else {
                EndReason::LackOfResources
            };
            let mut record = new;
            record.9 = reason;
            self.records.push(record);
            return;
        }
        if let Some(at) = self.entries.iter().position(|entry| entry.flow == flow) {
            if now - self.entries[at].told.7 >= self.active.max(1) {
                self.end(at, EndReason::ActiveTimeout);
            } else {
                let told = &mut self.entries[at].told;
                told.2 += 1;
                told.3 += octets;
                told.4 += octets * octets;
                told.5 = told.5.min(octets as u32);
                told.6 = told.6.max(octets as u32);
                told.8 = now;
                return;
            }
        }
        self.entries.push(Entry { flow, told: new });
        while self.entries.len() > self.most {
            let is_due = now - self.entries[0].told.7 >= self.active.max(1);
            let reason = if is_due { EndReason::ActiveTimeout } else { EndReason::LackOfResources };
            self.end(0, reason);
        }
    }

    fn sweep(&mut self, now: u64) {
        while self.entries.first().is_some_and(|e| now - e.told.7 >= self.active.max(1)) {
            self.end(0, EndReason::ActiveTimeout);
        }
    }

    fn end(&mut self, at: usize, reason: EndReason) {
        let mut told = self.entries.remove(at).told;
        told.9 = reason;
        self.records.push(told);
    }
}

fn config(switch: Switch, active: u64) -> Config {
    Config {
        switch: Some(switch),
        active: Duration::from_nanos(active),
        passive: Duration::ZERO,
        max_flows: 1000,
        ..Config::new(Families::all(), RecordSet::all())
    }
}

fn observed<'a>(frame: &'a [u8], now: u64, context: &'a Context) -> Observed<'a> {
    Observed {
        time: PacketTime(now),
        context,
        ..Observed::new(frame, Start::Link(LinkType::Ethernet), SwIfIndex(1))
    }
}

/// Records of the frames of one meter.
fn measured(switch: Switch, frames: &[Vec<u8>], context: &Context) -> (Vec<FlowRecord>, Meter) {
    let mut meter = Meter::new(&config(switch, SECOND)).unwrap();
    let mut records = Vec::new();
    let sink = &mut |record: &FlowRecord| records.push(*record);
    meter.frame(frames.iter().map(|frame| observed(frame, 7, context)), sink);
    meter.flush(Scope::All, sink);
    (records, meter)
}

#[derive(Clone, Debug)]
enum Step {
    Packets(Vec<(u8, usize)>),
    Wait(u64),
    Sweep,
}

fn step() -> impl Strategy<Value = Step> {
    let packet = (0_u8..30, 60_usize..1500);
    prop_oneof![
        4 => prop::collection::vec(packet, 1..80).prop_map(Step::Packets),
        2 => (0..2 * SECOND).prop_map(Step::Wait),
        1 => Just(Step::Sweep),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn flows_leave_as_a_list_looked_through_from_its_head_has_it(
        steps in prop::collection::vec(step(), 1..24),
        most in prop_oneof![Just(0_usize), 1_usize..8, Just(20), Just(1000)],
        active in prop_oneof![Just(0), Just(SECOND), Just(5 * SECOND)],
        tunnels in any::<bool>(),
    ) {
        let switch = Switch { most_flows: most, tunnels, ..Switch::DEFAULT };
        let mut meter = Meter::new(&config(switch, active)).unwrap();
        let mut list = List { entries: Vec::new(), most, active, records: Vec::new() };
        let (mut records, mut now) = (Vec::new(), 1_700_000_000 * SECOND);
        let sink = &mut |record: &FlowRecord| records.push(told(record));
        for step in &steps {
            match step {
                Step::Packets(packets) => {
                    now += 1;
                    let frames: Vec<Vec<u8>> = packets.iter().map(|&(flow, len)| frame(flow, len)).collect();
                    let context = Context::NONE;
                    meter.frame(frames.iter().map(|frame| observed(frame, now, &context)), sink);
                    packets.iter().for_each(|&(flow, len)| list.packet(flow, len, now));
                }
                Step::Wait(time) => now += time,
                Step::Sweep => {
                    meter.advance(PacketTime(now));
                    while meter.sweep(1, sink) {}
                    list.sweep(now);
                }
            }
            prop_assert_eq!(meter.live_flows(), list.entries.len());
        }
        meter.advance(PacketTime(now));
        meter.flush(Scope::All, sink);
        list.sweep(now);
        while !list.entries.is_empty() {
            list.end(0, EndReason::ForcedEnd);
        }
        // Frames of several flows are counted family by family, so that records within one can be in another order.
        let (mut expected, counters) = (list.records, meter.counters());
        prop_assert_eq!(counters.recorded, counters.measured);
        expected.sort_unstable();
        records.sort_unstable();
        prop_assert_eq!(records, expected);
    }
}

#[test]
fn keys_come_back_as_they_were_seen() {
    let rate = Rate::of_65535(1000.try_into().unwrap());
    let site = Site { domain: u32::MAX, point: 7, rate };
    let outer = Outer {
        kind: TunnelKind::Geneve,
        source: [10, 0, 0, 1],
        destination: [10, 0, 0, 2],
        source_port: 4000,
        destination_port: 6081,
        key: 0xff_fffe,
    };
    let context = Context { site, outer: Some(outer), ..Context::NONE };
    let tagged = |flow: u8| {
        let mut frame = frame(flow, 80);
        frame.splice(12..12, [0x81, 0, 0xa0, 5]);
        frame
    };
    let mut class4 = tagged(0);
    class4[19] = 0x2e;
    let mut class6 = tagged(1);
    class6[18..22].copy_from_slice(&[0x62, 0xe1, 0x23, 0x45]);
    let frames = [class4, class6, tagged(2)];
    let switch = Switch { tunnels: true, ..Switch::DEFAULT };
    let (records, _) = measured(switch, &frames, &context);
    for record in &records {
        let keys = record.details.as_ref().unwrap().keys;
        assert_eq!((keys.site, keys.outer, keys.priority), (site, Some(outer), 5));
        assert_eq!((record.vlan, record.source_mac[0]), (Some(5), 2));
        let is_ip = record.ethertype != 0x0806;
        assert_eq!((keys.ttl, keys.class), if is_ip { (64, 0x2e) } else { (0, 0) });
        assert_eq!(keys.flow_label, if record.ethertype == 0x86dd { 0x12345 } else { 0 });
        // The tag is no part of IP, and neither is the header.
        assert_eq!(record.octets, if is_ip { 66 } else { 0 });
    }
    assert_eq!(records.len(), 3);
    let (without, _) = measured(Switch::DEFAULT, &frames, &context);
    assert!(without.iter().all(|record| record.details.as_ref().unwrap().keys.outer.is_none()));
}

#[test]
fn a_switch_looks_behind_one_tag_and_no_further() {
    let type_of = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut frame = frame(0, 90);
        change(&mut frame);
        let (records, _) = measured(Switch::DEFAULT, &[frame], &Context::NONE);
        let record = records[0];
        (record.ethertype, record.vlan, record.details.unwrap().meters.min_octets)
    };
    let tag = |frame: &mut Vec<u8>| drop(frame.splice(12..12, [0x81, 0, 0, 9]));
    assert_eq!(type_of(&|_| ()), (0x0800, None, 76));
    assert_eq!(type_of(&tag), (0x0800, Some(9), 76));
    assert_eq!(type_of(&|frame| (0..2).for_each(|_| tag(frame))), (0x8100, Some(9), 0));
    assert_eq!(type_of(&|frame| frame[12..14].copy_from_slice(&[0x88, 0x47])), (0x8847, None, 0));
    let snap = [0, 60, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0];
    assert_eq!(type_of(&|frame| drop(frame.splice(12..14, snap))), (0x0800, None, 84));
    assert_eq!(type_of(&|frame| frame[12..14].copy_from_slice(&[0, 60])), (0x05ff, None, 0));
}

/// D9: frames shorter than their headers, and longer than 65,535 octets.
#[test]
fn lengths_are_never_subtracted_below_zero_or_beyond_sixteen_bits() {
    let record_of = |switch, bytes: &[u8], wire_length| {
        let mut meter = Meter::new(&config(switch, SECOND)).unwrap();
        let mut records = Vec::new();
        let context = Context::NONE;
        let packet = Observed { wire_length, ..observed(bytes, 7, &context) };
        let sink = &mut |record: &FlowRecord| records.push((record.octets, record.layer2_octets));
        meter.frame([packet], sink);
        meter.flush(Scope::All, sink);
        (records, meter.counters().unmeasured(Unmeasured::TruncatedLink))
    };
    let whole = frame(0, 60);
    assert_eq!(record_of(Switch::DEFAULT, &whole[..13], 13), (vec![], 1));
    assert_eq!(record_of(Switch::DEFAULT, &whole[..14], 14), (vec![(0, 14)], 0));
    assert_eq!(record_of(Switch::DEFAULT, &whole[..20], 20), (vec![(6, 20)], 0));
    assert_eq!(record_of(Switch::DEFAULT, &whole, 70_014), (vec![(70_000, 70_014)], 0));
    // As an option, no more than the IP header tells of: padding is none of it.
    let trims = Switch { trims: true, ..Switch::DEFAULT };
    let padded = frame(0, 100);
    assert_eq!(record_of(Switch::DEFAULT, &padded, 100), (vec![(86, 100)], 0));
    assert_eq!(record_of(trims, &padded, 100), (vec![(46, 100)], 0));
}

#[test]
fn bfd_is_measured_or_counted() {
    let with_port = |port: u16| {
        let mut frame = frame(0, 60);
        frame[36..38].copy_from_slice(&port.to_be_bytes());
        frame
    };
    let frames = [3783, 3784, 3785, 3786].map(with_port);
    let skips = Switch { bfd: false, ..Switch::DEFAULT };
    let (records, meter) = measured(skips, &frames, &Context::NONE);
    assert_eq!((records.len(), meter.counters().unmeasured(Unmeasured::Bfd)), (2, 2));
    assert_eq!(measured(Switch::DEFAULT, &frames, &Context::NONE).0.len(), 4);
}

#[test]
fn other_limits_and_timers_hold_at_once() {
    let mut meter = Meter::new(&config(Switch::DEFAULT, 60 * SECOND)).unwrap();
    let mut records = Vec::new();
    let sink = &mut |record: &FlowRecord| records.push(record.end_reason);
    let context = Context::NONE;
    let frames: Vec<Vec<u8>> = (0..9).map(|flow| frame(flow, 60)).collect();
    meter.frame(frames.iter().map(|frame| observed(frame, 7, &context)), sink);
    meter.set_aging(4, Duration::from_secs(60), Duration::ZERO);
    meter.sweep(1, sink);
    assert_eq!(meter.live_flows(), 4);
    meter.set_aging(4, Duration::from_secs(1), Duration::ZERO);
    meter.advance(PacketTime(7 + SECOND));
    meter.sweep(1, sink);
    meter.set_aging(0, Duration::from_secs(1), Duration::ZERO);
    meter.frame([observed(&frames[0], 8 + SECOND, &context)], sink);
    let reasons = [vec![EndReason::LackOfResources; 5], vec![EndReason::ActiveTimeout; 4]].concat();
    assert_eq!((&records[..9], records[9]), (&reasons[..], EndReason::LackOfResources));
}

#[test]
fn idle_flows_and_closed_connections_end_where_that_is_asked_for() {
    let switch = Switch { connections: true, ..Switch::DEFAULT };
    let config = Config { passive: Duration::from_secs(5), ..config(switch, 60 * SECOND) };
    let mut meter = Meter::new(&config).unwrap();
    let mut records = Vec::new();
    let sink = &mut |r: &FlowRecord| records.push((r.source_mac[5], r.end_reason));
    let mut closing = frame(3, 60);
    closing[23] = 6;
    closing[47] = 1;
    let context = Context::NONE;
    let frames = [frame(0, 60), closing, frame(6, 60)];
    meter.frame(frames.iter().map(|frame| observed(frame, SECOND, &context)), sink);
    meter.frame([observed(&frames[2], 5 * SECOND, &context)], sink);
    meter.advance(PacketTime(7 * SECOND));
    meter.sweep(9, sink);
    meter.flush(Scope::All, sink);
    records.sort_unstable();
    let expected =
        [(0, EndReason::IdleTimeout), (3, EndReason::EndOfFlow), (6, EndReason::ForcedEnd)];
    assert_eq!(records, expected);
}
