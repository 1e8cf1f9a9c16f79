//! What can go wrong when a counter is registered or asked for.

use super::ThreadIndex;

/// Why the stats segment refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CounterError {
    /// The kernel did not give the memory file or its mapping.
    #[error("cannot create a stats segment of {bytes} bytes: {source}")]
    Create {
        /// Size asked for.
        bytes: usize,
        /// The system's own error.
        source: std::io::Error,
    },
    /// The reserved address space is used up.
    #[error("the stats segment is full: {what} needs {needed} bytes, {left} of {size} are left")]
    Full {
        /// The entry, or the part of the segment, that did not fit.
        what: String,
        /// Bytes that it needs.
        needed: usize,
        /// Bytes left.
        left: usize,
        /// Size of the segment.
        size: usize,
    },
    /// The directory holds as many entries as it can.
    #[error("the stats segment's directory is full: {name} would be entry {capacity}")]
    DirectoryFull {
        /// The entry that did not fit.
        name: String,
        /// Entries that the directory holds.
        capacity: usize,
    },
    /// Two entries cannot share a name.
    #[error("the stats segment has an entry {name} already")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// Names of entries are 1 to 127 bytes without NUL.
    #[error("{name:?} is no name for the stats segment: 1 to 127 bytes without NUL are expected")]
    BadName {
        /// The name.
        name: String,
    },
    /// No entry has this name.
    #[error("the stats segment has no entry {name}")]
    NoSuchEntry {
        /// The name.
        name: String,
    },
    /// A symlink points to an element of a counter vector, and to nothing else.
    #[error("{name} is not a counter vector, so {link} cannot point into it")]
    NotAVector {
        /// The symlink to be made.
        link: String,
        /// Its target.
        name: String,
    },
    /// A counter cannot grow beyond what was reserved for it.
    #[error("{name} has room for {capacity} elements, not for {wanted}")]
    Capacity {
        /// The counter.
        name: String,
        /// Elements asked for.
        wanted: usize,
        /// Elements reserved.
        capacity: usize,
    },
    /// The segment was made for fewer threads.
    #[error("{name} has {threads} threads, there is no thread {thread}")]
    NoSuchThread {
        /// The counter.
        name: String,
        /// The thread asked for.
        thread: ThreadIndex,
        /// Threads of the segment.
        threads: usize,
    },
    /// Every counter has one writer a thread, and this one is out.
    #[error("thread {thread} has a writer of {name} already")]
    WriterTaken {
        /// The counter.
        name: String,
        /// The thread asked for.
        thread: ThreadIndex,
    },
}
