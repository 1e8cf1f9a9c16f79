//! `ip-neighbor-output`: counts what the main thread itself has to say to neighbours, on its way out.

use vnet::{
    buffer::Buffer,
    graph::{Map, NodeSpec, PacketCx, Slot},
    trace::NoTrace,
};

use super::counts::Counts;

pub(super) const NODE: &str = "ip-neighbor-output";

vnet::next_nodes! {
    /// Where packets go from here.
    pub(crate) enum Next {
        Output => "interface-output",
    }
}

vnet::node_errors! {
    /// What is counted.
    pub(crate) enum Error {
        Originated => ("originated", "packets to neighbours", Info),
    }
}

/// Registration of the node.
pub(super) fn spec(counts: &Counts) -> NodeSpec {
    let counts = counts.clone();
    NodeSpec::map(NODE, move |_| Output(counts.clone()))
}

struct Output(Counts);

impl Map for Output {
    type Error = Error;
    type Next = Next;
    type Trace = NoTrace;

    fn map(&mut self, cx: &mut PacketCx<'_, Next, Error>, buffer: &mut Buffer) -> Slot<Next> {
        cx.count(Error::Originated, 1);
        self.0.sent(cx, buffer.tx, buffer.current());
        Next::Output.into()
    }

    fn trace(&self, _: &Buffer) -> NoTrace {
        NoTrace
    }
}
