//! The nodes of the passive point.

use vnet::{
    buffer::Buffer,
    flow::{FlowRecord, Meter, Observed, Start},
    frame::{Buffers, Frame},
    graph::{FeatureSpec, InputMode, NoNext, Node, NodeCx, NodeSpec, Onward, Verdict},
    plugin::Registrar,
    runtime::Local,
    trace::NoTrace,
    wire::link::LinkType,
};

use super::{ARC, FEATURE, Point, Records, look::Look};
use crate::large;

/// Name of the node that ends flows when no packet comes.
pub(super) const WALKER: &str = "flowprobe-passive-walker";

/// Groups of flows that are looked at after each frame for what is due.
const SWEEP: usize = 4;
/// Groups of flows that are looked at when no packet comes.
const WALK: usize = 256;

vnet::node_errors! {
    /// What `flowprobe-passive` counts.
    pub(crate) enum Error {
        NoMeter => ("no-meter", "no memory for a flow cache, packets not measured", Error),
    }
}

pub(super) fn register(r: &mut Registrar, local: Local<Point>) {
    r.node(NodeSpec::internal(FEATURE, move |_| Probe(local)));
    r.feature(FeatureSpec::new(ARC, FEATURE).before("sink"));
    let walker = NodeSpec::input(WALKER, move |_| Walker(local));
    r.node(walker.mode(InputMode::Interrupt));
}

/// The node.
struct Probe(Local<Point>);

type Cx<'a, 'd> = &'a mut NodeCx<'d, NoNext, Error>;

impl Node for Probe {
    type Error = Error;
    type Next = NoNext;
    type Trace = NoTrace;

    fn process(&mut self, cx: Cx<'_, '_>, frame: &mut Frame) -> Verdict<NoNext> {
        let onward = match cx.take_local(self.0) {
            Some(mut point) => {
                let onward = measure(cx, frame, &mut point);
                cx.put_local(self.0, point);
                onward
            }
            None => pass(cx, frame),
        };
        cx.go_on(frame, onward)
    }

    fn trace(&self, _: &Buffer) -> NoTrace {
        NoTrace
    }
}

fn measure(cx: Cx<'_, '_>, frame: &mut Frame, point: &mut Point) -> Onward {
    let Point { meter, look, records } = point;
    let Ok(meter) = meter else {
        cx.count(Error::NoMeter, frame.len() as u64);
        return pass(cx, frame);
    };
    look.begin(frame.len());
    let onward = if look.is_plain() {
        measure_plain(cx.buffers(frame), meter, records)
    } else if look.is_live() && large::any(cx.buffers(frame)) {
        measure_large(cx.buffers(frame), look, meter, records)
    } else {
        measure_looked_at(cx.buffers(frame), look, meter, records)
    };
    if records.has_room() {
        meter.sweep(SWEEP, &mut |record: &FlowRecord| records.push(record));
    }
    onward
}

// The meter's loop is compiled into each of these. They stay apart, so that none pays for the others.

#[inline(never)]
fn measure_plain(mut buffers: Buffers<'_>, meter: &mut Meter, records: &mut Records) -> Onward {
    let mut onward = Onward::new(buffers.get(0));
    let packets = buffers.iter_mut().map(|buffer| {
        onward.step(buffer);
        observed(buffer)
    });
    meter.frame(packets, &mut |record| records.push(record));
    onward
}

#[inline(never)]
fn measure_looked_at(
    mut buffers: Buffers<'_>,
    look: &mut Look,
    meter: &mut Meter,
    records: &mut Records,
) -> Onward {
    let mut onward = Onward::new(buffers.get(0));
    let packets = buffers.iter_mut().map(|buffer| {
        onward.step(buffer);
        look.at(buffer, observed(buffer))
    });
    meter.frame(packets, &mut |record| records.push(record));
    onward
}

#[inline(never)]
fn measure_large(
    mut buffers: Buffers<'_>,
    look: &mut Look,
    meter: &mut Meter,
    records: &mut Records,
) -> Onward {
    let mut onward = Onward::new(buffers.get(0));
    let packets = buffers.iter_mut().map(|buffer| {
        onward.step(buffer);
        let buffer = &*buffer;
        (buffer, look.at(buffer, observed(buffer)))
    });
    large::show(packets, meter, &mut |record| records.push(record));
    onward
}

/// Sends packets on, unseen.
fn pass(cx: Cx<'_, '_>, frame: &mut Frame) -> Onward {
    let mut buffers = cx.buffers(frame);
    let mut onward = Onward::new(buffers.get(0));
    buffers.iter_mut().for_each(|buffer| onward.step(buffer));
    onward
}

/// The first segment of a chain is enough: all headers lie in it.
#[inline(always)]
fn observed(buffer: &Buffer) -> Observed<'_> {
    let link = LinkType::from_number(buffer.link_type).unwrap_or(LinkType::Ethernet);
    Observed {
        time: buffer.time,
        wire_length: buffer.wire_length,
        ..Observed::new(buffer.current(), Start::Link(link), buffer.rx)
    }
}

/// Ends flows that are due when no packet comes.
struct Walker(Local<Point>);

impl Node for Walker {
    type Error = Error;
    type Next = NoNext;
    type Trace = NoTrace;

    fn process(&mut self, cx: Cx<'_, '_>, _: &mut Frame) -> Verdict<NoNext> {
        let now = cx.packet_time();
        if let Some(mut point) = cx.take_local(self.0) {
            let Point { meter, records, .. } = &mut *point;
            if let Ok(meter) = meter {
                meter.advance(now);
                meter.settle();
                if records.has_room() {
                    meter.sweep(WALK, &mut |record: &FlowRecord| records.push(record));
                }
            }
            cx.put_local(self.0, point);
        }
        Verdict::Consumed
    }

    fn trace(&self, _: &Buffer) -> NoTrace {
        NoTrace
    }
}
