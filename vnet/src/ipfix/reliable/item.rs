//! What the exporter hands over.

use crate::ipfix::template::Template;

/// Something that a collector is to get, in its turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A message. Sequence number and export time in its header have no meaning yet.
    Message {
        /// Observation domain.
        domain: u32,
        /// Data records in it.
        records: u16,
        /// What it adds to the sequence number of its domain.
        advance: u32,
        /// Whether its records tell times by the export time in its header, which has a meaning then.
        keeps_time: bool,
        /// All of it, header included.
        octets: Box<[u8]>,
    },
    /// A template that later messages of the domain need.
    Template {
        /// Observation domain.
        domain: u32,
        /// The template.
        template: Template,
    },
    /// A template that no later message needs.
    Withdrawal {
        /// Observation domain.
        domain: u32,
        /// The template.
        template: Template,
    },
}

impl Item {
    /// Octets that it has of the queue's memory: those of messages, since templates are few.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Message { octets, .. } => octets.len(),
            Self::Template { .. } | Self::Withdrawal { .. } => 0,
        }
    }

    /// Whether it is none of a message.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Data records in it.
    #[must_use]
    pub fn records(&self) -> u64 {
        match self {
            Self::Message { records, .. } => u64::from(*records),
            Self::Template { .. } | Self::Withdrawal { .. } => 0,
        }
    }

    /// 1 for a message.
    #[must_use]
    pub fn messages(&self) -> u64 {
        u64::from(matches!(self, Self::Message { .. }))
    }
}
