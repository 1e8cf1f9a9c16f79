//! The heap of error counters: every node's reasons, one simple counter for all.

use super::{CounterError, Segment, Simple, SimpleWriter, ThreadIndex};
use crate::error::{ForwardingStatus, Statuses};
use core::fmt;
use std::{collections::HashMap, sync::Arc};

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

/// By what a reason's entry in the segment is called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EntryName {
    /// By its name, with underscores.
    #[default]
    Name,
    /// By its text: VPP calls counters so whose nodes are older than its named ones.
    Text,
}

/// One reason of a node, as it is registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorReason {
    /// Its name, a word: `ttl-expired`.
    pub name: String,
    /// Its text in `show errors`: `ip4 ttl <= 1`.
    pub description: String,
    /// How bad it is.
    pub severity: Severity,
    /// What became of a packet that was dropped for it.
    pub status: ForwardingStatus,
    /// By which of the two the segment has it.
    pub entry: EntryName,
}

impl ErrorReason {
    /// A reason that has no forwarding status of its own, and is in the segment by its name.
    #[must_use]
    pub fn new(name: &str, description: &str, severity: Severity) -> Self {
        let (name, description) = (name.to_owned(), description.to_owned());
        let (status, entry) = (ForwardingStatus::default(), EntryName::default());
        Self { name, description, severity, status, entry }
    }

    /// The last part of its entry's name in the segment.
    fn entry_name(&self) -> String {
        match self.entry {
            EntryName::Name => self.name.replace('-', "_"),
            EntryName::Text => self.description.clone(),
        }
    }
}

/// The error counters of all nodes.
#[derive(Debug)]
pub struct ErrorCounters {
    counter: Simple,
    rows: Vec<(String, ErrorReason)>,
    bases: HashMap<String, ErrorIndex>,
    statuses: Arc<Statuses>,
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
        let statuses = Arc::new(Statuses::new(CAPACITY));
        Ok(Self { counter, rows: Vec::new(), bases: HashMap::new(), statuses })
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
        for (code, reason) in (0..=u16::MAX).zip(reasons) {
            self.statuses.set(base.plus(code), reason.status);
        }
        self.rows.extend(reasons.iter().map(|reason| (node.to_owned(), reason.clone())));
        self.bases.insert(node.to_owned(), base);
        Ok(base)
    }

    /// Takes a thread's writer.
    pub fn writer(&self, thread: ThreadIndex) -> Result<ErrorWriter, CounterError> {
        let counter = self.counter.writer(thread)?;
        Ok(ErrorWriter { counter, statuses: self.statuses.clone() })
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
pub struct ErrorWriter {
    counter: SimpleWriter,
    statuses: Arc<Statuses>,
}

impl ErrorWriter {
    /// Counts a reason `n` times.
    #[inline(always)]
    pub fn add(&self, error: ErrorIndex, n: u64) {
        self.counter.add(u32::from(error.0), n);
    }

    /// forwardingStatus of a packet that was dropped for `error`, see [`ForwardingStatus`].
    #[inline]
    pub(crate) fn forwarding_status(&self, error: ErrorIndex) -> u8 {
        self.statuses.get(error)
    }
}

/// Links all of a node's reasons, or none.
fn link_all(
    segment: &mut Segment,
    node: &str,
    base: ErrorIndex,
    reasons: &[ErrorReason],
) -> Result<(), CounterError> {
    let path = |reason: &ErrorReason| format!("/err/{node}/{}", reason.entry_name());
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
        let ip4 =
            errors.register(&mut segment, "ip4-input", &reasons(&["ttl", "bad-csum"])).unwrap();
        let arp = errors.register(&mut segment, "arp-input", &reasons(&["bad"])).unwrap();
        let (main, worker) = (ThreadIndex::MAIN, ThreadIndex(1));
        let writers = [main, worker].map(|thread| errors.writer(thread).unwrap());
        writers[0].add(ip4.plus(1), 5);
        writers[1].add(ip4.plus(1), 2);
        writers[1].add(arp, 9);
        let seen: Vec<_> = errors.rows().map(|r| (r.node, &*r.reason.name, r.count)).collect();
        assert_eq!(
            seen,
            [("ip4-input", "ttl", 0), ("ip4-input", "bad-csum", 7), ("arp-input", "bad", 9)]
        );
        assert_eq!(errors.per_thread(worker, ip4.plus(1)), 2);
        errors.clear();
        writers[1].add(arp, 1);
        assert_eq!(errors.rows().map(|r| r.count).collect::<Vec<_>>(), [0, 0, 1]);
        assert_eq!(errors.base("arp-input"), Some(arp));
        assert!(segment.contains("/err/ip4-input/bad_csum"));
    }

    #[test]
    fn reasons_of_nodes_that_vpp_names_by_texts_are_in_the_segment_by_their_texts() {
        let mut segment = Segment::with_size(1, 4 << 20).unwrap();
        let mut errors = ErrorCounters::new(&mut segment).unwrap();
        let mut hit = ErrorReason::new("hit", "input ACL hits", Severity::Info);
        hit.entry = EntryName::Text;
        errors.register(&mut segment, "ip4-inacl", &[hit]).unwrap();
        assert!(segment.contains("/err/ip4-inacl/input ACL hits"));
        assert!(!segment.contains("/err/ip4-inacl/hit"));
    }

    #[test]
    fn packets_have_the_forwarding_status_of_the_reason_they_were_dropped_for() {
        let mut segment = Segment::with_size(1, 4 << 20).unwrap();
        let mut errors = ErrorCounters::new(&mut segment).unwrap();
        errors.register(&mut segment, "first", &reasons(&["a", "b"])).unwrap();
        let [mut policer, plain] = ["policed", "other"].map(|name| reasons(&[name]).remove(0));
        policer.status = ForwardingStatus::Policer;
        let base = errors.register(&mut segment, "second", &[plain, policer]).unwrap();
        let writer = errors.writer(ThreadIndex::MAIN).unwrap();
        let status = |error| writer.forwarding_status(error);
        // RFC 7270 section 4.12: dropped, unknown; dropped, policer.
        assert_eq!([status(base), status(base.plus(1))], [128, 138]);
        assert_eq!([status(ErrorIndex::NONE), status(ErrorIndex(u16::MAX))], [128, 128]);
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
