//! How large rings are, and where their slots lie.

use crate::abi::{RX_HEADER, RingRequest, TX_HEADER};

/// Octets of a packet with offloads, at most: 64 KiB with headers in front, as GSO makes them unless it is configured to make
/// larger ones.
const LARGE: usize = (1 << 16) + 256;
/// Octets in front of a packet that an MTU does not count: an Ethernet header and two tags.
pub(crate) const LINK_HEADERS: usize = 22;
/// Octets of memory in one piece.
const BLOCK: usize = 1 << 20;
/// Octets of a ring of slots, about.
const SLOTS_MEMORY: usize = 32 << 20;
/// The most and the fewest slots of a ring.
const MOST_SLOTS: usize = 4096;
const FEWEST_SLOTS: usize = 64;
/// Alignment of slots.
const ALIGNMENT: usize = 16;

/// Octets of a block of packets, how many blocks there are, and after how many milliseconds one is handed over that is not full.
const PACKET_BLOCK: usize = 1 << 18;
const PACKET_BLOCKS: usize = 64;
pub(crate) const RETIRE_MS: u32 = 1;

/// The slots of a ring: none crosses a block, so that there may be a rest at a block's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slots {
    /// Octets of one.
    pub(crate) size: usize,
    /// How many there are.
    pub(crate) count: usize,
    in_block: usize,
}

impl Slots {
    /// Slots for what packets of `mtu` octets need, or those of 64 KiB with offloads, and `header` in front.
    fn new(mtu: usize, offloads: bool, header: usize) -> Self {
        let packet = (mtu + LINK_HEADERS).max(if offloads { LARGE } else { 0 });
        let size = (header + packet).next_multiple_of(ALIGNMENT).min(BLOCK);
        let in_block = BLOCK / size;
        let wanted = (SLOTS_MEMORY / size).clamp(FEWEST_SLOTS, MOST_SLOTS);
        Self { size, count: wanted.div_ceil(in_block) * in_block, in_block }
    }

    pub(crate) fn receive(mtu: usize, offloads: bool) -> Self {
        Self::new(mtu, offloads, RX_HEADER)
    }

    pub(crate) fn transmit(mtu: usize, offloads: bool) -> Self {
        Self::new(mtu, offloads, TX_HEADER + RX_HEADER)
    }

    /// Where slot `i` is.
    pub(crate) fn at(&self, i: usize) -> usize {
        i / self.in_block * BLOCK + i % self.in_block * self.size
    }

    /// The slot behind `i`.
    pub(crate) fn after(&self, i: usize) -> usize {
        if i + 1 == self.count { 0 } else { i + 1 }
    }

    pub(crate) fn memory(&self) -> usize {
        self.count / self.in_block * BLOCK
    }

    pub(crate) fn request(&self) -> RingRequest {
        RingRequest {
            block_size: BLOCK as u32,
            blocks: (self.count / self.in_block) as u32,
            frame_size: self.size as u32,
            frames: self.count as u32,
            ..RingRequest::default()
        }
    }
}

/// The blocks of a ring of the third version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Blocks;

impl Blocks {
    pub(crate) const SIZE: usize = PACKET_BLOCK;
    pub(crate) const COUNT: usize = PACKET_BLOCKS;

    pub(crate) const fn memory() -> usize {
        Self::SIZE * Self::COUNT
    }

    pub(crate) fn request(retire_block_ms: u32) -> RingRequest {
        // The kernel wants to know a size of frames, and makes nothing of it.
        let frame_size = 2048;
        RingRequest {
            block_size: Self::SIZE as u32,
            blocks: Self::COUNT as u32,
            frame_size,
            frames: (Self::memory() / frame_size as usize) as u32,
            retire_block_ms,
            ..RingRequest::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_hold_the_packets_that_may_come_and_lie_inside_their_blocks() {
        for (mtu, offloads) in
            [(0, false), (1500, false), (9000, false), (65535, false), (1500, true)]
        {
            for slots in [Slots::receive(mtu, offloads), Slots::transmit(mtu, offloads)] {
                assert!(slots.size >= mtu + LINK_HEADERS + TX_HEADER, "{slots:?}");
                assert!(!offloads || slots.size > 65536 + RX_HEADER, "{slots:?}");
                assert!(slots.count >= FEWEST_SLOTS && slots.memory() <= 2 * SLOTS_MEMORY);
                for i in 0..slots.count {
                    let (start, end) = (slots.at(i), slots.at(i) + slots.size);
                    assert!(start / BLOCK == (end - 1) / BLOCK && end <= slots.memory());
                }
                assert_eq!(slots.after(slots.count - 1), 0);
            }
        }
    }
}
