//! What a thread sleeps on: a wake-up by another thread, and descriptors of devices.
#![allow(unsafe_code, reason = "poll(2)")]

use std::{
    io::{self, Read, Write},
    os::{
        fd::{AsRawFd, RawFd},
        unix::net::UnixStream,
    },
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::{graph::NodeIndex, runtime::Interrupts};

/// Wakes a thread of the engine, from any thread.
#[derive(Clone)]
pub struct Wakeup(Arc<UnixStream>);

impl Wakeup {
    /// The thread's sleep ends, or its next one does not start.
    pub fn wake(&self) {
        // A full pipe means that a wake-up is already on its way.
        let _: io::Result<usize> = (&*self.0).write(&[1]);
    }
}

/// Descriptors that set the interrupt of an input node of their thread while they can be read. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Watched(Arc<Mutex<Vec<(RawFd, NodeIndex)>>>);

impl Watched {
    fn list(&self) -> std::sync::MutexGuard<'_, Vec<(RawFd, NodeIndex)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, fd: RawFd, node: NodeIndex) {
        let mut list = self.list();
        if !list.contains(&(fd, node)) {
            list.push((fd, node));
        }
    }

    pub(crate) fn remove(&self, fd: RawFd) {
        self.list().retain(|&(watched, _)| watched != fd);
    }
}

/// Where one thread sleeps.
pub(crate) struct Sleeper {
    woken: UnixStream,
    wakeup: Wakeup,
    watched: Watched,
    /// The nodes of the descriptors behind the first one; kept, as is the next one, because a busy thread looks often.
    nodes: Vec<NodeIndex>,
    polled: Vec<libc::pollfd>,
}

impl Sleeper {
    pub(crate) fn new() -> io::Result<Self> {
        let (sender, woken) = UnixStream::pair()?;
        sender.set_nonblocking(true)?;
        woken.set_nonblocking(true)?;
        let wakeup = Wakeup(Arc::new(sender));
        Ok(Self {
            woken,
            wakeup,
            watched: Watched::default(),
            nodes: Vec::new(),
            polled: Vec::new(),
        })
    }

    pub(crate) fn wakeup(&self) -> Wakeup {
        self.wakeup.clone()
    }

    pub(crate) fn watched(&self) -> Watched {
        self.watched.clone()
    }

    /// Sleeps at most `timeout`; descriptors that can be read set the interrupts of their nodes.
    pub(crate) fn wait(&mut self, timeout: Duration, interrupts: &Interrupts) {
        self.wait_for(timeout, interrupts, std::iter::empty(), |_| ());
    }

    /// As [`Self::wait`], also for the events of the descriptors `more`: `ready` is called with the places of those that have
    /// any, from the last to the first.
    pub(crate) fn wait_for(
        &mut self,
        timeout: Duration,
        interrupts: &Interrupts,
        more: impl Iterator<Item = (RawFd, i16)>,
        mut ready: impl FnMut(usize),
    ) {
        let entry = |fd, events| libc::pollfd { fd, events, revents: 0 };
        self.polled.clear();
        self.nodes.clear();
        self.polled.push(entry(self.woken.as_raw_fd(), libc::POLLIN));
        for &(fd, node) in &*self.watched.list() {
            self.polled.push(entry(fd, libc::POLLIN));
            self.nodes.push(node);
        }
        self.polled.extend(more.map(|(fd, events)| entry(fd, events)));
        let fds = &mut self.polled;
        // Rounded up: waking before a timer is due would only mean another turn.
        let ms = i32::try_from(timeout.as_micros().div_ceil(1000)).unwrap_or(i32::MAX);
        // SAFETY: `fds` is a valid array of its length, which the kernel writes only to `revents`.
        let n = unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, ms) };
        if n <= 0 {
            return;
        }
        let (devices, others) = fds[1..].split_at(self.nodes.len());
        for (fd, &node) in devices.iter().zip(&self.nodes) {
            if fd.revents != 0 {
                interrupts.note(node);
            }
        }
        for (place, _) in others.iter().enumerate().rev().filter(|(_, fd)| fd.revents != 0) {
            ready(place);
        }
        if fds[0].revents != 0 {
            let mut sink = [0; 64];
            while matches!((&self.woken).read(&mut sink), Ok(n) if n > 0) {}
        }
    }
}
