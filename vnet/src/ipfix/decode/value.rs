//! Typed values of fields (RFC 7011 section 6).

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::list::List;
use crate::ipfix::{
    elements::DataType,
    time::{Precision, Timestamp},
};

/// The value of a field.
///
/// A field whose length its type does not have, or whose content the type forbids, is shown as octets: the record is
/// sound, only this field is not understood.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// unsigned8 to unsigned64, in any reduced size (RFC 7011 section 6.2).
    Unsigned(u64),
    /// signed8 to signed64, likewise.
    Signed(i64),
    /// float32, or a float64 in reduced size.
    Float32(f32),
    /// float64.
    Float64(f64),
    /// boolean.
    Boolean(bool),
    /// macAddress.
    Mac([u8; 6]),
    /// ipv4Address or ipv6Address.
    Ip(IpAddr),
    /// string, without the zeros that fill up a field of fixed length.
    String(&'a str),
    /// Any of the four time types.
    Time(Timestamp),
    /// basicList, subTemplateList or subTemplateMultiList, not yet looked into.
    List(List<'a>),
    /// octetArray, unsigned256, and whatever is not understood.
    Octets(&'a [u8]),
}

impl<'a> Value<'a> {
    /// Reads a field.
    #[must_use]
    pub fn read(data_type: DataType, octets: &'a [u8]) -> Self {
        Self::typed(data_type, octets).unwrap_or(Value::Octets(octets))
    }

    fn typed(data_type: DataType, octets: &'a [u8]) -> Option<Self> {
        use DataType as T;
        Some(match data_type {
            T::OctetArray | T::Unsigned256 => return None,
            T::Unsigned8 | T::Unsigned16 | T::Unsigned32 | T::Unsigned64 => {
                Self::Unsigned(unsigned(octets)?)
            }
            T::Signed8 | T::Signed16 | T::Signed32 | T::Signed64 => Self::Signed(signed(octets)?),
            T::Float32 => Self::Float32(f32::from_be_bytes(octets.try_into().ok()?)),
            T::Float64 => match octets.len() {
                4 => Self::Float32(f32::from_be_bytes(octets.try_into().ok()?)),
                _ => Self::Float64(f64::from_be_bytes(octets.try_into().ok()?)),
            },
            T::Boolean => match octets {
                [1] => Self::Boolean(true),
                [2] => Self::Boolean(false),
                _ => return None,
            },
            T::MacAddress => Self::Mac(octets.try_into().ok()?),
            T::String => {
                let end = octets.iter().rposition(|&b| b != 0).map_or(0, |last| last + 1);
                Self::String(core::str::from_utf8(&octets[..end]).ok()?)
            }
            T::DateTimeSeconds => {
                let seconds = u32::from_be_bytes(octets.try_into().ok()?);
                Self::Time(Timestamp::from_unix_seconds(seconds))
            }
            T::DateTimeMilliseconds => Self::Time(Timestamp::from_unix_millis(u64_of(octets)?)),
            T::DateTimeMicroseconds => {
                Self::Time(Timestamp::from_ntp(u64_of(octets)?, Precision::Microseconds))
            }
            T::DateTimeNanoseconds => {
                Self::Time(Timestamp::from_ntp(u64_of(octets)?, Precision::Nanoseconds))
            }
            T::Ipv4Address => {
                Self::Ip(IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(octets).ok()?)))
            }
            T::Ipv6Address => {
                Self::Ip(IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(octets).ok()?)))
            }
            T::BasicList | T::SubTemplateList | T::SubTemplateMultiList => {
                Self::List(List::read(data_type, octets)?)
            }
        })
    }
}

fn u64_of(octets: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(octets.try_into().ok()?))
}

/// Big-endian, 1 to 8 octets. Some exporters send more octets than the type has; they lose nothing here.
fn unsigned(octets: &[u8]) -> Option<u64> {
    if !(1..=8).contains(&octets.len()) {
        return None;
    }
    Some(octets.iter().fold(0, |value, &octet| value << 8 | u64::from(octet)))
}

fn signed(octets: &[u8]) -> Option<i64> {
    let value = unsigned(octets)?;
    let unused = 64 - 8 * octets.len() as u32;
    Some((value << unused).cast_signed() >> unused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_come_in_reduced_sizes() {
        for (octets, value) in [
            (&[7][..], 7),
            (&[1, 0], 256),
            (&[1, 0, 0], 65536),
            (&[1, 0, 0, 0, 0, 0, 0], 1 << 48),
            (&[0xff; 8], u64::MAX),
        ] {
            assert_eq!(Value::read(DataType::Unsigned64, octets), Value::Unsigned(value));
        }
        for (octets, value) in
            [(&[0xff][..], -1), (&[0x80, 0], -32768), (&[0x7f, 0xff, 0xff], 8388607)]
        {
            assert_eq!(Value::read(DataType::Signed32, octets), Value::Signed(value));
        }
        let half = 1.5_f32.to_be_bytes();
        assert_eq!(Value::read(DataType::Float64, &half), Value::Float32(1.5));
        assert_eq!(Value::read(DataType::Float64, &2.5_f64.to_be_bytes()), Value::Float64(2.5));
    }

    #[test]
    fn what_the_type_forbids_is_shown_as_octets() {
        for (data_type, octets) in [
            (DataType::Unsigned32, &[][..]),
            (DataType::Unsigned64, &[0; 9]),
            (DataType::Boolean, &[0]),
            (DataType::Boolean, &[1, 1]),
            (DataType::MacAddress, &[0; 5]),
            (DataType::Ipv4Address, &[0; 16]),
            (DataType::Ipv6Address, &[0; 4]),
            (DataType::String, &[0xff, 0xfe]),
            (DataType::DateTimeMilliseconds, &[0; 4]),
            (DataType::Float32, &[0; 8]),
            (DataType::BasicList, &[1]),
            (DataType::OctetArray, &[1, 2]),
        ] {
            assert_eq!(Value::read(data_type, octets), Value::Octets(octets), "{data_type:?}");
        }
    }

    #[test]
    fn strings_of_fixed_length_lose_their_filling() {
        assert_eq!(Value::read(DataType::String, b"eth0\0\0\0\0"), Value::String("eth0"));
        assert_eq!(Value::read(DataType::String, b"\0\0"), Value::String(""));
        assert_eq!(Value::read(DataType::String, b"a\0b"), Value::String("a\0b"));
    }
}
