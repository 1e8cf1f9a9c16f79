//! Tables: a mask, the sessions that were configured, and what each thread has for them.

use std::sync::Arc;

use super::{
    Mask,
    mask::Key,
    sessions::{NoMemory, SessionIndex, Sessions, Tallies, Tally},
};
use crate::{action::ActionId, fib::FibIndex, runtime::EngineTime};

/// Names a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableIndex(pub u32);

/// A next slot of the node that looks packets up, or [`NextSlot::NONE`] for "as if nobody had looked".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextSlot(pub u32);

impl NextSlot {
    /// None: an access list calls it `permit`.
    pub const NONE: Self = Self(u32::MAX);
    /// The first slot of every node that looks packets up: an access list calls it `deny`.
    pub const DENY: Self = Self(0);
}

/// What a session asks of the node that hits it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Action {
    /// Where the packet goes.
    pub next: NextSlot,
    /// A number for the node.
    pub opaque: u32,
    /// Bytes by which the current position moves.
    pub advance: i16,
    /// What else is done.
    pub effect: Effect,
    /// What another plugin does, if anything.
    pub named: ActionId,
}

impl Action {
    /// Nothing; so with sessions that packets made.
    pub const NONE: Self = Self {
        next: NextSlot::NONE,
        opaque: u32::MAX,
        advance: 0,
        effect: Effect::None,
        named: ActionId::NONE,
    };
}

/// What a session does to a packet beside choosing its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    None,
    /// It is looked up in this IPv4 table.
    SetIp4Fib(FibIndex),
    /// It is looked up in this IPv6 table.
    SetIp6Fib(FibIndex),
}

impl Effect {
    /// VPP's number of it.
    #[must_use]
    pub const fn number(self) -> u32 {
        match self {
            Self::None => 0,
            Self::SetIp4Fib(_) => 1,
            Self::SetIp6Fib(_) => 2,
        }
    }

    /// VPP's second number.
    #[must_use]
    pub const fn metadata(self) -> u32 {
        match self {
            Self::None => 0,
            Self::SetIp4Fib(fib) | Self::SetIp6Fib(fib) => fib.0,
        }
    }
}

/// What a table is made of. The sizes cannot change.
#[derive(Clone, Copy, Debug)]
pub struct TableSpec {
    /// What is compared.
    pub mask: Mask,
    /// As VPP's commands have it, a power of two; the size of the index follows from `memory` alone.
    pub buckets: u32,
    /// Bytes for configured sessions, and for those of each thread.
    pub memory: usize,
    /// Where masks begin, counted from the packet's current position; `None`: where the packet begins.
    pub current_data: Option<i16>,
    /// Where packets that match nothing are looked up next.
    pub next_table: Option<TableIndex>,
    /// Where packets go that match nothing anywhere.
    pub miss_next: NextSlot,
}

/// A table, as all threads read it. It changes under the barrier.
pub struct Table {
    pub(super) spec: TableSpec,
    /// The hits in this pool are 1: they are counted by each thread for itself.
    pub(super) configured: Sessions,
    pub(super) actions: Box<[Action]>,
    /// Who looks packets up here, and would be surprised if it went.
    pub(super) users: Vec<String>,
}

impl Table {
    pub(super) fn new(spec: TableSpec) -> Result<Self, NoMemory> {
        let configured = Sessions::new(spec.mask.vectors(), spec.memory)?;
        let mut actions = Vec::new();
        actions.try_reserve_exact(configured.limit()).map_err(|_| NoMemory)?;
        actions.resize(configured.limit(), Action::NONE);
        Ok(Self { spec, configured, actions: actions.into(), users: Vec::new() })
    }

    /// What it is made of.
    #[must_use]
    pub fn spec(&self) -> &TableSpec {
        &self.spec
    }

    #[inline(always)]
    pub(super) fn action(&self, SessionIndex(at): SessionIndex) -> Action {
        self.actions.get(at as usize).copied().unwrap_or(Action::NONE)
    }

    /// The actions of other plugins that its sessions have.
    pub(super) fn named_actions(&self) -> impl Iterator<Item = ActionId> {
        let all = self.configured.pool().iter().map(|(session, ..)| self.action(session).named);
        all.filter(|named| named.is_some())
    }

    #[inline(always)]
    pub(super) fn hash(&self, key: &Key) -> u32 {
        key.hash(self.spec.mask.vectors())
    }
}

/// All tables, as nodes read them.
#[derive(Default)]
pub struct Tables(pub(super) Vec<Option<Table>>);

impl Tables {
    /// The table of this number.
    #[must_use]
    #[inline]
    pub fn get(&self, TableIndex(at): TableIndex) -> Option<&Table> {
        self.0.get(at as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, TableIndex(at): TableIndex) -> Option<&mut Table> {
        self.0.get_mut(at as usize)?.as_mut()
    }

    /// All tables with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (TableIndex, &Table)> {
        let all = (0..).map(TableIndex).zip(&self.0);
        all.filter_map(|(index, table)| Some((index, table.as_ref()?)))
    }

    /// A table and those behind it, in the order in which packets are looked up.
    pub fn chain(&self, first: TableIndex) -> impl Iterator<Item = (TableIndex, &Table)> {
        // As long as nothing leads in a circle, which no edit allows.
        core::iter::successors(Some(first), |&at| self.get(at)?.spec.next_table)
            .map_while(|index| Some((index, self.get(index)?)))
    }
}

/// What one thread has for all tables; no other thread writes to it.
#[derive(Default)]
pub struct Shard(pub(super) Vec<Option<ShardTable>>);

/// What one thread has for a table.
pub(super) struct ShardTable {
    /// For the configured sessions.
    pub(super) tallies: Arc<Tallies>,
    /// Sessions that packets of this thread made.
    pub(super) learned: Sessions,
}

impl ShardTable {
    pub(super) fn new(table: &Table) -> Result<Self, NoMemory> {
        let TableSpec { mask, memory, .. } = table.spec;
        let tallies = Tallies::new(table.configured.limit())?;
        Ok(Self { tallies: tallies.into(), learned: Sessions::new(mask.vectors(), memory)? })
    }

    /// Begins to count anew for a configured session.
    pub(super) fn set_tally(&self, session: SessionIndex, hits: u64, heard: EngineTime) {
        if let Some(tally) = self.tally(session) {
            tally.set(hits, heard);
        }
    }

    /// What was counted for a configured session.
    #[inline(always)]
    pub(super) fn tally(&self, session: SessionIndex) -> Option<Tally<'_>> {
        self.tallies.tally(session)
    }
}

impl Shard {
    #[inline(always)]
    pub(super) fn get(&self, TableIndex(at): TableIndex) -> Option<&ShardTable> {
        self.0.get(at as usize)?.as_ref()
    }

    #[inline(always)]
    pub(super) fn get_mut(&mut self, TableIndex(at): TableIndex) -> Option<&mut ShardTable> {
        self.0.get_mut(at as usize)?.as_mut()
    }

    pub(super) fn set(&mut self, TableIndex(at): TableIndex, table: Option<ShardTable>) {
        let at = at as usize;
        if self.0.len() <= at {
            self.0.resize_with(at + 1, || None);
        }
        self.0[at] = table;
    }
}
