//! Looking packets up, in batches.
//!
//! A batch of packets takes three steps: keys and hashes, which ask for the slots of the index; slots, which ask for the
//! sessions; sessions. So the waits for memory of a batch overlap, and what is on its way fits into the first cache.

use arrayvec::ArrayVec;

use super::{
    Action, NextSlot, Shard, Table, TableIndex, Tables, Window, mask::Key, sessions::Sessions,
    table::ShardTable,
};
use crate::runtime::EngineTime;

/// Packets that take a step together.
const BATCH: usize = 32;

/// What became of a packet in a table and those behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It belongs to a session of the table.
    Hit(Action),
    /// It belongs to a session of a table behind it.
    ChainHit(Action),
    /// It belonged to none, and there is one for it now.
    Created,
    /// It belongs to none, and there was no room for another one.
    TableFull(NextSlot),
    /// It belongs to none.
    Miss(NextSlot),
}

/// Whether a packet that belongs to no session makes one, in the first table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnMiss {
    /// It does not.
    Pass,
    /// It does, for as long as there is room.
    Create,
}

/// Packets on their way through tables; `then` gets what became of each, in order.
pub struct Lookup<'a, 'b, F> {
    tables: &'a Tables,
    shard: &'a mut Shard,
    now: EngineTime,
    on_miss: OnMiss,
    then: F,
    index: TableIndex,
    table: Option<&'a Table>,
    packets: ArrayVec<Staged<'b>, BATCH>,
    /// Of the packets, in their order. Only the vectors that the table compares mean anything.
    keys: [Key; BATCH],
}

#[derive(Clone, Copy)]
struct Staged<'b> {
    window: Window<'b>,
    hash: u32,
}

impl<'a, 'b, F: FnMut(Outcome)> Lookup<'a, 'b, F> {
    /// For the packets of a frame.
    #[inline(always)]
    pub fn new(
        tables: &'a Tables,
        shard: &'a mut Shard,
        now: EngineTime,
        on_miss: OnMiss,
        then: F,
    ) -> Self {
        Self {
            tables,
            shard,
            now,
            on_miss,
            then,
            index: TableIndex(u32::MAX),
            table: None,
            packets: ArrayVec::new(),
            keys: [Key::ZERO; BATCH],
        }
    }

    /// Looks up all of `packets`, each in the table beside it.
    #[inline(always)]
    pub fn run(mut self, packets: impl Iterator<Item = (TableIndex, Window<'b>)>) {
        for (index, window) in packets {
            if index != self.index {
                self.look_up();
                self.index = index;
                self.table = self.tables.get(index);
            }
            let mut hash = 0;
            if let Some(Table { spec, .. }) = self.table {
                let key = &mut self.keys[self.packets.len() % BATCH];
                window.key(&spec.mask, spec.current_data, key);
                hash = key.hash(spec.mask.vectors());
            }
            self.packets.push(Staged { window, hash });
            if self.packets.is_full() {
                self.look_up();
            }
        }
        self.look_up();
    }

    fn look_up(&mut self) {
        let packets = core::mem::take(&mut self.packets);
        if let Some((table, own)) = self.table.zip(self.shard.get(self.index)) {
            let both = [&table.configured, &own.learned];
            let in_use = both.into_iter().filter(|sessions| !sessions.is_empty());
            in_use.clone().for_each(|sessions| ask_for_slots(sessions, &packets));
            in_use.for_each(|sessions| ask_for_sessions(sessions, &packets));
        }
        let mut at = 0;
        while at < packets.len() {
            at = self.count_hits(&packets, at);
            if let Some(packet) = packets.get(at) {
                let outcome = {
                    let key = self.keys[at];
                    self.missed(packet, &key)
                };
                (self.then)(outcome);
                at += 1;
            }
        }
    }

    /// Counts packets from `at` on for their sessions, up to the first that belongs to none.
    #[inline(always)]
    fn count_hits(&mut self, packets: &[Staged<'b>], at: usize) -> usize {
        let Some((table, own)) = self.table.zip(self.shard.get(self.index)) else { return at };
        for (n, (packet, key)) in packets.iter().zip(&self.keys).enumerate().skip(at) {
            match hit(table, own, key, packet.hash, self.now) {
                Some(action) => (self.then)(Outcome::Hit(action)),
                None => return n,
            }
        }
        packets.len()
    }

    /// Looks in the tables behind the first, and makes a session in that if there is none anywhere.
    #[inline(never)]
    fn missed(&mut self, packet: &Staged<'b>, key: &Key) -> Outcome {
        let mut miss_next = NextSlot::NONE;
        for (at, table) in self.tables.chain(self.index) {
            miss_next = table.spec.miss_next;
            let Some(own) = self.shard.get(at).filter(|_| at != self.index) else { continue };
            let mut key = Key::ZERO;
            packet.window.key(&table.spec.mask, table.spec.current_data, &mut key);
            if let Some(action) = hit(table, own, &key, table.hash(&key), self.now) {
                return Outcome::ChainHit(action);
            }
        }
        match self.shard.get_mut(self.index) {
            Some(own) if self.on_miss == OnMiss::Create => {
                match own.learned.insert(key, packet.hash, 1, self.now) {
                    Ok(_) => Outcome::Created,
                    Err(_) => Outcome::TableFull(miss_next),
                }
            }
            _ => Outcome::Miss(miss_next),
        }
    }
}

/// Whether a packet belongs to a session of a table, and is counted for that.
pub(super) fn belongs(
    table: &Table,
    shard: &Shard,
    index: TableIndex,
    key: &Key,
    now: EngineTime,
) -> bool {
    let own = shard.get(index);
    own.is_some_and(|own| hit(table, own, key, table.hash(key), now).is_some())
}

#[inline(always)]
fn ask_for_slots(sessions: &Sessions, packets: &[Staged<'_>]) {
    packets.iter().for_each(|packet| sessions.prefetch_slot(packet.hash));
}

#[inline(always)]
fn ask_for_sessions(sessions: &Sessions, packets: &[Staged<'_>]) {
    packets.iter().for_each(|packet| sessions.prefetch_session(packet.hash));
}

/// Counts a packet for its session, if it has one, and says what that asks for.
#[inline(always)]
fn hit(table: &Table, own: &ShardTable, key: &Key, hash: u32, now: EngineTime) -> Option<Action> {
    if !own.learned.is_empty()
        && let Some(session) = own.learned.find(key, hash)
    {
        own.learned.pool().tally(session)?.hit(now);
        return Some(Action::NONE);
    }
    if table.configured.is_empty() {
        return None;
    }
    let session = table.configured.find(key, hash)?;
    own.tally(session)?.hit(now);
    Some(table.action(session))
}
