//! Rings: of their two ends one is the kernel's and one ours. Each end has a word that says how far it has come.

use std::{
    io,
    marker::PhantomData,
    os::fd::AsRawFd,
    sync::atomic::{AtomicU32, Ordering},
};

use vnet::{
    host::RingMemory,
    zerocopy::{FromBytes, Immutable, IntoBytes},
};

/// What is in a ring: plain values.
pub(crate) trait Entry: Copy + Default + FromBytes + IntoBytes + Immutable {}

impl<E: Copy + Default + FromBytes + IntoBytes + Immutable> Entry for E {}

/// A ring in memory.
struct Ring<E> {
    memory: RingMemory,
    at: libc::xdp_ring_offset,
    size: u32,
    of: PhantomData<fn(E) -> E>,
}

impl<E: Entry> Ring<E> {
    /// Maps the ring of `size` entries, a power of two, that the kernel has at `page` of the socket.
    fn map(
        socket: &impl AsRawFd,
        page: u64,
        at: libc::xdp_ring_offset,
        size: u32,
    ) -> io::Result<Self> {
        debug_assert!(size.is_power_of_two());
        let length = at.desc as usize + size as usize * size_of::<E>();
        let memory = RingMemory::map(socket, page, length)?;
        let ring = Self { memory, at, size, of: PhantomData };
        // So that nobody need ask later.
        let words = [at.producer, at.consumer, at.flags];
        let are_inside = words.into_iter().all(|at| ring.memory.status(at as usize).is_some());
        if are_inside { Ok(ring) } else { Err(io::ErrorKind::InvalidData.into()) }
    }

    #[inline]
    fn word(&self, at: u64) -> Option<&AtomicU32> {
        self.memory.status(at as usize)
    }

    /// What a word of the kernel's says.
    #[inline]
    fn load(&self, at: u64) -> u32 {
        self.word(at).map_or(0, |word| word.load(Ordering::Acquire))
    }

    /// Tells the kernel how far this end has come.
    #[inline]
    fn store(&self, at: u64, value: u32) {
        if let Some(word) = self.word(at) {
            word.store(value, Ordering::Release);
        }
    }

    #[inline]
    fn place(&self, i: u32) -> usize {
        self.at.desc as usize + (i & (self.size - 1)) as usize * size_of::<E>()
    }
}

/// A ring that we put entries into.
pub(crate) struct Producer<E> {
    ring: Ring<E>,
    /// How far we have come, and what of that the kernel was told.
    next: u32,
    /// How far the kernel had come when it was last looked at.
    consumed: u32,
}

impl<E: Entry> Producer<E> {
    /// Maps the ring of `size` entries, a power of two, that the kernel has at `page` of the socket.
    pub(crate) fn map(
        socket: &impl AsRawFd,
        page: u64,
        at: libc::xdp_ring_offset,
        size: u32,
    ) -> io::Result<Self> {
        Ok(Self { ring: Ring::map(socket, page, at, size)?, next: 0, consumed: 0 })
    }

    /// For how many entries there is room, at least when there is less than for `wanted`.
    #[inline]
    pub(crate) fn room(&mut self, wanted: u32) -> u32 {
        let room = self.ring.size - self.next.wrapping_sub(self.consumed);
        if room >= wanted {
            return room;
        }
        self.consumed = self.ring.load(self.ring.at.consumer);
        self.ring.size - self.next.wrapping_sub(self.consumed)
    }

    /// Puts in an entry, for which there is room.
    #[inline]
    pub(crate) fn push(&mut self, entry: E) {
        let place = self.ring.place(self.next);
        let fits = self.ring.memory.write(place, entry.as_bytes());
        debug_assert!(fits, "entries lie inside");
        self.next = self.next.wrapping_add(1);
    }

    /// Shows the kernel what was put in.
    #[inline]
    pub(crate) fn publish(&self) {
        self.ring.store(self.ring.at.producer, self.next);
    }

    /// Entries that the kernel has not taken yet.
    pub(crate) fn waiting(&mut self) -> u32 {
        self.ring.size - self.room(u32::MAX)
    }

    /// The kernel does not look at the ring before it is told to.
    #[inline]
    pub(crate) fn needs_wakeup(&self) -> bool {
        self.ring.load(self.ring.at.flags) & libc::XDP_RING_NEED_WAKEUP != 0
    }

    pub(crate) fn size(&self) -> u32 {
        self.ring.size
    }
}

/// A ring that the kernel puts entries into.
pub(crate) struct Consumer<E> {
    ring: Ring<E>,
    next: u32,
    /// How far the kernel had come when it was last looked at.
    produced: u32,
}

impl<E: Entry> Consumer<E> {
    /// Maps the ring of `size` entries, a power of two, that the kernel has at `page` of the socket.
    pub(crate) fn map(
        socket: &impl AsRawFd,
        page: u64,
        at: libc::xdp_ring_offset,
        size: u32,
    ) -> io::Result<Self> {
        Ok(Self { ring: Ring::map(socket, page, at, size)?, next: 0, produced: 0 })
    }

    /// How many entries wait, at most those that `seek` last saw.
    #[inline]
    pub(crate) fn waiting(&self) -> u32 {
        self.produced.wrapping_sub(self.next)
    }

    /// Looks how many entries wait now.
    #[inline]
    pub(crate) fn seek(&mut self) -> u32 {
        self.produced = self.ring.load(self.ring.at.producer);
        self.waiting()
    }

    /// The entry `i` behind the first that waits; `None` when it does not wait.
    #[inline]
    pub(crate) fn peek(&self, i: u32) -> Option<E> {
        if i >= self.waiting() {
            return None;
        }
        self.ring.memory.get(self.ring.place(self.next.wrapping_add(i)))
    }

    /// Takes the first entry that waits.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<E> {
        let entry = self.peek(0)?;
        self.next = self.next.wrapping_add(1);
        Some(entry)
    }

    /// Gives the places of what was taken back to the kernel.
    #[inline]
    pub(crate) fn release(&self) {
        self.ring.store(self.ring.at.consumer, self.next);
    }

    pub(crate) fn size(&self) -> u32 {
        self.ring.size
    }
}
