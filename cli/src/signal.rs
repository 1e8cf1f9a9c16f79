//! SIGINT and SIGTERM: noted, so that a command can end in good order.
#![allow(unsafe_code, reason = "sigaction(2), poll(2)")]

use core::sync::atomic::{AtomicI32, Ordering};
use std::{
    io::{self, Read},
    os::{
        fd::{AsRawFd, BorrowedFd, IntoRawFd},
        unix::net::UnixStream,
    },
    process::ExitCode,
    sync::Arc,
};

use vnet::process::{Cx, Interest};

static CAUGHT: AtomicI32 = AtomicI32::new(0);
/// A socket into which the handler writes, so that a thread that sleeps on descriptors wakes up; -1 for none.
static WAKE: AtomicI32 = AtomicI32::new(-1);

extern "C" fn note(number: libc::c_int) {
    CAUGHT.store(number, Ordering::Relaxed);
    let wake = WAKE.load(Ordering::Relaxed);
    if wake < 0 {
        return;
    }
    // SAFETY: the address of this thread's `errno`, which is valid as long as the thread runs.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above; the handler runs on the thread that `errno` belongs to.
    let before = unsafe { errno.read() };
    // SAFETY: write(2) is async-signal-safe, and the byte lives through the call. The descriptor is never closed
    // ([`Signals::watch`] gave up its ownership) and does not block.
    unsafe { libc::write(wake, [1_u8].as_ptr().cast(), 1) };
    // SAFETY: as for reading it. The code that was interrupted must not see what write(2) put there.
    unsafe { errno.write(before) };
}

/// From now on the first SIGINT and the first SIGTERM only interrupt the system call that waits, and [`caught`] tells of
/// them. The next one ends the process, so that nothing can hang for good.
pub fn watch() {
    catch(libc::SIGINT);
    catch(libc::SIGTERM);
}

/// As [`watch`], for SIGINT alone.
pub fn watch_interrupt() {
    catch(libc::SIGINT);
}

fn catch(number: libc::c_int) {
    // SAFETY: all zeros is a valid `sigaction`: no flags, an empty mask, the default handler.
    let mut action: libc::sigaction = unsafe { core::mem::zeroed() };
    action.sa_sigaction = note as *const () as libc::sighandler_t;
    // No SA_RESTART: a read from a pipe that stays silent must come back.
    action.sa_flags = libc::SA_RESETHAND;
    // SAFETY: `action` lives through the call, and the handler does nothing but an atomic store and a write(2), which are
    // async-signal-safe. The call cannot fail for these signals.
    unsafe { libc::sigaction(number, &raw const action, core::ptr::null_mut()) };
}

/// The signal that came since [`watch`], if any did.
#[must_use]
pub fn caught() -> Option<Signal> {
    match CAUGHT.load(Ordering::Relaxed) {
        0 => None,
        number => Some(Signal(number)),
    }
}

/// The signals, to wait for. Clones share them: one of those that wait in [`Signals::next`] gets a signal.
#[derive(Clone)]
pub struct Signals(Arc<UnixStream>);

impl Signals {
    /// From now on [`watch`]es, and wakes whoever waits in [`Signals::next`].
    ///
    /// # Errors
    /// When there are no descriptors left.
    pub fn watch() -> io::Result<Self> {
        let (sender, receiver) = UnixStream::pair()?;
        sender.set_nonblocking(true)?;
        receiver.set_nonblocking(true)?;
        WAKE.store(sender.into_raw_fd(), Ordering::Relaxed);
        watch();
        Ok(Self(Arc::new(receiver)))
    }

    /// The next signal. While nobody waits, one that comes is kept; the one after it ends the process.
    pub async fn next(&self, cx: &Cx) -> Signal {
        loop {
            let _: io::Result<usize> = (&*self.0).read(&mut [0; 16]);
            if let Some(signal) = take() {
                return signal;
            }
            cx.ready(&*self.0, Interest::Readable).await;
        }
    }
}

impl Signals {
    /// Waits until `input` can be read or has ended; `false` when a signal came before, or has come already. One that comes
    /// just before the wait ends it as well.
    ///
    /// # Errors
    /// What the system says.
    pub fn wait_readable(&self, input: BorrowedFd<'_>) -> io::Result<bool> {
        let entry = |fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        let mut fds = [entry(input.as_raw_fd()), entry(self.0.as_raw_fd())];
        loop {
            if caught().is_some() {
                return Ok(false);
            }
            // SAFETY: `fds` is a valid array of its length, which the kernel writes only to `revents`.
            let ready = unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, -1) };
            match io::Error::last_os_error() {
                _ if ready >= 0 => {}
                error if error.kind() == io::ErrorKind::Interrupted => continue,
                error => return Err(error),
            }
            if fds[0].revents != 0 && caught().is_none() {
                return Ok(true);
            }
        }
    }
}

/// The signal that came, if any did; the next one is noted as if it were the first.
#[must_use]
pub fn take() -> Option<Signal> {
    match CAUGHT.swap(0, Ordering::Relaxed) {
        0 => None,
        number => {
            catch(number);
            Some(Signal(number))
        }
    }
}

/// A signal that asks the program to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signal(i32);

impl Signal {
    /// Whether it is what Ctrl-C sends.
    #[must_use]
    pub fn is_interrupt(self) -> bool {
        self.0 == libc::SIGINT
    }

    /// What a shell expects of a program that a signal ended: 128 plus its number.
    #[must_use]
    pub fn status(self) -> ExitCode {
        ExitCode::from(128 + (self.0 & 0x7f) as u8)
    }
}

impl core::fmt::Display for Signal {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.0 {
            libc::SIGINT => f.write_str("SIGINT"),
            libc::SIGTERM => f.write_str("SIGTERM"),
            number => write!(f, "signal {number}"),
        }
    }
}
