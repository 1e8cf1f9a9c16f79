//! Moving memory in use to huge pages.
#![allow(unsafe_code, reason = "madvise(2)")]

/// Octets of a huge page.
pub(crate) const HUGE_PAGE: usize = 2 << 20;

/// Moves a table to huge pages, as far as whole ones lie in it, and waits until that is done. Whoever reads or writes there meanwhile
/// notices nothing but the time.
pub fn collapse_table<T>(table: &[T]) {
    let bytes = size_of_val(table);
    if bytes >= HUGE_PAGE {
        collapse(table.as_ptr().cast(), bytes);
    }
}

/// Moves `bytes` of memory from `start` on to huge pages, as far as whole ones lie in it, and waits until it is done: one
/// address translation then serves 2 MiB. Whoever reads or writes there meanwhile notices nothing but the time.
///
/// Systems that cannot do it (Linux before 6.1) leave small pages, which are correct, only slower.
pub(crate) fn collapse(start: *const u8, bytes: usize) {
    #[cfg(target_os = "linux")]
    // SAFETY: the advice changes which physical pages hold the bytes, and neither the bytes nor their addresses, nor who may
    // use them; where nothing is mapped it is refused.
    unsafe {
        libc::madvise(start.cast_mut().cast(), bytes, libc::MADV_COLLAPSE);
    }
    #[cfg(not(target_os = "linux"))]
    let _: (*const u8, usize) = (start, bytes);
}
