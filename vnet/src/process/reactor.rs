//! Sleeping until something happens: a time, a file descriptor, or another thread.
#![allow(unsafe_code, reason = "poll(2)")]

use std::{
    cell::RefCell,
    io::{self, Read, Write},
    os::{
        fd::{AsRawFd, RawFd},
        unix::net::UnixStream,
    },
    sync::Arc,
    task::Waker,
    time::Duration,
};

/// What to wait for at a file descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// It can be read.
    Readable,
    /// It can be written.
    Writable,
}

/// Wakes the main thread, from any thread.
#[derive(Clone)]
pub struct Wakeup(Arc<UnixStream>);

impl Wakeup {
    /// The main thread's sleep ends, or its next one does not start.
    pub fn wake(&self) {
        // A full pipe means that a wake-up is already on its way.
        let _: io::Result<usize> = (&*self.0).write(&[1]);
    }
}

struct Waiting {
    fd: RawFd,
    interest: Interest,
    waker: Waker,
}

/// What the main thread sleeps on.
pub(crate) struct Reactor {
    woken: UnixStream,
    wakeup: Wakeup,
    waiting: RefCell<Vec<Waiting>>,
    /// What `poll(2)` is given; kept because a busy engine looks often.
    polled: RefCell<Vec<libc::pollfd>>,
}

impl Reactor {
    pub(crate) fn new() -> io::Result<Self> {
        let (sender, woken) = UnixStream::pair()?;
        sender.set_nonblocking(true)?;
        woken.set_nonblocking(true)?;
        let wakeup = Wakeup(Arc::new(sender));
        Ok(Self { woken, wakeup, waiting: RefCell::default(), polled: RefCell::default() })
    }

    pub(crate) fn wakeup(&self) -> Wakeup {
        self.wakeup.clone()
    }

    /// Wakes `waker` once when `fd` is ready.
    pub(crate) fn register(&self, fd: RawFd, interest: Interest, waker: Waker) {
        let mut waiting = self.waiting.borrow_mut();
        match waiting.iter_mut().find(|w| w.fd == fd && w.interest == interest) {
            Some(w) => w.waker = waker,
            None => waiting.push(Waiting { fd, interest, waker }),
        }
    }

    /// Nobody waits for that of `fd` any more.
    pub(crate) fn forget(&self, fd: RawFd, interest: Interest) {
        self.waiting.borrow_mut().retain(|w| w.fd != fd || w.interest != interest);
    }

    /// Sleeps at most `timeout`, and wakes whoever waits for a descriptor that is ready.
    pub(crate) fn wait(&self, timeout: Duration) {
        let mut fds = self.polled.borrow_mut();
        fds.clear();
        let entry = |fd, events| libc::pollfd { fd, events, revents: 0 };
        fds.push(entry(self.woken.as_raw_fd(), libc::POLLIN));
        for w in self.waiting.borrow().iter() {
            let events = match w.interest {
                Interest::Readable => libc::POLLIN,
                Interest::Writable => libc::POLLOUT,
            };
            fds.push(entry(w.fd, events));
        }
        // Rounded up: waking before a timer is due would only mean another turn.
        let ms = i32::try_from(timeout.as_micros().div_ceil(1000)).unwrap_or(i32::MAX);
        // SAFETY: `fds` is a valid array of its length, which the kernel writes only to `revents`.
        let ready = unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, ms) };
        if ready <= 0 {
            return;
        }
        if fds[0].revents != 0 {
            let mut sink = [0; 64];
            while matches!((&self.woken).read(&mut sink), Ok(n) if n > 0) {}
        }
        let mut waiting = self.waiting.borrow_mut();
        let mut i = 0;
        for fd in &fds[1..] {
            if fd.revents != 0 {
                waiting.remove(i).waker.wake();
            } else {
                i += 1;
            }
        }
    }
}
