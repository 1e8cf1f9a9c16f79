//! What the standard library does not ask of the system.
#![allow(unsafe_code, reason = "umask(2), sched_setaffinity(2)")]

use std::io;

/// Runs `f` while files are made without the permissions of `mask`. To be called while only one thread makes files: the mask
/// is the process's.
pub(crate) fn with_umask<T>(mask: libc::mode_t, f: impl FnOnce() -> T) -> T {
    // SAFETY: umask(2) takes any value and cannot fail.
    let before = unsafe { libc::umask(mask) };
    let value = f();
    // SAFETY: as above.
    unsafe { libc::umask(before) };
    value
}

/// Keeps this thread on one core.
///
/// # Errors
/// When there is no such core, or this process may not run there.
pub(crate) fn pin(core: usize) -> io::Result<()> {
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
