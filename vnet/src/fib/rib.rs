//! The routes of one table in prefix order: a path-compressed binary trie.

use super::prefix::{Key, Prefix};
use super::room::make_room;
use super::{LoadBalanceIndex, MAX_ROUTES};

/// Position of a route in its table's trie. Stays the same for as long as the route exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub(super) struct RibNode(u32);

/// The routes of one table, each known by its number.
#[derive(Debug)]
pub(super) struct Rib<K> {
    nodes: Vec<Node<K>>,
    free: Vec<u32>,
    len: usize,
    counts: Vec<u32>,
}

/// The route of a prefix, and that of the longest shorter prefix around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Located {
    pub(super) exact: LoadBalanceIndex,
    pub(super) cover: LoadBalanceIndex,
}

/// A route, or only a fork: then its route is `NONE`. The prefixes below a node are longer, and continue it by the bit
/// that selects the child. Node 0 is the root, whose prefix is empty, so that 0 names no child.
#[derive(Clone, Copy, Debug)]
struct Node<K> {
    key: K,
    len: u8,
    route: LoadBalanceIndex,
    children: [u32; 2],
}

impl<K: Key> Node<K> {
    fn fork(prefix: Prefix<K>) -> Self {
        Self { key: prefix.key, len: prefix.len, route: LoadBalanceIndex::NONE, children: [0; 2] }
    }

    fn prefix(&self) -> Prefix<K> {
        Prefix { key: self.key, len: self.len }
    }

    fn is_route(&self) -> bool {
        self.route != LoadBalanceIndex::NONE
    }
}

impl<K: Key> Rib<K> {
    pub(super) fn new() -> Self {
        Self {
            nodes: vec![Node::fork(Prefix::new(K::ZERO, 0))],
            free: Vec::new(),
            len: 0,
            counts: vec![0; usize::from(K::BITS) + 1],
        }
    }

    /// Memory that the nodes take.
    pub(super) fn bytes(&self) -> usize {
        self.nodes.len() * size_of::<Node<K>>()
    }

    /// How many routes there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// How many routes there are of each length, from 0 on.
    pub(super) fn counts(&self) -> &[u32] {
        &self.counts
    }

    /// The prefix of a route.
    pub(super) fn prefix(&self, node: RibNode) -> Prefix<K> {
        self.nodes[node.0 as usize].prefix()
    }

    /// The route of `prefix` and the one that covers it.
    pub(super) fn locate(&self, prefix: Prefix<K>) -> Located {
        let mut located = Located { exact: LoadBalanceIndex::NONE, cover: LoadBalanceIndex::NONE };
        let mut at = 0;
        loop {
            let node = &self.nodes[at as usize];
            if !node.prefix().covers(prefix) {
                break;
            }
            if node.len == prefix.len {
                located.exact = node.route;
                break;
            }
            if node.is_route() {
                located.cover = node.route;
            }
            at = node.children[usize::from(prefix.key.bit(node.len))];
            if at == 0 {
                break;
            }
        }
        located
    }

    /// The route with the longest prefix around `key`.
    pub(super) fn longest_match(&self, key: K) -> LoadBalanceIndex {
        let Located { exact, cover } = self.locate(Prefix::new(key, K::BITS));
        if exact == LoadBalanceIndex::NONE { cover } else { exact }
    }

    /// Adds a route that is not there.
    pub(super) fn insert(&mut self, prefix: Prefix<K>, route: LoadBalanceIndex) -> RibNode {
        debug_assert_eq!(self.locate(prefix).exact, LoadBalanceIndex::NONE);
        let mut at = 0;
        let place = loop {
            let node = self.nodes[at as usize];
            if node.len == prefix.len {
                break at;
            }
            let side = usize::from(prefix.key.bit(node.len));
            let child = node.children[side];
            if child == 0 {
                let place = self.add(Node::fork(prefix));
                self.nodes[at as usize].children[side] = place;
                break place;
            }
            let next = self.nodes[child as usize].prefix();
            let common = next.common(prefix);
            if common < next.len {
                let mut fork = Node::fork(Prefix::new(prefix.key, common));
                fork.children[usize::from(next.key.bit(common))] = child;
                let fork = self.add(fork);
                self.nodes[at as usize].children[side] = fork;
                at = fork;
            } else {
                at = child;
            }
        };
        self.nodes[place as usize].route = route;
        self.len += 1;
        self.counts[usize::from(prefix.len)] += 1;
        RibNode(place)
    }

    /// Removes the route of `prefix`, if there is one.
    pub(super) fn remove(&mut self, prefix: Prefix<K>) {
        let (mut above, mut parent, mut at) = (0, 0, 0);
        while self.nodes[at as usize].len < prefix.len {
            (above, parent) = (parent, at);
            let node = &self.nodes[at as usize];
            at = node.children[usize::from(prefix.key.bit(node.len))];
            if at == 0 {
                return;
            }
        }
        let node = &mut self.nodes[at as usize];
        if node.prefix() != prefix || !node.is_route() {
            return;
        }
        node.route = LoadBalanceIndex::NONE;
        self.len -= 1;
        self.counts[usize::from(prefix.len)] -= 1;
        self.unlink_if_idle(parent, at);
        self.unlink_if_idle(above, parent);
    }

    /// All routes, by address, then by length.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Prefix<K>, LoadBalanceIndex)> {
        self.walk(vec![0])
    }

    /// The routes behind `after` in that order, whether it has a route or not.
    pub(super) fn iter_after(
        &self,
        after: Prefix<K>,
    ) -> impl Iterator<Item = (Prefix<K>, LoadBalanceIndex)> {
        // Subtrees behind it, the nearest last.
        let mut stack = Vec::new();
        let mut at = 0;
        loop {
            let node = &self.nodes[at as usize];
            if !node.prefix().covers(after) {
                // All of it is inside or behind `after`, or all before.
                stack.extend((node.key >= after.key).then_some(at));
                break;
            }
            let behind = match node.len == after.len {
                true => &node.children[..],
                false if after.key.bit(node.len) => &[],
                false => &node.children[1..],
            };
            stack.extend(behind.iter().rev().filter(|&&child| child != 0));
            at = node.children[usize::from(after.key.bit(node.len))];
            if at == 0 || node.len == after.len {
                break;
            }
        }
        self.walk(stack)
    }

    /// The routes of these subtrees, the last first.
    fn walk(&self, mut stack: Vec<u32>) -> impl Iterator<Item = (Prefix<K>, LoadBalanceIndex)> {
        core::iter::from_fn(move || {
            while let Some(at) = stack.pop() {
                let node: &Node<K> = &self.nodes[at as usize];
                stack.extend(node.children.iter().rev().filter(|&&child| child != 0));
                if node.is_route() {
                    return Some((node.prefix(), node.route));
                }
            }
            None
        })
    }

    fn add(&mut self, node: Node<K>) -> u32 {
        if let Some(place) = self.free.pop() {
            self.nodes[place as usize] = node;
            place
        } else {
            // Of a trie in which every route forks from another one.
            make_room(&mut self.nodes, 2 * MAX_ROUTES);
            self.nodes.push(node);
            self.nodes.len() as u32 - 1
        }
    }

    /// Takes out a node that neither is a route nor forks.
    fn unlink_if_idle(&mut self, parent: u32, at: u32) {
        let Node { children, .. } = self.nodes[at as usize];
        if at == 0 || self.nodes[at as usize].is_route() || !children.contains(&0) {
            return;
        }
        let rest = children[0] | children[1];
        for child in &mut self.nodes[parent as usize].children {
            if *child == at {
                *child = rest;
            }
        }
        self.free.push(at);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::collections::btree_map::Entry;
    use std::ops::Bound;

    use proptest::prelude::*;

    use super::super::lpm::tests::{Edit, TestKey, edits, linear_scan};
    use super::*;

    fn agrees_with_a_map<K: TestKey>(edits: &[Edit<K>]) {
        let mut rib = Rib::new();
        let mut map = BTreeMap::new();
        for (i, &Edit { prefix, kind }) in edits.iter().enumerate() {
            let route = LoadBalanceIndex(i as u32 + 1);
            if kind == 0 {
                rib.remove(prefix);
                map.remove(&prefix);
            } else if let Entry::Vacant(vacant) = map.entry(prefix) {
                let node = rib.insert(prefix, route);
                assert_eq!(rib.prefix(node), prefix);
                vacant.insert(route);
            }
            for &Edit { prefix, .. } in edits {
                let behind = map.range((Bound::Excluded(prefix), Bound::Unbounded));
                assert!(rib.iter_after(prefix).eq(behind.map(|(&prefix, &route)| (prefix, route))));
            }
            assert!(rib.iter().eq(map.iter().map(|(&prefix, &route)| (prefix, route))));
            let total: u32 = rib.counts().iter().sum();
            assert_eq!((total as usize, rib.len()), (map.len(), map.len()));
            for &Edit { prefix, .. } in edits {
                let exact = map.get(&prefix).copied().unwrap_or(LoadBalanceIndex::NONE);
                assert_eq!(rib.locate(prefix), Located { exact, cover: linear_scan(&map, prefix) });
                let best =
                    map.iter().filter(|(p, _)| p.covers(Prefix::new(prefix.last(), K::BITS)));
                let best = best.max_by_key(|(p, _)| p.len);
                let best = best.map_or(LoadBalanceIndex::NONE, |(_, &route)| route);
                assert_eq!(rib.longest_match(prefix.last()), best);
            }
        }
        for &prefix in map.keys() {
            rib.remove(prefix);
        }
        assert_eq!(rib.nodes.len() - rib.free.len(), 1, "no fork outlives its routes");
    }

    proptest! {
        #[test]
        fn ip4_routes_agree_with_an_ordered_map(edits in edits::<u32>()) {
            agrees_with_a_map(&edits);
        }

        #[test]
        fn ip6_routes_agree_with_an_ordered_map(edits in edits::<u128>()) {
            agrees_with_a_map(&edits);
        }
    }

    #[test]
    fn a_route_keeps_its_node_while_others_come_and_go() {
        let mut rib = Rib::new();
        let node = rib.insert(Prefix::new(0x0a00_0000_u32, 8), LoadBalanceIndex(1));
        let others: Vec<_> =
            (0..32).map(|len| Prefix::new(0x0a80_0000_u32 ^ 1 << 26, len)).collect();
        for (i, &other) in others.iter().enumerate() {
            rib.insert(other, LoadBalanceIndex(i as u32 + 2));
        }
        assert_eq!(rib.prefix(node), Prefix::new(0x0a00_0000, 8));
        others.iter().for_each(|&other| rib.remove(other));
        assert_eq!(rib.prefix(node), Prefix::new(0x0a00_0000, 8));
        assert_eq!(rib.iter().count(), 1);
    }
}
