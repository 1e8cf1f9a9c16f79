//! What the author of a node writes, and what it sees while it looks at a frame.

use core::ops::{Deref, DerefMut};

use super::{NextSet, Onward, PacketCx, Slot};
use crate::{
    buffer::{Buffer, BufferFlags, BufferIndex, Template},
    counter::ErrorIndex,
    error::ErrorSet,
    frame::{Buffers, FRAME_SIZE, Frame},
    runtime::Handoff,
    trace::TraceRecord,
};

/// What is to happen to a frame that a node has looked at.
pub enum Verdict<N> {
    /// Each packet goes where [`NodeCx::each`] was told.
    PerPacket,
    /// All packets go the same way.
    All(Slot<N>),
    /// All packets go back to the pool: they were dropped and counted, or sent.
    Free,
    /// Each packet goes on at the thread that [`NodeCx::set_thread`] said; made by [`NodeCx::hand_off`].
    HandOff(Handoff, ErrorIndex),
    /// The node has given the packets away, and the frame is empty.
    Consumed,
}

/// A node that looks at a whole frame.
pub trait Node: Send + Sized + 'static {
    /// Where packets can go.
    type Next: NextSet;
    /// What is counted.
    type Error: ErrorSet;
    /// What is recorded of a traced packet.
    type Trace: TraceRecord;

    /// Looks at all packets of `frame`. An input node is given an empty frame to fill.
    fn process(
        &mut self,
        cx: &mut NodeCx<'_, Self::Next, Self::Error>,
        frame: &mut Frame,
    ) -> Verdict<Self::Next>;

    /// What to record of a traced packet, after `process` has looked at it.
    fn trace(&self, buffer: &Buffer) -> Self::Trace;
}

/// A node that looks at one packet at a time; the framework owns the loop.
pub trait Map: Send + Sized + 'static {
    /// Where packets can go.
    type Next: NextSet;
    /// What is counted.
    type Error: ErrorSet;
    /// What is recorded of a traced packet.
    type Trace: TraceRecord;

    /// Whether metadata and first header are prefetched a few packets ahead; the first node to look at a packet gains by it.
    const PREFETCH: bool = false;

    /// Looks at one packet and says where it goes.
    fn map(
        &mut self,
        cx: &mut PacketCx<'_, Self::Next, Self::Error>,
        buffer: &mut Buffer,
    ) -> Slot<Self::Next>;

    /// What to record of a traced packet, after `map` has looked at it.
    fn trace(&self, buffer: &Buffer) -> Self::Trace;
}

pub(crate) struct MapAdapter<M>(pub(crate) M);

impl<M: Map> Node for MapAdapter<M> {
    type Error = M::Error;
    type Next = M::Next;
    type Trace = M::Trace;

    #[inline]
    fn process(
        &mut self,
        cx: &mut NodeCx<'_, M::Next, M::Error>,
        frame: &mut Frame,
    ) -> Verdict<M::Next> {
        if M::PREFETCH {
            cx.each_prefetched::<4>(frame, |cx, buffer| self.0.map(cx, buffer))
        } else {
            cx.each(frame, |cx, buffer| self.0.map(cx, buffer))
        }
    }

    fn trace(&self, buffer: &Buffer) -> M::Trace {
        self.0.trace(buffer)
    }
}

/// What a node sees of its thread while it looks at a frame.
pub struct NodeCx<'d, Next, Error> {
    pub(super) packet: PacketCx<'d, Next, Error>,
    pub(super) nexts: &'d mut [u16; FRAME_SIZE],
}

impl<'d, Next, Error> Deref for NodeCx<'d, Next, Error> {
    type Target = PacketCx<'d, Next, Error>;

    #[inline]
    fn deref(&self) -> &Self::Target {
        &self.packet
    }
}

impl<Next, Error> DerefMut for NodeCx<'_, Next, Error> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.packet
    }
}

impl<'d, Next: NextSet, Error: ErrorSet> NodeCx<'d, Next, Error> {
    /// Packet `i` of the frame is to go on at the thread `thread`: for [`Verdict::HandOff`].
    #[inline]
    pub fn set_thread(&mut self, i: usize, thread: u16) {
        if let Some(place) = self.nexts.get_mut(i) {
            *place = thread;
        }
    }

    /// Hands each packet over to the thread that [`Self::set_thread`] said, to the node to which `way` leads. Those that do not
    /// fit into the queue of their thread are dropped, and counted as `full`.
    #[must_use]
    pub fn hand_off(&self, way: Handoff, full: Error) -> Verdict<Next> {
        Verdict::HandOff(way, self.packet.error_base.plus(full.code()))
    }

    /// Runs `f` on each packet of `frame`; what it returns is where the packet goes.
    #[inline]
    pub fn each(
        &mut self,
        frame: &mut Frame,
        mut f: impl FnMut(&mut PacketCx<'d, Next, Error>, &mut Buffer) -> Slot<Next>,
    ) -> Verdict<Next> {
        let mut buffers = frame.buffers(self.packet.state.base());
        for (buffer, next) in buffers.iter_mut().zip(self.nexts.iter_mut()) {
            *next = f(&mut self.packet, buffer).raw();
        }
        Verdict::PerPacket
    }

    /// As [`Self::each`], for packets that mostly agree with those before them on some `key`, such as their interface. What
    /// follows from the key is found by `begin`, once for all packets in a row that have it; `f` runs on each of them, and `end`
    /// gets what `begin` gave, as `f` left it, and the number of packets. `key` also gets the packet's position.
    ///
    /// In the loop over a run, what `begin` gave stays in registers, as far as `f` lends it to nobody who is not inlined: give
    /// such a function a copy.
    #[inline(always)]
    pub fn each_run<K: Copy + Eq, R>(
        &mut self,
        frame: &mut Frame,
        key: impl Fn(usize, &Buffer) -> K,
        mut begin: impl FnMut(&mut PacketCx<'d, Next, Error>, K) -> R,
        mut f: impl FnMut(&mut PacketCx<'d, Next, Error>, &mut R, &mut Buffer) -> Slot<Next>,
        mut end: impl FnMut(&mut PacketCx<'d, Next, Error>, K, R, usize),
    ) -> Verdict<Next> {
        let cx = &mut self.packet;
        let nexts = &mut self.nexts[..frame.len()];
        let mut buffers = frame.buffers(cx.state.base());
        let mut i = 0;
        while let Some(first) = buffers.get(i) {
            let (start, of) = (i, key(i, first));
            let mut run = begin(cx, of);
            while let Some(buffer) = buffers.get(i)
                && key(i, buffer) == of
            {
                nexts[i] = f(cx, &mut run, buffer).raw();
                i += 1;
            }
            end(cx, of, run, i - start);
        }
        Verdict::PerPacket
    }

    /// As [`Self::each`], prefetching metadata and first header `AHEAD` packets ahead.
    #[inline]
    pub fn each_prefetched<const AHEAD: usize>(
        &mut self,
        frame: &mut Frame,
        mut f: impl FnMut(&mut PacketCx<'d, Next, Error>, &mut Buffer) -> Slot<Next>,
    ) -> Verdict<Next> {
        let mut buffers = frame.buffers(self.packet.state.base());
        for (buffer, next) in buffers.prefetched::<AHEAD>().zip(self.nexts.iter_mut()) {
            *next = f(&mut self.packet, buffer).raw();
        }
        Verdict::PerPacket
    }

    /// Runs `f` on each packet of `frame`; what it returns is where the packet goes at once, or that it goes back to the pool. For a
    /// node that also [emits](Self::emit) packets, which leave in between.
    pub fn each_in_order(
        &mut self,
        frame: &mut Frame,
        mut f: impl FnMut(&mut Self, &mut Buffer) -> Option<Slot<Next>>,
    ) -> Verdict<Next> {
        let (base, traced) = (self.packet.state.base(), frame.is_traced());
        for i in 0..frame.len() {
            let index = frame.indices()[i];
            let mut buffers = frame.buffers(base);
            let Some(buffer) = buffers.get(i) else { break };
            match f(self, buffer) {
                Some(next) => self.leave(index, next, traced),
                None => self.packet.state.magazine.give(&[index]),
            }
        }
        frame.clear();
        Verdict::Consumed
    }

    /// Sends a packet, which the caller owns, by `next`.
    pub(super) fn leave(&mut self, index: BufferIndex, next: Slot<Next>, traced: bool) {
        let state = &mut *self.packet.state;
        match super::resolve(next.raw(), self.packet.next_nodes) {
            Some(node) => state.put_indices(node, &[index], traced),
            None => {
                let mut lost = state.spare_frame();
                lost.append(&[index], traced);
                state.put_lost(&mut lost);
                state.recycle(lost);
            }
        }
    }

    /// Sends a new packet by `next`, which `fill` builds in an empty buffer; it goes back to the pool when that says `false`.
    /// Whether it was sent: not either when the pool has no buffer, or there is no such next node.
    pub fn emit(
        &mut self,
        next: Slot<Next>,
        fill: impl FnOnce(&mut Self, &mut Buffer) -> bool,
    ) -> bool {
        let Some(node) = super::resolve(next.raw(), self.packet.next_nodes) else { return false };
        let mut frame = self.packet.state.spare_frame();
        frame.fill_from(&mut self.packet.state.magazine, 1);
        let mut buffers = frame.buffers(self.packet.state.base());
        let (mut filled, mut traced) = (false, false);
        if let Some(buffer) = buffers.get(0) {
            filled = fill(self, buffer);
            traced = buffer.flags().contains(BufferFlags::TRACED);
        }
        if traced {
            frame.set_traced();
        }
        let state = &mut *self.packet.state;
        if filled {
            state.put(node, &mut frame);
        }
        frame.free_from(&mut state.magazine, 0);
        state.recycle(frame);
        filled
    }

    /// Leaves the record of a traced packet, for a node that has it [leave at once](Self::each_in_order).
    #[cold]
    pub fn leave_trace<T: TraceRecord>(&mut self, buffer: &Buffer, record: &T) {
        let (node, state) = (self.packet.node, &mut *self.packet.state);
        state.tracer.record_of(buffer, node, state.now, record);
    }

    /// The buffers of `frame`, for a node that makes several passes; it ends with [`Self::each`] or [`Self::set_next`].
    #[inline]
    pub fn buffers<'f>(&self, frame: &'f mut Frame) -> Buffers<'f> {
        frame.buffers(self.packet.state.base())
    }

    /// Says where packet `i` of the frame goes. A node that uses this says it for all packets and returns
    /// [`Verdict::PerPacket`].
    #[inline]
    pub fn set_next(&mut self, i: usize, next: Slot<Next>) {
        if let Some(slot) = self.nexts.get_mut(i) {
            *slot = next.raw();
        }
    }

    /// Sends the packets of `frame`, each of which was shown to `onward`, to their next features.
    #[inline]
    pub fn go_on(&mut self, frame: &mut Frame, onward: Onward) -> Verdict<Next> {
        let Onward { first, differences } = onward;
        let features = self.packet.features;
        if differences == 0 {
            return Verdict::All(Slot::direct(features.node_at(first + 1)));
        }
        self.each(frame, |_, buffer| Slot::direct(features.node_at(buffer.feature)))
    }

    /// Takes up to `n` buffers from the pool, empty and reset, to the end of `frame`; returns how many there were. Fewer
    /// than asked for means that the pool is exhausted, which is counted there: an input leaves its packets where they are.
    #[inline]
    pub fn allocate(&mut self, frame: &mut Frame, n: usize) -> usize {
        frame.fill_from(&mut self.packet.state.magazine, n)
    }

    /// As [`Self::allocate`]; the buffers are copies of `template`.
    #[inline]
    pub fn allocate_copies(
        &mut self,
        frame: &mut Frame,
        n: usize,
        template: &mut Template,
    ) -> usize {
        frame.copies_from(&mut self.packet.state.magazine, template, n)
    }

    /// Gives the packets behind the first `keep` back to the pool. What an input took and did not use, or a device has sent.
    #[inline]
    pub fn free(&mut self, frame: &mut Frame, keep: usize) {
        frame.free_from(&mut self.packet.state.magazine, keep);
    }

    /// Shortens a packet to its first `n` octets, which are all in its first buffer; the others go back to the pool.
    pub fn cut(&mut self, buffer: &mut Buffer, n: usize) {
        self.packet.state.magazine.cut(buffer, n);
    }

    /// Hangs `tail` behind `buffer`, spread over as many buffers as it needs; whether the pool had them. When not, the
    /// packet is left as it was.
    pub fn append_chain(&mut self, buffer: &mut Buffer, tail: &[u8]) -> bool {
        self.packet.state.magazine.append_chain(buffer, tail)
    }

    /// Makes a packet longer of which `buffer`, which has no chain yet, is the first buffer: by `own` octets in itself, and `tail`
    /// behind it, spread over as many buffers as they need. `fill` gets the octets to fill, and how many there were before.
    /// Whether the pool had the buffers; when not, the packet is left as it was.
    pub fn extend_chain(
        &mut self,
        buffer: &mut Buffer,
        own: usize,
        tail: usize,
        fill: impl FnMut(usize, &mut [u8]),
    ) -> bool {
        self.packet.state.magazine.extend_chain(buffer, own, tail, fill)
    }
}
