//! Neighbours: the MAC addresses of next hops, by interface and address.

mod commands;

use core::fmt;
use core::net::IpAddr;
use core::ops::RangeBounds;
use std::collections::BTreeMap;

use bitflags::bitflags;

use crate::adjacency::AdjacencyIndex;
use crate::fib::Family;
use crate::interface::SwIfIndex;
use crate::runtime::EngineTime;

pub(crate) use commands::commands;

bitflags! {
    /// How a neighbour is known and what follows from it.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct NeighborFlags: u8 {
        /// Configured, not learnt: only configuration changes or removes it.
        const STATIC = 1;
        /// Its address gets no route of its own.
        const NO_FIB_ENTRY = 2;
    }
}

impl fmt::Display for NeighborFlags {
    /// The letters of `show ip neighbors`: `S` static or `D` dynamic, `N` without a route.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.contains(Self::STATIC) { "S" } else { "D" })?;
        f.write_str(if self.contains(Self::NO_FIB_ENTRY) { "N" } else { "" })
    }
}

/// A neighbour's name: addresses are unique per interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NeighborKey {
    /// The interface that it is on.
    pub interface: SwIfIndex,
    /// Its address.
    pub address: IpAddr,
}

/// A neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbor {
    /// Its MAC address.
    pub mac: [u8; 6],
    /// How it is known.
    pub flags: NeighborFlags,
    /// When it was last set or confirmed.
    pub updated: EngineTime,
    /// The adjacency that its MAC address completes.
    pub adjacency: AdjacencyIndex,
}

/// All neighbours of both families, ordered by interface and address.
#[derive(Debug)]
pub(crate) struct NeighborTable {
    neighbors: BTreeMap<NeighborKey, Neighbor>,
}

impl NeighborTable {
    pub(crate) const fn new() -> Self {
        Self { neighbors: BTreeMap::new() }
    }

    pub(crate) fn get(&self, key: NeighborKey) -> Option<&Neighbor> {
        self.neighbors.get(&key)
    }

    pub(crate) fn insert(&mut self, key: NeighborKey, neighbor: Neighbor) {
        self.neighbors.insert(key, neighbor);
    }

    pub(crate) fn remove(&mut self, key: NeighborKey) -> Option<Neighbor> {
        self.neighbors.remove(&key)
    }

    /// All neighbours of a family.
    pub(crate) fn of_family(
        &self,
        family: Family,
    ) -> impl Iterator<Item = (NeighborKey, &Neighbor)> {
        self.neighbors
            .iter()
            .filter(move |(key, _)| Family::of(key.address) == family)
            .map(|(&key, neighbor)| (key, neighbor))
    }

    /// The names of an interface's neighbours.
    pub(crate) fn of_interface(&self, interface: SwIfIndex) -> Vec<NeighborKey> {
        self.neighbors.range(interface_keys(interface)).map(|(&key, _)| key).collect()
    }
}

fn interface_keys(interface: SwIfIndex) -> impl RangeBounds<NeighborKey> {
    let lowest = NeighborKey { interface, address: IpAddr::from([0; 4]) };
    let highest = NeighborKey { interface, address: IpAddr::from([0xff; 16]) };
    lowest..=highest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(interface: u32, address: &str) -> NeighborKey {
        NeighborKey { interface: SwIfIndex(interface), address: address.parse().unwrap() }
    }

    #[test]
    fn an_interface_has_its_own_neighbors_from_the_lowest_to_the_highest_address() {
        let mut table = NeighborTable::new();
        let neighbor = Neighbor {
            mac: [0; 6],
            flags: NeighborFlags::STATIC,
            updated: EngineTime(0),
            adjacency: AdjacencyIndex(1),
        };
        let highest = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
        for interface in 1..4 {
            for address in ["0.0.0.0", "255.255.255.255", "::", highest] {
                table.insert(key(interface, address), neighbor);
            }
        }
        let of_two = table.of_interface(SwIfIndex(2));
        let expected = ["0.0.0.0", "255.255.255.255", "::", highest].map(|a| key(2, a));
        assert_eq!(of_two, expected);
        assert_eq!(table.of_family(Family::Ip6).count(), 6);
        assert!(table.remove(key(2, "::")).is_some() && table.remove(key(2, "::")).is_none());
        assert_eq!(table.of_interface(SwIfIndex(2)).len(), 3);
    }

    #[test]
    fn flags_print_as_their_letters() {
        assert_eq!(NeighborFlags::STATIC.to_string(), "S");
        assert_eq!(NeighborFlags::empty().to_string(), "D");
        assert_eq!(NeighborFlags::all().to_string(), "SN");
    }
}
