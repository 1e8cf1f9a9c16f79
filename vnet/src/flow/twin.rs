//! A naive twin of the meter: the rules of `docs/FLOWS.md` over a hash map, without a table, a sweep or a packet.
//!
//! It is as eager as can be, and looks at every flow when a packet comes. The meter is as lazy as it likes; both must make
//! the same records.

use std::collections::HashMap;

use super::{EndReason, FlowRecord};
use crate::runtime::PacketTime;

/// What tells flows apart, as a record with nothing counted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct TwinPacket {
    /// Addresses, ports and so on; counters and times are ignored.
    pub(super) identity: FlowRecord,
    pub(super) time: u64,
    pub(super) octets: u64,
    pub(super) layer2_octets: u64,
    pub(super) tcp_flags: u16,
}

struct TwinFlow {
    record: Option<FlowRecord>,
    start: u128,
    end: u128,
    lateness: u128,
    closed: bool,
}

pub(super) struct Twin {
    active: u128,
    passive: Option<u128>,
    watermark: u128,
    flows: HashMap<String, TwinFlow>,
    pub(super) records: Vec<FlowRecord>,
}

const LINGER: u128 = 2_000_000_000;
const FIN_OR_RST: u16 = 5;
const SYN: u16 = 2;

impl Twin {
    pub(super) fn new(active: u64, passive: u64) -> Self {
        Self {
            active: active.into(),
            passive: (passive != 0).then_some(passive.into()),
            watermark: 0,
            flows: HashMap::new(),
            records: Vec::new(),
        }
    }

    pub(super) fn packet(&mut self, packet: &TwinPacket) {
        let time = u128::from(packet.time);
        self.watermark = self.watermark.max(time);
        let name = name(&packet.identity);
        if self.active == 0 {
            self.records
                .push(FlowRecord { end_reason: EndReason::ActiveTimeout, ..single(packet) });
            return;
        }
        self.expire(Some((&name, time)));
        if self.flows.get(&name).is_some_and(|flow| flow.closed && packet.tcp_flags & SYN != 0) {
            self.finish(&name, EndReason::EndOfFlow);
        }
        let flow = self.flows.entry(name).or_insert(TwinFlow {
            record: None,
            start: time,
            end: time,
            lateness: 0,
            closed: false,
        });
        match &mut flow.record {
            Some(record) => {
                record.packets += 1;
                record.octets += packet.octets;
                record.layer2_octets += packet.layer2_octets;
                record.tcp_flags |= packet.tcp_flags;
                flow.end = flow.end.max(time);
                record.end = PacketTime(flow.end as u64);
            }
            None => {
                flow.record = Some(single(packet));
                (flow.start, flow.end) = (time, time);
            }
        }
        flow.lateness = rounded_up(self.watermark - flow.end);
        flow.closed |= packet.tcp_flags & FIN_OR_RST != 0;
    }

    pub(super) fn flush(&mut self) {
        self.expire(None);
        let names: Vec<String> = self.flows.keys().cloned().collect();
        for name in names {
            let closed = self.flows[&name].closed;
            self.finish(&name, if closed { EndReason::EndOfFlow } else { EndReason::ForcedEnd });
        }
    }

    fn expire(&mut self, arriving: Option<(&str, u128)>) {
        let names: Vec<String> = self.flows.keys().cloned().collect();
        for name in names {
            let Some(flow) = self.flows.get_mut(&name) else { continue };
            let mut clock = self.watermark.saturating_sub(flow.lateness);
            if let Some((other, time)) = arriving
                && other == name
            {
                clock = clock.max(time);
            }
            let is_old = clock >= flow.start + self.active;
            let is_idle = self.passive.is_some_and(|passive| clock > flow.end + passive);
            let idle_first = self.passive.is_some_and(|p| flow.end + p < flow.start + self.active);
            if flow.closed {
                let linger = self.passive.unwrap_or(LINGER).min(LINGER);
                if is_old || clock > flow.end + linger {
                    self.finish(&name, EndReason::EndOfFlow);
                }
                continue;
            }
            if flow.record.is_some() && is_old && !idle_first {
                self.records.extend(
                    flow.record
                        .take()
                        .map(|r| FlowRecord { end_reason: EndReason::ActiveTimeout, ..r }),
                );
            }
            if is_idle {
                self.finish(&name, EndReason::IdleTimeout);
            }
        }
    }

    fn finish(&mut self, name: &str, end_reason: EndReason) {
        let record = self.flows.remove(name).and_then(|flow| flow.record);
        self.records.extend(record.map(|record| FlowRecord { end_reason, ..record }));
    }
}

/// Records in an order of their own, to compare two sets of them.
pub(super) fn sorted(records: &[FlowRecord]) -> Vec<String> {
    let mut lines: Vec<String> = records.iter().map(|record| format!("{record:?}")).collect();
    lines.sort();
    lines
}

fn name(identity: &FlowRecord) -> String {
    let nothing = PacketTime(0);
    let bare = FlowRecord {
        tcp_flags: 0,
        packets: 0,
        octets: 0,
        layer2_octets: 0,
        start: nothing,
        end: nothing,
        end_reason: EndReason::ForcedEnd,
        ..*identity
    };
    format!("{bare:?}")
}

fn single(packet: &TwinPacket) -> FlowRecord {
    FlowRecord {
        packets: 1,
        octets: packet.octets,
        layer2_octets: packet.layer2_octets,
        tcp_flags: packet.tcp_flags,
        start: PacketTime(packet.time),
        end: PacketTime(packet.time),
        ..packet.identity
    }
}

/// The next number that has at most 26 bits before its trailing zeros.
fn rounded_up(nanoseconds: u128) -> u128 {
    let mut unit = 1;
    while nanoseconds.div_ceil(unit) >= 1 << 26 {
        unit *= 2;
    }
    nanoseconds.div_ceil(unit) * unit
}
