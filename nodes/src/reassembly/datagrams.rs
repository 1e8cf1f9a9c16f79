//! Datagrams of which a thread has seen fragments, the oldest first.
//!
//! There is a place for each of as many as the settings say. A datagram's place is also the number of the queue in which its fragments
//! wait.

use std::{collections::HashMap, time::Duration};

use vnet::{frame::Waiting, runtime::EngineTime};

use super::settings::Settings;

/// What names a datagram among those that a thread has seen (RFC 791, section 3.2; RFC 8200, section 4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    /// IPv4 addresses are numbers below 2^32.
    pub(super) source: u128,
    pub(super) destination: u128,
    pub(super) identification: u32,
    /// The table in which the packet is at home: addresses may be used in several.
    pub(super) fib: u32,
    /// Of IPv4 alone: fragments of an IPv6 datagram may disagree on it.
    pub(super) protocol: u8,
}

/// No place.
const NONE: u32 = u32::MAX;

/// A datagram in its place.
pub(super) struct Entry<T> {
    pub(super) key: Key,
    /// Counts the datagrams of a thread.
    pub(super) id: u64,
    /// Since when its time runs.
    pub(super) since: EngineTime,
    /// What has happened to it, for traces.
    pub(super) operations: u32,
    pub(super) of: T,
    /// Its neighbours by age.
    older: u32,
    younger: u32,
}

/// One thread's.
pub(super) struct Datagrams<T> {
    /// Twice as much room as there are places: a map that is never more than half full is cleaned up in its own memory.
    places: HashMap<Key, u32>,
    entries: Vec<Entry<T>>,
    /// Places that were used and are free.
    free: Vec<u32>,
    oldest: u32,
    youngest: u32,
    most: usize,
    timeout: Duration,
    begun: u64,
}

/// A thread's datagrams and the fragments that wait.
pub(super) struct Table<T> {
    pub(super) datagrams: Datagrams<T>,
    pub(super) waiting: Waiting,
    /// The settings that it was made by.
    pub(super) settings: Settings,
}

impl<T> Table<T> {
    pub(super) fn new(settings: Settings) -> Self {
        let (most, each) = (settings.max_reassemblies as usize, settings.max_length as usize);
        let waiting = Waiting::new(most, each, most * each);
        Self { datagrams: Datagrams::new(settings), waiting, settings }
    }
}

impl<T> Datagrams<T> {
    fn new(settings: Settings) -> Self {
        let most = settings.max_reassemblies as usize;
        Self {
            places: HashMap::with_capacity(2 * most),
            entries: Vec::with_capacity(most),
            free: Vec::with_capacity(most),
            oldest: NONE,
            youngest: NONE,
            most,
            timeout: Duration::from_millis(settings.timeout.into()),
            begun: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.places.len() >= self.most
    }

    pub(super) fn find(&self, key: &Key) -> Option<usize> {
        self.places.get(key).map(|&place| place as usize)
    }

    /// The datagram in a place that [`find`](Self::find) and the like gave.
    pub(super) fn at(&mut self, place: usize) -> &mut Entry<T> {
        &mut self.entries[place]
    }

    /// The one whose time has run longest.
    pub(super) fn oldest(&self) -> Option<usize> {
        (self.oldest != NONE).then_some(self.oldest as usize)
    }

    /// The oldest one, if its time is over.
    pub(super) fn overdue(&self, now: EngineTime) -> Option<usize> {
        self.oldest().filter(|&place| now >= self.entries[place].since.after(self.timeout))
    }

    /// All of them, the oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &Entry<T>)> {
        let mut at = self.oldest;
        core::iter::from_fn(move || {
            let entry = self.entries.get(at as usize)?;
            let place = core::mem::replace(&mut at, entry.younger) as usize;
            Some((place, entry))
        })
    }

    /// Makes a place for a datagram of which nothing was seen before, when there is one.
    pub(super) fn begin(&mut self, key: Key, now: EngineTime, of: T) -> Option<usize> {
        if self.is_full() {
            return None;
        }
        let id = self.begun;
        self.begun += 1;
        let entry = Entry { key, id, since: now, operations: 0, of, older: NONE, younger: NONE };
        let place = match self.free.pop() {
            Some(place) => {
                self.entries[place as usize] = entry;
                place as usize
            }
            None => {
                self.entries.push(entry);
                self.entries.len() - 1
            }
        };
        self.places.insert(key, place as u32);
        self.append(place);
        Some(place)
    }

    /// Has the time of a datagram begin anew.
    pub(super) fn touch(&mut self, place: usize, now: EngineTime) {
        self.unlink(place);
        self.entries[place].since = now;
        self.append(place);
    }

    /// Forgets a datagram, none of whose fragments wait any more.
    pub(super) fn end(&mut self, place: usize) {
        self.unlink(place);
        self.places.remove(&self.entries[place].key);
        self.free.push(place as u32);
    }

    fn append(&mut self, place: usize) {
        let older = core::mem::replace(&mut self.youngest, place as u32);
        let entry = &mut self.entries[place];
        (entry.older, entry.younger) = (older, NONE);
        match older {
            NONE => self.oldest = place as u32,
            older => self.entries[older as usize].younger = place as u32,
        }
    }

    fn unlink(&mut self, place: usize) {
        let Entry { older, younger, .. } = self.entries[place];
        match older {
            NONE => self.oldest = younger,
            older => self.entries[older as usize].younger = younger,
        }
        match younger {
            NONE => self.youngest = older,
            younger => self.entries[younger as usize].older = older,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(n: u32) -> Key {
        Key { source: 1, destination: 2, identification: n, fib: 0, protocol: 17 }
    }

    fn at(ms: u64) -> EngineTime {
        EngineTime(ms * 1_000_000)
    }

    fn settings(max_reassemblies: u32) -> Settings {
        Settings { timeout: 100, max_reassemblies, max_length: 3, expire_walk_interval: 50 }
    }

    proptest! {
        #[test]
        fn datagrams_are_kept_by_age_as_in_a_list(
            steps in proptest::collection::vec((0u8..4, 0u32..12), 0..200),
        ) {
            let mut datagrams = Datagrams::new(settings(8));
            let mut naive: Vec<(u32, u64)> = Vec::new();
            for (step, (what, n)) in steps.into_iter().enumerate() {
                let (now, known) = (step as u64, naive.iter().position(|(id, _)| *id == n));
                prop_assert_eq!(datagrams.find(&key(n)).is_some(), known.is_some());
                match (what, known) {
                    (0 | 1, None) => {
                        let begun = datagrams.begin(key(n), at(now), n).is_some();
                        prop_assert_eq!(begun, naive.len() < 8);
                        if begun {
                            naive.push((n, now));
                        }
                    }
                    (2, Some(known)) => {
                        datagrams.touch(datagrams.find(&key(n)).unwrap(), at(now));
                        naive.remove(known);
                        naive.push((n, now));
                    }
                    (3, Some(known)) => {
                        datagrams.end(datagrams.find(&key(n)).unwrap());
                        naive.remove(known);
                    }
                    _ => {}
                }
                let seen: Vec<_> = datagrams.iter().map(|(_, e)| (e.of, e.since.0 / 1_000_000)).collect();
                prop_assert_eq!(&seen, &naive);
                prop_assert_eq!(datagrams.len(), naive.len());
                let late = datagrams.overdue(at(now + 60)).map(|place| datagrams.at(place).of);
                let expected = naive.first().filter(|(_, since)| now + 60 >= since + 100);
                prop_assert_eq!(late, expected.map(|(n, _)| *n));
            }
        }
    }
}
