//! Measures route lookup, loading and memory, and prints tables: `lpm [--routes N] [--frames N]`.
//!
//! A lookup is what a lookup node does for a frame of 256 packets: find the routes, read their words, and count packets
//! and bytes per route. Figures are TSC clocks a packet, medians over frames; destinations are random and hit a route.
//! The 16-8-8 trie that the library does not use is here, so that the choice can be measured again.

#![allow(unsafe_code, reason = "the time stamp counter and the prefetch instruction")]

mod trie;

use std::error::Error;
use std::hint::black_box;
use std::process::Command;

use vnet::adjacency::{Link, LinkKind, MaxPacket};
use vnet::fib::{
    FRAME, Family, FibIndex, Forwarding, ForwardingReader, IpPrefix, LoadBalanceIndex, Path, Source,
};
use vnet::interface::SwIfIndex;
use vnet::neighbor::NeighborFlags;
use vnet::runtime::EngineTime;

use trie::Trie;

const PG0: SwIfIndex = SwIfIndex(1);
/// Lookup with words and counters, lookup alone, and both with one lookup after the other.
const HEADS: &str = "  whole  lookup  single";
/// How many packets ahead of its use a line is requested.
const AHEAD: usize = 32;
/// Destinations are drawn from this many, more than the caches hold.
const DESTINATIONS: usize = 1 << 20;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut only = None;
    let mut frames = 20_000;
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a number"));
        match argument.as_str() {
            "--routes" => only = Some(value()?.parse()?),
            "--frames" => frames = value()?.parse()?,
            "--load" => return load(&value()?, value()?.parse()?),
            other => {
                return Err(
                    format!("unknown argument {other}: expected --routes or --frames").into()
                );
            }
        }
    }
    let sizes = |all: &[usize]| match only {
        Some(routes) => vec![routes],
        None => all.to_vec(),
    };
    println!("{:<36} {:^23} {:^23}", "", "DIR-24-8", "16-8-8 trie");
    println!("{:<36} {HEADS} {HEADS}", "ip4, clocks a packet");
    for lengths in [Lengths::Consecutive, Lengths::Fixed(24), Lengths::Internet] {
        for routes in sizes(&[1, 1_000, 10_000, 100_000, 1_000_000]) {
            ip4(lengths, routes, frames)?;
        }
    }
    println!("\n{:<36} {HEADS}", "ip6, clocks a packet");
    for lengths in [Lengths::Fixed(48), Lengths::Internet] {
        for routes in sizes(&[1, 1_000, 10_000, 100_000, 200_000, 1_000_000]) {
            ip6(lengths, routes, frames)?;
        }
    }
    println!("\n{:<32} processor seconds to", "all routes via one next hop");
    println!("{:<32}     add  change   remove  resident bytes  bytes a route", "");
    for kind in ["ip4 /24 in a row", "ip4 /24", "ip4 mixed", "ip6 /48", "ip6 mixed"] {
        for routes in sizes(&[1, 100_000, 1_000_000]) {
            let mut child = Command::new(std::env::current_exe()?);
            child.args(["--load", kind, &routes.to_string()]).status()?;
        }
    }
    Ok(())
}

/// How long prefixes are.
#[derive(Clone, Copy)]
enum Lengths {
    /// /24s one after the other, as `ip route add 1.0.0.0/24 count N` makes them.
    Consecutive,
    Fixed(u8),
    /// In the proportions of a full table of the Internet, with a few host routes.
    Internet,
}

impl Lengths {
    fn name(self) -> String {
        match self {
            Self::Consecutive => "/24 in a row".to_owned(),
            Self::Fixed(len) => format!("/{len}"),
            Self::Internet => "mixed".to_owned(),
        }
    }

    fn draw(self, family: Family, random: &mut Random) -> u8 {
        let shares: &[(u8, u64)] = match (self, family) {
            (Self::Consecutive, _) => return 24,
            (Self::Fixed(len), _) => return len,
            (Self::Internet, Family::Ip4) => &[
                (24, 600),
                (22, 120),
                (23, 105),
                (20, 45),
                (21, 45),
                (19, 25),
                (16, 15),
                (18, 13),
                (17, 8),
                (32, 24),
            ],
            (Self::Internet, Family::Ip6) => &[
                (48, 480),
                (32, 120),
                (44, 100),
                (40, 90),
                (36, 60),
                (29, 30),
                (46, 30),
                (64, 40),
                (56, 20),
                (128, 30),
            ],
        };
        let mut ticket = random.next() % shares.iter().map(|(_, share)| share).sum::<u64>();
        for &(len, share) in shares {
            if ticket < share {
                return len;
            }
            ticket -= share;
        }
        24
    }
}

struct Random(u64);

impl Random {
    /// xorshift64*.
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn wide(&mut self) -> u128 {
        u128::from(self.next()) << 64 | u128::from(self.next())
    }
}

fn ip4_prefixes(lengths: Lengths, count: usize, random: &mut Random) -> Vec<(u32, u8)> {
    if matches!(lengths, Lengths::Consecutive) {
        return shuffled((0..count as u32).map(|i| ((1 << 24) + (i << 8), 24)).collect(), random);
    }
    let mut prefixes = Vec::new();
    while prefixes.len() < count {
        let len = lengths.draw(Family::Ip4, random);
        let address = (random.next() >> 32) as u32;
        // Unicast, and not in 0/8.
        if (1..224).contains(&(address >> 24)) {
            prefixes.push((address & !u32::MAX.checked_shr(len.into()).unwrap_or(0), len));
        }
        if prefixes.len() == count {
            prefixes.sort_unstable();
            prefixes.dedup();
        }
    }
    shuffled(prefixes, random)
}

fn ip6_prefixes(lengths: Lengths, count: usize, random: &mut Random) -> Vec<(u128, u8)> {
    let mut prefixes = Vec::new();
    while prefixes.len() < count {
        let len = lengths.draw(Family::Ip6, random);
        // 2000::/4 is where addresses are given out, in clusters: few values of the first 32 bits.
        let address = random.wide() >> 4 & !(0xf_fff0 << 96) | 0x2 << 124;
        prefixes.push((address & !(u128::MAX.checked_shr(len.into()).unwrap_or(0)), len));
        if prefixes.len() == count {
            prefixes.sort_unstable();
            prefixes.dedup();
        }
    }
    shuffled(prefixes, random)
}

fn shuffled<T>(mut items: Vec<T>, random: &mut Random) -> Vec<T> {
    for i in (1..items.len()).rev() {
        items.swap(i, random.next() as usize % (i + 1));
    }
    items
}

/// A forwarding state with an interface and a neighbour, which all routes go through.
fn forwarding(family: Family) -> Result<(Forwarding, Path), Box<dyn Error>> {
    let mut forwarding = Forwarding::new()?;
    let kind = LinkKind::ethernet([2, 0, 0, 0, 0, 1]);
    forwarding.set_interface(
        PG0,
        Link { kind, max_l3_bytes: MaxPacket::both(9000), next: 1, up: true },
    )?;
    let peer = match family {
        Family::Ip4 => "10.0.0.2".parse()?,
        Family::Ip6 => "2001:db8::2".parse()?,
    };
    let flags = NeighborFlags::STATIC | NeighborFlags::NO_FIB_ENTRY;
    forwarding.set_neighbor(PG0, peer, [2, 0, 0, 0, 0, 2], flags, EngineTime(0))?;
    Ok((forwarding, Path::via(peer, PG0)))
}

fn ip4(lengths: Lengths, count: usize, frames: usize) -> Result<(), Box<dyn Error>> {
    let mut random = Random(42);
    let prefixes = ip4_prefixes(lengths, count, &mut random);
    let (mut forwarding, path) = forwarding(Family::Ip4)?;
    let mut routes = Vec::new();
    for &(address, len) in &prefixes {
        let prefix = IpPrefix::new(std::net::Ipv4Addr::from_bits(address).into(), len)?;
        let route = forwarding.set_route(FibIndex::DEFAULT, prefix, Source::Cli, &[path])?;
        routes.push((address, len, route.0));
    }
    routes.sort_unstable_by_key(|&(_, len, _)| len);
    let trie = Trie::new(&routes);
    let destinations: Vec<u32> = (0..DESTINATIONS)
        .map(|_| {
            let (address, len) = prefixes[random.next() as usize % prefixes.len()];
            let inside = (random.next() >> 32) as u32;
            address | inside & u32::MAX.checked_shr(len.into()).unwrap_or(0)
        })
        .collect();
    let reader = forwarding.reader();
    let table = reader.ip4_table(FibIndex::DEFAULT).ok_or("the default table is there")?;
    for &destination in &destinations {
        if table.lookup_one(destination) != trie.lookup_one(destination) {
            return Err(format!("the tables differ for {destination:x}").into());
        }
    }
    let mut bench = Bench::new(&reader, count, frames);
    let direct = bench.table(
        &destinations,
        |dst, out| table.lookup(dst, FRAME, out),
        |address| table.lookup_one(address),
    );
    let trie = bench.table(
        &destinations,
        |dst, out| trie.lookup(dst, out),
        |address| trie.lookup_one(address),
    );
    println!("{:>9} routes {:<20} {direct} {trie}", prefixes.len(), lengths.name());
    Ok(())
}

fn ip6(lengths: Lengths, count: usize, frames: usize) -> Result<(), Box<dyn Error>> {
    let mut random = Random(42);
    let prefixes = ip6_prefixes(lengths, count, &mut random);
    let (mut forwarding, path) = forwarding(Family::Ip6)?;
    for &(address, len) in &prefixes {
        let prefix = IpPrefix::new(std::net::Ipv6Addr::from_bits(address).into(), len)?;
        forwarding.set_route(FibIndex::DEFAULT, prefix, Source::Cli, &[path])?;
    }
    let destinations: Vec<u128> = (0..DESTINATIONS)
        .map(|_| {
            let (address, len) = prefixes[random.next() as usize % prefixes.len()];
            address | random.wide() & u128::MAX.checked_shr(len.into()).unwrap_or(0)
        })
        .collect();
    let reader = forwarding.reader();
    let table = reader.ip6_table(FibIndex::DEFAULT).ok_or("the default table is there")?;
    let mut bench = Bench::new(&reader, count, frames);
    let trie = bench.table(
        &destinations,
        |dst, out| table.lookup(dst, FRAME, out),
        |address| table.lookup_one(address),
    );
    println!("{:>9} routes {:<20} {trie}", prefixes.len(), lengths.name());
    Ok(())
}

/// Loads routes in this process alone and prints what that took.
fn load(kind: &str, count: usize) -> Result<(), Box<dyn Error>> {
    let mut random = Random(42);
    let (family, lengths) = match kind {
        "ip4 /24 in a row" => (Family::Ip4, Lengths::Consecutive),
        "ip4 /24" => (Family::Ip4, Lengths::Fixed(24)),
        "ip4 mixed" => (Family::Ip4, Lengths::Internet),
        "ip6 /48" => (Family::Ip6, Lengths::Fixed(48)),
        _ => (Family::Ip6, Lengths::Internet),
    };
    let mut prefixes = Vec::new();
    match family {
        Family::Ip4 => {
            for (address, len) in ip4_prefixes(lengths, count, &mut random) {
                prefixes.push(IpPrefix::new(std::net::Ipv4Addr::from_bits(address).into(), len)?);
            }
        }
        Family::Ip6 => {
            for (address, len) in ip6_prefixes(lengths, count, &mut random) {
                prefixes.push(IpPrefix::new(std::net::Ipv6Addr::from_bits(address).into(), len)?);
            }
        }
    }
    let before = resident()?;
    let (mut forwarding, path) = forwarding(family)?;
    let started = processor_seconds()?;
    for &prefix in &prefixes {
        forwarding.set_route(FibIndex::DEFAULT, prefix, Source::Cli, &[path])?;
    }
    let add = processor_seconds()? - started;
    let bytes = resident()?.saturating_sub(before);
    let started = processor_seconds()?;
    let link = forwarding.link(PG0).ok_or("the interface is there")?;
    forwarding.set_interface(PG0, Link { up: false, ..link })?;
    let change = processor_seconds()? - started;
    let started = processor_seconds()?;
    for &prefix in &prefixes {
        forwarding.delete_route(FibIndex::DEFAULT, prefix, Source::Cli)?;
    }
    let remove = processor_seconds()? - started;
    let each = bytes / prefixes.len();
    println!(
        "{:>9} routes {kind:<20} {add:>7.3} {change:>7.3} {remove:>8.3} {bytes:>15} {each:>14}",
        prefixes.len()
    );
    Ok(())
}

/// What this thread has used of a processor, so that others on the machine count less.
fn processor_seconds() -> Result<f64, Box<dyn Error>> {
    let schedstat = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds: f64 =
        schedstat.split_whitespace().next().ok_or("schedstat has a first field")?.parse()?;
    Ok(nanoseconds / 1e9)
}

/// Memory of this process, in bytes.
fn resident() -> Result<usize, Box<dyn Error>> {
    let statm = std::fs::read_to_string("/proc/self/statm")?;
    let pages: usize =
        statm.split_whitespace().nth(1).ok_or("statm has a second field")?.parse()?;
    Ok(pages * 4096)
}

/// The part of a lookup node that does not depend on the table.
struct Bench<'a> {
    reader: &'a ForwardingReader,
    counters: Vec<[u64; 2]>,
    frames: usize,
}

impl<'a> Bench<'a> {
    fn new(reader: &'a ForwardingReader, routes: usize, frames: usize) -> Self {
        Self { reader, counters: vec![[0; 2]; routes + 64], frames }
    }

    /// Median clocks a packet of the whole and of the lookup alone, and of the whole with one lookup after the other.
    fn table<K: Copy>(
        &mut self,
        destinations: &[K],
        frame: impl Fn(&[K; FRAME], &mut [LoadBalanceIndex; FRAME]),
        one: impl Fn(K) -> LoadBalanceIndex,
    ) -> String {
        let whole = self.run(destinations, &frame, true);
        let alone = self.run(destinations, &frame, false);
        let one_by_one = |dst: &[K; FRAME], out: &mut [LoadBalanceIndex; FRAME]| {
            for (route, &address) in out.iter_mut().zip(dst) {
                *route = one(address);
            }
        };
        let single = self.run(destinations, one_by_one, true);
        format!("{whole:>7.1} {alone:>7.1} {single:>7.1}")
    }

    /// Median clocks a packet.
    fn run<K: Copy>(
        &mut self,
        destinations: &[K],
        lookup: impl Fn(&[K; FRAME], &mut [LoadBalanceIndex; FRAME]),
        account: bool,
    ) -> f64 {
        let mut out = [LoadBalanceIndex::NONE; FRAME];
        let mut samples = Vec::with_capacity(self.frames);
        let (chunks, _) = destinations.as_chunks::<FRAME>();
        for frame in chunks.iter().cycle().take(self.frames) {
            let frame = black_box(frame);
            let start = clocks();
            lookup(frame, &mut out);
            let dpos = if account { self.account(&out) } else { 0 };
            let end = clocks();
            black_box((dpos, &out));
            samples.push(end - start);
        }
        samples.sort_unstable();
        samples[samples.len() / 2] as f64 / FRAME as f64
    }

    /// Reads the words and counts, with the lines requested some packets ahead.
    fn account(&mut self, routes: &[LoadBalanceIndex; FRAME]) -> u32 {
        let words = self.reader.load_balances();
        let mut dpos = 0;
        for ahead in 0..FRAME + AHEAD {
            if let Some(&route) = routes.get(ahead) {
                words.prefetch(route);
                prefetch(&self.counters[route.position()]);
            }
            if let Some(&route) = ahead.checked_sub(AHEAD).and_then(|i| routes.get(i)) {
                dpos ^= words.load(route).to_word();
                let [packets, bytes] = &mut self.counters[route.position()];
                *packets += 1;
                *bytes += 64;
            }
        }
        dpos
    }
}

#[inline(always)]
fn clocks() -> u64 {
    // SAFETY: every x86-64 processor has the time stamp counter, and Linux lets user space read it.
    unsafe { core::arch::x86_64::_rdtsc() }
}

#[inline(always)]
fn prefetch<T>(place: &T) {
    use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: SSE is part of every x86-64 target, and a prefetch never faults and changes no memory.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(core::ptr::from_ref(place).cast()) }
}
