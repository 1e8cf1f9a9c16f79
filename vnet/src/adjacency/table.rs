//! The writer's side of the adjacencies: found by interface, family and next hop, counted by their users.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::collections::{BTreeMap, BTreeSet};
use std::io;

use arrayvec::ArrayVec;

use super::body::{BODIES, Facts};
use super::{Adjacencies, AdjacencyIndex, AdjacencyKind, MAX_ADJACENCIES, MAX_REWRITE};
use crate::fib::slots::Slots;
use crate::fib::{Dpo, Family, PathListId};
use crate::interface::{OutputTags, SwIfIndex};
use crate::wire::ethernet::EtherType;

/// How packets leave an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkKind {
    /// With an Ethernet header, to a next hop whose MAC address must be known.
    Ethernet {
        /// The interface's own address, the source of what it sends.
        mac: [u8; 6],
        /// The VLAN tags of what it sends.
        tags: OutputTags,
    },
    /// As bare IP packets, to the one other end.
    PointToPoint,
    /// Likewise, into other packets: the interface is [stacked](crate::fib::Stack).
    Midchain,
    /// Not at all: the interface takes frames of several VLANs, and what it sent would have no certain tags. Paths and
    /// neighbours on it are refused.
    ReceiveOnly,
}

impl LinkKind {
    /// Ethernet without VLAN tags.
    #[must_use]
    pub const fn ethernet(mac: [u8; 6]) -> Self {
        Self::Ethernet { mac, tags: OutputTags::Untagged }
    }

    /// Octets of the VLAN tags of what leaves.
    pub(crate) const fn tag_octets(self) -> u16 {
        match self {
            Self::Ethernet { tags, .. } => tags.octets(),
            Self::PointToPoint | Self::Midchain | Self::ReceiveOnly => 0,
        }
    }
}

/// The longest packets that may leave an interface, in bytes from the IP header on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxPacket {
    /// Of IPv4.
    pub ip4: u16,
    /// Of IPv6.
    pub ip6: u16,
}

impl MaxPacket {
    /// The same for both families.
    #[must_use]
    pub const fn both(bytes: u16) -> Self {
        Self { ip4: bytes, ip6: bytes }
    }

    /// That of a family.
    #[must_use]
    pub const fn of(self, family: Family) -> u16 {
        match family {
            Family::Ip4 => self.ip4,
            Family::Ip6 => self.ip6,
        }
    }
}

/// What the forwarding state knows about an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// How packets leave it.
    pub kind: LinkKind,
    /// The longest packets that may leave it.
    pub max_l3_bytes: MaxPacket,
    /// The graph slot of the interface's output, as the owner of the rewrite nodes numbers it.
    pub next: u16,
    /// Whether it may be used: paths by an interface that is down forward nothing.
    pub up: bool,
}

/// What makes two users share an adjacency. Without a next hop it is the interface's glean adjacency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct AdjacencyKey {
    pub(crate) interface: SwIfIndex,
    pub(crate) family: Family,
    pub(crate) next_hop: Option<IpAddr>,
}

/// All adjacencies.
#[derive(Debug)]
pub(crate) struct AdjacencyTable {
    by_key: BTreeMap<AdjacencyKey, AdjacencyIndex>,
    states: Vec<Option<State>>,
    indices: Slots,
    bodies: Slots,
}

#[derive(Debug)]
struct State {
    key: AdjacencyKey,
    kind: AdjacencyKind,
    /// Whether the next hop's address is known.
    resolved: bool,
    /// The next hop's address, or the last one that was known.
    mac: Option<[u8; 6]>,
    body: u32,
    users: u32,
    lists: BTreeSet<PathListId>,
}

impl AdjacencyTable {
    /// No adjacencies, and the memory that readers will find them in.
    pub(crate) fn new() -> io::Result<(Self, Adjacencies)> {
        let table = Self {
            by_key: BTreeMap::new(),
            states: Vec::new(),
            indices: Slots::new(1, MAX_ADJACENCIES as u32),
            bodies: Slots::new(1, BODIES as u32),
        };
        Ok((table, Adjacencies::new()?))
    }

    /// The adjacency of `key`, made if it is new, with one user more. `None` when there is no room for it.
    pub(crate) fn acquire(
        &mut self,
        shared: &Adjacencies,
        key: AdjacencyKey,
        link: &Link,
    ) -> Option<AdjacencyIndex> {
        if let Some(&index) = self.by_key.get(&key) {
            self.state_mut(index)?.users += 1;
            return Some(index);
        }
        if self.indices.available() == 0 || self.bodies.available() == 0 {
            return None;
        }
        let index = AdjacencyIndex(self.indices.alloc()?);
        if self.states.len() <= index.position() {
            self.states.resize_with(index.position() + 1, || None);
        }
        self.states[index.position()] = Some(State {
            key,
            kind: AdjacencyKind::Incomplete,
            resolved: false,
            mac: None,
            body: 0,
            users: 1,
            lists: BTreeSet::new(),
        });
        self.by_key.insert(key, index);
        self.refresh(shared, index, link).then_some(index)
    }

    /// One user less; without any, the adjacency is gone.
    pub(crate) fn release(&mut self, index: AdjacencyIndex) {
        let Some(state) = self.state_mut(index) else { return };
        state.users -= 1;
        if state.users > 0 {
            return;
        }
        debug_assert!(state.lists.is_empty(), "a path list that depends on it uses it");
        let (key, body) = (state.key, state.body);
        self.by_key.remove(&key);
        self.states[index.position()] = None;
        self.bodies.retire(body);
        self.indices.retire(index.0);
    }

    /// Sets the next hop's MAC address. False, and nothing done, when no body is free.
    pub(crate) fn set_mac(
        &mut self,
        shared: &Adjacencies,
        index: AdjacencyIndex,
        link: &Link,
        mac: [u8; 6],
    ) -> bool {
        if self.bodies.available() == 0 {
            return false;
        }
        let Some(state) = self.state_mut(index) else { return false };
        state.resolved = true;
        state.mac = Some(mac);
        self.refresh(shared, index, link)
    }

    /// Forgets the next hop's MAC address. Without a free body the old one stays to be read, but no route says to.
    pub(crate) fn forget_mac(&mut self, shared: &Adjacencies, index: AdjacencyIndex, link: &Link) {
        if let Some(state) = self.state_mut(index) {
            state.resolved = false;
        }
        let _: bool = self.refresh(shared, index, link);
    }

    /// Publishes a body that agrees with the adjacency's state and the link. False when no body is free.
    pub(crate) fn refresh(
        &mut self,
        shared: &Adjacencies,
        index: AdjacencyIndex,
        link: &Link,
    ) -> bool {
        let Some(state) = self.state_mut(index) else { return false };
        let AdjacencyKey { interface, family, next_hop } = state.key;
        state.kind = match link.kind {
            LinkKind::PointToPoint => AdjacencyKind::Complete,
            LinkKind::Midchain => AdjacencyKind::Midchain,
            LinkKind::Ethernet { .. } if next_hop.is_none() => AdjacencyKind::Glean,
            LinkKind::Ethernet { .. } if state.resolved => AdjacencyKind::Complete,
            LinkKind::Ethernet { .. } | LinkKind::ReceiveOnly => AdjacencyKind::Incomplete,
        };
        let unspecified = match family {
            Family::Ip4 => Ipv4Addr::UNSPECIFIED.into(),
            Family::Ip6 => Ipv6Addr::UNSPECIFIED.into(),
        };
        let (kind, rewrite) = (state.kind, rewrite(state, link.kind));
        let Some(body) = self.bodies.alloc() else { return false };
        shared.body_number(body).fill(&Facts {
            sw_if_index: interface,
            max_l3_bytes: link.max_l3_bytes.of(family),
            next: link.next,
            kind,
            next_hop: next_hop.unwrap_or(unspecified),
            rewrite: &rewrite,
        });
        shared.publish(index, body);
        let Some(state) = self.state_mut(index) else { return false };
        let old = core::mem::replace(&mut state.body, body);
        if old != 0 {
            self.bodies.retire(old);
        }
        true
    }

    /// What a route through the adjacency does with a packet.
    pub(crate) fn dpo(&self, index: AdjacencyIndex) -> Dpo {
        match self.state(index).map(|state| state.kind) {
            Some(AdjacencyKind::Complete) => Dpo::adjacency(index),
            Some(AdjacencyKind::Midchain) => Dpo::midchain(index),
            Some(AdjacencyKind::Incomplete) => Dpo::incomplete(index),
            Some(AdjacencyKind::Glean) => Dpo::glean(index),
            None => Dpo::DROP,
        }
    }

    /// The key of an adjacency in use.
    pub(crate) fn key(&self, index: AdjacencyIndex) -> Option<AdjacencyKey> {
        self.state(index).map(|state| state.key)
    }

    /// The adjacency of a key, where there is one.
    pub(crate) fn find(&self, key: AdjacencyKey) -> Option<AdjacencyIndex> {
        self.by_key.get(&key).copied()
    }

    /// How many adjacencies there are.
    pub(crate) fn len(&self) -> usize {
        self.by_key.len()
    }

    /// How many more there can be.
    pub(crate) fn room(&self) -> usize {
        self.indices.available().min(self.bodies.available())
    }

    /// How many times a body can be replaced before a quiescent period must end.
    pub(crate) fn replaceable(&self) -> usize {
        self.bodies.available()
    }

    /// All adjacencies of an interface.
    pub(crate) fn of_interface(&self, interface: SwIfIndex) -> Vec<AdjacencyIndex> {
        let first = AdjacencyKey { interface, family: Family::Ip4, next_hop: None };
        self.by_key
            .range(first..)
            .take_while(|(key, _)| key.interface == interface)
            .map(|(_, &index)| index)
            .collect()
    }

    /// Notes that a path list's forwarding depends on the adjacency, which it uses.
    pub(crate) fn watch(&mut self, index: AdjacencyIndex, list: PathListId) {
        if let Some(state) = self.state_mut(index) {
            state.lists.insert(list);
        }
    }

    /// Undoes [`AdjacencyTable::watch`].
    pub(crate) fn unwatch(&mut self, index: AdjacencyIndex, list: PathListId) {
        if let Some(state) = self.state_mut(index) {
            state.lists.remove(&list);
        }
    }

    /// The path lists that depend on the adjacency.
    pub(crate) fn watchers(&self, index: AdjacencyIndex) -> impl Iterator<Item = PathListId> {
        self.state(index).into_iter().flat_map(|state| state.lists.iter().copied())
    }

    pub(crate) fn seal(&mut self) {
        self.indices.seal();
        self.bodies.seal();
    }

    pub(crate) fn reclaim(&mut self) {
        self.indices.reclaim();
        self.bodies.reclaim();
    }

    fn state(&self, index: AdjacencyIndex) -> Option<&State> {
        self.states.get(index.position())?.as_ref()
    }

    fn state_mut(&mut self, index: AdjacencyIndex) -> Option<&mut State> {
        self.states.get_mut(index.position())?.as_mut()
    }
}

fn rewrite(state: &State, link: LinkKind) -> ArrayVec<u8, MAX_REWRITE> {
    let mut bytes = ArrayVec::new();
    let LinkKind::Ethernet { mac: source, tags } = link else { return bytes };
    let ethertype = match (state.key.family, state.kind) {
        // What is sent to everybody on an ip4 link is the question who has an address.
        (Family::Ip4, AdjacencyKind::Glean) => EtherType::ARP,
        (Family::Ip4, _) => EtherType::IP4,
        (Family::Ip6, _) => EtherType::IP6,
    };
    let destination = match state.kind {
        AdjacencyKind::Glean => Some([0xff; 6]),
        AdjacencyKind::Complete | AdjacencyKind::Incomplete | AdjacencyKind::Midchain => state.mac,
    };
    if let Some(destination) = destination {
        bytes.extend(destination.into_iter().chain(source).chain(tags.header(ethertype)));
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interface::{TagType, VlanId};

    const ETHERNET: Link = Link {
        kind: LinkKind::ethernet([2, 0xfe, 0, 0, 0, 1]),
        max_l3_bytes: MaxPacket::both(9000),
        next: 3,
        up: true,
    };
    const PEER: [u8; 6] = [2, 0, 0, 0, 0, 2];

    fn key(interface: u32, next_hop: &str) -> AdjacencyKey {
        let next_hop: IpAddr = next_hop.parse().unwrap();
        AdjacencyKey {
            interface: SwIfIndex(interface),
            family: Family::of(next_hop),
            next_hop: Some(next_hop),
        }
    }

    fn rewrite_of(shared: &Adjacencies, index: AdjacencyIndex) -> Vec<u8> {
        let mut headroom = [0; MAX_REWRITE];
        let len = shared.body(index).copy_rewrite(&mut headroom);
        headroom[MAX_REWRITE - len..].to_vec()
    }

    #[test]
    fn users_of_a_next_hop_share_its_adjacency() {
        let (mut table, shared) = AdjacencyTable::new().unwrap();
        let a = table.acquire(&shared, key(1, "10.0.0.1"), &ETHERNET).unwrap();
        assert_eq!(table.acquire(&shared, key(1, "10.0.0.1"), &ETHERNET), Some(a));
        let others = [key(2, "10.0.0.1"), key(1, "10.0.0.2"), key(1, "fe80::1")];
        for other in others {
            assert_ne!(table.acquire(&shared, other, &ETHERNET), Some(a));
        }
        assert_eq!(table.of_interface(SwIfIndex(1)).len(), 3);
        table.release(a);
        assert_eq!(table.key(a), Some(key(1, "10.0.0.1")));
        table.release(a);
        assert_eq!(table.key(a), None);
        assert_eq!(table.len(), 3);
    }

    #[test]
    fn a_mac_address_completes_the_rewrite_and_losing_it_keeps_the_bytes() {
        let (mut table, shared) = AdjacencyTable::new().unwrap();
        let a = table.acquire(&shared, key(1, "10.0.0.1"), &ETHERNET).unwrap();
        assert_eq!(table.dpo(a), Dpo::incomplete(a));
        assert_eq!(rewrite_of(&shared, a), [0_u8; 0]);
        assert!(table.set_mac(&shared, a, &ETHERNET, PEER));
        assert_eq!(table.dpo(a), Dpo::adjacency(a));
        let header = [2, 0, 0, 0, 0, 2, 2, 0xfe, 0, 0, 0, 1, 8, 0];
        assert_eq!(rewrite_of(&shared, a), header);
        table.forget_mac(&shared, a, &ETHERNET);
        assert_eq!(table.dpo(a), Dpo::incomplete(a));
        assert_eq!(shared.body(a).kind(), AdjacencyKind::Incomplete);
        assert_eq!(rewrite_of(&shared, a), header);
    }

    #[test]
    fn glean_asks_everybody_and_point_to_point_needs_no_header() {
        let (mut table, shared) = AdjacencyTable::new().unwrap();
        let glean = AdjacencyKey { next_hop: None, ..key(1, "10.0.0.1") };
        let glean = table.acquire(&shared, glean, &ETHERNET).unwrap();
        assert_eq!(table.dpo(glean), Dpo::glean(glean));
        assert_eq!(rewrite_of(&shared, glean)[..6], [0xff; 6]);
        assert_eq!(rewrite_of(&shared, glean)[12..], [8, 6]);
        let bare = Link { kind: LinkKind::PointToPoint, ..ETHERNET };
        for key in [key(2, "2001:db8::1"), AdjacencyKey { next_hop: None, ..key(2, "::1") }] {
            let a = table.acquire(&shared, key, &bare).unwrap();
            assert_eq!(table.dpo(a), Dpo::adjacency(a));
            assert_eq!(shared.body(a).rewrite_len(), 0);
        }
    }

    #[test]
    fn what_leaves_by_a_sub_interface_has_its_tags() {
        let (mut table, shared) = AdjacencyTable::new().unwrap();
        let [outer, inner] = [100, 200].map(|id| VlanId::new(id).unwrap());
        let tagged = |tags| Link {
            kind: LinkKind::Ethernet { mac: [2, 0xfe, 0, 0, 0, 1], tags },
            ..ETHERNET
        };
        let addresses = [2, 0, 0, 0, 0, 2, 2, 0xfe, 0, 0, 0, 1];
        let cases: [(u32, &str, OutputTags, &[u8]); 2] = [
            (1, "10.0.0.1", OutputTags::Single(TagType::Dot1q, outer), &[0x81, 0, 0, 100, 8, 0]),
            (
                2,
                "2001:db8::1",
                OutputTags::Double(TagType::Dot1ad, outer, inner),
                &[0x88, 0xa8, 0, 100, 0x81, 0, 0, 200, 0x86, 0xdd],
            ),
        ];
        for (interface, next_hop, tags, behind) in cases {
            let link = tagged(tags);
            let a = table.acquire(&shared, key(interface, next_hop), &link).unwrap();
            table.set_mac(&shared, a, &link, PEER);
            assert_eq!(rewrite_of(&shared, a), [&addresses[..], behind].concat());
        }
    }

    #[test]
    fn a_replaced_body_is_not_touched_before_a_quiescent_period_ends() {
        let (mut table, shared) = AdjacencyTable::new().unwrap();
        let a = table.acquire(&shared, key(1, "10.0.0.1"), &ETHERNET).unwrap();
        table.set_mac(&shared, a, &ETHERNET, PEER);
        let held = shared.body(a);
        let before = held.rewrite_tail();
        while table.replaceable() > 0 {
            assert!(table.set_mac(&shared, a, &ETHERNET, [9; 6]));
        }
        assert!(!table.set_mac(&shared, a, &ETHERNET, [9; 6]));
        assert_eq!(held.rewrite_tail(), before);
        table.seal();
        table.reclaim();
        while table.replaceable() > 0 {
            assert!(table.set_mac(&shared, a, &ETHERNET, [9; 6]));
        }
        assert_ne!(held.rewrite_tail(), before, "its memory was used again");
    }
}
