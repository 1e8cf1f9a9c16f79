//! What became of a packet, in words that collectors know.

use core::sync::atomic::{AtomicU8, Ordering};

use super::ErrorIndex;

/// forwardingStatus (IANA element 89, RFC 7270 section 4.12): two bits that say what became of a packet, six why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ForwardingStatus {
    /// Not known.
    Unknown = 0,
    /// Forwarded.
    Forwarded = 64,
    /// Dropped for a reason that has no number of its own.
    #[default]
    Dropped = 128,
    /// An access list denied it.
    AclDeny = 129,
    /// An access list dropped it.
    AclDrop = 130,
    /// There is no route.
    Unroutable = 131,
    /// The next hop cannot be reached.
    Adjacency = 132,
    /// It is too long for the way out, and is not to be fragmented.
    FragmentationAndDf = 133,
    /// The checksum of its header is wrong.
    BadHeaderChecksum = 134,
    /// Its total length is wrong.
    BadTotalLength = 135,
    /// The length of its header is wrong.
    BadHeaderLength = 136,
    /// Its TTL or hop limit ran out.
    BadTtl = 137,
    /// A policer dropped it.
    Policer = 138,
    /// Weighted random early detection dropped it.
    Wred = 139,
    /// Its source cannot be reached by the way that it came.
    Rpf = 140,
    /// It was for this machine, which has no use for it.
    ForUs = 141,
    /// The interface that is to send it cannot.
    BadOutputInterface = 142,
    /// A failure of hardware.
    Hardware = 143,
}

/// The statuses of all errors, by their number. The main thread writes one before any packet has its error.
#[derive(Debug)]
pub(crate) struct Statuses(Box<[AtomicU8]>);

impl Statuses {
    /// For so many errors.
    pub(crate) fn new(errors: usize) -> Self {
        let dropped = || AtomicU8::new(ForwardingStatus::Dropped as u8);
        Self(core::iter::repeat_with(dropped).take(errors).collect())
    }

    pub(crate) fn set(&self, error: ErrorIndex, status: ForwardingStatus) {
        if let Some(place) = self.0.get(usize::from(error.0)) {
            place.store(status as u8, Ordering::Relaxed);
        }
    }

    /// As it is exported.
    #[inline]
    pub(crate) fn get(&self, error: ErrorIndex) -> u8 {
        let place = self.0.get(usize::from(error.0));
        place.map_or(ForwardingStatus::Dropped as u8, |status| status.load(Ordering::Relaxed))
    }
}
