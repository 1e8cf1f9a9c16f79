//! `sink`: where packets end that were only to be looked at. As a feature it ends an arc early.

use vnet::{
    buffer::Buffer,
    error::NoError,
    frame::Frame,
    graph::{NoNext, Node, NodeCx, NodeSpec, Verdict},
    trace::NoTrace,
};

/// The node.
pub(crate) struct Sink;

impl Sink {
    pub(crate) fn spec() -> NodeSpec {
        NodeSpec::internal("sink", |_| Self)
    }
}

impl Node for Sink {
    type Error = NoError;
    type Next = NoNext;
    type Trace = NoTrace;

    fn process(&mut self, _: &mut NodeCx<'_, NoNext, NoError>, _: &mut Frame) -> Verdict<NoNext> {
        Verdict::Free
    }

    fn trace(&self, _: &Buffer) -> NoTrace {
        NoTrace
    }
}
