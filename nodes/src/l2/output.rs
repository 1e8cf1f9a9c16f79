//! `l2-output`: what a port asks for of frames that leave by it.

use vnet::{
    buffer::Buffer,
    graph::{Map, NodeSpec, PacketCx, Slot},
    l2::L2,
};

use super::{
    arcs::{Arcs, Direction},
    trace::OutputTrace,
};

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

/// The node, and that where its arcs end.
pub(super) struct Output {
    l2: L2,
    arcs: Arcs,
    /// Whether tags are still to be rewritten.
    begins: bool,
}

/// Both nodes.
pub(super) fn specs(l2: &L2) -> [NodeSpec; 2] {
    let spec = |name, begins| {
        let l2 = l2.clone();
        NodeSpec::map(name, move |at| {
            let arcs = if begins { Arcs::of(at, Direction::Output) } else { Arcs::NONE };
            Output { l2: l2.clone(), arcs, begins }
        })
    };
    [spec(NAME, true), spec(Direction::Output.end(), false).sibling_of(NAME)]
}

const NAME: &str = "l2-output";

impl Map for Output {
    type Error = Error;
    type Next = Next;
    type Trace = OutputTrace;

    fn map(&mut self, cx: &mut PacketCx<'_, Next, Error>, buffer: &mut Buffer) -> Slot<Next> {
        if !self.begins {
            return Next::Output.into();
        }
        let port = self.l2.read(cx.token()).port(buffer.tx);
        let error = match () {
            () if port.output.apply(buffer).is_err() => Error::Vtr,
            () if port.efp_filter.is_some_and(|filter| !filter.takes(buffer)) => Error::Efp,
            () => match self.arcs.starts(cx, buffer.tx) {
                None => return Next::Output.into(),
                Some(starts) => return starts.enter(cx, buffer, Next::Output.into()),
            },
        };
        cx.error(buffer, error);
        Next::Drop.into()
    }

    fn trace(&self, buffer: &Buffer) -> OutputTrace {
        OutputTrace::of(buffer)
    }
}
