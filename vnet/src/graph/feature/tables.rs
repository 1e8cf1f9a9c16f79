//! Arcs as nodes read them.

use crate::{buffer::Buffer, graph::NodeIndex, interface::SwIfIndex};

/// Names an arc.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ArcIndex(pub u16);

impl ArcIndex {
    /// An arc that does not exist: nothing is enabled on it.
    pub const ABSENT: Self = Self(u16::MAX);
}

/// Where an arc starts for the packets of one interface. Found and used while a node looks at one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArcStart(pub(crate) u32);

impl ArcStart {
    /// Nothing is enabled there.
    pub const NO_FEATURE: Self = Self(0);
}

#[derive(Clone, Copy)]
pub(super) struct Position {
    pub(super) node: NodeIndex,
    pub(super) config: u32,
}

/// The chains of all interfaces, as nodes read them.
pub struct FeatureTables {
    pub(super) heads: Vec<Box<[ArcStart]>>,
    pub(super) positions: Vec<Position>,
}

impl FeatureTables {
    /// Where the chain of `interface` on `arc` starts.
    #[inline]
    #[must_use]
    pub fn start(&self, arc: ArcIndex, interface: SwIfIndex) -> ArcStart {
        let heads = self.heads.get(arc.0 as usize);
        heads.and_then(|h| h.get(interface.0 as usize)).copied().unwrap_or(ArcStart::NO_FEATURE)
    }

    /// The node at `position`, where the packet now is.
    #[inline]
    pub(crate) fn at(&self, position: u32, buffer: &mut Buffer) -> NodeIndex {
        buffer.feature = position;
        // A position of a chain that is gone leads to the first entry, which drops.
        self.positions.get(position as usize).unwrap_or(&self.positions[0]).node
    }

    /// What was given when the feature that the packet is at was enabled.
    #[inline]
    #[must_use]
    pub fn config(&self, buffer: &Buffer) -> u32 {
        self.positions.get(buffer.feature as usize).map_or(0, |p| p.config)
    }
}
