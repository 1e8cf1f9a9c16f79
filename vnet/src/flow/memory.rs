//! How many flows fit into how much memory.

use super::{Config, Meter, directory::LEAST_HOMES, meter::MAX_FLOWS};

/// No slot of a flow is smaller.
const SLOT: u64 = 64;

impl Config {
    /// For the most flows, the same number in the table of each family, whose tables reserve no more than `octets`; at least 64.
    #[must_use]
    pub fn within(self, octets: u64) -> Self {
        let least = LEAST_HOMES / 2;
        // Tables have two slots a flow. What they take beside depends on what is kept, so they are asked: memory is
        // reserved, and not touched.
        let most = usize::try_from(octets / (2 * SLOT)).unwrap_or(MAX_FLOWS);
        let mut flows = most.clamp(least, MAX_FLOWS).next_power_of_two().min(MAX_FLOWS);
        loop {
            let config = Self { max_flows: flows, ..self.clone() };
            let fits = || Meter::new(&config).is_ok_and(|meter| meter.reserved() <= octets);
            if flows <= least || fits() {
                return config;
            }
            flows = (flows / 2).max(least);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{Families, RecordSet, StartTime};

    #[test]
    fn tables_are_as_large_as_fits_and_no_larger() {
        for families in [Families::IP4, Families::IP6, Families::all()] {
            for record in [RecordSet::L3, RecordSet::all()] {
                for start_time in [StartTime::Record, StartTime::Flow] {
                    for megabytes in [1, 3, 64, 100] {
                        let octets = megabytes << 20;
                        let config = Config { start_time, ..Config::new(families, record) };
                        let config = config.within(octets);
                        let reserved = |config: &Config| Meter::new(config).unwrap().reserved();
                        assert!(reserved(&config) <= octets, "{config:?}");
                        let twice = Config { max_flows: config.max_flows * 2, ..config };
                        assert!(reserved(&twice) > octets, "{twice:?}");
                    }
                }
            }
        }
        let least = Config::new(Families::IP4, RecordSet::L3).within(1);
        assert_eq!(least.max_flows, 64);
    }
}
