//! The numbers by which tables and routes are named.

use core::fmt;

/// Number of a forwarding table inside the engine, dense from 0 and separate for ip4 and ip6. 0 is the default table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct FibIndex(pub u32);

impl FibIndex {
    /// The table of an interface that was bound to none.
    pub const DEFAULT: Self = Self(0);
    /// The table of link-local addresses, of all interfaces: see [`scoped`](super::scoped).
    pub const LINK_LOCAL: Self = Self(super::MAX_TABLES as u32);
}

impl fmt::Display for FibIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The operator's number of a table (`ip table add 10`), separate for ip4 and ip6. 0 is the default table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct TableId(pub u32);

impl fmt::Display for TableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Number of a route: what a lookup yields, where the load-balance table holds the route's forwarding, and the
/// position of its counters. Unique over all tables of both families; a deleted route's number is given out again
/// only after a quiescent period. 0 is no route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct LoadBalanceIndex(pub u32);

impl LoadBalanceIndex {
    /// No route: its forwarding is drop.
    pub const NONE: Self = Self(0);

    /// As the position of an array element.
    #[must_use]
    #[inline]
    pub const fn position(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for LoadBalanceIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
