//! `ip6-frag`: packets of this machine that are longer than their way carries become fragments of themselves (RFC 8200, section 4.5).
//!
//! Routers do not cut packets of others in IPv6. `ip6-rewrite` sends those of our own here, and gets the fragments.

use std::hash::{BuildHasher, RandomState};

use vnet::{
    buffer::{Buffer, BufferFlags},
    frame::Frame,
    graph::{Node, NodeCx, NodeSpec, Slot, Verdict},
    random::Random,
    wire::{
        fragment::{MOST, UNIT},
        ip4::protocol,
        ip6::{FragmentHeader, Header},
    },
};
use zerocopy::IntoBytes;

use crate::{
    segments::{fill_fragment, finish_checksum},
    trace::{Ip6Trace, Snap},
};

vnet::next_nodes! {
    /// Where fragments go, and packets that cannot be cut.
    pub(crate) enum Next {
        Rewrite => "ip6-rewrite",
        Drop => "ip6-drop",
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

const FIXED: usize = size_of::<Header>();

/// Whether a packet may be cut here: one of our own that is no fragment, and has no headers in front that every hop reads.
pub(super) fn may_be_cut(buffer: &Buffer) -> bool {
    const OF_EVERY_HOP: [u8; 3] = [protocol::HOP_BY_HOP, protocol::ROUTING, protocol::FRAGMENT];
    buffer.flags().contains(BufferFlags::LOCALLY_ORIGINATED)
        && buffer.gso_headers().is_none()
        && buffer.view::<Header>().is_some_and(|ip| !OF_EVERY_HOP.contains(&ip.next_header))
}

/// Notes for `ip6-frag` how long fragments may be.
pub(super) fn note(buffer: &mut Buffer, max: u32) {
    buffer.opaque[0] = max;
}

pub(super) fn spec() -> NodeSpec {
    NodeSpec::internal("ip6-frag", |at| Frag {
        whole: Vec::with_capacity(MOST),
        // Nobody is to know beforehand what datagrams will be called (RFC 7739, section 5.3).
        names: Random::new(RandomState::new().hash_one(at.thread)),
    })
}

/// The node.
struct Frag {
    /// The payload of the packet that is being cut.
    whole: Vec<u8>,
    names: Random,
}

type Cx<'a> = NodeCx<'a, Next, Error>;

impl Frag {
    /// Sends the fragments of a packet.
    fn cut(&mut self, cx: &mut Cx<'_>, buffer: &mut Buffer) -> Result<(), Error> {
        // The checksum is that of the whole.
        finish_checksum(cx, buffer).ok_or(Error::Malformed)?;
        let max = buffer.opaque[0] as usize;
        let ip = *buffer.view::<Header>().ok_or(Error::Malformed)?;
        let (mut skip, total) = (FIXED, usize::from(ip.payload_length.get()));
        self.whole.clear();
        cx.for_each_segment(buffer, |bytes| {
            self.whole.extend_from_slice(&bytes[skip.min(bytes.len())..]);
            skip = skip.saturating_sub(bytes.len());
        });
        self.whole.truncate(total);
        let room = max.saturating_sub(FIXED + size_of::<FragmentHeader>()) / UNIT * UNIT;
        if self.whole.len() < total {
            return Err(Error::Malformed);
        }
        if room == 0 {
            return Err(Error::Header);
        }
        let identification = (self.names.bits() >> 32) as u32;
        for (n, payload) in self.whole.chunks(room).enumerate() {
            let at = n * room;
            let more = u16::from(at + payload.len() < total);
            let fragment = FragmentHeader {
                next_header: ip.next_header,
                reserved: 0,
                // A multiple of eight leaves its three low bits to the flags.
                offset_more: (at as u16 | more).into(),
                identification: identification.into(),
            };
            let length = (size_of::<FragmentHeader>() + payload.len()) as u16;
            let header =
                Header { payload_length: length.into(), next_header: protocol::FRAGMENT, ..ip };
            let sent = cx.emit(Next::Rewrite.into(), |cx, new| {
                let headers = [header.as_bytes(), fragment.as_bytes()];
                let filled = fill_fragment(cx, new, buffer, headers, payload).is_some();
                if at == 0 {
                    new.trace_as(buffer);
                }
                filled
            });
            if !sent {
                return Err(Error::NoBuffer);
            }
            cx.count(Error::Sent, 1);
        }
        Ok(())
    }
}

impl Node for Frag {
    type Error = Error;
    type Next = Next;
    type Trace = Ip6Trace;

    fn process(&mut self, cx: &mut NodeCx<'_, Next, Error>, frame: &mut Frame) -> Verdict<Next> {
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

    fn trace(&self, buffer: &Buffer) -> Ip6Trace {
        Ip6Trace(Snap::current(buffer))
    }
}
