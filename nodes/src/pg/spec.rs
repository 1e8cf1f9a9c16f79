//! A stream as it is defined: what to send, how much of it, how fast, and where to.

use std::sync::Arc;

use vnet::buffer::BufferFlags;

use super::{PacketSpec, SpecError, grammar, replay::Replay};

/// The largest packet, in bytes: what the length field of IPv4 can say.
pub const MAX_SIZE: usize = 65535;
/// What a rate can be.
pub(super) const RATES: &str = "packets a second, from 0 (as fast as possible) to 1e12";
/// Size of packets that do not say theirs, as far as their data reaches.
pub const DEFAULT_SIZE: usize = 64;

/// A stream's definition.
#[derive(Clone, Debug)]
pub struct StreamSpec {
    /// Its name; a stream without one is called `stream<N>`.
    pub name: Option<String>,
    /// Packets after which it is done; 0 for never. A replayed capture is sent once where this is 0.
    pub limit: u64,
    /// How fast it sends.
    pub rate: Rate,
    /// Sizes of its packets; without, each is as long as its data, of which no more than 64 bytes are used. A replayed
    /// capture has its own sizes.
    pub size: Option<Size>,
    /// The node, or the interface whose output node, to send to; without, what suits the interface. VPP demands it unless
    /// a capture is replayed.
    pub node: Option<String>,
    /// The interface that the packets appear to be received on; without, the packet-generator interface.
    pub interface: Option<String>,
    /// The interface that they are to be sent by.
    pub tx_interface: Option<String>,
    /// Number of the packet-generator interface that it belongs to.
    pub source: u32,
    /// The worker to run on; one that does not exist means the first.
    pub worker: u32,
    /// The most packets that one call of `pg-input` makes of it, 1 to 256.
    pub max_frame: usize,
    /// VPP's size of buffers, which `show packet-generator` prints. The buffers here always have 2048 bytes.
    pub buffer_size: usize,
    /// What is noted on every packet.
    pub buffer_flags: BufferFlags,
    /// Where the random fields start: streams with the same seed send the same packets.
    pub seed: u64,
    /// What it sends.
    pub data: Data,
}

/// What a stream sends.
#[derive(Clone, Debug)]
pub enum Data {
    /// Packets made by a description.
    Packet(PacketSpec),
    /// The packets of a capture, over and over.
    Replay(Arc<Replay>),
}

impl StreamSpec {
    /// A stream of packets like `packet` with all of VPP's defaults, to be sent to `node`.
    #[must_use]
    pub fn new(node: &str, packet: PacketSpec) -> Self {
        Self { node: Some(node.to_owned()), ..Self::with_data(Data::Packet(packet)) }
    }

    /// A stream that sends `packets` as they are, over and over: bytes from the first header on.
    ///
    /// # Errors
    /// When there is none, or one has more than [`MAX_SIZE`] bytes.
    pub fn from_packets<'a>(
        node: &str,
        packets: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Self, SpecError> {
        let replay = Arc::new(Replay::from_packets(packets)?);
        Ok(Self { node: Some(node.to_owned()), ..Self::with_data(Data::Replay(replay)) })
    }

    /// A stream of `data` with all of VPP's defaults.
    #[must_use]
    pub fn with_data(data: Data) -> Self {
        Self {
            name: None,
            limit: 0,
            rate: Rate::UNLIMITED,
            size: None,
            node: None,
            interface: None,
            tx_interface: None,
            source: 0,
            worker: 0,
            max_frame: vnet::frame::FRAME_SIZE,
            buffer_size: vnet::buffer::DATA_SIZE,
            buffer_flags: BufferFlags::empty(),
            seed: 1,
            data,
        }
    }

    /// Reads the text that `packet-generator new { ... }` has inside its braces; a `pcap` file is read into memory.
    ///
    /// # Errors
    /// With VPP's text when it is not a stream, or what is wrong with the capture.
    pub fn parse(text: &str) -> Result<Self, SpecError> {
        grammar::stream(text)
    }

    /// Changes limit, rate, size or buffer size, by the text that `packet-generator configure NAME ...` has behind the name.
    ///
    /// # Errors
    /// With VPP's text when it is something else. The definition may be half changed then.
    pub fn configure(&mut self, text: &str) -> Result<(), SpecError> {
        grammar::configure(text, self)
    }

    /// Packets after which the stream is done; 0 for never, and once through for a capture.
    #[must_use]
    pub fn effective_limit(&self) -> u64 {
        match &self.data {
            Data::Replay(replay) if self.limit == 0 => replay.len() as u64,
            _ => self.limit,
        }
    }
}

/// Packets a second, in steps of a millionth of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate(u64);

impl Rate {
    /// As fast as possible.
    pub const UNLIMITED: Self = Self(0);

    /// The fastest, in packets a second.
    pub const MAX: f64 = 1e12;

    /// From packets a second, of which 0 means as fast as possible.
    ///
    /// # Errors
    /// When it is negative, above [`Self::MAX`] or no number.
    pub fn per_second(packets: f64) -> Result<Self, SpecError> {
        if packets < 0.0 {
            return Err(SpecError::NegativeRate(packets.to_string()));
        }
        if packets == 0.0 {
            return Ok(Self::UNLIMITED);
        }
        if packets.is_nan() || packets > Self::MAX {
            let value = packets.to_string();
            return Err(SpecError::BadNumber { word: "rate", value, expected: RATES });
        }
        // What is slower than the slowest rate is not as fast as possible.
        Ok(Self(((packets * 1e6).round() as u64).max(1)))
    }

    /// In millionths of a packet a second; `None` for as fast as possible.
    #[must_use]
    pub fn micro_packets(self) -> Option<u64> {
        (self.0 != 0).then_some(self.0)
    }

    /// In packets a second, for display; 0 for as fast as possible.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }
}

/// Sizes of packets, in bytes, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// The smallest.
    pub min: usize,
    /// The largest.
    pub max: usize,
    /// Whether they are drawn; otherwise they count up from the smallest and start again after the largest.
    pub random: bool,
}

impl Size {
    /// Always the same.
    #[must_use]
    pub fn fixed(bytes: usize) -> Self {
        Self { min: bytes, max: bytes, random: false }
    }

    /// The sign between the two that VPP's commands use.
    #[must_use]
    pub fn sign(&self) -> char {
        if self.random { '+' } else { '-' }
    }
}
