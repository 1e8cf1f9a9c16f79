//! The open-addressing table of one kind of flow.
//!
//! A flow lies in one of [`WINDOW`] slots, from its home on; the [`Directory`] knows which. A new flow takes the first slot of
//! its window that is free or whose flow has ended. When there is none, the table grows, and when it has all its slots, the
//! least recently seen flow of the window makes room.
//!
//! Which slot a flow takes therefore depends on the packets alone: an ended flow that no sweep has removed yet counts as
//! free, and a flow that comes back after its end is placed like a new one. So do growth and evictions, and so do all records.

use super::{
    Addresses, Counters, Details, Direction, EndReason, FlowRecord, StartTime,
    details::{Extra, orient},
    directory::{Directory, Place, WINDOW},
    growth::CROWDED,
    hash::prefetch,
    key::{Key, Kind, Slot, describe},
    lanes::Lane,
    order::Order,
    rules::{Flow, Rules, Verdict},
};
use zerocopy::FromZeros;

use crate::{interface::SwIfIndex, runtime::PacketTime};

/// A table with all that it needs to work: borrowed for a frame, a sweep or a flush.
pub(super) struct Table<'a, K: Kind, S> {
    pub(super) slots: &'a mut [K::Slot],
    pub(super) directory: &'a mut Directory,
    /// When the flow of each slot began, where that is recorded.
    pub(super) starts: &'a mut [u64],
    /// What is kept beside each slot.
    pub(super) extras: &'a mut [K::Extra],
    /// The order of flows, where that is kept.
    pub(super) order: &'a mut Order,
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
        self.directory.set_due(group, due);
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
        let reason = self.rules.per_packet.unwrap_or(EndReason::ActiveTimeout);
        self.record(&lane.key, &flow, reason, &extra);
    }

    /// What is kept of the flow at `at`, in its slot or beside it.
    #[inline(always)]
    pub(super) fn extra_mut(&mut self, at: usize) -> &mut K::Extra {
        let Self { slots, extras, .. } = self;
        if K::IN_SLOT
            && let Some(extra) = K::in_slot_mut(&mut slots[at])
        {
            return extra;
        }
        &mut extras[at]
    }

    /// Does nothing where nothing is kept beside slots.
    #[inline(always)]
    fn add_extra(&mut self, lane: &Lane<K>, at: usize) {
        if size_of::<K::Extra>() != 0 {
            self.extra_mut(at).add(&lane.extra);
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
        let at = self.room(lane.place, lane.watermark);
        self.directory.take(at, lane.place);
        self.counters.created += 1;
        *self.slots[at].key_mut() = lane.key;
        let flow = Flow::first(&lane.sample(), self.rules);
        if let Some(start) = self.starts.get_mut(at) {
            *start = flow.start;
        }
        self.store(at, &flow);
        *self.extra_mut(at) = K::Extra::new_zeroed();
        self.enlist(at, &lane.extra);
        self.add_extra(lane, at);
    }

    /// A free slot in the window of `place`, made if need be.
    fn room(&mut self, place: Place, watermark: u64) -> usize {
        let mut home = self.directory.home(place);
        let mut vacancy = self.vacancy(home, watermark);
        if let Some(at) = vacancy
            && at - home < CROWDED
        {
            return at;
        }
        while self.grow(watermark) {
            home = self.directory.home(place);
            vacancy = self.vacancy(home, watermark);
            if vacancy.is_some() {
                break;
            }
        }
        vacancy.unwrap_or_else(|| self.evict(home))
    }

    /// The first slot in the window of `home` that is free or becomes so because its flow has ended.
    pub(super) fn vacancy(&mut self, home: usize, watermark: u64) -> Option<usize> {
        if !self.directory.is_due_in_window(home, watermark) {
            return self.directory.first_free(home);
        }
        (home..home + WINDOW).find(|&at| {
            self.directory.is_free(at) || !self.settle(at, |flow| flow.clock(watermark))
        })
    }

    /// Ends the flow in the window of `home` that was seen least recently, and returns its slot.
    pub(super) fn evict(&mut self, home: usize) -> usize {
        let last_seen = |at: &usize| self.slots[*at].meters().flow().last_seen();
        let at = (home..home + WINDOW).min_by_key(last_seen).unwrap_or(home);
        let flow = self.slots[at].meters().flow();
        self.counters.evictions += 1;
        self.end(at, &flow, EndReason::LackOfResources);
        at
    }

    /// Does what is due for the flow at `at` and says whether it lives.
    pub(super) fn settle(&mut self, at: usize, clock: impl Fn(&Flow) -> u64) -> bool {
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
        let extra = *self.extra_mut(at);
        self.record(&key, &told(self.starts, at, flow), EndReason::ActiveTimeout, &extra);
        self.extra_mut(at).start_over();
        flow.start_over();
        self.store(at, flow);
    }

    pub(super) fn end(&mut self, at: usize, flow: &Flow, reason: EndReason) {
        let key = *self.slots[at].key();
        if !flow.reported {
            let extra = *self.extra_mut(at);
            self.record(&key, &told(self.starts, at, flow), reason, &extra);
        }
        *self.slots[at].key_mut() = K::Key::FREE;
        self.directory.release(at);
        self.delist(at);
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
