//! Items that wait for their collector: in memory up to a bound, and beyond that in a spool file.

use std::{collections::VecDeque, io};

use super::{Item, Spool};

/// How much may wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Octets of messages in memory.
    pub memory: usize,
    /// The spool: its file, and how large that may be.
    pub spool: Option<(std::path::PathBuf, u64)>,
}

impl Limits {
    /// 16 MiB in memory, some hundred thousand flow records, and no spool.
    pub const DEFAULT: Self = Self { memory: 16 << 20, spool: None };
}

/// A queue. Order is kept: what waits in the spool is behind what waits in memory.
#[derive(Debug)]
pub struct Queue {
    memory: VecDeque<Item>,
    octets: usize,
    limit: usize,
    spool: Option<Spool>,
    /// Templates and withdrawals that came while messages waited in the spool, each with the number of messages spooled
    /// before it: they never fail for want of room.
    between: VecDeque<(u64, Item)>,
    messages: u64,
    records: u64,
}

/// What was in a queue and is lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    /// Messages.
    pub messages: u64,
    /// Data records in them.
    pub records: u64,
}

impl Queue {
    /// An empty one; and what an engine that was killed has left in the spool file.
    ///
    /// # Errors
    /// When the spool file cannot be made.
    pub fn new(limits: &Limits) -> io::Result<(Self, Loss)> {
        let (spool, left) = match &limits.spool {
            Some((path, size)) => {
                let (spool, left) = Spool::create(path, *size)?;
                (Some(spool), left)
            }
            None => (None, Loss::default()),
        };
        let queue = Self {
            memory: VecDeque::new(),
            octets: 0,
            limit: limits.memory,
            spool,
            between: VecDeque::new(),
            messages: 0,
            records: 0,
        };
        Ok((queue, left))
    }

    /// Adds an item, or gives it back where there is no room. Only messages can find none.
    ///
    /// # Errors
    /// The item; and why the spool did not take it, if it failed.
    pub fn push(&mut self, item: Item) -> Result<(), (Item, Option<io::Error>)> {
        let (messages, records) = (item.messages(), item.records());
        let spooled = self.spool.as_ref().map_or(0, Spool::len);
        if spooled == 0 && self.between.is_empty() && self.octets + item.len() <= self.limit {
            self.octets += item.len();
            self.memory.push_back(item);
        } else if let Some(spool) = &mut self.spool {
            if item.messages() == 0 {
                self.between.push_back((spool.pushed(), item));
            } else {
                match spool.push(&item) {
                    Ok(true) => (),
                    Ok(false) => return Err((item, None)),
                    Err(error) => return Err((item, Some(error))),
                }
            }
        } else if item.messages() == 0 {
            self.memory.push_back(item);
        } else {
            return Err((item, None));
        }
        self.messages += messages;
        self.records += records;
        Ok(())
    }

    /// The oldest item.
    ///
    /// # Errors
    /// When the spool cannot be read: then all in it is lost, and the queue goes on without.
    pub fn pop(&mut self) -> Result<Option<Item>, (Loss, io::Error)> {
        let item = match self.memory.pop_front() {
            Some(item) => {
                self.octets -= item.len();
                Some(item)
            }
            None => self.pop_spooled()?,
        };
        if let Some(item) = &item {
            self.messages -= item.messages();
            self.records -= item.records();
        }
        Ok(item)
    }

    /// Puts items back that were taken and not delivered, in the order in which they were.
    pub fn put_back(&mut self, items: impl DoubleEndedIterator<Item = Item>) {
        for item in items.rev() {
            self.octets += item.len();
            self.messages += item.messages();
            self.records += item.records();
            self.memory.push_front(item);
        }
    }

    /// Forgets everything, and removes the spool's file.
    pub fn give_up(&mut self) -> Loss {
        let loss = Loss { messages: self.messages, records: self.records };
        self.memory.clear();
        self.between.clear();
        self.spool = None;
        (self.octets, self.messages, self.records) = (0, 0, 0);
        loss
    }

    /// Messages that wait.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// Data records in them.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.messages == 0 && self.memory.is_empty() && self.between.is_empty()
    }

    /// Octets of messages that wait in memory.
    #[must_use]
    pub fn octets(&self) -> usize {
        self.octets
    }

    /// Octets that wait in the spool.
    #[must_use]
    pub fn spooled_octets(&self) -> u64 {
        self.spool.as_ref().map_or(0, Spool::octets)
    }

    fn pop_spooled(&mut self) -> Result<Option<Item>, (Loss, io::Error)> {
        let Some(spool) = &mut self.spool else { return Ok(None) };
        if self.between.front().is_some_and(|(before, _)| *before <= spool.popped()) {
            return Ok(self.between.pop_front().map(|(_, item)| item));
        }
        spool.pop().map_err(|error| {
            let loss = Loss { messages: self.messages, records: self.records };
            spool.clear();
            (self.messages, self.records) = (0, 0);
            (loss, error)
        })
    }
}
