//! From what comes back to the command that waits for it.

use std::{
    cell::Cell,
    net::IpAddr,
    rc::Rc,
    sync::{Arc, Weak},
};

use crossbeam_queue::ArrayQueue;
use vnet::{
    plugin::Registrar,
    process::Bell,
    runtime::{Dispatching, EngineTime, Main, Shared},
};

/// Answers that wait for a command; it looks after each round.
const ROOM: usize = 256;

/// What came back to a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// Who answered.
    pub(super) from: IpAddr,
    /// ICMP type and code.
    pub(super) kind: u8,
    pub(super) code: u8,
    /// Of an answer that says what would pass: octets.
    pub(super) mtu: u16,
    /// The probe's.
    pub(super) sequence: u16,
    /// TTL or hop limit with which it came.
    pub(super) ttl: u8,
    /// Octets of the message.
    pub(super) octets: usize,
    pub(super) at: EngineTime,
}

/// What came back to the probes of one command.
pub(super) struct Mailbox {
    answers: ArrayQueue<Answer>,
    bell: Bell,
}

impl Mailbox {
    /// Leaves an answer; whether there was room.
    pub(super) fn put(&self, answer: Answer) -> bool {
        let has_room = self.answers.push(answer).is_ok();
        self.bell.ring();
        has_room
    }

    /// Waits for the next answer.
    pub(super) async fn next(&self) -> Answer {
        loop {
            match self.answers.pop() {
                Some(answer) => return answer,
                None => self.bell.wait().await,
            }
        }
    }
}

/// The mailboxes of the commands that run, by the identifier of their probes.
#[derive(Clone)]
pub(super) struct Open(Shared<Vec<(u16, Weak<Mailbox>)>>);

impl Open {
    /// The mailbox for probes with an identifier, if anybody still waits.
    pub(super) fn find(&self, token: Dispatching<'_>, identifier: u16) -> Option<Arc<Mailbox>> {
        let open = self.0.read(token);
        open.iter().find(|(id, _)| *id == identifier).and_then(|(_, mailbox)| mailbox.upgrade())
    }
}

/// Where commands get theirs.
#[derive(Clone)]
pub(super) struct Mailboxes {
    open: Open,
    next: Rc<Cell<u16>>,
}

impl Mailboxes {
    pub(super) fn new(r: &Registrar) -> Self {
        Self { open: Open(r.shared(Vec::new())), next: Rc::default() }
    }

    pub(super) fn open(&self) -> Open {
        self.open.clone()
    }

    /// How many are held.
    pub(super) fn len(&self, main: &Main) -> usize {
        let open = self.open.0.view(main.held());
        open.iter().filter(|(_, mailbox)| mailbox.strong_count() > 0).count()
    }

    /// A mailbox and the identifier of probes whose answers come into it, as long as it is held.
    pub(super) fn add(&self, main: &mut Main) -> (u16, Arc<Mailbox>) {
        let identifier = self.next.get().wrapping_add(1);
        self.next.set(identifier);
        let mailbox = Arc::new(Mailbox { answers: ArrayQueue::new(ROOM), bell: Bell::new() });
        let open = self.open.0.write(main.held_mut());
        open.retain(|(id, mailbox)| *id != identifier && mailbox.strong_count() > 0);
        open.push((identifier, Arc::downgrade(&mailbox)));
        (identifier, mailbox)
    }
}
