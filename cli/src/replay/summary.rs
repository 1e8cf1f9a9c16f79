//! The summary of a run.

use core::{fmt, time::Duration};

use vnet::{
    flow::{EndReason, FragmentCounters, Unmeasured},
    ipfix::time::Timestamp,
};

use super::{options::Options, outputs::Written, run::Totals};
use crate::signal::Signal;

/// What a run came to, as text of a line a figure.
pub(super) struct Summary<'a> {
    /// What was asked for.
    pub(super) options: &'a Options,
    /// What was seen and made.
    pub(super) totals: Totals,
    /// What was put out.
    pub(super) written: Written,
    /// How long it took.
    pub(super) elapsed: Duration,
    /// What ended it early.
    pub(super) signal: Option<Signal>,
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Totals { read, flows } = &self.totals;
        let not_measured = flows.unmeasured_total();
        line(f, "packets", read.packets)?;
        line(f, "bytes", format_args!("{} on the wire", read.octets))?;
        line(f, "flows", flows.created)?;
        line(f, "records", Parts(flows.records_total(), &reasons(|r| flows.records(r))))?;
        line(f, "not measured", Parts(not_measured, &misses(|m| flows.unmeasured(m))))?;
        let is = if self.totals.is_balanced() { "=" } else { "IS NOT" };
        let balance = format_args!(
            "{} in records + {not_measured} not measured {is} {} packets",
            flows.recorded, read.packets
        );
        line(f, "balance", balance)?;
        if self.options.meter.fragments {
            let FragmentCounters { first, attributed, without_first, evictions } = flows.fragments;
            let later = format_args!(
                "{first} first, {attributed} attributed, {without_first} without their first, {evictions} evictions"
            );
            line(f, "fragments", later)?;
        }
        if let (Some(first), Some(last)) = (read.first, read.last) {
            let precision = super::run::precision(read);
            let span = format_args!(
                "{:.6} of capture, {} to {}",
                (last - first) as f64 / 1e9,
                Timestamp::from_unix_nanos(first, precision),
                Timestamp::from_unix_nanos(last, precision),
            );
            line(f, "seconds", span)?;
        }
        let seconds = self.elapsed.as_secs_f64();
        let rate = read.packets as f64 / seconds.max(1e-9);
        line(f, "packets/s", format_args!("{rate:.0} in {seconds:.3} s"))?;
        self.outputs(f)?;
        if let Some(signal) = self.signal {
            line(f, "interrupted", format_args!("by {signal}; packets behind it were not read"))?;
        }
        Ok(())
    }
}

impl Summary<'_> {
    fn outputs(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (Some(path), Some(records)) = (&self.options.ipfix_file, self.written.file) {
            line(f, "written", format_args!("{records} records to {}", path.display()))?;
        }
        if let (Some(target), Some(sent)) = (&self.options.collector, self.written.sent) {
            let sent = format_args!(
                "{} records in {} messages of {} octets to {target}",
                sent.records, sent.messages, sent.octets
            );
            line(f, "sent", sent)?;
        }
        Ok(())
    }
}

fn line(f: &mut fmt::Formatter<'_>, name: &str, value: impl fmt::Display) -> fmt::Result {
    writeln!(f, "{name:<14}{value}")
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
