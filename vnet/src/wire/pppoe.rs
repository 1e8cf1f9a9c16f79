//! PPPoE session headers (RFC 2516) with the PPP protocol field.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned, network_endian::U16};

/// A PPPoE session header and the PPP protocol number behind it, 8 bytes.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct Header {
    /// Version and type, 0x11.
    pub version_type: u8,
    /// 0 for session data.
    pub code: u8,
    /// Session identifier.
    pub session: U16,
    /// Bytes behind this field, the protocol number among them.
    pub length: U16,
    /// PPP protocol, see [`protocol`].
    pub protocol: U16,
}

/// PPP protocol numbers.
pub mod protocol {
    /// IPv4.
    pub const IP4: u16 = 0x0021;
    /// IPv6.
    pub const IP6: u16 = 0x0057;
    /// MPLS.
    pub const MPLS: u16 = 0x0281;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_rfc_2516s() {
        let header = Header::read_from_bytes(&[0x11, 0, 0x12, 0x34, 0, 0x16, 0, 0x21]).unwrap();
        assert_eq!(
            (header.session.get(), header.length.get(), header.protocol.get()),
            (0x1234, 22, protocol::IP4)
        );
    }
}
