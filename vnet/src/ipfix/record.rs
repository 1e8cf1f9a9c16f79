//! Data records as structs: the octets and the field specifiers of a record come from one declaration, so that a template
//! cannot disagree with its records.

use core::net::{Ipv4Addr, Ipv6Addr};

use super::template::FieldSpecifier;
use crate::interface::SwIfIndex;

/// A struct that is a data record. Made by [`data_record!`](crate::data_record).
pub trait DataRecord {
    /// Its fields in their order.
    const FIELDS: &'static [FieldSpecifier];

    /// Octets of each record.
    fn len() -> usize {
        Self::FIELDS.iter().map(|field| usize::from(field.length)).sum()
    }

    /// Writes the fields in their order into `out`, which has [`Self::len`] octets.
    fn write(&self, out: &mut [u8]);
}

/// A value of a field, in native form.
pub trait FieldValue {
    /// Octets on the wire.
    const LEN: u16;

    /// Writes the value in network byte order to the front of `out`, and returns what is left.
    fn put<'o>(&self, out: &'o mut [u8]) -> &'o mut [u8];
}

fn put<'o, const N: usize>(octets: &[u8; N], out: &'o mut [u8]) -> &'o mut [u8] {
    let (front, rest) = out.split_at_mut(N.min(out.len()));
    front.copy_from_slice(&octets[..front.len()]);
    rest
}

macro_rules! numbers {
    ($($number:ty),*) => {
        $(impl FieldValue for $number {
            const LEN: u16 = size_of::<Self>() as u16;

            fn put<'o>(&self, out: &'o mut [u8]) -> &'o mut [u8] {
                put(&self.to_be_bytes(), out)
            }
        })*
    };
}

numbers!(u8, u16, u32, u64, i8, i16, i32, i64, f32, f64);

/// Octets as they are: MAC addresses and what has no type of its own.
impl<const N: usize> FieldValue for [u8; N] {
    const LEN: u16 = N as u16;

    fn put<'o>(&self, out: &'o mut [u8]) -> &'o mut [u8] {
        put(self, out)
    }
}

impl FieldValue for Ipv4Addr {
    const LEN: u16 = 4;

    fn put<'o>(&self, out: &'o mut [u8]) -> &'o mut [u8] {
        put(&self.octets(), out)
    }
}

impl FieldValue for Ipv6Addr {
    const LEN: u16 = 16;

    fn put<'o>(&self, out: &'o mut [u8]) -> &'o mut [u8] {
        put(&self.octets(), out)
    }
}

/// As `ingressInterface` and `egressInterface` have it.
impl FieldValue for SwIfIndex {
    const LEN: u16 = 4;

    fn put<'o>(&self, out: &'o mut [u8]) -> &'o mut [u8] {
        self.0.put(out)
    }
}

/// Declares a data record: a struct, and for each field the name of its IANA element, which is checked when the program is
/// compiled. A type shorter than the element's is reduced-size encoding (RFC 7011 section 6.2).
///
/// ```
/// use vnet::ipfix::record::DataRecord;
///
/// vnet::data_record! {
///     /// What is told of a port.
///     struct Port {
///         number: u16 = "destinationTransportPort",
///         packets: u64 = "packetDeltaCount",
///     }
/// }
///
/// let mut octets = [0; 10];
/// Port { number: 443, packets: 7 }.write(&mut octets);
/// assert_eq!(octets, [1, 187, 0, 0, 0, 0, 0, 0, 0, 7]);
/// ```
#[macro_export]
macro_rules! data_record {
    ($(#[$attr:meta])* $vis:vis struct $name:ident {
        $($(#[$field_attr:meta])* $field_vis:vis $field:ident : $type:ty = $element:literal),+ $(,)?
    }) => {
        $(#[$attr])*
        $vis struct $name {
            $($(#[$field_attr])* $field_vis $field: $type),+
        }

        impl $crate::ipfix::record::DataRecord for $name {
            const FIELDS: &'static [$crate::ipfix::template::FieldSpecifier] = &[
                $($crate::ipfix::template::FieldSpecifier::iana(
                    $element,
                    <$type as $crate::ipfix::record::FieldValue>::LEN,
                )),+
            ];

            fn write(&self, out: &mut [u8]) {
                $(let out = $crate::ipfix::record::FieldValue::put(&self.$field, out);)+
                debug_assert!(out.is_empty(), "the room is that of the fields");
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::data_record! {
        struct Everything {
            interface: SwIfIndex = "ingressInterface",
            mac: [u8; 6] = "sourceMacAddress",
            ip4: Ipv4Addr = "sourceIPv4Address",
            ip6: Ipv6Addr = "sourceIPv6Address",
            seconds: u32 = "flowStartSeconds",
            probability: f64 = "samplingProbability",
        }
    }

    #[test]
    fn fields_are_written_one_after_the_other_in_network_byte_order() {
        let record = Everything {
            interface: SwIfIndex(258),
            mac: [2, 0, 0, 0, 0, 9],
            ip4: Ipv4Addr::new(192, 0, 2, 1),
            ip6: Ipv6Addr::LOCALHOST,
            seconds: 0x0a0b_0c0d,
            probability: 0.5,
        };
        let mut octets = vec![0xee; Everything::len()];
        record.write(&mut octets);
        let expected: [&[u8]; 6] = [
            &[0, 0, 1, 2],
            &[2, 0, 0, 0, 0, 9],
            &[192, 0, 2, 1],
            &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
            &[10, 11, 12, 13],
            &[0x3f, 0xe0, 0, 0, 0, 0, 0, 0],
        ];
        assert_eq!(octets, expected.concat());
        let names: Vec<_> =
            Everything::FIELDS.iter().map(|f| f.element.element().unwrap().name).collect();
        assert_eq!(names[..2], ["ingressInterface", "sourceMacAddress"]);
    }
}
