//! What sampling promises, whatever the method.

use super::*;
use crate::{interface::SwIfIndex, runtime::PacketTime, wire::link::LinkType};

use crate::flow::Start;

const PACKETS: usize = 1 << 20;

/// A stream of packets of 28 octets, 10 microseconds apart; the identification counts them.
struct Stream {
    packets: Vec<[u8; 28]>,
    first: usize,
}

impl Stream {
    fn new() -> Self {
        let packet = |n: usize| {
            let mut packet = [0; 28];
            packet[..4].copy_from_slice(&[0x45, 0, 0, 28]);
            packet[4..6].copy_from_slice(&(n as u16).to_be_bytes());
            packet[8..10].copy_from_slice(&[64, 17]);
            packet[12..20].copy_from_slice(&[10, 0, 0, 1, 10, 0, (n >> 20) as u8, (n >> 16) as u8]);
            packet
        };
        Self { packets: (0..PACKETS).map(packet).collect(), first: 0 }
    }

    /// The numbers of the packets that are selected, shown in frames of `size` packets.
    fn sample(&mut self, sampler: &mut Sampler, size: usize) -> Vec<usize> {
        let mut selected = Vec::new();
        for first in (0..self.packets.len()).step_by(size) {
            self.first = first;
            let run = 0..size.min(self.packets.len() - first);
            let mut selection = Selection::default();
            sampler.select(run.clone(), self, &mut selection);
            selected.extend(run.filter(|&at| selection.has(at)).map(|at| first + at));
        }
        let Sampled { observed, selected: count } = sampler.sampled();
        assert_eq!((observed, count), (self.packets.len() as u64, selected.len() as u64));
        assert_eq!(sampler.sampled().skipped(), observed - count);
        selected
    }
}

impl Packets for Stream {
    fn packet(&mut self, at: usize) -> Observed<'_> {
        let n = self.first + at;
        let time = PacketTime(1_700_000_000_000_000_000 + n as u64 * 10_000);
        Observed { time, ..Observed::new(&self.packets[n], Start::Network(0), SwIfIndex(1)) }
    }
}

const METHODS: [Method; 12] = [
    Method::Count { interval: 1, space: 0 },
    Method::Count { interval: 1, space: 99 },
    Method::Count { interval: 300, space: 700 },
    Method::Time { interval: 10, space: 990 },
    Method::Time { interval: 250, space: 750 },
    Method::Random { size: 1, population: 10 },
    Method::Random { size: 5, population: 1000 },
    Method::Probability(0.5),
    Method::Probability(0.01),
    Method::Probability(0.0001),
    Method::Hash { first: 0, last: u32::MAX / 100 },
    Method::Hash { first: u32::MAX / 2, last: u32::MAX },
];

/// Within three sigma of a million packets of which each is selected with the probability, or exact where nothing is random.
#[test]
fn of_a_million_packets_each_method_selects_its_part() {
    let mut stream = Stream::new();
    for method in METHODS {
        let selected = stream.sample(&mut Sampler::new(method, 7), 256).len() as f64;
        let (all, p) = (PACKETS as f64, method.fraction());
        let sigma = (all * p * (1.0 - p)).sqrt();
        assert!((selected - all * p).abs() <= 3.0 * sigma, "{method}: {selected} of {}", all * p);
    }
}

#[test]
fn systematic_sampling_selects_the_packets_that_it_says() {
    let mut stream = Stream::new();
    let of = |n: usize, period, interval| n % period < interval;
    for (method, period, interval) in [
        (Method::Count { interval: 1, space: 99 }, 100, 1),
        (Method::Count { interval: 300, space: 700 }, 1000, 300),
        (Method::Count { interval: 3, space: 0 }, 3, 3),
        // A packet each 10 microseconds.
        (Method::Time { interval: 10, space: 990 }, 100, 1),
        (Method::Time { interval: 250, space: 750 }, 100, 25),
    ] {
        let selected = stream.sample(&mut Sampler::new(method, 0), 256);
        let expected: Vec<usize> = (0..PACKETS).filter(|&n| of(n, period, interval)).collect();
        assert!(selected == expected, "{method}");
    }
}

#[test]
fn each_population_has_its_n_packets() {
    let method = Method::Random { size: 5, population: 1000 };
    let selected = Stream::new().sample(&mut Sampler::new(method, 3), 256);
    let whole = PACKETS / 1000;
    let mut counts = vec![0; whole];
    selected.iter().filter(|&&n| n < whole * 1000).for_each(|n| counts[n / 1000] += 1);
    assert!(counts.iter().all(|&count| count == 5));
}

#[test]
fn frames_of_any_size_select_the_same_packets_and_so_does_the_same_seed() {
    let mut stream = Stream::new();
    stream.packets.truncate(100_000);
    for method in METHODS {
        let mut with = |seed, size| stream.sample(&mut Sampler::new(method, seed), size);
        let expected = with(1, 256);
        assert!(with(1, 1) == expected && with(1, 7) == expected, "{method}");
        let is_random = !matches!(method, Method::Count { .. } | Method::Time { .. });
        assert_eq!(with(2, 256) != expected, is_random, "{method}");
    }
}

#[test]
fn time_that_steps_back_selects_by_time_all_the_same() {
    struct At(u64);
    impl Packets for At {
        fn packet(&mut self, _: usize) -> Observed<'_> {
            let time = PacketTime(1_000_000_000 + self.0);
            Observed { time, ..Observed::new(&[], Start::Network(0), SwIfIndex(1)) }
        }
    }
    let mut sampler = Sampler::new(Method::Time { interval: 1, space: 3 }, 0);
    let mut selects = |nanoseconds: u64| {
        let mut selection = Selection::default();
        sampler.select(0..1, &mut At(nanoseconds), &mut selection);
        selection.has(0)
    };
    let times = [8000, 8999, 9000, 11_999, 12_000, 4000, 4999, 5000, 3999, 0, 8500];
    let expected = [true, true, false, false, true, true, true, false, false, true, true];
    assert_eq!(times.map(&mut selects), expected);
}

/// A router takes one from the TTL, rewrites the checksum, and gives the packet another link header and padding.
#[test]
fn two_points_on_the_way_of_a_packet_select_the_same_ones() {
    struct One<'a>(Observed<'a>);
    impl Packets for One<'_> {
        fn packet(&mut self, _: usize) -> Observed<'_> {
            self.0
        }
    }
    fn selects(observed: Observed<'_>) -> bool {
        let mut sampler = Sampler::new(Method::Hash { first: 0, last: u32::MAX / 4 }, 5);
        let mut selection = Selection::default();
        sampler.select(0..1, &mut One(observed), &mut selection);
        selection.has(0)
    }
    let stream = Stream::new();
    let mut selected = 0;
    for before in &stream.packets[..2000] {
        let mut after = *before;
        after[8] -= 1;
        after[10..12].copy_from_slice(&[0xab, 0xcd]);
        after[1] = 0x03;
        let framed = [&[2; 12][..], &[8, 0], &after, &[0xee; 18]].concat();
        let here = selects(Observed::new(before, Start::Network(0), SwIfIndex(1)));
        let there = Start::Link(LinkType::Ethernet);
        assert_eq!(selects(Observed::new(&framed, there, SwIfIndex(2))), here);
        selected += usize::from(here);
    }
    assert!((400..600).contains(&selected), "{selected}");
}
