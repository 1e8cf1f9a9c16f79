//! The text of a startup file, and where what stands in it.

use core::fmt;
use std::io;

use vnet::command::{
    self, Shown,
    lex::{Fault, Token, TokenKind, tokens},
};

use crate::plugins::ChoiceError;

/// Why nothing was started.
#[derive(Debug, thiserror::Error)]
pub enum StartupError {
    /// The file is not to be read.
    #[error("{file}: {error}")]
    Unreadable {
        /// Its name.
        file: String,
        /// Why.
        error: io::Error,
    },
    /// Something in it.
    #[error("{place}: {problem}")]
    Wrong {
        /// Where.
        place: Place,
        /// What.
        problem: Problem,
    },
}

/// What is wrong at a place.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The syntax.
    #[error("{0}")]
    Syntax(#[from] command::Error),
    /// A stanza that there is not.
    #[error("unknown stanza `{}', there are {known}", Shown(word))]
    UnknownStanza {
        /// Its word.
        word: String,
        /// Those that there are.
        known: String,
    },
    /// A word that its stanza does not have.
    #[error("unknown word `{}' in `{}', there are {known}", Shown(word), Shown(stanza))]
    UnknownWord {
        /// The stanza.
        stanza: String,
        /// The word.
        word: String,
        /// Those that there are.
        known: String,
    },
    /// A block that belongs to no word.
    #[error("`{{' where a word was expected")]
    UnexpectedBlock,
    /// A word without its block.
    #[error("`{}' needs `{{ ... }}' behind it", Shown(.0))]
    NoBlock(String),
    /// A word without its value.
    #[error("`{}' needs {expected} behind it", Shown(word))]
    NoValue {
        /// The word.
        word: String,
        /// What would be one.
        expected: &'static str,
    },
    /// A value that is none.
    #[error("`{} {}': expected {expected}", Shown(word), Shown(value))]
    BadValue {
        /// The word.
        word: String,
        /// What stands behind it.
        value: String,
        /// What would be one.
        expected: &'static str,
    },
    /// What this engine cannot do.
    #[error("`{} {}': {why}", Shown(word), Shown(value))]
    Impossible {
        /// The word.
        word: String,
        /// What stands behind it.
        value: String,
        /// Why not.
        why: &'static str,
    },
    /// A plugin.
    #[error(transparent)]
    Plugin(#[from] ChoiceError),
}

/// Where something stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a file.
    File {
        /// Its name.
        name: String,
        /// Line, from 1.
        line: usize,
        /// Character of the line, from 1.
        column: usize,
    },
    /// Among the arguments of the program.
    Word {
        /// Which one of the stanzas' words, from 1.
        number: usize,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { name, line, column } => write!(f, "{name}:{line}:{column}"),
            Self::Word { number } => write!(f, "command line, word {number}"),
        }
    }
}

/// A text and where it is from.
pub(super) struct Text {
    text: String,
    origin: Origin,
}

enum Origin {
    File(String),
    /// Offsets at which the words start.
    Words(Vec<usize>),
}

impl Text {
    pub(super) fn of_file(name: &str, text: &str) -> Self {
        Self { text: text.to_owned(), origin: Origin::File(name.to_owned()) }
    }

    /// A line for each word, so that a comment cannot swallow the words behind it.
    pub(super) fn of_words(words: &[String]) -> Self {
        let mut text = String::new();
        let mut starts = Vec::new();
        for word in words {
            starts.push(text.len());
            text.push_str(word);
            text.push('\n');
        }
        Self { text, origin: Origin::Words(starts) }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn place(&self, at: usize) -> Place {
        match &self.origin {
            Origin::File(name) => {
                let before = self.text.get(..at).unwrap_or(&self.text);
                let line_start = before.rfind('\n').map_or(0, |end| end + 1);
                let line = 1 + before.bytes().filter(|&byte| byte == b'\n').count();
                let column = 1 + before[line_start..].chars().count();
                Place::File { name: name.clone(), line, column }
            }
            Origin::Words(starts) => {
                Place::Word { number: starts.partition_point(|&start| start <= at) }
            }
        }
    }

    pub(super) fn error(&self, at: usize, problem: Problem) -> StartupError {
        StartupError::Wrong { place: self.place(at), problem }
    }

    pub(super) fn block(&self) -> Result<Block<'_>, StartupError> {
        Block::new(self, &self.text, 0)
    }
}

/// What stands between two braces, and its words one after the other.
pub(super) struct Block<'t> {
    pub(super) text: &'t Text,
    tokens: std::vec::IntoIter<Token<'t>>,
    base: usize,
}

/// A word and where it stands.
pub(super) struct Word {
    pub(super) text: String,
    pub(super) at: usize,
}

impl<'t> Block<'t> {
    fn new(text: &'t Text, inner: &'t str, base: usize) -> Result<Self, StartupError> {
        let error = |Fault { at, error }| text.error(base + at, error.into());
        Ok(Self { text, tokens: tokens(inner).map_err(error)?.into_iter(), base })
    }

    /// The next word.
    pub(super) fn word(&mut self) -> Result<Option<Word>, StartupError> {
        let Some(token) = self.tokens.next() else { return Ok(None) };
        let at = self.base + token.start;
        match token.kind {
            TokenKind::Block => Err(self.text.error(at, Problem::UnexpectedBlock)),
            _ => Ok(Some(Word { text: token.text.into_owned(), at })),
        }
    }

    /// The value behind `word`.
    pub(super) fn value(
        &mut self,
        word: &Word,
        expected: &'static str,
    ) -> Result<Word, StartupError> {
        match self.tokens.next() {
            Some(token) if token.kind != TokenKind::Block => {
                Ok(Word { text: token.text.into_owned(), at: self.base + token.start })
            }
            _ => {
                let problem = Problem::NoValue { word: word.text.clone(), expected };
                Err(self.text.error(word.at, problem))
            }
        }
    }

    /// The block behind `word`.
    pub(super) fn block(&mut self, word: &Word) -> Result<Self, StartupError> {
        match self.tokens.next() {
            Some(token) if token.kind == TokenKind::Block => {
                let start = self.base + token.start + 1;
                let end = self.base + token.end - 1;
                Block::new(self.text, &self.text.text[start..end], start)
            }
            _ => Err(self.text.error(word.at, Problem::NoBlock(word.text.clone()))),
        }
    }
}
