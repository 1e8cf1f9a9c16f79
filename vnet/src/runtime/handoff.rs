//! Handing packets to another thread.
//!
//! A *way* leads to a node; it has a bounded queue for each thread, into which the others put vectors of at most 32 packets, and
//! which that thread empties at the start of its rounds. What does not fit is the sender's to drop and count.

use core::fmt;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use crossbeam_queue::ArrayQueue;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{Interrupts, WorkerState};
use crate::{
    buffer::{Buffer, BufferFlags, BufferIndex},
    counter::ErrorIndex,
    error::NoError,
    frame::{FRAME_SIZE, Frame, Picked, Selection},
    graph::{Map, NodeIndex, NodeSpec, PacketCx, Slot},
    trace::{TraceCx, TraceRecord},
};

/// Packets of one vector.
const VECTOR: usize = 32;
/// Packets that a queue holds unless told otherwise.
pub(crate) const DEFAULT_SIZE: usize = 4096;
/// Vectors that a thread takes from a queue in one round.
const VECTORS_A_ROUND: usize = 512 / VECTOR;
/// Name of the node under which handed-over packets begin their traces.
pub(crate) const TRACE_NODE: &str = "handoff_trace";

/// Names a way to other threads, see [`Registrar::handoff`](crate::plugin::Registrar::handoff).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handoff(pub(crate) u16);

/// Packets on their way to another thread.
struct Vector {
    len: usize,
    from: usize,
    traced: bool,
    indices: [BufferIndex; VECTOR],
}

/// The packets of one thread that others have put in.
struct Queue {
    vectors: ArrayQueue<Vector>,
    /// Packets that were put in, and that did not fit.
    packets: AtomicU64,
    drops: AtomicU64,
}

impl Queue {
    fn new(size: usize) -> Self {
        let vectors = ArrayQueue::new((size / VECTOR).max(1));
        Self { vectors, packets: AtomicU64::new(0), drops: AtomicU64::new(0) }
    }
}

/// A way that a plugin has registered.
pub(crate) struct Way {
    pub(crate) name: String,
    node: NodeIndex,
    queues: Vec<Queue>,
}

/// What `show handoff` prints of a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct QueueUse {
    pub(crate) size: usize,
    pub(crate) waiting: usize,
    pub(crate) packets: u64,
    pub(crate) drops: u64,
}

impl Way {
    pub(crate) fn new(name: String, node: NodeIndex, threads: usize) -> Self {
        let queues = (0..threads).map(|_| Queue::new(DEFAULT_SIZE)).collect();
        Self { name, node, queues }
    }

    /// By thread.
    pub(crate) fn uses(&self) -> impl Iterator<Item = QueueUse> {
        self.queues.iter().map(|queue| QueueUse {
            size: queue.vectors.capacity() * VECTOR,
            waiting: queue.vectors.len(),
            packets: queue.packets.load(Ordering::Relaxed),
            drops: queue.drops.load(Ordering::Relaxed),
        })
    }

    pub(crate) fn clear_counts(&self) {
        for queue in &self.queues {
            queue.packets.store(0, Ordering::Relaxed);
            queue.drops.store(0, Ordering::Relaxed);
        }
    }

    /// Makes queues of `size` packets; what waits stays, as far as a smaller queue holds it, else nothing changes. Whether it
    /// did.
    pub(crate) fn resize(&mut self, size: usize) -> bool {
        let fits = |queue: &Queue| queue.vectors.len() * VECTOR <= size;
        if !self.queues.iter().all(fits) {
            return false;
        }
        for queue in &mut self.queues {
            let larger = Queue::new(size);
            while let Some(vector) = queue.vectors.pop() {
                let pushed = larger.vectors.push(vector);
                debug_assert!(pushed.is_ok(), "room was asked for");
            }
            larger.packets.store(queue.packets.load(Ordering::Relaxed), Ordering::Relaxed);
            larger.drops.store(queue.drops.load(Ordering::Relaxed), Ordering::Relaxed);
            *queue = larger;
        }
        true
    }
}

/// All ways of an engine.
#[derive(Default)]
pub(crate) struct Ways(pub(crate) Vec<Way>);

/// A thread's way to the others.
pub(crate) struct Peers {
    /// Those of all threads.
    pub(crate) interrupts: Arc<[Arc<Interrupts>]>,
    /// Under which node traces of packets from other threads begin.
    pub(crate) trace_node: NodeIndex,
}

impl WorkerState {
    /// Packet `i` of `frame` goes to the thread `threads[i]`, where `way` leads to its node. Those that do not fit, or whose
    /// thread there is not, are dropped as `full`.
    pub(crate) fn hand_off(
        &mut self,
        ways: &Ways,
        Handoff(way): Handoff,
        frame: &mut Frame,
        threads: &[u16; FRAME_SIZE],
        full: ErrorIndex,
    ) {
        let Some(way) = ways.0.get(usize::from(way)) else { return };
        let traced = frame.is_traced();
        let mut refused = self.spare_frame();
        let mut picked: Picked = [BufferIndex::NONE; _];
        let mut selection = Selection::new(threads, frame.places(), frame.len());
        while let Some(thread) = selection.first() {
            let n = selection.pick(thread, &mut picked);
            let indices = &picked[..n];
            let to = usize::from(thread);
            if to == self.thread {
                self.put_indices(way.node, indices, traced);
                continue;
            }
            let sent = match (way.queues.get(to), self.peers.interrupts.get(to)) {
                (Some(queue), Some(interrupts)) => {
                    let sent = self.send(queue, indices, traced);
                    interrupts.hand_over();
                    sent
                }
                _ => 0,
            };
            refused.append(&indices[sent..], traced);
        }
        frame.clear();
        let base = self.base();
        refused.buffers(base).iter_mut().for_each(|buffer| buffer.error = full);
        self.drop_all(&mut refused);
        self.recycle(refused);
    }

    /// How many of `indices` fitted.
    fn send(&self, queue: &Queue, indices: &[BufferIndex], traced: bool) -> usize {
        let mut sent = 0;
        for some in indices.chunks(VECTOR) {
            let mut vector = Vector {
                len: some.len(),
                from: self.thread,
                traced,
                indices: [BufferIndex::NONE; VECTOR],
            };
            vector.indices[..some.len()].copy_from_slice(some);
            if queue.vectors.push(vector).is_err() {
                break;
            }
            sent += some.len();
        }
        queue.packets.fetch_add(sent as u64, Ordering::Relaxed);
        if sent < indices.len() {
            queue.drops.fetch_add((indices.len() - sent) as u64, Ordering::Relaxed);
        }
        sent
    }

    /// Takes in what other threads have handed over, up to a bound for each way; whether there is more.
    #[cold]
    pub(crate) fn receive(&mut self, ways: &Ways) -> bool {
        let mut more = false;
        for way in &ways.0 {
            let Some(queue) = way.queues.get(self.thread) else { continue };
            for _ in 0..VECTORS_A_ROUND {
                let Some(vector) = queue.vectors.pop() else { break };
                let indices = &vector.indices[..vector.len];
                let traced = vector.traced && self.adopt_traces(&vector);
                self.put_indices(way.node, indices, traced);
            }
            more |= !queue.vectors.is_empty();
        }
        more
    }

    /// Begins traces for packets that were traced on the thread that they come from; whether there are any.
    fn adopt_traces(&mut self, vector: &Vector) -> bool {
        let mut frame = self.spare_frame();
        frame.append(&vector.indices[..vector.len], true);
        let (base, mut any) = (self.base(), false);
        for buffer in frame.buffers(base).iter_mut() {
            if !buffer.flags().contains(BufferFlags::TRACED) {
                continue;
            }
            let record = HandedOff { thread: vector.from as u32, packet: buffer.trace };
            match self.tracer.adopt(self.peers.trace_node, self.now, &record) {
                Some(handle) => {
                    buffer.trace = handle;
                    any = true;
                }
                None => buffer.clear_flags(BufferFlags::TRACED),
            }
        }
        frame.clear();
        self.recycle(frame);
        any
    }
}

/// Where the trace of a packet began.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct HandedOff {
    thread: u32,
    packet: u32,
}

impl TraceRecord for HandedOff {
    fn format(&self, f: &mut fmt::Formatter<'_>, _: &TraceCx<'_>) -> fmt::Result {
        let Self { thread, packet } = self;
        write!(f, "HANDED-OFF: from thread {thread} trace index {packet}")
    }
}

crate::next_nodes! {
    pub(crate) enum TraceNext { Drop => "error-drop" }
}

/// The node that traces of handed-over packets begin at; packets do not come to it.
pub(crate) struct TraceNode;

impl TraceNode {
    pub(crate) fn spec() -> NodeSpec {
        NodeSpec::map(TRACE_NODE, |_| Self)
    }
}

impl Map for TraceNode {
    type Error = NoError;
    type Next = TraceNext;
    type Trace = HandedOff;

    fn map(&mut self, _: &mut PacketCx<'_, TraceNext, NoError>, _: &mut Buffer) -> Slot<TraceNext> {
        TraceNext::Drop.into()
    }

    fn trace(&self, _: &Buffer) -> HandedOff {
        HandedOff { thread: 0, packet: 0 }
    }
}
