//! Packets that wait on one thread for something to happen.

use std::{collections::VecDeque, sync::Arc};

use super::{FRAME_SIZE, Frame};
use crate::buffer::{BufferIndex, BufferPool, Magazine};

/// Bounded queues of packets that a node of one thread lets wait, by number. They own the packets: what still waits when they are
/// dropped goes back to the pool.
///
/// Nodes put packets in by [`NodeCx::let_wait`](crate::graph::NodeCx::let_wait) and take them out by
/// [`NodeCx::end_wait`](crate::graph::NodeCx::end_wait). All memory is reserved beforehand.
pub struct Waiting {
    queues: Vec<VecDeque<BufferIndex>>,
    each: usize,
    total: usize,
    held: usize,
    /// Of the packets, when there were any.
    pool: Option<Arc<BufferPool>>,
}

/// The part of a pool that packets wait in at most: one of so many.
const SHARE: usize = 16;

impl Waiting {
    /// `queues` queues of at most `each` packets, with at most `total` in all of them, and no more than a sixteenth of the pool's
    /// buffers.
    #[must_use]
    pub fn new(queues: usize, each: usize, total: usize) -> Self {
        let queues = (0..queues).map(|_| VecDeque::with_capacity(each)).collect();
        Self { queues, each, total, held: 0, pool: None }
    }

    /// How many packets wait.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held
    }

    /// Puts a packet, which the caller owns, to the end of a queue. Where there is no room the oldest of the queue comes back for
    /// it; where that has none, or there is no such queue, the packet itself.
    pub(crate) fn push(
        &mut self,
        pool: &Arc<BufferPool>,
        queue: usize,
        packet: BufferIndex,
    ) -> Option<BufferIndex> {
        let is_full = self.held >= self.total.min(pool.arena().slots() / SHARE);
        let Some(queue) = self.queues.get_mut(queue) else { return Some(packet) };
        let back = match is_full || queue.len() == self.each {
            true => Some(queue.pop_front()),
            false => None,
        };
        if let Some(None) = back {
            return Some(packet);
        }
        queue.push_back(packet);
        self.held += usize::from(back.is_none());
        self.pool.get_or_insert_with(|| pool.clone());
        back.flatten()
    }

    /// Moves packets of a queue to `frame`, the oldest first, as far as there is room.
    pub(crate) fn pop(&mut self, queue: usize, frame: &mut Frame, traced: bool) {
        let Some(queue) = self.queues.get_mut(queue) else { return };
        while frame.room() > 0
            && let Some(packet) = queue.pop_front()
        {
            frame.append(&[packet], traced);
            self.held -= 1;
        }
    }

    /// Whether nothing waits in a queue.
    #[must_use]
    pub fn is_empty(&self, queue: usize) -> bool {
        self.queues.get(queue).is_none_or(VecDeque::is_empty)
    }

    /// Moves up to a frame of packets of any queues to `frame`.
    pub(crate) fn pop_any(&mut self, frame: &mut Frame) {
        debug_assert!(frame.len() <= FRAME_SIZE);
        for queue in 0..self.queues.len() {
            self.pop(queue, frame, false);
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let Some(pool) = self.pool.take() else { return };
        let mut magazine = Magazine::new(pool);
        for queue in &mut self.queues {
            magazine.give(queue.make_contiguous());
            queue.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `n` packets of a pool, each with a number.
    fn packets(magazine: &mut Magazine, n: usize) -> Vec<BufferIndex> {
        let mut out = vec![BufferIndex::NONE; n];
        assert_eq!(magazine.take(&mut out), n);
        out
    }

    #[test]
    fn a_full_queue_gives_its_oldest_packet_back_and_a_full_house_the_newest() {
        let pool = BufferPool::new(64).unwrap();
        let mut magazine = Magazine::new(pool.clone());
        let all = packets(&mut magazine, 8);
        let mut waiting = Waiting::new(3, 2, 3);
        assert_eq!(waiting.push(&pool, 0, all[0]), None);
        assert_eq!(waiting.push(&pool, 0, all[1]), None);
        assert_eq!(waiting.push(&pool, 0, all[2]), Some(all[0]), "its queue is full");
        assert_eq!(waiting.push(&pool, 1, all[3]), None);
        assert_eq!(waiting.push(&pool, 2, all[4]), Some(all[4]), "there are three in all");
        assert_eq!(waiting.push(&pool, 1, all[5]), Some(all[3]), "an older one of its own");
        assert_eq!(waiting.push(&pool, 9, all[6]), Some(all[6]), "no such queue");
        assert_eq!(waiting.held(), 3);
        let mut frame = Frame::new();
        waiting.pop(0, &mut frame, false);
        assert_eq!(frame.indices(), [all[1], all[2]]);
        assert!(waiting.is_empty(0) && !waiting.is_empty(1));
        assert_eq!(waiting.held(), 1);
        frame.free_from(&mut magazine, 0);
        magazine.give(&[all[0], all[3], all[4], all[6], all[7]]);
        magazine.publish();
        assert_eq!(pool.usage().used(), 1);
        drop(waiting);
        assert_eq!(pool.usage().used(), 0, "what waits at the end goes back");
    }
}
