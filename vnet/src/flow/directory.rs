//! What is known of a table's slots without looking at them: which are taken, and where a flow may lie.
//!
//! A flow lies in one of [`WINDOW`] slots, from its home on, which low bits of the key's CRC32C say. A byte a slot, its *tag*,
//! says whether the slot is taken and has seven other bits of the hash, so that two vector compares find a flow among the tags,
//! and of the slots, each a cache line or two of its own, only the right one is touched.
//!
//! Slots are swept by groups of [`GROUP`]. A group knows a watermark before which nothing in it is due, so that a sweep
//! looks at few of them; and free slots, whose memory may never have been touched, are known by their tags.
//!
//! A table of many slots begins with few of them in use, and the *limit* rises by a group at a time: of the homes below it those
//! of the lower half have been split, and the others are split next, in their order (linear hashing). So memory is touched as
//! flows are, and lies together.

use super::hash::{equal_tags, prefetch};

/// Slots that a flow may lie in.
pub(super) const WINDOW: usize = 64;

/// Tags that are searched at once; more than that are needed by few flows.
const NEAR: usize = 32;

/// A table is sparse when fewer than one slot in so many is taken.
const SPARSE: usize = 16;

/// Slots that are swept together, and homes that are split together.
pub(super) const GROUP: usize = 64;

/// Homes in use from the start: few pages, and sparse with the thousand flows that many tables never exceed. Tests have tables
/// grow that they can fill.
const FIRST_HOMES: u32 = if cfg!(test) { LEAST_HOMES as u32 } else { 1 << 14 };

/// Fewest homes of a table; a smaller one would save nothing. With two groups a flow never moves to where it may lie already.
pub(super) const LEAST_HOMES: usize = 2 * GROUP;

/// Where a key belongs.
#[derive(Clone, Copy)]
pub(super) struct Place {
    hash: u32,
    likely: u32,
}

impl Place {
    /// Of no key.
    pub(super) const NONE: Self = Self { hash: 0, likely: 0 };

    /// The slot that the flow is likely to have.
    #[inline(always)]
    pub(super) const fn likely(self) -> usize {
        self.likely as usize
    }

    /// Never [`FREE`].
    const fn tag(self) -> u8 {
        0x80 | (self.hash >> 25) as u8
    }
}

pub(super) struct Directory {
    /// [`FREE`] or a tag, a slot; of all slots that there may ever be.
    tags: Vec<u8>,
    /// Watermarks before which nothing is due, a group in use.
    due: Vec<u64>,
    /// Flows held.
    flows: usize,
    /// Homes in use.
    limit: u32,
    /// Bits of the hash that say the home, if that is in use; otherwise the highest of them does not count.
    mask: u32,
    most_homes: u32,
}

const FREE: u8 = 0;

impl Directory {
    /// For up to `homes` of them, a power of two and at least [`LEAST_HOMES`], and the window of the last one.
    pub(super) fn new(homes: u32) -> Self {
        let limit = homes.min(FIRST_HOMES);
        let groups = groups(homes);
        let mut due = Vec::with_capacity(groups);
        due.resize(self::groups(limit), u64::MAX);
        Self {
            tags: vec![FREE; groups * GROUP],
            due,
            flows: 0,
            limit,
            mask: limit - 1,
            most_homes: homes,
        }
    }

    /// Reserved, in use or not.
    pub(super) fn octets(&self) -> usize {
        self.tags.len() + self.due.capacity() * size_of::<u64>()
    }

    /// Those in use.
    pub(super) fn groups(&self) -> usize {
        self.due.len()
    }

    /// All that there may ever be.
    pub(super) fn slots(&self) -> usize {
        self.tags.len()
    }

    pub(super) fn slots_in_use(&self) -> usize {
        self.due.len() * GROUP
    }

    pub(super) fn flows(&self) -> usize {
        self.flows
    }

    pub(super) fn is_due(&self, group: usize, watermark: u64) -> bool {
        self.due[group] <= watermark
    }

    pub(super) fn set_due(&mut self, group: usize, watermark: u64) {
        self.due[group] = watermark;
    }

    pub(super) fn is_due_in_window(&self, home: usize, watermark: u64) -> bool {
        let group = home / GROUP;
        self.is_due(group, watermark) || self.is_due(group + 1, watermark)
    }

    /// The taken slots of a group, in order.
    pub(super) fn taken(&self, group: usize) -> impl Iterator<Item = usize> + use<> {
        let first = group * GROUP;
        let mut bits = !self.free(first);
        core::iter::from_fn(move || {
            let bit = bits.trailing_zeros();
            bits &= bits.wrapping_sub(1);
            (bit < u64::BITS).then_some(first + bit as usize)
        })
    }

    /// Whether so few slots are taken that almost every flow lies in its home: then looking there first is better than looking
    /// among the tags.
    pub(super) fn is_sparse(&self) -> bool {
        self.flows < self.slots_in_use() / SPARSE
    }

    #[inline(always)]
    pub(super) const fn place(&self, hash: u32) -> Place {
        Place { hash, likely: self.home_of(hash) }
    }

    pub(super) fn home(&self, place: Place) -> usize {
        self.home_of(place.hash) as usize
    }

    #[inline(always)]
    const fn home_of(&self, hash: u32) -> u32 {
        let home = hash & self.mask;
        if home < self.limit { home } else { home & (self.mask >> 1) }
    }

    /// Asks for the tags among which the flow will be looked up.
    #[inline(always)]
    pub(super) fn prefetch(&self, place: Place) {
        prefetch(self.tags.as_ptr(), place.likely());
    }

    /// Notes the slot of the flow if it is near its home, or else the one that it would take, or else its home: likely and
    /// no more.
    #[inline(always)]
    pub(super) fn look_up(&self, place: &mut Place) {
        // What the table's growth has changed since is noticed when the flow is not there.
        let home = place.likely();
        let equal = self.equal(home, place.tag()) as u32;
        let bits = if equal == 0 { self.equal(home, FREE) as u32 } else { equal };
        place.likely = (home + bits.trailing_zeros() as usize % NEAR) as u32;
    }

    /// The slots of the window from `home` on with the tag of `place`.
    pub(super) fn candidates(&self, home: usize, place: Place) -> u64 {
        self.equal(home, place.tag()) | self.equal(home + NEAR, place.tag()) << NEAR
    }

    pub(super) fn is_free(&self, at: usize) -> bool {
        self.tags[at] == FREE
    }

    /// The first free slot in the window of `home`.
    pub(super) fn first_free(&self, home: usize) -> Option<usize> {
        let free = self.free(home);
        (free != 0).then_some(home + free.trailing_zeros() as usize)
    }

    pub(super) fn take(&mut self, at: usize, place: Place) {
        self.tags[at] = place.tag();
        self.flows += 1;
    }

    pub(super) fn release(&mut self, at: usize) {
        self.tags[at] = FREE;
        self.flows -= 1;
    }

    /// Notes that nothing is due in the group of `at` before a watermark, if it was not so before.
    pub(super) fn lower(&mut self, at: usize, deadline: u64) {
        let due = &mut self.due[at / GROUP];
        *due = deadline.min(*due);
    }

    /// Takes another group of homes into use, and says which other one they were split from and which slots' flows may have
    /// their homes in it now: those of that group and of the next one. `None` when all homes are in use.
    pub(super) fn raise_limit(&mut self) -> Option<Split> {
        if self.limit == self.most_homes {
            return None;
        }
        if self.limit > self.mask {
            self.mask = self.mask << 1 | 1;
        }
        let from = (self.limit & (self.mask >> 1)) as usize / GROUP;
        let first_home = self.limit as usize;
        self.limit += GROUP as u32;
        self.due.push(u64::MAX);
        Some(Split { from, first_home })
    }

    /// A bit for each free slot of the [`WINDOW`] from `at` on.
    fn free(&self, at: usize) -> u64 {
        self.equal(at, FREE) | self.equal(at + NEAR, FREE) << NEAR
    }

    /// A bit for each of the [`NEAR`] slots from `at` on.
    #[inline(always)]
    fn equal(&self, at: usize, tag: u8) -> u64 {
        match self.tags[at..].first_chunk() {
            Some(tags) => u64::from(equal_tags(tags, tag)),
            None => 0,
        }
    }
}

/// A group of homes that was split in two.
#[derive(Clone, Copy)]
pub(super) struct Split {
    /// The group that has half of its flows left.
    pub(super) from: usize,
    /// The first home of the other half, and of all that are new.
    pub(super) first_home: usize,
}

/// Of so many homes and the window of the last one.
const fn groups(homes: u32) -> usize {
    (homes as usize + WINDOW).div_ceil(GROUP)
}
