//! Where a packet goes next.

use core::{fmt, marker::PhantomData};

use super::NodeIndex;

/// The nodes that a node can name as next, as an enum. Made by [`next_nodes!`](crate::next_nodes).
pub trait NextSet: Copy + 'static {
    /// Names of the nodes, in the order of their slots.
    const NAMES: &'static [&'static str];

    /// Which slot this one is.
    fn slot(self) -> u16;
}

/// For nodes that send nothing on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoNext {}

impl NextSet for NoNext {
    const NAMES: &'static [&'static str] = &[];

    fn slot(self) -> u16 {
        match self {}
    }
}

/// A next slot that was added while the graph ran, by [`Main::add_next`](crate::runtime::Main::add_next).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NextIndex(pub u16);

/// What a node answers for a packet: one of its own next nodes, a slot added at run time, or the node that a feature
/// chain names.
#[repr(transparent)]
pub struct Slot<N> {
    raw: u16,
    of: PhantomData<fn(N)>,
}

/// Marks a raw slot that is not a slot of the node but the index of a node.
const DIRECT: u16 = 0x8000;

impl<N> Slot<N> {
    #[inline]
    pub(crate) fn from_raw(raw: u16) -> Self {
        Self { raw, of: PhantomData }
    }

    /// The slot that was added at run time.
    #[inline]
    #[must_use]
    pub fn added(next: NextIndex) -> Self {
        Self::from_raw(next.0 & !DIRECT)
    }

    /// The node itself, without a slot: what feature chains hold.
    #[inline]
    #[must_use]
    pub(crate) fn direct(node: NodeIndex) -> Self {
        Self::from_raw(node.0 | DIRECT)
    }

    #[inline]
    pub(crate) fn raw(self) -> u16 {
        self.raw
    }
}

/// The node that `raw` means for a node whose slots are `slots`; `None` when there is no such slot.
#[inline]
pub(crate) fn resolve(raw: u16, slots: &[NodeIndex]) -> Option<NodeIndex> {
    if raw & DIRECT != 0 {
        return Some(NodeIndex(raw & !DIRECT));
    }
    slots.get(raw as usize).copied()
}

/// Packets that a node has sent on, by next slot.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sent {
    slots: Vec<u64>,
    /// To features, which have no slots.
    direct: u64,
}

impl Sent {
    /// Makes room for `slots` slots.
    pub(crate) fn resize(&mut self, slots: usize) {
        self.slots.resize(slots, 0);
    }

    /// `n` packets more by the slot `raw`.
    #[inline]
    pub(crate) fn add(&mut self, raw: u16, n: usize) {
        if let Some(slot) = self.slots.get_mut(raw as usize) {
            *slot += n as u64;
        } else if raw & DIRECT != 0 {
            self.direct += n as u64;
        }
    }

    /// Those of a slot.
    pub(crate) fn by_slot(&self, slot: usize) -> u64 {
        self.slots.get(slot).copied().unwrap_or(0)
    }

    /// Those to features.
    pub(crate) fn to_features(&self) -> u64 {
        self.direct
    }

    /// Adds those of another thread.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.resize(self.slots.len().max(other.slots.len()));
        for (slot, more) in self.slots.iter_mut().zip(&other.slots) {
            *slot += more;
        }
        self.direct += other.direct;
    }

    pub(crate) fn clear(&mut self) {
        self.slots.fill(0);
        self.direct = 0;
    }
}

impl<N> Clone for Slot<N> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<N> Copy for Slot<N> {}

impl<N> PartialEq for Slot<N> {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.raw == other.raw
    }
}

impl<N> Eq for Slot<N> {}

impl<N> fmt::Debug for Slot<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Slot({:#x})", self.raw)
    }
}

impl<N: NextSet> From<N> for Slot<N> {
    #[inline]
    fn from(next: N) -> Self {
        Self::from_raw(next.slot())
    }
}

/// Declares the next nodes of a node: an enum with a variant for each, and the name of the node that it means.
///
/// ```
/// vnet::next_nodes! {
///     /// Where packets go from here.
///     pub enum Next {
///         /// Something is wrong with it.
///         Drop => "error-drop",
///         /// To be routed.
///         Lookup => "ip4-lookup",
///     }
/// }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! next_nodes {
    ($(#[$meta:meta])* $vis:vis enum $name:ident {
        $($(#[$variant_meta:meta])* $variant:ident => $node:literal),+ $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u16)]
        $vis enum $name {
            $($(#[$variant_meta])* $variant),+
        }

        impl $crate::graph::NextSet for $name {
            const NAMES: &'static [&'static str] = &[$($node),+];

            #[inline]
            fn slot(self) -> u16 {
                self as u16
            }
        }
    };
}
