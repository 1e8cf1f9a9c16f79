//! The segment: what registers counters, and the reserved space that they live in.

use super::{
    Combined, Count, CounterError, NameVector, Scalar, Simple,
    directory::{Directory, EntryIndex, Kind, halves, pointer, vector_header},
    lanes::{LINE_PAIR, Lanes},
    mapping::{Mapping, Region, WORD},
};
use std::{
    fs::File,
    io,
    os::fd::{AsFd, BorrowedFd},
    sync::{Arc, atomic::Ordering},
};

/// Address space of a segment unless told otherwise. Only touched pages are memory.
const DEFAULT_BYTES: usize = 16 << 30;
/// Entries that a directory has room for, in a segment that is large enough: 65,536 interfaces take 1.1 million.
const DIRECTORY_ENTRIES: usize = 1 << 21;
/// A small segment keeps an eighth of itself for the directory, at 144 bytes an entry.
const DIRECTORY_SHARE: usize = 8 * 144;

/// How large a segment is, and of what memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentSize {
    /// Bytes of address space, at least 64 KiB.
    pub bytes: usize,
    /// The pages that become memory when they are touched.
    pub pages: SegmentPages,
}

impl Default for SegmentSize {
    fn default() -> Self {
        Self { bytes: DEFAULT_BYTES, pages: SegmentPages::Small }
    }
}

/// Pages of a segment's memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SegmentPages {
    /// Those of the system. They become memory when they are touched.
    #[default]
    Small,
    /// Huge pages of so many bits of address, or of the system's default size. The system sets them aside at once.
    Huge(Option<u8>),
}

/// An entry of a segment's directory, as readers in other processes find it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryInfo {
    /// Its place in the directory.
    pub number: u32,
    /// Its name.
    pub name: String,
    /// Its type, by the number that stands in the segment.
    pub kind: u32,
    /// Its value: the number of a scalar, the pointer to a vector, the two numbers of a symlink.
    pub value: u64,
}

/// Counters of an engine in one shared mapping, laid out as VPP's stats segment version 2. It belongs to the main
/// thread; what it hands out can be used from any.
///
/// The memory file behind it ([`AsFd`]) may be given to other processes: it is sealed, so that they can only read.
#[derive(Debug)]
pub struct Segment {
    mapping: Arc<Mapping>,
    directory: Directory,
    threads: usize,
    /// First word that is reserved for nobody.
    next: usize,
    /// What every directory entry is, by its index.
    entries: Vec<Entry>,
    /// Entries to be used again, and counter memory that waits until its last handle is gone.
    vacant: Vec<EntryIndex>,
    leaving: Vec<(EntryIndex, Arc<Region>)>,
    spare: Vec<Arc<Lanes>>,
    /// Where there were windows that are gone.
    windows: Vec<usize>,
}

#[derive(Debug)]
enum Entry {
    Vacant,
    Scalar(Arc<Region>),
    Vector(Arc<Lanes>),
    /// Where its pointers are.
    Window(usize),
    Names,
    Link(EntryIndex),
}

impl Segment {
    /// A segment for `threads` threads, the main thread included, with 16 GiB of address space.
    pub fn new(threads: u16) -> Result<Self, CounterError> {
        Self::sized(threads, SegmentSize::default())
    }

    /// A segment with `bytes` of address space, at least 64 KiB.
    pub fn with_size(threads: u16, bytes: usize) -> Result<Self, CounterError> {
        Self::sized(threads, SegmentSize { bytes, pages: SegmentPages::Small })
    }

    /// A segment of this size and memory.
    pub fn sized(threads: u16, size: SegmentSize) -> Result<Self, CounterError> {
        let bytes = size.bytes.max(64 << 10);
        let mapping = Mapping::new(bytes, size.pages)
            .map_err(|source| CounterError::Create { bytes, source })?;
        let capacity = DIRECTORY_ENTRIES.min(bytes / DIRECTORY_SHARE);
        Ok(Self {
            directory: Directory::new(&mapping, capacity),
            mapping,
            threads: usize::from(threads.max(1)),
            next: Directory::words(capacity),
            entries: Vec::new(),
            vacant: Vec::new(),
            leaving: Vec::new(),
            spare: Vec::new(),
            windows: Vec::new(),
        })
    }

    /// Threads that count here, the main thread included.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Registers a simple counter vector with room for `capacity` elements, none of them visible yet
    /// ([`validate`](super::CounterVector::validate)).
    pub fn simple(&mut self, name: &str, capacity: usize) -> Result<Simple, CounterError> {
        self.vector(name, Kind::SimpleVector, self.threads, (1, capacity)).map(Simple::new)
    }

    /// Registers a combined counter vector; otherwise like [`Self::simple`].
    pub fn combined(&mut self, name: &str, capacity: usize) -> Result<Combined, CounterError> {
        self.vector(name, Kind::CombinedVector, self.threads, (2, capacity)).map(Combined::new)
    }

    /// Registers a part of a combined counter vector as a vector of its own, all of which readers see: `len` elements from `first` on,
    /// behind an element in which nobody counts. It goes by [`Self::remove`] before the elements are another's.
    pub fn window(
        &mut self,
        name: &str,
        of: &Combined,
        first: u32,
        len: usize,
    ) -> Result<(), CounterError> {
        self.check(name, len)?;
        let Some(rows) = of.lanes().part(first as usize, len) else {
            let (wanted, capacity) = (first as usize + len, of.lanes().capacity());
            return Err(CounterError::Capacity { name: name.to_owned(), wanted, capacity });
        };
        let at = match self.windows.pop() {
            Some(at) => at,
            None => self.reserve(name, Lanes::pointer_words(rows.len()))? + LINE_PAIR,
        };
        let word = |at: usize, value| self.mapping.word(at).store(value, Ordering::Relaxed);
        word(at - 1, vector_header(rows.len()));
        rows.iter().enumerate().for_each(|(row, elements)| word(at + row, pointer(*elements)));
        let published = self.publish(name, Kind::CombinedVector, pointer(at), Entry::Window(at));
        if published.is_err() {
            self.windows.push(at);
        }
        published.map(|_| ())
    }

    /// Registers a vector of `len` numbers that has one row, the main thread's, whatever threads there are: figures of the whole
    /// engine, which their one writer sets.
    pub fn figures(&mut self, name: &str, len: usize) -> Result<Simple, CounterError> {
        self.together(|this| {
            let figures = this.vector(name, Kind::SimpleVector, 1, (1, len)).map(Simple::new)?;
            figures.validate(len).map(|()| figures)
        })
    }

    /// Registers a number that counts up.
    pub fn scalar(&mut self, name: &str) -> Result<Scalar, CounterError> {
        self.value(name, Kind::Scalar)
    }

    /// Registers a number that goes up and down.
    pub fn gauge(&mut self, name: &str) -> Result<Scalar, CounterError> {
        self.value(name, Kind::Gauge)
    }

    /// Registers a vector of at most `capacity` names.
    pub fn names(&mut self, name: &str, capacity: usize) -> Result<NameVector, CounterError> {
        self.check(name, capacity)?;
        let at = self.reserve(name, NameVector::words(capacity))?;
        let names = NameVector::new(&self.mapping, at, name, capacity);
        self.publish(name, Kind::NameVector, pointer(names.at()), Entry::Names)?;
        Ok(names)
    }

    /// Writes the name of an index, at most 127 bytes. The vector grows to hold it.
    pub fn set_name(
        &mut self,
        names: &NameVector,
        index: u32,
        name: &str,
    ) -> Result<(), CounterError> {
        let mapping = Arc::clone(&self.mapping);
        self.directory.changing(|_| names.write(&mapping, index, name))
    }

    /// Makes `name` another name for element `index` of the counter vector `target`.
    pub fn link(&mut self, name: &str, target: &str, index: u32) -> Result<(), CounterError> {
        let to = self.directory.find(target)?;
        if !matches!(self.entries.get(to.0 as usize), Some(Entry::Vector(_))) {
            let (link, name) = (name.to_owned(), target.to_owned());
            return Err(CounterError::NotAVector { link, name });
        }
        self.publish(name, Kind::Symlink, halves(to.0, index), Entry::Link(to)).map(|_| ())
    }

    /// Removes an entry, and the links that lead to it. Handles of it stay usable, seen by nobody.
    pub fn remove(&mut self, name: &str) -> Result<(), CounterError> {
        let index = self.directory.find(name)?;
        self.together(|this| {
            let entry = this.withdraw(name, index)?;
            if matches!(entry, Entry::Vector(_)) {
                this.remove_links_to(index)?;
            }
            match entry {
                // The value lies in the directory: its slot waits until nobody can write there any more.
                Entry::Scalar(value) => this.leaving.push((index, value)),
                Entry::Vector(lanes) => {
                    this.spare.push(lanes);
                    this.vacant.push(index);
                }
                Entry::Window(at) => {
                    this.windows.push(at);
                    this.vacant.push(index);
                }
                Entry::Names | Entry::Link(_) | Entry::Vacant => this.vacant.push(index),
            }
            Ok(())
        })
    }

    /// Gives an entry another name. (Errors of a counter's handles go on naming it as it was registered.)
    pub fn rename(&mut self, old: &str, new: &str) -> Result<(), CounterError> {
        self.directory.rename(old, new)
    }

    /// Whether there is an entry of this name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.directory.find(name).is_ok()
    }

    /// Makes several changes that readers see as one.
    pub fn together<R>(&mut self, change: impl FnOnce(&mut Self) -> R) -> R {
        self.directory.begin();
        let result = change(self);
        self.directory.end();
        result
    }

    /// The directory, in the order of names.
    #[must_use]
    pub fn directory(&self) -> Vec<EntryInfo> {
        let entries = self.directory.entries();
        let mut entries: Vec<_> = entries
            .map(|(name, number, kind, value)| {
                let name = name.to_owned();
                EntryInfo { number, name, kind, value }
            })
            .collect();
        entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        entries
    }

    /// Changes of the directory so far.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.directory.epoch()
    }

    /// Bytes of address space, and of these the ones that are memory by now.
    #[must_use]
    pub fn usage(&self) -> (u64, u64) {
        ((self.mapping.words() * WORD) as u64, self.mapping.touched())
    }

    /// The file for other processes: open for reading only, so that none can write to it, whatever it does.
    pub fn read_only(&self) -> io::Result<File> {
        self.mapping.read_only()
    }

    /// Counters to which something was added beyond their capacity, and how much.
    pub fn lost(&self) -> impl Iterator<Item = (&str, Count)> {
        self.entries.iter().filter_map(|entry| {
            let Entry::Vector(lanes) = entry else { return None };
            let [packets, bytes] = lanes.lost();
            (packets != 0).then_some((lanes.path(), Count { packets, bytes }))
        })
    }

    fn vector(
        &mut self,
        name: &str,
        kind: Kind,
        rows: usize,
        (width, capacity): (usize, usize),
    ) -> Result<Arc<Lanes>, CounterError> {
        self.check(name, capacity)?;
        let lanes = match self.spare_lanes(rows, width, capacity) {
            Some(lanes) => lanes.recycled(name),
            None => {
                let words = Lanes::words(rows, width, capacity);
                let start = self.reserve(name, words)?;
                Lanes::new(&self.mapping, start, name, rows, (width, capacity))
            }
        };
        let lanes = Arc::new(lanes);
        let value = pointer(lanes.at());
        self.publish(name, kind, value, Entry::Vector(Arc::clone(&lanes)))?;
        Ok(lanes)
    }

    fn value(&mut self, name: &str, kind: Kind) -> Result<Scalar, CounterError> {
        let index = self.publish(name, kind, 0, Entry::Vacant)?;
        let value = Arc::new(self.mapping.region(Directory::value_at(index), 1));
        self.entries[index.0 as usize] = Entry::Scalar(Arc::clone(&value));
        Ok(Scalar::new(value))
    }

    /// What cannot be published must not cost its space.
    fn check(&self, name: &str, wanted: usize) -> Result<(), CounterError> {
        self.directory.check_new_name(name)?;
        // Lengths have 32 bits in the segment.
        let capacity = u32::MAX as usize - 1;
        if wanted > capacity {
            return Err(CounterError::Capacity { name: name.to_owned(), wanted, capacity });
        }
        Ok(())
    }

    fn publish(
        &mut self,
        name: &str,
        kind: Kind,
        value: u64,
        entry: Entry,
    ) -> Result<EntryIndex, CounterError> {
        self.collect_scalars();
        let vacant = self.vacant.last().copied();
        let index = self.directory.publish(vacant, name, kind, value)?;
        match vacant {
            Some(_) => {
                self.vacant.pop();
                self.entries[index.0 as usize] = entry;
            }
            None => self.entries.push(entry),
        }
        Ok(index)
    }

    fn withdraw(&mut self, name: &str, index: EntryIndex) -> Result<Entry, CounterError> {
        self.directory.withdraw(name)?;
        Ok(std::mem::replace(&mut self.entries[index.0 as usize], Entry::Vacant))
    }

    fn remove_links_to(&mut self, target: EntryIndex) -> Result<(), CounterError> {
        for name in self.directory.names_of(|index| {
            matches!(self.entries.get(index.0 as usize), Some(Entry::Link(to)) if *to == target)
        }) {
            self.remove(&name)?;
        }
        Ok(())
    }

    /// Frees the slots of removed scalars whose handles are gone.
    fn collect_scalars(&mut self) {
        let vacant = &mut self.vacant;
        self.leaving.retain(|(index, value)| {
            let gone = Arc::strong_count(value) == 1;
            if gone {
                vacant.push(*index);
            }
            !gone
        });
    }

    /// Memory of a removed counter of the same shape, once nobody can write there any more.
    fn spare_lanes(&mut self, rows: usize, width: usize, capacity: usize) -> Option<Lanes> {
        let fits = |lanes: &Arc<Lanes>| {
            let shape = (lanes.rows(), lanes.width(), lanes.capacity());
            shape == (rows, width, capacity) && Arc::strong_count(lanes) == 1
        };
        let found = self.spare.iter().position(fits)?;
        Arc::into_inner(self.spare.swap_remove(found))
    }

    /// Takes space that nobody has. The last words stay free, for readers that refuse a vector up to the very end.
    fn reserve(&mut self, what: &str, words: usize) -> Result<usize, CounterError> {
        let start = self.next.next_multiple_of(LINE_PAIR);
        let end = self.mapping.words() - LINE_PAIR;
        match start.checked_add(words) {
            Some(next) if next <= end => {
                self.next = next;
                Ok(start)
            }
            _ => Err(CounterError::Full {
                what: what.to_owned(),
                needed: words.saturating_mul(WORD),
                left: end.saturating_sub(start) * WORD,
                size: self.mapping.words() * WORD,
            }),
        }
    }
}

impl AsFd for Segment {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.mapping.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counter::ThreadIndex;

    fn text<T>(result: Result<T, CounterError>) -> String {
        result.err().map_or_else(String::new, |error| error.to_string())
    }

    #[test]
    fn a_full_segment_says_what_did_not_fit_and_keeps_what_it_has() {
        let mut segment = Segment::with_size(2, 64 << 10).unwrap();
        let small = segment.simple("/small", 8).unwrap();
        let error = text(segment.combined("/net/route/to", 100_000));
        let (start, rest) = error.split_once(" bytes, ").unwrap();
        assert_eq!(start, "the stats segment is full: /net/route/to needs 3200768");
        assert!(rest.ends_with(" of 65536 are left"), "{error}");
        assert!(text(segment.names("/names", 1_000)).contains("/names needs 144008 bytes"));
        assert!(text(segment.simple("/huge", usize::MAX)).contains("/huge has room for"));
        assert!(!segment.contains("/net/route/to") && segment.simple("/other", 8).is_ok());
        small.writer(ThreadIndex(1)).unwrap().add(7, 1);
        assert_eq!(small.sum(7), 1);
    }

    #[test]
    fn a_full_directory_takes_again_what_was_removed() {
        let mut segment = Segment::with_size(1, 64 << 10).unwrap();
        segment.simple("/counter", 4).unwrap();
        let names: Vec<_> = (1..56).map(|n| format!("/link/{n}")).collect();
        for name in &names {
            segment.link(name, "/counter", 0).unwrap();
        }
        let full = "the stats segment's directory is full: /more would be entry 56";
        assert_eq!(text(segment.link("/more", "/counter", 0)), full);
        segment.remove(&names[7]).unwrap();
        assert_eq!(text(segment.link("/more", "/counter", 0)), "");
        assert_eq!(text(segment.remove(&names[7])), "the stats segment has no entry /link/8");
    }

    #[test]
    fn a_removed_scalar_keeps_its_slot_until_its_handle_is_gone() {
        let mut segment = Segment::with_size(1, 64 << 10).unwrap();
        let old = segment.scalar("/old").unwrap();
        segment.remove("/old").unwrap();
        let new = segment.gauge("/new").unwrap();
        new.set(1);
        old.set(2);
        assert_eq!((old.value(), new.value()), (2, 1));
        drop(old);
        let third = segment.scalar("/third").unwrap();
        assert_eq!((third.value(), segment.entries.len()), (0, 2), "the slot is used again");
    }

    #[test]
    fn figures_have_one_row_and_every_change_moves_the_epoch_once() {
        let mut segment = Segment::with_size(3, 4 << 20).unwrap();
        let before = segment.epoch();
        let rates = segment.figures("/rates", 3).unwrap();
        assert_eq!((segment.epoch() - before, rates.len()), (1, 3));
        let writer = rates.writer(ThreadIndex::MAIN).unwrap();
        writer.set(2, 7);
        writer.set(2, 5);
        writer.set(3, 9);
        assert_eq!((rates.sum(2), rates.lost()), (5, 0));
        assert!(rates.writer(ThreadIndex(1)).is_err());
        let (size, memory) = segment.usage();
        assert!(size == 4 << 20 && memory > 0 && memory < size, "{memory} of {size}");
        let entries = segment.directory();
        let expected =
            EntryInfo { number: 0, name: "/rates".to_owned(), kind: 2, value: entries[0].value };
        assert_eq!(entries, [expected]);
    }

    #[test]
    fn names_are_checked_before_anything_happens() {
        let mut segment = Segment::with_size(1, 64 << 10).unwrap();
        segment.scalar("/a").unwrap();
        assert_eq!(text(segment.simple("/a", 1)), "the stats segment has an entry /a already");
        assert!(text(segment.gauge("")).ends_with("1 to 127 bytes without NUL are expected"));
        for bad in ["a\0b", &"n".repeat(128)] {
            assert!(matches!(segment.simple(bad, 1), Err(CounterError::BadName { .. })));
        }
        let longest = "n".repeat(127);
        assert!(segment.simple(&longest, 1).is_ok());
        let error = text(segment.link("/l", "/a", 0));
        assert_eq!(error, "/a is not a counter vector, so /l cannot point into it");
        assert!(text(segment.rename("/a", &longest)).ends_with("already"));
        assert_eq!(text(segment.rename("/a", "/a")), "");
        segment.rename("/a", "/b").unwrap();
        assert!(segment.contains("/b") && !segment.contains("/a"));
    }
}
