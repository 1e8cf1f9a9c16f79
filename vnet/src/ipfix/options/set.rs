//! All subjects: for which exporters they are enabled, and when each tells.

use core::time::Duration;
use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use super::{
    exporting::{NotSent, NotSentSources},
    lost::Lost,
    metering::{Ignored, IgnoredSources},
    report::{Channel, OptionsReport},
    subject::{About, Record, Records, Refresh, Subject, View},
    types::{ElementType, ElementTypes},
};
use crate::{
    command::{ApiError, OperationError},
    ipfix::{
        engine::{ExporterId, Ipfix},
        export::{AddReportError, Exporter, ExporterConfig, ReportId, ReportKey},
    },
    runtime::{EngineTime, Main},
};

/// Subjects are asked for changes no more often than this, unless there are other templates.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// How often records are repeated that go with templates, where templates are sent once.
const TEMPLATE_INTERVAL: Duration = Duration::from_secs(600);

/// Why an operation is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    /// It is not enabled.
    #[error("options of {0} are not enabled")]
    NotEnabled(&'static str),
    /// There is no exporter of this name.
    #[error("no such exporter: {0}")]
    NoSuchExporter(String),
    /// The exporter takes no report.
    #[error(transparent)]
    Report(#[from] AddReportError),
}

impl OperationError for OptionsError {
    fn api_error(&self) -> ApiError {
        match self {
            Self::NotEnabled(_) | Self::NoSuchExporter(_) => ApiError::NoSuchEntry,
            Self::Report(_) => ApiError::Unspecified,
        }
    }
}

/// The subjects of an engine's exporters. Clones are the same ones; they belong to the main thread.
#[derive(Clone, Default)]
pub struct Options(Rc<Inner>);

#[derive(Default)]
struct Inner {
    subjects: RefCell<Vec<Place>>,
    generation: Cell<u64>,
    /// Templates of all reports of each exporter when they were looked at last.
    templates: RefCell<BTreeMap<ExporterId, u64>>,
    ignored: IgnoredSources,
    not_sent: NotSentSources,
    lost: Lost,
    types: ElementTypes,
}

struct Place {
    about: About,
    subject: Box<dyn Subject>,
    enabled: Vec<Enabled>,
}

/// Of an exporter that tells of a subject.
struct Enabled {
    exporter: ExporterId,
    report: ReportId,
    channel: Rc<Channel>,
    refresh: Refresh,
    /// When all records were told last.
    told: Option<EngineTime>,
    /// When the subject was asked last.
    looked: EngineTime,
    /// What the collector knows.
    known: BTreeSet<Record>,
}

/// What `show ipfix options` tells of a subject.
pub(super) struct State {
    pub(super) word: &'static str,
    pub(super) exporter: ExporterId,
    /// How often it tells all; `None` when it is not enabled.
    pub(super) refresh: Option<Refresh>,
    /// Records that were told since it was enabled.
    pub(super) records: u64,
    /// When it told all last.
    pub(super) told: Option<EngineTime>,
}

impl Options {
    /// Counts as ignored what `source` says, for as long as it does: packets that came and were not metered. A source that says
    /// less than before has begun anew.
    pub fn count_ignored(&self, source: impl Fn(&mut Main) -> Ignored + 'static) {
        self.0.ignored.add(source);
    }

    /// Counts as not sent what `source` says: flow records that were made for an exporter, and lost before it had them.
    pub fn count_not_sent(&self, source: impl Fn(ExporterId) -> NotSent + 'static) {
        self.0.not_sent.add(source);
    }

    /// Says what an enterprise element is, for collectors to be told where it is in use.
    pub fn describe(&self, element: ElementType) {
        self.0.types.add(element);
    }

    /// Adds a subject, which is not enabled.
    pub(super) fn place(&self, subject: Box<dyn Subject>) {
        let about = subject.about();
        self.0.subjects.borrow_mut().push(Place { about, subject, enabled: Vec::new() });
    }

    pub(super) fn ignored(&self) -> IgnoredSources {
        self.0.ignored.clone()
    }

    pub(super) fn not_sent(&self) -> NotSentSources {
        self.0.not_sent.clone()
    }

    pub(super) fn lost(&self) -> Lost {
        self.0.lost.clone()
    }

    pub(super) fn types(&self) -> ElementTypes {
        self.0.types.clone()
    }

    /// Has an exporter tell of the subject called `word` from now on; enabled again, it tells as often as is said now.
    pub(super) fn enable(
        &self,
        ipfix: &Ipfix,
        word: &'static str,
        every: Option<Duration>,
    ) -> Result<(), OptionsError> {
        let mut subjects = self.0.subjects.borrow_mut();
        let place = subjects.iter_mut().find(|place| place.about.word == word);
        let place = place.ok_or(OptionsError::NotEnabled(word))?;
        let refresh = every.map_or_else(|| place.subject.refresh(), Refresh::Every);
        let exporter = ipfix.id();
        if let Some(enabled) = place.enabled_of(exporter) {
            enabled.refresh = refresh;
            return Ok(());
        }
        let channel = Rc::<Channel>::default();
        let report = OptionsReport {
            templates: place.subject.templates(),
            stamp: place.subject.stamp(),
            channel: channel.clone(),
        };
        let generation = self.0.generation.get();
        let key = ReportKey { name: place.about.report, opaque: generation };
        let report = ipfix.add_report(key, ipfix.stream(), Box::new(report))?;
        self.0.generation.set(generation + 1);
        let (told, looked, known) = (None, EngineTime::default(), BTreeSet::new());
        place.enabled.push(Enabled { exporter, report, channel, refresh, told, looked, known });
        Ok(())
    }

    /// Has it tell of it no more.
    pub(super) fn disable(&self, ipfix: &Ipfix, word: &'static str) -> Result<(), OptionsError> {
        let mut subjects = self.0.subjects.borrow_mut();
        let place = subjects.iter_mut().find(|place| place.about.word == word);
        let is_here = |enabled: &mut Enabled| enabled.exporter == ipfix.id();
        let here = place.and_then(|place| place.enabled.extract_if(.., is_here).next());
        ipfix.retire_report(here.ok_or(OptionsError::NotEnabled(word))?.report);
        Ok(())
    }

    /// Has exporters tell all of every subject with their next pass.
    pub(crate) fn repeat(&self, of: impl Fn(ExporterId) -> bool) {
        let mut subjects = self.0.subjects.borrow_mut();
        let all = subjects.iter_mut().flat_map(|place| &mut place.enabled);
        all.filter(|enabled| of(enabled.exporter)).for_each(|enabled| enabled.told = None);
    }

    /// What there is, in the order in which it was added: for exporter 0, and for others that tell of it.
    pub(super) fn states(&self) -> Vec<State> {
        let subjects = self.0.subjects.borrow();
        subjects.iter().flat_map(Place::states).collect()
    }

    /// A pass is over: what there is to tell is told by the next one, which follows at once.
    pub(crate) fn look(&self, main: &mut Main, id: ExporterId, exporter: &Exporter) {
        self.0.lost.settle(id, exporter);
        let templates = fingerprint(exporter);
        let are_new = self.0.templates.borrow_mut().insert(id, templates) != Some(templates);
        for place in self.0.subjects.borrow_mut().iter_mut() {
            place.look(main, id, exporter, are_new);
        }
    }

    /// A message could not be sent.
    pub(crate) fn not_sent_message(&self, id: ExporterId, message: &[u8]) {
        self.0.lost.keep(id, message);
    }

    /// An exporter is gone.
    pub(crate) fn forget(&self, id: ExporterId) {
        self.0.lost.forget(id);
        self.0.templates.borrow_mut().remove(&id);
    }
}

/// Differs when there are other templates.
fn fingerprint(exporter: &Exporter) -> u64 {
    let written = exporter.reports().filter(|report| !report.templates.is_empty());
    let ids = written.flat_map(|report| report.template_ids);
    ids.fold(0, |sum, id| sum.wrapping_mul(31).wrapping_add(u64::from(id.get())))
}

impl Enabled {
    fn state(&self, word: &'static str) -> State {
        let Self { exporter, refresh, told, .. } = *self;
        let records = self.channel.told.get();
        State { word, exporter, refresh: Some(refresh), records, told }
    }
}

impl Place {
    fn enabled_of(&mut self, exporter: ExporterId) -> Option<&mut Enabled> {
        self.enabled.iter_mut().find(|enabled| enabled.exporter == exporter)
    }

    fn states(&self) -> Vec<State> {
        let word = self.about.word;
        let mut states: Vec<State> =
            self.enabled.iter().map(|enabled| enabled.state(word)).collect();
        states.sort_by_key(|state| state.exporter);
        let exporter = ExporterId::DEFAULT;
        if states.first().is_none_or(|state| state.exporter != exporter) {
            states.insert(0, State { word, exporter, refresh: None, records: 0, told: None });
        }
        states
    }

    fn look(
        &mut self,
        main: &mut Main,
        id: ExporterId,
        exporter: &Exporter,
        has_new_templates: bool,
    ) {
        let now = main.clock().now();
        let Self { subject, enabled, .. } = self;
        let here = enabled.iter_mut().find(|enabled| enabled.exporter == id);
        let Some(enabled) = here.filter(|_| exporter.is_enabled()) else { return };
        let report = exporter.reports().find(|report| report.id == enabled.report);
        let Some(report) = report.filter(|report| report.template_sent.is_some()) else { return };
        let interval = match enabled.refresh {
            Refresh::Every(interval) => interval,
            Refresh::WithTemplates => {
                exporter.config().map_or(TEMPLATE_INTERVAL, ExporterConfig::template_interval)
            }
        };
        let is_due = enabled.channel.fresh.take()
            || enabled.told.is_none_or(|told| now.since(told) >= interval);
        let looks = has_new_templates || now.since(enabled.looked) >= LOOK_INTERVAL;
        if !is_due && !looks {
            return;
        }
        let mut records = Records::default();
        let mut view = View { main, exporter, id, stream: report.stream };
        subject.tell(&mut view, &mut records);
        enabled.looked = now;
        let mut pending = enabled.channel.pending.borrow_mut();
        if is_due {
            enabled.told = Some(now);
            pending.clear();
            pending.extend(records.0.iter().cloned());
        } else {
            let is_new = |record: &&Record| {
                subject.tells_changes(record.template) && !enabled.known.contains(*record)
            };
            pending.extend(records.0.iter().filter(is_new).cloned());
        }
        enabled.known = records.0.into_iter().collect();
    }
}
