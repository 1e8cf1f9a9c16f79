//! Vectors of names.

use super::{
    CounterError,
    directory::{pointer, vector_header, vector_len, write_bytes},
    mapping::{Mapping, Region, WORD},
};
use core::sync::atomic::Ordering::Relaxed;
use std::sync::Arc;

/// Bytes of a name's text at most; the closing NUL comes on top.
const TEXT_BYTES: usize = 127;
/// Words of a name: its length, and its text with the closing NUL.
const SLOT: usize = 1 + (TEXT_BYTES + 1) / WORD;

/// A vector of names, such as `/if/names`: one for every index of the counters beside it. Names change through
/// [`Segment::set_name`](super::Segment::set_name).
#[derive(Clone, Debug)]
pub struct NameVector {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    path: String,
    capacity: usize,
    /// The vector's length, then one pointer a name.
    pointers: Region,
    /// Offset of the names' own words.
    text_at: usize,
}

impl NameVector {
    /// Words that a vector of `capacity` names takes.
    pub(super) const fn words(capacity: usize) -> usize {
        1 + capacity + capacity * SLOT
    }

    pub(super) fn new(mapping: &Arc<Mapping>, at: usize, path: &str, capacity: usize) -> Self {
        let pointers = mapping.region(at, 1 + capacity);
        let text_at = at + 1 + capacity;
        Self { inner: Arc::new(Inner { path: path.to_owned(), capacity, pointers, text_at }) }
    }

    /// Offset of the first pointer.
    pub(super) fn at(&self) -> usize {
        self.inner.pointers.offset() + 1
    }

    /// Writes a name; the caller runs the directory's protocol.
    pub(super) fn write(
        &self,
        mapping: &Mapping,
        index: u32,
        name: &str,
    ) -> Result<(), CounterError> {
        if name.len() > TEXT_BYTES || name.contains('\0') {
            return Err(CounterError::BadName { name: name.to_owned() });
        }
        let (Inner { capacity, path, .. }, index) = (&*self.inner, index as usize);
        if index >= *capacity {
            let (name, wanted) = (path.clone(), index.saturating_add(1));
            return Err(CounterError::Capacity { name, wanted, capacity: *capacity });
        }
        let slot = self.inner.text_at + index * SLOT;
        mapping.word(slot).store(vector_header(name.len() + 1), Relaxed);
        write_bytes(mapping, slot + 1, SLOT - 1, name.as_bytes());
        if let [len, pointers @ ..] = self.inner.pointers.words() {
            pointers[index].store(pointer(slot + 1), Relaxed);
            if vector_len(len.load(Relaxed)) <= index {
                len.store(vector_header(index + 1), Relaxed);
            }
        }
        Ok(())
    }
}
