//! Who receives packets for this machine.

use vnet::{
    fib::Family,
    graph::{GraphError, NodeIndex},
    plugin::Registrar,
    runtime::Main,
};

use crate::demux::Demux;

/// Which node receives which IP protocol; the engine [provides](vnet::plugin::Registrar::provide) it. Clones are the same tables.
#[derive(Clone)]
pub struct IpProtocols {
    ip4: Demux,
    ip6: Demux,
}

impl IpProtocols {
    pub(crate) fn new(r: &Registrar) -> Self {
        Self { ip4: Demux::new(r, "ip4-local"), ip6: Demux::new(r, "ip6-local") }
    }

    /// Packets for this machine whose protocol, or last next header, is `protocol` go to `node`: their current position at the IP
    /// header, `l4_offset` at what follows it and its extension headers, checksums of TCP, UDP and ICMPv6 right. Whoever received
    /// them before does so no more. Senders of what nobody receives are told.
    ///
    /// # Errors
    /// When the built-in nodes are not in the engine.
    pub fn register(
        &self,
        main: &mut Main,
        family: Family,
        protocol: u8,
        node: NodeIndex,
    ) -> Result<(), GraphError> {
        self.of(family).register(main, protocol, node)
    }

    /// Nobody receives the protocol any more.
    pub fn unregister(&self, main: &mut Main, family: Family, protocol: u8) {
        self.of(family).unregister(main, protocol);
    }

    /// Whether somebody receives the protocol.
    #[must_use]
    pub fn is_taken(&self, main: &Main, family: Family, protocol: u8) -> bool {
        self.of(family).is_taken(main, protocol)
    }

    pub(crate) fn of(&self, family: Family) -> &Demux {
        match family {
            Family::Ip4 => &self.ip4,
            Family::Ip6 => &self.ip6,
        }
    }
}
