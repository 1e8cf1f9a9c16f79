//! Flow records on their way from the threads that make them to the exporter.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use super::waiting::{Bounded, Unbounded};
use crate::{
    flow::FlowRecord,
    ipfix::{
        export::{Output, OutputError, Report, TemplateFields},
        profile::{FlowTemplates, Framing},
        template::TemplateId,
    },
    process::Bell,
    runtime::{Clock, EngineTime},
};

/// Records that an outbox holds.
const ROOM: usize = 4096;
/// With this many records the exporter is called.
const RING: usize = ROOM / 2;
/// Records that can wait are not made while more than this wait, so that there is room for what one look at a meter makes of
/// them, and [`RESERVE`] is left.
const ENOUGH: usize = ROOM / 2;
/// Room for records that cannot wait: at least two a packet of a frame on each of a few interfaces.
const RESERVE: usize = ROOM / 4;
/// Records of one data callback: written and sent, they take as long as a frame of packets does, and leave buffers for those.
const RECORDS: usize = 64;
/// The same where an outbox has room for nothing but records that cannot wait.
const MANY_RECORDS: usize = 1024;

/// Records lost on their way, and the packets that they told of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueCounters {
    /// Records handed over to the exporter.
    pub handed_over: u64,
    /// Packets in those.
    pub packets_handed_over: u64,
    /// Records that were made while there was no collector.
    pub without_collector: u64,
    /// Packets in those.
    pub packets_without_collector: u64,
    /// Records for which an outbox had no room or the report no template, or which were left when the report went.
    pub dropped: u64,
    /// Packets in those.
    pub packets_dropped: u64,
    /// IP octets of those packets.
    pub octets_dropped: u64,
}

impl core::ops::AddAssign for QueueCounters {
    fn add_assign(&mut self, other: Self) {
        self.handed_over += other.handed_over;
        self.packets_handed_over += other.packets_handed_over;
        self.without_collector += other.without_collector;
        self.packets_without_collector += other.packets_without_collector;
        self.dropped += other.dropped;
        self.packets_dropped += other.packets_dropped;
        self.octets_dropped += other.octets_dropped;
    }
}

#[derive(Default)]
struct Tally {
    records: AtomicU64,
    packets: AtomicU64,
}

impl Tally {
    fn add(&self, record: &FlowRecord) {
        self.records.fetch_add(1, Ordering::Relaxed);
        self.packets.fetch_add(record.all_packets(), Ordering::Relaxed);
    }

    fn get(&self) -> (u64, u64) {
        (self.records.load(Ordering::Relaxed), self.packets.load(Ordering::Relaxed))
    }
}

/// What the report and all its outboxes share.
#[derive(Default)]
struct Tallies {
    handed_over: Tally,
    without_collector: Tally,
    dropped: Tally,
    octets_dropped: AtomicU64,
}

impl Tallies {
    fn count_dropped(&self, record: &FlowRecord) {
        self.dropped.add(record);
        self.octets_dropped.fetch_add(record.octets, Ordering::Relaxed);
    }
}

/// The records of one thread.
struct Queue {
    records: Bounded,
    /// Engine time since which the oldest of them waits, or an earlier one did that was there with it.
    since: AtomicU64,
}

/// Where the nodes of one thread put the flow records that they make.
pub struct Outbox {
    queue: Arc<Queue>,
    clock: Clock,
    tallies: Arc<Tallies>,
    bell: Bell,
    enabled: Arc<AtomicBool>,
}

impl Outbox {
    /// Hands a record over. Where that is not possible, it is counted as lost.
    #[inline]
    pub fn push(&self, record: &FlowRecord) {
        if !self.enabled.load(Ordering::Relaxed) {
            return self.tallies.without_collector.add(record);
        }
        if !self.queue.records.push(record) {
            return self.tallies.count_dropped(record);
        }
        match self.queue.records.len() {
            1 => self.queue.since.store(self.clock.now().0, Ordering::Relaxed),
            RING => self.bell.ring(),
            _ => (),
        }
    }

    /// Whether records that can wait should be made now: flows that are due may as well stay in their cache.
    #[inline]
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.queue.records.len() <= ENOUGH
    }
}

/// The report of flow records that come from the outboxes of several threads. Clones are the same one: the exporter has one,
/// and the meter's owner keeps another.
#[derive(Clone)]
pub struct FlowQueues(Rc<Inner>);

struct Inner {
    templates: FlowTemplates,
    queues: RefCell<Vec<Arc<Queue>>>,
    /// Records of the main thread, which can wait for as long as it takes.
    backlog: RefCell<Unbounded>,
    tallies: Arc<Tallies>,
    bell: Bell,
    enabled: Arc<AtomicBool>,
    clock: Clock,
    latency: Rc<Cell<Latency>>,
}

/// How long the oldest record of an outbox waited until an exporter took it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// The last time.
    pub last: Duration,
    /// The longest.
    pub max: Duration,
}

impl Latency {
    fn add(&mut self, waited: Duration) {
        self.last = waited;
        self.max = self.max.max(waited);
    }
}

impl FlowQueues {
    pub(super) fn new(
        templates: FlowTemplates,
        bell: Bell,
        enabled: Arc<AtomicBool>,
        clock: Clock,
        latency: Rc<Cell<Latency>>,
    ) -> Self {
        let backlog = RefCell::new(Unbounded::new(templates.has_details()));
        Self(Rc::new(Inner {
            templates,
            queues: RefCell::default(),
            backlog,
            tallies: Arc::default(),
            bell,
            enabled,
            clock,
            latency,
        }))
    }

    /// An outbox for a thread.
    #[must_use]
    pub fn outbox(&self) -> Outbox {
        let records = Bounded::new(ROOM, self.0.templates.has_details());
        let queue = Arc::new(Queue { records, since: AtomicU64::new(0) });
        self.0.queues.borrow_mut().push(queue.clone());
        let Inner { tallies, bell, enabled, clock, .. } = &*self.0;
        let (tallies, bell) = (tallies.clone(), bell.clone());
        Outbox { queue, clock: clock.clone(), tallies, bell, enabled: enabled.clone() }
    }

    /// Hands over a record of those that a meter gives up all at once, behind those of the outboxes. However many there are,
    /// they are sent a little at a time.
    pub fn append(&self, record: &FlowRecord) {
        let Inner { tallies, bell, enabled, backlog, .. } = &*self.0;
        if enabled.load(Ordering::Relaxed) {
            backlog.borrow_mut().push(record);
            bell.ring();
        } else {
            tallies.without_collector.add(record);
        }
    }

    /// Records that wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        let queued = self.0.queues.borrow().iter().map(|queue| queue.records.len()).sum::<usize>();
        queued + self.0.backlog.borrow().len()
    }

    /// What became of the records so far.
    #[must_use]
    pub fn counters(&self) -> QueueCounters {
        let Tallies { handed_over, without_collector, dropped, octets_dropped } = &*self.0.tallies;
        let (handed_over, packets_handed_over) = handed_over.get();
        let (without_collector, packets_without_collector) = without_collector.get();
        let (dropped, packets_dropped) = dropped.get();
        QueueCounters {
            handed_over,
            packets_handed_over,
            without_collector,
            packets_without_collector,
            dropped,
            packets_dropped,
            octets_dropped: octets_dropped.load(Ordering::Relaxed),
        }
    }

    /// How many records to take now.
    fn turn(&self) -> usize {
        let is_pressed = |queue: &Arc<Queue>| queue.records.len() > ROOM - RESERVE;
        let pressed = self.0.queues.borrow().iter().any(is_pressed);
        if pressed { MANY_RECORDS } else { RECORDS }
    }

    /// Notes how long records have waited that are about to be taken.
    fn note_latency(&self) {
        let queues = self.0.queues.borrow();
        let waiting = queues.iter().filter(|queue| queue.records.len() > 0);
        let since = waiting.map(|queue| queue.since.load(Ordering::Relaxed)).min();
        if let Some(since) = since {
            let mut latency = self.0.latency.get();
            latency.add(self.0.clock.now().since(EngineTime(since)));
            self.0.latency.set(latency);
        }
    }

    /// The oldest record of the outboxes, one thread after the other; then of the backlog.
    fn next(&self) -> Option<FlowRecord> {
        let queued = self.0.queues.borrow().iter().find_map(|queue| queue.records.pop());
        queued.or_else(|| self.0.backlog.borrow_mut().pop())
    }
}

impl Report for FlowQueues {
    fn template_count(&self) -> usize {
        self.0.templates.encoders().len()
    }

    fn template(&mut self, index: usize) -> TemplateFields {
        TemplateFields::data(self.0.templates.encoders()[index].fields())
    }

    fn template_id(&self, index: usize) -> Option<TemplateId> {
        self.0.templates.id(index)
    }

    fn framing(&self) -> Framing {
        self.0.templates.framing()
    }

    fn data(&mut self, output: &mut Output<'_>) {
        self.note_latency();
        for _ in 0..self.turn() {
            // After a failure the rest waits: it may be gone by the time of the next pass.
            if output.is_held_up() {
                return;
            }
            let Some(record) = self.next() else { return };
            match output.flow(&self.0.templates, &record) {
                // A record too long for any message is counted by the stream, as not sent.
                Ok(()) | Err(OutputError::Pack(_) | OutputError::Length { .. }) => {
                    self.0.tallies.handed_over.add(&record);
                }
                Err(OutputError::NoTemplate) => self.0.tallies.count_dropped(&record),
            }
        }
    }

    fn has_more(&self) -> bool {
        self.waiting() > 0
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        for queue in self.queues.take() {
            while let Some(record) = queue.records.pop() {
                self.tallies.count_dropped(&record);
            }
        }
        while let Some(record) = self.backlog.get_mut().pop() {
            self.tallies.count_dropped(&record);
        }
    }
}
