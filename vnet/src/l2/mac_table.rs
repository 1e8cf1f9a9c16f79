//! A hash table of addresses that nodes read and write while packets flow, without locks.
//!
//! A bucket is a cache line: four keys and their entries, each an atomic word. An address lies in its home bucket or, where that
//! was full, in one of those behind it, of which [`MAX_PROBE`] are looked at, up to one with a place that was never used.
//!
//! - Any thread adds an address: it puts the key into a free place by compare-and-swap, then the entry. A key whose entry is
//!   zero is not there yet.
//! - Any thread replaces an entry by compare-and-swap, so that of two changes none is lost unnoticed.
//! - The main thread alone removes: it takes the entry first, then the key. A mark stays in place of the key, since others may
//!   have gone past it while the bucket was full; such places are used again.
//!
//! A reader asks for the key again behind the entry, so that an entry is never taken for that of the address which had its
//! place before. Two threads that add one address at a time in which another one is removed can make two entries of it: the
//! first found counts, the other one ages.

use std::{
    hash::{BuildHasher, RandomState},
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
};

use super::{Entry, EntryFlags, MacKey};
use crate::{fib::map::prefetch, huge_pages};

/// Places of a bucket.
const WAYS: usize = 4;
/// Buckets that are looked at for an address at most. Full ones come in rows: of some ten at half load, of more at three quarters.
const MAX_PROBE: usize = 64;
/// A place that was never used.
const EMPTY: u64 = 0;
/// A place of which somebody was removed. No key: the address is a group's.
const GONE: u64 = u64::MAX;

#[derive(Default)]
#[repr(C, align(64))]
struct Bucket {
    keys: [AtomicU64; WAYS],
    entries: [AtomicU64; WAYS],
}

/// The table.
pub(super) struct MacTable {
    buckets: Box<[Bucket]>,
    mask: usize,
    seed: u64,
    /// Places that are not [`EMPTY`].
    used: AtomicUsize,
}

/// Where an address lies, and what was known of it when it was found.
#[derive(Clone, Copy)]
pub(super) struct Found<'a> {
    place: &'a AtomicU64,
    pub(super) entry: Entry,
}

impl Found<'_> {
    /// Makes `new` the entry; `false` when somebody has changed it since it was found.
    pub(super) fn replace(&self, new: Entry) -> bool {
        self.place
            .compare_exchange(self.entry.0, new.0, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    }
}

/// What became of an address that was to be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Insert {
    /// It is there now.
    Done,
    /// Somebody else has added it meanwhile.
    Present,
    /// There is no place for it.
    Full,
}

impl MacTable {
    /// Fewest places: 256 KiB.
    pub(super) const LEAST: usize = 1 << 14;

    /// A table of `places` places, a power of two.
    pub(super) fn new(places: usize) -> Self {
        let count = (places / WAYS).next_power_of_two();
        let buckets: Box<[Bucket]> = (0..count).map(|_| Bucket::default()).collect();
        let bytes = size_of_val(&*buckets);
        if bytes >= huge_pages::HUGE_PAGE {
            huge_pages::collapse(buckets.as_ptr().cast(), bytes);
        }
        // So that nobody outside can choose addresses that all lie in one bucket.
        let seed = RandomState::new().hash_one(count) | 1;
        Self { mask: count - 1, seed, used: AtomicUsize::new(0), buckets }
    }

    /// Places.
    pub(super) fn places(&self) -> usize {
        self.buckets.len() * WAYS
    }

    /// Places that are used or were.
    pub(super) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Octets of memory.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.buckets)
    }

    /// The home bucket of a key.
    #[inline(always)]
    pub(super) fn home(&self, key: MacKey) -> usize {
        // Addresses that count up differ by a multiple of one number behind the first multiplication, which some seeds do not
        // spread; behind the second one nothing is left of that.
        let product = u128::from(key.0 ^ self.seed.rotate_left(32)) * u128::from(self.seed);
        let folded = product as u64 ^ (product >> 64) as u64;
        let mixed = (folded ^ (folded >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 32) as usize & self.mask
    }

    /// Asks for the cache line of a bucket.
    #[inline(always)]
    pub(super) fn prefetch(&self, home: usize) {
        if let Some(bucket) = self.buckets.get(home) {
            prefetch(bucket);
        }
    }

    /// The entry of a key whose home is known; `None` where there is none.
    #[inline(always)]
    pub(super) fn find_at(&self, home: usize, key: MacKey) -> Option<Found<'_>> {
        let bucket = self.buckets.get(home)?;
        match bucket.find(key) {
            Some(found) => Some(found),
            None if bucket.is_last() => None,
            None => self.find_behind(home, key),
        }
    }

    #[cold]
    fn find_behind(&self, home: usize, key: MacKey) -> Option<Found<'_>> {
        for bucket in self.probe(home).skip(1) {
            if let Some(found) = bucket.find(key) {
                return Some(found);
            }
            if bucket.is_last() {
                break;
            }
        }
        None
    }

    /// The entry of a key.
    pub(super) fn find(&self, key: MacKey) -> Option<Found<'_>> {
        self.find_at(self.home(key), key)
    }

    fn probe(&self, home: usize) -> impl Iterator<Item = &Bucket> {
        let places = (home..home + MAX_PROBE).map(|at| at & self.mask);
        places.filter_map(|at| self.buckets.get(at))
    }

    /// Adds a key that is not there.
    pub(super) fn insert(&self, key: MacKey, entry: Entry) -> Insert {
        let home = self.home(key);
        for bucket in self.probe(home) {
            for (place, known) in bucket.keys.iter().zip(&bucket.entries) {
                let before = place.load(Ordering::Relaxed);
                if before == key.0 {
                    return Insert::Present;
                }
                if before != EMPTY && before != GONE {
                    continue;
                }
                let taken =
                    place.compare_exchange(before, key.0, Ordering::AcqRel, Ordering::Acquire);
                match taken {
                    Ok(_) => {
                        known.store(entry.0, Ordering::Release);
                        if before == EMPTY {
                            self.used.fetch_add(1, Ordering::Relaxed);
                        }
                        return Insert::Done;
                    }
                    Err(other) if other == key.0 => return Insert::Present,
                    Err(_) => {}
                }
            }
        }
        Insert::Full
    }

    /// For the main thread: removes one of the learned addresses that are in the way of a key, and says which.
    pub(super) fn make_room(&self, key: MacKey) -> Option<(MacKey, Entry)> {
        let is_learned = |(_, entry): &(MacKey, Entry)| entry.flags().contains(EntryFlags::LEARNED);
        let in_the_way =
            |bucket: &Bucket| (0..WAYS).filter_map(|way| bucket.at(way)).find(is_learned);
        let (other, entry) = self.probe(self.home(key)).find_map(in_the_way)?;
        self.remove(other).then_some((other, entry))
    }

    /// For the main thread: removes all of a key; whether there was any.
    pub(super) fn remove(&self, key: MacKey) -> bool {
        let mut any = false;
        let home = self.home(key);
        for bucket in self.probe(home) {
            for way in 0..WAYS {
                if bucket.keys[way].load(Ordering::Relaxed) == key.0 {
                    bucket.entries[way].store(0, Ordering::Release);
                    bucket.keys[way].store(GONE, Ordering::Release);
                    any = true;
                }
            }
        }
        any
    }

    /// For the main thread: removes those of the entries in some buckets that `wanted` names, unless they change meanwhile, and
    /// tells `gone` of them. Whether there are more buckets behind.
    pub(super) fn sweep(
        &self,
        buckets: core::ops::Range<usize>,
        mut wanted: impl FnMut(MacKey, Entry) -> bool,
        mut gone: impl FnMut(MacKey, Entry),
    ) -> bool {
        let end = buckets.end.min(self.buckets.len());
        for bucket in self.buckets.get(buckets.start..end).unwrap_or_default() {
            for way in 0..WAYS {
                let Some((key, entry)) = bucket.at(way) else { continue };
                if !wanted(key, entry) {
                    continue;
                }
                let place = &bucket.entries[way];
                let taken = place.compare_exchange(entry.0, 0, Ordering::AcqRel, Ordering::Relaxed);
                if taken.is_ok() {
                    bucket.keys[way].store(GONE, Ordering::Release);
                    gone(key, entry);
                }
            }
        }
        end < self.buckets.len()
    }

    /// All that is there, in no order; what is added or removed meanwhile may be among it or not.
    pub(super) fn iter(&self) -> impl Iterator<Item = (MacKey, Entry)> {
        self.slice(0..self.buckets.len())
    }

    /// What lies in some buckets.
    pub(super) fn slice(
        &self,
        buckets: core::ops::Range<usize>,
    ) -> impl Iterator<Item = (MacKey, Entry)> {
        let end = buckets.end.min(self.buckets.len());
        let buckets = self.buckets.get(buckets.start..end).unwrap_or_default();
        buckets.iter().flat_map(|bucket| (0..WAYS).filter_map(|way| bucket.at(way)))
    }

    /// How many buckets there are.
    pub(super) fn buckets(&self) -> usize {
        self.buckets.len()
    }
}

impl Bucket {
    /// The place of a key: all four are compared, without a branch that depends on which one it is.
    #[inline(always)]
    fn find(&self, key: MacKey) -> Option<Found<'_>> {
        let [a, b, c, d] = &self.keys;
        let is = |place: &AtomicU64| place.load(Ordering::Acquire) == key.0;
        let mut way = if is(d) { 3 } else { 0 };
        way = if is(c) { 2 } else { way };
        way = if is(b) { 1 } else { way };
        way = if is(a) { 0 } else { way };
        let place = &self.entries[way];
        let entry = place.load(Ordering::Acquire);
        let same = self.keys[way].load(Ordering::Relaxed) == key.0;
        (same && entry != 0).then_some(Found { place, entry: Entry(entry) })
    }

    fn at(&self, way: usize) -> Option<(MacKey, Entry)> {
        let key = self.keys[way].load(Ordering::Acquire);
        if key == EMPTY || key == GONE {
            return None;
        }
        let entry = self.entries[way].load(Ordering::Acquire);
        (entry != 0).then_some((MacKey(key), Entry(entry)))
    }

    /// Whether a search ends here: there is a place that was never used.
    #[inline(always)]
    fn is_last(&self) -> bool {
        let free = |key: &AtomicU64| key.load(Ordering::Relaxed) == EMPTY;
        let [a, b, c, d] = &self.keys;
        free(a) | free(b) | free(c) | free(d)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::{
        super::{BdIndex, Epoch, Minute},
        *,
    };
    use crate::{interface::SwIfIndex, runtime::EngineTime, wire::ethernet::MacAddress};

    fn key(n: u32) -> MacKey {
        let [a, b, c, d] = n.to_be_bytes();
        MacKey::new(BdIndex(1 + (n % 3) as u16), MacAddress([2, 0, a, b, c, d]).into())
    }

    fn entry(port: u32) -> Entry {
        let now = Minute::of(EngineTime(0));
        Entry::new(SwIfIndex(port), Epoch(0), now, EntryFlags::LEARNED)
    }

    #[derive(Clone, Debug)]
    enum Step {
        Put(u32, u32),
        Remove(u32),
        Sweep(u32),
    }

    fn step() -> impl Strategy<Value = Step> {
        let address = 0..200_u32;
        prop_oneof![
            6 => (address.clone(), 0..4_u32).prop_map(|(a, p)| Step::Put(a, p)),
            3 => address.prop_map(Step::Remove),
            1 => (0..4_u32).prop_map(Step::Sweep),
        ]
    }

    proptest! {
        #[test]
        fn a_small_table_holds_what_a_map_holds(steps in prop::collection::vec(step(), 1..400)) {
            // 128 places for 200 addresses: buckets are full, and full of marks.
            let table = MacTable::new(128);
            let mut map = BTreeMap::new();
            for step in steps {
                match step {
                    Step::Put(address, port) => match table.find(key(address)) {
                        Some(found) => prop_assert!(found.replace(entry(port))
                            && map.insert(address, port).is_some()),
                        None => match table.insert(key(address), entry(port)) {
                            Insert::Done => prop_assert_eq!(map.insert(address, port), None),
                            Insert::Present => prop_assert!(false, "it was not found"),
                            Insert::Full => prop_assert!(table.used() > 32),
                        },
                    },
                    Step::Remove(address) => {
                        prop_assert_eq!(table.remove(key(address)), map.remove(&address).is_some());
                    }
                    Step::Sweep(port) => {
                        let mut gone = 0;
                        let wanted = |_, entry: Entry| entry.port().0 == port;
                        table.sweep(0..usize::MAX, wanted, |_, _| gone += 1);
                        let before = map.len();
                        map.retain(|_, known| *known != port);
                        prop_assert_eq!(before - map.len(), gone);
                    }
                }
                for address in 0..200 {
                    let found = table.find(key(address)).map(|found| found.entry.port().0);
                    prop_assert_eq!(found, map.get(&address).copied());
                }
                prop_assert_eq!(table.iter().count(), map.len());
            }
        }
    }

    #[test]
    fn addresses_that_count_up_are_spread_whatever_the_seed() {
        for _ in 0..300 {
            let table = MacTable::new(1 << 12);
            let all = (0..1 << 11).map(|n| table.insert(key(n), entry(n)));
            assert_eq!(all.filter(|done| *done != Insert::Done).count(), 0);
        }
    }

    #[test]
    fn half_full_tables_take_what_comes() {
        let table = MacTable::new(1 << 16);
        for n in 0..1 << 15 {
            assert_eq!(table.insert(key(n), entry(n)), Insert::Done);
        }
        assert!((0..1 << 15).all(|n| table.find(key(n)).unwrap().entry.port().0 == n));
        assert_eq!((table.used(), table.bytes()), (1 << 15, 1 << 20));
    }

    #[test]
    fn threads_that_add_the_same_addresses_make_one_entry_of_each() {
        let table = MacTable::new(1 << 12);
        std::thread::scope(|scope| {
            for port in 0..4 {
                let table = &table;
                scope.spawn(move || {
                    for n in 0..1000 {
                        match table.find(key(n)) {
                            Some(found) => drop(found.replace(entry(port))),
                            None => assert_ne!(table.insert(key(n), entry(port)), Insert::Full),
                        }
                    }
                });
            }
        });
        assert_eq!((table.iter().count(), table.used()), (1000, 1000));
    }

    #[test]
    fn a_reader_never_sees_the_entry_of_another_address() {
        let table = MacTable::new(64);
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !done.load(Ordering::Relaxed) {
                        for n in 0..64 {
                            let found = table.find(key(n)).map(|found| found.entry.port().0);
                            assert!(found.is_none_or(|port| port == n));
                        }
                    }
                });
            }
            for round in 0..2_000_u32 {
                for n in 0..8 {
                    let n = (round + n * 7) % 64;
                    if !table.remove(key(n)) {
                        let _: Insert = table.insert(key(n), entry(n));
                    }
                }
            }
            done.store(true, Ordering::Relaxed);
        });
    }
}
