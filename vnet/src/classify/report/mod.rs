//! Classifier tables as IPFIX reports: a record for each session, with the fields that the mask compares to their last bit
//! and the packets counted.
//!
//! `set ipfix classify stream` says on which stream, `ipfix classify table add` which tables. A table is told whole whenever
//! the exporter's reports are due: at least every five seconds, and on `ipfix flush`.

mod api;
mod commands;
mod registry;
mod template;

pub(crate) use commands::register;
