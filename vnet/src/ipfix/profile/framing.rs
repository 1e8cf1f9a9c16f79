//! What a profile says of messages: code that packs and counts reads these rules, and never asks which profile it is.

/// How the records of a report are put into messages, and how those are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framing {
    /// What adds to the sequence number.
    pub sequence: Sequence,
    /// When a message is full.
    pub fill: Fill,
    /// Whether a message has one template, or the records of one.
    pub one_set: bool,
}

/// What adds to the sequence number of a stream. Templates never do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sequence {
    /// Each data record (RFC 7011 section 3.1).
    Record,
    /// Each message with data records.
    Message,
}

/// When a message is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// When the next record does not fit: none is longer than the path MTU allows.
    Record,
    /// When the template set of its records would not fit behind it. A message whose records are longer than that set can
    /// exceed the path MTU by what they are longer, and one record goes into any message.
    TemplateSet,
}

impl Framing {
    /// RFC 7011's.
    pub const RFC: Self = Self { sequence: Sequence::Record, fill: Fill::Record, one_set: false };
    /// VPP's flowprobe's.
    pub const VPP: Self =
        Self { sequence: Sequence::Message, fill: Fill::TemplateSet, one_set: true };

    /// What a message with so many data records adds to the sequence number.
    #[must_use]
    pub fn advance(self, records: u16) -> u32 {
        match self.sequence {
            Sequence::Record => records.into(),
            Sequence::Message => u32::from(records > 0),
        }
    }
}
