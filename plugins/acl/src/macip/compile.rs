//! Rules as tables, and packets as their keys.
//!
//! A key has three words: the MAC address and whether the IP address is one of IPv6, then the two halves of that. An address of IPv4
//! is in the upper 32 bits, so that prefixes of both families are of lengths that are parts of each other.

use std::net::IpAddr;

use vnet::wire::{arp, ethernet, ip4, ip6};
use zerocopy::FromBytes;

use super::MacipRule;
use crate::{
    rule::{Ports, Verdict},
    space::{Pattern, Space},
};

/// Words of a key.
pub(super) const WORDS: usize = 3;
/// In the first word: the address is one of IPv6.
const IP6: u64 = 1;

/// Parts of a key by which masks may be left out: both addresses.
const FIELDS: [[u64; WORDS]; 2] = [[IP6, u64::MAX, u64::MAX], [u64::MAX, 0, 0]];

/// A list, compiled.
pub(crate) struct Program {
    pub(super) space: Space<WORDS>,
    /// Whether packets of each rule pass.
    permits: Box<[bool]>,
}

impl Program {
    pub(super) fn new(rules: &[MacipRule]) -> Self {
        let patterns = (0..).zip(rules).map(|(n, rule)| pattern(n, rule));
        let permits = rules.iter().map(|rule| rule.verdict != Verdict::Deny);
        Self { space: Space::new(patterns, &FIELDS), permits: permits.collect() }
    }

    /// Whether a packet passes for which this was found.
    #[inline]
    pub(super) fn permits(&self, found: u32) -> bool {
        self.permits.get(found as usize).copied().unwrap_or(false)
    }
}

fn pattern(position: u32, rule: &MacipRule) -> Pattern<WORDS> {
    let length = u32::from(rule.source.length);
    let (address, mask, family) = match rule.source.address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
            (u128::from(u32::from(address) & mask) << 96, u128::from(mask) << 96, 0)
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - length).unwrap_or(0);
            (u128::from(address) & mask, mask, IP6)
        }
    };
    let (mac, mac_mask) = (word(rule.mac), word(rule.mac_mask));
    let halves = |whole: u128| [(whole >> 64) as u64, whole as u64];
    let ([a, b], [c, d]) = (halves(address), halves(mask));
    Pattern {
        mask: [mac_mask | IP6, c, d],
        value: [mac & mac_mask | family, a, b],
        source: Ports::ANY,
        destination: Ports::ANY,
        position,
    }
}

/// A MAC address in the upper octets of a word.
fn word([a, b, c, d, e, f]: [u8; 6]) -> u64 {
    u64::from_be_bytes([a, b, c, d, e, f, 0, 0])
}

/// An address of IPv4 in the upper octets of a word.
fn ip4_word(address: [u8; 4]) -> u64 {
    u64::from(u32::from_be_bytes(address)) << 32
}

/// The key of an IPv4 packet, which begins with its IP header, and of which the Ethernet header is known. `None` when it ends before its
/// addresses.
pub(super) fn ip4(link: &[u8], packet: &[u8]) -> Option<[u64; WORDS]> {
    let (ip, _) = ip4::Header::ref_from_prefix(packet).ok()?;
    Some([word(sender(link)), ip4_word(ip.source), 0])
}

/// As [`ip4`], of IPv6.
pub(super) fn ip6(link: &[u8], packet: &[u8]) -> Option<[u64; WORDS]> {
    let (ip, _) = ip6::Header::ref_from_prefix(packet).ok()?;
    let source = u128::from_be_bytes(ip.source);
    Some([word(sender(link)) | IP6, (source >> 64) as u64, source as u64])
}

/// The key of the sender of an ARP packet.
pub(super) fn arp(packet: &[u8]) -> Option<[u64; WORDS]> {
    let (arp, _) = arp::Packet::ref_from_prefix(packet).ok()?;
    Some([word(arp.sender_mac.0), ip4_word(arp.sender_ip), 0])
}

/// Who has sent a frame; zeros without Ethernet header.
fn sender(link: &[u8]) -> [u8; 6] {
    ethernet::Header::ref_from_prefix(link).map_or([0; 6], |(header, _)| header.source.0)
}
