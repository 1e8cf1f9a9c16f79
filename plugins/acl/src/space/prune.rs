//! Which masks can have a rule for a packet: found by parts of its key, before any of them is asked.
//!
//! A *field* is a part of the key, as the source address. What masks compare of it are nested: one prefix is longer than another.
//! For every value that a rule has there is the set of masks that have a rule for it or for a shorter prefix of it. So the longest
//! prefix that is known of a packet leads to all masks that its field speaks for, and what is in the sets of all fields is asked.
//!
//! The longest prefix is found by a binary search over the lengths that there are (Waldvogel et al., 1997): a value is known at
//! the shorter lengths as well by which the search comes to its own. Tuple space pruning is due to Srinivasan, Suri and Varghese (1999).

use std::{collections::HashMap, ops::Range};

use vnet::flow::crc32c;

use super::{
    set::{Grouping, Set},
    table::{Builder, Table, Tables, and},
};

/// The fields that are looked at.
#[derive(Debug)]
pub(super) struct Pruning<const N: usize>(pub(super) Box<[Field<N>]>);

/// A field, as packets are looked up in it.
#[derive(Debug)]
pub(super) struct Field<const N: usize> {
    levels: Box<[Level<N>]>,
    tables: Tables<N, u32>,
    sets: Box<[Set]>,
    /// Where the search begins.
    root: u16,
    /// The set of values that are not known at all, by its number.
    unknown: u32,
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

impl<const N: usize> Pruning<N> {
    /// The masks that can have a rule for a key.
    #[inline(always)]
    pub(super) fn set(&self, key: &[u64; N]) -> Set {
        let mut all = Set::ALL;
        self.0.iter().for_each(|field| all.and(&field.set(key)));
        all
    }

    /// Asks for what the search of each field begins with, where that does not lie in the caches near the core.
    #[inline(always)]
    pub(super) fn prefetch<'a>(&self, keys: impl Iterator<Item = &'a [u64; N]> + Clone) {
        for field in &self.0 {
            let Some(root) = field.levels.get(usize::from(field.root)) else { continue };
            if root.table.is_large() {
                let hash = |key: &[u64; N]| crc32c(&and(key, &root.mask));
                keys.clone().for_each(|key| field.tables.prefetch_tag(root.table, hash(key)));
                keys.clone().for_each(|key| field.tables.prefetch_slot(root.table, hash(key)));
            }
        }
    }

    /// How many fields there are.
    pub(super) fn fields(&self) -> usize {
        self.0.len()
    }

    /// Octets of memory.
    pub(super) fn bytes(&self) -> usize {
        let of = |field: &Field<N>| {
            let Field { levels, tables, sets, .. } = field;
            size_of_val(&**levels) + tables.bytes() + size_of_val(&**sets)
        };
        self.0.iter().map(of).sum()
    }
}

impl<const N: usize> Field<N> {
    /// The masks that can have a rule for a key, as far as this field knows.
    #[inline(always)]
    fn set(&self, key: &[u64; N]) -> Set {
        self.search(key).0
    }

    /// That, and how many tables were asked.
    #[inline(always)]
    pub(super) fn search(&self, key: &[u64; N]) -> (Set, usize) {
        let (mut set, mut at, mut asked) = (self.unknown, self.root, 0);
        while let Some(level) = self.levels.get(usize::from(at)) {
            let masked = and(key, &level.mask);
            asked += 1;
            match self.tables.find(level.table, crc32c(&masked), &masked) {
                Some(known) => (set, at) = (known, level.known),
                None => at = level.unknown,
            }
        }
        // Of a set that does not exist, which there is not, nothing would be known.
        (self.sets.get(set as usize).copied().unwrap_or(Set::ALL), asked)
    }

    /// A field of masks and of rules, which are given by the number of their mask and by their value. `None` where what masks compare
    /// of it is not nested, or nothing.
    pub(super) fn new(
        field: &[u64; N],
        masks: &[[u64; N]],
        rules: &[(usize, [u64; N])],
    ) -> Option<Self> {
        let lengths = nested(masks.iter().map(|mask| and(mask, field)))?;
        let values = Values::new(field, masks, rules, &lengths);
        let mut numbers = Numbers::default();
        let unknown = numbers.of(values.without);
        let paths: Vec<Vec<usize>> = (0..lengths.len()).map(|n| path(lengths.len(), n)).collect();
        let mut tables = Builder::new();
        let mut level = |n: usize| {
            let mut known: HashMap<[u64; N], u32> = HashMap::new();
            // Its own values, and those that are longer by way of it.
            let by_way = (n + 1..lengths.len()).filter(|longer| paths[*longer].contains(&n));
            for value in core::iter::once(n).chain(by_way).flat_map(|of| values.own[of].keys()) {
                let value = and(value, &lengths[n]);
                known
                    .entry(value)
                    .or_insert_with(|| numbers.of(values.set(&value, &lengths[..=n])));
            }
            let table = tables.add(known.into_iter());
            Level { mask: lengths[n], table, known: END, unknown: END }
        };
        let mut levels: Vec<_> = (0..lengths.len()).map(&mut level).collect();
        let root = link(&mut levels, 0..lengths.len());
        let (levels, tables, sets) = (levels.into(), tables.finish(), numbers.finish());
        Some(Self { levels, tables, sets, root, unknown })
    }
}

/// Which masks have a rule for a value.
struct Values<const N: usize> {
    /// For this value, and neither a shorter nor a longer one, by lengths.
    own: Vec<HashMap<[u64; N], Set>>,
    /// For any: they do not look at the field.
    without: Set,
}

impl<const N: usize> Values<N> {
    fn new(
        field: &[u64; N],
        masks: &[[u64; N]],
        rules: &[(usize, [u64; N])],
        lengths: &[[u64; N]],
    ) -> Self {
        let grouping = Grouping::of(masks.len());
        let length = |mask: &[u64; N]| lengths.iter().position(|known| *known == and(mask, field));
        let length_of: Vec<_> = masks.iter().map(length).collect();
        let mut own = vec![HashMap::new(); lengths.len()];
        let mut without = Set::NONE;
        for (mask, value) in rules {
            let set = match length_of[*mask] {
                Some(n) => own[n].entry(and(value, &lengths[n])).or_insert(Set::NONE),
                None => &mut without,
            };
            set.or(&grouping.set(*mask));
        }
        Self { own, without }
    }

    /// For a value and all that are shorter.
    fn set(&self, value: &[u64; N], lengths: &[[u64; N]]) -> Set {
        let mut set = self.without;
        for (own, length) in self.own.iter().zip(lengths) {
            own.get(&and(value, length)).into_iter().for_each(|shorter| set.or(shorter));
        }
        set
    }
}

/// Each set once.
#[derive(Default)]
struct Numbers(HashMap<Set, u32>);

impl Numbers {
    fn of(&mut self, set: Set) -> u32 {
        let next = self.0.len() as u32;
        *self.0.entry(set).or_insert(next)
    }

    fn finish(self) -> Box<[Set]> {
        let mut all = vec![Set::NONE; self.0.len()];
        self.0.into_iter().for_each(|(set, number)| all[number as usize] = set);
        all.into()
    }
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

/// What there is but nothing, the shortest first; `None` where one is not part of the next, or there is none.
fn nested<const N: usize>(masks: impl Iterator<Item = [u64; N]>) -> Option<Vec<[u64; N]>> {
    let bits = |mask: &[u64; N]| mask.iter().map(|word| word.count_ones()).sum::<u32>();
    let mut all: Vec<_> = masks.filter(|mask| bits(mask) > 0).collect();
    all.sort_unstable_by_key(|mask| (bits(mask), *mask));
    all.dedup();
    let is_nested = all.windows(2).all(|pair| and(&pair[0], &pair[1]) == pair[0]);
    (is_nested && !all.is_empty()).then_some(all)
}
