//! Classes of messages: what they let pass, and how much.

use super::Level;
use crate::runtime::EngineTime;
use core::time::Duration;

/// A registered class (and subclass) of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LogClass(pub(super) u16);

/// What a class lets pass. A new class starts with VPP's defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClassSettings {
    /// Messages up to this level go into the ring; `notice` at first.
    pub level: Level,
    /// Messages up to this level go to the output; `warn` at first.
    pub syslog_level: Level,
    /// Messages a second before the class is throttled; 50 at first.
    pub rate_limit: u32,
}

impl ClassSettings {
    /// What a class starts with.
    pub const INITIAL: Self =
        Self { level: Level::Notice, syslog_level: Level::Warn, rate_limit: 50 };
}

/// What the rate limit says to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It passes; so many before it did not, and nobody has heard of them yet.
    Pass { suppressed: u64 },
    /// It is the first that does not pass.
    Throttle,
    /// It does not pass.
    Suppress,
}

/// A class's limit over time: `limit` messages in a second, then silence until `unthrottle` after that second began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    since: EngineTime,
    passed: u32,
    suppressed: u64,
}

impl Rate {
    pub(super) const fn new() -> Self {
        Self { since: EngineTime(0), passed: 0, suppressed: 0 }
    }

    /// Messages that did not pass and that nobody has heard of yet.
    pub(super) fn suppressed(&self) -> u64 {
        self.suppressed
    }

    pub(super) fn judge(&mut self, now: EngineTime, limit: u32, unthrottle: Duration) -> Verdict {
        let throttled = self.suppressed > 0;
        let pause = if throttled { unthrottle } else { Duration::from_secs(1) };
        if now.since(self.since) > pause {
            let suppressed = self.suppressed;
            *self = Self { since: now, passed: 0, suppressed: 0 };
            if limit > 0 {
                self.passed = 1;
                return Verdict::Pass { suppressed };
            }
            self.suppressed = suppressed;
        }
        if self.passed < limit && !throttled {
            self.passed += 1;
            return Verdict::Pass { suppressed: 0 };
        }
        self.suppressed += 1;
        if throttled { Verdict::Suppress } else { Verdict::Throttle }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNTHROTTLE: Duration = Duration::from_secs(3);

    #[test]
    fn no_message_escapes_the_books_of_the_rate_limit() {
        let mut rate = Rate::new();
        let (mut passed, mut reported, mut suppressed) = (0, 0, 0_u64);
        for ms in 0..20_000_u64 {
            let now = EngineTime(ms * 1_000_000);
            match rate.judge(now, 50, UNTHROTTLE) {
                Verdict::Pass { suppressed } => {
                    passed += 1;
                    reported += suppressed;
                }
                Verdict::Throttle | Verdict::Suppress => suppressed += 1,
            }
        }
        // One burst of 50 in every 3 seconds.
        assert_eq!(passed, 50 * 7);
        assert_eq!(passed + suppressed, 20_000);
        assert_eq!(suppressed, reported + rate.suppressed);
    }

    #[test]
    fn a_class_that_keeps_to_its_rate_is_never_throttled() {
        let mut rate = Rate::new();
        for n in 0..1_000_u64 {
            let now = EngineTime(n * 21_000_000);
            assert_eq!(rate.judge(now, 50, UNTHROTTLE), Verdict::Pass { suppressed: 0 });
        }
    }

    #[test]
    fn a_limit_of_zero_lets_nothing_pass() {
        let mut rate = Rate::new();
        assert_eq!(rate.judge(EngineTime(0), 0, UNTHROTTLE), Verdict::Throttle);
        for s in 1..20 {
            assert_eq!(rate.judge(EngineTime(s * 1_000_000_000), 0, UNTHROTTLE), Verdict::Suppress);
        }
    }
}
