//! The open-addressing table of one kind of flow.
//!
//! A flow lies in one of [`WINDOW`] slots, from its home (the low bits of the key's CRC32C) on. A byte a slot, its *tag*,
//! says whether the slot is taken and has seven other bits of the hash, so that two vector compares find a flow among the tags,
//! and of the slots, each a cache line or two of its own, only the right one is touched. A new flow takes the first slot of
//! its window that is free or whose flow has ended; when there is none, the least recently seen flow of the window makes
//! room.
//!
//! Which slot a flow takes therefore depends on the packets alone: an ended flow that no sweep has removed yet counts as
//! free, and a flow that comes back after its end is placed like a new one. So do evictions, and so do all records.
//!
//! Slots are swept by groups of [`GROUP`]. A group knows a watermark before which nothing in it is due, so that a sweep
//! looks at few of them; and free slots, whose memory may never have been touched, are known by their tags.

use super::{
    Addresses, Counters, Details, Direction, EndReason, FlowRecord, StartTime,
    details::{Extra, orient},
    hash::{equal_tags, prefetch},
    key::{Key, Kind, Slot, describe},
    lanes::Lane,
    rules::{Flow, Rules, Verdict},
};
use zerocopy::FromZeros;

use crate::{interface::SwIfIndex, runtime::PacketTime};

/// Slots that a flow may lie in.
const WINDOW: usize = 64;

/// Tags that are searched at once; more than that are needed by few flows.
const NEAR: usize = 32;

/// A table is sparse when fewer than one slot in so many is taken.
const SPARSE: usize = 16;

/// Slots that are swept together.
const GROUP: usize = 64;

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

/// What is known of the slots without looking at them.
pub(super) struct Directory {
    /// [`FREE`] or a tag, a slot.
    tags: Vec<u8>,
    /// Watermarks before which nothing is due, a group.
    due: Vec<u64>,
    /// Flows held.
    pub(super) flows: usize,
    home_mask: u32,
}

const FREE: u8 = 0;

impl Directory {
    /// For `homes` slots, a power of two, and the window of the last one.
    pub(super) fn new(homes: u32) -> Self {
        let groups = (homes as usize + WINDOW).div_ceil(GROUP);
        Self {
            tags: vec![FREE; groups * GROUP],
            due: vec![u64::MAX; groups],
            flows: 0,
            home_mask: homes - 1,
        }
    }

    pub(super) fn octets(&self) -> usize {
        self.tags.len() + size_of_val(self.due.as_slice())
    }

    pub(super) fn groups(&self) -> usize {
        self.due.len()
    }

    pub(super) fn slots(&self) -> usize {
        self.tags.len()
    }

    pub(super) fn is_due(&self, group: usize, watermark: u64) -> bool {
        self.due[group] <= watermark
    }

    /// The taken slots of a group, in order.
    pub(super) fn taken(&self, group: usize) -> impl Iterator<Item = usize> + use<> {
        let first = group * GROUP;
        let free = self.equal(first, FREE) | self.equal(first + NEAR, FREE) << NEAR;
        let mut bits = !free;
        core::iter::from_fn(move || {
            let bit = bits.trailing_zeros();
            bits &= bits.wrapping_sub(1);
            (bit < u64::BITS).then_some(first + bit as usize)
        })
    }

    /// Whether so few slots are taken that almost every flow lies in its home: then looking there first is better than looking
    /// among the tags.
    pub(super) fn is_sparse(&self) -> bool {
        self.flows < self.tags.len() / SPARSE
    }

    #[inline(always)]
    pub(super) fn place<K: Key>(&self, key: &K) -> Place {
        let hash = key.hash();
        Place { hash, likely: hash & self.home_mask }
    }

    fn home(&self, place: Place) -> usize {
        (place.hash & self.home_mask) as usize
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
        let home = self.home(*place);
        let equal = self.equal(home, place.tag()) as u32;
        let bits = if equal == 0 { self.equal(home, FREE) as u32 } else { equal };
        place.likely = (home + bits.trailing_zeros() as usize % NEAR) as u32;
    }

    /// The slots of the window from `home` on with the tag of `place`.
    fn candidates(&self, home: usize, place: Place) -> u64 {
        self.equal(home, place.tag()) | self.equal(home + NEAR, place.tag()) << NEAR
    }

    fn is_free(&self, at: usize) -> bool {
        self.tags[at] == FREE
    }

    fn take(&mut self, at: usize, tag: u8) {
        self.tags[at] = tag;
        self.flows += 1;
    }

    fn release(&mut self, at: usize) {
        self.tags[at] = FREE;
        self.flows -= 1;
    }

    fn lower(&mut self, at: usize, deadline: u64) {
        let due = &mut self.due[at / GROUP];
        *due = deadline.min(*due);
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

/// A table with all that it needs to work: borrowed for a frame, a sweep or a flush.
pub(super) struct Table<'a, K: Kind, S> {
    pub(super) slots: &'a mut [K::Slot],
    pub(super) directory: &'a mut Directory,
    /// When the flow of each slot began, where that is recorded.
    pub(super) starts: &'a mut [u64],
    /// What is kept beside each slot.
    pub(super) extras: &'a mut [K::Extra],
    pub(super) rules: &'a Rules,
    pub(super) counters: &'a mut Counters,
    pub(super) sink: &'a mut S,
}

impl<K: Kind, S: FnMut(&FlowRecord)> Table<'_, K, S> {
    /// Counts packets, in their order.
    #[inline(always)]
    pub(super) fn arrive<'l>(&mut self, lanes: impl Iterator<Item = &'l Lane<K>>) {
        for lane in lanes {
            let at = lane.place.likely();
            let slot = &mut self.slots[at];
            if *slot.key() != lane.key {
                self.arrive_elsewhere(lane);
            } else if slot.meters_mut().count_usual(&lane.delta, lane.watermark, self.rules) {
                self.add_extra(lane, at);
            } else {
                self.arrive_unusual(lane, at);
            }
        }
    }

    /// Does all that is due in a group.
    pub(super) fn sweep_group(&mut self, group: usize, watermark: u64) {
        for at in self.directory.taken(group) {
            prefetch(self.slots.as_ptr(), at);
        }
        let mut due = u64::MAX;
        for at in self.directory.taken(group) {
            if self.settle(at, |flow| flow.clock(watermark)) {
                due = due.min(self.slots[at].meters().flow().deadline(self.rules));
            }
        }
        self.directory.due[group] = due;
    }

    /// Ends the flows of a group whose interfaces `select` selects.
    pub(super) fn flush_group(
        &mut self,
        group: usize,
        watermark: u64,
        select: impl Fn(u64) -> bool,
    ) {
        for at in self.directory.taken(group) {
            if select(self.slots[at].key().interfaces())
                && self.settle(at, |flow| flow.clock(watermark))
            {
                let flow = self.slots[at].meters().flow();
                self.end(at, &flow, flow.forced_reason());
            }
        }
    }

    /// A record for one packet alone.
    pub(super) fn record_packet(&mut self, lane: &Lane<K>) {
        let mut flow = Flow::first(&lane.sample(), self.rules);
        if self.rules.start_time == StartTime::Flow {
            flow.start = 0;
        }
        let mut extra = K::Extra::new_zeroed();
        extra.add(&lane.extra);
        self.record(&lane.key, &flow, EndReason::ActiveTimeout, &extra);
    }

    /// Does nothing where nothing is kept beside slots.
    #[inline(always)]
    fn add_extra(&mut self, lane: &Lane<K>, at: usize) {
        if size_of::<K::Extra>() != 0 {
            self.extras[at].add(&lane.extra);
        }
    }

    /// The flow is new, far from its home, or a guess was made before an earlier packet of its batches changed the table.
    #[inline(never)]
    fn arrive_elsewhere(&mut self, lane: &Lane<K>) {
        let home = self.directory.home(lane.place);
        let mut candidates = self.directory.candidates(home, lane.place);
        while candidates != 0 {
            let at = home + candidates.trailing_zeros() as usize;
            candidates &= candidates - 1;
            let slot = &mut self.slots[at];
            if *slot.key() == lane.key {
                if slot.meters_mut().count_usual(&lane.delta, lane.watermark, self.rules) {
                    self.add_extra(lane, at);
                } else {
                    self.arrive_unusual(lane, at);
                }
                return;
            }
        }
        self.insert(lane);
    }

    #[cold]
    #[inline(never)]
    fn arrive_unusual(&mut self, lane: &Lane<K>, at: usize) {
        let sample = lane.sample();
        if !self.settle(at, |flow| flow.clock_at(&sample)) {
            return self.insert(lane);
        }
        let mut flow = self.slots[at].meters().flow();
        if flow.is_reopened_by(&sample) || (flow.full && flow.ending) {
            self.end(at, &flow, EndReason::EndOfFlow);
            return self.insert(lane);
        }
        if flow.full {
            self.report(at, &mut flow);
        }
        flow.count(&sample, self.rules);
        self.store(at, &flow);
        self.add_extra(lane, at);
    }

    fn insert(&mut self, lane: &Lane<K>) {
        let at = self.room(self.directory.home(lane.place), lane.watermark);
        self.directory.take(at, lane.place.tag());
        self.counters.created += 1;
        *self.slots[at].key_mut() = lane.key;
        let flow = Flow::first(&lane.sample(), self.rules);
        if let Some(start) = self.starts.get_mut(at) {
            *start = flow.start;
        }
        self.store(at, &flow);
        self.extras[at] = K::Extra::new_zeroed();
        self.add_extra(lane, at);
    }

    /// A free slot in the window of `home`, made if need be.
    fn room(&mut self, home: usize, watermark: u64) -> usize {
        let mut oldest = (u64::MAX, home);
        for at in home..home + WINDOW {
            if self.directory.is_free(at) || !self.settle(at, |flow| flow.clock(watermark)) {
                return at;
            }
            let last_seen = self.slots[at].meters().flow().last_seen();
            oldest = oldest.min((last_seen, at));
        }
        let (_, at) = oldest;
        let flow = self.slots[at].meters().flow();
        self.counters.evictions += 1;
        self.end(at, &flow, EndReason::LackOfResources);
        at
    }

    /// Does what is due for the flow at `at` and says whether it lives.
    fn settle(&mut self, at: usize, clock: impl Fn(&Flow) -> u64) -> bool {
        let mut flow = self.slots[at].meters().flow();
        if flow.verdict(clock(&flow), self.rules) == Verdict::Report {
            self.report(at, &mut flow);
        }
        match flow.verdict(clock(&flow), self.rules) {
            Verdict::Ended(reason) => {
                self.end(at, &flow, reason);
                false
            }
            Verdict::Lives | Verdict::Report => true,
        }
    }

    fn report(&mut self, at: usize, flow: &mut Flow) {
        let key = *self.slots[at].key();
        let extra = self.extras[at];
        self.record(&key, &told(self.starts, at, flow), EndReason::ActiveTimeout, &extra);
        self.extras[at].start_over();
        flow.start_over();
        self.store(at, flow);
    }

    fn end(&mut self, at: usize, flow: &Flow, reason: EndReason) {
        let key = *self.slots[at].key();
        if !flow.reported {
            let extra = self.extras[at];
            self.record(&key, &told(self.starts, at, flow), reason, &extra);
        }
        *self.slots[at].key_mut() = K::Key::FREE;
        self.directory.release(at);
    }

    fn store(&mut self, at: usize, flow: &Flow) {
        let meters = self.slots[at].meters_mut();
        meters.set(flow);
        self.directory.lower(at, meters.flow().deadline(self.rules));
    }

    fn record(&mut self, key: &K::Key, flow: &Flow, reason: EndReason, extra: &K::Extra) {
        self.counters.count_record(reason, flow.packets);
        (self.sink)(&record::<K>(key, flow, reason, extra));
    }
}

/// The flow at `at` as records tell of it. A flow whose later packets are dated before its first one begins with them.
pub(super) fn told(starts: &[u64], at: usize, flow: &Flow) -> Flow {
    let start = starts.get(at).map_or(flow.start, |&first| first.min(flow.start));
    Flow { start, ..*flow }
}

/// The record of a flow.
pub(super) fn record<K: Kind>(
    key: &K::Key,
    flow: &Flow,
    end_reason: EndReason,
    extra: &K::Extra,
) -> FlowRecord {
    let mut record = FlowRecord {
        ingress: SwIfIndex::NONE,
        egress: SwIfIndex::NONE,
        direction: Direction::Ingress,
        source_mac: [0; 6],
        destination_mac: [0; 6],
        ethertype: 0,
        vlan: None,
        addresses: Addresses::None,
        protocol: 0,
        source_port: 0,
        destination_port: 0,
        tcp_flags: flow.tcp_flags,
        packets: flow.packets,
        octets: flow.octets,
        layer2_octets: flow.layer2_octets,
        start: PacketTime(flow.start),
        end: PacketTime(flow.end),
        end_reason,
        details: extra.told().map(|meters| Details { meters, ..Details::NONE }),
    };
    describe::<K>(key, &mut record);
    orient(&mut record);
    record
}
