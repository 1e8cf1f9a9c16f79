//! How the IPv6 trie is edited while it is read.
//!
//! Words change in place where the whole region that a word answers for changes alike. Where a region splits, new nodes
//! are filled first and published by one store. A check's `miss` answers for the rest of the region of the word that
//! names the check, so a check whose region shrinks is copied, never reused: a reader that came by the old, larger
//! region must not see what becomes of the smaller one. In a region that grows, a check may stay.

use core::sync::atomic::{AtomicU32, Ordering};
use std::io;
use std::sync::Arc;

use super::LoadBalanceIndex;
use super::ip6::{Check, Ip6Lpm, Nodes, Parsed, Ply, Word};
use super::lpm::{Lpm, LpmWriter, OutOfNodes};
use super::map::Zeroed;
use super::prefix::{Key, Prefix};
use super::slots::Slots;

const ROOT_BITS: u8 = 16;
/// The most checks that a split takes: the route's own, one around a new ply, and a copy.
const CHECKS_PER_SPLIT: usize = 3;

/// The writer of all IPv6 tables.
pub(super) struct Ip6Writer {
    nodes: Arc<Nodes>,
    checks: Slots,
    plies: Slots,
}

impl Lpm for u128 {
    type Table = Ip6Lpm;
    type Writer = Ip6Writer;
}

impl LpmWriter<u128> for Ip6Writer {
    fn new() -> io::Result<Self> {
        Ok(Self {
            nodes: Arc::new(Nodes::new()?),
            checks: Slots::new(0, Nodes::CHECKS),
            plies: Slots::new(0, Nodes::PLIES),
        })
    }

    fn table(&self) -> io::Result<Ip6Lpm> {
        Ok(Ip6Lpm {
            default: AtomicU32::new(0),
            root: Zeroed::new()?,
            nodes: Arc::clone(&self.nodes),
        })
    }

    fn replace(
        &mut self,
        table: &Ip6Lpm,
        prefix: Prefix<u128>,
        from: LoadBalanceIndex,
        to: LoadBalanceIndex,
    ) -> Result<(), OutOfNodes> {
        if prefix.len == 0 {
            table.default.store(to.0, Ordering::Release);
            return Ok(());
        }
        let default = table.default.load(Ordering::Relaxed);
        let stored = |route: LoadBalanceIndex| if route.0 == default { 0 } else { route.0 };
        let change = Change { from: stored(from), to: stored(to) };
        let index = |key: u128| (key >> (128 - ROOT_BITS)) as usize;
        if prefix.len <= ROOT_BITS {
            for slot in &table.root[index(prefix.key)..=index(prefix.last())] {
                self.replace_all(slot, change);
            }
            return Ok(());
        }
        let nodes = Arc::clone(&self.nodes);
        self.edit(&nodes, &table.root[index(prefix.key)], ROOT_BITS, prefix, change)
    }

    fn settle_in(&self, _: &Ip6Lpm, _: usize) {
        // Nodes are dense, and in huge pages from the start.
    }

    fn own_bytes(table: &Ip6Lpm) -> usize {
        size_of_val(&*table.root)
    }

    fn shared_bytes(&self) -> usize {
        let checks = Nodes::CHECKS as usize - self.checks.available();
        let plies = Nodes::PLIES as usize - self.plies.available();
        checks * size_of::<Check>() + plies * size_of::<Ply>()
    }

    fn seal(&mut self) {
        self.checks.seal();
        self.plies.seal();
    }

    fn reclaim(&mut self) {
        self.checks.reclaim();
        self.plies.reclaim();
    }
}

/// Two routes as words: the one to look for and the one to put there.
#[derive(Clone, Copy)]
struct Change {
    from: u32,
    to: u32,
}

impl Change {
    fn apply(self, slot: &AtomicU32) {
        if slot.load(Ordering::Relaxed) == self.from {
            slot.store(self.to, Ordering::Release);
        }
    }
}

impl Ip6Writer {
    /// Applies a change to all answers in the region of a word.
    fn replace_all(&self, slot: &AtomicU32, change: Change) {
        match Word(slot.load(Ordering::Relaxed)).parse() {
            Parsed::Route(_) => change.apply(slot),
            Parsed::Check(number) => {
                let check = self.nodes.check(number);
                change.apply(&check.miss);
                self.replace_all(&check.hit, change);
            }
            Parsed::Ply(number, _) => {
                self.nodes.ply(number).iter().for_each(|slot| self.replace_all(slot, change));
            }
        }
    }

    /// Applies a change inside `prefix`, which is longer than the `depth` bits that keys share in the region of the
    /// word in `slot`. Nothing is changed before the last node that can be lacking is there. Taking a route out needs
    /// no node: where its prefix ends inside the region of a word, that word names a node already, since a route whose
    /// answers fill the rest of such a region reaches beyond it and would hide the shorter one.
    fn edit(
        &mut self,
        nodes: &Nodes,
        slot: &AtomicU32,
        depth: u8,
        prefix: Prefix<u128>,
        change: Change,
    ) -> Result<(), OutOfNodes> {
        match Word(slot.load(Ordering::Relaxed)).parse() {
            Parsed::Route(route) => {
                if route == change.from {
                    let word = self.new_check(prefix, Word(change.to), route)?;
                    slot.store(word.0, Ordering::Release);
                }
                return Ok(());
            }
            Parsed::Ply(number, _) => {
                self.edit_ply(nodes, nodes.ply(number), depth, prefix, change)?;
            }
            Parsed::Check(number) => {
                let check = nodes.check(number);
                let skipped = check.prefix();
                match Word(check.hit.load(Ordering::Relaxed)).parse() {
                    Parsed::Ply(number, depth) if skipped.covers(prefix) => {
                        self.edit_ply(nodes, nodes.ply(number), depth, prefix, change)?;
                    }
                    _ if skipped == prefix => change.apply(&check.hit),
                    _ => self.split(nodes, slot, depth, prefix, change)?,
                }
            }
        }
        self.simplify(nodes, slot, depth, prefix.key);
        Ok(())
    }

    fn edit_ply(
        &mut self,
        nodes: &Nodes,
        ply: &[AtomicU32; 16],
        depth: u8,
        prefix: Prefix<u128>,
        change: Change,
    ) -> Result<(), OutOfNodes> {
        if prefix.len > depth + 4 {
            return self.edit(nodes, &ply[nibble(prefix.key, depth)], depth + 4, prefix, change);
        }
        for slot in &ply[nibble(prefix.key, depth)..=nibble(prefix.last(), depth)] {
            self.replace_all(slot, change);
        }
        Ok(())
    }

    /// Puts a ply where `prefix` leaves the way of the check in `slot`, and applies the change there.
    fn split(
        &mut self,
        nodes: &Nodes,
        slot: &AtomicU32,
        depth: u8,
        prefix: Prefix<u128>,
        change: Change,
    ) -> Result<(), OutOfNodes> {
        let Parsed::Check(old) = Word(slot.load(Ordering::Relaxed)).parse() else { return Ok(()) };
        let check = nodes.check(old);
        let skipped = check.prefix();
        let (hit, miss) = (check.hit.load(Ordering::Relaxed), check.miss.load(Ordering::Relaxed));
        let fork = skipped.common(prefix) & !3;
        if self.checks.available() < CHECKS_PER_SPLIT {
            return Err(OutOfNodes);
        }

        let number = self.plies.alloc().ok_or(OutOfNodes)?;
        let ply = nodes.ply(number);
        ply.iter().for_each(|slot| slot.store(miss, Ordering::Relaxed));
        if skipped.len <= fork + 4 {
            for slot in &ply[nibble(skipped.key, fork)..=nibble(skipped.last(), fork)] {
                slot.store(hit, Ordering::Relaxed);
            }
        } else {
            let copy = self.new_check(skipped, Word(hit), miss)?;
            ply[nibble(skipped.key, fork)].store(copy.0, Ordering::Relaxed);
        }
        let mut word = Word::ply(number, fork);
        if fork > depth {
            word = self.new_check(Prefix::new(prefix.key, fork), word, miss)?;
        }
        slot.store(word.0, Ordering::Release);
        self.checks.retire(old);
        self.edit_ply(nodes, ply, fork, prefix, change)
    }

    /// Gives up the node in `slot` where fewer say the same.
    fn simplify(&mut self, nodes: &Nodes, slot: &AtomicU32, depth: u8, key: u128) {
        match Word(slot.load(Ordering::Relaxed)).parse() {
            Parsed::Route(_) => {}
            Parsed::Ply(number, _) => {
                let ply = nodes.ply(number);
                // Of two routes with half a ply each, none is known to be the rest of it.
                let rest = [&ply[0], &ply[15]]
                    .map(|end| end.load(Ordering::Relaxed))
                    .into_iter()
                    .find(|&end| odd_block(ply, end).is_some_and(|(size, _)| size < 8));
                let lifted = rest.and_then(|rest| self.lift(nodes, ply, depth, key, rest));
                if let Some(word) = lifted {
                    slot.store(word.0, Ordering::Release);
                    self.plies.retire(number);
                }
            }
            Parsed::Check(number) => {
                let check = nodes.check(number);
                let miss = check.miss.load(Ordering::Relaxed);
                match Word(check.hit.load(Ordering::Relaxed)).parse() {
                    Parsed::Ply(inner, depth) => {
                        let ply = nodes.ply(inner);
                        if let Some(word) = self.lift(nodes, ply, depth, key, miss) {
                            slot.store(word.0, Ordering::Release);
                            self.checks.retire(number);
                            self.plies.retire(inner);
                        } else if let Some((0, _)) = odd_block(ply, ply[0].load(Ordering::Relaxed))
                        {
                            check.hit.store(ply[0].load(Ordering::Relaxed), Ordering::Release);
                            self.plies.retire(inner);
                        }
                    }
                    Parsed::Route(hit) if hit == miss => {
                        slot.store(miss, Ordering::Release);
                        self.checks.retire(number);
                    }
                    Parsed::Route(_) | Parsed::Check(_) => {}
                }
            }
        }
    }

    /// A word that says what a ply says, for a region of which the ply decides a part and the rest has the route
    /// `rest`; `None` when only a ply can.
    fn lift(
        &mut self,
        nodes: &Nodes,
        ply: &[AtomicU32; 16],
        depth: u8,
        key: u128,
        rest: u32,
    ) -> Option<Word> {
        if Word(rest).is_node() {
            return None;
        }
        let (size, first) = odd_block(ply, rest)?;
        if size == 0 {
            return Some(Word(rest));
        }
        let word = Word(ply[first].load(Ordering::Relaxed));
        match word.parse() {
            Parsed::Check(number) => {
                (nodes.check(number).miss.load(Ordering::Relaxed) == rest).then_some(word)
            }
            Parsed::Route(_) | Parsed::Ply(..) => {
                let len = depth + 4 - size.ilog2() as u8;
                let key = key.masked(depth) | (first as u128) << (124 - depth);
                self.new_check(Prefix::new(key, len), word, rest).ok()
            }
        }
    }

    fn new_check(
        &mut self,
        prefix: Prefix<u128>,
        hit: Word,
        miss: u32,
    ) -> Result<Word, OutOfNodes> {
        let number = self.checks.alloc().ok_or(OutOfNodes)?;
        self.nodes.check(number).fill(prefix, hit, miss);
        Ok(Word::check(number))
    }
}

impl Nodes {
    fn check(&self, number: u32) -> &Check {
        &self.checks[number as usize]
    }

    fn ply(&self, number: u32) -> &[AtomicU32; 16] {
        let Ply(slots) = &self.plies[number as usize];
        slots
    }
}

/// The words of a ply that are not the route `rest`, when they are all the same and fill an aligned block of a power
/// of two, as one prefix would: the block's size and first position. Size 0 when there are none. A node fills a block
/// of one only.
fn odd_block(ply: &[AtomicU32; 16], rest: u32) -> Option<(usize, usize)> {
    let words = ply.each_ref().map(|slot| slot.load(Ordering::Relaxed));
    let Some(first) = words.iter().position(|&word| word != rest) else { return Some((0, 0)) };
    let size = words.iter().filter(|&&word| word != rest).count();
    let one_word = words[first..].iter().take(size).all(|&word| word == words[first]);
    let aligned = size.is_power_of_two() && first % size == 0;
    let plain = size == 1 || !Word(words[first]).is_node();
    (one_word && aligned && plain).then_some((size, first))
}

/// The four bits of `key` behind the first `depth`.
fn nibble(key: u128, depth: u8) -> usize {
    (key >> (124 - depth)) as usize & 15
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::collections::btree_map::Entry;

    use proptest::prelude::*;

    use super::super::lpm::tests::{linear_scan, prefixes};
    use super::*;

    fn route(number: u32) -> LoadBalanceIndex {
        LoadBalanceIndex(number)
    }

    #[test]
    fn a_lone_route_is_one_check_deep_whatever_its_length() {
        for len in 17..=128 {
            let mut writer = Ip6Writer::new().unwrap();
            let table = writer.table().unwrap();
            let prefix = Prefix::new(0x2001_0db8 << 96 | 5, len);
            writer.replace(&table, prefix, route(0), route(1)).unwrap();
            let word = Word(table.root[0x2001].load(Ordering::Relaxed));
            assert!(matches!(word.parse(), Parsed::Check(n)
                if writer.nodes.check(n).hit.load(Ordering::Relaxed) == 1));
        }
    }

    #[test]
    fn all_nodes_come_back_when_all_routes_are_gone() {
        let mut writer = Ip6Writer::new().unwrap();
        let table = writer.table().unwrap();
        let free = (writer.checks.available(), writer.plies.available());
        // A spread of lengths and keys, none of which nests in another: 2001:<i>.. below distinct /32s.
        let prefixes: Vec<_> = (0..500_u128)
            .map(|i| Prefix::new(0x2001 << 112 | (i * 77) << 96 | i << 60 | i, 33 + (i % 96) as u8))
            .collect();
        for (i, &prefix) in prefixes.iter().enumerate() {
            writer.replace(&table, prefix, route(0), route(i as u32 + 1)).unwrap();
        }
        for (i, &prefix) in prefixes.iter().enumerate() {
            assert_eq!(table.lookup_one(prefix.last()), route(i as u32 + 1));
        }
        for (i, &prefix) in prefixes.iter().enumerate().rev() {
            writer.replace(&table, prefix, route(i as u32 + 1), route(0)).unwrap();
            assert_eq!(table.lookup_one(prefix.last()), route(0));
        }
        assert!(table.root.iter().all(|slot| slot.load(Ordering::Relaxed) == 0));
        writer.seal();
        writer.reclaim();
        assert_eq!((writer.checks.available(), writer.plies.available()), free);
    }

    #[test]
    fn running_out_of_nodes_changes_nothing() {
        let mut writer = Ip6Writer::new().unwrap();
        let table = writer.table().unwrap();
        writer.replace(&table, Prefix::new(1, 128), route(0), route(1)).unwrap();
        writer.plies = Slots::new(0, 0);
        let full = writer.replace(&table, Prefix::new(2, 128), route(0), route(2));
        assert_eq!(full, Err(OutOfNodes));
        assert_eq!((table.lookup_one(1), table.lookup_one(2)), (route(1), route(0)));
    }

    proptest! {
        #[test]
        fn routes_can_be_removed_when_no_node_is_free(
            prefixes in prop::collection::vec(prefixes::<u128>(), 1..40),
            order in any::<prop::sample::Index>(),
        ) {
            let mut writer = Ip6Writer::new().unwrap();
            let table = writer.table().unwrap();
            let mut routes = BTreeMap::new();
            for (prefix, number) in prefixes.into_iter().filter(|p| p.len > 0).zip(1..) {
                if let Entry::Vacant(vacant) = routes.entry(prefix) {
                    vacant.insert(route(number));
                    let cover = linear_scan(&routes, prefix);
                    writer.replace(&table, prefix, cover, route(number)).unwrap();
                }
            }
            writer.checks = Slots::new(0, 0);
            writer.plies = Slots::new(0, 0);
            while !routes.is_empty() {
                let prefix = *order.get(&routes.keys().copied().collect::<Vec<_>>());
                let removed = routes.remove(&prefix).unwrap();
                let cover = linear_scan(&routes, prefix);
                prop_assert_eq!(writer.replace(&table, prefix, removed, cover), Ok(()));
                let left = routes.iter().filter(|(p, _)| p.covers(Prefix::new(prefix.last(), 128)));
                let best = left.max_by_key(|(p, _)| p.len).map_or(LoadBalanceIndex::NONE, |(_, &best)| best);
                prop_assert_eq!(table.lookup_one(prefix.last()), best);
            }
            prop_assert!(table.root.iter().all(|slot| slot.load(Ordering::Relaxed) == 0));
        }
    }
}
