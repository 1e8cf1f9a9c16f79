//! A bell: how nodes on any thread wake a process.

use std::{
    future::poll_fn,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Poll, Waker},
};

/// Wakes the process that waits for it. Rung again before it was heard, it is heard once; rung while nobody waits, it is
/// heard by the next wait. Clones are the same bell.
#[derive(Clone, Debug, Default)]
pub struct Bell(Arc<State>);

#[derive(Debug, Default)]
struct State {
    rung: AtomicBool,
    waiting: Mutex<Option<Waker>>,
}

impl Bell {
    /// A bell that nobody has rung.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Rings. Cheap while it has not been heard since the last time: one atomic exchange.
    pub fn ring(&self) {
        if !self.0.rung.swap(true, Ordering::AcqRel)
            && let Some(waker) = self.waiting().take()
        {
            waker.wake();
        }
    }

    /// Waits until it rings.
    pub async fn wait(&self) {
        poll_fn(|cx| {
            // In this order: a ring between the two finds the waker.
            *self.waiting() = Some(cx.waker().clone());
            if self.0.rung.swap(false, Ordering::AcqRel) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Option<Waker>> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::plugin::Engine;

    #[test]
    fn a_ring_before_the_wait_is_heard_once() {
        let engine = Engine::builder().build().unwrap();
        let (bell, cx) = (Bell::new(), engine.cx());
        bell.ring();
        bell.ring();
        let heard = engine.run_until(async move {
            bell.wait().await;
            cx.timeout(Duration::from_millis(1), bell.wait()).await.is_err()
        });
        assert_eq!(heard, Some(true));
    }

    #[test]
    fn every_ring_of_another_thread_is_heard() {
        let engine = Engine::builder().build().unwrap();
        let (bell, answer) = (Bell::new(), Bell::new());
        let (theirs, count) = (bell.clone(), 200);
        let answers = answer.clone();
        let ringer = std::thread::spawn(move || {
            for _ in 0..count {
                theirs.ring();
                while !answers.0.rung.swap(false, Ordering::AcqRel) {
                    std::thread::yield_now();
                }
            }
        });
        let heard = engine.run_until(async move {
            for _ in 0..count {
                bell.wait().await;
                answer.ring();
            }
        });
        assert_eq!(heard, Some(()));
        ringer.join().unwrap();
    }
}
