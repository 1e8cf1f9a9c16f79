//! The main thread's side of its workers: the barrier, and quiescent periods.

use std::{
    io,
    sync::{Arc, mpsc},
    thread::JoinHandle,
    time::Instant,
};

use super::{
    Clock, EngineId, Interrupts, Shared, Ways, Worker, affinity,
    barrier::BarrierStats,
    passes::Passes,
    slot::Slot,
    thread::{Common, WorkerThread},
    thread_name,
};
use crate::{
    graph::FeatureTables,
    process::{Sleeper, Watched},
};

/// The workers of an engine beside its main thread.
pub(crate) struct Workers {
    engine: EngineId,
    threads: Vec<Thread>,
    /// All of them while the barrier is held, in their order; none otherwise.
    #[allow(clippy::vec_box, reason = "boxes change hands, and what is in them stays where it is")]
    boxes: Vec<Box<Worker>>,
    /// When the barrier that is held was asked for, and when it was there.
    held: Option<(Instant, Instant)>,
    stats: BarrierStats,
    grace: Grace,
}

/// What the main thread keeps of a worker's thread.
struct Thread {
    common: Arc<Common>,
    interrupts: Arc<Interrupts>,
    watched: Watched,
    /// `None` where the main thread runs the worker itself.
    handle: Option<JoinHandle<()>>,
    /// The kernel's number of it.
    id: u32,
}

/// Waiting for all workers to pass a quiescent point.
#[derive(Default)]
struct Grace {
    /// What they had passed when the period began; empty while none runs.
    passes: Vec<u64>,
}

fn on_core(name: &str, core: Option<usize>, error: &io::Error) -> String {
    match core {
        Some(core) => format!("{name} on core {core}: {error}"),
        None => format!("{name}: {error}"),
    }
}

/// How a worker is made: its thread's interrupts, and what that sleeps on.
pub(crate) struct Bed {
    pub(crate) interrupts: Arc<Interrupts>,
    sleeper: Sleeper,
}

impl Bed {
    pub(crate) fn new() -> io::Result<Self> {
        let sleeper = Sleeper::new()?;
        Ok(Self { interrupts: Interrupts::new(sleeper.wakeup()), sleeper })
    }
}

/// What threads of workers need beside their worker.
pub(crate) struct Launch {
    pub(crate) features: Shared<FeatureTables>,
    pub(crate) ways: Shared<Ways>,
    pub(crate) clock: Clock,
}

impl Workers {
    /// Takes over workers, whose threads are not started.
    pub(crate) fn new(engine: EngineId, workers: Vec<Worker>, beds: &[Bed]) -> Self {
        let thread = |bed: &Bed| Thread {
            common: Arc::new(Common { slot: Slot::new(), passes: Passes::new() }),
            interrupts: bed.interrupts.clone(),
            watched: bed.sleeper.watched(),
            handle: None,
            id: 0,
        };
        Self {
            engine,
            threads: beds.iter().map(thread).collect(),
            boxes: workers.into_iter().map(Box::new).collect(),
            held: None,
            stats: BarrierStats::default(),
            grace: Grace::default(),
        }
    }

    /// Starts a thread for each worker, on the core that `cores` has for it. Until then, and for ever under a virtual clock, they
    /// run in turn on the main thread.
    ///
    /// # Errors
    /// When there is no thread to be had, or the core of one is not there.
    pub(crate) fn start(
        &mut self,
        launch: &Launch,
        beds: Vec<Bed>,
        cores: &[Option<usize>],
    ) -> io::Result<()> {
        for (i, (thread, bed)) in self.threads.iter_mut().zip(beds).enumerate() {
            let run = WorkerThread {
                engine: self.engine,
                common: thread.common.clone(),
                features: launch.features.clone(),
                ways: launch.ways.clone(),
                clock: launch.clock.clone(),
                interrupts: bed.interrupts,
                sleeper: bed.sleeper,
            };
            let core = cores.get(i).copied().flatten();
            let (tell, told) = mpsc::channel();
            let name = thread_name(i + 1);
            let builder = std::thread::Builder::new().name(name.clone());
            thread.handle = Some(builder.spawn(move || {
                let pinned = core.map_or(Ok(()), affinity::pin);
                let runs = pinned.is_ok();
                if tell.send(pinned.map(|()| affinity::thread_id())).is_ok() && runs {
                    run.run();
                }
            })?);
            let told = told.recv().unwrap_or_else(|_| Err(io::Error::other("it ended at once")));
            thread.id = told.map_err(|e| io::Error::other(on_core(&name, core, &e)))?;
        }
        self.open();
        Ok(())
    }

    /// Whose they are.
    pub(crate) fn engine(&self) -> EngineId {
        self.engine
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.threads.len()
    }

    /// Has all workers stand still, until [`Self::release`].
    pub(crate) fn hold(&mut self) {
        if self.boxes.len() == self.threads.len() {
            return;
        }
        let asked = Instant::now();
        self.threads.iter().for_each(|thread| thread.common.slot.want());
        self.boxes.extend(self.threads.iter().map(|thread| thread.common.slot.claim()));
        self.held = Some((asked, Instant::now()));
    }

    /// Lets them go on, if they stand still.
    pub(crate) fn release(&mut self) {
        let Some((asked, held)) = self.held.take() else { return };
        self.open();
        self.stats.add(held - asked, held.elapsed());
    }

    fn open(&mut self) {
        for (thread, worker) in self.threads.iter().zip(self.boxes.drain(..)) {
            let busy = worker.is_busy();
            thread.common.slot.put(worker);
            if busy {
                thread.interrupts.wake();
            }
        }
    }

    /// All workers, which stand still.
    pub(crate) fn all(&mut self) -> impl Iterator<Item = &mut Worker> {
        self.hold();
        self.boxes.iter_mut().map(|worker| &mut **worker)
    }

    /// Those that stand still: all or none.
    pub(crate) fn standing(&self) -> impl Iterator<Item = &Worker> {
        self.boxes.iter().map(|worker| &**worker)
    }

    /// Those that the main thread runs in turn: all or none.
    pub(crate) fn in_turn(&mut self) -> &mut [Box<Worker>] {
        match self.held {
            None => &mut self.boxes,
            Some(_) => &mut [],
        }
    }

    /// Interrupts of worker `i`, from 0 on.
    pub(crate) fn interrupts(&self, i: usize) -> Option<&Arc<Interrupts>> {
        self.threads.get(i).map(|thread| &thread.interrupts)
    }

    /// Descriptors of worker `i`, from 0 on.
    pub(crate) fn watched(&self, i: usize) -> Option<&Watched> {
        self.threads.get(i).map(|thread| &thread.watched)
    }

    /// The kernel's numbers of their threads; 0 where the main thread runs them.
    pub(crate) fn ids(&self) -> impl Iterator<Item = u32> {
        self.threads.iter().map(|thread| thread.id)
    }

    /// How long barriers took.
    pub(super) fn stats(&self) -> &BarrierStats {
        &self.stats
    }

    /// To clear them.
    pub(super) fn stats_mut(&mut self) -> &mut BarrierStats {
        &mut self.stats
    }

    /// Begins a quiescent period; `false` while one runs.
    pub(crate) fn begin_grace(&mut self) -> bool {
        if !self.grace.passes.is_empty() {
            return false;
        }
        let passed = |thread: &Thread| thread.common.passes.after_edits();
        self.grace.passes = self.threads.iter().map(passed).collect();
        true
    }

    /// Whether a quiescent period runs.
    pub(crate) fn has_grace(&self) -> bool {
        !self.grace.passes.is_empty()
    }

    /// Whether the period that runs is over: each worker has passed a quiescent point since it began, or does not run.
    pub(crate) fn end_grace(&mut self) -> bool {
        let passed = |(thread, &before): (&Thread, &u64)| {
            thread.common.passes.has_passed(before) || thread.common.slot.is_resting()
        };
        let over =
            !self.boxes.is_empty() || self.threads.iter().zip(&self.grace.passes).all(passed);
        if over {
            self.grace.passes.clear();
        }
        over
    }

    /// Ends the threads; the workers stand still from here on.
    pub(crate) fn end(&mut self) {
        self.hold();
        self.held = None;
        for thread in &mut self.threads {
            thread.common.slot.end();
            thread.interrupts.wake();
            let ended = thread.handle.take().map(JoinHandle::join);
            if let Some(Err(panic)) = ended
                && !std::thread::panicking()
            {
                std::panic::resume_unwind(panic);
            }
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.end();
    }
}
