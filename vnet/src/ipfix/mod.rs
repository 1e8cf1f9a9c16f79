//! IPFIX (RFC 7011): the exporting process, the collecting process and IPFIX Files, without I/O of their own but for [`engine`] and
//! [`reliable`].
//!
//! | module | what lives there |
//! |---|---|
//! | [`elements`] | the IANA registry of information elements, and elements of enterprises |
//! | [`template`] | field specifiers, template identifiers, templates |
//! | [`profile`] | flow records on the wire: their templates, compiled into encoders |
//! | [`fields`] | the fields that flow records can have, and templates that users make of them |
//! | [`record`] | data records as structs, for reports of plugins |
//! | [`message`] | packing of records into sets and messages, up to a limit |
//! | [`export`] | exporters, streams, reports; the headers of exported packets |
//! | [`engine`] | the exporters of an engine: their process, their transports, the way of records from the nodes |
//! | [`reliable`] | transports that deliver everything: TCP, TLS, files |
//! | [`sessions`] | the sockets by which this process exports |
//! | [`options`] | what an exporter tells of itself and of its records |
//! | [`decode`] | messages of anyone into typed records |
//! | [`json`] | records as JSON lines |
//! | [`mod@file`] | IPFIX Files (RFC 5655) |
//! | [`time`] | NTP and RFC 3339 times |
//!
//! A record's way out: the metering process makes a [`crate::flow::FlowRecord`]; [`profile::FlowTemplates`] says which
//! template it takes and writes its octets; the [`export::Stream`] packs it and stamps the message when it is sent; a
//! [`export::Transport`] takes it away. Whoever builds messages on another thread uses [`message::MessageBuilder`]
//! directly and has the stream's owner stamp and send them.
//!
//! ```
//! use vnet::ipfix::{
//!     decode::{Decoder, Event, SessionKind},
//!     message::{self, MessageBuilder},
//!     template::{FieldSpecifier, Template, TemplateId},
//! };
//!
//! let fields = [FieldSpecifier::iana("octetDeltaCount", 8)];
//! let template = Template::new(TemplateId::FIRST, 0, fields)?;
//! let mut room = [0; 484];
//! let mut builder = MessageBuilder::new(&mut room);
//! builder.template(&template)?;
//! builder.record(template.id(), 8)?.copy_from_slice(&1500_u64.to_be_bytes());
//! let draft = builder.finish();
//! message::stamp(&mut room[..draft.len()], 1_700_000_000, 0, 1);
//!
//! let mut decoder = Decoder::new(SessionKind::Datagrams, Default::default());
//! let mut line = Vec::new();
//! decoder.decode(&room[..draft.len()], &mut |_, event| {
//!     if let Event::Record(record) = event {
//!         vnet::ipfix::json::write_record(&mut line, &record);
//!     }
//! })?;
//! assert_eq!(line, br#"{"octetDeltaCount":1500}"#);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod decode;
pub mod elements;
pub mod engine;
pub mod export;
pub mod fields;
pub mod file;
pub mod json;
pub mod message;
pub mod options;
pub mod profile;
pub mod record;
pub mod reliable;
pub mod sessions;
pub mod template;
#[cfg(test)]
mod tests;
pub mod time;
