//! The shared memory itself: a sealed memory file, mapped once, seen as 64-bit atomics and never as anything else.
#![allow(
    unsafe_code,
    reason = "the shared counter mapping: memfd calls, a raw mapping seen as atomics, prefetch"
)]

use core::sync::atomic::AtomicU64;
use memmap2::{Advice, MmapOptions, MmapRaw};
use std::{
    fs::File,
    io,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd},
        unix::fs::MetadataExt,
    },
    sync::Arc,
};

use super::SegmentPages;

/// Bytes in a word; every offset in the segment counts words.
pub(super) const WORD: usize = 8;

/// A memory file of fixed size in a shared mapping. Pages are zero and cost nothing until they are touched.
///
/// Safety argument of this module: the mapping is made once, covers the whole file, and lasts as long as this value.
/// The file is sealed against shrinking before anyone else can have it, so no page of the mapping can vanish. Its
/// memory is reached only through `&AtomicU64`, for which every bit pattern is valid, and no address is ever read back
/// from it; whatever another process did to the file could change numbers, never break memory safety.
#[derive(Debug)]
pub(super) struct Mapping {
    raw: MmapRaw,
    file: File,
}

impl Mapping {
    /// Makes and maps a file of `bytes`, rounded up to whole words, or to huge pages. These are the system's to give, all at
    /// once: a file of which it cannot have them all is refused here, and not missed when a page is touched.
    ///
    /// The file can be handed to other processes: it is sealed against resizing and against new writable mappings.
    pub(super) fn new(bytes: usize, pages: SegmentPages) -> io::Result<Arc<Self>> {
        let file = memory_file(pages)?;
        let unit = match pages {
            SegmentPages::Small => WORD,
            SegmentPages::Huge(_) => file.metadata()?.blksize() as usize,
        };
        let bytes = bytes.checked_next_multiple_of(unit).ok_or(io::ErrorKind::OutOfMemory)?;
        file.set_len(bytes as u64)?;
        let raw = MmapOptions::new().len(bytes).map_raw(&file)?;
        seal(&file)?;
        // A core dump would touch, and so allocate, all of the reserved space. Old kernels that cannot leave it out
        // only write larger dumps.
        let _: io::Result<()> = raw.advise(Advice::DontDump);
        Ok(Arc::new(Self { raw, file }))
    }

    /// Size in words.
    pub(super) fn words(&self) -> usize {
        self.raw.len() / WORD
    }

    /// The word at an offset.
    ///
    /// # Panics
    /// If `at` lies outside of the mapping. Offsets come from the segment's own allocator only.
    pub(super) fn word(&self, at: usize) -> &AtomicU64 {
        assert!(at < self.words(), "word {at} of a segment of {} words", self.words());
        let word = self.raw.as_mut_ptr().cast::<AtomicU64>().wrapping_add(at);
        // SAFETY: `word` is aligned (the mapping starts on a page, `at` counts words) and lies inside of the mapping,
        // which lasts at least as long as the borrow of `self`; the memory is only ever used as atomics.
        unsafe { &*word }
    }

    /// `len` words from `at`, to be kept beside the mapping.
    ///
    /// # Panics
    /// If the words lie outside of the mapping. Offsets come from the segment's own allocator only.
    pub(super) fn region(self: &Arc<Self>, at: usize, len: usize) -> Region {
        assert!(at.checked_add(len).is_some_and(|end| end <= self.words()), "{at} + {len} words");
        let start = self.raw.as_mut_ptr().cast_const().cast::<AtomicU64>().wrapping_add(at);
        Region { start, len, mapping: Arc::clone(self) }
    }

    /// Bytes of the file that are memory by now.
    pub(super) fn touched(&self) -> u64 {
        self.file.metadata().map_or(0, |file| file.blocks() * 512)
    }

    /// The file once more, opened for reading only.
    pub(super) fn read_only(&self) -> io::Result<File> {
        File::open(format!("/proc/self/fd/{}", self.file.as_raw_fd()))
    }
}

impl AsFd for Mapping {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Some words of a mapping, which it keeps alive. The address is at hand, so that a fast path pays for no indirection.
#[derive(Clone, Debug)]
pub(super) struct Region {
    start: *const AtomicU64,
    len: usize,
    mapping: Arc<Mapping>,
}

// SAFETY: a region is a reference to atomics in memory that `mapping`, which is Send and Sync, keeps mapped.
unsafe impl Send for Region {}
// SAFETY: as above; everything reachable through a shared region is an atomic.
unsafe impl Sync for Region {}

impl Region {
    /// The words.
    #[inline(always)]
    pub(super) fn words(&self) -> &[AtomicU64] {
        // SAFETY: `Mapping::region` checked that `start` and `len` lie inside of the mapping; `mapping` keeps it
        // mapped; the start is aligned to words, and the memory is only ever used as atomics.
        unsafe { core::slice::from_raw_parts(self.start, self.len) }
    }

    /// Offset of the first word from the start of the mapping.
    pub(super) fn offset(&self) -> usize {
        (self.start.addr() - self.mapping.raw.as_mut_ptr().addr()) / WORD
    }

    /// Some of the words.
    pub(super) fn part(&self, from: usize, len: usize) -> Self {
        self.mapping.region(self.offset() + from, len)
    }

    /// Asks the CPU to fetch the line of a word; any number will do, also one outside of the region.
    #[inline(always)]
    pub(super) fn prefetch(&self, word: usize) {
        prefetch(self.start.wrapping_add(word));
    }
}

#[inline(always)]
#[cfg(target_arch = "x86_64")]
fn prefetch(word: *const AtomicU64) {
    use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: a prefetch is a hint: it reads nothing that the program can see and never faults, whatever the address.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(word.cast()) };
}

#[inline(always)]
#[cfg(not(target_arch = "x86_64"))]
fn prefetch(_word: *const AtomicU64) {}

fn memory_file(pages: SegmentPages) -> io::Result<File> {
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    let flags = match pages {
        SegmentPages::Small => flags,
        SegmentPages::Huge(None) => flags | libc::MFD_HUGETLB,
        SegmentPages::Huge(Some(log2)) => {
            flags | libc::MFD_HUGETLB | libc::c_uint::from(log2) << libc::MAP_HUGE_SHIFT
        }
    };
    // SAFETY: the name is a C string constant, and the call touches no other memory.
    let fd = unsafe { libc::memfd_create(c"stat segment".as_ptr(), flags) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor, and nobody else knows it.
    Ok(unsafe { File::from_raw_fd(fd) })
}

fn seal(file: &File) -> io::Result<()> {
    let seals =
        libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_FUTURE_WRITE | libc::F_SEAL_SEAL;
    // SAFETY: F_ADD_SEALS takes an integer and touches no memory of ours; the descriptor is open.
    let result = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::sync::atomic::Ordering::Relaxed;
    use std::io::Write;

    #[test]
    fn whoever_gets_the_file_can_map_it_for_reading_only() {
        let mapping = Mapping::new(1 << 16, SegmentPages::Small).unwrap();
        mapping.word(3).store(77, Relaxed);
        let file = File::from(mapping.as_fd().try_clone_to_owned().unwrap());
        assert!(MmapOptions::new().map_raw(&file).is_err());
        assert!(file.set_len(1).is_err());
        let read_only = MmapOptions::new().map_raw_read_only(&file).unwrap();
        assert_eq!(read_only.len(), 1 << 16);
        let reopened = mapping.read_only().unwrap();
        assert!(MmapOptions::new().map_raw(&reopened).is_err() && (&reopened).write(b"x").is_err());
        assert_eq!(MmapOptions::new().map_raw_read_only(&reopened).unwrap().len(), 1 << 16);
        mapping.word(3).store(78, Relaxed);
        assert_eq!(mapping.region(3, 1).words()[0].load(Relaxed), 78);
    }

    #[test]
    fn reserved_space_costs_no_memory_until_it_is_touched() {
        let mapping = Mapping::new(16 << 30, SegmentPages::Small).unwrap();
        let file = File::from(mapping.as_fd().try_clone_to_owned().unwrap());
        assert_eq!(file.metadata().unwrap().blocks(), 0);
        mapping.word((8 << 30) / WORD).store(1, Relaxed);
        let bytes = mapping.touched();
        assert!((1..=2 << 20).contains(&bytes), "{bytes} bytes for one word");
    }

    #[test]
    fn a_region_keeps_its_memory_after_the_segment_is_gone() {
        let mapping = Mapping::new(4096, SegmentPages::Small).unwrap();
        let region = mapping.region(8, 8).part(2, 4);
        drop(mapping);
        assert_eq!(region.offset(), 10);
        region.words()[3].store(5, Relaxed);
        assert_eq!(region.words()[3].load(Relaxed), 5);
        region.prefetch(usize::MAX);
    }
}
