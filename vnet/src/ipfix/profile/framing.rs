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
    /// Whether records tell times by the export time of their message, which is a whole second and not before any of them.
    pub is_relative: bool,
    /// The sequence number of the first record of a session.
    pub first: u32,
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
    /// With one record. Templates are added for as long as there are fewer than 1,024 octets, however long the last
    /// one is.
    One,
}

impl Fill {
    /// See [`Fill::One`].
    pub(in crate::ipfix) const TEMPLATES: usize = 1024;
}

impl Framing {
    /// RFC 7011's.
    pub const RFC: Self = Self {
        sequence: Sequence::Record,
        fill: Fill::Record,
        one_set: false,
        is_relative: false,
        first: 0,
    };
    /// VPP's flowprobe's.
    pub const VPP: Self =
        Self { sequence: Sequence::Message, fill: Fill::TemplateSet, one_set: true, ..Self::RFC };
    /// RFC 7011's, for records with times by the header.
    pub const SWITCH: Self = Self { is_relative: true, ..Self::RFC };
    /// Open vSwitch's.
    pub const OVS: Self = Self { fill: Fill::One, first: 1, ..Self::SWITCH };

    /// What a message with so many data records adds to the sequence number.
    #[must_use]
    pub fn advance(self, records: u16) -> u32 {
        match self.sequence {
            Sequence::Record => records.into(),
            Sequence::Message => u32::from(records > 0),
        }
    }
}
