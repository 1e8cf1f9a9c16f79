//! Fragments of both versions of IP (RFC 791, section 3.2; RFC 8200, section 4.5).

use zerocopy::FromBytes;

use super::{
    ip4,
    ip4::protocol,
    ip6::{self, extension_length},
};

/// Fragments begin at multiples of so many octets, and all but the last are as long as some multiple.
pub const UNIT: usize = 8;
/// Octets of the longest packet, and of the longest payload of IPv6.
pub const MOST: usize = 65535;
/// Extension headers in front of a fragment header at most: each once, destination options twice (RFC 8200, section 4.1), and room for
/// what there may come to be.
const MOST_EXTENSIONS: usize = 8;

/// What the headers of a fragment say of its place. All lengths are octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// Names the datagram among those between the same addresses.
    pub identification: u32,
    /// Type of what the datagram carries, as this fragment has it.
    pub protocol: u8,
    /// Where its payload begins in that of the datagram.
    pub start: usize,
    /// Length of its payload.
    pub length: usize,
    /// Whether others follow.
    pub more: bool,
    /// Headers in front of the payload, the fragment header of IPv6 included.
    pub header: usize,
    /// Where the octet is, of IPv6, that says that a fragment header follows.
    pub names_fragment: usize,
}

/// What looks like a fragment and has not the octets of its headers, or fewer than they promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl Fragment {
    /// Where the payload ends in that of the datagram.
    #[must_use]
    pub const fn end(&self) -> usize {
        self.start + self.length
    }

    /// Whether it begins the datagram.
    #[must_use]
    pub const fn is_first(&self) -> bool {
        self.start == 0
    }

    /// Whether an IPv4 packet is one; `None` when it is whole.
    ///
    /// # Errors
    /// When its header contradicts itself.
    #[inline]
    pub fn of4(packet: &[u8]) -> Result<Option<Self>, Malformed> {
        let (ip, _) = ip4::Header::ref_from_prefix(packet).map_err(|_| Malformed)?;
        if !ip.is_fragment() {
            return Ok(None);
        }
        let header = ip.header_length();
        let length = usize::from(ip.total_length.get()).checked_sub(header).ok_or(Malformed)?;
        Ok(Some(Self {
            identification: ip.identification.get().into(),
            protocol: ip.protocol,
            start: ip.fragment_offset(),
            length,
            more: ip.flags_fragment.get() & ip4::Header::MORE_FRAGMENTS != 0,
            header,
            names_fragment: 0,
        }))
    }

    /// Whether an IPv6 packet is one; `None` when it is whole, or an atomic fragment (RFC 6946), which is whole, too. `packet` is what
    /// its first buffer has: headers behind that are not looked for.
    ///
    /// # Errors
    /// When its headers are cut, or more than anybody needs.
    #[inline]
    pub fn of6(packet: &[u8]) -> Result<Option<Self>, Malformed> {
        let (ip, _) = ip6::Header::ref_from_prefix(packet).map_err(|_| Malformed)?;
        let mut protocol = ip.next_header;
        let (mut names, mut at) = (NEXT_HEADER, size_of::<ip6::Header>());
        for _ in 0..=MOST_EXTENSIONS {
            match protocol {
                protocol::FRAGMENT => {
                    let total = size_of::<ip6::Header>() + usize::from(ip.payload_length.get());
                    return Self::behind(packet.get(at..), names, at, total);
                }
                protocol::HOP_BY_HOP | protocol::ROUTING | protocol::DESTINATION_OPTIONS => {
                    let Some(&[next, units]) = packet.get(at..).and_then(|b| b.first_chunk())
                    else {
                        return Ok(None);
                    };
                    (names, at) = (at, at + extension_length(protocol, units));
                    protocol = next;
                }
                // An authentication header comes behind the fragment header (RFC 4302, section 3.1.1).
                _ => return Ok(None),
            }
        }
        Err(Malformed)
    }

    /// What a fragment header of IPv6 says that begins `at` octets behind the beginning of a packet of `total` octets.
    fn behind(
        header: Option<&[u8]>,
        names_fragment: usize,
        at: usize,
        total: usize,
    ) -> Result<Option<Self>, Malformed> {
        let (fragment, _) = ip6::FragmentHeader::ref_from_prefix(header.ok_or(Malformed)?)
            .map_err(|_| Malformed)?;
        if !fragment.is_fragment() {
            return Ok(None);
        }
        let header = at + size_of::<ip6::FragmentHeader>();
        Ok(Some(Self {
            identification: fragment.identification.get(),
            protocol: fragment.next_header,
            start: fragment.offset(),
            length: total.checked_sub(header).ok_or(Malformed)?,
            more: fragment.offset_more.get() & 1 != 0,
            header,
            names_fragment,
        }))
    }
}

/// Where the fixed header of IPv6 says what follows it.
const NEXT_HEADER: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_ip4_fragments_are_those_of_rfc_791() {
        let mut packet = [0; 28];
        packet[0] = 0x46;
        packet[3] = 100;
        packet[4..8].copy_from_slice(&[0x12, 0x34, 0x20, 0xb9]);
        packet[9] = 17;
        let fragment = Fragment::of4(&packet).unwrap().unwrap();
        let expected = Fragment {
            identification: 0x1234,
            protocol: 17,
            start: 0xb9 * 8,
            length: 76,
            more: true,
            header: 24,
            names_fragment: 0,
        };
        assert_eq!((fragment, fragment.end(), fragment.is_first()), (expected, 1556, false));
        packet[6] = 0x40;
        packet[7] = 0;
        assert_eq!(Fragment::of4(&packet), Ok(None), "don't fragment");
        packet[6..8].copy_from_slice(&[0, 1]);
        packet[3] = 23;
        assert_eq!(Fragment::of4(&packet), Err(Malformed), "shorter than its header");
        assert_eq!(Fragment::of4(&packet[..19]), Err(Malformed));
    }

    /// An IPv6 packet that says it has `length` octets behind its header, and begins with `headers` there.
    fn ip6(next: u8, length: u16, headers: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x60, 0, 0, 0, 0, 0, next, 64];
        packet[4..6].copy_from_slice(&length.to_be_bytes());
        packet.resize(40, 0);
        packet.extend_from_slice(headers);
        packet
    }

    #[test]
    fn the_fragment_header_of_ip6_is_found_behind_those_that_every_hop_reads() {
        let plain = ip6(44, 108, &[17, 0, 0x05, 0xa9, 0, 0, 0, 7]);
        let fragment = Fragment::of6(&plain).unwrap().unwrap();
        assert_eq!((fragment.start, fragment.length, fragment.more), (0x5a8, 100, true));
        assert_eq!((fragment.header, fragment.names_fragment), (48, 6));
        assert_eq!((fragment.identification, fragment.protocol), (7, 17));
        let mut headers = vec![60, 0, 1, 4, 0, 0, 0, 0];
        headers.extend([43, 0, 1, 4, 0, 0, 0, 0]);
        headers.extend([44, 0, 0, 0, 0, 0, 0, 0]);
        headers.extend([6, 0, 0, 1, 0, 0, 0, 9]);
        let fragment = Fragment::of6(&ip6(0, 40, &headers)).unwrap().unwrap();
        assert_eq!((fragment.header, fragment.names_fragment, fragment.length), (72, 56, 8));
    }

    #[test]
    fn whole_packets_of_ip6_and_cut_ones_are_told_apart() {
        assert_eq!(Fragment::of6(&ip6(17, 8, &[0; 8])), Ok(None));
        assert_eq!(Fragment::of6(&ip6(44, 8, &[17, 0, 0, 0, 0, 0, 0, 7])), Ok(None), "atomic");
        assert_eq!(Fragment::of6(&ip6(44, 8, &[17, 0, 0, 1])), Err(Malformed));
        assert_eq!(Fragment::of6(&ip6(44, 7, &[17, 0, 0, 1, 0, 0, 0, 7])), Err(Malformed));
        let endless = [60, 0, 1, 4, 0, 0, 0, 0].repeat(20);
        assert_eq!(Fragment::of6(&ip6(60, 160, &endless)), Err(Malformed));
        assert_eq!(Fragment::of6(&ip6(60, 160, &endless[..7])), Ok(None), "no fragment header");
    }
}
