//! `pcap-input`: brings the packets of captures into the graph, as fast as the graph takes them.
//!
//! Packets keep what the capture says of them: time, length on the wire, kind of the first header. They start on the
//! `device-input` arc of their interface. The owner hands captures over through a [`Captures`] and reads there how far they
//! are.

use core::fmt;
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

use vnet::{
    buffer::{Buffer, BufferFlags},
    frame::{FRAME_SIZE, Frame},
    graph::{ArcIndex, InputMode, Node, NodeCx, NodeSpec, Verdict},
    interface::SwIfIndex,
    trace::{TraceCx, TraceRecord},
    wire::{link::LinkType, walk},
};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{Batch, Packet, ReadError, Reader};

vnet::next_nodes! {
    /// Where packets go when no feature is enabled.
    pub(crate) enum Next {
        /// Nobody wants to see them.
        Sink => "sink",
    }
}

vnet::node_errors! {
    /// What `pcap-input` counts.
    pub(crate) enum Error {
        Read => ("read", "packets read", Info),
        CutShort => ("cut-short", "no buffers for the whole packet, its beginning kept", Warn),
    }
}

/// Captures on their way into the graph, as the main thread sees them.
#[derive(Default)]
pub struct Captures {
    waiting: Mutex<VecDeque<(Reader, SwIfIndex)>>,
    failed: Mutex<Vec<ReadError>>,
    idle: AtomicBool,
    headers_only: AtomicBool,
    batch: AtomicUsize,
    packets: AtomicU64,
    octets: AtomicU64,
    bytes_read: AtomicU64,
    first: AtomicU64,
    last: AtomicU64,
    digits: AtomicU64,
}

/// How far the captures are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Packets read.
    pub packets: u64,
    /// Their octets on the wire.
    pub octets: u64,
    /// Bytes of the files read so far.
    pub bytes_read: u64,
    /// The earliest packet time; `None` before the first packet.
    pub first: Option<u64>,
    /// The latest packet time.
    pub last: Option<u64>,
    /// Decimal digits of a second that the captures' times have.
    pub digits: u8,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Captures {
    /// No captures.
    #[must_use]
    pub fn new() -> Arc<Self> {
        let captures = Self::default();
        captures.idle.store(true, Ordering::Relaxed);
        captures.batch.store(FRAME_SIZE, Ordering::Relaxed);
        captures.first.store(u64::MAX, Ordering::Relaxed);
        Arc::new(captures)
    }

    /// The packets of `reader` are to come in on `interface`, after those that were handed over before.
    pub fn push(&self, reader: Reader, interface: SwIfIndex) {
        lock(&self.waiting).push_back((reader, interface));
        self.idle.store(false, Ordering::Release);
    }

    /// At most `packets`, at least 1, are to come in each time that the input runs; a frame of 256 unless said otherwise.
    pub fn set_batch(&self, packets: usize) {
        self.batch.store(packets.clamp(1, FRAME_SIZE), Ordering::Relaxed);
    }

    /// Whether nobody looks behind the headers of packets: then the payload of TCP and UDP packets may stay in the capture. The rest
    /// of the packet counts as cut by the capture.
    pub fn set_headers_only(&self, headers_only: bool) {
        self.headers_only.store(headers_only, Ordering::Relaxed);
    }

    /// Whether all packets of all captures have come in.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.idle.load(Ordering::Acquire)
    }

    /// What went wrong since the last call. A capture ends where it went wrong; what came before has come in.
    pub fn take_errors(&self) -> Vec<ReadError> {
        core::mem::take(&mut *lock(&self.failed))
    }

    /// How far they are.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let packets = self.packets.load(Ordering::Relaxed);
        let time = |at: &AtomicU64| (packets > 0).then(|| at.load(Ordering::Relaxed));
        Progress {
            packets,
            octets: self.octets.load(Ordering::Relaxed),
            bytes_read: self.bytes_read.load(Ordering::Relaxed),
            first: time(&self.first),
            last: time(&self.last),
            digits: self.digits.load(Ordering::Relaxed) as u8,
        }
    }
}

/// Sums of one batch.
struct Sums {
    packets: u64,
    octets: u64,
    first: u64,
    last: u64,
    digits: u8,
    cut_short: u64,
}

impl Sums {
    const fn new() -> Self {
        Self { packets: 0, octets: 0, first: u64::MAX, last: 0, digits: 0, cut_short: 0 }
    }

    #[inline(always)]
    fn add(&mut self, packet: &Packet<'_>) {
        self.first = self.first.min(packet.time.0);
        self.last = self.last.max(packet.time.0);
        self.packets += 1;
        self.octets += u64::from(packet.wire_len);
        self.digits = self.digits.max(packet.digits);
    }
}

/// The node.
pub(crate) struct Input {
    arc: ArcIndex,
    captures: Arc<Captures>,
    current: Option<(Reader, SwIfIndex)>,
    /// Bytes of the captures that have ended.
    ended: u64,
}

impl Input {
    /// Registration of the node, which reads from `captures` once somebody sets it polling.
    pub(crate) fn spec(captures: Arc<Captures>) -> NodeSpec {
        NodeSpec::input("pcap-input", move |at| Self {
            arc: at.arc("device-input"),
            captures: captures.clone(),
            current: None,
            ended: 0,
        })
        .mode(InputMode::Disabled)
    }

    /// The capture to read from; the lock is taken once a capture.
    fn current(&mut self) -> Option<&mut (Reader, SwIfIndex)> {
        if self.current.is_none() {
            self.current = lock(&self.captures.waiting).pop_front();
            if self.current.is_none() {
                self.captures.idle.store(true, Ordering::Release);
            }
        }
        self.current.as_mut()
    }

    fn end_current(&mut self, error: Option<ReadError>) {
        if let Some((reader, _)) = self.current.take() {
            self.ended += reader.offset();
        }
        if let Some(error) = error {
            lock(&self.captures.failed).push(error);
        }
    }

    /// Brings packets of one capture; `None` when it has ended instead.
    #[inline(always)]
    fn bring(
        &mut self,
        cx: &mut NodeCx<'_, Next, Error>,
        frame: &mut Frame,
        batch: usize,
    ) -> Option<Verdict<Next>> {
        let arc = self.arc;
        let headers_only = self.captures.headers_only.load(Ordering::Relaxed);
        let Some((reader, interface)) = self.current() else { return Some(Verdict::Free) };
        let room = cx.allocate(frame, batch);
        if room == 0 {
            return Some(Verdict::Free);
        }
        let interface = *interface;
        let mut sums = Sums::new();
        let mut buffers = cx.buffers(frame);
        // All packets of a frame start on the arc alike.
        let mut next = Next::Sink.into();
        let mut feature = 0;
        if let Some(first) = buffers.get(0) {
            next = cx.start_arc(arc, interface, first, Next::Sink);
            feature = first.feature;
        }
        let mut empty = buffers.iter_mut();
        let result = reader.next_batch(room, |mut packet| {
            let Some(buffer) = empty.next() else { return };
            sums.add(&packet);
            if headers_only {
                packet.data = headers(&packet);
            }
            buffer.rx = interface;
            buffer.feature = feature;
            if !fill(cx, buffer, &packet) {
                sums.cut_short += 1;
            }
        });
        drop(empty);
        cx.free(frame, sums.packets as usize);
        match result {
            Ok(Batch::Packets(_)) => {
                cx.count(Error::Read, sums.packets);
                cx.count(Error::CutShort, sums.cut_short);
                self.publish(&sums);
            }
            Ok(Batch::Blocked) => {}
            Ok(Batch::End) => {
                self.end_current(None);
                return None;
            }
            Err(error) => {
                self.end_current(Some(error));
                return None;
            }
        }
        Some(Verdict::All(next))
    }

    fn publish(&self, sums: &Sums) {
        let add = |to: &AtomicU64, n| to.store(to.load(Ordering::Relaxed) + n, Ordering::Relaxed);
        let captures = &*self.captures;
        captures.first.fetch_min(sums.first, Ordering::Relaxed);
        captures.last.fetch_max(sums.last, Ordering::Relaxed);
        captures.digits.fetch_max(sums.digits.into(), Ordering::Relaxed);
        add(&captures.octets, sums.octets);
        add(&captures.packets, sums.packets);
        let offset = self.current.as_ref().map_or(0, |(reader, _)| reader.offset());
        captures.bytes_read.store(self.ended + offset, Ordering::Relaxed);
    }
}

/// Shorter packets are taken whole: finding the end of their headers would cost more than their payload.
const SHORT: usize = 2 * walk::COMMON;

/// The bytes of a packet with all of its headers.
#[inline(always)]
fn headers<'a>(packet: &Packet<'a>) -> &'a [u8] {
    match packet.data.get(..walk::COMMON) {
        Some(front)
            if packet.data.len() > SHORT
                && packet.link == LinkType::Ethernet
                && walk::is_common(front) =>
        {
            front
        }
        _ => packet.data,
    }
}

/// Puts the packet into an empty buffer; whether all of it found room.
#[inline(always)]
fn fill(cx: &mut NodeCx<'_, Next, Error>, buffer: &mut Buffer, packet: &Packet<'_>) -> bool {
    let stored = buffer.append(packet.data);
    buffer.time = packet.time;
    buffer.wire_length = packet.wire_len;
    buffer.link_type = packet.link.number();
    let whole = match packet.data.get(stored..) {
        None | Some([]) => true,
        Some(rest) => fill_chain(cx, buffer, rest),
    };
    if !whole || packet.data.len() < packet.wire_len as usize {
        buffer.set_flags(BufferFlags::TRUNCATED);
    }
    whole
}

/// Out of line, so that the loop over packets of usual length stays small.
#[cold]
#[inline(never)]
fn fill_chain(cx: &mut NodeCx<'_, Next, Error>, buffer: &mut Buffer, rest: &[u8]) -> bool {
    cx.append_chain(buffer, rest)
}

impl Node for Input {
    type Error = Error;
    type Next = Next;
    type Trace = Trace;

    fn process(&mut self, cx: &mut NodeCx<'_, Next, Error>, frame: &mut Frame) -> Verdict<Next> {
        let batch = self.captures.batch.load(Ordering::Relaxed);
        // A capture that ends makes way for the next one at once: a call that brings nothing has nothing to bring.
        loop {
            if let Some(verdict) = self.bring(cx, frame, batch) {
                return verdict;
            }
        }
    }

    fn trace(&self, buffer: &Buffer) -> Trace {
        Trace {
            time: buffer.time.0,
            captured: buffer.length_in_chain() as u32,
            wire: buffer.wire_length,
            interface: buffer.rx.0,
            link: buffer.link_type.into(),
        }
    }
}

/// What is recorded of a traced packet.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct Trace {
    time: u64,
    captured: u32,
    wire: u32,
    interface: u32,
    link: u32,
}

impl TraceRecord for Trace {
    fn format(&self, f: &mut fmt::Formatter<'_>, _: &TraceCx<'_>) -> fmt::Result {
        let Self { time, captured, wire, interface, link } = *self;
        let (s, ns) = (time / 1_000_000_000, time % 1_000_000_000);
        write!(
            f,
            "sw_if_index {interface}, time {s}.{ns:09}, {captured} of {wire} bytes, link type {link}"
        )
    }
}
