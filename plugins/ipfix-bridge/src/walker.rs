//! `ipfix-bridge-walker`: ends flows that are due when no packet comes, on every thread.
//!
//! `ipfix-bridge-timer-process` sets the walkers' interrupts ten times a second while there are flows, and sleeps while there are
//! none: an observation point that makes a first flow wakes it. A walk makes a bounded number of records; what is left waits for the
//! next one. After each the exporter is called, so that no record waits longer than a walk takes to come.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use vnet::{
    buffer::Buffer,
    frame::Frame,
    graph::{InputMode, NoNext, Node, NodeCx, NodeSpec, Verdict},
    ipfix::engine::Ipfix,
    plugin::Registrar,
    process::{Bell, Cx},
    runtime::Interrupt,
    trace::NoTrace,
};

use crate::{
    node::Error,
    point::{LocalPoint, Moment, Sweep},
};

const WALKER: &str = "ipfix-bridge-walker";
/// Time between two walks.
const PERIOD: Duration = Duration::from_millis(100);
/// The same where one found more to do than it may.
const SOON: Duration = Duration::from_millis(1);
/// 64 times so many records are made by one walk, which fit into an outbox that has room.
const WALK: usize = 8;

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
    /// Walkers that have not walked since all were asked to.
    walking: AtomicUsize,
    /// The last of them has.
    walked: Bell,
}

impl Alarm {
    /// There is something to end, or to send.
    pub(crate) fn set(&self) {
        self.0.bell.ring();
    }

    fn walked(&self) {
        if self.0.walking.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.walked.ring();
        }
    }
}

/// Registers node and process.
pub(crate) fn register(r: &mut Registrar, point: LocalPoint, alarm: &Alarm) {
    let of_node = alarm.clone();
    let spec = NodeSpec::input(WALKER, move |_| Walker { point, alarm: of_node.clone() });
    r.node(spec.mode(InputMode::Interrupt));
    let (alarm, ipfix) = (alarm.clone(), r.ipfix());
    r.process("ipfix-bridge-timer-process", |cx| run(cx, alarm, ipfix));
}

async fn run(cx: Cx, alarm: Alarm, ipfix: Ipfix) {
    let State { bell, flows, more, walking, walked } = &*alarm.0;
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
            ipfix.hurry();
            let has_more = more.swap(false, Ordering::Relaxed);
            if !has_more && !flows.load(Ordering::Relaxed) {
                break;
            }
            cx.sleep(if has_more { SOON } else { PERIOD }).await;
        }
    }
}

struct Walker {
    point: LocalPoint,
    alarm: Alarm,
}

impl Node for Walker {
    type Error = Error;
    type Next = NoNext;
    type Trace = NoTrace;

    fn process(&mut self, cx: &mut NodeCx<'_, NoNext, Error>, _: &mut Frame) -> Verdict<NoNext> {
        let moment = Moment { engine: cx.now(), wall: cx.packet_time() };
        if let Some(mut local) = cx.take_local(self.point) {
            for to in &mut local.meters {
                let before = *to.meter.counters();
                to.meter.advance(moment.metered());
                let more = to.sweep(moment, WALK) != Sweep::Done || to.meter.settle();
                self.alarm.0.more.fetch_or(more, Ordering::Relaxed);
                if to.meter.live_flows() > 0 {
                    self.alarm.0.flows.store(true, Ordering::Relaxed);
                }
                let records = to.meter.counters().records_total() - before.records_total();
                if records > 0 {
                    cx.count(Error::Record, records);
                }
            }
            cx.put_local(self.point, local);
        }
        self.alarm.walked();
        Verdict::Consumed
    }

    fn trace(&self, _: &Buffer) -> NoTrace {
        NoTrace
    }
}
