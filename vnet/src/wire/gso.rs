//! The packets for which a large one stands (generic segmentation offload): the headers of each, and its part of the payload.
//!
//! Lengths, identification (RFC 6864: they are packets of their own), sequence numbers and flags are those that the sender
//! would have written. The checksum field is left with the sum of the pseudo-header, as [`Offload`] has it.

use core::ops::Range;

use super::{checksum, ip4, ip6, tcp, udp};
use crate::buffer::{Buffer, Gso, Offload};

/// The packets for which one stands.
#[derive(Clone, Copy, Debug)]
pub struct Segments<'a> {
    /// All headers of the large packet.
    head: &'a [u8],
    /// Octets in front of its IP header.
    network: usize,
    /// Octets in front of its transport header.
    transport: usize,
    /// Octets of its payload.
    payload: usize,
    offload: Offload,
}

/// Octets from the start of a TCP header to its flags, of which these are looked at.
const TCP_FLAGS: usize = 13;
const FIN: u8 = 0x01;
const PSH: u8 = 0x08;
const CWR: u8 = 0x80;

impl<'a> Segments<'a> {
    /// The packets for which `buffer` stands, whose IP header is `network` octets behind the current position. `None` when it
    /// stands for itself, or its headers are not what they should be, or not all in the first buffer.
    #[must_use]
    pub fn of(buffer: &'a Buffer, network: usize) -> Option<Self> {
        Self::of_length(buffer, network, buffer.length_in_chain())
    }

    /// The same of a packet that has `length` octets from the current position on, of which the buffer has no more than the first.
    /// Headers of tunnels may be in front of the transport header; `network` says which IP header is to be right.
    #[must_use]
    pub fn of_length(buffer: &'a Buffer, network: usize, length: usize) -> Option<Self> {
        let headers = buffer.gso_headers()?;
        let offload = *buffer.offload()?;
        let head = buffer.current().get(..headers)?;
        let transport = headers - usize::from(offload.header_length);
        let is_ip = match head.get(network)? >> 4 {
            4 => network + size_of::<ip4::Header>() <= transport,
            6 => network + size_of::<ip6::Header>() <= transport,
            _ => false,
        };
        let least = match offload.gso {
            Gso::None => return None,
            Gso::Tcp4 | Gso::Tcp6 => size_of::<tcp::Header>(),
            Gso::Udp => size_of::<udp::Header>(),
        };
        let is_transport = headers - transport >= least
            && usize::from(offload.checksum_offset) + 2 <= headers - transport;
        let payload = length.checked_sub(headers)?;
        (is_ip && is_transport).then_some(Self { head, network, transport, payload, offload })
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.payload.div_ceil(usize::from(self.offload.gso_size))
    }

    /// Octets of the headers of each.
    #[must_use]
    pub fn headers(&self) -> usize {
        self.head.len()
    }

    /// Where packet `i` has its payload in the large one.
    #[must_use]
    pub fn payload(&self, i: usize) -> Range<usize> {
        let size = usize::from(self.offload.gso_size);
        let (start, end) = (i * size, ((i + 1) * size).min(self.payload));
        self.head.len() + start.min(end)..self.head.len() + end
    }

    /// What is still to be done to each: its checksum. It begins at `first`, counted as `current_data` is.
    #[must_use]
    pub fn checksum_only(&self, first: i16) -> Offload {
        Offload {
            checksum_start: first.saturating_add(self.transport as i16),
            checksum_offset: self.offload.checksum_offset,
            ..Offload::NONE
        }
    }

    /// Writes the headers of packet `i` to `into`, which is as long as they are.
    pub fn write(&self, i: usize, into: &mut [u8]) {
        let Self { head, network, transport, .. } = *self;
        let Some(into) = into.get_mut(..head.len()) else { return };
        into.copy_from_slice(head);
        let payload = self.payload(i).len();
        let (network_part, transport_part) = into.split_at_mut(transport);
        let octets = transport_part.len() + payload;
        write_ip(&mut network_part[network..], octets, i);
        match self.offload.gso {
            Gso::Udp => put(transport_part, 4, octets as u16),
            _ => self.write_tcp(i, transport_part),
        }
        // The pseudo-header has the length, too (RFC 9293, section 3.1).
        let before = fold((head.len() - transport + self.payload) as u32);
        let at = usize::from(self.offload.checksum_offset);
        let sum = u32::from(get(transport_part, at)) + u32::from(!before) + octets as u32;
        put(transport_part, at, fold(sum));
    }

    fn write_tcp(&self, i: usize, header: &mut [u8]) {
        let sent = (i * usize::from(self.offload.gso_size)) as u32;
        let sequence = (u32::from(get(header, 4)) << 16) | u32::from(get(header, 6));
        let sequence = sequence.wrapping_add(sent);
        put(header, 4, (sequence >> 16) as u16);
        put(header, 6, sequence as u16);
        let Some(flags) = header.get_mut(TCP_FLAGS) else { return };
        if i > 0 {
            *flags &= !CWR;
        }
        if i + 1 < self.count() {
            *flags &= !(FIN | PSH);
        }
    }
}

/// Writes the lengths and what follows from them into the IP header of the `i`-th packet, with `octets` behind all IP headers.
fn write_ip(headers: &mut [u8], octets: usize, i: usize) {
    let total = headers.len() + octets;
    if headers.first().is_some_and(|byte| byte >> 4 == 6) {
        put(headers, 4, (total - size_of::<ip6::Header>()) as u16);
        return;
    }
    put(headers, 2, total as u16);
    let identification = get(headers, 4).wrapping_add(i as u16);
    put(headers, 4, identification);
    put(headers, 10, 0);
    let length = usize::from(headers[0] & 15) * 4;
    if let Some(header) = headers.get(..length) {
        let sum = checksum::of(header);
        put(headers, 10, sum);
    }
}

fn get(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).map_or(0, |two| u16::from_be_bytes([two[0], two[1]]))
}

fn put(bytes: &mut [u8], at: usize, value: u16) {
    if let Some(two) = bytes.get_mut(at..at + 2) {
        two.copy_from_slice(&value.to_be_bytes());
    }
}

/// One's complement addition of the halves.
fn fold(sum: u32) -> u16 {
    let sum = (sum >> 16) + (sum & 0xffff);
    ((sum >> 16) + (sum & 0xffff)) as u16
}

#[cfg(test)]
mod tests {
    use zerocopy::IntoBytes;

    use super::*;
    use crate::{
        buffer::{BufferFlags, BufferPool, Magazine},
        frame::Frame,
        wire::checksum::Sum,
    };

    const PAYLOAD: usize = 2500;
    const SIZE: usize = 1000;

    /// A large packet of 2,500 octets behind Ethernet and IP headers of that version, which `see` is shown.
    fn with_large(version: u8, gso: Gso, see: impl FnOnce(&mut Buffer)) {
        let transport = if gso == Gso::Udp { 8 } else { 20 };
        let octets = (transport + PAYLOAD) as u16;
        let mut packet = vec![0; 14];
        let protocol = if gso == Gso::Udp { 17 } else { 6 };
        let pseudo = if version == 4 {
            let mut ip = [0; 20];
            (ip[0], ip[8], ip[9]) = (0x45, 64, protocol);
            put(&mut ip, 2, 20 + octets);
            put(&mut ip, 4, 0xffff);
            (ip[12], ip[16]) = (10, 11);
            packet.extend_from_slice(&ip);
            Sum::EMPTY.pseudo4([10, 0, 0, 0], [11, 0, 0, 0], protocol, octets)
        } else {
            let mut ip = [0; 40];
            (ip[0], ip[6], ip[7]) = (0x60, protocol, 64);
            put(&mut ip, 4, octets);
            (ip[8], ip[24]) = (0xfd, 0xfc);
            packet.extend_from_slice(&ip);
            let address = |first| core::array::from_fn(|i| if i == 0 { first } else { 0 });
            Sum::EMPTY.pseudo6(address(0xfd), address(0xfc), protocol, octets.into())
        };
        let mut header = vec![0; transport];
        let checksum_offset = if gso == Gso::Udp { 6 } else { 16 };
        put(&mut header, checksum_offset, !pseudo.checksum());
        if gso == Gso::Udp {
            put(&mut header, 4, octets);
        } else {
            header[4..8].copy_from_slice(&0xffff_fff0_u32.to_be_bytes());
            (header[12], header[TCP_FLAGS]) = (0x50, CWR | FIN | PSH | 0x10);
        }
        let start = packet.len();
        packet.extend_from_slice(&header);
        packet.extend((0..PAYLOAD).map(|i| i as u8));
        let mut magazine = Magazine::new(BufferPool::new(8).unwrap());
        let (mut frame, base) = (Frame::new(), magazine.base());
        frame.fill_from(&mut magazine, 1);
        let mut buffers = frame.buffers(base);
        let buffer = buffers.get(0).unwrap();
        assert!(magazine.append_chain(buffer, &packet));
        buffer.offload = Offload {
            checksum_start: start as i16,
            checksum_offset: checksum_offset as u16,
            gso_size: SIZE as u16,
            header_length: transport as u16,
            gso,
            ecn: true,
        };
        buffer.set_flags(BufferFlags::OFFLOAD);
        see(buffer);
        frame.free_from(&mut magazine, 0);
    }

    #[test]
    fn each_packet_has_the_headers_that_its_sender_would_have_written() {
        for (version, gso) in [(4, Gso::Tcp4), (6, Gso::Tcp6), (4, Gso::Udp), (6, Gso::Udp)] {
            with_large(version, gso, |buffer| {
                let segments = Segments::of(buffer, 14).unwrap();
                assert_eq!(segments.count(), 3);
                for (i, length) in [1000, 1000, 500].into_iter().enumerate() {
                    let mut headers = vec![0; segments.headers()];
                    segments.write(i, &mut headers);
                    assert_eq!(segments.payload(i).len(), length);
                    let ip = &headers[14..];
                    let (transport, pseudo) = if version == 4 {
                        assert_eq!(checksum::of(&ip[..20]), 0);
                        assert_eq!(usize::from(get(ip, 2)), ip.len() + length);
                        assert_eq!(get(ip, 4), 0xffff_u16.wrapping_add(i as u16));
                        let octets = (ip.len() - 20 + length) as u16;
                        let sum = Sum::EMPTY.pseudo4([10, 0, 0, 0], [11, 0, 0, 0], ip[9], octets);
                        (&ip[20..], sum)
                    } else {
                        assert_eq!(usize::from(get(ip, 4)), ip.len() - 40 + length);
                        let (from, to) = (ip[8..24].try_into(), ip[24..40].try_into());
                        let octets = (ip.len() - 40 + length) as u32;
                        let sum = Sum::EMPTY.pseudo6(from.unwrap(), to.unwrap(), ip[6], octets);
                        (&ip[40..], sum)
                    };
                    let checksum_offset = if gso == Gso::Udp { 6 } else { 16 };
                    assert_eq!(get(transport, checksum_offset), !pseudo.checksum());
                    if gso == Gso::Udp {
                        assert_eq!(usize::from(get(transport, 4)), 8 + length);
                        continue;
                    }
                    let sequence = 0xffff_fff0_u32.wrapping_add(1000 * i as u32);
                    assert_eq!(transport[4..8], *sequence.to_be_bytes().as_bytes());
                    let flags = [CWR | 0x10, 0x10, FIN | PSH | 0x10][i];
                    assert_eq!(transport[TCP_FLAGS], flags);
                }
            });
        }
    }

    #[test]
    fn headers_that_are_not_what_they_should_be_stand_for_nothing() {
        with_large(4, Gso::Tcp4, |buffer| {
            assert!(Segments::of(buffer, 14).is_some());
            // Not where an IP header is, and behind the transport header.
            assert!(Segments::of(buffer, 13).is_none());
            assert!(Segments::of(buffer, 35).is_none());
            buffer.offload.header_length = 12;
            assert!(Segments::of(buffer, 14).is_none());
            buffer.offload.header_length = 3000;
            assert!(Segments::of(buffer, 14).is_none());
            buffer.offload.header_length = 20;
            buffer.offload.checksum_offset = 19;
            assert!(Segments::of(buffer, 14).is_none());
            buffer.clear_flags(BufferFlags::OFFLOAD);
            assert!(Segments::of(buffer, 14).is_none());
        });
    }
}
