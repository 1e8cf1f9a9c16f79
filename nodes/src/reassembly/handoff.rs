//! `ip4-sv-reass-feature-hoff` and the like: fragments on their way to the thread that looks after their datagram.

use vnet::{
    buffer::Buffer,
    frame::Frame,
    graph::{NoNext, Node, NodeCx, NodeSpec, Verdict},
    plugin::Registrar,
    runtime::Handoff,
};

use super::family::{Place, Version};

vnet::node_errors! {
    /// Fragments that do not reach their thread.
    enum Error named by text {
        Congested => ("congestion-drop", "congestion drop", Error),
    }
}

vnet::trace_record! {
    /// Where a fragment goes.
    struct Trace { thread: u32 } => "to thread-index: {thread}"
}

/// Registers the node that hands fragments over to the node of the same place on another thread.
pub(super) fn register<V: Version>(r: &mut Registrar, place: Place) {
    let (node, name) = V::nodes(place);
    let way = r.handoff(node);
    r.node(NodeSpec::internal(name, move |_| HandOver { way }));
}

struct HandOver {
    way: Handoff,
}

impl Node for HandOver {
    type Error = Error;
    type Next = NoNext;
    type Trace = Trace;

    fn process(
        &mut self,
        cx: &mut NodeCx<'_, NoNext, Error>,
        frame: &mut Frame,
    ) -> Verdict<NoNext> {
        let mut buffers = cx.buffers(frame);
        for i in 0..buffers.len() {
            let Some(buffer) = buffers.get(i) else { break };
            let thread = buffer.opaque[0] as u16;
            cx.set_thread(i, thread);
        }
        cx.hand_off(self.way, Error::Congested)
    }

    fn trace(&self, buffer: &Buffer) -> Trace {
        Trace { thread: buffer.opaque[0] }
    }
}
