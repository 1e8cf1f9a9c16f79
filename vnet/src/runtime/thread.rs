//! The thread of a worker.

use std::{sync::Arc, time::Duration};

use super::{
    Clock, Dispatching, EngineId, Interrupts, Shared, Tables, Ways, Worker,
    passes::Passes,
    slot::{Hold, Slot},
};
use crate::{graph::FeatureTables, process::Sleeper};

/// The longest sleep of a worker: what nothing announces is noticed after this.
const MAX_SLEEP: Duration = Duration::from_millis(10);
/// Rounds without a sleep after which descriptors are looked at all the same.
const ROUNDS_A_LOOK: u32 = 128;

/// What the main thread and a worker's thread both know.
pub(super) struct Common {
    pub(super) slot: Slot<Worker>,
    pub(super) passes: Passes,
}

/// What a worker's thread runs on.
pub(super) struct WorkerThread {
    pub(super) engine: EngineId,
    pub(super) common: Arc<Common>,
    pub(super) features: Shared<FeatureTables>,
    pub(super) ways: Shared<Ways>,
    pub(super) clock: Clock,
    pub(super) interrupts: Arc<Interrupts>,
    pub(super) sleeper: Sleeper,
}

impl WorkerThread {
    /// Runs until the engine ends.
    pub(super) fn run(mut self) {
        while self.work() {
            // Its box lies in the slot now: whoever wants the barrier need not wait for it to wake up.
            if self.interrupts.begin_sleep() {
                self.sleeper.wait(MAX_SLEEP, &self.interrupts);
            }
            self.interrupts.end_sleep();
        }
    }

    /// Runs rounds until there is nothing to do; `false` when the engine ends.
    fn work(&mut self) -> bool {
        loop {
            let Some(mut hold) = self.common.slot.take() else { return false };
            let mut rounds = 0;
            while !self.common.slot.is_wanted() {
                let Some((worker, token)) = split(&mut hold, self.engine) else { return false };
                let tables =
                    Tables { features: self.features.read(token), ways: self.ways.read(token) };
                let received = worker.round(token, tables, &self.clock);
                self.common.passes.pass();
                if received == 0 && !worker.is_busy() {
                    worker.state.magazine.publish();
                    return true;
                }
                rounds += 1;
                if rounds == ROUNDS_A_LOOK {
                    rounds = 0;
                    self.sleeper.wait(Duration::ZERO, &self.interrupts);
                }
            }
        }
    }
}

/// The worker that a thread holds, and the proof that no barrier is held while it is borrowed.
fn split<'h>(
    hold: &'h mut Hold<'_, Worker>,
    engine: EngineId,
) -> Option<(&'h mut Worker, Dispatching<'h>)> {
    Some((hold.get()?, Dispatching::while_held(engine)))
}
