//! Frames: vectors of at most 256 packets.
//!
//! A frame owns the buffers whose indices it holds. Moving a frame moves the ownership; nothing in it is copied and no
//! destructor runs per packet. Only the framework puts indices in and takes them out.
//!
//! # Safety argument
//! The indices of all frames, magazines and holders of an engine are pairwise different (see [`crate::buffer`]). So an
//! exclusively borrowed frame gives exclusive access to each of its buffers, one `&mut` for each position.
#![allow(unsafe_code, reason = "an owned frame yields `&mut Buffer`")]

mod select;
mod waiting;

pub(crate) use select::{Picked, Selection};
pub use waiting::Waiting;

use crate::buffer::{
    Arena, Buffer, BufferFlags, BufferIndex, Magazine, Template,
    access::{buffer_mut, prefetch},
};

/// The most packets in one frame.
pub const FRAME_SIZE: usize = 256;

/// An owned vector of at most [`FRAME_SIZE`] packets.
pub struct Frame(Box<Vector>);

#[repr(C, align(64))]
struct Vector {
    len: usize,
    traced: bool,
    indices: [BufferIndex; FRAME_SIZE],
}

impl Default for Frame {
    fn default() -> Self {
        Self::new()
    }
}

impl Frame {
    /// An empty frame.
    #[must_use]
    pub fn new() -> Self {
        Self(Box::new(Vector { len: 0, traced: false, indices: [BufferIndex::NONE; FRAME_SIZE] }))
    }

    /// Number of packets.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len
    }

    /// Whether there are none.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.len == 0
    }

    /// Packets for which there is still room.
    #[inline]
    #[must_use]
    pub fn room(&self) -> usize {
        FRAME_SIZE - self.0.len
    }

    /// Whether at least one packet is traced.
    #[inline]
    #[must_use]
    pub fn is_traced(&self) -> bool {
        self.0.traced
    }

    /// The indices, in order.
    #[inline]
    #[must_use]
    pub fn indices(&self) -> &[BufferIndex] {
        // SAFETY: `len <= FRAME_SIZE` always.
        unsafe { self.0.indices.get_unchecked(..self.0.len) }
    }

    /// All places for indices; those behind [`Self::len`] hold what they held before.
    #[inline]
    pub(crate) fn places(&self) -> &[BufferIndex; FRAME_SIZE] {
        &self.0.indices
    }

    #[inline]
    pub(crate) fn set_traced(&mut self) {
        self.0.traced = true;
    }

    /// Appends as many of `indices` as there is room for; returns how many. The caller gives up what was appended.
    #[inline]
    pub(crate) fn append(&mut self, indices: &[BufferIndex], traced: bool) -> usize {
        let n = indices.len().min(self.room());
        let len = self.0.len;
        self.0.indices[len..len + n].copy_from_slice(&indices[..n]);
        self.0.len = len + n;
        self.0.traced |= traced;
        n
    }

    /// Takes `n` fresh buffers from `magazine` to the end of the frame; returns how many there were.
    #[inline]
    pub(crate) fn fill_from(&mut self, magazine: &mut Magazine, n: usize) -> usize {
        let len = self.0.len;
        let n = n.min(self.room());
        let got = magazine.take(&mut self.0.indices[len..len + n]);
        self.0.len = len + got;
        got
    }

    /// As [`Self::fill_from`]; the buffers are copies of `template`.
    #[inline]
    pub(crate) fn copies_from(
        &mut self,
        magazine: &mut Magazine,
        template: &mut Template,
        n: usize,
    ) -> usize {
        let len = self.0.len;
        let n = n.min(self.room());
        let got = magazine.take_copies(&mut self.0.indices[len..len + n], template);
        self.0.len = len + got;
        got
    }

    /// Gives all packets behind the first `keep` back to `magazine`.
    pub(crate) fn free_from(&mut self, magazine: &mut Magazine, keep: usize) {
        let keep = keep.min(self.0.len);
        let (_, rest) = self.indices().split_at(keep);
        magazine.give(rest);
        self.0.len = keep;
        self.0.traced &= keep > 0;
    }

    /// Puts `index`, which is in this frame, to the place `at`; see [`Self::shorten`].
    #[inline]
    pub(crate) fn keep(&mut self, at: usize, index: BufferIndex) {
        self.0.indices[at] = index;
    }

    /// Forgets the indices behind the first `n`, which the caller has moved elsewhere, and that packets are traced.
    #[inline]
    pub(crate) fn shorten(&mut self, n: usize) {
        self.0.len = n.min(self.0.len);
        self.0.traced = false;
    }

    /// Forgets the indices, which the caller has moved elsewhere.
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.0.len = 0;
        self.0.traced = false;
    }

    /// Access to the buffers of this frame, which all come from the arena at `base`.
    #[inline]
    pub(crate) fn buffers(&mut self, base: *mut u8) -> Buffers<'_> {
        let len = self.0.len;
        // SAFETY: `len <= FRAME_SIZE` always.
        let indices = unsafe { self.0.indices.get_unchecked_mut(..len) };
        Buffers { base, indices }
    }
}

/// The buffers of an exclusively borrowed frame.
pub struct Buffers<'f> {
    base: *mut u8,
    indices: &'f mut [BufferIndex],
}

impl<'f> Buffers<'f> {
    /// How many there are.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.indices.len()
    }

    /// Whether there are none.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }

    /// The buffers behind the first `n`.
    #[inline]
    #[must_use]
    pub fn behind(&mut self, n: usize) -> Buffers<'_> {
        let indices = self.indices.get_mut(n..).unwrap_or_default();
        Buffers { base: self.base, indices }
    }

    /// Bytes of all packets, from their current positions on.
    #[must_use]
    pub fn total_length(&mut self) -> u64 {
        let (flags, bytes) =
            self.iter_mut().fold((BufferFlags::empty(), 0), |(flags, bytes), buffer| {
                (flags | buffer.flags(), bytes + buffer.len() as u64)
            });
        if !flags.contains(BufferFlags::NEXT_PRESENT) {
            return bytes;
        }
        self.iter_mut().map(|buffer| buffer.length_in_chain() as u64).sum()
    }

    /// Buffer `i` of the frame.
    #[inline]
    #[must_use]
    pub fn get(&mut self, i: usize) -> Option<&mut Buffer> {
        let index = *self.indices.get(i)?;
        // SAFETY: the frame owns the index and is exclusively borrowed; the result borrows `self` exclusively.
        Some(unsafe { buffer_mut(self.base, index) })
    }

    /// As [`Self::get`], as long as the frame is borrowed.
    #[inline]
    pub(crate) fn into_nth(self, i: usize) -> Option<&'f mut Buffer> {
        let index = *self.indices.get(i)?;
        // SAFETY: as in `get`; the borrow of the frame is given up for it.
        Some(unsafe { buffer_mut(self.base, index) })
    }

    /// All buffers in order, for reading and writing, one after the other.
    #[inline]
    pub fn iter_mut(&mut self) -> impl ExactSizeIterator<Item = &mut Buffer> {
        let base = self.base;
        self.indices.iter().map(move |&index| {
            // SAFETY: the frame owns its indices, which are pairwise different, and is exclusively borrowed.
            unsafe { buffer_mut(base, index) }
        })
    }

    /// As [`Self::iter_mut`], asking the cache for the metadata and the first header of the buffer `AHEAD` positions further.
    #[inline]
    pub fn prefetched<const AHEAD: usize>(&mut self) -> impl ExactSizeIterator<Item = &mut Buffer> {
        let base = self.base;
        let indices = &*self.indices;
        indices.iter().enumerate().map(move |(i, &index)| {
            if let Some(&ahead) = indices.get(i + AHEAD) {
                let ahead = Arena::address(base, ahead);
                prefetch(ahead.cast());
                prefetch(Buffer::data_start(ahead));
            }
            // SAFETY: as in `iter_mut`.
            unsafe { buffer_mut(base, index) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buffer::BufferPool;

    #[test]
    fn a_frame_holds_256_packets_and_refuses_more() {
        let pool = BufferPool::new(600).unwrap();
        let mut magazine = Magazine::new(pool);
        let mut frame = Frame::new();
        assert_eq!(frame.fill_from(&mut magazine, 300), 256);
        assert_eq!(frame.room(), 0);
        let mut second = Frame::new();
        assert_eq!(second.fill_from(&mut magazine, 10), 10);
        let moved = second.indices().to_vec();
        assert_eq!(frame.append(&moved, false), 0);
        frame.free_from(&mut magazine, 0);
        second.free_from(&mut magazine, 0);
        magazine.publish();
        assert_eq!(magazine.pool().usage().used(), 0);
    }

    #[test]
    fn each_position_is_its_own_buffer() {
        let pool = BufferPool::new(300).unwrap();
        let mut magazine = Magazine::new(pool);
        let mut frame = Frame::new();
        frame.fill_from(&mut magazine, 256);
        let mut buffers = frame.buffers(magazine.base());
        for (i, b) in buffers.iter_mut().enumerate() {
            b.flow_hash = i as u32;
        }
        for (i, b) in buffers.prefetched::<4>().enumerate() {
            assert_eq!(b.flow_hash, i as u32);
        }
        assert!(buffers.get(256).is_none());
        frame.free_from(&mut magazine, 0);
    }
}
