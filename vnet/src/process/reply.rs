//! A reply to an event, given once.

use std::{
    cell::RefCell,
    future::{Future, poll_fn},
    rc::Rc,
    task::{Poll, Waker},
};

struct State<T> {
    value: Option<T>,
    closed: bool,
    waiting: Option<Waker>,
}

/// The end that answers. Dropped without an answer, it tells the other end that none will come.
pub struct Reply<T>(Rc<RefCell<State<T>>>);

/// A place for one answer, and the future that waits for it; `None` when there will be none.
pub fn reply<T>() -> (Reply<T>, impl Future<Output = Option<T>>) {
    let state = Rc::new(RefCell::new(State { value: None, closed: false, waiting: None }));
    let reader = state.clone();
    let answer = poll_fn(move |cx| {
        let mut state = reader.borrow_mut();
        if state.value.is_some() || state.closed {
            return Poll::Ready(state.value.take());
        }
        state.waiting = Some(cx.waker().clone());
        Poll::Pending
    });
    (Reply(state), answer)
}

impl<T> Reply<T> {
    /// Answers.
    pub fn send(self, value: T) {
        self.0.borrow_mut().value = Some(value);
    }
}

impl<T> Drop for Reply<T> {
    fn drop(&mut self) {
        let mut state = self.0.borrow_mut();
        state.closed = true;
        if let Some(waker) = state.waiting.take() {
            waker.wake();
        }
    }
}
