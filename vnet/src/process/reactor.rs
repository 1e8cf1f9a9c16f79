//! How processes wait for file descriptors: the main thread's sleep wakes them.

use std::{cell::RefCell, io, os::fd::RawFd, task::Waker, time::Duration};

use super::sleeper::{Sleeper, Wakeup, Watched};
use crate::runtime::Interrupts;

/// What to wait for at a file descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// It can be read.
    Readable,
    /// It can be written.
    Writable,
}

struct Waiting {
    fd: RawFd,
    interest: Interest,
    waker: Waker,
}

/// What the main thread sleeps on.
pub(crate) struct Reactor {
    sleeper: RefCell<Sleeper>,
    waiting: RefCell<Vec<Waiting>>,
    /// Places in `waiting`; kept because a busy engine looks often.
    ready: RefCell<Vec<usize>>,
}

impl Reactor {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            sleeper: RefCell::new(Sleeper::new()?),
            waiting: RefCell::default(),
            ready: RefCell::default(),
        })
    }

    pub(crate) fn wakeup(&self) -> Wakeup {
        self.sleeper.borrow().wakeup()
    }

    pub(crate) fn watched(&self) -> Watched {
        self.sleeper.borrow().watched()
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
    pub(crate) fn wait(&self, timeout: Duration, interrupts: &Interrupts) {
        let mut waiting = self.waiting.borrow_mut();
        self.ready.borrow_mut().clear();
        self.sleeper.borrow_mut().wait_for(
            timeout,
            interrupts,
            waiting.iter().map(Waiting::entry),
            |place| self.ready.borrow_mut().push(place),
        );
        // From the last to the first, so that places stay right.
        for place in self.ready.borrow().iter().copied() {
            waiting.remove(place).waker.wake();
        }
    }
}

impl Waiting {
    fn entry(&self) -> (RawFd, i16) {
        let events = match self.interest {
            Interest::Readable => libc::POLLIN,
            Interest::Writable => libc::POLLOUT,
        };
        (self.fd, events)
    }
}
