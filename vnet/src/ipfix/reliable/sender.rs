//! The thread that takes items to their collector, and how others see it.

use std::{
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::{Item, Limits, Link, Queue, Session, Target, queue::Loss, session::Delivered};
use crate::{process::Bell, runtime::Clock};

/// The first wait after a session that could not begin, or ended; it doubles up to [`MAX_BACKOFF`].
const MIN_BACKOFF: Duration = Duration::from_millis(100);
const MAX_BACKOFF: Duration = Duration::from_secs(30);
/// How often a session without anything to send looks whether the collector is still there.
const IDLE: Duration = Duration::from_millis(500);
/// The same while acknowledgements are awaited.
const AWAITING: Duration = Duration::from_millis(5);
/// The same while the host takes nothing.
const FULL: Duration = Duration::from_millis(1);
/// Wait while a link is in trouble.
const TROUBLE: Duration = Duration::from_secs(1);
/// How long an ending sender goes on for what still waits.
const LINGER: Duration = Duration::from_secs(1);

/// How a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// None has been tried yet.
    Connecting,
    /// There is one.
    Up,
    /// There is none: the collector cannot be reached, or does not want us.
    Down,
}

/// What a sender has done, and what it has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Whether there is a session.
    pub phase: Phase,
    /// Sessions that were begun.
    pub sessions: u64,
    /// What the collector has.
    pub delivered: Delivered,
    /// Messages that were sent again in another session.
    pub repeated: u64,
    /// Messages that wait, in memory and in the spool.
    pub queued: u64,
    /// Data records in them.
    pub queued_records: u64,
    /// Octets of messages in memory.
    pub queued_octets: usize,
    /// Octets in the spool.
    pub spooled_octets: u64,
    /// Messages that are written and not acknowledged.
    pub in_flight: u64,
    /// What was accepted, and is lost: left over at the end, in a spool that could not be read or whose engine was killed.
    pub lost: Loss,
    /// Why the last session ended, or did not begin.
    pub last_error: Option<String>,
}

/// Takes items to a collector, on a thread of its own. Dropped, it goes on for at most a second for what still waits.
pub struct Sender {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    /// Something happened that the thread waits for.
    wake: Condvar,
    /// Something happened that others wait for.
    progress: Condvar,
}

struct State {
    queue: Queue,
    status: Status,
    /// Whether nobody hands over anything any more.
    ends: bool,
    /// Whether the thread is done.
    ended: bool,
}

impl Sender {
    /// Begins with a session to `target` at once. `bell` is rung when the phase changes.
    ///
    /// # Errors
    /// When the spool or the thread cannot be made.
    pub fn new(target: Target, limits: &Limits, clock: Clock, bell: Bell) -> io::Result<Self> {
        let (queue, lost) = Queue::new(limits)?;
        let status = Status {
            phase: Phase::Connecting,
            sessions: 0,
            delivered: Delivered::default(),
            repeated: 0,
            queued: 0,
            queued_records: 0,
            queued_octets: 0,
            spooled_octets: 0,
            in_flight: 0,
            lost,
            last_error: None,
        };
        let state = State { queue, status, ends: false, ended: false };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            wake: Condvar::new(),
            progress: Condvar::new(),
        });
        let worker = Worker {
            shared: shared.clone(),
            target,
            session: Session::default(),
            clock,
            bell,
            deadline: None,
        };
        let thread = thread::Builder::new().name("ipfix-sender".to_owned());
        let thread = thread.spawn(move || worker.run())?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Hands an item over.
    ///
    /// # Errors
    /// The item, if there is no room for it.
    pub fn push(&self, item: Item) -> Result<(), Item> {
        let mut state = self.shared.lock();
        let pushed = state.queue.push(item).map_err(|(item, error)| {
            if let Some(error) = error {
                state.status.last_error = Some(format!("spool: {error}"));
            }
            item
        });
        drop(state);
        self.shared.wake.notify_one();
        pushed
    }

    /// What it has done.
    #[must_use]
    pub fn status(&self) -> Status {
        self.shared.lock().told()
    }

    /// Waits until everything is delivered, but not longer than `patience`; whether it is.
    pub fn wait(&self, patience: Duration) -> bool {
        self.shared.wait(patience)
    }

    /// What [`Self::wait`] does, for another thread.
    pub fn waiter(&self) -> impl Fn(Duration) -> bool + Send + use<> {
        let shared = self.shared.clone();
        move |patience| shared.wait(patience)
    }

    /// Asks it to end, which takes at most a second or a handshake.
    pub fn end(&self) {
        self.shared.lock().ends = true;
        self.shared.wake.notify_one();
    }

    /// Waits for the end, which was asked for.
    pub fn join(mut self) -> Status {
        self.finish();
        self.status()
    }

    /// Whether it has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// A thread that still connects is not waited for: it has nothing to lose, and goes when it notices.
    fn finish(&mut self) {
        self.end();
        let Some(thread) = self.thread.take() else { return };
        let waited =
            self.shared.progress.wait_timeout_while(self.shared.lock(), LINGER * 2, |state| {
                !state.ended && state.status.phase == Phase::Up
            });
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let ended = state.ended;
        state.give_up();
        drop(state);
        if ended {
            // A panic there was told by its hook.
            drop(thread.join());
        }
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.finish();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&self, patience: Duration) -> bool {
        let waits = |state: &mut State| {
            !state.ends && (!state.queue.is_empty() || state.status.in_flight > 0)
        };
        let state = self.lock();
        let waited = self.progress.wait_timeout_while(state, patience, waits);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.queue.is_empty() && state.status.in_flight == 0
    }
}

impl State {
    /// What still waits is lost, and counted once.
    fn give_up(&mut self) {
        let loss = self.queue.give_up();
        self.status.lost.messages += loss.messages;
        self.status.lost.records += loss.records;
    }

    fn told(&self) -> Status {
        Status {
            queued: self.queue.messages(),
            queued_records: self.queue.records(),
            queued_octets: self.queue.octets(),
            spooled_octets: self.queue.spooled_octets(),
            ..self.status.clone()
        }
    }
}

/// What the thread has.
struct Worker {
    shared: Arc<Shared>,
    target: Target,
    session: Session,
    clock: Clock,
    bell: Bell,
    /// Of an ending sender.
    deadline: Option<Instant>,
}

/// Octets that the link has not taken yet.
#[derive(Default)]
struct Pending {
    octets: Vec<u8>,
    taken: usize,
    /// What they are of.
    item: Option<Item>,
}

impl Worker {
    fn run(mut self) {
        let mut backoff = MIN_BACKOFF;
        while !self.is_over() {
            let before = self.shared.lock().status.delivered;
            match self.target.open() {
                Ok(mut link) => {
                    self.enter(Phase::Up, None);
                    let ended = self.serve(&mut *link);
                    let closed = link.close();
                    match ended.and(closed) {
                        // Complete: the next one follows at once.
                        Ok(()) => {
                            backoff = MIN_BACKOFF;
                            continue;
                        }
                        Err(error) => self.enter(Phase::Down, Some(error)),
                    }
                }
                Err(error) => self.enter(Phase::Down, Some(error)),
            }
            if self.shared.lock().status.delivered != before {
                backoff = MIN_BACKOFF;
            }
            self.rest(backoff);
            backoff = (backoff * 2).min(MAX_BACKOFF);
        }
        let mut state = self.shared.lock();
        state.give_up();
        state.status.phase = Phase::Down;
        state.ended = true;
        drop(state);
        self.shared.progress.notify_all();
    }

    /// A session, from its beginning to its end. What is not delivered then waits again.
    fn serve(&mut self, link: &mut dyn Link) -> io::Result<()> {
        let mut pending =
            Pending { octets: self.session.begin(self.export_time()), ..Pending::default() };
        let result = self.converse(link, &mut pending);
        let left = self.session.end().chain(pending.item.take());
        let mut state = self.shared.lock();
        let before = state.queue.messages();
        state.queue.put_back(left);
        state.status.repeated += state.queue.messages() - before;
        state.status.in_flight = 0;
        result
    }

    fn converse(&mut self, link: &mut dyn Link, pending: &mut Pending) -> io::Result<()> {
        let mut written = 0_u64;
        loop {
            if pending.is_done() {
                if link.is_complete() && self.session.is_settled() {
                    return Ok(());
                }
                if !link.is_complete() {
                    self.next(pending);
                }
            }
            let mut stuck = false;
            if !pending.is_done() {
                let taken = link.write(&pending.octets[pending.taken..])?;
                (pending.taken, written) = (pending.taken + taken, written + taken as u64);
                stuck = taken == 0;
                if pending.is_done()
                    && let Some(item) = pending.item.take()
                {
                    self.session.written(item, written);
                }
            }
            link.service()?;
            let delivered = self.session.acknowledged(link.acknowledged()?);
            self.note(delivered, pending, link.trouble());
            if self.is_over() {
                return Ok(());
            }
            self.pause(pending, stuck, link.trouble().is_some());
        }
    }

    /// The next item, if there is one.
    fn next(&mut self, pending: &mut Pending) {
        let mut state = self.shared.lock();
        let item = match state.queue.pop() {
            Ok(item) => item,
            Err((loss, error)) => {
                state.status.lost.messages += loss.messages;
                state.status.lost.records += loss.records;
                state.status.last_error = Some(format!("spool: {error}"));
                None
            }
        };
        let Some(mut item) = item else { return };
        state.status.in_flight += item.messages();
        drop(state);
        let mut octets = self.session.write(&mut item, self.export_time());
        if matches!(item, Item::Withdrawal { .. }) && !self.target.wants_withdrawals() {
            octets.clear();
        }
        *pending = Pending { octets, taken: 0, item: Some(item) };
        if pending.octets.is_empty()
            && let Some(item) = pending.item.take()
        {
            // Nothing of it is on the way: it is delivered with what came before.
            self.session.written(item, 0);
        }
    }

    fn note(&self, delivered: Delivered, pending: &Pending, trouble: Option<&str>) {
        let mut state = self.shared.lock();
        state.status.delivered += delivered;
        let under_way = pending.item.as_ref().map_or(0, Item::messages);
        state.status.in_flight = self.session.in_flight() + under_way;
        if let Some(trouble) = trouble {
            state.status.last_error = Some(trouble.to_owned());
        }
        if state.queue.is_empty() && state.status.in_flight == 0 {
            drop(state);
            self.shared.progress.notify_all();
        }
    }

    /// Waits for whatever comes first of what this session waits for.
    fn pause(&self, pending: &Pending, stuck: bool, in_trouble: bool) {
        let state = self.shared.lock();
        let wait = if in_trouble {
            TROUBLE
        } else if stuck {
            FULL
        } else if !pending.is_done() || !state.queue.is_empty() {
            return;
        } else if self.session.is_settled() {
            IDLE
        } else {
            AWAITING
        };
        let woken = self.shared.wake.wait_timeout(state, wait);
        drop(woken);
    }

    /// Waits before the next session.
    fn rest(&self, wait: Duration) {
        let end = Instant::now() + wait;
        loop {
            let state = self.shared.lock();
            let left = end.saturating_duration_since(Instant::now());
            if state.ends || left.is_zero() {
                return;
            }
            drop(self.shared.wake.wait_timeout(state, left));
        }
    }

    fn enter(&self, phase: Phase, error: Option<io::Error>) {
        let mut state = self.shared.lock();
        let changes = state.status.phase != phase;
        state.status.phase = phase;
        if let Some(error) = error {
            state.status.last_error = Some(error.to_string());
        } else {
            state.status.sessions += 1;
        }
        drop(state);
        if changes {
            self.bell.ring();
        }
    }

    /// Whether an ending sender has nothing to do any more, or no time.
    fn is_over(&mut self) -> bool {
        let state = self.shared.lock();
        if !state.ends {
            return false;
        }
        let deadline = *self.deadline.get_or_insert_with(|| Instant::now() + LINGER);
        let nothing_left = state.queue.is_empty() && state.status.in_flight == 0;
        nothing_left || state.status.phase != Phase::Up || Instant::now() >= deadline
    }

    fn export_time(&self) -> u32 {
        (self.clock.wall().0 / 1_000_000_000) as u32
    }
}

impl Pending {
    fn is_done(&self) -> bool {
        self.taken == self.octets.len()
    }
}
