//! The host as a transport: one UDP socket a stream, which never blocks.

use std::{
    collections::VecDeque,
    io::{self, ErrorKind},
    net::{IpAddr, SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

use socket2::SockRef;

use super::ExporterId;
use crate::ipfix::export::{ExporterConfig, SendError, Session, StreamKey};

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

/// A collector whose host says so often, one time after the other, that nobody listens is away.
const REFUSALS: u32 = 3;
/// A row of refusals ends when messages were sent and nothing was heard for so long.
const SILENCE: Duration = Duration::from_secs(1);

/// The sockets.
#[derive(Debug, Default)]
pub(super) struct Kernel {
    sockets: Vec<(Name, Socket)>,
    pub(super) counters: KernelCounters,
    /// Refusals by exporter.
    refused: Vec<(ExporterId, u64)>,
}

/// What makes a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Name {
    owner: ExporterId,
    source: IpAddr,
    collector: SocketAddr,
    stream: StreamKey,
    fixed_port: bool,
}

#[derive(Debug)]
struct Socket {
    socket: UdpSocket,
    waiting: VecDeque<Box<[u8]>>,
    traffic_class: u8,
    /// Refusals, one after the other.
    row: u32,
    last_refusal: Option<Instant>,
    /// Since then.
    has_sent: bool,
}

impl Kernel {
    /// Sends `message` now, or as soon as its socket takes it.
    pub(super) fn send(
        &mut self,
        owner: ExporterId,
        session: &Session,
        message: &[u8],
    ) -> Result<(), SendError> {
        let name = Name { stream: session.stream, ..Name::of_collector(owner, &session.exporter) };
        let at = self.place(name)?;
        let traffic_class = session.exporter.traffic_class();
        let (counters, socket) = (&mut self.counters, &mut self.sockets[at].1);
        let heard = counters.refused;
        let sent = socket.mark(traffic_class).and_then(|()| {
            socket.retry(counters);
            socket.send(message, counters)
        });
        if sent.is_err() {
            counters.failed += 1;
            // The next message tries a new socket: an address may have come back.
            counters.abandoned += socket.waiting.len() as u64;
            self.sockets.remove(at);
        }
        self.blame(owner, heard);
        Ok(sent?)
    }

    /// Whether a collector is there, as far as its host has said anything.
    pub(super) fn is_reachable(&mut self, owner: ExporterId, config: &ExporterConfig) -> bool {
        self.hear_refusals();
        let name = Name::of_collector(owner, config);
        let mut sockets = self.sockets.iter_mut().filter(|(other, _)| other.is_to(&name));
        sockets.all(|(_, socket)| !socket.is_refused())
    }

    /// Messages that wait for a socket.
    pub(super) fn waiting(&self) -> usize {
        self.sockets.iter().map(|(_, socket)| socket.waiting.len()).sum()
    }

    /// The same of one exporter.
    pub(super) fn waiting_of(&self, owner: ExporterId) -> usize {
        let of_owner = self.sockets.iter().filter(|(name, _)| name.owner == owner);
        of_owner.map(|(_, socket)| socket.waiting.len()).sum()
    }

    /// Refusals of the messages of an exporter.
    pub(super) fn refused(&self, owner: ExporterId) -> u64 {
        self.refused.iter().find(|(id, _)| *id == owner).map_or(0, |(_, count)| *count)
    }

    /// Counts what the host has heard of messages that were sent. On this host a refusal is there at once.
    pub(super) fn hear_refusals(&mut self) {
        for at in 0..self.sockets.len() {
            let (Name { owner, .. }, socket) = &mut self.sockets[at];
            let (owner, heard) = (*owner, self.counters.refused);
            if let Ok(Some(error)) = socket.socket.take_error()
                && error.kind() == ErrorKind::ConnectionRefused
            {
                socket.refusal(&mut self.counters);
            }
            self.blame(owner, heard);
        }
    }

    /// Sends what waits, as far as the sockets take it.
    pub(super) fn retry(&mut self) {
        for at in 0..self.sockets.len() {
            let (owner, heard) = (self.sockets[at].0.owner, self.counters.refused);
            self.sockets[at].1.retry(&mut self.counters);
            self.blame(owner, heard);
        }
    }

    /// Closes the sockets to a collector of an exporter: their sessions are over.
    pub(super) fn close(&mut self, owner: ExporterId, config: &ExporterConfig) {
        self.retry();
        self.hear_refusals();
        let name = Name::of_collector(owner, config);
        let counters = &mut self.counters;
        self.sockets.retain(|(other, socket)| {
            let goes = other.is_to(&name);
            if goes {
                counters.abandoned += socket.waiting.len() as u64;
            }
            !goes
        });
    }

    fn place(&mut self, name: Name) -> io::Result<usize> {
        if let Some(at) = self.sockets.iter().position(|(other, _)| *other == name) {
            return Ok(at);
        }
        let opened = Socket::open(name).inspect_err(|_| self.counters.failed += 1)?;
        self.sockets.push((name, opened));
        Ok(self.sockets.len() - 1)
    }

    /// Counts what was refused since `heard` for an exporter.
    fn blame(&mut self, owner: ExporterId, heard: u64) {
        let new = self.counters.refused - heard;
        if new == 0 {
            return;
        }
        match self.refused.iter_mut().find(|(id, _)| *id == owner) {
            Some((_, count)) => *count += new,
            None => self.refused.push((owner, new)),
        }
    }
}

impl Name {
    /// Of whichever stream.
    fn of_collector(owner: ExporterId, config: &ExporterConfig) -> Self {
        let endpoints = config.endpoints();
        Self {
            owner,
            source: endpoints.source(),
            collector: SocketAddr::new(endpoints.collector(), config.port()),
            stream: StreamKey::DEFAULT,
            fixed_port: config.fixed_port(),
        }
    }

    fn is_to(&self, other: &Self) -> bool {
        Self { stream: other.stream, ..*self } == *other
    }
}

impl Socket {
    fn open(name: Name) -> io::Result<Self> {
        let port = if name.fixed_port { name.stream.source_port } else { 0 };
        let socket = UdpSocket::bind((name.source, port))?;
        socket.set_nonblocking(true)?;
        socket.connect(name.collector)?;
        Ok(Self {
            socket,
            waiting: VecDeque::new(),
            traffic_class: 0,
            row: 0,
            last_refusal: None,
            has_sent: false,
        })
    }

    /// Has packets carry this traffic class.
    fn mark(&mut self, traffic_class: u8) -> io::Result<()> {
        if self.traffic_class != traffic_class {
            let socket = SockRef::from(&self.socket);
            match self.socket.local_addr()? {
                SocketAddr::V4(_) => socket.set_tos_v4(traffic_class.into())?,
                SocketAddr::V6(_) => socket.set_tclass_v6(traffic_class.into())?,
            }
            self.traffic_class = traffic_class;
        }
        Ok(())
    }

    /// In order: a message waits behind those that wait.
    fn send(&mut self, message: &[u8], counters: &mut KernelCounters) -> io::Result<()> {
        if self.waiting.is_empty() {
            match self.try_send(message, counters) {
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
        while let Some(message) = self.waiting.pop_front() {
            match self.try_send(&message, counters) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.waiting.push_front(message);
                    return;
                }
                Err(_) => counters.abandoned += 1,
                Ok(()) => (),
            }
        }
    }

    /// Sends a datagram. An earlier one's refusal, which the host tells now, takes nothing away from this one.
    fn try_send(&mut self, message: &[u8], counters: &mut KernelCounters) -> io::Result<()> {
        let mut result = self.socket.send(message);
        if matches!(&result, Err(error) if error.kind() == ErrorKind::ConnectionRefused) {
            self.refusal(counters);
            result = self.socket.send(message);
        }
        while matches!(&result, Err(error) if error.kind() == ErrorKind::Interrupted) {
            result = self.socket.send(message);
        }
        self.has_sent |= result.is_ok();
        result.map(|_| ())
    }

    fn refusal(&mut self, counters: &mut KernelCounters) {
        counters.refused += 1;
        self.row += 1;
        (self.last_refusal, self.has_sent) = (Some(Instant::now()), false);
    }

    fn is_refused(&mut self) -> bool {
        if self.has_sent && self.last_refusal.is_some_and(|last| last.elapsed() > SILENCE) {
            (self.row, self.last_refusal) = (0, None);
        }
        self.row >= REFUSALS
    }
}
