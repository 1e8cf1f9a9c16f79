//! Packets on their way into a table.
//!
//! Each is *staged* (key, hash, home), then *looked up* among the tags, then *counted* in its slot. Batches follow one another
//! through these steps: while one is staged, the tags of the one before and the slots of the one before that are on their way
//! from memory. So waiting for memory and computing overlap, and what is on its way fits into the first cache.

use super::key::Key as _;
use super::{
    details::Extra,
    directory::Place,
    key::{Kind, SampleOf},
    meters::Delta,
    rules::Sample,
};

/// Cache lines of flows that are asked for together: as many as a core can wait for, and some left for what else it does.
const LINES: usize = 16;

/// The most packets that take a step together.
const MOST: usize = LINES;

/// Packets that take a step together: enough to hide the wait for one of them behind the others, a power of two.
pub(super) const fn batch<K: Kind>() -> usize {
    (LINES / size_of::<K::Slot>().div_ceil(64)).next_power_of_two()
}

/// Two batches and one in the making, up to a power of two.
const RING: usize = (3 * MOST).next_power_of_two();

/// A packet on its way.
pub(super) struct Lane<K: Kind> {
    pub(super) key: K::Key,
    pub(super) watermark: u64,
    pub(super) delta: Delta,
    pub(super) place: Place,
    pub(super) extra: SampleOf<K>,
}

// Derived ones would ask it of the kind.
impl<K: Kind> Clone for Lane<K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K: Kind> Copy for Lane<K> {}

impl<K: Kind> Lane<K> {
    pub(super) const fn sample(&self) -> Sample {
        self.delta.sample(self.watermark)
    }
}

/// The packets on their way into one table, in order.
pub(super) struct Lanes<K: Kind> {
    ring: Box<[Lane<K>; RING]>,
    // Numbers of the packets that come next: to stage, to look up, to count.
    stage: usize,
    look_up: usize,
    count: usize,
}

impl<K: Kind> Lanes<K> {
    pub(super) fn new() -> Self {
        let empty = Lane {
            key: K::Key::FREE,
            watermark: 0,
            delta: Delta::NONE,
            place: Place::NONE,
            extra: K::Extra::NONE,
        };
        Self { ring: Box::new([empty; RING]), stage: 0, look_up: 0, count: 0 }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.stage == self.count
    }

    /// Stages a packet; at most a [`batch`] of them between two calls of [`Self::look_up`].
    #[inline(always)]
    pub(super) fn stage(&mut self, lane: Lane<K>) {
        self.ring[self.stage % RING] = lane;
        self.stage = self.stage.wrapping_add(1);
    }

    /// Takes all staged packets to where they are counted next, after `f` was shown the place of each; returns how many there
    /// were.
    #[inline(always)]
    pub(super) fn look_up(&mut self, mut f: impl FnMut(&mut Place)) -> usize {
        let (from, to) = (self.look_up, self.stage);
        self.look_up = to;
        let staged = to.wrapping_sub(from);
        for n in 0..staged {
            f(&mut self.ring[from.wrapping_add(n) % RING].place);
        }
        staged
    }

    /// The packets that were looked up, to be counted now.
    #[inline(always)]
    pub(super) fn drain(&mut self) -> impl Iterator<Item = &Lane<K>> {
        let (from, to) = (self.count, self.look_up);
        self.count = to;
        let ring = &self.ring;
        (0..to.wrapping_sub(from)).map(move |n| &ring[from.wrapping_add(n) % RING])
    }
}
