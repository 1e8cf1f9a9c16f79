//! The observation points in the graph.
//!
//! A node shows its frame to the meter of its variant on this thread and lets every packet go on to the next feature. The two
//! nodes of a variant share a meter; direction and interfaces are part of the flow key.

use std::marker::PhantomData;

use vnet::{
    buffer::{Buffer, BufferFlags},
    flow::{Counters, Direction, FlowRecord, Meter, Observed},
    frame::Frame,
    graph::{NoNext, Node, NodeCx, NodeSpec, Slot, Verdict},
    interface::{InterfaceViews, SwIfIndex},
    ipfix::engine::Outbox,
    plugin::Registrar,
    runtime::{Local, PacketTime, Shared},
};

use crate::{
    site::{IpInput, IpOutput, L2Input, L2Output, Site},
    trace::Trace,
    variant::Variant,
    walker::Alarm,
};

/// Groups of flows that a node looks at after each frame for what is due.
const SWEEP: usize = 1;

vnet::node_errors! {
    /// What an observation point counts.
    pub(crate) enum Error {
        Collision => ("collisions", "hash table collisions", Error),
        Record => ("records", "flow records made", Info),
        Unmeasured => ("not-measured", "packets not measured", Info),
    }
}

/// What a thread has for a variant while that is enabled anywhere.
pub(crate) struct Point {
    pub(crate) meter: Meter,
    pub(crate) outbox: Outbox,
    /// Whether link headers are recorded, so that IP packets are shown with theirs.
    pub(crate) with_link: bool,
}

/// A thread's point of a variant.
pub(crate) type LocalPoint = Local<Option<Point>>;

/// Registers the nodes of `variant` and their features.
pub(crate) fn register(r: &mut Registrar, variant: Variant, point: LocalPoint, alarm: &Alarm) {
    match variant {
        Variant::Ip4 | Variant::Ip6 => {
            r.node(spec::<IpInput>(r, variant, point, alarm));
            r.node(spec::<IpOutput>(r, variant, point, alarm));
        }
        Variant::L2 => {
            r.node(spec::<L2Input>(r, variant, point, alarm));
            r.node(spec::<L2Output>(r, variant, point, alarm));
        }
    }
    for direction in [Direction::Ingress, Direction::Egress] {
        for arc in variant.arcs(direction) {
            r.feature(variant.feature(arc, direction));
        }
    }
}

fn spec<S: Site>(r: &Registrar, variant: Variant, point: LocalPoint, alarm: &Alarm) -> NodeSpec {
    let (views, alarm) = (r.interface_views(), alarm.clone());
    NodeSpec::internal(variant.node(S::DIRECTION), move |_| Probe::<S> {
        variant,
        point,
        views: views.clone(),
        alarm: alarm.clone(),
        site: PhantomData,
    })
}

struct Probe<S> {
    variant: Variant,
    point: LocalPoint,
    views: Shared<InterfaceViews>,
    alarm: Alarm,
    site: PhantomData<S>,
}

type Cx<'a, 'd> = &'a mut NodeCx<'d, NoNext, Error>;

impl<S: Site> Probe<S> {
    #[inline]
    fn measure(&self, cx: Cx<'_, '_>, frame: &mut Frame, point: &mut Point) {
        let Point { meter, outbox, with_link } = point;
        let (before, was_idle) = (*meter.counters(), meter.live_flows() == 0);
        let mut sink = |record: &FlowRecord| outbox.push(record);
        // Known when the loop is compiled, this decides most of what is asked of a packet.
        match *with_link {
            true => self.show::<true>(cx, frame, meter, &mut sink),
            false => self.show::<false>(cx, frame, meter, &mut sink),
        }
        if outbox.has_room() {
            meter.sweep(SWEEP, &mut sink);
        }
        if was_idle && meter.live_flows() > 0 {
            self.alarm.set();
        }
        count(cx, &before, meter.counters());
    }

    /// Shows the packets to the meter.
    #[inline]
    fn show<const WITH_LINK: bool>(
        &self,
        cx: Cx<'_, '_>,
        frame: &mut Frame,
        meter: &mut Meter,
        sink: &mut impl FnMut(&FlowRecord),
    ) {
        let (now, views) = (cx.packet_time(), self.views.read(cx.token()));
        let next = NextFeature { at: u32::MAX, slot: None };
        let mut buffers = cx.buffers(frame);
        let (buffers, site) = (buffers.iter_mut().enumerate(), S::new(views));
        meter.frame(Packets::<_, S, WITH_LINK> { buffers, cx, next, site, views, now }, sink);
    }
}

/// The packets of a frame as the meter takes them, each sent to its next feature on the way. A type, since a closure would not
/// be inlined into the meter's loop.
struct Packets<'c, 'd, I, S, const WITH_LINK: bool> {
    buffers: I,
    cx: &'c mut NodeCx<'d, NoNext, Error>,
    next: NextFeature,
    site: S,
    views: &'c InterfaceViews,
    now: PacketTime,
}

impl<'b, I: Iterator<Item = (usize, &'b mut Buffer)>, S: Site, const WITH_LINK: bool> Iterator
    for Packets<'_, '_, I, S, WITH_LINK>
{
    type Item = Observed<'b>;

    #[inline(always)]
    fn next(&mut self) -> Option<Observed<'b>> {
        let (i, buffer) = self.buffers.next()?;
        let next = self.next.of(self.cx, buffer);
        self.cx.set_next(i, next);
        self.site.note(self.views, buffer);
        Some(observed::<S>(buffer, WITH_LINK, self.now))
    }
}

/// The next feature of the last packet: most often that of the next packet, too.
struct NextFeature {
    at: u32,
    slot: Option<Slot<NoNext>>,
}

impl NextFeature {
    #[inline(always)]
    fn of(&mut self, cx: &NodeCx<'_, NoNext, Error>, buffer: &mut Buffer) -> Slot<NoNext> {
        match self.slot {
            Some(slot) if buffer.feature == self.at => {
                buffer.feature += 1;
                slot
            }
            _ => {
                self.at = buffer.feature;
                *self.slot.insert(cx.next_feature(buffer))
            }
        }
    }
}

#[inline(always)]
fn observed<S: Site>(buffer: &Buffer, with_link: bool, now: PacketTime) -> Observed<'_> {
    let view = S::view(buffer, with_link);
    let flags = buffer.flags();
    // Before it is looked up a packet has no TX interface: a forwarding table may stand in its place.
    let tx = match S::DIRECTION {
        Direction::Ingress => SwIfIndex::NONE,
        Direction::Egress => buffer.tx,
    };
    // What was built here was not stamped by an input.
    let is_ours = flags.contains(BufferFlags::LOCALLY_ORIGINATED);
    Observed {
        bytes: view.bytes,
        wire_length: view.length,
        time: if is_ours { now } else { buffer.time },
        rx: buffer.rx,
        tx,
        direction: S::DIRECTION,
        start: view.start,
        is_own_export: flags.contains(BufferFlags::FLOW_REPORT),
    }
}

/// Counts for a node what its meter has done for it.
#[inline]
pub(crate) fn count(cx: Cx<'_, '_>, before: &Counters, after: &Counters) {
    let evicted = after.evictions - before.evictions;
    if evicted > 0 {
        cx.count(Error::Collision, evicted);
    }
    let records = after.records_total() - before.records_total();
    if records > 0 {
        cx.count(Error::Record, records);
    }
    let unmeasured = after.unmeasured_total() - before.unmeasured_total();
    if unmeasured > 0 {
        cx.count(Error::Unmeasured, unmeasured);
    }
}

impl<S: Site> Node for Probe<S> {
    type Error = Error;
    type Next = NoNext;
    type Trace = Trace;

    fn process(&mut self, cx: Cx<'_, '_>, frame: &mut Frame) -> Verdict<NoNext> {
        let mut local = cx.take_local(self.point);
        match local.as_deref_mut() {
            Some(Some(point)) => self.measure(cx, frame, point),
            // The feature was enabled by hand, and there is no meter.
            _ => {
                cx.count(Error::Unmeasured, frame.len() as u64);
                cx.each(frame, |cx, buffer| cx.next_feature(buffer));
            }
        }
        if let Some(local) = local {
            cx.put_local(self.point, local);
        }
        Verdict::PerPacket
    }

    fn trace(&self, buffer: &Buffer) -> Trace {
        Trace::new::<S>(self.variant, buffer)
    }
}
