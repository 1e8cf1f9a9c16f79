//! `tap-input`: packets from the host.

use std::{
    fs::File,
    io::{ErrorKind, IoSliceMut, Read},
};

use vnet::{
    buffer::{Buffer, DATA_SIZE},
    frame::Frame,
    graph::{ArcDoor, ArcIndex, ArcStart, Instance, Node, NodeCx, NodeIndex, Slot, Verdict},
    interface::{RxPlacement, RxQueueId, SwIfIndex},
    process::Bell,
    runtime::Shared,
    wire::link::LinkType,
};

use crate::{
    host::Kind,
    port::{MAX_FRAME, Port, Ports, Taps},
};

/// The node's name.
pub(crate) const NODE: &str = "tap-input";
/// Buffers taken from the pool at a time: few are given back where few packets wait.
const CHUNK: usize = 32;
/// What a packet may have beyond the first buffer: a VLAN tag comes on top of the largest frame.
const BEYOND: usize = MAX_FRAME as usize + 4 - DATA_SIZE;

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
    }
}

vnet::trace_record! {
    /// What a packet leaves.
    pub(crate) struct Trace { sw_if_index: u32, bytes: u32 } => "sw_if_index {sw_if_index}, {bytes} bytes"
}

type Cx<'a, 'd> = &'a mut NodeCx<'d, Next, Error>;

/// The node.
pub(crate) struct Input {
    arc: ArcIndex,
    placement: Shared<RxPlacement>,
    version: u64,
    ports: Shared<Ports>,
    gone: Bell,
    /// The queues of this thread, by the tx nodes of their interfaces.
    mine: Vec<(NodeIndex, usize)>,
    /// Which of them is asked first.
    first: usize,
    /// For what does not fit into one buffer.
    beyond: Box<[u8]>,
}

impl Input {
    pub(crate) fn new(at: &Instance<'_>, placement: Shared<RxPlacement>, taps: &Taps) -> Self {
        Self {
            arc: at.arc("device-input"),
            placement,
            version: 0,
            ports: taps.ports.clone(),
            gone: taps.gone.clone(),
            mine: Vec::new(),
            first: 0,
            beyond: Box::default(),
        }
    }

    /// Takes over which queues are this thread's.
    #[cold]
    fn follow(&mut self, cx: &NodeCx<'_, Next, Error>, ids: &[RxQueueId]) {
        let ports = self.ports.read(cx.token());
        let find = |id: &RxQueueId| {
            let (node, _) = ports.iter().find(|(_, port)| port.hw_if_index == id.hw_if_index)?;
            Some((*node, usize::from(id.queue)))
        };
        self.mine = ids.iter().filter_map(find).collect();
        self.first = 0;
        if !self.mine.is_empty() && self.beyond.is_empty() {
            self.beyond = vec![0; BEYOND].into_boxed_slice();
        }
    }
}

impl Node for Input {
    type Error = Error;
    type Next = Next;
    type Trace = Trace;

    fn process(&mut self, cx: &mut NodeCx<'_, Next, Error>, frame: &mut Frame) -> Verdict<Next> {
        if let Some(ids) = cx.new_rx_queues(&self.placement, &mut self.version) {
            self.follow(cx, &ids);
        }
        let ports = self.ports.read(cx.token());
        let mut ways = Ways::default();
        for _ in 0..self.mine.len() {
            let Some(&(node, queue)) = self.mine.get(self.first) else { break };
            self.first = (self.first + 1) % self.mine.len();
            let Some(port) = ports.get(&node).filter(|port| !port.host.is_gone()) else { continue };
            let Some(file) = port.host.queues.get(queue) else { continue };
            let mut queue = Queue { port, file, beyond: &mut self.beyond, gone: &self.gone };
            let door = Door::new(cx, self.arc, port);
            queue.empty(cx, frame, &door, &mut ways);
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
    fn new(cx: &NodeCx<'_, Next, Error>, arc: ArcIndex, port: &Port) -> Self {
        let start = cx.arc_start(arc, port.sw_if_index);
        let has_features = start != ArcStart::NO_FEATURE;
        Self { kind: port.host.kind, arc: cx.arc_door(start, Next::Ethernet), has_features }
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

/// What a read has brought.
enum Received {
    /// A packet of so many bytes.
    Packet(usize),
    /// Nothing; there may be more another time.
    Nothing,
}

/// A queue while it is emptied.
struct Queue<'a> {
    port: &'a Port,
    file: &'a File,
    beyond: &'a mut [u8],
    gone: &'a Bell,
}

impl Queue<'_> {
    /// Brings packets until there is none, or no room for them.
    fn empty(&mut self, cx: Cx<'_, '_>, frame: &mut Frame, door: &Door, ways: &mut Ways) {
        let (interface, now) = (self.port.sw_if_index, cx.packet_time());
        let link = match self.port.host.kind {
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
                let Received::Packet(n) = self.receive(cx, buffer, interface) else { break };
                buffer.rx = interface;
                buffer.time = now;
                buffer.wire_length = n as u32;
                buffer.link_type = link.number();
                let slot = door.enter(cx, buffer);
                cx.set_next(start + used, slot);
                ways.add(slot);
                used += 1;
                bytes += n as u64;
            }
            cx.free(frame, start + used);
            packets += used as u64;
            if used < CHUNK || used < got {
                break;
            }
        }
        cx.state_ref().interfaces.rx.add(interface.0, packets, bytes);
    }

    /// Reads one packet into an empty buffer, which stays empty where there is none.
    fn receive(&mut self, cx: Cx<'_, '_>, buffer: &mut Buffer, interface: SwIfIndex) -> Received {
        let Some(space) = buffer.extend(DATA_SIZE) else { return Received::Nothing };
        let mut into = [IoSliceMut::new(space), IoSliceMut::new(self.beyond)];
        let mut file = self.file;
        let read = file.read_vectored(&mut into);
        let n = *read.as_ref().unwrap_or(&0);
        buffer.truncate(n.min(DATA_SIZE));
        match read {
            Ok(0) => Received::Nothing,
            Ok(n) if n <= DATA_SIZE => Received::Packet(n),
            Ok(n) => {
                let rest = self.beyond.get(..n - DATA_SIZE).unwrap_or_default();
                if cx.append_chain(buffer, rest) {
                    return Received::Packet(n);
                }
                // The kernel has given it away. Others stay with it until there are buffers again.
                buffer.truncate(0);
                cx.count(Error::NoBuffers, 1);
                cx.state_ref().interfaces.rx_no_buf.add(interface.0, 1);
                Received::Nothing
            }
            Err(error) => {
                match error.kind() {
                    ErrorKind::WouldBlock | ErrorKind::Interrupted => {}
                    _ if error.raw_os_error() == Some(libc::EBADFD) => {
                        if self.port.host.note_gone() {
                            self.gone.ring();
                        }
                    }
                    _ => cx.count(Error::Read, 1),
                }
                Received::Nothing
            }
        }
    }
}
