//! On which core a thread runs.
#![allow(unsafe_code, reason = "sched_setaffinity(2)")]

use std::io;

/// Keeps the calling thread on one core.
///
/// # Errors
/// When there is no such core, or this process may not run there.
pub fn pin(core: usize) -> io::Result<()> {
    const BITS: usize = libc::c_ulong::BITS as usize;
    // The kernel's form of a set of cores, for 1024 of them.
    let mut set = [0 as libc::c_ulong; 1024 / BITS];
    let word = set.get_mut(core / BITS).ok_or_else(unavailable)?;
    *word |= 1 << (core % BITS);
    // SAFETY: the kernel reads `size_of_val(&set)` bytes from `set`, which lives through the call, and 0 is this thread.
    let failed = unsafe { libc::sched_setaffinity(0, size_of_val(&set), set.as_ptr().cast()) };
    if failed == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    match error.kind() {
        io::ErrorKind::InvalidInput => Err(unavailable()),
        _ => Err(error),
    }
}

fn unavailable() -> io::Error {
    io::Error::other("there is no such core, or this process may not run there")
}

/// The kernel's number of the calling thread; 0 where proc(5) is not mounted.
pub(super) fn thread_id() -> u32 {
    let link = std::fs::read_link("/proc/thread-self").unwrap_or_default();
    let number = link.file_name().and_then(|name| name.to_str()?.parse().ok());
    number.unwrap_or(0)
}
