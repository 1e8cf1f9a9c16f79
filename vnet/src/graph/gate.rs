//! Gates: how features that sample are hardly a cost to what they do not want.
//!
//! A feature that samples is asked, of each packet, for a number: how many come before the next one that it wants. Where it is alone
//! on its arc for an interface, and says that it is [gated](super::FeatureSpec::gated), the node at the beginning of the arc may do
//! that in its place: packets go past the feature, and those that it wants are shown to its [action](crate::action) on the way. So no
//! packet overtakes another one, and none visits the feature's node. What is enabled beside it closes the gate: then packets take their
//! usual way, and the feature counts down itself.

use core::ops::Range;

use crate::{action::ActionId, flow::sample::Gaps};

/// Which one: the action of the feature, by which it was enabled; its configuration is the number of the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gate(pub ActionId);

/// The gates of a thread, for the nodes that let packets pass and for the features whose they are.
#[derive(Debug, Default)]
pub struct Gates(Vec<Countdown>);

/// What a gate knows.
#[derive(Clone, Debug, Default)]
pub struct Countdown {
    left: u64,
    passed: u64,
    gaps: Option<Gaps>,
}

impl Gates {
    /// One that samples; those where every packet is wanted are of no use.
    #[inline]
    pub fn sampling_mut(&mut self, Gate(gate): Gate) -> Option<&mut Countdown> {
        self.0.get_mut(gate.config() as usize).filter(|countdown| countdown.gaps.is_some())
    }

    /// One of them, for its feature.
    pub fn of_mut(&mut self, Gate(gate): Gate) -> &mut Countdown {
        let at = gate.config() as usize;
        if self.0.len() <= at {
            self.0.resize(at + 1, Countdown::default());
        }
        &mut self.0[at]
    }
}

impl Countdown {
    /// Samples by these gaps from now on, or wants every packet. What has passed is forgotten.
    pub fn begin(&mut self, gaps: Option<Gaps>) {
        *self = Self { left: 0, passed: 0, gaps };
        self.draw();
    }

    /// Packets that were asked about.
    #[must_use]
    pub fn passed(&self) -> u64 {
        self.passed
    }

    /// Whether the next packet is wanted.
    #[inline(always)]
    pub fn wants(&mut self) -> bool {
        self.passed += 1;
        let is_wanted = self.left == 0;
        if is_wanted {
            self.draw();
        } else {
            self.left -= 1;
        }
        is_wanted
    }

    /// Tells which packets of a run are wanted.
    #[inline]
    pub fn each_wanted(&mut self, run: Range<usize>, mut tell: impl FnMut(usize)) {
        self.passed += run.len() as u64;
        let mut at = run.start;
        loop {
            let rest = (run.end - at) as u64;
            if self.left >= rest {
                self.left -= rest;
                return;
            }
            at += self.left as usize;
            tell(at);
            at += 1;
            self.draw();
        }
    }

    #[cold]
    fn draw(&mut self) {
        self.left = self.gaps.as_mut().map_or(0, Gaps::draw);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_by_one_and_by_runs_the_same_packets_are_wanted() {
        let countdown = || {
            let mut countdown = Countdown::default();
            countdown.begin(Some(Gaps::new(0.1, 7)));
            countdown
        };
        let mut single = countdown();
        let expected: Vec<usize> = (0..5000).filter(|_| single.wants()).collect();
        let (mut by_runs, mut found, mut at) = (countdown(), Vec::new(), 0);
        for n in (1..100).cycle() {
            let end = (at + n).min(5000);
            by_runs.each_wanted(at..end, |wanted| found.push(wanted));
            at = end;
            if at == 5000 {
                break;
            }
        }
        assert_eq!((found, by_runs.passed()), (expected, single.passed()));
    }

    #[test]
    fn without_gaps_every_packet_is_wanted() {
        let mut countdown = Countdown::default();
        let mut wanted = 0;
        countdown.each_wanted(0..9, |_| wanted += 1);
        assert!(wanted == 9 && countdown.wants() && countdown.passed() == 10);
    }
}
