//! Interfaces whose packets go on inside other packets: each is *stacked* on the route to where these go.
//!
//! A stacked interface follows its outer destination as a recursive path does, by a path list of its own: what the list forwards to
//! stands in a word that nodes read, which has a number as routes' words have and no prefix. So a change of routes below reaches
//! every tunnel that it concerns, and costs those that send a load.
//!
//! Two things follow from what is below. *Room*: packets on the interface may be no longer than what fits into the packets of the
//! interfaces below, and into what was learnt of the way to the destination ([`Forwarding::set_path_mtu`]); its adjacencies say so,
//! and those of its sub-interfaces. *Loops*: an interface that leads back to itself, directly or through others, sends
//! nothing, and its word says why ([`Dpo::STACK_LOOP`]).

use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet};

use super::path::PathSet;
use super::path_list::PathListId;
use super::{Dpo, Family, FibError, FibIndex, Forwarding, LoadBalanceIndex, Path, PathTarget};
use crate::adjacency::{AdjacencyIndex, AdjacencyKey, Link, LinkKind, MaxPacket};
use crate::interface::SwIfIndex;

/// What the packets of a stacked interface are inside of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stack {
    /// Where the outer packets go.
    pub destination: IpAddr,
    /// The table in which that is looked up, of the destination's family.
    pub table: FibIndex,
    /// Octets of an outer packet beyond the IP packet in it, a link header between them included.
    pub overhead: u16,
}

/// How a stacked interface forwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stacking {
    /// What was ordered.
    pub stack: Stack,
    /// The number of the word that says at any time what becomes of the outer packets.
    pub word: LoadBalanceIndex,
    /// What the word says now.
    pub dpo: Dpo,
    /// Whether the interface leads back to itself.
    pub looped: bool,
    /// The longest packets that fit into those of the interfaces below; `u16::MAX` where nothing limits them.
    pub room: u16,
}

#[derive(Debug)]
pub(super) struct Stacked {
    stack: Stack,
    list: PathListId,
    word: LoadBalanceIndex,
    looped: bool,
    room: u16,
}

/// The longest packets that pass to a destination, by the table in which that is looked up.
pub(super) type PathMtus = BTreeMap<(FibIndex, IpAddr), u16>;

/// All stacked interfaces.
pub(super) type Stacks = BTreeMap<SwIfIndex, Stacked>;

impl Forwarding {
    /// Stacks an interface that is known and not stacked yet. Returns the number of the word that its nodes read.
    ///
    /// # Errors
    /// When there is no such interface or table, or no room.
    pub fn stack_interface(
        &mut self,
        interface: SwIfIndex,
        stack: Stack,
    ) -> Result<LoadBalanceIndex, FibError> {
        self.interface(interface)?;
        self.unstack_interface(interface);
        let Stack { destination, table, .. } = stack;
        let family = Family::of(destination);
        self.table_id(family, table)?;
        let target = PathTarget::Recursive { next_hop: destination, table };
        let list = self.acquire_list(PathSet::new(family, &[Path::to(target)]))?;
        let Some(word) = self.routes.reserve() else {
            self.release_list(list);
            return Err(FibError::RoutesFull);
        };
        let stacked = Stacked { stack, list, word, looped: false, room: u16::MAX };
        self.stacks.insert(interface, stacked);
        // Nothing leads to an interface without adjacencies.
        if self.adjacencies.of_interface(interface).is_empty() {
            self.settle_these(&[interface]);
        } else {
            self.restack_adjacencies(interface);
            self.settle_stacks();
        }
        Ok(word)
    }

    /// Undoes [`Forwarding::stack_interface`], where it was done.
    pub fn unstack_interface(&mut self, interface: SwIfIndex) {
        let Some(gone) = self.stacks.remove(&interface) else { return };
        let way = |stacked: &Stacked| (stacked.stack.table, stacked.stack.destination);
        if !self.stacks.values().any(|other| way(other) == way(&gone)) {
            self.path_mtus.remove(&way(&gone));
        }
        self.shared.load_balances.store(gone.word, Dpo::DROP);
        if !self.adjacencies.of_interface(interface).is_empty() {
            self.restack_adjacencies(interface);
            self.settle_stacks();
        }
        self.release_list(gone.list);
        self.routes.retire(gone.word);
    }

    /// How a stacked interface forwards; `None` for one that is not.
    #[must_use]
    pub fn stacking(&self, interface: SwIfIndex) -> Option<Stacking> {
        let Stacked { stack, word, looped, room, .. } = *self.stacks.get(&interface)?;
        let dpo = self.shared.load_balances.load(word);
        Some(Stacking { stack, word, dpo, looped, room })
    }

    /// Says how long packets may be that pass all the way to a destination of stacked interfaces, which is looked up in `table`; or that
    /// this is not known any more. Interfaces that are stacked on it follow.
    pub fn set_path_mtu(&mut self, table: FibIndex, destination: IpAddr, mtu: Option<u16>) {
        let way = (table, destination);
        let before = match mtu {
            Some(mtu) => self.path_mtus.insert(way, mtu),
            None => self.path_mtus.remove(&way),
        };
        if before != mtu {
            self.settle_stacks();
        }
    }

    /// What was said of it last.
    #[must_use]
    pub fn path_mtu(&self, table: FibIndex, destination: IpAddr) -> Option<u16> {
        self.path_mtus.get(&(table, destination)).copied()
    }

    /// Settles stacks anew when a list of theirs is among those that were.
    pub(super) fn settle_stacks_of(&mut self, is_settled: impl Fn(PathListId) -> bool) {
        if self.stacks.values().any(|stacked| is_settled(stacked.list)) {
            self.settle_stacks();
        }
    }

    /// What adjacencies of an interface are made of: what was said about it, with no more room than is below.
    pub(super) fn link_on_stack(&self, interface: SwIfIndex) -> Option<Link> {
        let link = self.link(interface)?;
        let carrier = self.carrier(interface);
        let Some(&Stacked { room, .. }) = self.stacks.get(&carrier) else { return Some(link) };
        let room = if carrier == interface { room } else { less(room, link.kind.tag_octets()) };
        let MaxPacket { ip4, ip6 } = link.max_l3_bytes;
        let max_l3_bytes = MaxPacket { ip4: ip4.min(room), ip6: ip6.min(room) };
        let kind = match link.kind {
            LinkKind::PointToPoint => LinkKind::Midchain,
            other => other,
        };
        Some(Link { kind, max_l3_bytes, ..link })
    }

    /// Has words, room and adjacencies of all stacked interfaces follow what is below them.
    fn settle_stacks(&mut self) {
        let all: Vec<SwIfIndex> = self.stacks.keys().copied().collect();
        self.settle_these(&all);
    }

    /// The same of some, where nothing has changed for the others.
    fn settle_these(&mut self, interfaces: &[SwIfIndex]) {
        for &interface in interfaces {
            let looped = self.leads_back(interface);
            if let Some(stacked) = self.stacks.get_mut(&interface) {
                stacked.looped = looped;
            }
        }
        let mut rooms = BTreeMap::new();
        for &interface in interfaces {
            let room = self.room(interface, &mut rooms);
            let Some(stacked) = self.stacks.get_mut(&interface) else { continue };
            let forwards = self.lists.get(stacked.list).map_or(Dpo::DROP, |list| list.dpo);
            let dpo = if stacked.looped { Dpo::STACK_LOOP } else { forwards };
            self.shared.load_balances.store(stacked.word, dpo);
            if core::mem::replace(&mut stacked.room, room) != room {
                self.refresh_interface(interface);
            }
        }
    }

    /// The interfaces that a stacked one sends by, and whose outer packets they are.
    fn below(&self, interface: SwIfIndex) -> (Family, Vec<SwIfIndex>) {
        let Some(stacked) = self.stacks.get(&interface) else { return (Family::Ip4, Vec::new()) };
        let list = self.lists.get(stacked.list);
        let members = list.into_iter().flat_map(|list| &list.members);
        let sends = members.filter(|member| member.dpo.has_adjacency());
        let keys = sends.filter_map(|member| self.adjacencies.key(member.dpo.adjacency_index()));
        let of = |key: AdjacencyKey| key.interface;
        (Family::of(stacked.stack.destination), keys.map(of).collect())
    }

    fn leads_back(&self, interface: SwIfIndex) -> bool {
        let mut seen = BTreeSet::new();
        let mut ahead = self.below(interface).1;
        while let Some(next) = ahead.pop() {
            let next = self.carrier(next);
            if next == interface {
                return true;
            }
            if self.stacks.contains_key(&next) && seen.insert(next) {
                ahead.extend(self.below(next).1);
            }
        }
        false
    }

    /// The longest packets that fit into those of the interfaces below. What is in a loop has none below it.
    fn room(&self, interface: SwIfIndex, known: &mut BTreeMap<SwIfIndex, u16>) -> u16 {
        let Some(stacked) = self.stacks.get(&interface) else { return u16::MAX };
        if let Some(&room) = known.get(&interface) {
            return room;
        }
        let mut room = u16::MAX;
        if !stacked.looped {
            let (family, below) = self.below(interface);
            for next in below {
                let Some(link) = self.link(next) else { continue };
                let carrier = self.carrier(next);
                let tags = if carrier == next { 0 } else { link.kind.tag_octets() };
                let carried = less(self.room(carrier, known), tags);
                room = room.min(link.max_l3_bytes.of(family)).min(carried);
            }
            let Stack { destination, table, .. } = stacked.stack;
            room = room.min(self.path_mtu(table, destination).unwrap_or(u16::MAX));
        }
        let room = less(room, stacked.stack.overhead);
        known.insert(interface, room);
        room
    }

    /// Has the adjacencies of an interface follow it that was stacked, or is no more, and what forwards by them.
    fn restack_adjacencies(&mut self, interface: SwIfIndex) {
        self.refresh_interface(interface);
        let adjacencies: Vec<AdjacencyIndex> = self.adjacencies.of_interface(interface);
        self.settle_watchers(&adjacencies);
    }

    /// Has the adjacencies of an interface and of its sub-interfaces follow it. Where no body is free they stay as they are until they
    /// next change.
    fn refresh_interface(&mut self, interface: SwIfIndex) {
        let of_it = |other: &SwIfIndex| self.carrier(*other) == interface;
        let concerned: Vec<SwIfIndex> = self.interfaces.keys().copied().filter(of_it).collect();
        for interface in concerned {
            let Some(link) = self.link_on_stack(interface) else { continue };
            for index in self.adjacencies.of_interface(interface) {
                let _: bool = self.adjacencies.refresh(&self.shared.adjacencies, index, &link);
            }
        }
    }
}

/// Room without so many octets; what is not limited stays so.
const fn less(room: u16, octets: u16) -> u16 {
    if room == u16::MAX { room } else { room.saturating_sub(octets) }
}
