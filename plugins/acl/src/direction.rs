//! Which way packets go through an interface.

/// Which way packets go through an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// It receives them.
    Input,
    /// It sends them.
    Output,
}

impl Direction {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::Input, Self::Output];

    /// As commands name it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
        }
    }

    /// As `show` says where a list is applied.
    pub(crate) const fn bound(self) -> &'static str {
        match self {
            Self::Input => "inbound",
            Self::Output => "outbound",
        }
    }

    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Input => Self::Output,
            Self::Output => Self::Input,
        }
    }
}
