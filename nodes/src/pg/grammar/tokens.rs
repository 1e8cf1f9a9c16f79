//! Words, numbers, addresses and ranges. Each parser skips the white space in front of it.

use std::net::{Ipv4Addr, Ipv6Addr};

use nom::{
    IResult, Parser,
    branch::alt,
    bytes::complete::{tag, tag_no_case, take_while, take_while1},
    character::complete::{char, digit1, hex_digit1, multispace0},
    combinator::{map, map_opt, not, opt, peek, value, verify},
    error::{Error, ErrorKind},
    sequence::{preceded, terminated},
};

use crate::pg::Value;

/// What a parser makes of its input.
pub(super) type Parsed<'a, T> = IResult<&'a str, T>;

/// Nothing was recognised at `input`.
pub(super) fn fail<T>(input: &str) -> Parsed<'_, T> {
    Err(nom::Err::Error(Error::new(input, ErrorKind::Fail)))
}

/// Letters, digits and hyphens.
pub(super) fn keyword(input: &str) -> Parsed<'_, &str> {
    preceded(multispace0, take_while1(is_word)).parse(input)
}

/// Anything up to white space or a brace.
pub(super) fn token(input: &str) -> Parsed<'_, &str> {
    preceded(multispace0, take_while1(|c: char| !c.is_whitespace() && c != '{' && c != '}'))
        .parse(input)
}

/// The word `expected` and nothing that would make it a longer one, whatever its case.
pub(super) fn word<'a>(
    expected: &'static str,
) -> impl Parser<&'a str, Output = &'a str, Error = Error<&'a str>> {
    preceded(multispace0, terminated(tag_no_case(expected), peek(not(take_while1(is_word)))))
}

/// `:` or `->`.
pub(super) fn sign<'a>(
    expected: &'static str,
) -> impl Parser<&'a str, Output = &'a str, Error = Error<&'a str>> {
    preceded(multispace0, tag(expected))
}

/// A number of at most `bits` bits, decimal or hexadecimal behind `0x`.
pub(super) fn number<'a>(bits: u32) -> impl Parser<&'a str, Output = u128, Error = Error<&'a str>> {
    let hex = map_opt(preceded(tag("0x"), hex_digit1), |s: &str| u128::from_str_radix(s, 16).ok());
    let decimal = map_opt(digit1, |s: &str| s.parse().ok());
    let fits = move |n: &u128| n.checked_shr(bits).is_none_or(|above| above == 0);
    let whole =
        terminated(alt((hex, decimal)), peek(not(take_while1(|c: char| c.is_alphanumeric()))));
    preceded(multispace0, verify(whole, fits))
}

/// What `one` parses, or a range of it: `low-high` counts up, `low+high` is drawn.
pub(super) fn ranged<'a>(
    one: impl Fn(&'a str) -> Parsed<'a, u128>,
) -> impl Fn(&'a str) -> Parsed<'a, Value> {
    move |input| {
        let (rest, low) = one(input)?;
        let random = alt((
            // `->` begins something else.
            value(false, terminated(char('-'), peek(not(char('>'))))),
            value(true, char('+')),
        ));
        let high = (preceded(multispace0, random), verify(&one, |&high| high >= low));
        let (rest, high) = opt(high).parse(rest)?;
        let value = match high {
            None => Value::Fixed(low),
            Some((false, high)) => Value::increment(low, high),
            Some((true, high)) => Value::random(low, high),
        };
        Ok((rest, value))
    }
}

/// A number of at most `bits` bits, or a range of them.
pub(super) fn numbers<'a>(bits: u32) -> impl Fn(&'a str) -> Parsed<'a, Value> {
    ranged(move |input| number(bits).parse(input))
}

/// The word `name` and then a number or a range of numbers of `bits` bits.
pub(super) fn option<'a>(name: &'static str, bits: u32) -> impl Fn(&'a str) -> Parsed<'a, Value> {
    move |input| preceded(word(name), numbers(bits)).parse(input)
}

/// IPv4 addresses.
pub(super) fn ip4(input: &str) -> Parsed<'_, Value> {
    ranged(|input| {
        let text = take_while1(|c: char| c.is_ascii_digit() || c == '.');
        let address = map_opt(text, |s: &str| s.parse::<Ipv4Addr>().ok());
        preceded(multispace0, map(address, |a| u128::from(a.to_bits()))).parse(input)
    })(input)
}

/// IPv6 addresses.
pub(super) fn ip6(input: &str) -> Parsed<'_, Value> {
    ranged(|input| {
        let text = take_while1(|c: char| c.is_ascii_hexdigit() || c == ':' || c == '.');
        let address = map_opt(text, |s: &str| s.parse::<Ipv6Addr>().ok());
        preceded(multispace0, map(address, Ipv6Addr::to_bits)).parse(input)
    })(input)
}

/// MAC addresses, as `0a:00:00:00:00:01` or `a00.0.1`.
pub(super) fn mac(input: &str) -> Parsed<'_, Value> {
    ranged(|input| {
        let text = take_while(|c: char| c.is_ascii_hexdigit() || c == ':' || c == '.');
        preceded(multispace0, map_opt(text, mac_number)).parse(input)
    })(input)
}

fn mac_number(text: &str) -> Option<u128> {
    let (separator, groups, bits) = if text.contains('.') { ('.', 3, 16) } else { (':', 6, 8) };
    let parts: Vec<&str> = text.split(separator).collect();
    if parts.len() != groups {
        return None;
    }
    parts.iter().try_fold(0, |sum, part| {
        let group = u128::from_str_radix(part, 16).ok().filter(|n| n >> bits == 0)?;
        Some(sum << bits | group)
    })
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mac_addresses_have_two_spellings() {
        let (rest, value) = mac(" 1.2.ff -> 4.5.6").unwrap();
        assert_eq!((rest, value), (" -> 4.5.6", Value::from([0, 1, 0, 2, 0, 255])));
        let (rest, value) = mac("02:fe:0:0:0:1/10.0.0.1").unwrap();
        assert_eq!((rest, value), ("/10.0.0.1", Value::from([2, 254, 0, 0, 0, 1])));
        for bad in ["1.2", "1.2.10000", "1:2:3:4:5", "1:2:3:4:5:100", ""] {
            assert!(mac(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ranges_are_told_from_arrows() {
        assert_eq!(numbers(8)("5 -> 6"), Ok((" -> 6", Value::Fixed(5))));
        assert_eq!(numbers(8)("5-6 x"), Ok((" x", Value::increment(5u8, 6u8))));
        assert_eq!(numbers(16)("0x10 + 0x20"), Ok(("", Value::random(16u8, 32u8))));
        // Ends that are not in order, or that the field cannot hold, are no range.
        assert_eq!(numbers(8)("6-5"), Ok(("-5", Value::Fixed(6))));
        assert_eq!(numbers(8)("6-256"), Ok(("-256", Value::Fixed(6))));
        assert!(numbers(8)("256").is_err());
        assert!(numbers(8)("12ab").is_err());
    }
}
