//! VXLAN headers (RFC 7348, section 5).

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned, network_endian::U32};

/// The port that IANA gave it.
pub const PORT: u16 = 4789;

/// A VXLAN header, 8 bytes, behind that of UDP.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct Header {
    /// Flags (8 bits), of which receivers look at [`Self::VALID`] alone, then reserved.
    pub flags: U32,
    /// Network identifier (24 bits), then reserved.
    pub vni: U32,
}

impl Header {
    /// The flag I: there is a network identifier.
    pub const VALID: u32 = 0x0800_0000;

    /// The header of a network.
    #[must_use]
    pub const fn new(vni: u32) -> Self {
        Self { flags: U32::new(Self::VALID), vni: U32::new(vni << 8) }
    }

    /// The network identifier, 24 bits.
    #[inline]
    #[must_use]
    pub const fn vni(&self) -> u32 {
        self.vni.get() >> 8
    }

    /// Whether there is a network identifier.
    #[inline]
    #[must_use]
    pub const fn is_valid(&self) -> bool {
        self.flags.get() & Self::VALID != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_rfc_7348s() {
        let bytes = [8, 0, 0, 0, 0x12, 0x34, 0x56, 0];
        assert_eq!(Header::new(0x12_3456).as_bytes(), bytes);
        // Reserved bits are nobody's.
        let header = Header::read_from_bytes(&[0xff, 1, 2, 3, 0, 0, 7, 9]).unwrap();
        assert_eq!((header.is_valid(), header.vni()), (true, 7));
        assert!(!Header::read_from_bytes(&[0xf7; 8]).unwrap().is_valid());
    }
}
