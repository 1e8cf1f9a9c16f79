//! Exporters come and go, and measure as long as there is anybody to send to.

use std::net::SocketAddr;

use vnet::{
    ipfix::engine::{ExporterError, Ipfix},
    runtime::Main,
};

use crate::{
    IpfixBridge, Target,
    exporter::{Exporter, warn},
};

impl IpfixBridge {
    pub(crate) fn open(&self, main: &mut Main, name: &str) -> Result<Exporter, ExporterError> {
        let opened = Exporter::open(main, self.ipfix(), name)?;
        self.state().leaving.retain(|leaving| leaving.id() != opened.ipfix().id());
        Ok(opened)
    }

    /// Takes an exporter away as soon as it has sent everything.
    pub(crate) fn leave(&self, main: &mut Main, exporter: Exporter) {
        // Targets stay for what is still to be sent; the exporter goes with them.
        self.state().leaving.push(exporter.ipfix().clone());
        self.let_go(main);
        self.bell().ring();
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
}
