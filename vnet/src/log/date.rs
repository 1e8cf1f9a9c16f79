//! Wall-clock time as the log prints it.

use std::time::{Duration, SystemTime};

/// `2026/11/21 03:20:00:123`: UTC, with milliseconds. Times before 1970 print as 1970.
pub(super) fn date_and_time(wall: SystemTime) -> String {
    let since_epoch = wall.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let seconds = since_epoch.as_secs();
    let (year, month, day) = civil(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    let milliseconds = since_epoch.subsec_millis();
    format!("{year}/{month:02}/{day:02} {hour:02}:{minute:02}:{second:02}:{milliseconds:03}")
}

/// Year, month and day of a day counted from 1970-01-01 in the Gregorian calendar.
fn civil(days: u64) -> (u64, u64, u64) {
    // Counted from 0000-03-01, so that leap days end the years and months have a period of 153 days in five.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64, milliseconds: u64) -> String {
        let since = Duration::from_secs(seconds) + Duration::from_millis(milliseconds);
        date_and_time(SystemTime::UNIX_EPOCH + since)
    }

    #[test]
    fn known_moments_print_as_the_calendar_says() {
        // From `date -u -d @SECONDS`.
        assert_eq!(at(0, 0), "1970/01/01 00:00:00:000");
        assert_eq!(at(951_782_399, 999), "2000/02/28 23:59:59:999");
        assert_eq!(at(951_782_400, 0), "2000/02/29 00:00:00:000");
        assert_eq!(at(951_868_800, 0), "2000/03/01 00:00:00:000");
        assert_eq!(at(1_795_231_200, 123), "2026/11/21 03:20:00:123");
        assert_eq!(at(4_107_542_399, 0), "2100/02/28 23:59:59:000");
        assert_eq!(at(4_107_542_400, 0), "2100/03/01 00:00:00:000");
        assert_eq!(
            date_and_time(SystemTime::UNIX_EPOCH - Duration::from_secs(5)),
            "1970/01/01 00:00:00:000"
        );
    }

    #[test]
    fn every_day_of_four_centuries_follows_its_day_before() {
        let mut expected = (1970, 1, 1);
        for day in 0..146_097 * 2 {
            assert_eq!(civil(day), expected);
            let (year, month, date) = expected;
            let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
            let length = match month {
                2 if leap => 29,
                2 => 28,
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            expected = match (month, date) {
                (12, 31) => (year + 1, 1, 1),
                (_, date) if date == length => (year, month + 1, 1),
                _ => (year, month, date + 1),
            };
        }
    }
}
