//! The loop that the framework puts around a node.

use core::marker::PhantomData;

use super::{Node, NodeCx, NodeIndex, PacketCx, Sent, Verdict};
use crate::{
    buffer::BufferFlags,
    counter::ErrorIndex,
    frame::{FRAME_SIZE, Frame},
    runtime::{Dispatching, Tables, WorkerState},
};

/// What dispatch passes to a node of unknown type.
pub(crate) struct RawCx<'d> {
    pub(crate) state: &'d mut WorkerState,
    pub(crate) nexts: &'d mut [u16; FRAME_SIZE],
    pub(crate) next_nodes: &'d [NodeIndex],
    pub(crate) sent: &'d mut Sent,
    pub(crate) tables: Tables<'d>,
    pub(crate) token: Dispatching<'d>,
    pub(crate) node: NodeIndex,
    pub(crate) error_base: ErrorIndex,
    pub(crate) is_input: bool,
}

/// A node as the dispatch loop stores it.
pub(crate) trait DynNode: Send {
    /// Runs the node on `frame` and enqueues what it leaves; returns the packets that an input node brought.
    fn run(&mut self, cx: RawCx<'_>, frame: &mut Frame) -> usize;
}

pub(crate) struct Adapter<N>(pub(crate) N);

impl<N: Node> DynNode for Adapter<N> {
    fn run(&mut self, cx: RawCx<'_>, frame: &mut Frame) -> usize {
        let RawCx { state, nexts, next_nodes, sent, tables, token, node, error_base, is_input } =
            cx;
        let features = tables.features;
        let packet =
            PacketCx { state, features, next_nodes, token, node, error_base, of: PhantomData };
        let mut cx = NodeCx { packet, nexts };
        let verdict = self.0.process(&mut cx, frame);
        let NodeCx { packet: PacketCx { state, .. }, nexts } = cx;
        let packets = frame.len();
        if is_input && state.tracer.wants(node) {
            state.start_traces(node, token, frame);
        }
        if frame.is_traced() {
            record_traces(&self.0, state, node, frame);
        }
        match verdict {
            Verdict::PerPacket => state.enqueue_each(frame, nexts, next_nodes, sent),
            Verdict::All(slot) => state.enqueue_all(frame, slot.raw(), next_nodes, sent),
            Verdict::Free => frame.free_from(&mut state.magazine, 0),
            Verdict::HandOff(way, full) => state.hand_off(tables.ways, way, frame, nexts, full),
            Verdict::Consumed => {}
        }
        packets
    }
}

#[cold]
pub(super) fn record_traces<N: Node>(
    node: &N,
    state: &mut WorkerState,
    index: NodeIndex,
    frame: &mut Frame,
) {
    let base = state.base();
    for buffer in frame.buffers(base).iter_mut() {
        if buffer.flags().contains(BufferFlags::TRACED) {
            let record = node.trace(buffer);
            state.tracer.record_of(buffer, index, state.now, &record);
        }
    }
}
