//! An exporter of the engine, and how its collectors follow the targets.
//!
//! Collectors that operators add to it by `ipfix collector add` stay beside those.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use vnet::{
    ipfix::{
        engine::{Collector, ExporterError, Ipfix},
        export::Via,
    },
    log::Level,
    runtime::Main,
};

use crate::{Target, options::TEMPLATE_INTERVAL};

/// Messages have up to 1,024 octets over IPv4, as in Open vSwitch.
const PATH_MTU: u32 = 1052;

/// An exporter with targets.
pub(crate) struct Exporter {
    ipfix: Ipfix,
    /// Their addresses, as far as these are known.
    targets: BTreeMap<Target, Option<SocketAddr>>,
    /// Collectors that are there for them.
    collectors: Vec<SocketAddr>,
}

impl Exporter {
    /// The exporter of this name, which is made if need be, without targets.
    pub(crate) fn open(main: &mut Main, any: &Ipfix, name: &str) -> Result<Self, ExporterError> {
        let ipfix = match any.named(name) {
            Some(known) => known,
            None => any.add_exporter(name)?,
        };
        ipfix.change(main, |settings| {
            settings.common.via = Via::Kernel;
            settings.common.path_mtu = PATH_MTU;
            settings.common.template_interval = TEMPLATE_INTERVAL;
        })?;
        Ok(Self { ipfix, targets: BTreeMap::new(), collectors: Vec::new() })
    }

    pub(crate) fn ipfix(&self) -> &Ipfix {
        &self.ipfix
    }

    /// Has what is told of the exporter itself be told in this observation domain, unless records of another one wait: those are sent in
    /// theirs.
    pub(crate) fn set_domain(&self, main: &mut Main, domain: u32) -> Result<(), ExporterError> {
        // Reports that have said everything go.
        self.ipfix.change(main, |_| ())?;
        if self.ipfix.with_exporter(|exporter| exporter.reports().next().is_none()) {
            self.ipfix.change(main, |settings| settings.stream.domain = domain)?;
        }
        Ok(())
    }

    /// Whether there is anybody to send to.
    pub(crate) fn has_collectors(&self) -> bool {
        self.ipfix.is_enabled()
    }

    /// The targets with their addresses, as far as these are known.
    pub(crate) fn targets(&self) -> impl Iterator<Item = (&Target, Option<SocketAddr>)> {
        self.targets.iter().map(|(target, address)| (target, *address))
    }

    /// Targets whose names somebody has to be asked for.
    pub(crate) fn names(&self) -> impl Iterator<Item = (&Target, Option<SocketAddr>)> {
        self.targets().filter(|(target, _)| target.address().is_none())
    }

    /// Whether there would be anybody to send to with these targets, as far as their addresses are known.
    pub(crate) fn would_send(&self, targets: &BTreeSet<Target>) -> bool {
        let is_known = |target: &Target| {
            target.address().is_some() || matches!(self.targets.get(target), Some(Some(_)))
        };
        self.ipfix.settings().collectors.len() > self.collectors.len()
            || targets.iter().any(is_known)
    }

    /// Has other targets. Collectors of those that stay go on.
    pub(crate) fn set_targets(&mut self, main: &mut Main, targets: &BTreeSet<Target>) {
        let known = |target: &Target| self.targets.get(target).copied().flatten();
        let address = |target: &Target| target.address().or_else(|| known(target));
        self.targets = targets.iter().map(|target| (target.clone(), address(target))).collect();
        self.connect(main);
    }

    /// Notes the address of a target, if it still is one.
    pub(crate) fn resolved(&mut self, main: &mut Main, target: &Target, to: SocketAddr) {
        if let Some(address) = self.targets.get_mut(target)
            && *address != Some(to)
        {
            *address = Some(to);
            self.connect(main);
        }
    }

    /// Has a collector for each address. One that is refused leaves the others as they are, and is tried again.
    fn connect(&mut self, main: &mut Main) {
        let wanted: BTreeSet<SocketAddr> = self.targets.values().filter_map(|at| *at).collect();
        let (left, new): (Vec<_>, Vec<_>) = {
            let is_left = |at: &&SocketAddr| !wanted.contains(at);
            let left = self.collectors.iter().filter(is_left).copied().collect();
            (left, wanted.iter().filter(|at| !self.collectors.contains(at)).copied().collect())
        };
        if !left.is_empty() {
            // They are sent what was recorded for them.
            self.ipfix.drain(main);
        }
        if !left.is_empty() && self.change(main, |all| all.retain(|one| !is_one_of(one, &left))) {
            self.collectors.retain(|at| !left.contains(at));
        }
        for address in new {
            let collector = Collector::Udp(address);
            let add = |all: &mut Vec<Collector>| {
                if !all.contains(&collector) {
                    all.push(collector.clone());
                }
            };
            if self.change(main, add) {
                self.collectors.push(address);
            }
        }
    }

    /// Whether that was possible.
    fn change(&self, main: &mut Main, change: impl FnOnce(&mut Vec<Collector>)) -> bool {
        match self.ipfix.change(main, |settings| change(&mut settings.collectors)) {
            Ok(()) => true,
            Err(error) => {
                let text = format!("exporter {}: {error}", self.ipfix.name());
                warn(main, &text);
                false
            }
        }
    }
}

fn is_one_of(collector: &Collector, addresses: &[SocketAddr]) -> bool {
    matches!(collector, Collector::Udp(at) if addresses.contains(at))
}

/// Tells the operator.
pub(crate) fn warn(main: &Main, text: &str) {
    main.log().write(main.log().class("ipfix", "bridge"), Level::Warn, text);
}
