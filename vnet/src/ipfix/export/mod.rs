//! The exporting process: exporters, their streams and reports, and what leaves by which transport.
//!
//! Nothing here reads a clock or a socket. `flow-report-process` calls [`Exporter::run`] when [`Exporter::next_due`]
//! says so and lends it a [`Transport`]; meters add records in between through [`Exporter::with_output`].

mod config;
mod destination;
mod entry;
mod exporter;
mod lane;
mod open;
mod output;
mod pass;
mod rate;
mod report;
mod stream;
mod table;
#[cfg(test)]
mod tests;
mod time;
mod transport;

pub use config::{
    ConfigError, DEFAULT_PATH_MTU, DEFAULT_PORT, DEFAULT_TEMPLATE_INTERVAL, DISABLED_LINE,
    Endpoints, ExporterConfig, ExporterRequest, Fib, MAX_DSCP, MAX_PATH_MTU, MIN_PATH_MTU, Via,
};
pub use destination::{Destination, Policy, RELIABLE_MESSAGE, ReliableId, Setup};
pub use exporter::{
    AddReportError, Exporter, NoSuchReport, OutputUnavailable, ReportId, ReportKey, ReportState,
    RewriteError, TemplateDefect,
};
pub use open::DataSet;
pub use output::{Output, OutputError};
pub use pass::FLUSH_INTERVAL;
pub use report::{FlowReport, Report, TemplateFields};
pub use stream::{Counters, Outlet, SendMessage, Stream, StreamKey};
pub use table::StreamConflict;
pub use time::ExportTime;
pub use transport::{Outgoing, SendError, Session, Transport};
