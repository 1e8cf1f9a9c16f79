//! The reliable transports of an engine, by number.

use std::{collections::BTreeMap, io, time::Duration};

use crate::{
    ipfix::{
        export::{Destination, Outgoing, ReliableId, SendError},
        reliable::{Item, Limits, Phase, Sender, Status, Target},
        template::Template,
    },
    process::Bell,
    runtime::Clock,
};

/// The transports.
pub(super) struct Reliables {
    senders: BTreeMap<ReliableId, Sender>,
    /// Those that end.
    ending: Vec<Sender>,
    next: u32,
    bell: Bell,
    /// Messages and data records that ended transports were left with.
    lost: (u64, u64),
}

impl Reliables {
    pub(super) fn new(bell: Bell) -> Self {
        Self { senders: BTreeMap::new(), ending: Vec::new(), next: 0, bell, lost: (0, 0) }
    }

    pub(super) fn open(
        &mut self,
        target: Target,
        limits: &Limits,
        clock: Clock,
    ) -> io::Result<ReliableId> {
        let sender = Sender::new(target, limits, clock, self.bell.clone())?;
        let id = ReliableId(self.next);
        self.next += 1;
        self.senders.insert(id, sender);
        Ok(id)
    }

    /// Ends a transport, which goes on for a moment for what still waits.
    pub(super) fn close(&mut self, id: ReliableId) {
        if let Some(sender) = self.senders.remove(&id) {
            sender.end();
            self.ending.push(sender);
        }
    }

    pub(super) fn message(
        &mut self,
        to: ReliableId,
        message: Outgoing<'_>,
    ) -> Result<(), SendError> {
        let item = Item::Message {
            domain: message.stream.domain,
            records: message.draft.records(),
            advance: message.advance,
            keeps_time: message.keeps_time,
            octets: message.message.into(),
        };
        let sender = self.senders.get(&to).ok_or(SendError::NoTransport)?;
        sender.push(item).map_err(|_| SendError::QueueFull)
    }

    pub(super) fn announce(&mut self, to: ReliableId, domain: u32, template: &Template) {
        self.push(to, Item::Template { domain, template: template.clone() });
    }

    pub(super) fn withdraw(&mut self, to: ReliableId, domain: u32, template: &Template) {
        self.push(to, Item::Withdrawal { domain, template: template.clone() });
    }

    pub(super) fn is_reachable(&self, id: ReliableId) -> bool {
        self.senders.get(&id).is_some_and(|sender| sender.status().phase != Phase::Down)
    }

    pub(super) fn status(&self, id: ReliableId) -> Option<Status> {
        Some(self.senders.get(&id)?.status())
    }

    /// Sessions that were begun anew with those of `destinations` that are reliable: the first one of each gets all that was
    /// handed over since there is that destination.
    pub(super) fn sessions<'d>(&self, destinations: impl Iterator<Item = &'d Destination>) -> u64 {
        let status = |destination: &Destination| match destination {
            Destination::Reliable(id) => self.status(*id),
            Destination::Udp(_) => None,
        };
        destinations.filter_map(status).map(|status| status.sessions.saturating_sub(1)).sum()
    }

    pub(super) fn undelivered(&self, id: ReliableId) -> u64 {
        self.status(id).map_or(0, |status| status.queued + status.in_flight)
    }

    /// Why what is undelivered is.
    pub(super) fn last_error(&self, id: ReliableId) -> Option<String> {
        self.status(id).filter(|status| status.queued + status.in_flight > 0)?.last_error
    }

    /// Waits until everything is delivered, as far as that is so within `patience`; for another thread.
    pub(super) fn waiter(&self) -> Option<impl FnOnce(Duration) + Send + use<>> {
        let waiters: Vec<_> = self.senders.values().map(Sender::waiter).collect();
        (!waiters.is_empty()).then_some(move |patience| {
            let end = std::time::Instant::now() + patience;
            for wait in waiters {
                wait(end.saturating_duration_since(std::time::Instant::now()));
            }
        })
    }

    /// Messages and data records that were accepted and are lost.
    pub(super) fn lost(&mut self) -> (u64, u64) {
        let (over, going): (Vec<_>, Vec<_>) = self.ending.drain(..).partition(Sender::is_finished);
        self.ending = going;
        for sender in over {
            let lost = sender.join().lost;
            self.lost = (self.lost.0 + lost.messages, self.lost.1 + lost.records);
        }
        self.senders
            .values()
            .map(|sender| sender.status().lost)
            .fold(self.lost, |(messages, records), lost| {
                (messages + lost.messages, records + lost.records)
            })
    }

    fn push(&self, to: ReliableId, item: Item) {
        if let Some(sender) = self.senders.get(&to) {
            let pushed = sender.push(item);
            debug_assert!(pushed.is_ok(), "there is always room for what is no message");
        }
    }
}
