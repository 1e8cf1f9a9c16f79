//! From an octet of the packet (an IP protocol, an ICMP type) to the node that takes such packets.

use vnet::{
    graph::{GraphError, NextIndex, NodeIndex, Slot},
    plugin::Registrar,
    runtime::{Dispatching, Main, Shared},
};

/// Who takes what from one node. Clones are the same table.
#[derive(Clone)]
pub(crate) struct Demux {
    /// The node whose next slots these are.
    from: &'static str,
    slots: Shared<[Option<NextIndex>; 256]>,
}

impl Demux {
    /// An empty table of the node `from`.
    pub(crate) fn new(r: &Registrar, from: &'static str) -> Self {
        Self { from, slots: r.shared([None; 256]) }
    }

    /// Packets with `octet` go to `node`, and no more to whoever took them before.
    pub(crate) fn register(
        &self,
        main: &mut Main,
        octet: u8,
        node: NodeIndex,
    ) -> Result<(), GraphError> {
        let from = main.graph().require(self.from)?;
        let slot = main.add_next(from, node);
        self.slots.write(main.held_mut())[usize::from(octet)] = Some(slot);
        Ok(())
    }

    /// Packets with `octet` go to nobody any more.
    pub(crate) fn unregister(&self, main: &mut Main, octet: u8) {
        self.slots.write(main.held_mut())[usize::from(octet)] = None;
    }

    /// Whether somebody takes packets with `octet`.
    pub(crate) fn is_taken(&self, main: &Main, octet: u8) -> bool {
        self.slots.view(main.held())[usize::from(octet)].is_some()
    }

    /// Where packets with `octet` go, when somebody takes them.
    pub(crate) fn slot<N>(&self, token: Dispatching<'_>, octet: u8) -> Option<Slot<N>> {
        self.slots.read(token)[usize::from(octet)].map(Slot::added)
    }
}
