//! What is known about a packet, as bits.

use bitflags::bitflags;

bitflags! {
    /// What is known about a packet.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct BufferFlags: u32 {
        /// The packet continues in another buffer.
        const NEXT_PRESENT = 1 << 0;
        /// The packet's way is recorded.
        const TRACED = 1 << 2;
        /// Built by this engine, so its TTL is not ours to lower.
        const LOCALLY_ORIGINATED = 1 << 3;
        /// Built by the exporter; flow meters skip it.
        const FLOW_REPORT = 1 << 4;
        /// The layer-4 checksum was checked.
        const L4_CHECKSUM_COMPUTED = 1 << 5;
        /// The layer-4 checksum was checked and right.
        const L4_CHECKSUM_CORRECT = 1 << 6;
        /// One VLAN tag was in front of the payload.
        const VLAN_1_DEEP = 1 << 7;
        /// Two VLAN tags were in front of the payload.
        const VLAN_2_DEEP = 1 << 8;
        /// The capture holds less of the packet than was on the wire.
        const TRUNCATED = 1 << 9;
        /// Something is still to be done to the packet before it is on a wire: [`Buffer::offload`](super::Buffer::offload).
        const OFFLOAD = 1 << 10;
        /// A copy of another packet, for somebody who listens.
        const SPAN_COPY = 1 << 11;
        /// What the datagram of a fragment begins with is noted: [`Layer4`](crate::reassembly::Layer4).
        const LAYER4_NOTED = 1 << 12;
        /// How often the packet was put into another one since it came, as a number of three bits.
        const ENCAPSULATIONS = 7 << 13;
        /// Punted, and sent on by a redirect.
        const REDIRECTED = 1 << 16;
    }
}

impl BufferFlags {
    /// The bits with one encapsulation more; `None` when there is no number for that. Whatever goes round through tunnels ends so.
    #[inline]
    #[must_use]
    pub const fn encapsulated(self) -> Option<Self> {
        const ONE: u32 = 1 << BufferFlags::ENCAPSULATIONS.bits().trailing_zeros();
        match self.contains(Self::ENCAPSULATIONS) {
            true => None,
            false => Some(Self::from_bits_retain(self.bits() + ONE)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_put_into_others_seven_times_at_most() {
        let others = BufferFlags::TRACED | BufferFlags::SPAN_COPY;
        let mut flags = others;
        for _ in 0..7 {
            flags = flags.encapsulated().unwrap();
            assert_eq!(flags.difference(BufferFlags::ENCAPSULATIONS), others);
        }
        assert_eq!(flags.encapsulated(), None);
    }
}
