//! How much an exporter may send now.

use core::{num::NonZeroU32, time::Duration};

use crate::runtime::EngineTime;

/// A bucket of octets. A message may overdraw it: the debt is waited for before the next one.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bucket {
    /// Octets a second; `None`: no bounds.
    rate: Option<NonZeroU32>,
    octets: i64,
    filled: EngineTime,
}

/// A bucket holds what comes in this time, so that a pass has something to do.
const DEPTH: Duration = Duration::from_millis(100);

impl Bucket {
    /// A full one.
    pub(super) fn new(rate: Option<NonZeroU32>, now: EngineTime) -> Self {
        Self { rate, octets: rate.map_or(0, depth), filled: now }
    }

    pub(super) fn rate(&self) -> Option<NonZeroU32> {
        self.rate
    }

    /// Adds what has come since.
    pub(super) fn fill(&mut self, now: EngineTime) {
        let Some(rate) = self.rate else { return };
        let elapsed = now.since(self.filled).min(Duration::from_secs(3600)).as_nanos() as u64;
        let come = elapsed.saturating_mul(rate.get().into()) / 1_000_000_000;
        // Less than an octet stays in the time, else many short passes would never fill it.
        if come > 0 {
            self.octets = self.octets.saturating_add_unsigned(come).min(depth(rate));
            self.filled = now;
        }
    }

    #[inline]
    pub(super) fn take(&mut self, octets: usize) {
        if self.rate.is_some() {
            self.octets -= octets as i64;
        }
    }

    /// Whether nothing may be sent now.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.rate.is_some() && self.octets <= 0
    }

    /// When it is half full again, if nothing may be sent before.
    pub(super) fn due(&self) -> Option<EngineTime> {
        let rate = self.rate.filter(|_| self.is_empty())?;
        let missing = (depth(rate) / 2 - self.octets).unsigned_abs();
        Some(self.filled.after(Duration::from_nanos(
            missing.saturating_mul(1_000_000_000) / u64::from(rate.get()) + 1,
        )))
    }
}

/// At least a message of any UDP exporter.
fn depth(rate: NonZeroU32) -> i64 {
    (i64::from(rate.get()) * DEPTH.as_millis() as i64 / 1000).max(1500)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn over_a_minute_it_gives_what_the_rate_says() {
        for (rate, step) in [(10_000, 1), (125_000, 7), (1_000_000, 50)] {
            let mut bucket = Bucket::new(NonZeroU32::new(rate), EngineTime(0));
            let mut sent = 0_u64;
            for now in (0..60_000).step_by(step) {
                bucket.fill(EngineTime(now * 1_000_000));
                while !bucket.is_empty() {
                    bucket.take(484);
                    sent += 484;
                }
                assert!(bucket.due().unwrap() > EngineTime(now * 1_000_000));
            }
            let allowed = u64::from(rate) * 60;
            assert!((allowed..allowed * 101 / 100 + 2000).contains(&sent), "{rate}: {sent}");
        }
        assert!(!Bucket::default().is_empty() && Bucket::default().due().is_none());
    }
}
