//! The report of a subject.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
};

use super::subject::{Record, Sent, Stamp};
use crate::ipfix::export::{Output, Report, TemplateFields};

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
    /// Options records told by all subjects of the exporter.
    pub(super) told_by_all: Rc<Cell<u64>>,
}

impl OptionsReport {
    fn tell(&self, record: Record, output: &mut Output<'_>) {
        let Record { template, mut octets } = record;
        if let Some(stamp) = self.stamp {
            // With nothing open, what was sent is all that comes before this record's message.
            output.flush();
            stamp(&sent(output, self.told_by_all.get()), &mut octets);
        }
        let added = output.record(template, octets.len(), |room| room.copy_from_slice(&octets));
        if added.is_ok() {
            self.channel.told.set(self.channel.told.get() + 1);
            self.told_by_all.set(self.told_by_all.get() + 1);
        }
    }
}

/// What the stream of `output` has sent, `options` of its records being options records.
fn sent(output: &Output<'_>, options: u64) -> Sent {
    let counters = output.counters();
    Sent {
        messages: counters.messages,
        octets: counters.octets,
        flow_records: counters.records.saturating_sub(options),
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
            self.tell(record, output);
        }
    }

    fn has_more(&self) -> bool {
        !self.channel.pending.borrow().is_empty()
    }
}
