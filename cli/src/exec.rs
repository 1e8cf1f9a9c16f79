//! `peloton exec`: the commands of a file in a fresh engine.

use core::time::Duration;
use std::{
    fs::File,
    io::{self, Read},
    path::PathBuf,
    process::ExitCode,
};

use lexopt::Arg;
use vnet::{
    command::{
        self, Reply, Terminal,
        lex::{MAX_INPUT, decode},
        statements,
    },
    plugin::{CommandCx, Engine},
    process::{Winner, race},
};

use crate::{
    Command,
    args::{Failure, UsageError, file},
    plugins::{Assembled, Choice},
    signal::{Signal, Signals},
    stdout,
};

/// Between two looks at the streams that are still to end.
const PAUSE: Duration = Duration::from_millis(1);

const HELP: &str = "\
peloton exec - run the commands of a file in a fresh engine

Usage: peloton exec FILE

Runs one command after the other, as `exec' does at the prompt, and prints what they
print; `-' is standard input. A line with an open brace goes on until it is closed, a
backslash at its end continues a line, and # begins a comment.

The first command that fails ends it, with `FILE:LINE: message' on standard error.
Commands return at once, as VPP's do: `wait SECONDS' lets the engine run for a time. After
the last command, streams of the packet generator that have a limit run to their end and
packets on their way are forwarded; after `quit', streams are left as they are. Then flow
records are sent.

  -h, --help               Print this

Exit status: 0 when all commands succeeded; 1 when one failed or the file could not be
read; 2 when the command line makes no sense; 130 after an interrupt.
";

/// The command `exec`.
pub(crate) const COMMAND: Command = Command {
    name: "exec",
    about: "Run the commands of a file in a fresh engine",
    help: HELP,
    run: exec,
};

fn exec(parser: &mut lexopt::Parser) -> Result<ExitCode, Failure> {
    let mut path = None;
    while let Some(arg) = parser.next().map_err(UsageError::from)? {
        match arg {
            Arg::Short('h') | Arg::Long("help") => return Err(Failure::Help),
            Arg::Short('V') | Arg::Long("version") => return Err(Failure::Version),
            Arg::Value(value) if path.is_none() => path = Some(file("FILE", value)?),
            other => return Err(UsageError::from(other.unexpected()).into()),
        }
    }
    let path = path.ok_or(UsageError::Missing("FILE"))?;
    let (name, bytes) = read(&path)?;
    let text = decode(&bytes).map_err(|fault| {
        let lines = bytes.iter().take(fault.at).filter(|&&byte| byte == b'\n').count();
        Failure::failed(format_args!("{name}:{}: {}", lines + 1, fault.error))
    })?;
    let assembled = Assembled::build(Engine::builder(), &Choice::all()).map_err(Failure::failed)?;
    let signals = Signals::watch().map_err(Failure::failed)?;
    let mut script = Script { assembled, signals };
    let ended = script.run(&name, text);
    let flushed = script.assembled.end();
    // The first thing that went wrong is told, and it is what ended the script.
    ended.and_then(|status| flushed.map(|()| status))
}

/// The file's name in errors, and what is in it.
fn read(path: &PathBuf) -> Result<(String, Vec<u8>), Failure> {
    let is_stdin = path.as_os_str() == "-";
    let name = if is_stdin { "standard input".to_owned() } else { path.display().to_string() };
    // One byte more than allowed, so that what is too long is seen to be.
    let limit = MAX_INPUT as u64 + 1;
    let mut bytes = Vec::new();
    let read = match is_stdin {
        true => io::stdin().lock().take(limit).read_to_end(&mut bytes),
        false => File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes)),
    };
    match read {
        Ok(_) => Ok((name, bytes)),
        Err(error) => Err(Failure::failed(format_args!("{name}: {error}"))),
    }
}

/// An engine that runs the commands of a text.
struct Script {
    assembled: Assembled,
    signals: Signals,
}

impl Script {
    fn run(&mut self, name: &str, text: &str) -> Result<ExitCode, Failure> {
        let terminal = Terminal { pager: false, ansi: false, history: true };
        let session = self.assembled.engine.session(terminal);
        for statement in statements(text) {
            let at = |line, error: &str| Failure::failed(format_args!("{name}:{line}: {error}"));
            let statement = statement.map_err(|(line, error)| at(line, &error.to_string()))?;
            let reply = match self.execute(&session, statement.text) {
                Ok(reply) => reply,
                Err(signal) => return Ok(signal.status()),
            };
            let (output, error) = reply.parts();
            stdout::print(output)?;
            if !reply.ok {
                return Err(at(statement.line, error.trim_end()));
            }
            if command::Context::session(&session).has_quit() {
                return Ok(ExitCode::SUCCESS);
            }
        }
        Ok(self.drain())
    }

    fn execute(&self, session: &CommandCx, line: &str) -> Result<Reply, Signal> {
        let (cx, engine) = (self.assembled.engine.cx(), &self.assembled.engine);
        let (session, line) = (session.clone(), line.as_bytes().to_vec());
        let signals = self.signals.clone();
        let run = async move { race(command::execute(session, &line), signals.next(&cx)).await };
        match engine.run_until(run) {
            Some(Winner::First(reply)) => Ok(reply),
            Some(Winner::Second(signal)) => Err(signal),
            // Only under a virtual clock does a command have nothing left to wait for.
            None => Ok(Reply { ok: true, text: String::new(), output_length: 0 }),
        }
    }

    /// Lets limited streams run to their end.
    fn drain(&self) -> ExitCode {
        let (cx, signals) = (self.assembled.engine.cx(), self.signals.clone());
        while self.assembled.is_generating() {
            let (cx, signals) = (cx.clone(), signals.clone());
            let pause = async move { race(cx.sleep(PAUSE), signals.next(&cx)).await };
            if let Some(Winner::Second(signal)) = self.assembled.engine.run_until(pause) {
                return signal.status();
            }
        }
        ExitCode::SUCCESS
    }
}
