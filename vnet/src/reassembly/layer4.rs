//! What stands behind the IP header of a datagram, for each of its fragments.

use zerocopy::FromBytes;

use crate::{
    buffer::{Buffer, BufferFlags},
    wire::{
        fragment::Fragment,
        ip4::{self, protocol},
        ip6, tcp,
    },
};

/// The fields of the transport header by which features tell packets apart, in host byte order. The note of a fragment lies in the
/// second cache line of its buffer, and says what the first fragment of its datagram has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Layer4 {
    /// The IP protocol; of IPv6 the type of the upper layer, behind all extension headers.
    pub protocol: u8,
    /// The source port; of ICMP the type of the message; 0 for protocols without ports.
    pub source: u16,
    /// The destination port; of ICMP the code of the message.
    pub destination: u16,
    /// The lower eight control bits of TCP (RFC 9293, section 3.1).
    pub tcp_flags: u8,
    /// Whether the packet is a fragment behind the first: it has none of these fields itself.
    pub is_later: bool,
    /// Whether the first fragment ends before them (RFC 1858, the tiny fragment): those that are not there are 0.
    pub is_truncated: bool,
}

const LATER: u8 = 1 << 0;
const TRUNCATED: u8 = 1 << 1;

impl Layer4 {
    /// Of the packet whose IP header is where [`Buffer::l3_offset`] says, as it is on the arcs of both directions. `None` when nobody
    /// knows: of later fragments on whose arc shallow reassembly is not enabled, and of packets without whole IP headers.
    #[inline]
    #[must_use]
    pub fn of(buffer: &Buffer) -> Option<Self> {
        let packet = buffer.from_offset(buffer.l3_offset);
        match fragment(packet) {
            None => Self::read(packet),
            Some(_) if buffer.flags().contains(BufferFlags::LAYER4_NOTED) => {
                Some(Self::noted(buffer))
            }
            Some(fragment) if fragment.is_first() => Self::read(packet),
            Some(_) => None,
        }
    }

    /// What a whole packet or a first fragment says, which begins with its IP header. `None` when that or a header behind it is cut.
    #[must_use]
    pub fn read(packet: &[u8]) -> Option<Self> {
        let (protocol, bytes) = match packet.first()? >> 4 {
            4 => {
                let (ip, _) = ip4::Header::ref_from_prefix(packet).ok()?;
                let total = usize::from(ip.total_length.get()).min(packet.len());
                (ip.protocol, packet.get(ip.header_length()..total)?)
            }
            6 => {
                let (ip, payload) = ip6::Header::ref_from_prefix(packet).ok()?;
                let length = usize::from(ip.payload_length.get()).min(payload.len());
                let upper = ip6::upper_layer(ip.next_header, &payload[..length]);
                (upper.protocol, payload.get(upper.offset?..length)?)
            }
            _ => return None,
        };
        Some(Self::from_header(protocol, bytes))
    }

    fn from_header(protocol: u8, bytes: &[u8]) -> Self {
        let octet = |at: usize| bytes.get(at).copied().unwrap_or(0);
        let word = |at: usize| u16::from_be_bytes([octet(at), octet(at + 1)]);
        let of = |source, destination, needs: usize| Self {
            protocol,
            source,
            destination,
            is_truncated: bytes.len() < needs,
            ..Self::default()
        };
        match protocol {
            protocol::TCP => {
                Self { tcp_flags: octet(13), ..of(word(0), word(2), size_of::<tcp::Header>()) }
            }
            protocol::UDP | protocol::UDP_LITE => of(word(0), word(2), 8),
            protocol::SCTP | protocol::DCCP => of(word(0), word(2), 12),
            protocol::ICMP | protocol::ICMP6 => of(octet(0).into(), octet(1).into(), 4),
            _ => of(0, 0, 0),
        }
    }

    /// Notes it on a fragment. For the nodes of shallow reassembly.
    #[inline]
    pub fn note(self, buffer: &mut Buffer) {
        let flag = |is_set, flag| if is_set { flag } else { 0 };
        let flags = flag(self.is_later, LATER) | flag(self.is_truncated, TRUNCATED);
        buffer.layer4 = [
            u32::from(self.source) << 16 | u32::from(self.destination),
            u32::from_be_bytes([self.protocol, self.tcp_flags, flags, 0]),
        ];
        buffer.set_flags(BufferFlags::LAYER4_NOTED);
    }

    fn noted(buffer: &Buffer) -> Self {
        let [ports, rest] = buffer.layer4;
        let [protocol, tcp_flags, flags, _] = rest.to_be_bytes();
        Self {
            protocol,
            source: (ports >> 16) as u16,
            destination: ports as u16,
            tcp_flags,
            is_later: flags & LATER != 0,
            is_truncated: flags & TRUNCATED != 0,
        }
    }
}

/// What a packet says of itself as a fragment, where it says so without contradiction.
fn fragment(packet: &[u8]) -> Option<Fragment> {
    match packet.first()? >> 4 {
        4 => Fragment::of4(packet).ok()?,
        _ => Fragment::of6(packet).ok()?,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{buffer::BufferPool, frame::Frame};

    fn ip4(flags_fragment: u16, protocol: u8, payload: &[u8]) -> Vec<u8> {
        let mut packet = vec![0; 20];
        packet[0] = 0x45;
        packet[3] = 20 + payload.len() as u8;
        packet[6..8].copy_from_slice(&flags_fragment.to_be_bytes());
        packet[9] = protocol;
        packet.extend_from_slice(payload);
        packet
    }

    #[test]
    fn fields_are_those_of_the_transport_header() {
        let mut tcp = vec![0, 80, 1, 2];
        tcp.resize(20, 0);
        tcp[13] = 0x12;
        let of = |packet: &[u8]| Layer4::read(packet).unwrap();
        let expected = Layer4 {
            protocol: 6,
            source: 80,
            destination: 258,
            tcp_flags: 0x12,
            ..of(&ip4(0, 6, &tcp))
        };
        assert_eq!(of(&ip4(0, 6, &tcp)), expected);
        assert!(!expected.is_truncated && !expected.is_later);
        // Eight octets are ports without flags.
        let tiny = of(&ip4(0x2000, 6, &tcp[..8]));
        assert_eq!((tiny.source, tiny.tcp_flags, tiny.is_truncated), (80, 0, true));
        let echo = of(&ip4(0, 1, &[8, 0, 1, 2, 3, 4, 5, 6]));
        assert_eq!((echo.source, echo.destination, echo.is_truncated), (8, 0, false));
        let gre = of(&ip4(0, 47, &[1, 2, 3, 4]));
        assert_eq!((gre.source, gre.destination, gre.is_truncated), (0, 0, false));
        let mut ip6 = vec![0x60, 0, 0, 0, 0, 16, 0, 64];
        ip6.resize(40, 0);
        ip6.extend([17, 0, 1, 4, 0, 0, 0, 0, 0, 53, 0, 54, 0, 8, 0, 0]);
        let udp = of(&ip6);
        assert_eq!((udp.protocol, udp.source, udp.destination), (17, 53, 54));
        // What lies behind the packet is not its own.
        ip6[5] = 8;
        assert!(of(&ip6).is_truncated);
        for cut in [&[][..], &[0x45], &[0x60; 39], &[0x20; 60]] {
            assert_eq!(Layer4::read(cut), None);
        }
    }

    #[test]
    fn later_fragments_have_what_was_noted_and_nothing_before() {
        let pool = BufferPool::new(8).unwrap();
        let mut magazine = crate::buffer::Magazine::new(pool);
        let mut frame = Frame::new();
        frame.fill_from(&mut magazine, 1);
        let mut buffers = frame.buffers(magazine.base());
        let buffer = buffers.get(0).unwrap();
        buffer.append(&ip4(5, 17, &[9; 8]));
        assert_eq!(Layer4::of(buffer), None);
        let noted = Layer4 {
            protocol: 17,
            source: 1,
            destination: 65535,
            tcp_flags: 255,
            is_later: true,
            is_truncated: true,
        };
        noted.note(buffer);
        assert_eq!(Layer4::of(buffer), Some(noted));
        // A whole packet is read, whatever was noted on what is in it.
        buffer.truncate(0);
        buffer.append(&ip4(0, 17, &[0, 7, 0, 8, 0, 8, 0, 0]));
        assert_eq!(Layer4::of(buffer).map(|l4| l4.source), Some(7));
        frame.free_from(&mut magazine, 0);
    }
}
