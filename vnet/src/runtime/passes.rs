//! Quiescent points: when nobody looks any more at what was given up.

use super::sync::{AtomicU64, Ordering, fence};

/// Rounds of a worker that have ended: it keeps nothing of what is edited beside it across the end of a round.
pub(super) struct Passes(AtomicU64);

impl Passes {
    pub(super) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// For the worker: a round has ended. What it reads from here on is new to whoever has counted this pass: the fence here and
    /// that of [`Self::after_edits`] are in some order, so that either this pass was counted there as one of before, or all that
    /// was edited before is visible here.
    pub(super) fn pass(&self) {
        let passes = self.0.load(Ordering::Relaxed);
        self.0.store(passes + 1, Ordering::Release);
        fence(Ordering::SeqCst);
    }

    /// For the editor, whose edits are done: the passes so far, to be compared with [`Self::has_passed`].
    pub(super) fn after_edits(&self) -> u64 {
        fence(Ordering::SeqCst);
        self.0.load(Ordering::Relaxed)
    }

    /// For the editor: whether the worker has passed since it had passed `before` times.
    pub(super) fn has_passed(&self, before: u64) -> bool {
        self.0.load(Ordering::Acquire) != before
    }
}
