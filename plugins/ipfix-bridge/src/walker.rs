//! `ipfix-bridge-walker`: ends flows that are due when no packet comes, on every thread, as `ipfix-bridge-timer-process` asks for it
//! ([`Alarm`]). After each walk the exporter is called, so that no record waits longer than a walk takes to come.

use vnet::{
    buffer::Buffer,
    flow::{Alarm, Left},
    frame::Frame,
    graph::{InputMode, NoNext, Node, NodeCx, NodeSpec, Verdict},
    plugin::Registrar,
    trace::NoTrace,
};

use crate::{
    node::Error,
    point::{LocalPoint, Moment, Sweep},
};

const WALKER: &str = "ipfix-bridge-walker";
/// 64 times so many records are made by one walk, which fit into an outbox that has room.
const WALK: usize = 8;

/// Registers node and process.
pub(crate) fn register(r: &mut Registrar, point: LocalPoint, alarm: &Alarm) {
    let of_node = alarm.clone();
    let spec = NodeSpec::input(WALKER, move |_| Walker { point, alarm: of_node.clone() });
    r.node(spec.mode(InputMode::Interrupt));
    let (alarm, ipfix) = (alarm.clone(), r.ipfix());
    r.process("ipfix-bridge-timer-process", |cx| alarm.run(cx, WALKER, move || ipfix.hurry()));
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
        let mut left = Left::default();
        if let Some(mut local) = cx.take_local(self.point) {
            for to in &mut local.meters {
                let before = *to.meter.counters();
                to.meter.advance(moment.metered());
                match to.sweep(moment, WALK) {
                    Sweep::Done => (),
                    Sweep::More => left.more = true,
                    Sweep::NoRoom => left.full = true,
                }
                left.more |= to.meter.settle();
                left.flows |= to.meter.live_flows() > 0;
                let records = to.meter.counters().records_total() - before.records_total();
                if records > 0 {
                    cx.count(Error::Record, records);
                }
            }
            cx.put_local(self.point, local);
        }
        self.alarm.walked(left);
        Verdict::Consumed
    }

    fn trace(&self, _: &Buffer) -> NoTrace {
        NoTrace
    }
}
