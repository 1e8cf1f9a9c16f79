//! How urgent a message is.

use core::{fmt, str::FromStr};

/// Level of a message, the most urgent first; as a limit, it lets itself and what is more urgent pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Level {
    /// The system is unusable.
    Emerg,
    /// Act at once.
    Alert,
    /// Critical.
    Crit,
    /// An error.
    Err,
    /// A warning.
    Warn,
    /// Normal, but worth knowing.
    Notice,
    /// Information.
    Info,
    /// For developers.
    Debug,
    /// As a limit: nothing passes. No message has this level.
    Disabled,
}

impl Level {
    const ALL: [(Self, &'static str); 9] = [
        (Self::Emerg, "emerg"),
        (Self::Alert, "alert"),
        (Self::Crit, "crit"),
        (Self::Err, "err"),
        (Self::Warn, "warn"),
        (Self::Notice, "notice"),
        (Self::Info, "info"),
        (Self::Debug, "debug"),
        (Self::Disabled, "disabled"),
    ];

    /// Its word in commands and output.
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    /// Whether a message of this level passes a limit.
    #[must_use]
    pub fn passes(self, limit: Self) -> bool {
        limit != Self::Disabled && self <= limit
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// A word that is no level.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown log level {0:?}: emerg, alert, crit, err, warn, notice, info, debug or disabled is expected"
)]
pub struct UnknownLevel(pub String);

impl FromStr for Level {
    type Err = UnknownLevel;

    fn from_str(word: &str) -> Result<Self, UnknownLevel> {
        let found = Self::ALL.iter().find(|(_, known)| *known == word);
        found.map(|(level, _)| *level).ok_or_else(|| UnknownLevel(word.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_its_own_level_and_passes_what_is_at_least_as_wide() {
        for (place, (level, word)) in Level::ALL.into_iter().enumerate() {
            assert_eq!((level as usize, word.parse()), (place, Ok(level)));
            for (other, _) in Level::ALL {
                let wide = other >= level && other != Level::Disabled;
                assert_eq!(level.passes(other), wide, "{level} against {other}");
            }
        }
        assert!("warning".parse::<Level>().is_err());
    }
}
