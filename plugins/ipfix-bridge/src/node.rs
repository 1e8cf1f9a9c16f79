//! The observation points in the graph: frames of bridge domains as they come, and as they leave.
//!
//! Most frames of a vector are of one bridge domain. Where not all of them are measured, what is drawn is how many come before the next
//! one that is. `l2-input` knows that, too ([`Gates`]): frames of which none is wanted do not come here at all.

use core::marker::PhantomData;

use vnet::{
    buffer::{Buffer, BufferFlags},
    flow::{
        Alarm, Context, Direction, Observed, Start,
        sample::{Packets, Selection},
    },
    frame::{FRAME_SIZE, Frame},
    graph::{FeatureSpec, Gates, NoNext, Node, NodeCx, NodeSpec, Onward, Verdict},
    interface::SwIfIndex,
    plugin::Registrar,
    runtime::Local,
    wire::{ethernet, link::LinkType},
};

use crate::point::{LocalPoint, Moment, NOBODY, Point, Port};

/// The arcs of a direction.
pub(crate) const fn arcs(direction: Direction) -> [&'static str; 3] {
    match direction {
        Direction::Ingress => ["l2-input-ip4", "l2-input-ip6", "l2-input-nonip"],
        Direction::Egress => ["l2-output-ip4", "l2-output-ip6", "l2-output-nonip"],
    }
}

/// The node of a direction.
pub(crate) const fn name(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => "ipfix-bridge-input",
        Direction::Egress => "ipfix-bridge-output",
    }
}

vnet::node_errors! {
    /// What an observation point counts.
    pub(crate) enum Error {
        Sampled => ("sampled", "frames sampled", Info),
        Record => ("records", "flow records made", Info),
        Evicted => ("lack-of-resources", "flows that made room for others", Info),
        Unmeasured => ("not-measured", "sampled frames that are in no flow", Info),
    }
}

vnet::trace_record! {
    /// A frame as an observation point sees it.
    pub(crate) struct Trace { sw_if_index: u32, octets: u32, ethertype: u32 } =>
        "sw_if_index {sw_if_index}, {octets} octets of type 0x{ethertype:04x}"
}

/// Which way frames go, as a type.
trait Side: Send + 'static {
    const DIRECTION: Direction;

    fn interface(buffer: &Buffer) -> SwIfIndex;
}

struct Input;
struct Output;

impl Side for Input {
    const DIRECTION: Direction = Direction::Ingress;

    #[inline(always)]
    fn interface(buffer: &Buffer) -> SwIfIndex {
        buffer.rx
    }
}

impl Side for Output {
    const DIRECTION: Direction = Direction::Egress;

    #[inline(always)]
    fn interface(buffer: &Buffer) -> SwIfIndex {
        buffer.tx
    }
}

/// Registers nodes and features.
pub(crate) fn register(r: &mut Registrar, point: LocalPoint, alarm: &Alarm) {
    r.node(spec::<Input>(point, r.gates(), alarm));
    r.node(spec::<Output>(point, r.gates(), alarm));
    for direction in [Direction::Ingress, Direction::Egress] {
        for arc in arcs(direction) {
            r.feature(FeatureSpec::new(arc, name(direction)).gated());
        }
    }
}

fn spec<S: Side>(point: LocalPoint, gates: Local<Gates>, alarm: &Alarm) -> NodeSpec {
    let alarm = alarm.clone();
    NodeSpec::internal(name(S::DIRECTION), move |_| Observer::<S> {
        point,
        gates,
        alarm: alarm.clone(),
        side: PhantomData,
    })
}

struct Observer<S> {
    point: LocalPoint,
    gates: Local<Gates>,
    alarm: Alarm,
    side: PhantomData<S>,
}

type Cx<'a, 'd> = &'a mut NodeCx<'d, NoNext, Error>;

/// No method that is used here looks at packets.
pub(crate) struct Unseen;

impl Packets for Unseen {
    fn packet(&mut self, _: usize) -> Observed<'_> {
        Observed::new(&[], Start::Network(0), SwIfIndex::NONE)
    }
}

impl<S: Side> Observer<S> {
    fn observe(
        &self,
        cx: Cx<'_, '_>,
        frame: &mut Frame,
        point: &mut Point,
        gates: &mut Gates,
    ) -> Verdict<NoNext> {
        let mut buffers = cx.buffers(frame);
        let mut onward = Onward::new(buffers.get(0));
        let first = buffers.get(0).map_or(NOBODY, |buffer| point.meter_of(S::interface(buffer)));
        let (mut len, mut differences) = (0, 0);
        for buffer in buffers.iter_mut() {
            onward.step(buffer);
            differences |= point.meter_of(S::interface(buffer)) ^ first;
            len += 1;
        }
        if differences == 0 {
            if let Some(meter) = point.meters.get_mut(usize::from(first)) {
                let mut selection = Selection::default();
                meter.select(gates, S::DIRECTION, 0..len, &mut selection);
                self.measure(cx, frame, point, first, &selection);
            }
        } else {
            self.observe_several(cx, frame, point, gates);
        }
        cx.go_on(frame, onward)
    }

    /// Frames of several bridge domains, one domain after the other.
    #[cold]
    fn observe_several(
        &self,
        cx: Cx<'_, '_>,
        frame: &mut Frame,
        point: &mut Point,
        gates: &mut Gates,
    ) {
        let mut meters = [NOBODY; FRAME_SIZE];
        for (at, buffer) in meters.iter_mut().zip(cx.buffers(frame).iter_mut()) {
            *at = point.meter_of(S::interface(buffer));
        }
        let all = &meters[..frame.len()];
        for (number, at) in (0..NOBODY).zip(0..point.meters.len()) {
            let mut selection = Selection::default();
            for (n, _) in all.iter().enumerate().filter(|(_, of)| **of == number) {
                let meter = &mut point.meters[at];
                meter.select(gates, S::DIRECTION, n..n + 1, &mut selection);
            }
            self.measure(cx, frame, point, number, &selection);
        }
    }

    /// Shows the meter its frames.
    fn measure(
        &self,
        cx: Cx<'_, '_>,
        frame: &mut Frame,
        point: &mut Point,
        number: u8,
        selection: &Selection,
    ) {
        if selection.is_empty() {
            return;
        }
        let moment = Moment { engine: cx.now(), wall: cx.packet_time() };
        let Point { meters, ports, .. } = point;
        let Some(to) = meters.get_mut(usize::from(number)) else { return };
        let (before, was_idle) = (*to.meter.counters(), to.meter.live_flows() == 0);
        let mut buffers = cx.buffers(frame);
        let shown = buffers.prefetched::<8>().enumerate().filter(|(at, _)| selection.has(*at));
        let packets = shown.map(|(_, buffer)| observed(buffer, S::DIRECTION, ports, moment));
        to.measure(packets, moment);
        let after = *to.meter.counters();
        if was_idle && after.measured != before.measured {
            self.alarm.set();
        }
        for (error, count) in [
            (Error::Sampled, after.seen - before.seen),
            (Error::Record, after.records_total() - before.records_total()),
            (Error::Evicted, after.evictions - before.evictions),
            (Error::Unmeasured, after.unmeasured_total() - before.unmeasured_total()),
        ] {
            if count > 0 {
                cx.count(error, count);
            }
        }
    }
}

/// A frame as it comes or leaves.
#[inline(always)]
pub(crate) fn observed<'b>(
    buffer: &'b Buffer,
    direction: Direction,
    ports: &'b [Option<Port>],
    moment: Moment,
) -> Observed<'b> {
    let interface = match direction {
        Direction::Ingress => buffer.rx,
        Direction::Egress => buffer.tx,
    };
    let (context, outer_port) = match ports.get(interface.0 as usize) {
        Some(Some(port)) => {
            (&port.contexts[direction as usize], port.outer_port(buffer, direction))
        }
        _ => (&Context::NONE, 0),
    };
    Observed {
        bytes: buffer.current(),
        wire_length: buffer.length_in_chain() as u32,
        time: moment.metered(),
        rx: SwIfIndex::NONE,
        tx: SwIfIndex::NONE,
        direction,
        start: Start::Link(LinkType::Ethernet),
        is_own_export: buffer.flags().contains(BufferFlags::FLOW_REPORT),
        context,
        outer_port,
    }
}

impl<S: Side> Node for Observer<S> {
    type Error = Error;
    type Next = NoNext;
    type Trace = Trace;

    fn process(&mut self, cx: Cx<'_, '_>, frame: &mut Frame) -> Verdict<NoNext> {
        let Some(mut local) = cx.take_local(self.point) else {
            return cx.each(frame, |cx, buffer| cx.next_feature(buffer));
        };
        // Always there: nobody takes them for longer than a frame.
        let mut gates = cx.take_local(self.gates).unwrap_or_default();
        let verdict = self.observe(cx, frame, &mut local, &mut gates);
        cx.put_local(self.gates, gates);
        cx.put_local(self.point, local);
        verdict
    }

    fn trace(&self, buffer: &Buffer) -> Trace {
        let header = buffer.view::<ethernet::Header>();
        Trace {
            sw_if_index: S::interface(buffer).0,
            octets: buffer.length_in_chain() as u32,
            ethertype: header.map_or(0, |header| header.ethertype.get().into()),
        }
    }
}
