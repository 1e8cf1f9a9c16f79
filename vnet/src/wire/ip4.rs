//! IPv4 headers (RFC 791).

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned, network_endian::U16};

/// The fixed part of an IPv4 header, 20 bytes.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct Header {
    /// Version (high 4 bits) and header length in 4-byte units.
    pub version_ihl: u8,
    /// DSCP (6 bits) and ECN (2 bits).
    pub tos: u8,
    /// Bytes of header and payload; 0 in captures of packets that hardware segmented later.
    pub total_length: U16,
    /// Identifies the datagram that a fragment belongs to.
    pub identification: U16,
    /// Flags (3 bits) and fragment offset in 8-byte units.
    pub flags_fragment: U16,
    /// Time to live.
    pub ttl: u8,
    /// Protocol of the payload.
    pub protocol: u8,
    /// Header checksum.
    pub checksum: U16,
    /// Source address.
    pub source: [u8; 4],
    /// Destination address.
    pub destination: [u8; 4],
}

impl Header {
    /// Version 4, header length 20.
    pub const VERSION_IHL: u8 = 0x45;
    /// Don't-fragment bit of [`flags_fragment`](Self::flags_fragment).
    pub const DONT_FRAGMENT: u16 = 0x4000;
    /// More-fragments bit.
    pub const MORE_FRAGMENTS: u16 = 0x2000;
    /// The [`ecn`](Self::ecn) of a packet that met congestion (RFC 3168).
    pub const CONGESTION_EXPERIENCED: u8 = 3;
    /// The reserved bit, VPP's CONGESTION.
    pub const RESERVED: u16 = 0x8000;
    /// Bits of the fragment offset.
    pub const OFFSET_MASK: u16 = 0x1fff;

    /// Version.
    #[inline]
    #[must_use]
    pub const fn version(&self) -> u8 {
        self.version_ihl >> 4
    }

    /// Bytes of the header with its options; below 20 it is malformed.
    #[inline]
    #[must_use]
    pub const fn header_length(&self) -> usize {
        (self.version_ihl & 0x0f) as usize * 4
    }

    /// Fragment offset in bytes.
    #[inline]
    #[must_use]
    pub const fn fragment_offset(&self) -> usize {
        (self.flags_fragment.get() & Self::OFFSET_MASK) as usize * 8
    }

    /// Whether the fragment offset is 8 bytes: into the transport header of what came before (RFC 1858). Asked of the field as
    /// it stands in the packet, so that no bytes are swapped.
    #[inline]
    #[must_use]
    pub fn has_offset_one(&self) -> bool {
        const MASK: u16 = Header::OFFSET_MASK.to_be();
        u16::from_ne_bytes(self.flags_fragment.to_bytes()) & MASK == 1_u16.to_be()
    }

    /// Whether this is a fragment, first or later.
    #[inline]
    #[must_use]
    pub const fn is_fragment(&self) -> bool {
        self.flags_fragment.get() & (Self::MORE_FRAGMENTS | Self::OFFSET_MASK) != 0
    }

    /// Differentiated services code point, 6 bits.
    #[must_use]
    pub const fn dscp(&self) -> u8 {
        self.tos >> 2
    }

    /// Explicit congestion notification, 2 bits.
    #[must_use]
    pub const fn ecn(&self) -> u8 {
        self.tos & 3
    }
}

/// IP protocol numbers that the engine knows.
pub mod protocol {
    /// IPv6 hop-by-hop options.
    pub const HOP_BY_HOP: u8 = 0;
    /// ICMP.
    pub const ICMP: u8 = 1;
    /// TCP.
    pub const TCP: u8 = 6;
    /// UDP.
    pub const UDP: u8 = 17;
    /// DCCP.
    pub const DCCP: u8 = 33;
    /// IPv6 routing header.
    pub const ROUTING: u8 = 43;
    /// IPv6 fragment header.
    pub const FRAGMENT: u8 = 44;
    /// Authentication header.
    pub const AH: u8 = 51;
    /// ICMPv6.
    pub const ICMP6: u8 = 58;
    /// IPv6 no next header.
    pub const NO_NEXT: u8 = 59;
    /// IPv6 destination options.
    pub const DESTINATION_OPTIONS: u8 = 60;
    /// SCTP.
    pub const SCTP: u8 = 132;
    /// UDP-Lite.
    pub const UDP_LITE: u8 = 136;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_rfc_791s() {
        let bytes = [
            0x46, 0xb9, 0x00, 0x73, 0x12, 0x34, 0x20, 0x01, 0x40, 0x11, 0xb8, 0x61, 192, 168, 0, 1,
            192, 168, 0, 199,
        ];
        let header = Header::read_from_bytes(&bytes).unwrap();
        assert_eq!(
            (header.version(), header.header_length(), header.total_length.get()),
            (4, 24, 115)
        );
        assert_eq!((header.dscp(), header.ecn()), (46, 1));
        assert!(header.is_fragment());
        assert_eq!(header.fragment_offset(), 8);
        assert_eq!((header.ttl, header.protocol), (64, protocol::UDP));
        assert_eq!((header.source, header.destination), ([192, 168, 0, 1], [192, 168, 0, 199]));
    }
}
