//! The number by which a buffer is named.

use core::fmt;

/// Names a buffer: its offset in the arena in units of 8 bytes, which processors can address by.
///
/// Inert: holding one gives no access, and no safe function puts one into a frame.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct BufferIndex(pub(crate) u32);

impl BufferIndex {
    /// No buffer: the end of a chain.
    pub(crate) const NONE: Self = Self(u32::MAX);

    /// The number that traces and `show` commands print.
    #[must_use]
    pub fn number(self) -> u32 {
        self.0
    }
}

impl fmt::Debug for BufferIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bi {:#x}", self.0)
    }
}
