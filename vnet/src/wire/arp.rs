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
    /// A packet for IPv4 over Ethernet.
    #[must_use]
    pub fn new(
        operation: u16,
        (sender_mac, sender_ip): (MacAddress, [u8; 4]),
        (target_mac, target_ip): (MacAddress, [u8; 4]),
    ) -> Self {
        Self {
            hardware_type: U16::new(1),
            protocol_type: U16::new(EtherType::IP4.0),
            hardware_length: 6,
            protocol_length: 4,
            operation: U16::new(operation),
            sender_mac,
            sender_ip,
            target_mac,
            target_ip,
        }
    }

    /// The question who has the address `target`.
    #[must_use]
    pub fn request(sender: (MacAddress, [u8; 4]), target: [u8; 4]) -> Self {
        Self::new(operation::REQUEST, sender, (MacAddress::default(), target))
    }

    /// The announcement (RFC 5227 section 2.3, "gratuitous ARP") that `sender` has its address.
    #[must_use]
    pub fn announcement(sender: (MacAddress, [u8; 4])) -> Self {
        Self::request(sender, sender.1)
    }

    /// The answer to this request, by which `mac` says that it has the address that is asked for.
    #[must_use]
    pub fn reply(&self, mac: MacAddress) -> Self {
        let asked = (self.sender_mac, self.sender_ip);
        Self::new(operation::REPLY, (mac, self.target_ip), asked)
    }

    /// Whether sender and target have the same address: the sender tells all that it has it.
    #[must_use]
    pub fn is_gratuitous(&self) -> bool {
        self.sender_ip == self.target_ip
    }

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
        let sender = (packet.sender_mac, packet.sender_ip);
        assert_eq!(Packet::request(sender, packet.target_ip).as_bytes(), bytes);
        assert!(Packet::announcement(sender).is_gratuitous() && !packet.is_gratuitous());
    }

    #[test]
    fn a_reply_has_the_address_that_was_asked_for_and_goes_to_who_asked() {
        let [asker, answerer] = [1, 2].map(|last| MacAddress([2, 0, 0, 0, 0, last]));
        let request = Packet::request((asker, [10, 0, 0, 1]), [10, 0, 0, 2]);
        // Byte by byte, as RFC 826 lays it out.
        let expected =
            [0, 1, 8, 0, 6, 4, 0, 2, 2, 0, 0, 0, 0, 2, 10, 0, 0, 2, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1];
        assert_eq!(request.reply(answerer).as_bytes(), expected);
    }
}
