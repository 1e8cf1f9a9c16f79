//! UDP headers (RFC 768).

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned, network_endian::U16};

/// A UDP header, 8 bytes.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct Header {
    /// Source port.
    pub source_port: U16,
    /// Destination port.
    pub destination_port: U16,
    /// Bytes of header and payload.
    pub length: U16,
    /// Checksum; 0 = none (IPv4 only).
    pub checksum: U16,
}

/// What to put into the checksum field for a computed `checksum`: 0 would mean "none", so 0xffff stands for it.
#[inline]
#[must_use]
pub const fn checksum_field(checksum: u16) -> u16 {
    match checksum {
        0 => 0xffff,
        checksum => checksum,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_rfc_768s() {
        let header = Header::read_from_bytes(&[0, 53, 0x12, 0x34, 0, 8, 0xbe, 0xef]).unwrap();
        assert_eq!((header.source_port.get(), header.destination_port.get()), (53, 0x1234));
        assert_eq!((header.length.get(), header.checksum.get()), (8, 0xbeef));
    }

    #[test]
    fn computed_zero_is_not_sent_as_none() {
        assert_eq!((checksum_field(0), checksum_field(1)), (0xffff, 1));
    }
}
