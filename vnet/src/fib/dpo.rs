//! What becomes of a packet: one 4-byte word.

use super::FibIndex;
use crate::adjacency::AdjacencyIndex;
use crate::interface::SwIfIndex;

/// What a [`Dpo`] tells a node to do. The discriminants are the word's first four bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum DpoKind {
    /// Drop the packet.
    Drop = 0,
    /// Hand the packet to the punt path.
    Punt = 1,
    /// The packet is for this machine.
    Local = 2,
    /// The adjacency's next hop has no MAC address yet: ask for it (ARP, neighbour discovery).
    Incomplete = 3,
    /// The destination itself is the next hop, on the adjacency's interface: ask for its MAC address.
    Glean = 4,
    /// Prepend the adjacency's rewrite and send.
    Adjacency = 5,
    /// Look the destination up once more, in another table.
    Lookup = 6,
    /// Choose one of several by flow hash: see [`LoadBalances::bucket`](super::LoadBalances::bucket).
    Multi = 7,
    /// As [`Adjacency`](Self::Adjacency), of a [stacked](super::Stack) interface: what is sent goes into another packet.
    Midchain = 8,
}

/// Why there is no way to a destination, where its senders may know (RFC 1812, section 5.2.7; RFC 4443, section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Refusal {
    /// No route, or none of its paths leads anywhere.
    NoRoute = 1,
    /// A route that says so.
    Unreachable = 2,
    /// A route by which the operator forbids it.
    Prohibited = 3,
}

/// A data-path object: the kind of treatment and what it applies to, in 4 bytes that are stored and loaded at once. Half
/// the size of VPP's, so that the words of twice as many routes stay in a cache.
///
/// The four most significant bits are the [`DpoKind`], the next four the base-2 logarithm of the number of buckets
/// (zero unless the kind is [`Multi`](DpoKind::Multi)), the low 24 the index. All zeros is drop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Dpo(u32);

const INDEX: u32 = (1 << 24) - 1;

impl Dpo {
    /// Drop the packet, and tell nobody.
    pub const DROP: Self = Self::new(DpoKind::Drop, 0);
    /// Drop the packet: its interface is stacked on itself.
    pub const STACK_LOOP: Self = Self::new(DpoKind::Drop, 4);
    /// Punt the packet.
    pub const PUNT: Self = Self::new(DpoKind::Punt, 0);

    const fn new(kind: DpoKind, index: u32) -> Self {
        Self((kind as u32) << 28 | (index & INDEX))
    }

    /// Drop the packet, and let its sender know why.
    #[must_use]
    pub const fn refused(why: Refusal) -> Self {
        Self::new(DpoKind::Drop, why as u32)
    }

    /// What the sender of a packet may know that is dropped.
    #[must_use]
    #[inline]
    pub const fn refusal(self) -> Option<Refusal> {
        match (self.kind(), self.index()) {
            (DpoKind::Drop, 1) => Some(Refusal::NoRoute),
            (DpoKind::Drop, 2) => Some(Refusal::Unreachable),
            (DpoKind::Drop, 3) => Some(Refusal::Prohibited),
            _ => None,
        }
    }

    /// The packet is for an address of `interface`, or for one that belongs to none ([`SwIfIndex::NONE`]).
    /// Interfaces are those below [`MAX_INTERFACES`](super::MAX_INTERFACES).
    #[must_use]
    pub const fn local(interface: SwIfIndex) -> Self {
        Self::new(DpoKind::Local, interface.0)
    }

    /// Send by an adjacency whose rewrite is known.
    #[must_use]
    pub const fn adjacency(index: AdjacencyIndex) -> Self {
        Self::new(DpoKind::Adjacency, index.0)
    }

    /// Send by an adjacency of a stacked interface.
    #[must_use]
    pub const fn midchain(index: AdjacencyIndex) -> Self {
        Self::new(DpoKind::Midchain, index.0)
    }

    /// Send by an adjacency that waits for its next hop's MAC address.
    #[must_use]
    pub const fn incomplete(index: AdjacencyIndex) -> Self {
        Self::new(DpoKind::Incomplete, index.0)
    }

    /// Deliver to a destination that is directly attached, by the interface's glean adjacency.
    #[must_use]
    pub const fn glean(index: AdjacencyIndex) -> Self {
        Self::new(DpoKind::Glean, index.0)
    }

    /// Look the destination up in another table of its family.
    #[must_use]
    pub const fn lookup(table: FibIndex) -> Self {
        Self::new(DpoKind::Lookup, table.0)
    }

    /// One of `1 << log2_buckets` buckets, the first of which is number `first`.
    pub(super) const fn multi(first: u32, log2_buckets: u8) -> Self {
        Self(Self::new(DpoKind::Multi, first).0 | (log2_buckets as u32) << 24)
    }

    /// What to do.
    #[must_use]
    #[inline]
    pub const fn kind(self) -> DpoKind {
        match self.0 >> 28 {
            1 => DpoKind::Punt,
            2 => DpoKind::Local,
            3 => DpoKind::Incomplete,
            4 => DpoKind::Glean,
            5 => DpoKind::Adjacency,
            6 => DpoKind::Lookup,
            7 => DpoKind::Multi,
            8 => DpoKind::Midchain,
            _ => DpoKind::Drop,
        }
    }

    /// The kind as a table position below 16, for nodes that map kinds to next slots by an array.
    #[must_use]
    #[inline]
    pub const fn kind_position(self) -> usize {
        (self.0 >> 28) as usize
    }

    /// What the treatment applies to: adjacency, table, interface or first bucket, as the kind says.
    #[must_use]
    #[inline]
    pub const fn index(self) -> u32 {
        self.0 & INDEX
    }

    /// The interface of a word whose kind is local; [`SwIfIndex::NONE`] when the address belongs to none.
    #[must_use]
    #[inline]
    pub const fn interface(self) -> SwIfIndex {
        match self.index() {
            INDEX => SwIfIndex::NONE,
            index => SwIfIndex(index),
        }
    }

    /// The adjacency of a word that [has one](Self::has_adjacency).
    #[must_use]
    #[inline]
    pub const fn adjacency_index(self) -> AdjacencyIndex {
        AdjacencyIndex(self.index())
    }

    /// Whether the packet is to leave by an adjacency, whatever is still to be found out before.
    #[must_use]
    #[inline]
    pub const fn has_adjacency(self) -> bool {
        use DpoKind::{Adjacency, Glean, Incomplete, Midchain};
        matches!(self.kind(), Adjacency | Midchain | Incomplete | Glean)
    }

    /// How many buckets the word stands for: 1 unless its kind is multi.
    #[must_use]
    #[inline]
    pub const fn buckets(self) -> u32 {
        1 << (self.0 >> 24 & 15)
    }

    /// The word itself, for storage.
    #[must_use]
    #[inline]
    pub const fn to_word(self) -> u32 {
        self.0
    }

    /// The word that [`Dpo::to_word`] gave.
    #[must_use]
    #[inline]
    pub const fn from_word(word: u32) -> Self {
        Self(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_keeps_kind_index_and_buckets() {
        let adjacency = AdjacencyIndex(INDEX);
        for (dpo, kind, index, buckets) in [
            (Dpo::DROP, DpoKind::Drop, 0, 1),
            (Dpo::PUNT, DpoKind::Punt, 0, 1),
            (Dpo::local(SwIfIndex::NONE), DpoKind::Local, INDEX, 1),
            (Dpo::local(SwIfIndex(65535)), DpoKind::Local, 65535, 1),
            (Dpo::incomplete(adjacency), DpoKind::Incomplete, INDEX, 1),
            (Dpo::glean(AdjacencyIndex(3)), DpoKind::Glean, 3, 1),
            (Dpo::adjacency(adjacency), DpoKind::Adjacency, INDEX, 1),
            (Dpo::midchain(adjacency), DpoKind::Midchain, INDEX, 1),
            (Dpo::lookup(FibIndex(9)), DpoKind::Lookup, 9, 1),
            (Dpo::multi(4096, 10), DpoKind::Multi, 4096, 1024),
        ] {
            let dpo = Dpo::from_word(dpo.to_word());
            assert_eq!((dpo.kind(), dpo.index(), dpo.buckets()), (kind, index, buckets));
            assert_eq!(dpo.kind_position(), kind as usize);
        }
        assert_eq!(Dpo::from_word(0), Dpo::DROP);
        assert_eq!(Dpo::DROP.refusal(), None);
        assert_eq!((Dpo::STACK_LOOP.kind(), Dpo::STACK_LOOP.refusal()), (DpoKind::Drop, None));
        assert_eq!(Dpo::adjacency(AdjacencyIndex(1)).refusal(), None);
        for why in [Refusal::NoRoute, Refusal::Unreachable, Refusal::Prohibited] {
            let dpo = Dpo::refused(why);
            assert_eq!((dpo.kind(), dpo.refusal()), (DpoKind::Drop, Some(why)));
        }
        assert_eq!(Dpo::local(SwIfIndex::NONE).interface(), SwIfIndex::NONE);
        assert_eq!(Dpo::local(SwIfIndex(7)).interface(), SwIfIndex(7));
    }
}
