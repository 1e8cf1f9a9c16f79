//! The summary of a probe.

use core::{fmt, time::Duration};

use super::{listen::Totals, options::Options, watch::End};
use crate::records::{
    lines::{self, line},
    outputs::Written,
};

/// What a probe came to, as text of a line a figure.
pub(super) struct Summary<'a> {
    pub(super) options: &'a Options,
    pub(super) totals: Totals,
    pub(super) written: Written,
    pub(super) elapsed: Duration,
    pub(super) end: End,
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Totals { sums, heard } = &self.totals;
        let (flows, lost) = (&sums.flows, sums.lost);
        line(f, "packets", flows.seen)?;
        line(f, "bytes", format_args!("{} on the wire", sums.seen.octets))?;
        lines::measured(f, flows)?;
        if lost.records > 0 {
            let lost = format_args!("{} records with {} packets", lost.records, lost.packets);
            line(f, "lost", lost)?;
        }
        let sign = if self.totals.is_balanced() { "=" } else { "IS NOT" };
        let (recorded, not) = (self.totals.recorded(), flows.unmeasured_total());
        let with_lost = Lost(lost.packets);
        let balance = format_args!(
            "{recorded} in records + {not} not measured{with_lost} {sign} {} packets",
            flows.seen
        );
        line(f, "balance", balance)?;
        let kernel = format_args!(
            "{} taken{} + {} lost = {} heard, large packets as one",
            heard.taken,
            Unreadable(heard.unreadable),
            heard.lost,
            heard.packets
        );
        line(f, "kernel", kernel)?;
        lines::details(f, &self.options.recording, flows, &sums.seen)?;
        let seconds = self.elapsed.as_secs_f64();
        line(f, "seconds", format_args!("{seconds:.3}"))?;
        let rate = flows.seen as f64 / seconds.max(1e-9);
        line(f, "packets/s", format_args!("{rate:.0}"))?;
        lines::outputs(f, &self.options.recording, &self.written)?;
        match self.end {
            End::Signal(signal) => line(f, "ended", format_args!("by {signal}")),
            End::Removed => line(f, "ended", "all interfaces were removed"),
            End::Enough | End::Output => Ok(()),
        }
    }
}

struct Lost(u64);

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 > 0 { write!(f, " + {} in lost records", self.0) } else { Ok(()) }
    }
}

struct Unreadable(u64);

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 > 0 { write!(f, " ({} of them not readable)", self.0) } else { Ok(()) }
    }
}
