//! Which masks can have a rule for a packet, and in which order they are asked: found by parts of its key, before any of them is.
//!
//! For every value that a rule has in a *field* ([`Values`]) it is known which masks have a rule for it or for a shorter prefix of it. One
//! field says so as a list in the order of those rules, so that a packet is done as soon as what it has found comes before all that its
//! list has left. Others say it as sets, and what is not in all of them is not asked.
//!
//! Tuple space pruning is due to Srinivasan, Suri and Varghese (1999).

use std::collections::HashMap;

use vnet::flow::prefetch_in;

use super::{
    FRAME, NONE, Pending,
    levels::Levels,
    set::{Grouping, Set},
    values::{First, Values},
};

/// The fields that are looked at.
#[derive(Debug)]
pub(super) struct Pruning<const N: usize> {
    pub(super) order: Order<N>,
    pub(super) filters: Box<[Filter<N>]>,
}

/// A field that says in which order masks are asked.
#[derive(Debug)]
pub(super) struct Order<const N: usize> {
    levels: Levels<N>,
    /// Lists one behind the other, each up to [`END`].
    lists: Box<[First]>,
}

/// A field that says which masks are not asked.
#[derive(Debug)]
pub(super) struct Filter<const N: usize> {
    levels: Levels<N>,
    sets: Box<[Set]>,
}

/// How far a packet is on its list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walk {
    at: u32,
    among: Set,
}

/// Behind all rules, so that no packet goes on.
const END: First = First { position: NONE, mask: 0 };

impl Walk {
    /// At the end.
    pub(super) const OVER: Self = Self { at: u32::MAX, among: Set::NONE };
}

impl<const N: usize> Pruning<N> {
    /// Begins to ask about a packet.
    #[inline(always)]
    pub(super) fn begin(&self, key: &[u64; N]) -> Walk {
        let mut among = Set::ALL;
        self.filters.iter().for_each(|filter| among.and(filter.set(filter.levels.find(key))));
        Walk { at: self.order.levels.find(key), among }
    }

    /// Begins to ask about packets of a frame.
    #[inline(always)]
    pub(super) fn begin_all(&self, keys: &[[u64; N]; FRAME], pending: &mut Pending<N>) {
        let Self { order, filters } = self;
        let (packets, steps, walks) = pending.steps();
        order.levels.find_all(keys, packets, steps);
        for (packet, step) in packets.iter().zip(&*steps) {
            prefetch_in(&order.lists, step.to as usize);
            walks[usize::from(*packet) % FRAME] = Walk { at: step.to, among: Set::ALL };
        }
        for filter in filters {
            filter.levels.find_all(keys, packets, steps);
            for (packet, step) in packets.iter().zip(&*steps) {
                walks[usize::from(*packet) % FRAME].among.and(filter.set(step.to));
            }
        }
    }

    /// The next mask, by its number, of those that have a rule before what was found.
    #[inline(always)]
    pub(super) fn next(&self, walk: &mut Walk, found: u32, grouping: Grouping) -> Option<usize> {
        loop {
            let first = self.order.lists.get(walk.at as usize)?;
            if first.position >= found {
                return None;
            }
            walk.at += 1;
            if self.filters.is_empty() || walk.among.has(grouping, first.mask) {
                return Some(first.mask as usize);
            }
        }
    }

    /// How many fields there are.
    pub(super) fn fields(&self) -> usize {
        1 + self.filters.len()
    }

    /// Octets of memory.
    pub(super) fn bytes(&self) -> usize {
        let of = |filter: &Filter<N>| filter.levels.bytes() + size_of_val(&*filter.sets);
        let filters: usize = self.filters.iter().map(of).sum();
        self.order.levels.bytes() + size_of_val(&*self.order.lists) + filters
    }
}

impl<const N: usize> Order<N> {
    pub(super) fn new(values: &Values<N>) -> Self {
        let mut lists = Vec::new();
        let levels = Levels::new(values, |firsts| {
            let at = lists.len() as u32;
            lists.extend_from_slice(firsts);
            lists.push(END);
            at
        });
        Self { levels, lists: lists.into() }
    }
}

impl<const N: usize> Filter<N> {
    pub(super) fn new(values: &Values<N>, grouping: Grouping) -> Self {
        let mut numbers: HashMap<Set, u32> = HashMap::new();
        let levels = Levels::new(values, |firsts| {
            let next = numbers.len() as u32;
            *numbers.entry(grouping.all(firsts)).or_insert(next)
        });
        let mut sets = vec![Set::NONE; numbers.len()];
        numbers.into_iter().for_each(|(set, number)| sets[number as usize] = set);
        Self { levels, sets: sets.into() }
    }

    /// The masks that can have a rule for a value, by what it leads to.
    #[inline(always)]
    fn set(&self, number: u32) -> &Set {
        // Of a set that does not exist, which there is not, nothing would be known.
        self.sets.get(number as usize).unwrap_or(&Set::ALL)
    }
}
