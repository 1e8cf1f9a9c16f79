//! IPv6 longest-prefix match: a 16-way trie that skips what its keys share.
//!
//! The first 16 bits index a table; below it, a *ply* decides four bits in one cache line, and a *check* compares any
//! number of bits at once where nothing else branches off. So the depth of a lookup follows the number of routes near
//! the destination and not the length of their prefixes: a lone route is one check deep.
//!
//! A word is a route's number, or names the node that knows more. 0 stands for the table's default route everywhere.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::io;
use std::sync::Arc;

use zerocopy::FromZeros;

use super::map::{Zeroed, prefetch};
use super::prefix::Prefix;
use super::{FRAME, LoadBalanceIndex};

const ROOT_BITS: u8 = 16;
const PLIES: usize = 1 << 21;
const CHECKS: usize = 1 << 21;
/// More steps than the deepest path has: a check and a ply for every four bits behind the root.
const STEPS: usize = 2 * (128 - ROOT_BITS as usize) / 4 + 1;

/// An IPv6 table as workers read it. Addresses are `u128` in host byte order (`u128::from_be_bytes` of the packet's).
pub struct Ip6Lpm {
    /// The route that the word 0 stands for. Changes only while the table is made or given up.
    pub(super) default: AtomicU32,
    pub(super) root: Zeroed<AtomicU32, { 1 << ROOT_BITS }>,
    pub(super) nodes: Arc<Nodes>,
}

impl Ip6Lpm {
    /// The route of each of the first `n` addresses of `dst`, a frame at a time: each step is done for all addresses
    /// that need it, and the line of the next one requested, before the next step begins. Elements of `out` from `n`
    /// on keep their values; `n` above the frame's size counts as that size.
    #[inline]
    pub fn lookup(&self, dst: &[u128; FRAME], n: usize, out: &mut [LoadBalanceIndex; FRAME]) {
        let n = n.min(FRAME);
        let default = self.default.load(Ordering::Acquire);
        let mut pending = [0_u8; FRAME];
        let mut count = 0;
        for i in 0..n {
            let word = self.first(dst[i]);
            out[i] = LoadBalanceIndex(if word.0 == 0 { default } else { word.0 });
            pending[count & (FRAME - 1)] = i as u8;
            count += usize::from(word.is_node());
            self.nodes.prefetch(word);
        }
        for _ in 0..STEPS {
            if count == 0 {
                break;
            }
            let todo = count.min(FRAME);
            count = 0;
            for slot in 0..todo {
                let i = pending[slot];
                let word = self.nodes.step(Word(out[i as usize].0), dst[i as usize]);
                out[i as usize] = LoadBalanceIndex(if word.0 == 0 { default } else { word.0 });
                pending[count & (FRAME - 1)] = i;
                count += usize::from(word.is_node());
                self.nodes.prefetch(word);
            }
        }
    }

    /// The route of one address.
    #[must_use]
    pub fn lookup_one(&self, address: u128) -> LoadBalanceIndex {
        let mut word = self.first(address);
        for _ in 0..STEPS {
            if !word.is_node() {
                break;
            }
            word = self.nodes.step(word, address);
        }
        let default = self.default.load(Ordering::Acquire);
        LoadBalanceIndex(if word.0 == 0 { default } else { word.0 })
    }

    #[inline(always)]
    fn first(&self, address: u128) -> Word {
        Word(self.root[(address >> (128 - ROOT_BITS)) as usize].load(Ordering::Acquire))
    }
}

/// A route's number (0: the default's), or the name of a node: mark, kind, and for a ply the number of the four bits
/// that it decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word(pub(super) u32);

impl Word {
    const NODE: u32 = 1 << 31;
    const PLY: u32 = 1 << 30;
    const NIBBLE_SHIFT: u32 = 25;
    const NUMBER: u32 = (1 << Self::NIBBLE_SHIFT) - 1;

    /// A ply that decides the four bits behind the first `depth`, a multiple of four.
    pub(super) const fn ply(number: u32, depth: u8) -> Self {
        Self(Self::NODE | Self::PLY | (depth as u32 / 4) << Self::NIBBLE_SHIFT | number)
    }

    pub(super) const fn check(number: u32) -> Self {
        Self(Self::NODE | number)
    }

    #[inline(always)]
    pub(super) const fn is_node(self) -> bool {
        self.0 & Self::NODE != 0
    }

    #[inline(always)]
    const fn is_ply(self) -> bool {
        self.0 & Self::PLY != 0
    }

    /// What the word says, for the writer.
    pub(super) const fn parse(self) -> Parsed {
        let number = self.0 & Self::NUMBER;
        match (self.is_node(), self.is_ply()) {
            (false, _) => Parsed::Route(self.0),
            (true, false) => Parsed::Check(number),
            (true, true) => Parsed::Ply(number, self.depth()),
        }
    }

    #[inline(always)]
    const fn depth(self) -> u8 {
        ((self.0 >> Self::NIBBLE_SHIFT & 31) * 4) as u8
    }

    #[inline(always)]
    const fn position(self, size: usize) -> usize {
        (self.0 & Self::NUMBER) as usize & (size - 1)
    }
}

/// A [`Word`], taken apart.
#[derive(Clone, Copy, Debug)]
pub(super) enum Parsed {
    Route(u32),
    Check(u32),
    /// Number and depth.
    Ply(u32, u8),
}

/// Compares all bits up to a length at once. `hit` is a route or a ply, `miss` a route.
#[derive(FromZeros)]
#[repr(C, align(32))]
pub(super) struct Check {
    high: AtomicU64,
    low: AtomicU64,
    pub(super) hit: AtomicU32,
    pub(super) miss: AtomicU32,
    /// 128 less the length.
    shift: AtomicU32,
    unused: AtomicU32,
}

impl Check {
    #[inline(always)]
    fn key(&self) -> u128 {
        let (high, low) = (self.high.load(Ordering::Relaxed), self.low.load(Ordering::Relaxed));
        u128::from(high) << 64 | u128::from(low)
    }

    #[inline(always)]
    fn step(&self, address: u128) -> Word {
        let same = (address ^ self.key()) >> (self.shift.load(Ordering::Relaxed) & 127) == 0;
        Word(if same { &self.hit } else { &self.miss }.load(Ordering::Acquire))
    }

    pub(super) fn prefix(&self) -> Prefix<u128> {
        Prefix::new(self.key(), 128 - (self.shift.load(Ordering::Relaxed) & 127) as u8)
    }

    /// Fills a check that no reader can see. The prefix is longer than the root's bits.
    pub(super) fn fill(&self, prefix: Prefix<u128>, hit: Word, miss: u32) {
        self.high.store((prefix.key >> 64) as u64, Ordering::Relaxed);
        self.low.store(prefix.key as u64, Ordering::Relaxed);
        self.hit.store(hit.0, Ordering::Relaxed);
        self.miss.store(miss, Ordering::Relaxed);
        self.shift.store(128 - u32::from(prefix.len), Ordering::Relaxed);
    }
}

/// Decides four bits.
#[derive(FromZeros)]
#[repr(C, align(64))]
pub(super) struct Ply(pub(super) [AtomicU32; 16]);

/// The nodes of all tables.
pub(super) struct Nodes {
    pub(super) checks: Zeroed<Check, CHECKS>,
    pub(super) plies: Zeroed<Ply, PLIES>,
}

impl Nodes {
    pub(super) const CHECKS: u32 = CHECKS as u32;
    pub(super) const PLIES: u32 = PLIES as u32;

    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { checks: Zeroed::new_dense()?, plies: Zeroed::new_dense()? })
    }

    /// Follows a word that names a node.
    #[inline(always)]
    fn step(&self, word: Word, address: u128) -> Word {
        if word.is_ply() {
            let nibble = (address >> (124 - u32::from(word.depth()))) as usize & 15;
            Word(self.plies[word.position(PLIES)].0[nibble].load(Ordering::Acquire))
        } else {
            self.checks[word.position(CHECKS)].step(address)
        }
    }

    #[inline(always)]
    fn prefetch(&self, word: Word) {
        if word.is_ply() {
            prefetch(&self.plies[word.position(PLIES)]);
        } else {
            prefetch(&self.checks[word.position(CHECKS)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use core::mem::size_of;

    use proptest::prelude::*;

    use super::super::lpm::tests::{agrees_with_a_linear_scan, edits};
    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        #[test]
        fn every_lookup_agrees_with_a_linear_scan(edits in edits::<u128>()) {
            agrees_with_a_linear_scan(&edits, |table: &Ip6Lpm, keys| {
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
    fn a_node_never_straddles_a_cache_line() {
        assert_eq!((size_of::<Check>(), size_of::<Ply>()), (32, 64));
    }

    #[test]
    fn words_tell_routes_checks_and_plies_apart() {
        assert!(matches!(Word(0).parse(), Parsed::Route(0)));
        assert!(matches!(Word(super::super::MAX_ROUTES as u32).parse(), Parsed::Route(_)));
        assert!(
            matches!(Word::check(Nodes::CHECKS - 1).parse(), Parsed::Check(n) if n == Nodes::CHECKS - 1)
        );
        for depth in (16..128).step_by(4) {
            let word = Word::ply(Nodes::PLIES - 1, depth);
            assert!(
                matches!(word.parse(), Parsed::Ply(n, d) if n == Nodes::PLIES - 1 && d == depth)
            );
        }
    }
}
