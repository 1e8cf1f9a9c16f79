//! From paths to forwarding, and back from a change to all that depends on it.
//!
//! A path list depends on adjacencies, and by its recursive paths on other routes and so on their path lists. After a
//! change, all lists that depend on it, however indirectly, are resolved again, those depended on first. A recursive
//! path that leads back to its own list forwards nothing; what is in a loop depends on the routes alone and not on the
//! order in which they came.

use core::net::IpAddr;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use smallvec::SmallVec;

use super::components::components;
use super::path::PathSet;
use super::path_list::{Member, Members, PathListId};
use super::prefix::Prefix;
use super::weights::buckets;
use super::{
    Dpo, DpoKind, Family, FibError, FibIndex, Forwarding, LoadBalanceIndex, MAX_BUCKETS, Path,
    PathTarget,
};
use crate::adjacency::{AdjacencyIndex, AdjacencyKey};

/// A member's weight is divided among what it resolves to; this many parts of one are kept.
const SHARE_BITS: u32 = 16;

/// The component of each list that is being resolved again.
type Loops = BTreeMap<PathListId, usize>;

/// A list's resolution in the making.
struct Resolution {
    members: SmallVec<[(Dpo, u64); 1]>,
    adjacencies: SmallVec<[AdjacencyIndex; 1]>,
    looped: bool,
}

impl Forwarding {
    /// The path list of a set, with one user more.
    pub(super) fn acquire_list(&mut self, set: PathSet) -> Result<PathListId, FibError> {
        if let Some(id) = self.lists.reuse(&set) {
            return Ok(id);
        }
        if self.adjacencies.room() < set.paths.len() {
            return Err(FibError::AdjacenciesFull);
        }
        let recursive = recursive_paths(&set);
        let id = self.lists.add(set);
        for (next_hop, table) in recursive {
            let route = match next_hop {
                IpAddr::V4(address) => self.ip4.watch(table, address.to_bits(), id),
                IpAddr::V6(address) => self.ip6.watch(table, address.to_bits(), id),
            };
            self.mark_followed(route);
        }
        // No route has the list yet, so that no path can lead back to it.
        self.resolve(id, &Loops::new());
        Ok(id)
    }

    /// One user less.
    pub(super) fn release_list(&mut self, id: PathListId) {
        let Some(list) = self.lists.release(id) else { return };
        for (next_hop, table) in recursive_paths(&list.set) {
            match next_hop {
                IpAddr::V4(address) => self.ip4.unwatch(table, address.to_bits(), id),
                IpAddr::V6(address) => self.ip6.unwatch(table, address.to_bits(), id),
            }
        }
        for index in list.adjacencies {
            self.adjacencies.unwatch(index, id);
            self.adjacencies.release(index);
        }
        if list.dpo.kind() == DpoKind::Multi {
            self.buckets.retire(list.dpo);
        }
    }

    /// Notes that a next hop was looked up and has this route.
    pub(super) fn mark_followed(&mut self, route: LoadBalanceIndex) {
        if let Some(route) = self.routes.get_mut(route) {
            route.followed = true;
        }
    }

    /// Resolves the given lists again, and of those that depend on them all for which that may make a difference.
    pub(super) fn settle(&mut self, seeds: impl IntoIterator<Item = PathListId>) {
        let seeds: BTreeSet<PathListId> = seeds.into_iter().collect();
        let mut positions = BTreeMap::new();
        let mut affected = Vec::new();
        let mut queue: Vec<PathListId> = seeds.iter().copied().collect();
        while let Some(id) = queue.pop() {
            if let Entry::Vacant(vacant) = positions.entry(id) {
                vacant.insert(affected.len());
                affected.push(id);
                queue.extend(self.followers(id));
            }
        }
        let edges: Vec<Vec<usize>> = affected
            .iter()
            .map(|&id| {
                let followed = self.followed_lists(id);
                followed.iter().filter_map(|id| positions.get(id).copied()).collect()
            })
            .collect();
        let components = components(&edges);
        let mut loops = Loops::new();
        for (number, component) in components.iter().enumerate() {
            loops.extend(component.iter().map(|&position| (affected[position], number)));
        }
        let mut changed = vec![false; affected.len()];
        for component in &components {
            for &position in component {
                let (id, followed) = (affected[position], &edges[position]);
                let is_looped = component.len() > 1 || followed.contains(&position);
                let was_looped = self.lists.get(id).is_some_and(|list| list.looped);
                let depends = || followed.iter().any(|&position| changed[position]);
                if seeds.contains(&id) || is_looped || was_looped || depends() {
                    changed[position] = self.resolve(id, &loops);
                }
            }
        }
        self.settle_stacks_of(|list| positions.contains_key(&list));
    }

    /// The lists with a path that is resolved through a route of this list.
    fn followers(&self, id: PathListId) -> Vec<PathListId> {
        let Some(list) = self.lists.get(id) else { return Vec::new() };
        let mut followers = Vec::new();
        for index in self.routes.chain(list.first) {
            let Some(route) = self.routes.get(index).filter(|route| route.followed) else {
                continue;
            };
            let fib = route.fib();
            match route.family {
                Family::Ip4 => {
                    if let Ok(rib) = self.ip4.rib(fib) {
                        followers.extend(self.ip4.followers(fib, rib.prefix(route.node), index));
                    }
                }
                Family::Ip6 => {
                    if let Ok(rib) = self.ip6.rib(fib) {
                        followers.extend(self.ip6.followers(fib, rib.prefix(route.node), index));
                    }
                }
            }
        }
        followers
    }

    /// The lists that the list's recursive paths are resolved through.
    fn followed_lists(&self, id: PathListId) -> Vec<PathListId> {
        let Some(list) = self.lists.get(id) else { return Vec::new() };
        recursive_paths(&list.set)
            .into_iter()
            .filter_map(|(next_hop, table)| self.via_list(next_hop, table))
            .collect()
    }

    fn via_list(&self, next_hop: IpAddr, table: FibIndex) -> Option<PathListId> {
        Some(self.routes.get(self.via(next_hop, table)?)?.list)
    }

    /// The route of a next hop that a path is resolved through.
    pub(super) fn via(&self, next_hop: IpAddr, table: FibIndex) -> Option<LoadBalanceIndex> {
        let via = match next_hop {
            IpAddr::V4(address) => self.ip4.via(table, address.to_bits()),
            IpAddr::V6(address) => self.ip6.via(table, address.to_bits()),
        };
        Some(via?.route)
    }

    /// Finds out anew what a list forwards to, and lets its routes publish it if it changed. Says whether it did.
    fn resolve(&mut self, id: PathListId, loops: &Loops) -> bool {
        let Some(list) = self.lists.get(id) else { return false };
        let set = Arc::clone(&list.set);
        let mut resolution =
            Resolution { members: SmallVec::new(), adjacencies: SmallVec::new(), looped: false };
        // The paths come in the order of their preference.
        let mut chosen = None;
        for path in &set.paths {
            let before = resolution.members.len();
            self.contribute(id, set.family, path, loops, &mut resolution);
            if chosen.is_some_and(|preference| preference != path.preference) {
                // It waits for those before it to lead nowhere; what it depends on is watched.
                resolution.members.truncate(before);
            } else if resolution.members.len() > before {
                chosen = Some(path.preference);
            }
        }
        let Resolution { members, adjacencies, looped } = resolution;
        let members = reduced(members);
        let Some(list) = self.lists.get_mut(id) else { return false };
        list.looped = looped;
        let old_adjacencies = core::mem::replace(&mut list.adjacencies, adjacencies);
        let changed = list.members != members;
        if changed {
            list.members = members;
        }
        for &index in &old_adjacencies {
            self.adjacencies.unwatch(index, id);
        }
        let Some(list) = self.lists.get(id) else { return false };
        for &index in &list.adjacencies {
            self.adjacencies.watch(index, id);
        }
        if changed {
            self.publish(id);
        }
        for index in old_adjacencies {
            self.adjacencies.release(index);
        }
        changed
    }

    /// Adds what a path forwards to.
    fn contribute(
        &mut self,
        id: PathListId,
        family: Family,
        path: &Path,
        loops: &Loops,
        resolution: &mut Resolution,
    ) {
        let weight = u64::from(path.weight) << SHARE_BITS;
        let dpo = match path.target {
            PathTarget::Drop | PathTarget::Refuse(_) => None,
            PathTarget::Punt => Some(Dpo::PUNT),
            PathTarget::Local { interface } => Some(Dpo::local(interface)),
            PathTarget::Lookup { table } => Some(Dpo::lookup(table)),
            PathTarget::AttachedNextHop { next_hop, interface } => {
                let key = AdjacencyKey { interface, family, next_hop: Some(next_hop) };
                self.through_adjacency(key, resolution)
            }
            PathTarget::Attached { interface } => {
                let key = AdjacencyKey { interface, family, next_hop: None };
                self.through_adjacency(key, resolution)
            }
            PathTarget::Recursive { next_hop, table } => {
                let Some(via) = self.via_list(next_hop, table) else { return };
                if loops.get(&via).is_some_and(|component| loops.get(&id) == Some(component)) {
                    resolution.looped = true;
                    return;
                }
                self.through_route(via, next_hop, weight, resolution);
                None
            }
        };
        resolution.members.extend(dpo.map(|dpo| (dpo, weight)));
    }

    /// What an adjacency does with packets: nothing while its interface is down. It is watched all the same.
    fn through_adjacency(&mut self, key: AdjacencyKey, resolution: &mut Resolution) -> Option<Dpo> {
        let link = self.link_on_stack(key.interface)?;
        let index = self.adjacencies.acquire(&self.shared.adjacencies, key, &link)?;
        resolution.adjacencies.push(index);
        link.up.then(|| self.adjacencies.dpo(index))
    }

    /// Divides `weight` among what another list forwards to.
    fn through_route(
        &mut self,
        via: PathListId,
        next_hop: IpAddr,
        weight: u64,
        resolution: &mut Resolution,
    ) {
        let Some(via) = self.lists.get(via) else { return };
        let members = via.members.clone();
        let total: u64 = members.iter().map(|member| u64::from(member.weight)).sum();
        for Member { dpo, weight: share } in members {
            let dpo = if dpo.kind() == DpoKind::Glean {
                // The next hop is on a connected prefix: from here on it is a next hop like any other.
                self.adjacencies.key(dpo.adjacency_index()).and_then(|glean| {
                    let key = AdjacencyKey { next_hop: Some(next_hop), ..glean };
                    self.through_adjacency(key, resolution)
                })
            } else {
                if dpo.has_adjacency() {
                    self.hold(dpo.adjacency_index(), resolution);
                }
                Some(dpo)
            };
            let weight = (weight * u64::from(share) / total.max(1)).max(1);
            resolution.members.extend(dpo.map(|dpo| (dpo, weight)));
        }
    }

    /// Uses and watches an adjacency that another list forwards to.
    fn hold(&mut self, index: AdjacencyIndex, resolution: &mut Resolution) {
        if let Some(key) = self.adjacencies.key(index) {
            let _: Option<Dpo> = self.through_adjacency(key, resolution);
        }
    }

    /// Lets all routes of a list publish what it forwards to.
    fn publish(&mut self, id: PathListId) {
        let Some(list) = self.lists.get(id) else { return };
        let dpo = match list.members.as_slice() {
            [] => list.set.nowhere(),
            [member] => member.dpo,
            members => {
                let weights: Vec<u32> = members.iter().map(|member| member.weight).collect();
                let shares = buckets(&weights);
                let spread: Vec<Dpo> = members
                    .iter()
                    .zip(&shares)
                    .flat_map(|(member, &share)| core::iter::repeat_n(member.dpo, share as usize))
                    .collect();
                // Without room for buckets all flows take the heaviest member: worse than sharing, better than none.
                let heaviest = members.iter().rev().max_by_key(|member| member.weight);
                let table = &self.shared.load_balances;
                let fallback = || heaviest.map_or(Dpo::DROP, |member| member.dpo);
                self.buckets.publish(table, &spread).unwrap_or_else(fallback)
            }
        };
        for index in self.routes.chain(list.first) {
            self.shared.load_balances.store(index, dpo);
        }
        self.publish_redirects(id, dpo);
        let Some(list) = self.lists.get_mut(id) else { return };
        let old = core::mem::replace(&mut list.dpo, dpo);
        if old.kind() == DpoKind::Multi {
            self.buckets.retire(old);
        }
    }

    /// Looks the next hops inside a prefix up again, after its route came, went (`changed` is none) or changed.
    pub(super) fn revisit_ip4(
        &mut self,
        fib: FibIndex,
        prefix: Prefix<u32>,
        changed: LoadBalanceIndex,
    ) {
        let moved = self.ip4.revisit(fib, prefix, changed);
        self.settle_moved(moved);
    }

    /// The same for IPv6.
    pub(super) fn revisit_ip6(
        &mut self,
        fib: FibIndex,
        prefix: Prefix<u128>,
        changed: LoadBalanceIndex,
    ) {
        let moved = self.ip6.revisit(fib, prefix, changed);
        self.settle_moved(moved);
    }

    fn settle_moved(&mut self, moved: Vec<(LoadBalanceIndex, SmallVec<[PathListId; 2]>)>) {
        if moved.is_empty() {
            return;
        }
        for &(route, _) in &moved {
            self.mark_followed(route);
        }
        self.settle(moved.into_iter().flat_map(|(_, lists)| lists));
    }
}

fn recursive_paths(set: &PathSet) -> SmallVec<[(IpAddr, FibIndex); 1]> {
    set.paths
        .iter()
        .filter_map(|path| match path.target {
            PathTarget::Recursive { next_hop, table } => Some((next_hop, table)),
            _ => None,
        })
        .collect()
}

/// Members with the smallest weights of the same proportions, each thing once, and no more than have buckets.
fn reduced(members: SmallVec<[(Dpo, u64); 1]>) -> Members {
    let mut merged: SmallVec<[(Dpo, u64); 1]> = SmallVec::new();
    for (dpo, weight) in members {
        if let Some((_, sum)) = merged.iter_mut().find(|(other, _)| *other == dpo) {
            *sum += weight;
        } else if merged.len() < MAX_BUCKETS {
            merged.push((dpo, weight));
        }
    }
    let divisor = merged.iter().fold(0, |divisor, &(_, weight)| greatest_common(divisor, weight));
    let weight = |weight: u64| u32::try_from(weight / divisor.max(1)).unwrap_or(u32::MAX);
    merged.into_iter().map(|(dpo, sum)| Member { dpo, weight: weight(sum) }).collect()
}

fn greatest_common(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { greatest_common(b, a % b) }
}
