//! The summary of a run.

use core::{fmt, time::Duration};

use vnet::ipfix::time::Timestamp;

use super::{options::Options, run::Totals};
use crate::{
    records::{
        lines::{self, line},
        outputs::Written,
    },
    signal::Signal,
};

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
        let Totals { read, flows, seen } = &self.totals;
        let not_measured = flows.unmeasured_total();
        line(f, "packets", read.packets)?;
        line(f, "bytes", format_args!("{} on the wire", read.octets))?;
        lines::measured(f, flows)?;
        let is = if self.totals.is_balanced() { "=" } else { "IS NOT" };
        let balance = format_args!(
            "{} in records + {not_measured} not measured {is} {} packets",
            flows.recorded, read.packets
        );
        line(f, "balance", balance)?;
        lines::details(f, &self.options.recording, flows, seen)?;
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
        lines::outputs(f, &self.options.recording, &self.written)?;
        if let Some(signal) = self.signal {
            line(f, "interrupted", format_args!("by {signal}; packets behind it were not read"))?;
        }
        Ok(())
    }
}
