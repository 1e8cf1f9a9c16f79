//! Reports: what an exporter is asked to tell.

use super::output::Output;
use crate::ipfix::{
    profile::{FlowTemplates, Framing},
    record::DataRecord,
    template::{FieldSpecifier, TemplateId},
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

    /// The identifier of the `index`-th template, where that is fixed for all of them: then no other report of the stream may have
    /// it, but for one with all the same, whose templates are the same, too. Others have the next ones that are free.
    fn template_id(&self, _index: usize) -> Option<TemplateId> {
        None
    }

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

    fn template_id(&self, index: usize) -> Option<TemplateId> {
        self.templates.id(index)
    }

    fn framing(&self) -> Framing {
        self.templates.framing()
    }

    fn data(&mut self, _: &mut Output<'_>) {}
}
