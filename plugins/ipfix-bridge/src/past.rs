//! Frames that go past the observation points: `l2-input` shows those that are to be measured by an action.
//!
//! It is no action for rules: what it is configured for is the number of a gate, even of frames that come and odd of those that leave.

use vnet::{
    action::{Action, ActionError, Packets, Perform, PerformCx},
    command::Error,
    flow::{Alarm, Direction},
    plugin::Registrar,
    runtime::Main,
};

use crate::{
    node,
    point::{LocalPoint, Moment, Point},
};

/// Its name.
pub(crate) const ACTION: &str = "ipfix-bridge";

/// Registers the action.
pub(crate) fn register(
    r: &mut Registrar,
    point: LocalPoint,
    alarm: &Alarm,
) -> Result<(), ActionError> {
    let alarm = alarm.clone();
    r.action(ACTION, Past, move |_| Keeper { point, alarm: alarm.clone() })
}

struct Past;

impl Action for Past {
    fn configure(&self, _: &mut Main, gate: &str) -> Result<u32, Error> {
        gate.parse().map_err(|_| Error::BadValue {
            word: gate.to_owned(),
            expected: "nothing: rules cannot name this action".to_owned(),
        })
    }

    fn release(&self, _: &mut Main, _: u32) {}

    fn describe(&self, _: &Main, gate: u32) -> String {
        gate.to_string()
    }
}

struct Keeper {
    point: LocalPoint,
    alarm: Alarm,
}

impl Perform for Keeper {
    fn perform(&mut self, cx: &mut PerformCx<'_>, packets: &mut Packets<'_>) {
        let moment = Moment { engine: cx.now(), wall: cx.packet_time() };
        let Some(mut local) = cx.take_local(self.point) else { return };
        let Point { meters, ports, .. } = &mut *local;
        let mut wakes = false;
        packets.each(|buffer, gate| {
            let direction = if gate % 2 == 0 { Direction::Ingress } else { Direction::Egress };
            let meter = meters.iter_mut().find(|to| to.gates.iter().any(|g| g.0.config() == gate));
            let Some(to) = meter else { return };
            wakes |= to.meter.live_flows() == 0;
            to.measure([node::observed(buffer, direction, ports, moment)], moment);
        });
        if wakes {
            self.alarm.set();
        }
        cx.put_local(self.point, local);
    }
}
