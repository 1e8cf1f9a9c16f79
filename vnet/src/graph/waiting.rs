//! How a node lets packets wait.

use super::{NextSet, NodeCx, Slot, Verdict};
use crate::{
    buffer::{Buffer, BufferFlags, BufferIndex},
    error::ErrorSet,
    frame::{Frame, Waiting},
};

/// What becomes of a packet at once.
pub enum Fate<N> {
    /// It goes on.
    Go(Slot<N>),
    /// It goes back to the pool.
    Free,
    /// It waits in this queue.
    Wait(usize),
}

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

    /// How many more packets can wait.
    #[must_use]
    pub fn waiting_room(&mut self, waiting: &Waiting) -> usize {
        waiting.most(self.state().magazine.pool()) - waiting.held()
    }

    /// Runs `f` on each packet of `frame`, of which each leaves at once, or waits: for a node that also lets others go meanwhile. One
    /// for which there is no room to wait is dropped for the reason that it carries.
    pub fn settle(
        &mut self,
        frame: &mut Frame,
        waiting: &mut Waiting,
        mut f: impl FnMut(&mut Self, &mut Waiting, &mut Buffer) -> Fate<Next>,
    ) -> Verdict<Next> {
        let (base, traced) = (self.state().base(), frame.is_traced());
        for i in 0..frame.len() {
            let index = frame.indices()[i];
            let mut buffers = frame.buffers(base);
            let Some(buffer) = buffers.get(i) else { break };
            let fate = f(self, waiting, buffer);
            self.meet(waiting, index, fate, traced);
        }
        frame.clear();
        Verdict::Consumed
    }

    /// Runs `f` on each packet that waits in `queue`, the oldest first; it leaves at once, or waits on, in whichever queue.
    pub fn settle_waiting(
        &mut self,
        waiting: &mut Waiting,
        queue: usize,
        mut f: impl FnMut(&mut Self, &mut Buffer) -> Fate<Next>,
    ) {
        let mut one = self.state().spare_frame();
        for _ in 0..waiting.len(queue) {
            let Some(index) = waiting.pop_first(queue) else { break };
            one.append(&[index], false);
            let base = self.state().base();
            let mut buffers = one.buffers(base);
            let Some(buffer) = buffers.get(0) else { break };
            let fate = f(self, buffer);
            let traced = buffer.flags().contains(BufferFlags::TRACED);
            one.clear();
            self.meet(waiting, index, fate, traced);
        }
        self.state().recycle(one);
    }

    /// Brings its fate about for a packet.
    fn meet(&mut self, waiting: &mut Waiting, index: BufferIndex, fate: Fate<Next>, traced: bool) {
        let queue = match fate {
            Fate::Go(slot) => return self.leave(index, slot, traced),
            Fate::Free => return self.state().magazine.give(&[index]),
            Fate::Wait(queue) => queue,
        };
        let state = self.state();
        let pool = state.magazine.pool().clone();
        if let Some(back) = waiting.push(&pool, queue, index) {
            let mut frame = state.spare_frame();
            frame.append(&[back], traced);
            state.drop_all(&mut frame);
            state.recycle(frame);
        }
    }
}
