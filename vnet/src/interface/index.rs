//! The number by which everything names an interface.

use core::fmt;

/// Index of a software interface, as `show interface` prints it. `local0` is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct SwIfIndex(pub u32);

impl SwIfIndex {
    /// `local0`: always present, always down.
    pub const LOCAL0: Self = Self(0);
    /// No interface (printed as -1 by VPP's tools). In a packet's TX slot it means "look the packet up in the table
    /// of its RX interface".
    pub const NONE: Self = Self(u32::MAX);
}

impl fmt::Display for SwIfIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
