//! An exporter: its destinations, the streams to them, and the reports on those.

use super::{
    config::ExporterConfig,
    destination::{Destination, Policy, Setup},
    entry::{Entry, Told},
    lane::{Lane, Ways},
    output::Output,
    rate::Bucket,
    report::Report,
    stream::{Counters, Stream, StreamKey},
    table::{StreamConflict, StreamIndex, StreamTable},
    time::ExportTime,
    transport::Transport,
};
use crate::{
    ipfix::{
        message::PackError,
        template::{Template, TemplateError, TemplateId},
    },
    runtime::EngineTime,
};

/// Names a report of an exporter; never given out twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReportId(u32);

/// What makes two reports the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReportKey {
    /// Who reports, for instance `flowprobe-ip4`.
    pub name: &'static str,
    /// Which of the reporter's reports.
    pub opaque: u64,
}

/// Why a report was not added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddReportError {
    /// See [`StreamConflict`].
    #[error(transparent)]
    Conflict(#[from] StreamConflict),
    /// The same report is there already.
    #[error("report exists already")]
    Exists(ReportId),
    /// All template identifiers of the stream are in use.
    #[error("no template identifier of the stream is free")]
    NoTemplateId,
    /// The exporter was deleted.
    #[error("no such exporter")]
    NoSuchExporter,
}

/// The exporter has no report of this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such report")]
pub struct NoSuchReport;

/// Why the templates of a report are not rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RewriteError {
    /// See [`NoSuchReport`].
    #[error("no such report")]
    NoSuchReport,
    /// All template identifiers of the stream are in use.
    #[error("no template identifier of the stream is free")]
    NoTemplateId,
}

/// Why a report cannot add records now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutputUnavailable {
    /// See [`NoSuchReport`].
    #[error("no such report")]
    NoSuchReport,
    /// The exporter has no collector.
    #[error("the exporter is disabled: give it a collector")]
    Disabled,
    /// The collector does not have the templates of this report yet.
    #[error("the templates of the report have not been sent yet")]
    TemplateNotSent,
}

/// Why the templates of a report cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateDefect {
    /// The template-rewrite callback answered something that is no template.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// It does not fit into a message.
    #[error(transparent)]
    Pack(#[from] PackError),
}

/// What `show` commands tell about a report.
#[derive(Clone, Debug)]
pub struct ReportState<'a> {
    /// Its number.
    pub id: ReportId,
    /// Its name.
    pub key: ReportKey,
    /// Its stream.
    pub stream: StreamKey,
    /// Identifiers of its templates.
    pub template_ids: &'a [TemplateId],
    /// Its templates, once they were written in this session.
    pub templates: &'a [Template],
    /// When its templates were sent last in this session.
    pub template_sent: Option<EngineTime>,
    /// Why its templates cannot be sent.
    pub defect: Option<TemplateDefect>,
}

/// An exporter. Without destinations it sends nothing, and keeps its reports.
#[derive(Default)]
pub struct Exporter {
    pub(super) lanes: Vec<Lane>,
    pub(super) policy: Policy,
    pub(super) bucket: Bucket,
    pub(super) streams: StreamTable,
    pub(super) entries: Vec<Entry>,
    next_report: u32,
    pub(super) last_pass: Option<EngineTime>,
    /// The report that is asked first where a rate bounds what a pass can send.
    pub(super) turn: usize,
    /// Destinations that were added so far.
    begun: u64,
}

impl Exporter {
    /// A disabled exporter without reports.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Where it sends to; nothing when disabled.
    pub fn destinations(&self) -> impl ExactSizeIterator<Item = &Destination> {
        self.lanes.iter().map(|lane| &lane.destination)
    }

    /// Whether it sends anything.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        !self.lanes.is_empty()
    }

    /// The configuration of its first destination over UDP.
    #[must_use]
    pub fn config(&self) -> Option<&ExporterConfig> {
        self.destinations().find_map(|destination| match destination {
            Destination::Udp(config) => Some(config),
            Destination::Reliable(_) => None,
        })
    }

    /// How many destinations have begun: those that were added since it was made.
    #[must_use]
    pub fn sessions(&self) -> u64 {
        self.begun
    }

    /// What all its streams have done since it was made.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.streams.counters()
    }

    /// What was given to the `at`-th destination since it is one.
    #[must_use]
    pub fn destination_counters(&self, at: usize) -> Counters {
        self.streams.lane_counters(at)
    }

    /// Its streams, each with one part a destination.
    pub fn streams(&self) -> impl Iterator<Item = (StreamKey, &[Stream])> {
        self.streams.iter()
    }

    /// Its reports, oldest first.
    pub fn reports(&self) -> impl Iterator<Item = ReportState<'_>> {
        self.entries.iter().filter_map(|entry| {
            Some(ReportState {
                id: entry.id,
                key: entry.key,
                stream: self.streams.key(entry.stream)?,
                template_ids: &entry.ids,
                templates: &entry.templates,
                template_sent: entry.told.iter().filter_map(|told| told.sent).max(),
                defect: entry.told.iter().find_map(|told| told.defect),
            })
        })
    }

    /// Applies a configuration. Open messages leave under the old one first. A destination that makes another session begins
    /// anew: sequence numbers at 0, templates due at once, rewritten if no other destination has them. One whose fib, path
    /// MTU, interval or checksum changes alone goes on.
    pub fn configure(
        &mut self,
        setup: Setup,
        export_time: impl Into<ExportTime>,
        transport: &mut dyn Transport,
    ) {
        let export_time = export_time.into();
        self.flush_streams(export_time, transport);
        let Setup { destinations, policy, rate } = setup;
        let same =
            |new: &Destination| self.lanes.iter().position(|old| old.destination.same_session(new));
        let kept: Vec<Option<usize>> = destinations.iter().map(same).collect();
        let nothing_changes = destinations.is_empty() && self.lanes.is_empty();
        let is_new = !nothing_changes && kept.iter().all(Option::is_none);
        let lane = |(&destination, old): (&Destination, &Option<usize>)| {
            let fresh = Lane::new(destination);
            old.map_or(fresh, |at| Lane { destination, ..self.lanes[at] })
        };
        self.begun += kept.iter().filter(|old| old.is_none()).count() as u64;
        let lanes: Vec<Lane> = destinations.iter().zip(&kept).map(lane).collect();
        self.lanes = lanes;
        self.streams.relane(&kept, destinations.iter().map(Destination::message_limit).collect());
        for entry in &mut self.entries {
            entry.told = kept.iter().map(|old| entry.kept(*old)).collect();
            if is_new {
                entry.templates.clear();
            }
        }
        self.policy = policy;
        if self.bucket.rate() != rate {
            self.bucket = Bucket::new(rate, self.last_pass.unwrap_or_default());
        }
    }

    /// Adds a report to the stream of this name, which is made if need be. The templates are due at once.
    pub fn add_report(
        &mut self,
        key: ReportKey,
        stream: StreamKey,
        report: Box<dyn Report>,
    ) -> Result<ReportId, AddReportError> {
        self.streams.find(stream)?;
        if let Some(same) = self.entries.iter().find(|entry| entry.key == key) {
            return Err(AddReportError::Exists(same.id));
        }
        let index = self.streams.acquire(stream)?;
        let Some(ids) = self.free_ids(index, &*report) else {
            self.streams.release(index);
            return Err(AddReportError::NoTemplateId);
        };
        let id = ReportId(self.next_report);
        self.next_report += 1;
        self.entries.push(Entry {
            id,
            key,
            stream: index,
            ids,
            report,
            templates: Vec::new(),
            told: vec![Told::default(); self.lanes.len()],
        });
        Ok(id)
    }

    /// Takes a report away, after its data callback and the sending of what is open on its stream. Its templates are withdrawn
    /// from reliable transports; never over UDP (RFC 7011 section 8.4), where nothing tells the collector.
    pub fn remove_report(
        &mut self,
        id: ReportId,
        export_time: impl Into<ExportTime>,
        transport: &mut dyn Transport,
    ) -> Result<Box<dyn Report>, NoSuchReport> {
        let export_time = export_time.into();
        let place = self.entries.iter().position(|entry| entry.id == id).ok_or(NoSuchReport)?;
        if self.is_enabled() {
            let (lanes, bucket) = (&mut self.lanes, &mut self.bucket);
            let ways = &mut Ways::new(lanes, self.policy, bucket, export_time, &mut *transport);
            let entry = &mut self.entries[place];
            if let Some(streams) = self.streams.get_mut(entry.stream) {
                entry.data(streams, ways);
                ways.flush(streams);
            }
        }
        self.withdraw(place, transport);
        let entry = self.entries.remove(place);
        self.streams.release(entry.stream);
        Ok(entry.report)
    }

    /// Gives a stream another domain and source port, which begins a new session for it. What is open leaves under
    /// the old name. `Ok(false)`: there is no stream of the old name.
    pub fn rename_stream(
        &mut self,
        old: StreamKey,
        new: StreamKey,
        export_time: impl Into<ExportTime>,
        transport: &mut dyn Transport,
    ) -> Result<bool, StreamConflict> {
        let export_time = export_time.into();
        let Some(index) = self.streams.rename_of(old, new)? else { return Ok(false) };
        if old == new {
            return Ok(true);
        }
        self.flush_streams(export_time, transport);
        for place in 0..self.entries.len() {
            if self.entries[place].stream == index {
                self.withdraw(place, transport);
                self.entries[place].reset();
            }
        }
        self.streams.rename(index, new);
        Ok(true)
    }

    /// Has the template-rewrite callback of a report called again on the next pass. The templates get new identifiers,
    /// since what an identifier means must not change within a session (RFC 7011 section 8); data waits for them.
    pub fn rewrite(
        &mut self,
        id: ReportId,
        export_time: impl Into<ExportTime>,
        transport: &mut dyn Transport,
    ) -> Result<(), RewriteError> {
        let export_time = export_time.into();
        let place =
            self.entries.iter().position(|e| e.id == id).ok_or(RewriteError::NoSuchReport)?;
        self.flush_streams(export_time, transport);
        let Entry { stream, ids, .. } = &self.entries[place];
        let (stream, count) = (*stream, ids.len());
        let has_fixed = self.entries[place].report.template_id(0).is_some();
        let ids = if has_fixed { None } else { Some(self.next_ids(stream, count)) };
        let ids = ids.map(|ids| ids.ok_or(RewriteError::NoTemplateId)).transpose()?;
        self.withdraw(place, transport);
        let entry = &mut self.entries[place];
        if let Some(ids) = ids {
            entry.ids = ids;
        }
        entry.reset();
        Ok(())
    }

    /// Lets a report add records between two passes. What does not fill a message stays open until the next pass, or
    /// until [`Output::flush`].
    pub fn with_output<R>(
        &mut self,
        id: ReportId,
        export_time: impl Into<ExportTime>,
        transport: &mut dyn Transport,
        add: impl FnOnce(&mut Output<'_>) -> R,
    ) -> Result<R, OutputUnavailable> {
        let export_time = export_time.into();
        let entry = self.entries.iter().find(|entry| entry.id == id);
        let entry = entry.ok_or(OutputUnavailable::NoSuchReport)?;
        if self.lanes.is_empty() {
            return Err(OutputUnavailable::Disabled);
        }
        if !entry.is_known() {
            return Err(OutputUnavailable::TemplateNotSent);
        }
        let streams = self.streams.get_mut(entry.stream).ok_or(OutputUnavailable::NoSuchReport)?;
        let (lanes, bucket) = (&mut self.lanes, &mut self.bucket);
        let ways = Ways::new(lanes, self.policy, bucket, export_time, transport);
        let (told, templates) = (&entry.told[..], &entry.templates[..]);
        let framing = entry.report.framing();
        Ok(add(&mut Output { streams, told, templates, framing, ways }))
    }

    /// Tells reliable transports that the templates of a report are gone. What uses them has left before.
    fn withdraw(&self, place: usize, transport: &mut dyn Transport) {
        let entry = &self.entries[place];
        let Some(key) = self.streams.key(entry.stream) else { return };
        for (lane, told) in self.lanes.iter().zip(&entry.told) {
            if let Destination::Reliable(to) = lane.destination
                && told.sent.is_some()
            {
                // Those of reports with the same fixed identifiers stay.
                let is_used = |id: TemplateId| {
                    let others = self.entries.iter().enumerate();
                    let mut others =
                        others.filter(|(at, other)| *at != place && other.stream == entry.stream);
                    others.any(|(_, other)| other.ids.contains(&id))
                };
                let gone = entry.templates.iter().filter(|template| !is_used(template.id()));
                gone.for_each(|t| transport.withdraw(to, key.domain, t));
            }
        }
    }

    /// The identifiers of a new report: those that it says itself, or the next ones.
    fn free_ids(&mut self, stream: StreamIndex, report: &dyn Report) -> Option<Box<[TemplateId]>> {
        let count = report.template_count();
        let fixed: Option<Box<[TemplateId]>> =
            (0..count).map(|at| report.template_id(at)).collect();
        let Some(fixed) = fixed.filter(|ids| !ids.is_empty()) else {
            return self.next_ids(stream, count);
        };
        let mut others = self.entries.iter().filter(|entry| entry.stream == stream);
        let agrees =
            |entry: &Entry| entry.ids == fixed || entry.ids.iter().all(|id| !fixed.contains(id));
        others.all(agrees).then_some(fixed)
    }

    fn next_ids(&mut self, stream: StreamIndex, count: usize) -> Option<Box<[TemplateId]>> {
        let entries = &self.entries;
        let in_use = |id| entries.iter().any(|e| e.stream == stream && e.ids.contains(&id));
        self.streams.allocate(stream, count, in_use)
    }
}
