//! Looking packets up, in batches.
//!
//! A batch of packets takes three steps: keys and hashes, which ask for the slots of the index; slots, which ask for the
//! sessions; sessions. So the waits for memory of a batch overlap, and what is on its way fits into the first cache.

use arrayvec::ArrayVec;

use super::{
    Action, NextSlot, Shard, Table, TableIndex, Tables, Window, mask::Key, table::ShardTable,
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
    staged: ArrayVec<Staged<'b>, BATCH>,
}

struct Staged<'b> {
    key: Key,
    hash: u32,
    window: Window<'b>,
}

impl<'a, 'b, F: FnMut(Outcome)> Lookup<'a, 'b, F> {
    /// For the packets of a frame.
    #[inline]
    pub fn new(
        tables: &'a Tables,
        shard: &'a mut Shard,
        now: EngineTime,
        on_miss: OnMiss,
        then: F,
    ) -> Self {
        let (index, staged) = (TableIndex(u32::MAX), ArrayVec::new());
        Self { tables, shard, now, on_miss, then, index, staged }
    }

    /// Looks up all of `packets`, each in the table beside it.
    #[inline(always)]
    pub fn run(mut self, packets: impl Iterator<Item = (TableIndex, Window<'b>)>) {
        let mut table = None;
        for (index, window) in packets {
            if index != self.index || table.is_none() {
                self.look_up();
                self.index = index;
                table = self.tables.get(index);
            }
            self.stage(table, window);
            if self.staged.is_full() {
                self.look_up();
            }
        }
        self.look_up();
    }

    #[inline(always)]
    fn stage(&mut self, table: Option<&Table>, window: Window<'b>) {
        let staged = match table {
            Some(table) => {
                let key = window.key(&table.spec.mask, table.spec.current_data);
                let hash = table.hash(&key);
                if !table.configured.is_empty() {
                    table.configured.prefetch_slot(hash);
                }
                if let Some(own) = self.shard.get(self.index).filter(|own| !own.learned.is_empty())
                {
                    own.learned.prefetch_slot(hash);
                }
                Staged { key, hash, window }
            }
            None => Staged { key: Key::ZERO, hash: 0, window },
        };
        self.staged.push(staged);
    }

    fn look_up(&mut self) {
        let Self { tables, shard, now, on_miss, then, index, staged } = self;
        let known = tables.get(*index).zip(shard.get(*index));
        if let Some((table, own)) = known {
            for sessions in [&table.configured, &own.learned] {
                if !sessions.is_empty() {
                    staged.iter().for_each(|packet| sessions.prefetch_session(packet.hash));
                }
            }
        }
        for packet in staged.drain(..) {
            let found = match (tables.get(*index), shard.get(*index)) {
                (Some(table), Some(own)) => hit(table, own, &packet.key, packet.hash, *now),
                _ => None,
            };
            then(match found {
                Some(action) => Outcome::Hit(action),
                None => missed(tables, shard, *index, &packet, *now, *on_miss),
            });
        }
    }
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
    own.tallies.get(session.0 as usize)?.hit(now);
    Some(table.action(session))
}

/// Looks in the tables behind the first, and makes a session in that if there is none anywhere.
#[inline(never)]
fn missed(
    tables: &Tables,
    shard: &mut Shard,
    index: TableIndex,
    packet: &Staged<'_>,
    now: EngineTime,
    on_miss: OnMiss,
) -> Outcome {
    let mut miss_next = NextSlot::NONE;
    for (at, table) in tables.chain(index) {
        miss_next = table.spec.miss_next;
        let Some(own) = shard.get(at).filter(|_| at != index) else { continue };
        let key = packet.window.key(&table.spec.mask, table.spec.current_data);
        if let Some(action) = hit(table, own, &key, table.hash(&key), now) {
            return Outcome::ChainHit(action);
        }
    }
    match shard.get_mut(index) {
        Some(own) if on_miss == OnMiss::Create => {
            match own.learned.insert(&packet.key, packet.hash, 1, now) {
                Ok(_) => Outcome::Created,
                Err(_) => Outcome::TableFull(miss_next),
            }
        }
        _ => Outcome::Miss(miss_next),
    }
}
