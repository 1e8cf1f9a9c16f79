//! `show logging` and `clear logging`.

use crate::{
    command::{Cell, Record},
    plugin::Command,
};

pub(crate) fn commands() -> Vec<Command> {
    let as_record = |(text, json): (String, serde_json::Value)| {
        let lines = text.lines().fold(Record::new(), Record::line);
        lines.field("entries", Cell::shown("", json))
    };
    vec![
        Command::sync("show logging", "Show the log.", move |cx, (): ()| {
            as_record(cx.with(|main| main.log().show()))
        }),
        Command::sync(
            "show logging configuration",
            "Show the classes of the log.",
            move |cx, (): ()| as_record(cx.with(|main| main.log().show_configuration())),
        ),
        Command::sync("clear logging", "Forget the log.", |cx, (): ()| {
            cx.with(|main| main.log().clear());
        }),
    ]
}
