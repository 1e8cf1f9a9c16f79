//! `ip4-udp-punt-socket`, `ip4-proto-punt-socket` and those of IPv6: punted packets to the sockets of clients.

use std::io::{self, ErrorKind};

use vnet::{
    buffer::Buffer,
    fib::Family,
    frame::Frame,
    graph::{NoNext, Node, NodeCx, NodeFlags, NodeSpec, Verdict},
    interface::InterfaceViews,
    plugin::Registrar,
    runtime::Shared,
    wire::{ip4, ip6, link::LinkType},
};
use zerocopy::FromBytes;

use super::{Clients, DESCRIPTOR, clients::Table};
use crate::punt::{count_punted, order::What};

vnet::node_errors! {
    /// What becomes of packets for clients.
    pub(super) enum Error named by text {
        Sent => ("socket-tx", "Socket TX", Info),
        NoClient => ("no-client", "no client for the packet", Error),
        Full => ("socket-full", "the client takes no more packets at present", Error),
        Gone => ("client-gone", "nobody at the client's path", Error),
        Refused => ("socket-tx-error", "Socket TX error", Error),
    }
}

vnet::trace_record! {
    /// What a packet leaves.
    pub(super) struct Trace { sw_if_index: u32, bytes: u32 } => "sw_if_index {sw_if_index}, {bytes} bytes"
}

/// The longest link header, with tags.
const MAX_LINK: i16 = 64;
/// The longest datagram: a descriptor, a link header and an IP packet.
const LONGEST: usize = DESCRIPTOR + MAX_LINK as usize + (1 << 16);

/// All of them.
pub(super) fn specs(r: &Registrar, clients: &Clients) -> Vec<NodeSpec> {
    let of = |family| {
        [What::Udp(0), What::Protocol(0)].map(|kind| {
            let (clients, views) = (clients.clone(), r.interface_views());
            let spec = NodeSpec::internal(super::node(family, kind), move |_| Tx {
                family,
                kind,
                clients: clients.clone(),
                views: views.clone(),
                datagram: Vec::with_capacity(LONGEST),
            });
            spec.flags(NodeFlags::PUNT)
        })
    };
    [Family::Ip4, Family::Ip6].into_iter().flat_map(of).collect()
}

struct Tx {
    family: Family,
    /// Of which kind the packets are.
    kind: What,
    clients: Clients,
    views: Shared<InterfaceViews>,
    datagram: Vec<u8>,
}

impl Tx {
    /// What a client registered for to get the packet.
    fn wanted(&self, buffer: &Buffer) -> Option<What> {
        let packet = buffer.from_offset(buffer.l3_offset);
        if let What::Udp(_) = self.kind {
            let ports = buffer.from_offset(buffer.l4_offset).first_chunk::<4>()?;
            return Some(What::Udp(u16::from_be_bytes([ports[2], ports[3]])));
        }
        Some(What::Protocol(match self.family {
            Family::Ip4 => ip4::Header::ref_from_prefix(packet).ok()?.0.protocol,
            Family::Ip6 => {
                let (ip, payload) = ip6::Header::ref_from_prefix(packet).ok()?;
                ip6::upper_layer(ip.next_header, payload).protocol
            }
        }))
    }
}

/// Sends a packet, from its link header on, to whoever wants it. The kernel takes it whole or not at all.
fn send(
    cx: &NodeCx<'_, NoNext, Error>,
    table: &Table,
    to: (Family, Option<What>),
    buffer: &mut Buffer,
    datagram: &mut Vec<u8>,
) -> Result<(), Error> {
    let (family, what) = to;
    let client = what.and_then(|what| table.client(family, what)).ok_or(Error::NoClient)?;
    let (_, socket) = table.own.as_ref().ok_or(Error::NoClient)?;
    // What came out of a tunnel of IP packets has none of its own.
    let has_link = buffer.link_type == LinkType::Ethernet.number()
        && (0..=MAX_LINK).contains(&buffer.l3_offset.saturating_sub(buffer.l2_offset));
    let start = if has_link { buffer.l2_offset } else { buffer.l3_offset };
    if !buffer.rewind_to(start) {
        return Err(Error::Refused);
    }
    datagram.clear();
    datagram.extend_from_slice(&buffer.rx.0.to_ne_bytes());
    datagram.extend_from_slice(&0_u32.to_ne_bytes());
    if buffer.length_in_chain() + datagram.len() > LONGEST {
        return Err(Error::Refused);
    }
    cx.for_each_segment(buffer, |bytes| datagram.extend_from_slice(bytes));
    match socket.send_to_addr(datagram, client) {
        Ok(_) => Ok(()),
        Err(error) => Err(reason(&error)),
    }
}

fn reason(error: &io::Error) -> Error {
    match error.kind() {
        ErrorKind::WouldBlock => Error::Full,
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => Error::Gone,
        _ => Error::Refused,
    }
}

impl Node for Tx {
    type Error = Error;
    type Next = NoNext;
    type Trace = Trace;

    fn process(
        &mut self,
        cx: &mut NodeCx<'_, NoNext, Error>,
        frame: &mut Frame,
    ) -> Verdict<NoNext> {
        let clients = self.clients.clone();
        let table = clients.read(cx.token());
        let mut datagram = core::mem::take(&mut self.datagram);
        for buffer in cx.buffers(frame).iter_mut() {
            let to = (self.family, self.wanted(buffer));
            let done = send(cx, table, to, buffer, &mut datagram);
            cx.count(done.err().unwrap_or(Error::Sent), 1);
        }
        self.datagram = datagram;
        count_punted(cx, &self.views, frame);
        Verdict::Free
    }

    fn trace(&self, buffer: &Buffer) -> Trace {
        Trace { sw_if_index: buffer.rx.0, bytes: buffer.length_in_chain() as u32 }
    }
}
