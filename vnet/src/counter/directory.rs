//! The directory: what other processes find by name, and the protocol by which they know that it stood still.

use super::{
    CounterError,
    mapping::{Mapping, WORD},
};
use core::sync::atomic::{
    Ordering::{Relaxed, Release},
    fence,
};
use std::{collections::HashMap, sync::Arc};

/// Version of the layout.
const VERSION: u64 = 2;
/// What the header says the first byte's address is. Pointers in the segment are this plus an offset: readers subtract
/// it, and learn nothing about where the engine has its memory.
const BASE: u64 = 1 << 32;

/// Words of the header: version, base, epoch, in-progress, directory.
const HEADER: usize = 8;
const HEADER_VERSION: usize = 0;
const HEADER_BASE: usize = 1;
const HEADER_EPOCH: usize = 2;
const HEADER_IN_PROGRESS: usize = 3;
const HEADER_DIRECTORY: usize = 4;

/// Words of an entry: type, value, 128 bytes of name.
const ENTRY: usize = 18;
const ENTRY_VALUE: usize = 1;
const ENTRY_NAME: usize = 2;
/// Bytes of a name, the closing NUL included.
const NAME_BYTES: usize = 128;

/// Type of a directory entry, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Kind {
    Scalar = 1,
    SimpleVector = 2,
    CombinedVector = 3,
    NameVector = 4,
    Empty = 5,
    Symlink = 6,
    Gauge = 9,
}

/// Number of a directory entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EntryIndex(pub(super) u32);

/// The vector of entries at the head of a segment. It has its full room from the start and never moves.
#[derive(Debug)]
pub(super) struct Directory {
    mapping: Arc<Mapping>,
    capacity: usize,
    len: usize,
    names: HashMap<String, EntryIndex>,
    depth: u32,
}

impl Directory {
    /// Writes the header and an empty directory with room for `capacity` entries.
    pub(super) fn new(mapping: &Arc<Mapping>, capacity: usize) -> Self {
        let word = |at: usize, value: u64| mapping.word(at).store(value, Relaxed);
        word(HEADER_BASE, BASE);
        word(HEADER_DIRECTORY, pointer(Self::START));
        mapping.word(HEADER_VERSION).store(VERSION, Release);
        let mapping = Arc::clone(mapping);
        Self { mapping, capacity, len: 0, names: HashMap::new(), depth: 0 }
    }

    /// Offset of the first entry: behind the header and the vector's own length.
    const START: usize = HEADER + 8;

    /// Words that the header and a directory of `capacity` entries take.
    pub(super) const fn words(capacity: usize) -> usize {
        Self::START + capacity * ENTRY
    }

    /// Makes an entry that did not exist, in a slot that was never used or that `vacant` names.
    pub(super) fn publish(
        &mut self,
        vacant: Option<EntryIndex>,
        name: &str,
        kind: Kind,
        value: u64,
    ) -> Result<EntryIndex, CounterError> {
        self.check_new_name(name)?;
        let entry = match vacant {
            Some(entry) => entry,
            None if self.len < self.capacity => EntryIndex(self.len as u32),
            None => {
                let name = name.to_owned();
                return Err(CounterError::DirectoryFull { name, capacity: self.capacity });
            }
        };
        self.names.insert(name.to_owned(), entry);
        self.changing(|this| {
            this.write(entry, kind, value, name);
            if vacant.is_none() {
                this.len += 1;
                this.mapping.word(Self::START - 1).store(vector_header(this.len), Release);
            }
        });
        Ok(entry)
    }

    /// Empties an entry; its name is free at once, its slot when the caller hands it to `publish` again.
    pub(super) fn withdraw(&mut self, name: &str) -> Result<EntryIndex, CounterError> {
        let entry = self.find(name)?;
        self.names.remove(name);
        self.changing(|this| this.write(entry, Kind::Empty, 0, ""));
        Ok(entry)
    }

    /// Gives an entry another name.
    pub(super) fn rename(&mut self, old: &str, new: &str) -> Result<(), CounterError> {
        let entry = self.find(old)?;
        if old == new {
            return Ok(());
        }
        self.check_new_name(new)?;
        self.names.remove(old);
        self.names.insert(new.to_owned(), entry);
        self.changing(|this| this.write_name(entry, new));
        Ok(())
    }

    /// The entry of a name.
    pub(super) fn find(&self, name: &str) -> Result<EntryIndex, CounterError> {
        self.names
            .get(name)
            .copied()
            .ok_or_else(|| CounterError::NoSuchEntry { name: name.to_owned() })
    }

    /// The names of some entries.
    pub(super) fn names_of(&self, of: impl Fn(EntryIndex) -> bool) -> Vec<String> {
        let names = self.names.iter().filter(|(_, entry)| of(**entry));
        names.map(|(name, _)| name.clone()).collect()
    }

    /// Offset of the word in an entry that holds a scalar's value.
    pub(super) fn value_at(entry: EntryIndex) -> usize {
        Self::START + entry.0 as usize * ENTRY + ENTRY_VALUE
    }

    /// Runs `change` while readers wait, and moves the epoch on. Calls may nest; the outermost one counts.
    pub(super) fn changing<R>(&mut self, change: impl FnOnce(&mut Self) -> R) -> R {
        self.begin();
        let result = change(self);
        self.end();
        result
    }

    /// First half of `changing`, for callers that hold more than the directory.
    ///
    /// The epoch moves here and not at the end: whoever sees a part of the change then sees a new epoch, in whichever order it
    /// asks for epoch and mark afterwards (docs/COUNTERS.md has the proof).
    pub(super) fn begin(&mut self) {
        self.depth += 1;
        if self.depth == 1 {
            self.mapping.word(HEADER_IN_PROGRESS).store(1, Relaxed);
            let epoch = self.mapping.word(HEADER_EPOCH);
            epoch.store(epoch.load(Relaxed).wrapping_add(1), Release);
            // Everything written below this line is seen after the mark and the epoch above.
            fence(Release);
        }
    }

    /// Second half of `changing`.
    pub(super) fn end(&mut self) {
        self.depth -= 1;
        if self.depth == 0 {
            self.mapping.word(HEADER_IN_PROGRESS).store(0, Release);
        }
    }

    /// The epoch, which moves with every change.
    pub(super) fn epoch(&self) -> u64 {
        self.mapping.word(HEADER_EPOCH).load(Relaxed)
    }

    /// Name, number, type and value of every entry that there is.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&str, u32, u32, u64)> {
        self.names.iter().map(|(name, entry)| {
            let at = Self::START + entry.0 as usize * ENTRY;
            let word = |at: usize| self.mapping.word(at).load(Relaxed);
            (name.as_str(), entry.0, vector_len(word(at)) as u32, word(at + ENTRY_VALUE))
        })
    }

    /// Whether an entry could be made of this name.
    pub(super) fn check_new_name(&self, name: &str) -> Result<(), CounterError> {
        if name.is_empty() || name.len() >= NAME_BYTES || name.contains('\0') {
            return Err(CounterError::BadName { name: name.to_owned() });
        }
        if self.names.contains_key(name) {
            return Err(CounterError::NameTaken { name: name.to_owned() });
        }
        Ok(())
    }

    fn write(&self, entry: EntryIndex, kind: Kind, value: u64, name: &str) {
        let at = Self::START + entry.0 as usize * ENTRY;
        self.mapping.word(at).store(halves(kind as u32, 0), Relaxed);
        self.mapping.word(at + ENTRY_VALUE).store(value, Relaxed);
        self.write_name(entry, name);
    }

    fn write_name(&self, entry: EntryIndex, name: &str) {
        let at = Self::START + entry.0 as usize * ENTRY + ENTRY_NAME;
        write_bytes(&self.mapping, at, NAME_BYTES / WORD, name.as_bytes());
    }
}

/// What a reader is told about the place of a word.
pub(super) const fn pointer(at: usize) -> u64 {
    BASE + (at * WORD) as u64
}

/// The word before a vector: how many elements it has.
pub(super) fn vector_header(len: usize) -> u64 {
    halves(len as u32, 0)
}

/// How many elements the word before a vector says it has.
pub(super) fn vector_len(header: u64) -> usize {
    let [a, b, c, d, ..] = header.to_ne_bytes();
    u32::from_ne_bytes([a, b, c, d]) as usize
}

/// Two 32-bit numbers, the first one at the lower address.
pub(super) fn halves(first: u32, second: u32) -> u64 {
    let [a, b, c, d] = first.to_ne_bytes();
    let [e, f, g, h] = second.to_ne_bytes();
    u64::from_ne_bytes([a, b, c, d, e, f, g, h])
}

/// Writes bytes into `words` words, padded with NUL; what does not fit is cut.
pub(super) fn write_bytes(mapping: &Mapping, at: usize, words: usize, bytes: &[u8]) {
    for i in 0..words {
        let mut word = [0; WORD];
        for (to, from) in word.iter_mut().zip(bytes.iter().skip(i * WORD)) {
            *to = *from;
        }
        mapping.word(at + i).store(u64::from_ne_bytes(word), Relaxed);
    }
}
