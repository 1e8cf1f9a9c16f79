//! Adjacencies as workers read them.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::io;

use zerocopy::FromZeros;

use super::AdjacencyIndex;
use crate::fib::Family;
use crate::fib::map::{Zeroed, prefetch};
use crate::interface::SwIfIndex;

/// How many adjacencies there can be, less one.
pub const MAX_ADJACENCIES: usize = 1 << 17;
/// The longest rewrite, in bytes: Ethernet with two tags, IPv6, UDP and VXLAN fit.
pub const MAX_REWRITE: usize = 112;

/// Twice as many bodies as adjacencies: each can be replaced once before a quiescent period must end.
pub(super) const BODIES: usize = 2 * MAX_ADJACENCIES;

/// What an adjacency is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum AdjacencyKind {
    /// The next hop's MAC address is not known.
    Incomplete = 0,
    /// Prepend the rewrite and send.
    Complete = 1,
    /// Each destination is its own next hop. The rewrite is the Ethernet header of a broadcast (of ARP, for ip4).
    Glean = 2,
    /// The interface is a tunnel of IP packets: its device puts the outer header on.
    Midchain = 3,
}

/// All adjacencies.
pub struct Adjacencies {
    /// The number of each adjacency's present body.
    current: Zeroed<AtomicU32, MAX_ADJACENCIES>,
    bodies: Zeroed<AdjacencyBody, BODIES>,
}

impl Adjacencies {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { current: Zeroed::new_dense()?, bodies: Zeroed::new_dense()? })
    }

    /// The present body of an adjacency. What a caller keeps beyond its next quiescent point may become another's.
    #[must_use]
    #[inline]
    pub fn body(&self, index: AdjacencyIndex) -> &AdjacencyBody {
        let current = &self.current[index.position() & (MAX_ADJACENCIES - 1)];
        self.body_number(current.load(Ordering::Acquire))
    }

    /// Brings an adjacency's body nearer.
    #[inline]
    pub fn prefetch(&self, index: AdjacencyIndex) {
        prefetch(self.body(index));
    }

    pub(super) fn body_number(&self, number: u32) -> &AdjacencyBody {
        &self.bodies[number as usize & (BODIES - 1)]
    }

    pub(super) fn publish(&self, index: AdjacencyIndex, number: u32) {
        self.current[index.position() & (MAX_ADJACENCIES - 1)].store(number, Ordering::Release);
    }
}

/// The facts about an adjacency, as one value. An incomplete one keeps the rewrite that it had while it was complete,
/// so that a packet that was already on its way to be sent is sent as it would have been a moment before.
///
/// All methods are plain loads. The rewrite is kept from its end, because its end is where the packet begins.
#[derive(FromZeros)]
#[repr(C, align(64))]
pub struct AdjacencyBody {
    /// Interface in the low half, then the MTU, then the next slot.
    send: AtomicU64,
    /// Rewrite length, kind, family, from the least significant byte on.
    form: AtomicU64,
    /// Word 0 is the last eight bytes, word 1 the eight before.
    rewrite: [AtomicU64; MAX_REWRITE / 8],
    next_hop: [AtomicU64; 2],
}

impl AdjacencyBody {
    /// The interface to send by.
    #[must_use]
    #[inline]
    pub fn sw_if_index(&self) -> SwIfIndex {
        SwIfIndex(self.send.load(Ordering::Relaxed) as u32)
    }

    /// The longest packet that may be sent, in bytes from the IP header on.
    #[must_use]
    #[inline]
    pub fn max_l3_bytes(&self) -> u16 {
        (self.send.load(Ordering::Relaxed) >> 32) as u16
    }

    /// The graph slot that the interface's owner gave.
    #[must_use]
    #[inline]
    pub fn next(&self) -> u16 {
        (self.send.load(Ordering::Relaxed) >> 48) as u16
    }

    /// What the adjacency is good for.
    #[must_use]
    #[inline]
    pub fn kind(&self) -> AdjacencyKind {
        match (self.form.load(Ordering::Relaxed) >> 8) as u8 {
            1 => AdjacencyKind::Complete,
            2 => AdjacencyKind::Glean,
            3 => AdjacencyKind::Midchain,
            _ => AdjacencyKind::Incomplete,
        }
    }

    /// The family of the packets that take this way.
    #[must_use]
    #[inline]
    pub fn family(&self) -> Family {
        if self.form.load(Ordering::Relaxed) >> 16 & 1 == 0 { Family::Ip4 } else { Family::Ip6 }
    }

    /// Length of the rewrite in bytes.
    #[must_use]
    #[inline]
    pub fn rewrite_len(&self) -> usize {
        (self.form.load(Ordering::Relaxed) as u8 as usize).min(MAX_REWRITE)
    }

    /// The last 16 bytes of the rewrite, in the packet's order, zeros before its start: an Ethernet header is all of
    /// it. To be stored right before the packet; what comes before the rewrite's start is scratch.
    #[must_use]
    #[inline]
    pub fn rewrite_tail(&self) -> [u8; 16] {
        let word = |i: usize| u128::from(u64::from_le(self.rewrite[i].load(Ordering::Relaxed)));
        (word(1) | word(0) << 64).to_le_bytes()
    }

    /// Writes the whole rewrite to the end of `headroom` and gives its length; writes nothing when there is no room.
    #[inline]
    pub fn copy_rewrite(&self, headroom: &mut [u8]) -> usize {
        let len = self.rewrite_len();
        let Some(start) = headroom.len().checked_sub(len) else { return 0 };
        for (chunk, word) in headroom[start..].rchunks_mut(8).zip(&self.rewrite) {
            let bytes = word.load(Ordering::Relaxed).to_ne_bytes();
            chunk.copy_from_slice(&bytes[8 - chunk.len()..]);
        }
        len
    }

    /// The next hop; the unspecified address for a glean adjacency.
    #[must_use]
    pub fn next_hop(&self) -> IpAddr {
        let [high, low] = self.next_hop.each_ref().map(|word| word.load(Ordering::Relaxed));
        match self.family() {
            Family::Ip4 => Ipv4Addr::from_bits(low as u32).into(),
            Family::Ip6 => Ipv6Addr::from_bits(u128::from(high) << 64 | u128::from(low)).into(),
        }
    }

    /// The octets of the next hop in network order, those of IPv4 first and zeros behind them.
    #[must_use]
    #[inline]
    pub fn next_hop_octets(&self) -> [u8; 16] {
        let mut octets = [0; 16];
        match self.next_hop() {
            IpAddr::V4(address) => octets[..4].copy_from_slice(&address.octets()),
            IpAddr::V6(address) => octets = address.octets(),
        }
        octets
    }

    /// Fills a body that no reader can see.
    pub(super) fn fill(&self, facts: &Facts<'_>) {
        let Facts { sw_if_index, max_l3_bytes, next, kind, next_hop, rewrite } = *facts;
        let send = u64::from(sw_if_index.0) | u64::from(max_l3_bytes) << 32 | u64::from(next) << 48;
        let (family, address) = match next_hop {
            IpAddr::V4(address) => (0, u128::from(address.to_bits())),
            IpAddr::V6(address) => (1, address.to_bits()),
        };
        let rewrite = &rewrite[..rewrite.len().min(MAX_REWRITE)];
        let form = rewrite.len() as u64 | (kind as u64) << 8 | family << 16;
        self.send.store(send, Ordering::Relaxed);
        self.form.store(form, Ordering::Relaxed);
        self.next_hop[0].store((address >> 64) as u64, Ordering::Relaxed);
        self.next_hop[1].store(address as u64, Ordering::Relaxed);
        let mut chunks = rewrite.rchunks(8);
        for word in &self.rewrite {
            let mut bytes = [0; 8];
            if let Some(chunk) = chunks.next() {
                bytes[8 - chunk.len()..].copy_from_slice(chunk);
            }
            word.store(u64::from_ne_bytes(bytes), Ordering::Relaxed);
        }
    }
}

/// What a body is filled with.
#[derive(Clone, Copy)]
pub(super) struct Facts<'a> {
    pub(super) sw_if_index: SwIfIndex,
    pub(super) max_l3_bytes: u16,
    pub(super) next: u16,
    pub(super) kind: AdjacencyKind,
    /// Of the adjacency's family.
    pub(super) next_hop: IpAddr,
    pub(super) rewrite: &'a [u8],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_says_what_it_was_filled_with() {
        let table = Adjacencies::new().unwrap();
        for len in 0..=MAX_REWRITE {
            let rewrite: Vec<u8> = (1..=len as u8).collect();
            let next_hop = if len % 2 == 0 { "10.0.0.7" } else { "2001:db8::7" }.parse().unwrap();
            let facts = Facts {
                sw_if_index: SwIfIndex(u32::MAX - 1),
                max_l3_bytes: 9000,
                next: 65535,
                kind: AdjacencyKind::Complete,
                next_hop,
                rewrite: &rewrite,
            };
            let body = table.body_number(len as u32);
            body.fill(&facts);
            assert_eq!(body.sw_if_index(), SwIfIndex(u32::MAX - 1));
            assert_eq!((body.max_l3_bytes(), body.next()), (9000, 65535));
            assert_eq!((body.kind(), body.next_hop()), (AdjacencyKind::Complete, next_hop));
            assert_eq!(body.rewrite_len(), len);

            let mut headroom = [0xee; MAX_REWRITE + 3];
            assert_eq!(body.copy_rewrite(&mut headroom), len);
            let start = headroom.len() - len;
            assert_eq!(headroom[start..], rewrite);
            assert!(headroom[..start].iter().all(|&byte| byte == 0xee));

            let mut padded = vec![0; 16];
            padded.extend_from_slice(&rewrite);
            assert_eq!(body.rewrite_tail(), padded[padded.len() - 16..]);
        }
    }

    #[test]
    fn a_rewrite_without_room_is_not_written() {
        let table = Adjacencies::new().unwrap();
        let facts = Facts {
            sw_if_index: SwIfIndex(1),
            max_l3_bytes: 1500,
            next: 0,
            kind: AdjacencyKind::Complete,
            next_hop: Ipv4Addr::LOCALHOST.into(),
            rewrite: &[1; 14],
        };
        table.body_number(0).fill(&facts);
        let mut headroom = [0; 13];
        assert_eq!(table.body_number(0).copy_rewrite(&mut headroom), 0);
        assert_eq!(headroom, [0; 13]);
    }
}
