//! `host-<name>-tx`: puts packets into transmit rings.

use std::sync::Arc;

use nodes::interface::Outlet;
use vnet::{
    buffer::Buffer,
    frame::Frame,
    graph::{NoNext, Node, NodeCx, NodeSpec, Verdict},
    runtime::Shared,
    wire::virtio_net::VirtioNetHeader,
};

use crate::{
    geometry::LINK_HEADERS,
    queue::TxQueue,
    tx::{Refusal, TxRing},
};

vnet::node_errors! {
    /// Why a packet is not sent.
    pub(crate) enum Error {
        Full => ("ring-full", "transmit ring is full", Error),
        TooLong => ("too-long", "packet longer than the host's interface takes", Error),
        Refused => ("refused", "the host did not take the packet", Error),
        Gone => ("gone", "interface is deleted", Error),
    }
}

vnet::trace_record! {
    /// What is recorded of a traced packet.
    pub(crate) struct Trace { length: u32, packets: u32 } => "length {length} packets {packets}"
}

/// The node.
struct Transmit(Shared<Outlet<Arc<TxQueue>>>);

/// Registration of the node of an interface.
pub(crate) fn spec(name: &str, outlet: Shared<Outlet<Arc<TxQueue>>>) -> NodeSpec {
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
            Some(queue) => match &mut *queue.lock() {
                None => gone(cx, frame),
                Some(ring) => send(cx, frame, ring, queue.mtu() + LINK_HEADERS),
            },
        };
        outlet.count_lost(cx, lost);
        Verdict::Free
    }

    fn trace(&self, buffer: &Buffer) -> Trace {
        let length = buffer.length_in_chain() as u32;
        Trace { length, packets: buffer.on_wire().packets }
    }
}

#[cold]
fn gone(cx: &mut Cx<'_>, frame: &Frame) -> u64 {
    let lost = frame.len() as u64;
    cx.count(Error::Gone, lost);
    lost
}

/// Sends the packets of a frame; how many, as they would be on the wire, are lost.
fn send(cx: &mut Cx<'_>, frame: &mut Frame, ring: &mut TxRing, longest: usize) -> u64 {
    let mut lost = 0;
    let mut buffers = cx.buffers(frame);
    for buffer in buffers.iter_mut() {
        let weight = buffer.on_wire().packets;
        let header = VirtioNetHeader::of(buffer);
        let pushed = if buffer.longest_on_wire() > longest {
            Err(Refusal::TooLong)
        } else {
            ring.push(&header, buffer.length_in_chain(), weight, |append| {
                cx.for_each_segment(buffer, append);
            })
        };
        if let Err(refusal) = pushed {
            let error = match refusal {
                Refusal::Full => Error::Full,
                Refusal::TooLong => Error::TooLong,
            };
            cx.count(error, weight.into());
            lost += u64::from(weight);
        }
    }
    let refused = ring.send();
    if refused > 0 {
        cx.count(Error::Refused, refused);
    }
    lost + refused
}
