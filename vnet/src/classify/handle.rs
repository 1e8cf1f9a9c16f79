//! The classifier of an engine: what changes tables, and what reads them.

use super::{
    Action, Mask, MaskError, Pattern, Shard, Table, TableIndex, TableReader, TableSpec, Tables,
    filter::Filters,
    mask::Key,
    sessions::{NoMemory, SessionIndex},
    table::{NextSlot, ShardTable},
};
use crate::{
    action::ActionId,
    command::{ApiError, OperationError},
    runtime::{Dispatching, EngineId, EngineTime, Local, Main, Shared},
};

/// Why an operation on tables is refused; nothing of it is applied.
#[derive(Debug, thiserror::Error)]
pub enum ClassifyError {
    /// No table has this number.
    #[error("no classifier table {0}")]
    NoSuchTable(u32),
    /// Packets would be looked up for ever.
    #[error("next-table {next} leads back to table {table}")]
    Loop {
        /// The table.
        table: u32,
        /// What was to follow it.
        next: u32,
    },
    /// Somebody looks packets up there.
    #[error("classifier table {table} is in use: {by}")]
    InUse {
        /// The table.
        table: u32,
        /// By whom.
        by: String,
    },
    /// The table has room for so many sessions and has them.
    #[error("classifier table {table} is full: {limit} sessions, memory-size says how many")]
    Full {
        /// The table.
        table: u32,
        /// Sessions.
        limit: usize,
    },
    /// There is no such session.
    #[error("classifier table {0} has no such session")]
    NoSuchSession(u32),
    /// The bytes make no mask, or do not fit it.
    #[error(transparent)]
    Mask(#[from] MaskError),
    /// The system has no memory.
    #[error(transparent)]
    Memory(#[from] NoMemory),
}

impl OperationError for ClassifyError {
    fn api_error(&self) -> ApiError {
        match self {
            Self::NoSuchTable(_) => ApiError::NoSuchTable,
            Self::NoSuchSession(_) => ApiError::NoSuchEntry,
            Self::Loop { .. } | Self::Mask(_) => ApiError::InvalidValue,
            Self::InUse { .. } => ApiError::Unsupported,
            Self::Full { .. } | Self::Memory(_) => ApiError::Unspecified,
        }
    }
}

/// Tells an action of another plugin that a session with it has gone.
fn release(main: &mut Main, named: ActionId) {
    if named.is_some() {
        let actions = main.actions().clone();
        actions.release(main, named);
    }
}

/// A session with what all threads have counted for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionState {
    /// The masked bytes.
    pub key: Vec<u8>,
    /// What it asks for.
    pub action: Action,
    /// Whether packets made it, and no command.
    pub is_learned: bool,
    /// Packets.
    pub hits: u64,
    /// When the last one came.
    pub last_heard: EngineTime,
}

/// The tables of an engine. Clones are the same ones.
///
/// Tables and configured sessions are [`Shared`]: read without cost, changed under the barrier. What packets change
/// belongs to a thread, its [`Shard`]: the hits of every session, and the sessions that its packets made. Readers add the
/// shards up.
#[derive(Clone)]
pub struct Classifier {
    tables: Shared<Tables>,
    shards: Local<Shard>,
    pub(super) filters: Shared<Filters>,
}

impl Classifier {
    pub(crate) fn new(engine: EngineId, shards: Local<Shard>) -> Self {
        let tables = Shared::new(engine, Tables::default());
        Self { tables, shards, filters: Shared::new(engine, Filters::default()) }
    }

    /// The tables, for nodes.
    #[inline]
    #[must_use]
    pub fn read<'a>(&'a self, token: Dispatching<'a>) -> &'a Tables {
        self.tables.read(token)
    }

    /// The tables, for the main thread.
    #[must_use]
    pub fn tables<'a>(&'a self, main: &'a Main) -> &'a Tables {
        self.tables.view(main.held())
    }

    /// A thread's own part, to be taken out while a node looks packets up.
    #[must_use]
    pub fn shard(&self) -> Local<Shard> {
        self.shards
    }

    /// Makes a table.
    ///
    /// # Errors
    /// When the next table does not exist, or there is no memory.
    pub fn add_table(&self, main: &mut Main, spec: TableSpec) -> Result<TableIndex, ClassifyError> {
        if let Some(next) = spec.next_table {
            self.table(main, next)?;
        }
        let table = Table::new(spec)?;
        let known = &self.tables(main).0;
        let at = known.iter().position(Option::is_none).unwrap_or(known.len());
        let index = TableIndex(at as u32);
        self.make_shards(main, index, &table)?;
        let tables = &mut self.tables.write(main.held_mut()).0;
        match tables.get_mut(at) {
            Some(hole) => *hole = Some(table),
            None => tables.push(Some(table)),
        }
        Ok(index)
    }

    /// Changes where packets go that match nothing in a table; what is not given stays.
    ///
    /// # Errors
    /// When a table does not exist, or tables would follow each other in a circle.
    pub fn change_table(
        &self,
        main: &mut Main,
        index: TableIndex,
        next_table: Option<Option<TableIndex>>,
        miss_next: Option<NextSlot>,
    ) -> Result<(), ClassifyError> {
        self.table(main, index)?;
        if let Some(Some(next)) = next_table {
            self.table(main, next)?;
            if self.tables(main).chain(next).any(|(behind, _)| behind == index) {
                return Err(ClassifyError::Loop { table: index.0, next: next.0 });
            }
        }
        let Some(table) = self.tables.write(main.held_mut()).get_mut(index) else { return Ok(()) };
        table.spec.next_table = next_table.unwrap_or(table.spec.next_table);
        table.spec.miss_next = miss_next.unwrap_or(table.spec.miss_next);
        Ok(())
    }

    /// Takes a table away, and those behind it where `chain` says so.
    ///
    /// # Errors
    /// When there is no such table, or somebody looks packets up in one of those that would go.
    pub fn delete_table(
        &self,
        main: &mut Main,
        index: TableIndex,
        chain: bool,
    ) -> Result<(), ClassifyError> {
        self.table(main, index)?;
        let tables = self.tables(main);
        let going = tables.chain(index).map(|(at, _)| at).take(if chain { usize::MAX } else { 1 });
        let going: Vec<TableIndex> = going.collect();
        for &at in &going {
            let leads_here = |table: &Table| table.spec.next_table == Some(at);
            let before = tables.iter().find(|(i, t)| leads_here(t) && !going.contains(i));
            let by = match (tables.get(at).and_then(|table| table.users.first()), before) {
                (Some(user), _) => user.clone(),
                (None, Some((TableIndex(before), _))) => format!("table {before} leads to it"),
                (None, None) => continue,
            };
            return Err(ClassifyError::InUse { table: at.0, by });
        }
        for at in going {
            let named: Vec<_> = self.table(main, at)?.named_actions().collect();
            self.tables.write(main.held_mut()).0[at.0 as usize] = None;
            named.into_iter().for_each(|named| release(main, named));
            main.for_each_local(self.shards, |shard| shard.set(at, None));
        }
        Ok(())
    }

    /// Adds a session, or changes what one asks for. If packets had made it, their count goes on.
    ///
    /// # Errors
    /// When there is no such table, it is full, or the pattern has bits that the mask does not compare. A named action stays the
    /// caller's then.
    pub fn add_session(
        &self,
        main: &mut Main,
        index: TableIndex,
        pattern: &Pattern,
        action: Action,
    ) -> Result<(), ClassifyError> {
        let (key, hash) = self.key(main, index, pattern)?;
        let Some(table) = self.tables.write(main.held_mut()).get_mut(index) else { return Ok(()) };
        let limit = table.configured.limit();
        let session = match table.configured.find(&key, hash) {
            Some(session) => session,
            None => {
                let added = table.configured.insert(&key, hash, 1, EngineTime(0));
                added.map_err(|_| ClassifyError::Full { table: index.0, limit })?
            }
        };
        let SessionIndex(at) = session;
        let before = core::mem::replace(&mut table.actions[at as usize], action);
        main.for_each_local(self.shards, |shard| {
            let Some(own) = shard.get_mut(index) else { return };
            if let Some((_, (hits, heard))) = own.learned.remove(&key, hash) {
                own.set_tally(session, hits, heard);
            }
        });
        release(main, before.named);
        Ok(())
    }

    /// Takes a session away, whoever made it.
    ///
    /// # Errors
    /// When there is no such table or session, or the pattern has bits that the mask does not compare.
    pub fn delete_session(
        &self,
        main: &mut Main,
        index: TableIndex,
        pattern: &Pattern,
    ) -> Result<(), ClassifyError> {
        let (key, hash) = self.key(main, index, pattern)?;
        let Some(table) = self.tables.write(main.held_mut()).get_mut(index) else { return Ok(()) };
        let configured = table.configured.remove(&key, hash);
        let mut found = configured.is_some();
        let gone = configured.map_or(ActionId::NONE, |(session, _)| {
            let SessionIndex(at) = session;
            core::mem::replace(&mut table.actions[at as usize], Action::NONE).named
        });
        main.for_each_local(self.shards, |shard| {
            let Some(own) = shard.get_mut(index) else { return };
            match configured {
                Some((session, _)) => own.set_tally(session, 0, EngineTime(0)),
                None => found |= own.learned.remove(&key, hash).is_some(),
            }
        });
        release(main, gone);
        if found { Ok(()) } else { Err(ClassifyError::NoSuchSession(index.0)) }
    }

    /// Keeps a table from going as long as `user`, who looks packets up there, does.
    ///
    /// # Errors
    /// When there is no such table.
    pub fn hold(
        &self,
        main: &mut Main,
        index: TableIndex,
        user: String,
    ) -> Result<(), ClassifyError> {
        let table = self.tables.write(main.held_mut()).get_mut(index);
        table.ok_or(ClassifyError::NoSuchTable(index.0))?.users.push(user);
        Ok(())
    }

    /// Ends what [`Self::hold`] began.
    pub fn release(&self, main: &mut Main, index: TableIndex, user: &str) {
        if let Some(table) = self.tables.write(main.held_mut()).get_mut(index)
            && let Some(at) = table.users.iter().position(|known| known == user)
        {
            table.users.remove(at);
        }
    }

    /// What reads the sessions of a table, for as long as somebody [holds](Self::hold) it.
    ///
    /// # Errors
    /// When there is no such table.
    pub fn reader(&self, main: &mut Main, index: TableIndex) -> Result<TableReader, ClassifyError> {
        let mut reader = TableReader::new(self.table(main, index)?);
        main.for_each_local(self.shards, |shard| reader.add(shard.get(index)));
        Ok(reader)
    }

    /// All sessions of a table: those that were configured, then those that packets made.
    ///
    /// # Errors
    /// When there is no such table.
    pub fn sessions(
        &self,
        main: &mut Main,
        index: TableIndex,
    ) -> Result<Vec<SessionState>, ClassifyError> {
        let reader = self.reader(main, index)?;
        let table = self.table(main, index)?;
        let vectors = table.spec.mask.vectors();
        let all = reader.read().into_iter().map(|read| SessionState {
            key: read.key.bytes(vectors),
            action: read.configured.map_or(Action::NONE, |session| table.action(session)),
            is_learned: read.configured.is_none(),
            hits: read.hits,
            last_heard: read.last_heard,
        });
        Ok(all.collect())
    }

    fn table<'a>(&'a self, main: &'a Main, index: TableIndex) -> Result<&'a Table, ClassifyError> {
        self.tables(main).get(index).ok_or(ClassifyError::NoSuchTable(index.0))
    }

    fn key(
        &self,
        main: &Main,
        index: TableIndex,
        pattern: &Pattern,
    ) -> Result<(Key, u32), ClassifyError> {
        let table = self.table(main, index)?;
        let mask: &Mask = &table.spec.mask;
        let key = match pattern.is_words {
            true => mask.exact_key_of(&pattern.bytes)?,
            false => mask.key_of(&pattern.bytes),
        };
        Ok((key, table.hash(&key)))
    }

    fn make_shards(
        &self,
        main: &mut Main,
        index: TableIndex,
        table: &Table,
    ) -> Result<(), ClassifyError> {
        let mut made = Ok(());
        main.for_each_local(self.shards, |shard| match ShardTable::new(table) {
            Ok(own) => shard.set(index, Some(own)),
            Err(error) => made = Err(error),
        });
        if made.is_err() {
            main.for_each_local(self.shards, |shard| shard.set(index, None));
        }
        Ok(made?)
    }
}
