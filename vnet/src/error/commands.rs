//! `show errors` and `clear errors`.

use super::ErrorCounters;
use crate::{
    command::{Align, Cell, Column, Output, Record, Table, flag, positional, value},
    counter::{ErrorRow, ThreadIndex},
    plugin::Command,
    runtime::{Main, thread_name},
};

crate::args! {
    struct Show {
        verbose: bool = flag("verbose").help("by thread, and with the number of each"),
        level: u32 = positional(value::number(0..=9).hint("level"))
            .or(1)
            .help("of `verbose`; from 2 on those that are zero, too"),
    }
}

pub(crate) fn commands() -> Vec<Command> {
    let text = "Show what nodes have counted, above all why they dropped packets.";
    let show_errors =
        |path| Command::sync(path, text, |cx, args: Show| cx.with(|main| show(main, &args)));
    vec![
        show_errors("show errors"),
        show_errors("show node counters"),
        Command::sync("clear errors", "Start counting errors from zero.", |cx, (): ()| {
            cx.with(|main| main.errors().clear());
        }),
    ]
}

fn show(main: &Main, args: &Show) -> Output {
    let errors = main.errors();
    if !args.verbose {
        return table(errors, args, |row| row.count).into();
    }
    let of_thread = |number: u16| {
        let counts = |row: &ErrorRow<'_>| errors.per_thread(ThreadIndex(number), row.index);
        Record::new()
            .line(format!("Thread {number} ({}):", thread_name(number.into())))
            .field("thread", u32::from(number))
            .nested("counters", 0, table(errors, args, counts))
    };
    let total = Record::new().line("Total:").nested("total", 0, table(errors, args, |r| r.count));
    let threads = (0..main.threads() as u16).map(of_thread);
    Output::List(threads.chain([total]).map(Output::from).collect())
}

fn table(errors: &ErrorCounters, args: &Show, count: impl Fn(&ErrorRow<'_>) -> u64) -> Table {
    let mut columns = vec![
        Column::new("Count", 10, Align::Right).titled(Align::Center),
        Column::new("Node", 35, Align::Center),
        Column::new("Reason", 35, Align::Center),
        Column::new("Severity", 10, Align::Center),
    ];
    if args.verbose {
        columns.push(Column::new("Index", 6, Align::Center));
    }
    let mut table = Table::new(columns);
    for row in errors.rows() {
        let count = count(&row);
        if count == 0 && !(args.verbose && args.level >= 2) {
            continue;
        }
        let mut cells: Vec<Cell> = vec![
            count.into(),
            row.node.into(),
            row.reason.description.as_str().into(),
            row.reason.severity.to_string().into(),
        ];
        if args.verbose {
            cells.push(u32::from(row.index.0).into());
        }
        table.row(cells);
    }
    table
}
