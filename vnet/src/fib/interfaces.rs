//! Interfaces, their addresses and tables, and the routes that follow from them.

use core::net::IpAddr;
use core::sync::atomic::Ordering;
use std::collections::BTreeMap;

use super::link_local::is_link_local;
use super::path_list::PathListId;
use super::{Family, FibError, FibIndex, Forwarding, IpPrefix, MAX_INTERFACES, Path, Source};
use crate::adjacency::{AdjacencyIndex, Link};
use crate::interface::{InterfaceAddress, SwIfIndex};

/// What the forwarding state keeps of an interface.
#[derive(Debug)]
pub(super) struct Interface {
    pub(super) link: Link,
    /// The interface whose frames its own are, of a sub-interface.
    over: Option<SwIfIndex>,
    /// In the order in which they were added.
    addresses: Vec<InterfaceAddress>,
}

impl Forwarding {
    /// Makes an interface known, or says how it changed: its MAC address, MTU, output slot, or whether it is up. All
    /// adjacencies on it follow.
    pub fn set_interface(&mut self, interface: SwIfIndex, link: Link) -> Result<(), FibError> {
        if interface.0 as usize >= MAX_INTERFACES {
            return Err(FibError::InterfaceIndex(interface));
        }
        let adjacencies = self.adjacencies.of_interface(interface);
        if self.adjacencies.replaceable() < adjacencies.len() {
            return Err(FibError::AdjacenciesFull);
        }
        self.interfaces
            .entry(interface)
            .and_modify(|known| known.link = link)
            .or_insert_with(|| Interface { link, over: None, addresses: Vec::new() });
        let link = self.link_on_stack(interface).unwrap_or(link);
        for &index in &adjacencies {
            let refreshed = self.adjacencies.refresh(&self.shared.adjacencies, index, &link);
            debug_assert!(refreshed, "bodies were counted");
        }
        self.settle_watchers(&adjacencies);
        Ok(())
    }

    /// Says that what a known interface sends are frames of another one, whose sub-interface it is.
    pub fn set_carrier(&mut self, interface: SwIfIndex, over: SwIfIndex) {
        if let Some(known) = self.interfaces.get_mut(&interface) {
            known.over = Some(over);
        }
    }

    /// The interface whose frames those of an interface are: itself, unless it is a sub-interface.
    pub(super) fn carrier(&self, interface: SwIfIndex) -> SwIfIndex {
        self.interfaces.get(&interface).and_then(|known| known.over).unwrap_or(interface)
    }

    /// Deletes an interface: its addresses and neighbours, and the paths that name it. Routes with other paths keep
    /// those; routes without go. The interface's index means nothing here afterwards.
    pub fn delete_interface(&mut self, interface: SwIfIndex) -> Result<(), FibError> {
        self.interface(interface)?;
        self.unstack_interface(interface);
        for key in self.neighbors.of_interface(interface) {
            self.delete_neighbor(key.interface, key.address)?;
        }
        for address in self.addresses(interface).to_vec() {
            self.delete_address(interface, address)?;
        }
        self.forget_interface(interface);
        self.forget_redirects(interface);
        for family in [Family::Ip4, Family::Ip6] {
            if let Some(binding) = self.shared.binding(interface, family) {
                binding.store(FibIndex::DEFAULT.0, Ordering::Release);
            }
        }
        self.interfaces.remove(&interface);
        // Paths through a connected prefix of the interface had its adjacencies; they went with the prefix.
        debug_assert!(self.adjacencies.of_interface(interface).is_empty());
        Ok(())
    }

    /// What was said about an interface.
    #[must_use]
    pub fn link(&self, interface: SwIfIndex) -> Option<Link> {
        self.interfaces.get(&interface).map(|interface| interface.link)
    }

    /// The table in which packets from an interface are looked up.
    #[must_use]
    pub fn fib_of(&self, interface: SwIfIndex, family: Family) -> FibIndex {
        self.shared.fib_of(interface, family)
    }

    /// Binds an interface to a table: `set interface ip table`. Fails while it has addresses of the family. Routes of
    /// its neighbours move along.
    pub fn bind_table(
        &mut self,
        interface: SwIfIndex,
        family: Family,
        fib: FibIndex,
    ) -> Result<(), FibError> {
        self.interface(interface)?;
        self.table_id(family, fib)?;
        let of_family = |address: &InterfaceAddress| address.family() == family;
        if self.addresses(interface).iter().any(of_family) {
            return Err(FibError::HasAddresses(interface, family));
        }
        let old = self.fib_of(interface, family);
        if old == fib {
            return Ok(());
        }
        let mut neighbors = self.neighbors.of_interface(interface);
        neighbors.retain(|key| {
            Family::of(key.address) == family && !is_link_local(key.address) && self.has_route(*key)
        });
        for (done, &key) in neighbors.iter().enumerate() {
            if let Err(error) = self.add_neighbor_route(fib, key) {
                for &key in &neighbors[..done] {
                    self.delete_neighbor_route(fib, key)?;
                }
                return Err(error);
            }
        }
        for &key in &neighbors {
            self.delete_neighbor_route(old, key)?;
        }
        if let Some(binding) = self.shared.binding(interface, family) {
            binding.store(fib.0, Ordering::Release);
        }
        Ok(())
    }

    /// The addresses of an interface, in the order in which they were added.
    #[must_use]
    pub fn addresses(&self, interface: SwIfIndex) -> &[InterfaceAddress] {
        self.interfaces.get(&interface).map_or(&[], |interface| &interface.addresses)
    }

    /// Adds an address: `set interface ip address`. The address is local and its prefix connected; of an IPv4 prefix
    /// shorter than /31 the first and the last address are dropped.
    pub fn add_address(
        &mut self,
        interface: SwIfIndex,
        address: InterfaceAddress,
    ) -> Result<(), FibError> {
        let mut addresses = self.interface(interface)?.addresses.clone();
        if addresses.iter().any(|other| other.address() == address.address()) {
            return Err(FibError::DuplicateAddress(interface, address));
        }
        let fib = self.fib_of(interface, address.family());
        let overlap = self.interfaces.iter().find(|(other, known)| {
            **other != interface
                && self.fib_of(**other, address.family()) == fib
                && known.addresses.iter().any(|other| other.overlaps(address))
        });
        if let Some((&other, _)) = overlap {
            return Err(FibError::AddressInUse(address, other));
        }
        addresses.push(address);
        self.set_addresses(interface, address.family(), addresses)
    }

    /// Removes an address: `set interface ip address del`.
    pub fn delete_address(
        &mut self,
        interface: SwIfIndex,
        address: InterfaceAddress,
    ) -> Result<(), FibError> {
        let mut addresses = self.interface(interface)?.addresses.clone();
        let before = addresses.len();
        addresses.retain(|&other| other != address);
        if addresses.len() == before {
            return Err(FibError::NoSuchAddress(interface, address));
        }
        self.set_addresses(interface, address.family(), addresses)
    }

    pub(super) fn interface(&self, interface: SwIfIndex) -> Result<&Interface, FibError> {
        self.interfaces.get(&interface).ok_or(FibError::NoSuchInterface(interface))
    }

    /// Gives an interface other addresses of a family, and changes the routes that differ.
    fn set_addresses(
        &mut self,
        interface: SwIfIndex,
        family: Family,
        addresses: Vec<InterfaceAddress>,
    ) -> Result<(), FibError> {
        let fib = self.fib_of(interface, family);
        let old = connected_routes(interface, family, self.addresses(interface));
        let new = connected_routes(interface, family, &addresses);
        for (done, (&prefix, &path)) in new.iter().enumerate() {
            if old.get(&prefix) == Some(&path) {
                continue;
            }
            if let Err(error) = self.set_route(fib, prefix, Source::Interface, &[path]) {
                self.undo_routes(fib, &old, new.keys().take(done).copied())?;
                return Err(error);
            }
        }
        for &prefix in old.keys().filter(|prefix| !new.contains_key(prefix)) {
            self.delete_route(fib, prefix, Source::Interface)?;
        }
        if let Some(known) = self.interfaces.get_mut(&interface) {
            known.addresses = addresses;
        }
        Ok(())
    }

    /// Puts the interface's routes of these prefixes back to what they were.
    fn undo_routes(
        &mut self,
        fib: FibIndex,
        old: &BTreeMap<IpPrefix, Path>,
        prefixes: impl Iterator<Item = IpPrefix>,
    ) -> Result<(), FibError> {
        for prefix in prefixes {
            match old.get(&prefix) {
                Some(&path) => {
                    self.set_route(fib, prefix, Source::Interface, &[path])?;
                }
                None => self.delete_route(fib, prefix, Source::Interface)?,
            }
        }
        Ok(())
    }

    pub(super) fn settle_watchers(&mut self, adjacencies: &[AdjacencyIndex]) {
        let watchers = adjacencies.iter().flat_map(|&index| self.adjacencies.watchers(index));
        let watchers: Vec<PathListId> = watchers.collect();
        self.settle(watchers);
    }
}

/// The routes that follow from an interface's addresses of a family.
fn connected_routes(
    interface: SwIfIndex,
    family: Family,
    addresses: &[InterfaceAddress],
) -> BTreeMap<IpPrefix, Path> {
    let mut routes = BTreeMap::new();
    let addresses = || addresses.iter().filter(|address| address.family() == family);
    for address in addresses() {
        routes.insert(IpPrefix::host(address.address()), Path::local(interface));
    }
    for address in addresses().filter(|address| !address.prefix().is_host()) {
        for end in ends(address.prefix()).into_iter().flatten() {
            routes.entry(IpPrefix::host(end)).or_insert(Path::DROP);
        }
        routes.entry(address.prefix()).or_insert_with(|| Path::attached(interface));
    }
    routes
}

/// The network and the broadcast address of an IPv4 prefix that has them (RFC 3021: a /31 has none).
fn ends(prefix: IpPrefix) -> Option<[IpAddr; 2]> {
    let has_ends = prefix.family() == Family::Ip4 && prefix.len() < 31;
    has_ends.then(|| [prefix.address(), prefix.last()])
}
