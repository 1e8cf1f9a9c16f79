//! Queues: what nodes and the main thread share of a socket.

use std::{
    io,
    os::fd::{AsRawFd, RawFd},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use vnet::buffer::Lent;

use crate::{
    open::{How, LINK_HEADERS},
    rx::RxSide,
    socket::XdpSocket,
    tx::TxSide,
};

/// A queue, both ways. Each way has a lock, which is taken once a frame.
pub(crate) struct Queue {
    pub(crate) number: u32,
    fd: RawFd,
    socket: Mutex<Option<Arc<XdpSocket>>>,
    rx: Mutex<Option<RxSide>>,
    tx: Mutex<Option<TxSide>>,
    /// Octets of the longest frame that the host's interface sends.
    longest: AtomicU32,
    how: How,
}

/// What is left of a queue that was closed.
pub(crate) struct Closed {
    /// Packets that waited in it.
    pub(crate) lost: u64,
    /// Buffers that the kernel had.
    pub(crate) lent: Vec<Lent>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Queue {
    pub(crate) fn new(
        number: u32,
        socket: &Arc<XdpSocket>,
        rx: RxSide,
        tx: TxSide,
        mtu: u32,
        how: How,
    ) -> Self {
        let queue = Self {
            number,
            fd: socket.as_raw_fd(),
            socket: Mutex::new(Some(socket.clone())),
            rx: Mutex::new(Some(rx)),
            tx: Mutex::new(Some(tx)),
            longest: AtomicU32::new(0),
            how,
        };
        queue.set_mtu(mtu);
        queue
    }

    /// What can be read while packets wait.
    pub(crate) fn fd(&self) -> RawFd {
        self.fd
    }

    /// Its receiving side, until it is closed.
    pub(crate) fn rx(&self) -> MutexGuard<'_, Option<RxSide>> {
        lock(&self.rx)
    }

    /// Its sending side, until it is closed.
    pub(crate) fn tx(&self) -> MutexGuard<'_, Option<TxSide>> {
        lock(&self.tx)
    }

    /// Does something with the socket; `None` when it is closed.
    pub(crate) fn with_socket<T>(&self, f: impl FnOnce(&XdpSocket) -> T) -> Option<T> {
        lock(&self.socket).as_deref().map(f)
    }

    /// Octets of the longest frame that the host's interface sends.
    #[inline]
    pub(crate) fn longest(&self) -> usize {
        self.longest.load(Ordering::Relaxed) as usize
    }

    /// The host's interface has another MTU.
    pub(crate) fn set_mtu(&self, mtu: u32) {
        self.longest.store((mtu + LINK_HEADERS).min(self.how.longest()), Ordering::Relaxed);
    }

    /// The most buffers of a packet.
    #[inline]
    pub(crate) fn most_buffers(&self) -> usize {
        self.how.most_buffers()
    }

    /// What the kernel has counted.
    pub(crate) fn statistics(&self) -> io::Result<Option<libc::xdp_statistics>> {
        self.with_socket(XdpSocket::statistics).transpose()
    }

    /// Buffers that the kernel has.
    pub(crate) fn count(&self) -> usize {
        let rx = self.rx().as_ref().map_or(0, RxSide::count);
        rx + self.tx().as_ref().map_or(0, TxSide::count)
    }

    pub(crate) fn describe(&self) -> [String; 2] {
        let closed = || "closed".to_owned();
        [
            self.rx().as_mut().map_or_else(closed, RxSide::describe),
            self.tx().as_mut().map_or_else(closed, TxSide::describe),
        ]
    }

    /// Closes the socket and its rings.
    pub(crate) fn close(&self) -> Closed {
        let socket = lock(&self.socket).take();
        let (lost, mut lent) = self.rx().take().map_or_else(Default::default, RxSide::close);
        lent.extend(self.tx().take().map_or_else(Vec::new, TxSide::close));
        drop(socket);
        Closed { lost, lent }
    }
}
