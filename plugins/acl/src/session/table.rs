//! All sessions, in a table that every thread reads and writes while packets flow, without locks.
//!
//! A session lies in one of the eight ways of either of two buckets, which its key gives. A bucket is a cache line of eight *words*,
//! one for each way; beside it lie eight *places*, a cache line each, with the sessions themselves. A word says whether its place is
//! free, being filled, or live, and has a part of the hash, so that a packet without a session touches two lines; it counts up
//! whenever the place is given up.
//!
//! - Any thread adds a session: it turns a free word into one that is being filled by compare-and-swap, writes the place, and makes the
//!   word live.
//! - Any thread ends a session, by compare-and-swap of its live word to a free one of the next count.
//! - A reader compares the key between two looks at the word; when these differ the place has changed hands, and it has seen nothing. What
//!   it notes on a session afterwards (when it was heard, flags) may fall on the next one in that place, which then lasts
//!   as long as a packet more would have made it.
//!
//! Two threads that add the same session at a time can make two of it: the first one that is found counts, the other one is over
//! in time. Memory is that of the table, whatever comes: there are no more sessions than were asked for, and what finds no room is told
//! so. Sessions that are over and in the way of a new one are given up at once.

use std::{
    hash::{BuildHasher, RandomState},
    sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
};

use vnet::{action::ActionId, flow::prefetch_in, huge_pages};
use zerocopy::{FromZeros, KnownLayout};

use super::{
    Heard, Seen, SessionKey, Timeouts,
    word::{self, Was, Word},
};
use crate::direction::Direction;

/// Sessions from which on huge pages are worth their memory.
const MANY: u32 = 1 << 14;
/// Sessions of a bucket.
const WAYS: usize = 8;
#[derive(FromZeros, KnownLayout)]
#[repr(C, align(64))]
struct Bucket([AtomicU64; WAYS]);

impl Bucket {
    #[inline(always)]
    fn words(&self) -> impl Iterator<Item = Word<'_>> {
        self.0.iter().map(Word)
    }
}

#[derive(FromZeros, KnownLayout)]
#[repr(C, align(64))]
struct Place {
    key: [AtomicU64; 5],
    /// Interface and family, the rest of the key; only their low 33 bits are used, and the bit behind says that it began with a
    /// packet that left. The TCP flags of its first packet are the top byte.
    origin: AtomicU64,
    heard: AtomicU32,
    seen: AtomicU32,
    epoch: AtomicU32,
    action: AtomicU32,
}

/// In an origin.
const BEGAN_OUTPUT: u64 = 1 << 40;
const KEY_PART: u64 = (1 << 33) - 1;

/// The table.
pub(crate) struct Sessions {
    buckets: Box<[Bucket]>,
    places: Box<[Place]>,
    wrap: usize,
    seeds: [u64; 6],
    limit: u32,
    live: AtomicU32,
    added: AtomicU64,
    ended: AtomicU64,
    /// Whether it lies in huge pages.
    collapsed: AtomicBool,
}

/// A session as it was read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Session {
    pub(crate) key: SessionKey,
    /// Of the packet with which it began.
    pub(crate) began: Direction,
    /// The TCP flags of that.
    pub(crate) first_flags: u8,
    pub(crate) heard: Heard,
    pub(crate) seen: Seen,
    /// That of the lists that let it begin.
    pub(crate) epoch: u32,
    /// Of the rule that did.
    pub(crate) action: ActionId,
}

/// Where a session lies.
pub(crate) struct Found<'a> {
    place: &'a Place,
    word: Word<'a>,
    was: Was,
}

/// What became of a session that was to be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Insert {
    Done,
    /// There are as many as there may be, or all ways of its buckets are taken.
    Full,
}

/// Where a key may lie.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Homes {
    buckets: [u32; 2],
    /// The bits of a live word that are the key's.
    tag: u32,
}

impl Sessions {
    /// For up to `limit` sessions. Memory is taken as sessions come. `None` when the system has none.
    pub(crate) fn new(limit: u32) -> Option<Self> {
        // With two choices of eight ways, four fifths of the places are taken before a session finds no room.
        let wanted = (limit as usize).saturating_mul(5) / 4 / WAYS + 1;
        let buckets = wanted.next_power_of_two();
        // So that nobody outside can choose packets that all lie in one bucket.
        let random = RandomState::new();
        let seeds = core::array::from_fn(|n| random.hash_one(n) | 1);
        Some(Self {
            buckets: <[Bucket]>::new_box_zeroed_with_elems(buckets).ok()?,
            places: <[Place]>::new_box_zeroed_with_elems(buckets * WAYS).ok()?,
            wrap: buckets - 1,
            seeds,
            limit,
            live: AtomicU32::new(0),
            added: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            collapsed: AtomicBool::new(false),
        })
    }

    /// The most sessions.
    pub(crate) fn limit(&self) -> u32 {
        self.limit
    }

    /// Sessions that there are.
    pub(crate) fn live(&self) -> u32 {
        self.live.load(Ordering::Relaxed)
    }

    /// Sessions that were added and ended since the table was made.
    pub(crate) fn totals(&self) -> (u64, u64) {
        (self.added.load(Ordering::Relaxed), self.ended.load(Ordering::Relaxed))
    }

    /// Octets of address space; sessions that never were take no memory.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.buckets) + size_of_val(&*self.places)
    }

    /// Buckets with a session in them.
    pub(crate) fn taken(&self) -> usize {
        let is_taken = |bucket: &&Bucket| bucket.words().any(|word| !word.is_free());
        self.buckets.iter().filter(is_taken).count()
    }

    /// Where a key may lie.
    #[inline(always)]
    pub(crate) fn homes(&self, SessionKey(key): &SessionKey) -> Homes {
        let [a, b, c, d, e, f]: [u64; 6] = core::array::from_fn(|n| key[n] ^ self.seeds[n]);
        let mixed = fold(a, b) ^ fold(c, d).rotate_left(21) ^ fold(e, f).rotate_left(42);
        let mixed = fold(mixed, 0x9e37_79b9_7f4a_7c15);
        let first = mixed as usize & self.wrap;
        // Odd, so that the second differs from the first where there is more than one bucket.
        let second = first ^ (((mixed >> 24) as usize | 1) & self.wrap);
        let tag = word::tag((mixed >> 32) as u32);
        Homes { buckets: [first as u32, second as u32], tag }
    }

    /// Asks for the words of a key's buckets.
    #[inline(always)]
    pub(crate) fn prefetch(&self, homes: Homes) {
        homes.buckets.iter().for_each(|&bucket| prefetch_in(&self.buckets, bucket as usize));
    }

    /// Asks for the place of a key, if there is one, whose words are there.
    #[inline(always)]
    pub(crate) fn prefetch_place(&self, homes: Homes) {
        for &bucket in &homes.buckets {
            let Some(known) = self.buckets.get(bucket as usize) else { continue };
            if let Some(way) = known.words().position(|word| word.looks_like(homes.tag)) {
                prefetch_in(&self.places, bucket as usize * WAYS + way);
                return;
            }
        }
    }

    /// Moves the table to huge pages, once: when it has come to hold much. Packets flow meanwhile.
    pub(crate) fn collapse(&self) {
        if self.live() >= MANY && !self.collapsed.swap(true, Ordering::Relaxed) {
            huge_pages::collapse_table(&self.buckets);
            huge_pages::collapse_table(&self.places);
        }
    }

    /// The session of a key.
    #[inline(always)]
    pub(crate) fn find(&self, homes: Homes, key: &SessionKey) -> Option<Found<'_>> {
        homes.buckets.iter().find_map(|&bucket| {
            for (way, word) in self.buckets.get(bucket as usize)?.words().enumerate() {
                let Some(was) = word.live_as(homes.tag) else { continue };
                let place = self.places.get(bucket as usize * WAYS + way)?;
                if place.has(key) && word.is_still(was) {
                    return Some(Found { place, word, was });
                }
            }
            None
        })
    }

    /// Adds a session that is not there.
    pub(crate) fn insert(
        &self,
        homes: Homes,
        session: &Session,
        timeouts: &Timeouts,
        now: Heard,
    ) -> Insert {
        if self.live.fetch_add(1, Ordering::Relaxed) >= self.limit
            && !self.give_up_one(homes, timeouts, now)
        {
            self.live.fetch_sub(1, Ordering::Relaxed);
            return Insert::Full;
        }
        let done = self.put(homes, session)
            || self.give_up_one(homes, timeouts, now) && self.put(homes, session);
        if !done {
            self.live.fetch_sub(1, Ordering::Relaxed);
            return Insert::Full;
        }
        self.added.fetch_add(1, Ordering::Relaxed);
        Insert::Done
    }

    /// Puts a session into a free place of the emptier of its buckets.
    fn put(&self, homes: Homes, session: &Session) -> bool {
        let free = |bucket: u32| {
            let bucket = self.buckets.get(bucket as usize);
            bucket.map_or(0, |bucket| bucket.words().filter(|word| word.is_free()).count())
        };
        let mut buckets = homes.buckets;
        if free(buckets[1]) > free(buckets[0]) {
            buckets.swap(0, 1);
        }
        for bucket in buckets {
            let Some(known) = self.buckets.get(bucket as usize) else { continue };
            for (way, word) in known.words().enumerate() {
                let Some(claim) = word.claim() else { continue };
                if let Some(place) = self.places.get(bucket as usize * WAYS + way) {
                    place.write(session);
                }
                word.publish(claim, homes.tag);
                return true;
            }
        }
        false
    }

    /// Ends a session that is over and in the way of a key; whether there was one.
    fn give_up_one(&self, homes: Homes, timeouts: &Timeouts, now: Heard) -> bool {
        homes.buckets.iter().any(|&bucket| {
            (0..WAYS).any(|way| {
                let Some((session, found)) = self.read(bucket as usize, way) else { return false };
                session.is_over(timeouts, now) && self.end(&found)
            })
        })
    }

    /// Ends a session, unless somebody has done so meanwhile.
    pub(crate) fn end(&self, found: &Found<'_>) -> bool {
        let ended = found.word.end(found.was);
        if ended {
            self.live.fetch_sub(1, Ordering::Relaxed);
            self.ended.fetch_add(1, Ordering::Relaxed);
        }
        ended
    }

    /// Ends those sessions of some buckets that `wanted` names; whether there are more buckets behind.
    pub(crate) fn sweep(
        &self,
        buckets: core::ops::Range<usize>,
        mut wanted: impl FnMut(&Session) -> bool,
    ) -> bool {
        let end = buckets.end.min(self.buckets.len());
        for bucket in buckets.start..end {
            for way in 0..WAYS {
                if let Some((session, found)) = self.read(bucket, way)
                    && wanted(&session)
                {
                    self.end(&found);
                }
            }
        }
        end < self.buckets.len()
    }

    /// All sessions, in no order; what begins or ends meanwhile may be among them or not.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Session> {
        let all =
            (0..self.buckets.len()).flat_map(|bucket| (0..WAYS).map(move |way| (bucket, way)));
        all.filter_map(|(bucket, way)| self.read(bucket, way)).map(|(session, _)| session)
    }

    /// Takes over the sessions of another table, as far as there is room, while no packet is looked at.
    pub(crate) fn take_over(&self, other: &Self) {
        for session in other.iter() {
            let homes = self.homes(&session.key);
            if self.live() < self.limit && self.put(homes, &session) {
                self.live.fetch_add(1, Ordering::Relaxed);
            }
        }
        let (added, _) = other.totals();
        self.added.store(added, Ordering::Relaxed);
        self.ended.store(added.saturating_sub(self.live().into()), Ordering::Relaxed);
    }

    fn read(&self, bucket: usize, way: usize) -> Option<(Session, Found<'_>)> {
        let word = self.buckets.get(bucket)?.words().nth(way)?;
        let was = word.live()?;
        let place = self.places.get(bucket * WAYS + way)?;
        let session = place.read();
        word.is_still(was).then_some((session, Found { place, word, was }))
    }
}

impl Session {
    /// Whether nothing was heard of it for longer than it lasts.
    pub(crate) fn is_over(&self, timeouts: &Timeouts, now: Heard) -> bool {
        timeouts.is_over(self.key.layer4().protocol(), self.seen, self.heard, now)
    }
}

impl Found<'_> {
    /// When it was heard last.
    #[inline(always)]
    pub(crate) fn heard(&self) -> Heard {
        Heard(self.place.heard.load(Ordering::Relaxed))
    }

    /// Which flags were seen.
    #[inline(always)]
    pub(crate) fn seen(&self) -> Seen {
        Seen(self.place.seen.load(Ordering::Relaxed))
    }

    /// A packet of it was seen.
    #[inline(always)]
    pub(crate) fn hear(&self, now: Heard, Seen(flags): Seen) {
        if self.heard() != now {
            self.place.heard.store(now.0, Ordering::Relaxed);
        }
        if self.place.seen.load(Ordering::Relaxed) & flags != flags {
            self.place.seen.fetch_or(flags, Ordering::Relaxed);
        }
    }

    /// The epoch of the lists by which it is there.
    #[inline(always)]
    pub(crate) fn epoch(&self) -> u32 {
        self.place.epoch.load(Ordering::Relaxed)
    }

    /// Of the packet with which it began.
    #[inline(always)]
    pub(crate) fn began(&self) -> Direction {
        began(self.place.origin.load(Ordering::Relaxed))
    }

    /// The action of the rule by which it is there.
    #[inline(always)]
    pub(crate) fn action(&self) -> ActionId {
        ActionId::from_bits(self.place.action.load(Ordering::Relaxed))
    }

    /// All of it.
    pub(crate) fn session(&self) -> Session {
        self.place.read()
    }

    /// Other lists let it go on.
    pub(crate) fn renew(&self, epoch: u32, action: ActionId) {
        self.place.epoch.store(epoch, Ordering::Relaxed);
        self.place.action.store(action.bits(), Ordering::Relaxed);
    }
}

impl Place {
    #[inline(always)]
    fn has(&self, SessionKey(key): &SessionKey) -> bool {
        let origin = self.origin.load(Ordering::Relaxed) ^ key[5];
        let words = self.key.iter().zip(key);
        let differ = words.fold(origin & KEY_PART, |differ, (word, key)| {
            differ | (word.load(Ordering::Relaxed) ^ key)
        });
        differ == 0
    }

    fn read(&self) -> Session {
        let [a, b, c, d, e] = core::array::from_fn(|n| self.key[n].load(Ordering::Relaxed));
        let origin = self.origin.load(Ordering::Relaxed);
        Session {
            key: SessionKey([a, b, c, d, e, origin & KEY_PART]),
            began: began(origin),
            first_flags: (origin >> 56) as u8,
            heard: Heard(self.heard.load(Ordering::Relaxed)),
            seen: Seen(self.seen.load(Ordering::Relaxed)),
            epoch: self.epoch.load(Ordering::Relaxed),
            action: ActionId::from_bits(self.action.load(Ordering::Relaxed)),
        }
    }

    fn write(&self, session: &Session) {
        let SessionKey([words @ .., place]) = session.key;
        self.key.iter().zip(words).for_each(|(to, word)| to.store(word, Ordering::Relaxed));
        let began = if session.began == Direction::Output { BEGAN_OUTPUT } else { 0 };
        let origin = place | began | u64::from(session.first_flags) << 56;
        self.origin.store(origin, Ordering::Relaxed);
        self.heard.store(session.heard.0, Ordering::Relaxed);
        self.seen.store(session.seen.0, Ordering::Relaxed);
        self.epoch.store(session.epoch, Ordering::Relaxed);
        self.action.store(session.action.bits(), Ordering::Relaxed);
    }
}

const fn began(origin: u64) -> Direction {
    match origin & BEGAN_OUTPUT {
        0 => Direction::Input,
        _ => Direction::Output,
    }
}

/// Every bit of both reaches every bit of the result.
#[inline(always)]
const fn fold(a: u64, b: u64) -> u64 {
    let product = a as u128 * b as u128;
    product as u64 ^ (product >> 64) as u64
}
