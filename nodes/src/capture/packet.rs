//! One packet as a capture has it.

use vnet::runtime::PacketTime;
use vnet::wire::link::LinkType;

use super::error::Defect;

/// An interface of a capture: its position among all interfaces that the file describes, counted through its
/// sections. A classic pcap file has one, number 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct InterfaceId(pub u32);

/// One packet, lent out of the reader's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The captured bytes, from the link-layer header on; 0 to [`MAX_CAPTURED`](super::MAX_CAPTURED) of them.
    pub data: &'a [u8],
    /// The packet's length on the wire, in bytes; never less than was captured, even where the file says so.
    pub wire_len: u32,
    /// When the packet was seen. Times that the type cannot hold are moved to its nearest end. A pcapng Simple Packet
    /// Block has no time and gets that of the packet before it.
    pub time: PacketTime,
    /// How many decimal digits of a second `time` has: 6 in a microsecond capture, 9 in a nanosecond one.
    pub digits: u8,
    /// What the first bytes of `data` are.
    pub link: LinkType,
    /// Where in the capture's own count of interfaces the packet was seen.
    pub interface: InterfaceId,
}

/// What a format's decoder makes of bytes that do not begin with a plain packet.
pub(super) enum Step<'a> {
    /// A packet in a rarer form, and the bytes that it and its headers take.
    Packet(Packet<'a>, usize),
    /// So many bytes hold no packet; more than there are may be meant.
    Skip(u64),
    /// Nothing can be said before so many bytes are there. More than there are, and no more than a window holds.
    Need(usize),
    /// The bytes are not what the format allows.
    Defect(Defect),
}

/// A capture format, decoded from the bytes at the front of the input.
pub(super) trait Decode {
    /// The packet that the bytes begin with, and the bytes that it and its headers take; none where that is not plain
    /// to see, and then [`Self::other`] tells what there is.
    fn packet<'a>(&mut self, bytes: &'a [u8]) -> Option<(Packet<'a>, usize)>;

    /// What the bytes begin with when [`Self::packet`] sees no packet.
    fn other<'a>(&mut self, bytes: &'a [u8]) -> Step<'a>;

    /// What is wrong with an input that ends after `bytes`, which are not empty and for which [`Self::other`] asked
    /// for more.
    fn cut(&self, bytes: &[u8]) -> Defect;
}
