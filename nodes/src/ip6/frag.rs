//! `ip6-frag`: packets of this machine that are longer than their way carries become fragments of themselves (RFC 8200, section 4.5).
//!
//! Routers do not cut packets of others in IPv6. `ip6-rewrite` sends those of our own here, and gets the fragments. Headers that nodes
//! on the way read are in front of each of these.

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
use zerocopy::{FromBytes, IntoBytes};

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

/// Whether a packet may be cut here: one of our own that is no fragment.
pub(super) fn may_be_cut(buffer: &Buffer) -> bool {
    buffer.flags().contains(BufferFlags::LOCALLY_ORIGINATED)
        && buffer.gso_headers().is_none()
        && front(buffer.current()).is_some_and(|front| front.next != protocol::FRAGMENT)
}

/// The headers of a packet that each of its fragments has: those up to and with the last one that nodes on the way read.
struct Front {
    /// Octets of them.
    length: usize,
    /// Where the last of them says what is behind it.
    names_next: usize,
    /// What that is.
    next: u8,
}

/// `None` where they do not lie in one piece.
fn front(bytes: &[u8]) -> Option<Front> {
    /// Where the IPv6 header says what is behind it.
    const IN_FIXED: usize = 6;
    let (mut names, mut at) = (IN_FIXED, FIXED);
    let mut front = Front { length: at, names_next: names, next: *bytes.get(names)? };
    loop {
        let header = *bytes.get(names)?;
        match header {
            protocol::HOP_BY_HOP | protocol::ROUTING | protocol::DESTINATION_OPTIONS => {
                let [next, length] = *bytes.get(at..)?.first_chunk()?;
                (names, at) = (at, at + UNIT * (usize::from(length) + 1));
                // Options for the destination are for the stations of a routing header where one follows, and else for the end.
                if header != protocol::DESTINATION_OPTIONS {
                    front = Front { length: at, names_next: names, next };
                }
            }
            _ => return (front.length <= bytes.len()).then_some(front),
        }
    }
}

/// Notes for `ip6-frag` how long fragments may be.
pub(crate) fn note(buffer: &mut Buffer, max: u32) {
    buffer.opaque[0] = max;
}

pub(super) fn spec() -> NodeSpec {
    NodeSpec::internal("ip6-frag", |at| Frag {
        whole: Vec::with_capacity(MOST),
        front: Vec::with_capacity(MOST),
        // Nobody is to know beforehand what datagrams will be called (RFC 7739, section 5.3).
        names: Random::new(RandomState::new().hash_one(at.thread)),
    })
}

/// The node.
struct Frag {
    /// The payload of the packet that is being cut.
    whole: Vec<u8>,
    /// The headers of all fragments.
    front: Vec<u8>,
    names: Random,
}

type Cx<'a> = NodeCx<'a, Next, Error>;

impl Frag {
    /// Sends the fragments of a packet.
    fn cut(&mut self, cx: &mut Cx<'_>, buffer: &mut Buffer) -> Result<(), Error> {
        // The checksum is that of the whole.
        finish_checksum(cx, buffer).ok_or(Error::Malformed)?;
        let max = buffer.opaque[0] as usize;
        let ip = buffer.view::<Header>().ok_or(Error::Malformed)?;
        let whole = FIXED + usize::from(ip.payload_length.get());
        let front = front(buffer.current()).ok_or(Error::Malformed)?;
        let (mut skip, total) = (front.length, whole.saturating_sub(front.length));
        self.front.clear();
        self.front.extend_from_slice(&buffer.current()[..front.length]);
        self.front[front.names_next] = protocol::FRAGMENT;
        self.whole.clear();
        cx.for_each_segment(buffer, |bytes| {
            self.whole.extend_from_slice(&bytes[skip.min(bytes.len())..]);
            skip = skip.saturating_sub(bytes.len());
        });
        self.whole.truncate(total);
        let headers = front.length + size_of::<FragmentHeader>();
        let room = max.saturating_sub(headers) / UNIT * UNIT;
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
                next_header: front.next,
                reserved: 0,
                // A multiple of eight leaves its three low bits to the flags.
                offset_more: (at as u16 | more).into(),
                identification: identification.into(),
            };
            let length = (headers - FIXED + payload.len()) as u16;
            if let Ok((ip, _)) = Header::mut_from_prefix(&mut self.front) {
                ip.payload_length.set(length);
            }
            let front = &*self.front;
            let sent = cx.emit(Next::Rewrite.into(), |cx, new| {
                let headers = [front, fragment.as_bytes()];
                let filled = fill_fragment(cx, new, buffer, &headers, payload).is_some();
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
