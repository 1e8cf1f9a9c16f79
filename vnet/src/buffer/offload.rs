//! What is still to be done to a packet before it is on a wire: its checksum, and its cutting into segments.

use super::{Buffer, BufferFlags};
use crate::wire::partial;

/// Which packets a large one stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Gso {
    /// Itself.
    #[default]
    None,
    /// TCP segments over IPv4.
    Tcp4,
    /// TCP segments over IPv6.
    Tcp6,
    /// UDP datagrams.
    Udp,
}

/// What is still to be done to a packet with [`BufferFlags::OFFLOAD`]. Whoever puts headers in front or takes some away need
/// not touch it: places are counted as `current_data` is.
///
/// Where [`Self::gso`] is not [`Gso::None`] the packet is a chain of buffers, whatever its length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Offload {
    /// Where the transport header starts. The sum from there to the end of the packet is to be made; its field holds that of the
    /// pseudo-header.
    pub checksum_start: i16,
    /// Octets from there to the field of the checksum.
    pub checksum_offset: u16,
    /// Octets of payload of each packet that this one stands for, of which the last may have fewer; 0 without `gso`.
    pub gso_size: u16,
    /// Octets of the transport header, which each of them has.
    pub header_length: u16,
    /// Which packets it stands for.
    pub gso: Gso,
    /// The first of them alone has the TCP flag CWR (RFC 3168, section 6.1.2).
    pub ecn: bool,
}

/// Packets and their octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnWire {
    /// How many a packet stands for.
    pub packets: u32,
    /// Octets of all, each with its headers from the current position on.
    pub octets: u64,
}

impl Offload {
    /// Nothing is to be done.
    pub const NONE: Self = Self {
        checksum_start: 0,
        checksum_offset: 0,
        gso_size: 0,
        header_length: 0,
        gso: Gso::None,
        ecn: false,
    };
}

impl Buffer {
    /// What is to be done to the packet; `None` when it is as it goes on a wire.
    #[inline]
    #[must_use]
    pub fn offload(&self) -> Option<&Offload> {
        self.flags().contains(BufferFlags::OFFLOAD).then_some(&self.offload)
    }

    /// Notes that the checksum at `place` of the current bytes is still to be made.
    pub fn leave_checksum(&mut self, place: partial::Place) {
        let first = i32::from(self.current_data());
        let Ok(checksum_start) = i16::try_from(first + place.start as i32) else { return };
        let checksum_offset = place.offset;
        self.offload = Offload { checksum_start, checksum_offset, ..Offload::NONE };
        self.set_flags(BufferFlags::OFFLOAD);
    }

    /// Octets of the headers, from the current position on, that each packet has for which this one stands. `None` when it stands
    /// for itself, or the current position is behind them.
    #[must_use]
    pub fn gso_headers(&self) -> Option<usize> {
        let offload = self.offload().filter(|o| o.gso != Gso::None && o.gso_size > 0)?;
        let transport = i32::from(offload.checksum_start) - i32::from(self.current_data());
        let headers = usize::try_from(transport).ok()? + usize::from(offload.header_length);
        (headers < self.length_in_chain()).then_some(headers)
    }

    /// What the packet is on a wire, from the current position on: itself, unless it stands for several.
    #[inline]
    #[must_use]
    pub fn on_wire(&self) -> OnWire {
        // Out of line: a packet that stands for several is a chain.
        match self.flags().contains(BufferFlags::NEXT_PRESENT) {
            false => OnWire { packets: 1, octets: self.len() as u64 },
            true => self.chain_on_wire(),
        }
    }

    #[cold]
    fn chain_on_wire(&self) -> OnWire {
        let length = self.length_in_chain();
        let Some(headers) = self.gso_headers() else {
            return OnWire { packets: 1, octets: length as u64 };
        };
        let packets = (length - headers).div_ceil(usize::from(self.offload.gso_size));
        OnWire { packets: packets as u32, octets: (length + (packets - 1) * headers) as u64 }
    }

    /// Octets, from the current position on, of the longest of the packets that this one stands for.
    #[must_use]
    pub fn longest_on_wire(&self) -> usize {
        let length = self.length_in_chain();
        match self.gso_headers() {
            Some(headers) => length.min(headers + usize::from(self.offload.gso_size)),
            None => length,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        buffer::{BufferPool, Magazine},
        frame::Frame,
    };

    #[test]
    fn a_large_packet_counts_as_those_that_it_stands_for() {
        let pool = BufferPool::new(16).unwrap();
        let mut magazine = Magazine::new(pool);
        let mut frame = Frame::new();
        frame.fill_from(&mut magazine, 1);
        let base = magazine.base();
        let mut buffers = frame.buffers(base);
        let head = buffers.get(0).unwrap();
        // 54 octets of headers, then two whole segments and one of 100 octets.
        assert!(magazine.append_chain(head, &[0; 54 + 2 * 1448 + 100]));
        assert_eq!(head.on_wire(), OnWire { packets: 1, octets: 54 + 2 * 1448 + 100 });
        head.offload = Offload {
            checksum_start: 34,
            checksum_offset: 16,
            gso_size: 1448,
            header_length: 20,
            gso: Gso::Tcp4,
            ecn: false,
        };
        head.set_flags(BufferFlags::OFFLOAD);
        assert_eq!(head.on_wire(), OnWire { packets: 3, octets: 3 * 54 + 2 * 1448 + 100 });
        assert_eq!(head.longest_on_wire(), 1502);
        // Without its Ethernet header it is the same, less 14 octets a packet.
        assert!(head.advance(14));
        assert_eq!(head.on_wire(), OnWire { packets: 3, octets: 3 * 40 + 2 * 1448 + 100 });
        assert_eq!(head.longest_on_wire(), 1488);
        frame.free_from(&mut magazine, 0);
    }
}
