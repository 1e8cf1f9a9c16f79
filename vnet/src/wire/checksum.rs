//! The Internet checksum (RFC 1071), its incremental update (RFC 1624) and the pseudo headers of IPv4 and IPv6.
//!
//! Sums are taken over native words and put into network order once at the end, which RFC 1071 section 2 (B) allows.
//! All `u16` values here are numbers as a header's `U16` field gives them.

use zerocopy::network_endian::U16;

use super::{ip4, ip6};

/// A running one's complement sum, not yet folded.
///
/// Parts that are added one after another must each have an even length, except for the last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum(u64);

impl Sum {
    /// The sum of nothing.
    pub const EMPTY: Self = Self(0);

    /// Adds `bytes`; an odd last byte counts as the high byte of a word (RFC 1071 section 4.1).
    #[inline]
    #[must_use]
    pub fn bytes(self, bytes: &[u8]) -> Self {
        let mut sum = self.0;
        let (words, rest) = bytes.as_chunks::<4>();
        for word in words {
            sum += u64::from(u32::from_ne_bytes(*word));
        }
        let mut last = [0; 4];
        for (to, from) in last.iter_mut().zip(rest) {
            *to = *from;
        }
        Self(sum + u64::from(u32::from_ne_bytes(last)))
    }

    /// Adds the pseudo header of TCP, UDP and kin over IPv4 (RFC 9293 section 3.1): addresses, protocol, and the length of
    /// the transport header with its payload.
    #[inline]
    #[must_use]
    pub fn pseudo4(self, source: [u8; 4], destination: [u8; 4], protocol: u8, length: u16) -> Self {
        let [high, low] = length.to_be_bytes();
        self.bytes(&source).bytes(&destination).bytes(&[0, protocol, high, low])
    }

    /// Adds the pseudo header of IPv6 (RFC 8200 section 8.1).
    #[inline]
    #[must_use]
    pub fn pseudo6(
        self,
        source: [u8; 16],
        destination: [u8; 16],
        protocol: u8,
        length: u32,
    ) -> Self {
        self.bytes(&source)
            .bytes(&destination)
            .bytes(&length.to_be_bytes())
            .bytes(&[0, 0, 0, protocol])
    }

    /// The value for a checksum field: the complement of the folded sum.
    #[inline]
    #[must_use]
    pub fn checksum(self) -> u16 {
        !self.fold()
    }

    /// Whether a sum that included the checksum field says that the data is intact.
    #[inline]
    #[must_use]
    pub fn is_intact(self) -> bool {
        self.fold() == 0xffff
    }

    #[inline]
    fn fold(self) -> u16 {
        let sum = (self.0 & 0xffff_ffff) + (self.0 >> 32);
        let sum = (sum & 0xffff) + ((sum >> 16) & 0xffff) + (sum >> 32);
        let sum = (sum & 0xffff) + (sum >> 16);
        let sum = (sum & 0xffff) + (sum >> 16);
        u16::from_be(sum as u16)
    }
}

/// The checksum of `bytes`.
#[must_use]
pub fn of(bytes: &[u8]) -> u16 {
    Sum::EMPTY.bytes(bytes).checksum()
}

/// Whether an IPv4 header without options has a correct checksum: three loads, three adds and a multiplication. One that is all
/// zeros, which has no version either, passes for one.
#[inline]
#[must_use]
pub fn is_ip4_header_intact(header: &ip4::Header) -> bool {
    let [a, b, c, d, e]: [u32; 5] = zerocopy::transmute!(*header);
    let join = |low, high| u64::from(low) | u64::from(high) << 32;
    let (sum, carry) = join(a, b).overflowing_add(join(c, d));
    let (sum, carry) = sum.overflowing_add(u64::from(e) + u64::from(carry));
    // A number and the sum of its 16-bit words are the same modulo 0xffff, whatever the byte order, and 2^64 is 1. A sum of
    // all ones is what a correct header has. The compiler divides by multiplying.
    (sum + u64::from(carry)).is_multiple_of(0xffff)
}

/// The value for the checksum field of an IPv4 header without options, whatever the field holds now.
#[inline]
#[must_use]
pub fn of_ip4_header(header: &ip4::Header) -> u16 {
    let mut header = *header;
    header.checksum.set(0);
    ip4_sum(&header).checksum()
}

/// Takes one from the TTL of an IPv4 header, which must have one to take, and keeps its checksum right (RFC 1624).
///
/// The TTL is the first byte of its word, so one less there is one more in the first byte of the complement. The sum is the same
/// in either byte order (RFC 1071 section 2 (B)); little-endian, that byte is the one from which the carry goes on.
#[inline]
pub fn decrement_ttl(header: &mut ip4::Header) {
    header.ttl -= 1;
    let sum = u32::from(u16::from_le_bytes(header.checksum.to_bytes())) + 1;
    let folded = sum + u32::from(sum >= 0xffff);
    header.checksum = U16::from_bytes((folded as u16).to_le_bytes());
}

/// RFC 1624 equation 3: the checksum after a 16-bit word of the data changed from `old` to `new`.
#[inline]
#[must_use]
pub fn update16(checksum: u16, old: u16, new: u16) -> u16 {
    let sum = u32::from(!checksum) + u32::from(!old) + u32::from(new);
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    !(sum as u16)
}

/// [`update16`] for a 32-bit field, such as an IPv4 address.
#[inline]
#[must_use]
pub fn update32(checksum: u16, old: u32, new: u32) -> u16 {
    let checksum = update16(checksum, (old >> 16) as u16, (new >> 16) as u16);
    update16(checksum, old as u16, new as u16)
}

/// The checksum of `transport` (header and payload, its checksum field zeroed) over IPv4. A UDP sender sends 0xffff
/// instead of 0 (RFC 768): see [`super::udp::checksum_field`].
#[must_use]
pub fn of_transport4(ip: &ip4::Header, transport: &[u8]) -> u16 {
    let length = u16::try_from(transport.len()).unwrap_or(u16::MAX);
    Sum::EMPTY.pseudo4(ip.source, ip.destination, ip.protocol, length).bytes(transport).checksum()
}

/// [`of_transport4`] over IPv6; `protocol` is the last next-header value, not that of an extension header.
#[must_use]
pub fn of_transport6(ip: &ip6::Header, protocol: u8, transport: &[u8]) -> u16 {
    let length = u32::try_from(transport.len()).unwrap_or(u32::MAX);
    Sum::EMPTY.pseudo6(ip.source, ip.destination, protocol, length).bytes(transport).checksum()
}

#[inline]
fn ip4_sum(header: &ip4::Header) -> Sum {
    let [a, b, c, d, e]: [u32; 5] = zerocopy::transmute!(*header);
    Sum(u64::from(a) + u64::from(b) + u64::from(c) + u64::from(d) + u64::from(e))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use zerocopy::{FromBytes, IntoBytes};

    use super::*;

    /// RFC 1071 section 3 by its definition: 16-bit words, end-around carry, one at a time.
    fn by_definition(bytes: &[u8]) -> u16 {
        let mut sum = 0_u32;
        for pair in bytes.chunks(2) {
            sum += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
            if sum > 0xffff {
                sum -= 0xffff;
            }
        }
        !(sum as u16)
    }

    #[test]
    fn rfc_1071_example_sums_to_ddf2() {
        assert_eq!(of(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), !0xddf2);
    }

    #[test]
    fn known_ip4_header_is_intact_and_recomputed() {
        // The header of Wikipedia's "IPv4 header checksum" example: checksum 0xb861.
        let bytes = [
            0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11, 0xb8, 0x61, 0xc0, 0xa8,
            0x00, 0x01, 0xc0, 0xa8, 0x00, 0xc7,
        ];
        let header = ip4::Header::read_from_bytes(&bytes).unwrap();
        assert!(is_ip4_header_intact(&header));
        assert_eq!(of_ip4_header(&header), 0xb861);
        let mut broken = header;
        broken.ttl ^= 1;
        assert!(!is_ip4_header_intact(&broken));
    }

    #[test]
    fn udp_over_ip4_sums_the_pseudo_header_of_rfc_768() {
        let ip = ip4::Header::read_from_bytes(&[
            0x45, 0, 0, 29, 0, 1, 0, 0, 64, 17, 0, 0, 192, 168, 0, 1, 192, 168, 0, 2,
        ])
        .unwrap();
        let udp = [0, 1, 0, 2, 0, 9, 0, 0, b'a'];
        let all = [&[192, 168, 0, 1, 192, 168, 0, 2, 0, 17, 0, 9], udp.as_slice()].concat();
        assert_eq!(of_transport4(&ip, &udp), by_definition(&all));
    }

    #[test]
    fn one_off_the_ttl_keeps_every_header_intact() {
        let mut header = ip4::Header::read_from_bytes(&[0x45; 20]).unwrap();
        for (id, ttl) in (0..=u16::MAX).zip((1..=u8::MAX).cycle()) {
            header.identification.set(id);
            header.ttl = ttl;
            header.checksum = U16::new(of_ip4_header(&header));
            let before = header;
            decrement_ttl(&mut header);
            assert_eq!((header.ttl, header.protocol), (ttl - 1, before.protocol));
            assert!(is_ip4_header_intact(&header), "{before:?}");
        }
    }

    proptest! {
        #[test]
        fn sum_equals_the_definition(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(of(&bytes), by_definition(&bytes));
        }

        #[test]
        fn all_ones_do_not_overflow(length in 0_usize..70_000) {
            prop_assert_eq!(of(&vec![0xff; length]), by_definition(&vec![0xff; length]));
        }

        #[test]
        fn ip4_header_sum_equals_the_definition(mut bytes in any::<[u8; 20]>()) {
            let header = ip4::Header::read_from_bytes(&bytes).unwrap();
            let checksum = of_ip4_header(&header);
            prop_assert_eq!(is_ip4_header_intact(&header), by_definition(&bytes) == 0);
            let mut intact = header;
            intact.checksum.set(checksum);
            prop_assert_eq!(is_ip4_header_intact(&intact), by_definition(intact.as_bytes()) == 0);
            bytes[10..12].fill(0);
            prop_assert_eq!(checksum, by_definition(&bytes));
        }

        #[test]
        fn updates_equal_a_new_sum(mut bytes in any::<[u8; 20]>(), at in 0_usize..10, new in any::<u16>()) {
            // A datum of zeros only has two sums, +0 and -0; no IP header is all zeros.
            bytes[0] = 0x45;
            let before = of(&bytes);
            let at = if at == 0 { 2 } else { 2 * at };
            let old = u16::from_be_bytes([bytes[at], bytes[at + 1]]);
            bytes[at..at + 2].copy_from_slice(&new.to_be_bytes());
            prop_assert_eq!(update16(before, old, new), of(&bytes));
        }

        #[test]
        fn address_updates_equal_a_new_sum(mut header in any::<[u8; 20]>(), new in any::<u32>()) {
            header[0] = 0x45;
            let before = of(&header);
            let old = u32::from_be_bytes([header[12], header[13], header[14], header[15]]);
            header[12..16].copy_from_slice(&new.to_be_bytes());
            prop_assert_eq!(update32(before, old, new), of(&header));
        }

        #[test]
        fn ip6_pseudo_header_is_rfc_8200s(source: [u8; 16], destination: [u8; 16], payload: Vec<u8>) {
            let mut ip = ip6::Header::read_from_bytes(&[0; 40]).unwrap();
            ip.source = source;
            ip.destination = destination;
            let mut all = [source.as_bytes(), destination.as_bytes()].concat();
            all.extend((payload.len() as u32).to_be_bytes());
            all.extend([0, 0, 0, 58]);
            all.extend(&payload);
            prop_assert_eq!(of_transport6(&ip, 58, &payload), by_definition(&all));
        }
    }
}
