//! Where a worker's graph changes hands between its thread and the main thread.
//!
//! A worker runs only while its thread has its box, and the barrier is held while the main thread has the boxes of all
//! workers: who has a box owns what is in it, so that neither side needs a lock to look at it.

use super::sync::{AtomicBool, Condvar, Mutex, MutexGuard, Ordering, PoisonError};

/// Holds a worker that nobody has at the moment, between its thread and the main thread.
pub(super) struct Slot<T> {
    /// The main thread wants the box; its thread looks at this after each round.
    wanted: AtomicBool,
    state: Mutex<State<T>>,
    /// The main thread waits for the box.
    given: Condvar,
    /// The worker's thread waits for the end of the barrier.
    opened: Condvar,
}

struct State<T> {
    value: Option<Box<T>>,
    /// The thread is to end.
    ended: bool,
}

impl<T> Slot<T> {
    /// A slot in whose barrier the thread waits until the box is put.
    pub(super) fn new() -> Self {
        Self {
            wanted: AtomicBool::new(true),
            state: Mutex::new(State { value: None, ended: false }),
            given: Condvar::new(),
            opened: Condvar::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For the worker's thread: whether it has to give its box.
    #[inline]
    pub(super) fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }

    /// For the worker's thread: its box, when no barrier is held; `None` when it is to end.
    pub(super) fn take(&self) -> Option<Hold<'_, T>> {
        let mut state = self.state();
        loop {
            if state.ended {
                return None;
            }
            // Main wants boxes before it looks into slots, so either it finds the box here, or this sees that it is wanted.
            if !self.wanted.load(Ordering::Relaxed)
                && let Some(value) = state.value.take()
            {
                return Some(Hold { slot: self, value: Some(value) });
            }
            state = self.opened.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn give(&self, value: Box<T>) {
        self.state().value = Some(value);
        self.given.notify_one();
    }

    /// For the main thread: asks for the box.
    pub(super) fn want(&self) {
        self.wanted.store(true, Ordering::Relaxed);
    }

    /// For the main thread: the box, as soon as its thread has given it.
    pub(super) fn claim(&self) -> Box<T> {
        let mut state = self.state();
        loop {
            if let Some(value) = state.value.take() {
                return value;
            }
            state = self.given.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// For the main thread: lets the thread have the box again.
    pub(super) fn put(&self, value: Box<T>) {
        let mut state = self.state();
        state.value = Some(value);
        self.wanted.store(false, Ordering::Relaxed);
        drop(state);
        self.opened.notify_one();
    }

    /// For the main thread: whether the thread does not have its box, and looks at nothing that is shared.
    pub(super) fn is_resting(&self) -> bool {
        self.state().value.is_some()
    }

    /// For the main thread, which has the box: the thread is to end.
    pub(super) fn end(&self) {
        self.state().ended = true;
        self.opened.notify_one();
    }
}

/// A worker in the hands of its thread, which gives it back when this goes.
pub(super) struct Hold<'s, T> {
    slot: &'s Slot<T>,
    // Only taken when this is dropped.
    value: Option<Box<T>>,
}

impl<T> Hold<'_, T> {
    /// What is held.
    pub(super) fn get(&mut self) -> Option<&mut T> {
        self.value.as_deref_mut()
    }
}

impl<T> Drop for Hold<'_, T> {
    fn drop(&mut self) {
        if let Some(value) = self.value.take() {
            self.slot.give(value);
        }
    }
}
