//! `ip4-udp-lookup`, `ip6-udp-lookup`: from the destination port to the node that receives there.

use vnet::{
    buffer::Buffer,
    fib::Family,
    frame::Frame,
    graph::{GraphError, NextIndex, Node, NodeCx, NodeSpec, Slot, Verdict},
    plugin::Registrar,
    runtime::{Main, Shared},
    trace::NoTrace,
    wire::{ip4::protocol, udp::Header},
};
use zerocopy::FromBytes;

use crate::{icmp::Report, ip::IpProtocols};

vnet::next_nodes! {
    /// Where packets go that nobody receives.
    pub(crate) enum Next {
        Drop => "error-drop",
        // The two nodes share their next slots.
        IcmpError4 => "ip4-icmp-error",
        IcmpError6 => "ip6-icmp-error",
    }
}

vnet::node_errors! {
    /// Why a datagram ends here.
    pub(crate) enum Error {
        NoListener => ("no-listener", "no listener for dst port", Error, ForUs),
        Truncated => ("truncated", "udp datagram without its header", Error),
        Unchecked => ("no-checksum", "udp datagram over ip6 without checksum", Error),
    }
}

const NODES: [&str; 2] = ["ip4-udp-lookup", "ip6-udp-lookup"];

/// Who receives at a port.
#[derive(Clone, Copy)]
struct Receiver {
    port: u16,
    slot: NextIndex,
    /// Whether datagrams over IPv6 without a checksum are received, too.
    unchecked: bool,
}

/// Who receives datagrams of a family.
#[derive(Default)]
struct Ports {
    /// By port.
    receivers: Vec<Receiver>,
    /// Where those go that are for none of these, if not back to the sender as an error.
    unknown: Option<NextIndex>,
}

/// Which node receives at which port; the engine [provides](vnet::plugin::Registrar::provide) it. Clones are the same table.
#[derive(Clone)]
pub struct UdpPorts(Shared<[Ports; 2]>);

const FAMILIES: [Family; 2] = [Family::Ip4, Family::Ip6];

impl UdpPorts {
    /// Datagrams to `port` go to `node`, their current position at the UDP header. Replaces whoever received there before.
    ///
    /// # Errors
    /// When the built-in nodes are not in the engine.
    pub fn register(
        &self,
        main: &mut Main,
        port: u16,
        node: vnet::graph::NodeIndex,
    ) -> Result<(), GraphError> {
        FAMILIES.iter().try_for_each(|family| self.register_family(main, *family, port, node))
    }

    /// As [`Self::register`], datagrams of one family.
    ///
    /// # Errors
    /// When the built-in nodes are not in the engine.
    pub fn register_family(
        &self,
        main: &mut Main,
        family: Family,
        port: u16,
        node: vnet::graph::NodeIndex,
    ) -> Result<(), GraphError> {
        self.add(main, family, port, node, false)
    }

    /// As [`Self::register_family`]. Those over IPv6 without a checksum are received as well, which tunnels may do
    /// (RFC 6935, RFC 6936).
    ///
    /// # Errors
    /// When the built-in nodes are not in the engine.
    pub fn register_tunnel(
        &self,
        main: &mut Main,
        family: Family,
        port: u16,
        node: vnet::graph::NodeIndex,
    ) -> Result<(), GraphError> {
        self.add(main, family, port, node, true)
    }

    fn add(
        &self,
        main: &mut Main,
        family: Family,
        port: u16,
        node: vnet::graph::NodeIndex,
        unchecked: bool,
    ) -> Result<(), GraphError> {
        let slot = Self::next(main, node)?;
        let ports = &mut self.0.write(main.held_mut())[family as usize].receivers;
        ports.retain(|known| known.port != port);
        ports.push(Receiver { port, slot, unchecked });
        ports.sort_unstable_by_key(|known| known.port);
        Ok(())
    }

    /// The slot of a node, which both of ours have.
    fn next(main: &mut Main, node: vnet::graph::NodeIndex) -> Result<NextIndex, GraphError> {
        let ip4 = main.graph().require(NODES[0])?;
        Ok(main.add_next(ip4, node))
    }

    /// Datagrams to ports at which nobody receives go to `node`, or with none their senders are told.
    ///
    /// # Errors
    /// When the built-in nodes are not in the engine.
    pub(crate) fn set_unknown(
        &self,
        main: &mut Main,
        family: Family,
        node: Option<vnet::graph::NodeIndex>,
    ) -> Result<(), GraphError> {
        let slot = node.map(|node| Self::next(main, node)).transpose()?;
        self.0.write(main.held_mut())[family as usize].unknown = slot;
        Ok(())
    }

    /// Nobody receives at `port` any more.
    pub fn unregister(&self, main: &mut Main, port: u16) {
        FAMILIES.iter().for_each(|family| self.unregister_family(main, *family, port));
    }

    /// Nobody receives datagrams of one family at `port` any more.
    pub fn unregister_family(&self, main: &mut Main, family: Family, port: u16) {
        let ports = &mut self.0.write(main.held_mut())[family as usize];
        ports.receivers.retain(|known| known.port != port);
    }

    /// Whether somebody receives datagrams of a family at `port`.
    #[must_use]
    pub fn is_taken(&self, main: &Main, family: Family, port: u16) -> bool {
        let ports = &self.0.view(main.held())[family as usize];
        ports.receivers.iter().any(|known| known.port == port)
    }
}

struct Lookup {
    ports: UdpPorts,
    family: Family,
}

impl Lookup {
    /// The sender is told that nobody listens.
    fn refuse(&self, buffer: &mut Buffer) -> Next {
        let (report, next) = match self.family {
            Family::Ip4 => (Report::PORT4, Next::IcmpError4),
            Family::Ip6 => (Report::PORT6, Next::IcmpError6),
        };
        report.note(buffer);
        next
    }
}

/// Registers the nodes, and provides the [`UdpPorts`].
pub(crate) fn register(r: &mut Registrar, protocols: &IpProtocols) -> UdpPorts {
    let ports = UdpPorts(r.shared([Ports::default(), Ports::default()]));
    let spec = |name, family| {
        let ports = ports.clone();
        NodeSpec::internal(name, move |_| Lookup { ports: ports.clone(), family })
    };
    r.node(spec(NODES[0], Family::Ip4));
    r.node(spec(NODES[1], Family::Ip6).sibling_of(NODES[0]));
    r.provide(ports.clone());
    let protocols = protocols.clone();
    r.on_start(move |main| {
        for (family, name) in FAMILIES.into_iter().zip(NODES) {
            let node = main.graph().require(name)?;
            protocols.register(main, family, protocol::UDP, node)?;
        }
        Ok(())
    });
    ports
}

impl Node for Lookup {
    type Error = Error;
    type Next = Next;
    type Trace = NoTrace;

    fn process(&mut self, cx: &mut NodeCx<'_, Next, Error>, frame: &mut Frame) -> Verdict<Next> {
        let ports = &self.ports.0.read(cx.token())[self.family as usize];
        cx.each(frame, |cx, buffer| {
            let to_header = buffer.rewind_to(buffer.l4_offset);
            let Ok((udp, _)) = Header::ref_from_prefix(buffer.current()) else {
                cx.error(buffer, Error::Truncated);
                return Next::Drop.into();
            };
            let port = udp.destination_port.get();
            let unchecked = udp.checksum.get() == 0 && self.family == Family::Ip6;
            let receivers = &ports.receivers;
            let found = receivers.binary_search_by_key(&port, |known| known.port);
            match (found.map(|i| receivers[i]), ports.unknown) {
                (Ok(known), _) if unchecked && !known.unchecked => {
                    cx.error(buffer, Error::Unchecked);
                    Next::Drop.into()
                }
                (Ok(known), _) if to_header => Slot::added(known.slot),
                (Err(_), Some(unknown)) => Slot::added(unknown),
                _ => {
                    cx.error(buffer, Error::NoListener);
                    self.refuse(buffer).into()
                }
            }
        })
    }

    fn trace(&self, _: &Buffer) -> NoTrace {
        NoTrace
    }
}
