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
    }
}

const NODES: [&str; 2] = ["ip4-udp-lookup", "ip6-udp-lookup"];

/// Which node receives at which port; the engine [provides](vnet::plugin::Registrar::provide) it. Clones are the same table.
#[derive(Clone)]
pub struct UdpPorts(Shared<Vec<(u16, NextIndex)>>);

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
        let ip4 = main.graph().require(NODES[0])?;
        let slot = main.add_next(ip4, node);
        let ports = self.0.write(main.held_mut());
        ports.retain(|(p, _)| *p != port);
        ports.push((port, slot));
        ports.sort_unstable_by_key(|(p, _)| *p);
        Ok(())
    }

    /// Nobody receives at `port` any more.
    pub fn unregister(&self, main: &mut Main, port: u16) {
        self.0.write(main.held_mut()).retain(|(p, _)| *p != port);
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
pub(crate) fn register(r: &mut Registrar, protocols: &IpProtocols) {
    let ports = UdpPorts(r.shared(Vec::new()));
    let spec = |name, family| {
        let ports = ports.clone();
        NodeSpec::internal(name, move |_| Lookup { ports: ports.clone(), family })
    };
    r.node(spec(NODES[0], Family::Ip4));
    r.node(spec(NODES[1], Family::Ip6).sibling_of(NODES[0]));
    r.provide(ports);
    let protocols = protocols.clone();
    r.on_start(move |main| {
        for (family, name) in [Family::Ip4, Family::Ip6].into_iter().zip(NODES) {
            let node = main.graph().require(name)?;
            protocols.register(main, family, protocol::UDP, node)?;
        }
        Ok(())
    });
}

impl Node for Lookup {
    type Error = Error;
    type Next = Next;
    type Trace = NoTrace;

    fn process(&mut self, cx: &mut NodeCx<'_, Next, Error>, frame: &mut Frame) -> Verdict<Next> {
        let ports = self.ports.0.read(cx.token());
        cx.each(frame, |cx, buffer| {
            let to_header = buffer.rewind_to(buffer.l4_offset);
            let Ok((udp, _)) = Header::ref_from_prefix(buffer.current()) else {
                cx.error(buffer, Error::Truncated);
                return Next::Drop.into();
            };
            let port = udp.destination_port.get();
            match ports.binary_search_by_key(&port, |(p, _)| *p) {
                Ok(i) if to_header => Slot::added(ports[i].1),
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
