//! Messages that wait on disk: a ring in a file of bounded size.
//!
//! The file begins with what tells a spool from other files, and with what is in it, both in big-endian order: an engine that is
//! killed leaves its file behind, and the next one counts what was lost. It cannot be sent, since its templates are gone.

use std::{
    fs::{self, File, TryLockError},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use super::{Item, queue::Loss};

/// What a spool begins with.
const MAGIC: [u8; 8] = *b"pltspool";
/// Where the ring begins: behind the magic and two counts of 8 octets, messages and data records.
const RING: u64 = 8 + 16;
/// Domain, what the message adds to the sequence number, octets, data records, whether it keeps its export time.
const HEADER: usize = 4 + 4 + 4 + 2 + 1;

/// A spool. Its file goes with it, and is locked as long.
#[derive(Debug)]
pub struct Spool {
    file: File,
    path: PathBuf,
    /// Of the ring.
    size: u64,
    /// Data records in it.
    records: u64,
    /// Positions count on; what lies at one is in the file at the position modulo its size.
    head: u64,
    tail: u64,
    pushed: u64,
    popped: u64,
}

impl Spool {
    /// An empty spool in a file that grows to `size` octets and a few at its beginning; and what was lost in the file when an
    /// engine that had it was killed.
    ///
    /// # Errors
    /// When there is a file that is no spool, another engine has it, or it cannot be made.
    pub fn create(path: &Path, size: u64) -> io::Result<(Self, Loss)> {
        let options = || File::options().read(true).write(true).clone();
        let made = options().create_new(true).open(path);
        let (file, is_new) = match made {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                (options().open(path)?, false)
            }
            made => (made?, true),
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(io::Error::new(io::ErrorKind::ResourceBusy, "another engine has it"));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let left = if is_new { Loss::default() } else { left_in(&file)? };
        file.set_len(0)?;
        file.write_all_at(&MAGIC, 0)?;
        let path = path.to_owned();
        let mut spool =
            Self { file, path, size, records: 0, head: 0, tail: 0, pushed: 0, popped: 0 };
        spool.note()?;
        Ok((spool, left))
    }

    /// Writes down what is in it.
    fn note(&mut self) -> io::Result<()> {
        let counts = [self.len().to_be_bytes(), self.records.to_be_bytes()].concat();
        self.file.write_all_at(&counts, MAGIC.len() as u64)
    }

    /// Adds a message; `Ok(false)`: there is no room. Other items have no place here.
    ///
    /// # Errors
    /// When it cannot be written. It is not in the spool then.
    pub fn push(&mut self, item: &Item) -> io::Result<bool> {
        let Item::Message { domain, records, advance, keeps_time, octets } = item else {
            return Ok(false);
        };
        let mut entry = Vec::with_capacity(HEADER + octets.len());
        entry.extend(domain.to_be_bytes());
        entry.extend(advance.to_be_bytes());
        entry.extend((octets.len() as u32).to_be_bytes());
        entry.extend(records.to_be_bytes());
        entry.push(u8::from(*keeps_time));
        entry.extend_from_slice(octets);
        if self.octets() + entry.len() as u64 > self.size {
            return Ok(false);
        }
        let (first, second) = entry.split_at(entry.len().min(self.until_end(self.tail)));
        self.file.write_all_at(first, RING + self.tail % self.size)?;
        self.file.write_all_at(second, RING)?;
        self.tail += entry.len() as u64;
        self.pushed += 1;
        self.records += u64::from(*records);
        self.note()?;
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
        let [d0, d1, d2, d3, a0, a1, a2, a3, l0, l1, l2, l3, r0, r1, keeps_time] = header;
        let len = u64::from(u32::from_be_bytes([l0, l1, l2, l3]));
        let end = self.head + HEADER as u64 + len;
        if end > self.tail {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "somebody else wrote to it"));
        }
        let mut octets = vec![0; len as usize].into_boxed_slice();
        self.read(self.head + HEADER as u64, &mut octets)?;
        let records = u16::from_be_bytes([r0, r1]);
        self.head = end;
        self.popped += 1;
        self.records = self.records.saturating_sub(records.into());
        self.note()?;
        Ok(Some(Item::Message {
            domain: u32::from_be_bytes([d0, d1, d2, d3]),
            records,
            advance: u32::from_be_bytes([a0, a1, a2, a3]),
            keeps_time: keeps_time != 0,
            octets,
        }))
    }

    /// Forgets all messages.
    pub fn clear(&mut self) {
        self.head = self.tail;
        self.popped = self.pushed;
        self.records = 0;
        // If that fails, so will what comes next.
        let _: io::Result<()> = self.note();
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
        self.file.read_exact_at(first, RING + at % self.size)?;
        self.file.read_exact_at(second, RING)
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

/// What a spool holds that nobody has any more.
fn left_in(file: &File) -> io::Result<Loss> {
    let mut start = [0; RING as usize];
    let is_spool = file.read_exact_at(&mut start, 0).is_ok() && start.starts_with(&MAGIC);
    if !is_spool {
        return Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "there is a file that is no spool",
        ));
    }
    let count = |at: usize| {
        let bytes = start[at..].first_chunk().copied().unwrap_or_default();
        u64::from_be_bytes(bytes)
    };
    Ok(Loss { messages: count(8), records: count(16) })
}
