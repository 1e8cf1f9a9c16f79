//! Fixed-size tables of atomics in lazily backed memory, and prefetch: the only unsafe code of the forwarding state.
//!
//! A table reserves address space for all of its elements and takes a page of memory when an element of that page is
//! first written. Its address never changes, so that readers need no lock to follow the writer's growth.

#![allow(
    unsafe_code,
    reason = "the view of an anonymous mapping as an array, and the prefetch instruction"
)]

use core::marker::PhantomData;
use core::mem::{align_of, needs_drop, size_of};
use core::ops::Deref;
use std::io;

use memmap2::{Advice, MmapOptions, MmapRaw};
use zerocopy::FromZeros;

use crate::huge_pages::{HUGE_PAGE, collapse};

/// `N` elements of `T`, all zero at first, at an address that never changes. Memory is taken page by page, by the
/// first write to a page; reads of untouched pages see the system's shared zero page.
pub(crate) struct Zeroed<T, const N: usize> {
    map: MmapRaw,
    elements: PhantomData<[T; N]>,
}

impl<T: FromZeros, const N: usize> Zeroed<T, N> {
    const BYTES: usize = {
        assert!(N > 0 && size_of::<T>() > 0, "a table has elements");
        assert!(align_of::<T>() <= 4096, "a mapping is aligned to a page, and no more");
        assert!(!needs_drop::<T>(), "unmapping runs no destructors");
        assert!(N <= isize::MAX as usize / size_of::<T>(), "an array is no larger than isize::MAX");
        N * size_of::<T>()
    };

    /// Reserves the table. Fails when the system grants no address space.
    pub(crate) fn new() -> io::Result<Self> {
        let map = MmapOptions::new().len(Self::BYTES).no_reserve_swap().map_anon()?;
        Ok(Self { map: map.into(), elements: PhantomData })
    }

    /// Reserves the table and asks for huge pages, for tables that fill from their start: at most one huge page is
    /// then in part unused, and one translation serves 2 MiB of elements.
    pub(crate) fn new_dense() -> io::Result<Self> {
        let table = Self::new()?;
        // Kernels without transparent huge pages refuse the advice; small pages are correct, only slower.
        let _: io::Result<()> = table.map.advise(Advice::HugePage);
        Ok(table)
    }
}

impl<T: FromZeros, const N: usize> Zeroed<T, N> {
    /// Moves the part of the table that would be huge page number `page` to one. For sparse tables that came to hold much: one
    /// translation then serves 2 MiB. Takes up to a millisecond, in which readers and writers may go on; a number behind the table's
    /// end costs nothing.
    pub(crate) fn collapse(&self, page: usize) {
        if page == 0 {
            let _: io::Result<()> = self.map.advise(Advice::HugePage);
        }
        // What lies before the first whole huge page of the mapping stays.
        let first = self.map.as_ptr().align_offset(HUGE_PAGE);
        let start = first.saturating_add(page.saturating_mul(HUGE_PAGE));
        if start.checked_add(HUGE_PAGE).is_some_and(|end| end <= Self::BYTES) {
            collapse(self.map.as_ptr().wrapping_add(start), HUGE_PAGE);
        }
    }
}

impl<T: FromZeros, const N: usize> Deref for Zeroed<T, N> {
    type Target = [T; N];

    fn deref(&self) -> &[T; N] {
        let array = self.map.as_mut_ptr().cast::<[T; N]>();
        // SAFETY: `new` made the mapping `Self::BYTES` long, the size of `[T; N]`, and mappings start at a page,
        // which is aligned enough for `T` (asserted in `BYTES`). The mapping is readable and writable, lives as long
        // as `self`, whose lifetime the reference has, and nobody else knows its address. Its bytes are zero at
        // first, which `T: FromZeros` says is a valid `T`. All later writes go through `&T`, because no `&mut` to an
        // element is ever made, so that they keep `T`'s own rules for shared access; the auto traits of
        // `PhantomData<[T; N]>` let threads share the table only if they may share a `T`.
        unsafe { &*array }
    }
}

/// Asks the processor to bring the cache line at `place` nearer. Costs no correctness, whatever the place.
#[inline(always)]
pub(crate) fn prefetch<T>(place: &T) {
    #[cfg(target_arch = "x86_64")]
    {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: SSE is part of every x86-64 target, and a prefetch never faults and changes no memory, whatever
        // address it is given.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(core::ptr::from_ref(place).cast()) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}

#[cfg(test)]
mod tests {
    use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

    use super::*;

    #[test]
    fn a_new_table_is_zero_and_keeps_what_is_written() {
        let table = Zeroed::<AtomicU32, 100_000>::new().unwrap();
        assert_eq!(table.len(), 100_000);
        assert!(table.iter().all(|word| word.load(Ordering::Relaxed) == 0));
        table[99_999].store(7, Ordering::Relaxed);
        table[0].store(1, Ordering::Relaxed);
        prefetch(&table[5]);
        assert_eq!(table.iter().map(|word| word.load(Ordering::Relaxed)).sum::<u32>(), 8);
    }

    #[test]
    fn a_collapsed_table_keeps_what_it_holds() {
        let table = Zeroed::<AtomicU32, { 1 << 21 }>::new().unwrap();
        for index in (0..1 << 21).step_by(5000) {
            table[index].store(index as u32, Ordering::Relaxed);
        }
        (0..6).for_each(|page| table.collapse(page));
        table.collapse(usize::MAX);
        for (index, word) in table.iter().enumerate() {
            let expected = if index % 5000 == 0 { index as u32 } else { 0 };
            assert_eq!(word.load(Ordering::Relaxed), expected);
        }
    }

    #[test]
    fn threads_share_a_table() {
        let table = Zeroed::<AtomicU64, 512>::new_dense().unwrap();
        std::thread::scope(|scope| {
            for start in 0..4 {
                let table = &table;
                scope.spawn(move || {
                    for index in (start..512).step_by(4) {
                        table[index].fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        assert!(table.iter().all(|word| word.load(Ordering::Relaxed) == 1));
    }

    #[test]
    fn address_space_is_reserved_without_memory() {
        let table = Zeroed::<AtomicU64, { 1 << 34 }>::new().unwrap();
        table[(1 << 34) - 1].store(1, Ordering::Relaxed);
        assert_eq!(table[1 << 33].load(Ordering::Relaxed), 0);
    }
}
