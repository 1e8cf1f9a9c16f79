//! State that the main thread changes while no worker runs, and workers read without paying for it.
//!
//! # Safety argument
//! [`Shared::read`] needs a [`Dispatching`], which exists only while a worker of that engine is inside a round of dispatch;
//! [`Shared::write`] needs the engine's one [`BarrierHeld`] exclusively. That is lent out exclusively in two ways: to the round
//! of the main thread itself, which borrows it; and by [`Main::held_mut`](super::Main::held_mut), after the boxes of all
//! workers have come to the main thread, where they stay until that borrow has ended. A worker's thread has a [`Dispatching`]
//! only as a borrow of its box. So for one engine, readers and a writer never overlap in time, and two writers cannot exist
//! because both need the same `&mut`. What the main thread alone writes it may view at any time, beside workers that read.
//! Tokens carry the number of their engine, and the number is compared, so that a token of one engine opens nothing of
//! another; and an engine lends out no token but its own, should a program have exchanged those of two.
#![allow(unsafe_code, reason = "the barrier is a lock that the type system cannot see")]

use std::{
    cell::UnsafeCell,
    marker::PhantomData,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

/// Tells engines of one process apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineId(u32);

impl EngineId {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// The barrier of an engine: borrowed exclusively it is proof that no worker runs, and otherwise that this is the main thread.
/// There is one an engine, and it never leaves the main thread.
pub struct BarrierHeld {
    engine: EngineId,
    // Not to be sent to another thread.
    of: PhantomData<*mut ()>,
}

impl BarrierHeld {
    /// Called once an engine.
    pub(crate) fn new(engine: EngineId) -> Self {
        Self { engine, of: PhantomData }
    }

    /// The engine whose barrier it is.
    #[must_use]
    pub fn engine(&self) -> EngineId {
        self.engine
    }

    /// Lets the main thread dispatch while it lends out its barrier.
    pub(crate) fn lend(&mut self) -> Dispatching<'_> {
        Dispatching { engine: self.engine, of: PhantomData }
    }
}

/// Proof that a worker of the engine is inside a round of dispatch, so that nothing shared changes.
#[derive(Clone, Copy)]
pub struct Dispatching<'d> {
    engine: EngineId,
    of: PhantomData<(&'d (), *mut ())>,
}

impl Dispatching<'_> {
    /// For a worker's thread alone, which borrows the box that it holds as long as the token lives.
    pub(super) const fn while_held(engine: EngineId) -> Self {
        Self { engine, of: PhantomData }
    }
}

struct Inner<T> {
    engine: EngineId,
    value: UnsafeCell<T>,
}

/// A value that is written under the barrier and read while dispatching. Clones share the value.
pub struct Shared<T>(Arc<Inner<T>>);

// SAFETY: see the safety argument: access follows the rules of a reader-writer lock, for which these are the bounds.
unsafe impl<T: Send + Sync> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Shared<T> {}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Shared<T> {
    /// A value of the engine `engine`.
    pub fn new(engine: EngineId, value: T) -> Self {
        Self(Arc::new(Inner { engine, value: UnsafeCell::new(value) }))
    }

    /// For nodes.
    ///
    /// # Panics
    /// When the token is another engine's.
    #[inline]
    #[must_use]
    pub fn read<'a>(&'a self, token: Dispatching<'a>) -> &'a T {
        assert!(token.engine == self.0.engine, "a token of another engine");
        // SAFETY: while a `Dispatching` of this engine exists nobody writes.
        unsafe { &*self.0.value.get() }
    }

    /// For the main thread, which looks.
    ///
    /// # Panics
    /// When the barrier is another engine's.
    #[must_use]
    pub fn view<'a>(&'a self, held: &'a BarrierHeld) -> &'a T {
        assert!(held.engine == self.0.engine, "the barrier of another engine");
        // SAFETY: a writer would need `held` exclusively; workers only read.
        unsafe { &*self.0.value.get() }
    }

    /// For the main thread, which changes it.
    ///
    /// # Panics
    /// When the barrier is another engine's.
    #[must_use]
    pub fn write<'a>(&'a self, held: &'a mut BarrierHeld) -> &'a mut T {
        assert!(held.engine == self.0.engine, "the barrier of another engine");
        // SAFETY: no worker runs, and `held` is borrowed exclusively as long as the result lives.
        unsafe { &mut *self.0.value.get() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_under_the_barrier_is_read_while_dispatching() {
        let engine = EngineId::new();
        let mut held = BarrierHeld::new(engine);
        let shared = Shared::new(engine, 1);
        let reader = shared.clone();
        *shared.write(&mut held) += 1;
        assert_eq!(*reader.read(held.lend()), 2);
        assert_eq!(*reader.view(&held), 2);
    }

    #[test]
    #[should_panic(expected = "another engine")]
    fn a_token_of_another_engine_opens_nothing() {
        let mut other = BarrierHeld::new(EngineId::new());
        let shared = Shared::new(EngineId::new(), 1);
        let _: &i32 = shared.read(other.lend());
    }
}
