//! The collecting process: any IPFIX message in, typed records out (RFC 7011).
//!
//! A [`Decoder`] is one transport session; a [`Collector`] holds those of all exporters that send datagrams to one
//! socket. Memory is bounded: by the fields of all templates of a session, its observation domains, and the sessions.

mod collector;
mod error;
mod list;
mod record;
mod sequence;
mod session;
mod store;
mod value;

pub use collector::{Collector, MAX_SESSIONS};
pub use error::{DecodeError, Problem};
pub use list::{Items, List};
pub use record::{Context, Field, Record};
pub use sequence::{SequenceCounters, SequenceEvent};
pub use session::{DecodeCounters, Decoder, Event, MAX_DOMAINS, SessionKind};
pub(in crate::ipfix) use store::TemplateStore;
pub use store::{FieldInfo, KnownTemplate, MAX_SESSION_FIELDS};
pub use value::Value;
