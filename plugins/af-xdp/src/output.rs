//! `<interface>-tx`: puts packets into transmit rings.

use std::sync::Arc;

use nodes::interface::Outlet;
use vnet::{
    buffer::{Buffer, Part},
    frame::Frame,
    graph::{Borrower, NoNext, Node, NodeCx, NodeSpec, Verdict},
    runtime::Shared,
    wire::ethernet,
};

use crate::{queue::Queue, tx::TxSide};

vnet::node_errors! {
    /// Why a packet is not sent.
    pub(crate) enum Error {
        Full => ("ring-full", "transmit ring is full", Error),
        TooLong => ("too-long", "packet longer than the host's interface takes", Error),
        TooShort => ("too-short", "packet without an Ethernet header", Error),
        TooMany => ("too-many-buffers", "packet of more buffers than kernel or driver take", Error),
        NoBuffer => ("no-buffer", "no buffers to copy what the packet shares", Error),
        Refused => ("refused", "the device did not take the packet", Error),
        Gone => ("gone", "interface is deleted", Error),
    }
}

vnet::trace_record! {
    /// What is recorded of a traced packet.
    pub(crate) struct Trace { length: u32 } => "length {length}"
}

/// The node.
struct Transmit(Shared<Outlet<Arc<Queue>>>);

/// Registration of the node of an interface.
pub(crate) fn spec(name: &str, outlet: Shared<Outlet<Arc<Queue>>>) -> NodeSpec {
    NodeSpec::internal(name, move |_| Transmit(outlet.clone()))
}

type Cx<'a> = NodeCx<'a, NoNext, Error>;

impl Node for Transmit {
    type Error = Error;
    type Next = NoNext;
    type Trace = Trace;

    fn process(&mut self, cx: &mut Cx<'_>, frame: &mut Frame) -> Verdict<NoNext> {
        let outlet = self.0.read(cx.token());
        let lost = match outlet.queue(cx.thread()) {
            None => gone(cx, frame),
            Some(queue) => match &mut *queue.tx() {
                None => gone(cx, frame),
                Some(side) => self.send(cx, frame, queue, side),
            },
        };
        outlet.count_lost(cx, lost);
        Verdict::Free
    }

    fn trace(&self, buffer: &Buffer) -> Trace {
        Trace { length: buffer.length_in_chain() as u32 }
    }
}

#[cold]
fn gone(cx: &mut Cx<'_>, frame: &Frame) -> u64 {
    let lost = frame.len() as u64;
    cx.count(Error::Gone, lost);
    lost
}

impl Transmit {
    /// Sends the packets of a frame; how many are lost, which stay in it.
    fn send(&self, cx: &mut Cx<'_>, frame: &mut Frame, queue: &Queue, side: &mut TxSide) -> u64 {
        side.reap(|lent| cx.take_back(lent));
        let (longest, most_buffers) = (queue.longest(), queue.most_buffers());
        let mut sending = Sending { side, longest, most_buffers, lost: [0; 5] };
        cx.lend_packets(self, frame, &mut sending);
        let Sending { side, lost, .. } = sending;
        let refused = side.send();
        let reasons =
            [Error::Full, Error::TooLong, Error::TooShort, Error::TooMany, Error::NoBuffer];
        for (reason, n) in reasons.into_iter().zip(lost).chain([(Error::Refused, refused)]) {
            if n > 0 {
                cx.count(reason, n);
            }
        }
        lost.into_iter().sum::<u64>() + refused
    }
}

/// Puts packets into a ring.
struct Sending<'s> {
    side: &'s mut TxSide,
    /// Octets of the longest packet that can be sent.
    longest: usize,
    most_buffers: usize,
    /// Packets that are not: the ring is full, they are too long, too short, have too many buffers, or share some.
    lost: [u64; 5],
}

impl Borrower for Sending<'_> {
    #[inline]
    fn takes(&mut self, packet: &Buffer, buffers: usize) -> bool {
        let [full, too_long, too_short, too_many, _] = &mut self.lost;
        if packet.length_in_chain() > self.longest {
            *too_long += 1;
        } else if packet.len() < size_of::<ethernet::Header>() {
            *too_short += 1;
        } else if buffers > self.most_buffers {
            *too_many += 1;
        } else if !self.side.has_room(buffers) {
            *full += 1;
        } else {
            return true;
        }
        false
    }

    #[inline]
    fn take(&mut self, part: Part) {
        self.side.push(part);
    }

    #[cold]
    fn cannot_copy(&mut self, _: &Buffer) {
        self.lost[4] += 1;
    }
}
