//! `tap-input`: packets from the host.

use std::{
    fs::File,
    io::{self, ErrorKind, IoSliceMut, Read},
};

use vnet::{
    buffer::{Buffer, BufferFlags, DATA_SIZE},
    frame::Frame,
    graph::{
        ArcDoor, ArcIndex, ArcStart, InputMode, Instance, Node, NodeCx, NodeIndex, NodeSpec, Slot,
        Verdict,
    },
    interface::{RxPlacement, RxQueueId, SwIfIndex},
    runtime::Shared,
    wire::{
        link::LinkType,
        virtio_net::{Malformed, VirtioNetHeader},
    },
    zerocopy::IntoBytes,
};

use crate::{
    host::{Kind, Offload},
    interfaces::{Open, Ports},
};

/// Octets of the longest packet of a queue: 64 KiB of IP with an Ethernet header and a VLAN tag in front, as large packets have it.
pub(crate) const LONGEST: usize = 65535 + 18;
/// The node's name.
pub(crate) const NODE: &str = "tap-input";
/// Buffers taken from the pool at a time: few are given back where few packets wait.
const CHUNK: usize = 32;
/// Octets of a large packet in its first buffer, at most: all headers are there, and something is behind it.
const HEAD: usize = 256;

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
    placement: Shared<RxPlacement>,
    version: u64,
    open: Shared<Ports>,
    /// The queues of this thread, by the tx nodes of their interfaces.
    mine: Vec<(NodeIndex, usize)>,
    /// Which of them is asked first.
    first: usize,
    /// For what does not fit into one buffer, and for packets that it is not known of before they are read.
    beyond: Box<[u8]>,
}

/// Registration of the node.
pub(crate) fn spec(placement: Shared<RxPlacement>, open: Shared<Ports>) -> NodeSpec {
    let make = move |at: &Instance<'_>| Input {
        arc: at.arc("device-input"),
        placement: placement.clone(),
        version: 0,
        open: open.clone(),
        mine: Vec::new(),
        first: 0,
        beyond: Box::default(),
    };
    NodeSpec::input(NODE, make).mode(InputMode::Disabled)
}

impl Input {
    /// Takes over which queues are this thread's.
    #[cold]
    fn follow(&mut self, cx: &NodeCx<'_, Next, Error>, ids: &[RxQueueId]) {
        let open = self.open.read(cx.token());
        let find = |id: &RxQueueId| {
            let (node, _) = open.iter().find(|(_, open)| open.hw_if_index == id.hw_if_index)?;
            Some((*node, usize::from(id.queue)))
        };
        self.mine = ids.iter().filter_map(find).collect();
        self.first = 0;
        if !self.mine.is_empty() && self.beyond.is_empty() {
            self.beyond = vec![0; LONGEST].into_boxed_slice();
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
        let open = self.open.read(cx.token());
        let mut ways = Ways::default();
        for _ in 0..self.mine.len() {
            let Some(&(node, queue)) = self.mine.get(self.first) else { break };
            self.first = (self.first + 1) % self.mine.len();
            let Some(open) = open.get(&node).filter(|open| !open.host.is_gone()) else { continue };
            let Some(file) = open.host.queues.get(queue) else { continue };
            let mut queue = Queue { open, file, beyond: &mut self.beyond };
            let door = Door::new(cx, self.arc, open);
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
    fn new(cx: &NodeCx<'_, Next, Error>, arc: ArcIndex, open: &Open) -> Self {
        let start = cx.arc_start(arc, open.sw_if_index);
        let has_features = start != ArcStart::NO_FEATURE;
        Self { kind: open.host.kind, arc: cx.arc_door(start, Next::Ethernet), has_features }
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
    /// A packet.
    Packet,
    /// A packet that says of itself what cannot be.
    Bad,
    /// Nothing; there may be more another time.
    Nothing,
}

/// A queue while it is emptied.
struct Queue<'a> {
    open: &'a Open,
    file: &'a File,
    beyond: &'a mut [u8],
}

impl Queue<'_> {
    /// Brings packets until there is none, or no room for them.
    fn empty(&mut self, cx: Cx<'_, '_>, frame: &mut Frame, door: &Door, ways: &mut Ways) {
        let (interface, now) = (self.open.sw_if_index, cx.packet_time());
        let link = match self.open.host.kind {
            Kind::Tap => LinkType::Ethernet,
            Kind::Tun => LinkType::Raw,
        };
        let has_headers = self.open.host.offload != Offload::None;
        let (mut packets, mut bytes) = (0, 0);
        loop {
            let start = frame.len();
            let got = cx.allocate(frame, CHUNK);
            let mut buffers = cx.buffers(frame);
            let mut buffers = buffers.behind(start);
            let mut used = 0;
            while let Some(buffer) = buffers.get(used) {
                let received = match has_headers {
                    false => self.receive(cx, buffer, interface),
                    true => self.receive_with_header(cx, buffer, interface),
                };
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
            Ok(n) if n <= DATA_SIZE => Received::Packet,
            Ok(n) => {
                let rest = self.beyond.get(..n - DATA_SIZE).unwrap_or_default();
                if cx.append_chain(buffer, rest) {
                    return Received::Packet;
                }
                buffer.truncate(0);
                no_buffers(cx, interface)
            }
            Err(error) => self.failed(cx, &error),
        }
    }

    /// The same where a header in front says what is still to be done to the packet, and so how it lies in buffers.
    fn receive_with_header(
        &mut self,
        cx: Cx<'_, '_>,
        buffer: &mut Buffer,
        interface: SwIfIndex,
    ) -> Received {
        let mut header = VirtioNetHeader::default();
        let mut into = [IoSliceMut::new(header.as_mut_bytes()), IoSliceMut::new(self.beyond)];
        let mut file = self.file;
        let n = match file.read_vectored(&mut into) {
            Ok(n) => n,
            Err(error) => return self.failed(cx, &error),
        };
        let length = n.saturating_sub(size_of::<VirtioNetHeader>());
        let Some(packet @ [_, ..]) = self.beyond.get(..length) else { return Received::Nothing };
        let most = if header.is_gso() { HEAD.min(length - 1) } else { DATA_SIZE };
        let own = length.min(most);
        let fill = |at: usize, room: &mut [u8]| {
            if let Some(octets) = packet.get(at..at + room.len()) {
                room.copy_from_slice(octets);
            }
        };
        if !cx.extend_chain(buffer, own, length - own, fill) {
            return no_buffers(cx, interface);
        }
        if header.is_checksum_valid() {
            buffer.set_flags(BufferFlags::L4_CHECKSUM_COMPUTED | BufferFlags::L4_CHECKSUM_CORRECT);
        }
        match header.note(buffer, 0) {
            Ok(()) => Received::Packet,
            Err(Malformed) => Received::Bad,
        }
    }

    fn failed(&self, cx: Cx<'_, '_>, error: &io::Error) -> Received {
        match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::Interrupted => {}
            _ if error.raw_os_error() == Some(libc::EBADFD) => {
                self.open.host.note_gone();
            }
            _ => cx.count(Error::Read, 1),
        }
        Received::Nothing
    }
}

/// The kernel has given the packet away. Others stay with it until there are buffers again.
fn no_buffers(cx: Cx<'_, '_>, interface: SwIfIndex) -> Received {
    cx.count(Error::NoBuffers, 1);
    cx.state_ref().interfaces.rx_no_buf.add(interface.0, 1);
    Received::Nothing
}
