//! The exporter of a bridge domain: what is said of it, and how it measures.

use std::hash::{BuildHasher, Hasher, RandomState};

use vnet::{
    command::Error as CommandError,
    flow::{Direction, Rate},
    graph::Gate,
    interface::SwIfIndex,
    l2::BdId,
    random::Random,
    runtime::Main,
};

use crate::{
    BridgeChange, BridgeOptions, IpfixBridge, IpfixBridgeError,
    exporter::{Exporter, warn},
    metering::{Kind, Metering, Past},
    options::{Cache, MAX_ACTIVE},
    past,
    point::MeteringId,
    ports::switch,
};

/// The exporter of a bridge domain.
pub(crate) struct Bridge {
    pub(crate) options: BridgeOptions,
    pub(crate) exporter: Exporter,
    /// While there is anybody to send to.
    pub(crate) metering: Option<Metering>,
    /// What was before.
    pub(crate) past: Past,
    /// By which frames that come, and those that leave, may pass unseen.
    pub(crate) gates: [Gate; 2],
    /// Interfaces on which its frames are observed, with what that was enabled for.
    pub(crate) ports: Vec<(SwIfIndex, Direction)>,
    /// Whether one of them is the end of a tunnel.
    pub(crate) has_tunnels: bool,
}

const REPORT: &str = "ipfix-bridge";

impl IpfixBridge {
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
        self.bell().ring();
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

    pub(crate) fn take_bridge(&self, id: BdId) -> Result<Bridge, IpfixBridgeError> {
        self.state().bridges.remove(&id).ok_or(IpfixBridgeError::NoBridge(id))
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
    pub(crate) fn measure_bridge(
        &self,
        main: &mut Main,
        bridge: &mut Bridge,
    ) -> Result<(), IpfixBridgeError> {
        let Bridge { options, exporter, metering, past, gates, has_tunnels, .. } = bridge;
        let tunnels = options.tunnel_sampling && *has_tunnels;
        let kind = Kind::of(&options.cache, tunnels, false);
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
