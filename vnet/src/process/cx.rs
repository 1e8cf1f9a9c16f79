//! What a process is given.

use std::{
    cell::RefCell,
    future::{Future, poll_fn},
    os::fd::AsRawFd,
    pin::pin,
    rc::Rc,
    sync::{Arc, Mutex, PoisonError},
    task::{Poll, Waker},
    thread,
    time::Duration,
};

use super::{Executor, Interest};
use crate::runtime::{Clock, EngineTime, Main};

/// A wait was longer than allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed;

/// A process's way to the engine: its clock, its timers, and the engine's state.
#[derive(Clone)]
pub struct Cx {
    main: Rc<RefCell<Main>>,
    executor: Rc<Executor>,
}

impl Cx {
    pub(crate) fn new(main: Rc<RefCell<Main>>, executor: Rc<Executor>) -> Self {
        Self { main, executor }
    }

    /// Looks at and changes the engine, while no packet is on its way on the main thread. What workers must stand still for
    /// has them do so from there on to the end of this call.
    ///
    /// # Panics
    /// When called inside another `with`.
    pub fn with<T>(&self, f: impl FnOnce(&mut Main) -> T) -> T {
        Main::lend(&self.main, f)
    }

    /// The engine's clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.executor.clock
    }

    /// Engine time.
    #[must_use]
    pub fn now(&self) -> EngineTime {
        self.executor.clock.now()
    }

    /// The executor, for `show runtime` and for starting tasks.
    #[must_use]
    pub fn executor(&self) -> &Rc<Executor> {
        &self.executor
    }

    /// Waits until `at`.
    pub async fn sleep_until(&self, at: EngineTime) {
        let mut timer = Timer { executor: &self.executor, key: None };
        poll_fn(|cx| timer.poll(at, cx.waker())).await;
    }

    /// Waits for `d`.
    pub async fn sleep(&self, d: Duration) {
        self.sleep_until(self.now().after(d)).await;
    }

    /// Lets everybody else who is ready run first.
    pub async fn yield_now(&self) {
        let mut yielded = false;
        poll_fn(|cx| {
            if yielded {
                return Poll::Ready(());
            }
            yielded = true;
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    /// Waits until all packets that are on their way have gone theirs: for one round of dispatch.
    pub async fn next_round(&self) {
        let since = self.executor.rounds();
        let mut waits = false;
        // The process may be woken for something else that it waits for meanwhile.
        poll_fn(|cx| {
            if self.executor.rounds() != since {
                return Poll::Ready(());
            }
            if !waits {
                waits = true;
                self.executor.wake_next_round(cx.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }

    /// Waits for `future`, but not beyond `at`.
    ///
    /// # Errors
    /// When `at` came first.
    pub async fn until<T>(
        &self,
        at: EngineTime,
        future: impl Future<Output = T>,
    ) -> Result<T, Elapsed> {
        let mut future = pin!(future);
        let mut timer = Timer { executor: &self.executor, key: None };
        poll_fn(|cx| {
            if let Poll::Ready(value) = future.as_mut().poll(cx) {
                return Poll::Ready(Ok(value));
            }
            timer.poll(at, cx.waker()).map(|()| Err(Elapsed))
        })
        .await
    }

    /// Waits for `future`, but at most for `d`.
    ///
    /// # Errors
    /// When `d` was over first.
    pub async fn timeout<T>(
        &self,
        d: Duration,
        future: impl Future<Output = T>,
    ) -> Result<T, Elapsed> {
        self.until(self.now().after(d), future).await
    }

    /// Waits until `fd` is ready, or a little earlier: the caller tries, and waits again when it would block. Real time only:
    /// a virtual clock does not move by itself, but descriptors do.
    pub async fn ready(&self, fd: &impl AsRawFd, interest: Interest) {
        let fd = fd.as_raw_fd();
        let mut registered = Registered { executor: &self.executor, fd, interest, armed: false };
        poll_fn(|cx| {
            if registered.armed {
                return Poll::Ready(());
            }
            registered.executor.reactor.register(fd, interest, cx.waker().clone());
            registered.armed = true;
            Poll::Pending
        })
        .await;
    }

    /// Runs `f`, which may block, on a thread of its own and waits for what it returns. Under a virtual clock time stands still
    /// meanwhile.
    pub async fn blocking<T: Send + 'static>(
        &self,
        f: impl FnOnce() -> T + Send + 'static,
    ) -> thread::Result<T> {
        let _helper = self.executor.helper();
        type Shared<T> = Arc<Mutex<(Option<thread::Result<T>>, Option<Waker>)>>;
        let shared: Shared<T> = Arc::new(Mutex::new((None, None)));
        let theirs = shared.clone();
        thread::spawn(move || {
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f));
            let mut shared = theirs.lock().unwrap_or_else(PoisonError::into_inner);
            shared.0 = Some(result);
            if let Some(waker) = shared.1.take() {
                waker.wake();
            }
        });
        poll_fn(|cx| {
            let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
            match shared.0.take() {
                Some(result) => Poll::Ready(result),
                None => {
                    shared.1 = Some(cx.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}

/// A timer that is taken back when the wait is given up.
struct Timer<'a> {
    executor: &'a Executor,
    key: Option<(EngineTime, u64)>,
}

impl Timer<'_> {
    fn poll(&mut self, at: EngineTime, waker: &Waker) -> Poll<()> {
        if self.executor.clock.now() >= at {
            return Poll::Ready(());
        }
        if let Some(key) = self.key.take() {
            self.executor.remove_timer(key);
        }
        self.key = Some(self.executor.add_timer(at, waker.clone()));
        Poll::Pending
    }
}

impl Drop for Timer<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.executor.remove_timer(key);
        }
    }
}

struct Registered<'a> {
    executor: &'a Executor,
    fd: i32,
    interest: Interest,
    armed: bool,
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        if self.armed {
            self.executor.reactor.forget(self.fd, self.interest);
        }
    }
}
