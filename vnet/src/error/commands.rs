//! `show errors` and `clear errors`.

use super::ErrorCounters;
use crate::{
    command::{Align, Column, Table, flag},
    plugin::Command,
};

crate::args! {
    struct Show {
        verbose: bool = flag("verbose").help("those that are zero, too"),
    }
}

pub(crate) fn commands() -> Vec<Command> {
    let text = "Show what nodes have counted, above all why they dropped packets.";
    let show_errors = |path| {
        Command::sync(path, text, |cx, args: Show| {
            cx.with(|main| show(main.errors(), args.verbose))
        })
    };
    vec![
        show_errors("show errors"),
        show_errors("show node counters"),
        Command::sync("clear errors", "Start counting errors from zero.", |cx, (): ()| {
            cx.with(|main| main.errors().clear());
        }),
    ]
}

fn show(errors: &ErrorCounters, verbose: bool) -> Table {
    let mut table = Table::new([
        Column::new("Count", 10, Align::Right).titled(Align::Center),
        Column::new("Node", 35, Align::Center),
        Column::new("Reason", 35, Align::Center),
        Column::new("Severity", 10, Align::Center),
    ]);
    for row in errors.rows().filter(|row| verbose || row.count > 0) {
        table.row([
            row.count.into(),
            row.node.into(),
            row.reason.description.as_str().into(),
            row.reason.severity.to_string().into(),
        ]);
    }
    table
}
