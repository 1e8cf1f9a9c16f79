//! Reports: what an exporter is asked to tell.

use super::{
    open::DataSet,
    stream::{Counters, Outlet, Stream},
    transport::SendError,
};
use crate::{
    flow::FlowRecord,
    ipfix::{
        message::{Draft, PackError},
        profile::{FlowTemplates, Framing},
        record::DataRecord,
        template::{FieldSpecifier, Template},
    },
};

/// Someone who has records of a few templates to send. Lives on the main thread.
pub trait Report {
    /// How many templates the report has, one unless said otherwise; does not change.
    fn template_count(&self) -> usize {
        1
    }

    /// The template-rewrite callback: the fields of the `index`-th template. Called when a transport session begins
    /// and after [`super::Exporter::rewrite`].
    fn template(&mut self, index: usize) -> TemplateFields;

    /// How its templates and records are put into messages; does not change.
    fn framing(&self) -> Framing {
        Framing::RFC
    }

    /// A pass begins that was due or asked for, by `ipfix flush` for instance; not one that merely goes on because a report had
    /// more to say. A report of totals tells them all anew.
    fn begin(&mut self) {}

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

impl TemplateFields {
    /// The fields of a record that is a struct.
    #[must_use]
    pub fn of<R: DataRecord>() -> Self {
        Self::data(R::FIELDS)
    }

    /// Fields of data records: none of them is a scope field.
    #[must_use]
    pub fn data(fields: &[FieldSpecifier]) -> Self {
        Self { scopes: 0, fields: fields.to_vec() }
    }
}

/// Why a record was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutputError {
    /// The report has no such template, or none for records of this kind.
    #[error("the report has no template for this record")]
    NoTemplate,
    /// It is not as long as the records of its template; counted as not sent.
    #[error("a record of {len} octets, where those of the template have {expected}")]
    Length {
        /// Octets of the record.
        len: usize,
        /// Octets of the template's records, the least where they vary.
        expected: usize,
    },
    /// It does not fit; counted as not sent.
    #[error(transparent)]
    Pack(#[from] PackError),
}

/// Where a report puts its records: into the open message of its stream, which is sent when full, and at the end of
/// the pass.
pub struct Output<'a> {
    pub(super) stream: &'a mut Stream,
    pub(super) templates: &'a [Template],
    pub(super) framing: Framing,
    pub(super) outlet: Outlet<'a>,
}

impl Output<'_> {
    /// The report's templates, under the identifiers that the collector has of them.
    #[must_use]
    pub fn templates(&self) -> &[Template] {
        self.templates
    }

    /// Adds a record of the report's `index`-th template, of `len` octets that `write` fills: the fields of the template in
    /// their order, in network byte order.
    #[inline]
    pub fn record(
        &mut self,
        index: usize,
        len: usize,
        write: impl FnOnce(&mut [u8]),
    ) -> Result<(), OutputError> {
        let template = self.templates.get(index).ok_or(OutputError::NoTemplate)?;
        if !template.has_records_of(len) {
            self.stream.refuse();
            return Err(OutputError::Length { len, expected: template.min_record_len() });
        }
        let set = DataSet::of(template, self.framing);
        Ok(self.stream.record(set, len, &mut self.outlet, write)?)
    }

    /// Adds a record of the report's `index`-th template, which is [`TemplateFields::of`] the same type. What cannot be sent
    /// is counted as not sent: a record too long for any message, or one that the template does not describe.
    pub fn push<R: DataRecord>(&mut self, index: usize, record: &R) {
        let added = self.record(index, R::len(), |octets| record.write(octets));
        if added == Err(OutputError::NoTemplate) {
            self.stream.refuse();
        }
    }

    /// Adds a flow record; the report's templates are those of `templates`, in their order.
    #[inline]
    pub fn flow(
        &mut self,
        templates: &FlowTemplates,
        record: &FlowRecord,
    ) -> Result<(), OutputError> {
        if let Some((slot, encoder)) = templates.select(record) {
            return self.record(slot.index(), encoder.record_len(), |o| encoder.encode(record, o));
        }
        let encoder = templates.untold(record).ok_or(OutputError::NoTemplate)?;
        let (set, len) = (DataSet::untold(self.framing), encoder.record_len());
        Ok(self.stream.record(set, len, &mut self.outlet, |o| encoder.encode(record, o))?)
    }

    /// Stamps a message that was built elsewhere and that its builder sends now; see [`Stream::stamp`].
    pub fn stamp(&mut self, message: &mut [u8], draft: Draft) {
        self.stream.stamp(message, draft, self.framing, self.outlet.export_time);
    }

    /// Counts a message that was built elsewhere and could not be sent.
    pub fn lost(&mut self, draft: Draft) {
        self.stream.lost(draft);
    }

    /// Messages that the stream has sent since it was made.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.counters().messages
    }

    /// What the stream has done since it was made; what is in open messages is not among it.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.stream.counters()
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
        TemplateFields::data(self.templates.encoders()[index].fields())
    }

    fn framing(&self) -> Framing {
        self.templates.framing()
    }

    fn data(&mut self, _: &mut Output<'_>) {}
}
