//! What a thread has: its magazine, its counters, and the frames that wait for nodes.

use std::collections::VecDeque;

use super::{Dispatching, EngineTime, Local, Locals, PacketTime, handoff::Peers};
use crate::{
    buffer::{Buffer, BufferFlags, BufferIndex, Magazine},
    classify::{Asking, FilterUse},
    counter::{CombinedWriter, ErrorIndex, ErrorWriter, Writers},
    frame::{FRAME_SIZE, Frame, Picked, Selection, Waiting},
    graph::{NodeIndex, Sent, resolve},
    interface::InterfaceWriters,
    trace::Tracer,
    wire::link::LinkType,
};

/// Frames that wait for a node. All but the last are full.
struct Inbox {
    full: VecDeque<Frame>,
    open: Frame,
}

/// The state of one thread that its nodes share.
pub struct WorkerState {
    pub(crate) thread: usize,
    pub(crate) magazine: Magazine,
    pub(crate) errors: ErrorWriter,
    /// This thread's interface counters.
    pub interfaces: InterfaceWriters,
    /// This thread's packets and bytes of each route, by load-balance index.
    pub routes: CombinedWriter,
    /// This thread's part of what plugins count.
    pub(crate) counters: Writers,
    pub(crate) tracer: Tracer,
    pub(crate) now: EngineTime,
    pub(crate) wall: PacketTime,
    pub(crate) locals: Locals,
    pub(crate) peers: Peers,
    inboxes: Vec<Inbox>,
    pending: VecDeque<NodeIndex>,
    spare: Vec<Frame>,
    drop_node: NodeIndex,
    no_such_next: ErrorIndex,
}

/// How one thread counts.
pub(crate) struct ThreadWriters {
    pub(crate) errors: ErrorWriter,
    pub(crate) interfaces: InterfaceWriters,
    pub(crate) routes: CombinedWriter,
    pub(crate) counters: Writers,
}

impl WorkerState {
    pub(crate) fn new(
        thread: usize,
        magazine: Magazine,
        writers: ThreadWriters,
        locals: Locals,
        peers: Peers,
    ) -> Self {
        let ThreadWriters { errors, interfaces, routes, counters } = writers;
        Self {
            thread,
            magazine,
            errors,
            interfaces,
            routes,
            counters,
            tracer: Tracer::new(),
            now: EngineTime(0),
            wall: PacketTime(0),
            locals,
            peers,
            inboxes: Vec::new(),
            pending: VecDeque::new(),
            spare: Vec::new(),
            drop_node: NodeIndex(0),
            no_such_next: ErrorIndex(0),
        }
    }

    /// Where packets go whose next slot does not exist, and under which error.
    pub(crate) fn set_drop(&mut self, node: NodeIndex, no_such_next: ErrorIndex) {
        self.drop_node = node;
        self.no_such_next = no_such_next;
    }

    pub(crate) fn add_inbox(&mut self) {
        self.inboxes.push(Inbox { full: VecDeque::new(), open: Frame::new() });
    }

    /// forwardingStatus (IANA element 89) of a packet that was dropped for `error`.
    #[inline]
    #[must_use]
    pub fn forwarding_status(&self, error: ErrorIndex) -> u8 {
        self.errors.forwarding_status(error)
    }

    #[inline]
    pub(crate) fn base(&self) -> *mut u8 {
        self.magazine.base()
    }

    /// The next frame to dispatch, in the order in which they became pending.
    #[inline]
    pub(crate) fn next_pending(&mut self) -> Option<(NodeIndex, Frame)> {
        let node = self.pending.pop_front()?;
        let inbox = &mut self.inboxes[node.0 as usize];
        let frame = match inbox.full.pop_front() {
            Some(full) => full,
            None => {
                let empty = self.spare.pop().unwrap_or_default();
                core::mem::replace(&mut inbox.open, empty)
            }
        };
        Some((node, frame))
    }

    pub(crate) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// An empty frame.
    #[inline]
    pub(crate) fn spare_frame(&mut self) -> Frame {
        self.spare.pop().unwrap_or_default()
    }

    /// Takes back a frame that is done with.
    #[inline]
    pub(crate) fn recycle(&mut self, mut frame: Frame) {
        if !frame.is_empty() {
            // A node that says "consumed" and leaves packets behind loses them, but not silently.
            self.errors.add(self.no_such_next, frame.len() as u64);
            frame.free_from(&mut self.magazine, 0);
        }
        self.spare.push(frame);
    }

    /// Moves all packets of `frame` to `node`.
    pub(crate) fn put(&mut self, node: NodeIndex, frame: &mut Frame) {
        if frame.is_empty() {
            return;
        }
        let inbox = &mut self.inboxes[node.0 as usize];
        if inbox.open.is_empty() {
            // Nothing is copied: the frames change places.
            core::mem::swap(&mut inbox.open, frame);
            self.pending.push_back(node);
        } else {
            let traced = frame.is_traced();
            self.put_indices(node, frame.indices(), traced);
            frame.clear();
        }
    }

    pub(crate) fn put_indices(
        &mut self,
        node: NodeIndex,
        mut indices: &[BufferIndex],
        traced: bool,
    ) {
        while !indices.is_empty() {
            let inbox = &mut self.inboxes[node.0 as usize];
            if inbox.open.is_empty() {
                self.pending.push_back(node);
            } else if inbox.open.room() == 0 {
                let empty = self.spare.pop().unwrap_or_default();
                inbox.full.push_back(core::mem::replace(&mut inbox.open, empty));
                continue;
            }
            let n = inbox.open.append(indices, traced);
            indices = &indices[n..];
        }
    }

    /// All packets of `frame` go by the slot `raw` of a node whose slots are `slots`.
    #[inline]
    pub(crate) fn enqueue_all(
        &mut self,
        frame: &mut Frame,
        raw: u16,
        slots: &[NodeIndex],
        sent: &mut Sent,
    ) {
        sent.add(raw, frame.len());
        match resolve(raw, slots) {
            Some(node) => self.put(node, frame),
            None => self.put_lost(frame),
        }
    }

    /// All packets of `frame` are dropped, for the reason that each carries.
    pub(crate) fn drop_all(&mut self, frame: &mut Frame) {
        self.put(self.drop_node, frame);
    }

    /// Drops the packets that wait in this thread's value of `key`.
    pub(crate) fn drop_waiting<T: Send + 'static>(
        &mut self,
        key: Local<T>,
        waiting: impl Fn(&mut T) -> &mut Waiting,
    ) {
        loop {
            let mut frame = self.spare_frame();
            if let Some(value) = self.locals.get_mut(key) {
                waiting(value).pop_any(&mut frame);
            }
            let done = frame.is_empty();
            self.drop_all(&mut frame);
            self.recycle(frame);
            if done {
                return;
            }
        }
    }

    #[cold]
    pub(crate) fn put_lost(&mut self, frame: &mut Frame) {
        let (base, error) = (self.base(), self.no_such_next);
        frame.buffers(base).iter_mut().for_each(|b| b.error = error);
        self.put(self.drop_node, frame);
    }

    /// Packet `i` of `frame` goes by the slot `nexts[i]`. The order among packets of the same next is kept.
    #[inline]
    pub(crate) fn enqueue_each(
        &mut self,
        frame: &mut Frame,
        nexts: &[u16; FRAME_SIZE],
        slots: &[NodeIndex],
        sent: &mut Sent,
    ) {
        let n = frame.len();
        if n == 0 {
            return;
        }
        let first = nexts[0];
        // One pass without a branch in it; the compiler makes vector code of it.
        let differ = nexts[..n].iter().fold(0, |d, &next| d | (next ^ first));
        if differ == 0 {
            self.enqueue_all(frame, first, slots, sent);
        } else {
            self.scatter(frame, nexts, slots, sent);
        }
    }

    /// Splits a frame by next, one pass for each.
    fn scatter(
        &mut self,
        frame: &mut Frame,
        nexts: &[u16; FRAME_SIZE],
        slots: &[NodeIndex],
        sent: &mut Sent,
    ) {
        let traced = frame.is_traced();
        let mut picked: Picked = [BufferIndex::NONE; _];
        let mut selection = Selection::new(nexts, frame.places(), frame.len());
        while let Some(next) = selection.first() {
            let n = selection.pick(next, &mut picked);
            sent.add(next, n);
            match resolve(next, slots) {
                Some(node) => self.put_indices(node, &picked[..n], traced),
                None => {
                    let mut lost = self.spare_frame();
                    lost.append(&picked[..n], traced);
                    self.put_lost(&mut lost);
                    self.recycle(lost);
                }
            }
        }
        frame.clear();
    }

    /// Sends a second packet with the bytes and the metadata of `buffer` to `node`, after `change` has had it. Whether the pool
    /// had a buffer.
    pub(crate) fn send_copy(
        &mut self,
        buffer: &Buffer,
        node: NodeIndex,
        change: impl FnOnce(&mut Buffer),
    ) -> bool {
        let Some(copy) = self.magazine.replicate(buffer) else { return false };
        let mut frame = self.spare_frame();
        frame.append(&[copy], false);
        let base = self.base();
        if let Some(buffer) = frame.buffers(base).get(0) {
            change(buffer);
        }
        self.put(node, &mut frame);
        self.recycle(frame);
        true
    }

    /// Counts `n` times the reason that a packet carries.
    #[inline]
    pub fn count_error(&mut self, error: ErrorIndex, n: u64) {
        self.errors.add(error, n);
    }

    /// Marks the first packets of `frame`, as many as traces of the input `node` are wanted.
    #[cold]
    pub(crate) fn start_traces(
        &mut self,
        node: NodeIndex,
        token: Dispatching<'_>,
        frame: &mut Frame,
    ) {
        let base = self.base();
        let mut any = false;
        let filter = self.tracer.filter(node);
        for buffer in frame.buffers(base).iter_mut() {
            if let Some(filter) = &filter {
                let asking = Asking { token, locals: &self.locals, now: self.now };
                let is_ethernet = buffer.link_type == LinkType::Ethernet.number();
                let taken = filter.takes(FilterUse::Trace, asking, buffer.current(), is_ethernet);
                if taken != Some(true) {
                    continue;
                }
            }
            let Some(handle) = self.tracer.begin(node) else { break };
            buffer.trace = handle;
            buffer.set_flags(BufferFlags::TRACED);
            any = true;
        }
        if any {
            frame.set_traced();
        }
    }
}
