//! One exporter: a collector, the streams to it, and the reports on them.

use core::time::Duration;

use super::{
    config::ExporterConfig,
    report::{Output, Report, TemplateFields},
    stream::{Counters, Outlet, SendMessage, Stream, StreamKey},
    table::{StreamConflict, StreamIndex, StreamTable},
    transport::{SendError, Session, Transport},
};
use crate::{
    ipfix::{
        message::PackError,
        template::{Template, TemplateError, TemplateId},
    },
    runtime::EngineTime,
};

/// The data callbacks are called at least this often.
pub const FLUSH_INTERVAL: Duration = Duration::from_secs(5);
/// Wait before a template is tried again that the transport refused.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

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

/// An exporter. Without configuration it sends nothing, and keeps its reports.
#[derive(Default)]
pub struct Exporter {
    config: Option<ExporterConfig>,
    streams: StreamTable,
    entries: Vec<Entry>,
    next_report: u32,
    last_pass: Option<EngineTime>,
}

struct Entry {
    id: ReportId,
    key: ReportKey,
    stream: StreamIndex,
    ids: Box<[TemplateId]>,
    report: Box<dyn Report>,
    /// Empty: the template-rewrite callback is due.
    templates: Vec<Template>,
    /// Last sending of the templates in this session.
    sent: Option<EngineTime>,
    /// No sending before this, after a failure.
    retry: EngineTime,
    defect: Option<TemplateDefect>,
}

impl Exporter {
    /// A disabled exporter without reports.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Its configuration; `None` when disabled.
    #[must_use]
    pub fn config(&self) -> Option<&ExporterConfig> {
        self.config.as_ref()
    }

    /// What all its streams have done since it was made.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.streams.counters()
    }

    /// Its streams.
    pub fn streams(&self) -> impl Iterator<Item = &Stream> {
        self.streams.indexed().map(|(_, stream)| stream)
    }

    /// Its reports, oldest first.
    pub fn reports(&self) -> impl Iterator<Item = ReportState<'_>> {
        self.entries.iter().filter_map(|entry| {
            Some(ReportState {
                id: entry.id,
                key: entry.key,
                stream: self.streams.get(entry.stream)?.key(),
                template_ids: &entry.ids,
                templates: &entry.templates,
                template_sent: entry.sent,
                defect: entry.defect,
            })
        })
    }

    /// Applies a configuration. Open messages leave under the old one first. Another collector, source, port or
    /// transport makes new sessions: sequence numbers begin at 0 and templates are rewritten and due at once; fib, path
    /// MTU, interval and checksum alone do not.
    pub fn configure(
        &mut self,
        config: Option<ExporterConfig>,
        export_time: u32,
        transport: &mut dyn Transport,
    ) {
        let same_session = match (&self.config, &config) {
            (Some(old), Some(new)) => old.same_session(new),
            (None, None) => true,
            _ => false,
        };
        self.flush_streams(export_time, transport);
        self.config = config;
        if !same_session {
            self.streams.forget();
        }
        let limit = self.message_limit();
        for (_, stream) in self.streams.indexed_mut() {
            stream.reconfigure(stream.key(), limit);
            if !same_session {
                stream.reset();
            }
        }
        for entry in &mut self.entries {
            entry.retry = EngineTime::default();
            if !same_session {
                entry.reset();
            }
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
        let index = self.streams.acquire(stream, self.message_limit())?;
        let Some(ids) = self.free_ids(index, report.template_count()) else {
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
            sent: None,
            retry: EngineTime::default(),
            defect: None,
        });
        Ok(id)
    }

    /// Takes a report away, after its data callback and the sending of what is open on its stream. Nothing tells the
    /// collector: templates are never withdrawn over UDP (RFC 7011 section 8.4).
    pub fn remove_report(
        &mut self,
        id: ReportId,
        export_time: u32,
        transport: &mut dyn Transport,
    ) -> Result<Box<dyn Report>, NoSuchReport> {
        let place = self.entries.iter().position(|entry| entry.id == id).ok_or(NoSuchReport)?;
        if let Some(config) = self.config {
            let send = &mut sender(config, transport);
            let entry = &mut self.entries[place];
            if let Some(stream) = self.streams.get_mut(entry.stream) {
                entry.data(stream, export_time, send);
                stream.flush(&mut Outlet { export_time, send, failure: None });
            }
        }
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
        export_time: u32,
        transport: &mut dyn Transport,
    ) -> Result<bool, StreamConflict> {
        let Some((index, _)) = self.streams.indexed().find(|(_, stream)| stream.key() == old)
        else {
            return Ok(false);
        };
        if old == new {
            return Ok(true);
        }
        let others = self.streams.indexed().filter(|(other, _)| *other != index);
        for (_, other) in others {
            let present = other.key();
            if present.domain == new.domain || present.source_port == new.source_port {
                return Err(StreamConflict { asked: new, present });
            }
        }
        self.flush_streams(export_time, transport);
        let limit = self.message_limit();
        if let Some(stream) = self.streams.get_mut(index) {
            stream.reconfigure(new, limit);
            stream.reset();
        }
        self.entries.iter_mut().filter(|entry| entry.stream == index).for_each(Entry::reset);
        Ok(true)
    }

    /// Has the template-rewrite callback of a report called again on the next pass. The templates get new identifiers,
    /// since what an identifier means must not change within a session (RFC 7011 section 8); data waits for them.
    pub fn rewrite(
        &mut self,
        id: ReportId,
        export_time: u32,
        transport: &mut dyn Transport,
    ) -> Result<(), RewriteError> {
        let place =
            self.entries.iter().position(|e| e.id == id).ok_or(RewriteError::NoSuchReport)?;
        self.flush_streams(export_time, transport);
        let (index, count) = (self.entries[place].stream, self.entries[place].ids.len());
        let ids = self.free_ids(index, count).ok_or(RewriteError::NoTemplateId)?;
        let entry = &mut self.entries[place];
        entry.ids = ids;
        entry.reset();
        Ok(())
    }

    /// When [`Self::run`] should be called next: the first template deadline, or the flush. A time in the past means
    /// now; `None` that there is nothing to do before the next configuration.
    #[must_use]
    pub fn next_due(&self) -> Option<EngineTime> {
        let interval = self.config.as_ref()?.template_interval();
        let template = self.entries.iter().map(|entry| entry.deadline(interval)).min()?;
        let flush = self.last_pass.map_or(template, |last| last.after(FLUSH_INTERVAL));
        Some(template.min(flush))
    }

    /// Has every report know that the next pass is not the continuation of one.
    pub fn begin(&mut self) {
        self.entries.iter_mut().for_each(|entry| entry.report.begin());
    }

    /// One pass: sends the templates that are due, calls every data callback, sends what is open.
    pub fn run(&mut self, now: EngineTime, export_time: u32, transport: &mut dyn Transport) {
        let Some(config) = self.config else { return };
        self.last_pass = Some(now);
        {
            let send = &mut sender(config, transport);
            self.send_templates(now, config.template_interval(), export_time, send);
            for entry in self.entries.iter_mut() {
                if let Some(stream) = self.streams.get_mut(entry.stream) {
                    entry.data(stream, export_time, send);
                }
            }
        }
        self.flush_streams(export_time, transport);
    }

    /// Whether a report has more to say than its last data callback said.
    #[must_use]
    pub fn has_more(&self) -> bool {
        self.config.is_some() && self.entries.iter().any(Entry::has_more)
    }

    /// As [`Self::has_more`], of one report.
    #[must_use]
    pub fn report_has_more(&self, id: ReportId) -> bool {
        self.config.is_some() && self.entries.iter().any(|e| e.id == id && e.has_more())
    }

    /// Lets a report add records between two passes. What does not fill a message stays open until the next pass, or
    /// until [`Output::flush`].
    pub fn with_output<R>(
        &mut self,
        id: ReportId,
        export_time: u32,
        transport: &mut dyn Transport,
        add: impl FnOnce(&mut Output<'_>) -> R,
    ) -> Result<R, OutputUnavailable> {
        let entry = self.entries.iter().find(|entry| entry.id == id);
        let entry = entry.ok_or(OutputUnavailable::NoSuchReport)?;
        let config = self.config.ok_or(OutputUnavailable::Disabled)?;
        if entry.sent.is_none() {
            return Err(OutputUnavailable::TemplateNotSent);
        }
        let stream = self.streams.get_mut(entry.stream).ok_or(OutputUnavailable::NoSuchReport)?;
        let send = &mut sender(config, transport);
        let outlet = Outlet { export_time, send, failure: None };
        let framing = entry.report.framing();
        Ok(add(&mut Output { stream, templates: &entry.templates, framing, outlet }))
    }

    /// Sends the templates that are due, those of one stream in as few messages as they fit into.
    fn send_templates(
        &mut self,
        now: EngineTime,
        interval: Duration,
        export_time: u32,
        send: SendMessage<'_>,
    ) {
        for (index, stream) in self.streams.indexed_mut() {
            let on_stream = |entry: &&mut Entry| entry.stream == index;
            let due = |entry: &&mut Entry| on_stream(entry) && entry.deadline(interval) <= now;
            let mut due: Vec<&mut Entry> = self.entries.iter_mut().filter(due).collect();
            if due.is_empty() {
                continue;
            }
            stream.flush(&mut Outlet { export_time, send: &mut *send, failure: None });
            let mut outlet = Outlet { export_time, send: &mut *send, failure: None };
            for entry in &mut due {
                entry.defect = entry.add_templates(stream, &mut outlet).err();
            }
            stream.flush(&mut outlet);
            for entry in due {
                if entry.defect.is_some() {
                    entry.retry = now.after(interval);
                } else if outlet.failure.is_some() {
                    entry.retry = now.after(RETRY_INTERVAL);
                } else {
                    entry.sent = Some(now);
                }
            }
        }
    }

    fn flush_streams(&mut self, export_time: u32, transport: &mut dyn Transport) {
        let Some(config) = self.config else { return };
        let send = &mut sender(config, transport);
        for (_, stream) in self.streams.indexed_mut() {
            stream.flush(&mut Outlet { export_time, send, failure: None });
        }
    }

    fn free_ids(&mut self, stream: StreamIndex, count: usize) -> Option<Box<[TemplateId]>> {
        let entries = &self.entries;
        let in_use = |id| entries.iter().any(|e| e.stream == stream && e.ids.contains(&id));
        self.streams.allocate(stream, count, in_use)
    }

    fn message_limit(&self) -> usize {
        self.config.as_ref().map_or(0, ExporterConfig::message_limit)
    }
}

impl Entry {
    /// A new session: the collector knows nothing of this report.
    fn reset(&mut self) {
        self.templates.clear();
        self.sent = None;
        self.retry = EngineTime::default();
        self.defect = None;
    }

    /// When the templates are to be sent next.
    fn deadline(&self, interval: Duration) -> EngineTime {
        self.sent.map_or(self.retry, |sent| sent.after(interval).max(self.retry))
    }

    fn add_templates(
        &mut self,
        stream: &mut Stream,
        outlet: &mut Outlet<'_>,
    ) -> Result<(), TemplateDefect> {
        if self.templates.is_empty() {
            for (index, &id) in self.ids.iter().enumerate() {
                let TemplateFields { scopes, fields } = self.report.template(index);
                match Template::new(id, scopes, fields) {
                    Ok(template) => self.templates.push(template),
                    Err(error) => {
                        self.templates.clear();
                        return Err(error.into());
                    }
                }
            }
        }
        for template in &self.templates {
            stream.template(template, self.report.framing(), outlet)?;
        }
        Ok(())
    }

    /// Nothing can be said before the templates have been sent.
    fn has_more(&self) -> bool {
        self.sent.is_some() && self.report.has_more()
    }

    /// Calls the data callback, unless the collector could not decode the records.
    fn data(&mut self, stream: &mut Stream, export_time: u32, send: SendMessage<'_>) {
        if self.sent.is_some() {
            let outlet = Outlet { export_time, send, failure: None };
            let framing = self.report.framing();
            self.report.data(&mut Output { stream, templates: &self.templates, framing, outlet });
        }
    }
}

fn sender(
    exporter: ExporterConfig,
    transport: &mut dyn Transport,
) -> impl FnMut(StreamKey, &[u8]) -> Result<(), SendError> {
    move |stream, message| transport.send(&Session { exporter, stream }, message)
}
