//! What workers know of interfaces: one small entry each, made anew when the table changes.

use std::{
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
};

use super::{InterfaceAddress, InterfaceTable, SwIfIndex, TagTable, address::source_for};
use crate::fib::Family;

/// What a worker knows of one software interface.
#[derive(Clone, Debug)]
pub struct InterfaceView {
    /// Whether packets may pass: the interface, what carries it, and the link are up.
    pub up: bool,
    /// Whether what it receives while it is down is punted.
    pub punt: bool,
    /// MAC address of the hardware; zeros without Ethernet.
    pub mac: [u8; 6],
    /// Whether frames have Ethernet headers.
    pub ethernet: bool,
    /// Whether what it receives is bridged or cross-connected.
    pub layer2: bool,
    /// Number of the interface's IPv4 table.
    pub fib4: u32,
    /// Number of the interface's IPv6 table.
    pub fib6: u32,
    /// What operators call these tables.
    pub table_ids: TableIds,
    /// The main interface of the hardware that carries it.
    pub main: SwIfIndex,
    /// The next slot of `interface-output-arc-end` that leads to the device.
    pub tx_next: u16,
    /// Whether the device makes checksums and cuts large packets.
    pub offloads: bool,
    /// The tags that a main Ethernet interface and its sub-interfaces take.
    pub tags: Option<Arc<TagTable>>,
    /// The addresses that it answers to, its own or those that it borrows, without the link-local one and those that are
    /// tentative.
    pub addresses: Box<[InterfaceAddress]>,
    /// Its link-local address, where IPv6 is enabled.
    pub link_local: Option<Ipv6Addr>,
}

impl InterfaceView {
    /// The address from which the interface speaks to `peer`.
    #[must_use]
    pub fn source_for(&self, peer: IpAddr) -> Option<IpAddr> {
        source_for(self.addresses.iter().copied(), self.link_local, peer)
    }
}

/// Numbers of forwarding tables as operators gave them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableIds {
    /// Of IPv4 packets.
    pub ip4: u32,
    /// Of IPv6 packets.
    pub ip6: u32,
}

/// The entries of all interfaces, by number.
#[derive(Debug, Default)]
pub struct InterfaceViews {
    views: Vec<Option<InterfaceView>>,
    offloads: bool,
}

impl InterfaceViews {
    /// What `table` says now.
    pub(crate) fn of(table: &mut InterfaceTable) -> Self {
        let known: Vec<_> = table.interfaces().map(|i| (i.index, i.hw_if_index)).collect();
        let mut views = Vec::new();
        for (index, hw_if_index) in known {
            let tags = table.tag_table(hw_if_index);
            let (Some(sw), Some(hw)) =
                (table.interface(index), table.hardware_interface(hw_if_index))
            else {
                continue;
            };
            let carrier_up = table.interface(hw.sw_if_index).is_some_and(|main| main.admin_up);
            let at = index.0 as usize;
            if views.len() <= at {
                views.resize(at + 1, None);
            }
            views[at] = Some(InterfaceView {
                up: sw.admin_up && carrier_up && hw.link.up,
                punt: sw.punt,
                mac: hw.mac.unwrap_or_default(),
                ethernet: hw.is_ethernet(),
                layer2: sw.layer2,
                fib4: sw.table(Family::Ip4).fib_index,
                fib6: sw.table(Family::Ip6).fib_index,
                table_ids: TableIds {
                    ip4: sw.table(Family::Ip4).table_id,
                    ip6: sw.table(Family::Ip6).table_id,
                },
                main: hw.sw_if_index,
                tx_next: hw.tx_next,
                offloads: hw.offloads.takes,
                tags: (sw.sub().is_none() && hw.is_ethernet()).then_some(tags).flatten(),
                addresses: table.used_addresses(index).collect(),
                link_local: table.used_link_local(index),
            });
        }
        let offloads = table.hardware_interfaces().any(|hardware| hardware.offloads.brings);
        Self { views, offloads }
    }

    /// What is known of `interface`; `None` for one that does not exist.
    #[inline]
    #[must_use]
    pub fn get(&self, interface: SwIfIndex) -> Option<&InterfaceView> {
        self.views.get(interface.0 as usize)?.as_ref()
    }

    /// Whether packets may be on their way to which something is still to be done ([`Buffer::offload`](crate::buffer::Buffer::offload)):
    /// some device brings such.
    #[inline]
    #[must_use]
    pub fn has_offloads(&self) -> bool {
        self.offloads
    }

    /// The main interface above a sub-interface, whose counters count for both.
    #[must_use]
    pub fn above(&self, interface: SwIfIndex) -> Option<SwIfIndex> {
        self.get(interface).map(|view| view.main).filter(|&main| main != interface)
    }
}
