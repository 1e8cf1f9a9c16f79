//! The way to an engine's exporter.

use std::{
    cell::RefCell,
    net::SocketAddr,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{
    FlowQueues, Incomplete, KernelCounters, graph,
    kernel::Kernel,
    process::{self, Event},
};
use crate::{
    fib::{Family, TableId},
    ipfix::{
        export::{
            AddReportError, ConfigError, Counters, DISABLED_LINE, Exporter, ExporterRequest,
            Report, ReportId, ReportKey, SendError, Session, StreamConflict, StreamKey, Transport,
            Via,
        },
        fields::{self, NamedTemplates},
        profile::FlowTemplates,
    },
    plugin::Registrar,
    process::{Bell, Events, Signal, events, reply},
    runtime::{EngineTime, Main},
};

/// The exporter of an engine. Clones are the same one; it belongs to the main thread.
///
/// None of its functions may be called from the callbacks of a report.
#[derive(Clone)]
pub struct Ipfix(Rc<Shared>);

struct Shared {
    state: RefCell<State>,
    signal: Signal<Event>,
    events: RefCell<Option<Events<Event>>>,
    bell: Bell,
    enabled: Arc<AtomicBool>,
    named: NamedTemplates,
}

#[derive(Default)]
struct State {
    exporter: Exporter,
    kernel: Kernel,
    /// Reports that go as soon as they have said everything.
    retiring: Vec<ReportId>,
    /// Why a message failed.
    failure: Option<String>,
    /// What was counted when statistics were cleared.
    cleared: (Counters, KernelCounters),
    /// What the flush before has answered for.
    told: Troubles,
}

/// Messages that did not reach the collector, as counted since the engine's start.
#[derive(Clone, Copy, Debug, Default)]
struct Troubles {
    failed: u64,
    refused: u64,
}

/// What `show ipfix statistics` tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statistics {
    /// By all streams.
    pub sent: Counters,
    /// At sockets of the host.
    pub kernel: KernelCounters,
    /// Messages that wait for a socket.
    pub waiting: usize,
    /// Why the last message failed that did in this session.
    pub last_error: Option<String>,
}

/// What a pass left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pass {
    /// Nothing.
    Done,
    /// A report has more to say.
    More,
    /// Messages could not be sent, this many.
    Failed(u64),
}

impl Ipfix {
    pub(crate) fn new() -> Self {
        let (signal, events) = events();
        Self(Rc::new(Shared {
            state: RefCell::default(),
            signal,
            events: RefCell::new(Some(events)),
            bell: Bell::new(),
            enabled: Arc::default(),
            named: NamedTemplates::default(),
        }))
    }

    /// Adds the process and the commands to an engine.
    pub(crate) fn register(&self, r: &mut Registrar) {
        let ipfix = self.clone();
        if let Some(events) = self.0.events.take() {
            r.process("flow-report-process", |cx| process::run(cx, ipfix, events));
        }
        super::commands::register(r, self);
        super::show::register(r, self);
        fields::register(r, &self.0.named);
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
        let family = if request.collector.is_ipv6() { Family::Ip6 } else { Family::Ip4 };
        let fib_index = |id| main.forwarding().table(family, TableId(id)).ok().map(|fib| fib.0);
        let config = request.check(fib_index)?;
        // What is ready leaves in the session that it was recorded for.
        self.run(main);
        let mut state = self.0.state.borrow_mut();
        let State { exporter, kernel, failure, .. } = &mut *state;
        let same_session = match (exporter.config(), &config) {
            (Some(old), Some(new)) => old.same_session(new),
            (old, new) => old.is_none() && new.is_none(),
        };
        if !same_session {
            *failure = None;
        }
        let export_time = export_time(main);
        exporter.configure(config, export_time, &mut Transports { main, kernel, failure });
        if !same_session {
            kernel.close();
            state.told = state.troubles();
        }
        self.0.enabled.store(config.is_some(), Ordering::Relaxed);
        drop(state);
        self.0.signal.send(Event::Run);
        Ok(config.map_or_else(|| DISABLED_LINE.to_owned(), |config| config.to_string()))
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
        let added = self.0.state.borrow_mut().exporter.add_report(key, stream, report)?;
        self.0.signal.send(Event::Run);
        Ok(added)
    }

    /// Takes a report away once it has said everything that it has to say: by the next pass, if that is not much.
    pub fn retire_report(&self, id: ReportId) {
        self.0.state.borrow_mut().retiring.push(id);
        self.0.signal.send(Event::Run);
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
        let mut state = self.0.state.borrow_mut();
        let State { exporter, kernel, failure, .. } = &mut *state;
        let export_time = export_time(main);
        let mut out = Transports { main, kernel, failure };
        let renamed = exporter.rename_stream(old, new, export_time, &mut out)?;
        self.0.signal.send(Event::Run);
        Ok(renamed)
    }

    /// The templates that users made.
    #[must_use]
    pub fn named_templates(&self) -> &NamedTemplates {
        &self.0.named
    }

    /// A report of flow records that nodes of any thread make, and the way of the records there.
    #[must_use]
    pub fn flow_queues(&self, templates: FlowTemplates) -> FlowQueues {
        FlowQueues::new(templates, self.0.bell.clone(), self.0.enabled.clone())
    }

    /// Sends all that is pending in any report. Returns when it has left: packets have gone through the graph, messages of
    /// sockets are the host's.
    ///
    /// # Errors
    /// When something could not be sent, or was refused, since the flush before or the collector's beginning.
    pub async fn flush(&self) -> Result<(), Incomplete> {
        let (reply, answer) = reply();
        self.0.signal.send(Event::Flush(reply));
        // An engine that ends meanwhile has nothing to send.
        answer.await.unwrap_or(Ok(()))
    }

    /// Whether there is a collector.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.0.enabled.load(Ordering::Relaxed)
    }

    /// Looks at the exporter.
    pub fn with_exporter<T>(&self, look: impl FnOnce(&Exporter) -> T) -> T {
        look(&self.0.state.borrow().exporter)
    }

    /// What the exporter has sent and not sent.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.with_exporter(Exporter::counters)
    }

    /// What happened at sockets of the host.
    #[must_use]
    pub fn kernel_counters(&self) -> KernelCounters {
        self.0.state.borrow().kernel.counters
    }

    /// What was sent and what was not, since the start or since [`Self::clear_statistics`].
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let state = self.0.state.borrow();
        let (sent, kernel) = state.cleared;
        Statistics {
            sent: state.exporter.counters() - sent,
            kernel: state.kernel.counters - kernel,
            waiting: state.kernel.waiting(),
            last_error: state.failure.clone(),
        }
    }

    /// Begins [`Self::statistics`] anew. What else is counted goes on.
    pub fn clear_statistics(&self) {
        let mut state = self.0.state.borrow_mut();
        state.cleared = (state.exporter.counters(), state.kernel.counters);
    }

    pub(super) fn bell(&self) -> Bell {
        self.0.bell.clone()
    }

    /// When the next pass is due by itself.
    pub(super) fn next_due(&self) -> Option<EngineTime> {
        self.0.state.borrow().exporter.next_due()
    }

    /// Whether messages wait for a socket of the host.
    pub(super) fn is_waiting(&self) -> bool {
        self.0.state.borrow().kernel.waiting() > 0
    }

    /// Whether a report has more to say than its last data callback said.
    pub(super) fn has_more(&self) -> bool {
        self.0.state.borrow().exporter.has_more()
    }

    /// What is left to send, and what did not reach the collector since the flush before: no matter which pass sent it, so
    /// that a pass which happens to run just before a flush hides nothing.
    pub(super) fn left(&self) -> Result<(), Incomplete> {
        let mut state = self.0.state.borrow_mut();
        state.kernel.hear_refusals();
        let now = state.troubles();
        let before = std::mem::replace(&mut state.told, now);
        let Some(config) = state.exporter.config() else { return Ok(()) };
        let collector = SocketAddr::new(config.endpoints().collector(), config.port());
        let waiting = state.exporter.reports().filter(|report| report.template_sent.is_none());
        let left = Incomplete {
            collector: Some(collector),
            failed: now.failed - before.failed,
            refused: now.refused - before.refused,
            unsent: state.kernel.waiting(),
            waiting: waiting.count(),
            why: None,
        };
        let why = state.failure.clone().filter(|_| left.failed > 0 || left.waiting > 0);
        Incomplete { why, ..left }.or_done()
    }

    /// Tries again what waits.
    pub(super) fn retry(&self) {
        self.0.state.borrow_mut().kernel.retry();
    }

    /// Has reports begin anew with the next pass.
    pub(super) fn begin(&self) {
        self.0.state.borrow_mut().exporter.begin();
    }

    /// One pass.
    pub(super) fn run(&self, main: &mut Main) -> Pass {
        let mut state = self.0.state.borrow_mut();
        let State { exporter, kernel, retiring, failure, .. } = &mut *state;
        kernel.retry();
        let (now, export_time) = (main.clock().now(), export_time(main));
        let errors = exporter.counters().send_errors;
        let mut out = Transports { main, kernel, failure };
        exporter.run(now, export_time, &mut out);
        retiring.retain(|&id| {
            let more = exporter.report_has_more(id);
            if !more {
                // It is gone when somebody took it away before; either way it is not there any more.
                drop(exporter.remove_report(id, export_time, &mut out));
            }
            more
        });
        match exporter.counters().send_errors - errors {
            0 if exporter.has_more() => Pass::More,
            0 => Pass::Done,
            failed => Pass::Failed(failed),
        }
    }
}

impl State {
    fn troubles(&self) -> Troubles {
        let failed = self.exporter.counters().send_errors;
        Troubles { failed, refused: self.kernel.counters.refused }
    }
}

/// Both ways out; the configuration of the session says which.
struct Transports<'a> {
    main: &'a mut Main,
    kernel: &'a mut Kernel,
    failure: &'a mut Option<String>,
}

impl Transport for Transports<'_> {
    fn send(&mut self, session: &Session, message: &[u8]) -> Result<(), SendError> {
        let sent = match session.exporter.via() {
            Via::Graph => graph::send(self.main, session, message),
            Via::Kernel => self.kernel.send(session, message),
        };
        sent.inspect_err(|error| *self.failure = Some(error.to_string()))
    }
}

/// Seconds since 1970, as headers have them: they wrap in 2106.
fn export_time(main: &Main) -> u32 {
    (main.clock().wall().0 / 1_000_000_000) as u32
}
