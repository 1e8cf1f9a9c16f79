//! `ip4-frag`: packets that are longer than their way carries become fragments of themselves (RFC 791, section 3.2).
//!
//! `ip4-rewrite` sends packets here that their senders let be cut, and gets the fragments.

use vnet::{
    buffer::{Buffer, BufferFlags},
    frame::Frame,
    graph::{Node, NodeCx, NodeSpec, Slot, Verdict},
    wire::{checksum, ip4::Header},
};
use zerocopy::IntoBytes;

use crate::{
    segments::{fill_fragment, finish_checksum},
    trace::{Ip4Trace, Snap},
};

vnet::next_nodes! {
    /// Where fragments go, and packets that cannot be cut.
    pub(crate) enum Next {
        Rewrite => "ip4-rewrite",
        Drop => "ip4-drop",
    }
}

vnet::node_errors! {
    /// What is counted, and why packets are not cut.
    pub(crate) enum Error {
        Fragmented => ("fragmented", "packets fragmented", Info),
        Sent => ("fragment-sent", "number of sent fragments", Info),
        Header => ("cant-fragment-header", "can't fragment header", Error, FragmentationAndDf),
        Malformed => ("malformed", "malformed packet", Error),
        NoBuffer => ("memory", "could not allocate buffer", Error),
    }
}

/// Fragments begin at multiples of so many octets of payload.
const UNIT: usize = 8;
const FIXED: usize = size_of::<Header>();
/// Octets of the longest packet.
const MOST: usize = 65535;
/// The bit of an option's type that says that every fragment has it.
const COPIED: u8 = 0x80;

/// Whether its sender lets a packet be cut.
pub(super) fn is_allowed(buffer: &Buffer) -> bool {
    let flags = buffer.view::<Header>().map_or(Header::DONT_FRAGMENT, |ip| ip.flags_fragment.get());
    flags & Header::DONT_FRAGMENT == 0
}

/// Whether a packet may be cut here: not one that stands for several, none of which is longer than its sender thought right.
pub(super) fn may_be_cut(buffer: &Buffer) -> bool {
    is_allowed(buffer) && buffer.gso_headers().is_none()
}

/// Notes for `ip4-frag` how long fragments may be.
pub(super) fn note(buffer: &mut Buffer, max: u32) {
    buffer.opaque[0] = max;
}

pub(super) fn spec() -> NodeSpec {
    NodeSpec::internal("ip4-frag", |_| Frag { whole: Vec::new(), options: Vec::new() })
}

/// The node.
struct Frag {
    /// The octets of the packet that is being cut.
    whole: Vec<u8>,
    /// The options of all fragments but the first.
    options: Vec<u8>,
}

type Cx<'a> = NodeCx<'a, Next, Error>;

impl Frag {
    /// Sends the fragments of a packet.
    fn cut(&mut self, cx: &mut Cx<'_>, buffer: &mut Buffer) -> Result<(), Error> {
        // The checksum is that of the whole.
        finish_checksum(cx, buffer).ok_or(Error::Malformed)?;
        let max = buffer.opaque[0] as usize;
        let ip = *buffer.view::<Header>().ok_or(Error::Malformed)?;
        self.whole.clear();
        cx.for_each_segment(buffer, |bytes| self.whole.extend_from_slice(bytes));
        self.whole.truncate(ip.total_length.get().into());
        let (header, total) = (ip.header_length(), usize::from(ip.total_length.get()));
        // A fragment whose end lies beyond what an offset can say is part of no packet.
        let end = ip.fragment_offset() + total.saturating_sub(header);
        if self.whole.len() < total || header < FIXED || total <= header || end > MOST {
            return Err(Error::Malformed);
        }
        copied_options(&self.whole[FIXED..header], &mut self.options);
        let mut at = header;
        while at < total {
            let is_first = at == header;
            let options = if is_first { &self.whole[FIXED..header] } else { &self.options };
            let room = max.saturating_sub(FIXED + options.len()) / UNIT * UNIT;
            let length = room.min(total - at);
            if length == 0 {
                return Err(Error::Header);
            }
            let piece = Piece {
                ip,
                options,
                payload: &self.whole[at..at + length],
                at: at - header,
                is_last: at + length == total,
            };
            if !cx.emit(Next::Rewrite.into(), |cx, new| piece.fill(cx, new, buffer).is_some()) {
                return Err(Error::NoBuffer);
            }
            cx.count(Error::Sent, 1);
            at += length;
        }
        Ok(())
    }
}

/// The options that later fragments have, filled up to whole words (RFC 791, section 3.1).
fn copied_options(mut options: &[u8], copied: &mut Vec<u8>) {
    copied.clear();
    while let Some(&kind) = options.first() {
        let length = match kind {
            0 => break,
            1 => 1,
            _ => options.get(1).map_or(0, |&length| usize::from(length)),
        };
        let Some(option) =
            options.get(..length).filter(|o| !o.is_empty() && (kind == 1 || o.len() > 1))
        else {
            break;
        };
        if kind & COPIED != 0 {
            copied.extend_from_slice(option);
        }
        options = &options[length..];
    }
    copied.resize(copied.len().next_multiple_of(4), 0);
}

/// A fragment in the making.
struct Piece<'a> {
    /// Header of the whole.
    ip: Header,
    options: &'a [u8],
    payload: &'a [u8],
    /// Where the payload is in that of the whole, which may be a fragment itself.
    at: usize,
    is_last: bool,
}

impl Piece<'_> {
    fn fill(&self, cx: &mut Cx<'_>, new: &mut Buffer, from: &Buffer) -> Option<()> {
        let header = FIXED + self.options.len();
        let offset = self.ip.fragment_offset() / UNIT + self.at / UNIT;
        let kept = self.ip.flags_fragment.get() & !Header::OFFSET_MASK;
        let more = if self.is_last { 0 } else { Header::MORE_FRAGMENTS };
        let mut ip = Header {
            version_ihl: 0x40 | (header / 4) as u8,
            total_length: ((header + self.payload.len()) as u16).into(),
            flags_fragment: (kept | more | offset as u16).into(),
            checksum: 0.into(),
            ..self.ip
        };
        let sum = checksum::Sum::EMPTY.bytes(ip.as_bytes()).bytes(self.options);
        ip.checksum = sum.checksum().into();
        fill_fragment(cx, new, from, &[ip.as_bytes(), self.options], self.payload)?;
        if self.at == 0 {
            new.trace_as(from);
        }
        Some(())
    }
}

impl Node for Frag {
    type Error = Error;
    type Next = Next;
    type Trace = Ip4Trace;

    fn process(&mut self, cx: &mut Cx<'_>, frame: &mut Frame) -> Verdict<Next> {
        cx.each_in_order(frame, |cx, buffer| {
            if buffer.flags().contains(BufferFlags::TRACED) {
                cx.leave_trace(buffer, &self.trace(buffer));
            }
            match self.cut(cx, buffer) {
                Ok(()) => {
                    cx.count(Error::Fragmented, 1);
                    None
                }
                Err(error) => {
                    cx.error(buffer, error);
                    Some(Slot::from(Next::Drop))
                }
            }
        })
    }

    fn trace(&self, buffer: &Buffer) -> Ip4Trace {
        Ip4Trace(Snap::current(buffer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_fragments_have_the_options_that_are_to_be_copied() {
        let copied = |options: &[u8]| {
            let mut copied = vec![9];
            copied_options(options, &mut copied);
            copied
        };
        // Record route is not copied, security and strict source routing are.
        assert_eq!(copied(&[7, 4, 4, 0, 130, 3, 5, 137, 3, 4, 0]), [130, 3, 5, 137, 3, 4, 0, 0]);
        assert_eq!(copied(&[1, 1, 148, 4, 0, 0, 0, 99]), [148, 4, 0, 0]);
        assert!(copied(&[]).is_empty());
        // What is cut or has no length ends the list.
        for broken in [&[130][..], &[130, 0], &[130, 1], &[130, 9, 1], &[7, 2, 130]] {
            assert!(copied(broken).is_empty(), "{broken:?}");
        }
    }
}
