//! Reports: what an exporter is asked to tell.

use super::{
    stream::{Outlet, Stream},
    transport::SendError,
};
use crate::{
    flow::FlowRecord,
    ipfix::{
        message::{Draft, PackError},
        profile::FlowTemplates,
        template::{FieldSpecifier, TemplateId},
    },
};

/// Someone who has records of a few templates to send. Lives on the main thread.
pub trait Report {
    /// How many templates the report has; does not change.
    fn template_count(&self) -> usize;

    /// The template-rewrite callback: the fields of the `index`-th template. Called when a transport session begins
    /// and after [`super::Exporter::rewrite`].
    fn template(&mut self, index: usize) -> TemplateFields;

    /// The data callback: adds what is pending. Called on every pass once the templates have been sent, at least every
    /// five seconds and on `ipfix flush`.
    fn data(&mut self, output: &mut Output<'_>);

    /// Whether the last data callback left something for the next one, which then follows as soon as the messages of this
    /// pass have left. A report with very much to say leaves some, so that they do not take all buffers.
    fn has_more(&self) -> bool {
        false
    }
}

/// What a template-rewrite callback answers; the exporter knows the identifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateFields {
    /// How many of the first fields are scope fields; more than none makes an options template.
    pub scopes: u16,
    /// The fields, in the order of the record.
    pub fields: Vec<FieldSpecifier>,
}

/// Why a record was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutputError {
    /// The report has no such template, or none for records of this kind.
    #[error("the report has no template for this record")]
    NoTemplate,
    /// It does not fit; counted as not sent.
    #[error(transparent)]
    Pack(#[from] PackError),
}

/// Where a report puts its records: into the open message of its stream, which is sent when full, and at the end of
/// the pass.
pub struct Output<'a> {
    pub(super) stream: &'a mut Stream,
    pub(super) ids: &'a [TemplateId],
    pub(super) outlet: Outlet<'a>,
}

impl Output<'_> {
    /// Identifiers of the report's templates.
    #[must_use]
    pub fn template_ids(&self) -> &[TemplateId] {
        self.ids
    }

    /// Adds a record of the report's `index`-th template, of `len` octets that `write` fills.
    #[inline]
    pub fn record(
        &mut self,
        index: usize,
        len: usize,
        write: impl FnOnce(&mut [u8]),
    ) -> Result<(), OutputError> {
        let id = *self.ids.get(index).ok_or(OutputError::NoTemplate)?;
        Ok(self.stream.record(id, len, &mut self.outlet, write)?)
    }

    /// Adds a flow record; the report's templates are those of `templates`, in their order.
    #[inline]
    pub fn flow(
        &mut self,
        templates: &FlowTemplates,
        record: &FlowRecord,
    ) -> Result<(), OutputError> {
        let (slot, encoder) = templates.select(record).ok_or(OutputError::NoTemplate)?;
        self.record(slot.index(), encoder.record_len(), |out| encoder.encode(record, out))
    }

    /// Stamps a message that was built elsewhere and that its builder sends now; see [`Stream::stamp`].
    pub fn stamp(&mut self, message: &mut [u8], draft: Draft) {
        self.stream.stamp(message, draft, self.outlet.export_time);
    }

    /// Counts a message that was built elsewhere and could not be sent.
    pub fn lost(&mut self, draft: Draft) {
        self.stream.lost(draft);
    }

    /// Messages that the stream has sent since it was made.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.stream.counters().messages
    }

    /// Sends the open message now.
    pub fn flush(&mut self) {
        self.stream.flush(&mut self.outlet);
    }

    /// The first error of the transport since somebody asked; the exporter has counted what was lost by it.
    pub fn take_failure(&mut self) -> Option<SendError> {
        self.outlet.failure.take()
    }
}

/// The report of a meter whose records are added with [`Output::flow`] as flows end: it has templates, and nothing is
/// ever pending.
#[derive(Clone, Debug)]
pub struct FlowReport {
    templates: FlowTemplates,
}

impl FlowReport {
    /// The report of a meter with these templates.
    #[must_use]
    pub fn new(templates: FlowTemplates) -> Self {
        Self { templates }
    }
}

impl Report for FlowReport {
    fn template_count(&self) -> usize {
        self.templates.encoders().len()
    }

    fn template(&mut self, index: usize) -> TemplateFields {
        TemplateFields { scopes: 0, fields: self.templates.encoders()[index].fields().to_vec() }
    }

    fn data(&mut self, _: &mut Output<'_>) {}
}
