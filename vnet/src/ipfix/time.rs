//! Times as IPFIX encodes them and as people read them.

use core::fmt;

use super::elements::Units;

/// Seconds from 1900 (NTP) to 1970 (Unix).
pub const NTP_TO_UNIX: u64 = 2_208_988_800;
const NANOS: u64 = 1_000_000_000;
/// Last second that RFC 3339 can write: the end of year 9999.
const LAST_SECOND: i64 = 253_402_300_799;

/// How finely a time is known, which is how many digits it is written with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Precision {
    /// No digits behind the seconds.
    Seconds,
    /// 3 digits.
    Milliseconds,
    /// 6 digits.
    Microseconds,
    /// 9 digits.
    Nanoseconds,
}

impl Precision {
    /// The unit of the last known digit.
    #[must_use]
    pub const fn units(self) -> Units {
        match self {
            Self::Seconds => Units::Seconds,
            Self::Milliseconds => Units::Milliseconds,
            Self::Microseconds => Units::Microseconds,
            Self::Nanoseconds => Units::Nanoseconds,
        }
    }

    const fn digits(self) -> usize {
        match self {
            Self::Seconds => 0,
            Self::Milliseconds => 3,
            Self::Microseconds => 6,
            Self::Nanoseconds => 9,
        }
    }

    /// Nanoseconds in the unit of the last known digit.
    const fn step(self) -> u32 {
        match self {
            Self::Seconds => 1_000_000_000,
            Self::Milliseconds => 1_000_000,
            Self::Microseconds => 1_000,
            Self::Nanoseconds => 1,
        }
    }
}

/// A point in time (UTC), as finely as its source knew it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Timestamp {
    /// Seconds since 1970-01-01T00:00:00Z; negative before.
    pub seconds: i64,
    /// Nanoseconds of that second, 0 to 999,999,999; a multiple of the precision's unit.
    pub nanos: u32,
    /// How many digits of it are known.
    pub precision: Precision,
}

impl Timestamp {
    /// From dateTimeSeconds.
    #[must_use]
    pub fn from_unix_seconds(seconds: u32) -> Self {
        Self { seconds: i64::from(seconds), nanos: 0, precision: Precision::Seconds }
    }

    /// From dateTimeMilliseconds.
    #[must_use]
    pub fn from_unix_millis(millis: u64) -> Self {
        Self {
            seconds: i64::try_from(millis / 1000).unwrap_or(i64::MAX),
            nanos: (millis % 1000) as u32 * 1_000_000,
            precision: Precision::Milliseconds,
        }
    }

    /// From nanoseconds since 1970, of which only those that `precision` knows are kept.
    #[must_use]
    pub fn from_unix_nanos(nanos: u64, precision: Precision) -> Self {
        let fraction = (nanos % NANOS) as u32;
        Self {
            seconds: i64::try_from(nanos / NANOS).unwrap_or(i64::MAX),
            nanos: fraction - fraction % precision.step(),
            precision,
        }
    }

    /// From dateTimeMicroseconds or dateTimeNanoseconds (RFC 7011 sections 6.1.9 and 6.1.10): NTP seconds since 1900
    /// and a fraction of 2^-32. NTP seconds wrap in 2036: values below 2^31 are read as 2036 to 2104, the others as
    /// 1968 to 2036. For microseconds the lowest 11 bits of the fraction are ignored.
    #[must_use]
    pub fn from_ntp(ntp: u64, precision: Precision) -> Self {
        let wrapped = ntp >> 32;
        let era = if wrapped < 1 << 31 { 1 << 32 } else { 0 };
        let mask = if precision < Precision::Nanoseconds { 0xffff_f800 } else { 0xffff_ffff };
        let fraction = ntp & mask;
        // In whole steps of the precision, to the nearest: encoders round down or up as they like.
        let step = u64::from(precision.step());
        let steps = (fraction * (NANOS / step) + (1 << 31)) >> 32;
        let nanos = steps * step;
        Self {
            seconds: (wrapped + era + nanos / NANOS).cast_signed() - NTP_TO_UNIX.cast_signed(),
            nanos: (nanos % NANOS) as u32,
            precision,
        }
    }

    /// Since 1970, in units of the precision.
    #[must_use]
    pub fn count(self) -> i128 {
        let nanos = i128::from(self.seconds) * i128::from(NANOS) + i128::from(self.nanos);
        nanos.div_euclid(i128::from(self.precision.step()))
    }

    /// Whether RFC 3339 has a form for it: years 0 to 9999.
    #[must_use]
    pub fn is_rfc3339(self) -> bool {
        (-62_167_219_200..=LAST_SECOND).contains(&self.seconds)
    }

    /// Appends the RFC 3339 form, UTC with `Z`, with every known digit; a time that RFC 3339 cannot write is not a
    /// time of day to anyone, and is written as [`Self::count`].
    pub fn write(self, out: &mut Vec<u8>) {
        if !self.is_rfc3339() {
            out.extend_from_slice(self.count().to_string().as_bytes());
            return;
        }
        let (year, month, day) = civil(self.seconds.div_euclid(86_400));
        let second = self.seconds.rem_euclid(86_400) as u32;
        let mut text = *b"0000-00-00T00:00:00.000000000Z";
        decimal(&mut text[0..4], year);
        decimal(&mut text[5..7], month);
        decimal(&mut text[8..10], day);
        decimal(&mut text[11..13], second / 3600);
        decimal(&mut text[14..16], second / 60 % 60);
        decimal(&mut text[17..19], second % 60);
        decimal(&mut text[20..29], self.nanos);
        let end = match self.precision.digits() {
            0 => 19,
            digits => 20 + digits,
        };
        out.extend_from_slice(&text[..end]);
        out.push(b'Z');
    }
}

/// [`Timestamp::write`].
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::with_capacity(32);
        self.write(&mut text);
        f.write_str(&String::from_utf8_lossy(&text))
    }
}

/// dateTimeNanoseconds of a time in nanoseconds since 1970, to the nearest 2^-32 second.
#[must_use]
pub fn ntp_from_unix_nanos(nanos: u64) -> u64 {
    let seconds = (nanos / NANOS + NTP_TO_UNIX) & 0xffff_ffff;
    // Below 2^32 even when rounded up: the last nanosecond of a second is 4.3 units away from the next.
    let fraction = (((nanos % NANOS) << 32) + NANOS / 2) / NANOS;
    seconds << 32 | fraction
}

/// dateTimeMicroseconds of a time in nanoseconds since 1970: whole microseconds, and the lowest 11 bits zero. The
/// fraction is rounded up to the next multiple of 2^11 so that a receiver who rounds down finds the same microsecond.
#[must_use]
pub fn ntp_micros_from_unix_nanos(nanos: u64) -> u64 {
    let seconds = (nanos / NANOS + NTP_TO_UNIX) & 0xffff_ffff;
    let micros = nanos % NANOS / 1000;
    let fraction = ((micros << 32).div_ceil(1_000_000) + 0x7ff) & !0x7ff;
    seconds << 32 | fraction
}

/// Year, month and day of a day counted from 1970-01-01, in the proleptic Gregorian calendar, for years 0 to 9999.
fn civil(day: i64) -> (u32, u32, u32) {
    // Years are counted from 1 March, so that the leap day is the last day of one.
    let day = day + 719_468;
    let era = day.div_euclid(146_097);
    let day = day.rem_euclid(146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day_of_month = day - (153 * month + 2) / 5 + 1;
    let january_first = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + i64::from(january_first <= 2);
    (year as u32, january_first as u32, day_of_month as u32)
}

/// Writes `value` right-aligned into the digits.
fn decimal(digits: &mut [u8], mut value: u32) {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(nanos: u64, precision: Precision) -> String {
        Timestamp::from_unix_nanos(nanos, precision).to_string()
    }

    #[test]
    fn times_have_exactly_the_digits_that_are_known() {
        let nanos = 1_600_000_000_123_456_789;
        assert_eq!(text(nanos, Precision::Seconds), "2020-09-13T12:26:40Z");
        assert_eq!(text(nanos, Precision::Milliseconds), "2020-09-13T12:26:40.123Z");
        assert_eq!(text(nanos, Precision::Microseconds), "2020-09-13T12:26:40.123456Z");
        assert_eq!(text(nanos, Precision::Nanoseconds), "2020-09-13T12:26:40.123456789Z");
        assert_eq!(text(0, Precision::Milliseconds), "1970-01-01T00:00:00.000Z");
    }

    /// Dates worked out by `date -u -d @N`.
    #[test]
    fn calendar_edges_are_right() {
        for (seconds, date) in [
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_799, "2000-02-29T23:59:59Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_709_164_800, "2024-02-29T00:00:00Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (u32::MAX, "2106-02-07T06:28:15Z"),
        ] {
            assert_eq!(Timestamp::from_unix_seconds(seconds).to_string(), date);
        }
        let end = Timestamp::from_unix_millis(253_402_300_799_999);
        assert_eq!(end.to_string(), "9999-12-31T23:59:59.999Z");
        let beyond = Timestamp::from_unix_millis(253_402_300_800_000);
        assert_eq!(beyond.to_string(), "253402300800000");
        let ntp_start = Timestamp::from_ntp(1 << 63, Precision::Nanoseconds);
        assert_eq!(ntp_start.to_string(), "1968-01-20T03:14:08.000000000Z");
    }

    #[test]
    fn ntp_wraps_in_2036() {
        let last = Timestamp::from_ntp(0xffff_ffff_8000_0000, Precision::Nanoseconds);
        assert_eq!(last.to_string(), "2036-02-07T06:28:15.500000000Z");
        let first = Timestamp::from_ntp(0x0000_0000_4000_0000, Precision::Nanoseconds);
        assert_eq!(first.to_string(), "2036-02-07T06:28:16.250000000Z");
        let rounded = Timestamp::from_ntp(0x8000_0000_ffff_ffff, Precision::Nanoseconds);
        assert_eq!(rounded.to_string(), "1968-01-20T03:14:09.000000000Z");
    }

    #[test]
    fn low_bits_of_microsecond_times_are_ignored() {
        let noisy = Timestamp::from_ntp(0xe000_0000_8000_07ff, Precision::Microseconds);
        assert_eq!(noisy, Timestamp::from_ntp(0xe000_0000_8000_0000, Precision::Microseconds));
        assert_eq!(noisy.nanos, 500_000_000);
    }

    proptest! {
        #[test]
        fn nanoseconds_survive_ntp(nanos in 0..4_200_000_000_u64 * NANOS) {
            let back = Timestamp::from_ntp(ntp_from_unix_nanos(nanos), Precision::Nanoseconds);
            prop_assert_eq!(back, Timestamp::from_unix_nanos(nanos, Precision::Nanoseconds));
        }

        #[test]
        fn microseconds_survive_ntp(nanos in 0..4_200_000_000_u64 * NANOS) {
            let ntp = ntp_micros_from_unix_nanos(nanos);
            prop_assert_eq!(ntp & 0x7ff, 0);
            let back = Timestamp::from_ntp(ntp, Precision::Microseconds);
            prop_assert_eq!(back, Timestamp::from_unix_nanos(nanos, Precision::Microseconds));
        }

        #[test]
        fn counts_are_in_units_of_the_precision(millis in any::<u64>()) {
            prop_assert_eq!(Timestamp::from_unix_millis(millis).count(), i128::from(millis));
        }
    }
}
