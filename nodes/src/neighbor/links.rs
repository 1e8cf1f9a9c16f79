//! What nodes must know of an interface to ask and to answer for addresses on its link.

use std::net::{IpAddr, Ipv4Addr};

use vnet::{
    adjacency::AdjacencyKind,
    fib::{DpoKind, Family, FibIndex, ForwardingReader},
    interface::{InterfaceTable, OutputTags, SwIfIndex},
    wire::ethernet::{EtherType, MacAddress},
};

use super::frame::FrameBytes;

/// An interface on which there are neighbours.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    /// Whether packets may pass.
    pub(crate) up: bool,
    pub(crate) mac: MacAddress,
    tags: OutputTags,
    fib4: FibIndex,
    /// In the order in which they were added, each with the length of its prefix.
    pub(crate) ip4: Vec<(Ipv4Addr, u8)>,
}

impl Link {
    /// What `table` says of an interface, if it can have neighbours.
    pub(crate) fn of(table: &InterfaceTable, interface: SwIfIndex) -> Option<Self> {
        let sw = table.interface(interface)?;
        let hw = table.hardware_interface(sw.hw_if_index)?;
        let carrier = table.interface(hw.sw_if_index)?;
        let addresses = table.addresses(interface).ok()?;
        let ip4 = addresses.iter().filter_map(|address| match address.address() {
            IpAddr::V4(ip) => Some((ip, address.length())),
            IpAddr::V6(_) => None,
        });
        Some(Self {
            up: sw.admin_up && carrier.admin_up && hw.link.up,
            mac: MacAddress(hw.mac?),
            tags: table.output_tags(interface).ok()?,
            fib4: FibIndex(sw.table(Family::Ip4).fib_index),
            ip4: ip4.collect(),
        })
    }

    /// The beginning of a frame from this interface: addresses, VLAN tags, type.
    pub(crate) fn frame(&self, to: MacAddress, payload: EtherType) -> FrameBytes {
        let mut bytes = FrameBytes::new();
        bytes.extend(to.0.into_iter().chain(self.mac.0).chain(self.tags.header(payload)));
        bytes
    }

    /// Whether an address is this interface's, its own or borrowed.
    pub(crate) fn has4(&self, address: Ipv4Addr) -> bool {
        self.ip4.iter().any(|(own, _)| *own == address)
    }

    /// The address from which to ask for `target`: one whose prefix it lies in, else the first.
    pub(crate) fn source4(&self, target: Ipv4Addr) -> Option<Ipv4Addr> {
        let covering = self.ip4.iter().find(|&&(own, length)| covers4(own, length, target));
        covering.or(self.ip4.first()).map(|(own, _)| *own)
    }

    /// Whether `address` can be that of a host on this link: it lies in the prefix of one of the interface's addresses, or has a
    /// route that says so.
    pub(crate) fn is_on_link4(
        &self,
        reader: &ForwardingReader,
        interface: SwIfIndex,
        address: Ipv4Addr,
    ) -> bool {
        let in_prefix = self.ip4.iter().any(|&(own, length)| {
            covers4(own, length, address) && !is_end_of(own, length, address)
        });
        in_prefix || self.is_attached4(reader, interface, address)
    }

    /// Whether the route of an address leads straight to it, by this interface.
    fn is_attached4(
        &self,
        reader: &ForwardingReader,
        interface: SwIfIndex,
        address: Ipv4Addr,
    ) -> bool {
        let Some(table) = reader.ip4_table(self.fib4) else { return false };
        let dpo = reader.load_balance(table.lookup_one(address.to_bits()));
        if !matches!(dpo.kind(), DpoKind::Glean | DpoKind::Incomplete | DpoKind::Adjacency) {
            return false;
        }
        let adjacency = reader.adjacency(dpo.adjacency_index());
        let itself = adjacency.next_hop() == IpAddr::V4(address);
        adjacency.sw_if_index() == interface && (itself || adjacency.kind() == AdjacencyKind::Glean)
    }
}

fn covers4(own: Ipv4Addr, length: u8, address: Ipv4Addr) -> bool {
    (own.to_bits() ^ address.to_bits()) & mask4(length) == 0
}

/// Network and broadcast address are no host's, where a prefix has them.
fn is_end_of(own: Ipv4Addr, length: u8, address: Ipv4Addr) -> bool {
    let host = address.to_bits() & !mask4(length);
    length < 31 && (host == 0 || host == !mask4(length)) && address != own
}

fn mask4(length: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0)
}

/// The links of all interfaces that have neighbours, by number.
#[derive(Debug, Default)]
pub(crate) struct Links(Vec<Option<Link>>);

impl Links {
    /// Takes over what `table` says of an interface now, which may be that there is none.
    pub(crate) fn update(&mut self, interface: SwIfIndex, link: Option<Link>) {
        let at = interface.0 as usize;
        if self.0.len() <= at {
            self.0.resize(at + 1, None);
        }
        self.0[at] = link;
    }

    #[inline]
    pub(crate) fn get(&self, interface: SwIfIndex) -> Option<&Link> {
        self.0.get(interface.0 as usize)?.as_ref()
    }
}
