//! The MAC table that grows while packets flow.
//!
//! When the table has become crowded a larger one takes its place, and the one before stays behind it: what is not found in the
//! first is looked for in the second. The main thread moves entries over, a slice at a time, and lets the old one go. Nodes add
//! to the first alone; an entry of the second that changes is made anew in the first, which goes before it.

use super::{
    Entry, MacKey,
    mac_table::{Found, Insert, MacTable},
};

/// The MAC table.
pub struct MacTables {
    table: MacTable,
    /// What it grew out of, as long as something may be there alone.
    old: Option<MacTable>,
}

/// Buckets that are moved or swept at a time.
pub(super) const SLICE: usize = 4096;

/// An entry that was found, and where.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    found: Found<'a>,
    /// Not in the table, but in that which it grew out of.
    is_old: bool,
    /// What is known.
    pub entry: Entry,
}

impl MacTables {
    pub(super) fn new() -> Self {
        Self { table: MacTable::new(MacTable::LEAST), old: None }
    }

    /// The home bucket of an address.
    #[inline(always)]
    #[must_use]
    pub fn home(&self, key: MacKey) -> usize {
        self.table.home(key)
    }

    /// Asks for the cache line of a bucket, to be there when it is looked at.
    #[inline(always)]
    pub fn prefetch(&self, home: usize) {
        self.table.prefetch(home);
    }

    /// What is known of an address whose home bucket is known.
    #[inline(always)]
    #[must_use]
    pub fn find_at(&self, home: usize, key: MacKey) -> Option<Known<'_>> {
        match self.table.find_at(home, key) {
            Some(found) => Some(Known { found, is_old: false, entry: found.entry }),
            None if self.old.is_none() => None,
            None => self.find_old(key),
        }
    }

    #[cold]
    fn find_old(&self, key: MacKey) -> Option<Known<'_>> {
        let found = self.old.as_ref()?.find(key)?;
        Some(Known { found, is_old: true, entry: found.entry })
    }

    /// What is known of an address.
    #[must_use]
    pub fn find(&self, key: MacKey) -> Option<Known<'_>> {
        self.find_at(self.home(key), key)
    }

    /// Makes `new` what is known of an address; `false` when somebody has changed it since it was found.
    pub(super) fn replace(&self, key: MacKey, known: Known<'_>, new: Entry) -> bool {
        match known.is_old {
            false => known.found.replace(new),
            // It counts as one that is moved.
            true => self.table.insert(key, new) == Insert::Done,
        }
    }

    /// For nodes: adds an address that is not known. They leave room for what is still to be moved.
    pub(super) fn learn(&self, key: MacKey, entry: Entry) -> Insert {
        let places = self.table.places();
        let most = if self.old.is_some() { places / 2 } else { places / 4 * 3 };
        if self.table.used() > most { Insert::Full } else { self.table.insert(key, entry) }
    }

    /// For the main thread: adds an address that is not known, whatever must go for it; `gone` is told of learned ones that do.
    pub(super) fn insert(
        &self,
        key: MacKey,
        entry: Entry,
        mut gone: impl FnMut(MacKey, Entry),
    ) -> Insert {
        loop {
            match self.table.insert(key, entry) {
                Insert::Full => match self.table.make_room(key) {
                    Some((other, entry)) => gone(other, entry),
                    None => return Insert::Full,
                },
                done => return done,
            }
        }
    }

    /// Whether the table should be made larger, or freed of the marks of what was removed.
    pub(super) fn is_crowded(&self) -> bool {
        self.table.used() > self.table.places() / 8 * 5
    }

    /// For the main thread: removes an address; whether it was there.
    pub(super) fn remove(&self, key: MacKey) -> bool {
        // From behind: a reader that finds it here no more does not find it there either.
        let old = self.old.as_ref().is_some_and(|old| old.remove(key));
        self.table.remove(key) || old
    }

    /// All that is there, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (MacKey, Entry)> {
        let moved = |(key, _): &(MacKey, Entry)| self.table.find(*key).is_none();
        let old = self.old.iter().flat_map(MacTable::iter).filter(moved);
        self.table.iter().chain(old)
    }

    /// What lies in a slice, and where the next one begins. What is still to be moved lies in none.
    pub(super) fn slice(
        &self,
        from: usize,
    ) -> (impl Iterator<Item = (MacKey, Entry)>, Option<usize>) {
        let next = Some(from + SLICE).filter(|next| *next < self.table.buckets());
        (self.table.slice(from..from + SLICE), next)
    }

    /// A table for all that is here with room for as much again, if this one is crowded and no other move is under way. The
    /// caller may take its time: packets flow.
    pub(super) fn larger(&self) -> Option<LargerTable> {
        if !self.is_crowded() || self.old.is_some() {
            return None;
        }
        let there = self.table.iter().count();
        Some(LargerTable(MacTable::new((there * 4).max(MacTable::LEAST))))
    }

    /// Puts a larger table into its place, under the barrier.
    pub(super) fn put(&mut self, LargerTable(larger): LargerTable) {
        let old = core::mem::replace(&mut self.table, larger);
        debug_assert!(self.old.is_none(), "one move at a time");
        self.old = Some(old);
    }

    /// For the main thread: moves a slice of what is behind; whether there is more. Should there be no room for one, which is next
    /// to impossible, a learned one goes, and `gone` is told.
    pub(super) fn move_slice(&self, from: usize, mut gone: impl FnMut(MacKey, Entry)) -> bool {
        let Some(old) = &self.old else { return false };
        for (key, entry) in old.slice(from..from + SLICE) {
            if self.insert(key, entry, &mut gone) == Insert::Full {
                gone(key, entry);
            }
        }
        from + SLICE < old.buckets()
    }

    /// Lets go what has been moved, under the barrier.
    pub(super) fn settle(&mut self) {
        self.old = None;
    }

    /// For the main thread: removes entries of a slice that `wanted` names and tells `gone`; whether there is more behind.
    pub(super) fn sweep_slice(
        &self,
        from: usize,
        wanted: impl FnMut(MacKey, Entry) -> bool,
        gone: impl FnMut(MacKey, Entry),
    ) -> bool {
        self.table.sweep(from..from + SLICE, wanted, gone)
    }

    /// Octets of memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.table.bytes() + self.old.as_ref().map_or(0, MacTable::bytes)
    }
}

/// A table that is to take the place of a crowded one.
pub(super) struct LargerTable(MacTable);

#[cfg(test)]
mod tests {
    use super::{
        super::{BdIndex, EntryFlags, Epoch, Minute},
        *,
    };
    use crate::{interface::SwIfIndex, runtime::EngineTime, wire::ethernet::MacAddress};

    fn key(n: u32) -> MacKey {
        let [a, b, c, d] = n.to_be_bytes();
        MacKey::new(BdIndex(1), MacAddress([2, 0, a, b, c, d]).into())
    }

    fn entry(port: u32) -> Entry {
        let now = Minute::of(EngineTime(0));
        Entry::new(SwIfIndex(port), Epoch(0), now, EntryFlags::LEARNED)
    }

    #[test]
    fn nothing_is_lost_or_forgotten_while_a_table_grows() {
        let mut tables = MacTables::new();
        let mut n = 0;
        while !tables.is_crowded() {
            assert_eq!(tables.learn(key(n), entry(1)), Insert::Done);
            n += 1;
        }
        let before = tables.bytes();
        let larger = tables.larger().unwrap();
        tables.put(larger);
        assert!(tables.larger().is_none(), "one move at a time");
        // What changes meanwhile changes in the new one; what goes, goes in both.
        let known = tables.find(key(3)).unwrap();
        assert!(known.is_old && tables.replace(key(3), known, entry(7)));
        assert!(tables.remove(key(4)) && tables.find(key(4)).is_none());
        assert_eq!(tables.learn(key(n), entry(2)), Insert::Done);
        assert_eq!(tables.iter().count() as u32, n);
        let mut from = 0;
        while tables.move_slice(from, |_, _| panic!("there is room")) {
            from += SLICE;
        }
        tables.settle();
        assert_eq!(tables.iter().count() as u32, n);
        let port = |n| tables.find(key(n)).map(|known| known.entry.port().0);
        assert_eq!([port(3), port(4), port(5), port(n)], [Some(7), None, Some(1), Some(2)]);
        assert!((5..n).all(|n| port(n) == Some(1)));
        assert!(!tables.is_crowded() && tables.bytes() > before);
    }

    #[test]
    fn what_was_put_there_finds_room_in_a_table_that_is_full() {
        let tables = MacTables::new();
        let mut n = 0;
        // Of the table itself there is nothing that keeps nodes from filling it.
        while tables.table.insert(key(n), entry(1)) == Insert::Done {
            n += 1;
        }
        assert_eq!(tables.learn(key(n), entry(1)), Insert::Full);
        let fixed =
            Entry::new(SwIfIndex(9), Epoch(0), Minute::of(EngineTime(0)), EntryFlags::STATIC);
        let mut gone = 0;
        assert_eq!(tables.insert(key(n), fixed, |_, _| gone += 1), Insert::Done);
        assert_eq!((gone, tables.iter().count() as u32), (1, n));
        assert_eq!(tables.find(key(n)).unwrap().entry.port(), SwIfIndex(9));
    }

    #[test]
    fn places_of_stations_that_are_gone_are_used_again() {
        let tables = MacTables::new();
        for n in 0..200_000 {
            assert_eq!(tables.learn(key(n), entry(1)), Insert::Done);
            assert!(n < 100 || tables.remove(key(n - 100)));
        }
        assert!(!tables.is_crowded());
        assert_eq!(tables.iter().count(), 100);
    }
}
