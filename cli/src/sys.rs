//! What the standard library does not ask of the system.
#![allow(unsafe_code, reason = "umask(2)")]

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
