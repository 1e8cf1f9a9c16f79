//! Typed cells of tables and records.

use serde_json::Value as Json;

/// A value that knows both its text and its JSON form.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Nothing: blanks, or `null`.
    Empty,
    /// A text.
    Text(String),
    /// A count or an index.
    Unsigned(u64),
    /// A number that may be negative.
    Signed(i64),
    /// `%.<digits>f`.
    Fixed(f64, usize),
    /// `%.<digits>e` as VPP prints it: `1.57e4`, `0.00e0`.
    Exponent(f64, usize),
    /// A number that is printed in words of its own: `9000/0/0/0`, `up`.
    Shown {
        /// For people.
        text: String,
        /// For programs.
        json: Json,
    },
}

impl Cell {
    /// A value with a text of its own for people.
    pub fn shown(text: impl Into<String>, json: impl Into<Json>) -> Self {
        Self::Shown { text: text.into(), json: json.into() }
    }

    /// As text.
    pub fn text(&self) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Text(text) | Self::Shown { text, .. } => text.clone(),
            Self::Unsigned(n) => n.to_string(),
            Self::Signed(n) => n.to_string(),
            Self::Fixed(x, digits) => format!("{x:.digits$}"),
            Self::Exponent(x, digits) => format!("{x:.digits$e}"),
        }
    }

    /// As JSON; a float that is not finite is `null`.
    pub fn to_json(&self) -> Json {
        match self {
            Self::Empty => Json::Null,
            Self::Text(text) => Json::from(text.as_str()),
            Self::Unsigned(n) => Json::from(*n),
            Self::Signed(n) => Json::from(*n),
            Self::Fixed(x, _) | Self::Exponent(x, _) => Json::from(*x),
            Self::Shown { json, .. } => json.clone(),
        }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for Cell {
    fn from(n: u64) -> Self {
        Self::Unsigned(n)
    }
}

impl From<u32> for Cell {
    fn from(n: u32) -> Self {
        Self::Unsigned(u64::from(n))
    }
}

impl From<usize> for Cell {
    fn from(n: usize) -> Self {
        Self::Unsigned(n as u64)
    }
}

impl From<i64> for Cell {
    fn from(n: i64) -> Self {
        Self::Signed(n)
    }
}

impl<T: Into<Self>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Empty, Into::into)
    }
}
