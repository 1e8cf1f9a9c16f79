//! Numbers with a range, rates and durations.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::lexeme::{self, Span, whole};
use super::{Value, bad};
use crate::command::error::Error;

/// The unsigned integers that [`number`] can give.
pub trait Unsigned:
    Copy + PartialOrd + fmt::Display + TryFrom<u64> + Into<u64> + Send + Sync + 'static
{
    /// The largest value.
    const MAX: Self;
}

impl Unsigned for u8 {
    const MAX: Self = Self::MAX;
}
impl Unsigned for u16 {
    const MAX: Self = Self::MAX;
}
impl Unsigned for u32 {
    const MAX: Self = Self::MAX;
}
impl Unsigned for u64 {
    const MAX: Self = Self::MAX;
}

/// A number within `range`, decimal or with `0x`. What is outside is an error that names the range.
pub fn number<T: Unsigned>(range: RangeInclusive<T>) -> Value<T> {
    Value::new("n", move |text, _| in_range(text, &range))
}

/// Any number of the type, under a name of its own in syntax lines.
pub fn id<T: Unsigned>(hint: &str) -> Value<T> {
    let range = range_from::<T>(0);
    Value::new(hint, move |text, _| in_range(text, &range))
}

/// A number that is not 0.
pub fn positive<T: Unsigned>(hint: &str) -> Value<T> {
    let range = range_from::<T>(1);
    Value::new(hint, move |text, _| in_range(text, &range))
}

/// A UDP or TCP port that can be sent to: 1 to 65535.
pub fn port() -> Value<u16> {
    number(1..=u16::MAX).hint("port")
}

/// A hexadecimal number, with or without `0x`.
pub fn hex() -> Value<u64> {
    Value::simple("hex", "a hexadecimal number", |text| whole(lexeme::hex, text))
}

/// A finite number, with `k`, `m` or `g` for thousands, millions and billions.
pub fn float() -> Value<f64> {
    Value::simple("number", "a number", |text| whole(lexeme::float, text))
}

/// Something per second: a finite number of at least 0, with `k`, `m` or `g`.
pub fn rate() -> Value<f64> {
    Value::simple("rate", "a rate (a number of at least 0, such as 1e4 or 10k)", |text| {
        whole(lexeme::float, text).filter(|rate| *rate >= 0.0)
    })
}

/// A size in bytes within `range`, with `K`, `M` or `G` for powers of 1024.
pub fn size(range: RangeInclusive<u64>) -> Value<u64> {
    let (low, high) = (*range.start(), *range.end());
    let expected = format!("a size from {} to {}", shown(low), shown(high));
    Value::new("size", move |text, _| {
        let (digits, unit) = match text.as_bytes().last() {
            Some(b'k' | b'K') => (&text[..text.len() - 1], 10),
            Some(b'm' | b'M') => (&text[..text.len() - 1], 20),
            Some(b'g' | b'G') => (&text[..text.len() - 1], 30),
            _ => (text, 0),
        };
        let bytes = digits.parse::<u32>().ok().map(|n| u64::from(n) << unit);
        bytes.filter(|bytes| range.contains(bytes)).ok_or_else(|| bad(text, &expected))
    })
}

/// In the largest unit that gives a whole number.
fn shown(size: u64) -> String {
    match size.trailing_zeros() {
        30.. if size > 0 => format!("{}G", size >> 30),
        20.. if size > 0 => format!("{}M", size >> 20),
        10.. if size > 0 => format!("{}K", size >> 10),
        _ => size.to_string(),
    }
}

/// A time in seconds, fractions allowed.
pub fn seconds() -> Value<Duration> {
    Value::simple("seconds", "a time in seconds", |text| {
        whole(lexeme::float, text).and_then(|s| Duration::try_from_secs_f64(s).ok())
    })
}

/// A time in whole seconds within `range`.
pub fn seconds_in(range: RangeInclusive<u32>) -> Value<Duration> {
    number(range).hint("seconds").map(|seconds| Duration::from_secs(u64::from(seconds)))
}

/// `n`, `lo-hi` or `lo+hi`, all within `range`.
pub fn number_span(range: RangeInclusive<u64>) -> Value<Span<u64>> {
    Value::new("lo-hi", move |text, _| {
        let span = whole(lexeme::span(lexeme::unsigned), text).ok_or_else(|| {
            bad(text, "a number, <lo>-<hi> or <lo>+<hi> with <lo> not above <hi>")
        })?;
        let (low, high) = match span {
            Span::Fixed(n) => (n, n),
            Span::Increment { low, high } | Span::Random { low, high } => (low, high),
        };
        if range.contains(&low) && range.contains(&high) {
            Ok(span)
        } else {
            Err(out_of_range(text, &range))
        }
    })
}

fn range_from<T: Unsigned>(low: u64) -> RangeInclusive<T> {
    T::try_from(low).unwrap_or(T::MAX)..=T::MAX
}

fn in_range<T: Unsigned>(text: &str, range: &RangeInclusive<T>) -> Result<T, Error> {
    match whole(lexeme::unsigned, text) {
        Some(n) => T::try_from(n)
            .ok()
            .filter(|n| range.contains(n))
            .ok_or_else(|| out_of_range(text, range)),
        None if is_integer(text) => Err(out_of_range(text, range)),
        None => Err(bad(text, "a number")),
    }
}

/// Whether the text is an integer that no `u64` holds: it is out of any range.
fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

fn out_of_range<T: fmt::Display>(text: &str, range: &RangeInclusive<T>) -> Error {
    Error::OutOfRange {
        word: text.to_owned(),
        allowed: format!("{} to {}", range.start(), range.end()),
    }
}

/// The numbers of a list such as `2-3,18`, none above `most`; `None` where it is no such list.
#[must_use]
pub fn number_list(text: &str, most: usize) -> Option<Vec<usize>> {
    let mut numbers = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (first.parse::<usize>().ok()?, last.parse::<usize>().ok()?);
        if first > last || last > most {
            return None;
        }
        numbers.extend(first..=last);
    }
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::command::resolve::NoNames;

    #[test]
    fn a_number_outside_its_range_is_named_together_with_the_range() {
        let mtu = number(68..=1450u32);
        assert_eq!(mtu.parse_text("512", &NoNames), Ok(512));
        for wrong in ["67", "1451", "4294967808", "99999999999999999999", "-1"] {
            let error = mtu.parse_text(wrong, &NoNames).unwrap_err();
            let text = format!("`{wrong}' is out of range, allowed is 68 to 1450");
            assert_eq!(error.to_string(), text);
        }
        let error = mtu.parse_text("12x", &NoNames).unwrap_err();
        assert_eq!(error.to_string(), "`12x' is not a number");
        assert!(positive::<u8>("n").parse_text("0", &NoNames).is_err());
        assert_eq!(id::<u8>("n").parse_text("0", &NoNames), Ok(0));
    }

    #[test]
    fn times_and_rates_are_finite_and_not_negative() {
        assert_eq!(seconds().parse_text("0.5", &NoNames), Ok(Duration::from_millis(500)));
        for wrong in ["-1", "1e300", "nan", "x"] {
            assert!(seconds().parse_text(wrong, &NoNames).is_err(), "{wrong}");
        }
        assert!(rate().parse_text("-1", &NoNames).is_err());
    }

    #[test]
    fn both_ends_of_a_span_are_in_range() {
        let size = number_span(14..=9216);
        assert_eq!(size.parse_text("64-64", &NoNames), Ok(Span::Increment { low: 64, high: 64 }));
        for wrong in ["13-64", "64+9217", "100-64", "x-y"] {
            assert!(size.parse_text(wrong, &NoNames).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn exactly_the_numbers_of_the_range_are_taken(n: u16, low: u16, high: u16) {
            let taken = number(low..=high).parse_text(&n.to_string(), &NoNames);
            prop_assert_eq!(taken.is_ok(), low <= n && n <= high);
            prop_assert!(taken.is_err() || taken == Ok(n));
        }
    }

    #[test]
    fn lists_of_numbers_have_single_ones_and_ranges() {
        for (text, numbers) in [
            ("3", Some(vec![3])),
            ("2-3,18-19", Some(vec![2, 3, 18, 19])),
            ("1,0", Some(vec![1, 0])),
            ("", None),
            ("3-2", None),
            ("1,", None),
            ("0-20", None),
            ("a", None),
        ] {
            assert_eq!(number_list(text, 19), numbers, "{text}");
        }
    }
}
