//! Which interfaces are in which bridge domain, and what is known of the frames of each.

use vnet::{
    flow::{Context, Direction, Rate, Site},
    graph::{FeatureError, Gate},
    interface::SwIfIndex,
    l2::{BdId, L2},
    runtime::Main,
    tunnel::SourcePorts,
};

use crate::{
    BridgeOptions, IpfixBridge,
    bridge::Bridge,
    exporter::warn,
    node,
    point::{MeteringId, Point, Port},
    tunnel::Tunnel,
};

impl IpfixBridge {
    /// Has what is measured follow which interfaces are in which bridge domain.
    pub(crate) fn follow_ports(&self, main: &mut Main) {
        let Some(l2) = main.provided::<L2>().cloned() else { return };
        let ids: Vec<BdId> = self.look().bridges.keys().copied().collect();
        let mut told = Vec::new();
        for id in ids {
            let Ok(mut bridge) = self.take_bridge(id) else { continue };
            let members = members(&l2, main, id);
            self.follow_tunnels(main, id, &mut bridge, &members);
            let wanted = bridge.observed(&members);
            let was_any = !bridge.ports.is_empty();
            for port in bridge.ports.iter().filter(|port| !wanted.contains(port)) {
                switch(main, *port, None);
            }
            for port in wanted.iter().filter(|port| !bridge.ports.contains(port)) {
                switch(main, *port, Some(bridge.gates[port.1 as usize]));
            }
            bridge.ports = wanted;
            if let Some(metering) = &bridge.metering {
                // Where nothing is observed any more, nothing that is held goes on.
                if was_any && bridge.ports.is_empty() {
                    metering.flush(main);
                }
                let told_of = |&interface| {
                    let tunnel = self.tunnel_at(main, interface);
                    let contexts = bridge.contexts(tunnel.as_ref());
                    let source_ports = tunnel.and_then(|_| self.source_ports_at(main, interface));
                    Told { interface, of: metering.id, contexts, source_ports }
                };
                told.extend(members.iter().map(told_of));
            }
            self.state().bridges.insert(id, bridge);
        }
        main.for_each_local(self.point(), |local| tell(local, &told));
        self.tell_samples(main);
    }

    /// Has meters that tell of tunnels where a port is the end of one.
    fn follow_tunnels(
        &self,
        main: &mut Main,
        id: BdId,
        bridge: &mut Bridge,
        members: &[SwIfIndex],
    ) {
        let has_tunnels = members.iter().any(|port| self.tunnel_at(main, *port).is_some());
        let changes = core::mem::replace(&mut bridge.has_tunnels, has_tunnels) != has_tunnels;
        if changes && let Err(error) = self.measure_bridge(main, bridge) {
            warn(main, &format!("bridge domain {id}: {error}"));
        }
    }
}

impl Bridge {
    /// Where its frames are to be observed.
    fn observed(&self, members: &[SwIfIndex]) -> Vec<(SwIfIndex, Direction)> {
        let BridgeOptions { input_sampling, output_sampling, .. } = self.options;
        let sides = [(Direction::Ingress, input_sampling), (Direction::Egress, output_sampling)];
        let enabled = sides.into_iter().filter(|(_, on)| *on && self.metering.is_some());
        enabled
            .flat_map(|(direction, _)| members.iter().map(move |port| (*port, direction)))
            .collect()
    }

    /// What is known of frames at a port, as they come and as they leave.
    fn contexts(&self, tunnel: Option<&Tunnel>) -> [Context; 2] {
        let BridgeOptions { sampling, obs_domain_id, obs_point_id, .. } = self.options;
        let site =
            Site { domain: obs_domain_id, point: obs_point_id, rate: Rate::one_in(sampling) };
        [Direction::Ingress, Direction::Egress].map(|direction| {
            let outer = tunnel.map(|tunnel| tunnel.outer(direction));
            Context { site, outer, ..Context::NONE }
        })
    }
}

/// What threads are told of an interface.
struct Told {
    interface: SwIfIndex,
    of: MeteringId,
    contexts: [Context; 2],
    source_ports: Option<SourcePorts>,
}

fn members(l2: &L2, main: &Main, id: BdId) -> Vec<SwIfIndex> {
    let layer2 = l2.view(main);
    let domain = layer2.domains().find(|(_, domain)| domain.id == id);
    domain.map(|(_, domain)| domain.interfaces().collect()).unwrap_or_default()
}

/// Has frames of an interface observed, past which they go by a gate, or not. An interface that was deleted has no features any more.
pub(crate) fn switch(
    main: &mut Main,
    (interface, direction): (SwIfIndex, Direction),
    on: Option<Gate>,
) {
    let name = node::name(direction);
    for arc in node::arcs(direction) {
        let done: Result<(), FeatureError> = match on {
            Some(Gate(action)) => main.enable_feature(arc, name, interface, action.bits()),
            None => main.disable_feature(arc, name, interface),
        };
        debug_assert!(done.is_ok() || on.is_none(), "arc and node are registered together");
    }
}

/// Tells a thread which meter has the frames of which interface.
fn tell(local: &mut Point, told: &[Told]) {
    local.ports.clear();
    for &Told { interface, of, contexts, source_ports } in told {
        let Some(meter) = local.meters.iter().position(|meter| meter.of == of) else { continue };
        let at = interface.0 as usize;
        if local.ports.len() <= at {
            local.ports.resize(at + 1, None);
        }
        local.ports[at] = Some(Port { meter: meter as u8, contexts, source_ports });
    }
}
