//! An engine that listens: interfaces of the host, and the passive point behind them.

use af_packet::{Heard, HostError, HostInterfaces, Listener};
use flowprobe::passive::{self, Passive, PassivePoints, Sums};
use vnet::{
    flow::{Config, FlowRecord, Pages},
    graph::FeatureError,
    host::Link,
    interface::{InterfaceError, SwIfIndex},
    plugin::{BuildError, Engine},
    runtime::{Interrupt, Main},
};

use super::options::Options;

/// Octets of each packet that the kernel copies: link header, tags, labels, IP with extension headers, a transport header.
const OCTETS: u32 = 256;
/// The same where there are as many of them in each tunnel.
const OCTETS_INNER: u32 = 512;

/// Why a probe cannot begin.
#[derive(Debug, thiserror::Error)]
pub(super) enum StartError {
    /// The engine.
    #[error(transparent)]
    Engine(#[from] BuildError),
    /// The passive observation point.
    #[error(transparent)]
    Feature(#[from] FeatureError),
    /// An interface of the host.
    #[error(transparent)]
    Host(#[from] HostError),
    /// An interface of the engine.
    #[error(transparent)]
    Interface(#[from] InterfaceError),
    /// The flow cache.
    #[error("{0}")]
    Meter(String),
    /// A plugin that is in no engine without its own.
    #[error("this program has no interfaces of the host")]
    NoInterfaces,
}

/// An interface that is listened to.
#[derive(Clone, Debug)]
pub(super) struct Listened {
    pub(super) name: String,
    interface: SwIfIndex,
}

/// What a probe has seen and made.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    /// Of the points.
    pub(super) sums: Sums,
    /// Of the sockets.
    pub(super) heard: Heard,
}

impl Totals {
    /// Whether every packet that the kernel gave is in a record or listed as lost or not measured. Holds when a probe is over.
    pub(super) fn is_balanced(&self) -> bool {
        let Self { sums, heard } = self;
        heard.waiting() == 0
            && heard.packets == heard.taken + heard.lost
            && sums.seen.buffers + heard.unreadable == heard.taken
            && sums.flows.recorded + sums.flows.unmeasured_total() == sums.flows.seen
    }

    /// Packets in the records that were put out.
    pub(super) const fn recorded(&self) -> u64 {
        self.sums.flows.recorded - self.sums.lost.packets
    }
}

/// The ways into the engine. Clones are the same.
#[derive(Clone)]
pub(super) struct Ears {
    points: PassivePoints,
    hosts: HostInterfaces,
    pub(super) listened: Vec<Listened>,
    walkers: Vec<Interrupt>,
}

impl Ears {
    /// An engine that listens from now on.
    pub(super) fn open(options: &Options) -> Result<(Engine, Self), StartError> {
        let recording = &options.recording;
        let meter = Config { pages: Pages::Settling, ..recording.meter.clone() };
        let (passive, points) =
            passive::plugin(Passive { meter, inner: recording.inner, live: true });
        let engine = Engine::builder()
            .workers(options.workers)
            .plugin(nodes::plugin())
            .plugin(af_packet::plugin())
            .plugin(passive)
            .build()?;
        let hosts: HostInterfaces = engine.provided().ok_or(StartError::NoInterfaces)?;
        let ears = engine.with(|main| {
            if let Err(error) = points.counters(main) {
                return Err(StartError::Meter(error.to_string()));
            }
            let walkers = PassivePoints::walkers(main);
            let mut ears = Self { points, hosts, listened: Vec::new(), walkers };
            options.interfaces.iter().try_for_each(|name| ears.add(main, name, options))?;
            for Listened { interface, .. } in &ears.listened {
                main.change_interfaces(|table| table.set_admin(*interface, true))?;
            }
            Ok(ears)
        })?;
        Ok((engine, ears))
    }

    fn add(&mut self, main: &mut Main, name: &str, options: &Options) -> Result<(), StartError> {
        let octets = if options.recording.inner { OCTETS_INNER } else { OCTETS };
        let listener = Listener {
            name: name.to_owned(),
            queues: options.workers as u16,
            promiscuous: options.promiscuous,
            octets,
        };
        let interface = self.hosts.listen(main, &listener)?;
        if let Some(link) = self.hosts.host_link(interface) {
            self.points.set_number(main, interface, SwIfIndex(link.index));
        }
        main.enable_feature(passive::ARC, passive::FEATURE, interface, 0)?;
        main.enable_feature(passive::ARC, "sink", interface, 0)?;
        self.listened.push(Listened { name: name.to_owned(), interface });
        Ok(())
    }

    /// Has flows end that are due, though no packet comes.
    pub(super) fn walk(&self) {
        self.walkers.iter().for_each(Interrupt::set);
    }

    /// Takes the records that are due.
    pub(super) fn collect(&self, main: &mut Main, into: &mut Vec<FlowRecord>) {
        self.points.collect(main, into);
    }

    /// Lets no more packets in; those that wait are still taken.
    pub(super) fn shut(&self) {
        self.listened.iter().for_each(|listened| self.hosts.shut(listened.interface));
    }

    /// Makes the records of all flows that are still held.
    pub(super) fn flush(&self, main: &mut Main, sink: &mut impl FnMut(&FlowRecord)) {
        self.points.flush(main, sink);
    }

    /// The host's interface; `None` when it is gone.
    pub(super) fn link(&self, listened: &Listened) -> Option<Link> {
        self.hosts.host_link(listened.interface)
    }

    /// What was heard so far.
    pub(super) fn heard(&self) -> Heard {
        let mut heard = Heard::default();
        self.listened.iter().for_each(|l| heard += self.hosts.heard(l.interface));
        heard
    }

    /// What was seen and made so far.
    pub(super) fn totals(&self, main: &mut Main) -> Totals {
        Totals { sums: self.points.sums(main), heard: self.heard() }
    }
}
