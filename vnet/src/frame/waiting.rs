//! Packets that wait on one thread for something to happen.

use std::sync::Arc;

use super::{FRAME_SIZE, Frame};
use crate::buffer::{BufferIndex, BufferPool, Magazine};

/// Bounded queues of packets that a node of one thread lets wait, by number. They own the packets: what still waits when they are
/// dropped goes back to the pool.
///
/// Nodes put packets in by [`NodeCx::let_wait`](crate::graph::NodeCx::let_wait) or [`NodeCx::settle`](crate::graph::NodeCx::settle), and
/// take them out by [`NodeCx::end_wait`](crate::graph::NodeCx::end_wait) or
/// [`NodeCx::settle_waiting`](crate::graph::NodeCx::settle_waiting). All memory is reserved beforehand: a place for each packet that
/// there may be in all, not for each in each queue.
pub struct Waiting {
    queues: Vec<Queue>,
    places: Vec<Place>,
    /// The first place in which nothing waits.
    free: u32,
    each: usize,
    held: usize,
    /// Of the packets, when there were any.
    pool: Option<Arc<BufferPool>>,
}

/// A list of places.
#[derive(Clone, Copy)]
struct Queue {
    first: u32,
    last: u32,
    len: usize,
}

const EMPTY: Queue = Queue { first: END, last: END, len: 0 };

/// Where a packet waits, and the place behind it in its queue.
struct Place {
    packet: BufferIndex,
    next: u32,
}

/// There is no place behind.
const END: u32 = u32::MAX;

/// The part of a pool that packets wait in at most: one of so many.
const SHARE: usize = 16;

impl Waiting {
    /// `queues` queues of at most `each` packets, with at most `total` in all of them, and no more than a sixteenth of the pool's
    /// buffers.
    #[must_use]
    pub fn new(queues: usize, each: usize, total: usize) -> Self {
        let next = |place: usize| if place + 1 < total { (place + 1) as u32 } else { END };
        let places = (0..total).map(|place| Place { packet: BufferIndex::NONE, next: next(place) });
        Self {
            queues: vec![EMPTY; queues],
            places: places.collect(),
            free: if total > 0 { 0 } else { END },
            each,
            held: 0,
            pool: None,
        }
    }

    /// How many packets wait.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held
    }

    /// How many packets may wait in all, with the pool that they come from.
    pub(crate) fn most(&self, pool: &BufferPool) -> usize {
        self.places.len().min(pool.arena().slots() / SHARE)
    }

    /// Puts a packet, which the caller owns, to the end of a queue. Where there is no room the oldest of the queue comes back for
    /// it; where that has none, or there is no such queue, the packet itself.
    pub(crate) fn push(
        &mut self,
        pool: &Arc<BufferPool>,
        queue: usize,
        packet: BufferIndex,
    ) -> Option<BufferIndex> {
        let is_full = self.held >= self.most(pool);
        let Some(len) = self.queues.get(queue).map(|queue| queue.len) else { return Some(packet) };
        let mut back = None;
        if is_full || len == self.each {
            back = self.pop_first(queue);
            if back.is_none() {
                return Some(packet);
            }
        }
        self.append(queue, packet);
        self.pool.get_or_insert_with(|| pool.clone());
        back
    }

    /// Puts a packet to the end of a queue for which there is a place.
    fn append(&mut self, queue: usize, packet: BufferIndex) {
        let (at, queue) = (self.free, &mut self.queues[queue]);
        let place = &mut self.places[at as usize];
        self.free = place.next;
        *place = Place { packet, next: END };
        match queue.last {
            END => queue.first = at,
            last => self.places[last as usize].next = at,
        }
        (queue.last, queue.len) = (at, queue.len + 1);
        self.held += 1;
    }

    /// Takes the oldest packet of a queue, which is the caller's then.
    pub(crate) fn pop_first(&mut self, queue: usize) -> Option<BufferIndex> {
        let queue = self.queues.get_mut(queue).filter(|queue| queue.len > 0)?;
        let at = queue.first;
        let place = &mut self.places[at as usize];
        let packet = place.packet;
        queue.first = core::mem::replace(&mut place.next, self.free);
        self.free = at;
        queue.len -= 1;
        if queue.len == 0 {
            *queue = EMPTY;
        }
        self.held -= 1;
        Some(packet)
    }

    /// Moves packets of a queue to `frame`, the oldest first, as far as there is room.
    pub(crate) fn pop(&mut self, queue: usize, frame: &mut Frame, traced: bool) {
        while frame.room() > 0
            && let Some(packet) = self.pop_first(queue)
        {
            frame.append(&[packet], traced);
        }
    }

    /// How many packets wait in a queue.
    #[must_use]
    pub fn len(&self, queue: usize) -> usize {
        self.queues.get(queue).map_or(0, |queue| queue.len)
    }

    /// Whether nothing waits in a queue.
    #[must_use]
    pub fn is_empty(&self, queue: usize) -> bool {
        self.len(queue) == 0
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
        for queue in 0..self.queues.len() {
            while let Some(packet) = self.pop_first(queue) {
                magazine.give(&[packet]);
            }
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
