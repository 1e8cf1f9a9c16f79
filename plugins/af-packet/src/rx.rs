//! Receive rings.

use std::{io, sync::atomic::Ordering};

use vnet::{host::RingMemory, runtime::PacketTime, wire::virtio_net::VirtioNetHeader};

use crate::{
    abi::{
        BLOCK_STATUS, Block, OUTGOING, PACKET_TYPE, Packet, RingRequest, STATUS_AVAILABLE,
        STATUS_CHECKSUM_NOT_READY, STATUS_USER, STATUS_VLAN_TPID_VALID, STATUS_VLAN_VALID, Slot,
        Version,
    },
    geometry::{Blocks, Slots},
    socket::{PacketSocket, Ring},
};

/// A packet that waits in a ring.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Received {
    /// Where its octets are in the ring.
    at: usize,
    /// How many there are.
    pub(crate) captured: usize,
    /// How many it had.
    pub(crate) length: usize,
    /// When the kernel saw it.
    pub(crate) time: PacketTime,
    /// Type and content of the outermost VLAN tag, which the kernel took out.
    pub(crate) vlan: Option<(u16, u16)>,
    /// What is still to be done to it; nothing where the ring has no such headers.
    pub(crate) offload: VirtioNetHeader,
    /// Where it has none, whether its checksum is still to be made.
    pub(crate) is_partial: bool,
    /// Where its kind is in the ring.
    kind_at: usize,
}

/// A receive ring. The kernel fills it in order, so packets are taken in order.
pub(crate) struct RxRing {
    memory: RingMemory,
    walk: Walk,
    offloads: bool,
}

enum Walk {
    /// A slot for each packet; which is next.
    Slots { slots: Slots, next: usize },
    /// Blocks of packets; which is next, and, when it is ours, how many packets are left in it and where the next one is.
    Blocks { next: usize, left: u32, at: usize },
}

/// How a ring is to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RingSettings {
    pub(crate) version: Version,
    pub(crate) mtu: usize,
    pub(crate) offloads: bool,
    /// Milliseconds after which a block is handed over that is not full.
    pub(crate) retire_ms: u32,
}

impl RxRing {
    /// Gives `socket`, which has none, a ring. Offloads are set on it before.
    pub(crate) fn new(
        socket: &PacketSocket,
        RingSettings { version, mtu, offloads, retire_ms }: RingSettings,
    ) -> io::Result<Self> {
        socket.set_version(version)?;
        let (request, length, walk) = match version {
            Version::V2 => {
                let slots = Slots::receive(mtu, offloads);
                (slots.request(), slots.memory(), Walk::Slots { slots, next: 0 })
            }
            Version::V3 => {
                let walk = Walk::Blocks { next: 0, left: 0, at: 0 };
                (Blocks::request(retire_ms), Blocks::memory(), walk)
            }
        };
        socket.set_ring(Ring::Receive, version, &request)?;
        Ok(Self { memory: RingMemory::map(socket, 0, length)?, walk, offloads })
    }

    /// Takes the ring from `socket` again.
    pub(crate) fn end(self, socket: &PacketSocket) -> io::Result<()> {
        let version = self.version();
        drop(self);
        socket.set_ring(Ring::Receive, version, &RingRequest::default())
    }

    pub(crate) fn version(&self) -> Version {
        match self.walk {
            Walk::Slots { .. } => Version::V2,
            Walk::Blocks { .. } => Version::V3,
        }
    }

    /// In the operator's words.
    pub(crate) fn describe(&self) -> String {
        match &self.walk {
            Walk::Slots { slots, .. } => {
                format!("TPACKET_V2, {} slots of {} bytes", slots.count, slots.size)
            }
            Walk::Blocks { .. } => {
                format!("TPACKET_V3, {} blocks of {} bytes", Blocks::COUNT, Blocks::SIZE)
            }
        }
    }

    /// The next packet; it stays until [`Self::advance`].
    #[inline]
    pub(crate) fn peek(&mut self) -> Option<Received> {
        match self.walk {
            Walk::Slots { ref slots, next } => {
                let at = slots.at(next);
                let status = self.memory.status(at)?.load(Ordering::Acquire);
                if status & STATUS_USER == 0 {
                    return None;
                }
                let slot: Slot = self.memory.get(at)?;
                let end = at + slots.size;
                let tag = (status, slot.vlan_tci, slot.vlan_tpid);
                let time = (slot.seconds, slot.nanoseconds);
                let place = (at, end, slot.mac);
                Some(self.received(place, slot.captured, slot.length, time, tag))
            }
            Walk::Blocks { .. } => self.peek_block(),
        }
    }

    fn peek_block(&mut self) -> Option<Received> {
        let Walk::Blocks { next, left, at } = &mut self.walk else { return None };
        let start = *next * Blocks::SIZE;
        if *left == 0 {
            if self.memory.status(start + BLOCK_STATUS)?.load(Ordering::Acquire) & STATUS_USER == 0
            {
                return None;
            }
            let block: Block = self.memory.get(start)?;
            *left = block.packets;
            *at = start + (block.first as usize).min(Blocks::SIZE);
            if block.packets == 0 {
                // Its time was up before a packet came.
                self.give_back_block();
                return None;
            }
        }
        let (at, end) = (*at, start + Blocks::SIZE);
        let Some(packet) =
            self.memory.get::<Packet>(at).filter(|_| at + size_of::<Packet>() <= end)
        else {
            return Some(Received::default());
        };
        let tag = (packet.status, packet.vlan_tci as u16, packet.vlan_tpid);
        let time = (packet.seconds, packet.nanoseconds);
        Some(self.received((at, end, packet.mac), packet.captured, packet.length, time, tag))
    }

    /// A packet whose header says all that, its slot or block ending at `end`. What does not lie inside has no octets.
    #[inline]
    fn received(
        &self,
        (start, end, mac): (usize, usize, u16),
        captured: u32,
        length: u32,
        (seconds, nanoseconds): (u32, u32),
        (status, tci, tpid): (u32, u16, u16),
    ) -> Received {
        let at = start + usize::from(mac);
        let mut received = Received {
            at,
            captured: captured as usize,
            length: length as usize,
            kind_at: start + self.header() + PACKET_TYPE,
            time: PacketTime(u64::from(seconds) * 1_000_000_000 + u64::from(nanoseconds)),
            ..Received::default()
        };
        if at.saturating_add(received.captured) > end {
            received.captured = 0;
        }
        if status & STATUS_VLAN_VALID != 0 {
            // Kernels that did not tell the type knew only one.
            let known = status & STATUS_VLAN_TPID_VALID != 0;
            received.vlan = Some((if known { tpid } else { 0x8100 }, tci));
        }
        if self.offloads {
            let header = at.checked_sub(size_of::<VirtioNetHeader>());
            received.offload = header.and_then(|at| self.memory.get(at)).unwrap_or_default();
        } else {
            received.is_partial = status & STATUS_CHECKSUM_NOT_READY != 0;
        }
        received
    }

    /// Octets of a packet's header, which its address follows.
    const fn header(&self) -> usize {
        match self.walk {
            Walk::Slots { .. } => size_of::<Slot>(),
            Walk::Blocks { .. } => size_of::<Packet>(),
        }
    }

    /// Whether the host itself sends a packet.
    #[inline]
    pub(crate) fn is_outgoing(&self, received: &Received) -> bool {
        self.memory.get::<u8>(received.kind_at) == Some(OUTGOING)
    }

    /// Copies octets of a packet, from its `skip`-th on.
    #[inline]
    pub(crate) fn read(&self, received: &Received, skip: usize, into: &mut [u8]) {
        let inside = skip + into.len() <= received.captured;
        let read = inside && self.memory.read(received.at + skip, into);
        debug_assert!(read, "no more than was captured");
    }

    /// The next packet is done with.
    #[inline]
    pub(crate) fn advance(&mut self) {
        match &mut self.walk {
            Walk::Slots { slots, next } => {
                if let Some(status) = self.memory.status(slots.at(*next)) {
                    status.store(STATUS_AVAILABLE, Ordering::Release);
                }
                *next = slots.after(*next);
            }
            Walk::Blocks { next, left, at } => {
                let end = (*next + 1) * Blocks::SIZE;
                *left = left.saturating_sub(1);
                let step = self.memory.get::<Packet>(*at).map_or(0, |packet| packet.next as usize);
                *at = at.saturating_add(step).min(end);
                if *left == 0 {
                    self.give_back_block();
                }
            }
        }
    }

    fn give_back_block(&mut self) {
        let Walk::Blocks { next, left, .. } = &mut self.walk else { return };
        if let Some(status) = self.memory.status(*next * Blocks::SIZE + BLOCK_STATUS) {
            status.store(STATUS_AVAILABLE, Ordering::Release);
        }
        *left = 0;
        *next = (*next + 1) % Blocks::COUNT;
    }

    /// Throws away what waits; how many packets that were.
    pub(crate) fn discard(&mut self) -> u64 {
        let mut packets = 0;
        while packets < MOST_DISCARDED && self.peek().is_some() {
            self.advance();
            packets += 1;
        }
        packets
    }
}

/// More than any ring holds.
const MOST_DISCARDED: u64 = 1 << 20;
