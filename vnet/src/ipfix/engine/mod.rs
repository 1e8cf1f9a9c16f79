//! The exporters of an engine: what `set ipfix exporter` and `ipfix exporter` configure and `flow-report-process` runs.
//!
//! [`Ipfix`] is the way to them, for plugins and commands; the [`Registrar`](crate::plugin::Registrar) has that of exporter 0.
//! An exporter itself ([`Exporter`](super::export::Exporter)) knows neither clock nor socket: here it is given the engine's
//! clock, and its ways out.
//!
//! | file | idea |
//! |---|---|
//! | `handle` | [`Ipfix`]: reports, flushes |
//! | `settings`, `operations` | what operators say of exporters and collectors, and what comes of it |
//! | `state` | the exporters, and a pass over them |
//! | `process` | `flow-report-process`: when exporters run |
//! | `graph` | messages as packets to `ip4-lookup` and `ip6-lookup` |
//! | `kernel` | messages through UDP sockets of the host |
//! | `reliable` | messages over TCP and TLS and to IPFIX Files |
//! | `queue`, `waiting` | flow records on their way from the nodes of any thread to an exporter |
//! | `commands`, `exporter_commands` | VPP's commands, and those beyond |
//! | `show`, `show_exporters` | `show ipfix ...` |
//! | `api` | messages of the binary API |
//!
//! # From a packet to a message
//!
//! A meter on a worker makes a [`FlowRecord`](crate::flow::FlowRecord) while a node looks at a frame, and puts it into the
//! worker's [`Outbox`], a bounded queue without locks and without allocation. The report of the meter ([`FlowQueues`]) takes
//! records out of all outboxes in its data callback and encodes them into the stream's open message. Encoding is the
//! exporter's work and not the worker's, since only the exporter knows the session: template identifiers, path MTU and
//! sequence number all change with a reconfiguration, and a message built before it would be a message of a session that
//! is gone. It costs 15 to 30 clocks a record, so one thread keeps up with what many workers can make.
//!
//! Records wait at most five seconds; an outbox that is half full rings for the process, and one that is fuller tells
//! its owner to make no records that can wait ([`Outbox::has_room`]): a flow that is due stays in its cache. A record that
//! cannot wait (an evicted flow, a record a packet) and finds no room is counted as lost, with its packets.

pub mod api;
mod commands;
mod exporter_commands;
mod graph;
mod handle;
mod incomplete;
mod kernel;
mod operations;
mod process;
mod queue;
mod reliable;
mod settings;
mod show;
mod show_exporters;
mod state;
#[cfg(test)]
mod tests;
mod waiting;

pub use handle::{Ipfix, Statistics};
pub use incomplete::{Incomplete, Shortfall};
pub use kernel::KernelCounters;
pub use operations::{CollectorRequest, ExporterError};
pub use queue::{FlowQueues, Latency, Outbox, QueueCounters};
pub use settings::{Collector, Settings};
pub use state::ExporterId;
