//! Checksums of TCP and UDP that the sender's stack has left to its device, which has not made them.
//!
//! The field holds the sum of the pseudo header then, and is made by adding up the transport header with it and the payload.

use core::mem::offset_of;

use zerocopy::{FromBytes, network_endian::U16};

use super::{checksum::Sum, ip4, ip6, link::LinkType, tcp, udp, walk};

/// Where the checksum of a transport header is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Where the transport header starts.
    pub start: usize,
    /// How many bytes behind that its checksum is.
    pub offset: u16,
    /// The sum of the pseudo header.
    pseudo: u16,
}

impl Place {
    /// Puts the sum of the pseudo header into the field of `packet`, as senders do that leave the rest to their device.
    pub fn leave(self, packet: &mut [u8]) {
        let at = self.start + usize::from(self.offset);
        if let Some(field) = packet.get_mut(at..at + 2) {
            field.copy_from_slice(&self.pseudo.to_be_bytes());
        }
    }
}

/// Where the checksum of the packet is that begins with `bytes`; `None` where it is neither TCP nor UDP, or its header is not all
/// there.
#[must_use]
pub fn place(bytes: &[u8], link: LinkType) -> Option<Place> {
    let link = walk::link(bytes, link).ok()?;
    let (version, network) = walk::network(bytes, &link).ok()?;
    let packet = bytes.get(network..)?;
    let (start, protocol, sum) = match version {
        walk::Version::V4 => {
            let (ip, _) = ip4::Header::ref_from_prefix(packet).ok()?;
            let length = ip.total_length.get().wrapping_sub(ip.header_length() as u16);
            let sum = Sum::EMPTY.pseudo4(ip.source, ip.destination, ip.protocol, length);
            (network + ip.header_length(), ip.protocol, sum)
        }
        walk::Version::V6 => {
            let (ip, payload) = ip6::Header::ref_from_prefix(packet).ok()?;
            let upper = ip6::upper_layer(ip.next_header, payload);
            let offset = upper.offset?;
            let length = u32::from(ip.payload_length.get()).wrapping_sub(offset as u32);
            let sum = Sum::EMPTY.pseudo6(ip.source, ip.destination, upper.protocol, length);
            (network + size_of::<ip6::Header>() + offset, upper.protocol, sum)
        }
    };
    let offset = match protocol {
        ip4::protocol::TCP => offset_of!(tcp::Header, checksum),
        ip4::protocol::UDP => offset_of!(udp::Header, checksum),
        _ => return None,
    };
    Some(Place { start, offset: offset as u16, pseudo: !sum.checksum() })
}

/// Where the checksum is still to be made of the packet that begins with `bytes`; `None` when it is made, as far as one can see.
///
/// One packet in 65,536 has a checksum that looks like one to be made. To make it is to check nothing and to change nothing, since
/// the right one comes out.
#[must_use]
pub fn left_to_make(bytes: &[u8], link: LinkType) -> Option<Place> {
    let place = place(bytes, link)?;
    let at = place.start + usize::from(place.offset);
    let field = U16::read_from_prefix(bytes.get(at..)?).ok()?.0;
    (field.get() == place.pseudo).then_some(place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::checksum;

    /// UDP over IPv4 in Ethernet, with the checksum field of RFC 768 over `abcd`.
    fn packet(checksum: u16) -> Vec<u8> {
        let mut bytes = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0];
        bytes.extend([0x45, 0, 0, 32, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        bytes.extend([0, 1, 0, 2, 0, 12]);
        bytes.extend(checksum.to_be_bytes());
        bytes.extend(b"abcd");
        bytes
    }

    #[test]
    fn a_checksum_that_is_left_to_make_is_told_from_one_that_is_made() {
        // 0a00 + 0001 + 0a00 + 0002 + 0011 + 000c, worked by hand.
        let left = packet(0x1420);
        let place = left_to_make(&left, LinkType::Ethernet).unwrap();
        assert_eq!((place.start, place.offset), (34, 6));
        let made = checksum::of(&left[place.start..]);
        assert_eq!(left_to_make(&packet(made), LinkType::Ethernet), None);
        // Whole, it is a sum that the receiver finds right.
        let whole = packet(made);
        let sum = Sum::EMPTY.pseudo4([10, 0, 0, 1], [10, 0, 0, 2], 17, 12);
        assert!(sum.bytes(&whole[34..]).is_intact());
        // Too short to have one, and no IP at all.
        assert_eq!(left_to_make(&left[..38], LinkType::Ethernet), None);
        assert_eq!(left_to_make(&[0; 60], LinkType::Ethernet), None);
    }
}
