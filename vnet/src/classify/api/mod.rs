//! Messages about classifier tables, their sessions, and filters. Those about access lists and counted packets are answered by
//! the nodes that look packets up.

mod filters;
mod messages;
mod tables;

pub use messages::*;

use super::TableIndex;
use crate::plugin::Registrar;

/// What stands for no table.
const NONE: u32 = u32::MAX;

pub(crate) fn register_api(registrar: &mut Registrar) {
    let api = registrar.api();
    api.file(&CLASSIFY);
    tables::register(api);
    filters::register(api);
}

/// The table that a message names, if it names one.
#[must_use]
pub fn table(index: u32) -> Option<TableIndex> {
    (index != NONE).then_some(TableIndex(index))
}

/// How messages name it.
#[must_use]
pub fn index(table: Option<TableIndex>) -> u32 {
    table.map_or(NONE, |TableIndex(index)| index)
}
