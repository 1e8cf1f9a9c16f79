//! `punt-socket-rx`: packets that clients send, each behind a descriptor that says what is to be done with it.

use std::os::unix::net::UnixDatagram;

use vnet::{
    buffer::{Buffer, BufferFlags, DATA_SIZE},
    graph::{Map, NodeSpec, PacketCx, Slot},
    interface::{InterfaceViews, SwIfIndex},
    process::{Cx, Interest},
    runtime::{Main, Shared},
    wire::ip4,
};

use super::DESCRIPTOR;

vnet::next_nodes! {
    /// Where packets of clients go.
    pub(super) enum Next {
        Drop => "error-drop",
        Output => "interface-output",
        Lookup4 => "ip4-lookup",
        Lookup6 => "ip6-lookup",
    }
}

vnet::node_errors! {
    /// What becomes of packets of clients.
    pub(super) enum Error named by text {
        Received => ("socket-rx", "Socket RX", Info),
        Read => ("readv", "datagram without a packet, or longer than a buffer", Error),
        Action => ("action", "invalid packet descriptor", Error),
        Interface => ("no-such-interface", "packet descriptor with an interface that is not there", Error),
    }
}

vnet::trace_record! {
    /// What a packet leaves.
    pub(super) struct Trace { sw_if_index: u32, action: u32 } => "sw_if_index {sw_if_index} Action: {action}"
}

/// Datagrams that are read before packets move.
const BATCH: usize = 64;
const NAME: &str = "punt-socket-rx";

/// Reads what clients send for as long as the engine runs. Where there is no buffer, clients wait.
pub(super) async fn serve(cx: Cx, socket: &UnixDatagram) {
    // Longer datagrams are cut, and seen to be too long.
    let mut room = [0; DATA_SIZE + 1];
    let mut held = None;
    loop {
        if held.is_none() {
            cx.ready(socket, Interest::Readable).await;
        }
        cx.with(|main| read(main, socket, &mut room, &mut held));
        cx.next_round().await;
    }
}

/// Reads some datagrams. One for which there is no buffer stays, with its length in `held`.
fn read(main: &mut Main, socket: &UnixDatagram, room: &mut [u8], held: &mut Option<usize>) {
    let Some(node) = main.graph().find(NAME) else { return };
    let time = main.clock().wall();
    let mut frame = main.frame_to(node);
    for _ in 0..BATCH {
        let Some(length) = held.take().or_else(|| socket.recv(room).ok()) else { return };
        let packet = room.get(..length).filter(|packet| packet.len() <= DATA_SIZE);
        let filled = frame.push(|buffer| {
            let packet = packet.unwrap_or_default();
            if buffer.extend(packet.len()).is_some() {
                buffer.current_mut().copy_from_slice(packet);
            }
            buffer.set_flags(BufferFlags::LOCALLY_ORIGINATED);
            buffer.time = time;
        });
        if filled.is_none() {
            *held = Some(length);
            return;
        }
    }
}

pub(super) fn spec(views: Shared<InterfaceViews>) -> NodeSpec {
    NodeSpec::map(NAME, move |_| Rx { views: views.clone(), noted: [0; 2] })
}

struct Rx {
    views: Shared<InterfaceViews>,
    /// The descriptor of the last packet.
    noted: [u32; 2],
}

impl Rx {
    fn next(&mut self, cx: &PacketCx<'_, Next, Error>, buffer: &mut Buffer) -> Result<Next, Error> {
        let descriptor = buffer.current().first_chunk::<DESCRIPTOR>().ok_or(Error::Read)?;
        let [a, b, c, d, e, f, g, h] = *descriptor;
        let [interface, action] = [[a, b, c, d], [e, f, g, h]].map(u32::from_ne_bytes);
        self.noted = [interface, action];
        if buffer.len() < DESCRIPTOR + size_of::<ip4::Header>() || !buffer.advance(DESCRIPTOR) {
            return Err(Error::Read);
        }
        let interface = SwIfIndex(interface);
        self.views.read(cx.token()).get(interface).ok_or(Error::Interface)?;
        buffer.wire_length = buffer.len() as u32;
        let next = match action {
            0 => {
                buffer.tx = interface;
                return Ok(Next::Output);
            }
            1 => Next::Lookup4,
            2 => Next::Lookup6,
            _ => return Err(Error::Action),
        };
        (buffer.rx, buffer.l3_offset) = (interface, buffer.current_data());
        Ok(next)
    }
}

impl Map for Rx {
    type Error = Error;
    type Next = Next;
    type Trace = Trace;

    fn map(&mut self, cx: &mut PacketCx<'_, Next, Error>, buffer: &mut Buffer) -> Slot<Next> {
        match self.next(cx, buffer) {
            Ok(next) => {
                cx.count(Error::Received, 1);
                next.into()
            }
            Err(error) => {
                cx.error(buffer, error);
                Next::Drop.into()
            }
        }
    }

    fn trace(&self, _: &Buffer) -> Trace {
        let [sw_if_index, action] = self.noted;
        Trace { sw_if_index, action }
    }
}
