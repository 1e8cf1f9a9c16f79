//! Sampling (RFC 5475): which packets of an observation point are measured.
//!
//! A [`Sampler`] is a selection process at one observation point on one thread. It is asked for runs of packets, and marks those
//! that it selects in a [`Selection`]; what it decides depends on the packets and on their order alone, never on how they are
//! divided into runs. Methods that do not look at packets decide a run by what they skip, without a step for each packet.
//!
//! | file | idea |
//! |---|---|
//! | `method` | [`Method`]: the ways to sample, and what collectors are told of each |
//! | `selection` | [`Selection`]: a bit a packet of a frame |
//! | `systematic` | by count and by time |
//! | `random` | n out of N, and with a probability |
//! | `hash` | by a hash of what routers leave alone in a packet |
//! | `bob` | that hash |

mod bob;
mod hash;
mod method;
mod random;
mod selection;
mod systematic;
#[cfg(test)]
mod tests;

use core::ops::Range;

pub use method::{Method, MethodError};
pub use selection::Selection;

use super::Observed;
use hash::Hashed;
pub use random::Gaps;
use random::{OutOf, Probable};
use systematic::{Counted, Timed};

/// Packets of a frame, for methods that look at them.
pub trait Packets {
    /// The packet at a position that is there.
    fn packet(&mut self, at: usize) -> Observed<'_>;
}

/// What a sampler has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sampled {
    /// Packets that it was asked about.
    pub observed: u64,
    /// Packets that it selected.
    pub selected: u64,
}

impl Sampled {
    /// Packets that it did not select.
    #[must_use]
    pub const fn skipped(&self) -> u64 {
        self.observed - self.selected
    }
}

/// A selection process. It allocates nothing.
#[derive(Clone, Debug)]
pub struct Sampler {
    state: State,
    sampled: Sampled,
}

#[derive(Clone, Debug)]
enum State {
    Counted(Counted),
    Timed(Timed),
    OutOf(OutOf),
    Probable(Probable),
    Hashed(Hashed),
}

impl Sampler {
    /// Octets of the IP payload that hashes cover.
    pub const HASHED_PAYLOAD: usize = hash::PAYLOAD;

    /// A process that begins with its first packet. Those of the same seed decide the same.
    #[must_use]
    pub fn new(method: Method, seed: u64) -> Self {
        let state = match method {
            Method::Count { interval, space } => State::Counted(Counted::new(interval, space)),
            Method::Time { interval, space } => State::Timed(Timed::new(interval, space)),
            Method::Random { size, population } => State::OutOf(OutOf::new(size, population, seed)),
            Method::Probability(p) => State::Probable(Probable::new(p, seed)),
            Method::Hash { first, last } => State::Hashed(Hashed::new(first..=last, seed)),
        };
        Self { state, sampled: Sampled::default() }
    }

    /// Decides about the packets of a frame at `run`, in order, and adds those that it selects to `selection`.
    #[inline]
    pub fn select(
        &mut self,
        run: Range<usize>,
        packets: &mut impl Packets,
        selection: &mut Selection,
    ) {
        let observed = run.len();
        let selected = match &mut self.state {
            State::Counted(counted) => counted.select(run, selection),
            State::Timed(timed) => timed.select(run, packets, selection),
            State::OutOf(out_of) => out_of.select(run, selection),
            State::Probable(probable) => probable.select(run, selection),
            State::Hashed(hashed) => hashed.select(run, packets, selection),
        };
        self.sampled.observed += observed as u64;
        self.sampled.selected += selected as u64;
    }

    /// What it has seen.
    #[must_use]
    pub fn sampled(&self) -> Sampled {
        self.sampled
    }
}
