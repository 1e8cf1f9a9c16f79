//! The sessions of a table: keys, what was counted for each, and the index by which they are found.
//!
//! The index is an open-addressing table of 8-byte slots: a session's number and all 32 bits of its hash, so that a key is
//! compared once, when it is almost certainly the right one. It is never more than three quarters full. All memory is
//! reserved when the table is made and taken page by page as sessions come, so that adding one allocates nothing and a
//! table has a known limit.
//!
//! One thread writes; the main thread reads the [`Pool`] whenever it wants to. Words are atomics with plain loads and
//! stores. A session is there when its hits are not 0, and they are stored last, with release: who sees them sees the key.
//! Only the main thread takes sessions away, while no worker runs, so a session does not change under its reader.

use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::Arc;

use zerocopy::{FromZeros, KnownLayout};

use super::mask::{Key, MAX_VECTORS};
use crate::{flow::hash::prefetch, runtime::EngineTime};

/// Names a session of a table, for as long as it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionIndex(pub u32);

/// There is no room for a further session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

/// The system grants no memory for a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no memory for the table")]
pub struct NoMemory;

/// Hits of a session by one thread, and the engine time of the last one.
type TallyWords = [AtomicU64; 2];

/// What was counted for a session by one thread.
#[derive(Clone, Copy)]
pub(super) struct Tally<'a>(&'a TallyWords);

impl Tally<'_> {
    /// Counts a packet. For the thread that owns it.
    #[inline(always)]
    pub(super) fn hit(self, now: EngineTime) {
        let Self([hits, _]) = self;
        self.set(hits.load(Ordering::Relaxed) + 1, now);
    }

    #[inline(always)]
    pub(super) fn set(self, n: u64, now: EngineTime) {
        let Self([hits, heard]) = self;
        heard.store(now.0, Ordering::Relaxed);
        hits.store(n, Ordering::Release);
    }

    /// Hits, and when the last one was.
    pub(super) fn get(self) -> (u64, EngineTime) {
        let Self([hits, heard]) = self;
        let hits = hits.load(Ordering::Acquire);
        (hits, EngineTime(heard.load(Ordering::Relaxed)))
    }
}

/// What a thread has counted for each of a table's configured sessions.
pub(super) struct Tallies(Box<[TallyWords]>);

impl Tallies {
    /// For `n` sessions.
    pub(super) fn new(n: usize) -> Result<Self, NoMemory> {
        zeroed(n).map(Self)
    }

    #[inline(always)]
    pub(super) fn tally(&self, SessionIndex(at): SessionIndex) -> Option<Tally<'_>> {
        self.0.get(at as usize).map(Tally)
    }
}

/// `n` of `T`, all zero, whose memory is taken when it is written.
fn zeroed<T: FromZeros>(n: usize) -> Result<Box<[T]>, NoMemory>
where
    [T]: KnownLayout<PointerMetadata = usize>,
{
    <[T]>::new_box_zeroed_with_elems(n).map_err(|_| NoMemory)
}

/// Keys and what was counted for them, to be read by anyone.
pub(super) struct Pool {
    /// A session's tally, then its key, so that they mostly share a cache line.
    words: Box<[AtomicU64]>,
    /// Vectors of a key.
    stride: usize,
    /// Sessions that there ever were at a time.
    end: AtomicUsize,
}

/// Words of a tally.
const TALLY: usize = 2;

impl Pool {
    /// What was counted for a session.
    #[inline(always)]
    pub(super) fn tally(&self, session: SessionIndex) -> Option<Tally<'_>> {
        self.session(session).first_chunk().map(Tally)
    }

    /// All sessions, in the order of their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (SessionIndex, Key, (u64, EngineTime))> {
        let end = self.end.load(Ordering::Acquire) as u32;
        (0..end).map(SessionIndex).filter_map(|session| {
            let counted = self.tally(session)?.get();
            (counted.0 > 0).then(|| (session, self.key(session), counted))
        })
    }

    const fn words_each(stride: usize) -> usize {
        TALLY + stride * 2
    }

    fn limit(&self) -> usize {
        self.words.len() / Self::words_each(self.stride)
    }

    fn key(&self, session: SessionIndex) -> Key {
        let mut vectors = [[0; 2]; MAX_VECTORS];
        for (vector, [a, b]) in vectors.iter_mut().zip(self.vectors(session)) {
            *vector = [a, b].map(|word| word.load(Ordering::Relaxed));
        }
        Key::from_vectors(&vectors[..self.stride])
    }

    fn set_key(&self, session: SessionIndex, key: &Key) {
        for ([a, b], [c, d]) in self.vectors(session).iter().zip(key.vectors(self.stride)) {
            a.store(*c, Ordering::Relaxed);
            b.store(*d, Ordering::Relaxed);
        }
    }

    #[inline(always)]
    fn has_key(&self, session: SessionIndex, key: &Key) -> bool {
        let pairs = self.vectors(session).iter().zip(key.vectors(self.stride));
        let differ = pairs.fold(0, |differ, ([a, b], [c, d])| {
            differ | (a.load(Ordering::Relaxed) ^ c) | (b.load(Ordering::Relaxed) ^ d)
        });
        differ == 0
    }

    #[inline(always)]
    fn vectors(&self, session: SessionIndex) -> &[[AtomicU64; 2]] {
        self.session(session)[TALLY..].as_chunks().0
    }

    #[inline(always)]
    fn session(&self, SessionIndex(at): SessionIndex) -> &[AtomicU64] {
        let each = Self::words_each(self.stride);
        &self.words[at as usize * each..][..each]
    }

    /// Asks for what the search for a session is likely to look at.
    #[inline(always)]
    fn prefetch(&self, SessionIndex(at): SessionIndex) {
        let each = Self::words_each(self.stride);
        let first = (at as usize).wrapping_mul(each);
        prefetch(self.words.as_ptr(), first);
        // The last word may lie in another line, and there is one in between for the longest.
        prefetch(self.words.as_ptr(), first.wrapping_add(each - 1));
    }
}

/// The writer's side: the index.
pub(super) struct Sessions {
    /// Hash in the upper half, number plus one in the lower; 0 is free.
    slots: Box<[u64]>,
    pool: Arc<Pool>,
    free: Vec<SessionIndex>,
    count: usize,
}

impl Sessions {
    /// Room for as many sessions of keys of `stride` vectors as fit into `bytes`.
    pub(super) fn new(stride: usize, bytes: usize) -> Result<Self, NoMemory> {
        let words_each = Pool::words_each(stride);
        let limit_of = |slots: usize| {
            let left = bytes.saturating_sub(slots * size_of::<u64>());
            (left / (words_each * size_of::<u64>())).min(slots / 4 * 3)
        };
        // The more slots, the fewer sessions fit beside them; the fewer, the fewer they can hold.
        let slots = (2..30).map(|log2| 1 << log2).max_by_key(|&n| limit_of(n)).unwrap_or(4);
        let limit = limit_of(slots);
        let words = zeroed(limit * words_each)?;
        let pool = Pool { words, stride, end: AtomicUsize::new(0) };
        Ok(Self { slots: zeroed(slots)?, pool: Arc::new(pool), free: Vec::new(), count: 0 })
    }

    /// What others read.
    pub(super) fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// Sessions there can be.
    pub(super) fn limit(&self) -> usize {
        self.pool.limit()
    }

    #[inline(always)]
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The session of `key`, whose hash is `hash`.
    #[inline(always)]
    pub(super) fn find(&self, key: &Key, hash: u32) -> Option<SessionIndex> {
        let at = self.slot_of(key, hash)?;
        Some(number(self.slots[at]))
    }

    /// Asks for the slot in which the search for `hash` begins.
    #[inline(always)]
    pub(super) fn prefetch_slot(&self, hash: u32) {
        prefetch(self.slots.as_ptr(), self.home(hash));
    }

    /// Asks for the session that the search for `hash` is likely to find.
    #[inline(always)]
    pub(super) fn prefetch_session(&self, hash: u32) {
        self.pool.prefetch(number(self.slots[self.home(hash)]));
    }

    /// Adds a session that has been hit so often, at least once; `key` must not be there.
    pub(super) fn insert(
        &mut self,
        key: &Key,
        hash: u32,
        hits: u64,
        heard: EngineTime,
    ) -> Result<SessionIndex, Full> {
        let end = self.pool.end.load(Ordering::Relaxed);
        let session = match self.free.pop() {
            Some(session) => session,
            None if end < self.limit() => SessionIndex(end as u32),
            None => return Err(Full),
        };
        self.pool.set_key(session, key);
        if let Some(tally) = self.pool.tally(session) {
            tally.set(hits, heard);
        }
        self.pool.end.store(end.max(session.0 as usize + 1), Ordering::Release);
        let mut at = self.home(hash);
        while self.slots[at] != 0 {
            at = self.after(at);
        }
        self.slots[at] = u64::from(hash) << 32 | u64::from(session.0 + 1);
        self.count += 1;
        Ok(session)
    }

    /// Takes a session away, and returns what was counted for it; its number will be another one's.
    pub(super) fn remove(
        &mut self,
        key: &Key,
        hash: u32,
    ) -> Option<(SessionIndex, (u64, EngineTime))> {
        let mut hole = self.slot_of(key, hash)?;
        let session = number(self.slots[hole]);
        // Those behind, up to the next free slot, that a search would not find any more past the hole move into it.
        let mut at = self.after(hole);
        while self.slots[at] != 0 {
            let distance = |from: usize| at.wrapping_sub(from) & (self.slots.len() - 1);
            let home = self.home((self.slots[at] >> 32) as u32);
            if distance(home) >= distance(hole) {
                self.slots[hole] = self.slots[at];
                hole = at;
            }
            at = self.after(at);
        }
        self.slots[hole] = 0;
        self.free.push(session);
        self.count -= 1;
        let tally = self.pool.tally(session)?;
        let counted = tally.get();
        tally.set(0, EngineTime(0));
        Some((session, counted))
    }

    /// The slot of `key`.
    #[inline(always)]
    fn slot_of(&self, key: &Key, hash: u32) -> Option<usize> {
        let mut at = self.home(hash);
        loop {
            let slot = self.slots[at];
            if slot == 0 {
                return None;
            }
            if (slot >> 32) as u32 == hash && self.pool.has_key(number(slot), key) {
                return Some(at);
            }
            at = self.after(at);
        }
    }

    #[inline(always)]
    fn home(&self, hash: u32) -> usize {
        hash as usize & (self.slots.len() - 1)
    }

    #[inline(always)]
    fn after(&self, slot: usize) -> usize {
        (slot + 1) & (self.slots.len() - 1)
    }
}

/// The number in a slot that is taken.
#[inline(always)]
fn number(slot: u64) -> SessionIndex {
    SessionIndex((slot as u32).wrapping_sub(1))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;
    use crate::classify::Mask;

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Insert(u8, u64),
        Remove(u8),
        Find(u8),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            2 => (any::<u8>(), 1..u64::MAX).prop_map(|(key, hits)| Step::Insert(key, hits)),
            1 => any::<u8>().prop_map(Step::Remove),
            1 => any::<u8>().prop_map(Step::Find),
        ]
    }

    proptest! {
        /// Few hashes, so that searches run through each other.
        #[test]
        fn sessions_are_those_of_a_hash_map(
            steps in prop::collection::vec(step(), 1..600), spread in 1_u32..64,
        ) {
            let mask = Mask::new(&[0xff], None, None).unwrap();
            let mut sessions = Sessions::new(1, 4096).unwrap();
            let mut twin: HashMap<u8, u64> = HashMap::new();
            prop_assert!(sessions.limit() > 50);
            for step in steps {
                let (Step::Insert(byte, _) | Step::Remove(byte) | Step::Find(byte)) = step;
                let key = mask.key_of(&[byte]);
                let hash = u32::from(byte) % spread;
                let found = sessions.find(&key, hash);
                let hits = found.map(|at| sessions.pool().tally(at).unwrap().get().0);
                prop_assert_eq!(hits, twin.get(&byte).copied());
                match step {
                    Step::Insert(_, hits) if found.is_none() => {
                        let is_full = twin.len() == sessions.limit();
                        let added = sessions.insert(&key, hash, hits, EngineTime(0));
                        prop_assert_eq!(added.is_err(), is_full);
                        if !is_full {
                            twin.insert(byte, hits);
                        }
                    }
                    Step::Remove(_) => {
                        let removed = sessions.remove(&key, hash).map(|(_, (hits, _))| hits);
                        prop_assert_eq!(removed, twin.remove(&byte));
                    }
                    Step::Insert(..) | Step::Find(_) => {}
                }
                prop_assert_eq!(sessions.count, twin.len());
            }
            let all = sessions.pool().iter().map(|(_, key, (hits, _))| (key.bytes(1)[0], hits));
            prop_assert_eq!(all.collect::<HashMap<_, _>>(), twin);
        }

        #[test]
        fn a_table_keeps_to_its_memory(stride in 1_usize..=5, bytes in 256_usize..1 << 22) {
            let sessions = Sessions::new(stride, bytes).unwrap();
            let used = sessions.slots.len() * 8 + sessions.limit() * (stride * 16 + 16);
            prop_assert!(used <= bytes && sessions.limit() < sessions.slots.len());
            prop_assert!(used >= bytes / 2, "{used} of {bytes}");
        }
    }
}
