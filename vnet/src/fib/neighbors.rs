//! Neighbours, and the routes and adjacencies that follow from them.

use core::net::IpAddr;

use super::{
    Family, FibError, FibIndex, Forwarding, IpPrefix, Path, Source,
    link_local::{is_link_local, scoped},
};
use crate::adjacency::{AdjacencyKey, LinkKind};
use crate::interface::SwIfIndex;
use crate::neighbor::{Learnt, Neighbor, NeighborConfig, NeighborFlags, NeighborKey};
use crate::runtime::EngineTime;

/// What is called for a neighbour that is there, or is gone.
pub(super) type NeighborHook = Box<dyn Fn(NeighborKey, &Neighbor, bool)>;

impl Forwarding {
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
        let link = self.link_on_stack(interface).ok_or(FibError::NoSuchInterface(interface))?;
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
        let new = Neighbor { mac, flags, updated: now, adjacency };
        self.neighbors.insert(key, new);
        if let Err(error) = self.route_neighbor(key, had_route) {
            if old.is_none() {
                self.forget_neighbor(key);
            }
            return Err(error);
        }
        if old.is_none_or(|old| (old.mac, old.flags) != (mac, flags)) {
            self.tell_neighbor(key, &new, true);
        }
        Ok(())
    }

    /// Calls `hook` for each neighbour that is added, changes, or is removed: then with `false`.
    pub fn on_neighbor(&mut self, hook: impl Fn(NeighborKey, &Neighbor, bool) + 'static) {
        self.neighbor_hooks.push(Box::new(hook));
    }

    fn tell_neighbor(&self, key: NeighborKey, neighbor: &Neighbor, is_there: bool) {
        self.neighbor_hooks.iter().for_each(|hook| hook(key, neighbor, is_there));
    }

    /// Takes note of what a neighbour has said of itself. Known and unchanged, it is confirmed, which costs readers nothing; what is
    /// static stays as it is. A new one must fit into the [limit](NeighborConfig::limit) of its family, or takes the place of the
    /// one that was longest not heard of.
    pub fn learn_neighbor(
        &mut self,
        interface: SwIfIndex,
        address: IpAddr,
        mac: [u8; 6],
        now: EngineTime,
    ) -> Result<Learnt, FibError> {
        let key = NeighborKey { interface, address };
        if let Some(&known) = self.neighbors.get(key) {
            if known.flags.contains(NeighborFlags::STATIC) {
                return Ok(Learnt::Known);
            }
            if known.mac == mac {
                self.neighbors.touch(key, now);
                return Ok(Learnt::Known);
            }
            self.set_neighbor(interface, address, mac, known.flags, now)?;
            return Ok(Learnt::Changed);
        }
        let family = Family::of(address);
        let NeighborConfig { limit, recycle, .. } = self.neighbors.config(family);
        if self.neighbors.dynamic(family) >= limit as usize {
            match self.neighbors.oldest(family).filter(|_| recycle) {
                Some((_, oldest)) => self.delete_neighbor(oldest.interface, oldest.address)?,
                None => return Ok(Learnt::Full),
            }
        }
        self.set_neighbor(interface, address, mac, NeighborFlags::empty(), now)?;
        Ok(Learnt::New)
    }

    /// Forgets the neighbours of an interface that were learnt and for whose addresses `gone` says so.
    pub fn forget_learnt(
        &mut self,
        interface: SwIfIndex,
        gone: impl Fn(IpAddr) -> bool,
    ) -> Result<(), FibError> {
        for key in self.neighbors.of_interface(interface) {
            let neighbor = self.neighbors.get(key);
            let learnt = neighbor.is_some_and(|n| !n.flags.contains(NeighborFlags::STATIC));
            if learnt && gone(key.address) {
                self.delete_neighbor(key.interface, key.address)?;
            }
        }
        Ok(())
    }

    /// How neighbours of a family are learnt and forgotten.
    #[must_use]
    pub fn neighbor_config(&self, family: Family) -> NeighborConfig {
        self.neighbors.config(family)
    }

    /// Sets how neighbours of a family are learnt and forgotten. Those that are there stay, however many they are.
    pub fn set_neighbor_config(&mut self, family: Family, config: NeighborConfig) {
        self.neighbors.set_config(family, config);
    }

    /// The learnt neighbours of a family, beginning with that which was longest not heard of, and when each last was.
    pub fn oldest_neighbors(
        &self,
        family: Family,
    ) -> impl Iterator<Item = (EngineTime, NeighborKey)> {
        self.neighbors.by_age(family)
    }

    /// Removes a neighbour: `set ip neighbor del`. Its adjacency is incomplete from now on.
    pub fn delete_neighbor(
        &mut self,
        interface: SwIfIndex,
        address: IpAddr,
    ) -> Result<(), FibError> {
        let key = NeighborKey { interface, address };
        let gone = self.neighbor(interface, address);
        let gone = gone.ok_or(FibError::NoSuchNeighbor(interface, address))?;
        if self.has_route(key) {
            self.delete_neighbor_route(self.home_of(key), key)?;
        }
        self.forget_neighbor(key);
        self.tell_neighbor(key, &gone, false);
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

    /// Those behind one in that order, or all.
    pub fn neighbors_after(
        &self,
        family: Family,
        after: Option<NeighborKey>,
    ) -> impl Iterator<Item = (NeighborKey, &Neighbor)> {
        self.neighbors.of_family_after(family, after)
    }

    /// Whether a neighbour's address has a route from it.
    pub(super) fn has_route(&self, key: NeighborKey) -> bool {
        let neighbor = self.neighbors.get(key);
        let wanted = |neighbor: &Neighbor| !neighbor.flags.contains(NeighborFlags::NO_FIB_ENTRY);
        neighbor.is_some_and(wanted)
    }

    /// The table in which a neighbour's address has its route.
    fn home_of(&self, key: NeighborKey) -> FibIndex {
        match is_link_local(key.address) {
            true => FibIndex::LINK_LOCAL,
            false => self.fib_of(key.interface, Family::of(key.address)),
        }
    }

    fn route_neighbor(&mut self, key: NeighborKey, had_route: bool) -> Result<(), FibError> {
        let fib = self.home_of(key);
        match (had_route, self.has_route(key)) {
            (false, true) => self.add_neighbor_route(fib, key),
            (true, false) => self.delete_neighbor_route(fib, key),
            (true, true) | (false, false) => Ok(()),
        }
    }

    /// An address that is a neighbour on several interfaces has a path by each.
    pub(super) fn add_neighbor_route(
        &mut self,
        fib: FibIndex,
        key: NeighborKey,
    ) -> Result<(), FibError> {
        let path = Path::via(key.address, key.interface);
        let prefix = IpPrefix::host(scoped(key.address, key.interface));
        self.add_paths(fib, prefix, Source::Adjacency, &[path]).map(|_| ())
    }

    pub(super) fn delete_neighbor_route(
        &mut self,
        fib: FibIndex,
        key: NeighborKey,
    ) -> Result<(), FibError> {
        let target = Path::via(key.address, key.interface).target;
        let prefix = IpPrefix::host(scoped(key.address, key.interface));
        self.remove_paths(fib, prefix, Source::Adjacency, &[target])
    }

    /// Removes a neighbour whose route is gone.
    fn forget_neighbor(&mut self, key: NeighborKey) {
        let Some(neighbor) = self.neighbors.remove(key) else { return };
        let index = neighbor.adjacency;
        if let Some(link) = self.link_on_stack(key.interface) {
            self.adjacencies.forget_mac(&self.shared.adjacencies, index, &link);
        }
        self.settle_watchers(&[index]);
        self.adjacencies.release(index);
    }
}
