//! The user's end of a session, for the engine in this process and for a running one alike.
//!
//! | file | idea |
//! |---|---|
//! | `interactive` | prompt, editing, history, `?`, until the user leaves |
//! | `editor` | completion and line continuation for the line editor |
//! | `pager` | long output, a screenful at a time |
//! | `batch` | lines from a pipe or a file |

pub mod batch;
mod editor;
mod interactive;
pub mod pager;

use std::path::PathBuf;

use crate::{
    control::client::{Client, ClientError},
    stdout::StdoutError,
    terminal,
};

/// How a shell looks.
#[derive(Clone, Debug)]
pub struct Look {
    /// What greets the user.
    pub banner: Option<String>,
    /// Colours may be used.
    pub color: bool,
    /// Long output is shown a screenful at a time.
    pub pager: bool,
    /// Longest output in lines that is paged; 0 is any.
    pub pager_limit: usize,
    /// Lines that are remembered from one run to the next.
    pub history_limit: usize,
    /// Signals are for this shell: one that interrupted a command has done what it should.
    pub takes_signals: bool,
}

/// How a shell ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The user left, or the input ended.
    Left {
        /// Whether a command failed. At a prompt the user has seen it, and that is no failure of the program.
        failed: bool,
    },
    /// A signal.
    Interrupted,
}

/// Why a shell could not go on.
#[derive(Debug, thiserror::Error)]
pub enum ShellError {
    /// The engine.
    #[error("{0}")]
    Client(#[from] ClientError),
    /// The terminal.
    #[error("terminal: {0}")]
    Terminal(#[from] rustyline::error::ReadlineError),
    /// Standard input.
    #[error("standard input: {0}")]
    Stdin(std::io::Error),
    /// Standard output.
    #[error(transparent)]
    Stdout(#[from] StdoutError),
}

/// Lets the user, or a program in the user's place, work in the session until it ends.
///
/// # Errors
/// When the session, the input or the output breaks.
pub fn run(client: Client, look: &Look) -> Result<End, ShellError> {
    if terminal::is_interactive() { interactive::run(client, look) } else { batch::run(client) }
}

/// The first lines on a terminal.
#[must_use]
pub fn banner(about: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!(
        "peloton {version}, {about}\nType ? for help, Tab to complete a word, quit to leave.\n\n"
    )
}

/// Where lines are remembered: `$XDG_STATE_HOME/peloton/history`, or the same under `~/.local/state`.
fn history_file() -> Option<PathBuf> {
    let absolute =
        |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")));
    Some(state?.join("peloton/history"))
}
