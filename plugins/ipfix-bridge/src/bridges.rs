//! What is configured, and what follows from changes.

use std::{
    cell::{Ref, RefCell, RefMut},
    collections::BTreeMap,
    hash::{BuildHasher, Hasher, RandomState},
    net::SocketAddr,
    rc::Rc,
};

use vnet::{
    action::ActionError,
    command::Error as CommandError,
    flow::{Context, Direction, Rate, Site},
    graph::{FeatureError, Gate, Gates},
    interface::{Event, SwIfIndex},
    ipfix::engine::{ExporterError, Ipfix},
    l2::{BdId, L2},
    plugin::Registrar,
    process::Bell,
    random::Random,
    runtime::{Local, Main},
};

use crate::{
    BridgeChange, BridgeOptions, IpfixBridgeError, Target,
    exporter::{Exporter, warn},
    metering::{Kind, Metering, Past, Places},
    node,
    options::{Cache, MAX_ACTIVE},
    past,
    point::{LocalPoint, MeteringId, Point, Port},
    retry,
    sample::{self, Sample},
    sets::Set,
    target::{Resolver, of_host},
    tunnel::Tunnel,
    walker::{self, Alarm},
};

/// The IPFIX exporters of an engine's bridge domains and collector sets. Clones are the same; they belong to the main thread.
#[derive(Clone)]
pub struct IpfixBridge(pub(crate) Rc<Inner>);

pub(crate) struct Inner {
    ipfix: Ipfix,
    point: LocalPoint,
    gates: Local<Gates>,
    /// Somebody has to be asked for addresses.
    bell: Bell,
    resolver: RefCell<Resolver>,
    state: RefCell<State>,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) bridges: BTreeMap<BdId, Bridge>,
    pub(crate) sets: BTreeMap<u32, Set>,
    /// Exporters that go as soon as they have sent everything.
    leaving: Vec<Ipfix>,
    next: u32,
    /// Interfaces that are ends of tunnels.
    pub(crate) tunnels: BTreeMap<SwIfIndex, Tunnel>,
    /// What rules of others sample, by number.
    pub(crate) samples: Vec<Option<Sample>>,
}

/// The exporter of a bridge domain.
pub(crate) struct Bridge {
    pub(crate) options: BridgeOptions,
    pub(crate) exporter: Exporter,
    /// While there is anybody to send to.
    pub(crate) metering: Option<Metering>,
    /// What was before.
    pub(crate) past: Past,
    /// By which frames that come, and those that leave, may pass unseen.
    gates: [Gate; 2],
    /// Interfaces on which its frames are observed, with what that was enabled for.
    ports: Vec<(SwIfIndex, Direction)>,
    /// Whether one of them is the end of a tunnel.
    has_tunnels: bool,
}

/// How many frames were seen and sampled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sampled {
    /// Frames that came in.
    pub input: u64,
    /// Frames that left.
    pub output: u64,
    /// Those that were sampled of both.
    pub sampled: u64,
}

const REPORT: &str = "ipfix-bridge";

impl IpfixBridge {
    /// Adds nodes, features and processes to an engine.
    pub(crate) fn register(r: &mut Registrar) -> Result<Self, ActionError> {
        let (point, alarm, bell) = (r.local(|_| Point::default()), Alarm::default(), Bell::new());
        node::register(r, point, &alarm);
        walker::register(r, point, &alarm);
        let resolver = RefCell::new(of_host());
        let inner = Inner {
            ipfix: r.ipfix(),
            point,
            gates: r.gates(),
            bell,
            resolver,
            state: RefCell::default(),
        };
        let bridge = Self(Rc::new(inner));
        retry::register(r, &bridge);
        let of = bridge.clone();
        r.on_interface_event(move |main, event| {
            if let Event::Deleted { sw_if_index, .. } = event {
                of.state().tunnels.remove(sw_if_index);
            }
            if matches!(event, Event::Layer2 { .. } | Event::Deleted { .. }) {
                of.follow_ports(main);
            }
        });
        let of = bridge.clone();
        r.on_drain(move |main| of.flush(main));
        past::register(r, point, &alarm)?;
        sample::register(r, &bridge, point, &alarm)?;
        Ok(bridge)
    }

    /// Asks for the addresses of targets by `resolver`, in place of the host's.
    pub fn set_resolver(
        &self,
        resolver: impl Fn(&str, u16) -> std::io::Result<SocketAddr> + Send + Sync + 'static,
    ) {
        *self.0.resolver.borrow_mut() = std::sync::Arc::new(resolver);
    }

    /// Measures the frames of a bridge domain, or does so otherwise than before; what `change` leaves out stays. A change that changes
    /// nothing does nothing.
    ///
    /// # Errors
    /// See [`IpfixBridgeError`].
    pub fn set_bridge(
        &self,
        main: &mut Main,
        id: BdId,
        change: BridgeChange,
    ) -> Result<(), IpfixBridgeError> {
        if id.0 == 0 || id.0 > BdId::MAX {
            return Err(IpfixBridgeError::BadDomain(id.0));
        }
        let known = self.look().bridges.get(&id).map(|bridge| bridge.options.clone());
        let mut options = known.clone().unwrap_or_else(BridgeOptions::new);
        change.apply(&mut options);
        check(&options.cache)?;
        if known.as_ref() == Some(&options) {
            return Ok(());
        }
        if known.is_none() {
            let exporter = self.open(main, &format!("bridge-{id}"))?;
            let (metering, past, ports) = (None, Past::default(), Vec::new());
            let (options, gates) = (options.clone(), self.free_gates(main)?);
            let has_tunnels = false;
            let bridge = Bridge { options, exporter, metering, past, gates, ports, has_tunnels };
            self.state().bridges.insert(id, bridge);
        }
        let mut bridge = self.take_bridge(id)?;
        let before = core::mem::replace(&mut bridge.options, options);
        let applied = self.apply_bridge(main, &mut bridge, &before, known.is_some());
        self.state().bridges.insert(id, bridge);
        self.follow_ports(main);
        self.0.bell.ring();
        applied
    }

    /// Measures the frames of a bridge domain no more. Records of its flows are made and sent first.
    ///
    /// # Errors
    /// [`IpfixBridgeError::NoBridge`].
    pub fn delete_bridge(&self, main: &mut Main, id: BdId) -> Result<(), IpfixBridgeError> {
        let Bridge { exporter, metering, ports, .. } = self.take_bridge(id)?;
        ports.into_iter().for_each(|port| switch(main, port, None));
        if let Some(metering) = metering {
            metering.stop(main);
        }
        self.leave(main, exporter);
        self.follow_ports(main);
        Ok(())
    }

    /// What is said of a bridge domain.
    #[must_use]
    pub fn bridge(&self, id: BdId) -> Option<BridgeOptions> {
        Some(self.look().bridges.get(&id)?.options.clone())
    }

    /// Bridge domains of which anything is said.
    #[must_use]
    pub fn bridges(&self) -> Vec<BdId> {
        self.look().bridges.keys().copied().collect()
    }

    /// Ends all flows and hands their records over.
    pub fn flush(&self, main: &mut Main) {
        let state = self.look();
        let bridges = state.bridges.values().filter_map(|bridge| bridge.metering.as_ref());
        let sets = state.sets.values().filter_map(|set| set.metering.as_ref());
        bridges.chain(sets).for_each(|metering| metering.flush(main));
    }

    /// Gates that no other bridge domain has.
    fn free_gates(&self, main: &mut Main) -> Result<[Gate; 2], CommandError> {
        let is_taken = |n: u32| {
            let state = self.look();
            state.bridges.values().any(|bridge| bridge.gates[0].0.config() == 2 * n)
        };
        let n = (0..).find(|n| !is_taken(*n)).unwrap_or(0);
        let actions = main.actions().clone();
        let mut gate = |n: u32| actions.configure(main, past::ACTION, &n.to_string()).map(Gate);
        Ok([gate(2 * n)?, gate(2 * n + 1)?])
    }

    pub(crate) fn places(&self, own: Option<[Gate; 2]>) -> Places {
        Places { point: self.0.point, gates: self.0.gates, own }
    }

    fn take_bridge(&self, id: BdId) -> Result<Bridge, IpfixBridgeError> {
        self.state().bridges.remove(&id).ok_or(IpfixBridgeError::NoBridge(id))
    }

    fn apply_bridge(
        &self,
        main: &mut Main,
        bridge: &mut Bridge,
        before: &BridgeOptions,
        was_there: bool,
    ) -> Result<(), IpfixBridgeError> {
        let Bridge { options, exporter, metering, past, .. } = bridge;
        let targets = &options.cache.targets;
        if metering.is_some() && !exporter.would_send(targets) {
            // The old collectors get what there is.
            stop(main, metering, past);
        }
        if before.cache.targets != *targets || !was_there {
            exporter.set_targets(main, targets);
        }
        if before.obs_domain_id != options.obs_domain_id || !was_there {
            if let Some(metering) = metering {
                metering.keep_domains(main, &[]);
            }
            exporter.set_domain(main, options.obs_domain_id)?;
        }
        let sampling_changes = before.sampling != options.sampling;
        let others_change = {
            let of = |options: &BridgeOptions| BridgeOptions {
                cache: Cache { targets: Default::default(), ..options.cache.clone() },
                ..options.clone()
            };
            of(before) != of(options)
        };
        self.measure_bridge(main, bridge)?;
        if let Some(metering) = &mut bridge.metering
            && was_there
            && others_change
        {
            metering.set_aging(main, &bridge.options.cache);
            metering.repeat_templates(main);
            if sampling_changes {
                Self::set_samplers(main, metering, &bridge.options);
            }
        }
        Ok(())
    }

    /// Measures for whom there is anybody to send to, with meters of the kind that is asked for.
    fn measure_bridge(&self, main: &mut Main, bridge: &mut Bridge) -> Result<(), IpfixBridgeError> {
        let Bridge { options, exporter, metering, past, gates, has_tunnels, .. } = bridge;
        let kind = Kind {
            profile: options.cache.profile,
            tunnels: options.tunnel_sampling && *has_tunnels,
            end_of_flow: options.cache.end_of_flow,
            ip_length: options.cache.ip_length,
            bfd: false,
        };
        if !exporter.has_collectors() {
            if metering.is_some() || !options.cache.targets.is_empty() {
                warn(main, "no collectors could be initialized, IPFIX exporter disabled");
            }
            stop(main, metering, past);
            return Ok(());
        }
        if metering.as_ref().is_some_and(|metering| metering.kind != kind) {
            stop(main, metering, past);
        }
        if metering.is_none() {
            let id = self.next_id();
            let ipfix = exporter.ipfix();
            let cache = &options.cache;
            let places = self.places(Some(*gates));
            let mut started = Metering::start(main, places, ipfix, id, kind, cache, past)?;
            Self::set_samplers(main, &mut started, options);
            *metering = Some(started);
        }
        if let Some(metering) = metering {
            metering.keep_domains(main, &[options.obs_domain_id]);
            metering.open_domain(main, REPORT, options.obs_domain_id)?;
        }
        Ok(())
    }

    /// Tells threads which frames are selected.
    fn set_samplers(main: &mut Main, metering: &mut Metering, options: &BridgeOptions) {
        let mut seeds = Seeds::of(main, metering.id);
        let p = Rate::one_in(options.sampling).probability();
        metering.set_gaps(main, p, &mut seeds);
    }

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
                let contexts = |port| bridge.contexts(self.tunnel_at(main, port).as_ref());
                told.extend(members.iter().map(|port| (*port, metering.id, contexts(*port))));
            }
            self.state().bridges.insert(id, bridge);
        }
        main.for_each_local(self.0.point, |local| tell(local, &told));
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

    pub(crate) fn open(&self, main: &mut Main, name: &str) -> Result<Exporter, ExporterError> {
        let opened = Exporter::open(main, &self.0.ipfix, name)?;
        self.state().leaving.retain(|leaving| leaving.id() != opened.ipfix().id());
        Ok(opened)
    }

    /// Takes an exporter away as soon as it has sent everything.
    pub(crate) fn leave(&self, main: &mut Main, exporter: Exporter) {
        // Targets stay for what is still to be sent; the exporter goes with them.
        self.state().leaving.push(exporter.ipfix().clone());
        self.let_go(main);
        self.0.bell.ring();
    }

    /// Takes those away that have sent everything; whether there are others.
    pub(crate) fn let_go(&self, main: &mut Main) -> bool {
        let leaving = core::mem::take(&mut self.state().leaving);
        let left: Vec<Ipfix> = leaving
            .into_iter()
            .filter(|ipfix| {
                ipfix.clone().delete_exporter(main).is_err() && !ipfix.name().is_empty()
            })
            .collect();
        let are_left = !left.is_empty();
        self.state().leaving.extend(left);
        are_left
    }

    pub(crate) fn next_id(&self) -> MeteringId {
        let mut state = self.state();
        state.next += 1;
        MeteringId(state.next)
    }

    /// Targets that have names, by exporter.
    pub(crate) fn names(&self) -> Vec<(Target, Option<SocketAddr>)> {
        let state = self.look();
        let bridges = state.bridges.values().map(|bridge| &bridge.exporter);
        let exporters = bridges.chain(state.sets.values().map(|set| &set.exporter));
        exporters.flat_map(Exporter::names).map(|(target, at)| (target.clone(), at)).collect()
    }

    /// Somebody has told the address of a target.
    pub(crate) fn resolved(&self, main: &mut Main, target: &Target, address: SocketAddr) {
        for id in self.bridges() {
            let Ok(mut bridge) = self.take_bridge(id) else { continue };
            bridge.exporter.resolved(main, target, address);
            self.state().bridges.insert(id, bridge);
        }
        self.resolved_of_sets(main, target, address);
        self.revive(main);
    }

    /// Measures again for those who have got collectors, and no more for those who have none.
    pub(crate) fn revive(&self, main: &mut Main) {
        let mut changes = false;
        for id in self.bridges() {
            let Ok(mut bridge) = self.take_bridge(id) else { continue };
            let changed = bridge.metering.is_some() != bridge.exporter.has_collectors();
            if changed && let Err(error) = self.measure_bridge(main, &mut bridge) {
                warn(main, &format!("bridge domain {id}: {error}"));
            }
            changes |= changed;
            self.state().bridges.insert(id, bridge);
        }
        if self.revive_sets(main) || changes {
            self.follow_ports(main);
        }
    }

    pub(crate) fn resolver(&self) -> Resolver {
        self.0.resolver.borrow().clone()
    }

    pub(crate) fn bell(&self) -> &Bell {
        &self.0.bell
    }

    pub(crate) fn point(&self) -> LocalPoint {
        self.0.point
    }

    pub(crate) fn look(&self) -> Ref<'_, State> {
        self.0.state.borrow()
    }

    pub(crate) fn state(&self) -> RefMut<'_, State> {
        self.0.state.borrow_mut()
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

/// Seeds of samplers: by chance, but under a virtual clock the same each time, where all is to depend on its input alone.
pub(crate) struct Seeds(Random);

impl Seeds {
    pub(crate) fn of(main: &Main, id: MeteringId) -> Self {
        let is_virtual = main.clock().is_virtual();
        let chance = || RandomState::new().build_hasher().finish();
        Self(Random::new(if is_virtual { id.0.into() } else { chance() }))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0.bits()
    }
}

/// What is wrong with what both kinds of exporters have.
pub(crate) fn check(cache: &Cache) -> Result<(), IpfixBridgeError> {
    match cache.active_timeout {
        ..=MAX_ACTIVE => Ok(()),
        timeout => Err(IpfixBridgeError::ActiveTimeout(timeout)),
    }
}

/// Takes meters away, after the records of all flows.
pub(crate) fn stop(main: &mut Main, metering: &mut Option<Metering>, past: &mut Past) {
    if let Some(metering) = metering.take() {
        *past = metering.stop(main);
    }
}

fn members(l2: &L2, main: &Main, id: BdId) -> Vec<SwIfIndex> {
    let layer2 = l2.view(main);
    let domain = layer2.domains().find(|(_, domain)| domain.id == id);
    domain.map(|(_, domain)| domain.interfaces().collect()).unwrap_or_default()
}

/// Has frames of an interface observed, past which they go by a gate, or not. An interface that was deleted has no features any more.
fn switch(main: &mut Main, (interface, direction): (SwIfIndex, Direction), on: Option<Gate>) {
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
fn tell(local: &mut Point, told: &[(SwIfIndex, MeteringId, [Context; 2])]) {
    local.ports.clear();
    for &(interface, of, contexts) in told {
        let Some(meter) = local.meters.iter().position(|meter| meter.of == of) else { continue };
        let at = interface.0 as usize;
        if local.ports.len() <= at {
            local.ports.resize(at + 1, None);
        }
        local.ports[at] = Some(Port { meter: meter as u8, contexts });
    }
}
