//! Neighbours: the MAC addresses of next hops, by interface and address.

mod commands;

use core::fmt;
use core::net::IpAddr;
use core::ops::{Bound, RangeBounds};
use std::collections::{BTreeMap, BTreeSet};

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

/// How neighbours of a family are learnt and forgotten: `set ip neighbor-config`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NeighborConfig {
    /// How many are learnt at most.
    pub limit: u32,
    /// Seconds after which one that was not heard of is asked whether it is still there, and forgotten when it does not answer; 0 is
    /// never.
    pub age: u32,
    /// Whether a new one takes the place of the oldest when the limit is reached; if not, it is not learnt.
    pub recycle: bool,
}

impl NeighborConfig {
    /// VPP's.
    pub const DEFAULT: Self = Self { limit: 50_000, age: 0, recycle: false };
}

/// What became of what a neighbour has said of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Learnt {
    /// It was not known before.
    New,
    /// It has another MAC address than before.
    Changed,
    /// It was known so, or is static.
    Known,
    /// There is no room for it.
    Full,
}

/// All neighbours of both families, ordered by interface and address.
#[derive(Debug)]
pub(crate) struct NeighborTable {
    neighbors: BTreeMap<NeighborKey, Neighbor>,
    families: [OfFamily; 2],
}

/// What is kept of a family.
#[derive(Debug)]
struct OfFamily {
    config: NeighborConfig,
    /// The learnt ones, by when they were last heard of.
    by_age: BTreeSet<(EngineTime, NeighborKey)>,
}

impl NeighborTable {
    pub(crate) const fn new() -> Self {
        const EMPTY: OfFamily =
            OfFamily { config: NeighborConfig::DEFAULT, by_age: BTreeSet::new() };
        Self { neighbors: BTreeMap::new(), families: [EMPTY; 2] }
    }

    pub(crate) fn get(&self, key: NeighborKey) -> Option<&Neighbor> {
        self.neighbors.get(&key)
    }

    pub(crate) fn insert(&mut self, key: NeighborKey, neighbor: Neighbor) {
        self.remove(key);
        self.neighbors.insert(key, neighbor);
        if !neighbor.flags.contains(NeighborFlags::STATIC) {
            self.family_mut(key).by_age.insert((neighbor.updated, key));
        }
    }

    pub(crate) fn remove(&mut self, key: NeighborKey) -> Option<Neighbor> {
        let gone = self.neighbors.remove(&key)?;
        self.family_mut(key).by_age.remove(&(gone.updated, key));
        Some(gone)
    }

    /// A neighbour was heard of.
    pub(crate) fn touch(&mut self, key: NeighborKey, now: EngineTime) {
        if let Some(neighbor) = self.get(key).copied() {
            self.insert(key, Neighbor { updated: now, ..neighbor });
        }
    }

    pub(crate) fn config(&self, family: Family) -> NeighborConfig {
        self.families[family as usize].config
    }

    pub(crate) fn set_config(&mut self, family: Family, config: NeighborConfig) {
        self.families[family as usize].config = config;
    }

    /// How many of a family were learnt.
    pub(crate) fn dynamic(&self, family: Family) -> usize {
        self.families[family as usize].by_age.len()
    }

    /// The learnt ones of a family, the one that was longest not heard of first.
    pub(crate) fn by_age(&self, family: Family) -> impl Iterator<Item = (EngineTime, NeighborKey)> {
        self.families[family as usize].by_age.iter().copied()
    }

    /// The learnt one of a family that was longest not heard of.
    pub(crate) fn oldest(&self, family: Family) -> Option<(EngineTime, NeighborKey)> {
        self.by_age(family).next()
    }

    fn family_mut(&mut self, key: NeighborKey) -> &mut OfFamily {
        &mut self.families[Family::of(key.address) as usize]
    }

    /// All neighbours of a family.
    pub(crate) fn of_family(
        &self,
        family: Family,
    ) -> impl Iterator<Item = (NeighborKey, &Neighbor)> {
        self.of_family_after(family, None)
    }

    /// Those behind one, or all.
    pub(crate) fn of_family_after(
        &self,
        family: Family,
        after: Option<NeighborKey>,
    ) -> impl Iterator<Item = (NeighborKey, &Neighbor)> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.neighbors
            .range((start, Bound::Unbounded))
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
    fn those_that_were_learnt_stand_in_the_order_in_which_they_were_heard_of() {
        let mut table = NeighborTable::new();
        let neighbor = |flags, at| Neighbor {
            mac: [0; 6],
            flags,
            updated: EngineTime(at),
            adjacency: AdjacencyIndex(1),
        };
        table.insert(key(1, "10.0.0.1"), neighbor(NeighborFlags::STATIC, 1));
        for (address, at) in [("10.0.0.2", 7), ("10.0.0.3", 5), ("10.0.0.4", 6), ("fe80::1", 2)] {
            table.insert(key(1, address), neighbor(NeighborFlags::empty(), at));
        }
        table.touch(key(1, "10.0.0.3"), EngineTime(9));
        table.remove(key(1, "10.0.0.2"));
        let order: Vec<_> = table.by_age(Family::Ip4).map(|(at, key)| (at.0, key)).collect();
        assert_eq!(order, [(6, key(1, "10.0.0.4")), (9, key(1, "10.0.0.3"))]);
        assert_eq!((table.dynamic(Family::Ip4), table.dynamic(Family::Ip6)), (2, 1));
    }

    #[test]
    fn flags_print_as_their_letters() {
        assert_eq!(NeighborFlags::STATIC.to_string(), "S");
        assert_eq!(NeighborFlags::empty().to_string(), "D");
        assert_eq!(NeighborFlags::all().to_string(), "SN");
    }
}
