//! Messages that wait on disk: a ring in a file of bounded size.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use super::Item;

/// Domain, what the message adds to the sequence number, octets, data records.
const HEADER: usize = 4 + 4 + 4 + 2;

/// A spool. Its file holds nothing that outlives it, and goes with it.
#[derive(Debug)]
pub struct Spool {
    file: File,
    path: PathBuf,
    size: u64,
    /// Positions count on; what lies at one is in the file at the position modulo its size.
    head: u64,
    tail: u64,
    pushed: u64,
    popped: u64,
}

impl Spool {
    /// A spool in a new file, which grows to at most `size` octets.
    ///
    /// # Errors
    /// When the file is there already, or cannot be made.
    pub fn create(path: &Path, size: u64) -> io::Result<Self> {
        let file = File::options().read(true).write(true).create_new(true).open(path)?;
        Ok(Self { file, path: path.to_owned(), size, head: 0, tail: 0, pushed: 0, popped: 0 })
    }

    /// Adds a message; `Ok(false)`: there is no room. Other items have no place here.
    ///
    /// # Errors
    /// When it cannot be written. It is not in the spool then.
    pub fn push(&mut self, item: &Item) -> io::Result<bool> {
        let Item::Message { domain, records, advance, octets } = item else { return Ok(false) };
        let mut entry = Vec::with_capacity(HEADER + octets.len());
        entry.extend(domain.to_be_bytes());
        entry.extend(advance.to_be_bytes());
        entry.extend((octets.len() as u32).to_be_bytes());
        entry.extend(records.to_be_bytes());
        entry.extend_from_slice(octets);
        if self.octets() + entry.len() as u64 > self.size {
            return Ok(false);
        }
        let (first, second) = entry.split_at(entry.len().min(self.until_end(self.tail)));
        self.file.write_all_at(first, self.tail % self.size)?;
        self.file.write_all_at(second, 0)?;
        self.tail += entry.len() as u64;
        self.pushed += 1;
        Ok(true)
    }

    /// Takes the oldest message.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn pop(&mut self) -> io::Result<Option<Item>> {
        if self.head == self.tail {
            return Ok(None);
        }
        let mut header = [0; HEADER];
        self.read(self.head, &mut header)?;
        let [d0, d1, d2, d3, a0, a1, a2, a3, l0, l1, l2, l3, r0, r1] = header;
        let len = u64::from(u32::from_be_bytes([l0, l1, l2, l3]));
        let end = self.head + HEADER as u64 + len;
        if end > self.tail {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "somebody else wrote to it"));
        }
        let mut octets = vec![0; len as usize].into_boxed_slice();
        self.read(self.head + HEADER as u64, &mut octets)?;
        self.head = end;
        self.popped += 1;
        Ok(Some(Item::Message {
            domain: u32::from_be_bytes([d0, d1, d2, d3]),
            records: u16::from_be_bytes([r0, r1]),
            advance: u32::from_be_bytes([a0, a1, a2, a3]),
            octets,
        }))
    }

    /// Forgets all messages.
    pub fn clear(&mut self) {
        self.head = self.tail;
        self.popped = self.pushed;
    }

    /// Messages in it.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.pushed - self.popped
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Messages that were ever put into it.
    #[must_use]
    pub fn pushed(&self) -> u64 {
        self.pushed
    }

    /// Messages that were ever taken out, or forgotten.
    #[must_use]
    pub fn popped(&self) -> u64 {
        self.popped
    }

    /// Octets in it.
    #[must_use]
    pub fn octets(&self) -> u64 {
        self.tail - self.head
    }

    fn read(&self, at: u64, out: &mut [u8]) -> io::Result<()> {
        let (first, second) = out.split_at_mut(out.len().min(self.until_end(at)));
        self.file.read_exact_at(first, at % self.size)?;
        self.file.read_exact_at(second, 0)
    }

    /// Octets from a position to the end of the file.
    fn until_end(&self, at: u64) -> usize {
        usize::try_from(self.size - at % self.size).unwrap_or(usize::MAX)
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        // Nothing to do about it here: the file is of no use to anybody.
        let _: io::Result<()> = fs::remove_file(&self.path);
    }
}
