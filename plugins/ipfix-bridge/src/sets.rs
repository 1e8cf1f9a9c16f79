//! Collector sets: exporters to which others send samples by number.

use std::net::SocketAddr;

use vnet::runtime::Main;

use crate::{
    IpfixBridge, IpfixBridgeError, SetChange, SetOptions, Target,
    bridge::{check, stop},
    exporter::{Exporter, warn},
    metering::{Kind, Metering, Past},
    options::Cache,
};

/// A collector set.
pub(crate) struct Set {
    pub(crate) options: SetOptions,
    pub(crate) exporter: Exporter,
    /// While there is anybody to send to.
    pub(crate) metering: Option<Metering>,
    /// What was before.
    pub(crate) past: Past,
}

impl IpfixBridge {
    /// Makes a collector set, or changes it; what `change` leaves out stays. A change that changes nothing does nothing.
    ///
    /// # Errors
    /// See [`IpfixBridgeError`].
    pub fn set_collector_set(
        &self,
        main: &mut Main,
        id: u32,
        change: SetChange,
    ) -> Result<(), IpfixBridgeError> {
        let known = self.look().sets.get(&id).map(|set| set.options.clone());
        let mut options = known.clone().unwrap_or_default();
        change.apply(&mut options);
        check(&options.cache)?;
        if known.as_ref() == Some(&options) {
            return Ok(());
        }
        if known.is_none() {
            let exporter = self.open(main, &format!("collector-set-{id}"))?;
            let (metering, past) = (None, Past::default());
            let set = Set { options: options.clone(), exporter, metering, past };
            self.state().sets.insert(id, set);
        }
        let mut set = self.take_set(id)?;
        let before = core::mem::replace(&mut set.options, options);
        let applied = self.apply_set(main, id, &mut set, &before, known.is_some());
        self.state().sets.insert(id, set);
        // A meter that went has left its place to others.
        self.follow_ports(main);
        self.bell().ring();
        applied
    }

    /// Takes a collector set away. Records of its flows are made and sent first.
    ///
    /// # Errors
    /// [`IpfixBridgeError::NoSet`].
    pub fn delete_collector_set(&self, main: &mut Main, id: u32) -> Result<(), IpfixBridgeError> {
        let users = self.users_of_set(id);
        if users > 0 && self.collector_set(id).is_some() {
            return Err(IpfixBridgeError::InUse { set: id, users });
        }
        let Set { exporter, metering, .. } = self.take_set(id)?;
        if let Some(metering) = metering {
            metering.stop(main);
        }
        self.leave(main, exporter);
        self.follow_ports(main);
        Ok(())
    }

    /// What is said of a collector set.
    #[must_use]
    pub fn collector_set(&self, id: u32) -> Option<SetOptions> {
        Some(self.look().sets.get(&id)?.options.clone())
    }

    /// The collector sets.
    #[must_use]
    pub fn collector_sets(&self) -> Vec<u32> {
        self.look().sets.keys().copied().collect()
    }

    fn take_set(&self, id: u32) -> Result<Set, IpfixBridgeError> {
        self.state().sets.remove(&id).ok_or(IpfixBridgeError::NoSet(id))
    }

    fn apply_set(
        &self,
        main: &mut Main,
        id: u32,
        set: &mut Set,
        before: &SetOptions,
        was_there: bool,
    ) -> Result<(), IpfixBridgeError> {
        let targets = &set.options.cache.targets;
        if !set.exporter.would_send(targets) {
            // The old collectors get what there is.
            stop(main, &mut set.metering, &mut set.past);
        }
        if before.cache.targets != *targets || !was_there {
            set.exporter.set_targets(main, targets);
        }
        self.measure_set(main, id, set)?;
        let of = |cache: &Cache| Cache { targets: Default::default(), ..cache.clone() };
        if let Some(metering) = &set.metering
            && was_there
            && of(&before.cache) != of(&set.options.cache)
        {
            metering.set_aging(main, &set.options.cache);
            metering.repeat_templates(main);
        }
        Ok(())
    }

    fn measure_set(
        &self,
        main: &mut Main,
        set_id: u32,
        set: &mut Set,
    ) -> Result<(), IpfixBridgeError> {
        let Set { options, exporter, metering, past } = set;
        let kind = Kind::of(&options.cache, false, true);
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
            let (id, ipfix, cache) = (self.next_id(), exporter.ipfix(), &options.cache);
            *metering =
                Some(Metering::start(main, self.places(None), ipfix, id, kind, cache, past)?);
        }
        if let Some(metering) = metering {
            open_domains(main, metering, &self.domains_of_set(set_id))?;
        }
        Ok(())
    }

    /// Has what is sent follow which domains are sampled into a set.
    pub(crate) fn follow_samples(&self, main: &mut Main, id: u32) -> Result<(), IpfixBridgeError> {
        let domains = self.domains_of_set(id);
        if let Ok(mut set) = self.take_set(id) {
            let opened = match &mut set.metering {
                Some(metering) => {
                    metering.keep_domains(main, &domains);
                    open_domains(main, metering, &domains)
                }
                None => Ok(()),
            };
            self.state().sets.insert(id, set);
            opened?;
        }
        self.tell_samples(main);
        Ok(())
    }

    /// See [`IpfixBridge::resolved`].
    pub(crate) fn resolved_of_sets(&self, main: &mut Main, target: &Target, address: SocketAddr) {
        for id in self.collector_sets() {
            let Ok(mut set) = self.take_set(id) else { continue };
            set.exporter.resolved(main, target, address);
            self.state().sets.insert(id, set);
        }
    }

    /// See [`IpfixBridge::revive`]; whether anything has changed.
    pub(crate) fn revive_sets(&self, main: &mut Main) -> bool {
        let mut changes = false;
        for id in self.collector_sets() {
            let Ok(mut set) = self.take_set(id) else { continue };
            let changed = set.metering.is_some() != set.exporter.has_collectors();
            if changed && let Err(error) = self.measure_set(main, id, &mut set) {
                warn(main, &format!("collector set {id}: {error}"));
            }
            changes |= changed;
            self.state().sets.insert(id, set);
        }
        changes
    }
}

const REPORT: &str = "ipfix-collector-set";

fn open_domains(
    main: &mut Main,
    metering: &mut Metering,
    domains: &[u32],
) -> Result<(), IpfixBridgeError> {
    for domain in domains {
        metering.open_domain(main, REPORT, *domain)?;
    }
    Ok(())
}
