//! How many flows the threads of an exporter hold together: `cache_max_flows`.
//!
//! A thread tells the others how many it holds when it has looked at a frame, or at what is due, and may hold what they leave of the
//! bound. In any case it may hold its share, so that one that comes later is not left without: then the others, which find that they
//! hold too many, let their oldest flows go. Nobody waits for anybody. So the bound holds but for what came since each thread looked
//! the last time, which is a frame, or a tenth of a second where no packet comes.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Flows for which tables have room at least, whatever less may be configured: what is not used takes no memory.
const LEAST: usize = 1 << 20;
/// And at most, on each thread.
const MOST: usize = 1 << 24;

/// For how many flows tables are to have room, where so many may be held.
pub(crate) fn reserved(max_flows: u32) -> usize {
    (max_flows as usize).clamp(LEAST, MOST).next_power_of_two()
}

/// What the threads of an exporter know of each other.
#[derive(Debug)]
pub(crate) struct Room {
    most: AtomicUsize,
    threads: Box<[Held]>,
}

/// The flows of a thread: on a cache line that nobody else writes.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Held(AtomicUsize);

/// A thread's part of it.
#[derive(Debug)]
pub(crate) struct Share {
    room: Arc<Room>,
    thread: usize,
}

impl Room {
    /// For this number of threads, and for so many flows.
    pub(crate) fn new(threads: usize, max_flows: u32) -> Arc<Self> {
        let threads = std::iter::repeat_with(Held::default).take(threads.max(1)).collect();
        Arc::new(Self { most: AtomicUsize::new(max_flows as usize), threads })
    }

    /// Has room for so many from now on.
    pub(crate) fn set(&self, max_flows: u32) {
        self.most.store(max_flows as usize, Ordering::Relaxed);
    }

    /// The part of a thread, the first of which is 0.
    pub(crate) fn share(self: &Arc<Self>, thread: usize) -> Share {
        Share { room: self.clone(), thread: thread.min(self.threads.len() - 1) }
    }
}

impl Share {
    /// How many flows this thread may hold now.
    #[inline]
    pub(crate) fn most(&self) -> usize {
        let Room { most, threads } = &*self.room;
        let most = most.load(Ordering::Relaxed);
        let all: usize = threads.iter().map(|held| held.0.load(Ordering::Relaxed)).sum();
        let others = all.saturating_sub(threads[self.thread].0.load(Ordering::Relaxed));
        let own = (most / threads.len()).max(usize::from(most > 0));
        most.saturating_sub(others).max(own)
    }

    /// This thread holds so many.
    #[inline]
    pub(crate) fn tell(&self, held: usize) {
        self.room.threads[self.thread].0.store(held, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_may_hold_what_others_leave_and_its_share_in_any_case() {
        let room = Room::new(3, 90);
        let [a, b, c] = [0, 1, 2].map(|thread| room.share(thread));
        assert_eq!(a.most(), 90);
        a.tell(90);
        // What it holds itself is no reason to hold less.
        assert_eq!((a.most(), b.most(), c.most()), (90, 30, 30));
        b.tell(30);
        assert_eq!(a.most(), 60);
        a.tell(60);
        c.tell(10);
        assert_eq!((a.most(), b.most(), c.most()), (50, 30, 30));
        room.set(2);
        assert_eq!((a.most(), b.most(), c.most()), (1, 1, 1));
        room.set(0);
        assert_eq!((a.most(), b.most(), c.most()), (0, 0, 0));
    }

    #[test]
    fn threads_that_look_in_any_order_come_to_hold_no_more_than_the_bound() {
        for order in [[0, 1, 2], [2, 0, 1], [1, 2, 0]] {
            let room = Room::new(3, 100);
            let shares = [0, 1, 2].map(|thread| room.share(thread));
            let mut held = [0_usize; 3];
            // Ten flows more for one of them, each time that it looks.
            for round in 0..50 {
                for at in order {
                    let new = if round % 3 == at { 10 } else { 0 };
                    held[at] = (held[at] + new).min(shares[at].most());
                    shares[at].tell(held[at]);
                }
                assert!(held.iter().sum::<usize>() <= 100 + 2 * 10, "{held:?}");
            }
            for at in order {
                held[at] = held[at].min(shares[at].most());
                shares[at].tell(held[at]);
            }
            assert!(
                held.iter().sum::<usize>() <= 100 && held.iter().all(|held| *held > 0),
                "{held:?}"
            );
        }
    }

    #[test]
    fn tables_have_room_for_what_is_configured_within_bounds() {
        assert_eq!((reserved(0), reserved(1 << 20)), (1 << 20, 1 << 20));
        assert_eq!((reserved(1_500_000), reserved(u32::MAX)), (1 << 21, 1 << 24));
    }
}
