//! Neighbour discovery (RFC 4861): messages and their options. All are ICMPv6, sent with a hop limit of 255.

use zerocopy::{
    FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned,
    network_endian::{U16, U32},
};

use super::{ethernet::MacAddress, icmp};

/// The hop limit of all messages: a packet that has it comes from the link.
pub const HOP_LIMIT: u8 = 255;

/// A neighbour solicitation or advertisement without its options, 24 bytes.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct Neighbor {
    /// Type, code 0, checksum.
    pub icmp: icmp::Header,
    /// See [`Self::ROUTER`] and the others; reserved in a solicitation.
    pub flags: U32,
    /// Who is asked for, or who it is.
    pub target: [u8; 16],
}

impl Neighbor {
    /// The sender is a router.
    pub const ROUTER: u32 = 1 << 31;
    /// An answer to a solicitation of the destination.
    pub const SOLICITED: u32 = 1 << 30;
    /// Should replace what is known.
    pub const OVERRIDE: u32 = 1 << 29;

    /// A message without checksum.
    #[must_use]
    pub fn new(kind: u8, flags: u32, target: [u8; 16]) -> Self {
        let icmp = icmp::Header { kind, code: 0, checksum: U16::ZERO };
        Self { icmp, flags: U32::new(flags), target }
    }
}

/// A router solicitation without its options, 8 bytes.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct RouterSolicitation {
    /// Type, code 0, checksum.
    pub icmp: icmp::Header,
    /// 0.
    pub reserved: U32,
}

/// A router advertisement without its options, 16 bytes.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct RouterAdvertisement {
    /// Type, code 0, checksum.
    pub icmp: icmp::Header,
    /// Hop limit for hosts to use; 0 is unspecified.
    pub hop_limit: u8,
    /// See [`Self::MANAGED`] and [`Self::OTHER`].
    pub flags: u8,
    /// Seconds for which the sender is a default router; 0 is not at all.
    pub lifetime: U16,
    /// Milliseconds; 0 is unspecified.
    pub reachable_time: U32,
    /// Milliseconds; 0 is unspecified.
    pub retransmit_time: U32,
}

impl RouterAdvertisement {
    /// Addresses are to be had by DHCPv6.
    pub const MANAGED: u8 = 0x80;
    /// Other settings are to be had by DHCPv6.
    pub const OTHER: u8 = 0x40;
}

/// Types of options.
pub mod option {
    /// MAC address of the sender.
    pub const SOURCE: u8 = 1;
    /// MAC address of the target.
    pub const TARGET: u8 = 2;
    /// A prefix on the link.
    pub const PREFIX: u8 = 3;
    /// The MTU of the link.
    pub const MTU: u8 = 5;
}

/// A MAC address as an option, 8 bytes.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct LinkOption {
    /// [`option::SOURCE`] or [`option::TARGET`].
    pub kind: u8,
    /// 1, in units of 8 bytes.
    pub length: u8,
    /// The address.
    pub mac: MacAddress,
}

impl LinkOption {
    /// An option of this type.
    #[must_use]
    pub const fn new(kind: u8, mac: MacAddress) -> Self {
        Self { kind, length: 1, mac }
    }
}

/// A prefix as an option, 32 bytes.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct PrefixOption {
    /// [`option::PREFIX`].
    pub kind: u8,
    /// 4, in units of 8 bytes.
    pub length: u8,
    /// Bits of the prefix.
    pub prefix_length: u8,
    /// See [`Self::ON_LINK`] and [`Self::AUTONOMOUS`].
    pub flags: u8,
    /// Seconds; all ones is for ever.
    pub valid: U32,
    /// Seconds; all ones is for ever.
    pub preferred: U32,
    /// 0.
    pub reserved: U32,
    /// The prefix; bits behind it are 0.
    pub prefix: [u8; 16],
}

impl PrefixOption {
    /// Hosts with this prefix are on the link.
    pub const ON_LINK: u8 = 0x80;
    /// Hosts may make themselves addresses of it (RFC 4862).
    pub const AUTONOMOUS: u8 = 0x40;
}

/// An MTU as an option, 8 bytes.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct MtuOption {
    /// [`option::MTU`].
    pub kind: u8,
    /// 1, in units of 8 bytes.
    pub length: u8,
    /// 0.
    pub reserved: U16,
    /// Bytes of a packet.
    pub mtu: U32,
}

/// What is wrong with a message's options (RFC 4861, sections 6.1 and 7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptionsError {
    /// An option says that it has no length.
    ZeroLength,
    /// An option goes on behind the end of the message, or there are bytes left that are none.
    Length,
}

/// The MAC addresses in a message's options.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkAddresses {
    /// Of the sender.
    pub source: Option<MacAddress>,
    /// Of the target.
    pub target: Option<MacAddress>,
}

impl LinkAddresses {
    /// Reads the options of a message, which are all that is behind its fixed part. Types that are not known are skipped, and of several
    /// options of a type the first counts.
    pub fn read(mut options: &[u8]) -> Result<Self, OptionsError> {
        let mut found = Self::default();
        while let [kind, units, ..] = *options {
            let length = usize::from(units) * 8;
            if length == 0 {
                return Err(OptionsError::ZeroLength);
            }
            let (this, rest) = options.split_at_checked(length).ok_or(OptionsError::Length)?;
            if let (8, Ok((link, _))) = (length, LinkOption::read_from_prefix(this)) {
                match kind {
                    option::SOURCE => found.source = found.source.or(Some(link.mac)),
                    option::TARGET => found.target = found.target.or(Some(link.mac)),
                    _ => {}
                }
            }
            options = rest;
        }
        if options.is_empty() { Ok(found) } else { Err(OptionsError::Length) }
    }
}

/// The group to which all hosts listen whose addresses end like `address` (RFC 4291 section 2.7.1).
#[must_use]
pub fn solicited_node(address: [u8; 16]) -> [u8; 16] {
    let mut group = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 0];
    group[13..].copy_from_slice(&address[13..]);
    group
}

/// The MAC address of an IPv6 group (RFC 2464 section 7).
#[must_use]
pub const fn group_mac(group: [u8; 16]) -> MacAddress {
    MacAddress([0x33, 0x33, group[12], group[13], group[14], group[15]])
}

/// The link-local address that follows from a MAC address (RFC 4291 appendix A, RFC 2464 section 5).
#[must_use]
pub const fn link_local(MacAddress(mac): MacAddress) -> [u8; 16] {
    let [a, b, c, d, e, f] = mac;
    [0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f]
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;

    #[test]
    fn options_are_read_one_after_the_other_and_unknown_ones_skipped() {
        let mac = [2, 0, 0, 0, 0, 9];
        let option = |kind: u8| [&[kind, 1][..], &mac].concat();
        let unknown = [14, 2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14];
        let all = [&unknown[..], &option(1), &option(2)].concat();
        let found = LinkAddresses::read(&all).unwrap();
        assert_eq!((found.source, found.target), (Some(MacAddress(mac)), Some(MacAddress(mac))));
        assert_eq!(LinkAddresses::read(&[]), Ok(LinkAddresses::default()));
        assert_eq!(LinkAddresses::read(&[1, 0, 0, 0, 0, 0, 0, 0]), Err(OptionsError::ZeroLength));
        assert_eq!(LinkAddresses::read(&all[..all.len() - 1]), Err(OptionsError::Length));
        assert_eq!(LinkAddresses::read(&[1]), Err(OptionsError::Length));
        // An address of another length is none of Ethernet's.
        let long = [&[1, 2][..], &[7; 14]].concat();
        assert_eq!(LinkAddresses::read(&long), Ok(LinkAddresses::default()));
    }

    #[test]
    fn groups_and_addresses_are_those_of_the_rfcs() {
        // RFC 4291, section 2.7.1.
        let address: Ipv6Addr = "4037::1:800:200e:8c6c".parse().unwrap();
        let group = solicited_node(address.octets());
        assert_eq!(Ipv6Addr::from(group).to_string(), "ff02::1:ff0e:8c6c");
        assert_eq!(group_mac(group).to_string(), "33:33:ff:0e:8c:6c");
        // RFC 2464, section 4.
        let mac = MacAddress([0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde]);
        assert_eq!(Ipv6Addr::from(link_local(mac)).to_string(), "fe80::3656:78ff:fe9a:bcde");
    }
}
