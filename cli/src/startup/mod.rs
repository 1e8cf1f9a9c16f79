//! How to start: VPP's stanzas, from a file or from the words of the command line.
//!
//! | file | idea |
//! |---|---|
//! | `cpu` | threads and their cores |
//! | `text` | the syntax: words and `{ ... }`, and where each stands |
//! | `stanza` | the kinds of words, and how a stanza is read by them |
//! | `words` | the stanzas and their words, as a table |
//!
//! Plugins have stanzas of their own, whose words they declare ([`vnet::plugin::Stanza`]). A stanza or a word that is not in the table is an error, with its place and with what could stand there. Words of VPP that
//! mean nothing here are in the table too: they are taken, and leave a [note](Startup::notes) that says so.

mod cpu;
mod stanza;
mod text;
mod words;

use core::time::Duration;
use std::{ffi::OsString, fs::File, io::Read, path::Path, path::PathBuf};

use vnet::{
    command::lex::{MAX_INPUT, decode},
    log::Level,
};

use crate::plugins::Choice;
use text::Text;

pub use cpu::{Cpu, CpuError};
pub use text::{Place, Problem, StartupError};

/// What an engine is started with.
#[derive(Clone, Debug, PartialEq)]
pub struct Startup {
    /// `unix { ... }`.
    pub unix: Unix,
    /// `cpu { ... }`.
    pub cpu: Cpu,
    /// How many buffers there are; the engine decides unless told.
    pub buffers: Option<u32>,
    /// The plugins that the engine has, and what their stanzas say.
    pub plugins: Choice,
    /// `logging { ... }`.
    pub logging: Logging,
    /// What was accepted and has no effect, and where it stands.
    pub notes: Vec<String>,
}

/// How the program appears to its host and its user.
#[derive(Clone, Debug, PartialEq)]
pub struct Unix {
    /// There is a prompt on standard input.
    pub interactive: bool,
    /// There is none: the engine runs until a signal ends it.
    pub nodaemon: bool,
    /// The control socket.
    pub listen: Option<PathBuf>,
    /// The prompt, where one was chosen.
    pub prompt: Option<String>,
    /// Commands that are run first.
    pub exec: Option<PathBuf>,
    /// Where the log goes.
    pub log: Option<PathBuf>,
    /// Where the number of the process is left.
    pub pidfile: Option<PathBuf>,
    /// Where sockets are made.
    pub runtime_dir: Option<PathBuf>,
    /// Lines that the prompt remembers.
    pub history_limit: usize,
    /// Longest output in lines that is shown a screenful at a time; 0 is any.
    pub pager_limit: usize,
    /// Long output is shown a screenful at a time.
    pub pager: bool,
    /// Colours may be used.
    pub color: bool,
    /// The user is greeted.
    pub banner: bool,
}

/// What the log keeps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Logging {
    /// Messages in the ring.
    pub size: Option<usize>,
    /// How long a throttled class stays silent.
    pub unthrottle_time: Option<Duration>,
    /// What classes let pass.
    pub classes: Vec<(String, ClassChange)>,
}

/// A change of what a class of messages lets pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClassChange {
    /// Into the ring.
    Level(Level),
    /// To the log file.
    SyslogLevel(Level),
    /// Messages a second.
    RateLimit(u32),
}

impl Startup {
    /// What plain `peloton` starts with.
    #[must_use]
    pub fn plain() -> Self {
        let unix = Unix {
            interactive: false,
            nodaemon: false,
            listen: None,
            prompt: None,
            exec: None,
            log: None,
            pidfile: None,
            runtime_dir: None,
            history_limit: 1000,
            pager_limit: 100_000,
            pager: true,
            color: true,
            banner: true,
        };
        Self {
            unix,
            cpu: Cpu::default(),
            buffers: None,
            plugins: Choice::all(),
            logging: Logging::default(),
            notes: Vec::new(),
        }
    }

    /// Reads a startup file.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn from_file(path: &Path) -> Result<Self, StartupError> {
        let name = path.display().to_string();
        let mut bytes = Vec::new();
        let read = File::open(path)
            .and_then(|file| file.take(MAX_INPUT as u64 + 1).read_to_end(&mut bytes));
        if let Err(error) = read {
            return Err(StartupError::Unreadable { file: name, error });
        }
        Self::from_bytes(&name, &bytes)
    }

    /// Reads what is in a startup file, which errors call `name`.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn from_bytes(name: &str, bytes: &[u8]) -> Result<Self, StartupError> {
        Self::parse(&Text::of_file(name, &String::from_utf8_lossy(bytes)), bytes)
    }

    /// Reads the words of the command line: `unix { interactive } cpu { ... }`, in as many arguments as one likes.
    ///
    /// # Errors
    /// What is wrong with them, and with which.
    pub fn from_words(words: &[OsString]) -> Result<Self, StartupError> {
        let words: Vec<_> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        let text = Text::of_words(&words);
        let bytes = text.as_str().as_bytes().to_vec();
        Self::parse(&text, &bytes)
    }

    /// Whether this word of the command line begins a stanza.
    #[must_use]
    pub fn is_stanza(word: &str) -> bool {
        let name = word.split(|c: char| c == '{' || c.is_whitespace()).next().unwrap_or_default();
        words::STANZAS.iter().any(|stanza| stanza.name == name)
            || words::OF_VPP.contains(&name)
            || stanza::plugin_of(name).is_some()
    }

    fn parse(text: &Text, bytes: &[u8]) -> Result<Self, StartupError> {
        decode(bytes).map_err(|fault| text.error(fault.at, fault.error.into()))?;
        let mut startup = Self::plain();
        stanza::read(&mut startup, text, words::STANZAS, words::OF_VPP)?;
        Ok(startup)
    }
}

#[cfg(test)]
mod tests;
