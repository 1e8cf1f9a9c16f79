//! Counters with one writer each, in a mapping that other processes can read.
//!
//! A [`Segment`] is a memory file laid out as VPP's stats segment, version 2, so that `vpp_papi`, GoVPP and whatever
//! else reads VPP's counters reads these. It reserves address space, not memory: every counter gets its full capacity
//! when it is registered, pages come when they are touched, and nothing ever moves while a worker counts.
//!
//! Who does what:
//! - The main thread owns the `Segment`: it registers, links, renames and removes entries, and grows what readers see.
//! - A worker owns writers ([`SimpleWriter`], [`CombinedWriter`]), at most one per counter and thread. They add with a
//!   plain load and a plain store: no locked instruction, no line shared with another thread.
//! - Control-plane code reads through [`Simple`], [`Combined`] and [`ErrorCounters`], which add the threads up and
//!   subtract what was there at the last `clear`. Other processes map the file read-only and see the raw values.
//!
//! ```
//! use vnet::counter::{Segment, ThreadIndex};
//!
//! let mut segment = Segment::new(2)?;
//! let routes = segment.combined("/net/route/to", 2_000_000)?;
//! routes.validate(10)?;
//! let worker = routes.writer(ThreadIndex(1))?;
//! worker.add(3, 1, 64);
//! assert_eq!(routes.sum(3).bytes, 64);
//! # Ok::<(), vnet::counter::CounterError>(())
//! ```

mod directory;
mod error;
mod errors;
#[cfg(test)]
mod foreign_reader;
mod lanes;
mod mapping;
mod names;
mod scalar;
mod segment;
mod shared;
mod system;
mod vector;
mod writer;

pub use error::CounterError;
pub use errors::{
    EntryName, ErrorCounters, ErrorIndex, ErrorReason, ErrorRow, ErrorWriter, Severity,
};
pub use names::NameVector;
pub use scalar::Scalar;
pub use segment::{EntryInfo, Segment, SegmentPages, SegmentSize};
pub use shared::Counter;
pub(crate) use shared::{Counters, Writers};
pub use system::SystemCounters;
pub use vector::{Combined, Count, CounterVector, Element, Simple};
pub use writer::{CombinedWriter, SimpleWriter};

use core::fmt;

/// A name as a part of a path in the segment.
pub(crate) fn segment_name(name: &str) -> String {
    name.replace('/', "_")
}

/// Number of a thread: 0 is the main thread, workers follow. It is the first index of every counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ThreadIndex(pub u16);

impl ThreadIndex {
    /// The main thread.
    pub const MAIN: Self = Self(0);

    fn slot(self) -> usize {
        usize::from(self.0)
    }
}

impl fmt::Display for ThreadIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
