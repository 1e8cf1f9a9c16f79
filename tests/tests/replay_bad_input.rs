//! Broken captures through a whole run: it ends, and the sums hold.

use std::{
    fs,
    io::Cursor,
    time::{Duration, Instant},
};

use nodes::capture::{ReadError, Reader};
use peloton::replay::run::Replay;
use peloton_tests::replay::{Kept, captures};
use vnet::flow::{Config, Families, RecordSet};

/// Captures are cut at every offset up to here.
const CUT: usize = 4096;
/// So much of a capture is damaged, so often.
const DAMAGED: usize = 48 << 10;
const DAMAGES: u64 = 24;
/// What each test may take in the dev profile on a busy machine; a hang is found by the number of rounds long before.
const LIMIT: Duration = Duration::from_secs(240);

/// Runs files through one engine after the other, so that starting it is not what takes the time.
struct Bench {
    replay: Replay,
    kept: Kept,
}

impl Bench {
    fn new() -> Self {
        let config = Config { max_flows: 64, ..Config::new(Families::all(), RecordSet::all()) };
        Self { replay: Replay::new(config, 256, None).unwrap(), kept: Kept::default() }
    }

    /// Whether the reader had a complaint.
    fn run(&mut self, file: Vec<u8>, what: &dyn Fn() -> String) -> bool {
        let before = self.replay.totals();
        self.kept = Kept::default();
        let reader = Reader::from_stream("capture", Cursor::new(file));
        let read: Result<(), ReadError> =
            reader.and_then(|reader| self.replay.read(reader, &mut self.kept));
        self.replay.finish(&mut self.kept);
        let after = self.replay.totals();
        assert!(after.is_balanced(), "{}: {after:?}", what());
        let recorded = after.flows.recorded - before.flows.recorded;
        assert_eq!(self.kept.packets(), recorded, "{}", what());
        read.is_err()
    }
}

#[test]
fn captures_that_end_anywhere_are_measured_up_to_there() {
    let start = Instant::now();
    for path in captures() {
        let file = fs::read(&path).unwrap();
        let mut bench = Bench::new();
        let mut complaints = 0;
        let ends = 0..=file.len().min(CUT);
        for end in ends.clone() {
            let what = || format!("{} cut at {end}", path.display());
            complaints += usize::from(bench.run(file[..end].to_vec(), &what));
        }
        // Only behind the header and behind a record is an end an end.
        assert!(complaints > ends.count() / 2, "{}", path.display());
        assert!(start.elapsed() < LIMIT);
    }
}

#[test]
fn damaged_captures_break_no_sum() {
    let start = Instant::now();
    for path in captures() {
        let file = fs::read(&path).unwrap();
        let file = &file[..file.len().min(DAMAGED)];
        let mut bench = Bench::new();
        for seed in 1..=DAMAGES {
            let mut random = Random(seed);
            let mut broken = file.to_vec();
            for _ in 0..random.below(64) + 1 {
                let at = random.below(broken.len());
                broken[at] ^= 1 << random.below(8);
            }
            bench.run(broken, &|| format!("{} damaged by {seed}", path.display()));
        }
        assert!(start.elapsed() < LIMIT);
    }
}

/// xorshift, from a seed that is not 0.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % end
    }
}
