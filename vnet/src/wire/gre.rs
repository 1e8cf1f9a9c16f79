//! GRE headers (RFC 2784, with the key and the sequence number of RFC 2890).

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned, network_endian::U16};

/// The IP protocol.
pub const PROTOCOL: u8 = 47;
/// The type of Ethernet frames: transparent Ethernet bridging (RFC 1701).
pub const BRIDGED: u16 = 0x6558;

/// The fixed part of a GRE header, 4 bytes.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct Header {
    /// Flags, reserved bits, and in the last three the version.
    pub flags: U16,
    /// Type of what it carries, an Ethernet type.
    pub protocol: U16,
}

impl Header {
    /// Four octets follow: a checksum over header and payload, and two that are reserved.
    pub const CHECKSUM: u16 = 0x8000;
    /// Source routes follow: RFC 1701 alone has them.
    pub const ROUTING: u16 = 0x4000;
    /// A key of four octets follows.
    pub const KEY: u16 = 0x2000;
    /// A sequence number of four octets follows.
    pub const SEQUENCE: u16 = 0x1000;
    /// Bits 1 to 5 of RFC 1701, which no receiver of RFC 2784 may pass over, less those that RFC 2890 defines.
    pub const UNKNOWN: u16 = Self::ROUTING | 0x0c00;

    /// The version: 0, or 1 in PPTP.
    #[inline]
    #[must_use]
    pub const fn version(&self) -> u8 {
        self.flags.get() as u8 & 7
    }

    /// Bytes of the header with what the flags say.
    #[inline]
    #[must_use]
    pub const fn length(&self) -> usize {
        let optional = self.flags.get() & (Self::CHECKSUM | Self::KEY | Self::SEQUENCE);
        size_of::<Self>() + 4 * optional.count_ones() as usize
    }

    /// Where the key is, counted from the header's beginning, if there is one.
    #[inline]
    #[must_use]
    pub const fn key_offset(&self) -> Option<usize> {
        let flags = self.flags.get();
        let behind = if flags & Self::CHECKSUM == 0 { 4 } else { 8 };
        if flags & Self::KEY == 0 { None } else { Some(behind) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(bytes: [u8; 4]) -> Header {
        Header::read_from_bytes(&bytes).unwrap()
    }

    #[test]
    fn lengths_are_rfc_2890s() {
        assert_eq!((header([0, 0, 8, 0]).length(), header([0, 0, 8, 0]).key_offset()), (4, None));
        let all = header([0xb0, 1, 8, 0]);
        assert_eq!((all.length(), all.key_offset(), all.version()), (16, Some(8), 1));
        assert_eq!(header([0x30, 0, 8, 0]).key_offset(), Some(4));
    }
}
