//! `ip4-icmp-input`: from the type of a message to the node that takes it.

use vnet::{
    buffer::Buffer,
    fib::Family,
    frame::Frame,
    graph::{GraphError, Node, NodeCx, NodeIndex, NodeSpec, Slot, Verdict},
    plugin::Registrar,
    runtime::Main,
    wire::{
        checksum::Sum,
        ip4::{Header, protocol},
    },
};

use crate::{
    demux::Demux,
    ip::IpProtocols,
    segments::add_segments,
    trace::{Ip4Trace, Snap},
    tunnel::PathMtu,
};

vnet::next_nodes! {
    /// Where messages go that nobody takes.
    pub(crate) enum Next {
        Drop => "error-drop",
    }
}

vnet::node_errors! {
    /// Why a message ends here.
    pub(crate) enum Error {
        UnknownType => ("unknown-type", "unknown type", Error, ForUs),
        TooShort => ("too-short", "payload length too small for type", Error),
        BadChecksum => ("bad-checksum", "bad icmp checksum", Error),
        PathMtu => ("path-mtu", "path mtu of a tunnel learnt", Info),
    }
}

const NODE: &str = "ip4-icmp-input";
/// Octets of the shortest message (RFC 792).
const SHORTEST: usize = 8;

/// Which node takes which ICMP messages; the engine [provides](vnet::plugin::Registrar::provide) it. Clones are the same table.
#[derive(Clone)]
pub struct Icmp4Types(Demux);

impl Icmp4Types {
    /// Messages of type `kind` go to `node`, and no more to whoever took them before: their current position at the IPv4 header,
    /// `l4_offset` at the message, which has 8 octets at least and the right checksum.
    ///
    /// # Errors
    /// When the built-in nodes are not in the engine.
    pub fn register(&self, main: &mut Main, kind: u8, node: NodeIndex) -> Result<(), GraphError> {
        self.0.register(main, kind, node)
    }
}

/// Registers the node, and provides the [`Icmp4Types`].
pub(super) fn register(r: &mut Registrar, protocols: &IpProtocols, path_mtu: &PathMtu) {
    let types = Icmp4Types(Demux::new(r, NODE));
    let of_node = types.clone();
    let path_mtu = path_mtu.clone();
    r.node(NodeSpec::internal(NODE, move |_| Input {
        types: of_node.clone(),
        path_mtu: path_mtu.clone(),
    }));
    r.provide(types);
    let protocols = protocols.clone();
    r.on_start(move |main| {
        let node = main.graph().require(NODE)?;
        Ok(protocols.register(main, Family::Ip4, protocol::ICMP, node)?)
    });
}

struct Input {
    types: Icmp4Types,
    path_mtu: PathMtu,
}

impl Input {
    fn next(&self, cx: &NodeCx<'_, Next, Error>, buffer: &Buffer) -> Result<Slot<Next>, Error> {
        let ip = buffer.view::<Header>().ok_or(Error::TooShort)?;
        let header = ip.header_length();
        let length = usize::from(ip.total_length.get()).saturating_sub(header);
        let message = buffer.current().get(header..).unwrap_or_default();
        if length < SHORTEST || message.len() < SHORTEST {
            return Err(Error::TooShort);
        }
        let intact = add_segments(cx, buffer, header, length, Sum::EMPTY);
        if !intact.is_some_and(Sum::is_intact) {
            return Err(Error::BadChecksum);
        }
        if self.path_mtu.hears(cx.token(), Family::Ip4, buffer, header) {
            return Err(Error::PathMtu);
        }
        self.types.0.slot(cx.token(), message[0]).ok_or(Error::UnknownType)
    }
}

impl Node for Input {
    type Error = Error;
    type Next = Next;
    type Trace = Ip4Trace;

    fn process(&mut self, cx: &mut NodeCx<'_, Next, Error>, frame: &mut Frame) -> Verdict<Next> {
        let mut buffers = cx.buffers(frame);
        for i in 0..buffers.len() {
            let Some(buffer) = buffers.get(i) else { break };
            let next = self.next(cx, buffer).unwrap_or_else(|error| {
                cx.error(buffer, error);
                Next::Drop.into()
            });
            cx.set_next(i, next);
        }
        Verdict::PerPacket
    }

    fn trace(&self, buffer: &Buffer) -> Ip4Trace {
        Ip4Trace(Snap::current(buffer))
    }
}
