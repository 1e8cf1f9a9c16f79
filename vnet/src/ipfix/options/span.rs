//! When something happened.

use crate::runtime::Main;

/// When something happened first and last, in milliseconds since 1970; 0 before it did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) first: u64,
    pub(super) last: u64,
}

impl Span {
    /// It has happened by now.
    pub(super) fn note(&mut self, main: &Main) {
        self.last = main.clock().wall().0 / 1_000_000;
        if self.first == 0 {
            self.first = self.last;
        }
    }
}
