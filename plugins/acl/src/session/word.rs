//! What says whether a place holds a session, and which: a word that changes hands by compare-and-swap.
//!
//! The lower half of a word is its state: free, being filled, or live, and then with a tag. The upper half counts up whenever a place is
//! given up, so that a word which is as it was says that its place is, too. `tests/models` checks this in all orders that the memory
//! model allows.

use super::sync::{AtomicU64, Ordering, fence};

/// What a word says of its place: the two lowest bits.
const STATE: u64 = 3;
const FREE: u64 = 0;
const FILLED: u64 = 1;
const LIVE: u64 = 2;
/// Where a word counts.
const COUNT: u64 = 1 << 32;

/// A word. Zero is one whose place is free.
#[derive(Clone, Copy)]
pub(crate) struct Word<'a>(pub(crate) &'a AtomicU64);

/// A word as it was when its place was live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Was(u64);

/// A place that nobody else has, until it is [published](Word::publish).
pub(crate) struct Claim(u64);

/// The tag of a live word of these bits.
#[inline(always)]
pub(crate) const fn tag(bits: u32) -> u32 {
    bits & !(STATE as u32) | LIVE as u32
}

impl Word<'_> {
    /// As it is, if its place is live and has this tag.
    #[inline(always)]
    pub(crate) fn live_as(self, tag: u32) -> Option<Was> {
        let word = self.0.load(Ordering::Acquire);
        (word as u32 == tag).then_some(Was(word))
    }

    /// As it is, if its place is live.
    pub(crate) fn live(self) -> Option<Was> {
        let word = self.0.load(Ordering::Acquire);
        (word & STATE == LIVE).then_some(Was(word))
    }

    /// Whether its place has this tag; for those who only ask for memory.
    #[inline(always)]
    pub(crate) fn looks_like(self, tag: u32) -> bool {
        self.0.load(Ordering::Relaxed) as u32 == tag
    }

    /// Whether what was read of its place since then is of one session.
    #[inline(always)]
    pub(crate) fn is_still(self, Was(was): Was) -> bool {
        fence(Ordering::Acquire);
        self.0.load(Ordering::Relaxed) == was
    }

    /// Whether its place is free.
    pub(crate) fn is_free(self) -> bool {
        self.0.load(Ordering::Relaxed) & STATE == FREE
    }

    /// Takes its place, if that is free.
    pub(crate) fn claim(self) -> Option<Claim> {
        let before = self.0.load(Ordering::Relaxed);
        if before & STATE != FREE {
            return None;
        }
        let count = before & !(COUNT - 1);
        let taken =
            self.0.compare_exchange(before, count | FILLED, Ordering::Acquire, Ordering::Relaxed);
        taken.ok()?;
        // What is written to the place from now on is behind that for whoever reads it.
        fence(Ordering::Release);
        Some(Claim(count))
    }

    /// The place that was claimed holds a session of this tag now.
    pub(crate) fn publish(self, Claim(count): Claim, tag: u32) {
        self.0.store(count | u64::from(tag), Ordering::Release);
    }

    /// Gives its place up, unless somebody has done so since then.
    pub(crate) fn end(self, Was(was): Was) -> bool {
        let free = (was & !(COUNT - 1)).wrapping_add(COUNT);
        self.0.compare_exchange(was, free, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}
