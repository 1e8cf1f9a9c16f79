//! Interfaces, their addresses, tables and neighbours, and the routes that follow from them.

use core::net::IpAddr;
use core::sync::atomic::Ordering;
use std::collections::BTreeMap;

use super::path_list::PathListId;
use super::{Family, FibError, FibIndex, Forwarding, IpPrefix, MAX_INTERFACES, Path, Source};
use crate::adjacency::{AdjacencyIndex, AdjacencyKey, Link, LinkKind};
use crate::interface::{InterfaceAddress, SwIfIndex};
use crate::neighbor::{Neighbor, NeighborFlags, NeighborKey};
use crate::runtime::EngineTime;

/// What the forwarding state keeps of an interface.
#[derive(Debug)]
pub(super) struct Interface {
    pub(super) link: Link,
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
            .or_insert_with(|| Interface { link, addresses: Vec::new() });
        for &index in &adjacencies {
            let refreshed = self.adjacencies.refresh(&self.shared.adjacencies, index, &link);
            debug_assert!(refreshed, "bodies were counted");
        }
        self.settle_watchers(&adjacencies);
        Ok(())
    }

    /// Deletes an interface: its addresses and neighbours, and the paths that name it. Routes with other paths keep
    /// those; routes without go. The interface's index means nothing here afterwards.
    pub fn delete_interface(&mut self, interface: SwIfIndex) -> Result<(), FibError> {
        self.interface(interface)?;
        for key in self.neighbors.of_interface(interface) {
            self.delete_neighbor(key.interface, key.address)?;
        }
        for address in self.addresses(interface).to_vec() {
            self.delete_address(interface, address)?;
        }
        self.forget_interface(interface);
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
        neighbors.retain(|key| Family::of(key.address) == family && self.has_route(*key));
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

    /// Sets a neighbour's MAC address: `set ip neighbor`. Its adjacency is complete from now on, and unless the flags
    /// say otherwise its address has a route. A learnt neighbour does not replace a static one.
    pub fn set_neighbor(
        &mut self,
        interface: SwIfIndex,
        address: IpAddr,
        mac: [u8; 6],
        flags: NeighborFlags,
        now: EngineTime,
    ) -> Result<(), FibError> {
        let link = self.interface(interface)?.link;
        if link.kind == LinkKind::ReceiveOnly {
            return Err(FibError::ReceiveOnly(interface));
        }
        let key = NeighborKey { interface, address };
        let old = self.neighbors.get(key).copied();
        let known_static = old.is_some_and(|old| old.flags.contains(NeighborFlags::STATIC));
        if known_static && !flags.contains(NeighborFlags::STATIC) {
            return Ok(());
        }
        let family = Family::of(address);
        let shared = &self.shared.adjacencies;
        let adjacency_key = AdjacencyKey { interface, family, next_hop: Some(address) };
        let adjacency = match old {
            Some(old) => old.adjacency,
            None => self
                .adjacencies
                .acquire(shared, adjacency_key, &link)
                .ok_or(FibError::AdjacenciesFull)?,
        };
        if !self.adjacencies.set_mac(shared, adjacency, &link, mac) {
            if old.is_none() {
                self.adjacencies.release(adjacency);
            }
            return Err(FibError::AdjacenciesFull);
        }
        self.settle_watchers(&[adjacency]);
        let had_route = old.is_some() && self.has_route(key);
        self.neighbors.insert(key, Neighbor { mac, flags, updated: now, adjacency });
        self.route_neighbor(key, had_route).inspect_err(|_| {
            if old.is_none() {
                self.forget_neighbor(key);
            }
        })
    }

    /// Removes a neighbour: `set ip neighbor del`. Its adjacency is incomplete from now on.
    pub fn delete_neighbor(
        &mut self,
        interface: SwIfIndex,
        address: IpAddr,
    ) -> Result<(), FibError> {
        let key = NeighborKey { interface, address };
        if self.neighbors.get(key).is_none() {
            return Err(FibError::NoSuchNeighbor(interface, address));
        }
        if self.has_route(key) {
            self.delete_neighbor_route(self.fib_of(interface, Family::of(address)), key)?;
        }
        self.forget_neighbor(key);
        Ok(())
    }

    /// A neighbour.
    #[must_use]
    pub fn neighbor(&self, interface: SwIfIndex, address: IpAddr) -> Option<Neighbor> {
        self.neighbors.get(NeighborKey { interface, address }).copied()
    }

    /// All neighbours of a family, by interface and address.
    pub fn neighbors(&self, family: Family) -> impl Iterator<Item = (NeighborKey, &Neighbor)> {
        self.neighbors.of_family(family)
    }

    fn interface(&self, interface: SwIfIndex) -> Result<&Interface, FibError> {
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

    /// Whether a neighbour's address has a route from it. Link-local addresses mean something on their link only.
    fn has_route(&self, key: NeighborKey) -> bool {
        let link_local = match key.address {
            IpAddr::V4(_) => false,
            IpAddr::V6(address) => address.is_unicast_link_local(),
        };
        let neighbor = self.neighbors.get(key);
        let wanted = |neighbor: &Neighbor| !neighbor.flags.contains(NeighborFlags::NO_FIB_ENTRY);
        !link_local && neighbor.is_some_and(wanted)
    }

    fn route_neighbor(&mut self, key: NeighborKey, had_route: bool) -> Result<(), FibError> {
        let fib = self.fib_of(key.interface, Family::of(key.address));
        match (had_route, self.has_route(key)) {
            (false, true) => self.add_neighbor_route(fib, key),
            (true, false) => self.delete_neighbor_route(fib, key),
            (true, true) | (false, false) => Ok(()),
        }
    }

    /// An address that is a neighbour on several interfaces has a path by each.
    fn add_neighbor_route(&mut self, fib: FibIndex, key: NeighborKey) -> Result<(), FibError> {
        let path = Path::via(key.address, key.interface);
        self.add_paths(fib, IpPrefix::host(key.address), Source::Adjacency, &[path]).map(|_| ())
    }

    fn delete_neighbor_route(&mut self, fib: FibIndex, key: NeighborKey) -> Result<(), FibError> {
        let target = Path::via(key.address, key.interface).target;
        self.remove_paths(fib, IpPrefix::host(key.address), Source::Adjacency, &[target])
    }

    /// Removes a neighbour whose route is gone.
    fn forget_neighbor(&mut self, key: NeighborKey) {
        let Some(neighbor) = self.neighbors.remove(key) else { return };
        let index = neighbor.adjacency;
        if let Some(known) = self.interfaces.get(&key.interface) {
            self.adjacencies.forget_mac(&self.shared.adjacencies, index, &known.link);
        }
        self.settle_watchers(&[index]);
        self.adjacencies.release(index);
    }

    fn settle_watchers(&mut self, adjacencies: &[AdjacencyIndex]) {
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
