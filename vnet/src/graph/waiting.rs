//! How a node lets packets wait.

use super::{NextSet, NodeCx};
use crate::{
    buffer::{Buffer, BufferFlags},
    error::ErrorSet,
    frame::{Frame, Waiting},
};

impl<Next: NextSet, Error: ErrorSet> NodeCx<'_, Next, Error> {
    /// Moves those packets of `frame` to `waiting` for whose position `queue` names a queue. The others stay, in order, and so do
    /// packets that come back because there is no room: the oldest one of a full queue, or the packet itself where the queue is
    /// empty and others have all the room. `back` sees these.
    pub fn let_wait(
        &mut self,
        frame: &mut Frame,
        waiting: &mut Waiting,
        queue: impl Fn(usize) -> Option<usize>,
        mut back: impl FnMut(&mut Self, &mut Buffer),
    ) {
        let (traced, mut kept) = (frame.is_traced(), 0);
        for i in 0..frame.len() {
            let packet = frame.indices()[i];
            let Some(queue) = queue(i) else {
                frame.keep(kept, packet);
                kept += 1;
                continue;
            };
            let pool = self.state().magazine.pool().clone();
            if let Some(returned) = waiting.push(&pool, queue, packet) {
                frame.keep(kept, returned);
                let base = self.state().base();
                if let Some(buffer) = frame.buffers(base).get(kept) {
                    back(self, buffer);
                }
                kept += 1;
            }
        }
        frame.shorten(kept);
        if traced && kept > 0 {
            frame.set_traced();
        }
    }

    /// Moves the packets of a queue to the end of `frame`, the oldest first; whether there was room for all of them.
    pub fn end_wait(&mut self, frame: &mut Frame, waiting: &mut Waiting, queue: usize) -> bool {
        let before = frame.len();
        waiting.pop(queue, frame, false);
        let base = self.state().base();
        let mut buffers = frame.buffers(base);
        let mut added = buffers.behind(before);
        if added.iter_mut().any(|buffer| buffer.flags().contains(BufferFlags::TRACED)) {
            frame.set_traced();
        }
        waiting.is_empty(queue)
    }
}
