//! When an exporter runs, and what a run does.

use core::time::Duration;

use super::{
    destination::Destination,
    entry::{Entry, Told},
    exporter::{Exporter, ReportId, TemplateDefect},
    lane::{Lane, Ways},
    output::Output,
    stream::{Outlet, Stream},
    time::ExportTime,
    transport::Transport,
};
use crate::{ipfix::profile::Framing, runtime::EngineTime};

/// The data callbacks are called at least this often.
pub const FLUSH_INTERVAL: Duration = Duration::from_secs(5);
/// Wait before templates are tried again that fit no message of a destination which wants them once.
const DEFECT_INTERVAL: Duration = Duration::from_secs(60);

impl Exporter {
    /// When [`Self::run`] should be called next: the first template deadline, or the flush. A time in the past means
    /// now; `None` that there is nothing to do before the next configuration.
    #[must_use]
    pub fn next_due(&self) -> Option<EngineTime> {
        if self.lanes.is_empty() || self.entries.is_empty() {
            return None;
        }
        let templates = self.entries.iter().filter_map(|entry| self.deadline(entry)).min();
        let flush = self.last_pass.map(|last| last.after(FLUSH_INTERVAL));
        let refilled = if self.is_held_back() { self.bucket.due() } else { None };
        [templates, flush, refilled].into_iter().flatten().min()
    }

    /// Has every report know that the next pass is not the continuation of one.
    pub fn begin(&mut self) {
        self.entries.iter_mut().for_each(|entry| entry.report.begin());
    }

    /// One pass: sends the templates that are due, calls every data callback, sends what is open unless more is to come at once.
    pub fn run(
        &mut self,
        now: EngineTime,
        export_time: impl Into<ExportTime>,
        transport: &mut dyn Transport,
    ) {
        let export_time = export_time.into();
        if self.lanes.is_empty() {
            return;
        }
        self.last_pass = Some(now);
        for lane in &mut self.lanes {
            lane.reachable = transport.is_reachable(&lane.destination);
        }
        self.bucket.fill(now);
        for at in 0..self.lanes.len() {
            self.send_templates(at, now, export_time, transport);
        }
        self.call_back(export_time, transport);
        if !self.has_more() {
            self.flush_streams(export_time, transport);
        }
    }

    /// Whether a report has more to say than its last data callback said, and may say it now.
    #[must_use]
    pub fn has_more(&self) -> bool {
        !self.bucket.is_empty() && self.has_rest()
    }

    /// Whether a report has more to say, and the rate does not let it.
    #[must_use]
    pub fn is_held_back(&self) -> bool {
        self.bucket.is_empty() && self.has_rest()
    }

    /// Whether no destination takes anything.
    #[must_use]
    pub fn is_stuck(&self) -> bool {
        !self.lanes.is_empty() && self.lanes.iter().all(|lane| lane.failing)
    }

    /// As [`Self::has_more`], of one report, whatever the rate.
    #[must_use]
    pub fn report_has_more(&self, id: ReportId) -> bool {
        !self.lanes.is_empty() && self.entries.iter().any(|e| e.id == id && e.has_more())
    }

    fn has_rest(&self) -> bool {
        !self.lanes.is_empty() && self.entries.iter().any(Entry::has_more)
    }

    /// When the templates of a report are due next, at any lane.
    fn deadline(&self, entry: &Entry) -> Option<EngineTime> {
        let streams = self.streams.get(entry.stream)?;
        let lanes = self.lanes.iter().zip(&entry.told).zip(streams);
        let deadline = |((lane, told), stream): ((&Lane, &Told), &Stream)| {
            told.deadline(&lane.destination, stream.counters().messages)
        };
        lanes.filter_map(deadline).min()
    }

    /// Calls the data callbacks. Where a rate bounds a pass, another report is the first one each time.
    fn call_back(&mut self, export_time: ExportTime, transport: &mut dyn Transport) {
        let count = self.entries.len();
        if self.bucket.rate().is_some() && count > 0 {
            self.turn = (self.turn + 1) % count;
        } else {
            self.turn = 0;
        }
        let ways =
            &mut Ways::new(&mut self.lanes, self.policy, &mut self.bucket, export_time, transport);
        for n in 0..count {
            let entry = &mut self.entries[(self.turn + n) % count];
            if !ways.is_spent()
                && let Some(streams) = self.streams.get_mut(entry.stream)
            {
                entry.data(streams, ways);
            }
        }
    }

    /// Sends the templates that are due at a lane, those of one stream in as few messages as they fit into.
    fn send_templates(
        &mut self,
        at: usize,
        now: EngineTime,
        export_time: ExportTime,
        transport: &mut dyn Transport,
    ) {
        let destination = self.lanes[at].destination;
        let patience = destination.template_interval().unwrap_or(DEFECT_INTERVAL);
        for (index, key, streams) in self.streams.iter_mut() {
            let stream = &mut streams[at];
            let messages = stream.counters().messages;
            let is_due = |entry: &&mut Entry| {
                let deadline = entry.told[at].deadline(&destination, messages);
                entry.stream == index && deadline.is_some_and(|deadline| deadline <= now)
            };
            let mut due: Vec<&mut Entry> = self.entries.iter_mut().filter(is_due).collect();
            if due.is_empty() {
                continue;
            }
            let (lanes, bucket) = (&mut self.lanes, &mut self.bucket);
            let mut ways = Ways::new(lanes, self.policy, bucket, export_time, transport);
            ways.through(at, |outlet| stream.flush(outlet));
            let failed = match destination {
                Destination::Udp(_) => ways.through(at, |outlet| {
                    for entry in &mut due {
                        entry.told[at].defect = entry.add_templates(stream, outlet).err();
                    }
                    stream.flush(outlet);
                    outlet.failure.is_some()
                }),
                Destination::Reliable(to) => {
                    for entry in &mut due {
                        entry.told[at].defect = entry.write_templates().err();
                        for template in &entry.templates {
                            ways.transport.announce(to, key.domain, template);
                        }
                    }
                    false
                }
            };
            let messages = stream.counters().messages;
            due.into_iter().for_each(|e| e.told[at].tried(now, messages, failed, patience));
        }
    }

    pub(super) fn flush_streams(&mut self, export_time: ExportTime, transport: &mut dyn Transport) {
        let ways =
            &mut Ways::new(&mut self.lanes, self.policy, &mut self.bucket, export_time, transport);
        for (_, _, streams) in self.streams.iter_mut() {
            ways.flush(streams);
        }
    }
}

impl Entry {
    fn add_templates(
        &mut self,
        stream: &mut Stream,
        outlet: &mut Outlet<'_>,
    ) -> Result<(), TemplateDefect> {
        self.write_templates()?;
        let framing: Framing = self.report.framing();
        for template in &self.templates {
            stream.template(template, framing, outlet)?;
        }
        Ok(())
    }

    /// Calls the data callback, unless no collector could decode the records.
    pub(super) fn data(&mut self, streams: &mut [Stream], ways: &mut Ways<'_>) {
        if self.is_known() {
            let framing = self.report.framing();
            let (told, templates) = (&self.told[..], &self.templates[..]);
            let ways = ways.again();
            self.report.data(&mut Output { streams, told, templates, framing, ways });
        }
    }
}
