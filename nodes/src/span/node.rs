//! `span-input`, `span-output`, `span-l2-input`, `span-l2-output`.

use core::fmt;

use vnet::{
    buffer::{Buffer, BufferFlags},
    graph::{Map, NodeSpec, PacketCx, Slot},
    interface::SwIfIndex,
    trace::{TraceCx, TraceRecord},
};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{Direction, Layer, Span, table::Place};

vnet::next_nodes! {
    /// Where copies go.
    pub(super) enum Next {
        Output => "interface-output",
        /// Where the tags of the interface that they leave by are written.
        Layer2Output => "l2-output",
    }
}

vnet::node_errors! {
    /// What is counted of mirrored packets, which go on all the same.
    pub(super) enum Error {
        Hits => ("hits", "SPAN incoming packets processed", Info),
        Failed => ("no-buffers", "SPAN copies that were not made: buffers had run out", Error),
    }
}

/// One of the nodes.
pub(super) struct Mirror {
    span: Span,
    place: Place,
}

impl Mirror {
    pub(super) fn spec(place: Place, span: Span) -> NodeSpec {
        NodeSpec::map(place.node(), move |_| Self { span: span.clone(), place })
    }

    fn interface(&self, buffer: &Buffer) -> SwIfIndex {
        match self.place.direction {
            Direction::Rx => buffer.rx,
            _ => buffer.tx,
        }
    }
}

impl Map for Mirror {
    type Error = Error;
    type Next = Next;
    type Trace = Trace;

    fn map(&mut self, cx: &mut PacketCx<'_, Next, Error>, buffer: &mut Buffer) -> Slot<Next> {
        let targets = self.span.read(cx.token()).of(self.place, self.interface(buffer));
        // A copy is not copied again, wherever it leaves.
        if !buffer.flags().contains(BufferFlags::SPAN_COPY) {
            let next = match self.place.layer {
                Layer::Device => Next::Output,
                Layer::Layer2 => Next::Layer2Output,
            };
            for &target in targets {
                let sent = cx.send_copy(buffer, next.into(), |copy| {
                    copy.tx = target;
                    copy.set_flags(BufferFlags::SPAN_COPY);
                });
                cx.count(if sent { Error::Hits } else { Error::Failed }, 1);
            }
        }
        cx.next_feature(buffer)
    }

    fn trace(&self, buffer: &Buffer) -> Trace {
        Trace { source: self.interface(buffer).0 }
    }
}

/// What is recorded of a traced packet.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct Trace {
    source: u32,
}

impl TraceRecord for Trace {
    fn format(&self, f: &mut fmt::Formatter<'_>, cx: &TraceCx<'_>) -> fmt::Result {
        write!(f, "SPAN: mirrored {}", (cx.interface)(SwIfIndex(self.source)))
    }
}
