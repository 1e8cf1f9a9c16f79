//! Counters that the nodes of every thread count in.
//!
//! A writer belongs to one thread. What a plugin registers is counted by nodes, of which each thread has an instance, so
//! every thread takes its writer when it is set up, and a node names the counter when it counts.

use super::{
    CombinedWriter, CounterError, CounterVector, Element, Segment, Simple, SimpleWriter,
    ThreadIndex,
    vector::{Combined, Count},
};
use core::ops::Deref;

/// A counter of a plugin, made by [`Registrar::counter`](crate::plugin::Registrar::counter): `Counter<u64>` has numbers,
/// `Counter<Count>` has packets and bytes. Nodes add to it with [`PacketCx::add`](crate::graph::PacketCx::add); everybody
/// else reads it as the [`CounterVector`] that it stands for. Clones are the same counter.
#[derive(Clone, Debug)]
pub struct Counter<E> {
    vector: CounterVector<E>,
    /// Where each thread has its writer.
    pub(super) slot: usize,
}

impl<E> Deref for Counter<E> {
    type Target = CounterVector<E>;

    fn deref(&self) -> &Self::Target {
        &self.vector
    }
}

/// All counters that were registered.
#[derive(Default)]
pub struct Counters {
    pub(super) simple: Vec<Simple>,
    pub(super) combined: Vec<Combined>,
}

/// A thread's writers of them.
pub struct Writers {
    pub(super) simple: Vec<SimpleWriter>,
    pub(super) combined: Vec<CombinedWriter>,
}

impl Counters {
    /// Registers a counter, all of whose elements readers see at once.
    pub(crate) fn add<E: Element>(
        &mut self,
        segment: &mut Segment,
        name: &str,
        elements: usize,
    ) -> Result<Counter<E>, CounterError> {
        let counter = self.reserve(segment, name, elements)?;
        counter.validate(elements)?;
        Ok(counter)
    }

    /// Registers a counter of which readers see no element yet.
    pub(crate) fn reserve<E: Element>(
        &mut self,
        segment: &mut Segment,
        name: &str,
        capacity: usize,
    ) -> Result<Counter<E>, CounterError> {
        let vector = E::register(segment, name, capacity)?;
        let slot = E::keep(self, vector.clone());
        Ok(Counter { vector, slot })
    }

    /// Takes the writers of a thread.
    pub(crate) fn writers(&self, thread: ThreadIndex) -> Result<Writers, CounterError> {
        Ok(Writers {
            simple: self.simple.iter().map(|c| c.writer(thread)).collect::<Result<_, _>>()?,
            combined: self.combined.iter().map(|c| c.writer(thread)).collect::<Result<_, _>>()?,
        })
    }
}

impl Writers {
    /// Adds `amount` to element `index` of `counter`.
    #[inline]
    pub(crate) fn add<E: Element>(&self, counter: &Counter<E>, index: u32, amount: E) {
        E::write(self, counter.slot, index, amount);
    }

    /// Asks for element `index` of `counter`.
    #[inline]
    pub(crate) fn prefetch<E: Element>(&self, counter: &Counter<E>, index: u32) {
        E::prefetch(self, counter.slot, index);
    }
}

/// What the two kinds of counters do differently.
pub trait Kind: Sized {
    /// Registers a counter of this kind.
    fn register(
        segment: &mut Segment,
        name: &str,
        elements: usize,
    ) -> Result<CounterVector<Self>, CounterError>;

    /// Remembers it for the threads to come, and says where.
    fn keep(counters: &mut Counters, vector: CounterVector<Self>) -> usize;

    /// Adds to the element of a counter.
    fn write(writers: &Writers, slot: usize, index: u32, amount: Self);

    /// Asks for the element of a counter.
    fn prefetch(writers: &Writers, slot: usize, index: u32);
}

impl Kind for u64 {
    fn register(
        segment: &mut Segment,
        name: &str,
        elements: usize,
    ) -> Result<Simple, CounterError> {
        segment.simple(name, elements)
    }

    fn keep(counters: &mut Counters, vector: Simple) -> usize {
        counters.simple.push(vector);
        counters.simple.len() - 1
    }

    #[inline]
    fn write(writers: &Writers, slot: usize, index: u32, n: Self) {
        if let Some(writer) = writers.simple.get(slot) {
            writer.add(index, n);
        }
    }

    #[inline]
    fn prefetch(writers: &Writers, slot: usize, index: u32) {
        if let Some(writer) = writers.simple.get(slot) {
            writer.prefetch(index);
        }
    }
}

impl Kind for Count {
    fn register(
        segment: &mut Segment,
        name: &str,
        elements: usize,
    ) -> Result<Combined, CounterError> {
        segment.combined(name, elements)
    }

    fn keep(counters: &mut Counters, vector: Combined) -> usize {
        counters.combined.push(vector);
        counters.combined.len() - 1
    }

    #[inline]
    fn write(writers: &Writers, slot: usize, index: u32, Self { packets, bytes }: Self) {
        if let Some(writer) = writers.combined.get(slot) {
            writer.add(index, packets, bytes);
        }
    }

    #[inline]
    fn prefetch(writers: &Writers, slot: usize, index: u32) {
        if let Some(writer) = writers.combined.get(slot) {
            writer.prefetch(index);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_thread_counts_and_the_counter_is_their_sum() {
        let mut segment = Segment::with_size(2, 4 << 20).unwrap();
        let mut counters = Counters::default();
        let hits: Counter<u64> = counters.add(&mut segment, "/p/hits", 2).unwrap();
        let misses: Counter<u64> = counters.add(&mut segment, "/p/misses", 2).unwrap();
        let seen: Counter<Count> = counters.add(&mut segment, "/p/seen", 2).unwrap();
        for thread in [0, 1] {
            let writers = counters.writers(ThreadIndex(thread)).unwrap();
            writers.add(&hits, 1, 2);
            writers.add(&misses, 1, 5);
            writers.add(&seen, 0, Count { packets: 1, bytes: 64 });
        }
        assert_eq!((hits.sum(1), misses.sum(1), hits.len()), (4, 10, 2));
        assert_eq!(seen.sum(0), Count { packets: 2, bytes: 128 });
    }

    #[test]
    fn a_name_is_registered_once() {
        let mut segment = Segment::with_size(1, 4 << 20).unwrap();
        let mut counters = Counters::default();
        counters.add::<u64>(&mut segment, "/p/hits", 2).unwrap();
        let again = counters.add::<Count>(&mut segment, "/p/hits", 2).unwrap_err();
        assert!(again.to_string().contains("/p/hits"), "{again}");
    }
}
