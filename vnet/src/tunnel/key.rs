//! By what a packet's tunnel is found: the ends in its outer header, and what its tunnel header says.

use core::hash::{BuildHasherDefault, Hash, Hasher};
use std::collections::HashMap;

use super::{Kind, Payload};
use crate::{fib::FibIndex, interface::SwIfIndex};

/// The ends of a tunnel as this machine sees them, in the byte order of the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ends<A> {
    /// Of this machine: the destination of what comes.
    pub local: A,
    /// Of the far end.
    pub remote: A,
}

/// What tells tunnels between the same ends apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Selector(u64);

impl Selector {
    /// Of a kind of tunnel and its payload, in the table that outer packets are looked up in; with VNI or key, and the port that it
    /// receives at.
    #[inline]
    #[must_use]
    pub const fn new(
        kind: Kind,
        payload: Payload,
        table: FibIndex,
        key: Option<u32>,
        port: u16,
    ) -> Self {
        let (keyed, key) = match key {
            Some(key) => (1, key),
            None => (0, 0),
        };
        // Tables have 10 bits.
        let low = key as u64 | (port as u64) << 32;
        let high = table.0 as u64 | keyed << 10 | (payload as u64) << 11 | (kind as u64) << 12;
        Self(low | high << 48)
    }
}

/// By what the tunnel of a received packet is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key<A> {
    /// Where it came from and where to.
    pub ends: Ends<A>,
    /// What its tunnel header says.
    pub selector: Selector,
}

/// Interfaces of tunnels by their keys.
pub(super) type ByKey<A> = HashMap<Key<A>, SwIfIndex, BuildHasherDefault<Fold>>;

/// Multiply and fold. Only what the operator orders is put into the table, so that no sender of packets can make chains in it.
#[derive(Default)]
pub(super) struct Fold(u64);

impl Hasher for Fold {
    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }

    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    #[inline]
    fn write_u32(&mut self, word: u32) {
        self.write_u64(word.into());
    }

    #[inline]
    fn write_u64(&mut self, word: u64) {
        let wide = u128::from(self.0 ^ word ^ 0x9e37_79b9_7f4a_7c15) * 0xd6e8_feb8_6659_fd93;
        self.0 = (wide >> 64) as u64 ^ wide as u64;
    }

    #[inline]
    fn write_u128(&mut self, word: u128) {
        self.write_u64(word as u64);
        self.write_u64((word >> 64) as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_tells_tunnels_apart() {
        let (vxlan, ethernet) = (Kind::Vxlan, Payload::Ethernet);
        let base = Selector::new(vxlan, ethernet, FibIndex(1), Some(7), 4789);
        let others = [
            Selector::new(Kind::Geneve, ethernet, FibIndex(1), Some(7), 4789),
            Selector::new(vxlan, Payload::Ip, FibIndex(1), Some(7), 4789),
            Selector::new(vxlan, ethernet, FibIndex(1023), Some(7), 4789),
            Selector::new(vxlan, ethernet, FibIndex(1), Some(u32::MAX), 4789),
            Selector::new(vxlan, ethernet, FibIndex(1), None, 4789),
            Selector::new(vxlan, ethernet, FibIndex(1), Some(0), 4789),
            Selector::new(vxlan, ethernet, FibIndex(1), Some(7), 4790),
        ];
        for (i, other) in others.iter().enumerate() {
            assert_ne!(*other, base);
            assert!(others[..i].iter().all(|earlier| earlier != other));
        }
    }
}
