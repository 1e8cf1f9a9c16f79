//! Whose packets an observer tells of, and for how many packets each of them stands.

use core::num::{NonZeroU16, NonZeroU32};

/// For how many packets each measured one stands: `packets / of`, at least 1. What was counted is scaled when it is told, so that
/// sums are those of all packets as near as sampling knows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    packets: NonZeroU32,
    of: NonZeroU16,
}

impl Rate {
    /// Every packet is measured.
    pub const ALL: Self = Self { packets: NonZeroU32::MIN, of: NonZeroU16::MIN };

    /// One packet of `n` is measured.
    #[must_use]
    pub const fn one_in(n: NonZeroU32) -> Self {
        Self { packets: n, of: NonZeroU16::MIN }
    }

    /// Packets are measured with a probability of `p` of 65,535.
    #[must_use]
    pub const fn of_65535(p: NonZeroU16) -> Self {
        Self { packets: NonZeroU32::new(65_535).unwrap(), of: p }
    }

    /// From the words of a key; zeros are of no packet.
    pub(super) const fn from_words(packets: u32, of: u16) -> Self {
        match (NonZeroU32::new(packets), NonZeroU16::new(of)) {
            (Some(packets), Some(of)) => Self { packets, of },
            _ => Self::ALL,
        }
    }

    pub(super) const fn words(self) -> (u32, u16) {
        (self.packets.get(), self.of.get())
    }

    /// The probability with which a packet is measured, above 0 and up to 1.
    #[must_use]
    pub fn probability(self) -> f64 {
        f64::from(self.of.get()) / f64::from(self.packets.get())
    }

    /// For how many a count of measured ones stands, to the nearest whole number; as much as 64 bits hold.
    #[must_use]
    pub fn scale(self, count: u64) -> u64 {
        let (packets, of) = (u128::from(self.packets.get()), u128::from(self.of.get()));
        let scaled = (u128::from(count) * packets + of / 2) / of;
        u64::try_from(scaled).unwrap_or(u64::MAX)
    }
}

/// Where an observer that samples has its packets from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Site {
    /// Observation domain.
    pub domain: u32,
    /// observationPointId (IANA element 138).
    pub point: u32,
    /// How packets are sampled there.
    pub rate: Rate,
}

impl Site {
    /// None.
    pub const NONE: Self = Self { domain: 0, point: 0, rate: Rate::ALL };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_scaled_to_the_nearest_whole_number() {
        let one_in = |n| Rate::one_in(NonZeroU32::new(n).unwrap());
        let of = |p| Rate::of_65535(NonZeroU16::new(p).unwrap());
        assert_eq!(Rate::ALL.scale(7), 7);
        // Where a 32-bit probability would have 100,001 and 1,000,225.
        assert_eq!((one_in(100_000).scale(3), one_in(1_000_000).scale(1)), (300_000, 1_000_000));
        assert_eq!((of(65_535).scale(5), of(32_768).scale(100), of(1).scale(2)), (5, 200, 131_070));
        assert_eq!(one_in(u32::MAX).scale(u64::MAX), u64::MAX);
    }
}
