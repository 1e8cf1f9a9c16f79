//! What the MAC table knows of an address, in one word.

use bitflags::bitflags;

use super::BdIndex;
use crate::{interface::SwIfIndex, runtime::EngineTime, wire::ethernet::MacWord};

/// An address in a bridge domain, as the table looks for it: the octets in order from the lowest bit on, above them the index of
/// the domain, which is never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct MacKey(pub(super) u64);

impl MacKey {
    /// The key of `mac` in the domain `of`.
    #[inline(always)]
    #[must_use]
    pub const fn new(of: BdIndex, mac: MacWord) -> Self {
        Self(mac.get() | ((of.0 as u64) << 48))
    }

    /// The domain.
    #[must_use]
    pub const fn domain(self) -> BdIndex {
        BdIndex((self.0 >> 48) as u16)
    }

    /// The address.
    #[must_use]
    pub const fn mac(self) -> [u8; 6] {
        let [a, b, c, d, e, f, ..] = self.0.to_le_bytes();
        [a, b, c, d, e, f]
    }

    /// Whether a station can have the address: it is no group's, and not zero.
    #[inline(always)]
    #[must_use]
    pub const fn is_unicast(self) -> bool {
        self.0 & 1 == 0 && self.0 & MacWord::MASK != 0
    }
}

bitflags! {
    /// How an entry came to be and what it asks for.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct EntryFlags: u8 {
        /// Marks a word that is an entry at all.
        const PRESENT = 1 << 0;
        /// Learning does not move it.
        const STATIC = 1 << 1;
        /// It does not age.
        const AGE_NOT = 1 << 2;
        /// Frames from and to it are dropped.
        const FILTER = 1 << 3;
        /// It is the address of the domain's BVI.
        const BVI = 1 << 4;
        /// Packets made it.
        const LEARNED = 1 << 5;
    }
}

/// What is known of an address: its interface (24 bits), the epoch of that when it was noted (20 bits), the minute in which a
/// frame of it was seen last (12 bits), and flags (8 bits).
///
/// Entries of another epoch than their interface's are void: a new epoch flushes all entries of an interface at once.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub struct Entry(pub(super) u64);

const PORT_BITS: u32 = 24;
const EPOCH_AT: u32 = PORT_BITS;
const EPOCH_BITS: u32 = 20;
const MINUTE_AT: u32 = EPOCH_AT + EPOCH_BITS;
const MINUTE_BITS: u32 = 12;
const FLAGS_AT: u32 = MINUTE_AT + MINUTE_BITS;

const fn ones(bits: u32) -> u64 {
    (1 << bits) - 1
}

impl Entry {
    /// An interface with a larger number cannot be bridged.
    pub const MAX_PORT: u32 = ones(PORT_BITS) as u32;
    /// Everything but the minute.
    pub const LASTING: u64 = !(ones(MINUTE_BITS) << MINUTE_AT);

    /// An entry of the interface `port`.
    #[inline]
    #[must_use]
    pub const fn new(port: SwIfIndex, epoch: Epoch, minute: Minute, flags: EntryFlags) -> Self {
        let flags = flags.bits() | EntryFlags::PRESENT.bits();
        Self(
            (port.0 & Self::MAX_PORT) as u64
                | ((epoch.0 as u64 & ones(EPOCH_BITS)) << EPOCH_AT)
                | ((minute.0 as u64) << MINUTE_AT)
                | ((flags as u64) << FLAGS_AT),
        )
    }

    /// The word.
    #[inline(always)]
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Interface and flags of a word, for traces; no flag is set where it is no entry.
    #[must_use]
    pub const fn parts(word: u64) -> (SwIfIndex, EntryFlags) {
        (Self(word).port(), Self(word).flags())
    }

    /// Its interface.
    #[inline]
    #[must_use]
    pub const fn port(self) -> SwIfIndex {
        SwIfIndex((self.0 & ones(PORT_BITS)) as u32)
    }

    /// The epoch of its interface when it was noted.
    #[inline]
    #[must_use]
    pub const fn epoch(self) -> Epoch {
        Epoch(((self.0 >> EPOCH_AT) & ones(EPOCH_BITS)) as u32)
    }

    /// When a frame of it was seen last.
    #[inline]
    #[must_use]
    pub const fn minute(self) -> Minute {
        Minute(((self.0 >> MINUTE_AT) & ones(MINUTE_BITS)) as u16)
    }

    /// Its flags.
    #[inline]
    #[must_use]
    pub const fn flags(self) -> EntryFlags {
        EntryFlags::from_bits_truncate((self.0 >> FLAGS_AT) as u8)
    }
}

/// Which entries of an interface hold: those of the present epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Epoch(pub(super) u32);

impl Epoch {
    /// So many epochs are told apart.
    pub(super) const COUNT: u32 = 1 << EPOCH_BITS;

    /// The one behind this.
    pub(super) const fn next(self) -> Self {
        Self((self.0 + 1) % Self::COUNT)
    }
}

/// Minutes of engine time, as far as entries tell them apart: they begin again after 68 hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Minute(u16);

impl Minute {
    /// The minute of `now`.
    #[inline]
    #[must_use]
    pub const fn of(now: EngineTime) -> Self {
        Self(((now.0 / 60_000_000_000) & ones(MINUTE_BITS)) as u16)
    }

    /// Minutes from `earlier` to this one.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u16 {
        self.0.wrapping_sub(earlier.0) & ones(MINUTE_BITS) as u16
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::ethernet::MacAddress;

    #[test]
    fn an_entry_keeps_all_of_its_parts_apart() {
        let most = Entry::new(
            SwIfIndex(Entry::MAX_PORT),
            Epoch(Epoch::COUNT - 1),
            Minute(0xfff),
            EntryFlags::all(),
        );
        assert_eq!((most.port().0, most.epoch().0), (0xff_ffff, 0xf_ffff));
        assert_eq!((most.minute(), most.flags()), (Minute(0xfff), EntryFlags::all()));
        let none = Entry::new(SwIfIndex(0), Epoch(0), Minute(0), EntryFlags::empty());
        assert_eq!(none.flags(), EntryFlags::PRESENT);
        assert_eq!((none.port().0, none.epoch().0, none.minute().0), (0, 0, 0));
        let one = Entry::new(SwIfIndex(1), Epoch(2), Minute(3), EntryFlags::STATIC);
        assert_eq!((one.port().0, one.epoch().0, one.minute().0), (1, 2, 3));
        let later = Entry::new(SwIfIndex(1), Epoch(2), Minute(9), EntryFlags::STATIC);
        assert_eq!(one.get() & Entry::LASTING, later.get() & Entry::LASTING);
        assert_eq!(Epoch(Epoch::COUNT - 1).next(), Epoch(0));
    }

    #[test]
    fn minutes_are_counted_over_the_end() {
        let minutes = |n: u64| Minute::of(EngineTime(n * 60_000_000_000 + 59_999_999_999));
        assert_eq!(minutes(5).since(minutes(2)), 3);
        assert_eq!(minutes(4098).since(minutes(4095)), 3);
        assert_eq!(minutes(4096), minutes(0));
    }

    #[test]
    fn a_key_is_an_address_and_a_domain() {
        let mac = [2, 3, 5, 7, 11, 13];
        let key = MacKey::new(BdIndex(0xfffe), MacAddress(mac).into());
        assert_eq!((key.mac(), key.domain()), (mac, BdIndex(0xfffe)));
        assert!(key.is_unicast());
        for other in [[1, 3, 5, 7, 11, 13], [0xff; 6], [0; 6]] {
            assert!(!MacKey::new(BdIndex(1), MacAddress(other).into()).is_unicast());
        }
    }
}
