//! `af-packet-input`: takes packets out of receive rings.

use std::sync::Arc;

use vnet::{
    buffer::{Buffer, BufferFlags},
    frame::{FRAME_SIZE, Frame},
    graph::{ArcIndex, InputMode, Instance, Node, NodeCx, NodeSpec, Slot, Verdict},
    interface::{QueueRotation, RxPlacement, RxSources, SwIfIndex},
    runtime::Shared,
    wire::{
        link::LinkType,
        partial,
        virtio_net::{Malformed, VirtioNetHeader},
    },
};

use crate::{
    abi::Version,
    queue::{RxQueue, RxSide},
    rx::{Received, RxRing},
};

/// Its name.
pub(crate) const INPUT: &str = "af-packet-input";
/// Buffers taken from the pool at a time, as long as nobody knows how many packets wait.
const BATCH: usize = 32;
/// Octets of the MAC addresses, behind which a VLAN tag belongs.
const ADDRESSES: usize = 12;
/// Octets of a VLAN tag.
const TAG: usize = 4;

vnet::next_nodes! {
    /// Where packets go that no feature takes.
    pub(crate) enum Next {
        Ethernet => "ethernet-input",
        Ip4 => "ip4-input",
        Ip6 => "ip6-input",
    }
}

vnet::node_errors! {
    /// Why a packet of a ring does not come into the graph.
    pub(crate) enum Error {
        NoBuffer => ("no-buffer", "no buffers for a packet", Error),
        Truncated => ("truncated", "packet longer than a slot of the ring", Error),
        BadOffload => ("bad-offload", "packet with unknown offloads", Error),
        NotIp => ("not-ip", "neither ip4 nor ip6 on an interface without ethernet", Error),
    }
}

vnet::trace_record! {
    /// What is recorded of a traced packet.
    pub(crate) struct Trace { interface: u32, length: u32, packets: u32, gso_size: u32, checksum: u32 } =>
    "af_packet: sw_if_index {interface} length {length} packets {packets} gso-size {gso_size} checksum-offset {checksum}"
}

/// A queue, as the node needs it.
pub(crate) struct Source {
    pub(crate) queue: Arc<RxQueue>,
    pub(crate) rx: SwIfIndex,
    /// Whether its packets begin with an Ethernet header.
    pub(crate) ethernet: bool,
    /// Whether it only listens: cut packets are whole, and those that the host sends have `tx` set.
    pub(crate) listens: bool,
}

/// The node.
struct Input {
    queues: QueueRotation<Source>,
    device_input: ArcIndex,
}

/// What became of the packets of one queue.
#[derive(Default)]
struct Tally {
    packets: u64,
    octets: u64,
    no_buffer: u64,
    errors: u64,
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
        let mut filled = 0;
        for source in self.queues.turn(cx) {
            if let Some(side) = &mut *source.queue.lock() {
                filled = drain(cx, frame, filled, side, source, self.device_input);
            }
            if filled == FRAME_SIZE {
                break;
            }
        }
        cx.free(frame, filled);
        if filled == 0 { Verdict::Consumed } else { Verdict::PerPacket }
    }

    fn trace(&self, buffer: &Buffer) -> Trace {
        let offload = buffer.offload();
        Trace {
            interface: buffer.rx.0,
            length: buffer.length_in_chain() as u32,
            packets: buffer.on_wire().packets,
            gso_size: offload.map_or(0, |o| o.gso_size.into()),
            checksum: offload.map_or(0, |o| o.checksum_offset.into()),
        }
    }
}

/// Moves packets from a queue to `frame`, whose first `filled` buffers are packets; returns how many are then.
fn drain(
    cx: &mut Cx<'_>,
    frame: &mut Frame,
    mut filled: usize,
    side: &mut RxSide,
    source: &Source,
    device_input: ArcIndex,
) -> usize {
    let mut tally = Tally::default();
    let Some(ring) = &mut side.ring else { return filled };
    let start = cx.arc_start(device_input, source.rx);
    let mut taken = 0;
    while filled < FRAME_SIZE && taken < FRAME_SIZE {
        let Some(received) = ring.peek() else { break };
        if filled == frame.len() && cx.allocate(frame, BATCH.min(frame.room())) == 0 {
            if source.listens {
                // Buffers come back with the next round; packets can wait in their ring.
                break;
            }
            cx.count(Error::NoBuffer, 1);
            tally.no_buffer += 1;
            taken += 1;
            ring.advance();
            continue;
        }
        taken += 1;
        let mut buffers = cx.buffers(frame);
        let Some(buffer) = buffers.get(filled) else { break };
        let brought = match source.listens {
            true => listen(ring, &received, buffer, source),
            false => bring(cx, ring, &received, buffer, source),
        };
        match brought {
            Ok(next) => {
                let on_wire = buffer.on_wire();
                tally.packets += u64::from(on_wire.packets);
                tally.octets += on_wire.octets;
                let slot = cx.enter(start, buffer, next);
                cx.set_next(filled, slot);
                filled += 1;
            }
            Err(error) => {
                // The buffer is the next packet's; what has come into it goes.
                cx.count(error, 1);
                match error {
                    Error::NoBuffer => tally.no_buffer += 1,
                    _ => {
                        tally.errors += 1;
                        side.heard.unreadable += 1;
                    }
                }
                cx.free(frame, filled);
            }
        }
        ring.advance();
    }
    side.heard.taken += taken as u64;
    if taken == 0 && (source.listens || ring.version() == Version::V2) {
        // An interface that is down or gone makes its descriptor ready until somebody has asked for the reason.
        let _: std::io::Result<()> = side.socket.take_error();
    }
    count(cx, source.rx, &tally);
    filled
}

fn count(cx: &Cx<'_>, rx: SwIfIndex, tally: &Tally) {
    let counters = &cx.state_ref().interfaces;
    if tally.packets > 0 {
        counters.rx.add(rx.0, tally.packets, tally.octets);
    }
    if tally.no_buffer > 0 {
        counters.rx_no_buf.add(rx.0, tally.no_buffer);
    }
    if tally.errors > 0 {
        counters.rx_error.add(rx.0, tally.errors);
    }
}

/// Copies a packet into `buffer`, which is empty, and as many behind it as it needs; where it goes from here.
#[inline]
fn bring(
    cx: &mut Cx<'_>,
    ring: &RxRing,
    received: &Received,
    buffer: &mut Buffer,
    source: &Source,
) -> Result<Slot<Next>, Error> {
    if received.captured < received.length || received.captured == 0 {
        return Err(Error::Truncated);
    }
    let inserted = match received.vlan {
        Some(tag) if source.ethernet && received.captured >= ADDRESSES => {
            insert_tag(ring, received, buffer, tag)?
        }
        _ => 0,
    };
    // What is in the buffer already, and what is behind it in the ring.
    let skip = if inserted > 0 { ADDRESSES } else { 0 };
    let rest = received.captured - skip;
    if rest <= buffer.room() && !received.offload.is_gso() {
        let room = buffer.extend(rest).ok_or(Error::Truncated)?;
        ring.read(received, skip, room);
    } else {
        bring_long(cx, ring, received, skip, buffer)?;
    }
    buffer.rx = source.rx;
    buffer.time = received.time;
    buffer.wire_length = buffer.length_in_chain() as u32;
    let link = if source.ethernet { LinkType::Ethernet } else { LinkType::Raw };
    buffer.link_type = link.number();
    if received.offload != VirtioNetHeader::default() {
        note_offload(received, inserted, buffer)?;
    } else if received.is_partial {
        note_partial(buffer, link);
    }
    if source.ethernet {
        return Ok(Next::Ethernet.into());
    }
    match buffer.current().first().map(|byte| byte >> 4) {
        Some(4) => Ok(Next::Ip4.into()),
        Some(6) => Ok(Next::Ip6.into()),
        _ => Err(Error::NotIp),
    }
}

/// Copies what was taken of a packet into `buffer`, which is empty.
fn listen(
    ring: &RxRing,
    received: &Received,
    buffer: &mut Buffer,
    source: &Source,
) -> Result<Slot<Next>, Error> {
    if received.captured == 0 || received.captured > buffer.room() {
        return Err(Error::Truncated);
    }
    let inserted = match received.vlan {
        Some(tag) if source.ethernet && received.captured >= ADDRESSES => {
            insert_tag(ring, received, buffer, tag)?
        }
        _ => 0,
    };
    let skip = if inserted > 0 { ADDRESSES } else { 0 };
    let room = buffer.extend(received.captured - skip).ok_or(Error::Truncated)?;
    ring.read(received, skip, room);
    buffer.rx = source.rx;
    buffer.tx = if ring.is_outgoing(received) { source.rx } else { SwIfIndex::NONE };
    buffer.time = received.time;
    buffer.wire_length = (received.length.max(received.captured) + inserted) as u32;
    let link = if source.ethernet { LinkType::Ethernet } else { LinkType::Raw };
    buffer.link_type = link.number();
    if received.offload.is_gso() {
        // One that contradicts itself is measured as it is.
        let _: Result<(), Malformed> = received.offload.note(buffer, inserted);
    }
    Ok(Next::Ethernet.into())
}

/// The MAC addresses and the tag that belongs behind them; returns the octets of the tag.
#[cold]
fn insert_tag(
    ring: &RxRing,
    received: &Received,
    buffer: &mut Buffer,
    (tpid, tci): (u16, u16),
) -> Result<usize, Error> {
    let room = buffer.extend(ADDRESSES + TAG).ok_or(Error::Truncated)?;
    let (addresses, tag) = room.split_at_mut(ADDRESSES);
    ring.read(received, 0, addresses);
    tag[..2].copy_from_slice(&tpid.to_be_bytes());
    tag[2..].copy_from_slice(&tci.to_be_bytes());
    Ok(TAG)
}

/// A packet of several buffers.
#[cold]
fn bring_long(
    cx: &mut Cx<'_>,
    ring: &RxRing,
    received: &Received,
    skip: usize,
    buffer: &mut Buffer,
) -> Result<(), Error> {
    let rest = received.captured - skip;
    let own = received.offload.octets_in_front(rest, buffer.room());
    let fill = |at: usize, room: &mut [u8]| ring.read(received, skip + at, room);
    match cx.extend_chain(buffer, own, rest - own, fill) {
        true => Ok(()),
        false => Err(Error::NoBuffer),
    }
}

/// Notes where the checksum is to be made that the host has left to be made, of a packet that does not say.
#[cold]
fn note_partial(buffer: &mut Buffer, link: LinkType) {
    if let Some(place) = partial::place(buffer.current(), link) {
        buffer.leave_checksum(place);
    }
}

#[cold]
fn note_offload(received: &Received, inserted: usize, buffer: &mut Buffer) -> Result<(), Error> {
    if received.offload.is_checksum_valid() {
        buffer.set_flags(BufferFlags::L4_CHECKSUM_COMPUTED | BufferFlags::L4_CHECKSUM_CORRECT);
    }
    received.offload.note(buffer, inserted).map_err(|_| Error::BadOffload)
}
