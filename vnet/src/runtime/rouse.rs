//! Going to sleep without missing who wakes.

use super::sync::{AtomicBool, Ordering, fence};

/// Whether a thread sleeps, or is about to.
pub(super) struct Rouse(AtomicBool);

impl Rouse {
    /// Of a thread that is awake.
    pub(super) fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// For the thread: it is about to sleep. `false` when it has work, which is looked for after everybody knows that it sleeps.
    pub(super) fn begin_sleep(&self, has_work: impl FnOnce() -> bool) -> bool {
        self.0.store(true, Ordering::Relaxed);
        // Either the thread sees the work that was stored before another one's fence, or that one sees that it sleeps.
        fence(Ordering::SeqCst);
        !has_work()
    }

    /// For the thread: it is awake.
    pub(super) fn end_sleep(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    /// For others, who have stored work: whether the thread has to be woken, by this caller alone.
    pub(super) fn rouse(&self) -> bool {
        fence(Ordering::SeqCst);
        self.0.load(Ordering::Relaxed) && self.0.swap(false, Ordering::Relaxed)
    }
}
