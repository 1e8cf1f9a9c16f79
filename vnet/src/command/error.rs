//! What a command can complain about: a text for people and VPP's number for the binary API, side by side.

use std::fmt::{self, Write};

use super::ApiError;

/// An error enum of a typed operation. Implement it (text by `thiserror`, number here), and `?` in a handler turns it
/// into an [`Error`].
pub trait OperationError: std::error::Error {
    /// The number under which the binary API reports it.
    fn api_error(&self) -> ApiError;
}

/// Why a command was refused or failed. Words are shown escaped and shortened, whatever they contain.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// No command and no keyword goes by this word.
    #[error("unknown input `{}'", Shown(word))]
    UnknownInput {
        /// The word.
        word: String,
    },
    /// A shortened word fits several.
    #[error("ambiguous input `{}', could be {}", Shown(word), candidates.join(", "))]
    Ambiguous {
        /// The word as typed.
        word: String,
        /// What it could mean, sorted.
        candidates: Vec<String>,
    },
    /// The words so far name a group of commands.
    #[error("incomplete command, `{path} ?' lists what can follow")]
    Incomplete {
        /// The words so far.
        path: String,
    },
    /// A keyword stands at the end, without its value.
    #[error("`{keyword}' needs {expected}")]
    MissingValue {
        /// The keyword.
        keyword: String,
        /// The hint of its value.
        expected: String,
    },
    /// Something mandatory was not given.
    #[error("missing {what}")]
    Missing {
        /// Its syntax.
        what: String,
    },
    /// A value that its parser does not take.
    #[error("`{}' is not {expected}", Shown(word))]
    BadValue {
        /// The value as typed.
        word: String,
        /// What would be one, with its article.
        expected: String,
    },
    /// A number outside of what is allowed.
    #[error("`{}' is out of range, allowed is {allowed}", Shown(word))]
    OutOfRange {
        /// The value as typed.
        word: String,
        /// `<low> to <high>`.
        allowed: String,
    },
    /// A word that may be given once was given again.
    #[error("`{}' given twice", Shown(word))]
    Repeated {
        /// The word.
        word: String,
    },
    /// Two words exclude each other.
    #[error("`{}' does not go with what was given before", Shown(word))]
    Conflict {
        /// The second of them.
        word: String,
    },
    /// A name that no object has.
    #[error("unknown {kind} `{}'", Shown(name))]
    NoSuch {
        /// What was looked for: "interface", "node".
        kind: String,
        /// The name as typed.
        name: String,
    },
    /// The line is correct and asks for nothing.
    #[error("nothing to do")]
    NothingToDo,
    /// `{` without its `}`; the offset is that of the `{`.
    #[error("unclosed `{{'")]
    UnclosedBrace,
    /// `}` without its `{`.
    #[error("unexpected `}}'")]
    StrayBrace,
    /// `"` without its partner on the same line.
    #[error("unclosed `\"'")]
    UnclosedQuote,
    /// Braces nested beyond reason.
    #[error("`{{' nested deeper than {limit}")]
    TooDeep {
        /// The deepest nesting allowed.
        limit: usize,
    },
    /// Longer than anything meant as input.
    #[error("input longer than {limit} bytes")]
    TooLong {
        /// The longest allowed, in bytes.
        limit: usize,
    },
    /// Not UTF-8.
    #[error("input is not text: byte 0x{byte:02x} at offset {at}")]
    NotText {
        /// The first offending byte.
        byte: u8,
        /// Its offset.
        at: usize,
    },
    /// A line of a script failed; printed as `FILE:LINE: message`.
    #[error("{}:{line}: {}", Printable(file), Printable(message))]
    Script {
        /// The file as it was named.
        file: String,
        /// Its line, from 1.
        line: usize,
        /// What that line's command said.
        message: String,
    },
    /// The operation itself failed.
    #[error("{}", Printable(text))]
    Failed {
        /// Its number in the binary API.
        number: ApiError,
        /// What the operator should know.
        text: String,
    },
}

impl Error {
    /// A failure of an operation, from a number and a text.
    pub fn failed(number: ApiError, text: impl fmt::Display) -> Self {
        Self::Failed { number, text: text.to_string() }
    }

    /// A failure that no API number describes.
    pub fn unspecified(text: impl fmt::Display) -> Self {
        Self::failed(ApiError::Unspecified, text)
    }

    /// The number under which the binary API reports it.
    pub fn api_error(&self) -> ApiError {
        match self {
            Self::Failed { number, .. } => *number,
            Self::NoSuch { kind, .. } if kind == "interface" => ApiError::InvalidSwIfIndex,
            Self::NoSuch { .. } => ApiError::NoSuchEntry,
            Self::Script { .. } => ApiError::Unspecified,
            _ => ApiError::InvalidValue,
        }
    }

    /// Whether the line was not understood, so that seeing the syntax helps.
    pub fn is_syntax(&self) -> bool {
        matches!(
            self,
            Self::UnknownInput { .. }
                | Self::Ambiguous { .. }
                | Self::MissingValue { .. }
                | Self::Missing { .. }
                | Self::BadValue { .. }
                | Self::Repeated { .. }
                | Self::Conflict { .. }
                | Self::NothingToDo
        )
    }
}

impl<E: OperationError> From<E> for Error {
    fn from(error: E) -> Self {
        Self::failed(error.api_error(), error)
    }
}

/// A command line's failure, printed in VPP's manner: `path: text`.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// The full words of the command that was recognized; empty when none was.
    pub path: String,
    /// The command's syntax line, when seeing it helps.
    pub syntax: Option<String>,
    /// What went wrong.
    pub error: Error,
    /// Byte offset in the line of what the error is about.
    pub at: Option<usize>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A script's error already begins with its place.
        if !self.path.is_empty() && !matches!(self.error, Error::Script { .. }) {
            write!(f, "{}: ", self.path)?;
        }
        write!(f, "{}", self.error)?;
        match &self.syntax {
            Some(syntax) if self.error.is_syntax() => write!(f, " (syntax: {syntax})"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for Failure {}

/// A word from outside, made fit to print: control characters escaped, length bounded.
pub struct Shown<'a>(pub &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 64;
        escaped(f, self.0.chars().take(SHOWN))?;
        if self.0.chars().nth(SHOWN).is_some() { write!(f, "...") } else { Ok(()) }
    }
}

/// A text with words from outside in it, made fit to print: control characters escaped, and so much left out in the
/// middle that its length is bounded. What went wrong stands at the end.
struct Printable<'a>(&'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const BEGINNING: usize = 512;
        const END: usize = 256;
        let text = self.0;
        let count = text.chars().count();
        if count <= BEGINNING + END {
            return escaped(f, text.chars());
        }
        escaped(f, text.chars().take(BEGINNING))?;
        write!(f, "...")?;
        escaped(f, text.chars().skip(count - END))
    }
}

fn escaped(f: &mut fmt::Formatter<'_>, mut chars: impl Iterator<Item = char>) -> fmt::Result {
    chars.try_for_each(|c| match c.is_control() {
        true => write!(f, "{}", c.escape_default()),
        false => f.write_char(c),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum TableError {
        #[error("table {0} does not exist")]
        NoSuchTable(u32),
    }

    impl OperationError for TableError {
        fn api_error(&self) -> ApiError {
            match self {
                Self::NoSuchTable(_) => ApiError::NoSuchFib,
            }
        }
    }

    #[test]
    fn an_operations_error_keeps_its_text_and_number() {
        let error = Error::from(TableError::NoSuchTable(7));
        assert_eq!(error.to_string(), "table 7 does not exist");
        assert_eq!(error.api_error().code(), -3);
    }

    #[test]
    fn hostile_words_are_shown_escaped_and_short() {
        let error = Error::UnknownInput { word: format!("\x1b[2J\n{}", "x".repeat(1000)) };
        let text = error.to_string();
        assert!(text.starts_with("unknown input `\\u{1b}[2J\\nxx"), "{text}");
        assert!(text.len() < 120, "{text}");
    }

    #[test]
    fn texts_with_hostile_words_are_shown_escaped_and_their_end_is_kept() {
        let name = format!("\x1b[2J\n{}", "x".repeat(1 << 20));
        let error = Error::unspecified(format!("cannot read {name}: File name too long"));
        let script = Error::Script { file: name, line: 3, message: error.to_string() };
        for text in [error.to_string(), script.to_string()] {
            assert!(!text.contains(char::is_control) && text.len() < 2000, "{text}");
            assert!(text.ends_with("xxx: File name too long"), "{text}");
        }
    }

    #[test]
    fn a_failure_reads_as_vpp_prints_it() {
        let failure = Failure {
            path: "set interface state".into(),
            syntax: Some("set interface state <interface> up|down".into()),
            error: Error::UnknownInput { word: "sideways".into() },
            at: None,
        };
        assert_eq!(
            failure.to_string(),
            "set interface state: unknown input `sideways' (syntax: set interface state <interface> up|down)"
        );
        let failure = Failure { error: Error::unspecified("no buffers"), ..failure };
        assert_eq!(failure.to_string(), "set interface state: no buffers");
    }
}
