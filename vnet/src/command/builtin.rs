//! The commands that need no engine.

use std::path::PathBuf;
use std::time::Duration;

use super::error::Error;
use super::grammar::{positional, rest};
use super::output::{Align, Cell, Column, Output, Table};
use super::session::{Context, Session, run_file, run_script};
use super::tree::{Command, Tree, TreeError};
use super::value;

crate::args! {
    struct Text {
        text: Option<String> = rest("text").optional(),
    }
}

crate::args! {
    struct Path {
        words: Option<String> = rest("command").optional(),
    }
}

crate::args! {
    struct File {
        path: PathBuf = positional(value::file()),
    }
}

crate::args! {
    struct Seconds {
        time: Duration = positional(value::seconds()),
    }
}

crate::args! {
    struct Switch {
        on: bool = positional(value::on_off()),
    }
}

crate::args! {
    struct Lines {
        block: value::Block = positional(value::block()),
    }
}

/// Adds the built-in commands.
pub fn add_builtins<C: Context>(tree: &mut Tree<C>) -> Result<(), TreeError> {
    let commands = general().into_iter().chain(terminal()).chain(leaving());
    commands.into_iter().try_for_each(|command| tree.add(command))
}

fn general<C: Context>() -> Vec<Command<C>> {
    vec![
        Command::sync("help", "Print help on a command, or list commands.", |cx: C, args: Path| {
            let words = args.words.unwrap_or_default();
            cx.tree().help(&words).map_err(|failure| failure.error)
        }),
        Command::sync("show cli", "List all commands.", |cx: C, (): ()| cx.tree().list()),
        Command::sync("echo", "Print a text.", |_: C, args: Text| {
            format!("{}\n", args.text.unwrap_or_default())
        }),
        Command::sync(
            "comment",
            "Do nothing; the text, or the lines in braces, are ignored.",
            |_: C, _: Text| (),
        ),
        Command::new("uncomment", "Run the commands in braces.", uncomment),
        Command::new("exec", "Run the commands of a file, up to the first that fails.", exec)
            .details("The error reads FILE:LINE: message. Files may run other files, 8 deep."),
        Command::new("wait", "Wait for a time in seconds.", |cx: C, args: Seconds| async move {
            cx.sleep(args.time).await;
        }),
        Command::sync("history", "List the last commands.", |cx: C, (): ()| history(&cx.session())),
    ]
}

fn terminal<C: Context>() -> Vec<Command<C>> {
    vec![
        Command::sync(
            "set terminal pager",
            "Stop after each screenful, or do not.",
            |cx: C, args: Switch| {
                cx.session().change_terminal(|terminal| terminal.pager = args.on);
            },
        ),
        Command::sync(
            "set terminal ansi",
            "Use colours and cursor movements, or do not.",
            |cx: C, args: Switch| {
                cx.session().change_terminal(|terminal| terminal.ansi = args.on);
            },
        ),
        Command::sync(
            "set terminal history",
            "Remember commands, or do not.",
            |cx: C, args: Switch| {
                cx.session().change_terminal(|terminal| terminal.history = args.on);
            },
        ),
        Command::sync("show terminal", "Show the settings of this terminal.", |cx: C, (): ()| {
            settings(&cx.session())
        }),
    ]
}

fn leaving<C: Context>() -> Vec<Command<C>> {
    ["quit", "q", "exit"]
        .into_iter()
        .map(|word| {
            Command::sync(word, "Leave.", |cx: C, (): ()| {
                cx.session().quit();
            })
        })
        .collect()
}

async fn exec<C: Context>(cx: C, args: File) -> Result<(), Error> {
    run_file(&cx, &args.path).await
}

async fn uncomment<C: Context>(cx: C, args: Lines) -> Result<(), Error> {
    run_script(&cx, "uncomment", &args.block.text).await
}

fn history(session: &Session) -> Table {
    let mut table =
        Table::new([Column::new("Number", 6, Align::Left), Column::new("Command", 0, Align::Left)])
            .without_header();
    for (number, line) in (1u64..).zip(session.history()) {
        table.row([number.into(), line.into()]);
    }
    table
}

fn settings(session: &Session) -> Output {
    let terminal = session.terminal();
    let mut table =
        Table::new([Column::new("Setting", 10, Align::Left), Column::new("Value", 0, Align::Left)])
            .without_header();
    let rows = [("pager", terminal.pager), ("ansi", terminal.ansi), ("history", terminal.history)];
    for (name, on) in rows {
        table.row([name.into(), Cell::shown(if on { "on" } else { "off" }, on)]);
    }
    table.into()
}
