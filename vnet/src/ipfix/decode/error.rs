//! What is wrong with a message, and where.

use crate::ipfix::{elements::ElementId, template::TemplateError};

/// The first thing wrong with a message. What came before it, and every later set that could be told apart, has been
/// decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("octet {offset}: {problem}")]
pub struct DecodeError {
    /// Octets from the start of the message.
    pub offset: usize,
    /// What was found there, and what was expected.
    pub problem: Problem,
}

/// See [`DecodeError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Shorter than a message header.
    #[error("message of {0} octets, expected a header of 16")]
    ShortMessage(usize),
    /// Another protocol, or another version of it (9: NetFlow).
    #[error("version {0}, expected 10")]
    Version(u16),
    /// The header's length and what was received do not agree.
    #[error("message length {claimed}, expected 16 to {received}, what was received")]
    MessageLength {
        /// What the header says.
        claimed: u16,
        /// Octets received.
        received: usize,
    },
    /// More was received than the header's length.
    #[error("{0} octets behind the end of the message, expected none")]
    Trailing(usize),
    /// Less than a set header before the end of the message.
    #[error("{0} octets, expected a set header of 4 or the end of the message")]
    SetHeader(usize),
    /// Shorter than its header, or longer than the rest of the message.
    #[error("set length {claimed}, expected 4 to {left}, the rest of the message")]
    SetLength {
        /// What the set header says.
        claimed: u16,
        /// Octets left in the message.
        left: usize,
    },
    /// 0, 1 or 4 to 255.
    #[error("set id {0}, expected 2, 3 or at least 256")]
    SetId(u16),
    /// A template identifier below 256.
    #[error("template id {0}, expected at least 256")]
    TemplateId(u16),
    /// A template record reaches beyond its set.
    #[error("template {id} ends behind its set, expected {fields} fields in it")]
    TemplateTruncated {
        /// Its identifier.
        id: u16,
        /// Its field count.
        fields: u16,
    },
    /// An options template without scope.
    #[error("options template {0} has no scope field, expected at least one")]
    NoScope(u16),
    /// The fields do not make a template.
    #[error("template {id}: {error}")]
    Template {
        /// Its identifier.
        id: u16,
        /// Why.
        error: TemplateError,
    },
    /// The session has as many template fields as it may have.
    #[error("template {id} of {fields} fields, expected at most {left} more in this session")]
    TooManyFields {
        /// Its identifier.
        id: u16,
        /// Its fields.
        fields: usize,
        /// How many more the session may have.
        left: usize,
    },
    /// The session has as many observation domains as it may have.
    #[error("observation domain {domain}, expected at most {limit} of them in a session")]
    TooManyDomains {
        /// The domain.
        domain: u32,
        /// How many a session may have.
        limit: usize,
    },
    /// A field of variable length reaches beyond its set.
    #[error(
        "field {element} of {len} octets in a record of template {template}, expected at most {left}"
    )]
    FieldLength {
        /// The template.
        template: u16,
        /// The element.
        element: ElementId,
        /// Octets of the field, its length octets included.
        len: usize,
        /// Octets left in the set.
        left: usize,
    },
    /// Templates are never withdrawn over UDP (RFC 7011 section 8.4); the template is kept.
    #[error("withdrawal of template {0}, expected none over UDP")]
    Withdrawal(u16),
}
