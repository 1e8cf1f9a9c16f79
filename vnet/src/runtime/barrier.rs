//! How long the barrier keeps workers waiting.

use std::time::Duration;

/// Samples that are kept for percentiles: the latest.
const SAMPLES: usize = 1024;

/// What is known of the barriers of an engine.
#[derive(Default)]
pub(crate) struct BarrierStats {
    pub(crate) count: u64,
    /// From asking to the last worker's standing still.
    pub(crate) wait: Times,
    /// From there to their going on.
    pub(crate) hold: Times,
}

/// Times of the same thing.
#[derive(Default)]
pub(crate) struct Times {
    latest: Vec<Duration>,
    next: usize,
    total: Duration,
    pub(crate) max: Duration,
}

impl BarrierStats {
    pub(crate) fn add(&mut self, wait: Duration, hold: Duration) {
        self.count += 1;
        self.wait.add(wait);
        self.hold.add(hold);
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

impl Times {
    fn add(&mut self, time: Duration) {
        match self.latest.get_mut(self.next) {
            Some(place) => *place = time,
            None => self.latest.push(time),
        }
        self.next = (self.next + 1) % SAMPLES;
        self.total += time;
        self.max = self.max.max(time);
    }

    /// The mean of `count` times.
    pub(crate) fn mean(&self, count: u64) -> Duration {
        self.total / u32::try_from(count.max(1)).unwrap_or(u32::MAX)
    }

    /// The time that `part` of 100 of the latest did not exceed.
    pub(crate) fn percentile(&self, part: usize) -> Duration {
        let mut sorted = self.latest.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * part).div_ceil(100);
        sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_latest_barriers() {
        let mut stats = BarrierStats::default();
        let micros = Duration::from_micros;
        (1..=100).for_each(|n| stats.add(micros(n), micros(2 * n)));
        assert_eq!(stats.wait.percentile(50), micros(50));
        assert_eq!(stats.wait.percentile(99), micros(99));
        assert_eq!(
            (stats.wait.mean(100), stats.hold.max),
            (Duration::from_nanos(50_500), micros(200))
        );
        (0..SAMPLES).for_each(|_| stats.add(micros(7), micros(7)));
        assert_eq!((stats.wait.percentile(99), stats.wait.max), (micros(7), micros(100)));
        assert_eq!(Times::default().percentile(99), Duration::ZERO);
    }
}
