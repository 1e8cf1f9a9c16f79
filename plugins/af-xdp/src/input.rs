//! `af-xdp-input`: takes packets out of the rings of received ones, and fills the fill rings.

use std::sync::Arc;

use vnet::{
    buffer::Buffer,
    frame::{FRAME_SIZE, Frame},
    graph::{ArcIndex, InputMode, Instance, Node, NodeCx, NodeSpec, Verdict},
    interface::{QueueRotation, RxPlacement, RxSources, SwIfIndex},
    runtime::Shared,
    wire::{link::LinkType, partial},
};

use crate::{
    queue::Queue,
    rx::{Received, RxSide},
};

/// Its name.
pub(crate) const INPUT: &str = "af-xdp-input";

vnet::next_nodes! {
    /// Where packets go that no feature takes.
    pub(crate) enum Next {
        Ethernet => "ethernet-input",
    }
}

vnet::node_errors! {
    /// What is counted.
    pub(crate) enum Error {
        NoBuffer => ("no-buffer", "fill ring not filled for want of buffers", Error),
        BadDescriptor => ("bad-descriptor", "received packet in no buffer of the ring", Error),
        Partial => ("partial", "packets with checksums left to be made", Info),
    }
}

vnet::trace_record! {
    /// What is recorded of a traced packet.
    pub(crate) struct Trace { interface: u32, length: u32, checksum: u32 } =>
    "af_xdp: sw_if_index {interface} length {length} checksum-offset {checksum}"
}

/// A queue, as the node needs it.
pub(crate) struct Source {
    pub(crate) queue: Arc<Queue>,
    pub(crate) rx: SwIfIndex,
    /// Checksums may be left to be made, and nobody says so.
    pub(crate) completes: bool,
}

/// The node.
struct Input {
    queues: QueueRotation<Source>,
    device_input: ArcIndex,
}

/// Registration of the node.
pub(crate) fn spec(placement: Shared<RxPlacement>, sources: Shared<RxSources<Source>>) -> NodeSpec {
    let make = move |at: &Instance<'_>| Input {
        queues: QueueRotation::new(placement.clone(), sources.clone()),
        device_input: at.arc("device-input"),
    };
    NodeSpec::input(INPUT, make).mode(InputMode::Disabled)
}

type Cx<'a> = NodeCx<'a, Next, Error>;

impl Node for Input {
    type Error = Error;
    type Next = Next;
    type Trace = Trace;

    fn process(&mut self, cx: &mut Cx<'_>, frame: &mut Frame) -> Verdict<Next> {
        for source in self.queues.turn(cx) {
            if let Some(side) = &mut *source.queue.rx() {
                drain(cx, frame, side, source, self.device_input);
                fill(cx, side);
            }
            if frame.room() == 0 {
                break;
            }
        }
        if frame.is_empty() { Verdict::Consumed } else { Verdict::PerPacket }
    }

    fn trace(&self, buffer: &Buffer) -> Trace {
        let checksum = buffer.offload().map_or(0, |o| o.checksum_offset.into());
        Trace { interface: buffer.rx.0, length: buffer.length_in_chain() as u32, checksum }
    }
}

/// Moves packets from a queue to `frame`.
fn drain(
    cx: &mut Cx<'_>,
    frame: &mut Frame,
    side: &mut RxSide,
    source: &Source,
    device_input: ArcIndex,
) {
    if !side.seek() {
        return;
    }
    let start = cx.arc_start(device_input, source.rx);
    let (mut packets, mut octets, mut errors, mut partial) = (0, 0, 0, 0);
    while frame.len() < FRAME_SIZE && side.is_whole() {
        let Some(buffer) = bring(cx, frame, side) else {
            errors += 1;
            continue;
        };
        buffer.rx = source.rx;
        buffer.time = cx.packet_time();
        buffer.link_type = LinkType::Ethernet.number();
        let length = buffer.length_in_chain();
        buffer.wire_length = length as u32;
        if source.completes
            && let Some(place) = partial::left_to_make(buffer.current(), LinkType::Ethernet)
        {
            buffer.leave_checksum(place);
            partial += 1;
        }
        packets += 1;
        octets += length as u64;
        let slot = cx.enter(start, buffer, Next::Ethernet);
        cx.set_next(frame.len() - 1, slot);
    }
    side.release();
    let counters = &cx.state_ref().interfaces;
    if packets > 0 {
        counters.rx.add(source.rx.0, packets, octets);
    }
    if errors > 0 {
        counters.rx_error.add(source.rx.0, errors);
        cx.count(Error::BadDescriptor, errors);
    }
    if partial > 0 {
        cx.count(Error::Partial, partial);
    }
}

/// The next packet, at the end of `frame`; `None` when the kernel says of it what cannot be.
#[inline]
fn bring<'f>(cx: &mut Cx<'_>, frame: &'f mut Frame, side: &mut RxSide) -> Option<&'f mut Buffer> {
    let Received { lent, start, length, more } = side.take()?;
    let head = lent.and_then(|lent| cx.receive(frame, lent, start, length));
    if more { bring_rest(cx, side, head) } else { head }
}

/// The buffers behind the first. Without a first one they go back.
#[cold]
fn bring_rest<'f>(
    cx: &mut Cx<'_>,
    side: &mut RxSide,
    mut head: Option<&'f mut Buffer>,
) -> Option<&'f mut Buffer> {
    while let Some(Received { lent, start, length, more }) = side.take() {
        match (&mut head, lent) {
            (Some(head), Some(lent)) => {
                cx.receive_more(head, lent, start, length);
            }
            (None, Some(lent)) => cx.take_back(lent),
            (_, None) => {}
        }
        if !more {
            break;
        }
    }
    head
}

/// Fills the fill ring, as far as there are buffers.
#[inline]
fn fill(cx: &mut Cx<'_>, side: &mut RxSide) {
    let room = side.room();
    if room == 0 {
        return;
    }
    let filled = cx.lend_buffers(room, |lent| side.fill(lent));
    if filled > 0 {
        side.publish();
    }
    if filled < room {
        cx.count(Error::NoBuffer, 1);
    }
}
