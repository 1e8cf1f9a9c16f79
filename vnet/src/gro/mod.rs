//! Generic receive offload: segments of a TCP stream that follow each other become one large packet, which stands for them
//! ([`Offload`](crate::buffer::Offload)).
//!
//! A [`Coalescer`] lets segments wait, for [`TIMEOUT`] at most, and puts those together that could have been cut out of one packet:
//! the same headers, sequence numbers that continue each other, as much payload in each, of which the last may have less. A
//! segment with PSH, a short one, or one that would make the packet too long ends it. Acknowledgments may go on meanwhile; the
//! packet has the last one, and the window that came with it. Whatever else belongs to a stream sends what waits of it ahead of
//! itself, so that the order within a stream stays. What is not whole, has a wrong checksum or is no TCP is left alone.
//!
//! Parts: [`Segment`] reads headers, `flows` decides, `join` writes the headers of the large packet, [`Coalescer`] keeps packets.
//! A device's node calls [`NodeCx::coalesce`](crate::graph::NodeCx::coalesce) with what it is to send.

mod coalescer;
mod flows;
mod join;
mod node;
mod segment;

#[cfg(test)]
mod tests;

use core::time::Duration;

pub use coalescer::{Coalescer, Counts};
pub use segment::{Segment, Stream};

/// How long a segment waits for the next one, VPP's figure.
pub const TIMEOUT: Duration = Duration::from_micros(10);
/// Streams of which segments wait at a time.
pub const STREAMS: usize = 16;
/// Segments of a large packet, at most.
pub const SEGMENTS: usize = 64;
/// A packet that is no longer than this begins no large packet, and ends one.
pub const SHORT: usize = 256;
/// Octets of a large packet are fewer, its link header included.
const TOO_LONG: usize = 65536;
