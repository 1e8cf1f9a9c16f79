//! The meters of an exporter, one on every thread, and a report for each observation domain of its records.

use std::sync::Arc;

use vnet::{
    action::ActionId,
    flow::{Config, Counters, Families, FlowRecord, Meter, Pages, RecordSet, Switch, sample::Gaps},
    graph::{Gate, Gates},
    ipfix::{
        engine::{FlowQueues, Ipfix, QueueCounters},
        export::{AddReportError, ReportId, ReportKey},
    },
    runtime::{Local, Main},
};

use crate::{
    IpfixBridgeError, Profile,
    bridge::Seeds,
    options::Cache,
    point::{LocalPoint, MAX_EXPORTERS, MeteringId, Moment, ThreadMeter, domain_of},
    room::{Room, reserved},
};

/// What meters are made for, and made anew for otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) profile: Profile,
    pub(crate) tunnels: bool,
    pub(crate) end_of_flow: bool,
    pub(crate) ip_length: bool,
    /// Whether packets are measured by which links are watched.
    pub(crate) bfd: bool,
    /// For how many flows there is room.
    room: usize,
}

impl Kind {
    /// As this says; whether records tell of tunnels, and of packets by which links are watched.
    pub(crate) fn of(cache: &Cache, tunnels: bool, bfd: bool) -> Self {
        let Cache { profile, end_of_flow, ip_length, max_flows, .. } = *cache;
        Self { profile, tunnels, end_of_flow, ip_length, bfd, room: reserved(max_flows) }
    }
}

/// What the main thread has of the meters.
pub(crate) struct Metering {
    pub(crate) id: MeteringId,
    pub(crate) kind: Kind,
    room: Arc<Room>,
    places: Places,
    ipfix: Ipfix,
    reports: Vec<DomainReport>,
    past: Past,
}

/// Where threads have what is measured.
#[derive(Clone, Copy)]
pub(crate) struct Places {
    pub(crate) point: LocalPoint,
    pub(crate) gates: Local<Gates>,
    /// The gates of frames that come and of those that leave, of bridge domains.
    pub(crate) own: Option<[Gate; 2]>,
}

/// What was counted by meters that are gone, and what became of records of reports that are.
#[derive(Default)]
pub(crate) struct Past {
    metered: Counters,
    observed: [u64; 2],
    queues: Vec<FlowQueues>,
    settled: QueueCounters,
}

impl Past {
    /// What became of records, and how many wait.
    pub(crate) fn records(&self) -> (QueueCounters, usize) {
        let mut sum = self.settled;
        self.queues.iter().for_each(|queues| sum += queues.counters());
        (sum, self.queues.iter().map(FlowQueues::waiting).sum())
    }

    /// What was counted; frames that were looked at, by direction.
    pub(crate) fn counters(&self) -> (Counters, [u64; 2]) {
        (self.metered, self.observed)
    }

    /// Keeps of reports that have said everything only their counts.
    fn settle(&mut self) {
        let Self { queues, settled, .. } = self;
        queues.retain(|queues| {
            let waits = queues.waiting() > 0;
            if !waits {
                *settled += queues.counters();
            }
            waits
        });
    }
}

/// The records of one observation domain.
struct DomainReport {
    domain: u32,
    report: ReportId,
    queues: FlowQueues,
}

/// Hands a record over that the main thread made.
fn append<'r>(reports: impl IntoIterator<Item = &'r DomainReport>, record: &FlowRecord) {
    let domain = domain_of(record);
    if let Some(to) = reports.into_iter().find(|to| to.domain == domain) {
        to.queues.append(record);
    }
}

impl Metering {
    /// Begins to measure, and nothing yet.
    pub(crate) fn start(
        main: &mut Main,
        places: Places,
        ipfix: &Ipfix,
        id: MeteringId,
        kind: Kind,
        cache: &Cache,
        past: &mut Past,
    ) -> Result<Self, IpfixBridgeError> {
        let point = places.point;
        let gates = places.own.unwrap_or([Gate(ActionId::NONE); 2]);
        let most_flows = cache.max_flows as usize;
        let Kind { tunnels, end_of_flow: connections, ip_length: trims, bfd, room, .. } = kind;
        let config = Config {
            switch: Some(Switch { most_flows, tunnels, connections, trims, bfd }),
            active: cache.active(),
            passive: cache.idle(),
            max_flows: room,
            pages: Pages::Settling,
            ..Config::new(Families::all(), RecordSet::all())
        };
        let (mut made, mut is_full) = (Vec::new(), false);
        main.for_each_local(point, |local| {
            is_full |= local.meters.len() >= MAX_EXPORTERS;
            made.push(Meter::new(&config));
        });
        if is_full {
            return Err(IpfixBridgeError::TooMany);
        }
        let made = made.into_iter().collect::<Result<Vec<_>, _>>()?;
        let room = Room::new(made.len(), cache.max_flows);
        let mut made = made.into_iter().enumerate();
        main.for_each_local(point, |local| {
            local.meters.extend(made.next().map(|(thread, meter)| ThreadMeter {
                of: id,
                meter,
                share: room.share(thread),
                outboxes: Vec::new(),
                gates,
                observed: [0; 2],
            }));
        });
        let ipfix = ipfix.clone();
        let past = core::mem::take(past);
        Ok(Self { id, kind, room, places, ipfix, reports: Vec::new(), past })
    }

    /// Has records of this observation domain sent, if they are not yet.
    pub(crate) fn open_domain(
        &mut self,
        main: &mut Main,
        name: &'static str,
        domain: u32,
    ) -> Result<(), AddReportError> {
        if self.reports.iter().any(|report| report.domain == domain) {
            return Ok(());
        }
        let queues = self.ipfix.flow_queues(self.kind.profile.templates());
        let opaque = u64::from(self.id.0) << 32 | u64::from(domain);
        let key = ReportKey { name, opaque };
        let stream = self.ipfix.stream_of(domain);
        let report = self.ipfix.add_report(key, stream, Box::new(queues.clone()))?;
        let id = self.id;
        main.for_each_local(self.places.point, |local| {
            if let Some(to) = local.find_mut(id) {
                to.outboxes.push((domain, queues.outbox()));
            }
        });
        self.reports.push(DomainReport { domain, report, queues });
        Ok(())
    }

    /// Has no more records sent of domains but these. Records of their flows are made first.
    pub(crate) fn keep_domains(&mut self, main: &mut Main, domains: &[u32]) {
        let (stay, go): (Vec<_>, Vec<_>) =
            self.reports.drain(..).partition(|report| domains.contains(&report.domain));
        self.reports = stay;
        if go.is_empty() {
            return;
        }
        let moment = Moment::of(main);
        let id = self.id;
        main.for_each_local(self.places.point, |local| {
            let Some(to) = local.find_mut(id) else { return };
            // Flows do not know to whom they go: all end.
            to.flush(moment, &mut |record: &FlowRecord| {
                append(self.reports.iter().chain(&go), record);
            });
            to.outboxes.retain(|(domain, _)| domains.contains(domain));
        });
        for DomainReport { report, queues, .. } in go {
            self.ipfix.retire_report(report);
            self.past.queues.push(queues);
        }
        self.past.settle();
    }

    /// Ends all flows, with the reason that they were forced to.
    pub(crate) fn flush(&self, main: &mut Main) {
        let (moment, id) = (Moment::of(main), self.id);
        main.for_each_local(self.places.point, |local| {
            if let Some(to) = local.find_mut(id) {
                to.flush(moment, &mut |record: &FlowRecord| append(&self.reports, record));
            }
        });
    }

    /// Holds flows as this says from now on, and ends what is too much.
    pub(crate) fn set_aging(&self, main: &mut Main, cache: &Cache) {
        self.room.set(cache.max_flows);
        let (moment, id) = (Moment::of(main), self.id);
        main.for_each_local(self.places.point, |local| {
            let Some(ThreadMeter { meter, share, .. }) = local.find_mut(id) else { return };
            meter.set_aging(share.most(), cache.active(), cache.idle());
            meter.advance(moment.metered());
            let sink = &mut |record: &FlowRecord| append(&self.reports, &moment.date(record));
            while meter.sweep(64, sink) {}
            share.tell(meter.live_flows());
        });
    }

    /// Lets no frame pass unseen any more, and forgets those that have.
    fn close_gates(&self, main: &mut Main) {
        for gate in self.places.own.into_iter().flatten() {
            main.for_each_local(self.places.gates, |gates| gates.of_mut(gate).begin(None));
        }
    }

    /// Measures each frame with the probability `p` from now on, or all.
    pub(crate) fn set_gaps(&mut self, main: &mut Main, p: f64, seeds: &mut Seeds) {
        let all = p >= 1.0;
        for (side, gate) in self.places.own.into_iter().flatten().enumerate() {
            let observed = &mut self.past.observed[side];
            main.for_each_local(self.places.gates, |gates| {
                let countdown = gates.of_mut(gate);
                *observed += countdown.passed();
                countdown.begin((!all).then(|| Gaps::new(p, seeds.next())));
            });
        }
    }

    /// Has collectors told the templates again.
    pub(crate) fn repeat_templates(&self, main: &mut Main) {
        for report in &self.reports {
            self.ipfix.repeat_templates(main, report.report);
        }
    }

    /// Ends all flows, sends their records, and takes the meters away. What was counted stays.
    pub(crate) fn stop(mut self, main: &mut Main) -> Past {
        self.keep_domains(main, &[]);
        let (metered, _, observed) = self.counters(main);
        self.close_gates(main);
        (self.past.metered, self.past.observed) = (metered, observed);
        let id = self.id;
        main.for_each_local(self.places.point, |local| {
            if let Some(at) = local.meters.iter().position(|meter| meter.of == id) {
                local.meters.remove(at);
                // Ports are told anew who they belong to.
                local.ports.clear();
            }
        });
        self.past
    }

    /// What became of its records, and how many wait.
    pub(crate) fn records(&self) -> (QueueCounters, usize) {
        let (mut sum, mut waiting) = self.past.records();
        for DomainReport { queues, .. } in &self.reports {
            sum += queues.counters();
            waiting += queues.waiting();
        }
        (sum, waiting)
    }

    /// What the meters have counted; the flows that they hold; frames that they were asked about, by direction.
    pub(crate) fn counters(&self, main: &mut Main) -> (Counters, usize, [u64; 2]) {
        let Past { metered: mut sum, mut observed, .. } = self.past;
        let mut flows = 0;
        let id = self.id;
        main.for_each_local(self.places.point, |local| {
            if let Some(of) = local.find_mut(id) {
                sum += *of.meter.counters();
                flows += of.meter.live_flows();
                observed.iter_mut().zip(of.observed).for_each(|(sum, more)| *sum += more);
            }
        });
        let own = self.places.own.into_iter().flatten();
        for (gate, observed) in own.zip(&mut observed) {
            main.for_each_local(self.places.gates, |gates| {
                *observed += gates.of_mut(gate).passed();
            });
        }
        (sum, flows, observed)
    }

    /// The domains of which records are sent.
    pub(crate) fn domains(&self) -> Vec<u32> {
        self.reports.iter().map(|report| report.domain).collect()
    }
}

impl Moment {
    /// Now, for the main thread.
    pub(crate) fn of(main: &Main) -> Self {
        Self { engine: main.clock().now(), wall: main.clock().wall() }
    }
}
