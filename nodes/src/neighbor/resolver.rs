//! Addresses that a thread asks for, and the packets that wait for them.
//!
//! A neighbour is asked for three times, a second apart (RFC 4861 section 10: MAX_MULTICAST_SOLICIT, RETRANS_TIMER), and not again
//! before a time that doubles with each failure, unless its link has changed since. What waits meanwhile is bounded for each neighbour and
//! for the thread.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use vnet::{adjacency::AdjacencyIndex, frame::Waiting, neighbor::NeighborKey, runtime::EngineTime};

/// Neighbours that a thread asks for at a time.
pub(crate) const NEIGHBORS: usize = 1024;
/// Packets that wait for one of them.
pub(crate) const PACKETS_EACH: usize = 8;
/// Packets that wait on a thread.
pub(crate) const PACKETS: usize = 1024;
/// How often one is asked for.
pub(crate) const REQUESTS: u8 = 3;
/// The time between two requests.
pub(crate) const INTERVAL: Duration = Duration::from_secs(1);
/// A neighbour that did not answer is not asked for again for 1, 2, 4, ... seconds, up to 1 << this many.
const MAX_BACKOFF: u8 = 5;

/// A neighbour that is asked for, or did not answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pending {
    /// Where its packets wait.
    pub(crate) queue: usize,
    /// The adjacency that it completes, where packets came by one of its own.
    pub(crate) adjacency: Option<AdjacencyIndex>,
    requests: u8,
    failures: u8,
    /// When it is to be asked again, or may be.
    due: EngineTime,
    /// The state of its link when it was asked for.
    generation: u32,
}

/// What becomes of a packet to somebody who is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It waits in a queue; whether a request is to be sent now.
    Wait { queue: usize, request: bool },
    /// The neighbour did not answer lately.
    Failed,
    /// Too many are asked for.
    Full,
}

/// What is to be done for a neighbour now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Nothing,
    Request,
    /// It does not answer: its packets are lost.
    GiveUp,
    /// It may be asked for again.
    Forget,
}

/// One thread's.
pub(crate) struct Resolver {
    pending: HashMap<NeighborKey, Pending>,
    pub(crate) waiting: Waiting,
    free: Vec<usize>,
    /// The neighbours to look at in one go; kept for its memory.
    due: Vec<NeighborKey>,
    /// Threads that ask for somebody.
    busy: Arc<AtomicUsize>,
}

impl Resolver {
    /// Of a thread; `busy` counts those that ask for somebody.
    pub(crate) fn new(busy: Arc<AtomicUsize>) -> Self {
        Self {
            pending: HashMap::with_capacity(NEIGHBORS),
            waiting: Waiting::new(NEIGHBORS, PACKETS_EACH, PACKETS),
            free: (0..NEIGHBORS).rev().collect(),
            due: Vec::with_capacity(NEIGHBORS),
            busy,
        }
    }

    /// Takes note of a packet to `key`, whose link is of that `generation`. [`Self::look`] is to be called from time to time from then
    /// on.
    pub(crate) fn ask(
        &mut self,
        key: NeighborKey,
        adjacency: Option<AdjacencyIndex>,
        generation: u32,
        now: EngineTime,
    ) -> Answer {
        let full = self.pending.len() >= NEIGHBORS;
        match self.pending.entry(key) {
            Entry::Occupied(mut known) => {
                let known = known.get_mut();
                known.adjacency = adjacency.or(known.adjacency);
                if known.generation != generation {
                    *known = Pending {
                        requests: 1,
                        failures: 0,
                        due: now.after(INTERVAL),
                        generation,
                        ..*known
                    };
                    return Answer::Wait { queue: known.queue, request: true };
                }
                if known.requests < REQUESTS {
                    return Answer::Wait { queue: known.queue, request: false };
                }
                if known.has_failed() && now < known.due {
                    return Answer::Failed;
                }
                if known.has_failed() {
                    known.requests = 1;
                    known.due = now.after(INTERVAL);
                    return Answer::Wait { queue: known.queue, request: true };
                }
                Answer::Wait { queue: known.queue, request: false }
            }
            Entry::Vacant(_) if full => Answer::Full,
            Entry::Vacant(place) => {
                let Some(queue) = self.free.pop() else { return Answer::Full };
                let due = now.after(INTERVAL);
                if NEIGHBORS - self.free.len() == 1 {
                    self.busy.fetch_add(1, Ordering::AcqRel);
                }
                place.insert(Pending {
                    queue,
                    adjacency,
                    requests: 1,
                    failures: 0,
                    due,
                    generation,
                });
                Answer::Wait { queue, request: true }
            }
        }
    }

    /// The neighbours that are asked for, to go through; to be given back by [`Self::put_back`].
    pub(crate) fn take_all(&mut self) -> Vec<NeighborKey> {
        let mut all = core::mem::take(&mut self.due);
        all.clear();
        all.extend(self.pending.keys().copied());
        all
    }

    pub(crate) fn put_back(&mut self, keys: Vec<NeighborKey>) {
        self.due = keys;
    }

    pub(crate) fn get(&self, key: NeighborKey) -> Option<Pending> {
        self.pending.get(&key).copied()
    }

    /// What is to be done for `key`, and notes that it is done.
    pub(crate) fn look(&mut self, key: NeighborKey, now: EngineTime) -> Due {
        let crowded = self.pending.len() > NEIGHBORS / 2;
        let Some(pending) = self.pending.get_mut(&key) else { return Due::Nothing };
        if pending.has_failed() {
            // Those that asked in vain make room for others.
            return if crowded || now.0 >= pending.forget_at().0 {
                Due::Forget
            } else {
                Due::Nothing
            };
        }
        if now < pending.due {
            return Due::Nothing;
        }
        if pending.requests < REQUESTS {
            pending.requests += 1;
            pending.due = now.after(INTERVAL);
            return Due::Request;
        }
        pending.due = now.after(INTERVAL * (1 << pending.failures));
        pending.failures = (pending.failures + 1).min(MAX_BACKOFF);
        pending.requests = FAILED;
        Due::GiveUp
    }

    /// Nobody waits for `key` any more.
    pub(crate) fn forget(&mut self, key: NeighborKey) {
        if let Some(gone) = self.pending.remove(&key) {
            debug_assert!(self.waiting.is_empty(gone.queue), "packets were left behind");
            self.free.push(gone.queue);
            if self.pending.is_empty() {
                self.busy.fetch_sub(1, Ordering::AcqRel);
            }
        }
    }
}

/// The number of requests of a neighbour that did not answer.
const FAILED: u8 = u8::MAX;

impl Pending {
    fn has_failed(&self) -> bool {
        self.requests == FAILED
    }

    /// When it does not matter any more that it did not answer: as long again as it may not be asked.
    fn forget_at(&self) -> EngineTime {
        self.due.after(INTERVAL * (1 << self.failures.saturating_sub(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vnet::interface::SwIfIndex;

    fn key(n: u32) -> NeighborKey {
        let address = std::net::Ipv4Addr::from_bits(0x0a00_0000 + n).into();
        NeighborKey { interface: SwIfIndex(1), address }
    }

    fn at(seconds: u64) -> EngineTime {
        EngineTime(seconds * 1_000_000_000)
    }

    #[test]
    fn a_neighbor_is_asked_for_three_times_and_then_left_alone_for_longer_and_longer() {
        let mut resolver = Resolver::new(Arc::default());
        let first = Answer::Wait { queue: 0, request: true };
        let later = Answer::Wait { queue: 0, request: false };
        let mut now = 0;
        for pause in [1, 2, 4, 8, 16, 32, 32] {
            assert_eq!(resolver.ask(key(1), None, 0, at(now)), first);
            assert_eq!(resolver.ask(key(1), None, 0, at(now)), later);
            assert_eq!(resolver.look(key(1), at(now)), Due::Nothing);
            let steps: Vec<_> = (1..=4).map(|s| resolver.look(key(1), at(now + s))).collect();
            assert_eq!(steps[..3], [Due::Request, Due::Request, Due::GiveUp]);
            now += 3;
            assert_eq!(resolver.ask(key(1), None, 0, at(now + pause - 1)), Answer::Failed);
            now += pause;
        }
    }

    #[test]
    fn a_neighbor_is_asked_for_at_once_where_its_link_has_changed() {
        let mut resolver = Resolver::new(Arc::default());
        let first = Answer::Wait { queue: 0, request: true };
        assert_eq!(resolver.ask(key(1), None, 1, at(0)), first);
        assert_eq!(resolver.ask(key(1), None, 2, at(0)), first);
        (1..=3).for_each(|s| {
            resolver.look(key(1), at(s));
        });
        assert_eq!(resolver.ask(key(1), None, 2, at(3)), Answer::Failed);
        assert_eq!(resolver.ask(key(1), None, 3, at(3)), first);
        assert_eq!(resolver.look(key(1), at(4)), Due::Request);
    }

    #[test]
    fn those_that_did_not_answer_are_forgotten_in_time_and_at_once_where_it_is_crowded() {
        let mut resolver = Resolver::new(Arc::default());
        resolver.ask(key(0), None, 0, at(0));
        (1..=3).for_each(|s| {
            resolver.look(key(0), at(s));
        });
        assert_eq!(resolver.look(key(0), at(4)), Due::Nothing);
        assert_eq!(resolver.look(key(0), at(5)), Due::Forget);
        for n in 1..NEIGHBORS as u32 {
            assert!(matches!(
                resolver.ask(key(n), None, 0, at(4)),
                Answer::Wait { request: true, .. }
            ));
        }
        assert_eq!(resolver.ask(key(5000), None, 0, at(4)), Answer::Full);
        assert_eq!(resolver.look(key(0), at(4)), Due::Forget);
        resolver.forget(key(0));
        assert!(matches!(resolver.ask(key(5000), None, 0, at(4)), Answer::Wait { .. }));
    }
}
