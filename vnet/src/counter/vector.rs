//! Counters of many elements, one vector a thread: the readers' side.

use super::{CombinedWriter, CounterError, SimpleWriter, ThreadIndex, lanes::Lanes, shared::Kind};
use core::marker::PhantomData;
use std::sync::Arc;

/// Packets and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
}

/// A counter vector with one number an element, such as `/if/drops`.
pub type Simple = CounterVector<u64>;

/// A counter vector with packets and bytes an element, such as `/if/rx`.
pub type Combined = CounterVector<Count>;

/// A counter vector: [`Simple`] or [`Combined`]. It is what control-plane code reads and where workers' writers are
/// taken; clones speak of the same counter.
#[derive(Clone, Debug)]
pub struct CounterVector<E> {
    lanes: Arc<Lanes>,
    element: PhantomData<E>,
}

impl<E: Element> CounterVector<E> {
    pub(super) fn new(lanes: Arc<Lanes>) -> Self {
        debug_assert_eq!(lanes.width(), E::WORDS);
        Self { lanes, element: PhantomData }
    }

    pub(super) fn lanes(&self) -> &Lanes {
        &self.lanes
    }

    #[cfg(test)]
    pub(super) fn at(&self) -> usize {
        self.lanes.at()
    }

    /// The sum of an element over all threads, since it was last cleared; 0 beyond the capacity.
    #[must_use]
    pub fn sum(&self, index: u32) -> E {
        E::from_words(self.lanes.sum(index))
    }

    /// The elements that readers see and that are not 0, with their sums.
    pub fn nonzero(&self) -> impl Iterator<Item = (u32, E)> {
        let all = (0..self.len() as u32).map(|index| (index, self.lanes.sum(index)));
        all.filter(|(_, words)| *words != [0; 2])
            .map(|(index, words)| (index, E::from_words(words)))
    }

    /// One thread's part of [`Self::sum`]; 0 for a thread that does not exist.
    #[must_use]
    pub fn per_thread(&self, thread: ThreadIndex, index: u32) -> E {
        E::from_words(self.lanes.per_thread(thread, index))
    }

    /// What was added to elements beyond the capacity, over all threads, since the counter was made.
    #[must_use]
    pub fn lost(&self) -> E {
        E::from_words(self.lanes.lost())
    }

    /// Elements that readers see.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lanes.len()
    }

    /// Whether readers see no element yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Makes at least `len` elements visible to readers. Nothing moves, nothing shrinks, and the epoch stays; a reader that takes
    /// the rows in their order finds none that is shorter than one before it.
    pub fn validate(&self, len: usize) -> Result<(), CounterError> {
        self.lanes.validate(len)
    }

    /// Starts all elements from 0, for the readers of this process: what is counted now is remembered and subtracted.
    /// The segment itself counts on, for only the workers write there.
    pub fn clear(&self) {
        self.lanes.clear();
    }

    /// Sets an element to 0 in the segment, because its index has a new owner. Only for an element that no thread is
    /// counting in: an addition at the same moment may survive, or bring the old value back.
    pub fn zero(&self, index: u32) {
        self.lanes.zero(index);
    }

    /// [`Self::zero`] for all elements, while no thread is counting.
    pub fn zero_all(&self) {
        self.lanes.zero_all();
    }
}

impl Simple {
    /// Takes a thread's writer. It comes back when the writer is dropped.
    pub fn writer(&self, thread: ThreadIndex) -> Result<SimpleWriter, CounterError> {
        Lanes::take(&self.lanes, thread).map(SimpleWriter)
    }
}

impl Combined {
    /// Takes a thread's writer. It comes back when the writer is dropped.
    pub fn writer(&self, thread: ThreadIndex) -> Result<CombinedWriter, CounterError> {
        Lanes::take(&self.lanes, thread).map(CombinedWriter)
    }
}

/// What a counter vector is made of: `u64` or [`Count`].
pub trait Element: Copy + Kind {
    #[doc(hidden)]
    const WORDS: usize;
    #[doc(hidden)]
    fn from_words(words: [u64; 2]) -> Self;
}

impl Element for u64 {
    const WORDS: usize = 1;
    fn from_words([number, _]: [u64; 2]) -> Self {
        number
    }
}

impl Element for Count {
    const WORDS: usize = 2;
    fn from_words([packets, bytes]: [u64; 2]) -> Self {
        Self { packets, bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counter::Segment;
    use core::sync::atomic::{AtomicBool, Ordering};
    use proptest::prelude::*;

    const WORKER: ThreadIndex = ThreadIndex(1);

    fn segment() -> Segment {
        Segment::with_size(3, 4 << 20).unwrap()
    }

    #[test]
    fn a_counter_has_one_writer_a_thread_at_a_time() {
        let counter = segment().simple("/t", 4).unwrap();
        let first = counter.writer(WORKER).unwrap();
        let second = counter.writer(WORKER);
        assert!(matches!(second, Err(CounterError::WriterTaken { thread: WORKER, .. })));
        assert!(counter.writer(ThreadIndex(2)).is_ok());
        assert!(matches!(
            counter.writer(ThreadIndex(3)),
            Err(CounterError::NoSuchThread { threads: 3, .. })
        ));
        first.add(0, 5);
        drop(first);
        counter.writer(WORKER).unwrap().add(0, 6);
        assert_eq!(counter.sum(0), 11);
    }

    #[test]
    fn what_is_counted_beyond_the_capacity_is_lost_by_number() {
        let mut segment = segment();
        let (simple, combined) =
            (segment.simple("/s", 4).unwrap(), segment.combined("/c", 4).unwrap());
        let (s, c) = (simple.writer(WORKER).unwrap(), combined.writer(WORKER).unwrap());
        for index in [4, 5, 1 << 20, u32::MAX] {
            s.add(index, 3);
            c.add(index, 1, 100);
            s.prefetch(index);
            c.prefetch(index);
        }
        assert_eq!((simple.lost(), combined.lost()), (12, Count { packets: 4, bytes: 400 }));
        assert!((0..4).all(|i| simple.sum(i) == 0 && combined.sum(i) == Count::default()));
        assert_eq!(simple.sum(4), 0);
        let lost: Vec<_> = segment.lost().map(|(name, count)| (name, count.packets)).collect();
        assert_eq!(lost, [("/s", 12), ("/c", 4)]);
    }

    #[test]
    fn growth_stops_at_what_was_reserved() {
        let counter = segment().simple("/t", 10).unwrap();
        counter.validate(10).unwrap();
        counter.validate(3).unwrap();
        assert_eq!(counter.len(), 10);
        let error = counter.validate(11).unwrap_err();
        assert_eq!(error.to_string(), "/t has room for 10 elements, not for 11");
    }

    #[test]
    fn a_new_owner_of_an_index_starts_from_zero() {
        let counter = segment().combined("/t", 4).unwrap();
        counter.validate(4).unwrap();
        let writer = counter.writer(WORKER).unwrap();
        writer.add(2, 7, 700);
        counter.clear();
        writer.add(2, 1, 1);
        counter.zero(2);
        assert_eq!(counter.sum(2), Count::default());
        writer.add(2, 2, 20);
        assert_eq!(counter.sum(2), Count { packets: 2, bytes: 20 });
    }

    #[test]
    fn sums_never_fall_while_workers_count_and_are_exact_in_the_end() {
        const ROUNDS: u64 = 20_000;
        let counter = segment().combined("/t", 64).unwrap();
        counter.validate(64).unwrap();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..3)
                .map(|thread| {
                    let writer = counter.writer(ThreadIndex(thread)).unwrap();
                    scope.spawn(move || {
                        for round in 0..ROUNDS {
                            writer.add((round % 64) as u32, 1, 64);
                        }
                    })
                })
                .collect();
            let reader = scope.spawn(|| {
                let mut before = Count::default();
                let mut steps = 0;
                while !done.load(Ordering::Acquire) {
                    let now = counter.sum(7);
                    assert!(now.packets >= before.packets && now.bytes >= before.bytes);
                    steps += u64::from(now != before);
                    before = now;
                }
                steps
            });
            for worker in workers {
                worker.join().unwrap();
            }
            done.store(true, Ordering::Release);
            reader.join().unwrap();
        });
        let packets: u64 = (0..64).map(|i| counter.sum(i).packets).sum();
        let bytes: u64 = (0..64).map(|i| counter.sum(i).bytes).sum();
        assert_eq!((packets, bytes), (3 * ROUNDS, 3 * ROUNDS * 64));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Add(u16, u32, u64),
        Clear,
        Zero(u32),
        ZeroAll,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            8 => (0..3_u16, 0..10_u32, any::<u64>()).prop_map(|(t, i, n)| Step::Add(t, i, n)),
            1 => Just(Step::Clear),
            1 => (0..10_u32).prop_map(Step::Zero),
            1 => Just(Step::ZeroAll),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn sums_and_clears_agree_with_a_plain_array(steps in prop::collection::vec(step(), 0..60)) {
            let counter = segment().simple("/t", 8).unwrap();
            counter.validate(8).unwrap();
            let writers = [0, 1, 2].map(|t| counter.writer(ThreadIndex(t)).unwrap());
            let mut naive = [[0_u64; 8]; 3];
            for step in steps {
                match step {
                    Step::Add(t, i, n) => {
                        writers[usize::from(t)].add(i, n);
                        if let Some(cell) = naive[usize::from(t)].get_mut(i as usize) {
                            *cell = cell.wrapping_add(n);
                        }
                    }
                    Step::Clear | Step::ZeroAll => {
                        match step {
                            Step::Clear => counter.clear(),
                            _ => counter.zero_all(),
                        }
                        naive = [[0; 8]; 3];
                    }
                    Step::Zero(i) => {
                        counter.zero(i);
                        for row in &mut naive {
                            row.iter_mut().skip(i as usize).take(1).for_each(|cell| *cell = 0);
                        }
                    }
                }
                for i in 0..8_u32 {
                    let column = naive.map(|row| row[i as usize]);
                    let sum = column.iter().fold(0, |a: u64, n| a.wrapping_add(*n));
                    prop_assert_eq!(counter.sum(i), sum);
                    for (t, n) in (0..).zip(column) {
                        prop_assert_eq!(counter.per_thread(ThreadIndex(t), i), n);
                    }
                }
            }
        }
    }
}
