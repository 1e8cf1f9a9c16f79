//! How a capture's ticks become packet time.

use vnet::runtime::PacketTime;

const NANOS: u64 = 1_000_000_000;

/// The unit and the origin of an interface's timestamps (pcapng `if_tsresol` and `if_tsoffset`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimeScale {
    unit: Unit,
    offset_seconds: i64,
    digits: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    /// A tick is so many nanoseconds.
    Nanos(u64),
    /// So many ticks are a nanosecond.
    PerNano(u128),
    /// A tick is 2 to the minus so many seconds.
    Binary(u8),
}

impl TimeScale {
    /// From the octet of `if_tsresol`: a negative power of 10, or with the top bit set, of 2.
    pub(super) fn from_resolution(octet: u8, offset_seconds: i64) -> Self {
        let power = octet & 0x7f;
        let (unit, digits) = if octet & 0x80 != 0 {
            // log10(2) as a fraction, rounded up: enough digits to tell two ticks apart.
            (Unit::Binary(power), (u32::from(power) * 30103).div_ceil(100_000))
        } else if power <= 9 {
            (Unit::Nanos(10_u64.pow(9 - u32::from(power))), u32::from(power))
        } else {
            let ticks = 10_u128.checked_pow(u32::from(power) - 9).unwrap_or(u128::MAX);
            (Unit::PerNano(ticks), 9)
        };
        Self { unit, offset_seconds, digits: digits.min(9) as u8 }
    }

    /// Decimal digits of a second that a time has.
    #[inline]
    pub(super) const fn digits(&self) -> u8 {
        self.digits
    }

    /// The time of `ticks`, rounded down to a nanosecond and moved to the nearest time that there is.
    #[inline]
    pub(super) fn time(&self, ticks: u64) -> PacketTime {
        match (self.unit, self.offset_seconds) {
            (Unit::Nanos(nanos), 0) => PacketTime(ticks.saturating_mul(nanos)),
            _ => self.time_at_length(ticks),
        }
    }

    fn time_at_length(&self, ticks: u64) -> PacketTime {
        let ticks = u128::from(ticks);
        // Below 2^94 in every case, so the sum is exact in 128 bits.
        let nanos = match self.unit {
            Unit::Nanos(nanos) => ticks * u128::from(nanos),
            Unit::PerNano(count) => ticks / count,
            Unit::Binary(power) => (ticks * u128::from(NANOS)) >> power,
        };
        let offset = i128::from(self.offset_seconds) * i128::from(NANOS);
        let sum = (nanos as i128 + offset).max(0);
        PacketTime(u64::try_from(sum).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_of_every_resolution_become_nanoseconds() {
        // (if_tsresol, if_tsoffset, ticks, nanoseconds, digits)
        let cases = [
            (6, 0, 1_700_000_000_123_456, 1_700_000_000_123_456_000, 6),
            (9, 0, 1_700_000_000_123_456_789, 1_700_000_000_123_456_789, 9),
            (0, 0, 5, 5_000_000_000, 0),
            (3, 10, 1500, 11_500_000_000, 3),
            (12, 0, 1_999, 1, 9),
            (127, 0, u64::MAX, 0, 9),
            (0x80 | 10, 0, 1024 + 512, 1_500_000_000, 4),
            (0x80 | 32, 0, 3 << 31, 1_500_000_000, 9),
            (0x80 | 127, 0, u64::MAX, 0, 9),
            (0x80, 0, 2, 2_000_000_000, 0),
            (6, -1, 500_000, 0, 6),
            (6, -1, 1_500_000, 500_000_000, 6),
            (6, i64::MAX, 1, u64::MAX, 6),
            (6, i64::MIN, u64::MAX, 0, 6),
            (0, 0, u64::MAX, u64::MAX, 0),
        ];
        for (octet, offset, ticks, nanos, digits) in cases {
            let scale = TimeScale::from_resolution(octet, offset);
            assert_eq!(scale.time(ticks), PacketTime(nanos), "{octet:#x} {offset} {ticks}");
            assert_eq!(scale.digits(), digits, "{octet:#x}");
        }
    }
}
