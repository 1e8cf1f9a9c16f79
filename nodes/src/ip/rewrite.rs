//! `ip4-rewrite`, `ip6-rewrite`, and for tunnels `ip4-midchain`, `ip6-midchain`: the adjacency's header in front of the packet, and one off its TTL.

use core::fmt;

use vnet::{
    adjacency::{AdjacencyBody, AdjacencyIndex},
    buffer::Buffer,
    fib::ForwardingReader,
    frame::Frame,
    graph::{ArcIndex, ArcStart, Node, NodeCx, NodeSpec, PacketCx, Slot, Verdict},
    interface::SwIfIndex,
    trace::{TraceCx, TraceRecord},
    wire::ethernet::Header,
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
    /// The node of Ethernet and of the ends of wires, and that of tunnels, whose devices put the outer headers on.
    pub(crate) fn specs(reader: &ForwardingReader) -> [NodeSpec; 2] {
        let midchain = Self::spec(F::MIDCHAIN, reader.clone());
        [Self::spec(F::REWRITE, reader.clone()), midchain.sibling_of(F::REWRITE)]
    }

    fn spec(name: &str, reader: ForwardingReader) -> NodeSpec {
        NodeSpec::internal(name, move |at| Self {
            reader: reader.clone(),
            output: at.arc(F::OUTPUT_ARC),
            of: core::marker::PhantomData,
        })
    }
}

const ETHERNET: usize = size_of::<Header>();

/// What an adjacency asks for, read once for all packets of a frame that follow each other to it.
#[derive(Clone, Copy)]
struct Way<'a> {
    adjacency: &'a AdjacencyBody,
    max_length: u32,
    tx: SwIfIndex,
    start: ArcStart,
    /// The rewrite, at the end of the block, when it is an Ethernet header without tags and no feature follows: the usual way.
    ethernet: Option<[u8; 16]>,
}

impl<'a> Way<'a> {
    fn new(adjacency: &'a AdjacencyBody, start: impl FnOnce(SwIfIndex) -> ArcStart) -> Self {
        let tx = adjacency.sw_if_index();
        let start = start(tx);
        let is_usual = adjacency.rewrite_len() == ETHERNET && start == ArcStart::NO_FEATURE;
        Self {
            adjacency,
            max_length: adjacency.max_l3_bytes().into(),
            tx,
            start,
            ethernet: is_usual.then(|| adjacency.rewrite_tail()),
        }
    }
}

/// Ages the packet and puts the rewrite in front of it.
#[inline(always)]
fn rewrite<F: Family>(
    cx: Cx<'_, '_, F>,
    way: &Way<'_>,
    buffer: &mut Buffer,
) -> Slot<F::RewriteNext> {
    // Output features find the packet behind the new link header.
    buffer.l3_offset = buffer.current_data();
    let aged = F::age(buffer, way.max_length);
    if aged && way.ethernet.is_some_and(|block| buffer.prepend::<ETHERNET>(block)) {
        buffer.tx = way.tx;
        return F::rewrite_output();
    }
    rewrite_any::<F>(cx, *way, buffer, aged)
}

/// What is left to do for a packet that is unlike most: it has not aged and must not go on, or what is to be put in front of it is
/// no plain Ethernet header, or features follow.
#[inline(never)]
fn rewrite_any<F: Family>(
    cx: Cx<'_, '_, F>,
    way: Way<'_>,
    buffer: &mut Buffer,
    aged: bool,
) -> Slot<F::RewriteNext> {
    let bytes = way.adjacency.rewrite_len();
    // A large packet is no longer than those for which it stands.
    let aged = aged
        || buffer.gso_headers().is_some()
            && buffer.longest_on_wire() <= way.max_length as usize
            && F::age(buffer, u32::MAX);
    let fault = if !aged {
        F::fault(buffer, way.max_length)
    } else if !buffer.push(bytes) {
        Fault::NoHeadroom
    } else {
        if let Some(room) = buffer.current_mut().get_mut(..bytes) {
            way.adjacency.copy_rewrite(room);
        }
        buffer.tx = way.tx;
        return cx.enter(way.start, buffer, F::rewrite_output());
    };
    F::end(cx, buffer, fault, way.max_length)
}

type Cx<'a, 'd, F> = &'a PacketCx<'d, <F as Family>::RewriteNext, <F as Family>::Error>;

impl<F: Family> Node for Rewrite<F> {
    type Error = F::Error;
    type Next = F::RewriteNext;
    type Trace = Trace;

    fn process(
        &mut self,
        cx: &mut NodeCx<'_, F::RewriteNext, F::Error>,
        frame: &mut Frame,
    ) -> Verdict<F::RewriteNext> {
        cx.each_run(
            frame,
            |_, buffer| buffer.adjacency,
            |cx, index| {
                let adjacency = self.reader.adjacency(AdjacencyIndex(index));
                Way::new(adjacency, |tx| cx.arc_start(self.output, tx))
            },
            |cx, way, buffer| rewrite::<F>(cx, way, buffer),
            |_, _, _, _| {},
        )
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
    fn format(&self, f: &mut fmt::Formatter<'_>, cx: &TraceCx<'_>) -> fmt::Result {
        let Self { tx, adjacency: index, flow_hash, header } = self;
        let adjacency = (cx.adjacency)(AdjacencyIndex(*index));
        writeln!(
            f,
            "tx_sw_if_index {tx} dpo-idx {index} : {adjacency} flow hash: 0x{flow_hash:08x}"
        )?;
        header.write_hex(f)
    }
}
