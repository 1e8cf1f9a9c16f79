//! Arcs as nodes read them.

use crate::{
    action::ActionId,
    buffer::Buffer,
    graph::{Gate, NodeIndex, Slot},
    interface::SwIfIndex,
};

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

/// The first feature of an arc for the packets of one interface, or where they go when there is none. Good for one frame, as its
/// [`ArcStart`].
#[derive(Clone, Copy, Debug)]
pub struct ArcDoor<Next> {
    pub(in crate::graph) position: u32,
    pub(in crate::graph) slot: Slot<Next>,
}

impl<Next> ArcDoor<Next> {
    /// Sends a packet there.
    #[inline(always)]
    pub fn enter(self, buffer: &mut Buffer) -> Slot<Next> {
        buffer.feature = self.position;
        self.slot
    }
}

/// Sends packets to their next features: shown each packet of a frame by a feature that lets all of them go on, and then asked
/// where to, which is mostly the same for all.
#[derive(Clone, Copy, Debug)]
pub struct Onward {
    pub(in crate::graph) first: u32,
    pub(in crate::graph) differences: u32,
}

impl Onward {
    /// For a frame that begins with `first`.
    #[must_use]
    pub fn new(first: Option<&mut Buffer>) -> Self {
        Self { first: first.map_or(0, |buffer| buffer.feature), differences: 0 }
    }

    /// Moves a packet to its next feature.
    #[inline(always)]
    pub fn step(&mut self, buffer: &mut Buffer) {
        self.differences |= buffer.feature ^ self.first;
        buffer.feature += 1;
    }
}

#[derive(Clone, Copy)]
pub(super) struct Position {
    pub(super) node: NodeIndex,
    pub(super) config: u32,
    /// It is the only feature of its chain, and what was given is its gate.
    pub(super) is_gated: bool,
}

impl Position {
    /// The end of a chain.
    pub(super) const fn of(node: NodeIndex) -> Self {
        Self { node, config: 0, is_gated: false }
    }
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

    /// Whether the arc has a chain on any interface.
    #[inline]
    #[must_use]
    pub(crate) fn is_used(&self, arc: ArcIndex) -> bool {
        self.heads.get(arc.0 as usize).is_some_and(|heads| !heads.is_empty())
    }

    /// The node at `position`, where the packet now is.
    #[inline]
    pub(crate) fn at(&self, position: u32, buffer: &mut Buffer) -> NodeIndex {
        buffer.feature = position;
        self.node_at(position)
    }

    /// The node at `position`.
    #[inline]
    pub(crate) fn node_at(&self, position: u32) -> NodeIndex {
        // A position of a chain that is gone leads to the first entry, which drops.
        self.positions.get(position as usize).unwrap_or(&self.positions[0]).node
    }

    /// The gate by which packets may pass a whole chain, where it has one.
    #[inline]
    #[must_use]
    pub fn gate(&self, ArcStart(start): ArcStart) -> Option<Gate> {
        let position = self.positions.get(start as usize)?;
        position.is_gated.then_some(Gate(ActionId::from_bits(position.config)))
    }

    /// What was given when the feature that the packet is at was enabled.
    #[inline]
    #[must_use]
    pub fn config(&self, buffer: &Buffer) -> u32 {
        self.positions.get(buffer.feature as usize).map_or(0, |p| p.config)
    }
}
