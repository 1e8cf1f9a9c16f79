//! `error-punt`: where packets end that the host might want, each under its reason. And what the operator has done with them before.

pub mod api;
mod commands;
mod node;
mod order;
mod redirect;

use vnet::{
    buffer::Buffer,
    frame::Frame,
    graph::{NoNext, Node, NodeCx, NodeFlags, NodeSpec, Verdict},
    interface::{InterfaceViews, InterfaceWriters, Runs, SwIfIndex},
    plugin::Registrar,
    runtime::Shared,
    trace::NoTrace,
};

vnet::node_errors! {
    /// What `error-punt` counts.
    pub(crate) enum Error {
        Punted => ("punted", "packets punted, and nobody there to take them", Info),
    }
}

use crate::{ip::IpProtocols, udp::UdpPorts};

/// Registers the node, what leads to it, and the features of punted packets.
pub(crate) fn register(r: &mut Registrar, protocols: &IpProtocols, ports: &UdpPorts) {
    r.node(Punt::spec(r.interface_views()));
    let orders = order::Orders::new(r, protocols, ports);
    commands::commands(&orders).into_iter().for_each(|command| r.command(command));
    api::register(r.api(), &orders);
    redirect::register(r);
}

/// The node. There is no host path yet that would take the packets, so they are counted and given back.
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
        let views = self.views.read(cx.token());
        let count = |counters: &InterfaceWriters, interface: SwIfIndex, packets| {
            counters.punt.add(interface.0, packets);
            if let Some(above) = views.above(interface) {
                counters.punt.add(above.0, packets);
            }
        };
        let mut runs = Runs::default();
        let mut buffers = cx.buffers(frame);
        for buffer in buffers.iter_mut() {
            let state = cx.state();
            state.count_error(buffer.error, 1);
            runs.add(buffer.rx, 0, |i, n, _| count(&state.interfaces, i, n));
        }
        runs.end(|i, n, _| count(&cx.state_ref().interfaces, i, n));
        cx.count(Error::Punted, frame.len() as u64);
        Verdict::Free
    }

    fn trace(&self, _: &Buffer) -> NoTrace {
        NoTrace
    }
}
