//! `error-drop`: where packets end that nobody wants, each under its reason; and its arc, for those who look at them.

use core::fmt;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{ErrorIndex, NoError};
use crate::{
    buffer::Buffer,
    frame::Frame,
    graph::{ArcIndex, ArcSpec, NoNext, Node, NodeCx, NodeFlags, NodeSpec, Verdict},
    interface::{InterfaceViews, InterfaceWriters, Runs, SwIfIndex},
    plugin::Registrar,
    runtime::Shared,
    trace::{NoTrace, Start, Tap, Taps, TraceCx, TraceRecord},
};

crate::node_errors! {
    /// Drops that no node gave a reason for.
    pub(crate) enum Error {
        /// The node that dropped the packet noted nothing.
        None => ("none", "no reason noted", Error),
        /// A slot that does not exist.
        NoSuchNext => ("no-such-next", "sent to a next node that does not exist", Error),
    }
}

crate::next_nodes! {
    /// Where packets go from `error-drop` when anybody looks at some of them.
    pub(crate) enum Next {
        Drop => "drop",
    }
}

const ARC: &str = "error-drop";

/// The node.
pub(crate) struct Drop {
    views: Shared<InterfaceViews>,
    taps: Shared<Taps>,
    arc: ArcIndex,
}

/// Registers the arc on which features see packets that `error-drop` has counted, and its end.
pub(crate) fn register_arc(r: &mut Registrar) {
    r.node(NodeSpec::internal("drop", |_| End));
    r.arc(ArcSpec::new(ARC, &["error-drop"], "drop"));
}

impl Drop {
    pub(crate) fn spec(views: Shared<InterfaceViews>, taps: Shared<Taps>) -> NodeSpec {
        let spec = NodeSpec::internal("error-drop", move |at| Self {
            views: views.clone(),
            taps: taps.clone(),
            arc: at.arc(ARC),
        });
        spec.flags(NodeFlags::DROP)
    }

    #[cold]
    fn tap(&self, cx: &NodeCx<'_, Next, Error>, tap: &dyn Tap, frame: &mut Frame) {
        let views = self.views.read(cx.token());
        for buffer in cx.buffers(frame).iter_mut() {
            let rx = buffer.rx;
            // What no interface received was made with an Ethernet link in mind.
            let is_ethernet = views.get(rx).is_none_or(|view| view.ethernet);
            cx.show_tap(tap, views, buffer, Start::behind(buffer, is_ethernet), rx);
        }
    }
}

/// Why a traced packet was dropped.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct Trace {
    error: u16,
}

impl TraceRecord for Trace {
    fn format(&self, f: &mut fmt::Formatter<'_>, cx: &TraceCx<'_>) -> fmt::Result {
        match cx.errors.row(ErrorIndex(self.error)) {
            Some(row) => write!(f, "{}: {}", row.node, row.reason.description),
            None => write!(f, "error {}", self.error),
        }
    }
}

impl Node for Drop {
    type Error = Error;
    type Next = Next;
    type Trace = Trace;

    fn process(&mut self, cx: &mut NodeCx<'_, Next, Error>, frame: &mut Frame) -> Verdict<Next> {
        // Packets of a frame mostly share their reason and their interface: runs are counted at once.
        if let Some(tap) = &self.taps.read(cx.token()).drop {
            self.tap(cx, &**tap, frame);
        }
        let views = self.views.read(cx.token());
        let count = |counters: &InterfaceWriters, interface: SwIfIndex, packets| {
            counters.drops.add(interface.0, packets);
            if let Some(above) = views.above(interface) {
                counters.drops.add(above.0, packets);
            }
        };
        let (mut error, mut run) = (ErrorIndex::NONE, 0);
        let mut interfaces = Runs::default();
        for buffer in cx.buffers(frame).iter_mut() {
            let state = cx.state();
            if buffer.error != error {
                state.errors.add(error, run);
                (error, run) = (buffer.error, 0);
            }
            run += 1;
            interfaces.add(buffer.rx, 0, |i, n, _| count(&state.interfaces, i, n));
        }
        let state = cx.state();
        state.errors.add(error, run);
        interfaces.end(|i, n, _| count(&state.interfaces, i, n));
        if cx.is_arc_used(self.arc) {
            let arc = self.arc;
            return cx.each(frame, |cx, buffer| cx.start_arc(arc, buffer.rx, buffer, Next::Drop));
        }
        Verdict::Free
    }

    fn trace(&self, buffer: &Buffer) -> Trace {
        Trace { error: buffer.error.0 }
    }
}

/// `drop`: behind the features.
struct End;

impl Node for End {
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
