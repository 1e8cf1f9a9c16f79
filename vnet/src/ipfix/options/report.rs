//! The report of a subject.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
};

use super::subject::{Record, Sent, Stamp};
use crate::ipfix::export::{Counters, Output, Report, TemplateFields};

/// Records of one data callback; what they leave of the buffer pool is for packets.
const RECORDS: usize = 1024;

/// What the report of a subject and the set of subjects share.
#[derive(Default)]
pub(super) struct Channel {
    /// A session has begun, in which nothing was told yet.
    pub(super) fresh: Cell<bool>,
    /// Records on their way.
    pub(super) pending: RefCell<VecDeque<Record>>,
    /// Records that were told.
    pub(super) told: Cell<u64>,
}

/// The report.
pub(super) struct OptionsReport {
    pub(super) templates: Vec<TemplateFields>,
    pub(super) stamp: Option<Stamp>,
    pub(super) channel: Rc<Channel>,
}

impl OptionsReport {
    fn tell(&self, record: &Record, output: &mut Output<'_>) {
        let Record { template, octets } = record;
        let added = match self.stamp {
            None => output.record(*template, octets.len(), |room| room.copy_from_slice(octets)),
            Some(stamp) => output.record_each(*template, octets.len(), |counters, room| {
                room.copy_from_slice(octets);
                stamp(&sent(counters), room);
            }),
        };
        if added.is_ok() {
            self.channel.told.set(self.channel.told.get() + 1);
        }
    }
}

fn sent(counters: &Counters) -> Sent {
    Sent {
        messages: counters.messages,
        octets: counters.octets,
        flow_records: counters.records - counters.options,
    }
}

impl Report for OptionsReport {
    fn template_count(&self) -> usize {
        self.templates.len()
    }

    fn template(&mut self, index: usize) -> TemplateFields {
        self.channel.fresh.set(true);
        // Of the session before; this one is told everything.
        self.channel.pending.borrow_mut().clear();
        self.templates[index].clone()
    }

    fn data(&mut self, output: &mut Output<'_>) {
        for _ in 0..RECORDS {
            let Some(record) = self.channel.pending.borrow_mut().pop_front() else { return };
            self.tell(&record, output);
        }
    }

    fn has_more(&self) -> bool {
        !self.channel.pending.borrow().is_empty()
    }
}
