//! Classifier tables: some bits of a packet, compared with sessions.
//!
//! A [`Table`] has a [`Mask`] of one to five vectors of 16 bytes behind some that are left out, and *sessions*: masked bytes,
//! and what a node does with packets that have them ([`Action`]). Tables follow each other: a packet that belongs to no
//! session of one is looked up in the next. What becomes of it is up to the node that asks; tables serve all of them alike.
//!
//! | file | idea |
//! |---|---|
//! | `mask` | masks and keys |
//! | `fields` | the words of masks and matches |
//! | `window` | a packet as masks see it |
//! | `sessions` | keys, counts, and the index |
//! | `table` | tables, and what each thread has for them |
//! | `lookup` | looking frames up |
//! | `handle` | [`Classifier`]: operations on tables |
//! | `reader` | reading sessions while packets flow |
//! | `commands`, `show` | `classify table`, `classify session`, `show classify tables` |
//! | [`api`] | messages of the binary API |
//! | `report` | tables as IPFIX reports |
//! | `filter` | which packets captures and traces take |
//!
//! # Who writes what
//!
//! Tables and configured sessions are a [`Shared`](crate::runtime::Shared) value: nodes read them without cost, and commands
//! change them under the barrier. What packets change has one writer each: a thread's [`Shard`] holds the hits that its
//! packets had on every session, and the sessions that its packets made ([`OnMiss::Create`]). So no counter and no index is
//! written by two threads; a session whose packets came by two threads is in both shards, and whoever shows or reports it
//! adds them up. A key is in a shard or among the configured sessions, never in both.
//!
//! # Memory
//!
//! A table has room for as many configured sessions as fit into its memory, and each thread for as many sessions of its own
//! in as much again. Nothing is evicted: a packet for which there is no room is told so ([`Outcome::TableFull`]), and the node
//! counts it.

pub mod api;
mod commands;
mod fields;
mod filter;
mod handle;
mod lookup;
mod mask;
mod reader;
mod report;
mod sessions;
mod show;
mod table;
#[cfg(test)]
mod tests;
mod window;

pub(crate) use api::register_api;
pub use fields::Pattern;
pub(crate) use filter::Asking;
pub use filter::FilterUse;
pub use handle::{Classifier, ClassifyError, SessionState};
pub use lookup::{Lookup, OnMiss, Outcome};
pub use mask::{Key, MAX_BYTES, MAX_SKIP, MAX_VECTORS, Mask, MaskError, VECTOR_BYTES};
pub use reader::TableReader;
pub use sessions::{NoMemory, SessionIndex};
pub use table::{Action, Effect, NextSlot, Shard, Table, TableIndex, TableSpec, Tables};
pub use window::{LINK_BYTES, Window};

use crate::plugin::{Command, Registrar};

/// What reports tables, and what filters by them.
pub(crate) fn register(r: &mut Registrar) {
    report::register(r);
    filter::register(r);
}

/// All commands on tables and filters.
pub(crate) fn commands() -> Vec<Command> {
    commands::commands().into_iter().chain(filter::commands()).collect()
}
