//! `tap-input`: packets from the host.

use vnet::{
    buffer::Buffer,
    frame::Frame,
    graph::{
        ArcDoor, ArcIndex, ArcStart, InputMode, Instance, Node, NodeCx, NodeSpec, Slot, Verdict,
    },
    interface::{QueueRotation, RxPlacement, RxSources},
    runtime::Shared,
    wire::link::LinkType,
};

use crate::{
    host::Kind,
    queue::{Queue, Reader, Received},
};

/// The node's name.
pub(crate) const NODE: &str = "tap-input";
/// Buffers taken from the pool at a time: few are given back where few packets wait.
const CHUNK: usize = 32;

vnet::next_nodes! {
    /// Where packets go that no feature of `device-input` takes.
    pub(crate) enum Next {
        Ethernet => "ethernet-input",
        Ip4 => "ip4-input",
        Ip6 => "ip6-input",
        Drop => "error-drop",
    }
}

vnet::node_errors! {
    /// What `tap-input` counts.
    pub(crate) enum Error {
        NoBuffers => ("no-buffers", "no buffers for the whole packet", Error),
        NotIp => ("not-ip", "tun packet is neither ip4 nor ip6", Error),
        Read => ("read-error", "the host refused a read", Error),
        BadOffload => ("bad-offload", "packet with unknown offloads", Error),
    }
}

vnet::trace_record! {
    /// What a packet leaves.
    pub(crate) struct Trace { sw_if_index: u32, bytes: u32 } => "sw_if_index {sw_if_index}, {bytes} bytes"
}

type Cx<'a, 'd> = &'a mut NodeCx<'d, Next, Error>;

/// The node.
struct Input {
    arc: ArcIndex,
    queues: QueueRotation<Queue>,
    reader: Reader,
}

/// Registration of the node.
pub(crate) fn spec(placement: Shared<RxPlacement>, sources: Shared<RxSources<Queue>>) -> NodeSpec {
    let make = move |at: &Instance<'_>| Input {
        arc: at.arc("device-input"),
        queues: QueueRotation::new(placement.clone(), sources.clone()),
        reader: Reader::default(),
    };
    NodeSpec::input(NODE, make).mode(InputMode::Disabled)
}

impl Node for Input {
    type Error = Error;
    type Next = Next;
    type Trace = Trace;

    fn process(&mut self, cx: &mut NodeCx<'_, Next, Error>, frame: &mut Frame) -> Verdict<Next> {
        let mut ways = Ways::default();
        for queue in self.queues.turn(cx) {
            if queue.host.is_gone() {
                continue;
            }
            let door = Door::new(cx, self.arc, queue);
            drain(cx, frame, queue, &mut self.reader, &door, &mut ways);
            if frame.room() == 0 {
                break;
            }
        }
        ways.verdict()
    }

    fn trace(&self, buffer: &Buffer) -> Trace {
        Trace { sw_if_index: buffer.rx.0, bytes: buffer.length_in_chain() as u32 }
    }
}

/// Where the packets of a frame go.
#[derive(Default)]
struct Ways {
    first: Option<Slot<Next>>,
    differ: bool,
}

impl Ways {
    fn add(&mut self, slot: Slot<Next>) {
        self.differ |= *self.first.get_or_insert(slot) != slot;
    }

    fn verdict(self) -> Verdict<Next> {
        match self.first {
            None => Verdict::Free,
            Some(slot) if !self.differ => Verdict::All(slot),
            Some(_) => Verdict::PerPacket,
        }
    }
}

/// Where the packets of one interface go.
struct Door {
    kind: Kind,
    arc: ArcDoor<Next>,
    has_features: bool,
}

impl Door {
    fn new(cx: &NodeCx<'_, Next, Error>, arc: ArcIndex, queue: &Queue) -> Self {
        let start = cx.arc_start(arc, queue.interface);
        let has_features = start != ArcStart::NO_FEATURE;
        Self { kind: queue.host.kind, arc: cx.arc_door(start, Next::Ethernet), has_features }
    }

    fn enter(&self, cx: &NodeCx<'_, Next, Error>, buffer: &mut Buffer) -> Slot<Next> {
        if self.has_features || self.kind == Kind::Tap {
            return self.arc.enter(buffer);
        }
        match buffer.current().first().map(|octet| octet >> 4) {
            Some(4) => Next::Ip4.into(),
            Some(6) => Next::Ip6.into(),
            _ => {
                cx.error(buffer, Error::NotIp);
                Next::Drop.into()
            }
        }
    }
}

/// Brings packets of a queue until there is none, or no room for them.
fn drain(
    cx: Cx<'_, '_>,
    frame: &mut Frame,
    queue: &Queue,
    reader: &mut Reader,
    door: &Door,
    ways: &mut Ways,
) {
    let (interface, now) = (queue.interface, cx.packet_time());
    let link = match queue.host.kind {
        Kind::Tap => LinkType::Ethernet,
        Kind::Tun => LinkType::Raw,
    };
    let (mut packets, mut bytes) = (0, 0);
    loop {
        let start = frame.len();
        let got = cx.allocate(frame, CHUNK);
        let mut buffers = cx.buffers(frame);
        let mut buffers = buffers.behind(start);
        let mut used = 0;
        while let Some(buffer) = buffers.get(used) {
            let received = reader.read(cx, queue, buffer);
            buffer.rx = interface;
            buffer.time = now;
            buffer.wire_length = buffer.length_in_chain() as u32;
            buffer.link_type = link.number();
            let slot = match received {
                Received::Packet => door.enter(cx, buffer),
                Received::Bad => {
                    cx.error(buffer, Error::BadOffload);
                    Next::Drop.into()
                }
                Received::Nothing => break,
            };
            let on_wire = buffer.on_wire();
            packets += u64::from(on_wire.packets);
            bytes += on_wire.octets;
            cx.set_next(start + used, slot);
            ways.add(slot);
            used += 1;
        }
        cx.free(frame, start + used);
        if used < CHUNK || used < got {
            break;
        }
    }
    cx.state_ref().interfaces.rx.add(interface.0, packets, bytes);
}
