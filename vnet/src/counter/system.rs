//! The entries that every segment begins with.

use super::{CounterError, Scalar, Segment};

/// The first three entries of an engine's segment. VPP's own client takes the heartbeat from the first one without a look at its
/// name.
#[derive(Debug)]
pub struct SystemCounters {
    /// `/sys/heartbeat`: counts up while somebody looks after the figures of the engine.
    pub heartbeat: Scalar,
    /// `/sys/last_stats_clear`: seconds of engine time at which `clear runtime` was last given.
    pub last_stats_clear: Scalar,
    /// `/sys/boottime`: seconds since 1970 at which the engine was built.
    pub boottime: Scalar,
}

impl SystemCounters {
    /// Registers them in a segment that has no entry yet.
    pub fn new(segment: &mut Segment) -> Result<Self, CounterError> {
        Ok(Self {
            heartbeat: segment.scalar("/sys/heartbeat")?,
            last_stats_clear: segment.scalar("/sys/last_stats_clear")?,
            boottime: segment.scalar("/sys/boottime")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heartbeat_is_the_first_entry_where_clients_look_without_asking_for_names() {
        let mut segment = Segment::with_size(1, 1 << 20).unwrap();
        SystemCounters::new(&mut segment).unwrap();
        let mut entries = segment.directory();
        entries.sort_by_key(|entry| entry.number);
        let names: Vec<_> = entries.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(names, ["/sys/heartbeat", "/sys/last_stats_clear", "/sys/boottime"]);
    }
}
