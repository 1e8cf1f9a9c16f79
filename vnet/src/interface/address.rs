//! Addresses of interfaces, and which of them exclude each other.

use super::{InterfaceError, SwIfIndex};
use crate::fib::{Family, IpPrefix};
use core::fmt;
use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
    ops::Bound,
};

/// An address of an interface, with the prefix that is on its link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterfaceAddress {
    address: IpAddr,
    length: u8,
}

impl InterfaceAddress {
    /// An address with a prefix length of 0 to 32 or 128 bits.
    pub fn new(address: IpAddr, length: u8) -> Result<Self, InterfaceError> {
        match length <= Family::of(address).max_len() {
            true => Ok(Self { address, length }),
            false => Err(InterfaceError::PrefixLength { address, length }),
        }
    }

    /// The address.
    #[must_use]
    pub const fn address(self) -> IpAddr {
        self.address
    }

    /// The prefix that is on the link.
    #[must_use]
    pub fn prefix(self) -> IpPrefix {
        IpPrefix::around(self.address, self.length)
    }

    /// Length of its prefix in bits.
    #[must_use]
    pub const fn length(self) -> u8 {
        self.length
    }

    /// Its family.
    #[must_use]
    pub const fn family(self) -> Family {
        Family::of(self.address)
    }

    /// Whether one of the two prefixes lies in the other.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        let (a, b) = (self.prefix(), other.prefix());
        a.contains(b.address()) || b.contains(a.address())
    }
}

/// The address from which an interface speaks to `peer` that has these: that of the longest prefix around both, or else the first
/// one; the link-local one to link-local peers, and where there is no other.
pub(super) fn source_for(
    addresses: impl Iterator<Item = InterfaceAddress> + Clone,
    link_local: Option<Ipv6Addr>,
    peer: IpAddr,
) -> Option<IpAddr> {
    let link_local = link_local.map(IpAddr::from).filter(|_| peer.is_ipv6());
    if let IpAddr::V6(to) = peer
        && to.is_unicast_link_local()
    {
        return link_local;
    }
    let of_family = || addresses.clone().filter(|own| own.family() == Family::of(peer));
    let near = of_family().filter(|own| own.prefix().contains(peer));
    let nearest = near.max_by_key(|own| own.length()).or_else(|| of_family().next());
    nearest.map(|own| own.address()).or(link_local)
}

impl fmt::Display for InterfaceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

/// Which prefixes are on links, table by table. Two interfaces of one table never have overlapping prefixes, and one
/// interface has several addresses of one prefix, but not of two that overlap.
#[derive(Clone, Debug, Default)]
pub(super) struct ConnectedPrefixes {
    prefixes: BTreeMap<Key, Connected>,
}

/// Table and prefix: the order keeps what lies inside of a prefix together.
type Key = (u32, IpPrefix);

#[derive(Clone, Debug)]
struct Connected {
    interface: SwIfIndex,
    addresses: Vec<InterfaceAddress>,
}

impl ConnectedPrefixes {
    /// The address that excludes a new one on an interface, and the interface that has it.
    pub(super) fn conflict(
        &self,
        table: u32,
        interface: SwIfIndex,
        new: InterfaceAddress,
    ) -> Option<(InterfaceAddress, SwIfIndex)> {
        let shorter =
            new.prefix().covering().find_map(|prefix| self.prefixes.get(&(table, prefix)));
        let same = self.prefixes.get(&(table, new.prefix()));
        let same =
            same.filter(|found| found.interface != interface || found.addresses.contains(&new));
        let found = shorter.or(same).or_else(|| {
            let inside = (
                Bound::Excluded((table, new.prefix())),
                Bound::Included((table, IpPrefix::host(new.prefix().last()))),
            );
            self.prefixes.range(inside).map(|(_, found)| found).next()
        })?;
        let with_it = found.addresses.iter().find(|address| **address == new);
        let address = with_it.or_else(|| found.addresses.first())?;
        Some((*address, found.interface))
    }

    pub(super) fn insert(&mut self, table: u32, interface: SwIfIndex, address: InterfaceAddress) {
        let empty = || Connected { interface, addresses: Vec::new() };
        self.prefixes
            .entry((table, address.prefix()))
            .or_insert_with(empty)
            .addresses
            .push(address);
    }

    pub(super) fn remove(&mut self, table: u32, address: InterfaceAddress) {
        let key = (table, address.prefix());
        if let Some(found) = self.prefixes.get_mut(&key) {
            found.addresses.retain(|other| *other != address);
            if found.addresses.is_empty() {
                self.prefixes.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The rule in its own words: what overlaps is refused, but for another address of the same prefix on the same
    /// interface.
    fn naive_conflict(
        held: &[(u32, SwIfIndex, InterfaceAddress)],
        (table, interface, new): (u32, SwIfIndex, InterfaceAddress),
    ) -> bool {
        held.iter().any(|(t, i, old)| {
            let length = old.length().min(new.length());
            let overlap = *t == table && network(*old, length) == network(new, length);
            let neighbour =
                *i == interface && old.length() == new.length() && old.address != new.address;
            overlap && !neighbour
        })
    }

    /// The family, and the first `length` bits in front of zeros.
    fn network(of: InterfaceAddress, length: u8) -> (Family, u128) {
        let bits = match of.address {
            IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
            IpAddr::V6(address) => address.to_bits(),
        };
        (of.family(), bits & u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0))
    }

    fn address() -> impl Strategy<Value = InterfaceAddress> {
        let v4 = (any::<bool>(), 0..4_u32, prop::sample::select(vec![0, 1, 8, 24, 30, 31, 32]));
        let v6 = (any::<bool>(), 0..4_u128, prop::sample::select(vec![0, 1, 64, 127, 128]));
        prop_oneof![
            v4.prop_map(|(high, low, length)| {
                let address = IpAddr::V4((u32::from(high) << 31 | low).into());
                InterfaceAddress::new(address, length).unwrap()
            }),
            v6.prop_map(|(high, low, length)| {
                let address = IpAddr::V6((u128::from(high) << 127 | low).into());
                InterfaceAddress::new(address, length).unwrap()
            }),
        ]
    }

    proptest! {
        #[test]
        fn overlaps_are_found_as_by_comparing_all_pairs(
            steps in prop::collection::vec((any::<bool>(), 0..2_u32, 1..3_u32, address()), 1..40),
        ) {
            let mut prefixes = ConnectedPrefixes::default();
            let mut held = Vec::new();
            for (remove, table, interface, address) in steps {
                let new = (table, SwIfIndex(interface), address);
                if remove {
                    if let Some(at) = held.iter().position(|old| *old == new) {
                        held.swap_remove(at);
                        prefixes.remove(table, address);
                    }
                    continue;
                }
                let conflict = prefixes.conflict(table, new.1, address);
                prop_assert_eq!(conflict.is_some(), naive_conflict(&held, new));
                if let Some((with, on)) = conflict {
                    prop_assert!(held.contains(&(table, on, with)));
                } else {
                    held.push(new);
                    prefixes.insert(table, new.1, address);
                }
            }
            for (table, _, address) in held {
                prefixes.remove(table, address);
            }
            prop_assert!(prefixes.prefixes.is_empty());
        }
    }
}
