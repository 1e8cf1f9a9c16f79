//! `show logging`, `clear logging` and `set logging`.

use std::time::Duration;

use super::{Level, UnknownClass};
use crate::{
    command::{
        ApiError, Cell, Error, OperationError, Output, Record, keyword, positional,
        value::{self, Value},
    },
    plugin::{Command, CommandCx},
};

crate::args! {
    struct Class {
        class: String = positional(value::word("class")),
        rate_limit: Option<u32> = keyword("rate-limit", value::number(0..=u32::MAX)).optional(),
        level: Option<Level> = keyword("level", level()).optional(),
        syslog_level: Option<Level> = keyword("syslog-level", level()).optional(),
    }
}

crate::args! {
    struct Size {
        messages: u32 = positional(value::number(1..=1_000_000)),
    }
}

crate::args! {
    struct UnthrottleTime {
        seconds: u32 = positional(value::number(0..=u32::MAX)),
    }
}

impl OperationError for UnknownClass {
    fn api_error(&self) -> ApiError {
        ApiError::NoSuchEntry
    }
}

fn level() -> Value<Level> {
    const EXPECTED: &str = "emerg, alert, crit, err, warn, notice, info, debug or disabled";
    Value::simple("level", EXPECTED, |word| word.parse().ok())
}

fn set_class(cx: CommandCx, args: Class) -> Result<Output, Error> {
    let Class { class, rate_limit, level, syslog_level } = args;
    if rate_limit.is_none() && level.is_none() && syslog_level.is_none() {
        return Err(Error::NothingToDo);
    }
    cx.with(|main| {
        main.log().set_class(&class, |settings| {
            settings.level = level.unwrap_or(settings.level);
            settings.syslog_level = syslog_level.unwrap_or(settings.syslog_level);
            settings.rate_limit = rate_limit.unwrap_or(settings.rate_limit);
        })
    })?;
    Ok(Output::None)
}

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
        Command::sync("set logging class", "Choose what a class lets pass.", set_class)
            .details("What is not named stays as it is."),
        Command::sync(
            "set logging size",
            "Choose how many messages are kept.",
            |cx, args: Size| {
                cx.with(|main| main.log().set_size(args.messages as usize));
            },
        ),
        Command::sync(
            "set logging unthrottle-time",
            "Choose for how many seconds a class is silent that said too much.",
            |cx, args: UnthrottleTime| {
                let time = Duration::from_secs(args.seconds.into());
                cx.with(|main| main.log().set_unthrottle_time(time));
            },
        ),
        Command::sync("clear logging", "Forget the log.", |cx, (): ()| {
            cx.with(|main| main.log().clear());
        }),
    ]
}
