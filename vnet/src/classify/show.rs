//! What `show classify tables` prints.

use super::{ClassifyError, NextSlot, SessionState, TableIndex, TableSpec, mask::Hex};
use crate::{
    command::{Cell, Output, Record},
    runtime::Main,
};

/// One table or all of them, with their sessions where `verbose` says so.
pub(super) fn tables(
    main: &mut Main,
    index: Option<TableIndex>,
    verbose: bool,
) -> Result<Output, ClassifyError> {
    let classifier = main.classifier().clone();
    let known: Vec<_> = classifier.tables(main).iter().map(|(at, t)| (at, *t.spec())).collect();
    if let Some(index) = index.filter(|index| known.iter().all(|(at, _)| at != index)) {
        return Err(ClassifyError::NoSuchTable(index.0));
    }
    if known.is_empty() {
        let none = Record::new().line("No classifier tables configured");
        return Ok(none.nested("tables", 0, Output::List(Vec::new())).into());
    }
    let mut shown = Vec::new();
    for (at, spec) in known.iter().filter(|(at, _)| index.is_none_or(|index| index == *at)) {
        let sessions = classifier.sessions(main, *at)?;
        let limit = classifier.tables(main).get(*at).map_or(0, |t| t.configured.limit());
        shown.push(table(main, *at, spec, (limit, &sessions), verbose).into());
    }
    let titles = ["TableIdx", "Sessions", "NextTbl", "NextNode"];
    let header: String = titles.iter().map(|title| format!("{title:>10}")).collect();
    Ok(Record::new().line(header).nested("tables", 0, Output::List(shown)).into())
}

fn table(
    main: &Main,
    TableIndex(index): TableIndex,
    spec: &TableSpec,
    (limit, sessions): (usize, &[SessionState]),
    verbose: bool,
) -> Record {
    let TableSpec { mask, buckets, memory, current_data, next_table, miss_next } = spec;
    let next_table = next_table.map_or(-1, |TableIndex(next)| i64::from(next));
    let (flag, offset) = (u32::from(current_data.is_some()), i64::from(current_data.unwrap_or(0)));
    let (skip, vectors, bytes) = (mask.skip(), mask.vectors(), mask.bytes());
    let miss_next = slot(*miss_next);
    let record = Record::new()
        .line(format!("{index:>10}{:>10}{next_table:>10}{miss_next:>10}", sessions.len()))
        .line(format!("  Memory: {memory} bytes, room for {limit} sessions"))
        .line(format!(
            "  nbuckets {buckets}, skip {skip} match {vectors} flag {flag} offset {offset}"
        ))
        .line(format!("  mask {}", Hex(&bytes)))
        .line("  linear-search buckets 0")
        .field("index", index)
        .field("sessions", sessions.len())
        .field("next_table", next_table)
        .field("miss_next", miss_next)
        .field("memory", *memory)
        .field("limit", limit)
        .field("buckets", *buckets)
        .field("skip", skip)
        .field("match", vectors)
        .field("current_data_flag", flag)
        .field("current_data_offset", offset)
        .field("mask", Hex(&bytes).to_string());
    if !verbose {
        return record;
    }
    let list = sessions.iter().enumerate().map(|(at, session)| entry(main, at, session).into());
    record.nested("entries", 0, Output::List(list.collect()))
}

fn entry(main: &Main, at: usize, session: &SessionState) -> Record {
    let SessionState { key, action, is_learned, hits, last_heard } = session;
    let (next, opaque) = (slot(action.next), i64::from(action.opaque.cast_signed()));
    let (effect, metadata) = (action.effect.number(), action.effect.metadata());
    let (advance, seconds) = (action.advance, last_heard.as_secs_f64());
    let record = Record::new()
        .line(format!(
            "    [{at}]: next_index {next} advance {advance} opaque {opaque} action {effect} \
             metadata {metadata}"
        ))
        .line(format!("        k: {}", Hex(key)))
        .line(format!("        hits {hits}, last_heard {seconds:.2}"))
        .field("next_index", next)
        .field("advance", i64::from(advance))
        .field("opaque", opaque)
        .field("action", effect)
        .field("metadata", metadata)
        .field("key", Hex(key).to_string())
        .field("learned", Cell::shown("", *is_learned))
        .field("hits", *hits)
        .field("last_heard", Cell::Fixed(seconds, 2));
    if !action.named.is_some() {
        return record;
    }
    let named = main.actions().describe(main, action.named);
    record.line(format!("        action {named}")).field("named_action", named)
}

/// As VPP prints a slot: none is -1.
fn slot(NextSlot(slot): NextSlot) -> i64 {
    slot.cast_signed().into()
}
