//! `l2-output`: what a port asks for of frames that leave by it.

use vnet::{
    buffer::Buffer,
    graph::{Map, NodeSpec, PacketCx, Slot},
    l2::L2,
};

use super::trace::OutputTrace;

vnet::next_nodes! {
    /// Where frames go from `l2-output`.
    pub(super) enum Next {
        Drop => "error-drop",
        Output => "interface-output",
    }
}

vnet::node_errors! {
    /// What `l2-output` counts.
    pub(super) enum Error {
        Efp => ("efp-drop", "L2 EFP filter drops: the interface would not take such tags", Error),
        Vtr => ("vtr-drop", "L2 VTR drops: fewer tags than are to be popped", Error),
    }
}

/// The node.
pub(super) struct Output(L2);

impl Output {
    pub(super) fn spec(l2: L2) -> NodeSpec {
        NodeSpec::map("l2-output", move |_| Self(l2.clone()))
    }
}

impl Map for Output {
    type Error = Error;
    type Next = Next;
    type Trace = OutputTrace;

    fn map(&mut self, cx: &mut PacketCx<'_, Next, Error>, buffer: &mut Buffer) -> Slot<Next> {
        let port = self.0.read(cx.token()).port(buffer.tx);
        let error = match () {
            () if port.output.apply(buffer).is_err() => Error::Vtr,
            () if port.efp_filter.is_some_and(|filter| !filter.takes(buffer)) => Error::Efp,
            () => return Next::Output.into(),
        };
        cx.error(buffer, error);
        Next::Drop.into()
    }

    fn trace(&self, buffer: &Buffer) -> OutputTrace {
        OutputTrace::of(buffer)
    }
}
