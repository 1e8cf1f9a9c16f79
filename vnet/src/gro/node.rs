//! How a device's node puts segments together before it sends them.

use super::{Coalescer, SEGMENTS, coalescer::AT_ONCE};
use crate::{
    error::ErrorSet,
    frame::Frame,
    graph::{NextSet, NodeCx, NodeIndex},
    runtime::Main,
};

impl<Next: NextSet, Error: ErrorSet> NodeCx<'_, Next, Error> {
    /// Shows the packets of `frame` to `coalescer`; `send` is given those that are to be sent now, in order, and they go back to the
    /// pool behind it. Nothing is left in `frame`.
    pub fn coalesce(
        &mut self,
        frame: &mut Frame,
        coalescer: &mut Coalescer,
        mut send: impl FnMut(&mut Self, &mut Frame),
    ) {
        self.send_due(coalescer, &mut send);
        let mut out = self.state().spare_frame();
        for i in 0..frame.len() {
            if out.room() < AT_ONCE {
                self.send_out(&mut out, &mut send);
            }
            let (packet, now) = (frame.indices()[i], self.now());
            coalescer.take(&mut self.state().magazine, packet, now, &mut out);
        }
        frame.clear();
        self.send_out(&mut out, &mut send);
        self.state().recycle(out);
    }

    /// Has `send` send what has waited long enough in `coalescer`.
    pub fn send_due(
        &mut self,
        coalescer: &mut Coalescer,
        mut send: impl FnMut(&mut Self, &mut Frame),
    ) {
        if coalescer.waiting() == 0 {
            return;
        }
        let (mut out, now) = (self.state().spare_frame(), self.now());
        while coalescer.flush_due(&mut self.state().magazine, now, &mut out) {
            if out.room() < SEGMENTS {
                self.send_out(&mut out, &mut send);
            }
        }
        self.send_out(&mut out, &mut send);
        self.state().recycle(out);
    }

    fn send_out(&mut self, out: &mut Frame, send: &mut impl FnMut(&mut Self, &mut Frame)) {
        if !out.is_empty() {
            send(self, out);
            self.free(out, 0);
        }
    }
}

impl Main {
    /// Sends all that waits in `coalescer` to `node`, where it is when this returns.
    pub fn send_coalesced(&mut self, coalescer: &mut Coalescer, node: NodeIndex) {
        let state = &mut self.worker.state;
        let mut out = state.spare_frame();
        while coalescer.flush_any(&mut state.magazine, &mut out) {
            state.put(node, &mut out);
        }
        state.recycle(out);
        self.finish_pending();
    }
}
