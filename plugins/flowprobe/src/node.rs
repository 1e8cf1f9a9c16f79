//! The observation points in the graph.
//!
//! A node shows its frame to the meter of its variant on this thread, or to those of the settings of its interfaces, and lets
//! every packet go on to the next feature. The two nodes of a variant share meters; direction and interfaces are part of the
//! flow key.

use std::marker::PhantomData;

use vnet::{
    buffer::{Buffer, BufferFlags},
    fib::ForwardingReader,
    flow::{Alarm, Context, Counters, Direction, FlowRecord, Meter, Observed},
    frame::Frame,
    graph::{NoNext, Node, NodeCx, NodeSpec, Onward, Verdict},
    interface::{InterfaceViews, SwIfIndex},
    plugin::Registrar,
    runtime::{PacketTime, Shared},
};

use crate::{
    aside,
    context::Origin,
    large,
    point::{Aside, LocalPoint, Place, Point, ThreadMeter},
    site::{Dropped, IpInput, IpOutput, L2Input, L2Output, Site},
    trace::Trace,
    variant::Variant,
};

/// Groups of flows that a node looks at after each frame for what is due.
const SWEEP: usize = 1;

vnet::node_errors! {
    /// What an observation point counts.
    pub(crate) enum Error named by text {
        Collision => ("collisions", "Hash table collisions", Error),
        Record => ("records", "flow records made", Info),
        Unmeasured => ("not-measured", "packets not measured", Info),
    }
}

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
        Variant::Drop => r.node(spec::<Dropped>(r, variant, point, alarm)),
    }
    for &direction in variant.directions().each() {
        for arc in variant.arcs(direction) {
            r.feature(variant.feature(arc, direction));
        }
    }
}

fn spec<S: Site>(r: &Registrar, variant: Variant, point: LocalPoint, alarm: &Alarm) -> NodeSpec {
    let (views, reader, alarm) = (r.interface_views(), r.forwarding(), alarm.clone());
    NodeSpec::internal(variant.node(S::DIRECTION), move |_| Probe::<S> {
        variant,
        point,
        views: views.clone(),
        reader: reader.clone(),
        alarm: alarm.clone(),
        site: PhantomData,
    })
}

struct Probe<S> {
    variant: Variant,
    point: LocalPoint,
    views: Shared<InterfaceViews>,
    reader: ForwardingReader,
    alarm: Alarm,
    site: PhantomData<S>,
}

type Cx<'a, 'd> = &'a mut NodeCx<'d, NoNext, Error>;

impl<S: Site> Probe<S> {
    #[inline]
    fn measure(&self, cx: Cx<'_, '_>, frame: &mut Frame, to: &mut ThreadMeter) -> Verdict<NoNext> {
        let (before, was_idle) = (*to.meter.counters(), to.meter.live_flows() == 0);
        let ThreadMeter { meter, outbox, with_link, .. } = &mut *to;
        let mut sink = |record: &FlowRecord| outbox.push(record);
        // Known when the loop is compiled, this decides most of what is asked of a packet.
        let onward = match *with_link {
            true => self.show::<true>(cx, frame, meter, &mut sink),
            false => self.show::<false>(cx, frame, meter, &mut sink),
        };
        self.end(cx, to, &before, was_idle);
        cx.go_on(frame, onward)
    }

    /// The same where not all packets are shown to one meter; apart, so that it costs those nothing who have one.
    #[inline(never)]
    fn measure_aside(
        &self,
        cx: Cx<'_, '_>,
        frame: &mut Frame,
        point: &mut Point,
        mut aside: Box<Aside>,
    ) -> Verdict<NoNext> {
        let (now, views) = (cx.packet_time(), self.views.read(cx.token()));
        let (onward, shares) = aside::share::<S>(cx.buffers(frame), views, now, &mut aside);
        for place in Place::all() {
            let share = shares.of(place);
            if share.is_empty() {
                continue;
            }
            let (other, sites) = aside.other(place);
            let to = other.unwrap_or(&mut point.first);
            let (before, was_idle) = (*to.meter.counters(), to.meter.live_flows() == 0);
            let (reader, state) = (&self.reader, cx.state_ref());
            let origin = Origin { views, reader, state, sites, now };
            aside::show::<S>(cx.buffers(frame), share, origin, to);
            self.end(cx, to, &before, was_idle);
        }
        point.aside = Some(aside);
        cx.go_on(frame, onward)
    }

    /// After a frame: a little of what is due, and the counts.
    #[inline(always)]
    fn end(&self, cx: Cx<'_, '_>, to: &mut ThreadMeter, before: &Counters, was_idle: bool) {
        let ThreadMeter { meter, outbox, .. } = to;
        if outbox.has_room() {
            meter.sweep(SWEEP, &mut |record: &FlowRecord| outbox.push(record));
        }
        if was_idle && meter.live_flows() > 0 {
            self.alarm.set();
        }
        count(cx, before, meter.counters());
    }

    /// Shows the packets to the meter, and to what sends them on.
    #[inline]
    fn show<const WITH_LINK: bool>(
        &self,
        cx: Cx<'_, '_>,
        frame: &mut Frame,
        meter: &mut Meter,
        sink: &mut impl FnMut(&FlowRecord),
    ) -> Onward {
        let (now, views) = (cx.packet_time(), self.views.read(cx.token()));
        if views.has_offloads() && large::any(cx.buffers(frame)) {
            return self.show_large::<WITH_LINK>(cx, frame, meter, sink);
        }
        let mut buffers = cx.buffers(frame);
        let mut onward = Onward::new(buffers.get(0));
        let (buffers, site) = (buffers.prefetched::<8>(), S::new(views));
        let onward_of = &mut onward;
        let packets = Packets::<_, S, WITH_LINK> { buffers, onward: onward_of, site, views, now };
        meter.frame(packets, sink);
        onward
    }

    /// The same where some packets stand for several.
    #[cold]
    fn show_large<const WITH_LINK: bool>(
        &self,
        cx: Cx<'_, '_>,
        frame: &mut Frame,
        meter: &mut Meter,
        sink: &mut impl FnMut(&FlowRecord),
    ) -> Onward {
        let (now, views) = (cx.packet_time(), self.views.read(cx.token()));
        let mut buffers = cx.buffers(frame);
        let mut onward = Onward::new(buffers.get(0));
        let mut site = S::new(views);
        let packets = buffers.iter_mut().map(|buffer| {
            onward.step(buffer);
            site.note(views, buffer);
            let buffer = &*buffer;
            (buffer, observed::<S>(buffer, WITH_LINK, now))
        });
        large::show(packets, meter, sink);
        onward
    }
}

/// The packets of a frame as the meter takes them, each sent to its next feature on the way. A type, since a closure would not
/// be inlined into the meter's loop.
struct Packets<'c, I, S, const WITH_LINK: bool> {
    buffers: I,
    onward: &'c mut Onward,
    site: S,
    views: &'c InterfaceViews,
    now: PacketTime,
}

impl<'b, I: Iterator<Item = &'b mut Buffer>, S: Site, const WITH_LINK: bool> Iterator
    for Packets<'_, I, S, WITH_LINK>
{
    type Item = Observed<'b>;

    #[inline(always)]
    fn next(&mut self) -> Option<Observed<'b>> {
        let buffer = self.buffers.next()?;
        self.onward.step(buffer);
        self.site.note(self.views, buffer);
        Some(observed::<S>(buffer, WITH_LINK, self.now))
    }
}

/// What the engine itself built was not stamped by an input.
const OURS: BufferFlags = BufferFlags::LOCALLY_ORIGINATED.union(BufferFlags::FLOW_REPORT);

#[inline(always)]
pub(crate) fn observed<S: Site>(buffer: &Buffer, with_link: bool, now: PacketTime) -> Observed<'_> {
    let view = S::view(buffer, with_link);
    // Before it is looked up a packet has no TX interface: a forwarding table may stand in its place.
    let tx = match S::DIRECTION {
        Direction::Ingress => SwIfIndex::NONE,
        Direction::Egress => buffer.tx,
    };
    let is_ours = buffer.flags().intersects(OURS);
    Observed {
        bytes: view.bytes,
        wire_length: view.length,
        time: if is_ours { now } else { buffer.time },
        rx: buffer.rx,
        tx,
        direction: S::DIRECTION,
        start: view.start,
        is_own_export: is_ours && buffer.flags().contains(BufferFlags::FLOW_REPORT),
        context: &Context::NONE,
        outer_port: 0,
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
        let verdict = match local.as_deref_mut() {
            Some(Some(point)) => match point.aside.take() {
                None => self.measure(cx, frame, &mut point.first),
                Some(aside) => self.measure_aside(cx, frame, point, aside),
            },
            // The feature was enabled by hand, and there is no meter.
            _ => {
                cx.count(Error::Unmeasured, frame.len() as u64);
                cx.each(frame, |cx, buffer| cx.next_feature(buffer))
            }
        };
        if let Some(local) = local {
            cx.put_local(self.point, local);
        }
        verdict
    }

    fn trace(&self, buffer: &Buffer) -> Trace {
        Trace::new::<S>(self.variant, buffer)
    }
}
