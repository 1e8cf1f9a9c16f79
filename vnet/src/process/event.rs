//! Events: what the rest of the main thread tells a process.

use std::{
    cell::RefCell,
    collections::VecDeque,
    future::poll_fn,
    rc::Rc,
    task::{Poll, Waker},
};

struct Queue<E> {
    events: VecDeque<E>,
    waiting: Option<Waker>,
    senders: usize,
}

/// The sending end; clones send to the same process.
pub struct Signal<E>(Rc<RefCell<Queue<E>>>);

/// The receiving end.
pub struct Events<E>(Rc<RefCell<Queue<E>>>);

/// A queue of events.
#[must_use]
pub fn events<E>() -> (Signal<E>, Events<E>) {
    let queue = Queue { events: VecDeque::new(), waiting: None, senders: 1 };
    let queue = Rc::new(RefCell::new(queue));
    (Signal(queue.clone()), Events(queue))
}

impl<E> Signal<E> {
    /// Puts `event` into the queue and wakes the process.
    pub fn send(&self, event: E) {
        let mut queue = self.0.borrow_mut();
        queue.events.push_back(event);
        if let Some(waker) = queue.waiting.take() {
            waker.wake();
        }
    }
}

impl<E> Clone for Signal<E> {
    fn clone(&self) -> Self {
        self.0.borrow_mut().senders += 1;
        Self(self.0.clone())
    }
}

impl<E> Drop for Signal<E> {
    fn drop(&mut self) {
        let mut queue = self.0.borrow_mut();
        queue.senders -= 1;
        if queue.senders == 0
            && let Some(waker) = queue.waiting.take()
        {
            waker.wake();
        }
    }
}

impl<E> Events<E> {
    /// The oldest event that waits, if one does.
    pub fn try_next(&mut self) -> Option<E> {
        self.0.borrow_mut().events.pop_front()
    }

    /// Waits for the next event; `None` when nobody is left who could send one.
    pub async fn next(&mut self) -> Option<E> {
        poll_fn(|cx| {
            let mut queue = self.0.borrow_mut();
            if let Some(event) = queue.events.pop_front() {
                return Poll::Ready(Some(event));
            }
            if queue.senders == 0 {
                return Poll::Ready(None);
            }
            queue.waiting = Some(cx.waker().clone());
            Poll::Pending
        })
        .await
    }
}
