//! What nodes must know of an interface to ask and to answer for addresses on its link.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vnet::{
    fib::ForwardingReader,
    interface::{InterfaceTable, OutputTags, SwIfIndex},
    wire::{
        ethernet::{EtherType, MacAddress},
        nd,
    },
};

use super::frame::FrameBytes;

/// An interface on which there are neighbours.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    /// Whether packets may pass.
    pub(crate) up: bool,
    pub(crate) mac: MacAddress,
    tags: OutputTags,
    /// In the order in which they were added, each with the length of its prefix.
    pub(crate) ip4: Vec<(Ipv4Addr, u8)>,
    pub(crate) ip6: Vec<(Ipv6Addr, u8)>,
    pub(crate) link_local: Option<Ipv6Addr>,
    /// IPv6 addresses that are not used yet, since somebody else may have them. A link-local one is not above then, the prefixes of
    /// others are on the link all the same.
    pub(crate) tentative: Vec<Ipv6Addr>,
    /// Which of the states of all links this is: another one with each change.
    pub(crate) generation: u32,
}

impl Link {
    /// What `table` says of an interface, if it can have neighbours.
    pub(crate) fn of(table: &InterfaceTable, interface: SwIfIndex) -> Option<Self> {
        let sw = table.interface(interface)?;
        let hw = table.hardware_interface(sw.hw_if_index)?;
        let carrier = table.interface(hw.sw_if_index)?;
        let addresses = table.addresses(interface).ok()?;
        let (mut ip4, mut ip6) = (Vec::new(), Vec::new());
        for address in addresses {
            match address.address() {
                IpAddr::V4(ip) => ip4.push((ip, address.length())),
                IpAddr::V6(ip) => ip6.push((ip, address.length())),
            }
        }
        let all6 = sw.link_local.into_iter().chain(ip6.iter().map(|(own, _)| *own));
        Some(Self {
            up: sw.admin_up && carrier.admin_up && hw.link.up,
            mac: MacAddress(hw.mac?),
            tags: table.output_tags(interface).ok()?,
            ip4,
            link_local: table.used_link_local(interface),
            tentative: all6.filter(|address| table.is_tentative(interface, *address)).collect(),
            ip6,
            generation: 0,
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
        in_prefix || reader.is_attached(interface, address.into())
    }
}

impl Link {
    /// Whether it is still to be found out if somebody else has an address of this interface.
    pub(crate) fn is_tentative(&self, address: Ipv6Addr) -> bool {
        self.tentative.contains(&address)
    }

    /// Whether an IPv6 address is this interface's: its own, borrowed, or link-local.
    pub(crate) fn has6(&self, address: Ipv6Addr) -> bool {
        self.all6().any(|own| own == address)
    }

    /// The IPv6 addresses of this interface, the link-local one first.
    pub(crate) fn all6(&self) -> impl Iterator<Item = Ipv6Addr> {
        self.link_local.into_iter().chain(self.global6().map(|(own, _)| own))
    }

    /// The address from which to ask for `target`: the link-local one for another such, one whose prefix it lies in, else any.
    pub(crate) fn source6(&self, target: Ipv6Addr) -> Option<Ipv6Addr> {
        if target.is_unicast_link_local() && self.link_local.is_some() {
            return self.link_local;
        }
        let covering = self.global6().find(|&(own, length)| covers6(own, length, target));
        let any = || self.global6().next();
        covering.map(|(own, _)| own).or(self.link_local).or_else(|| any().map(|(own, _)| own))
    }

    /// The IPv6 addresses with a prefix that are used.
    fn global6(&self) -> impl Iterator<Item = (Ipv6Addr, u8)> {
        let is_used = |(own, _): &(Ipv6Addr, u8)| !self.is_tentative(*own);
        self.ip6.iter().copied().filter(is_used)
    }

    /// Whether `address` can be that of a host on this link: it is link-local, lies in the prefix of one of the interface's
    /// addresses, or has a route that says so.
    pub(crate) fn is_on_link6(
        &self,
        reader: &ForwardingReader,
        interface: SwIfIndex,
        address: Ipv6Addr,
    ) -> bool {
        let in_prefix = || self.ip6.iter().any(|&(own, length)| covers6(own, length, address));
        address.is_unicast_link_local()
            || in_prefix()
            || reader.is_attached(interface, address.into())
    }

    /// Where frames to a group begin.
    pub(crate) fn frame_to_group(&self, group: Ipv6Addr) -> FrameBytes {
        self.frame(nd::group_mac(group.octets()), EtherType::IP6)
    }
}

fn covers6(own: Ipv6Addr, length: u8, address: Ipv6Addr) -> bool {
    let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
    (own.to_bits() ^ address.to_bits()) & mask == 0
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
pub(crate) struct Links {
    links: Vec<Option<Link>>,
    changes: u32,
}

impl Links {
    /// Takes over what is known of an interface now, which may be that there is none.
    pub(crate) fn update(&mut self, interface: SwIfIndex, link: Option<Link>) {
        let at = interface.0 as usize;
        if self.links.len() <= at {
            self.links.resize(at + 1, None);
        }
        self.changes = self.changes.wrapping_add(1);
        self.links[at] = link.map(|link| Link { generation: self.changes, ..link });
    }

    #[inline]
    pub(crate) fn get(&self, interface: SwIfIndex) -> Option<&Link> {
        self.links.get(interface.0 as usize)?.as_ref()
    }
}
