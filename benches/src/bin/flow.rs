//! Clocks a packet of the metering process, for a few numbers of live flows.
//!
//! `cargo run --release -p peloton-benches --bin flow [SAMPLES]`
//!
//! Frames of 256 UDP packets of 60 bytes (64 with FCS), of flows in uniform random order, are built in buffers that stay
//! hot, as a device's ring does; what is timed is `Meter::frame` alone: header walk, key, hash, probe and update. `walk` is
//! the header walk by itself, and what is left is the flow table's. `sweep` is what a sweep after each frame adds. TSC,
//! percentiles of frames. `VPP's table` is a model of the direct-mapped one of VPP's flowprobe with the same packets; its last
//! column is how many records it makes of a million packets because flows share a slot (ours makes none).
#![allow(unsafe_code, reason = "the time stamp counter")]

use std::{hint::black_box, time::Duration};

use peloton_benches::direct_mapped::DirectMapped;
use vnet::{
    flow::{Config, Families, FlowRecord, Meter, Observed, Pages, RecordSet, Scope, Start},
    interface::SwIfIndex,
    runtime::PacketTime,
    wire::{link::LinkType, walk},
};

const FRAME: usize = 256;
const BYTES: usize = 60;

fn main() {
    let samples = std::env::args().nth(1).and_then(|word| word.parse().ok()).unwrap_or(20_000);
    println!("{:<40}{:>10}{:>10}{:>10}{:>10}", "", "flows", "p10", "median", "p90");
    row("walk", 1, walk(samples));
    for kind in [Kind::V4, Kind::V4Huge, Kind::V4L2, Kind::V6] {
        for flows in [1, 1_000, 65_536, 1_000_000] {
            let (frames, sweeps) = clocks(kind, flows, samples, Order::Rising);
            row(kind.name(), flows, frames);
            if flows == 1_000_000 {
                row(&format!("{}, sweep", kind.name()), flows, sweeps);
            }
        }
    }
    for flows in [1, 1_000, 65_536, 1_000_000] {
        let (frames, table, packets) = direct_mapped(flows, samples);
        let evicted = table.records as f64 / packets as f64 * 1e6;
        let name = format!("VPP's table, {} held, {evicted:.0}", table.held());
        row(&name, flows, frames);
    }
    row("ip4 l3 l4, clock behind", 1_000, clocks(Kind::V4, 1_000, samples, Order::Behind).0);
    row("ip4 l3 l4, new flows", 1, new_flows(samples));
    row("ip4 l3 l4, idle records", 1, idle_records(samples));
}

fn row(name: &str, flows: u32, [low, middle, high]: [f64; 3]) {
    println!("{name:<40}{flows:>10}{low:>10.1}{middle:>10.1}{high:>10.1}");
}

/// How packet times come.
#[derive(Clone, Copy, PartialEq)]
enum Order {
    Rising,
    /// The capture's first packet was far in the future.
    Behind,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    V4,
    V4Huge,
    V4L2,
    V6,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::V4 => "ip4 l3 l4",
            Self::V4Huge => "ip4 l3 l4, huge pages",
            Self::V4L2 => "ip4 l2 l3 l4",
            Self::V6 => "ip6 l3 l4",
        }
    }

    fn meter(self) -> Meter {
        let transport = RecordSet::L3 | RecordSet::L4;
        let (families, record) = match self {
            Self::V4 | Self::V4Huge => (Families::IP4, transport),
            Self::V4L2 => (Families::IP4, transport | RecordSet::L2),
            Self::V6 => (Families::IP6, transport),
        };
        let config = Config {
            active: Duration::from_secs(3600),
            passive: Duration::from_secs(3600),
            pages: if self == Self::V4Huge { Pages::Huge } else { Pages::Small },
            ..Config::new(families, record)
        };
        Meter::new(&config).expect("memory for a million flows")
    }

    fn write(self, packet: &mut [u8; 80], flow: u32) -> usize {
        packet[..12].copy_from_slice(&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1]);
        let source = (0x0a00_0000 + flow % 65_536 + (flow >> 16 << 18)).to_be_bytes();
        let destination = (0xc612_0000 + (flow.wrapping_mul(2_654_435_761) >> 16)).to_be_bytes();
        let ports = ((1024 + flow % 60_000) << 16 | (53 + (flow >> 8) % 1000)).to_be_bytes();
        if self == Self::V6 {
            packet[12..20].copy_from_slice(&[0x86, 0xdd, 0x60, 0, 0, 0, 0, 20]);
            packet[20..22].copy_from_slice(&[17, 64]);
            packet[34..38].copy_from_slice(&source);
            packet[50..54].copy_from_slice(&destination);
            packet[54..58].copy_from_slice(&ports);
            return 74;
        }
        packet[12..18].copy_from_slice(&[0x08, 0x00, 0x45, 0, 0, 46]);
        packet[22..24].copy_from_slice(&[64, 17]);
        packet[26..30].copy_from_slice(&source);
        packet[30..34].copy_from_slice(&destination);
        packet[34..38].copy_from_slice(&ports);
        BYTES
    }
}

/// Frames of one meter.
struct Run {
    kind: Kind,
    meter: Meter,
    packets: Box<[[u8; 80]; FRAME]>,
    length: usize,
    time: u64,
    records: u64,
}

impl Run {
    fn new(kind: Kind) -> Self {
        let packets = Box::new([[0; 80]; FRAME]);
        Self { kind, meter: kind.meter(), packets, length: 0, time: 1 << 60, records: 0 }
    }

    /// Clocks a packet of one frame.
    fn frame(&mut self, mut flow: impl FnMut() -> u32) -> f64 {
        for packet in self.packets.iter_mut() {
            self.length = self.kind.write(packet, flow());
        }
        let time = self.time;
        self.time += 256_000;
        let length = self.length;
        let records = &mut self.records;
        let before = tsc();
        let packets = self.packets.iter().enumerate().map(|(at, packet)| Observed {
            time: PacketTime(time + at as u64 * 1000),
            ..Observed::new(&packet[..length], Start::Link(LinkType::Ethernet), SwIfIndex(1))
        });
        self.meter.frame(packets, &mut |record: &FlowRecord| *records += black_box(record).packets);
        (tsc() - before) as f64 / FRAME as f64
    }

    /// Clocks of a sweep, divided by the packets of a frame.
    fn sweep(&mut self) -> f64 {
        let records = &mut self.records;
        let before = tsc();
        self.meter.sweep(8, &mut |record: &FlowRecord| *records += black_box(record).packets);
        (tsc() - before) as f64 / FRAME as f64
    }
}

/// Of frames, and of the sweep after each.
fn clocks(kind: Kind, flows: u32, samples: usize, order: Order) -> ([f64; 3], [f64; 3]) {
    let mut run = Run::new(kind);
    if order == Order::Behind {
        run.time *= 2;
        run.frame(|| 0);
        run.time = 1 << 60;
    }
    let mut next = 0;
    while next < flows {
        run.frame(|| {
            next += 1;
            (next - 1) % flows
        });
    }
    let mut random = Random(1);
    let (mut frames, mut sweeps) = (Vec::with_capacity(samples), Vec::with_capacity(samples));
    for _ in 0..samples {
        frames.push(run.frame(|| random.below(flows)));
        sweeps.push(run.sweep());
    }
    assert_eq!(run.meter.live_flows(), flows as usize);
    assert_eq!(run.meter.counters().evictions, 0);
    (percentiles(frames), percentiles(sweeps))
}

/// Of frames in VPP's table; with it, and with the packets that were timed.
fn direct_mapped(flows: u32, samples: usize) -> ([f64; 3], DirectMapped, usize) {
    let mut table = DirectMapped::new(3600.0);
    let mut packets = Box::new([[0; 80]; FRAME]);
    let mut time = 1 << 60;
    let mut frame = |table: &mut DirectMapped, flow: &mut dyn FnMut() -> u32| {
        packets.iter_mut().for_each(|packet| {
            Kind::V4.write(packet, flow());
        });
        time += 256_000;
        let before = tsc();
        for packet in packets.iter() {
            table.packet(&packet[..BYTES], 1, time);
        }
        (tsc() - before) as f64 / FRAME as f64
    };
    let mut next = 0;
    while next < flows {
        frame(&mut table, &mut || {
            next += 1;
            (next - 1) % flows
        });
    }
    let mut random = Random(1);
    table.records = 0;
    let frames = (0..samples).map(|_| frame(&mut table, &mut || random.below(flows))).collect();
    (percentiles(frames), table, samples * FRAME)
}

/// The header walk of hot packets.
fn walk(samples: usize) -> [f64; 3] {
    let mut run = Run::new(Kind::V4);
    run.frame(|| 1);
    let mut measured = Vec::with_capacity(samples);
    for _ in 0..samples {
        let before = tsc();
        for packet in run.packets.iter() {
            let bytes = black_box(&packet[..run.length]);
            let link = walk::common_link(bytes);
            let rest = link.and_then(|link| bytes.get(link.payload..));
            black_box(rest.and_then(walk::common4));
        }
        measured.push((tsc() - before) as f64 / FRAME as f64);
    }
    percentiles(measured)
}

/// Clocks a record when all flows are idle.
fn idle_records(samples: usize) -> [f64; 3] {
    let mut measured = Vec::new();
    let mut run = Run::new(Kind::V4);
    let mut next = 0;
    while measured.len() < samples / 4 {
        for _ in 0..1000 {
            run.frame(|| {
                next += 1;
                next
            });
        }
        run.time += 7200 * 1_000_000_000;
        run.meter.advance(PacketTime(run.time));
        loop {
            let made = run.records;
            let clocks = run.sweep() * FRAME as f64;
            if run.records != made {
                measured.push(clocks / (run.records - made) as f64);
            }
            if run.meter.live_flows() == 0 {
                break;
            }
        }
    }
    percentiles(measured)
}

/// Each packet begins a flow, in a table that has been in use.
fn new_flows(samples: usize) -> [f64; 3] {
    let mut run = Run::new(Kind::V4);
    let mut next = 0;
    let mut measured = Vec::with_capacity(samples);
    for _ in 0..samples {
        measured.push(run.frame(|| {
            next += 1;
            next
        }));
        if run.meter.live_flows() > 500_000 {
            run.meter.flush(Scope::All, &mut |record: &FlowRecord| {
                black_box(record);
            });
        }
    }
    percentiles(measured)
}

fn percentiles(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    [10, 50, 90].map(|percent| values[(values.len() - 1) * percent / 100])
}

/// xorshift: good enough to spread flows.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (((self.0 >> 32) * u64::from(end)) >> 32) as u32
    }
}

fn tsc() -> u64 {
    #[cfg(target_arch = "x86_64")]
    {
        // SAFETY: reading the counter touches nothing else.
        unsafe { core::arch::x86_64::_rdtsc() }
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        use std::{sync::OnceLock, time::Instant};
        static START: OnceLock<Instant> = OnceLock::new();
        START.get_or_init(Instant::now).elapsed().as_nanos() as u64
    }
}
