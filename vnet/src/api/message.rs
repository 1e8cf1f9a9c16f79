//! What messages are to handlers: requests with their answers, and events.

use super::{Definition, Wire, Writer};
use crate::command::{self, ApiError, OperationError};

/// A message, by its own fields; those of its header are the framework's.
pub trait Message: Wire + 'static {
    /// Its name, checksum and fields.
    const DEFINITION: Definition;
}

/// A request that one reply answers.
pub trait Call: Message {
    /// The reply.
    type Reply: Message;
}

/// A request that one reply answers, which has no number of an error, or has it somewhere else.
pub trait Ask: Message {
    /// The reply.
    type Reply: Message;
}

/// A request that any number of details answer; where they end, a client learns from the reply to a `control_ping` behind it.
pub trait Dump: Message {
    /// What it asks for.
    type Details: Message;
}

/// A request that any number of details answer, and a reply at their end.
pub trait Get: Call {
    /// What it asks for.
    type Details: Message;
}

/// What is sent to those who have asked for it.
pub trait Event: Message {}

/// The number of an error, in replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retval(pub i32);

impl From<ApiError> for Retval {
    fn from(error: ApiError) -> Self {
        Self(error.code())
    }
}

impl From<command::Error> for Retval {
    fn from(error: command::Error) -> Self {
        error.api_error().into()
    }
}

impl<E: OperationError> From<E> for Retval {
    fn from(error: E) -> Self {
        error.api_error().into()
    }
}

/// The octets of a value.
#[must_use]
pub fn to_bytes(value: &impl Wire) -> Vec<u8> {
    let mut writer = Writer::default();
    value.write(&mut writer);
    writer.into_bytes()
}
