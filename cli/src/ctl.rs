//! `peloton ctl`: commands for a running engine.

use std::{path::PathBuf, process::ExitCode};

use lexopt::Arg;

use crate::{
    Command,
    args::{Failure, UsageError, file},
    control::{client::Client, listener::DEFAULT_PATH},
    shell::{self, End, Look, batch},
    signal, terminal,
};

const HELP: &str = "\
peloton ctl - commands for a running engine

Usage: peloton ctl [OPTION...] [COMMAND...]

With words of a command, runs it and prints what it prints. Without, gives a prompt on a
terminal, with history, completion and ?; or else takes a command a line from standard
input.

  -s, --socket PATH        The engine's control socket (default /run/peloton/cli.sock)
  -h, --help               Print this

Exit status: 0 when the command succeeded, and in the end of a prompt; 1 when a command
failed, or no engine was found; 2 when the command line makes no sense; 130 after an
interrupt, which ends the command that runs.
";

/// The command `ctl`.
pub(crate) const COMMAND: Command =
    Command { name: "ctl", about: "Run commands in a running engine", help: HELP, run: ctl };

fn ctl(parser: &mut lexopt::Parser) -> Result<ExitCode, Failure> {
    let mut socket = PathBuf::from(DEFAULT_PATH);
    let mut words = Vec::new();
    while let Some(arg) = parser.next().map_err(UsageError::from)? {
        match arg {
            Arg::Short('s') | Arg::Long("socket") => {
                socket = file("--socket", parser.value().map_err(UsageError::from)?)?;
            }
            Arg::Short('h') | Arg::Long("help") => return Err(Failure::Help),
            Arg::Short('V') | Arg::Long("version") => return Err(Failure::Version),
            Arg::Value(word) => {
                words.push(word);
                words.extend(parser.raw_args().map_err(UsageError::from)?);
            }
            other => return Err(UsageError::from(other.unexpected()).into()),
        }
    }
    let failed = |error| Failure::failed(format_args!("{}: {error}", socket.display()));
    let client = Client::connect(&socket).map_err(failed)?;
    if words.is_empty() {
        return converse(client);
    }
    let words: Vec<_> = words.iter().map(|word| word.as_encoded_bytes()).collect();
    once(client, &words.join(&b' '))
}

fn once(mut client: Client, line: &[u8]) -> Result<ExitCode, Failure> {
    signal::watch();
    let done = client.execute(line, &mut batch::print).map_err(Failure::failed)?;
    match signal::caught() {
        Some(signal) => Ok(signal.status()),
        None if done.ok => Ok(ExitCode::SUCCESS),
        None => Ok(ExitCode::FAILURE),
    }
}

fn converse(client: Client) -> Result<ExitCode, Failure> {
    let look = Look {
        banner: Some(shell::banner("connected to a running engine")),
        color: true,
        pager: true,
        pager_limit: 100_000,
        history_limit: 1000,
        takes_signals: true,
    };
    let _restore = terminal::Restore::new();
    if terminal::is_interactive() {
        signal::watch_interrupt();
    } else {
        signal::watch();
    }
    match shell::run(client, &look).map_err(Failure::failed)? {
        End::Left { failed: false } => Ok(ExitCode::SUCCESS),
        End::Left { failed: true } => Ok(ExitCode::FAILURE),
        End::Interrupted => Ok(ExitCode::from(130)),
    }
}
