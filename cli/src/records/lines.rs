//! The lines of a summary.

use core::fmt;

use flowprobe::passive::Seen;
use vnet::{
    flow::{Counters, EndReason, FragmentCounters, Unmeasured},
    wire::tunnel::Kind,
};

use super::{options::Recording, outputs::Written};

/// A line: what it is, and how much.
pub(crate) fn line(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    value: impl fmt::Display,
) -> fmt::Result {
    writeln!(f, "{name:<14}{value}")
}

/// Flows, records by reason, and what was not measured.
pub(crate) fn measured(f: &mut fmt::Formatter<'_>, flows: &Counters) -> fmt::Result {
    line(f, "flows", flows.created)?;
    line(f, "records", Parts(flows.records_total(), &reasons(|r| flows.records(r))))?;
    line(f, "not measured", Parts(flows.unmeasured_total(), &misses(|m| flows.unmeasured(m))))
}

/// Fragments and tunnels, where those were asked for.
pub(crate) fn details(
    f: &mut fmt::Formatter<'_>,
    recording: &Recording,
    flows: &Counters,
    seen: &Seen,
) -> fmt::Result {
    if recording.meter.fragments {
        let FragmentCounters { first, attributed, without_first, evictions } = flows.fragments;
        let later = format_args!(
            "{first} first, {attributed} attributed, {without_first} without their first, {evictions} evictions"
        );
        line(f, "fragments", later)?;
    }
    if recording.inner {
        let kinds = Kind::ALL.map(|kind| (kind.text(), seen.tunnelled(kind)));
        let sum = kinds.iter().map(|(_, count)| count).sum();
        line(f, "in tunnels", Parts(sum, &kinds))?;
    }
    Ok(())
}

/// What was written and sent.
pub(crate) fn outputs(
    f: &mut fmt::Formatter<'_>,
    recording: &Recording,
    written: &Written,
) -> fmt::Result {
    if let (Some(path), Some(records)) = (&recording.ipfix_file, written.file) {
        line(f, "written", format_args!("{records} records to {}", path.display()))?;
    }
    if let (Some(target), Some(sent)) = (&recording.collector, written.sent) {
        let text = format_args!(
            "{} records in {} messages of {} octets to {target}",
            sent.records, sent.messages, sent.octets
        );
        line(f, "sent", text)?;
        if sent.records_not_sent > 0 {
            line(f, "not sent", format_args!("{} records to {target}", sent.records_not_sent))?;
        }
    }
    Ok(())
}

/// A sum and what it is made of.
struct Parts<'a>(u64, &'a [(&'static str, u64)]);

impl fmt::Display for Parts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut opening = " (";
        for (name, count) in self.1.iter().filter(|(_, count)| *count > 0) {
            write!(f, "{opening}{name} {count}")?;
            opening = ", ";
        }
        if opening == ", " { f.write_str(")") } else { Ok(()) }
    }
}

fn reasons(count: impl Fn(EndReason) -> u64) -> Vec<(&'static str, u64)> {
    [
        ("idle timeout", EndReason::IdleTimeout),
        ("active timeout", EndReason::ActiveTimeout),
        ("end of flow", EndReason::EndOfFlow),
        ("forced end", EndReason::ForcedEnd),
        ("lack of resources", EndReason::LackOfResources),
    ]
    .map(|(name, reason)| (name, count(reason)))
    .to_vec()
}

fn misses(count: impl Fn(Unmeasured) -> u64) -> Vec<(&'static str, u64)> {
    Unmeasured::ALL.map(|miss| (miss.text(), count(miss))).to_vec()
}
