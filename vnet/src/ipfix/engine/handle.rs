//! The way to an engine's exporters.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use super::{
    ExporterId, FlowQueues, Incomplete, KernelCounters, Latency, Settings,
    process::{self, Event},
    reliable::Reliables,
    state::{Pass, Slot, State},
};
use crate::{
    fib::{Family, TableId},
    ipfix::{
        export::{
            AddReportError, ConfigError, Counters, DISABLED_LINE, Exporter, ExporterRequest,
            Report, ReportId, ReportKey, StreamConflict, StreamKey,
        },
        fields::{self, NamedTemplates},
        options::Options,
        profile::FlowTemplates,
    },
    plugin::Registrar,
    process::{Bell, Events, Signal, events, reply},
    runtime::{Clock, EngineTime, Main},
};

/// Passes of one [`Ipfix::drain`] at most: those of some millions of records.
const MAX_PASSES: u32 = 1 << 16;

/// An exporter of an engine, and the way to the others. Clones are the same one; it belongs to the main thread.
///
/// None of its functions may be called from the callbacks of a report.
#[derive(Clone)]
pub struct Ipfix {
    pub(super) shared: Rc<Shared>,
    pub(super) id: ExporterId,
}

pub(super) struct Shared {
    pub(super) state: RefCell<State>,
    options: Options,
    pub(super) signal: Signal<Event>,
    events: RefCell<Option<Events<Event>>>,
    bell: Bell,
    clock: Clock,
    latency: Rc<Cell<Latency>>,
    named: NamedTemplates,
}

/// What `show ipfix statistics` tells, of all exporters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statistics {
    /// By all streams.
    pub sent: Counters,
    /// At sockets of the host.
    pub kernel: KernelCounters,
    /// Messages that wait for a socket.
    pub waiting: usize,
    /// Messages that reliable transports have not delivered yet.
    pub undelivered: u64,
    /// Messages and data records that reliable transports were left with.
    pub lost: (u64, u64),
    /// How long flow records waited for an exporter.
    pub latency: Latency,
    /// Why the last message failed that did in this session.
    pub last_error: Option<String>,
}

impl Ipfix {
    pub(crate) fn new(clock: Clock) -> Self {
        let (signal, events) = events();
        let bell = Bell::new();
        let shared = Shared {
            state: RefCell::new(State::new(Reliables::new(bell.clone()))),
            options: Options::default(),
            signal,
            events: RefCell::new(Some(events)),
            bell,
            clock,
            latency: Rc::default(),
            named: NamedTemplates::default(),
        };
        Self { shared: Rc::new(shared), id: ExporterId::DEFAULT }
    }

    /// Adds the process and the commands to an engine.
    pub(crate) fn register(&self, r: &mut Registrar) {
        let ipfix = self.clone();
        if let Some(events) = self.shared.events.take() {
            r.process("flow-report-process", |cx| process::run(cx, ipfix, events));
        }
        super::commands::register(r, self);
        super::exporter_commands::register(r, self);
        super::show::register(r, self);
        super::api::register(r, self);
        self.shared.options.register(r, self);
        fields::register(r, &self.shared.named);
    }

    /// What options records of exporters tell, to which plugins add.
    #[must_use]
    pub fn options(&self) -> Options {
        self.shared.options.clone()
    }

    /// The exporter of this name; that of VPP is called 0.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<Self> {
        let state = self.shared.state.borrow();
        let id = state.slots.iter().find(|slot| slot.name == name)?.id;
        Some(Self { shared: self.shared.clone(), id })
    }

    /// Which one it is.
    #[must_use]
    pub fn id(&self) -> ExporterId {
        self.id
    }

    /// The one that has been given this number.
    pub(in crate::ipfix) fn with_id(&self, id: ExporterId) -> Self {
        Self { shared: self.shared.clone(), id }
    }

    /// Its name; empty once it is deleted.
    #[must_use]
    pub fn name(&self) -> String {
        let state = self.shared.state.borrow();
        state.slot(self.id).map_or_else(String::new, |slot| slot.name.clone())
    }

    /// Applies what `set ipfix exporter` says, all of it or nothing, and returns the line that it prints. What was pending
    /// leaves under the old configuration; the templates of new sessions leave at once.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub fn configure(
        &self,
        main: &mut Main,
        request: ExporterRequest,
    ) -> Result<String, ConfigError> {
        // The line is checked as a whole, also where it disables the exporter.
        let family = if request.collector.is_ipv6() { Family::Ip6 } else { Family::Ip4 };
        let fib_index = |id| main.forwarding().table(family, TableId(id)).ok().map(|fib| fib.0);
        let config = request.check(fib_index)?;
        self.apply(main, Settings::of_line(request))?;
        Ok(config.map_or_else(|| DISABLED_LINE.to_owned(), |config| config.to_string()))
    }

    /// Applies settings, all of them or none. What is ready leaves in the session that it was recorded for.
    pub(super) fn apply(&self, main: &mut Main, settings: Settings) -> Result<(), ConfigError> {
        self.run(main);
        let mut state = self.shared.state.borrow_mut();
        let at = state.place(self.id).ok_or(ConfigError::NoSuchExporter)?;
        state.apply(main, at, settings, &self.shared.options)?;
        self.shared.signal.send(Event::Run);
        Ok(())
    }

    /// Its settings.
    #[must_use]
    pub fn settings(&self) -> Settings {
        let state = self.shared.state.borrow();
        state.slot(self.id).map_or_else(Settings::default, |slot| slot.settings.clone())
    }

    /// Adds a report. Its templates leave at once if the exporter is enabled, otherwise when it is.
    ///
    /// # Errors
    /// See [`AddReportError`].
    pub fn add_report(
        &self,
        key: ReportKey,
        stream: StreamKey,
        report: Box<dyn Report>,
    ) -> Result<ReportId, AddReportError> {
        let mut state = self.shared.state.borrow_mut();
        let slot = state.slot_mut(self.id).ok_or(AddReportError::NoSuchExporter)?;
        let added = slot.exporter.add_report(key, stream, report)?;
        self.shared.signal.send(Event::Run);
        Ok(added)
    }

    /// The stream of reports that ask for none.
    #[must_use]
    pub fn stream(&self) -> StreamKey {
        self.settings().stream
    }

    /// The stream of reports of an observation domain: that of the exporter where it is its domain, another one that there is, or a
    /// new one, from the first source port that no other has.
    #[must_use]
    pub fn stream_of(&self, domain: u32) -> StreamKey {
        let own = self.stream();
        if own.domain == domain {
            return own;
        }
        let taken: Vec<StreamKey> =
            self.with_exporter(|exporter| exporter.streams().map(|(key, _)| key).collect());
        if let Some(known) = taken.iter().find(|key| key.domain == domain) {
            return *known;
        }
        let is_free = |port: &u16| {
            *port != own.source_port && taken.iter().all(|key| key.source_port != *port)
        };
        let mut ports = (own.source_port..=u16::MAX).chain(1..own.source_port);
        let source_port = ports.find(is_free).unwrap_or(own.source_port);
        StreamKey { domain, source_port }
    }

    /// Has the templates of a report sent again, in the sessions that there are.
    pub fn repeat_templates(&self, main: &mut Main, id: ReportId) {
        let mut state = self.shared.state.borrow_mut();
        // Who has gone has nothing to repeat.
        state.with(main, self.id, &self.shared.options, |exporter, time, out| {
            exporter.rewrite(id, time, out).ok()
        });
        self.shared.signal.send(Event::Run);
    }

    /// Has what is pending sent as soon as the engine comes to it, which may be in five seconds otherwise.
    pub fn hurry(&self) {
        self.shared.bell.ring();
    }

    /// Has everything that is pending in any report sent now, as far as the host's sockets take it. What leaves by the graph wants
    /// rounds of the engine: see [`Self::flush`].
    pub fn drain(&self, main: &mut Main) {
        self.begin();
        for _ in 0..MAX_PASSES {
            if self.run(main) != Pass::More || self.is_waiting() {
                return;
            }
        }
    }

    /// Takes a report away once it has said everything that it has to say: by the next pass, if that is not much.
    pub fn retire_report(&self, id: ReportId) {
        if let Some(slot) = self.shared.state.borrow_mut().slot_mut(self.id) {
            slot.retiring.push(id);
        }
        self.shared.signal.send(Event::Run);
    }

    /// Gives a stream another domain and source port, which begins a new session for all of its reports. What is pending leaves
    /// under the old name. `Ok(false)`: there is no stream of the old name.
    ///
    /// # Errors
    /// When another stream has the new domain or the new port.
    pub fn rename_stream(
        &self,
        main: &mut Main,
        old: StreamKey,
        new: StreamKey,
    ) -> Result<bool, StreamConflict> {
        let mut state = self.shared.state.borrow_mut();
        let options = &self.shared.options;
        let renamed = state.with(main, self.id, options, |exporter, export_time, out| {
            exporter.rename_stream(old, new, export_time, out)
        });
        self.shared.signal.send(Event::Run);
        renamed.unwrap_or(Ok(false))
    }

    /// The templates that users made.
    #[must_use]
    pub fn named_templates(&self) -> &NamedTemplates {
        &self.shared.named
    }

    /// A report of flow records that nodes of any thread make, and the way of the records there.
    #[must_use]
    pub fn flow_queues(&self, templates: FlowTemplates) -> FlowQueues {
        let state = self.shared.state.borrow();
        let enabled = state.slot(self.id).map(|slot| slot.enabled.clone()).unwrap_or_default();
        let Shared { bell, clock, latency, .. } = &*self.shared;
        FlowQueues::new(templates, bell.clone(), enabled, clock.clone(), latency.clone())
    }

    /// Sends all that is pending in any report of any exporter. Returns when it has left: packets have gone through the graph,
    /// messages of sockets are the host's, and those over TCP have been acknowledged.
    ///
    /// # Errors
    /// When something could not be sent, or was refused, since the flush before or the collector's beginning.
    pub async fn flush(&self) -> Result<(), Incomplete> {
        let (reply, answer) = reply();
        self.shared.signal.send(Event::Flush(reply));
        // An engine that ends meanwhile has nothing to send.
        answer.await.unwrap_or(Ok(()))
    }

    /// Has what is pending in any report sent, without waiting for it.
    pub(super) fn run_soon(&self) {
        self.shared.signal.send(Event::Run);
    }

    /// Whether there is a collector.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        let state = self.shared.state.borrow();
        state.slot(self.id).is_some_and(|slot| slot.exporter.is_enabled())
    }

    /// Looks at the exporter.
    ///
    /// # Panics
    /// When the exporter was deleted.
    pub fn with_exporter<T>(&self, look: impl FnOnce(&Exporter) -> T) -> T {
        let state = self.shared.state.borrow();
        look(state.slot(self.id).map(|slot| &slot.exporter).expect("an exporter in use stays"))
    }

    /// What all exporters have sent and not sent.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.shared.state.borrow().counters()
    }

    /// What happened at sockets of the host.
    #[must_use]
    pub fn kernel_counters(&self) -> KernelCounters {
        self.shared.state.borrow().kernel.counters
    }

    /// What was sent and what was not, since the start or since [`Self::clear_statistics`].
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let mut state = self.shared.state.borrow_mut();
        let ids: Vec<_> = state.slots.iter().flat_map(Slot::reliable_ids).collect();
        let lost = state.reliable.lost();
        let (sent, kernel, lost_before) = state.cleared;
        Statistics {
            sent: state.counters() - sent,
            kernel: state.kernel.counters - kernel,
            waiting: state.kernel.waiting(),
            undelivered: ids.into_iter().map(|id| state.reliable.undelivered(id)).sum(),
            lost: (lost.0 - lost_before.0, lost.1 - lost_before.1),
            latency: self.shared.latency.get(),
            last_error: state.slots.iter().find_map(|slot| slot.failure.clone()),
        }
    }

    /// Begins [`Self::statistics`] anew. What else is counted goes on.
    pub fn clear_statistics(&self) {
        let mut state = self.shared.state.borrow_mut();
        self.shared.latency.take();
        state.cleared = (state.counters(), state.kernel.counters, state.reliable.lost());
    }

    pub(super) fn bell(&self) -> Bell {
        self.shared.bell.clone()
    }

    /// When the next pass is due by itself.
    pub(super) fn next_due(&self) -> Option<EngineTime> {
        self.shared.state.borrow().next_due()
    }

    /// Whether messages wait for a socket of the host.
    pub(super) fn is_waiting(&self) -> bool {
        self.shared.state.borrow().kernel.waiting() > 0
    }

    /// Whether a report has more to say than its last data callback said, and may say it.
    pub(super) fn has_more(&self) -> bool {
        self.shared.state.borrow().slots.iter().any(|slot| slot.exporter.has_more())
    }

    /// Whether a report has more to say, and a rate does not let it.
    pub(super) fn is_held_back(&self) -> bool {
        self.shared.state.borrow().slots.iter().any(|slot| slot.exporter.is_held_back())
    }

    /// Waits for reliable transports, on another thread.
    pub(super) fn waiter(&self) -> Option<impl FnOnce(std::time::Duration) + Send + use<>> {
        self.shared.state.borrow().reliable.waiter()
    }

    /// What is left to send.
    pub(super) fn left(&self) -> Result<(), Incomplete> {
        self.shared.state.borrow_mut().left()
    }

    /// Tries again what waits.
    pub(super) fn retry(&self) {
        self.shared.state.borrow_mut().kernel.retry();
    }

    /// Has reports begin anew with the next pass.
    pub(super) fn begin(&self) {
        self.shared.state.borrow_mut().slots.iter_mut().for_each(|slot| slot.exporter.begin());
    }

    /// One pass.
    pub(super) fn run(&self, main: &mut Main) -> Pass {
        self.shared.named.look(main.interfaces());
        self.shared.state.borrow_mut().run(main, &self.shared.options)
    }
}
