//! Who has the free buffers: a depot for all threads, and a magazine for each.
//!
//! Free indices travel between the depot and the magazines in chunks of 256, so a thread meets the others once in 256
//! buffers, and then through a lock-free queue. A magazine holds two chunks (512 indices): a thread that takes and gives
//! around a chunk's edge does not bounce chunks.
//!
//! # Safety argument
//! Every index is in exactly one of: the depot, a magazine, a frame, a holder. `take` moves it out of the magazine before
//! anybody sees it, `give` is called only with indices that leave a frame or a holder. So whoever holds an index in a frame
//! is alone with its buffer, except for shared tail segments, of which only the atomic count is touched while shared.
#![allow(unsafe_code, reason = "turns owned indices into references")]

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use crossbeam_queue::ArrayQueue;

use super::{
    Arena, ArenaError, Buffer, BufferFlags, BufferIndex, PageKind, Template, metadata::Line,
};

/// Indices of one chunk.
const CHUNK: usize = 256;
/// Magazines that a pool can serve at the same time.
const MAX_MAGAZINES: usize = 256;

struct Chunk {
    len: usize,
    indices: [BufferIndex; CHUNK],
}

impl Chunk {
    fn empty() -> Box<Self> {
        Box::new(Self { len: 0, indices: [BufferIndex::NONE; CHUNK] })
    }
}

/// All buffers of an engine, and the free ones among them.
pub struct BufferPool {
    arena: Arena,
    full: ArrayQueue<Box<Chunk>>,
    empty: ArrayQueue<Box<Chunk>>,
    available: AtomicUsize,
    cached: AtomicUsize,
    exhausted: AtomicU64,
    #[cfg(debug_assertions)]
    owners: owners::Map,
}

/// How many buffers are where, as `show buffers` prints it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolUsage {
    /// All there are.
    pub total: usize,
    /// Free, in the depot.
    pub available: usize,
    /// Free, in the magazines of threads.
    pub cached: usize,
    /// Requests that found fewer free buffers than they asked for.
    pub exhausted: u64,
    /// What memory they lie in.
    pub pages: PageKind,
}

impl PoolUsage {
    /// Buffers that hold packets.
    #[must_use]
    pub fn used(&self) -> usize {
        self.total - self.available - self.cached
    }
}

impl BufferPool {
    /// A pool of `count` buffers, all free.
    ///
    /// # Errors
    /// When there is no arena of that size.
    pub fn new(count: u32) -> Result<Arc<Self>, ArenaError> {
        let arena = Arena::new(count)?;
        let chunks = (count as usize).div_ceil(CHUNK);
        let room = chunks + 2 * MAX_MAGAZINES;
        let pool = Self {
            full: ArrayQueue::new(room),
            empty: ArrayQueue::new(room),
            available: AtomicUsize::new(0),
            cached: AtomicUsize::new(0),
            exhausted: AtomicU64::new(0),
            #[cfg(debug_assertions)]
            owners: owners::Map::new(arena.slots()),
            arena,
        };
        let mut chunk = Chunk::empty();
        for index in pool.arena.indices() {
            chunk.indices[chunk.len] = index;
            chunk.len += 1;
            if chunk.len == CHUNK {
                pool.deposit(core::mem::replace(&mut chunk, Chunk::empty()));
            }
        }
        if chunk.len > 0 {
            pool.deposit(chunk);
        }
        Ok(Arc::new(pool))
    }

    /// The memory behind the pool.
    #[must_use]
    pub fn arena(&self) -> &Arena {
        &self.arena
    }

    /// How many buffers are where. Threads go on meanwhile, so the figures are each right and together approximate.
    #[must_use]
    pub fn usage(&self) -> PoolUsage {
        let total = self.arena.count() as usize;
        let cached = self.cached.load(Ordering::Relaxed).min(total);
        PoolUsage {
            total,
            available: self.available.load(Ordering::Relaxed).min(total - cached),
            cached,
            exhausted: self.exhausted.load(Ordering::Relaxed),
            pages: self.arena.pages(),
        }
    }

    fn deposit(&self, chunk: Box<Chunk>) {
        self.available.fetch_add(chunk.len, Ordering::Relaxed);
        // There are no more chunks than the queue has room for: all indices fill `chunks`, each magazine adds two.
        let pushed = self.full.push(chunk);
        debug_assert!(pushed.is_ok(), "more chunks than the pool made");
    }

    fn withdraw(&self) -> Option<Box<Chunk>> {
        let chunk = self.full.pop()?;
        self.available.fetch_sub(chunk.len, Ordering::Relaxed);
        Some(chunk)
    }
}

/// A thread's own free buffers. One thread uses it; it meets other threads once in 256 buffers.
pub struct Magazine {
    pool: Arc<BufferPool>,
    loaded: Box<Chunk>,
    spare: Box<Chunk>,
    published: usize,
}

impl Magazine {
    /// An empty magazine of `pool`. At most 256 may exist at a time.
    #[must_use]
    pub fn new(pool: Arc<BufferPool>) -> Self {
        Self { pool, loaded: Chunk::empty(), spare: Chunk::empty(), published: 0 }
    }

    /// The pool that the buffers come from.
    #[inline]
    #[must_use]
    pub fn pool(&self) -> &Arc<BufferPool> {
        &self.pool
    }

    #[inline]
    pub(crate) fn base(&self) -> *mut u8 {
        self.pool.arena.base()
    }

    /// Fills `out` from its start with free buffers, their metadata reset; returns how many there were.
    pub(crate) fn take(&mut self, out: &mut [BufferIndex]) -> usize {
        let done = self.remove(out);
        self.each(&out[..done], Line::new(Buffer::EMPTY_HEAD), |_| {});
        done
    }

    /// As [`Self::take`]; the buffers are copies of `template`.
    pub(crate) fn take_copies(
        &mut self,
        out: &mut [BufferIndex],
        template: &mut Template,
    ) -> usize {
        let done = self.remove(out);
        let head = Line::new(template.head());
        match template.lines() {
            // Small packets are most.
            &[line] => {
                let line = Line::new(line);
                self.each(&out[..done], head, |data| line.put(&mut data[0]));
            }
            lines => self.each(&out[..done], head, |data| {
                data[..lines.len()].copy_from_slice(lines);
            }),
        }
        done
    }

    /// Moves free indices to `out`, as many as it has room for or as there are.
    pub(super) fn remove(&mut self, out: &mut [BufferIndex]) -> usize {
        let mut done = 0;
        while done < out.len() {
            let n = (out.len() - done).min(self.loaded.len);
            let from = self.loaded.len - n;
            out[done..done + n].copy_from_slice(&self.loaded.indices[from..from + n]);
            self.loaded.len = from;
            done += n;
            if done < out.len() && !self.reload() {
                self.pool.exhausted.fetch_add(1, Ordering::Relaxed);
                break;
            }
        }
        done
    }

    /// Makes packets of buffers that have just left the magazine: `head` is their metadata, `fill` gets their data.
    #[inline]
    fn each(&mut self, taken: &[BufferIndex], head: Line, fill: impl Fn(&mut [[u8; 64]])) {
        let base = self.base();
        for &index in taken {
            #[cfg(debug_assertions)]
            self.pool.owners.take(index);
            // SAFETY: the index just left the magazine, so nobody else has this buffer.
            let buffer = unsafe { buffer_mut(base, index) };
            // SAFETY: `head` is that of an empty buffer or of a template, which are in no chain.
            unsafe { buffer.set_head(head) };
            fill(buffer.data_mut().as_chunks_mut().0);
        }
    }

    /// Puts a chunk that is not empty into `loaded`; whether there was one.
    #[cold]
    fn reload(&mut self) -> bool {
        if self.spare.len == 0 {
            let Some(full) = self.pool.withdraw() else { return false };
            let empty = core::mem::replace(&mut self.spare, full);
            let pushed = self.pool.empty.push(empty);
            debug_assert!(pushed.is_ok(), "more chunks than the pool made");
        }
        core::mem::swap(&mut self.loaded, &mut self.spare);
        self.publish();
        true
    }

    /// Gives packets back: each head with the chain behind it, as far as this packet was the last to have it.
    pub(crate) fn give(&mut self, heads: &[BufferIndex]) {
        let base = self.base();
        let flags = heads.iter().fold(BufferFlags::empty(), |flags, &index| {
            // SAFETY: the caller gives up an index that it owned, so nobody changes this buffer now.
            flags | unsafe { segment(base, index) }.flags()
        });
        if flags.contains(BufferFlags::NEXT_PRESENT) {
            heads.iter().for_each(|&index| self.give_chain(index));
        } else {
            self.put(heads);
        }
    }

    #[cold]
    fn give_chain(&mut self, head: BufferIndex) {
        let mut index = head;
        loop {
            // SAFETY: the head is given up by its owner; a segment behind it stays valid while this packet's count on it is
            // not released, and only its count and its immutable metadata are read.
            let buffer = unsafe { &*self.pool.arena.buffer(index) };
            let next = buffer.flags().contains(BufferFlags::NEXT_PRESENT).then(|| buffer.next());
            if !buffer.release() {
                // Another packet still has this segment and all behind it.
                return;
            }
            self.put(&[index]);
            let Some(next) = next else { return };
            index = next;
        }
    }

    /// Takes in buffers that nobody has any more.
    pub(super) fn put(&mut self, mut indices: &[BufferIndex]) {
        #[cfg(debug_assertions)]
        indices.iter().for_each(|&index| self.pool.owners.give(index));
        while !indices.is_empty() {
            if self.loaded.len == CHUNK {
                self.unload();
            }
            let len = self.loaded.len;
            let (now, later) = indices.split_at(indices.len().min(CHUNK - len));
            self.loaded.indices[len..len + now.len()].copy_from_slice(now);
            self.loaded.len = len + now.len();
            indices = later;
        }
    }

    /// Makes room in `loaded`.
    #[cold]
    fn unload(&mut self) {
        if self.spare.len > 0 {
            let empty = self.pool.empty.pop().unwrap_or_else(Chunk::empty);
            let full = core::mem::replace(&mut self.spare, empty);
            self.pool.deposit(full);
        }
        core::mem::swap(&mut self.loaded, &mut self.spare);
        self.publish();
    }

    /// Tells the pool how many free buffers lie here. Called when chunks change hands and when a thread goes idle, not for
    /// each packet.
    pub(crate) fn publish(&mut self) {
        let now = self.loaded.len + self.spare.len;
        self.pool.cached.fetch_add(now.wrapping_sub(self.published), Ordering::Relaxed);
        self.published = now;
    }
}

impl Drop for Magazine {
    fn drop(&mut self) {
        for chunk in [&mut self.loaded, &mut self.spare] {
            if chunk.len > 0 {
                self.pool.deposit(core::mem::replace(chunk, Chunk::empty()));
            }
        }
        self.publish();
    }
}

/// Asks for the cache line at `at`.
#[inline(always)]
pub(crate) fn prefetch(at: *const u8) {
    #[cfg(target_arch = "x86_64")]
    {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch has no effect on memory and never faults, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

/// The buffer at `index`, exclusively.
///
/// # Safety
/// The caller owns `index`, which came from the arena at `base`, and lends its exclusive access for `'a`.
#[inline(always)]
pub(crate) unsafe fn buffer_mut<'a>(base: *mut u8, index: BufferIndex) -> &'a mut Buffer {
    let buffer = Arena::address(base, index);
    // SAFETY: a buffer of an arena has an address. Said here, the compiler need not ask when iterators wrap the reference.
    unsafe { core::hint::assert_unchecked(!buffer.is_null()) };
    // SAFETY: by the contract the index names a buffer of this arena that nobody else reaches during `'a`.
    unsafe { &mut *buffer }
}

/// The tail segment at `index`, read-only.
///
/// # Safety
/// A packet that the caller owns has this segment in its chain during `'a`.
pub(crate) unsafe fn segment<'a>(base: *mut u8, index: BufferIndex) -> &'a Buffer {
    // SAFETY: by the contract the segment is not given back during `'a`; tails are not written once they are linked.
    unsafe { &*Arena::address(base, index) }
}

#[cfg(debug_assertions)]
mod owners {
    //! The ownership map of debug builds.

    use std::sync::atomic::{AtomicU8, Ordering};

    use super::{Arena, BufferIndex};

    const FREE: u8 = 0;
    const OWNED: u8 = 1;
    const LENT: u8 = 2;

    pub(super) struct Map(Box<[AtomicU8]>);

    impl Map {
        pub(super) fn new(slots: usize) -> Self {
            Self((0..slots).map(|_| AtomicU8::new(FREE)).collect())
        }

        fn change(&self, index: BufferIndex, from: u8, to: u8, what: &str) {
            let old = self.0[Arena::slot(index)].swap(to, Ordering::Relaxed);
            assert_eq!(old, from, "{what} of {index:?}");
        }

        pub(super) fn take(&self, index: BufferIndex) {
            self.change(index, FREE, OWNED, "buffer handed out twice: allocation");
        }

        pub(super) fn give(&self, index: BufferIndex) {
            self.change(index, OWNED, FREE, "double free");
        }

        pub(super) fn lend(&self, index: BufferIndex) {
            self.change(index, OWNED, LENT, "buffer is not the lender's: lending");
        }

        pub(super) fn come_back(&self, index: BufferIndex) {
            self.change(index, LENT, OWNED, "no device has it that comes back: return");
        }

        /// Panics unless `index` is owned by somebody.
        pub(super) fn check_owned(&self, index: BufferIndex) {
            assert_eq!(
                self.0[Arena::slot(index)].load(Ordering::Relaxed),
                OWNED,
                "stale {index:?}"
            );
        }

        pub(super) fn owned(&self) -> usize {
            self.0.iter().filter(|s| s.load(Ordering::Relaxed) != FREE).count()
        }
    }
}

#[cfg(debug_assertions)]
impl BufferPool {
    /// Panics when one of `indices` is free.
    pub(crate) fn check_owned(&self, indices: &[BufferIndex]) {
        for &index in indices {
            self.owners.check_owned(index);
        }
    }

    /// A free buffer goes to a device.
    pub(super) fn lend_free(&self, index: BufferIndex) {
        self.owners.take(index);
        self.owners.lend(index);
    }

    /// A buffer of a packet goes to a device.
    pub(super) fn lend_owned(&self, index: BufferIndex) {
        self.owners.lend(index);
    }

    /// A device gives a buffer back.
    pub(super) fn return_lent(&self, index: BufferIndex) {
        self.owners.come_back(index);
    }

    /// How many buffers somebody owns, counted one by one, those that devices have included.
    #[must_use]
    pub fn owned(&self) -> usize {
        self.owners.owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_buffer_can_be_taken_once_and_given_back() {
        let pool = BufferPool::new(1000).unwrap();
        let mut magazine = Magazine::new(pool.clone());
        let mut all = vec![BufferIndex::NONE; 1100];
        assert_eq!(magazine.take(&mut all), 1000);
        let mut numbers: Vec<u32> = all[..1000].iter().map(|i| i.0).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 1000);
        assert_eq!(pool.usage().exhausted, 1);
        magazine.give(&all[..1000]);
        magazine.publish();
        let usage = pool.usage();
        assert_eq!((usage.used(), usage.total), (0, 1000));
        drop(magazine);
        assert_eq!(pool.usage().available, 1000);
    }

    #[test]
    fn magazines_share_through_the_depot() {
        let pool = BufferPool::new(2048).unwrap();
        let mut a = Magazine::new(pool.clone());
        let mut b = Magazine::new(pool.clone());
        let mut held = vec![BufferIndex::NONE; 1024];
        for _ in 0..50 {
            assert_eq!(a.take(&mut held), 1024);
            b.give(&held);
        }
        drop((a, b));
        assert_eq!(pool.usage().available, 2048);
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "double free")]
    fn debug_builds_stop_at_a_double_free() {
        let pool = BufferPool::new(16).unwrap();
        let mut magazine = Magazine::new(pool);
        let mut one = [BufferIndex::NONE];
        magazine.take(&mut one);
        magazine.give(&one);
        magazine.give(&one);
    }
}
