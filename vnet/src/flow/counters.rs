//! What a meter counts of itself.

use super::{EndReason, FragmentCounters, Unmeasured};

/// Counters of one meter.
///
/// At any moment `seen == measured + unmeasured`, and `measured` is the packets of all records made plus those of the
/// flows still held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets that were shown to the meter.
    pub seen: u64,
    /// Packets that were counted in a flow.
    pub measured: u64,
    /// Packets in records made so far.
    pub recorded: u64,
    /// Flows created.
    pub created: u64,
    /// Flows that made room for another one.
    pub evictions: u64,
    /// Fragments, where they are attributed to the flow of the first one.
    pub fragments: FragmentCounters,
    unmeasured: [u64; Unmeasured::ALL.len()],
    unmeasured_octets: [u64; Unmeasured::ALL.len()],
    records: [u64; 6],
}

impl Counters {
    /// Packets that were not measured, for one reason.
    #[must_use]
    pub fn unmeasured(&self, reason: Unmeasured) -> u64 {
        self.unmeasured[reason as usize]
    }

    /// Octets behind the link headers of those packets; of one whose link header cannot be read there are none.
    #[must_use]
    pub fn unmeasured_octets(&self, reason: Unmeasured) -> u64 {
        self.unmeasured_octets[reason as usize]
    }

    /// Records made, for one reason.
    #[must_use]
    pub fn records(&self, reason: EndReason) -> u64 {
        self.records[reason as usize]
    }

    /// Packets that were not measured, for any reason.
    #[must_use]
    pub fn unmeasured_total(&self) -> u64 {
        self.unmeasured.iter().sum()
    }

    /// Records made, for any reason.
    #[must_use]
    pub fn records_total(&self) -> u64 {
        self.records.iter().sum()
    }

    pub(super) fn count_unmeasured(&mut self, reason: Unmeasured, octets: u32) {
        self.unmeasured[reason as usize] += 1;
        self.unmeasured_octets[reason as usize] += u64::from(octets);
    }

    pub(super) fn count_record(&mut self, reason: EndReason, packets: u64) {
        self.records[reason as usize] += 1;
        self.recorded += packets;
    }
}

impl core::ops::AddAssign for Counters {
    fn add_assign(&mut self, other: Self) {
        self.seen += other.seen;
        self.measured += other.measured;
        self.recorded += other.recorded;
        self.created += other.created;
        self.evictions += other.evictions;
        self.fragments += other.fragments;
        let unmeasured = self.unmeasured.iter_mut().zip(other.unmeasured);
        let octets = self.unmeasured_octets.iter_mut().zip(other.unmeasured_octets);
        let records = self.records.iter_mut().zip(other.records);
        unmeasured.chain(octets).chain(records).for_each(|(sum, more)| *sum += more);
    }
}
