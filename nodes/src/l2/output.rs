//! `l2-output`: what a port asks for of frames that leave by it.

use vnet::{
    buffer::Buffer,
    frame::Frame,
    graph::{Map, Node, NodeCx, NodeSpec, PacketCx, Slot, Verdict},
    l2::{L2, Port},
};

use super::{
    arcs::{Arcs, Direction, Starts},
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
    pub(super) enum Error named by text {
        Efp => ("efp-drop", "L2 EFP filter drops: the interface would not take such tags", Error),
        Vtr => ("vtr-drop", "L2 VTR drops: fewer tags than are to be popped", Error),
    }
}

/// The node.
struct Output {
    l2: L2,
    arcs: Arcs,
}

/// That where its arcs end.
struct ArcEnd;

type Cx<'a, 'd> = &'a mut NodeCx<'d, Next, Error>;

/// Both nodes.
pub(super) fn specs(l2: &L2) -> [NodeSpec; 2] {
    let l2 = l2.clone();
    let output = NodeSpec::internal(NAME, move |at| Output {
        l2: l2.clone(),
        arcs: Arcs::of(at, Direction::Output),
    });
    let end = NodeSpec::map(Direction::Output.end(), |_| ArcEnd);
    [output, end.sibling_of(NAME)]
}

const NAME: &str = "l2-output";

impl Node for Output {
    type Error = Error;
    type Next = Next;
    type Trace = OutputTrace;

    fn process(&mut self, cx: Cx<'_, '_>, frame: &mut Frame) -> Verdict<Next> {
        let layer2 = self.l2.read(cx.token());
        let mut buffers = cx.buffers(frame);
        let mut i = 0;
        while let Some(tx) = buffers.get(i).map(|first| first.tx) {
            let (port, starts) = (layer2.port(tx), self.arcs.starts(cx, tx));
            while let Some(buffer) = buffers.get(i)
                && buffer.tx == tx
            {
                let next = leave(cx, buffer, port, starts.as_ref());
                cx.set_next(i, next);
                i += 1;
            }
        }
        Verdict::PerPacket
    }

    fn trace(&self, buffer: &Buffer) -> OutputTrace {
        OutputTrace::of(buffer)
    }
}

/// What `port` asks for of a frame, and where the frame goes then.
#[inline(always)]
fn leave(cx: Cx<'_, '_>, buffer: &mut Buffer, port: &Port, starts: Option<&Starts>) -> Slot<Next> {
    let error = match () {
        () if !port.output.is_none() && port.output.apply(buffer).is_err() => Error::Vtr,
        () if port.efp_filter.is_some_and(|filter| !filter.takes(buffer)) => Error::Efp,
        () => match starts {
            None => return Next::Output.into(),
            Some(starts) => return starts.enter(cx, buffer, Next::Output.into()),
        },
    };
    cx.error(buffer, error);
    Next::Drop.into()
}

impl Map for ArcEnd {
    type Error = Error;
    type Next = Next;
    type Trace = OutputTrace;

    fn map(&mut self, _: &mut PacketCx<'_, Next, Error>, _: &mut Buffer) -> Slot<Next> {
        Next::Output.into()
    }

    fn trace(&self, buffer: &Buffer) -> OutputTrace {
        OutputTrace::of(buffer)
    }
}
