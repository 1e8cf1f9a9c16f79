//! Flow records that wait, as small as they can be.

use std::collections::VecDeque;

use crossbeam_queue::ArrayQueue;

use crate::flow::{Brief, FlowRecord};

/// A bounded queue between threads.
pub(super) enum Bounded {
    /// Of records that have no details.
    Brief(ArrayQueue<Brief>),
    /// Of any.
    Whole(ArrayQueue<FlowRecord>),
}

impl Bounded {
    pub(super) fn new(room: usize, has_details: bool) -> Self {
        if has_details {
            Self::Whole(ArrayQueue::new(room))
        } else {
            Self::Brief(ArrayQueue::new(room))
        }
    }

    /// Whether there was room.
    #[inline]
    pub(super) fn push(&self, record: &FlowRecord) -> bool {
        match self {
            Self::Brief(queue) => queue.push(record.into()).is_ok(),
            Self::Whole(queue) => queue.push(*record).is_ok(),
        }
    }

    #[inline]
    pub(super) fn pop(&self) -> Option<FlowRecord> {
        match self {
            Self::Brief(queue) => queue.pop().map(FlowRecord::from),
            Self::Whole(queue) => queue.pop(),
        }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Brief(queue) => queue.len(),
            Self::Whole(queue) => queue.len(),
        }
    }
}

/// An unbounded queue of one thread.
pub(super) enum Unbounded {
    /// Of records that have no details.
    Brief(VecDeque<Brief>),
    /// Of any.
    Whole(VecDeque<FlowRecord>),
}

impl Unbounded {
    pub(super) fn new(has_details: bool) -> Self {
        if has_details { Self::Whole(VecDeque::new()) } else { Self::Brief(VecDeque::new()) }
    }

    pub(super) fn push(&mut self, record: &FlowRecord) {
        match self {
            Self::Brief(queue) => queue.push_back(record.into()),
            Self::Whole(queue) => queue.push_back(*record),
        }
    }

    /// The oldest. What an empty queue had reserved is given back: it may have been all of a large cache.
    pub(super) fn pop(&mut self) -> Option<FlowRecord> {
        let record = match self {
            Self::Brief(queue) => queue.pop_front().map(FlowRecord::from),
            Self::Whole(queue) => queue.pop_front(),
        };
        if record.is_some() && self.len() == 0 {
            *self = Self::new(matches!(self, Self::Whole(_)));
        }
        record
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Brief(queue) => queue.len(),
            Self::Whole(queue) => queue.len(),
        }
    }
}
