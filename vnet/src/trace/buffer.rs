//! A worker's trace buffer.

use core::fmt;

use super::{RECORD_SIZE, TraceRecord};
use crate::{buffer::Buffer, classify::Classifier, graph::NodeIndex, runtime::EngineTime};

/// Records kept for each packet that is asked for, on average.
const RECORDS_PER_PACKET: usize = 24;
/// Packets that can be traced before the traces must be cleared.
const MAX_PACKETS: usize = 100_000;

/// Which finished traces are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TraceFilter {
    /// All.
    None,
    /// Only those of packets that came to the node.
    Include(NodeIndex),
    /// Only those of packets that did not.
    Exclude(NodeIndex),
}

/// What is to be traced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceWanted {
    /// Packets of this input node.
    pub node: NodeIndex,
    /// How many.
    pub packets: u32,
    /// Only those that the filter of traces takes.
    pub filter: bool,
    /// With what the buffer looks like at each node, from now on and for all nodes.
    pub verbose: bool,
}

/// What a packet's first buffer looks like.
#[derive(Clone, Copy)]
pub(crate) struct Layout {
    current_data: i16,
    length: u16,
    in_chain: u32,
    flags: u32,
    rx: u32,
    tx: u32,
}

impl Layout {
    fn of(buffer: &Buffer) -> Self {
        Self {
            current_data: buffer.current_data(),
            length: buffer.current().len() as u16,
            in_chain: buffer.length_in_chain() as u32,
            flags: buffer.flags().bits(),
            rx: buffer.rx.0,
            tx: buffer.tx.0,
        }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { current_data, length, in_chain, flags, rx, tx } = self;
        write!(f, "buffer: current data {current_data}, length {length}, in chain {in_chain}, ")?;
        write!(f, "flags 0x{flags:08x}, rx {}, tx {}", *rx as i32, *tx as i32)
    }
}

pub(crate) struct Record {
    pub(crate) packet: u32,
    pub(crate) node: NodeIndex,
    len: u16,
    pub(crate) time: EngineTime,
    pub(crate) layout: Option<Layout>,
    bytes: [u8; RECORD_SIZE],
}

impl Record {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len as usize]
    }
}

/// What a worker has recorded, and what it still is to record.
pub struct Tracer {
    wanted: Vec<u32>,
    any: bool,
    /// For nodes of which only some packets are wanted.
    filters: Vec<Option<Classifier>>,
    verbose: bool,
    packets: u32,
    records: Vec<Record>,
    lost: u64,
}

impl Default for Tracer {
    fn default() -> Self {
        Self::new()
    }
}

impl Tracer {
    /// Nothing recorded, nothing to record.
    #[must_use]
    pub fn new() -> Self {
        Self {
            wanted: Vec::new(),
            any: false,
            filters: Vec::new(),
            verbose: false,
            packets: 0,
            records: Vec::new(),
            lost: 0,
        }
    }

    /// Records so many packets more; room for them is made now.
    pub(crate) fn add(&mut self, wanted: TraceWanted, filter: Option<&Classifier>) {
        let TraceWanted { node, packets, verbose, .. } = wanted;
        let at = node.0 as usize;
        if self.wanted.len() <= at {
            self.wanted.resize(at + 1, 0);
            self.filters.resize(at + 1, None);
        }
        self.filters[at] = filter.cloned();
        self.verbose = verbose;
        let n = packets.min(MAX_PACKETS as u32);
        self.wanted[at] = self.wanted[at].saturating_add(n).min(MAX_PACKETS as u32);
        let room: usize = self.wanted.iter().map(|&w| w as usize).sum();
        self.records.reserve(room * RECORDS_PER_PACKET);
        self.any = true;
    }

    /// Forgets everything recorded and everything asked for.
    pub(crate) fn clear(&mut self) {
        *self = Self::new();
    }

    /// Whether packets of `node` are to be recorded.
    #[inline]
    pub(crate) fn wants(&self, node: NodeIndex) -> bool {
        self.any && self.wanted.get(node.0 as usize).is_some_and(|&w| w > 0)
    }

    /// What decides which packets of `node` are recorded, where not all are.
    pub(crate) fn filter(&self, node: NodeIndex) -> Option<Classifier> {
        self.filters.get(node.0 as usize)?.clone()
    }

    /// The handle of one more traced packet of `node`, if one is still wanted.
    pub(crate) fn begin(&mut self, node: NodeIndex) -> Option<u32> {
        let wanted = self.wanted.get_mut(node.0 as usize).filter(|w| **w > 0)?;
        *wanted -= 1;
        self.any = self.wanted.iter().any(|&w| w > 0);
        let handle = self.packets;
        self.packets += 1;
        Some(handle)
    }

    /// The handle of a packet that was traced on another thread, with the first record of its trace here; `None` when there is no
    /// room for it.
    pub(crate) fn adopt<T: TraceRecord>(
        &mut self,
        node: NodeIndex,
        time: EngineTime,
        record: &T,
    ) -> Option<u32> {
        if self.records.len() == self.records.capacity() {
            self.lost += 1;
            return None;
        }
        let handle = self.packets;
        self.packets += 1;
        self.record(handle, node, time, record);
        Some(handle)
    }

    /// Leaves a record of packet `packet` at `node`. When the room made by [`Self::add`] is used up, it is counted as lost.
    pub(crate) fn record<T: TraceRecord>(
        &mut self,
        packet: u32,
        node: NodeIndex,
        time: EngineTime,
        record: &T,
    ) {
        if self.records.len() == self.records.capacity() {
            self.lost += 1;
            return;
        }
        let from = record.as_bytes();
        let mut bytes = [0; RECORD_SIZE];
        bytes[..from.len()].copy_from_slice(from);
        let len = from.len() as u16;
        self.records.push(Record { packet, node, len, time, layout: None, bytes });
    }

    /// Leaves a record of a traced packet at `node`, with what its buffer looks like where that is wanted.
    pub(crate) fn record_of<T: TraceRecord>(
        &mut self,
        buffer: &Buffer,
        node: NodeIndex,
        time: EngineTime,
        record: &T,
    ) {
        let before = self.records.len();
        self.record(buffer.trace, node, time, record);
        if self.verbose
            && let Some(record) = self.records.get_mut(before)
        {
            record.layout = Some(Layout::of(buffer));
        }
    }

    /// The records of all packets, packet by packet, each in the order of its way.
    pub(crate) fn by_packet(&self) -> Vec<Vec<&Record>> {
        let mut packets: Vec<Vec<&Record>> = (0..self.packets).map(|_| Vec::new()).collect();
        for record in &self.records {
            if let Some(of_packet) = packets.get_mut(record.packet as usize) {
                of_packet.push(record);
            }
        }
        packets
    }

    /// Records for which there was no room.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::NoTrace;

    #[test]
    fn a_tracer_stops_at_what_was_asked_for_and_never_grows_while_packets_flow() {
        let mut t = Tracer::new();
        let node = NodeIndex(3);
        assert!(!t.wants(node));
        t.add(TraceWanted { node, packets: 2, filter: false, verbose: false }, None);
        let room = t.records.capacity();
        assert_eq!((t.begin(node), t.begin(node), t.begin(node)), (Some(0), Some(1), None));
        assert!(!t.wants(node));
        for i in 0..room as u32 + 5 {
            t.record(i % 2, node, EngineTime(0), &NoTrace);
        }
        assert_eq!((t.records.capacity(), t.lost()), (room, 5));
        assert_eq!(t.by_packet().len(), 2);
        t.clear();
        assert!(t.by_packet().is_empty());
    }
}
