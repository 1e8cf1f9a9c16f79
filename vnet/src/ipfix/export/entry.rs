//! A report of an exporter: its templates, and which collectors have them.

use core::time::Duration;

use super::{
    destination::Destination,
    exporter::{ReportId, ReportKey, TemplateDefect},
    report::{Report, TemplateFields},
    table::StreamIndex,
};
use crate::{
    ipfix::template::{Template, TemplateId},
    runtime::EngineTime,
};

pub(super) struct Entry {
    pub(super) id: ReportId,
    pub(super) key: ReportKey,
    pub(super) stream: StreamIndex,
    pub(super) ids: Box<[TemplateId]>,
    pub(super) report: Box<dyn Report>,
    /// Empty: the template-rewrite callback is due.
    pub(super) templates: Vec<Template>,
    /// What each lane's collector was told.
    pub(super) told: Vec<Told>,
}

/// What the collector of a lane was told of a report's templates, in this session.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Told {
    /// When they were sent last.
    pub(super) sent: Option<EngineTime>,
    /// Messages of the stream by then.
    pub(super) messages: u64,
    /// No sending before this, after a failure.
    pub(super) retry: EngineTime,
    pub(super) defect: Option<TemplateDefect>,
}

impl Told {
    /// When the templates are to be sent next, where the stream has sent so many messages.
    pub(super) fn deadline(&self, destination: &Destination, messages: u64) -> Option<EngineTime> {
        let Some(sent) = self.sent else { return Some(self.retry) };
        let by_messages = destination
            .template_messages()
            .filter(|every| messages.saturating_sub(self.messages) >= u64::from(every.get()))
            .map(|_| self.retry);
        let interval = destination.template_interval()?;
        let by_time = sent.after(interval).max(self.retry);
        Some(by_messages.map_or(by_time, |now| now.min(by_time)))
    }

    /// Notes that the templates have left, or why not.
    pub(super) fn tried(
        &mut self,
        now: EngineTime,
        messages: u64,
        failed: bool,
        patience: Duration,
    ) {
        /// Wait before a template is tried again that the transport refused.
        const RETRY_INTERVAL: Duration = Duration::from_secs(1);
        if self.defect.is_some() {
            self.retry = now.after(patience);
        } else if failed {
            self.retry = now.after(RETRY_INTERVAL);
        } else {
            (self.sent, self.messages) = (Some(now), messages);
        }
    }
}

impl Entry {
    /// New sessions everywhere: no collector knows anything of this report.
    pub(super) fn reset(&mut self) {
        self.templates.clear();
        self.told.fill(Told::default());
    }

    /// What the collector of lane `old` was told, which goes on in another configuration.
    pub(super) fn kept(&self, old: Option<usize>) -> Told {
        let told = old.and_then(|at| self.told.get(at)).copied().unwrap_or_default();
        Told { retry: EngineTime::default(), ..told }
    }

    /// Whether a collector can decode its records.
    pub(super) fn is_known(&self) -> bool {
        self.told.iter().any(|told| told.sent.is_some())
    }

    /// Nothing can be said before the templates have been sent.
    pub(super) fn has_more(&self) -> bool {
        self.is_known() && self.report.has_more()
    }

    /// Calls the template-rewrite callback, if that is due.
    pub(super) fn write_templates(&mut self) -> Result<(), TemplateDefect> {
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
        Ok(())
    }
}
