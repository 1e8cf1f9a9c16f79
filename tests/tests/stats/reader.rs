//! A reader of the segment that was written from docs/COUNTERS.md, and knows nothing of the code that writes it.
//!
//! It reads the file instead of mapping it, a word at a time where it matters: the kernel copies from the same memory.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    os::unix::fs::FileExt,
    sync::atomic::{Ordering, fence},
};

/// Words of the header.
const BASE: u64 = 8;
const EPOCH: u64 = 16;
const IN_PROGRESS: u64 = 24;
const DIRECTORY: u64 = 32;
/// Octets of an entry.
const ENTRY: usize = 144;

/// What an entry is, with its value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Entry {
    Number(u64),
    Simple(Vec<Vec<u64>>),
    Combined(Vec<Vec<[u64; 2]>>),
    Names(Vec<Option<String>>),
    Link(u32, u32),
}

/// Everything that there is at one epoch, by name, with its number in the directory.
pub(crate) type Everything = BTreeMap<String, (u32, Entry)>;

pub(crate) struct Reader {
    file: File,
    base: u64,
}

impl Reader {
    /// Finds the segment among the files of a process.
    pub(crate) fn of(pid: u32) -> Self {
        let is_it = |path: &std::path::Path| {
            fs::read_link(path)
                .is_ok_and(|target| target.to_string_lossy().contains("stat segment"))
        };
        let files = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
        let path = files.map(|file| file.unwrap().path()).find(|path| is_it(path)).unwrap();
        let mut reader = Self { file: File::open(path).unwrap(), base: 0 };
        assert_eq!(reader.word(0), 2, "the version");
        reader.base = reader.word(BASE);
        reader
    }

    fn word(&self, at: u64) -> u64 {
        let mut word = [0; 8];
        self.file.read_exact_at(&mut word, at).unwrap();
        u64::from_ne_bytes(word)
    }

    fn bytes(&self, at: u64, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.file.read_exact_at(&mut bytes, at).unwrap();
        bytes
    }

    fn words(&self, at: u64, len: usize) -> Vec<u64> {
        let bytes = self.bytes(at, len * 8);
        bytes.as_chunks::<8>().0.iter().map(|word| u64::from_ne_bytes(*word)).collect()
    }

    /// Offset of the first element of a vector, and how many there are.
    fn vector(&self, pointer: u64) -> (u64, usize) {
        let at = pointer.checked_sub(self.base).unwrap();
        let [a, b, c, d, ..] = self.word(at - 8).to_ne_bytes();
        (at, u32::from_ne_bytes([a, b, c, d]) as usize)
    }

    fn rows(&self, pointer: u64, width: usize) -> Vec<Vec<u64>> {
        let (at, threads) = self.vector(pointer);
        let row = |pointer: u64| {
            let (at, len) = self.vector(pointer);
            self.words(at, len * width)
        };
        self.words(at, threads).into_iter().map(row).collect()
    }

    fn name(&self, pointer: u64) -> Option<String> {
        (pointer != 0).then(|| {
            let (at, len) = self.vector(pointer);
            String::from_utf8(self.bytes(at, len.saturating_sub(1))).unwrap()
        })
    }

    fn entry(&self, entry: &[u8]) -> Option<Entry> {
        let value = u64::from_ne_bytes(entry[8..16].try_into().unwrap());
        let half = |at: usize| u32::from_ne_bytes(entry[at..at + 4].try_into().unwrap());
        Some(match half(0) {
            1 | 9 => Entry::Number(value),
            2 => Entry::Simple(self.rows(value, 1)),
            3 => {
                let pairs = |row: Vec<u64>| row.as_chunks::<2>().0.to_vec();
                Entry::Combined(self.rows(value, 2).into_iter().map(pairs).collect())
            }
            4 => {
                let (at, len) = self.vector(value);
                let pointers = self.words(at, len).into_iter();
                Entry::Names(pointers.map(|pointer| self.name(pointer)).collect())
            }
            5 => return None,
            6 => Entry::Link(half(8), half(12)),
            other => panic!("an entry of type {other}"),
        })
    }

    /// Copies the entries whose names `wanted` takes; what it finds is of one epoch, or `None` where a change came between.
    fn copy(&self, wanted: &impl Fn(&str) -> bool) -> Everything {
        let (at, len) = self.vector(self.word(DIRECTORY));
        let directory = self.bytes(at, len * ENTRY);
        let mut all = Everything::new();
        for (number, entry) in (0..).zip(directory.chunks_exact(ENTRY)) {
            let name = entry[16..].split(|&byte| byte == 0).next().unwrap();
            // During a change it may be half a name.
            let name = String::from_utf8_lossy(name).into_owned();
            if wanted(&name)
                && let Some(value) = self.entry(entry)
            {
                all.insert(name, (number, value));
            }
        }
        all
    }

    /// The protocol: epoch, mark, data, mark, epoch. Also how often it had to start again.
    pub(crate) fn read(&self, wanted: impl Fn(&str) -> bool) -> (Everything, u64) {
        let mut again = 0;
        loop {
            let epoch = self.word(EPOCH);
            if self.word(IN_PROGRESS) == 0 {
                fence(Ordering::Acquire);
                // Half a change may be anything, also what cannot be read; what stood still is no such thing.
                let copied =
                    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.copy(&wanted)));
                fence(Ordering::Acquire);
                if self.word(IN_PROGRESS) == 0 && self.word(EPOCH) == epoch {
                    return (copied.expect("what stood still can be read"), again);
                }
            }
            again += 1;
        }
    }
}
