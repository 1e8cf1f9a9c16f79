//! The longest prefix of a field that rules know, and what it leads to.
//!
//! It is found by a binary search over the lengths that there are (Waldvogel et al., 1997): a value is known at the shorter lengths as well
//! by which the search comes to its own.

use std::{collections::HashMap, ops::Range};

use vnet::flow::crc32c;

use super::{
    pending::FRAME,
    table::{Builder, Table, Tables, and},
    values::{First, Values},
};

/// A field, as packets are looked up in it.
#[derive(Debug)]
pub(super) struct Levels<const N: usize> {
    levels: Box<[Level<N>]>,
    tables: Tables<N, u32>,
    /// Where the search begins.
    root: u16,
    /// What values lead to that are not known at all.
    unknown: u32,
    /// Whether the tables lie where it pays to ask for each step of all searches before it is taken.
    is_far: bool,
}

/// Octets of tables from which on they do. Tests have some that they can fill.
const FAR: usize = if cfg!(test) { 1 << 10 } else { 2 << 20 };

/// How far the search of a packet is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    /// What the longest value leads to that was found.
    pub(super) to: u32,
    /// The length to ask next.
    at: u16,
    hash: u32,
}

impl Step {
    /// Of no packet.
    pub(super) const NONE: Self = Self { to: 0, at: END, hash: 0 };
}

/// A length of a field.
#[derive(Clone, Copy, Debug)]
struct Level<const N: usize> {
    mask: [u64; N],
    table: Table,
    /// Where the search goes on when the value is known: with a longer one.
    known: u16,
    /// And when it is not.
    unknown: u16,
}

/// No level: the search is over.
const END: u16 = u16::MAX;

impl<const N: usize> Levels<N> {
    /// `to` says what a value leads to, of whose masks it is told.
    pub(super) fn new(values: &Values<N>, mut to: impl FnMut(&[First]) -> u32) -> Self {
        let lengths = &values.lengths;
        let unknown = to(&values.firsts(&[0; N], 0));
        let paths: Vec<Vec<usize>> = (0..lengths.len()).map(|n| path(lengths.len(), n)).collect();
        let mut tables = Builder::new();
        let mut level = |n: usize| {
            let mut known: HashMap<[u64; N], u32> = HashMap::new();
            // Its own values, and those that are longer by way of it.
            let by_way = (n + 1..lengths.len()).filter(|longer| paths[*longer].contains(&n));
            for value in core::iter::once(n).chain(by_way).flat_map(|of| values.own(of)) {
                let value = and(value, &lengths[n]);
                known.entry(value).or_insert_with(|| to(&values.firsts(&value, n + 1)));
            }
            let table = tables.add(known.into_iter());
            Level { mask: lengths[n], table, known: END, unknown: END }
        };
        let mut levels: Vec<_> = (0..lengths.len()).map(&mut level).collect();
        let root = link(&mut levels, 0..lengths.len());
        let tables = tables.finish();
        let is_far = tables.bytes() > FAR;
        Self { levels: levels.into(), tables, root, unknown, is_far }
    }

    /// What a key leads to.
    #[inline(always)]
    pub(super) fn find(&self, key: &[u64; N]) -> u32 {
        let (mut to, mut at) = (self.unknown, self.root);
        while let Some(level) = self.levels.get(usize::from(at)) {
            let masked = and(key, &level.mask);
            match self.tables.find(level.table, crc32c(&masked), &masked) {
                Some(known) => (to, at) = (known, level.known),
                None => at = level.unknown,
            }
        }
        to
    }

    /// What the keys of packets lead to.
    #[inline(always)]
    pub(super) fn find_all(&self, keys: &[[u64; N]; FRAME], packets: &[u16], steps: &mut [Step]) {
        let keys = packets.iter().map(|packet| &keys[usize::from(*packet) % FRAME]);
        let first = Step { to: self.unknown, at: self.root, hash: 0 };
        if self.is_far {
            steps.fill(first);
            for _ in 0..depth(self.levels.len()) {
                self.ask(keys.clone(), steps);
                self.hear(keys.clone(), steps);
            }
            return;
        }
        if self.levels.get(usize::from(self.root)).is_some_and(|root| root.table.is_large()) {
            steps.fill(first);
            self.ask(keys.clone(), steps);
        }
        keys.zip(steps).for_each(|(key, step)| step.to = self.find(key));
    }

    /// Asks for what the next steps of searches need.
    #[inline(always)]
    fn ask<'a>(&self, keys: impl Iterator<Item = &'a [u64; N]>, steps: &mut [Step]) {
        for (key, step) in keys.zip(&mut *steps) {
            if let Some(level) = self.levels.get(usize::from(step.at)) {
                step.hash = crc32c(&and(key, &level.mask));
                self.tables.prefetch_tag(level.table, step.hash);
            }
        }
        for step in steps {
            if let Some(level) = self.levels.get(usize::from(step.at)) {
                self.tables.prefetch_slot(level.table, step.hash);
            }
        }
    }

    /// Takes the steps for which was asked.
    #[inline(always)]
    fn hear<'a>(&self, keys: impl Iterator<Item = &'a [u64; N]>, steps: &mut [Step]) {
        for (key, step) in keys.zip(steps) {
            let Some(level) = self.levels.get(usize::from(step.at)) else { continue };
            let masked = and(key, &level.mask);
            match self.tables.find(level.table, step.hash, &masked) {
                Some(known) => (step.to, step.at) = (known, level.known),
                None => step.at = level.unknown,
            }
        }
    }

    /// Octets of memory.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.levels) + self.tables.bytes()
    }
}

/// The most tables that a search over so many lengths asks.
pub(super) const fn depth(lengths: usize) -> usize {
    (usize::BITS - lengths.leading_zeros()) as usize
}

/// Links the levels of a range to a search; its root.
fn link<const N: usize>(levels: &mut [Level<N>], range: Range<usize>) -> u16 {
    if range.is_empty() {
        return END;
    }
    let middle = middle(&range);
    let known = link(levels, middle + 1..range.end);
    let unknown = link(levels, range.start..middle);
    (levels[middle].known, levels[middle].unknown) = (known, unknown);
    middle as u16
}

const fn middle(range: &Range<usize>) -> usize {
    range.start + (range.end - range.start) / 2
}

/// The shorter lengths by which the search comes to the `wanted`-th of `lengths`.
fn path(lengths: usize, wanted: usize) -> Vec<usize> {
    let (mut range, mut path) = (0..lengths, Vec::new());
    while middle(&range) != wanted {
        let middle = middle(&range);
        if middle < wanted {
            path.push(middle);
            range.start = middle + 1;
        } else {
            range.end = middle;
        }
    }
    path
}
