//! Reading sessions while packets flow.

use std::sync::Arc;

use super::{
    Table,
    mask::Key,
    sessions::{Pool, SessionIndex, Tallies, Tally},
    table::ShardTable,
};
use crate::runtime::EngineTime;

/// Reads the sessions of a table at any time, without the barrier. It keeps the table's memory; who has one
/// [holds](super::Classifier::hold) the table, so that what it reads is still what packets change.
pub struct TableReader {
    configured: Arc<Pool>,
    threads: Vec<Thread>,
}

struct Thread {
    tallies: Arc<Tallies>,
    learned: Arc<Pool>,
}

/// A session as it was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Read {
    pub(super) key: Key,
    /// Its number, if it was configured.
    pub(super) configured: Option<SessionIndex>,
    pub(super) hits: u64,
    pub(super) last_heard: EngineTime,
}

impl TableReader {
    pub(super) fn new(table: &Table) -> Self {
        Self { configured: table.configured.pool().clone(), threads: Vec::new() }
    }

    /// Adds what a thread has.
    pub(super) fn add(&mut self, own: Option<&ShardTable>) {
        self.threads.extend(own.map(|own| Thread {
            tallies: own.tallies.clone(),
            learned: own.learned.pool().clone(),
        }));
    }

    /// All sessions, the configured ones first, with the sums of all threads.
    pub(super) fn read(&self) -> Vec<Read> {
        let configured = self.configured.iter().map(|(session, key, _)| {
            let own = self.threads.iter().filter_map(|t| t.tallies.tally(session));
            let none = (0, EngineTime(0));
            let (hits, last_heard) =
                own.map(Tally::get).fold(none, |(hits, heard), (n, at)| (hits + n, heard.max(at)));
            Read { key, configured: Some(session), hits, last_heard }
        });
        let mut all: Vec<Read> = configured.collect();
        let own = all.len();
        for thread in &self.threads {
            all.extend(thread.learned.iter().map(|(_, key, (hits, last_heard))| Read {
                key,
                configured: None,
                hits,
                last_heard,
            }));
        }
        if self.threads.len() > 1 {
            let learned = all.split_off(own);
            all.extend(added_up(learned));
        }
        all
    }
}

/// Packets of one session may have come by several threads.
fn added_up(mut learned: Vec<Read>) -> Vec<Read> {
    learned.sort_unstable_by_key(|read| read.key);
    learned.dedup_by(|next, sum| {
        let is_same = next.key == sum.key;
        if is_same {
            sum.hits += next.hits;
            sum.last_heard = sum.last_heard.max(next.last_heard);
        }
        is_same
    });
    learned
}
