//! What a thread has: a meter for each exporter, and what is known of each interface.

use core::ops::Range;

use vnet::{
    buffer::Buffer,
    flow::{Context, Direction, FlowRecord, Meter, Observed, Scope, sample::Selection},
    graph::{Gate, Gates},
    interface::SwIfIndex,
    ipfix::engine::Outbox,
    runtime::{EngineTime, Local, PacketTime},
    tunnel::SourcePorts,
};

use crate::{room::Share, sample::ThreadSample};

/// Most exporters that there can be at a time.
pub(crate) const MAX_EXPORTERS: usize = 254;

/// A thread's point.
pub(crate) type LocalPoint = Local<Point>;

/// Tells exporters apart, those that are gone included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct MeteringId(pub(crate) u32);

/// A thread's share of an exporter.
pub(crate) struct ThreadMeter {
    pub(crate) of: MeteringId,
    pub(crate) meter: Meter,
    pub(crate) share: Share,
    /// By observation domain.
    pub(crate) outboxes: Vec<(u32, Outbox)>,
    /// Which frames are measured of those that come, and of those that leave.
    pub(crate) gates: [Gate; 2],
    /// Frames that came, and that left, but for those of which some are measured.
    pub(crate) observed: [u64; 2],
}

/// What a port of a bridge domain is to its exporter.
#[derive(Clone, Copy)]
pub(crate) struct Port {
    /// Position of the meter.
    pub(crate) meter: u8,
    /// What is known of frames that come, and of those that leave.
    pub(crate) contexts: [Context; 2],
    /// Where it is the end of a tunnel whose datagrams have source ports.
    pub(crate) source_ports: Option<SourcePorts>,
}

impl Port {
    /// The source port of the datagram in which a frame came, or in which it will leave; 0 for none.
    #[inline(always)]
    pub(crate) fn outer_port(&self, buffer: &Buffer, direction: Direction) -> u16 {
        match (self.source_ports, direction) {
            (None, _) => 0,
            (Some(ports), Direction::Ingress) => ports.received(buffer).unwrap_or(0),
            (Some(ports), Direction::Egress) => ports.sent(buffer),
        }
    }
}

/// The meters of a thread, and the ports of the bridge domains that are measured, by interface.
#[derive(Default)]
pub(crate) struct Point {
    pub(crate) meters: Vec<ThreadMeter>,
    pub(crate) ports: Vec<Option<Port>>,
    /// What rules sample, by number.
    pub(crate) samples: Vec<Option<ThreadSample>>,
}

/// No meter.
pub(crate) const NOBODY: u8 = u8::MAX;

impl Point {
    /// Position of the meter of an interface.
    #[inline(always)]
    pub(crate) fn meter_of(&self, interface: SwIfIndex) -> u8 {
        match self.ports.get(interface.0 as usize) {
            Some(Some(port)) => port.meter,
            _ => NOBODY,
        }
    }

    /// The meter of an exporter.
    pub(crate) fn find_mut(&mut self, of: MeteringId) -> Option<&mut ThreadMeter> {
        self.meters.iter_mut().find(|meter| meter.of == of)
    }
}

/// Two times of the same moment: flows are measured by a clock that nobody sets, and records tell of the one that has the date.
#[derive(Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) engine: EngineTime,
    pub(crate) wall: PacketTime,
}

impl Moment {
    /// As packets have it that are shown to meters.
    pub(crate) const fn metered(self) -> PacketTime {
        PacketTime(self.engine.0)
    }

    /// The date of a time by the meter.
    const fn dated(self, time: PacketTime) -> PacketTime {
        PacketTime(self.wall.0.saturating_sub(self.engine.0.saturating_sub(time.0)))
    }

    /// A record of the meter as others see it.
    pub(crate) fn date(self, record: &FlowRecord) -> FlowRecord {
        FlowRecord { start: self.dated(record.start), end: self.dated(record.end), ..*record }
    }
}

/// The observation domain of a record.
pub(crate) fn domain_of(record: &FlowRecord) -> u32 {
    record.details.as_ref().map_or(0, |details| details.keys.site.domain)
}

/// Hands a record to the outbox of its domain.
pub(crate) fn hand_over(outboxes: &[(u32, Outbox)], record: &FlowRecord) {
    let domain = domain_of(record);
    if let Some((_, outbox)) = outboxes.iter().find(|(of, _)| *of == domain) {
        outbox.push(record);
    }
}

impl ThreadMeter {
    /// Measures frames, and hands over records that are due.
    #[inline]
    pub(crate) fn measure<'p>(
        &mut self,
        packets: impl IntoIterator<Item = Observed<'p>>,
        moment: Moment,
    ) {
        let Self { meter, share, outboxes, .. } = self;
        meter.set_most_flows(share.most());
        meter.frame(packets, &mut |r: &FlowRecord| hand_over(outboxes, &moment.date(r)));
        share.tell(meter.live_flows());
    }

    /// Ends all flows; `sink` gets their records.
    pub(crate) fn flush(&mut self, moment: Moment, sink: &mut impl FnMut(&FlowRecord)) {
        self.meter.advance(moment.metered());
        self.meter.flush(Scope::All, &mut |record: &FlowRecord| sink(&moment.date(record)));
        self.share.tell(self.meter.live_flows());
    }

    /// Which frames of those at `run` are measured.
    #[inline]
    pub(crate) fn select(
        &mut self,
        gates: &mut Gates,
        direction: Direction,
        run: Range<usize>,
        to: &mut Selection,
    ) {
        match gates.sampling_mut(self.gates[direction as usize]) {
            None => {
                self.observed[direction as usize] += run.len() as u64;
                to.add_run(run);
            }
            Some(countdown) => countdown.each_wanted(run, |at| to.add(at)),
        }
    }

    /// Ends what is due, as far as there is room for records; whether there may be more to do now, or no room.
    pub(crate) fn sweep(&mut self, moment: Moment, groups: usize) -> Sweep {
        let Self { meter, share, outboxes, .. } = self;
        if !outboxes.iter().all(|(_, outbox)| outbox.has_room()) {
            return Sweep::NoRoom;
        }
        let sink = &mut |record: &FlowRecord| hand_over(outboxes, &moment.date(record));
        meter.set_most_flows(share.most());
        let more = meter.sweep(groups, sink);
        share.tell(meter.live_flows());
        if more { Sweep::More } else { Sweep::Done }
    }
}

/// What a sweep left.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sweep {
    Done,
    More,
    NoRoom,
}
