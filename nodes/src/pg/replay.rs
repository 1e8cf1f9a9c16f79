//! Packets that are sent as they are: those of a capture, or of a caller.

use std::path::Path;

use vnet::{
    buffer::{Buffer, BufferFlags, DATA_SIZE},
    command::open_regular,
    runtime::PacketTime,
    wire::link::LinkType,
};

use super::{SpecError, spec::MAX_SIZE};
use crate::capture::{Batch, Packet, ReadError, Reader};

/// The most bytes of a capture, since it is held in memory.
pub(super) const MAX_CAPTURE: u64 = 4 << 30;

/// Packets in memory, in order.
#[derive(Clone, Debug)]
pub struct Replay {
    bytes: Vec<u8>,
    packets: Vec<Recorded>,
}

#[derive(Clone, Copy, Debug)]
struct Recorded {
    at: usize,
    length: u32,
    wire_length: u32,
    link: LinkType,
    /// `None` for packets that are seen when they are sent.
    time: Option<PacketTime>,
}

/// A packet to be sent.
#[derive(Clone, Copy)]
pub(super) struct Packed<'a> {
    recorded: Recorded,
    head: &'a [u8],
    /// What the first buffer has no room for.
    pub(super) tail: &'a [u8],
}

impl Replay {
    /// Reads a whole capture, of which packets may be captured in part, but none may be larger than [`MAX_SIZE`].
    ///
    /// # Errors
    /// What is wrong with the capture, that there is nothing in it, or that it has more than 4 GiB. A pipe
    /// is refused: the engine would wait for it.
    pub fn read(path: &Path) -> Result<Self, SpecError> {
        let name = path.display().to_string();
        let opened = |source| ReadError::Open { file: name.clone(), source };
        let file = open_regular(path).map_err(opened)?;
        if file.metadata().map_err(opened)?.len() > MAX_CAPTURE {
            return Err(SpecError::CaptureTooLong(name));
        }
        let mut reader = Reader::from_stream(name, file)?;
        let mut replay = Self { bytes: Vec::new(), packets: Vec::new() };
        let mut largest = 0;
        loop {
            let batch = reader.next_batch(1024, |packet| {
                largest = largest.max(packet.data.len());
                replay.push_captured(packet);
            })?;
            match batch {
                Batch::Packets(_) | Batch::Blocked => {}
                Batch::End => break,
            }
        }
        replay.checked(largest, reader.name())
    }

    /// Packets of a caller, which are seen when they are sent.
    pub(super) fn from_packets<'a>(
        packets: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Self, SpecError> {
        let mut replay = Self { bytes: Vec::new(), packets: Vec::new() };
        let mut largest = 0;
        for packet in packets {
            largest = largest.max(packet.len());
            replay.push(packet, packet.len() as u32, LinkType::Ethernet, None);
        }
        replay.checked(largest, "")
    }

    fn push_captured(&mut self, packet: Packet<'_>) {
        self.push(packet.data, packet.wire_len, packet.link, Some(packet.time));
    }

    fn push(&mut self, data: &[u8], wire_length: u32, link: LinkType, time: Option<PacketTime>) {
        let (at, length) = (self.bytes.len(), data.len() as u32);
        self.bytes.extend_from_slice(data);
        self.packets.push(Recorded { at, length, wire_length, link, time });
    }

    fn checked(self, largest: usize, name: &str) -> Result<Self, SpecError> {
        if largest > MAX_SIZE {
            return Err(SpecError::SizeAboveMax(largest));
        }
        if self.packets.is_empty() {
            return Err(SpecError::CaptureEmpty(name.to_owned()));
        }
        Ok(self)
    }

    /// Number of packets, at least one.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "it never is")]
    pub fn len(&self) -> usize {
        self.packets.len()
    }

    /// Sizes of the smallest and of the largest packet, in bytes.
    #[must_use]
    pub fn sizes(&self) -> (usize, usize) {
        let sizes = || self.packets.iter().map(|p| p.length as usize);
        (sizes().min().unwrap_or(0), sizes().max().unwrap_or(0))
    }

    /// Packet `n`, counted over and over.
    pub(super) fn packet(&self, n: usize) -> Option<Packed<'_>> {
        let recorded = *self.packets.get(n % self.packets.len())?;
        let bytes = self.bytes.get(recorded.at..)?.get(..recorded.length as usize)?;
        let (head, tail) = bytes.split_at(bytes.len().min(DATA_SIZE));
        Some(Packed { recorded, head, tail })
    }
}

impl Packed<'_> {
    /// Number of bytes captured.
    pub(super) fn len(&self) -> usize {
        self.recorded.length as usize
    }

    /// Puts the first bytes into an empty buffer, and what is known of the packet; `now` is when it is sent.
    pub(super) fn write(&self, buffer: &mut Buffer, now: PacketTime) {
        buffer.append(self.head);
        buffer.link_type = self.recorded.link.number();
        buffer.time = self.recorded.time.unwrap_or(now);
        buffer.wire_length = self.recorded.wire_length;
        if self.recorded.wire_length > self.recorded.length {
            buffer.set_flags(BufferFlags::TRUNCATED);
        }
    }
}
