//! When a record is made and when a flow ends. Nothing here knows of tables.
//!
//! *Watermark*: the latest packet time that the meter has seen; it never steps back. *Lateness* of a flow: how far its end
//! was behind the watermark when its last packet came, 0 for a capture in order. *Clock* of a flow: the watermark less its
//! lateness, and never before the time of the packet that is arriving. A flow is judged by its own clock alone, so a capture
//! that stepped back does not end flows that go on, and a flow that stops ends as the watermark moves on.
//!
//! All verdicts only ever turn from [`Verdict::Lives`] to another one as the watermark rises, and which one follows from
//! the flow alone. That is why it does not matter when a sweep comes by.

use core::time::Duration;

use super::{Config, EndReason, StartTime};
use crate::wire::tcp;

/// How long a TCP flow waits after its last packet once a FIN or RST was seen, so that what closes the connection is in
/// the same record.
pub const LINGER: Duration = Duration::from_secs(2);

/// What a packet adds to its flow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    /// When it was seen.
    pub(super) time: u64,
    /// The watermark with this packet.
    pub(super) watermark: u64,
    pub(super) octets: u32,
    pub(super) layer2_octets: u32,
    pub(super) tcp_flags: u16,
}

/// The timers and what a recording makes of TCP flags.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// Nanoseconds; 0 = one record a packet.
    pub(super) active: u64,
    /// Nanoseconds; `u64::MAX` = never.
    pub(super) passive: u64,
    pub(super) linger: u64,
    /// FIN and RST, or none when ports are not recorded: then a flow is no connection.
    pub(super) ending_flags: u16,
    /// What goes into records.
    pub(super) recorded_flags: u16,
    /// Why each packet is a record of its own, where it is.
    pub(super) per_packet: Option<EndReason>,
    /// A flow ends by the active timeout.
    pub(super) is_final: bool,
    /// Most flows that are held, of switches.
    pub(super) most_flows: usize,
    /// Most for which there is room in the table of a family.
    room: usize,
    pub(super) start_time: StartTime,
}

impl Rules {
    pub(super) fn new(config: &Config) -> Self {
        let selected = config.selected();
        let is_connection = match &config.switch {
            Some(switch) => switch.connections,
            None => selected.ip4.is_connection() || selected.ip6.is_connection(),
        };
        let mut rules = Self {
            active: 0,
            passive: 0,
            linger: 0,
            ending_flags: if is_connection { tcp::flags::FIN | tcp::flags::RST } else { 0 },
            recorded_flags: if is_connection || selected.tcp_flags { tcp::flags::ALL } else { 0 },
            start_time: config.start_time,
            per_packet: None,
            is_final: config.switch.is_some(),
            most_flows: 0,
            room: config.max_flows,
        };
        let most_flows = config.switch.map_or(usize::MAX, |switch| switch.most_flows);
        rules.set_aging(most_flows, config.active, config.passive);
        rules
    }

    /// Holds so many flows from now on, of switches, and has flows end after these times.
    pub(super) fn set_aging(&mut self, most_flows: usize, active: Duration, passive: Duration) {
        self.most_flows = most_flows.min(self.room);
        self.set_timers(active, passive);
    }

    /// Holds so many flows from now on, of switches that hold any.
    pub(super) fn set_most_flows(&mut self, most_flows: usize) {
        self.most_flows = most_flows.min(self.room);
    }

    /// Has flows end after these times from now on.
    pub(super) fn set_timers(&mut self, active: Duration, passive: Duration) {
        self.active = nanoseconds(active);
        self.passive = if passive.is_zero() { u64::MAX } else { nanoseconds(passive) };
        self.linger = nanoseconds(LINGER).min(self.passive);
        self.per_packet = match (self.active, self.is_final) {
            (0, false) => Some(EndReason::ActiveTimeout),
            (_, false) => None,
            (active, true) => self.without_cache(active),
        };
        if self.is_final {
            // The packets of a moment are of one flow, and what is later is of the next one.
            self.active = self.active.max(1);
        }
    }

    /// Why each packet is a record of its own where a switch holds no flows.
    fn without_cache(&self, active: u64) -> Option<EndReason> {
        match (self.most_flows, active) {
            (0, 0) => Some(EndReason::ActiveTimeout),
            (0, _) => Some(EndReason::LackOfResources),
            _ => None,
        }
    }

    pub(super) const fn is_stateless(&self) -> bool {
        self.per_packet.is_some()
    }

    /// How far the watermark moves at least between two sweeps: an eighth of the shorter timer, at most a second.
    pub(super) fn sweep_period(&self) -> u64 {
        (self.active.min(self.passive) / 8).min(nanoseconds(Duration::from_secs(1)))
    }
}

/// A flow, unpacked: the record in the making and what the timers need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flow {
    /// Time of the record's first packet.
    pub(super) start: u64,
    /// Latest time of its packets, never before `start`.
    pub(super) end: u64,
    /// See the module.
    pub(super) lateness: u64,
    pub(super) packets: u64,
    pub(super) octets: u64,
    pub(super) layer2_octets: u64,
    pub(super) tcp_flags: u16,
    /// A FIN or RST was counted.
    pub(super) ending: bool,
    /// All packets are in records already; `start`, `end` and `lateness` are those of the last one.
    pub(super) reported: bool,
    /// A counter cannot take another packet.
    pub(super) full: bool,
}

/// What a flow's clock says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing is due.
    Lives,
    /// A record is due; the flow lives on.
    Report,
    /// The flow ended; its record, if any packet is in it, has this reason.
    Ended(EndReason),
}

impl Flow {
    /// A flow of one packet.
    pub(super) fn first(sample: &Sample, rules: &Rules) -> Self {
        let mut flow = Self {
            start: sample.time,
            end: sample.time,
            lateness: 0,
            packets: 0,
            octets: 0,
            layer2_octets: 0,
            tcp_flags: 0,
            ending: false,
            reported: false,
            full: false,
        };
        flow.count(sample, rules);
        flow
    }

    /// The clock when no packet of the flow is arriving.
    pub(super) fn clock(&self, watermark: u64) -> u64 {
        watermark.saturating_sub(self.lateness)
    }

    /// The clock when `sample` arrives, before it counts.
    pub(super) fn clock_at(&self, sample: &Sample) -> u64 {
        self.clock(sample.watermark).max(sample.time)
    }

    /// What is due at `clock`. Where both timers are, the one that was due first counts.
    pub(super) fn verdict(&self, clock: u64, rules: &Rules) -> Verdict {
        // Ages, and not times to come: those have no room at the end of time, where damaged captures can be.
        let (age, gap) = (clock.saturating_sub(self.start), clock.saturating_sub(self.end));
        if self.ending {
            let is_over = age >= rules.active || gap > rules.linger;
            return if is_over { Verdict::Ended(EndReason::EndOfFlow) } else { Verdict::Lives };
        }
        let idle_age = (self.end - self.start).saturating_add(rules.passive);
        if !self.reported && age >= rules.active && rules.active <= idle_age {
            if rules.is_final { Verdict::Ended(EndReason::ActiveTimeout) } else { Verdict::Report }
        } else if gap > rules.passive {
            Verdict::Ended(EndReason::IdleTimeout)
        } else {
            Verdict::Lives
        }
    }

    /// A watermark below which nothing is due unless packets come.
    pub(super) fn deadline(&self, rules: &Rules) -> u64 {
        let active = if self.reported { u64::MAX } else { self.start.saturating_add(rules.active) };
        let quiet = if self.ending { rules.linger } else { rules.passive };
        let idle = self.end.saturating_add(quiet).saturating_add(1);
        active.min(idle).saturating_add(self.lateness)
    }

    /// The watermark when the flow's last packet came.
    pub(super) fn last_seen(&self) -> u64 {
        self.end.saturating_add(self.lateness)
    }

    /// Whether `sample` opens a new connection with the addresses and ports of one that was closed.
    pub(super) const fn is_reopened_by(&self, sample: &Sample) -> bool {
        self.ending && sample.tcp_flags & tcp::flags::SYN != 0
    }

    /// Why the flow's record is made when all are made now.
    pub(super) const fn forced_reason(&self) -> EndReason {
        if self.ending { EndReason::EndOfFlow } else { EndReason::ForcedEnd }
    }

    /// Adds a packet.
    pub(super) fn count(&mut self, sample: &Sample, rules: &Rules) {
        if self.reported {
            *self = Self { start: sample.time, end: sample.time, reported: false, ..*self };
        }
        self.end = self.end.max(sample.time);
        self.lateness = sample.watermark - self.end;
        self.packets += 1;
        self.octets += u64::from(sample.octets);
        self.layer2_octets += u64::from(sample.layer2_octets);
        self.tcp_flags |= sample.tcp_flags & rules.recorded_flags;
        self.ending |= sample.tcp_flags & rules.ending_flags != 0;
    }

    /// Empties the counters when their record was made.
    pub(super) fn start_over(&mut self) {
        *self = Self {
            packets: 0,
            octets: 0,
            layer2_octets: 0,
            tcp_flags: 0,
            reported: true,
            full: false,
            ..*self
        };
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::flow::{Families, RecordSet};

    const SECOND: u64 = 1_000_000_000;

    fn rules(active: u64, passive: u64) -> Rules {
        Rules::new(&Config {
            active: Duration::from_nanos(active),
            passive: Duration::from_nanos(passive),
            ..Config::new(Families::IP4, RecordSet::L3 | RecordSet::L4)
        })
    }

    fn sample(time: u64, watermark: u64) -> Sample {
        Sample { time, watermark, octets: 46, layer2_octets: 60, tcp_flags: 0 }
    }

    #[test]
    fn timers_are_exact_to_the_nanosecond() {
        let rules = rules(60 * SECOND, 30 * SECOND);
        let mut flow = Flow::first(&sample(SECOND, SECOND), &rules);
        assert_eq!(flow.verdict(31 * SECOND, &rules), Verdict::Lives);
        assert_eq!(flow.verdict(31 * SECOND + 1, &rules), Verdict::Ended(EndReason::IdleTimeout));
        for second in [20, 40, 60] {
            flow.count(&sample(second * SECOND, second * SECOND), &rules);
        }
        assert_eq!(flow.verdict(61 * SECOND - 1, &rules), Verdict::Lives);
        assert_eq!(flow.verdict(61 * SECOND, &rules), Verdict::Report);
    }

    #[test]
    fn timer_that_was_due_first_gives_the_reason() {
        let far = 1_000 * SECOND;
        let flow = Flow::first(&sample(0, 0), &rules(15 * SECOND, 120 * SECOND));
        assert_eq!(flow.verdict(far, &rules(15 * SECOND, 120 * SECOND)), Verdict::Report);
        assert_eq!(
            flow.verdict(far, &rules(15 * SECOND, 5 * SECOND)),
            Verdict::Ended(EndReason::IdleTimeout)
        );
    }

    #[test]
    fn step_back_moves_no_end_before_its_start() {
        let rules = rules(60 * SECOND, 30 * SECOND);
        let mut flow = Flow::first(&sample(100 * SECOND, 100 * SECOND), &rules);
        flow.count(&sample(3 * SECOND, 100 * SECOND), &rules);
        assert_eq!((flow.start, flow.end, flow.packets), (100 * SECOND, 100 * SECOND, 2));
        flow.start_over();
        flow.count(&sample(3 * SECOND, 100 * SECOND), &rules);
        assert_eq!((flow.start, flow.end, flow.lateness), (3 * SECOND, 3 * SECOND, 97 * SECOND));
    }

    #[test]
    fn flow_far_behind_the_watermark_ends_by_its_own_gaps() {
        let rules = rules(60 * SECOND, 30 * SECOND);
        let year = 31_536_000 * SECOND;
        let flow = Flow::first(&sample(SECOND, year), &rules);
        let next = sample(20 * SECOND, year);
        assert_eq!(flow.verdict(flow.clock_at(&next), &rules), Verdict::Lives);
        let late = sample(32 * SECOND, year);
        assert_eq!(
            flow.verdict(flow.clock_at(&late), &rules),
            Verdict::Ended(EndReason::IdleTimeout)
        );
        assert_eq!(
            flow.verdict(flow.clock(year + 40 * SECOND), &rules),
            Verdict::Ended(EndReason::IdleTimeout)
        );
    }

    #[test]
    fn closed_connection_waits_for_its_last_packets() {
        let rules = rules(60 * SECOND, 30 * SECOND);
        let linger = nanoseconds(LINGER);
        let mut flow = Flow::first(&Sample { tcp_flags: 0x11, ..sample(0, 0) }, &rules);
        assert_eq!(flow.verdict(linger, &rules), Verdict::Lives);
        flow.count(&Sample { tcp_flags: 0x10, ..sample(linger, linger) }, &rules);
        assert_eq!(flow.verdict(2 * linger, &rules), Verdict::Lives);
        assert_eq!(flow.verdict(2 * linger + 1, &rules), Verdict::Ended(EndReason::EndOfFlow));
        assert!(flow.is_reopened_by(&Sample { tcp_flags: 0x02, ..sample(linger, linger) }));
    }

    #[test]
    fn nothing_is_due_for_a_flow_that_begins_at_the_end_of_time() {
        let rules = rules(60 * SECOND, 30 * SECOND);
        let last = sample(u64::MAX, u64::MAX);
        let mut flow = Flow::first(&last, &rules);
        assert_eq!(flow.verdict(flow.clock_at(&last), &rules), Verdict::Lives);
        flow.count(&Sample { tcp_flags: 0x11, ..last }, &rules);
        assert_eq!(flow.verdict(flow.clock_at(&last), &rules), Verdict::Lives);
    }

    proptest! {
        #[test]
        fn nothing_is_due_before_the_deadline(
            start in 0_u64..1 << 40, later in 0_u64..1 << 36, behind in 0_u64..1 << 26,
            (fin, reported) in any::<(bool, bool)>(), active in 1_u64..1 << 36, passive in 0_u64..1 << 36, wait in 0_u64..1 << 37,
        ) {
            let rules = rules(active, passive);
            let mut flow = Flow::first(&sample(start, start + behind), &rules);
            let second = start + later;
            flow.count(&Sample { tcp_flags: u16::from(fin), ..sample(second, second + behind) }, &rules);
            if reported && !fin {
                flow.start_over();
            }
            let watermark = second + behind + wait;
            let due = flow.verdict(flow.clock(watermark), &rules) != Verdict::Lives;
            prop_assert_eq!(due, watermark >= flow.deadline(&rules));
        }
    }
}
