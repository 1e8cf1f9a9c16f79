//! What the nodes of a device do that packets come into and leave from in the buffers themselves.

use super::{NextSet, Node, NodeCx, adapter::record_traces};
use crate::{
    buffer::{Buffer, BufferFlags, Lent, Part},
    error::ErrorSet,
    frame::Frame,
};

/// Takes packets on their way to a device.
pub trait Borrower {
    /// Whether it takes `packet`, which has that many buffers. It counts what it does not take.
    fn takes(&mut self, packet: &Buffer, buffers: usize) -> bool;

    /// Takes a buffer of the packet that it was asked about last.
    fn take(&mut self, part: Part);

    /// A packet cannot be lent, since it shares buffers with another one and there are none for a copy.
    fn cannot_copy(&mut self, packet: &Buffer);
}

impl<Next: NextSet, Error: ErrorSet> NodeCx<'_, Next, Error> {
    /// Takes up to `n` buffers from the pool for a device to fill, one after the other to `give`; returns how many there were.
    #[inline]
    pub fn lend_buffers(&mut self, n: usize, give: impl FnMut(Lent)) -> usize {
        self.state().magazine.lend(n, give)
    }

    /// Gives a buffer back to the pool that a device has done with.
    #[inline]
    pub fn take_back(&mut self, lent: Lent) {
        self.state().magazine.take_back(lent);
    }

    /// Puts a packet to the end of `frame` that a device has received: `length` octets, `start` octets from the beginning of the
    /// buffer. `None` when they do not lie in headroom and data, or the frame is full; the buffer goes back to the pool then.
    #[inline]
    pub fn receive<'f>(
        &mut self,
        frame: &'f mut Frame,
        lent: Lent,
        start: usize,
        length: usize,
    ) -> Option<&'f mut Buffer> {
        let magazine = &mut self.state().magazine;
        if frame.room() == 0 {
            magazine.take_back(lent);
            return None;
        }
        match magazine.receive(lent, start, length) {
            Ok(index) => frame.append(&[index], false),
            Err(lent) => {
                magazine.take_back(lent);
                return None;
            }
        };
        let last = frame.len() - 1;
        frame.buffers(magazine.base()).into_nth(last)
    }

    /// Makes the packet `head`, which this node has just received, longer by what a device has put into another buffer, as
    /// [`Self::receive`] does. Whether it lies in headroom and data; the buffer goes back to the pool otherwise.
    pub fn receive_more(
        &mut self,
        head: &mut Buffer,
        lent: Lent,
        start: usize,
        length: usize,
    ) -> bool {
        let magazine = &mut self.state().magazine;
        match magazine.receive(lent, start, length) {
            Ok(index) => magazine.add_segment(head, index),
            Err(lent) => {
                magazine.take_back(lent);
                return false;
            }
        }
        true
    }

    /// Gives packets of `frame` to `to`, which is asked about each. What it does not take stays in the frame. Traces are recorded
    /// before, by `node`, which is the one that runs: what a device has is seen no more.
    pub fn lend_packets<N: Node>(&mut self, node: &N, frame: &mut Frame, to: &mut impl Borrower) {
        let at = self.node();
        let state = self.state();
        if frame.is_traced() {
            record_traces(node, state, at, frame);
        }
        let magazine = &mut state.magazine;
        let base = magazine.base();
        let mut kept = 0;
        for i in 0..frame.len() {
            let index = frame.indices()[i];
            let mut buffers = frame.buffers(base);
            let Some(packet) = buffers.get(i) else { break };
            let count = match packet.flags().contains(BufferFlags::NEXT_PRESENT) {
                false => 1,
                true if magazine.own_tail(packet) => magazine.segments(packet),
                true => {
                    to.cannot_copy(packet);
                    0
                }
            };
            if count > 0 && to.takes(packet, count) {
                magazine.lend_packet(index, |part| to.take(part));
            } else {
                frame.keep(kept, index);
                kept += 1;
            }
        }
        frame.shorten(kept);
    }
}
