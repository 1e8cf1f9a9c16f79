//! The header of virtio-net (Virtual I/O Device 1.2, section 5.1.6), which tells what is still to be done to a packet. Packet
//! sockets and tap devices have it in front of their packets, in the byte order of the host.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{tcp, udp};
use crate::buffer::{Buffer, BufferFlags, Gso, Offload};

/// The header, 10 octets.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable,
)]
#[repr(C)]
pub struct VirtioNetHeader {
    flags: u8,
    gso_type: u8,
    /// Octets of all headers.
    header_length: u16,
    gso_size: u16,
    /// Octets of the packet before the transport header.
    checksum_start: u16,
    checksum_offset: u16,
}

/// A header that contradicts its packet, or asks for what nobody here knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// The sum from `checksum_start` on is still to be made.
const NEEDS_CHECKSUM: u8 = 1;
/// The checksum was verified.
const CHECKSUM_VALID: u8 = 2;

const GSO_TCP4: u8 = 1;
const GSO_TCP6: u8 = 4;
const GSO_UDP_L4: u8 = 5;
const GSO_ECN: u8 = 0x80;

/// Octets of a large packet in its first buffer, at most: all headers are there, and something is behind it.
const HEAD: usize = 256;

impl VirtioNetHeader {
    /// How many octets of a packet of `length`, which it is in front of, belong into the first buffer, which has `room`: of a large
    /// one the headers, which each of those that it is cut into has, and little else.
    #[inline]
    #[must_use]
    pub fn octets_in_front(&self, length: usize, room: usize) -> usize {
        if self.is_gso() { HEAD.min(length.saturating_sub(1)) } else { room.min(length) }
    }

    /// Whether it says anything.
    #[inline]
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.flags & NEEDS_CHECKSUM == 0 && self.gso_type == 0
    }

    /// Whether the packet stands for several.
    #[must_use]
    pub fn is_gso(&self) -> bool {
        self.gso_type & !GSO_ECN != 0
    }

    /// Whether somebody has verified the checksum of the transport header.
    #[inline]
    #[must_use]
    pub fn is_checksum_valid(&self) -> bool {
        self.flags & CHECKSUM_VALID != 0
    }

    /// Notes on `buffer`, whose octets are those of the packet and `inserted` more in front of the network header, what the header
    /// says is to be done. All headers lie in the first buffer.
    ///
    /// # Errors
    /// When the header contradicts the packet; nothing is noted.
    pub fn note(&self, buffer: &mut Buffer, inserted: usize) -> Result<(), Malformed> {
        if self.is_plain() {
            return Ok(());
        }
        let start = usize::from(self.checksum_start) + inserted;
        let transport = buffer.current().get(start..).ok_or(Malformed)?;
        if self.flags & NEEDS_CHECKSUM == 0
            || transport.len() < usize::from(self.checksum_offset) + 2
        {
            return Err(Malformed);
        }
        let gso = match self.gso_type & !GSO_ECN {
            0 => Gso::None,
            GSO_TCP4 => Gso::Tcp4,
            GSO_TCP6 => Gso::Tcp6,
            GSO_UDP_L4 => Gso::Udp,
            _ => return Err(Malformed),
        };
        let header_length = match gso {
            Gso::None => 0,
            Gso::Tcp4 | Gso::Tcp6 => {
                let length = transport.get(12).map_or(0, |byte| usize::from(byte >> 4) * 4);
                if length < size_of::<tcp::Header>() { return Err(Malformed) } else { length }
            }
            Gso::Udp => size_of::<udp::Header>(),
        };
        if transport.len() < header_length || (gso != Gso::None && self.gso_size == 0) {
            return Err(Malformed);
        }
        let first = i32::from(buffer.current_data());
        buffer.offload = Offload {
            checksum_start: i16::try_from(first + start as i32).map_err(|_| Malformed)?,
            checksum_offset: self.checksum_offset,
            gso_size: if gso == Gso::None { 0 } else { self.gso_size },
            header_length: header_length as u16,
            gso,
            ecn: self.gso_type & GSO_ECN != 0,
        };
        buffer.set_flags(BufferFlags::OFFLOAD);
        Ok(())
    }

    /// What is to be done to `buffer`, from its current position on.
    #[inline]
    #[must_use]
    pub fn of(buffer: &Buffer) -> Self {
        match buffer.offload() {
            None => Self::default(),
            Some(offload) => Self::of_offload(buffer, offload),
        }
    }

    #[cold]
    fn of_offload(buffer: &Buffer, offload: &Offload) -> Self {
        let start = i32::from(offload.checksum_start) - i32::from(buffer.current_data());
        let Ok(start) = u16::try_from(start) else { return Self::default() };
        let gso_type = match offload.gso {
            Gso::None => 0,
            Gso::Tcp4 => GSO_TCP4,
            Gso::Tcp6 => GSO_TCP6,
            Gso::Udp => GSO_UDP_L4,
        };
        let least = start.saturating_add(offload.checksum_offset).saturating_add(2);
        Self {
            flags: NEEDS_CHECKSUM,
            gso_type: gso_type | if offload.ecn { GSO_ECN } else { 0 },
            header_length: least.max(start.saturating_add(offload.header_length)),
            gso_size: offload.gso_size,
            checksum_start: start,
            checksum_offset: offload.checksum_offset,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(gso_type: u8, flags: u8) -> VirtioNetHeader {
        VirtioNetHeader {
            flags,
            gso_type,
            header_length: 54,
            gso_size: 1000,
            checksum_start: 34,
            checksum_offset: 16,
        }
    }

    /// A packet with a TCP header of 24 octets behind 34.
    fn packet() -> Buffer {
        let mut buffer = Buffer::empty();
        let mut bytes = [0; 100];
        bytes[34 + 12] = 0x60;
        buffer.append(&bytes);
        buffer
    }

    #[test]
    fn what_a_header_says_is_said_again_wherever_the_packet_begins() {
        let mut buffer = packet();
        header(GSO_TCP4 | GSO_ECN, NEEDS_CHECKSUM).note(&mut buffer, 0).unwrap();
        assert_eq!((buffer.offload.header_length, buffer.offload.gso), (24, Gso::Tcp4));
        let again = VirtioNetHeader::of(&buffer);
        // The header length that the kernel tells is a hint; ours is that of the headers.
        let exact =
            VirtioNetHeader { header_length: 58, ..header(GSO_TCP4 | GSO_ECN, NEEDS_CHECKSUM) };
        assert_eq!(again, exact);
        assert!(buffer.advance(14) && buffer.push(18));
        assert_eq!(VirtioNetHeader::of(&buffer).checksum_start, 38);
        // Four octets of a tag were put in on the way.
        let mut tagged = packet();
        header(0, NEEDS_CHECKSUM).note(&mut tagged, 4).unwrap();
        assert_eq!(tagged.offload.checksum_start, 38);
        assert!(!VirtioNetHeader::of(&tagged).is_gso());
        assert_eq!(VirtioNetHeader::of(&packet()), VirtioNetHeader::default());
    }

    #[test]
    fn headers_that_contradict_their_packet_are_refused() {
        let wrong = |change: fn(&mut VirtioNetHeader)| {
            let mut header = header(GSO_TCP4, NEEDS_CHECKSUM);
            change(&mut header);
            let mut buffer = packet();
            let noted = header.note(&mut buffer, 0);
            assert!(noted.is_err() && buffer.offload().is_none(), "{header:?}");
        };
        wrong(|header| header.flags = 0);
        wrong(|header| header.gso_type = 3);
        wrong(|header| header.gso_type = 0x40);
        wrong(|header| header.gso_size = 0);
        wrong(|header| header.checksum_start = 101);
        wrong(|header| header.checksum_start = u16::MAX);
        wrong(|header| header.checksum_offset = 65);
        wrong(|header| header.checksum_offset = u16::MAX);
        // No data offset there.
        wrong(|header| header.checksum_start = 0);
        wrong(|header| header.checksum_start = 90);
        assert!(header(0, 0).note(&mut packet(), 0).is_ok());
    }
}
