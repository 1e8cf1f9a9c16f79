//! What a longest-prefix-match table of either family can do for its writer.
//!
//! A table is a function from addresses to route numbers, and is edited as one: "inside this prefix, what was route
//! `from` is now route `to`". A route's number is its own, so that an added route takes over, inside its prefix,
//! exactly the addresses of the route that covered it, and a removed one gives them back. More specific routes have
//! other numbers and stay as they are. No lengths need to be stored beside the numbers, and each step of an edit
//! turns the answer for some addresses from a valid old one into the valid new one.

use std::io;

use super::LoadBalanceIndex;
use super::prefix::{Key, Prefix};

/// The shared memory from which all tables of a family take their lower levels is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OutOfNodes;

/// From this many routes on, a table may take more memory for speed.
pub(super) const MANY_ROUTES: usize = 2048;

/// A family's tables: the one type readers see, and the one writer of all tables of that type.
pub(super) trait Lpm: Key {
    /// One table, as readers see it.
    type Table: Send + Sync + 'static;
    /// The state that only the writer needs.
    type Writer: LpmWriter<Self>;
}

/// Edits the tables of a family. There is one writer for all of them.
pub(super) trait LpmWriter<K: Lpm>: Sized {
    /// A writer without tables.
    fn new() -> io::Result<Self>;

    /// A table in which every address has [`LoadBalanceIndex::NONE`].
    fn table(&self) -> io::Result<K::Table>;

    /// Inside `prefix`, turns route `from` into `to`. Only when `from` is the answer for an address inside `prefix`
    /// may it be the answer for others too (those keep it). On failure nothing is changed.
    fn replace(
        &mut self,
        table: &K::Table,
        prefix: Prefix<K>,
        from: LoadBalanceIndex,
        to: LoadBalanceIndex,
    ) -> Result<(), OutOfNodes>;

    /// Arranges a table for many routes, step by step: it has come to hold [`MANY_ROUTES`] and `step` more. Each step takes a
    /// millisecond at most, so that packets move between them.
    fn settle_in(&self, table: &K::Table, step: usize);

    /// Bytes of the levels that a table has for itself, as far as they are in use.
    fn own_bytes(table: &K::Table) -> usize;

    /// Bytes of the levels that all tables take from one store, as far as they are in use.
    fn shared_bytes(&self) -> usize;

    /// Begins a quiescent period for the memory given up so far.
    fn seal(&mut self);

    /// Ends it: that memory may be used again.
    fn reclaim(&mut self);
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// One edit of a random sequence.
    #[derive(Clone, Copy, Debug)]
    pub(in super::super) struct Edit<K> {
        pub(in super::super) prefix: Prefix<K>,
        /// 0: remove, 1: end of a quiescent period, else add.
        pub(in super::super) kind: u8,
    }

    /// A key made to collide: few values of each byte, with both ends of its range.
    pub(in super::super) fn keys<K: TestKey>() -> impl Strategy<Value = K> + Clone {
        let byte =
            prop_oneof![Just(0_u8), Just(1), Just(0x7f), Just(0x80), Just(0xff), any::<u8>()];
        prop::array::uniform16(byte).prop_map(|bytes| K::truncate(u128::from_be_bytes(bytes)))
    }

    /// Prefixes of any length, those at the borders of a table's levels more often.
    pub(in super::super) fn prefixes<K: TestKey>() -> impl Strategy<Value = Prefix<K>> + Clone {
        let borders = [0, 1, 4, 8, 9, 16, 17, 20, 21, 24, 25, 31, 32, 48, 64, 96, 127, 128]
            .into_iter()
            .filter(|&len| len <= K::BITS)
            .collect::<Vec<u8>>();
        let len = prop_oneof![3 => prop::sample::select(borders), 1 => 0..=K::BITS];
        (prop_oneof![Just(K::ZERO.filled(0)), Just(K::ZERO), keys::<K>()], len)
            .prop_map(|(key, len)| Prefix::new(key, len))
    }

    pub(in super::super) fn edits<K: TestKey>() -> impl Strategy<Value = Vec<Edit<K>>> {
        prop::collection::vec(prefixes::<K>(), 1..24).prop_flat_map(|pool| {
            let step = (prop::sample::select(pool), 0..5_u8);
            prop::collection::vec(step.prop_map(|(prefix, kind)| Edit { prefix, kind }), 1..80)
        })
    }

    /// The route with the longest prefix around a key, by looking at every route there is.
    pub(in super::super) fn linear_scan<K: Key>(
        routes: &BTreeMap<Prefix<K>, LoadBalanceIndex>,
        prefix: Prefix<K>,
    ) -> LoadBalanceIndex {
        routes
            .iter()
            .filter(|(candidate, _)| candidate.covers(prefix) && **candidate != prefix)
            .max_by_key(|(candidate, _)| candidate.len)
            .map_or(LoadBalanceIndex::NONE, |(_, &route)| route)
    }

    /// Applies the edits to a table and to a map, and compares all answers near the borders of all prefixes after each.
    pub(in super::super) fn agrees_with_a_linear_scan<K: Lpm + TestKey>(
        edits: &[Edit<K>],
        lookup: impl Fn(&K::Table, &[K]) -> Vec<LoadBalanceIndex>,
    ) {
        let mut writer = K::Writer::new().unwrap();
        let table = writer.table().unwrap();
        let mut routes = BTreeMap::new();
        let mut next = 1;
        // A table keeps one default route for as long as it lives.
        let default = LoadBalanceIndex(next);
        let everything = Prefix::new(K::ZERO, 0);
        writer.replace(&table, everything, LoadBalanceIndex::NONE, default).unwrap();
        routes.insert(everything, default);
        for &Edit { prefix, kind } in edits {
            let cover = linear_scan(&routes, prefix);
            match kind {
                _ if prefix.len == 0 => {}
                0 => {
                    if let Some(route) = routes.remove(&prefix) {
                        writer.replace(&table, prefix, route, cover).unwrap();
                    }
                }
                1 => {
                    writer.seal();
                    writer.reclaim();
                }
                _ => {
                    routes.entry(prefix).or_insert_with(|| {
                        next += 1;
                        writer.replace(&table, prefix, cover, LoadBalanceIndex(next)).unwrap();
                        LoadBalanceIndex(next)
                    });
                }
            }
            let mut probes: Vec<K> = edits
                .iter()
                .flat_map(|edit| {
                    let (first, last) = (edit.prefix.key, edit.prefix.last());
                    [first, last, first.neighbor(false), last.neighbor(true)]
                })
                .collect();
            probes.sort_unstable();
            probes.dedup();
            for probes in probes.chunks(super::super::FRAME) {
                for (&key, route) in probes.iter().zip(lookup(&table, probes)) {
                    let expected = routes
                        .iter()
                        .filter(|(prefix, _)| prefix.covers(Prefix::new(key, K::BITS)))
                        .max_by_key(|(prefix, _)| prefix.len)
                        .map_or(LoadBalanceIndex::NONE, |(_, &route)| route);
                    assert_eq!(route, expected, "{key:x?} with {routes:x?}");
                }
            }
        }
    }

    /// What only tests do with keys.
    pub(in super::super) trait TestKey: Key {
        /// The first bits of a value.
        fn truncate(value: u128) -> Self;
        /// The key before or after this one, around the end.
        fn neighbor(self, after: bool) -> Self;
    }

    impl TestKey for u32 {
        fn truncate(value: u128) -> Self {
            (value >> 96) as Self
        }

        fn neighbor(self, after: bool) -> Self {
            if after { self.wrapping_add(1) } else { self.wrapping_sub(1) }
        }
    }

    impl TestKey for u128 {
        fn truncate(value: u128) -> Self {
            value
        }

        fn neighbor(self, after: bool) -> Self {
            if after { self.wrapping_add(1) } else { self.wrapping_sub(1) }
        }
    }
}
