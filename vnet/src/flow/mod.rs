//! The metering process (RFC 7011 section 2): packets in, flow records out.
//!
//! A [`Meter`] serves one kind of observation point: the `ip4`, the `ip6` or the `l2` variant of flowprobe, or the passive
//! point of a replay. It is given frames of [`Observed`] packets, classifies each by its flow key, accounts for it in a flow
//! cache, and hands [`FlowRecord`]s to a sink. Where one interface is measured by several variants each has a meter of its
//! own, so that the sums of each hold by themselves; direction and interfaces are part of the key.
//!
//! ```
//! use vnet::{
//!     flow::{Config, Families, Meter, Observed, RecordSet, Scope, Start},
//!     interface::SwIfIndex,
//!     runtime::PacketTime,
//!     wire::link::LinkType,
//! };
//!
//! let config = Config::new(Families::IP4 | Families::IP6, RecordSet::L3 | RecordSet::L4);
//! let mut meter = Meter::new(&config)?;
//! let frame = [0; 60];
//! let observed = Observed {
//!     time: PacketTime(1_700_000_000_000_000_000),
//!     ..Observed::new(&frame, Start::Link(LinkType::Ethernet), SwIfIndex(1))
//! };
//! let mut records = Vec::new();
//! meter.frame([observed], &mut |record: &_| records.push(*record));
//! meter.flush(Scope::All, &mut |record: &_| records.push(*record));
//! assert!(records.is_empty(), "sixty zeros are not IP");
//! assert_eq!(meter.counters().seen, 1);
//! # Ok::<(), vnet::flow::MeterError>(())
//! ```
//!
//! Who owns what: a meter belongs to one worker and shares nothing. Its memory is reserved once, bounded by
//! [`Config::max_flows`], and touched as flows come; nothing is allocated for a packet or a record.
//!
//! | file | idea |
//! |---|---|
//! | `meter` | the public face: frames, sweeps, flushes |
//! | `tables` | the tables of a meter, and how packets come into them |
//! | `observe` | what is known of a packet, and how it becomes a key and a sample |
//! | `site`, `outer` | for whom packets are sampled, and the tunnels that they came in |
//! | `switched` | frames of a switch on their way into tables |
//! | `order` | which flow is the oldest |
//! | `context` | what is known of a packet that is not in it |
//! | `selection` | which fields tell flows apart |
//! | `key` | flow keys as words, one type a kind of flow |
//! | `meters` | counters, times and flags of a flow in five words |
//! | `details` | what is kept beyond that, for templates that ask for it |
//! | `rules` | when a record is made and when a flow ends; the only place that knows |
//! | `table` | the open-addressing table: find, insert, evict, expire |
//! | `directory` | which slots are taken, and where a flow may lie |
//! | `growth` | how a table takes more slots into use |
//! | `cache` | memory and staging of one table |
//! | `alarm` | when threads look for flows that are due |
//! | `memory` | how many flows fit into how much memory |
//! | `hash` | CRC32C and prefetch |
//! | `fragments` | which flow later fragments belong to |
//! | [`sample`] | which packets are measured at all |
//!
//! The rules of time and of accounting, and measured figures, are in `docs/FLOWS.md`.

mod alarm;
mod brief;
mod cache;
#[cfg(test)]
mod captures;
mod config;
mod context;
mod counters;
mod details;
mod directory;
mod fragments;
mod growth;
pub(crate) mod hash;
mod key;
mod lanes;
mod memory;
mod meter;
mod meters;
mod observe;
mod order;
mod outer;
#[cfg(test)]
mod properties;
mod record;
mod rules;
pub mod sample;
mod selection;
mod site;
#[cfg(test)]
mod starts;
mod switched;
mod table;
mod tables;
#[cfg(test)]
mod twin;
mod vector;

pub use alarm::{Alarm, Left};
pub(crate) use brief::Brief;
pub use config::{Config, DEFAULT_MAX_FLOWS, Families, Pages, RecordSet, StartTime, Switch};
pub use context::{Context, FlowContext, Known};
pub use counters::Counters;
pub use details::{Anomalies, DetailKeys, DetailMeters, Details, LABELS, REORDERING, Seen, Side};
pub use fragments::{FRAGMENT_TIMEOUT, FragmentCounters};
pub use hash::{crc32c, prefetch_in};
pub use meter::{Meter, MeterError, Scope};
pub use observe::{Observed, Start, Unmeasured};
pub use outer::{Outer, TunnelKind};
pub use record::{Addresses, Direction, EndReason, FlowRecord};
pub use rules::LINGER;
pub use selection::{Keys, Selection};
pub use site::{Rate, Site};
