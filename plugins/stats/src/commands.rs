//! `show statistics segment`, `show statistics hash`.

use vnet::{
    command::{Cell, Output, Record},
    counter::EntryInfo,
    prelude::*,
};

vnet::args! {
    struct Show {
        name: Option<String> = positional(value::word("counter-name")).optional()
            .help("one entry alone"),
        verbose: bool = flag("verbose").help("the segment as a whole, too"),
    }
}

pub(crate) fn register(r: &mut Registrar) {
    r.command(Command::sync(
        "show statistics segment",
        "Show what other processes find in the segment of counters.",
        |cx: CommandCx, args: Show| cx.with(|main| show(main, &args)),
    ));
    r.command(Command::sync(
        "show statistics hash",
        "Show which name stands where in the segment's directory.",
        |cx: CommandCx, (): ()| cx.with(hash),
    ));
}

fn show(main: &mut Main, args: &Show) -> Result<Output, CommandError> {
    let segment = main.segment_mut();
    let mut entries = segment.directory();
    let mut whole = Record::new();
    if args.verbose {
        let ((size, memory), epoch, count) = (segment.usage(), segment.epoch(), entries.len());
        whole = whole
            .line(format!("size {size}, memory {memory}, epoch {epoch}, {count} entries"))
            .field("size", size)
            .field("memory", memory)
            .field("epoch", epoch)
            .field("count", count as u64);
    }
    if let Some(name) = &args.name {
        entries.retain(|entry| entry.name == *name);
        let Some(entry) = entries.first() else {
            let text = format!("Counter '{name}' not found.");
            return Err(CommandError::failed(ApiError::NoSuchEntry, text));
        };
        let line = format!("Entry: {} (type {})", entry.name, entry.kind);
        whole = Record::new()
            .line(line)
            .field("name", entry.name.as_str())
            .field("type", entry.kind)
            .nested("segment", 0, whole);
        return Ok(whole.into());
    }
    let table = table(&entries);
    Ok(if args.verbose { whole.nested("entries", 0, table).into() } else { table.into() })
}

fn table(entries: &[EntryInfo]) -> Table {
    let mut table = Table::new([
        Column::new("Name", 74, Align::Left),
        Column::new("Type", 10, Align::Left).titled(Align::Right).gap(1),
        Column::new("Value", 10, Align::Right).gap(1),
    ]);
    for EntryInfo { name, kind, value, .. } in entries {
        table.row([name.as_str().into(), type_name(*kind).into(), Cell::from(*value)]);
    }
    table
}

/// VPP's word for a type of entry.
fn type_name(kind: u32) -> &'static str {
    match kind {
        1 => "ScalarPtr",
        2 | 3 => "CMainPtr",
        4 => "NameVector",
        6 => "Symlink",
        9 => "Gauge",
        _ => "illegal!",
    }
}

fn hash(main: &mut Main) -> Output {
    let mut entries = main.segment_mut().directory();
    entries.sort_by_key(|entry| entry.number);
    let lines = entries.into_iter().map(|EntryInfo { number, name, .. }| {
        let line = format!("{number}: {name}");
        Record::new().line(line).field("number", number).field("name", name.as_str()).into()
    });
    Output::List(lines.collect())
}
