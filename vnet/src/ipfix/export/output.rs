//! Where a report puts its records.

use super::{
    entry::Told,
    lane::{Ways, What},
    open::DataSet,
    stream::{Counters, Stream},
    transport::SendError,
};
use crate::{
    flow::FlowRecord,
    ipfix::{
        message::{Draft, PackError},
        profile::{FlowTemplates, Framing},
        record::DataRecord,
        template::Template,
    },
};

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

/// Where a report puts its records: into the open messages of its stream, one a destination that takes them, which are sent
/// when full, and at the end of the pass.
pub struct Output<'a> {
    pub(super) streams: &'a mut [Stream],
    pub(super) told: &'a [Told],
    pub(super) templates: &'a [Template],
    pub(super) framing: Framing,
    pub(super) ways: Ways<'a>,
}

impl Output<'_> {
    /// The report's templates, under the identifiers that collectors have of them.
    #[must_use]
    pub fn templates(&self) -> &[Template] {
        self.templates
    }

    /// Adds a record of the report's `index`-th template, of `len` octets that `write` fills: the fields of the template in
    /// their order, in network byte order. `write` is called once a destination.
    #[inline]
    pub fn record(
        &mut self,
        index: usize,
        len: usize,
        write: impl Fn(&mut [u8]),
    ) -> Result<(), OutputError> {
        self.of_template(index, len, What::Other, write)
    }

    /// Adds a record of the report's `index`-th template, which is [`TemplateFields::of`](super::TemplateFields::of) the same
    /// type. What cannot be sent is counted as not sent: a record too long for any message, or one that the template does not
    /// describe.
    pub fn push<R: DataRecord>(&mut self, index: usize, record: &R) {
        let added = self.record(index, R::len(), |octets| record.write(octets));
        if added == Err(OutputError::NoTemplate) {
            self.refuse(What::Other);
        }
    }

    /// Adds, for each destination, a record of the report's `index`-th template that tells of what was sent to that
    /// destination: `write` is given what that was, all that is open included.
    pub fn record_each(
        &mut self,
        index: usize,
        len: usize,
        write: impl Fn(&Counters, &mut [u8]),
    ) -> Result<(), OutputError> {
        self.flush();
        let template = self.templates.get(index).ok_or(OutputError::NoTemplate)?;
        if !template.has_records_of(len) {
            let expected = template.min_record_len();
            self.refuse(What::Other);
            return Err(OutputError::Length { len, expected });
        }
        let set = DataSet::of(template, self.framing);
        let mut result = Ok(());
        for at in 0..self.streams.len() {
            if self.ways.takes(at, What::Other) {
                let counters = self.streams[at].counters();
                result = result.and(self.put_at(at, set, len, |octets| write(&counters, octets)));
            }
        }
        result
    }

    /// Adds a flow record; the report's templates are those of `templates`, in their order.
    #[inline]
    pub fn flow(
        &mut self,
        templates: &FlowTemplates,
        record: &FlowRecord,
    ) -> Result<(), OutputError> {
        let what = match self.ways.lanes.len() {
            1 => What::Other,
            _ => What::Flow(record.symmetric_hash()),
        };
        if let Some((slot, encoder)) = templates.select(record) {
            let time = self.ways.export_time.seconds(self.framing);
            let write = |octets: &mut [u8]| encoder.encode_at(record, time, octets);
            return self.of_template(slot.index(), encoder.len_of(record), what, write);
        }
        let encoder = templates.untold(record).ok_or(OutputError::NoTemplate)?;
        let (set, len) = (DataSet::untold(self.framing), encoder.record_len());
        self.put(set, len, what, |octets| encoder.encode(record, octets))
    }

    /// Sends a message that was built elsewhere, by a node for instance, with the report's templates; `message` is exactly the
    /// octets of `draft`, finished. It is stamped here.
    pub fn message(&mut self, message: &mut [u8], draft: Draft) {
        for at in 0..self.streams.len() {
            if self.ways.takes(at, What::Other) {
                let (stream, framing) = (&mut self.streams[at], self.framing);
                self.ways.through(at, |outlet| stream.message(message, draft, framing, outlet));
            }
        }
    }

    /// Messages that the stream has sent since it was made, to all destinations.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.streams.iter().map(|stream| stream.counters().messages).sum()
    }

    /// Sends the open messages now.
    pub fn flush(&mut self) {
        self.ways.flush(self.streams);
    }

    /// Whether what can wait should: the rate is used up, or a message failed since somebody asked, and no destination is left
    /// that takes any. The exporter has counted what was lost.
    #[inline]
    pub fn is_held_up(&mut self) -> bool {
        self.ways.is_spent() || self.take_failure().is_some()
    }

    /// The first error of a transport since somebody asked after which no destination was left.
    pub fn take_failure(&mut self) -> Option<SendError> {
        self.ways.take_failure()
    }

    #[inline]
    fn of_template(
        &mut self,
        index: usize,
        len: usize,
        what: What,
        write: impl Fn(&mut [u8]),
    ) -> Result<(), OutputError> {
        let template = self.templates.get(index).ok_or(OutputError::NoTemplate)?;
        if !template.has_records_of(len) {
            let expected = template.min_record_len();
            self.refuse(what);
            return Err(OutputError::Length { len, expected });
        }
        let set = DataSet::of(template, self.framing);
        self.put(set, len, what, write)
    }

    /// Adds a record to the message of each lane that takes it. A collector that does not have the templates yet cannot read
    /// it: there it is not sent.
    #[inline]
    fn put(
        &mut self,
        set: DataSet,
        len: usize,
        what: What,
        write: impl Fn(&mut [u8]),
    ) -> Result<(), OutputError> {
        let mut result = Ok(());
        for at in 0..self.streams.len() {
            if self.ways.takes(at, what) {
                result = result.and(self.put_at(at, set, len, &write));
            }
        }
        result
    }

    #[inline]
    fn put_at(
        &mut self,
        at: usize,
        set: DataSet,
        len: usize,
        write: impl Fn(&mut [u8]),
    ) -> Result<(), OutputError> {
        let stream = &mut self.streams[at];
        if self.told[at].sent.is_none() {
            stream.refuse();
            return Ok(());
        }
        Ok(self.ways.through(at, |outlet| stream.record(set, len, outlet, write))?)
    }

    /// Counts a record that cannot be sent.
    fn refuse(&mut self, what: What) {
        for at in 0..self.streams.len() {
            if self.ways.takes(at, what) {
                self.streams[at].refuse();
            }
        }
    }
}
