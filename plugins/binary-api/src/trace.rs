//! What was said, for `api trace`.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
};

use vnet::api::FRAME_HEADER;

/// Messages that are kept unless told otherwise.
const MESSAGES: usize = 256 << 10;
/// Octets of messages that are kept.
const OCTETS: usize = 64 << 20;

/// Which way a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From a client.
    Received,
    /// To a client.
    Sent,
}

/// A message that went by.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    pub(crate) direction: Direction,
    pub(crate) client: u32,
    /// From its number on.
    pub(crate) message: Box<[u8]>,
}

/// The messages that went by last, while somebody wants to know.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    on: Cell<bool>,
    all: RefCell<VecDeque<Recorded>>,
    octets: Cell<usize>,
    lost: Cell<u64>,
}

impl Trace {
    /// Begins or ends to record.
    pub(crate) fn switch(&self, on: bool) {
        self.on.set(on);
    }

    /// Whether it records.
    pub(crate) fn is_on(&self) -> bool {
        self.on.get()
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        self.all.borrow_mut().clear();
        self.octets.set(0);
        self.lost.set(0);
    }

    /// What there is, the oldest first.
    pub(crate) fn recorded(&self) -> Vec<Recorded> {
        self.all.borrow().iter().cloned().collect()
    }

    /// Messages that gave way to newer ones.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.get()
    }

    /// Records a message.
    pub(crate) fn record(&self, direction: Direction, client: u32, message: &[u8]) {
        if !self.is_on() {
            return;
        }
        let mut all = self.all.borrow_mut();
        all.push_back(Recorded { direction, client, message: message.into() });
        self.octets.set(self.octets.get() + message.len());
        while all.len() > MESSAGES || self.octets.get() > OCTETS {
            let Some(oldest) = all.pop_front() else { break };
            self.octets.set(self.octets.get() - oldest.message.len());
            self.lost.set(self.lost.get() + 1);
        }
    }

    /// Records all messages of `octets`, frames and all.
    pub(crate) fn record_sent(&self, client: u32, mut octets: &[u8]) {
        while self.is_on() && octets.len() >= FRAME_HEADER {
            let (header, rest) = octets.split_at(FRAME_HEADER);
            let length =
                header[8..12].iter().fold(0, |length, octet| length << 8 | usize::from(*octet));
            let Some((message, rest)) = rest.split_at_checked(length) else { return };
            self.record(Direction::Sent, client, message);
            octets = rest;
        }
    }
}
