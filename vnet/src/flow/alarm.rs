//! When threads look for flows that are due though no packet comes.
//!
//! A plugin has an input node, its *walker*, on every thread, and one process that sets the walkers' interrupts ten times a second while
//! there are flows, and sleeps while there are none: an observation point that makes a first flow wakes it. A walk does a bounded
//! piece of work; what is left is done in the next round of dispatch, after packets have had their turn, or as soon as the exporter has
//! made room. The process goes on when all threads have walked.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use crate::{
    process::{Bell, Cx},
    runtime::Interrupt,
};

/// Time between two walks.
const PERIOD: Duration = Duration::from_millis(100);
/// Time until a walk that found no room for records is made up for: less than the exporter needs to take those that wait.
const FULL_PERIOD: Duration = Duration::from_millis(1);

/// Wakes the process that has walkers walk. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Alarm(Arc<State>);

/// What a walk has left on its thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// Flows are held.
    pub flows: bool,
    /// More could be done at once.
    pub more: bool,
    /// There was no room for records.
    pub full: bool,
}

#[derive(Debug, Default)]
struct State {
    bell: Bell,
    /// What walkers have left since each was cleared.
    flows: AtomicBool,
    more: AtomicBool,
    full: AtomicBool,
    /// Walkers that have not walked since all were asked to.
    walking: AtomicUsize,
    /// The last of them has.
    walked: Bell,
}

impl Alarm {
    /// There are flows where there were none, or there is something to send.
    pub fn set(&self) {
        self.0.bell.ring();
    }

    /// A thread has walked, once each time that it was asked to. What its walker has seen is visible to whoever hears of the last one.
    pub fn walked(&self, left: Left) {
        let State { flows, more, full, walking, walked, .. } = &*self.0;
        for (flag, is_so) in [(flows, left.flows), (more, left.more), (full, left.full)] {
            if is_so {
                flag.store(true, Ordering::Relaxed);
            }
        }
        if walking.fetch_sub(1, Ordering::AcqRel) == 1 {
            walked.ring();
        }
    }

    /// The process: has the node `walker` of all threads walk when that is due, and calls `after` each time that they have.
    pub async fn run(self, cx: Cx, walker: &'static str, mut after: impl FnMut()) {
        let State { bell, flows, more, full, walking, walked } = &*self.0;
        let Some(node) = cx.with(|main| main.graph().find(walker)) else { return };
        let walkers = cx.with(|main| main.interrupts(node));
        loop {
            bell.wait().await;
            loop {
                flows.store(false, Ordering::Relaxed);
                walking.store(walkers.len(), Ordering::Relaxed);
                walkers.iter().for_each(Interrupt::set);
                walked.wait().await;
                after();
                if more.swap(false, Ordering::Relaxed) {
                    continue;
                }
                let is_full = full.swap(false, Ordering::Relaxed);
                if !is_full && !flows.load(Ordering::Relaxed) {
                    break;
                }
                cx.sleep(if is_full { FULL_PERIOD } else { PERIOD }).await;
            }
        }
    }
}
