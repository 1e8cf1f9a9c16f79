//! Interrupts: how a device or another thread gets an input node to run.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use super::rouse::Rouse;
use crate::{graph::NodeIndex, process::Wakeup};

/// Nodes that a set can hold.
const NODES: usize = 1 << 15;

/// The pending interrupts of one worker.
pub struct Interrupts {
    any: AtomicBool,
    /// Other threads have handed packets over.
    handed: AtomicBool,
    bits: Box<[AtomicU64]>,
    rouse: Rouse,
    wakeup: Wakeup,
}

impl Interrupts {
    pub(crate) fn new(wakeup: Wakeup) -> Arc<Self> {
        let bits = (0..NODES / 64).map(|_| AtomicU64::new(0)).collect();
        let no = || AtomicBool::new(false);
        Arc::new(Self { any: no(), handed: no(), bits, rouse: Rouse::new(), wakeup })
    }

    /// Whether any is pending; forgets that, so the caller must look at all its nodes.
    #[inline]
    pub(crate) fn take_any(&self) -> bool {
        self.any.load(Ordering::Relaxed) && self.any.swap(false, Ordering::Acquire)
    }

    pub(crate) fn is_any(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    /// Whether that of `node` is pending; takes it.
    pub(crate) fn take(&self, node: NodeIndex) -> bool {
        let bit = 1 << (node.0 % 64);
        self.bits[node.0 as usize / 64].fetch_and(!bit, Ordering::Acquire) & bit != 0
    }

    /// Sets that of `node`, for the thread itself.
    pub(crate) fn note(&self, node: NodeIndex) {
        self.bits[node.0 as usize / 64].fetch_or(1 << (node.0 % 64), Ordering::Release);
        self.any.store(true, Ordering::Release);
    }

    fn set(&self, node: NodeIndex) {
        self.note(node);
        self.wake();
    }

    /// Ends the thread's sleep.
    pub(crate) fn wake(&self) {
        if self.rouse.rouse() {
            self.wakeup.wake();
        }
    }

    /// Another thread has put packets into a queue of this one.
    pub(crate) fn hand_over(&self) {
        // An exchange each time: either it finds that the thread is still to look, or the thread looks after it.
        if !self.handed.swap(true, Ordering::AcqRel) {
            self.wake();
        }
    }

    /// Whether packets were handed over; forgets that, so the caller must look at all queues.
    #[inline]
    pub(crate) fn take_handed(&self) -> bool {
        self.has_handed() && self.handed.swap(false, Ordering::AcqRel)
    }

    #[inline]
    pub(crate) fn has_handed(&self) -> bool {
        self.handed.load(Ordering::Relaxed)
    }

    /// The thread is about to sleep; `false` when there is something to do first.
    pub(crate) fn begin_sleep(&self) -> bool {
        self.rouse.begin_sleep(|| self.is_any() || self.has_handed())
    }

    /// The thread is awake.
    pub(crate) fn end_sleep(&self) {
        self.rouse.end_sleep();
    }
}

/// Sets the interrupt of one node, from any thread.
#[derive(Clone)]
pub struct Interrupt {
    node: NodeIndex,
    of: Arc<Interrupts>,
}

impl Interrupt {
    pub(crate) fn new(node: NodeIndex, of: Arc<Interrupts>) -> Self {
        Self { node, of }
    }

    /// The node runs in the worker's next round, which this wakes if it sleeps.
    pub fn set(&self) {
        self.of.set(self.node);
    }
}
