//! Geneve headers (RFC 8926, section 3.4).

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned, network_endian::U16};

/// The port that IANA gave it.
pub const PORT: u16 = 6081;

/// The fixed part of a Geneve header, 8 bytes, behind that of UDP.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct Header {
    /// Version (2 bits) and length of the options in 4-byte units.
    pub version_length: u8,
    /// [`Self::CONTROL`], [`Self::CRITICAL`], reserved.
    pub flags: u8,
    /// Type of what it carries.
    pub protocol: U16,
    /// Network identifier (24 bits).
    pub vni: [u8; 3],
    /// Reserved.
    pub reserved: u8,
}

impl Header {
    /// A message to the tunnel's end, and not what the tunnel carries.
    pub const CONTROL: u8 = 0x80;
    /// There are options that nobody may pass over who does not know them.
    pub const CRITICAL: u8 = 0x40;

    /// The header, without options, of a network's payload of a type.
    #[must_use]
    pub const fn new(vni: u32, protocol: u16) -> Self {
        let [_, a, b, c] = vni.to_be_bytes();
        let protocol = U16::new(protocol);
        Self { version_length: 0, flags: 0, protocol, vni: [a, b, c], reserved: 0 }
    }

    /// The version; there is 0 alone.
    #[inline]
    #[must_use]
    pub const fn version(&self) -> u8 {
        self.version_length >> 6
    }

    /// Bytes of the header with its options.
    #[inline]
    #[must_use]
    pub const fn length(&self) -> usize {
        size_of::<Self>() + (self.version_length & 0x3f) as usize * 4
    }

    /// The network identifier, 24 bits.
    #[inline]
    #[must_use]
    pub const fn vni(&self) -> u32 {
        let [a, b, c] = self.vni;
        u32::from_be_bytes([0, a, b, c])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_rfc_8926s() {
        let header =
            Header::read_from_bytes(&[0x42, 0xc0, 0x65, 0x58, 0x12, 0x34, 0x56, 0]).unwrap();
        assert_eq!((header.version(), header.length(), header.vni()), (1, 16, 0x12_3456));
        assert_eq!(header.flags, Header::CONTROL | Header::CRITICAL);
        assert_eq!(Header::new(7, 0x6558).as_bytes(), [0, 0, 0x65, 0x58, 0, 0, 7, 0]);
    }
}
