//! `ip4-rewrite`, `ip6-rewrite`: the adjacency's header in front of the packet, and one off its TTL.

use core::fmt;

use vnet::{
    adjacency::{AdjacencyBody, AdjacencyIndex},
    buffer::Buffer,
    fib::ForwardingReader,
    frame::Frame,
    graph::{ArcIndex, ArcStart, Node, NodeCx, NodeSpec, PacketCx, Verdict},
    interface::SwIfIndex,
    trace::{TraceCx, TraceRecord},
    wire::ethernet::{Header, VlanTag},
};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{Family, Fault};
use crate::trace::Snap;

/// The node.
pub(crate) struct Rewrite<F> {
    reader: ForwardingReader,
    output: ArcIndex,
    of: core::marker::PhantomData<fn() -> F>,
}

impl<F: Family> Rewrite<F> {
    pub(crate) fn spec(reader: ForwardingReader) -> NodeSpec {
        NodeSpec::internal(F::REWRITE, move |at| Self {
            reader: reader.clone(),
            output: at.arc(F::OUTPUT_ARC),
            of: core::marker::PhantomData,
        })
    }
}

const ETHERNET: usize = size_of::<Header>();
const TAG: usize = size_of::<VlanTag>();

/// The whole rewrite by its length, so that putting it in front is a store or two.
enum Front {
    Ethernet([u8; ETHERNET]),
    Tagged([u8; ETHERNET + TAG]),
    DoubleTagged([u8; ETHERNET + 2 * TAG]),
    /// Of any length, to be read from the adjacency.
    Other,
}

impl Front {
    fn of(adjacency: &AdjacencyBody) -> Self {
        if adjacency.rewrite_len() == ETHERNET {
            let tail = adjacency.rewrite_tail();
            return tail.last_chunk().map_or(Self::Other, |header| Self::Ethernet(*header));
        }
        Self::tagged(adjacency)
    }

    #[cold]
    fn tagged(adjacency: &AdjacencyBody) -> Self {
        let mut room = [0; ETHERNET + 2 * TAG];
        match adjacency.copy_rewrite(&mut room) {
            length if length == room.len() => Self::DoubleTagged(room),
            length if length == ETHERNET + TAG => {
                room.last_chunk().map_or(Self::Other, |header| Self::Tagged(*header))
            }
            _ => Self::Other,
        }
    }

    /// Puts the rewrite in front of the packet; whether there was room.
    #[inline]
    fn put(&self, adjacency: &AdjacencyBody, buffer: &mut Buffer) -> bool {
        match self {
            Self::Ethernet(header) => buffer.prepend(header),
            Self::Tagged(header) => buffer.prepend(header),
            Self::DoubleTagged(header) => buffer.prepend(header),
            Self::Other => prepend(buffer, adjacency),
        }
    }
}

/// What an adjacency asks for, read once for all packets of a frame that follow each other to it.
struct Way<'a> {
    index: u32,
    adjacency: &'a AdjacencyBody,
    max_length: usize,
    tx: SwIfIndex,
    start: ArcStart,
    front: Front,
}

impl<'a> Way<'a> {
    fn new(
        index: u32,
        adjacency: &'a AdjacencyBody,
        start: impl FnOnce(SwIfIndex) -> ArcStart,
    ) -> Self {
        let tx = adjacency.sw_if_index();
        Self {
            index,
            adjacency,
            max_length: usize::from(adjacency.max_l3_bytes()),
            tx,
            start: start(tx),
            front: Front::of(adjacency),
        }
    }

    /// Ages the packet and puts the rewrite in front; what stays undone is said.
    #[inline]
    fn rewrite<F: Family>(&self, buffer: &mut Buffer) -> Result<(), Fault> {
        let length = F::age(buffer)?;
        if length > self.max_length {
            return Err(Fault::TooBig);
        }
        // Output features find the packet behind the new link header.
        buffer.l3_offset = buffer.current_data();
        if !self.front.put(self.adjacency, buffer) {
            return Err(Fault::NoHeadroom);
        }
        buffer.tx = self.tx;
        Ok(())
    }
}

/// Puts a rewrite of any length in front of the packet; whether there was room.
#[inline(never)]
fn prepend(buffer: &mut Buffer, adjacency: &AdjacencyBody) -> bool {
    let bytes = adjacency.rewrite_len();
    let done = buffer.push(bytes);
    if done && let Some(room) = buffer.current_mut().get_mut(..bytes) {
        adjacency.copy_rewrite(room);
    }
    done
}

impl<F: Family> Node for Rewrite<F> {
    type Error = F::Error;
    type Next = F::RewriteNext;
    type Trace = Trace;

    fn process(
        &mut self,
        cx: &mut NodeCx<'_, F::RewriteNext, F::Error>,
        frame: &mut Frame,
    ) -> Verdict<F::RewriteNext> {
        let way_of = |cx: &PacketCx<'_, F::RewriteNext, F::Error>, index| {
            let adjacency = self.reader.adjacency(AdjacencyIndex(index));
            Way::new(index, adjacency, |tx| cx.arc_start(self.output, tx))
        };
        let mut way = way_of(cx, 0);
        cx.each(frame, |cx, buffer| {
            if buffer.adjacency != way.index {
                way = way_of(cx, buffer.adjacency);
            }
            match way.rewrite::<F>(buffer) {
                Ok(()) => cx.enter(way.start, buffer, F::rewrite_output()),
                Err(fault) => {
                    cx.error(buffer, F::error(fault));
                    F::rewrite_drop()
                }
            }
        })
    }

    fn trace(&self, buffer: &Buffer) -> Trace {
        Trace {
            tx: buffer.tx.0,
            adjacency: buffer.adjacency,
            flow_hash: buffer.flow_hash,
            header: Snap::current(buffer),
        }
    }
}

/// What is recorded of a traced packet.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct Trace {
    tx: u32,
    adjacency: u32,
    flow_hash: u32,
    header: Snap,
}

impl TraceRecord for Trace {
    fn format(&self, f: &mut fmt::Formatter<'_>, _: &TraceCx<'_>) -> fmt::Result {
        let Self { tx, adjacency, flow_hash, header } = self;
        writeln!(f, "tx_sw_if_index {tx} dpo-idx {adjacency} flow hash: 0x{flow_hash:08x}")?;
        header.write_hex(f)
    }
}
