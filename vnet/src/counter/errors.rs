//! The heap of error counters: every node's reasons, one simple counter for all.

use super::{CounterError, Segment, Simple, SimpleWriter, ThreadIndex};
use core::fmt;
use std::collections::HashMap;

/// Name of the counter in the segment; `/err/<node>/<reason>` link to its elements.
const COUNTER: &str = "/node/errors";
/// As many as a 16-bit index can name.
const CAPACITY: usize = 1 << 16;

/// Number of a reason among all reasons of all nodes. It fits into a buffer's error field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct ErrorIndex(pub u16);

impl ErrorIndex {
    /// That no reason was noted: the first reason of `error-drop`.
    pub const NONE: Self = Self(0);

    /// The reason `code` behind this one, which is a node's first.
    #[inline]
    #[must_use]
    pub fn plus(self, code: u16) -> Self {
        Self(self.0.saturating_add(code))
    }
}

/// How bad a reason is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Severity {
    /// Packets went wrong.
    Error,
    /// Something to look at.
    Warn,
    /// A number worth knowing.
    Info,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
        })
    }
}

/// One reason of a node, as it is registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorReason {
    /// Its name in the segment, a word: `ttl_expired`.
    pub name: String,
    /// Its text in `show errors`: `ip4 ttl <= 1`.
    pub description: String,
    /// How bad it is.
    pub severity: Severity,
}

impl ErrorReason {
    /// A reason.
    #[must_use]
    pub fn new(name: &str, description: &str, severity: Severity) -> Self {
        Self { name: name.to_owned(), description: description.to_owned(), severity }
    }
}

/// The error counters of all nodes.
#[derive(Debug)]
pub struct ErrorCounters {
    counter: Simple,
    rows: Vec<(String, ErrorReason)>,
    bases: HashMap<String, ErrorIndex>,
}

/// A registered reason.
#[derive(Clone, Copy, Debug)]
pub struct ErrorRow<'a> {
    /// Its number.
    pub index: ErrorIndex,
    /// The node that has it.
    pub node: &'a str,
    /// The reason.
    pub reason: &'a ErrorReason,
    /// How often it was counted on all threads, since the last clear.
    pub count: u64,
}

impl ErrorCounters {
    /// Registers the counter.
    pub fn new(segment: &mut Segment) -> Result<Self, CounterError> {
        let counter = segment.simple(COUNTER, CAPACITY)?;
        Ok(Self { counter, rows: Vec::new(), bases: HashMap::new() })
    }

    /// Registers a node's reasons; their numbers follow each other from the one returned. A node registers once;
    /// all of its instances count under the same numbers.
    pub fn register(
        &mut self,
        segment: &mut Segment,
        node: &str,
        reasons: &[ErrorReason],
    ) -> Result<ErrorIndex, CounterError> {
        let base = self.rows.len();
        if self.bases.contains_key(node) {
            return Err(CounterError::NameTaken { name: format!("/err/{node}") });
        }
        self.counter.validate(base + reasons.len())?;
        let base = ErrorIndex(u16::try_from(base).unwrap_or(u16::MAX));
        segment.together(|segment| link_all(segment, node, base, reasons))?;
        self.rows.extend(reasons.iter().map(|reason| (node.to_owned(), reason.clone())));
        self.bases.insert(node.to_owned(), base);
        Ok(base)
    }

    /// Takes a thread's writer.
    pub fn writer(&self, thread: ThreadIndex) -> Result<ErrorWriter, CounterError> {
        self.counter.writer(thread).map(ErrorWriter)
    }

    /// The number of a node's first reason.
    #[must_use]
    pub fn base(&self, node: &str) -> Option<ErrorIndex> {
        self.bases.get(node).copied()
    }

    /// All reasons with their counts, in the order in which they were registered.
    pub fn rows(&self) -> impl Iterator<Item = ErrorRow<'_>> {
        (0..=u16::MAX).map_while(|index| self.row(ErrorIndex(index)))
    }

    /// One reason with its count.
    #[must_use]
    pub fn row(&self, index: ErrorIndex) -> Option<ErrorRow<'_>> {
        let (node, reason) = self.rows.get(usize::from(index.0))?;
        let count = self.counter.sum(u32::from(index.0));
        Some(ErrorRow { index, node, reason, count })
    }

    /// How often a thread counted a reason since the last clear.
    #[must_use]
    pub fn per_thread(&self, thread: ThreadIndex, index: ErrorIndex) -> u64 {
        self.counter.per_thread(thread, u32::from(index.0))
    }

    /// `clear errors`: starts from 0, for the readers of this process.
    pub fn clear(&self) {
        self.counter.clear();
    }
}

/// Counts errors on behalf of one thread.
#[derive(Debug)]
pub struct ErrorWriter(SimpleWriter);

impl ErrorWriter {
    /// Counts a reason `n` times.
    #[inline(always)]
    pub fn add(&self, error: ErrorIndex, n: u64) {
        self.0.add(u32::from(error.0), n);
    }
}

/// Links all of a node's reasons, or none.
fn link_all(
    segment: &mut Segment,
    node: &str,
    base: ErrorIndex,
    reasons: &[ErrorReason],
) -> Result<(), CounterError> {
    let path = |reason: &ErrorReason| format!("/err/{node}/{}", reason.name);
    for (done, (index, reason)) in (u32::from(base.0)..).zip(reasons).enumerate() {
        if let Err(error) = segment.link(&path(reason), COUNTER, index) {
            for reason in reasons.iter().take(done) {
                segment.remove(&path(reason))?;
            }
            return Err(error);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reasons(names: &[&str]) -> Vec<ErrorReason> {
        names.iter().map(|name| ErrorReason::new(name, "a text", Severity::Warn)).collect()
    }

    #[test]
    fn every_node_counts_its_own_reasons() {
        let mut segment = Segment::with_size(2, 4 << 20).unwrap();
        let mut errors = ErrorCounters::new(&mut segment).unwrap();
        let ip4 = errors.register(&mut segment, "ip4-input", &reasons(&["ttl", "csum"])).unwrap();
        let arp = errors.register(&mut segment, "arp-input", &reasons(&["bad"])).unwrap();
        let (main, worker) = (ThreadIndex::MAIN, ThreadIndex(1));
        let writers = [main, worker].map(|thread| errors.writer(thread).unwrap());
        writers[0].add(ip4.plus(1), 5);
        writers[1].add(ip4.plus(1), 2);
        writers[1].add(arp, 9);
        let seen: Vec<_> = errors.rows().map(|r| (r.node, &*r.reason.name, r.count)).collect();
        assert_eq!(
            seen,
            [("ip4-input", "ttl", 0), ("ip4-input", "csum", 7), ("arp-input", "bad", 9)]
        );
        assert_eq!(errors.per_thread(worker, ip4.plus(1)), 2);
        errors.clear();
        writers[1].add(arp, 1);
        assert_eq!(errors.rows().map(|r| r.count).collect::<Vec<_>>(), [0, 0, 1]);
        assert_eq!(errors.base("arp-input"), Some(arp));
        assert!(segment.contains("/err/ip4-input/csum"));
    }

    #[test]
    fn a_refused_registration_leaves_nothing_behind() {
        let mut segment = Segment::with_size(1, 4 << 20).unwrap();
        let mut errors = ErrorCounters::new(&mut segment).unwrap();
        let twice = reasons(&["one", "two", "one"]);
        let refused = errors.register(&mut segment, "node", &twice);
        assert!(matches!(refused, Err(CounterError::NameTaken { .. })));
        assert!(!segment.contains("/err/node/one") && !segment.contains("/err/node/two"));
        assert_eq!(errors.register(&mut segment, "node", &reasons(&["one"])).unwrap().0, 0);
        let again = errors.register(&mut segment, "node", &reasons(&["two"])).unwrap_err();
        assert_eq!(again.to_string(), "the stats segment has an entry /err/node already");
    }

    #[test]
    fn error_numbers_run_out_with_an_error() {
        let mut segment = Segment::with_size(1, 256 << 20).unwrap();
        let mut errors = ErrorCounters::new(&mut segment).unwrap();
        let many: Vec<_> =
            (0..CAPACITY).map(|i| ErrorReason::new(&i.to_string(), "", Severity::Error)).collect();
        errors.register(&mut segment, "big", &many).unwrap();
        let one_more = errors.register(&mut segment, "late", &reasons(&["x"])).unwrap_err();
        assert_eq!(one_more.to_string(), "/node/errors has room for 65536 elements, not for 65537");
        assert_eq!(errors.rows().count(), CAPACITY);
    }
}
