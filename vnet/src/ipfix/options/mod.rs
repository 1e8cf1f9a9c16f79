//! Options reports: what an exporter tells of itself, of its meters and of what records mean (RFC 7011 section 4, RFC 5610).
//!
//! What there is to tell is a [`Subject`]: a few options templates, and the records that are true now. [`Options`] has all
//! subjects of an engine; each is off until `ipfix options <subject>` enables it for an exporter, and is a report of that then.
//! After each pass of an exporter it asks the subjects that are enabled there, and has told
//!
//! - all records when a transport session begins, and again at each interval, since a collector over UDP may have lost them;
//! - in between those that are new or have changed, where the subject says so.
//!
//! | file | idea |
//! |---|---|
//! | `subject` | [`Subject`]: something to tell; the octets of its records |
//! | `set` | [`Options`]: who is enabled, when it tells |
//! | `report` | the report of a subject |
//! | `commands` | `ipfix options ...`, `show ipfix options` |
//! | `statistics` | what was exported (RFC 7011 section 4.1) |
//! | `metering` | packets that were not metered (section 4.2) |
//! | `exporting` | flow records that were not sent (section 4.3) |
//! | `lost` | what was in messages that were not sent |
//! | `span` | when something happened first and last |
//! | `flow_keys` | which fields of a template tell flows apart (section 4.4) |
//! | `interfaces` | names of interfaces |
//! | `types` | types of enterprise elements (RFC 5610) |

mod commands;
mod exporting;
mod flow_keys;
mod interfaces;
mod lost;
mod metering;
mod report;
mod set;
mod span;
mod statistics;
mod subject;
mod types;

pub use exporting::NotSent;
pub(in crate::ipfix) use interfaces::description;
pub use metering::Ignored;
pub use set::{Options, OptionsError};
pub(in crate::ipfix) use subject::put_text;
pub use subject::{About, Records, Refresh, Sent, Stamp, Subject, View};
pub use types::ElementType;
