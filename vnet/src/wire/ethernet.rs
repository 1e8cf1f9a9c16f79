//! Ethernet II headers and VLAN tags (IEEE 802.3, 802.1Q).

use core::fmt;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned, network_endian::U16};

/// An Ethernet header, 14 bytes.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct Header {
    /// To whom.
    pub destination: MacAddress,
    /// From whom.
    pub source: MacAddress,
    /// What follows; below 0x0600 it is an 802.3 length, see [`EtherType::is_length`].
    pub ethertype: U16,
}

impl Header {
    /// Destination and source, by a load each.
    #[inline(always)]
    #[must_use]
    pub fn words(&self) -> [MacWord; 2] {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n]: [u8; 14] = zerocopy::transmute!(*self);
        let word = |bytes| MacWord(u64::from_le_bytes(bytes) & MacWord::MASK);
        [word([a, b, c, d, e, f, g, h]), word([g, h, i, j, k, l, m, n])]
    }

    /// Whether it is the frame of a station with this address: one load, one shift, one compare.
    #[inline]
    #[must_use]
    pub fn is_for(&self, station: MacAddress) -> bool {
        let bytes: [u8; 14] = zerocopy::transmute!(*self);
        let [a, b, c, d, e, f, g, h, ..] = bytes;
        let [p, q, r, s, t, u] = station.0;
        let word = |bytes| u64::from_le_bytes(bytes) << 16;
        word([a, b, c, d, e, f, g, h]) == word([p, q, r, s, t, u, 0, 0])
    }
}

/// The four bytes that a VLAN tag inserts behind the addresses, less its own type: what [`Header::ethertype`] being a
/// tag type announces.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct VlanTag {
    /// Priority (3 bits), drop eligible (1 bit), VLAN identifier (12 bits).
    pub control: U16,
    /// What follows the tag.
    pub ethertype: U16,
}

impl VlanTag {
    /// The VLAN identifier, 0..=4095.
    #[must_use]
    pub const fn id(&self) -> u16 {
        self.control.get() & 0x0fff
    }

    /// The priority code point, 0..=7.
    #[must_use]
    pub const fn priority(&self) -> u8 {
        (self.control.get() >> 13) as u8
    }

    /// The drop eligible indicator.
    #[must_use]
    pub const fn is_drop_eligible(&self) -> bool {
        self.control.get() & 0x1000 != 0
    }
}

/// An Ethernet type, host order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EtherType(pub u16);

impl EtherType {
    /// IPv4.
    pub const IP4: Self = Self(0x0800);
    /// ARP.
    pub const ARP: Self = Self(0x0806);
    /// 802.1Q tag.
    pub const VLAN: Self = Self(0x8100);
    /// IPv6.
    pub const IP6: Self = Self(0x86dd);
    /// MPLS with a downstream-assigned label (RFC 5332).
    pub const MPLS: Self = Self(0x8847);
    /// MPLS with an upstream-assigned label (RFC 5332).
    pub const MPLS_UPSTREAM: Self = Self(0x8848);
    /// PPPoE discovery (RFC 2516).
    pub const PPPOE_DISCOVERY: Self = Self(0x8863);
    /// PPPoE session (RFC 2516).
    pub const PPPOE_SESSION: Self = Self(0x8864);
    /// 802.1ad service tag.
    pub const QINQ: Self = Self(0x88a8);
    /// Tag type of older double tagging.
    pub const VLAN_9100: Self = Self(0x9100);

    /// Whether a VLAN tag follows.
    #[inline]
    #[must_use]
    pub const fn is_vlan(self) -> bool {
        matches!(self, Self::VLAN | Self::QINQ | Self::VLAN_9100)
    }

    /// Whether the field holds an 802.3 length, so that an LLC header follows.
    #[inline]
    #[must_use]
    pub const fn is_length(self) -> bool {
        self.0 < 0x0600
    }
}

impl fmt::Debug for EtherType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// VPP's name of the type, or its number.
impl fmt::Display for EtherType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::IP4 => "IP4",
            Self::ARP => "ARP",
            Self::VLAN => "VLAN",
            Self::IP6 => "IP6",
            Self::MPLS => "MPLS",
            Self::PPPOE_DISCOVERY => "PPPOE_DISCOVERY",
            Self::PPPOE_SESSION => "PPPOE_SESSION",
            Self::QINQ => "DOT1AD",
            Self::VLAN_9100 => "VLAN_9100",
            Self(other) => return write!(f, "0x{other:04x}"),
        })
    }
}

/// A MAC address.
#[derive(
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    FromBytes,
    IntoBytes,
    KnownLayout,
    Immutable,
    Unaligned,
)]
#[repr(transparent)]
pub struct MacAddress(pub [u8; 6]);

/// A [`MacAddress`] as a word: its octets in order from the lowest on, and zeros above them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MacWord(u64);

impl MacWord {
    /// An address of zeros.
    pub const ZERO: Self = Self(0);
    /// The bits that an address has.
    pub const MASK: u64 = (1 << 48) - 1;

    /// The word.
    #[inline(always)]
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The address.
    #[must_use]
    pub const fn address(self) -> MacAddress {
        let [a, b, c, d, e, f, ..] = self.0.to_le_bytes();
        MacAddress([a, b, c, d, e, f])
    }
}

impl From<MacAddress> for MacWord {
    fn from(MacAddress([a, b, c, d, e, f]): MacAddress) -> Self {
        Self(u64::from_le_bytes([a, b, c, d, e, f, 0, 0]))
    }
}

impl MacAddress {
    /// The address of everyone.
    pub const BROADCAST: Self = Self([0xff; 6]);

    /// Whether the group bit is set (broadcast included).
    #[inline]
    #[must_use]
    pub const fn is_multicast(self) -> bool {
        self.0[0] & 1 != 0
    }
}

impl fmt::Debug for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn view_reads_addresses_type_and_tag_in_place() {
        let bytes = [
            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x81, 0x00, 0xb0, 0x0a, 0x08,
            0x00, 0x45,
        ];
        let (header, rest) = Header::ref_from_prefix(&bytes).unwrap();
        assert_eq!(header.destination, MacAddress::BROADCAST);
        assert!(header.destination.is_multicast() && !header.source.is_multicast());
        assert_eq!(header.source.to_string(), "02:00:00:00:00:01");
        assert!(EtherType(header.ethertype.get()).is_vlan());
        let (tag, rest) = VlanTag::ref_from_prefix(rest).unwrap();
        assert_eq!((tag.id(), tag.priority(), tag.is_drop_eligible()), (10, 5, true));
        assert_eq!(EtherType(tag.ethertype.get()), EtherType::IP4);
        assert_eq!(rest, [0x45]);
    }

    #[test]
    fn a_frame_is_for_the_station_whose_six_bytes_it_begins_with() {
        let bytes = [2, 3, 5, 7, 11, 13, 1, 1, 1, 1, 1, 1, 8, 0];
        let (header, _) = Header::ref_from_prefix(&bytes).unwrap();
        assert!(header.is_for(header.destination));
        for i in 0..6 {
            let mut other = header.destination;
            other.0[i] ^= 0x80;
            assert!(!header.is_for(other));
        }
    }

    #[test]
    fn length_ends_where_types_begin() {
        assert!(EtherType(0x05ff).is_length() && !EtherType(0x0600).is_length());
    }
}
