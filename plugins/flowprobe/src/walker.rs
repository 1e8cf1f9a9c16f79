//! `flowprobe-walker`: ends flows that are due when no packet comes, on every thread, as `flowprobe-timer-process` asks for it
//! ([`Alarm`]).

use vnet::{
    buffer::Buffer,
    flow::{Alarm, FlowRecord, Left},
    frame::Frame,
    graph::{InputMode, NoNext, Node, NodeCx, NodeSpec, Verdict},
    plugin::Registrar,
    runtime::PacketTime,
    trace::NoTrace,
};

use crate::{
    Variant,
    node::{Error, count},
    point::{LocalPoint, Point, ThreadMeter},
};

/// Name of the node.
const WALKER: &str = "flowprobe-walker";
/// Groups of a table whose records one walk makes: with 64 flows each and three tables they always fit into an outbox that
/// has room.
const WALK: usize = 5;

/// Registers node and process.
pub(crate) fn register(r: &mut Registrar, points: [LocalPoint; Variant::ALL.len()], alarm: &Alarm) {
    let of_node = alarm.clone();
    let spec = NodeSpec::input(WALKER, move |_| Walker { points, alarm: of_node.clone() });
    r.node(spec.mode(InputMode::Interrupt));
    let alarm = alarm.clone();
    r.process("flowprobe-timer-process", |cx| alarm.run(cx, WALKER, || ()));
}

struct Walker {
    points: [LocalPoint; Variant::ALL.len()],
    alarm: Alarm,
}

fn walk(
    cx: &mut NodeCx<'_, NoNext, Error>,
    now: PacketTime,
    to: &mut ThreadMeter,
    left: &mut Left,
) {
    let ThreadMeter { meter, outbox, .. } = to;
    let before = *meter.counters();
    meter.advance(now);
    // What is due stays in the cache until the exporter has made room.
    if outbox.has_room() {
        left.more |= meter.sweep(WALK, &mut |r: &FlowRecord| outbox.push(r));
    } else {
        left.full = true;
    }
    left.more |= meter.settle();
    left.flows |= meter.live_flows() > 0;
    count(cx, &before, meter.counters());
}

impl Node for Walker {
    type Error = Error;
    type Next = NoNext;
    type Trace = NoTrace;

    fn process(&mut self, cx: &mut NodeCx<'_, NoNext, Error>, _: &mut Frame) -> Verdict<NoNext> {
        let now = cx.packet_time();
        let mut left = Left::default();
        for key in self.points {
            let Some(mut local) = cx.take_local(key) else { continue };
            for to in local.iter_mut().flat_map(Point::meters_mut) {
                walk(cx, now, to, &mut left);
            }
            cx.put_local(key, local);
        }
        self.alarm.walked(left);
        Verdict::Consumed
    }

    fn trace(&self, _: &Buffer) -> NoTrace {
        NoTrace
    }
}
