//! A packet as lists see it: its five-tuple as words that can be masked, compared and hashed at once.
//!
//! A key of IPv4 has two words, one of IPv6 five: addresses first, then a word of layer 4, the same for both:
//!
//! | bits | |
//! |---|---|
//! | 63..48 | source port, or the type of an ICMP message |
//! | 47..32 | destination port, or the code of an ICMP message |
//! | 31..24 | protocol |
//! | 23..16 | TCP flags |
//! | 0 | the fields above are the packet's own |

use vnet::wire::{
    ip4::{self, protocol},
    ip6,
};
use zerocopy::FromBytes;

/// Words of an IPv4 key.
pub(crate) const IP4_WORDS: usize = 2;
/// Words of an IPv6 key.
pub(crate) const IP6_WORDS: usize = 5;

/// In the last word: that ports and flags were there to be read.
pub(crate) const VALID: u64 = 1;

/// The word of layer 4.
#[inline(always)]
pub(crate) const fn layer4(source: u16, destination: u16, protocol: u8, flags: u8) -> u64 {
    (source as u64) << 48
        | (destination as u64) << 32
        | (protocol as u64) << 24
        | (flags as u64) << 16
}

/// Fields of the word of layer 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layer4(pub(crate) u64);

impl Layer4 {
    pub(crate) const fn source(self) -> u16 {
        (self.0 >> 48) as u16
    }

    pub(crate) const fn destination(self) -> u16 {
        (self.0 >> 32) as u16
    }

    pub(crate) const fn protocol(self) -> u8 {
        (self.0 >> 24) as u8
    }

    pub(crate) const fn flags(self) -> u8 {
        (self.0 >> 16) as u8
    }
}

/// What a packet is, beyond its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// Its key says all.
    Whole,
    /// A fragment other than the first: it has no ports.
    Fragment,
    /// An ICMP error, which is about another packet.
    IcmpError,
    /// It ends before its header of layer 4 does.
    Cut,
    /// It ends before its IP header does: there is no key.
    NoHeader,
}

/// A version of IP, whose keys have `N` words.
pub(crate) trait Ip<const N: usize>: Send + 'static {
    /// Reads the key of a packet that begins with its IP header.
    fn read(packet: &[u8]) -> ([u64; N], Kind);

    /// The packet that an ICMP error is about, from its IP header on; empty where it was cut off.
    fn inner(packet: &[u8]) -> &[u8];
}

/// IPv4.
pub(crate) struct Ip4;
/// IPv6.
pub(crate) struct Ip6;

impl Ip<IP4_WORDS> for Ip4 {
    #[inline(always)]
    fn read(packet: &[u8]) -> ([u64; IP4_WORDS], Kind) {
        let Ok((ip, _)) = ip4::Header::ref_from_prefix(packet) else {
            return ([0; IP4_WORDS], Kind::NoHeader);
        };
        let addresses = u64::from(u32::from_be_bytes(ip.source)) << 32
            | u64::from(u32::from_be_bytes(ip.destination));
        if ip.fragment_offset() != 0 {
            return ([addresses, layer4(0, 0, ip.protocol, 0)], Kind::Fragment);
        }
        let behind = packet.get(ip.header_length().max(size_of::<ip4::Header>())..);
        let (word, kind) = transport(ip.protocol, behind.unwrap_or_default());
        ([addresses, word], kind)
    }

    fn inner(packet: &[u8]) -> &[u8] {
        let header = ip4::Header::ref_from_prefix(packet).map(|(ip, _)| ip.header_length());
        header.ok().and_then(|length| packet.get(length + ICMP_HEADER..)).unwrap_or_default()
    }
}

impl Ip<IP6_WORDS> for Ip6 {
    #[inline(always)]
    fn read(packet: &[u8]) -> ([u64; IP6_WORDS], Kind) {
        let Ok((ip, behind)) = ip6::Header::ref_from_prefix(packet) else {
            return ([0; IP6_WORDS], Kind::NoHeader);
        };
        let halves = |address| {
            let whole = u128::from_be_bytes(address);
            [(whole >> 64) as u64, whole as u64]
        };
        let ([a, b], [c, d]) = (halves(ip.source), halves(ip.destination));
        let (word, kind) = match ip.next_header {
            protocol::TCP | protocol::UDP | protocol::ICMP6 => transport(ip.next_header, behind),
            other => behind_extensions(other, behind),
        };
        ([a, b, c, d, word], kind)
    }

    fn inner(packet: &[u8]) -> &[u8] {
        let Ok((ip, behind)) = ip6::Header::ref_from_prefix(packet) else { return &[] };
        let offset = ip6::upper_layer(ip.next_header, behind).offset;
        offset.and_then(|offset| behind.get(offset + ICMP_HEADER..)).unwrap_or_default()
    }
}

/// Of an ICMP error, in front of the packet that it is about.
const ICMP_HEADER: usize = 8;

/// Of a packet with extension headers, or with a protocol that has no ports.
#[inline(never)]
fn behind_extensions(next_header: u8, behind: &[u8]) -> (u64, Kind) {
    let upper = ip6::upper_layer(next_header, behind);
    match upper.offset {
        Some(offset) => transport(upper.protocol, behind.get(offset..).unwrap_or_default()),
        None => {
            let is_later = ip6::fragment_header(next_header, behind)
                .is_some_and(|fragment| fragment.offset() != 0);
            let kind = if is_later { Kind::Fragment } else { Kind::Cut };
            (layer4(0, 0, upper.protocol, 0), kind)
        }
    }
}

/// The word of a header of layer 4.
#[inline(always)]
fn transport(protocol: u8, header: &[u8]) -> (u64, Kind) {
    /// The byte of a TCP header with its flags.
    const FLAGS: usize = 13;
    let cut = (layer4(0, 0, protocol, 0), Kind::Cut);
    match protocol {
        protocol::UDP => match header.first_chunk() {
            Some(&[a, b, c, d]) => {
                let (source, destination) =
                    (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
                (layer4(source, destination, protocol, 0) | VALID, Kind::Whole)
            }
            None => cut,
        },
        protocol::TCP => match (header.first_chunk(), header.get(FLAGS)) {
            (Some(&[a, b, c, d]), Some(&flags)) => {
                let (source, destination) =
                    (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
                (layer4(source, destination, protocol, flags) | VALID, Kind::Whole)
            }
            _ => cut,
        },
        protocol::ICMP | protocol::ICMP6 => match header.first_chunk() {
            Some(&[kind, code]) => {
                let word = layer4(kind.into(), code.into(), protocol, 0) | VALID;
                (word, if is_error(protocol, kind) { Kind::IcmpError } else { Kind::Whole })
            }
            None => cut,
        },
        _ => (layer4(0, 0, protocol, 0) | VALID, Kind::Whole),
    }
}

/// Whether a message of this type has the beginning of a packet behind its header (RFC 792, RFC 4443 section 2.1).
const fn is_error(protocol: u8, kind: u8) -> bool {
    match protocol {
        protocol::ICMP => matches!(kind, 3 | 4 | 5 | 11 | 12),
        _ => kind < 128,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip4(protocol: u8, fragment: u16, behind: &[u8]) -> Vec<u8> {
        let mut packet =
            vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        packet[6..8].copy_from_slice(&fragment.to_be_bytes());
        packet.extend(behind);
        packet
    }

    fn ip6(next_header: u8, behind: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x60, 0, 0, 0, 0, 0, next_header, 64];
        packet.extend([&[0x20, 1], &[0; 13][..], &[1], &[0x20, 1], &[0; 13], &[2]].concat());
        packet.extend(behind);
        packet
    }

    const ADDRESSES: u64 = 0x0a00_0001_0a00_0002;

    #[test]
    fn a_key_has_the_five_tuple_and_the_flags() {
        let tcp = [0, 80, 0x1f, 0x90, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x12];
        let word = layer4(80, 8080, 6, 0x12) | VALID;
        assert_eq!(Ip4::read(&ip4(6, 0, &tcp)), ([ADDRESSES, word], Kind::Whole));
        let half = 0x2001_0000_0000_0000;
        assert_eq!(Ip6::read(&ip6(6, &tcp)), ([half, 1, half, 2, word], Kind::Whole));
        let fields = Layer4(word);
        assert_eq!((fields.source(), fields.destination()), (80, 8080));
        assert_eq!((fields.protocol(), fields.flags()), (6, 0x12));
    }

    #[test]
    fn what_is_behind_extension_headers_is_found() {
        let udp = [0, 53, 0, 54, 0, 8, 0, 0];
        let options = [&[17, 0, 1, 4, 0, 0, 0, 0], &udp[..]].concat();
        let (key, kind) = Ip6::read(&ip6(0, &options));
        assert_eq!((key[4], kind), (layer4(53, 54, 17, 0) | VALID, Kind::Whole));
    }

    #[test]
    fn what_cannot_be_read_is_said_so() {
        let kind4 =
            |protocol, fragment, behind: &[u8]| Ip4::read(&ip4(protocol, fragment, behind)).1;
        assert_eq!(kind4(17, 0, &[0, 53, 0]), Kind::Cut);
        assert_eq!(kind4(6, 0, &[0; 13]), Kind::Cut);
        assert_eq!(kind4(1, 0, &[8]), Kind::Cut);
        assert_eq!(kind4(47, 0, &[]), Kind::Whole);
        assert_eq!(kind4(17, 185, &[0; 64]), Kind::Fragment);
        assert_eq!(kind4(17, ip4::Header::MORE_FRAGMENTS, &[0; 64]), Kind::Whole);
        assert_eq!(kind4(1, 0, &[3, 1]), Kind::IcmpError);
        assert_eq!(kind4(1, 0, &[8, 0]), Kind::Whole);
        assert_eq!(Ip4::read(&[0x45; 19]).1, Kind::NoHeader);
        let kind6 = |next, behind: &[u8]| Ip6::read(&ip6(next, behind)).1;
        assert_eq!(kind6(44, &[17, 0, 0x05, 0xa8, 0, 0, 0, 1, 0, 0, 0, 0]), Kind::Fragment);
        assert_eq!(kind6(44, &[17, 0, 0]), Kind::Cut);
        assert_eq!(kind6(0, &[17]), Kind::Cut);
        assert_eq!(kind6(58, &[1, 0]), Kind::IcmpError);
        assert_eq!(kind6(58, &[135, 0]), Kind::Whole);
        assert_eq!(Ip6::read(&[0x60; 39]).1, Kind::NoHeader);
    }

    #[test]
    fn an_icmp_error_has_the_beginning_of_a_packet() {
        let about = ip4(17, 0, &[0, 53, 0, 54]);
        let error = ip4(1, 0, &[&[3, 1, 0, 0, 0, 0, 0, 0], &about[..]].concat());
        assert_eq!(Ip4::inner(&error), about);
        assert_eq!(Ip4::inner(&error[..25]), [0; 0]);
        let about = ip6(17, &[0, 53, 0, 54]);
        let error = ip6(58, &[&[1, 4, 0, 0, 0, 0, 0, 0], &about[..]].concat());
        assert_eq!(Ip6::inner(&error), about);
    }
}
