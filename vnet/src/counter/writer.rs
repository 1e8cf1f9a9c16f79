//! What a worker counts with.

use super::{ThreadIndex, lanes::Lanes, mapping::Region};
use core::{
    cell::Cell,
    marker::PhantomData,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};
use std::sync::Arc;

/// Adds to a simple counter, on behalf of one thread. There is at most one such handle per counter and thread, and it
/// cannot be shared: that is what makes a load and a store enough.
///
/// ```compile_fail,E0277
/// fn share<T: Sync>(_: T) {}
/// fn writer() -> vnet::counter::SimpleWriter { unreachable!() }
/// share(writer());
/// ```
#[derive(Debug)]
pub struct SimpleWriter(pub(super) Lane);

impl SimpleWriter {
    /// Adds `n` to element `index`. An index beyond the counter's capacity adds to its lost count instead.
    #[inline(always)]
    pub fn add(&self, index: u32, n: u64) {
        match self.0.elements.words().get(index as usize) {
            Some(word) => bump(word, n),
            None => self.0.lose([n, 0]),
        }
    }

    /// Sets element `index`, where the counter is a figure that its writer knows better than what was there. An index beyond the
    /// capacity is nobody's.
    #[inline(always)]
    pub fn set(&self, index: u32, n: u64) {
        if let Some(word) = self.0.elements.words().get(index as usize) {
            word.store(n, Relaxed);
        }
    }

    /// Asks the CPU to fetch the line of element `index`; any index will do.
    #[inline(always)]
    pub fn prefetch(&self, index: u32) {
        self.0.elements.prefetch(index as usize);
    }
}

/// Adds to a combined counter, on behalf of one thread; see [`SimpleWriter`].
#[derive(Debug)]
pub struct CombinedWriter(pub(super) Lane);

impl CombinedWriter {
    /// Adds to element `index`. An index beyond the counter's capacity adds to its lost count instead. A reader may see
    /// the packets before the bytes.
    #[inline(always)]
    pub fn add(&self, index: u32, packets: u64, bytes: u64) {
        match self.0.elements.words().as_chunks::<2>().0.get(index as usize) {
            Some([packet_word, byte_word]) => {
                bump(packet_word, packets);
                bump(byte_word, bytes);
            }
            None => self.0.lose([packets, bytes]),
        }
    }

    /// Asks the CPU to fetch the line of element `index`; any index will do.
    #[inline(always)]
    pub fn prefetch(&self, index: u32) {
        self.0.elements.prefetch((index as usize).wrapping_mul(2));
    }
}

/// One thread's part of a counter, taken for writing. Dropping it gives it back.
#[derive(Debug)]
pub(super) struct Lane {
    elements: Region,
    lanes: Arc<Lanes>,
    thread: ThreadIndex,
    /// A handle moves to its thread and stays there: it is `Send` and not `Sync`.
    not_sync: PhantomData<Cell<()>>,
}

impl Lane {
    pub(super) fn new(elements: Region, lanes: Arc<Lanes>, thread: ThreadIndex) -> Self {
        Self { elements, lanes, thread, not_sync: PhantomData }
    }

    #[cold]
    fn lose(&self, numbers: [u64; 2]) {
        self.lanes.lose(self.thread, numbers);
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.lanes.give_back(self.thread);
    }
}

/// Adds with one load and one store; the caller is the only writer.
#[inline(always)]
pub(super) fn bump(word: &AtomicU64, n: u64) {
    word.store(word.load(Relaxed).wrapping_add(n), Relaxed);
}
