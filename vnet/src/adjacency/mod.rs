//! Adjacencies: what to prepend to a packet, and where to send it.
//!
//! An adjacency is a next hop on an interface, shared by all routes through it. Its *body* is what the fast path reads:
//! rewrite, interface, MTU and next graph slot in one cache line. A body is never edited while it can be read: the
//! writer fills another one and publishes it by one store, so that readers have the old or the new one and no mix.

mod body;
mod table;

pub use body::{Adjacencies, AdjacencyBody, AdjacencyKind, MAX_ADJACENCIES, MAX_REWRITE};
pub(crate) use table::{AdjacencyKey, AdjacencyTable};
pub use table::{Link, LinkKind, MaxPacket};

use core::fmt;

/// Number of an adjacency: what a [`Dpo`](crate::fib::Dpo) refers to, and the position of the adjacency's counters.
/// Given out again only after a quiescent period. 0 is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct AdjacencyIndex(pub u32);

impl AdjacencyIndex {
    /// As the position of an array element.
    #[must_use]
    #[inline]
    pub const fn position(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for AdjacencyIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
