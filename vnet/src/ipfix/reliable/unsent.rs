//! What the host has of a TCP connection that the other side has not acknowledged.
#![allow(unsafe_code, reason = "ioctl(2) SIOCOUTQ")]

use std::{io, net::TcpStream, os::fd::AsRawFd};

/// Octets that were written and are not acknowledged.
pub(super) fn unacknowledged(stream: &TcpStream) -> io::Result<u64> {
    let mut octets: libc::c_int = 0;
    // SAFETY: the descriptor is open as long as `stream` lives, and the kernel writes one int to `octets`, which outlives
    // the call.
    let result = unsafe { libc::ioctl(stream.as_raw_fd(), libc::TIOCOUTQ, &raw mut octets) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(u64::try_from(octets).unwrap_or(0))
}
