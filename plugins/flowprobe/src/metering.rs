//! Meterings: a meter on every thread and a report, for each setting of a variant that is in use.

use std::collections::BTreeMap;

use vnet::{
    flow::{Counters, FlowRecord, Scope, Unmeasured},
    interface::SwIfIndex,
    ipfix::{
        engine::{ExporterId, FlowQueues, QueueCounters},
        export::{ReportId, ReportKey},
        options::Ignored,
    },
    runtime::Main,
};

use crate::{
    FlowProbe, ProbeError,
    point::{Point, ThreadMeter},
    recording::Recording,
    setting::Setting,
    variant::Variant,
};

/// Tells the meterings of an engine apart: one that goes may still have something to say when the next one comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MeteringId(u64);

impl MeteringId {
    /// The one after another one.
    pub(crate) const fn after(last: Option<Self>) -> Self {
        match last {
            None => Self(0),
            Some(Self(last)) => Self(last + 1),
        }
    }
}

/// What the main thread has of a metering.
pub(crate) struct Metering {
    pub(crate) id: MeteringId,
    pub(crate) setting: Setting,
    /// Flows that each table holds.
    pub(crate) room: usize,
    report: ReportId,
    records: Records,
    /// Whether both interfaces tell flows apart.
    tells_interfaces: bool,
}

/// Records on their way to an exporter.
struct Records {
    exporter: ExporterId,
    queues: FlowQueues,
}

/// The meterings of a variant.
#[derive(Default)]
pub(crate) struct Meterings {
    pub(crate) now: Vec<Metering>,
    /// Reports that went, and may still have something to say.
    retired: Vec<Records>,
    /// What became of the records of those that have said everything, by exporter.
    settled: BTreeMap<ExporterId, QueueCounters>,
    /// Packets with headers that could not be read, of meters that are gone.
    unreadable: Ignored,
}

impl Meterings {
    pub(crate) fn get(&self, id: MeteringId) -> Option<&Metering> {
        self.now.iter().find(|metering| metering.id == id)
    }

    pub(crate) fn of_setting(&self, setting: &Setting) -> Option<MeteringId> {
        self.now.iter().find(|metering| metering.setting == *setting).map(|metering| metering.id)
    }

    /// What became of all records, and how many wait.
    pub(crate) fn counters(&self) -> (QueueCounters, usize) {
        let mut sum = QueueCounters::default();
        self.settled.values().for_each(|settled| sum += *settled);
        self.records().for_each(|records| sum += records.queues.counters());
        (sum, self.records().map(|records| records.queues.waiting()).sum())
    }

    /// What became of those that were for one exporter.
    pub(crate) fn counters_for(&self, exporter: ExporterId) -> QueueCounters {
        let mut sum = self.settled.get(&exporter).copied().unwrap_or_default();
        let of_exporter = self.records().filter(|records| records.exporter == exporter);
        of_exporter.for_each(|records| sum += records.queues.counters());
        sum
    }

    fn records(&self) -> impl Iterator<Item = &Records> {
        self.now.iter().map(|metering| &metering.records).chain(&self.retired)
    }

    /// Keeps of reports that have said everything only their counts.
    fn settle(&mut self) {
        let settled = &mut self.settled;
        self.retired.retain(|Records { exporter, queues }| {
            let waits = queues.waiting() > 0;
            if !waits {
                *settled.entry(*exporter).or_default() += queues.counters();
            }
            waits
        });
    }
}

/// Packets with headers that a meter could not read, so that nobody knows whether they are IP.
fn unreadable(counters: &Counters) -> Ignored {
    let reasons = [Unmeasured::TruncatedLink, Unmeasured::TruncatedIp, Unmeasured::BadIpHeader];
    let mut sum = Ignored::default();
    for reason in reasons {
        sum += Ignored {
            packets: counters.unmeasured(reason),
            octets: counters.unmeasured_octets(reason),
        };
    }
    sum
}

impl FlowProbe {
    /// Begins to measure as a setting says, and nothing yet.
    pub(crate) fn start(
        &self,
        main: &mut Main,
        variant: Variant,
        setting: Setting,
    ) -> Result<MeteringId, ProbeError> {
        let mut state = self.state();
        let recording = Recording::new(&setting, state.cache, variant)?;
        let queues = state.exporter.flow_queues(recording.templates.clone());
        let id = MeteringId::after(state.last);
        let mut made = Vec::new();
        main.for_each_local(self.point(variant), |_| {
            made.push(ThreadMeter::new(id, &recording, &queues));
        });
        let made = made.into_iter().collect::<Result<Vec<_>, _>>()?;
        let key = ReportKey { name: variant.report(), opaque: id.0 };
        let stream = state.exporter.stream();
        let report = state.exporter.add_report(key, stream, Box::new(queues.clone()))?;
        let mut made = made.into_iter();
        main.for_each_local(self.point(variant), |place| {
            made.by_ref().take(1).for_each(|meter| Point::add(place, meter));
        });
        let tells_interfaces = recording.tells_interfaces();
        let records = Records { exporter: state.exporter.id(), queues };
        let room = recording.config.max_flows;
        state.last = Some(id);
        let metering = Metering { id, setting, room, report, records, tells_interfaces };
        state.meterings[variant as usize].now.push(metering);
        Ok(id)
    }

    /// Takes meters and report away, after the records of all flows; what waits is sent.
    pub(crate) fn stop(&self, main: &mut Main, variant: Variant, id: MeteringId) {
        self.flush_metering(main, variant, id, Scope::All);
        let mut state = self.state();
        let state = &mut *state;
        let meterings = &mut state.meterings[variant as usize];
        main.for_each_local(self.point(variant), |place| {
            if let Some(of) = place.as_mut().and_then(|point| point.find_mut(id)) {
                meterings.unreadable += unreadable(of.meter.counters());
            }
            Point::remove(place, id);
        });
        let at = meterings.now.iter().position(|metering| metering.id == id);
        if let Some(Metering { report, records, .. }) = at.map(|at| meterings.now.remove(at)) {
            state.exporter.retire_report(report);
            meterings.retired.push(records);
            meterings.settle();
        }
    }

    /// Has flows of a metering end after other times. Those that are held end first, so that no record is of two settings.
    pub(crate) fn retime(&self, main: &mut Main, variant: Variant, id: MeteringId, to: Setting) {
        self.flush_metering(main, variant, id, Scope::All);
        main.for_each_local(self.point(variant), |place| {
            if let Some(of) = place.as_mut().and_then(|point| point.find_mut(id)) {
                of.meter.set_timers(to.timers.active(), to.timers.passive());
            }
        });
        let meterings = &mut self.state().meterings[variant as usize];
        if let Some(metering) = meterings.now.iter_mut().find(|metering| metering.id == id) {
            metering.setting = to;
        }
    }

    /// Makes records of flows of a variant.
    pub(crate) fn flush_variant(&self, main: &mut Main, variant: Variant, scope: Scope) {
        let now = &self.look().meterings[variant as usize].now;
        let ids: Vec<MeteringId> = now.iter().map(|metering| metering.id).collect();
        for id in ids {
            self.flush_metering(main, variant, id, scope);
        }
    }

    /// Makes records of flows of a metering: of all of them where a flow can have packets of several interfaces.
    pub(crate) fn flush_metering(
        &self,
        main: &mut Main,
        variant: Variant,
        id: MeteringId,
        scope: Scope,
    ) {
        let state = self.look();
        let Some(metering) = state.meterings[variant as usize].get(id) else { return };
        let scope = if metering.tells_interfaces { scope } else { Scope::All };
        let now = main.clock().wall();
        main.for_each_local(self.point(variant), |place| {
            if let Some(of) = place.as_mut().and_then(|point| point.find_mut(id)) {
                of.meter.advance(now);
                of.meter.flush(scope, &mut |record: &FlowRecord| {
                    metering.records.queues.append(record);
                });
            }
        });
    }

    /// Tells the threads which meter measures which interface.
    pub(crate) fn assign(&self, main: &mut Main, variant: Variant) {
        let state = self.look();
        let of_variant = state.enabled.iter().filter(|((_, other), _)| *other == variant);
        let assigned: Vec<(SwIfIndex, MeteringId)> =
            of_variant.map(|(&(interface, _), measured)| (interface, measured.metering)).collect();
        main.for_each_local(self.point(variant), |place| {
            if let Some(point) = place {
                point.assign(&assigned);
            }
        });
    }

    /// Packets with headers that the meters of a variant could not read.
    pub(crate) fn unreadable(&self, main: &mut Main, variant: Variant) -> Ignored {
        let mut sum = self.look().meterings[variant as usize].unreadable;
        main.for_each_local(self.point(variant), |place| {
            let meters = place.iter().flat_map(Point::meters);
            meters.for_each(|of| sum += unreadable(of.meter.counters()));
        });
        sum
    }
}
