//! Queues: what nodes and the main thread share of a ring.

use std::{
    io,
    os::fd::{AsRawFd, RawFd},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use crate::{
    abi::Version,
    error::{HostError, OPEN},
    geometry::RETIRE_MS,
    listen::{Heard, Listening},
    rx::{RingSettings, RxRing},
    socket::PacketSocket,
    tx::{TxRing, TxSettings},
};

/// A receive queue.
pub(crate) struct RxQueue {
    fd: RawFd,
    side: Mutex<Option<RxSide>>,
}

/// A receive queue's socket and ring, there until its interface is deleted.
pub(crate) struct RxSide {
    pub(crate) socket: PacketSocket,
    /// There, except when a new one could not be made.
    pub(crate) ring: Option<RxRing>,
    mtu: usize,
    offloads: bool,
    /// Of a queue that only listens.
    listening: Option<Listening>,
    /// Packets that were in rings that are no more.
    lost: u64,
    /// What the kernel has counted, and what was taken.
    pub(crate) heard: Heard,
    /// Packets that found no room, of those that [`RxQueue::take_missed`] has told.
    told: u64,
}

/// How a receive queue is to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RxSettings {
    pub(crate) ifindex: u32,
    pub(crate) version: Version,
    pub(crate) mtu: usize,
    pub(crate) offloads: bool,
    pub(crate) listening: Option<Listening>,
}

impl RxQueue {
    /// A queue into which nothing comes before [`Self::set_open`].
    pub(crate) fn new(name: &str, settings: RxSettings) -> Result<Self, HostError> {
        let RxSettings { ifindex, version, mtu, offloads, listening } = settings;
        let failed = |what| move |error| HostError::of(name, what, error);
        let socket = match listening {
            Some(Listening { has_link: false, .. }) => PacketSocket::without_link(),
            _ => PacketSocket::new(),
        };
        let socket = socket.map_err(failed(OPEN))?;
        if ignores_outgoing(listening) {
            socket.ignore_outgoing().map_err(failed("leave out what the host sends"))?;
        }
        socket.let_in(0).map_err(failed("set a socket filter"))?;
        if offloads {
            let what = "receive with offloads (`cksum-gso-disable' does without)";
            socket.set_offloads().map_err(failed(what))?;
        }
        let fd = socket.as_raw_fd();
        let mut side = RxSide {
            socket,
            ring: None,
            mtu,
            offloads,
            listening,
            lost: 0,
            heard: Heard::default(),
            told: 0,
        };
        side.ring = Some(side.new_ring(version).map_err(failed("make a receive ring"))?);
        side.socket.receive_from(ifindex).map_err(failed("bind the receive socket"))?;
        Ok(Self { fd, side: Mutex::new(Some(side)) })
    }

    /// What can be read while packets wait.
    pub(crate) fn fd(&self) -> RawFd {
        self.fd
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Option<RxSide>> {
        self.side.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, none: T, f: impl FnOnce(&mut RxSide) -> T) -> T {
        self.lock().as_mut().map_or(none, f)
    }

    /// Joins a fanout group, a new one unless it is given; returns its number.
    pub(crate) fn join_fanout(&self, group: Option<u16>) -> io::Result<u16> {
        self.with(Ok(0), |side| side.socket.join_fanout(group, ignores_outgoing(side.listening)))
    }

    /// Lets packets in, or none; what waits is lost then.
    pub(crate) fn set_open(&self, open: bool) -> io::Result<()> {
        self.with(Ok(()), |side| {
            match (open, side.listening) {
                (false, _) => side.socket.let_in(0)?,
                (true, None) => side.socket.let_all_in()?,
                (true, Some(listening)) => side.socket.let_in(listening.octets)?,
            }
            if !open && let Some(ring) = &mut side.ring {
                side.lost += ring.discard();
            }
            Ok(())
        })
    }

    /// Lets no more packets in; what waits can still be taken.
    pub(crate) fn shut(&self) -> io::Result<()> {
        self.with(Ok(()), |side| side.socket.let_in(0))
    }

    /// What was heard so far.
    pub(crate) fn heard(&self) -> Heard {
        self.with(Heard::default(), |side| {
            side.refresh();
            side.heard
        })
    }

    /// Whether it only listens: its ring is of the third version then, whichever way its thread learns of packets.
    pub(crate) fn is_listening(&self) -> bool {
        self.with(false, |side| side.listening.is_some())
    }

    /// Has the kernel hand packets over in another way.
    pub(crate) fn set_version(&self, version: Version) -> io::Result<()> {
        self.with(Ok(()), |side| {
            let is_same = side.ring.as_ref().is_some_and(|ring| ring.version() == version);
            if is_same { Ok(()) } else { side.make_ring(version) }
        })
    }

    /// Makes room for packets of another MTU.
    pub(crate) fn set_mtu(&self, mtu: usize) -> io::Result<()> {
        self.with(Ok(()), |side| {
            let grows = mtu > side.mtu;
            side.mtu = mtu;
            match side.ring.as_ref().map(RxRing::version) {
                Some(version @ Version::V2) if grows => side.make_ring(version),
                _ => Ok(()),
            }
        })
    }

    /// Packets that were lost since the last call, because the ring was full or is no more.
    pub(crate) fn take_missed(&self) -> u64 {
        self.with(0, RxSide::take_missed)
    }

    pub(crate) fn describe(&self) -> String {
        self.with("closed".to_owned(), |side| {
            side.ring.as_ref().map_or_else(|| "no ring".to_owned(), RxRing::describe)
        })
    }

    /// Closes the socket; returns the packets lost since they were asked for.
    pub(crate) fn close(&self) -> u64 {
        self.lock().take().map_or(0, |mut side| {
            side.lost += side.ring.as_mut().map_or(0, RxRing::discard);
            side.take_missed()
        })
    }
}

/// Whether what the host itself sends is left out.
fn ignores_outgoing(listening: Option<Listening>) -> bool {
    listening.is_none_or(|listening| listening.ignores_outgoing)
}

impl RxSide {
    fn take_missed(&mut self) -> u64 {
        self.refresh();
        let new = self.heard.lost - std::mem::replace(&mut self.told, self.heard.lost);
        std::mem::take(&mut self.lost) + new
    }

    /// The kernel counts from one question to the next.
    fn refresh(&mut self) {
        if let Ok(counted) = self.socket.take_statistics() {
            self.heard.packets += u64::from(counted.packets);
            self.heard.lost += u64::from(counted.drops);
        }
    }

    fn new_ring(&self, version: Version) -> io::Result<RxRing> {
        let retire_ms = self.listening.map_or(RETIRE_MS, |_| Listening::RETIRE_MS);
        let (mtu, offloads) = (self.mtu, self.offloads);
        RxRing::new(&self.socket, RingSettings { version, mtu, offloads, retire_ms })
    }

    /// Another ring in place of the one that there is. When that cannot be, one like it.
    fn make_ring(&mut self, version: Version) -> io::Result<()> {
        let before = self.ring.as_ref().map(RxRing::version);
        if let Some(mut ring) = self.ring.take() {
            self.lost += ring.discard();
            ring.end(&self.socket)?;
        }
        match self.new_ring(version) {
            Ok(ring) => {
                self.ring = Some(ring);
                Ok(())
            }
            Err(error) => {
                self.ring = before.and_then(|before| self.new_ring(before).ok());
                Err(error)
            }
        }
    }
}

/// A transmit queue.
pub(crate) struct TxQueue {
    side: Mutex<Option<TxRing>>,
    settings: Mutex<TxSettings>,
    /// Octets of the longest packet that the host's interface takes, without its link header.
    mtu: AtomicUsize,
}

impl TxQueue {
    pub(crate) fn new(name: &str, settings: TxSettings) -> Result<Self, HostError> {
        let ring = TxRing::new(settings)
            .map_err(|error| HostError::of(name, "make a transmit ring", error))?;
        Ok(Self {
            side: Mutex::new(Some(ring)),
            settings: Mutex::new(settings),
            mtu: AtomicUsize::new(settings.mtu),
        })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Option<TxRing>> {
        self.side.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The MTU of the host's interface.
    #[inline]
    pub(crate) fn mtu(&self) -> usize {
        self.mtu.load(Ordering::Relaxed)
    }

    /// Makes room for packets of another MTU.
    pub(crate) fn set_mtu(&self, mtu: usize) -> io::Result<()> {
        let mut settings = self.settings.lock().unwrap_or_else(PoisonError::into_inner);
        let grows = mtu > settings.mtu && !settings.offloads;
        if grows {
            let ring = TxRing::new(TxSettings { mtu, ..*settings })?;
            if let Some(side) = &mut *self.lock() {
                *side = ring;
            }
        }
        settings.mtu = settings.mtu.max(mtu);
        self.mtu.store(mtu, Ordering::Relaxed);
        Ok(())
    }

    pub(crate) fn describe(&self) -> String {
        self.lock().as_ref().map_or_else(|| "closed".to_owned(), TxRing::describe)
    }

    pub(crate) fn close(&self) {
        *self.lock() = None;
    }
}
