//! The dispatch loop of one thread.

use std::sync::Arc;

use super::{
    Clock, Dispatching, Interrupt, Interrupts, NodeState, NodeStats, NodeWriters, WorkerState,
    cycles, handoff::Ways,
};
use crate::{
    counter::ErrorIndex,
    frame::{FRAME_SIZE, Frame},
    graph::{
        DynNode, FeatureTables, Features, Graph, InputMode, Instance, NodeIndex, NodeKind, RawCx,
        Sent,
    },
};

/// An adaptive input that brings at least this many packets a call switches to polling.
const TO_POLLING: usize = 10;
/// An adaptive input that brings at most this many packets a call goes back to its interrupt.
const TO_INTERRUPT: usize = 5;

/// One thread's instance of the graph.
pub struct Worker {
    pub(crate) state: WorkerState,
    nodes: Vec<Runtime>,
    /// Where other processes read the counts of nodes, if they are to.
    published: Option<NodeWriters>,
    inputs: Vec<NodeIndex>,
    nexts: Box<[u16; FRAME_SIZE]>,
    interrupts: Arc<Interrupts>,
    loops: u64,
    cleared_loops: u64,
    /// Inputs bring nothing more.
    closed: bool,
}

/// What all threads read while they dispatch.
#[derive(Clone, Copy)]
pub(crate) struct Tables<'d> {
    pub(crate) features: &'d FeatureTables,
    pub(crate) ways: &'d Ways,
}

struct Runtime {
    node: Option<Box<dyn DynNode>>,
    next_nodes: Vec<NodeIndex>,
    sent: Sent,
    error_base: ErrorIndex,
    mode: InputMode,
    /// For adaptive inputs: which of the two it is in.
    polls: bool,
    /// The last call brought little; one more such call and it waits for its interrupt.
    idle_once: bool,
    stats: NodeStats,
}

impl Worker {
    pub(crate) fn new(state: WorkerState, interrupts: Arc<Interrupts>) -> Self {
        Self {
            state,
            nodes: Vec::new(),
            published: None,
            inputs: Vec::new(),
            nexts: Box::new([0; FRAME_SIZE]),
            interrupts,
            loops: 0,
            cleared_loops: 0,
            closed: false,
        }
    }

    /// Makes this thread's instances of `nodes`, which the graph has just got.
    pub(crate) fn add_nodes(&mut self, graph: &Graph, features: &Features, nodes: &[NodeIndex]) {
        for &index in nodes {
            let info = graph.node(index);
            let at = Instance { thread: self.state.thread, features };
            let mut sent = Sent::default();
            sent.resize(info.nexts.len());
            self.nodes.push(Runtime {
                node: graph.instantiate(index, &at),
                next_nodes: info.nexts.clone(),
                sent,
                error_base: info.error_base,
                mode: info.mode,
                polls: info.mode == InputMode::Polling,
                idle_once: false,
                stats: NodeStats::default(),
            });
            self.state.add_inbox();
            if matches!(info.kind, NodeKind::Input | NodeKind::PreInput) {
                self.inputs.push(index);
            }
        }
        // Pre-inputs first, otherwise in the order of registration.
        self.inputs.sort_by_key(|&i| (graph.node(i).kind != NodeKind::PreInput, i));
    }

    /// Takes over next slots that were added to the graph.
    pub(crate) fn update_nexts(&mut self, graph: &Graph) {
        for ((_, info), runtime) in graph.nodes().zip(&mut self.nodes) {
            if runtime.next_nodes.len() != info.nexts.len() {
                runtime.next_nodes.clone_from(&info.nexts);
                runtime.sent.resize(info.nexts.len());
            }
        }
    }

    /// Changes how an input gets to run.
    pub(crate) fn set_mode(&mut self, node: NodeIndex, mode: InputMode) {
        let runtime = &mut self.nodes[node.0 as usize];
        runtime.mode = mode;
        runtime.polls = mode == InputMode::Polling;
        runtime.idle_once = false;
    }

    /// The interrupt of `node` on this worker.
    pub(crate) fn interrupt(&self, node: NodeIndex) -> Interrupt {
        Interrupt::new(node, self.interrupts.clone())
    }

    /// One round: every input that is due, then all frames until none is left. Returns the packets that came in.
    pub(crate) fn round(
        &mut self,
        token: Dispatching<'_>,
        tables: Tables<'_>,
        clock: &Clock,
    ) -> usize {
        self.loops += 1;
        self.state.now = clock.now();
        self.state.wall = clock.wall();
        if self.interrupts.take_handed() && self.state.receive(tables.ways) {
            self.interrupts.hand_over();
        }
        let interrupted = self.interrupts.take_any();
        let mut received = 0;
        for i in 0..self.inputs.len() {
            let index = self.inputs[i];
            let runtime = &self.nodes[index.0 as usize];
            let runs = match runtime.mode {
                InputMode::Disabled => false,
                _ if self.closed => false,
                _ if runtime.polls => true,
                _ => interrupted && self.interrupts.take(index),
            };
            if runs {
                let frame = self.state.spare_frame();
                let n = self.run(index, frame, true, token, tables);
                self.adapt(index, n);
                received += n;
            }
        }
        self.dispatch(token, tables);
        received
    }

    /// Brings packets to their end that other threads have handed over, without asking for new ones; whether there were any.
    pub(crate) fn finish(&mut self, token: Dispatching<'_>, tables: Tables<'_>) -> bool {
        let handed = self.interrupts.take_handed();
        if handed {
            while self.state.receive(tables.ways) {
                self.dispatch(token, tables);
            }
            self.dispatch(token, tables);
        }
        handed
    }

    /// Brings the packets to their end that are on their way on this thread.
    pub(crate) fn dispatch(&mut self, token: Dispatching<'_>, tables: Tables<'_>) {
        while let Some((node, frame)) = self.state.next_pending() {
            self.run(node, frame, false, token, tables);
        }
    }

    fn run(
        &mut self,
        index: NodeIndex,
        mut frame: Frame,
        is_input: bool,
        token: Dispatching<'_>,
        tables: Tables<'_>,
    ) -> usize {
        let runtime = &mut self.nodes[index.0 as usize];
        #[cfg(debug_assertions)]
        self.state.magazine.pool().check_owned(frame.indices());
        let before = frame.len();
        let start = cycles();
        let packets = match &mut runtime.node {
            Some(node) => {
                let cx = RawCx {
                    state: &mut self.state,
                    nexts: &mut self.nexts,
                    next_nodes: &runtime.next_nodes,
                    sent: &mut runtime.sent,
                    tables,
                    token,
                    node: index,
                    error_base: runtime.error_base,
                    is_input,
                };
                let brought = node.run(cx, &mut frame);
                if is_input { brought } else { before }
            }
            // A process has no instance; packets sent to one are counted when the frame is recycled.
            None => before,
        };
        let clocks = cycles().wrapping_sub(start);
        runtime.stats.add(packets as u64, clocks);
        if let Some(published) = &self.published {
            published.add(index, packets as u64, clocks);
        }
        self.state.recycle(frame);
        packets
    }

    fn adapt(&mut self, index: NodeIndex, packets: usize) {
        let runtime = &mut self.nodes[index.0 as usize];
        if runtime.mode != InputMode::Adaptive {
            return;
        }
        if !runtime.polls {
            runtime.polls = packets >= TO_POLLING;
        } else if packets > TO_INTERRUPT {
            runtime.idle_once = false;
        } else if runtime.idle_once {
            runtime.polls = false;
            runtime.idle_once = false;
        } else {
            runtime.idle_once = true;
        }
    }

    /// Whether the thread must not sleep: an input polls, an interrupt or a frame is pending.
    pub(crate) fn is_busy(&self) -> bool {
        self.interrupts.is_any()
            || self.interrupts.has_handed()
            || self.state.has_pending()
            || !self.closed
                && self.inputs.iter().any(|i| {
                    let runtime = &self.nodes[i.0 as usize];
                    runtime.polls && runtime.mode != InputMode::Disabled
                })
    }

    /// The counts of `node`.
    #[must_use]
    pub fn stats(&self, node: NodeIndex) -> NodeStats {
        self.nodes[node.0 as usize].stats
    }

    /// Has other processes read the counts of nodes, too.
    pub(crate) fn publish_stats(&mut self, writers: NodeWriters) {
        for (index, runtime) in (0..).map(NodeIndex).zip(&self.nodes) {
            writers.set(index, &runtime.stats);
        }
        self.published = Some(writers);
    }

    /// Where they read them.
    pub(crate) fn published(&self) -> Option<&NodeWriters> {
        self.published.as_ref()
    }

    /// Packets that `node` has sent on, by next slot.
    pub(crate) fn sent(&self, node: NodeIndex) -> &Sent {
        &self.nodes[node.0 as usize].sent
    }

    /// The state of `node`, which is no process.
    #[must_use]
    pub fn node_state(&self, node: NodeIndex, kind: NodeKind) -> NodeState {
        let runtime = &self.nodes[node.0 as usize];
        match (kind, runtime.mode) {
            (NodeKind::Internal | NodeKind::Process, _) => NodeState::Active,
            (_, InputMode::Disabled) => NodeState::Disabled,
            _ if runtime.polls => NodeState::Polling,
            _ => NodeState::InterruptWait,
        }
    }

    /// Rounds since counts were last cleared.
    #[must_use]
    pub fn loops(&self) -> u64 {
        self.loops - self.cleared_loops
    }

    /// The thread's number; 0 is the main thread.
    #[must_use]
    pub fn thread(&self) -> usize {
        self.state.thread
    }

    /// No input is asked any more.
    pub(crate) fn close(&mut self) {
        self.closed = true;
    }

    pub(crate) fn clear_stats(&mut self) {
        self.cleared_loops = self.loops;
        for runtime in &mut self.nodes {
            runtime.stats = NodeStats::default();
            runtime.sent.clear();
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Frames that still wait give their packets back, so that the pool's account closes.
        while let Some((_, mut frame)) = self.state.next_pending() {
            frame.free_from(&mut self.state.magazine, 0);
        }
    }
}
