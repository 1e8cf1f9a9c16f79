//! The executor: which process is ready, and what time it waits for.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, VecDeque},
    future::Future,
    io,
    pin::Pin,
    rc::Rc,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Wake, Waker},
};

use super::{Wakeup, reactor::Reactor};
use crate::runtime::{Clock, EngineTime, NodeState, NodeStats, cycles};

/// Names a task of the executor.
type TaskId = usize;

/// What the wakers of all threads share with the executor.
struct Ready {
    queue: Mutex<VecDeque<TaskId>>,
    wakeup: Wakeup,
}

impl Ready {
    fn push(&self, id: TaskId) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if !queue.contains(&id) {
            queue.push_back(id);
        }
    }

    fn pop(&self) -> Option<TaskId> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

struct TaskWaker {
    id: TaskId,
    ready: Arc<Ready>,
    main: std::thread::ThreadId,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ready.push(self.id);
        if std::thread::current().id() != self.main {
            self.ready.wakeup.wake();
        }
    }
}

struct Task {
    name: Option<String>,
    /// Taken out while it is polled.
    future: Option<Pin<Box<dyn Future<Output = ()>>>>,
    waker: Waker,
    stats: NodeStats,
    done: bool,
}

/// What `show runtime` prints of a process.
#[derive(Clone, Debug)]
pub struct ProcessStats {
    /// The name of the process.
    pub name: String,
    /// Whether it waits or has ended.
    pub state: NodeState,
    /// How often it ran, and how long.
    pub stats: NodeStats,
}

/// Runs the processes of an engine, on its main thread.
pub struct Executor {
    tasks: RefCell<Vec<Task>>,
    free: RefCell<Vec<TaskId>>,
    ready: Arc<Ready>,
    timers: RefCell<BTreeMap<(EngineTime, u64), Waker>>,
    next_timer: Cell<u64>,
    /// Who waits for packets to have moved.
    next_round: RefCell<Vec<Waker>>,
    /// How often packets have.
    rounds: Cell<u64>,
    /// Helper threads that somebody waits for.
    helpers: Cell<usize>,
    pub(crate) reactor: Reactor,
    pub(crate) clock: Clock,
}

/// A helper thread at work.
pub(crate) struct Helper<'a>(&'a Executor);

impl Drop for Helper<'_> {
    fn drop(&mut self) {
        self.0.helpers.set(self.0.helpers.get() - 1);
    }
}

impl Executor {
    /// An executor without processes.
    ///
    /// # Errors
    /// When the kernel gives no descriptors to sleep on.
    pub fn new(clock: Clock) -> io::Result<Rc<Self>> {
        let reactor = Reactor::new()?;
        let ready = Ready { queue: Mutex::new(VecDeque::new()), wakeup: reactor.wakeup() };
        Ok(Rc::new(Self {
            tasks: RefCell::new(Vec::new()),
            free: RefCell::new(Vec::new()),
            ready: Arc::new(ready),
            timers: RefCell::new(BTreeMap::new()),
            next_timer: Cell::new(0),
            next_round: RefCell::default(),
            rounds: Cell::new(0),
            helpers: Cell::new(0),
            reactor,
            clock,
        }))
    }

    /// Starts a process that `show runtime` lists as `name`.
    pub(crate) fn spawn_named(&self, name: &str, future: impl Future<Output = ()> + 'static) {
        self.insert(Some(name.to_owned()), Box::pin(future));
    }

    /// Starts a task without a name: a command, a session.
    pub fn spawn(&self, future: impl Future<Output = ()> + 'static) {
        self.insert(None, Box::pin(future));
    }

    fn insert(&self, name: Option<String>, future: Pin<Box<dyn Future<Output = ()>>>) {
        let id = self.free.borrow_mut().pop().unwrap_or_else(|| self.tasks.borrow().len());
        let waker = TaskWaker { id, ready: self.ready.clone(), main: std::thread::current().id() };
        let task = Task {
            name,
            future: Some(future),
            waker: Waker::from(Arc::new(waker)),
            stats: NodeStats::default(),
            done: false,
        };
        let mut tasks = self.tasks.borrow_mut();
        match tasks.get_mut(id) {
            Some(slot) => *slot = task,
            None => tasks.push(task),
        }
        self.ready.push(id);
    }

    /// Gives up all processes.
    pub(crate) fn clear(&self) {
        // Their destructors may come back here.
        let futures: Vec<_> =
            self.tasks.borrow_mut().iter_mut().filter_map(|task| task.future.take()).collect();
        drop(futures);
    }

    /// Runs every process that is ready, until none is; returns how often one ran. Bounded, so that processes that wake each
    /// other for ever do not keep packets waiting.
    pub fn run(&self) -> usize {
        self.fire_timers();
        self.rounds.set(self.rounds.get() + 1);
        self.next_round.take().into_iter().for_each(Waker::wake);
        let mut ran = 0;
        while ran < 10_000 {
            let Some(id) = self.ready.pop() else { break };
            if self.poll(id) {
                ran += 1;
            }
        }
        ran
    }

    fn poll(&self, id: TaskId) -> bool {
        let taken = self.tasks.borrow_mut().get_mut(id).and_then(|task| {
            let future = task.future.take()?;
            Some((future, task.waker.clone()))
        });
        let Some((mut future, waker)) = taken else { return false };
        let start = cycles();
        let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
        let clocks = cycles().wrapping_sub(start);
        let mut tasks = self.tasks.borrow_mut();
        let task = &mut tasks[id];
        task.stats.add(0, clocks);
        match polled {
            Poll::Pending => {
                task.stats.suspends += 1;
                task.future = Some(future);
            }
            Poll::Ready(()) => {
                task.done = true;
                if task.name.is_none() {
                    self.free.borrow_mut().push(id);
                }
                drop(tasks);
                // Its destructors may signal others.
                drop(future);
            }
        }
        true
    }

    fn fire_timers(&self) {
        let now = self.clock.now();
        loop {
            let mut timers = self.timers.borrow_mut();
            let Some(first) = timers.first_entry().filter(|e| e.key().0 <= now) else { return };
            let waker = first.remove();
            drop(timers);
            waker.wake();
        }
    }

    /// Wakes `waker` at `at`; the key takes it back.
    pub(crate) fn add_timer(&self, at: EngineTime, waker: Waker) -> (EngineTime, u64) {
        let key = (at, self.next_timer.get());
        self.next_timer.set(key.1 + 1);
        self.timers.borrow_mut().insert(key, waker);
        key
    }

    pub(crate) fn remove_timer(&self, key: (EngineTime, u64)) {
        self.timers.borrow_mut().remove(&key);
    }

    /// How often the nodes have run, and processes after them.
    pub(crate) fn rounds(&self) -> u64 {
        self.rounds.get()
    }

    /// Wakes `waker` when the nodes have run.
    pub(crate) fn wake_next_round(&self, waker: Waker) {
        self.next_round.borrow_mut().push(waker);
    }

    /// Notes that a helper thread works; until the guard goes somebody waits for it.
    pub(crate) fn helper(&self) -> Helper<'_> {
        self.helpers.set(self.helpers.get() + 1);
        Helper(self)
    }

    /// Whether a helper thread works for somebody.
    pub(crate) fn has_helpers(&self) -> bool {
        self.helpers.get() > 0
    }

    /// When the next timer is due.
    #[must_use]
    pub fn next_timer(&self) -> Option<EngineTime> {
        self.timers.borrow().first_key_value().map(|(key, _)| key.0)
    }

    /// Whether a process could run now.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let queue = self.ready.queue.lock().unwrap_or_else(PoisonError::into_inner);
        !queue.is_empty()
            || !self.next_round.borrow().is_empty()
            || self.next_timer().is_some_and(|at| at <= self.clock.now())
    }

    /// The named processes.
    #[must_use]
    pub fn processes(&self) -> Vec<ProcessStats> {
        let tasks = self.tasks.borrow();
        let named = tasks.iter().filter_map(|t| {
            let state = if t.done { NodeState::Done } else { NodeState::AnyWait };
            Some(ProcessStats { name: t.name.clone()?, state, stats: t.stats })
        });
        named.collect()
    }

    /// Sets the counts of all processes back.
    pub fn clear_stats(&self) {
        self.tasks.borrow_mut().iter_mut().for_each(|t| t.stats = NodeStats::default());
    }
}
