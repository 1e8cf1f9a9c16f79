//! The one mapping in which all buffers of an engine lie.
//!
//! # Safety argument
//! The mapping lives as long as the `Arena`, is never moved, and is only reached through [`Arena::buffer`], which turns an
//! index into a pointer. Slots do not overlap, so two different indices give disjoint buffers; who may turn the pointer
//! into a reference is the business of the frame and pool modules, which own the indices.
#![allow(unsafe_code, reason = "the arena is shared between threads by index")]

use std::{fmt, fs, io};

use memmap2::{Advice, MmapMut, MmapOptions, MmapRaw};
use thiserror::Error;

use super::{Buffer, BufferIndex};

/// Bytes that an index counts: as many as the processor multiplies by when it computes an address, so that an index is one
/// without a shift.
const UNIT: usize = 8;
/// Bytes from one slot to the next: an odd number of cache lines, so that the same field of neighbouring buffers falls into
/// different cache sets.
const SLOT: usize = 37 * 64;
/// The same as a number of units.
const STRIDE: u32 = (SLOT / UNIT) as u32;
const HUGE: usize = 2 << 20;

const _: () = assert!(size_of::<Buffer>() <= SLOT && SLOT.is_multiple_of(UNIT));

/// What pages the arena lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageKind {
    /// Reserved 2 MiB pages.
    Huge,
    /// Ordinary memory that the kernel was asked to back by 2 MiB pages.
    TransparentHuge,
    /// 4 KiB pages.
    Small,
}

impl fmt::Display for PageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Huge => "huge pages (2M)",
            Self::TransparentHuge => "transparent huge pages",
            Self::Small => "small pages (4K)",
        })
    }
}

/// Why there is no arena.
#[derive(Debug, Error)]
pub enum ArenaError {
    /// The count cannot be addressed.
    #[error("{0} buffers asked for: the number must be between 1 and {max}", max = Arena::MAX_BUFFERS)]
    Count(u32),
    /// The kernel gave no memory.
    #[error("no memory for {count} buffers ({bytes} bytes): {source}")]
    Map {
        /// Buffers asked for.
        count: u32,
        /// Bytes asked for.
        bytes: usize,
        /// What the kernel said.
        source: io::Error,
    },
}

/// Memory for a fixed number of buffers.
pub struct Arena {
    // Keeps the mapping alive; `base` points into it.
    _map: MmapRaw,
    base: *mut u8,
    count: u32,
    slots: u32,
    pages: PageKind,
}

// SAFETY: `base` points to memory that the arena owns for its whole life; access to it is by owned index only.
unsafe impl Send for Arena {}
// SAFETY: as above; `Arena` itself hands out raw pointers and reads nothing.
unsafe impl Sync for Arena {}

impl Arena {
    /// The most buffers that an index of 32 bits can address.
    pub const MAX_BUFFERS: u32 = u32::MAX / STRIDE / 886 * 885;

    /// Maps room for `count` buffers, in the largest pages that are to be had.
    ///
    /// # Errors
    /// When `count` is 0 or above [`Self::MAX_BUFFERS`], or the kernel gives no memory.
    pub fn new(count: u32) -> Result<Self, ArenaError> {
        if count == 0 || count > Self::MAX_BUFFERS {
            return Err(ArenaError::Count(count));
        }
        let bytes = (slots(count) as usize * SLOT).next_multiple_of(HUGE);
        let error = |source| ArenaError::Map { count, bytes, source };
        if let Ok(map) = MmapOptions::new().len(bytes).huge(Some(21)).map_anon() {
            return Ok(Self::over(map, count, PageKind::Huge));
        }
        // One huge page more, so that the first buffer can lie on a 2 MiB boundary.
        let map = MmapOptions::new().len(bytes + HUGE).map_anon().map_err(error)?;
        let pages = if transparent_huge_pages() && map.advise(Advice::HugePage).is_ok() {
            PageKind::TransparentHuge
        } else {
            PageKind::Small
        };
        Ok(Self::over(map, count, pages))
    }

    fn over(map: MmapMut, count: u32, pages: PageKind) -> Self {
        let map = MmapRaw::from(map);
        let start = map.as_mut_ptr();
        let base = start.wrapping_add(start.align_offset(HUGE));
        Self { _map: map, base, count, slots: slots(count), pages }
    }

    /// How many buffers there are.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// What pages they lie in.
    #[must_use]
    pub fn pages(&self) -> PageKind {
        self.pages
    }

    /// Where the buffers lie, and how many octets of memory there are from there on: whole pages.
    #[must_use]
    pub fn memory(&self) -> (*mut u8, usize) {
        (self.base, (self.slots as usize * SLOT).next_multiple_of(HUGE))
    }

    /// How many slots there are. Those of which a part would lie in another huge page are no buffers, so that each buffer is
    /// one piece to a device, too.
    pub(crate) fn slots(&self) -> usize {
        self.slots as usize
    }

    /// The indices of all buffers, in order.
    pub(crate) fn indices(&self) -> impl Iterator<Item = BufferIndex> + use<> {
        (0..self.slots as usize).filter(|&slot| !is_split(slot)).map(Self::index)
    }

    /// What names a slot.
    pub(super) fn index(slot: usize) -> BufferIndex {
        BufferIndex(slot as u32 * STRIDE)
    }

    /// Which slot an index names.
    #[inline]
    pub(super) fn slot(index: BufferIndex) -> usize {
        (index.0 / STRIDE) as usize
    }

    /// How many octets from the first slot `index` lies.
    #[inline]
    pub(super) fn offset(index: BufferIndex) -> u64 {
        u64::from(index.0) * UNIT as u64
    }

    /// The inverse of [`Self::offset`]; `None` where no slot begins.
    #[inline]
    pub(super) fn at_offset(octets: u64) -> Option<BufferIndex> {
        let index = u32::try_from(octets / UNIT as u64).ok()?;
        octets.is_multiple_of(SLOT as u64).then_some(BufferIndex(index))
    }

    /// Where buffer `index` lies. The pointer is good for the arena's life if the index came from this arena.
    #[inline]
    pub(crate) fn buffer(&self, index: BufferIndex) -> *mut Buffer {
        Self::address(self.base, index)
    }

    /// As [`Self::buffer`], for loops that keep the base in a register.
    #[inline]
    pub(crate) fn address(base: *mut u8, index: BufferIndex) -> *mut Buffer {
        base.wrapping_add(index.0 as usize * UNIT).cast()
    }

    /// Where buffer 0 lies.
    #[inline]
    pub(crate) fn base(&self) -> *mut u8 {
        self.base
    }
}

/// Whether a slot lies in two huge pages.
fn is_split(slot: usize) -> bool {
    slot * SLOT / HUGE != (slot * SLOT + SLOT - 1) / HUGE
}

/// How many slots hold `count` buffers.
fn slots(count: u32) -> u32 {
    let mut slots = count as usize;
    let mut boundary = HUGE;
    while boundary < slots * SLOT {
        slots += usize::from(!boundary.is_multiple_of(SLOT));
        boundary += HUGE;
    }
    slots as u32
}

/// Whether the kernel backs advised memory by huge pages.
fn transparent_huge_pages() -> bool {
    fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled")
        .is_ok_and(|s| s.contains("[always]") || s.contains("[madvise]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_do_not_overlap_and_lie_inside() {
        let arena = Arena::new(100).unwrap();
        let mut last = arena.base() as usize;
        for (i, index) in arena.indices().enumerate() {
            let at = arena.buffer(index) as usize;
            assert_eq!(at % 64, 0);
            assert!(i == 0 || at >= last + size_of::<Buffer>());
            last = at;
        }
        assert!(last + size_of::<Buffer>() <= arena.base() as usize + 100 * SLOT);
    }

    #[test]
    fn a_buffer_lies_in_one_huge_page() {
        for count in [885, 886, 10_000, 100_000, Arena::MAX_BUFFERS] {
            let slots = slots(count) as usize;
            let whole = (0..slots).filter(|&slot| !is_split(slot)).count();
            assert_eq!(whole, count as usize);
            assert!(slots <= (u32::MAX / STRIDE) as usize && !is_split(slots - 1));
        }
        let arena = Arena::new(2000).unwrap();
        assert_eq!(arena.indices().count(), 2000);
        let (base, octets) = arena.memory();
        for index in arena.indices() {
            let at = arena.buffer(index) as usize - base as usize;
            assert_eq!(at / HUGE, (at + size_of::<Buffer>() - 1) / HUGE);
            assert!(at + SLOT <= octets);
        }
    }

    #[test]
    fn a_count_that_cannot_be_addressed_is_refused() {
        assert!(matches!(Arena::new(0), Err(ArenaError::Count(0))));
        assert!(matches!(Arena::new(u32::MAX), Err(ArenaError::Count(_))));
    }
}
