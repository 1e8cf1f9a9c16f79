//! What the commands' options have in common: values with units and bounds, and errors that name both.

use core::{fmt, ops::RangeInclusive, str::FromStr, time::Duration};
use std::{ffi::OsString, path::PathBuf, process::ExitCode};

use vnet::flow::RecordSet;

use crate::startup::StartupError;

/// Why a command did not do what it was asked to.
#[derive(Debug)]
pub enum Failure {
    /// It was asked for its help instead.
    Help,
    /// It was asked for the version instead.
    Version,
    /// The command line makes no sense.
    Usage {
        /// The command, where there was one.
        command: Option<&'static str>,
        /// What is wrong.
        error: UsageError,
    },
    /// Something failed; the text says what and where.
    Failed(String),
}

impl Failure {
    /// Something failed.
    #[must_use]
    pub fn failed(error: impl fmt::Display) -> Self {
        Self::Failed(error.to_string())
    }

    /// The exit status that tells of it.
    #[must_use]
    pub fn status(&self) -> ExitCode {
        match self {
            Self::Help | Self::Version => ExitCode::SUCCESS,
            Self::Usage { .. } => ExitCode::from(2),
            Self::Failed(_) => ExitCode::FAILURE,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Help | Self::Version => Ok(()),
            Self::Usage { command: None, error } => write!(f, "{error}; see `peloton --help'"),
            Self::Usage { command: Some(name), error } => {
                write!(f, "{name}: {error}; see `peloton {name} --help'")
            }
            Self::Failed(text) => f.write_str(text),
        }
    }
}

impl From<UsageError> for Failure {
    fn from(error: UsageError) -> Self {
        Self::Usage { command: None, error }
    }
}

impl From<StartupError> for UsageError {
    fn from(error: StartupError) -> Self {
        Self::Startup(Box::new(error))
    }
}

/// What is wrong with a command line.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    /// A first word that is none.
    #[error("no command `{0}'")]
    UnknownCommand(String),
    /// An option that there is not, or that lacks its value.
    #[error("{0}")]
    Option(#[from] lexopt::Error),
    /// The words of stanzas.
    #[error("{0}")]
    Startup(Box<StartupError>),
    /// A value that is refused, and why.
    #[error("{option}: {reason}")]
    Refused {
        /// The option.
        option: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// A value that is not of its option's kind.
    #[error("{option} `{value}': expected {expected}")]
    Value {
        /// The option.
        option: &'static str,
        /// What was given.
        value: String,
        /// What it should have been.
        expected: String,
    },
    /// What cannot be left out.
    #[error("no {0}")]
    Missing(&'static str),
    /// What makes no sense together.
    #[error("{0} and {1} do not go together")]
    Conflict(&'static str, &'static str),
}

impl UsageError {
    /// A value that is not of its option's kind.
    pub fn value(option: &'static str, value: &OsString, expected: impl Into<String>) -> Self {
        let value = value.display().to_string();
        Self::Value { option, value, expected: expected.into() }
    }

    /// A value that its reader refuses.
    pub fn refused(option: &'static str, error: impl fmt::Display) -> Self {
        Self::Refused { option, reason: error.to_string() }
    }
}

/// A whole number within `range`.
///
/// # Errors
/// Says the range.
pub fn number<T: FromStr + PartialOrd + fmt::Display>(
    option: &'static str,
    value: &OsString,
    range: RangeInclusive<T>,
) -> Result<T, UsageError> {
    let number = value.to_str().and_then(|text| text.parse().ok());
    number.filter(|number| range.contains(number)).ok_or_else(|| {
        let expected = format!("a number from {} to {}", range.start(), range.end());
        UsageError::value(option, value, expected)
    })
}

/// Seconds, possibly with a fraction, up to a thousand years.
///
/// # Errors
/// Says so.
pub fn seconds(option: &'static str, value: &OsString) -> Result<Duration, UsageError> {
    const MOST: f64 = 31_536_000_000.0;
    let number = value.to_str().and_then(|text| text.parse::<f64>().ok());
    match number.filter(|number| (0.0..=MOST).contains(number)) {
        Some(number) => Ok(Duration::from_secs_f64(number)),
        None => Err(UsageError::value(option, value, "seconds, for instance 60 or 0.5")),
    }
}

/// Text.
///
/// # Errors
/// When it is not UTF-8.
pub fn text(option: &'static str, value: &OsString) -> Result<String, UsageError> {
    match value.to_str() {
        Some(text) => Ok(text.to_owned()),
        None => Err(UsageError::value(option, value, "text in UTF-8")),
    }
}

/// The name of a file.
///
/// # Errors
/// When it is empty.
pub fn file(option: &'static str, value: OsString) -> Result<PathBuf, UsageError> {
    match value.is_empty() {
        true => Err(UsageError::value(option, &value, "the name of a file")),
        false => Ok(value.into()),
    }
}

/// What tells flows apart: a list with commas of `l2`, `l3` and `l4`.
///
/// # Errors
/// Says so.
pub fn layers(option: &'static str, value: &OsString) -> Result<RecordSet, UsageError> {
    let layer = |set, word| match word {
        "l2" => Some(set | RecordSet::L2),
        "l3" => Some(set | RecordSet::L3),
        "l4" => Some(set | RecordSet::L4),
        _ => None,
    };
    let set = text(option, value)?.split(',').try_fold(RecordSet::empty(), layer);
    set.ok_or_else(|| UsageError::value(option, value, "some of l2,l3,l4"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_to_their_range_and_say_it() {
        assert_eq!(number("--top", &"7".into(), 0..=9).unwrap(), 7);
        for bad in ["10", "-1", "", "seven", "7.0"] {
            let error = number("--top", &bad.into(), 0_u32..=9).unwrap_err().to_string();
            assert_eq!(error, format!("--top `{bad}': expected a number from 0 to 9"));
        }
    }

    #[test]
    fn seconds_are_not_negative_nor_endless() {
        assert_eq!(seconds("--active", &"0.5".into()).unwrap(), Duration::from_millis(500));
        for bad in ["-1", "inf", "NaN", "1e30", "1m", ""] {
            let error = seconds("--active", &bad.into()).unwrap_err().to_string();
            assert!(error.starts_with(&format!("--active `{bad}': expected seconds")), "{error}");
        }
    }
}
