//! Transmit rings.

use std::{io, sync::atomic::Ordering};

use vnet::{host::RingMemory, wire::virtio_net::VirtioNetHeader};
use zerocopy::IntoBytes;

use crate::{
    abi::{STATUS_AVAILABLE, STATUS_SEND_REQUEST, STATUS_WRONG_FORMAT, TX_HEADER, Version},
    geometry::Slots,
    socket::{PacketSocket, Ring},
};

/// How often the kernel is asked to send packets of which it takes none.
const TRIES: u32 = 4;
/// Octets that may be on their way in the device.
const SEND_BUFFER: i32 = 64 << 20;
/// Where the length of a packet is in its slot.
const LENGTH: usize = 4;

/// Why a packet does not come into the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// All slots hold packets that the device still has.
    Full,
    /// It is longer than a slot.
    TooLong,
}

/// A transmit ring and its socket. All packets that were [pushed](Self::push) are the kernel's or lost after [`Self::send`].
pub(crate) struct TxRing {
    socket: PacketSocket,
    memory: RingMemory,
    slots: Slots,
    offloads: bool,
    /// The slot that the kernel looks at next.
    next: usize,
    /// Slots from there on that wait to be sent.
    filled: usize,
    /// How many packets on the wire each slot stands for.
    weights: Box<[u32]>,
}

/// How a transmit ring is to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TxSettings {
    pub(crate) ifindex: u32,
    pub(crate) mtu: usize,
    pub(crate) offloads: bool,
    pub(crate) bypass_qdisc: bool,
}

impl TxRing {
    pub(crate) fn new(settings: TxSettings) -> io::Result<Self> {
        let socket = PacketSocket::new()?;
        socket.set_version(Version::V2)?;
        if settings.offloads {
            socket.set_offloads()?;
        }
        if settings.bypass_qdisc {
            socket.bypass_qdisc()?;
        }
        socket.set_send_buffer(SEND_BUFFER)?;
        let slots = Slots::transmit(settings.mtu, settings.offloads);
        socket.set_ring(Ring::Transmit, Version::V2, &slots.request())?;
        let memory = RingMemory::map(&socket, 0, slots.memory())?;
        socket.send_to(settings.ifindex)?;
        let weights = vec![0; slots.count].into();
        Ok(Self { socket, memory, slots, offloads: settings.offloads, next: 0, filled: 0, weights })
    }

    /// In the operator's words.
    pub(crate) fn describe(&self) -> String {
        format!("TPACKET_V2, {} slots of {} bytes", self.slots.count, self.slots.size)
    }

    fn slot(&self, behind: usize) -> usize {
        (self.next + behind) % self.slots.count
    }

    fn status(&self, slot: usize) -> u32 {
        let word = self.memory.status(self.slots.at(slot));
        word.map_or(STATUS_AVAILABLE, |word| word.load(Ordering::Acquire))
    }

    fn set_status(&self, slot: usize, status: u32) {
        if let Some(word) = self.memory.status(self.slots.at(slot)) {
            word.store(status, Ordering::Release);
        }
    }

    /// Puts a packet of `length` octets into the ring, which is `weight` packets on the wire; `fill` gets what appends to it.
    pub(crate) fn push(
        &mut self,
        header: &VirtioNetHeader,
        length: usize,
        weight: u32,
        fill: impl FnOnce(&mut dyn FnMut(&[u8])),
    ) -> Result<(), Refusal> {
        let slot = self.slot(self.filled);
        if self.filled == self.slots.count || self.status(slot) != STATUS_AVAILABLE {
            return Err(Refusal::Full);
        }
        let header = if self.offloads { header.as_bytes() } else { &[] };
        let octets = header.len() + length;
        if TX_HEADER + octets > self.slots.size {
            return Err(Refusal::TooLong);
        }
        let start = self.slots.at(slot);
        let mut at = start + TX_HEADER;
        let memory = &mut self.memory;
        let mut append = |bytes: &[u8]| {
            let written = memory.write(at, bytes);
            debug_assert!(written, "the slot has room for `length`");
            at += bytes.len();
        };
        append(header);
        fill(&mut append);
        debug_assert_eq!(at, start + TX_HEADER + octets);
        self.memory.write(start + LENGTH, &(octets as u32).to_ne_bytes());
        self.weights[slot] = weight;
        self.set_status(slot, STATUS_SEND_REQUEST);
        self.filled += 1;
        Ok(())
    }

    /// Has the kernel send all that was pushed; how many packets on the wire it does not take.
    pub(crate) fn send(&mut self) -> u64 {
        let (mut lost, mut tries) = (0, 0);
        while self.filled > 0 {
            // What came of it is written in the slots.
            let _: io::Result<()> = self.socket.kick();
            let before = self.filled;
            while self.filled > 0 {
                match self.status(self.next) {
                    STATUS_SEND_REQUEST => break,
                    STATUS_WRONG_FORMAT => {
                        lost += u64::from(self.weights[self.next]);
                        self.close_gap();
                        break;
                    }
                    _ => self.next = self.slots.after(self.next),
                }
                self.filled -= 1;
            }
            if self.filled == before {
                tries += 1;
                if tries == TRIES {
                    return lost + self.take_back();
                }
            }
        }
        lost
    }

    /// The kernel stands at a slot that it does not send, and looks at no other until that is sent: those behind it move up.
    #[cold]
    fn close_gap(&mut self) {
        let mut slot = vec![0; self.slots.size - LENGTH];
        for behind in 1..self.filled {
            let (from, to) = (self.slot(behind), self.slot(behind - 1));
            self.memory.read(self.slots.at(from) + LENGTH, &mut slot);
            self.memory.write(self.slots.at(to) + LENGTH, &slot);
            self.weights[to] = self.weights[from];
            self.set_status(to, STATUS_SEND_REQUEST);
        }
        self.set_status(self.slot(self.filled - 1), STATUS_AVAILABLE);
        self.filled -= 1;
    }

    /// The kernel takes none of what waits: neither will it later, when it would be late.
    #[cold]
    fn take_back(&mut self) -> u64 {
        let mut lost = 0;
        for behind in 0..self.filled {
            let slot = self.slot(behind);
            lost += u64::from(self.weights[slot]);
            self.set_status(slot, STATUS_AVAILABLE);
        }
        self.filled = 0;
        lost
    }
}
