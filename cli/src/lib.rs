//! The `peloton` program, as a library so that tests can call its parts.
//!
//! Without a command the program is an engine with a prompt; [`startup`] says how it begins. Otherwise [`main`] finds the
//! command that the first argument names in [`COMMANDS`]. A command reads its own options; what they mean is in its `--help`,
//! which is one text beside the code that reads them. Results go to standard output, all else to standard error, and the
//! exit status is 0 when everything went well, 1 when something failed, 2 when the command line makes no sense, and 128 plus
//! the signal's number when a signal ended the command early. An engine that a signal ends has ended well.

pub mod args;
pub mod bench;
pub mod collect;
pub mod control;
mod ctl;
mod denied;
mod exec;
pub mod plugins;
pub mod probe;

pub mod records;
pub mod replay;
pub mod shell;
pub mod signal;
mod start;
pub mod startup;
pub mod stdout;
mod terminal;

use std::{
    ffi::OsString,
    io::{self, Write},
    process::ExitCode,
};

use args::{Failure, UsageError};
use startup::Startup;

/// A command of the program.
pub struct Command {
    /// The word that calls it.
    pub name: &'static str,
    /// What it does, in a line.
    pub about: &'static str,
    /// What `--help` prints.
    pub help: &'static str,
    /// Reads the rest of the command line and does it.
    pub run: fn(&mut lexopt::Parser) -> Result<ExitCode, Failure>,
}

/// All commands, in the order in which the help lists them.
pub const COMMANDS: &[Command] = &[
    ctl::COMMAND,
    exec::COMMAND,
    replay::COMMAND,
    probe::COMMAND,
    collect::COMMAND,
    bench::COMMAND,
];

/// What `--version` prints.
const VERSION: &str = concat!("peloton ", env!("CARGO_PKG_VERSION"), "\n");

/// Runs the program with these arguments, the first of which is the name that it was called by.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut parser = lexopt::Parser::from_iter(args);
    match dispatch(&mut parser) {
        Ok(status) => status,
        Err(failure) => {
            complain(&failure);
            failure.status()
        }
    }
}

/// Tells the operator on standard error what went wrong.
pub fn complain(error: &dyn core::fmt::Display) {
    // When even standard error is gone, the exit status is all that is left.
    let _: io::Result<()> = writeln!(io::stderr(), "peloton: {error}");
}

fn dispatch(parser: &mut lexopt::Parser) -> Result<ExitCode, Failure> {
    use lexopt::Arg;
    let name = match parser.next().map_err(UsageError::from)? {
        Some(Arg::Short('h') | Arg::Long("help")) => return print(&help()),
        Some(Arg::Short('V') | Arg::Long("version")) => return print(VERSION),
        Some(Arg::Short('c') | Arg::Long("config")) => return start::from_file(parser),
        Some(Arg::Value(name)) => name,
        Some(other) => return Err(UsageError::from(other.unexpected()).into()),
        None => return start::plain(),
    };
    if name.to_str().is_some_and(Startup::is_stanza) {
        return start::from_words(name, parser);
    }
    if name == "help" {
        return print(&help());
    }
    let command = COMMANDS.iter().find(|command| name == command.name);
    let command = command.ok_or_else(|| UsageError::UnknownCommand(name.display().to_string()))?;
    match (command.run)(parser) {
        Err(Failure::Help) => print(command.help),
        Err(Failure::Version) => print(VERSION),
        Err(Failure::Usage { error, .. }) => {
            Err(Failure::Usage { command: Some(command.name), error })
        }
        done => done,
    }
}

fn help() -> String {
    let mut text = String::from(
        "peloton - a vector packet-processing engine with flow telemetry

Usage: peloton                       An engine with a prompt
       peloton -c FILE               The same, by a startup file in VPP's syntax
       peloton STANZA { ... } ...    The same, by such stanzas: unix, cpu, buffers, ...
       peloton COMMAND [OPTION...]

Commands:
",
    );
    for Command { name, about, .. } in COMMANDS {
        text += &format!("  {name:<10}{about}\n");
    }
    text + "
Options:
  -c, --config FILE  Start as the file says
  -h, --help         Print this, or after a command its own help
  -V, --version      Print the version

On a terminal the engine has a prompt unless the startup file says nodaemon; from a pipe
it takes a command a line, and has status 1 at the end when any of them failed. It stays in
the foreground. SIGINT and SIGTERM end it in good order: flow records are sent, the control
socket is removed.
"
}

fn print(text: &str) -> Result<ExitCode, Failure> {
    stdout::print(text)?;
    Ok(ExitCode::SUCCESS)
}
