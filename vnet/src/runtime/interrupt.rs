//! Interrupts: how a device or another thread gets an input node to run.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use crate::{graph::NodeIndex, process::Wakeup};

/// Nodes that a set can hold.
const NODES: usize = 1 << 15;

/// The pending interrupts of one worker.
pub struct Interrupts {
    any: AtomicBool,
    bits: Box<[AtomicU64]>,
    wakeup: Wakeup,
}

impl Interrupts {
    pub(crate) fn new(wakeup: Wakeup) -> Arc<Self> {
        let bits = (0..NODES / 64).map(|_| AtomicU64::new(0)).collect();
        Arc::new(Self { any: AtomicBool::new(false), bits, wakeup })
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

    fn set(&self, node: NodeIndex) {
        self.bits[node.0 as usize / 64].fetch_or(1 << (node.0 % 64), Ordering::Release);
        self.any.store(true, Ordering::Release);
        self.wakeup.wake();
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
