//! Open-addressing tables, one behind the other in the same arrays.
//!
//! *Tags* are 32 bits of hash each, sixteen to a cache line; *slots* have keys and what they lead to. Who looks for a key that is not
//! there, which is the usual case with many masks, mostly sees one tag and no slot. Half of the places and more are free, and have no
//! slots: these lie one behind the other in the order of their places, and each line of tags knows which number its first one has. So
//! tables that are large take little memory.

use vnet::{
    flow::{crc32c, prefetch_in},
    huge_pages,
};

/// Set in every tag of a slot that is taken.
const TAKEN: u32 = 1 << 31;
/// Tags of a cache line.
const LINE: usize = 16;
/// Fewest places of a table.
const LEAST: usize = 8;
/// Tables up to this lie in the caches near the core, so that nothing is gained by asking for their slots. Tests have larger ones that
/// they can fill.
const SMALL: u32 = if cfg!(test) { 1 << 4 } else { 1 << 12 };

/// The tables.
#[derive(Debug)]
pub(super) struct Tables<const N: usize, V> {
    tags: Box<[u32]>,
    lines: Box<[Line]>,
    slots: Box<[Slot<N, V>]>,
}

/// What is known of the tags of a cache line.
#[derive(Clone, Copy, Debug)]
struct Line {
    /// The number of the first slot.
    first: u32,
    /// A bit for each place that is taken.
    taken: u32,
}

/// Aligned so that it lies in a single cache line.
#[derive(Clone, Copy, Debug)]
#[repr(align(32))]
struct Slot<const N: usize, V> {
    key: [u64; N],
    value: V,
}

/// Which of the tables.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table {
    /// Where it begins.
    offset: u32,
    /// Its places less one; their number is a power of two.
    wrap: u32,
}

impl Table {
    /// One that there is not.
    pub(super) const NONE: Self = Self { offset: 0, wrap: 0 };

    /// How many places it has.
    pub(super) fn places(self) -> usize {
        self.wrap as usize + 1
    }

    #[inline(always)]
    pub(super) fn is_large(self) -> bool {
        self.wrap > SMALL
    }

    #[inline(always)]
    fn place(self, at: u32) -> usize {
        (self.offset + (at & self.wrap)) as usize
    }
}

/// Bits of a key that a mask leaves.
#[inline(always)]
pub(super) fn and<const N: usize>(key: &[u64; N], mask: &[u64; N]) -> [u64; N] {
    core::array::from_fn(|n| key[n] & mask[n])
}

impl<const N: usize, V: Copy> Tables<N, V> {
    /// Asks for the first tag of a hash.
    #[inline(always)]
    pub(super) fn prefetch_tag(&self, table: Table, hash: u32) {
        prefetch_in(&self.tags, table.place(hash));
    }

    /// Asks for the first slot whose tag is that of a hash, if there is any.
    #[inline(always)]
    pub(super) fn prefetch_slot(&self, table: Table, hash: u32) {
        let mut at = hash;
        loop {
            match self.tags.get(table.place(at)) {
                Some(&tag) if tag == hash | TAKEN => {
                    return prefetch_in(&self.slots, self.number(table.place(at)));
                }
                Some(&tag) if tag != 0 => at = at.wrapping_add(1),
                _ => return,
            }
        }
    }

    /// What a key leads to, whose hash is given.
    #[inline(always)]
    pub(super) fn find(&self, table: Table, hash: u32, key: &[u64; N]) -> Option<V> {
        let mut at = hash;
        loop {
            let place = table.place(at);
            let tag = *self.tags.get(place)?;
            if tag == hash | TAKEN {
                let slot = self.slots.get(self.number(place))?;
                if slot.key == *key {
                    return Some(slot.value);
                }
            }
            // At most half of the places are taken.
            if tag == 0 {
                return None;
            }
            at = at.wrapping_add(1);
        }
    }

    /// The slot of a place that is taken.
    #[inline(always)]
    fn number(&self, place: usize) -> usize {
        let Some(line) = self.lines.get(place / LINE) else { return usize::MAX };
        let before = line.taken & ((1 << (place % LINE)) - 1);
        (line.first + before.count_ones()) as usize
    }

    /// Keys of a table.
    pub(super) fn keys(&self, table: Table) -> usize {
        let start = table.offset as usize;
        let tags = self.tags.get(start..start + table.places()).unwrap_or_default();
        tags.iter().filter(|tag| **tag != 0).count()
    }

    /// Octets of memory.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.tags) + size_of_val(&*self.lines) + size_of_val(&*self.slots)
    }
}

/// Tables that are being made.
pub(super) struct Builder<const N: usize, V> {
    tags: Vec<u32>,
    slots: Vec<Slot<N, V>>,
}

impl<const N: usize, V: Copy> Builder<N, V> {
    pub(super) const fn new() -> Self {
        Self { tags: Vec::new(), slots: Vec::new() }
    }

    /// Adds a table of keys that are pairwise different.
    pub(super) fn add(&mut self, entries: impl ExactSizeIterator<Item = ([u64; N], V)>) -> Table {
        // Fewer in a small table, where who looks in vain is to see an empty place at once; no more than half in any.
        let spread = match entries.len() {
            0..512 => 8,
            512..4_096 => 4,
            _ => 2,
        };
        let places = (entries.len() * spread).next_power_of_two().max(LEAST);
        let table = Table { offset: self.tags.len() as u32, wrap: places as u32 - 1 };
        self.tags.resize(self.tags.len() + places, 0);
        let mut placed: Vec<(usize, Slot<N, V>)> = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let hash = crc32c(&key);
            let mut at = hash;
            while self.tags[table.place(at)] != 0 {
                at = at.wrapping_add(1);
            }
            self.tags[table.place(at)] = hash | TAKEN;
            placed.push((table.place(at), Slot { key, value }));
        }
        placed.sort_unstable_by_key(|(place, _)| *place);
        self.slots.extend(placed.into_iter().map(|(_, slot)| slot));
        table
    }

    pub(super) fn finish(self) -> Tables<N, V> {
        let Self { tags, slots } = self;
        let mut first = 0;
        let line = |tags: &[u32]| {
            let taken = (0..).zip(tags).map(|(n, tag)| u32::from(*tag != 0) << n).sum::<u32>();
            let line = Line { first, taken };
            first += taken.count_ones();
            line
        };
        let lines = tags.chunks(LINE).map(line).collect();
        let tables = Tables { tags: tags.into(), lines, slots: slots.into() };
        huge_pages::collapse_table(&tables.tags);
        huge_pages::collapse_table(&tables.slots);
        tables
    }
}
