//! The memory of a socket's ring, which the kernel and this process share.
//!
//! # Safety argument
//! The mapping lives as long as [`RingMemory`], and every access is checked to lie inside. It is never borrowed as bytes: status words
//! are only seen as atomics, everything else is copied in or out. Kernel and program take turns with a slot or block: its status
//! says whose it is, is stored with release by who gives it away, and loaded with acquire by who takes it. The owner of a
//! [`RingMemory`] keeps to that; should it fail to, or the kernel write what it has given away, the octets copied are garbage,
//! which is harmless because their meaning is checked after they were copied.
#![allow(unsafe_code, reason = "rings are memory that the kernel writes, too")]

use std::{io, os::fd::AsRawFd, ptr, sync::atomic::AtomicU32};

use memmap2::{MmapOptions, MmapRaw};
use zerocopy::{FromBytes, IntoBytes};

/// The memory of rings of a socket.
pub struct RingMemory(MmapRaw);

impl RingMemory {
    /// Maps `length` octets of a socket's rings, from `offset` on.
    ///
    /// # Errors
    /// When the kernel refuses, as it does where there is no such ring.
    pub fn map(socket: &impl AsRawFd, offset: u64, length: usize) -> io::Result<Self> {
        Ok(Self(MmapOptions::new().offset(offset).len(length).map_raw(socket.as_raw_fd())?))
    }

    /// The place of `length` octets from `at` on; `None` when they are not all inside.
    fn place(&self, at: usize, length: usize) -> Option<*mut u8> {
        let end = at.checked_add(length)?;
        // Wrapping, because no more is needed: what is inside is an address of the mapping.
        (end <= self.0.len()).then(|| self.0.as_mut_ptr().wrapping_add(at))
    }

    /// The word at `at` by which kernel and program tell each other whose turn it is; `None` when it is not inside.
    #[inline]
    #[must_use]
    pub fn status(&self, at: usize) -> Option<&AtomicU32> {
        let place =
            self.place(at, size_of::<u32>()).filter(|_| at.is_multiple_of(align_of::<u32>()))?;
        // SAFETY: inside the mapping, which outlives the borrow; aligned, since a mapping starts on a page; and this word is only
        // ever an atomic.
        Some(unsafe { AtomicU32::from_ptr(place.cast()) })
    }

    /// Copies the octets from `at` on; whether they are all inside.
    #[inline]
    pub fn read(&self, at: usize, into: &mut [u8]) -> bool {
        let Some(place) = self.place(at, into.len()) else { return false };
        // SAFETY: both are as long as `into`, which is exclusively borrowed and so not in the mapping.
        unsafe { ptr::copy_nonoverlapping(place, into.as_mut_ptr(), into.len()) };
        true
    }

    /// The value at `at`; `None` when it is not all inside.
    #[inline]
    #[must_use]
    pub fn get<T: FromBytes + IntoBytes>(&self, at: usize) -> Option<T> {
        let mut value = T::new_zeroed();
        self.read(at, value.as_mut_bytes()).then_some(value)
    }

    /// Copies octets to `at`; whether they fit.
    #[inline]
    pub fn write(&mut self, at: usize, from: &[u8]) -> bool {
        let Some(place) = self.place(at, from.len()) else { return false };
        // SAFETY: both are as long as `from`; the mapping is never borrowed, so `from` is not in it.
        unsafe { ptr::copy_nonoverlapping(from.as_ptr(), place, from.len()) };
        true
    }
}
