//! Records as concatenations of blocks: the octets and the field specifiers of a block come from one declaration, so
//! that a template cannot disagree with its records.

use zerocopy::{Immutable, IntoBytes, Unaligned, byteorder::big_endian::U64};

use super::{Encode, FlowEncoder};
use crate::{
    flow::{Addresses, FlowRecord},
    ipfix::template::FieldSpecifier,
};

/// Some fields that follow each other.
pub(super) trait Block: IntoBytes + Immutable + Unaligned {
    /// Their specifiers; the lengths add up to the size of `Self`.
    const FIELDS: &'static [FieldSpecifier];

    /// Their values.
    fn of(record: &FlowRecord) -> Self;
}

/// Declares a block: for each field the IANA name, the wire type and the value, from the record called as in `|r|`.
macro_rules! block {
    ($(#[$doc:meta])* $name:ident |$record:ident| { $($element:literal $type:ty: $value:expr,)* }) => {
        $(#[$doc])*
        #[derive(zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::Unaligned)]
        #[repr(C)]
        pub(super) struct $name($($type),*);

        impl $crate::ipfix::profile::layout::Block for $name {
            const FIELDS: &'static [$crate::ipfix::template::FieldSpecifier] = &[
                $($crate::ipfix::template::FieldSpecifier::iana($element, size_of::<$type>() as u16)),*
            ];

            #[inline(always)]
            fn of($record: &$crate::flow::FlowRecord) -> Self {
                Self($($value),*)
            }
        }
    };
}
pub(super) use block;

/// No fields.
#[derive(IntoBytes, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct Nothing;

impl Block for Nothing {
    const FIELDS: &'static [FieldSpecifier] = &[];

    #[inline(always)]
    fn of(_: &FlowRecord) -> Self {
        Self
    }
}

block! {
    /// IPv4, the same in every profile.
    Ip4 |r| {
        "sourceIPv4Address" [u8; 4]: ip4(r).0,
        "destinationIPv4Address" [u8; 4]: ip4(r).1,
        "protocolIdentifier" u8: r.protocol,
        "octetDeltaCount" U64: r.octets.into(),
    }
}

block! {
    /// IPv6, the same in every profile.
    Ip6 |r| {
        "sourceIPv6Address" [u8; 16]: ip6(r).0,
        "destinationIPv6Address" [u8; 16]: ip6(r).1,
        "protocolIdentifier" u8: r.protocol,
        "octetDeltaCount" U64: r.octets.into(),
    }
}

/// Four blocks behind each other.
#[derive(IntoBytes, Immutable, Unaligned)]
#[repr(C)]
struct Joined<A, B, C, D>(A, B, C, D);

/// The encoder of a record of four blocks, one straight piece of code.
pub(super) fn encoder<A: Block, B: Block, C: Block, D: Block>() -> FlowEncoder {
    fn encode<A: Block, B: Block, C: Block, D: Block>(record: &FlowRecord, out: &mut [u8]) {
        let joined = Joined(A::of(record), B::of(record), C::of(record), D::of(record));
        // The length is part of the contract of `FlowEncoder::encode`.
        let _: Result<(), _> = joined.write_to(out);
    }
    FlowEncoder {
        fields: [A::FIELDS, B::FIELDS, C::FIELDS, D::FIELDS].concat(),
        len: size_of::<Joined<A, B, C, D>>(),
        encode: Encode::Straight(encode::<A, B, C, D>),
    }
}

/// Source and destination of an IPv4 record.
#[inline(always)]
fn ip4(record: &FlowRecord) -> ([u8; 4], [u8; 4]) {
    match record.addresses {
        Addresses::V4(source, destination) => (source, destination),
        Addresses::None | Addresses::V6(..) => ([0; 4], [0; 4]),
    }
}

/// Source and destination of an IPv6 record.
#[inline(always)]
fn ip6(record: &FlowRecord) -> ([u8; 16], [u8; 16]) {
    match record.addresses {
        Addresses::V6(source, destination) => (source, destination),
        Addresses::None | Addresses::V4(..) => ([0; 16], [0; 16]),
    }
}
