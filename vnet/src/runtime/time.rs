//! Engine time and packet time. They never mix: one drives timers, the other says when a packet was seen.

use core::time::Duration;

/// Monotonic time of an engine, in nanoseconds since it started. Drives processes and timers; under a virtual clock
/// the test moves it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EngineTime(pub u64);

impl EngineTime {
    /// The time `d` after this one; saturates at the end of time.
    #[must_use]
    pub fn after(self, d: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// How much later this is than `earlier`; zero when it is not later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// As seconds, for display.
    #[must_use]
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }
}

/// When a packet was seen, in nanoseconds since 1970-01-01T00:00:00Z: the time of receipt live, the capture's own in
/// replay. May jump and step back from one packet to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct PacketTime(pub u64);
