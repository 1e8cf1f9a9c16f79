//! A flow cache: the memory of one table, and the packets that wait to enter it.

use core::marker::PhantomData;
use std::io;

use memmap2::{MmapMut, MmapOptions};
use zerocopy::{FromBytes, FromZeros};

use super::{
    Counters, FlowRecord, Keys, Pages, Scope,
    details::Extra as _,
    directory::Directory,
    hash::prefetch,
    key::{Key, Kind, SampleOf, Slot},
    lanes::{Lane, Lanes},
    meters::Delta,
    order::Order,
    rules::{Rules, Sample},
    table::{Table, record, told},
};
use crate::huge_pages::{HUGE_PAGE, collapse};

/// Flows from which on a table is worth huge pages.
const MANY: usize = 512;

/// Groups that one call of [`Cache::sweep`] looks at, most of them with a single compare.
const SWEEP_STEP: usize = 4096;

pub(super) struct Cache<K: Kind> {
    memory: MmapMut,
    directory: Directory,
    /// When the flow of each slot began, or nothing.
    starts: Vec<u64>,
    mask: K::Key,
    icmp_mask: K::Key,
    lanes: Lanes<K>,
    /// What is kept beside each slot, or nothing.
    extras: Vec<K::Extra>,
    /// The order of flows, where that is kept.
    order: Order,
    /// See [`Directory::is_sparse`]; the same for all packets that are staged.
    is_sparse: bool,
    /// Octets of `memory` that are to stay on the pages where they are.
    settled: usize,
    cursor: usize,
    /// No sweep begins before the watermark is here.
    next_sweep: u64,
    kind: PhantomData<K>,
}

impl<K: Kind> Cache<K> {
    /// Reserves address space; memory is taken as flows come.
    pub(super) fn new(
        homes: u32,
        keys: Keys,
        keeps_starts: bool,
        pages: Pages,
    ) -> io::Result<Self> {
        let directory = Directory::new(homes);
        let bytes = directory.slots() * size_of::<K::Slot>();
        let memory = MmapOptions::new().len(bytes).no_reserve_swap().map_anon()?;
        #[cfg(target_os = "linux")]
        if pages == Pages::Huge {
            // A kernel without huge pages refuses; small ones do as well.
            let _: io::Result<()> = memory.advise(memmap2::Advice::HugePage);
        }
        let beside = if K::IN_SLOT { 0 } else { directory.slots() };
        let extras = K::Extra::new_vec_zeroed(beside);
        let extras = extras.map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
        let starts = if keeps_starts { vec![0; directory.slots()] } else { Vec::new() };
        Ok(Self {
            memory,
            directory,
            starts,
            mask: K::mask(keys),
            icmp_mask: K::icmp_mask(keys),
            lanes: Lanes::new(),
            extras,
            order: Order::EMPTY,
            is_sparse: true,
            settled: if pages == Pages::Settling { 0 } else { bytes },
            cursor: 0,
            next_sweep: 0,
            kind: PhantomData,
        })
    }

    /// Octets reserved.
    pub(super) fn reserved(&self) -> usize {
        let beside = size_of_val(self.starts.as_slice()) + size_of_val(self.extras.as_slice());
        self.memory.len() + self.directory.octets() + beside
    }

    pub(super) fn flows(&self) -> usize {
        self.directory.flows()
    }

    /// Stages a packet; at most a [`batch`](super::lanes::batch) of them between two calls of [`Self::step`].
    #[inline(always)]
    pub(super) fn stage(
        &mut self,
        key: K::Key,
        extra: SampleOf<K>,
        sample: &Sample,
        rules: &Rules,
    ) {
        self.stage_masked(key.masked(&self.mask), extra, sample, rules);
    }

    /// [`Self::stage`] where all of a key tells flows apart.
    #[inline(always)]
    pub(super) fn stage_whole(
        &mut self,
        key: K::Key,
        extra: SampleOf<K>,
        sample: &Sample,
        rules: &Rules,
    ) {
        self.stage_masked(key, extra, sample, rules);
    }

    /// [`Self::stage`] for ICMP.
    pub(super) fn stage_icmp(
        &mut self,
        key: K::Key,
        extra: SampleOf<K>,
        sample: &Sample,
        rules: &Rules,
    ) {
        self.stage_masked(key.masked(&self.icmp_mask), extra, sample, rules);
    }

    #[inline(always)]
    fn stage_masked(&mut self, key: K::Key, extra: SampleOf<K>, sample: &Sample, rules: &Rules) {
        let place = self.directory.place(K::hash(&key));
        if self.is_sparse {
            prefetch(self.memory.as_ptr().cast::<K::Slot>(), place.likely());
            if !K::IN_SLOT {
                prefetch(self.extras.as_ptr(), place.likely());
            }
        } else {
            self.directory.prefetch(place);
        }
        let delta = Delta::new(sample, rules);
        self.lanes.stage(Lane { key, watermark: sample.watermark, delta, place, extra });
    }

    /// Counts what was looked up, and looks up what was staged; two steps, and all packets are counted.
    #[inline(never)]
    pub(super) fn step<S: FnMut(&FlowRecord)>(
        &mut self,
        rules: &Rules,
        counters: &mut Counters,
        sink: &mut S,
    ) {
        if self.lanes.is_empty() {
            return;
        }
        let is_sparse = self.is_sparse;
        let (mut table, lanes) = self.table(rules, counters, sink);
        if rules.is_stateless() {
            lanes.drain().for_each(|lane| table.record_packet(lane));
        } else {
            table.arrive(lanes.drain());
        }
        let staged = if is_sparse {
            lanes.look_up(|_| ())
        } else {
            lanes.look_up(|place| {
                table.directory.look_up(place);
                prefetch(table.slots.as_ptr(), place.likely());
                if !K::IN_SLOT {
                    prefetch(table.extras.as_ptr(), place.likely());
                }
            })
        };
        table.counters.measured += staged as u64;
        self.is_sparse = self.directory.is_sparse();
    }

    /// Goes on with the sweep: does what is due in up to `limit` groups, and says whether there is more to look at.
    pub(super) fn sweep<S: FnMut(&FlowRecord)>(
        &mut self,
        watermark: u64,
        limit: usize,
        rules: &Rules,
        counters: &mut Counters,
        sink: &mut S,
    ) -> bool {
        if self.directory.flows() == 0 || (self.cursor == 0 && watermark < self.next_sweep) {
            return false;
        }
        let first = self.cursor;
        let end = self.directory.groups().min(first + SWEEP_STEP);
        let mut left = limit;
        let mut cursor = first;
        let (mut table, _) = self.table(rules, counters, sink);
        while cursor < end && left > 0 {
            if table.directory.is_due(cursor, watermark) {
                table.sweep_group(cursor, watermark);
                left -= 1;
            }
            cursor += 1;
        }
        let is_over = cursor == self.directory.groups();
        self.cursor = if is_over { 0 } else { cursor };
        if is_over {
            self.next_sweep = watermark.saturating_add(rules.sweep_period());
        }
        !is_over
    }

    /// Which packet of the meter the oldest flow of the table began with, where the order is kept and there is any.
    pub(super) fn oldest(&self) -> Option<u64> {
        let slots = <[K::Slot]>::ref_from_bytes(&self.memory).unwrap_or_default();
        self.order.first().map(|at| self.extra(slots, at).number())
    }

    /// What is kept of the flow at `at`.
    fn extra<'a>(&'a self, slots: &'a [K::Slot], at: usize) -> &'a K::Extra {
        K::in_slot(&slots[at]).unwrap_or_else(|| &self.extras[at])
    }

    /// Lets `act` have the table, while no packet is on its way.
    pub(super) fn with<R, S: FnMut(&FlowRecord)>(
        &mut self,
        rules: &Rules,
        counters: &mut Counters,
        sink: &mut S,
        act: impl FnOnce(Table<'_, K, S>) -> R,
    ) -> R {
        act(self.table(rules, counters, sink).0)
    }

    /// Moves a huge page's worth of a table in use to a huge page, and says whether there is more to move.
    pub(super) fn settle(&mut self) -> bool {
        let in_use = self.directory.slots_in_use() * size_of::<K::Slot>();
        if self.directory.flows() < MANY || self.settled >= in_use {
            return false;
        }
        let start = self.memory.as_ptr().wrapping_add(self.settled);
        let to_next = (start.addr() + 1).next_multiple_of(HUGE_PAGE) - start.addr();
        let bytes = to_next.min(self.memory.len() - self.settled);
        collapse(start, bytes);
        self.settled += bytes;
        true
    }

    pub(super) fn flush<S: FnMut(&FlowRecord)>(
        &mut self,
        watermark: u64,
        scope: Scope,
        rules: &Rules,
        counters: &mut Counters,
        sink: &mut S,
    ) {
        let (mut table, _) = self.table(rules, counters, sink);
        for group in 0..table.directory.groups() {
            table.flush_group(group, watermark, |interfaces| scope.has(interfaces));
        }
    }

    pub(super) fn for_each(&self, mut visit: impl FnMut(&FlowRecord)) {
        let slots = <[K::Slot]>::ref_from_bytes(&self.memory).unwrap_or_default();
        for at in (0..self.directory.groups()).flat_map(|group| self.directory.taken(group)) {
            let flow = told(&self.starts, at, &slots[at].meters().flow());
            let extra = self.extra(slots, at);
            visit(&record::<K>(slots[at].key(), &flow, flow.forced_reason(), extra));
        }
    }

    #[inline(always)]
    fn table<'a, S: FnMut(&FlowRecord)>(
        &'a mut self,
        rules: &'a Rules,
        counters: &'a mut Counters,
        sink: &'a mut S,
    ) -> (Table<'a, K, S>, &'a mut Lanes<K>) {
        // The mapping is page-aligned and a whole number of slots long, so the view is all of it.
        let slots = <[K::Slot]>::mut_from_bytes(&mut self.memory).unwrap_or_default();
        let (directory, starts) = (&mut self.directory, &mut self.starts[..]);
        let (extras, order) = (&mut self.extras[..], &mut self.order);
        (Table { slots, directory, starts, extras, order, rules, counters, sink }, &mut self.lanes)
    }
}
