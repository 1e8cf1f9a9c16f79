//! The line each second.

use std::time::Instant;

use vnet::ipfix::export::Counters;

use super::listen::Totals;

/// What the line before told.
#[derive(Default)]
pub(super) struct Line {
    before: Option<(Instant, u64, u64)>,
}

impl Line {
    /// The next line.
    pub(super) fn next(&mut self, totals: &Totals, sent: Option<Counters>) -> String {
        let Totals { sums, heard } = totals;
        let (now, packets, octets) = (Instant::now(), sums.flows.seen, sums.seen.octets);
        let (seconds, new, bits) = match self.before.replace((now, packets, octets)) {
            Some((then, p, o)) => ((now - then).as_secs_f64(), packets - p, (octets - o) * 8),
            None => (1.0, packets, octets * 8),
        };
        let seconds = seconds.max(1e-3);
        let mut line = format!(
            "{:.0} packets/s, {}, {} flows, {} records",
            new as f64 / seconds,
            bits_a_second(bits as f64 / seconds),
            sums.live_flows,
            sums.flows.records_total(),
        );
        if let Some(sent) = sent {
            line += &format!(", {} sent", sent.records);
        }
        line + &format!(", {} lost", heard.lost)
    }
}

fn bits_a_second(bits: f64) -> String {
    match bits {
        bits if bits >= 1e9 => format!("{:.2} Gbit/s", bits / 1e9),
        bits if bits >= 1e6 => format!("{:.2} Mbit/s", bits / 1e6),
        bits => format!("{:.1} kbit/s", bits / 1e3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_three_digits_or_so() {
        for (bits, text) in [
            (0.0, "0.0 kbit/s"),
            (1234.0, "1.2 kbit/s"),
            (98_765_432.0, "98.77 Mbit/s"),
            (9_876_543_210.0, "9.88 Gbit/s"),
        ] {
            assert_eq!(bits_a_second(bits), text);
        }
    }
}
