//! `ip6-icmp-input`: from the type of a message to the node that takes it.

use vnet::{
    buffer::Buffer,
    fib::Family,
    frame::Frame,
    graph::{GraphError, Node, NodeCx, NodeIndex, NodeSpec, PacketCx, Slot, Verdict},
    plugin::Registrar,
    runtime::Main,
    wire::{icmp, ip4::protocol, ip6::Header},
};
use zerocopy::FromBytes;

use crate::{
    demux::Demux,
    ip::IpProtocols,
    trace::{Ip6Trace, Snap},
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
        InvalidCode => ("invalid-code", "invalid code for type", Error),
        InvalidHopLimit => ("invalid-hop-limit", "hop_limit != 255", Error),
        TooShort => ("too-short", "payload length too small for type", Error),
        PathMtu => ("path-mtu", "path mtu of a tunnel learnt", Info),
    }
}

const NODE: &str = "ip6-icmp-input";

/// Which node takes which ICMPv6 messages; the engine [provides](vnet::plugin::Registrar::provide) it. Clones are the same table.
#[derive(Clone)]
pub struct Icmp6Types(Demux);

impl Icmp6Types {
    /// Messages of type `kind` go to `node`, and no more to whoever took them before: their current position at the IPv6
    /// header, `l4_offset` at the message, whose checksum is right and whose code, hop limit and length are what the type asks for.
    ///
    /// # Errors
    /// When the built-in nodes are not in the engine.
    pub fn register(&self, main: &mut Main, kind: u8, node: NodeIndex) -> Result<(), GraphError> {
        self.0.register(main, kind, node)
    }
}

/// Registers the node, and provides the [`Icmp6Types`].
pub(crate) fn register(
    r: &mut Registrar,
    protocols: &IpProtocols,
    path_mtu: &PathMtu,
) -> Icmp6Types {
    let types = Icmp6Types(Demux::new(r, NODE));
    let of_node = types.clone();
    let path_mtu = path_mtu.clone();
    r.node(NodeSpec::internal(NODE, move |_| Input {
        types: of_node.clone(),
        path_mtu: path_mtu.clone(),
    }));
    r.provide(types.clone());
    let protocols = protocols.clone();
    r.on_start(move |main| {
        let node = main.graph().require(NODE)?;
        Ok(protocols.register(main, Family::Ip6, protocol::ICMP6, node)?)
    });
    types
}

struct Input {
    types: Icmp6Types,
    path_mtu: PathMtu,
}

/// What messages of a type have in common.
struct Rule {
    max_code: u8,
    min_hop_limit: u8,
    /// Octets of the message with its header.
    min_length: usize,
}

/// RFC 4443, RFC 4861 (sections 6.1, 7.1 and 8.1), RFC 2710 and RFC 3810.
const fn rule(kind: u8) -> Rule {
    let (max_code, min_hop_limit, min_length) = match kind {
        // Errors have codes that whoever takes them tells apart.
        ..128 => (255, 1, 8),
        icmp::kind6::ROUTER_SOLICITATION => (0, 255, 8),
        icmp::kind6::ROUTER_ADVERTISEMENT => (0, 255, 16),
        icmp::kind6::NEIGHBOR_SOLICITATION | icmp::kind6::NEIGHBOR_ADVERTISEMENT => (0, 255, 24),
        icmp::kind6::REDIRECT => (0, 255, 40),
        icmp::kind6::LISTENER_QUERY | icmp::kind6::LISTENER_REPORT | icmp::kind6::LISTENER_DONE => {
            (0, 1, 24)
        }
        icmp::kind6::LISTENER_REPORT_V2 => (0, 1, 8),
        128 | 129 => (0, 1, 8),
        _ => (255, 1, 4),
    };
    Rule { max_code, min_hop_limit, min_length }
}

impl Input {
    fn next(&self, cx: &PacketCx<'_, Next, Error>, buffer: &Buffer) -> Result<Slot<Next>, Error> {
        let ip = buffer.view::<Header>().ok_or(Error::TooShort)?;
        let skip = usize::try_from(buffer.l4_offset - buffer.current_data());
        let skip = skip.map_err(|_| Error::TooShort)?;
        let message = buffer.current().get(skip..).ok_or(Error::TooShort)?;
        let (icmp, _) = icmp::Header::ref_from_prefix(message).map_err(|_| Error::TooShort)?;
        let next = self.types.0.slot(cx.token(), icmp.kind);
        // What this node takes itself.
        let is_too_big = icmp.kind == icmp::kind6::PACKET_TOO_BIG;
        if next.is_none() && !is_too_big {
            return Err(Error::UnknownType);
        }
        let rule = rule(icmp.kind);
        let length = usize::from(ip.payload_length.get()) + size_of::<Header>();
        if length.saturating_sub(skip) < rule.min_length {
            return Err(Error::TooShort);
        }
        if icmp.code > rule.max_code {
            return Err(Error::InvalidCode);
        }
        if ip.hop_limit < rule.min_hop_limit {
            return Err(Error::InvalidHopLimit);
        }
        if is_too_big && self.path_mtu.hears(cx.token(), Family::Ip6, buffer, skip) {
            return Err(Error::PathMtu);
        }
        next.ok_or(Error::UnknownType)
    }
}

impl Node for Input {
    type Error = Error;
    type Next = Next;
    type Trace = Ip6Trace;

    fn process(&mut self, cx: &mut NodeCx<'_, Next, Error>, frame: &mut Frame) -> Verdict<Next> {
        cx.each(frame, |cx, buffer| {
            self.next(cx, buffer).unwrap_or_else(|error| {
                cx.error(buffer, error);
                Next::Drop.into()
            })
        })
    }

    fn trace(&self, buffer: &Buffer) -> Ip6Trace {
        Ip6Trace(Snap::current(buffer))
    }
}
