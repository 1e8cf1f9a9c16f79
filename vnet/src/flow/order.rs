//! Flows of a table in the order in which they began, where that is kept: the oldest leaves first.
//!
//! A list through what is kept beside slots: taking a flow up or out touches its neighbours and nothing else. Packets are numbered
//! through all tables of a meter, so that the heads of their lists tell which flow is the oldest of all.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{
    EndReason, FlowRecord,
    cache::Cache,
    details::Extra,
    directory::GROUP,
    key::{Kind, SampleOf, Slot},
    rules::Rules,
    table::Table,
    tables::Tables,
};

/// No slot.
const NOWHERE: u32 = u32::MAX;

/// Both ends of the list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Order {
    first: u32,
    last: u32,
}

impl Order {
    pub(super) const EMPTY: Self = Self { first: NOWHERE, last: NOWHERE };

    /// The slot of the oldest flow.
    pub(super) fn first(&self) -> Option<usize> {
        (self.first != NOWHERE).then_some(self.first as usize)
    }
}

/// The place of a flow in it.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub(super) struct Links {
    /// Which packet of the meter it began with.
    number: u64,
    before: u32,
    behind: u32,
}

impl Links {
    pub(super) const fn number(&self) -> u64 {
        self.number
    }
}

impl<K: Kind, S: FnMut(&FlowRecord)> Table<'_, K, S> {
    /// Puts a new flow behind all others.
    #[inline]
    pub(super) fn enlist(&mut self, at: usize, first: &SampleOf<K>) {
        let last = self.order.last;
        let number = K::Extra::number_of(first);
        let Some(links) = self.extra_mut(at).links() else { return };
        *links = Links { number, before: last, behind: NOWHERE };
        self.join(last, at as u32);
        self.join(at as u32, NOWHERE);
    }

    /// Takes a flow out.
    #[inline]
    pub(super) fn delist(&mut self, at: usize) {
        let Some(&mut Links { before, behind, .. }) = self.extra_mut(at).links() else { return };
        self.join(before, behind);
    }

    /// A flow has moved, with what is kept of it.
    #[inline]
    pub(super) fn relink(&mut self, to: usize) {
        let Some(&mut Links { before, behind, .. }) = self.extra_mut(to).links() else { return };
        self.join(before, to as u32);
        self.join(to as u32, behind);
    }

    /// Ends the oldest flow, which makes room for others; one that was due has its own reason.
    pub(super) fn evict_first(&mut self, watermark: u64) {
        let Some(at) = self.order.first() else { return };
        if self.settle(at, |flow| flow.clock(watermark)) {
            let flow = self.slots[at].meters().flow();
            self.counters.evictions += 1;
            self.end(at, &flow, EndReason::LackOfResources);
        }
    }

    /// Ends the oldest flow if it is due, and says whether it was.
    pub(super) fn end_first_if_due(&mut self, watermark: u64) -> bool {
        self.order.first().is_some_and(|at| !self.settle(at, |flow| flow.clock(watermark)))
    }

    /// Ends the oldest flow, since all end.
    pub(super) fn end_first(&mut self, watermark: u64) {
        let Some(at) = self.order.first() else { return };
        if self.settle(at, |flow| flow.clock(watermark)) {
            let flow = self.slots[at].meters().flow();
            self.end(at, &flow, flow.forced_reason());
        }
    }

    /// Has `behind` follow `before`; either may be an end of the list.
    fn join(&mut self, before: u32, behind: u32) {
        match self.links_at(before) {
            Some(links) => links.behind = behind,
            None => self.order.first = behind,
        }
        match self.links_at(behind) {
            Some(links) => links.before = before,
            None => self.order.last = before,
        }
    }

    fn links_at(&mut self, at: u32) -> Option<&mut Links> {
        if at == NOWHERE { None } else { self.extra_mut(at as usize).links() }
    }
}

/// The table with the oldest flow of all.
#[derive(Clone, Copy)]
enum Oldest {
    V4,
    V6,
    Other,
}

impl<F: Kind, G: Kind, O: Kind> Tables<F, G, O> {
    /// Ends the oldest flows until no more are held than may be.
    pub(super) fn make_room<S: FnMut(&FlowRecord)>(&mut self, sink: &mut S) {
        while self.flows() > self.rules.most_flows
            && let Some(oldest) = self.oldest()
        {
            let watermark = self.watermark;
            self.with_oldest(oldest, sink, Act::Evict(watermark));
        }
    }

    /// Makes room, and ends flows that are due, of at most `limit` times 64; whether there may be more to do now.
    pub(super) fn sweep_in_order<S: FnMut(&FlowRecord)>(
        &mut self,
        limit: usize,
        sink: &mut S,
    ) -> bool {
        self.make_room(sink);
        let watermark = self.watermark;
        for _ in 0..limit * GROUP {
            let Some(oldest) = self.oldest() else { return false };
            if !self.with_oldest(oldest, sink, Act::EndIfDue(watermark)) {
                return false;
            }
        }
        true
    }

    /// Ends all flows, the oldest first.
    pub(super) fn flush_in_order<S: FnMut(&FlowRecord)>(&mut self, sink: &mut S) {
        let watermark = self.watermark;
        while let Some(oldest) = self.oldest() {
            self.with_oldest(oldest, sink, Act::End(watermark));
        }
    }

    fn flows(&self) -> usize {
        self.v4.as_ref().map_or(0, Cache::flows)
            + self.v6.as_ref().map_or(0, Cache::flows)
            + self.other.as_ref().map_or(0, Cache::flows)
    }

    fn oldest(&self) -> Option<Oldest> {
        let numbers = [
            (self.v4.as_ref().and_then(Cache::oldest), Oldest::V4),
            (self.v6.as_ref().and_then(Cache::oldest), Oldest::V6),
            (self.other.as_ref().and_then(Cache::oldest), Oldest::Other),
        ];
        let held = numbers.into_iter().filter_map(|(number, of)| Some((number?, of)));
        held.min_by_key(|(number, _)| *number).map(|(_, of)| of)
    }

    fn with_oldest<S: FnMut(&FlowRecord)>(
        &mut self,
        oldest: Oldest,
        sink: &mut S,
        act: Act,
    ) -> bool {
        let Self { v4, v6, other, rules, counters, .. } = self;
        let done = match oldest {
            Oldest::V4 => {
                v4.as_mut().map(|c| c.with(rules, counters, sink, |mut t| act.on(&mut t)))
            }
            Oldest::V6 => {
                v6.as_mut().map(|c| c.with(rules, counters, sink, |mut t| act.on(&mut t)))
            }
            Oldest::Other => {
                other.as_mut().map(|c| c.with(rules, counters, sink, |mut t| act.on(&mut t)))
            }
        };
        done.unwrap_or(false)
    }
}

/// What is done to the oldest flow, at a watermark.
#[derive(Clone, Copy)]
enum Act {
    Evict(u64),
    EndIfDue(u64),
    End(u64),
}

impl Act {
    /// Does it, and says whether the flow has ended.
    fn on<K: Kind, S: FnMut(&FlowRecord)>(self, table: &mut Table<'_, K, S>) -> bool {
        match self {
            Self::Evict(watermark) => table.evict_first(watermark),
            Self::EndIfDue(watermark) => return table.end_first_if_due(watermark),
            Self::End(watermark) => table.end_first(watermark),
        }
        true
    }
}

/// Whether flows of a table can be due before older ones.
pub(super) fn has_shortcuts(rules: &Rules) -> bool {
    rules.passive != u64::MAX || rules.ending_flags != 0
}
