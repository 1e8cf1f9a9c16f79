//! What was said, for `api trace`: the messages of clients (RX) and those to clients (TX), kept apart as in VPP.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    io::{self, Write},
    path::Path,
};

use vnet::{
    api::{FRAME_HEADER, Table},
    command::create_file,
};

/// Messages that are kept unless told otherwise.
pub(crate) const MESSAGES: u32 = 256 << 10;
/// And at most.
pub(crate) const MOST_MESSAGES: u32 = 1 << 24;
/// Octets of messages that are kept at most.
const OCTETS: usize = 64 << 20;

/// The messages that went by last in one direction, while somebody wants to know. Each is kept from its number on.
#[derive(Debug)]
pub(crate) struct Trace {
    on: Cell<bool>,
    room: Cell<usize>,
    all: RefCell<VecDeque<Box<[u8]>>>,
    octets: Cell<usize>,
    lost: Cell<u64>,
}

impl Default for Trace {
    fn default() -> Self {
        Self {
            on: Cell::new(false),
            room: Cell::new(MESSAGES as usize),
            all: RefCell::default(),
            octets: Cell::new(0),
            lost: Cell::new(0),
        }
    }
}

impl Trace {
    /// Begins to record, at most `messages`.
    pub(crate) fn begin(&self, messages: usize) {
        self.room.set(messages);
        self.on.set(true);
        self.trim();
    }

    /// Ends to record; what there is stays.
    pub(crate) fn end(&self) {
        self.on.set(false);
    }

    /// Whether it records.
    pub(crate) fn is_on(&self) -> bool {
        self.on.get()
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        self.all.borrow_mut().clear();
        self.octets.set(0);
        self.lost.set(0);
    }

    /// How many messages there are.
    pub(crate) fn len(&self) -> usize {
        self.all.borrow().len()
    }

    /// Messages that gave way to newer ones.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.get()
    }

    /// Records a message.
    pub(crate) fn record(&self, message: &[u8]) {
        if self.is_on() {
            self.all.borrow_mut().push_back(message.into());
            self.octets.set(self.octets.get() + message.len());
            self.trim();
        }
    }

    fn trim(&self) {
        let mut all = self.all.borrow_mut();
        while all.len() > self.room.get() || self.octets.get() > OCTETS {
            let Some(oldest) = all.pop_front() else { break };
            self.octets.set(self.octets.get() - oldest.len());
            self.lost.set(self.lost.get() + 1);
        }
    }

    /// Records all messages of `octets`, frames and all.
    pub(crate) fn record_frames(&self, mut octets: &[u8]) {
        while self.is_on() && octets.len() >= FRAME_HEADER {
            let (header, rest) = octets.split_at(FRAME_HEADER);
            let length =
                header[8..12].iter().fold(0, |length, octet| length << 8 | usize::from(*octet));
            let Some((message, rest)) = rest.split_at_checked(length) else { return };
            self.record(message);
            octets = rest;
        }
    }

    /// Writes the messages to a file in VPP's form, which its tools read: number of messages and octets of the table (u32,
    /// big-endian), whether older ones gave way (u8); the table, by which numbers have names; each message behind its length (u32).
    pub(crate) fn save(&self, path: &Path, table: &Table) -> io::Result<()> {
        let all = self.all.borrow();
        let names = serialized(table);
        let mut file = io::BufWriter::new(create_file(path)?);
        file.write_all(&(all.len() as u32).to_be_bytes())?;
        file.write_all(&(names.len() as u32).to_be_bytes())?;
        file.write_all(&[u8::from(self.lost() > 0)])?;
        file.write_all(&names)?;
        for message in all.iter() {
            file.write_all(&(message.len() as u32).to_be_bytes())?;
            file.write_all(message)?;
        }
        file.flush()
    }
}

/// Writes the table to a file, for tools that read what was recorded elsewhere.
pub(crate) fn save_table(path: &Path, table: &Table) -> io::Result<()> {
    create_file(path)?.write_all(&serialized(table))
}

/// The table as VPP serializes it: how many messages (u32, big-endian), and of each its number and its name.
fn serialized(table: &Table) -> Vec<u8> {
    let count = table.messages().count() as u32;
    let mut octets = count.to_be_bytes().to_vec();
    for (number, entry) in table.messages() {
        let name = entry.definition.name_crc();
        small(&mut octets, number.into());
        small(&mut octets, name.len() as u32);
        octets.extend_from_slice(name.as_bytes());
    }
    octets
}

/// A number that is likely small, in VPP's notation: one octet with its low bit set, or two, little-endian, whose low bits are 10.
fn small(octets: &mut Vec<u8>, number: u32) {
    const ONE: u32 = 1 << 7;
    match number {
        0..ONE => octets.push((1 + 2 * number) as u8),
        _ => octets.extend_from_slice(&((4 * (number - ONE) + 2) as u16).to_le_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_numbers_are_written_as_vpp_writes_them() {
        let written = |number| {
            let mut octets = Vec::new();
            small(&mut octets, number);
            octets
        };
        assert_eq!(written(0), [1]);
        assert_eq!(written(127), [255]);
        assert_eq!(written(128), [2, 0]);
        assert_eq!(written(1000), [0xa2, 0x0d]);
    }

    #[test]
    fn the_newest_messages_stay() {
        let trace = Trace::default();
        trace.record(&[0, 1]);
        trace.begin(2);
        (0..5).for_each(|n| trace.record(&[0, n]));
        assert_eq!((trace.len(), trace.lost()), (2, 3));
        trace.end();
        trace.record(&[0, 9]);
        assert_eq!(*trace.all.borrow()[1], [0, 4]);
        trace.clear();
        assert_eq!((trace.len(), trace.lost()), (0, 0));
    }
}
