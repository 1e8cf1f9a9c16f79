//! The exporters of an engine, and a pass over them.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{
    Incomplete, KernelCounters, Shortfall, graph,
    kernel::Kernel,
    reliable::Reliables,
    settings::{Collector, Settings},
};
use crate::{
    fib::{Family, TableId},
    ipfix::{
        export::{
            ConfigError, Counters, Destination, ExportTime, Exporter, Outgoing, ReliableId,
            ReportId, SendError, Session, Setup, Transport, Via,
        },
        options::Options,
        template::Template,
    },
    runtime::{EngineTime, Main},
};

/// Names an exporter of an engine; never given out twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExporterId(pub(super) u32);

impl ExporterId {
    /// VPP's, which is always there.
    pub const DEFAULT: Self = Self(0);

    /// Exporters are counted from 0.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }
}

pub(super) struct State {
    pub(super) slots: Vec<Slot>,
    pub(super) kernel: Kernel,
    pub(super) reliable: Reliables,
    next: u32,
    /// What was counted when statistics were cleared.
    pub(super) cleared: (Counters, KernelCounters, (u64, u64)),
    /// Of exporters that were deleted.
    gone: Counters,
}

/// An exporter with its name.
pub(super) struct Slot {
    pub(super) id: ExporterId,
    pub(super) name: String,
    pub(super) settings: Settings,
    pub(super) exporter: Exporter,
    /// Reports that go as soon as they have said everything.
    pub(super) retiring: Vec<ReportId>,
    /// Why a message failed.
    pub(super) failure: Option<String>,
    /// What the flush before has answered for.
    told: Troubles,
    /// Sessions that were begun.
    sessions: u64,
    pub(super) enabled: Arc<AtomicBool>,
}

/// Messages that did not reach a collector, as counted since the engine's start.
#[derive(Clone, Copy, Debug, Default)]
struct Troubles {
    failed: u64,
    refused: u64,
}

/// What a pass left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pass {
    /// Nothing.
    Done,
    /// A report has more to say.
    More,
    /// An exporter could send nothing any more; this many messages failed.
    Failed(u64),
}

impl State {
    pub(super) fn new(reliable: Reliables) -> Self {
        let mut state = Self {
            slots: Vec::new(),
            kernel: Kernel::default(),
            reliable,
            next: 0,
            cleared: <(Counters, KernelCounters, (u64, u64))>::default(),
            gone: Counters::default(),
        };
        state.add("0");
        state
    }

    /// A new exporter without collectors.
    pub(super) fn add(&mut self, name: &str) -> ExporterId {
        let id = ExporterId(self.next);
        self.next += 1;
        self.slots.push(Slot {
            id,
            name: name.to_owned(),
            settings: Settings::default(),
            exporter: Exporter::new(),
            retiring: Vec::new(),
            failure: None,
            told: Troubles::default(),
            sessions: 0,
            enabled: Arc::default(),
        });
        id
    }

    /// Takes an exporter away, which has no reports any more.
    pub(super) fn delete(&mut self, main: &mut Main, id: ExporterId, options: &Options) {
        let Some(at) = self.slots.iter().position(|slot| slot.id == id) else { return };
        self.apply(main, at, Settings::default(), options).ok();
        let slot = self.slots.remove(at);
        self.gone += slot.exporter.counters();
        options.forget(id);
    }

    pub(super) fn slot(&self, id: ExporterId) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.id == id)
    }

    pub(super) fn slot_mut(&mut self, id: ExporterId) -> Option<&mut Slot> {
        self.slots.iter_mut().find(|slot| slot.id == id)
    }

    pub(super) fn place(&self, id: ExporterId) -> Option<usize> {
        self.slots.iter().position(|slot| slot.id == id)
    }

    /// Applies settings, all or none of them. What is open leaves under the old ones.
    pub(super) fn apply(
        &mut self,
        main: &mut Main,
        at: usize,
        settings: Settings,
        options: &Options,
    ) -> Result<(), ConfigError> {
        let fib_index = |collector: std::net::IpAddr, id| {
            let family = if collector.is_ipv6() { Family::Ip6 } else { Family::Ip4 };
            main.forwarding().table(family, TableId(id)).ok().map(|fib| fib.0)
        };
        let destinations = settings.destinations(fib_index)?;
        let setup = Setup {
            destinations: destinations.clone(),
            policy: settings.policy,
            rate: settings.rate(),
        };
        let Self { slots, kernel, reliable, .. } = self;
        let slot = &mut slots[at];
        let stays = |old: &&Destination| destinations.iter().any(|new| new.same_session(old));
        let old: Vec<Destination> = slot.exporter.destinations().copied().collect();
        let left: Vec<Destination> = old.iter().filter(|old| !stays(old)).copied().collect();
        let is_other = old.len() != destinations.len() || !left.is_empty();
        let export_time = export_time(main);
        let failure = &mut slot.failure;
        let mut out = Transports { owner: slot.id, main, kernel, reliable, failure, options };
        slot.exporter.configure(setup, export_time, &mut out);
        if is_other {
            slot.failure = None;
        }
        for destination in left {
            match destination {
                Destination::Udp(config) => kernel.close(slot.id, &config),
                Destination::Reliable(id) => reliable.close(id),
            }
        }
        if is_other {
            slot.told = slot.troubles(kernel);
        }
        slot.settings = settings;
        slot.enabled.store(!destinations.is_empty(), Ordering::Relaxed);
        Ok(())
    }

    /// Lets `act` use an exporter, with its ways out.
    pub(super) fn with<R>(
        &mut self,
        main: &mut Main,
        id: ExporterId,
        options: &Options,
        act: impl FnOnce(&mut Exporter, ExportTime, &mut dyn Transport) -> R,
    ) -> Option<R> {
        let Self { slots, kernel, reliable, .. } = self;
        let slot = slots.iter_mut().find(|slot| slot.id == id)?;
        let export_time = export_time(main);
        let failure = &mut slot.failure;
        let mut out = Transports { owner: id, main, kernel, reliable, failure, options };
        Some(act(&mut slot.exporter, export_time, &mut out))
    }

    /// One pass of each exporter.
    pub(super) fn run(&mut self, main: &mut Main, options: &Options) -> Pass {
        self.kernel.retry();
        let mut pass = Pass::Done;
        for at in 0..self.slots.len() {
            match (self.run_one(main, at, options), pass) {
                (Pass::Failed(one), Pass::Failed(other)) => pass = Pass::Failed(one + other),
                (Pass::Failed(failed), _) => pass = Pass::Failed(failed),
                (Pass::More, Pass::Done) => pass = Pass::More,
                _ => (),
            }
        }
        pass
    }

    fn run_one(&mut self, main: &mut Main, at: usize, options: &Options) -> Pass {
        let Self { slots, kernel, reliable, .. } = self;
        let Slot { id, exporter, retiring, failure, sessions, .. } = &mut slots[at];
        let (now, export_time) = (main.clock().now(), export_time(main));
        let errors = exporter.counters().send_errors;
        let mut out = Transports { owner: *id, main, kernel, reliable, failure, options };
        exporter.run(now, export_time, &mut out);
        retiring.retain(|&id| {
            let more = exporter.report_has_more(id);
            if !more {
                // It is gone when somebody took it away before; either way it is not there any more.
                drop(exporter.remove_report(id, export_time, &mut out));
            }
            more
        });
        let begun = exporter.sessions() + reliable.sessions(exporter.destinations());
        // Who begins a session knows nothing of what others were told.
        if std::mem::replace(sessions, begun) != begun {
            options.repeat(|other| other == *id);
        }
        options.look(main, *id, exporter);
        match exporter.counters().send_errors - errors {
            failed if failed > 0 && exporter.is_stuck() => Pass::Failed(failed),
            _ if exporter.has_more() => Pass::More,
            _ => Pass::Done,
        }
    }

    pub(super) fn next_due(&self) -> Option<EngineTime> {
        self.slots.iter().filter_map(|slot| slot.exporter.next_due()).min()
    }

    /// What all exporters have done.
    pub(super) fn counters(&self) -> Counters {
        let mut counters = self.gone;
        self.slots.iter().for_each(|slot| counters += slot.exporter.counters());
        counters
    }

    /// What is left to send, and what did not reach its collector since the flush before: no matter which pass sent it, so
    /// that a pass which happens to run just before a flush hides nothing.
    pub(super) fn left(&mut self) -> Result<(), Incomplete> {
        self.kernel.hear_refusals();
        let Self { slots, kernel, reliable, .. } = self;
        let shortfalls: Vec<Shortfall> =
            slots.iter_mut().filter_map(|slot| slot.shortfall(kernel, reliable)).collect();
        if shortfalls.is_empty() { Ok(()) } else { Err(Incomplete { shortfalls }) }
    }
}

impl Slot {
    fn troubles(&self, kernel: &Kernel) -> Troubles {
        let failed = self.exporter.counters().send_errors;
        Troubles { failed, refused: kernel.refused(self.id) }
    }

    fn shortfall(&mut self, kernel: &Kernel, reliable: &Reliables) -> Option<Shortfall> {
        let now = self.troubles(kernel);
        let before = std::mem::replace(&mut self.told, now);
        if !self.exporter.is_enabled() {
            return None;
        }
        let waiting = self.exporter.reports().filter(|report| report.template_sent.is_none());
        let left = Shortfall {
            exporter: self.name.clone(),
            collector: self.only_collector(),
            failed: now.failed - before.failed,
            refused: now.refused - before.refused,
            unsent: kernel.waiting_of(self.id),
            undelivered: self.reliable_ids().map(|id| reliable.undelivered(id)).sum(),
            waiting: waiting.count(),
            why: None,
        };
        let why = self.failure.clone().filter(|_| left.failed > 0 || left.waiting > 0);
        let why = why.or_else(|| self.reliable_ids().find_map(|id| reliable.last_error(id)));
        Shortfall { why, ..left }.if_any()
    }

    fn only_collector(&self) -> Option<SocketAddr> {
        match self.settings.collectors[..] {
            [Collector::Udp(address)] => Some(address),
            _ => None,
        }
    }

    pub(super) fn reliable_ids(&self) -> impl Iterator<Item = ReliableId> {
        self.exporter.destinations().filter_map(|destination| match destination {
            Destination::Udp(_) => None,
            Destination::Reliable(id) => Some(*id),
        })
    }
}

/// All ways out of an exporter.
struct Transports<'a> {
    owner: ExporterId,
    main: &'a mut Main,
    kernel: &'a mut Kernel,
    reliable: &'a mut Reliables,
    failure: &'a mut Option<String>,
    options: &'a Options,
}

impl Transports<'_> {
    fn not_sent(&mut self, message: &[u8], error: &SendError) {
        *self.failure = Some(error.to_string());
        self.options.not_sent_message(self.owner, message);
    }
}

impl Transport for Transports<'_> {
    fn send(&mut self, session: &Session, message: &[u8]) -> Result<(), SendError> {
        let sent = match session.exporter.via() {
            Via::Graph => graph::send(self.main, session, message),
            Via::Kernel => self.kernel.send(self.owner, session, message),
        };
        sent.inspect_err(|error| self.not_sent(message, error))
    }

    fn queue(&mut self, to: ReliableId, message: Outgoing<'_>) -> Result<(), SendError> {
        let queued = self.reliable.message(to, message);
        queued.inspect_err(|error| self.not_sent(message.message, error))
    }

    fn announce(&mut self, to: ReliableId, domain: u32, template: &Template) {
        self.reliable.announce(to, domain, template);
    }

    fn withdraw(&mut self, to: ReliableId, domain: u32, template: &Template) {
        self.reliable.withdraw(to, domain, template);
    }

    fn is_reachable(&mut self, destination: &Destination) -> bool {
        match destination {
            Destination::Udp(config) if config.via() == Via::Kernel => {
                self.kernel.is_reachable(self.owner, config)
            }
            Destination::Udp(_) => true,
            Destination::Reliable(id) => self.reliable.is_reachable(*id),
        }
    }
}

/// The wall clock, as headers have it.
fn export_time(main: &Main) -> ExportTime {
    main.clock().wall().into()
}
