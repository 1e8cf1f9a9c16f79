//! A buffer: 128 bytes of metadata, 128 of headroom, 2048 of data.
//!
//! # Safety argument
//! `current_data` and `current_length` are private and keep two invariants that every setter checks:
//! `-HEADROOM <= current_data`, and `current_data + current_length <= DATA_SIZE`. So the current bytes always lie inside
//! `bytes`, and a view of `size_of::<T>()` bytes needs one comparison with `current_length`, nothing else.
//! A buffer in a fresh arena is all zero, and zero is a valid value of every field.
#![allow(
    unsafe_code,
    reason = "typed views without a bounds check per field; see the safety argument above"
)]

use core::sync::atomic::{AtomicU16, Ordering};

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::{BufferFlags, BufferIndex, Offload};
use crate::{counter::ErrorIndex, interface::SwIfIndex, runtime::PacketTime};

/// Bytes before the data into which headers can be pushed.
pub const HEADROOM: usize = 128;
/// Bytes of data of one buffer; a larger packet is a chain.
pub const DATA_SIZE: usize = 2048;

/// One buffer of the arena: a packet, or a segment of one.
#[repr(C, align(64))]
pub struct Buffer {
    // First cache line: what every node looks at.
    current_data: i16,
    current_length: u16,
    flags: BufferFlags,
    next: BufferIndex,
    references: AtomicU16,
    /// Index into the engine's error heap; `error-drop` counts it.
    pub error: ErrorIndex,
    /// Interface that received the packet.
    pub rx: SwIfIndex,
    /// Interface that is to send it; before the lookup, the forwarding table to use, or [`SwIfIndex::NONE`].
    pub tx: SwIfIndex,
    /// Where the layer-2 header starts, counted as `current_data` is.
    pub l2_offset: i16,
    /// Where the layer-3 header starts.
    pub l3_offset: i16,
    /// Where the layer-4 header starts.
    pub l4_offset: i16,
    /// Kind of the outermost header of a captured packet, as a [`crate::wire`] link type number.
    pub link_type: u16,
    /// Position in the feature chain that the packet is on.
    pub feature: u32,
    /// Flow hash, where a node computed one.
    pub flow_hash: u32,
    /// Adjacency that the lookup chose.
    pub adjacency: u32,
    /// Octets of the packet on the wire, without FCS; more than `length_in_chain` when the capture cut it.
    pub wire_length: u32,
    /// When the packet was seen.
    pub time: PacketTime,
    /// Private to neighbouring nodes that agree on it.
    pub opaque: [u32; 2],

    // Second cache line: what few look at.
    pub(crate) trace: u32,
    /// Bytes in the buffers behind this one; of no meaning where there are none.
    tail_length: u32,
    /// What is still to be done to the packet; of meaning with [`BufferFlags::OFFLOAD`] alone, see [`Self::offload`].
    pub offload: Offload,
    /// What the datagram of a fragment begins with; of meaning with [`BufferFlags::LAYER4_NOTED`] alone.
    pub(crate) layer4: [u32; 2],
    /// Private to nodes that agree on it.
    pub opaque2: [u32; 9],

    bytes: [u8; HEADROOM + DATA_SIZE],
}

const _: () = {
    assert!(size_of::<Buffer>() == 128 + HEADROOM + DATA_SIZE);
    assert!(core::mem::offset_of!(Buffer, trace) == 64);
    assert!(core::mem::offset_of!(Buffer, bytes) == 128);
};

/// Half a cache line, as one register holds it.
#[cfg(all(target_arch = "x86_64", target_feature = "avx"))]
type Half = core::arch::x86_64::__m256i;
#[cfg(not(all(target_arch = "x86_64", target_feature = "avx")))]
type Half = [u64; 4];

/// The bytes of a cache line that are put into many buffers: they stay in registers from one to the next.
#[derive(Clone, Copy)]
pub(super) struct Line(Half, Half);

impl Line {
    #[inline(always)]
    pub(super) const fn new(bytes: [u8; 64]) -> Self {
        // SAFETY: of the same size, and any bytes are valid integers.
        let [first, second] = unsafe { core::mem::transmute::<[u8; 64], [Half; 2]>(bytes) };
        Self(first, second)
    }

    /// Puts the bytes to `place`.
    #[inline(always)]
    pub(super) fn put(self, place: &mut [u8; 64]) {
        let first = place.as_mut_ptr().cast::<Half>();
        // SAFETY: the first half of the 64 bytes, which are exclusively borrowed.
        unsafe { first.write_unaligned(self.0) };
        // SAFETY: the second half of them.
        unsafe { first.wrapping_add(1).write_unaligned(self.1) };
    }
}

impl Buffer {
    /// Offset of a header that was not looked for, or not found.
    pub const NOWHERE: i16 = i16::MIN;

    /// As it comes from the pool: empty, in no chain, received by nobody.
    pub(crate) const fn empty() -> Self {
        Self {
            current_data: 0,
            current_length: 0,
            flags: BufferFlags::empty(),
            next: BufferIndex::NONE,
            references: AtomicU16::new(1),
            error: ErrorIndex::NONE,
            rx: SwIfIndex::LOCAL0,
            tx: SwIfIndex::NONE,
            l2_offset: 0,
            l3_offset: 0,
            l4_offset: 0,
            link_type: 0,
            feature: 0,
            flow_hash: 0,
            adjacency: 0,
            wire_length: 0,
            time: PacketTime(0),
            opaque: [0; 2],
            trace: 0,
            tail_length: 0,
            offload: Offload::NONE,
            layer4: [0; 2],
            opaque2: [0; 9],
            bytes: [0; HEADROOM + DATA_SIZE],
        }
    }

    /// The first cache line of [`Self::empty`].
    pub(super) const EMPTY_HEAD: [u8; 64] = {
        let mut empty = Self::empty();
        empty.head()
    };

    /// The first cache line, to be put into other buffers.
    #[inline]
    pub(super) const fn head(&mut self) -> [u8; 64] {
        // SAFETY: the line is 64 bytes of integers without padding; the exclusive borrow keeps the atomic one among them still.
        unsafe { *core::ptr::from_mut(self).cast() }
    }

    /// Replaces the first cache line by `head`, that of another buffer.
    ///
    /// # Safety
    /// The other buffer was in no chain.
    #[inline]
    pub(super) unsafe fn set_head(&mut self, head: Line) {
        // SAFETY: the line is 64 bytes and exclusively borrowed; what comes in are the fields of another buffer, which keep
        // the invariants of this module.
        head.put(unsafe { &mut *core::ptr::from_mut(self).cast() });
    }

    /// All bytes behind the headroom, [`DATA_SIZE`] of them, whichever are current.
    #[inline]
    pub fn data_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[HEADROOM..]
    }

    /// What is known about the packet.
    #[inline]
    #[must_use]
    pub fn flags(&self) -> BufferFlags {
        self.flags
    }

    /// Notes `flags`. That of a chain is the framework's and is left alone.
    #[inline]
    pub fn set_flags(&mut self, flags: BufferFlags) {
        self.flags |= flags.difference(BufferFlags::NEXT_PRESENT);
    }

    /// Takes `flags` back. That of a chain is the framework's and is left alone.
    #[inline]
    pub fn clear_flags(&mut self, flags: BufferFlags) {
        self.flags &= !flags.difference(BufferFlags::NEXT_PRESENT);
    }

    /// Where the current bytes start, counted from the start of the data; negative in the headroom.
    #[inline]
    #[must_use]
    pub fn current_data(&self) -> i16 {
        self.current_data
    }

    /// Number of current bytes in this buffer.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.current_length as usize
    }

    /// Whether there are no current bytes in this buffer.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.current_length == 0
    }

    /// Number of bytes of the whole packet, from the current position on.
    #[inline]
    #[must_use]
    pub fn length_in_chain(&self) -> usize {
        // Out of line, so that the second cache line is not read for packets of one buffer.
        match self.flags.contains(BufferFlags::NEXT_PRESENT) {
            false => self.current_length as usize,
            true => self.length_with_tail(),
        }
    }

    #[cold]
    fn length_with_tail(&self) -> usize {
        self.current_length as usize + self.tail_length as usize
    }

    #[inline]
    fn start(&self) -> usize {
        (HEADROOM as isize + self.current_data as isize) as usize
    }

    /// The current bytes of this buffer.
    #[inline]
    #[must_use]
    pub fn current(&self) -> &[u8] {
        let start = self.start();
        // SAFETY: the invariants of this module keep `start .. start + current_length` inside `bytes`.
        unsafe { self.bytes.get_unchecked(start..start + self.current_length as usize) }
    }

    /// The current bytes of this buffer, to change in place.
    #[inline]
    pub fn current_mut(&mut self) -> &mut [u8] {
        let start = self.start();
        let end = start + self.current_length as usize;
        // SAFETY: the invariants of this module keep `start .. end` inside `bytes`.
        unsafe { self.bytes.get_unchecked_mut(start..end) }
    }

    /// The bytes from `offset` (counted as `current_data` is) to the end of the current ones: for a node that looks back
    /// at a header in front of the current position. Empty when `offset` lies outside.
    #[inline]
    #[must_use]
    pub fn from_offset(&self, offset: i16) -> &[u8] {
        let end = self.start() + self.current_length as usize;
        let start = HEADROOM as isize + offset as isize;
        usize::try_from(start).ok().and_then(|start| self.bytes.get(start..end)).unwrap_or(&[])
    }

    /// The header `T` at the current position; `None` when there are fewer bytes than it has.
    #[inline]
    #[must_use]
    pub fn view<T: FromBytes + KnownLayout + Immutable + Unaligned>(&self) -> Option<&T> {
        if size_of::<T>() > self.current_length as usize {
            return None;
        }
        // SAFETY: `start` is inside `bytes`, see the invariants.
        let at = unsafe { self.bytes.as_ptr().add(self.start()) };
        // SAFETY: `size_of::<T>()` bytes from `at` are current bytes, any bytes are a valid unaligned `T`, and the
        // result borrows `self`.
        Some(unsafe { &*at.cast::<T>() })
    }

    /// The header `T` at the current position, to change in place; `None` when there are fewer bytes than it has.
    #[inline]
    pub fn view_mut<T: FromBytes + IntoBytes + KnownLayout + Unaligned>(
        &mut self,
    ) -> Option<&mut T> {
        if size_of::<T>() > self.current_length as usize {
            return None;
        }
        let start = self.start();
        // SAFETY: `start` is inside `bytes`, see the invariants.
        let at = unsafe { self.bytes.as_mut_ptr().add(start) };
        // SAFETY: as in `view`; the result borrows `self` exclusively, and `T` has no padding.
        Some(unsafe { &mut *at.cast::<T>() })
    }

    /// Moves the current position forward over `n` bytes. Whether there were as many; if not, nothing changes.
    #[inline]
    #[must_use]
    pub fn advance(&mut self, n: usize) -> bool {
        if n > self.current_length as usize {
            return false;
        }
        // `n <= current_length <= DATA_SIZE + HEADROOM`, so both casts keep the value.
        self.current_data += n as i16;
        self.current_length -= n as u16;
        true
    }

    /// Moves the current position back over `n` bytes of headroom, whose content becomes current. Whether there was
    /// the room; if not, nothing changes.
    #[inline]
    #[must_use]
    pub fn push(&mut self, n: usize) -> bool {
        if n > self.start() {
            return false;
        }
        self.current_data -= n as i16;
        self.current_length += n as u16;
        true
    }

    /// Puts the last `N` bytes of `block` in front of the current bytes, and the others before them into the headroom, where they
    /// are of no meaning: one store. Whether there was room for all of it; if not, nothing changes.
    #[inline]
    #[must_use]
    pub fn prepend<const N: usize>(&mut self, block: [u8; 16]) -> bool {
        const { assert!(N <= 16) };
        let Some(at) = self.start().checked_sub(block.len()) else { return false };
        // `N <= start <= HEADROOM + DATA_SIZE`, so both casts keep the value.
        self.current_data -= N as i16;
        self.current_length += N as u16;
        // SAFETY: `start` is inside `bytes`, see the invariants, and `at` is 16 bytes before it and not before their start.
        let room = unsafe { self.bytes.as_mut_ptr().add(at) };
        // SAFETY: the 16 bytes from `at` to `start` are exclusively borrowed, and an array of bytes needs no alignment.
        unsafe { *room.cast::<[u8; 16]>() = block };
        true
    }

    /// Sets the current position to `offset`, counted as `current_data` is, keeping the end where it is. Whether that
    /// lies inside the buffer and not behind the end; if not, nothing changes.
    #[inline]
    #[must_use]
    pub fn rewind_to(&mut self, offset: i16) -> bool {
        let end = self.current_data as i32 + self.current_length as i32;
        if (offset as i32) < -(HEADROOM as i32) || offset as i32 > end {
            return false;
        }
        self.current_length = (end - offset as i32) as u16;
        self.current_data = offset;
        true
    }

    /// Shortens the current bytes of this buffer to `n`, where there are more.
    #[inline]
    pub fn truncate(&mut self, n: usize) {
        self.current_length = (self.current_length as usize).min(n) as u16;
    }

    /// Octets that fit behind the current ones.
    #[inline]
    #[must_use]
    pub fn room(&self) -> usize {
        HEADROOM + DATA_SIZE - self.start() - self.current_length as usize
    }

    /// Appends as many of `data` as fit behind the current bytes; returns how many.
    #[inline]
    pub fn append(&mut self, data: &[u8]) -> usize {
        let end = self.start() + self.current_length as usize;
        let n = data.len().min(HEADROOM + DATA_SIZE - end);
        self.bytes[end..end + n].copy_from_slice(&data[..n]);
        self.current_length += n as u16;
        n
    }

    /// Makes `n` more bytes current at the end, their content undefined, and returns them; `None` when there is no
    /// room. For builders that fill them at once.
    #[inline]
    pub fn extend(&mut self, n: usize) -> Option<&mut [u8]> {
        let end = self.start() + self.current_length as usize;
        let added = self.bytes.get_mut(end..end.checked_add(n)?)?;
        self.current_length += n as u16;
        Some(added)
    }

    /// Prefetches the line in which the packet's first header lies.
    #[inline]
    pub(crate) fn data_start(buffer: *const Self) -> *const u8 {
        buffer.cast::<u8>().wrapping_add(128 + HEADROOM)
    }

    #[inline]
    pub(crate) fn next(&self) -> BufferIndex {
        self.next
    }

    /// Makes `length` bytes current from `offset` on, counted as `current_data` is; none when they are not all inside.
    #[inline]
    pub(super) fn set_current(&mut self, offset: isize, length: usize) {
        let end = offset + length as isize;
        let inside = offset >= -(HEADROOM as isize) && end <= DATA_SIZE as isize;
        (self.current_data, self.current_length) =
            if inside { (offset as i16, length as u16) } else { (0, 0) };
    }

    /// Ends the packet with this segment; what was behind it is the caller's.
    pub(super) fn unlink(&mut self) {
        self.flags &= !BufferFlags::NEXT_PRESENT;
    }

    /// Whether several packets have this segment.
    pub(super) fn is_shared(&self) -> bool {
        self.references.load(Ordering::Acquire) > 1
    }

    /// Links `next` behind this segment.
    pub(crate) fn link(&mut self, next: BufferIndex) {
        self.next = next;
        self.flags |= BufferFlags::NEXT_PRESENT;
    }

    pub(crate) fn set_tail_length(&mut self, bytes: u32) {
        self.tail_length = bytes;
    }

    pub(crate) fn tail_length(&self) -> u32 {
        self.tail_length
    }

    /// One more packet has this segment in its chain.
    pub(crate) fn share(&self) {
        self.references.fetch_add(1, Ordering::Relaxed);
    }

    /// One packet less has this buffer; whether it was the last.
    pub(crate) fn release(&self) -> bool {
        // Acquire and release: whoever reuses the segment sees all reads of the others done.
        self.references.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// Takes over what describes the packet `from`, of which this one is a part that begins with the same headers, but not its
    /// chain, its trace or what is still to be done to it.
    pub fn describe_as(&mut self, from: &Self) {
        const OF_ITSELF: BufferFlags =
            BufferFlags::NEXT_PRESENT.union(BufferFlags::TRACED).union(BufferFlags::OFFLOAD);
        let behind = self.current_data.wrapping_sub(from.current_data);
        let place = |offset: i16| offset.wrapping_add(behind);
        self.flags = (self.flags & OF_ITSELF) | from.flags.difference(OF_ITSELF);
        (self.error, self.rx, self.tx) = (from.error, from.rx, from.tx);
        self.l2_offset = place(from.l2_offset);
        self.l3_offset = place(from.l3_offset);
        self.l4_offset = place(from.l4_offset);
        (self.link_type, self.feature) = (from.link_type, from.feature);
        (self.flow_hash, self.adjacency) = (from.flow_hash, from.adjacency);
        (self.time, self.layer4) = (from.time, from.layer4);
        (self.opaque, self.opaque2) = (from.opaque, from.opaque2);
    }

    /// Goes on with the trace of `from`, if that has one.
    pub fn trace_as(&mut self, from: &Self) {
        self.trace = from.trace;
        self.flags |= from.flags & BufferFlags::TRACED;
    }

    /// Takes over the bytes of the head `from`, those in front of the current ones included, and what describes the packet, but
    /// not its chain and not its trace.
    pub(crate) fn copy_from(&mut self, from: &Self) {
        self.current_data = from.current_data;
        self.current_length = from.current_length;
        let end = from.start() + from.current_length as usize;
        self.bytes[..end].copy_from_slice(&from.bytes[..end]);
        self.flags = from.flags.difference(BufferFlags::NEXT_PRESENT | BufferFlags::TRACED);
        self.error = from.error;
        self.rx = from.rx;
        self.tx = from.tx;
        self.l2_offset = from.l2_offset;
        self.l3_offset = from.l3_offset;
        self.l4_offset = from.l4_offset;
        self.link_type = from.link_type;
        self.feature = from.feature;
        self.flow_hash = from.flow_hash;
        self.adjacency = from.adjacency;
        self.time = from.time;
        self.opaque = from.opaque;
        self.wire_length = from.wire_length;
        self.offload = from.offload;
        self.layer4 = from.layer4;
        self.opaque2 = from.opaque2;
    }
}

#[cfg(test)]
mod tests;
