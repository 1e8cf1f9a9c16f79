//! The memory of a counter vector, thread by thread.

use super::{
    CounterError, ThreadIndex,
    directory::{pointer, vector_header},
    mapping::{Mapping, Region},
    writer::{Lane, bump},
};
use core::sync::atomic::{
    AtomicBool, AtomicUsize,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// For every thread the vector's length, its elements, and one more element that takes what was meant for elements
/// beyond the capacity.
#[derive(Debug)]
pub(super) struct Lanes {
    path: String,
    /// Words of an element, 1 or 2.
    width: usize,
    capacity: usize,
    /// Offset of the vector of pointers, which is what the directory names.
    at: usize,
    len: AtomicUsize,
    threads: Box<[Region]>,
    taken: Box<[AtomicBool]>,
    /// What `clear` found, per thread and word; what is not there is 0.
    cleared: Mutex<Vec<Vec<u64>>>,
}

/// Words that keep the threads' elements on lines of their own, also for a CPU that fetches lines in pairs.
pub(super) const LINE_PAIR: usize = 16;

impl Lanes {
    /// Words that a vector takes: one pointer a thread, and the threads' elements.
    pub(super) fn words(threads: usize, width: usize, capacity: usize) -> usize {
        let lanes = threads.saturating_mul(Self::lane_words(width, capacity));
        lanes.saturating_add(Self::pointer_words(threads))
    }

    /// Lays a vector out from `start`, a multiple of [`LINE_PAIR`] words, in memory that is still zero.
    pub(super) fn new(
        mapping: &Arc<Mapping>,
        start: usize,
        path: &str,
        threads: usize,
        (width, capacity): (usize, usize),
    ) -> Self {
        let at = start + LINE_PAIR;
        mapping.word(at - 1).store(vector_header(threads), Relaxed);
        let lane = |thread: usize| {
            let lane = start + Self::pointer_words(threads);
            let elements = lane + thread * Self::lane_words(width, capacity) + LINE_PAIR;
            mapping.word(at + thread).store(pointer(elements), Relaxed);
            mapping.region(elements - 1, 1 + (capacity + 1) * width)
        };
        Self {
            path: path.to_owned(),
            width,
            capacity,
            at,
            len: AtomicUsize::new(0),
            threads: (0..threads).map(lane).collect(),
            taken: (0..threads).map(|_| AtomicBool::new(false)).collect(),
            cleared: Mutex::new(vec![Vec::new(); threads]),
        }
    }

    /// The same memory under another name, all zero again.
    pub(super) fn recycled(self, path: &str) -> Self {
        for word in self.threads.iter().flat_map(Region::words) {
            word.store(0, Relaxed);
        }
        let cleared = Mutex::new(vec![Vec::new(); self.threads.len()]);
        Self { path: path.to_owned(), len: AtomicUsize::new(0), cleared, ..self }
    }

    /// Has `len` elements from `first` on be a vector of their own: its length stands in the last word of the element before them, which
    /// is nobody's. `None` where there is no such element, or not as many.
    pub(super) fn part(&self, first: usize, len: usize) -> Option<Vec<usize>> {
        let header = first.checked_mul(self.width).filter(|word| *word > 0)?;
        first.checked_add(len).filter(|end| *end <= self.capacity)?;
        for lane in &self.threads {
            lane.words().get(header)?.store(vector_header(len), Release);
        }
        let start = |thread: usize| self.elements(thread) + header;
        Some((0..self.threads.len()).map(start).collect())
    }

    /// Offset of a thread's elements.
    fn elements(&self, thread: usize) -> usize {
        let first = self.at - LINE_PAIR + Self::pointer_words(self.threads.len()) + LINE_PAIR;
        first + thread * Self::lane_words(self.width, self.capacity)
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    pub(super) fn rows(&self) -> usize {
        self.threads.len()
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn len(&self) -> usize {
        self.len.load(Acquire)
    }

    /// Takes a thread's elements for writing.
    pub(super) fn take(this: &Arc<Self>, thread: ThreadIndex) -> Result<Lane, CounterError> {
        let slot = thread.slot();
        let (Some(lane), Some(taken)) = (this.threads.get(slot), this.taken.get(slot)) else {
            let (name, threads) = (this.path.clone(), this.threads.len());
            return Err(CounterError::NoSuchThread { name, thread, threads });
        };
        // Acquires what the lane's previous writer stored.
        if taken.compare_exchange(false, true, AcqRel, Relaxed).is_err() {
            return Err(CounterError::WriterTaken { name: this.path.clone(), thread });
        }
        let elements = lane.part(1, this.capacity * this.width);
        Ok(Lane::new(elements, Arc::clone(this), thread))
    }

    pub(super) fn give_back(&self, thread: ThreadIndex) {
        if let Some(taken) = self.taken.get(thread.slot()) {
            taken.store(false, Release);
        }
    }

    /// Counts what has no element; the caller is the lane's writer.
    pub(super) fn lose(&self, thread: ThreadIndex, numbers: [u64; 2]) {
        if let Some(lane) = self.threads.get(thread.slot()) {
            for (word, n) in lane.words().iter().skip(self.word(self.capacity)).zip(numbers) {
                bump(word, n);
            }
        }
    }

    pub(super) fn lost(&self) -> [u64; 2] {
        self.threads.iter().map(|lane| self.load(lane, self.capacity)).fold([0; 2], plus)
    }

    pub(super) fn validate(&self, wanted: usize) -> Result<(), CounterError> {
        if wanted > self.capacity {
            let (name, capacity) = (self.path.clone(), self.capacity);
            return Err(CounterError::Capacity { name, wanted, capacity });
        }
        let _one_at_a_time = self.cleared();
        if wanted > self.len() {
            // Readers take the rows from the first to the last: one that finds the new length in a row finds it in all that
            // follow.
            for header in self.threads.iter().rev().filter_map(|lane| lane.words().first()) {
                header.store(vector_header(wanted), Release);
            }
            self.len.store(wanted, Release);
        }
        Ok(())
    }

    pub(super) fn sum(&self, index: u32) -> [u64; 2] {
        let cleared = self.cleared();
        let lanes = self.threads.iter().zip(cleared.iter());
        lanes.map(|(lane, base)| self.since_clear(lane, base, index)).fold([0; 2], plus)
    }

    pub(super) fn per_thread(&self, thread: ThreadIndex, index: u32) -> [u64; 2] {
        let cleared = self.cleared();
        match (self.threads.get(thread.slot()), cleared.get(thread.slot())) {
            (Some(lane), Some(base)) => self.since_clear(lane, base, index),
            _ => [0; 2],
        }
    }

    pub(super) fn clear(&self) {
        let words = self.len() * self.width;
        for (lane, base) in self.threads.iter().zip(self.cleared().iter_mut()) {
            base.clear();
            base.extend(lane.words().iter().skip(1).take(words).map(|word| word.load(Relaxed)));
        }
    }

    pub(super) fn zero(&self, index: u32) {
        let index = index as usize;
        if index < self.capacity {
            self.zero_words(index * self.width, self.width);
        }
    }

    pub(super) fn zero_all(&self) {
        self.zero_words(0, self.len() * self.width);
    }

    fn zero_words(&self, from: usize, count: usize) {
        for (lane, base) in self.threads.iter().zip(self.cleared().iter_mut()) {
            let words = lane.words().iter().skip(1 + from).take(count);
            words.for_each(|word| word.store(0, Relaxed));
            base.iter_mut().skip(from).take(count).for_each(|base| *base = 0);
        }
    }

    fn since_clear(&self, lane: &Region, base: &[u64], index: u32) -> [u64; 2] {
        let index = index as usize;
        if index >= self.capacity {
            return [0; 2];
        }
        let mut numbers = self.load(lane, index);
        let base = base.iter().skip(index * self.width).take(self.width);
        for (number, base) in numbers.iter_mut().zip(base) {
            *number = number.wrapping_sub(*base);
        }
        numbers
    }

    /// The numbers of an element, or of the lost one; the second is 0 when an element has one.
    fn load(&self, lane: &Region, index: usize) -> [u64; 2] {
        let mut numbers = [0; 2];
        let words = lane.words().iter().skip(self.word(index)).take(self.width);
        for (number, word) in numbers.iter_mut().zip(words) {
            *number = word.load(Relaxed);
        }
        numbers
    }

    /// Where in a thread's region an element starts: behind the vector's length.
    fn word(&self, index: usize) -> usize {
        1 + index * self.width
    }

    fn cleared(&self) -> MutexGuard<'_, Vec<Vec<u64>>> {
        self.cleared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The length lies in the last word of a pair of lines, so that the pointers start on the next one.
    pub(super) fn pointer_words(threads: usize) -> usize {
        LINE_PAIR + threads.next_multiple_of(LINE_PAIR)
    }

    /// The length lies in the last word of a pair of lines, so that the elements start on the next one.
    fn lane_words(width: usize, capacity: usize) -> usize {
        let elements = capacity.saturating_add(1).saturating_mul(width);
        elements.checked_next_multiple_of(LINE_PAIR).map_or(usize::MAX / 64, |n| n + LINE_PAIR)
    }
}

fn plus(a: [u64; 2], b: [u64; 2]) -> [u64; 2] {
    [a[0].wrapping_add(b[0]), a[1].wrapping_add(b[1])]
}
