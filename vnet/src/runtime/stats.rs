//! What `show runtime` knows of a node.

use core::iter::Sum;

/// The state that `show runtime` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeState {
    /// An internal node.
    Active,
    /// An input that runs in every loop.
    Polling,
    /// An input that waits for its interrupt.
    InterruptWait,
    /// An input that does not run.
    Disabled,
    /// A process that waits for an event or a time.
    AnyWait,
    /// A process that has ended.
    Done,
}

impl NodeState {
    /// The word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Polling => "polling",
            Self::InterruptWait => "interrupt wait",
            Self::Disabled => "disabled",
            Self::AnyWait => "any wait",
            Self::Done => "done",
        }
    }
}

/// Counts of one node on one thread since the last clear.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeStats {
    /// Times it ran.
    pub calls: u64,
    /// Packets it saw.
    pub vectors: u64,
    /// Cycles it took.
    pub clocks: u64,
    /// Times a process gave way.
    pub suspends: u64,
    /// Cycles of the longest run.
    pub max_clocks: u64,
    /// Packets of that run.
    pub vectors_at_max: u64,
}

impl NodeStats {
    /// One more run.
    #[inline]
    pub(crate) fn add(&mut self, vectors: u64, clocks: u64) {
        self.calls += 1;
        self.vectors += vectors;
        self.clocks += clocks;
        if clocks > self.max_clocks {
            self.max_clocks = clocks;
            self.vectors_at_max = vectors;
        }
    }

    /// Clocks for each packet; for each run where there were none.
    #[must_use]
    pub fn clocks_each(&self) -> f64 {
        let n = [self.vectors, self.calls, self.suspends].into_iter().find(|&n| n > 0);
        n.map_or(0.0, |n| self.clocks as f64 / n as f64)
    }

    /// Packets for each run.
    #[must_use]
    pub fn vectors_per_call(&self) -> f64 {
        if self.calls == 0 { 0.0 } else { self.vectors as f64 / self.calls as f64 }
    }
}

/// The counts of several threads together.
impl Sum for NodeStats {
    fn sum<I: Iterator<Item = Self>>(threads: I) -> Self {
        threads.fold(Self::default(), |all, one| {
            let (max_clocks, vectors_at_max) = if one.max_clocks > all.max_clocks {
                (one.max_clocks, one.vectors_at_max)
            } else {
                (all.max_clocks, all.vectors_at_max)
            };
            Self {
                calls: all.calls + one.calls,
                vectors: all.vectors + one.vectors,
                clocks: all.clocks + one.clocks,
                suspends: all.suspends + one.suspends,
                max_clocks,
                vectors_at_max,
            }
        })
    }
}
