//! nom parsers for the smallest pieces: numbers, addresses, ranges. Each takes as much as belongs to it and leaves
//! the rest, so that owners of an inner grammar can combine them.

use std::net::{Ipv4Addr, Ipv6Addr};

use nom::branch::alt;
use nom::bytes::complete::{tag, tag_no_case, take_while_m_n, take_while1};
use nom::character::complete::{char, digit1, hex_digit1, one_of};
use nom::combinator::{all_consuming, map, map_opt, map_res, opt, recognize, verify};
use nom::multi::count;
use nom::number::complete::recognize_float;
use nom::sequence::{pair, preceded, terminated};
use nom::{IResult, Parser};

/// A value of a generated packet: fixed, or taken anew for every packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span<T> {
    /// Always the same.
    Fixed(T),
    /// `lo-hi`: from low to high, then again. Both ends belong to it.
    Increment {
        /// The first value.
        low: T,
        /// The last value, not below `low`.
        high: T,
    },
    /// `lo+hi`: random. Both ends belong to it.
    Random {
        /// The smallest value.
        low: T,
        /// The largest value, not below `low`.
        high: T,
    },
}

/// Runs a parser over all of `text`.
pub fn whole<'a, T>(
    parser: impl Parser<&'a str, Output = T, Error = nom::error::Error<&'a str>>,
    text: &'a str,
) -> Option<T> {
    all_consuming(parser).parse(text).ok().map(|(_, value)| value)
}

/// An unsigned number, decimal or with `0x`.
pub fn unsigned(input: &str) -> IResult<&str, u64> {
    alt((preceded(tag_no_case("0x"), hex_digits), map_res(digit1, str::parse))).parse(input)
}

/// A hexadecimal number, with or without `0x`.
pub fn hex(input: &str) -> IResult<&str, u64> {
    preceded(opt(tag_no_case("0x")), hex_digits).parse(input)
}

/// A finite floating point number with an optional suffix `k`, `m` or `g` (powers of 1000, either case).
pub fn float(input: &str) -> IResult<&str, f64> {
    let number = map_res(recognize_float, str::parse::<f64>);
    let scaled = map((number, opt(one_of("kKmMgG"))), |(number, suffix)| {
        number
            * match suffix {
                Some('k' | 'K') => 1e3,
                Some('m' | 'M') => 1e6,
                Some('g' | 'G') => 1e9,
                _ => 1.0,
            }
    });
    verify(scaled, |number: &f64| number.is_finite()).parse(input)
}

/// An IPv4 address of four decimal parts.
pub fn ip4(input: &str) -> IResult<&str, Ipv4Addr> {
    let part = || take_while_m_n(1, 3, |c: char| c.is_ascii_digit());
    let parts = recognize((part(), count(preceded(char('.'), part()), 3)));
    map_res(parts, str::parse).parse(input)
}

/// An IPv6 address in any form of RFC 4291 section 2.2.
pub fn ip6(input: &str) -> IResult<&str, Ipv6Addr> {
    let characters = take_while1(|c: char| c.is_ascii_hexdigit() || matches!(c, ':' | '.'));
    map_res(characters, str::parse).parse(input)
}

/// An Ethernet address, six octets in transmission order: `2:fe:0:0:0:1`, `02fe.0000.0001` or `2fe.0.1`.
pub fn mac(input: &str) -> IResult<&str, [u8; 6]> {
    alt((mac_of_octets, mac_of_words)).parse(input)
}

/// A value, `lo-hi` or `lo+hi`; the high end must not be below the low one.
pub fn span<'a, T, P>(mut parser: P) -> impl FnMut(&'a str) -> IResult<&'a str, Span<T>>
where
    T: PartialOrd,
    P: Parser<&'a str, Output = T, Error = nom::error::Error<&'a str>>,
{
    move |input| {
        let (after_low, low) = parser.parse(input)?;
        let sign: IResult<&str, char> = one_of("-+").parse(after_low);
        // `a -> b` begins with the minus sign of a range, and is none.
        let Ok((behind, sign)) = sign else { return Ok((after_low, Span::Fixed(low))) };
        if behind.starts_with('>') {
            return Ok((after_low, Span::Fixed(low)));
        }
        let (rest, high) = parser.parse(behind)?;
        if high < low {
            let error = nom::error::Error::new(behind, nom::error::ErrorKind::Verify);
            return Err(nom::Err::Failure(error));
        }
        let span =
            if sign == '-' { Span::Increment { low, high } } else { Span::Random { low, high } };
        Ok((rest, span))
    }
}

fn hex_digits(input: &str) -> IResult<&str, u64> {
    map_res(hex_digit1, |digits| u64::from_str_radix(digits, 16)).parse(input)
}

fn mac_of_octets(input: &str) -> IResult<&str, [u8; 6]> {
    let octet = || map_opt(hex_of(1, 2), |v| u8::try_from(v).ok());
    let first = pair(octet(), count(preceded(char(':'), octet()), 5));
    map(first, |(first, rest)| std::array::from_fn(|i| if i == 0 { first } else { rest[i - 1] }))
        .parse(input)
}

fn mac_of_words(input: &str) -> IResult<&str, [u8; 6]> {
    let word = || map_opt(hex_of(1, 4), |v| u16::try_from(v).ok());
    let words = (terminated(word(), tag(".")), terminated(word(), tag(".")), word());
    map(words, |(a, b, c)| {
        let [[a0, a1], [b0, b1], [c0, c1]] = [a.to_be_bytes(), b.to_be_bytes(), c.to_be_bytes()];
        [a0, a1, b0, b1, c0, c1]
    })
    .parse(input)
}

fn hex_of<'a>(
    min: usize,
    max: usize,
) -> impl Parser<&'a str, Output = u64, Error = nom::error::Error<&'a str>> {
    map_res(take_while_m_n(min, max, |c: char| c.is_ascii_hexdigit()), |digits| {
        u64::from_str_radix(digits, 16)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_read_as_written() {
        assert_eq!(whole(unsigned, "0x1F"), Some(31));
        assert_eq!(whole(unsigned, "18446744073709551615"), Some(u64::MAX));
        assert_eq!(whole(unsigned, "18446744073709551616"), None);
        assert_eq!(whole(unsigned, "-1"), None);
        assert_eq!(whole(hex, "ff"), Some(255));
        assert_eq!(whole(float, "1e4"), Some(1e4));
        assert_eq!(whole(float, "2.5m"), Some(2.5e6));
        assert_eq!(whole(float, "10K"), Some(1e4));
        for wrong in ["nan", "inf", "infinity", "1e999", "", "k", "1kk"] {
            assert_eq!(whole(float, wrong), None, "{wrong}");
        }
    }

    #[test]
    fn ethernet_addresses_come_in_two_forms() {
        let address = Some([0x02, 0xfe, 0, 0, 0, 1]);
        for text in ["02:fe:00:00:00:01", "2:FE:0:0:0:1", "02fe.0000.0001", "2fe.0.1"] {
            assert_eq!(whole(mac, text), address, "{text}");
        }
        for wrong in ["1:2:3:4:5", "1:2:3:4:5:6:7", "1:2:3:4:5:100", "1.2", "12345.0.1", "g.0.1"] {
            assert_eq!(whole(mac, wrong), None, "{wrong}");
        }
    }

    #[test]
    fn spans_are_fixed_counted_or_random() {
        assert_eq!(whole(span(unsigned), "64"), Some(Span::Fixed(64)));
        assert_eq!(whole(span(unsigned), "64-1500"), Some(Span::Increment { low: 64, high: 1500 }));
        assert_eq!(whole(span(unsigned), "64+1500"), Some(Span::Random { low: 64, high: 1500 }));
        assert_eq!(whole(span(unsigned), "1500-64"), None);
        assert_eq!(whole(span(unsigned), "64-"), None);
        assert_eq!(span(unsigned)("1->2"), Ok(("->2", Span::Fixed(1))));
    }

    proptest! {
        #[test]
        fn addresses_survive_printing(v4: u32, v6: u128, octets: [u8; 6]) {
            let (v4, v6) = (Ipv4Addr::from(v4), Ipv6Addr::from(v6));
            prop_assert_eq!(whole(ip4, &v4.to_string()), Some(v4));
            prop_assert_eq!(whole(ip6, &v6.to_string()), Some(v6));
            let colons = octets.map(|o| format!("{o:02x}")).join(":");
            prop_assert_eq!(whole(mac, &colons), Some(octets));
            let dots: Vec<_> = octets.chunks(2).map(|w| format!("{:02x}{:02x}", w[0], w[1])).collect();
            prop_assert_eq!(whole(mac, &dots.join(".")), Some(octets));
        }

        #[test]
        fn numbers_survive_printing(n: u64) {
            prop_assert_eq!(whole(unsigned, &n.to_string()), Some(n));
            prop_assert_eq!(whole(unsigned, &format!("{n:#x}")), Some(n));
            prop_assert_eq!(whole(hex, &format!("{n:x}")), Some(n));
        }

        #[test]
        fn ip4_agrees_with_std(text in "[0-9.]{0,16}") {
            prop_assert_eq!(whole(ip4, &text), text.parse().ok());
        }

        #[test]
        fn ip6_agrees_with_std(text in "[0-9a-f:.]{0,40}") {
            prop_assert_eq!(whole(ip6, &text), text.parse().ok());
        }

        #[test]
        fn no_text_makes_a_parser_panic(text in any::<String>()) {
            let _ = (unsigned(&text), hex(&text), float(&text), ip4(&text), ip6(&text), mac(&text));
            let _ = span(unsigned)(&text);
        }
    }
}
