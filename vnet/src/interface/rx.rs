//! Receive queues: which thread looks after each, and how it learns of packets.
//!
//! The main thread owns [`RxQueues`] and changes them by [`Main`](crate::runtime::Main)'s operations. A device's input node
//! learns from [`RxPlacement`] which queues are its own on its thread, see [`QueueRotation`](super::QueueRotation).

use std::os::fd::RawFd;

use thiserror::Error;

use super::{HwIfIndex, HwInterface, InterfaceError};
use crate::{
    command::{ApiError, OperationError},
    graph::{InputMode, NodeIndex},
    runtime::thread_name,
};

/// Names a receive queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RxQueueId {
    /// The interface.
    pub hw_if_index: HwIfIndex,
    /// The queue's number among those of the interface, from 0 on.
    pub queue: u16,
}

/// What a device says of a new queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewRxQueue {
    /// The input node that takes packets out of it.
    pub node: NodeIndex,
    /// Can be read while there are packets; `None` where nothing tells, so that the queue is polled.
    pub fd: Option<RawFd>,
    /// How its thread is to learn of packets at first, unless something else was chosen for all new ones.
    pub mode: InputMode,
}

/// A queue of received packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RxQueue {
    /// Which one.
    pub id: RxQueueId,
    /// The input node that takes packets out of it.
    pub node: NodeIndex,
    /// The thread that looks after it; 0 is the main thread.
    pub thread: usize,
    /// How the thread learns of packets.
    pub mode: InputMode,
    pub(crate) fd: Option<RawFd>,
    /// Its interface is up.
    pub(crate) active: bool,
}

/// Why receive queues stay as they are.
#[derive(Debug, Error)]
pub enum RxError {
    /// No such interface.
    #[error(transparent)]
    Interface(#[from] InterfaceError),
    /// The interface has no such queue.
    #[error(
        "there is no receive queue {0} on this interface: `show interface rx-placement` lists them"
    )]
    NoSuchQueue(u16),
    /// There are fewer threads.
    #[error("there is no {}: `show threads' lists the threads", thread_name(*.0))]
    NoSuchThread(usize),
    /// Nothing tells of packets.
    #[error("this interface cannot tell of packets: its queues are polled")]
    NoInterrupts,
    /// The device refuses.
    #[error("{0}")]
    Device(String),
}

impl OperationError for RxError {
    fn api_error(&self) -> ApiError {
        match self {
            Self::Interface(error) => error.api_error(),
            Self::NoSuchQueue(_) => ApiError::InvalidQueue,
            Self::NoSuchThread(_) => ApiError::InvalidWorker,
            Self::NoInterrupts => ApiError::Unsupported,
            Self::Device(_) => ApiError::Unspecified,
        }
    }
}

/// The receive queues of an engine.
#[derive(Default)]
pub struct RxQueues {
    queues: Vec<RxQueue>,
    /// The worker that the next one is given to.
    next_worker: usize,
    /// How new ones are read, where that was chosen.
    pub(crate) first_mode: Option<InputMode>,
}

/// Who looks after which queue, as input nodes see it.
#[derive(Clone, Debug, Default)]
pub struct RxPlacement {
    version: u64,
    queues: Vec<RxQueue>,
}

impl RxPlacement {
    pub(crate) fn new(version: u64, queues: &RxQueues) -> Self {
        let queues = queues.iter().filter(|queue| queue.active).copied().collect();
        Self { version, queues }
    }

    /// Goes up with every change.
    #[inline]
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The queues that `node` looks after on `thread`.
    pub fn of(&self, thread: usize, node: NodeIndex) -> impl Iterator<Item = RxQueueId> {
        let own = self.queues.iter().filter(move |q| (q.thread, q.node) == (thread, node));
        own.map(|queue| queue.id)
    }
}

impl RxQueues {
    /// All of them, those of an interface in their order.
    pub fn iter(&self) -> impl Iterator<Item = &RxQueue> {
        self.queues.iter()
    }

    /// Those of an interface.
    pub fn of(&self, hw_if_index: HwIfIndex) -> impl Iterator<Item = &RxQueue> {
        self.iter().filter(move |queue| queue.id.hw_if_index == hw_if_index)
    }

    pub(crate) fn of_mut(&mut self, hw_if_index: HwIfIndex) -> impl Iterator<Item = &mut RxQueue> {
        self.queues.iter_mut().filter(move |queue| queue.id.hw_if_index == hw_if_index)
    }

    pub(crate) fn get_mut(&mut self, id: RxQueueId) -> Option<&mut RxQueue> {
        self.queues.iter_mut().find(|queue| queue.id == id)
    }

    /// Adds a queue of an interface that is down; workers take turns to get one.
    pub(crate) fn add(&mut self, hw_if_index: HwIfIndex, new: NewRxQueue, workers: usize) {
        let thread = match workers {
            0 => 0,
            workers => 1 + self.next_worker % workers,
        };
        self.next_worker += 1;
        let queue = self.of(hw_if_index).count() as u16;
        let NewRxQueue { node, fd, mode } = new;
        let mode = if fd.is_none() { InputMode::Polling } else { mode };
        let id = RxQueueId { hw_if_index, queue };
        self.queues.push(RxQueue { id, node, thread, mode, fd, active: false });
    }

    pub(crate) fn remove(&mut self, hw_if_index: HwIfIndex) {
        self.queues.retain(|queue| queue.id.hw_if_index != hw_if_index);
    }

    /// The queues of an interface as a table, whose lines these are.
    pub(crate) fn lines(&self, hardware: &HwInterface) -> Vec<String> {
        let mut lines = Vec::new();
        for RxQueue { id, thread, mode, .. } in self.of(hardware.index) {
            if lines.is_empty() {
                lines.push("RX Queues:".to_owned());
                lines.push(format!("  {:<6}{:<15}{:<10}", "queue", "thread", "mode"));
            }
            let name = thread_name(*thread);
            let thread = format!("{} ({thread})", name.trim_start_matches("vpp_"));
            lines.push(format!("  {:<6}{thread:<15}{:<10}", id.queue, mode.word()));
        }
        lines
    }

    /// How `node` is to run on `thread`: as the most eager of its queues wants.
    pub(crate) fn mode(&self, thread: usize, node: NodeIndex) -> InputMode {
        let own = self
            .iter()
            .filter(|queue| queue.active && (queue.thread, queue.node) == (thread, node));
        own.fold(InputMode::Disabled, |mode, queue| match (mode, queue.mode) {
            (InputMode::Polling, _) | (_, InputMode::Polling) => InputMode::Polling,
            (InputMode::Adaptive, _) | (_, InputMode::Adaptive) => InputMode::Adaptive,
            (InputMode::Interrupt, _) | (_, InputMode::Interrupt) => InputMode::Interrupt,
            _ => InputMode::Disabled,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: NodeIndex = NodeIndex(7);

    #[test]
    fn workers_take_turns_and_a_node_runs_as_its_most_eager_queue_wants() {
        let mut queues = RxQueues::default();
        let new = |fd, mode| NewRxQueue { node: NODE, fd, mode };
        queues.add(HwIfIndex(1), new(Some(3), InputMode::Interrupt), 2);
        queues.add(HwIfIndex(1), new(Some(4), InputMode::Adaptive), 2);
        queues.add(HwIfIndex(2), new(None, InputMode::Interrupt), 2);
        let threads: Vec<_> = queues.iter().map(|q| (q.id.queue, q.thread)).collect();
        assert_eq!(threads, [(0, 1), (1, 2), (0, 1)]);
        // Interfaces are down.
        assert_eq!(queues.mode(1, NODE), InputMode::Disabled);
        queues.of_mut(HwIfIndex(1)).for_each(|queue| queue.active = true);
        assert_eq!(queues.mode(1, NODE), InputMode::Interrupt);
        assert_eq!(queues.mode(2, NODE), InputMode::Adaptive);
        queues.of_mut(HwIfIndex(2)).for_each(|queue| queue.active = true);
        // Nothing tells of packets there.
        assert_eq!(queues.mode(1, NODE), InputMode::Polling);
        assert_eq!(queues.mode(1, NodeIndex(8)), InputMode::Disabled);
        let placement = RxPlacement::new(5, &queues);
        let own: Vec<_> = placement.of(1, NODE).map(|id| id.hw_if_index.0).collect();
        assert_eq!((placement.version(), own), (5, vec![1, 2]));
        queues.remove(HwIfIndex(1));
        assert_eq!(queues.iter().count(), 1);
    }
}
