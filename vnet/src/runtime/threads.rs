//! What the main thread does with all threads at once.

use std::{cell::RefCell, io, os::fd::RawFd};

use super::{Bed, Interrupt, Launch, Local, Main, NodeStats, Worker};
use crate::{
    frame::Waiting,
    graph::{Graph, InputMode, NodeIndex, Sent},
    process::Watched,
};

/// The name of thread `number`, as VPP has it: 0 is the main thread.
#[must_use]
pub fn thread_name(number: usize) -> String {
    match number.checked_sub(1) {
        None => "vpp_main".to_owned(),
        Some(worker) => format!("vpp_wk_{worker}"),
    }
}

impl Main {
    /// How many threads there are: the main thread and its workers.
    #[must_use]
    pub fn threads(&self) -> usize {
        1 + self.workers.len()
    }

    /// The thread that does what was meant for worker `n`, counted from 0: the main thread where there is no worker, and the first
    /// worker where there are fewer.
    #[must_use]
    pub fn thread_of_worker(&self, n: u32) -> usize {
        match self.workers.len() {
            0 => 0,
            workers if (n as usize) < workers => n as usize + 1,
            _ => 1,
        }
    }

    /// Calls `f` with the graph and every thread's instance of it, the main thread's first. Workers stand still meanwhile.
    pub(crate) fn for_each_worker(&mut self, mut f: impl FnMut(&Graph, &mut Worker)) {
        f(&self.graph, &mut self.worker);
        self.workers.all().for_each(|worker| f(&self.graph, worker));
    }

    /// What `f` says of every thread, the main thread first. Workers stand still meanwhile.
    pub fn by_thread<T>(&mut self, mut f: impl FnMut(&Worker) -> T) -> Vec<T> {
        let mut all = Vec::with_capacity(self.threads());
        self.for_each_worker(|_, worker| all.push(f(worker)));
        all
    }

    /// Drops the packets that wait in every thread's value of `key`, for the reasons that they carry.
    pub fn drop_waiting<T: Send + 'static>(
        &mut self,
        key: Local<T>,
        waiting: impl Fn(&mut T) -> &mut Waiting,
    ) {
        self.for_each_worker(|_, worker| worker.state.drop_waiting(key, &waiting));
    }

    /// Packets that `node` has sent on, by next slot, on all threads together.
    pub(crate) fn sent(&mut self, node: NodeIndex) -> Sent {
        let mut all = Sent::default();
        self.for_each_worker(|_, worker| all.merge(worker.sent(node)));
        all
    }

    /// The counts of `node`, of all threads together.
    pub fn stats(&mut self, node: NodeIndex) -> NodeStats {
        self.by_thread(|worker| worker.stats(node)).into_iter().sum()
    }

    /// Calls `f` with every thread's value of `key`. Workers stand still meanwhile.
    pub fn for_each_local<T: Send + 'static>(&mut self, key: Local<T>, mut f: impl FnMut(&mut T)) {
        self.for_each_worker(|_, worker| {
            if let Some(value) = worker.state.locals.get_mut(key) {
                f(value);
            }
        });
    }

    /// Changes how the input `node` gets to run, on every thread.
    pub fn set_input_mode(&mut self, node: NodeIndex, mode: InputMode) {
        self.graph.node_mut(node).mode = mode;
        self.for_each_worker(|_, worker| worker.set_mode(node, mode));
    }

    /// Changes how the input `node` gets to run on one thread.
    pub fn set_input_mode_on(&mut self, thread: usize, node: NodeIndex, mode: InputMode) {
        match thread.checked_sub(1) {
            None => self.worker.set_mode(node, mode),
            Some(worker) => {
                if let Some(worker) = self.workers.all().nth(worker) {
                    worker.set_mode(node, mode);
                }
            }
        }
    }

    /// What sets the interrupt of `node` on each thread, the main thread first.
    #[must_use]
    pub fn interrupts(&self, node: NodeIndex) -> Vec<Interrupt> {
        (0..self.threads()).filter_map(|thread| self.interrupt_on(thread, node)).collect()
    }

    /// What sets the interrupt of `node` on one thread.
    #[must_use]
    pub fn interrupt_on(&self, thread: usize, node: NodeIndex) -> Option<Interrupt> {
        match thread.checked_sub(1) {
            None => Some(self.worker.interrupt(node)),
            Some(worker) => Some(Interrupt::new(node, self.workers.interrupts(worker)?.clone())),
        }
    }

    /// The interrupt of the input `node` on `thread` is set while `fd` can be read. To be taken back, by [`Self::unwatch`], before
    /// `fd` is closed.
    pub fn watch(&mut self, thread: usize, fd: RawFd, node: NodeIndex) {
        if let Some(watched) = self.watched_by(thread) {
            watched.add(fd, node);
        }
        // Whoever sleeps sleeps without it.
        if let Some(interrupt) = self.interrupt_on(thread, node) {
            interrupt.set();
        }
    }

    /// Nothing more is set by `fd` on `thread`.
    pub fn unwatch(&mut self, thread: usize, fd: RawFd) {
        if let Some(watched) = self.watched_by(thread) {
            watched.remove(fd);
        }
    }

    fn watched_by(&self, thread: usize) -> Option<&Watched> {
        match thread.checked_sub(1) {
            None => Some(&self.watched),
            Some(worker) => self.workers.watched(worker),
        }
    }

    /// Gives each worker a thread of its own, on the core that `cores` has for it.
    pub(crate) fn start_workers(
        &mut self,
        beds: Vec<Bed>,
        cores: &[Option<usize>],
    ) -> io::Result<()> {
        let launch = Launch {
            features: self.tables.clone(),
            ways: self.ways.clone(),
            clock: self.clock.clone(),
        };
        self.workers.start(&launch, beds, cores)
    }

    /// Whether packets wait for their next round on the threads that the main thread runs.
    pub(crate) fn has_pending(&self) -> bool {
        self.run_here().any(|worker| worker.state.has_pending())
    }

    /// Whether the main thread must not sleep.
    pub(crate) fn is_busy(&self) -> bool {
        self.run_here().any(Worker::is_busy)
    }

    fn run_here(&self) -> impl Iterator<Item = &Worker> {
        core::iter::once(&self.worker).chain(self.workers.standing())
    }

    /// Calls `f` with the engine's state, and lets workers go on that stand still after it.
    pub(crate) fn lend<T>(main: &RefCell<Self>, f: impl FnOnce(&mut Self) -> T) -> T {
        let mut main = main.borrow_mut();
        let result = f(&mut main);
        main.workers.release();
        result
    }

    /// Inputs bring nothing more on any thread, and workers end; what was on its way between them is the main thread's to bring
    /// to its end.
    pub(crate) fn close(&mut self) {
        self.for_each_worker(|_, worker| worker.close());
        self.workers.end();
    }

    /// Takes the next part of what is deleted in parts; whether there was any.
    pub(crate) fn sweep_forwarding(&mut self) -> bool {
        let there_is = self.forwarding.has_deleted();
        self.forwarding.sweep();
        there_is
    }

    /// Has what edits gave up used again once no thread looks at it any more. To be called between two rounds of the main
    /// thread, with whether there may have been edits since the last time.
    pub(crate) fn settle_forwarding(&mut self, edited: bool) {
        if self.workers.len() == 0 {
            if edited {
                self.forwarding.quiescent();
            }
            return;
        }
        self.unsettled |= edited;
        if self.workers.has_grace() && self.workers.end_grace() {
            self.forwarding.reclaim();
        }
        if self.unsettled && !self.workers.has_grace() {
            self.forwarding.seal();
            self.workers.begin_grace();
            self.unsettled = false;
        }
    }
}
