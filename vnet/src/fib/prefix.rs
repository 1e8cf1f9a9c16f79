//! Prefixes: for people (`IpPrefix`) and for tables (`Prefix` over an integer key).

use core::fmt;
use core::hash::Hash;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

use thiserror::Error;

/// Address family of a table, a route or an adjacency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4.
    Ip4,
    /// IPv6.
    Ip6,
}

impl Family {
    /// The family of an address.
    #[must_use]
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::Ip4,
            IpAddr::V6(_) => Self::Ip6,
        }
    }

    /// Length of the longest prefix: 32 or 128.
    #[must_use]
    pub const fn max_len(self) -> u8 {
        match self {
            Self::Ip4 => 32,
            Self::Ip6 => 128,
        }
    }
}

impl fmt::Display for Family {
    /// `ip4` or `ip6`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ip4 => "ip4",
            Self::Ip6 => "ip6",
        })
    }
}

/// An IP prefix; bits behind its length are zero. Ordered by family, address and length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IpPrefix {
    address: IpAddr,
    len: u8,
}

/// Why a text or a pair is no prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PrefixError {
    /// The part before the slash is no address.
    #[error("expected an IPv4 or IPv6 address before the slash")]
    Address,
    /// No slash, or what follows is no number in range.
    #[error("expected a prefix length from 0 to {0} after the slash")]
    Length(u8),
}

impl IpPrefix {
    /// The prefix of `len` bits that contains `address`. Fails when `len` exceeds the family's.
    pub fn new(address: IpAddr, len: u8) -> Result<Self, PrefixError> {
        let max = Family::of(address).max_len();
        if len > max { Err(PrefixError::Length(max)) } else { Ok(Self::around(address, len)) }
    }

    /// The prefix of `len` bits, which the family has, that contains `address`.
    pub(crate) fn around(address: IpAddr, len: u8) -> Self {
        match address {
            IpAddr::V4(a) => Prefix::new(a.to_bits(), len).into(),
            IpAddr::V6(a) => Prefix::new(a.to_bits(), len).into(),
        }
    }

    /// The prefix of this address alone (/32 or /128).
    #[must_use]
    pub const fn host(address: IpAddr) -> Self {
        Self { address, len: Family::of(address).max_len() }
    }

    /// The prefix of everything in a family (/0).
    #[must_use]
    pub const fn default_route(family: Family) -> Self {
        let address = match family {
            Family::Ip4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            Family::Ip6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        Self { address, len: 0 }
    }

    /// The lowest address of the prefix.
    #[must_use]
    pub const fn address(self) -> IpAddr {
        self.address
    }

    /// The highest address of the prefix.
    #[must_use]
    pub fn last(self) -> IpAddr {
        match self.typed() {
            TypedPrefix::Ip4(prefix) => prefix.last().to_address(),
            TypedPrefix::Ip6(prefix) => prefix.last().to_address(),
        }
    }

    /// The shorter prefixes that this one lies in, the shortest first.
    pub fn covering(self) -> impl Iterator<Item = Self> {
        (0..self.len).map(move |len| Self::around(self.address, len))
    }

    /// How many bits all addresses of the prefix share.
    #[must_use]
    #[expect(
        clippy::len_without_is_empty,
        reason = "a prefix has a length in bits; it is no container"
    )]
    pub const fn len(self) -> u8 {
        self.len
    }

    /// The prefix's family.
    #[must_use]
    pub const fn family(self) -> Family {
        Family::of(self.address)
    }

    /// Whether the prefix is a single address.
    #[must_use]
    pub const fn is_host(self) -> bool {
        self.len == self.family().max_len()
    }

    /// Whether `address` is of the prefix's family and inside it.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        Self::new(address, self.len) == Ok(self) && Family::of(address) == self.family()
    }
}

impl fmt::Display for IpPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.len)
    }
}

impl FromStr for IpPrefix {
    type Err = PrefixError;

    /// Reads `address/length`; bits behind the length are cleared, as VPP does.
    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let (address, len) = text.split_once('/').unwrap_or((text, ""));
        let address: IpAddr = address.parse().map_err(|_| PrefixError::Address)?;
        let max = Family::of(address).max_len();
        let digits = !len.is_empty() && len.len() <= 3 && len.bytes().all(|b| b.is_ascii_digit());
        let len = if digits { len.parse().ok() } else { None };
        Self::new(address, len.ok_or(PrefixError::Length(max))?)
    }
}

/// A prefix of one family or the other, as tables know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TypedPrefix {
    Ip4(Prefix<u32>),
    Ip6(Prefix<u128>),
}

impl IpPrefix {
    /// The prefix as the tables of its family know it.
    pub(crate) fn typed(self) -> TypedPrefix {
        match self.address {
            IpAddr::V4(a) => TypedPrefix::Ip4(Prefix { key: a.to_bits(), len: self.len }),
            IpAddr::V6(a) => TypedPrefix::Ip6(Prefix { key: a.to_bits(), len: self.len }),
        }
    }
}

/// The integer form of an address, in host byte order: the first bit on the wire is the most significant.
pub(crate) trait Key: Copy + Eq + Ord + Hash + fmt::Debug + Send + Sync + 'static {
    const BITS: u8;
    const ZERO: Self;
    const FAMILY: Family;

    /// `self` with all but the first `len` bits cleared.
    fn masked(self, len: u8) -> Self;
    /// `self` with all but the first `len` bits set.
    fn filled(self, len: u8) -> Self;
    /// Bit number `bit`, counted from the first; false behind the last.
    fn bit(self, bit: u8) -> bool;
    /// How many leading bits two keys share.
    fn common(self, other: Self) -> u8;
    fn to_address(self) -> IpAddr;
}

macro_rules! key {
    ($int:ty, $family:ident, $address:ident) => {
        impl Key for $int {
            const BITS: u8 = <$int>::BITS as u8;
            const ZERO: Self = 0;
            const FAMILY: Family = Family::$family;

            fn masked(self, len: u8) -> Self {
                self & !<$int>::MAX.checked_shr(len.into()).unwrap_or(0)
            }

            fn filled(self, len: u8) -> Self {
                self | <$int>::MAX.checked_shr(len.into()).unwrap_or(0)
            }

            fn bit(self, bit: u8) -> bool {
                self.checked_shl(bit.into()).unwrap_or(0).leading_zeros() == 0
            }

            fn common(self, other: Self) -> u8 {
                (self ^ other).leading_zeros() as u8
            }

            fn to_address(self) -> IpAddr {
                $address::from_bits(self).into()
            }
        }
    };
}

key!(u32, Ip4, Ipv4Addr);
key!(u128, Ip6, Ipv6Addr);

/// A prefix over an integer key; bits behind its length are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Prefix<K> {
    pub(crate) key: K,
    pub(crate) len: u8,
}

impl<K: Key> Prefix<K> {
    /// The prefix of `len` bits that contains `key`; `len` is at most `K::BITS`.
    pub(crate) fn new(key: K, len: u8) -> Self {
        debug_assert!(len <= K::BITS);
        Self { key: key.masked(len), len }
    }

    /// The highest key inside the prefix.
    pub(crate) fn last(self) -> K {
        self.key.filled(self.len)
    }

    /// Whether all keys of `other` are inside this prefix.
    pub(crate) fn covers(self, other: Self) -> bool {
        self.len <= other.len && other.key.masked(self.len) == self.key
    }

    /// Length of the longest prefix that covers both.
    pub(crate) fn common(self, other: Self) -> u8 {
        self.key.common(other.key).min(self.len).min(other.len)
    }
}

impl<K: Key> From<Prefix<K>> for IpPrefix {
    fn from(prefix: Prefix<K>) -> Self {
        Self { address: prefix.key.to_address(), len: prefix.len }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips_and_host_bits_are_cleared() {
        for (text, canonical) in [
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("192.0.2.255/31", "192.0.2.254/31"),
            ("255.255.255.255/32", "255.255.255.255/32"),
            ("2001:db8::1/64", "2001:db8::/64"),
            ("ffff::/0", "::/0"),
            ("::1/128", "::1/128"),
        ] {
            let prefix: IpPrefix = text.parse().unwrap();
            assert_eq!(prefix.to_string(), canonical);
        }
    }

    #[test]
    fn what_is_no_prefix_says_what_was_expected() {
        for text in ["", "/8", "10.0.0/8", "10.0.0.0.0/8", "x::/3"] {
            assert_eq!(text.parse::<IpPrefix>(), Err(PrefixError::Address), "{text}");
        }
        for text in ["10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/+8", "10.0.0.0/0008"] {
            assert_eq!(text.parse::<IpPrefix>(), Err(PrefixError::Length(32)), "{text}");
        }
        assert_eq!("::/129".parse::<IpPrefix>(), Err(PrefixError::Length(128)));
    }

    #[test]
    fn containment_respects_length_and_family() {
        let prefix: IpPrefix = "10.0.0.0/31".parse().unwrap();
        assert!(prefix.contains("10.0.0.1".parse().unwrap()));
        assert!(!prefix.contains("10.0.0.2".parse().unwrap()));
        assert!(!prefix.contains("::a00:0".parse().unwrap()));
        assert!(IpPrefix::default_route(Family::Ip6).contains("::a00:0".parse().unwrap()));
        assert!(!IpPrefix::default_route(Family::Ip6).contains("1.1.1.1".parse().unwrap()));
    }

    #[test]
    fn keys_handle_the_ends_of_their_range() {
        assert_eq!(u32::MAX.masked(0), 0);
        assert_eq!(u32::MAX.masked(32), u32::MAX);
        assert_eq!(0_u32.filled(32), 0);
        assert_eq!(0_u128.filled(0), u128::MAX);
        assert!(1_u32.bit(31) && !1_u32.bit(30) && !u32::MAX.bit(32));
        assert_eq!(5_u128.common(5), 128);
        let (a, b) = (Prefix::new(0x0a00_0000_u32, 8), Prefix::new(0x0a01_0000, 16));
        assert!(a.covers(b) && !b.covers(a) && a.covers(a));
        assert_eq!(a.last(), 0x0aff_ffff);
        assert_eq!(a.common(b), 8);
    }
}
