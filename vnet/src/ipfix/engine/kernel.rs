//! The host as a transport: one UDP socket a stream, which never blocks.

use std::{
    collections::VecDeque,
    io::{self, ErrorKind},
    net::{IpAddr, SocketAddr, UdpSocket},
};

use crate::ipfix::export::{SendError, Session, StreamKey};

/// Messages that wait for a socket that would block: those of a pass in which a few reports have much to say.
const WAITING: usize = 512;

/// What happened at the sockets of the exporters that send through the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KernelCounters {
    /// How often the host passed on that nobody listens at the collector's port (ECONNREFUSED). It says so at a later
    /// message than the one that was refused, which then leaves at once, or when it is asked.
    pub refused: u64,
    /// How often a socket would have blocked (EAGAIN); the messages waited.
    pub would_block: u64,
    /// Messages that failed otherwise; they are among the exporter's send errors.
    pub failed: u64,
    /// Messages that waited for their socket until it was closed or failed: accepted, and not sent.
    pub abandoned: u64,
}

/// What was counted since `earlier`.
impl core::ops::Sub for KernelCounters {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            refused: self.refused - earlier.refused,
            would_block: self.would_block - earlier.would_block,
            failed: self.failed - earlier.failed,
            abandoned: self.abandoned - earlier.abandoned,
        }
    }
}

/// The sockets.
#[derive(Debug, Default)]
pub(super) struct Kernel {
    sockets: Vec<(Name, Socket)>,
    pub(super) counters: KernelCounters,
}

/// What makes a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Name {
    source: IpAddr,
    collector: SocketAddr,
    stream: StreamKey,
}

#[derive(Debug)]
struct Socket {
    socket: UdpSocket,
    waiting: VecDeque<Box<[u8]>>,
}

impl Kernel {
    /// Sends `message` now, or as soon as its socket takes it.
    pub(super) fn send(&mut self, session: &Session, message: &[u8]) -> Result<(), SendError> {
        let endpoints = session.exporter.endpoints();
        let name = Name {
            source: endpoints.source(),
            collector: SocketAddr::new(endpoints.collector(), session.exporter.port()),
            stream: session.stream,
        };
        let Self { sockets, counters } = self;
        let place = match sockets.iter().position(|(n, _)| *n == name) {
            Some(place) => place,
            None => {
                let opened = Socket::open(name).inspect_err(|_| counters.failed += 1)?;
                sockets.push((name, opened));
                sockets.len() - 1
            }
        };
        let socket = &mut sockets[place].1;
        socket.retry(counters);
        let sent = socket.send(message, counters);
        if sent.is_err() {
            counters.failed += 1;
            // The next message tries a new socket: an address may have come back.
            counters.abandoned += socket.waiting.len() as u64;
            sockets.remove(place);
        }
        Ok(sent?)
    }

    /// Messages that wait for a socket.
    pub(super) fn waiting(&self) -> usize {
        self.sockets.iter().map(|(_, socket)| socket.waiting.len()).sum()
    }

    /// Counts what the host has heard of messages that were sent. On this host a refusal is there at once.
    pub(super) fn hear_refusals(&mut self) {
        for (_, socket) in &self.sockets {
            if let Ok(Some(error)) = socket.socket.take_error()
                && error.kind() == ErrorKind::ConnectionRefused
            {
                self.counters.refused += 1;
            }
        }
    }

    /// Sends what waits, as far as the sockets take it.
    pub(super) fn retry(&mut self) {
        for (_, socket) in &mut self.sockets {
            socket.retry(&mut self.counters);
        }
    }

    /// Closes all sockets: their sessions are over.
    pub(super) fn close(&mut self) {
        self.retry();
        self.hear_refusals();
        for (_, socket) in self.sockets.drain(..) {
            self.counters.abandoned += socket.waiting.len() as u64;
        }
    }
}

impl Socket {
    fn open(name: Name) -> io::Result<Self> {
        let socket = UdpSocket::bind((name.source, 0))?;
        socket.set_nonblocking(true)?;
        socket.connect(name.collector)?;
        Ok(Self { socket, waiting: VecDeque::new() })
    }

    /// In order: a message waits behind those that wait.
    fn send(&mut self, message: &[u8], counters: &mut KernelCounters) -> io::Result<()> {
        if self.waiting.is_empty() {
            match try_send(&self.socket, message, counters) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => counters.would_block += 1,
                result => return result,
            }
        }
        if self.waiting.len() == WAITING {
            return Err(ErrorKind::WouldBlock.into());
        }
        self.waiting.push_back(message.into());
        Ok(())
    }

    fn retry(&mut self, counters: &mut KernelCounters) {
        while let Some(message) = self.waiting.front() {
            match try_send(&self.socket, message, counters) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => counters.abandoned += 1,
                Ok(()) => (),
            }
            self.waiting.pop_front();
        }
    }
}

/// Sends a datagram. An earlier one's refusal, which the host tells now, takes nothing away from this one.
fn try_send(socket: &UdpSocket, message: &[u8], counters: &mut KernelCounters) -> io::Result<()> {
    let mut result = socket.send(message);
    if matches!(&result, Err(error) if error.kind() == ErrorKind::ConnectionRefused) {
        counters.refused += 1;
        result = socket.send(message);
    }
    while matches!(&result, Err(error) if error.kind() == ErrorKind::Interrupted) {
        result = socket.send(message);
    }
    result.map(|_| ())
}
