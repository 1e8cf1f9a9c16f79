//! `error-punt`: where packets end that the host might want, each under its reason.

use vnet::{
    buffer::Buffer,
    frame::Frame,
    graph::{NoNext, Node, NodeCx, NodeFlags, NodeSpec, Verdict},
    interface::Runs,
    trace::NoTrace,
};

vnet::node_errors! {
    /// What `error-punt` counts.
    pub(crate) enum Error {
        Punted => ("punted", "packets punted, and nobody there to take them", Info),
    }
}

/// The node. There is no host path yet that would take the packets, so they are counted and given back.
pub(crate) struct Punt;

impl Punt {
    pub(crate) fn spec() -> NodeSpec {
        NodeSpec::internal("error-punt", |_| Self).flags(NodeFlags::PUNT)
    }
}

impl Node for Punt {
    type Error = Error;
    type Next = NoNext;
    type Trace = NoTrace;

    fn process(
        &mut self,
        cx: &mut NodeCx<'_, NoNext, Error>,
        frame: &mut Frame,
    ) -> Verdict<NoNext> {
        let mut runs = Runs::default();
        let mut buffers = cx.buffers(frame);
        for buffer in buffers.iter_mut() {
            let state = cx.state();
            state.count_error(buffer.error, 1);
            runs.add(buffer.rx, 0, |i, n, _| state.interfaces.punt.add(i.0, n));
        }
        runs.end(|i, n, _| cx.state().interfaces.punt.add(i.0, n));
        cx.count(Error::Punted, frame.len() as u64);
        Verdict::Free
    }

    fn trace(&self, _: &Buffer) -> NoTrace {
        NoTrace
    }
}
