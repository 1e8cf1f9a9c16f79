//! `error-punt`: where packets end that the host might want, each under its reason. And what the operator has done with them before.

pub mod api;
mod commands;
mod node;
mod order;
mod redirect;
mod socket;

use vnet::{
    buffer::Buffer,
    error::ErrorSet,
    frame::Frame,
    graph::{NextSet, NoNext, Node, NodeCx, NodeFlags, NodeSpec, Verdict},
    interface::{InterfaceViews, InterfaceWriters, Runs, SwIfIndex},
    plugin::Registrar,
    runtime::Shared,
    trace::NoTrace,
};

use crate::{ip::IpProtocols, udp::UdpPorts};
use order::Orders;
use socket::Clients;
pub(crate) use socket::{Settings, stanza};

vnet::node_errors! {
    /// What `error-punt` counts.
    pub(crate) enum Error {
        Punted => ("punted", "packets punted, and nobody there to take them", Info),
    }
}

/// Registers the node, what leads to it, and the features of punted packets.
pub(crate) fn register(
    r: &mut Registrar,
    protocols: &IpProtocols,
    ports: &UdpPorts,
    settings: &Settings,
) {
    r.node(Punt::spec(r.interface_views()));
    let clients = Clients::new(r);
    let orders = Orders::new(r, protocols, ports, &clients);
    socket::register(r, &orders, &clients, settings);
    commands::commands(&orders).into_iter().for_each(|command| r.command(command));
    api::register(r.api(), &orders);
    redirect::register(r);
}

/// Counts packets as punted, on the interfaces that they came in by.
fn count_punted<N: NextSet, E: ErrorSet>(
    cx: &mut NodeCx<'_, N, E>,
    views: &Shared<InterfaceViews>,
    frame: &mut Frame,
) {
    let views = views.read(cx.token());
    let count = |counters: &InterfaceWriters, interface: SwIfIndex, packets| {
        counters.punt.add(interface.0, packets);
        if let Some(above) = views.above(interface) {
            counters.punt.add(above.0, packets);
        }
    };
    let mut runs = Runs::default();
    for buffer in cx.buffers(frame).iter_mut() {
        runs.add(buffer.rx, 0, |i, n, _| count(&cx.state_ref().interfaces, i, n));
    }
    runs.end(|i, n, _| count(&cx.state_ref().interfaces, i, n));
}

/// The node. What comes here nobody takes: it is counted and given back.
pub(crate) struct Punt {
    views: Shared<InterfaceViews>,
}

impl Punt {
    fn spec(views: Shared<InterfaceViews>) -> NodeSpec {
        NodeSpec::internal("error-punt", move |_| Self { views: views.clone() })
            .flags(NodeFlags::PUNT)
    }
}

impl Node for Punt {
    type Error = Error;
    type Next = NoNext;
    type Trace = NoTrace;

    fn process(
        &mut self,
        cx: &mut NodeCx<'_, NoNext, Error>,
        frame: &mut Frame,
    ) -> Verdict<NoNext> {
        for buffer in cx.buffers(frame).iter_mut() {
            cx.state().count_error(buffer.error, 1);
        }
        count_punted(cx, &self.views, frame);
        cx.count(Error::Punted, frame.len() as u64);
        Verdict::Free
    }

    fn trace(&self, _: &Buffer) -> NoTrace {
        NoTrace
    }
}
