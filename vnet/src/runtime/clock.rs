//! The clock of an engine: real, or moved by hand.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use super::{EngineTime, PacketTime, cycles};

/// Tells the time of an engine. Clones tell the same time.
#[derive(Clone)]
pub struct Clock(Arc<Kind>);

enum Kind {
    Real {
        start: Instant,
        start_cycles: u64,
        /// How far the engine is ahead of its start, in nanoseconds.
        ahead: AtomicU64,
    },
    Virtual {
        now: AtomicU64,
        wall: AtomicU64,
    },
}

impl Clock {
    /// A clock that runs by itself.
    #[must_use]
    pub fn real() -> Self {
        Self(Arc::new(Kind::Real {
            start: Instant::now(),
            start_cycles: cycles(),
            ahead: AtomicU64::new(0),
        }))
    }

    /// A clock that stands still at engine time 0, which is the wall-clock time `wall`, until it is moved.
    #[must_use]
    pub fn virtual_at(wall: PacketTime) -> Self {
        let (now, wall) = (AtomicU64::new(0), AtomicU64::new(wall.0));
        Self(Arc::new(Kind::Virtual { now, wall }))
    }

    /// Whether the clock is moved by hand.
    #[must_use]
    pub fn is_virtual(&self) -> bool {
        matches!(*self.0, Kind::Virtual { .. })
    }

    /// Engine time.
    #[must_use]
    pub fn now(&self) -> EngineTime {
        match &*self.0 {
            Kind::Real { start, ahead, .. } => {
                EngineTime(ahead.load(Ordering::Relaxed)).after(start.elapsed())
            }
            Kind::Virtual { now, .. } => EngineTime(now.load(Ordering::Relaxed)),
        }
    }

    /// Wall-clock time; follows its steps.
    #[must_use]
    pub fn wall(&self) -> PacketTime {
        match &*self.0 {
            Kind::Real { .. } => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                PacketTime(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
            }
            Kind::Virtual { wall, .. } => PacketTime(wall.load(Ordering::Relaxed)),
        }
    }

    /// Moves a virtual clock on to `to`; a real one, and a step back, change nothing.
    pub(crate) fn move_to(&self, to: EngineTime) {
        if let Kind::Virtual { now, wall } = &*self.0 {
            let step = to.0.saturating_sub(now.load(Ordering::Relaxed));
            now.fetch_add(step, Ordering::Relaxed);
            wall.fetch_add(step, Ordering::Relaxed);
        }
    }

    /// Has engine time, of either kind of clock, be later by `step`; the wall clock of a real one goes on as it does.
    pub(crate) fn skip(&self, step: Duration) {
        match &*self.0 {
            Kind::Real { ahead, .. } => {
                let step = u64::try_from(step.as_nanos()).unwrap_or(u64::MAX);
                // It is nobody else's to write: commands run on the main thread.
                let later = ahead.load(Ordering::Relaxed).saturating_add(step);
                ahead.store(later, Ordering::Relaxed);
            }
            Kind::Virtual { .. } => self.move_to(self.now().after(step)),
        }
    }

    /// Sets the wall clock of a virtual clock, as an administrator or NTP would; engine time does not move.
    pub fn set_wall(&self, to: PacketTime) {
        if let Kind::Virtual { wall, .. } = &*self.0 {
            wall.store(to.0, Ordering::Relaxed);
        }
    }

    /// Cycles a second of [`cycles()`], measured since the clock was made. `None` in the first milliseconds and for
    /// virtual clocks, which say nothing about cycles.
    #[must_use]
    pub fn cycles_per_second(&self) -> Option<f64> {
        let Kind::Real { start, start_cycles, .. } = &*self.0 else { return None };
        let elapsed = start.elapsed();
        if elapsed < Duration::from_millis(5) {
            return None;
        }
        Some(cycles().wrapping_sub(*start_cycles) as f64 / elapsed.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_real_clock_is_ahead_by_what_it_was_told_to_skip() {
        let clock = Clock::real();
        let (before, wall) = (clock.now(), clock.wall());
        clock.skip(Duration::from_secs(3_600));
        assert!(clock.now().since(before) >= Duration::from_secs(3_600));
        assert!(clock.wall().0 - wall.0 < 60_000_000_000);
    }

    #[test]
    fn a_virtual_clock_moves_by_hand_and_only_forward() {
        let c = Clock::virtual_at(PacketTime(1_000_000_000));
        c.move_to(EngineTime(500));
        c.move_to(EngineTime(200));
        assert_eq!((c.now(), c.wall()), (EngineTime(500), PacketTime(1_000_000_500)));
        c.set_wall(PacketTime(7));
        assert_eq!((c.now(), c.wall()), (EngineTime(500), PacketTime(7)));
    }
}
