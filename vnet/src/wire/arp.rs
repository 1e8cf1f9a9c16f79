//! ARP for IPv4 over Ethernet (RFC 826).

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned, network_endian::U16};

use super::ethernet::{EtherType, MacAddress};

/// An ARP packet for IPv4 over Ethernet, 28 bytes.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct Packet {
    /// 1 for Ethernet.
    pub hardware_type: U16,
    /// 0x0800 for IPv4.
    pub protocol_type: U16,
    /// 6.
    pub hardware_length: u8,
    /// 4.
    pub protocol_length: u8,
    /// See [`operation`].
    pub operation: U16,
    /// MAC address of the sender.
    pub sender_mac: MacAddress,
    /// IPv4 address of the sender.
    pub sender_ip: [u8; 4],
    /// MAC address of the target; unknown in a request.
    pub target_mac: MacAddress,
    /// IPv4 address of the target.
    pub target_ip: [u8; 4],
}

/// ARP operations.
pub mod operation {
    /// Who has the target's address?
    pub const REQUEST: u16 = 1;
    /// The sender has it.
    pub const REPLY: u16 = 2;
}

impl Packet {
    /// Whether the fixed fields say IPv4 over Ethernet, so that the addresses mean what they are named.
    #[must_use]
    pub fn is_ip4_over_ethernet(&self) -> bool {
        self.hardware_type.get() == 1
            && self.protocol_type.get() == EtherType::IP4.0
            && self.hardware_length == 6
            && self.protocol_length == 4
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_reads_as_rfc_826_lays_it_out() {
        let bytes =
            [0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2];
        let packet = Packet::read_from_bytes(&bytes).unwrap();
        assert!(packet.is_ip4_over_ethernet());
        assert_eq!(packet.operation.get(), operation::REQUEST);
        assert_eq!((packet.sender_ip, packet.target_ip), ([10, 0, 0, 1], [10, 0, 0, 2]));
        assert_eq!(packet.sender_mac, MacAddress([2, 0, 0, 0, 0, 1]));
    }
}
