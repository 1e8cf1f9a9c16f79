//! A table takes more of its slots into use.
//!
//! That follows from where flows find room, so from the packets alone: a flow that lies far from its home has one group of homes
//! split, with up to two groups of flows to look at and to move. No packet waits for more, but for one that finds no room at all:
//! then groups are split until there is some, since nothing is evicted while there are slots that were never used.

use super::{
    FlowRecord,
    directory::{Place, Split},
    key::{Key, Kind, Slot},
    table::Table,
};

/// How far from its home a flow lies where a table is crowded. So one that grows is a third full.
pub(super) const CROWDED: usize = 4;

impl<K: Kind, S: FnMut(&FlowRecord)> Table<'_, K, S> {
    /// Splits the next group of homes; `false` where all slots are in use already.
    pub(super) fn grow(&mut self, watermark: u64) -> bool {
        let Some(Split { from, first_home }) = self.directory.raise_limit() else { return false };
        for group in [from, from + 1] {
            for at in self.directory.taken(group) {
                let place = self.directory.place(K::hash(self.slots[at].key()));
                if self.directory.home(place) >= first_home {
                    self.relocate(at, place, watermark);
                }
            }
        }
        true
    }

    /// Moves a flow into the window of another home. One that has ended lies there as it did before: no other flow lies
    /// elsewhere for it.
    fn relocate(&mut self, at: usize, place: Place, watermark: u64) {
        let home = self.directory.home(place);
        let vacancy = self.vacancy(home, watermark);
        if vacancy.is_none() && !self.settle(at, |flow| flow.clock(watermark)) {
            return;
        }
        let to = vacancy.unwrap_or_else(|| self.evict(home));
        self.slots[to] = self.slots[at];
        if !K::IN_SLOT {
            self.extras[to] = self.extras[at];
        }
        self.relink(to);
        if let Some(start) = self.starts.get(at).copied() {
            self.starts[to] = start;
        }
        self.directory.release(at);
        self.directory.take(to, place);
        self.directory.lower(to, self.slots[to].meters().flow().deadline(self.rules));
        *self.slots[at].key_mut() = K::Key::FREE;
    }
}
