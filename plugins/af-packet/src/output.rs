//! `host-<name>-tx`: puts packets into transmit rings.

use std::sync::Arc;

use vnet::{
    buffer::Buffer,
    frame::Frame,
    graph::{NoNext, Node, NodeCx, NodeFlags, NodeSpec, Verdict},
    interface::SwIfIndex,
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

/// The transmit queues of an interface, written under the barrier. The node stays when the interface is deleted, for the next one
/// of its name.
#[derive(Clone, Default)]
pub(crate) struct Sinks {
    pub(crate) interface: Option<SwIfIndex>,
    pub(crate) queues: Vec<Arc<TxQueue>>,
}

/// The node.
struct Transmit {
    sinks: Shared<Sinks>,
}

/// Registration of the node of an interface.
pub(crate) fn spec(name: &str, sinks: Shared<Sinks>) -> NodeSpec {
    NodeSpec::internal(name, move |_| Transmit { sinks: sinks.clone() }).flags(NodeFlags::OUTPUT)
}

type Cx<'a> = NodeCx<'a, NoNext, Error>;

impl Node for Transmit {
    type Error = Error;
    type Next = NoNext;
    type Trace = Trace;

    fn process(&mut self, cx: &mut Cx<'_>, frame: &mut Frame) -> Verdict<NoNext> {
        let token = cx.token();
        let Sinks { interface, queues } = self.sinks.read(token);
        let lost = match queues.get(cx.thread() % queues.len().max(1)) {
            None => gone(cx, frame),
            Some(queue) => match &mut *queue.lock() {
                None => gone(cx, frame),
                Some(ring) => send(cx, frame, ring, queue.mtu() + LINK_HEADERS),
            },
        };
        if let (Some(interface), 1..) = (interface, lost) {
            cx.state_ref().interfaces.tx_error.add(interface.0, lost);
        }
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
