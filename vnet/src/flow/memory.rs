//! How many flows fit into how much memory.

use super::{
    Config, Families, RecordSet, StartTime,
    key::{Kind, Other, V4, V4Mac, V6, V6Mac},
    meter::{MAX_FLOWS, MIN_SLOTS},
};

impl Config {
    /// For the most flows, the same number in the table of each family, whose tables reserve no more than `octets`; at least 64.
    #[must_use]
    pub fn within(self, octets: u64) -> Self {
        let slots = usize::try_from(octets).unwrap_or(usize::MAX) / self.octets_of_slots();
        let homes = (slots.saturating_sub(BEYOND) / 2 + 1).next_power_of_two();
        let max_flows = (homes / 2).clamp(MIN_SLOTS / 2, MAX_FLOWS);
        Self { max_flows, ..self }
    }

    /// Octets of one slot of each table: its flow, its tag, its start where that is kept, and its part of a group's due time.
    fn octets_of_slots(&self) -> usize {
        let is_wide = self.record.contains(RecordSet::L2);
        let beside = if self.start_time == StartTime::Flow { 10 } else { 2 };
        let sizes = [
            (Families::IP4, if is_wide { of::<V4Mac>() } else { of::<V4>() }),
            (Families::IP6, if is_wide { of::<V6Mac>() } else { of::<V6>() }),
            (Families::OTHER, of::<Other>()),
        ];
        let used = sizes.iter().filter(|(family, _)| self.families.contains(*family));
        used.map(|(_, size)| size + beside).sum::<usize>().max(1)
    }
}

/// Slots of a table behind its homes, at most.
const BEYOND: usize = 128;

const fn of<K: Kind>() -> usize {
    size_of::<K::Slot>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Meter;

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
