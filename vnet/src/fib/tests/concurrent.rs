//! Workers read while the writer edits. Every answer must be one that was right at some moment of the reading.

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use super::*;
use crate::adjacency::MAX_REWRITE;
use crate::neighbor::NeighborFlags;
use crate::runtime::EngineTime;

const READERS: usize = 2;
const EDITS: usize = 20_000;
const SAMPLES: usize = 100_000;

/// A small generator of our own, so that a run can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

/// How the owner learns that every worker has passed a quiescent point.
struct Quiescence {
    passed: [AtomicUsize; READERS],
    over: AtomicBool,
}

impl Quiescence {
    fn new() -> Self {
        Self { passed: [const { AtomicUsize::new(0) }; READERS], over: AtomicBool::new(false) }
    }

    fn pass(&self, reader: usize) {
        self.passed[reader].fetch_add(1, Ordering::Release);
    }

    /// Waits until every reader has passed a point since now. One that has ended holds nothing.
    fn wait(&self, ended: &[AtomicBool; READERS]) {
        for (passed, ended) in self.passed.iter().zip(ended) {
            let before = passed.load(Ordering::Acquire);
            while passed.load(Ordering::Acquire) == before && !ended.load(Ordering::Acquire) {
                thread::yield_now();
            }
        }
    }
}

/// Says that a thread has ended, also when a check in it failed, so that no other waits for it.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// One lookup: which prefix answered, and between which edits.
struct Sample {
    probe: usize,
    answer: usize,
    /// This many edits were done before the lookup began.
    done: usize,
    /// This many edits had begun when it was over.
    begun: usize,
}

/// Adds and removes prefixes at random while readers look the probes up, and checks every answer against the history.
fn answers_were_right_at_some_moment(
    prefixes: &[IpPrefix],
    probes: &[IpAddr],
    lookup: impl Fn(&ForwardingReader, &[IpAddr; FRAME]) -> [LoadBalanceIndex; FRAME] + Sync,
) {
    let mut forwarding = Forwarding::new().unwrap();
    for number in 1..=prefixes.len() as u32 {
        forwarding.set_interface(SwIfIndex(number), ethernet(number, true)).unwrap();
    }
    let (begun, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let quiescence = Quiescence::new();
    let ended = [const { AtomicBool::new(false) }; READERS];
    let reader = forwarding.reader();

    let read = |number: usize| {
        let _end = End(&ended[number]);
        let mut random = Random(number as u64 + 7);
        let mut samples = Vec::with_capacity(SAMPLES);
        while !quiescence.over.load(Ordering::Acquire) {
            let chosen: [usize; FRAME] = core::array::from_fn(|_| random.below(probes.len()));
            let frame = chosen.map(|probe| probes[probe]);
            let done = done.load(Ordering::Acquire);
            let routes = lookup(&reader, &frame);
            if random.below(4) == 0 {
                // Numbers are good for as long as a frame takes, however long that is.
                thread::yield_now();
            }
            // A route's word says for as long as the number means it which prefix it is.
            let words = routes.map(|route| reader.load_balance(route));
            let begun = begun.load(Ordering::Acquire);
            quiescence.pass(number);
            for i in (0..FRAME).step_by(8) {
                if samples.len() == SAMPLES {
                    break;
                }
                let answer = match words[i].kind() {
                    DpoKind::Local => words[i].interface().0 as usize,
                    DpoKind::Drop => 0,
                    other => panic!("no route forwards so: {other:?}"),
                };
                samples.push(Sample { probe: chosen[i], answer, done, begun });
            }
        }
        samples
    };

    // After edit number i, `history[i]` says which prefixes there are.
    let mut present = vec![false; prefixes.len()];
    let mut history = vec![present.clone()];
    let samples: Vec<Sample> = thread::scope(|scope| {
        let (read, over) = (&read, End(&quiescence.over));
        let readers: Vec<_> = (0..READERS).map(|n| scope.spawn(move || read(n))).collect();
        let mut random = Random(1);
        for edit in 1..=EDITS {
            let chosen = random.below(prefixes.len());
            begun.store(edit, Ordering::Release);
            if present[chosen] {
                forwarding.delete_route(FIB, prefixes[chosen], Source::Cli).unwrap();
            } else {
                let path = Path::local(SwIfIndex(chosen as u32 + 1));
                forwarding.set_route(FIB, prefixes[chosen], Source::Cli, &[path]).unwrap();
            }
            done.store(edit, Ordering::Release);
            present[chosen] = !present[chosen];
            history.push(present.clone());
            if random.below(20) == 0 {
                forwarding.seal();
                quiescence.wait(&ended);
                forwarding.reclaim();
            }
        }
        drop(over);
        readers.into_iter().flat_map(|reader| reader.join().unwrap()).collect()
    });

    assert!(!samples.is_empty());
    for Sample { probe, answer, done, begun } in samples {
        let right = |present: &Vec<bool>| {
            let around = (0..prefixes.len())
                .filter(|&i| present[i] && prefixes[i].contains(probes[probe]))
                .max_by_key(|&i| prefixes[i].len());
            around.map_or(0, |i| i + 1) == answer
        };
        assert!(
            history[done..=begun.min(EDITS)].iter().any(right),
            "{} was never on {answer} between edits {done} and {begun}",
            probes[probe],
        );
    }
}

#[test]
fn ip4_answers_were_right_at_some_moment_of_the_lookup() {
    let prefixes = [
        "0.0.0.0/1",
        "10.0.0.0/7",
        "10.0.0.0/8",
        "10.0.0.0/9",
        "10.0.0.0/16",
        "10.0.0.0/23",
        "10.0.0.0/24",
        "10.0.0.0/25",
        "10.0.0.0/31",
        "10.0.0.1/32",
        "10.0.0.128/25",
        "10.0.1.0/24",
        "10.0.1.7/32",
        "11.0.0.0/8",
        "10.128.0.0/9",
        "10.0.0.64/26",
    ]
    .map(prefix);
    let probes = [
        "10.0.0.0",
        "10.0.0.1",
        "10.0.0.2",
        "10.0.0.127",
        "10.0.0.128",
        "10.0.1.0",
        "10.0.1.7",
        "10.0.2.0",
        "10.200.0.0",
        "11.0.0.1",
        "100.0.0.0",
        "10.0.0.65",
    ]
    .map(address);
    answers_were_right_at_some_moment(&prefixes, &probes, |reader, frame| {
        let bits = |address: &IpAddr| match address {
            IpAddr::V4(address) => address.to_bits(),
            IpAddr::V6(_) => 0,
        };
        let mut out = [LoadBalanceIndex::NONE; FRAME];
        let dst = frame.each_ref().map(bits);
        reader.ip4_table(FIB).unwrap().lookup(&dst, FRAME, &mut out);
        out
    });
}

#[test]
fn ip6_answers_were_right_at_some_moment_of_the_lookup() {
    let prefixes = [
        "2000::/3",
        "2001::/16",
        "2001:db8::/29",
        "2001:db8::/32",
        "2001:db8::/48",
        "2001:db8::/61",
        "2001:db8::/62",
        "2001:db8:0:4::/62",
        "2001:db8::/64",
        "2001:db8::1/128",
        "2001:db8::/127",
        "2001:db8:8000::/33",
        "2001:db8:0:1::/64",
        "2001:db9::/32",
        "2001:db8::8000:0:0:0/65",
        "2001:db8::2:0/112",
    ]
    .map(prefix);
    let probes = [
        "2001:db8::",
        "2001:db8::1",
        "2001:db8::2",
        "2001:db8::2:5",
        "2001:db8:0:1::9",
        "2001:db8:0:5::9",
        "2001:db8::8000:0:0:1",
        "2001:db8:8000::",
        "2001:db9::1",
        "2001:dbf::",
        "2001::1",
        "2a00::1",
    ]
    .map(address);
    answers_were_right_at_some_moment(&prefixes, &probes, |reader, frame| {
        let bits = |address: &IpAddr| match address {
            IpAddr::V4(_) => 0,
            IpAddr::V6(address) => address.to_bits(),
        };
        let mut out = [LoadBalanceIndex::NONE; FRAME];
        let dst = frame.each_ref().map(bits);
        reader.ip6_table(FIB).unwrap().lookup(&dst, FRAME, &mut out);
        out
    });
}

#[test]
fn buckets_and_rewrites_are_never_mixed() {
    let mut forwarding = Forwarding::new().unwrap();
    let interfaces = [1, 2, 3, 4].map(SwIfIndex);
    let peers = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"].map(address);
    let change_mac = |forwarding: &mut Forwarding, which: usize, byte: u8| {
        let flags = NeighborFlags::STATIC;
        forwarding
            .set_neighbor(interfaces[which], peers[which], [byte; 6], flags, EngineTime(0))
            .unwrap();
    };
    for (which, &interface) in interfaces.iter().enumerate() {
        // Interface, MTU and next slot belong together, and to the next hop.
        let number = interface.0 as u16;
        let kind = LinkKind::ethernet([number as u8; 6]);
        let link =
            Link { kind, max_l3_bytes: MaxPacket::both(1000 * number), next: number, up: true };
        forwarding.set_interface(interface, link).unwrap();
        change_mac(&mut forwarding, which, 1);
    }
    let routes = [prefix("192.0.2.0/24"), prefix("198.51.100.0/24")];
    for route in routes {
        forwarding
            .set_route(FIB, route, Source::Cli, &[Path::via(peers[0], interfaces[0])])
            .unwrap();
    }
    let quiescence = Quiescence::new();
    let ended = [const { AtomicBool::new(false) }; READERS];
    let reader = forwarding.reader();
    let read = |number: usize| {
        let _end = End(&ended[number]);
        let mut random = Random(number as u64 + 7);
        while !quiescence.over.load(Ordering::Acquire) {
            let table = reader.ip4_table(FIB).unwrap();
            for _ in 0..64 {
                let destination = [0xc000_0201, 0xc633_6401][random.below(2)];
                let dpo = reader.load_balance(table.lookup_one(destination));
                let dpo = match dpo.kind() {
                    DpoKind::Multi => reader.bucket(dpo, random.below(1 << 20) as u32),
                    _ => dpo,
                };
                assert_eq!(dpo.kind(), DpoKind::Adjacency);
                let body = reader.adjacency(dpo.adjacency_index());
                let number = body.sw_if_index().0 as u16;
                assert_eq!((body.max_l3_bytes(), body.next()), (1000 * number, number));
                assert_eq!(body.next_hop(), peers[number as usize - 1]);
                let mut headroom = [0; MAX_REWRITE];
                assert_eq!(body.copy_rewrite(&mut headroom), 14);
                let header = &headroom[MAX_REWRITE - 14..];
                assert_eq!(header[..6], [header[0]; 6], "all bytes of one MAC address");
                assert_eq!(header[6..], [[number as u8; 6].as_slice(), &[8, 0]].concat());
            }
            quiescence.pass(number);
            thread::yield_now();
        }
    };
    thread::scope(|scope| {
        let (read, _over) = (&read, End(&quiescence.over));
        for number in 0..READERS {
            scope.spawn(move || read(number));
        }
        let mut random = Random(1);
        for _ in 0..EDITS {
            if random.below(3) == 0 {
                change_mac(&mut forwarding, random.below(4), random.below(256) as u8);
            } else {
                let count = 1 + random.below(4);
                let any_path = |_| {
                    let i = random.below(4);
                    Path::via(peers[i], interfaces[i]).weighted(random.below(9) as u8)
                };
                let paths: Vec<_> = (0..count).map(any_path).collect();
                forwarding.set_route(FIB, routes[random.below(2)], Source::Cli, &paths).unwrap();
            }
            if random.below(20) == 0 {
                forwarding.seal();
                quiescence.wait(&ended);
                forwarding.reclaim();
            }
        }
    });
}

#[test]
fn tables_come_and_go_while_workers_look() {
    let mut forwarding = Forwarding::new().unwrap();
    forwarding.set_interface(SwIfIndex(1), ethernet(1, true)).unwrap();
    let quiescence = Quiescence::new();
    let ended = [const { AtomicBool::new(false) }; READERS];
    let reader = forwarding.reader();
    let read = |number: usize| {
        let _end = End(&ended[number]);
        while !quiescence.over.load(Ordering::Acquire) {
            for fib in (0..20).map(FibIndex) {
                let Some(table) = reader.ip4_table(fib) else { continue };
                let dpo = reader.load_balance(table.lookup_one(0x0a00_0001));
                assert!(matches!(dpo.kind(), DpoKind::Drop | DpoKind::Punt), "{dpo:?}");
            }
            quiescence.pass(number);
            thread::yield_now();
        }
    };
    thread::scope(|scope| {
        let (read, _over) = (&read, End(&quiescence.over));
        for number in 0..READERS {
            scope.spawn(move || read(number));
        }
        for _ in 0..20 {
            for id in (1..8).map(TableId) {
                let fib = forwarding.add_table(Family::Ip4, id).unwrap();
                let route = prefix("10.0.0.0/24");
                forwarding.set_route(fib, route, Source::Cli, &[Path::PUNT]).unwrap();
                assert!(reader.ip4_table(fib).is_some());
                assert!(fib.0 < 20, "a deleted table's number is used again");
            }
            for id in (1..8).map(TableId) {
                forwarding.delete_table(Family::Ip4, id).unwrap();
            }
            while forwarding.has_deleted() {
                forwarding.sweep();
            }
            forwarding.seal();
            quiescence.wait(&ended);
            forwarding.reclaim();
        }
    });
}
