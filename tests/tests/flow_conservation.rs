//! Every packet and octet that enters a meter leaves in a record of its flow, or is held in that flow: a ledger says so after
//! millions of packets in random frames, among steps and jumps of time, sweeps, moves to huge pages, evictions and flushes.

use core::time::Duration;

use vnet::{
    flow::{
        Addresses, Config, EndReason, Families, FlowRecord, Meter, Observed, Pages, RecordSet,
        Scope, Start,
    },
    interface::SwIfIndex,
    runtime::PacketTime,
    wire::link::LinkType,
};

const SECOND: u64 = 1_000_000_000;
const YEAR: u64 = 31_536_000 * SECOND;
const INTERFACES: u32 = 4;
const FRAME: usize = 256;
const LONGEST: usize = 74;

/// Marsaglia's xorshift64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 16) % limit
    }
}

/// Packets, octets of IP, octets of frames.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Account([u64; 3]);

impl Account {
    fn add(&mut self, other: [u64; 3]) {
        self.0.iter_mut().zip(other).for_each(|(sum, n)| *sum += n);
    }
}

/// What entered and what left, for each flow by its number.
struct Ledger {
    entered: Vec<Account>,
    left: Vec<Account>,
    records: u64,
    evicted: u64,
}

impl Ledger {
    fn new(flows: usize) -> Self {
        let none = vec![Account::default(); flows];
        Self { entered: none.clone(), left: none, records: 0, evicted: 0 }
    }

    fn record(&mut self, record: &FlowRecord) {
        assert!(record.packets > 0 && record.start <= record.end, "{record:?}");
        self.left[number(record)].add(counts(record));
        self.records += 1;
        self.evicted += u64::from(record.end_reason == EndReason::LackOfResources);
    }

    fn balances(&self, meter: &Meter) {
        let mut sums = self.left.clone();
        let mut flows = 0;
        meter.for_each_flow(&mut |record: &FlowRecord| {
            sums[number(record)].add(counts(record));
            flows += 1;
        });
        assert_eq!(flows, meter.live_flows());
        if let Some(flow) = (0..sums.len()).find(|&flow| sums[flow] != self.entered[flow]) {
            panic!("flow {flow}: {:?} entered, {:?} left or held", self.entered[flow], sums[flow]);
        }
        let counters = meter.counters();
        assert_eq!(counters.records_total(), self.records);
        // One that is evicted has no record where nothing came since its last, and another reason where that was due.
        assert!(counters.evictions >= self.evicted);
        let entered: u64 = self.entered.iter().map(|account| account.0[0]).sum();
        assert_eq!((counters.seen, counters.unmeasured_total()), (entered, 0));
    }
}

fn counts(record: &FlowRecord) -> [u64; 3] {
    [record.packets, record.octets, record.layer2_octets]
}

/// A flow has its number at the end of its source address.
fn number(record: &FlowRecord) -> usize {
    let [.., high, low] = match record.addresses {
        Addresses::V4(source, _) => [source[2], source[3]],
        Addresses::V6(source, _) => [source[14], source[15]],
        Addresses::None => [record.source_mac[4], record.source_mac[5]],
    };
    usize::from(high) << 8 | usize::from(low)
}

/// A packet of a flow: in five of them three are IPv4, one IPv6, and one neither.
struct Packet {
    bytes: [u8; LONGEST],
    length: usize,
    wire_length: u32,
    flow: u16,
    counts: [u64; 3],
}

impl Packet {
    fn new(flow: u16, random: &mut Random) -> Self {
        let mut bytes = [0; LONGEST];
        let id = flow.to_be_bytes();
        bytes[..6].copy_from_slice(&[2, 0, 0, 0, 0, 9]);
        bytes[6..12].copy_from_slice(&[2, 0, 0, 0, id[0], id[1]]);
        let size = random.below(1400) as u16;
        let flags = [0x10, 0x10, 0x10, 0x02, 0x11, 0x04][random.below(6) as usize];
        let (length, octets) = match flow % 5 {
            0..=2 => {
                bytes[12..16].copy_from_slice(&[8, 0, 0x45, 0]);
                bytes[16..18].copy_from_slice(&(40 + size).to_be_bytes());
                bytes[22..24].copy_from_slice(&[64, 6]);
                bytes[26..34].copy_from_slice(&[10, 0, id[0], id[1], 10, 1, 0, 1]);
                bytes[46..48].copy_from_slice(&[0x50, flags]);
                (54, 40 + size)
            }
            3 => {
                bytes[12..15].copy_from_slice(&[0x86, 0xdd, 0x60]);
                bytes[18..20].copy_from_slice(&(20 + size).to_be_bytes());
                bytes[20..22].copy_from_slice(&[6, 64]);
                bytes[36..38].copy_from_slice(&id);
                bytes[66..68].copy_from_slice(&[0x50, flags]);
                (74, 60 + size)
            }
            _ => {
                bytes[12..14].copy_from_slice(&[0x88, 0xb5]);
                (60, 0)
            }
        };
        let wire_length = length as u32 + u32::from(size);
        let counts = [1, octets.into(), wire_length.into()];
        Self { bytes, length, wire_length, flow, counts }
    }

    fn observed(&self, time: u64) -> Observed<'_> {
        Observed {
            wire_length: self.wire_length,
            time: PacketTime(time),
            ..Observed::new(
                &self.bytes[..self.length],
                Start::Link(LinkType::Ethernet),
                SwIfIndex(u32::from(self.flow) % INTERFACES + 1),
            )
        }
    }
}

/// One operation of many.
fn operate(
    meter: &mut Meter,
    ledger: &mut Ledger,
    random: &mut Random,
    time: &mut u64,
    flows: u64,
) {
    let mut sink = |record: &FlowRecord| ledger.record(record);
    match random.below(2000) {
        0 => *time = (*time + random.below(3) * YEAR).min(400 * YEAR),
        1 => *time -= random.below(*time / 4),
        2 => meter.flush(Scope::All, &mut sink),
        3..20 => {
            let interface = SwIfIndex(random.below(INTERFACES.into()) as u32 + 1);
            meter.flush(Scope::Interface(interface), &mut sink);
            meter.for_each_flow(&mut |record| assert_ne!(record.ingress, interface));
        }
        20..100 => *time += random.below(20 * SECOND),
        100..200 => *time -= random.below(10 * SECOND),
        200..300 => meter.advance(PacketTime(*time + random.below(SECOND))),
        300..500 => {
            meter.settle();
        }
        500..1000 => {
            meter.sweep(random.below(12) as usize, &mut sink);
        }
        _ => packets(meter, ledger, random, time, flows),
    }
}

/// A frame. Half of its packets are of a sixteenth of the flows.
fn packets(
    meter: &mut Meter,
    ledger: &mut Ledger,
    random: &mut Random,
    time: &mut u64,
    flows: u64,
) {
    let count = 1 + random.below(FRAME as u64) as usize;
    let some = |random: &mut Random| {
        let limit = if random.below(2) == 0 { flows } else { flows / 16 };
        random.below(limit) as u16
    };
    let frame: Vec<Packet> = (0..count)
        .map(|_| {
            let flow = some(random);
            Packet::new(flow, random)
        })
        .collect();
    for packet in &frame {
        ledger.entered[usize::from(packet.flow)].add(packet.counts);
    }
    let step = random.below(SECOND / 1000);
    let start = *time;
    *time += step * count as u64;
    let observed =
        frame.iter().enumerate().map(|(n, packet)| packet.observed(start + n as u64 * step));
    meter.frame(observed, &mut |record: &FlowRecord| ledger.record(record));
}

/// Runs `operations` of them with some flows, and audits every now and then.
fn conserved(config: &Config, flows: usize, operations: u64) -> Meter {
    let mut meter = Meter::new(config).unwrap();
    let (mut ledger, mut random) = (Ledger::new(flows), Random(0x9e37_79b9_7f4a_7c15));
    let mut time = 100 * YEAR;
    let audit = flows as u64 / 16;
    for operation in 0..operations {
        operate(&mut meter, &mut ledger, &mut random, &mut time, flows as u64);
        if operation % audit == 0 {
            ledger.balances(&meter);
        }
    }
    ledger.balances(&meter);
    meter.flush(Scope::All, &mut |record: &FlowRecord| ledger.record(record));
    assert_eq!(meter.live_flows(), 0);
    ledger.balances(&meter);
    assert_eq!(ledger.left, ledger.entered);
    meter
}

fn config(record: RecordSet, active: u64, passive: u64, max_flows: usize, pages: Pages) -> Config {
    Config {
        active: Duration::from_secs(active),
        passive: Duration::from_secs(passive),
        max_flows,
        pages,
        ..Config::new(Families::all(), record)
    }
}

#[test]
fn nothing_is_lost_in_a_table_that_evicts() {
    let config = config(RecordSet::L3 | RecordSet::L4, 5, 2, 1, Pages::Small);
    let counters = *conserved(&config, 1000, 16_000).counters();
    assert!(counters.seen > 1_000_000 && counters.evictions > 100_000, "{counters:?}");
    for reason in [EndReason::IdleTimeout, EndReason::ActiveTimeout, EndReason::EndOfFlow] {
        assert!(counters.records(reason) > 0, "{counters:?}");
    }
}

#[test]
fn nothing_is_lost_in_wide_slots_of_every_layer() {
    let config = config(RecordSet::all(), 15, 120, 200, Pages::Settling);
    let counters = *conserved(&config, 2000, 16_000).counters();
    assert!(counters.seen > 1_000_000 && counters.evictions > 0, "{counters:?}");
}

#[test]
fn nothing_is_lost_while_a_table_moves_to_huge_pages() {
    let config = config(RecordSet::L3 | RecordSet::L4, 60, 30, 1 << 15, Pages::Settling);
    let counters = *conserved(&config, 60_000, 16_000).counters();
    assert!(counters.seen > 1_000_000, "{counters:?}");
}

#[test]
fn nothing_is_lost_when_each_packet_is_a_record() {
    let config = config(RecordSet::L3 | RecordSet::L4, 0, 0, 1, Pages::Small);
    let counters = *conserved(&config, 1000, 4_000).counters();
    assert_eq!(counters.records_total(), counters.seen);
}
