//! Random sampling.

use core::ops::Range;

use super::Selection;
use crate::random::Random;

/// n out of N (RFC 5475 section 5.2.1): of each N packets that follow each other, n, all sets of n being as likely.
#[derive(Clone, Debug)]
pub(super) struct OutOf {
    size: u32,
    population: u32,
    /// Packets to select of those left of this population.
    wanted: u32,
    left: u32,
    random: Random,
}

impl OutOf {
    pub(super) fn new(size: u32, population: u32, seed: u64) -> Self {
        Self { size, population, wanted: size, left: population, random: Random::new(seed) }
    }

    /// Selection sampling (Knuth, volume 2, 3.4.2, algorithm S): a packet is selected with the probability of those wanted among
    /// those left.
    #[inline]
    pub(super) fn select(&mut self, run: Range<usize>, selection: &mut Selection) -> usize {
        let (mut at, mut selected) = (run.start, 0);
        while at < run.end {
            if self.wanted == 0 {
                let n = (run.end - at).min(self.left as usize);
                at += n;
                self.left -= n as u32;
            } else {
                if self.random.below(self.left) < self.wanted {
                    selection.add(at);
                    selected += 1;
                    self.wanted -= 1;
                }
                at += 1;
                self.left -= 1;
            }
            if self.left == 0 {
                (self.wanted, self.left) = (self.size, self.population);
            }
        }
        selected
    }
}

/// With a probability (RFC 5475 section 5.2.2.1).
#[derive(Clone, Debug)]
pub(super) struct Probable {
    gaps: Gaps,
    skip: u64,
}

/// How many packets are skipped before the next one that is selected, which is distributed geometrically: one logarithm for each
/// packet selected, and nothing for the others.
#[derive(Clone, Debug)]
pub struct Gaps {
    /// 1 / ln(1 - p), which is -0 when every packet is selected.
    scale: f64,
    random: Random,
}

impl Gaps {
    /// Where each packet is selected with the probability `p`, above 0 and up to 1; the same for the same seed.
    #[must_use]
    pub fn new(p: f64, seed: u64) -> Self {
        Self { scale: 1.0 / (-p).ln_1p(), random: Random::new(seed) }
    }

    /// The next one.
    pub fn draw(&mut self) -> u64 {
        // Beyond 2^64 there is no packet.
        (self.random.fraction().ln() * self.scale) as u64
    }
}

impl Probable {
    pub(super) fn new(p: f64, seed: u64) -> Self {
        let mut gaps = Gaps::new(p, seed);
        let skip = gaps.draw();
        Self { gaps, skip }
    }

    #[inline]
    pub(super) fn select(&mut self, run: Range<usize>, selection: &mut Selection) -> usize {
        let (mut at, mut selected) = (run.start, 0);
        loop {
            let left = (run.end - at) as u64;
            if self.skip >= left {
                self.skip -= left;
                return selected;
            }
            at += self.skip as usize;
            selection.add(at);
            selected += 1;
            at += 1;
            self.skip = self.gaps.draw();
        }
    }
}
