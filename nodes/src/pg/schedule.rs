//! When the packets of a stream are due.

use vnet::runtime::EngineTime;

use super::spec::Rate;

/// Millionths of a packet a second times nanoseconds that make one packet.
const PACKET: u128 = 1_000_000 * 1_000_000_000;

/// Counts what is due by `rate` since a start, exactly: the fraction of a packet that is left over is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    rate: Option<u64>,
    last: EngineTime,
    /// Parts of a packet that have come together, in units of 1 / [`PACKET`].
    fraction: u128,
    /// Whole packets that are due.
    due: u64,
}

impl Schedule {
    /// Nothing is due at `start`, unless the rate is unlimited.
    pub(super) fn new(rate: Rate, start: EngineTime) -> Self {
        Self { rate: rate.micro_packets(), last: start, fraction: 0, due: 0 }
    }

    /// Packets that are due at `now`.
    #[inline]
    pub(super) fn due(&mut self, now: EngineTime) -> u64 {
        let Some(rate) = self.rate else { return u64::MAX };
        let elapsed = now.0.saturating_sub(self.last.0);
        if elapsed > 0 {
            self.last = now;
            // At most 2^128 - 2^65 + 1, and the fraction is far smaller than 2^64.
            let parts = self.fraction + u128::from(elapsed) * u128::from(rate);
            self.fraction = parts % PACKET;
            let whole = u64::try_from(parts / PACKET).unwrap_or(u64::MAX);
            self.due = self.due.saturating_add(whole);
        }
        self.due
    }

    /// `n` packets were made.
    #[inline]
    pub(super) fn made(&mut self, n: u64) {
        self.due = self.due.saturating_sub(n);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_due_does_not_depend_on_how_often_one_asks(
            micro in 1u64..10_000_000_000_000,
            steps in proptest::collection::vec(0u64..5_000_000_000, 1..40),
        ) {
            let rate = Rate::per_second(micro as f64 / 1e6).unwrap();
            let mut schedule = Schedule::new(rate, EngineTime(7));
            let (mut now, mut made) = (7u64, 0u128);
            for step in steps {
                now += step;
                let due = schedule.due(EngineTime(now));
                schedule.made(due);
                made += u128::from(due);
            }
            let exact = u128::from(now - 7) * u128::from(rate.micro_packets().unwrap()) / PACKET;
            prop_assert_eq!(made, exact);
        }
    }

    #[test]
    fn what_was_not_made_stays_due() {
        let mut schedule = Schedule::new(Rate::per_second(0.5).unwrap(), EngineTime(0));
        assert_eq!(schedule.due(EngineTime(1_999_999_999)), 0);
        assert_eq!(schedule.due(EngineTime(10_000_000_000)), 5);
        schedule.made(2);
        // A clock that stands still or steps back makes nothing due.
        assert_eq!(schedule.due(EngineTime(9_000_000_000)), 3);
        assert_eq!(schedule.due(EngineTime(12_000_000_000)), 4);
    }
}
