//! TCP headers (RFC 9293).

use zerocopy::{
    FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned,
    network_endian::{U16, U32},
};

/// The fixed part of a TCP header, 20 bytes.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct Header {
    /// Source port.
    pub source_port: U16,
    /// Destination port.
    pub destination_port: U16,
    /// Sequence number.
    pub sequence: U32,
    /// Acknowledgment number.
    pub acknowledgment: U32,
    /// Data offset in 4-byte units (4 bits) and control bits (12).
    pub offset_flags: U16,
    /// Receive window.
    pub window: U16,
    /// Checksum.
    pub checksum: U16,
    /// Urgent pointer.
    pub urgent: U16,
}

/// The longest header: the offset counts up to 15 units.
pub const MAX_HEADER: usize = 60;

impl Header {
    /// Bytes of the header with its options.
    #[must_use]
    pub const fn header_length(&self) -> usize {
        (self.offset_flags.get() >> 12) as usize * 4
    }

    /// The control bits as tcpControlBits (IANA element 6, RFC 9565) carries them: 12 bits.
    #[must_use]
    pub const fn flags(&self) -> u16 {
        self.offset_flags.get() & flags::ALL
    }
}

/// Kinds of options (IANA's registry of TCP option kinds).
pub mod options {
    /// One byte, to fill up.
    pub const NO_OPERATION: u8 = 1;
    /// Maximum segment size (RFC 9293).
    pub const MSS: u8 = 2;
    /// Window scale (RFC 7323).
    pub const WINDOW_SCALE: u8 = 3;
    /// Selective acknowledgment permitted (RFC 2018).
    pub const SACK_PERMITTED: u8 = 4;
    /// Selective acknowledgment: blocks of two sequence numbers (RFC 2018).
    pub const SACK: u8 = 5;
    /// Timestamps (RFC 7323).
    pub const TIMESTAMP: u8 = 8;
}

/// Control bits.
pub mod flags {
    /// No more data from the sender.
    pub const FIN: u16 = 0x001;
    /// Synchronize sequence numbers.
    pub const SYN: u16 = 0x002;
    /// Reset the connection.
    pub const RST: u16 = 0x004;
    /// Push.
    pub const PSH: u16 = 0x008;
    /// The acknowledgment number is valid.
    pub const ACK: u16 = 0x010;
    /// The urgent pointer is valid.
    pub const URG: u16 = 0x020;
    /// ECN echo.
    pub const ECE: u16 = 0x040;
    /// Congestion window reduced.
    pub const CWR: u16 = 0x080;
    /// All bits that can be control bits.
    pub const ALL: u16 = 0xfff;
    /// Names from the lowest bit up, for traces.
    pub const NAMES: [&str; 8] = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_rfc_9293s() {
        let bytes = [0, 80, 0xc0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0xa1, 0x12, 0x20, 0, 0xbe, 0xef, 0, 0];
        let header = Header::read_from_bytes(&bytes).unwrap();
        assert_eq!((header.source_port.get(), header.destination_port.get()), (80, 0xc000));
        assert_eq!((header.header_length(), header.flags()), (40, 0x112));
    }
}
