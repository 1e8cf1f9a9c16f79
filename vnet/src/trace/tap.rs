//! Taps: who sees whole packets where they are received, sent and dropped, beside what becomes of them.
//!
//! Nodes ask once a frame whether there is a tap, so that none costs nothing.

use std::sync::Arc;

use crate::{
    buffer::{Buffer, BufferFlags, Magazine},
    classify::{Asking, Classifier, FilterUse},
    interface::SwIfIndex,
    runtime::PacketTime,
};

/// Something that sees packets. Workers call it at the same time; what it does delays them.
pub trait Tap: Send + Sync {
    /// Sees a packet.
    fn see(&self, packet: &Seen<'_>);
}

/// The taps of an engine, set by [`Main::set_taps`](crate::runtime::Main::set_taps).
#[derive(Clone, Default)]
pub struct Taps {
    /// Sees Ethernet frames that are received, as they are.
    pub rx: Option<Arc<dyn Tap>>,
    /// Sees packets that are to be sent, in front of the output features.
    pub tx: Option<Arc<dyn Tap>>,
    /// Sees packets that are dropped.
    pub drop: Option<Arc<dyn Tap>>,
}

/// Where a packet starts, counted as a buffer's `current_data` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At an Ethernet header.
    Ethernet(i16),
    /// At an IP header.
    Ip(i16),
}

impl Start {
    /// The start of a packet that is at hand with its outermost header.
    #[must_use]
    pub fn here(buffer: &Buffer, is_ethernet: bool) -> Self {
        let at = buffer.current_data();
        if is_ethernet { Self::Ethernet(at) } else { Self::Ip(at) }
    }

    /// The start of a packet that may be at any of its headers. Whether its link header is a new one, or one that was
    /// passed over, shows in where its IP header is.
    #[must_use]
    pub fn behind(buffer: &Buffer, is_ethernet: bool) -> Self {
        let at = buffer.current_data();
        let is_rewritten = buffer.l3_offset > at;
        let is_ours = buffer.flags().contains(BufferFlags::LOCALLY_ORIGINATED);
        match is_ethernet {
            true if is_rewritten => Self::Ethernet(at),
            true if !is_ours => Self::Ethernet(buffer.l2_offset.min(at)),
            _ => Self::Ip(buffer.l3_offset.min(at)),
        }
    }

    const fn offset(self) -> i16 {
        match self {
            Self::Ethernet(at) | Self::Ip(at) => at,
        }
    }
}

/// A packet on its way.
pub struct Seen<'p> {
    /// Its first buffer.
    pub buffer: &'p Buffer,
    /// Where it starts.
    pub start: Start,
    /// The interface that it came by, or that it leaves by.
    pub interface: SwIfIndex,
    /// The interface that carries that one, which is the same unless it is a sub-interface.
    pub main: SwIfIndex,
    /// Wall-clock time.
    pub time: PacketTime,
    pub(crate) magazine: &'p Magazine,
    pub(crate) asking: Asking<'p>,
}

impl Seen<'_> {
    /// The packet's first byte.
    #[must_use]
    pub fn first_byte(&self) -> Option<u8> {
        self.buffer.from_offset(self.start.offset()).first().copied()
    }

    /// Whether a filter takes the packet; `None` when there is no such filter.
    #[must_use]
    pub fn is_taken(&self, by: &Classifier, of: FilterUse) -> Option<bool> {
        let is_ethernet = matches!(self.start, Start::Ethernet(_));
        by.takes(of, self.asking, self.buffer.from_offset(self.start.offset()), is_ethernet)
    }

    /// Calls `f` with each run of bytes of the packet, from its start on.
    pub fn for_each_segment(&self, mut f: impl FnMut(&[u8])) {
        let mut head = Some(self.buffer.from_offset(self.start.offset()));
        self.magazine.for_each_segment(self.buffer, |bytes| f(head.take().unwrap_or(bytes)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A buffer of 60 bytes whose headers are at these offsets, at the last of which it is.
    fn buffer(l2: i16, l3: i16, current: i16) -> Box<Buffer> {
        let mut buffer = Box::new(Buffer::empty());
        buffer.append(&[0; 60]);
        assert!(buffer.rewind_to(current));
        (buffer.l2_offset, buffer.l3_offset) = (l2, l3);
        buffer
    }

    #[test]
    fn a_dropped_packet_starts_at_the_header_that_it_has_or_came_with() {
        // As ethernet-input got it, at its IP header, at its UDP header.
        for current in [0, 14, 34] {
            assert_eq!(Start::behind(&buffer(0, 14, current), true), Start::Ethernet(0));
        }
        // With a new header, longer or shorter than the one that it came with.
        for current in [-4, 0, 8] {
            assert_eq!(Start::behind(&buffer(0, 14, current), true), Start::Ethernet(current));
        }
        assert_eq!(Start::behind(&buffer(0, 0, 20), false), Start::Ip(0));
    }

    #[test]
    fn a_packet_of_our_own_has_no_link_header_before_it_is_rewritten() {
        let mut buffer = buffer(0, 0, 0);
        buffer.set_flags(BufferFlags::LOCALLY_ORIGINATED);
        assert_eq!(Start::behind(&buffer, true), Start::Ip(0));
        assert!(buffer.push(14));
        assert_eq!(Start::behind(&buffer, true), Start::Ethernet(-14));
    }
}
