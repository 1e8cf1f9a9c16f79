//! The system calls of TUN/TAP devices.
#![allow(unsafe_code, reason = "ioctl(2) of TUN/TAP devices")]

use std::{
    fs::File,
    io,
    os::fd::{AsRawFd, FromRawFd},
};

/// Octets of an interface's name, the zero at its end included.
pub(crate) const NAME: usize = libc::IFNAMSIZ;

/// `struct ifreq` of linux/if.h as `TUNSETIFF` reads and writes it: name and flags, and the rest of the union.
#[repr(C)]
struct Request {
    name: [u8; NAME],
    flags: u16,
    rest: [u8; 22],
}

impl Request {
    fn name(&self) -> String {
        let name = self.name.split(|&byte| byte == 0).next().unwrap_or_default();
        String::from_utf8_lossy(name).into_owned()
    }
}

const _: () = assert!(size_of::<Request>() == size_of::<libc::ifreq>());

/// Makes `file`, an open `/dev/net/tun`, a queue of the interface `name`, which comes into being if there is none. An empty name
/// lets the kernel choose. Returns the name that it has.
///
/// # Errors
/// What the kernel has against it; `InvalidInput` for a name that is too long.
pub(crate) fn attach(file: &File, name: &str, flags: libc::c_int) -> io::Result<String> {
    let mut request = Request { name: [0; NAME], flags: flags as u16, rest: [0; 22] };
    if name.len() >= NAME {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    request.name[..name.len()].copy_from_slice(name.as_bytes());
    let at = &raw mut request;
    // SAFETY: the kernel reads and writes one `struct ifreq`, of which `Request` has size and layout and which lives through the
    // call.
    let result = unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, at) };
    check(result)?;
    Ok(request.name())
}

/// Has the interface of a queue stay when all its queues are closed, or go with them.
pub(crate) fn set_persistent(file: &File, on: bool) -> io::Result<()> {
    let on = libc::c_ulong::from(on);
    // SAFETY: the argument is a number, no address.
    let result = unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETPERSIST, on) };
    check(result)
}

/// Tells the host which of `TUN_F_*` it may leave to be done to packets of the interface of a queue.
pub(crate) fn set_offload(file: &File, flags: u32) -> io::Result<()> {
    // SAFETY: the argument is a number, no address.
    let result =
        unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETOFFLOAD, libc::c_ulong::from(flags)) };
    check(result)
}

/// Tells the host whether the interface of a queue has a carrier.
pub(crate) fn set_carrier(file: &File, on: bool) -> io::Result<()> {
    let on = libc::c_int::from(on);
    let at = &raw const on;
    // SAFETY: the kernel reads one int, which lives through the call.
    let result = unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETCARRIER, at) };
    check(result)
}

/// The name that the interface of a queue has; `None` when it was deleted.
pub(crate) fn name(file: &File) -> io::Result<Option<String>> {
    let mut request = Request { name: [0; NAME], flags: 0, rest: [0; 22] };
    let at = &raw mut request;
    // SAFETY: the kernel writes one `struct ifreq`, of which `Request` has size and layout and which lives through the call.
    let result = unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNGETIFF, at) };
    match check(result) {
        Ok(()) => Ok(Some(request.name())),
        Err(error) if error.raw_os_error() == Some(libc::EBADFD) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The network namespace in which the interface of a queue is.
pub(crate) fn namespace(file: &File) -> io::Result<File> {
    // SAFETY: takes no argument, and returns a new descriptor or -1.
    let result = unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNGETDEVNETNS, 0) };
    check(result)?;
    // SAFETY: the descriptor is new, so nobody else owns it.
    Ok(unsafe { File::from_raw_fd(result) })
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
