//! IPv4 longest-prefix match: DIR-24-8 below a table of the first eight bits.
//!
//! `top` has one word per /8: the route of all of it, or a mark that says to look into `direct`, which has one word per
//! /24: the route of all of it, or the number of a group of 256 words, one per address. So a lookup touches one line of
//! the large table, sometimes two; short prefixes cost a few words; and a new table costs no memory. The word 0 stands
//! for the table's default route everywhere, so that untouched memory is right as it is.

use core::ops::RangeInclusive;
use core::sync::atomic::{AtomicU32, Ordering};
use std::io;
use std::sync::Arc;

use super::lpm::{Lpm, LpmWriter, OutOfNodes};
use super::map::{Zeroed, prefetch};
use super::prefix::Prefix;
use super::slots::Slots;
use super::{FRAME, LoadBalanceIndex};

const DIRECT: usize = 1 << 24;
const GROUP: usize = 256;
/// How many packets ahead of its use a line is requested. More requests than a core can have open at a time (some
/// 24) wait for each other: a million routes cost 28 clocks a packet with 256 ahead and 14 with 24.
const AHEAD: usize = 24;
/// A million routes longer than /24 fit even when no two of them share a /24.
const GROUPS: usize = 1 << 20;
/// Marks a word whose answer is one level down: in `direct` for `top`, in a group, whose number the other bits are,
/// for `direct`.
const BELOW: u32 = 1 << 31;
const ANSWER: u32 = !BELOW;

type Groups = Zeroed<AtomicU32, { GROUPS * GROUP }>;

/// An IPv4 table as workers read it. Addresses are `u32` in host byte order (`u32::from_be_bytes` of the packet's).
pub struct Ip4Lpm {
    /// The route that the word 0 stands for. Changes only while the table is made or given up.
    default: AtomicU32,
    top: [AtomicU32; 256],
    direct: Zeroed<AtomicU32, DIRECT>,
    groups: Arc<Groups>,
}

impl Ip4Lpm {
    /// The route of each of the first `n` addresses of `dst`, a frame at a time: lines are requested some packets
    /// before they are read. Elements of `out` from `n` on keep their values; `n` above the frame's size counts as that size.
    #[inline]
    pub fn lookup(&self, dst: &[u32; FRAME], n: usize, out: &mut [LoadBalanceIndex; FRAME]) {
        let n = n.min(FRAME);
        let (addresses, words) = (&dst[..n], &mut out[..n]);
        if let [first, others @ ..] = addresses
            && others.iter().fold(0, |differ, other| differ | (other ^ first)) == 0
        {
            // Frames of one connection, or to one host, are common; to know costs a fraction of a clock a packet.
            return words.fill(self.lookup_one(*first));
        }
        let (direct, default) = (&*self.direct, self.default.load(Ordering::Acquire));
        let prefetch = |address: u32| prefetch(&direct[(address >> 8) as usize]);
        let mut any = 0;
        let mut look_up = |address: u32, word: &mut LoadBalanceIndex| {
            word.0 = or_default(self.upper(direct, address), default);
            any |= word.0;
        };
        let (first, ahead) = addresses.split_at(n.min(AHEAD));
        first.iter().for_each(|&address| prefetch(address));
        let (early, late) = addresses.split_at(ahead.len());
        let (early_words, late_words) = words.split_at_mut(ahead.len());
        for ((&address, word), &ahead) in early.iter().zip(early_words).zip(ahead) {
            prefetch(ahead);
            look_up(address, word);
        }
        late.iter().zip(late_words).for_each(|(&address, word)| look_up(address, word));
        if any & BELOW != 0 {
            self.descend(dst, n, out);
        }
    }

    /// Second step of [`Self::lookup`], for those whose words so far are the numbers of groups.
    fn descend(&self, dst: &[u32; FRAME], n: usize, out: &mut [LoadBalanceIndex; FRAME]) {
        let default = self.default.load(Ordering::Acquire);
        let mut in_group = [0_u8; FRAME];
        let mut deep = 0;
        for (i, word) in out[..n].iter().enumerate() {
            in_group[deep & (FRAME - 1)] = i as u8;
            deep += (word.0 >> 31) as usize;
        }
        let groups = &**self.groups;
        let in_group = &in_group[..deep.min(FRAME)];
        for &i in in_group {
            prefetch(&groups[position(out[i as usize].0, dst[i as usize])]);
        }
        for &i in in_group {
            out[i as usize] = self.lower(out[i as usize].0, dst[i as usize], default);
        }
    }

    /// The route of one address.
    #[must_use]
    #[inline]
    pub fn lookup_one(&self, address: u32) -> LoadBalanceIndex {
        let default = self.default.load(Ordering::Acquire);
        let word = or_default(self.upper(&self.direct, address), default);
        if word & BELOW == 0 { LoadBalanceIndex(word) } else { self.lower(word, address, default) }
    }

    /// A route, 0 for the default one, or a group's number with its mark.
    #[inline(always)]
    fn upper(&self, direct: &[AtomicU32; DIRECT], address: u32) -> u32 {
        let top = self.top[(address >> 24) as usize].load(Ordering::Acquire);
        if top & BELOW == 0 {
            return top;
        }
        direct[(address >> 8) as usize].load(Ordering::Acquire)
    }

    #[inline(always)]
    fn lower(&self, marked: u32, address: u32, default: u32) -> LoadBalanceIndex {
        let word = self.groups[position(marked, address)].load(Ordering::Acquire);
        LoadBalanceIndex(or_default(word, default))
    }
}

#[inline(always)]
fn or_default(word: u32, default: u32) -> u32 {
    if word == 0 { default } else { word }
}

/// Where the word of `address` is in the group that `marked` names.
#[inline(always)]
fn position(marked: u32, address: u32) -> usize {
    (((marked & ANSWER) as usize * GROUP) | (address & 0xff) as usize) & (GROUPS * GROUP - 1)
}

/// The writer of all IPv4 tables.
pub(super) struct Ip4Writer {
    groups: Arc<Groups>,
    slots: Slots,
}

impl Lpm for u32 {
    type Table = Ip4Lpm;
    type Writer = Ip4Writer;
}

impl LpmWriter<u32> for Ip4Writer {
    fn new() -> io::Result<Self> {
        Ok(Self { groups: Arc::new(Zeroed::new_dense()?), slots: Slots::new(0, GROUPS as u32) })
    }

    fn table(&self) -> io::Result<Ip4Lpm> {
        Ok(Ip4Lpm {
            default: AtomicU32::new(0),
            top: [const { AtomicU32::new(0) }; 256],
            direct: Zeroed::new()?,
            groups: Arc::clone(&self.groups),
        })
    }

    fn replace(
        &mut self,
        table: &Ip4Lpm,
        prefix: Prefix<u32>,
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
        match prefix.len {
            0..=8 => {
                for top in prefix.key >> 24..=prefix.last() >> 24 {
                    self.replace_in_top(table, top, change);
                }
            }
            9..=24 => {
                descend(table, prefix);
                for word in &table.direct[span(prefix, 8)] {
                    self.replace_in_direct(word, change);
                }
            }
            _ => {
                descend(table, prefix);
                let word = &table.direct[(prefix.key >> 8) as usize];
                self.replace_in_group(word, prefix, change)?;
            }
        }
        Ok(())
    }

    fn settle_in(&self, table: &Ip4Lpm, step: usize) {
        table.direct.collapse(step);
    }

    fn own_bytes(table: &Ip4Lpm) -> usize {
        let below = table.top.iter().filter(|top| top.load(Ordering::Relaxed) == BELOW).count();
        size_of_val(&table.top) + below * (DIRECT / table.top.len()) * size_of::<AtomicU32>()
    }

    fn shared_bytes(&self) -> usize {
        (GROUPS - self.slots.available()) * GROUP * size_of::<AtomicU32>()
    }

    fn seal(&mut self) {
        self.slots.seal();
    }

    fn reclaim(&mut self) {
        self.slots.reclaim();
    }
}

/// Two words: the one to look for and the one to put there.
#[derive(Clone, Copy)]
struct Change {
    from: u32,
    to: u32,
}

impl Change {
    fn apply(self, words: &[AtomicU32]) {
        for word in words {
            if word.load(Ordering::Relaxed) == self.from {
                word.store(self.to, Ordering::Release);
            }
        }
    }
}

impl Ip4Writer {
    fn words(&self, group: u32) -> &[AtomicU32] {
        let first = group as usize * GROUP;
        &self.groups[first..first + GROUP]
    }

    fn replace_in_top(&mut self, table: &Ip4Lpm, top: u32, change: Change) {
        let word = &table.top[top as usize];
        if word.load(Ordering::Relaxed) == BELOW {
            for word in &table.direct[span(Prefix::new(top << 24, 8), 8)] {
                self.replace_in_direct(word, change);
            }
        } else {
            change.apply(core::slice::from_ref(word));
        }
    }

    fn replace_in_direct(&mut self, word: &AtomicU32, change: Change) {
        if word.load(Ordering::Relaxed) & BELOW == 0 {
            change.apply(core::slice::from_ref(word));
        } else {
            self.replace_in_words(word, 0..=GROUP - 1, change);
        }
    }

    fn replace_in_group(
        &mut self,
        word: &AtomicU32,
        prefix: Prefix<u32>,
        change: Change,
    ) -> Result<(), OutOfNodes> {
        let value = word.load(Ordering::Relaxed);
        if value & BELOW == 0 {
            if value != change.from {
                return Ok(());
            }
            let group = self.slots.alloc().ok_or(OutOfNodes)?;
            for lower in self.words(group) {
                lower.store(value, Ordering::Relaxed);
            }
            word.store(group | BELOW, Ordering::Release);
        }
        let low = |key: u32| key as usize & (GROUP - 1);
        self.replace_in_words(word, low(prefix.key)..=low(prefix.last()), change);
        Ok(())
    }

    /// Replaces inside the group of `word`, and gives the group up when all of its addresses then have one route.
    fn replace_in_words(&mut self, word: &AtomicU32, span: RangeInclusive<usize>, change: Change) {
        let group = word.load(Ordering::Relaxed) & ANSWER;
        let words = self.words(group);
        change.apply(&words[span]);
        let first = words[0].load(Ordering::Relaxed);
        if words.iter().all(|word| word.load(Ordering::Relaxed) == first) {
            word.store(first, Ordering::Release);
            self.slots.retire(group);
        }
    }
}

/// Moves the answers of the /8 around `prefix` from `top` to `direct`. They stay there: a reader that was told to look
/// below must find the truth there for as long as the table lives.
fn descend(table: &Ip4Lpm, prefix: Prefix<u32>) {
    let top = &table.top[(prefix.key >> 24) as usize];
    let route = top.load(Ordering::Relaxed);
    if route == BELOW {
        return;
    }
    if route != 0 {
        for word in &table.direct[span(Prefix::new(prefix.key, 8), 8)] {
            word.store(route, Ordering::Relaxed);
        }
    }
    top.store(BELOW, Ordering::Release);
}

/// The range of words that `prefix` has in a table with a word for each value of the key shifted by `shift`.
fn span(prefix: Prefix<u32>, shift: u8) -> RangeInclusive<usize> {
    (prefix.key >> shift) as usize..=(prefix.last() >> shift) as usize
}

#[cfg(test)]
mod tests {
    use super::super::lpm::tests::{agrees_with_a_linear_scan, edits};
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        #[test]
        fn every_lookup_agrees_with_a_linear_scan(edits in edits::<u32>()) {
            agrees_with_a_linear_scan(&edits, |table: &Ip4Lpm, keys| {
                let mut out = [LoadBalanceIndex::NONE; FRAME];
                let mut dst = [0; FRAME];
                dst[..keys.len()].copy_from_slice(keys);
                table.lookup(&dst, keys.len(), &mut out);
                for (&key, &route) in keys.iter().zip(&out) {
                    assert_eq!(table.lookup_one(key), route);
                }
                out[..keys.len()].to_vec()
            });
        }
    }

    #[test]
    fn groups_come_back_after_their_routes_and_a_quiescent_period() {
        let mut writer = Ip4Writer::new().unwrap();
        let table = writer.table().unwrap();
        let free = writer.slots.available();
        let edits: Vec<_> = (0..64_u32).map(|i| Prefix::new(i << 12 | i, 32)).collect();
        for (i, &prefix) in edits.iter().enumerate() {
            let route = LoadBalanceIndex(i as u32 + 1);
            writer.replace(&table, prefix, LoadBalanceIndex::NONE, route).unwrap();
        }
        assert_eq!(writer.slots.available(), free - 64);
        for (i, &prefix) in edits.iter().enumerate() {
            let route = LoadBalanceIndex(i as u32 + 1);
            writer.replace(&table, prefix, route, LoadBalanceIndex::NONE).unwrap();
        }
        assert_eq!(writer.slots.available(), free - 64, "readers may still look there");
        writer.seal();
        writer.reclaim();
        assert_eq!(writer.slots.available(), free);
    }

    #[test]
    fn running_out_of_groups_changes_nothing() {
        let mut writer = Ip4Writer::new().unwrap();
        let table = writer.table().unwrap();
        while writer.slots.available() > 1 {
            let _: Option<u32> = writer.slots.alloc();
        }
        let (a, b) = (LoadBalanceIndex(1), LoadBalanceIndex(2));
        writer.replace(&table, Prefix::new(1 << 8, 32), LoadBalanceIndex::NONE, a).unwrap();
        let full = writer.replace(&table, Prefix::new(2 << 8, 32), LoadBalanceIndex::NONE, b);
        assert_eq!(full, Err(OutOfNodes));
        assert_eq!(table.lookup_one(1 << 8), a);
        assert_eq!(table.lookup_one(2 << 8), LoadBalanceIndex::NONE);
    }

    #[test]
    fn a_frame_leaves_the_elements_behind_n_alone() {
        let writer = Ip4Writer::new().unwrap();
        let table = writer.table().unwrap();
        let mut out = [LoadBalanceIndex(9); FRAME];
        table.lookup(&[0; FRAME], 3, &mut out);
        assert_eq!(out[..4], [0, 0, 0, 9].map(LoadBalanceIndex));
        table.lookup(&[0; FRAME], usize::MAX, &mut out);
        assert_eq!(out, [LoadBalanceIndex::NONE; FRAME]);
    }
}
