//! `flowprobe-walker`: ends flows that are due when no packet comes, on every thread.
//!
//! `flowprobe-timer-process` sets the walkers' interrupts ten times a second while there are flows, and sleeps while there are
//! none: an observation point that makes a first flow wakes it. A walk does a bounded piece of work; what is left is done in
//! the next round of dispatch, after packets have had their turn, or as soon as the exporter has made room. The process goes on
//! when all threads have walked.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use vnet::{
    buffer::Buffer,
    flow::FlowRecord,
    frame::Frame,
    graph::{InputMode, NoNext, Node, NodeCx, NodeSpec, Verdict},
    plugin::Registrar,
    process::{Bell, Cx},
    runtime::{Interrupt, PacketTime},
    trace::NoTrace,
};

use crate::{
    Variant,
    node::{Error, count},
    point::{LocalPoint, Point, ThreadMeter},
};

/// Name of the node.
const WALKER: &str = "flowprobe-walker";
/// Time between two walks.
const PERIOD: Duration = Duration::from_millis(100);
/// Time until a walk that found no room for records is made up for: less than the exporter needs to take those that wait.
const FULL_PERIOD: Duration = Duration::from_millis(1);
/// Groups of a table whose records one walk makes: with 64 flows each and three tables they always fit into an outbox that
/// has room.
const WALK: usize = 5;

/// Wakes the timer process.
#[derive(Clone, Default)]
pub(crate) struct Alarm(Arc<State>);

#[derive(Default)]
struct State {
    bell: Bell,
    /// A walker has seen flows since this was cleared.
    flows: AtomicBool,
    /// A walker could do more at once.
    more: AtomicBool,
    /// A walker found no room for records.
    full: AtomicBool,
    /// Walkers that have not walked since all were asked to.
    walking: AtomicUsize,
    /// The last of them has.
    walked: Bell,
}

impl Alarm {
    /// There are flows where there were none.
    pub(crate) fn set(&self) {
        self.0.bell.ring();
    }

    /// A thread has walked. What its walker has seen is visible to whoever hears of the last one.
    fn walked(&self) {
        if self.0.walking.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.walked.ring();
        }
    }
}

/// Registers node and process.
pub(crate) fn register(r: &mut Registrar, points: [LocalPoint; Variant::ALL.len()], alarm: &Alarm) {
    let of_node = alarm.clone();
    let spec = NodeSpec::input(WALKER, move |_| Walker { points, alarm: of_node.clone() });
    r.node(spec.mode(InputMode::Interrupt));
    let alarm = alarm.clone();
    r.process("flowprobe-timer-process", |cx| run(cx, alarm));
}

async fn run(cx: Cx, alarm: Alarm) {
    let State { bell, flows, more, full, walking, walked } = &*alarm.0;
    // Registered together with this process.
    let Some(node) = cx.with(|main| main.graph().find(WALKER)) else { return };
    let walkers = cx.with(|main| main.interrupts(node));
    loop {
        bell.wait().await;
        loop {
            flows.store(false, Ordering::Relaxed);
            walking.store(walkers.len(), Ordering::Relaxed);
            walkers.iter().for_each(Interrupt::set);
            walked.wait().await;
            if more.swap(false, Ordering::Relaxed) {
                continue;
            }
            if !flows.load(Ordering::Relaxed) {
                break;
            }
            let is_full = full.swap(false, Ordering::Relaxed);
            cx.sleep(if is_full { FULL_PERIOD } else { PERIOD }).await;
        }
    }
}

struct Walker {
    points: [LocalPoint; Variant::ALL.len()],
    alarm: Alarm,
}

impl Walker {
    fn walk(&self, cx: &mut NodeCx<'_, NoNext, Error>, now: PacketTime, to: &mut ThreadMeter) {
        let ThreadMeter { meter, outbox, .. } = to;
        let before = *meter.counters();
        meter.advance(now);
        // What is due stays in the cache until the exporter has made room.
        if outbox.has_room() {
            let more = meter.sweep(WALK, &mut |r: &FlowRecord| outbox.push(r));
            self.alarm.0.more.fetch_or(more, Ordering::Relaxed);
        } else {
            self.alarm.0.full.store(true, Ordering::Relaxed);
        }
        if meter.settle() {
            self.alarm.0.more.store(true, Ordering::Relaxed);
        }
        if meter.live_flows() > 0 {
            self.alarm.0.flows.store(true, Ordering::Relaxed);
        }
        count(cx, &before, meter.counters());
    }
}

impl Node for Walker {
    type Error = Error;
    type Next = NoNext;
    type Trace = NoTrace;

    fn process(&mut self, cx: &mut NodeCx<'_, NoNext, Error>, _: &mut Frame) -> Verdict<NoNext> {
        let now = cx.packet_time();
        for key in self.points {
            let Some(mut local) = cx.take_local(key) else { continue };
            for to in local.iter_mut().flat_map(Point::meters_mut) {
                self.walk(cx, now, to);
            }
            cx.put_local(key, local);
        }
        self.alarm.walked();
        Verdict::Consumed
    }

    fn trace(&self, _: &Buffer) -> NoTrace {
        NoTrace
    }
}
