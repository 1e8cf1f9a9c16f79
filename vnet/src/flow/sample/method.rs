//! The ways to sample, and what collectors are told of each.

/// A sampling method, as RFC 5475 has them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Method {
    /// Systematic, by count: `interval` packets are selected, the next `space` are not.
    Count {
        /// Packets.
        interval: u32,
        /// Packets.
        space: u32,
    },
    /// Systematic, by time: packets are selected that come within `interval`, and not those within the next `space`. The first
    /// packet begins an interval.
    Time {
        /// Microseconds.
        interval: u32,
        /// Microseconds.
        space: u32,
    },
    /// `size` packets at random of each `population` that follow each other.
    Random {
        /// Packets.
        size: u32,
        /// Packets.
        population: u32,
    },
    /// Each packet with this probability.
    Probability(f64),
    /// Packets whose hash is within a range, so that every observation point on the way selects the same ones.
    Hash {
        /// The least hash that is selected.
        first: u32,
        /// The greatest.
        last: u32,
    },
}

/// Why a method selects nothing that could be told.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum MethodError {
    /// No packet would be selected.
    #[error("an interval of 0 selects no packet: give at least 1")]
    NoInterval,
    /// Numbers out of order.
    #[error("{size} of {population} packets: give at least 1, and no more than there are")]
    Size {
        /// Packets selected.
        size: u32,
        /// Packets of which.
        population: u32,
    },
    /// Not a probability.
    #[error("a probability of {0}: give one above 0 and up to 1")]
    Probability(f64),
    /// The range is empty.
    #[error("no hash is from {first} to {last}: give the lesser one first")]
    Range {
        /// The least hash asked for.
        first: u32,
        /// The greatest.
        last: u32,
    },
}

impl Method {
    /// The method, if it selects anything.
    ///
    /// # Errors
    /// See [`MethodError`].
    pub fn check(self) -> Result<Self, MethodError> {
        match self {
            Self::Count { interval: 0, .. } | Self::Time { interval: 0, .. } => {
                Err(MethodError::NoInterval)
            }
            Self::Random { size, population } if size == 0 || size > population => {
                Err(MethodError::Size { size, population })
            }
            Self::Probability(p) if !(p > 0.0 && p <= 1.0) => Err(MethodError::Probability(p)),
            Self::Hash { first, last } if first > last => Err(MethodError::Range { first, last }),
            _ => Ok(self),
        }
    }

    /// The number of RFC 5477 (selectorAlgorithm, IANA element 304).
    #[must_use]
    pub const fn algorithm(self) -> u16 {
        match self {
            Self::Count { .. } => 1,
            Self::Time { .. } => 2,
            Self::Random { .. } => 3,
            Self::Probability(_) => 4,
            Self::Hash { .. } => 6,
        }
    }

    /// Which part of the packets is selected, above 0 and up to 1: of those of a stream that is as dense in each interval where
    /// it goes by time, and as random as the hash where it goes by that.
    #[must_use]
    pub fn fraction(self) -> f64 {
        match self {
            Self::Count { interval, space } | Self::Time { interval, space } => {
                f64::from(interval) / (f64::from(interval) + f64::from(space))
            }
            Self::Random { size, population } => f64::from(size) / f64::from(population),
            Self::Probability(p) => p,
            Self::Hash { first, last } => (f64::from(last - first) + 1.0) / 2.0_f64.powi(32),
        }
    }

    /// As a count of packets selected and of packets skipped: exact where the method is one of counts, else the nearest with one
    /// packet selected.
    #[must_use]
    pub fn interval_and_space(self) -> (u32, u32) {
        match self {
            Self::Count { interval, space } => (interval, space),
            Self::Random { size, population } => (size, population - size),
            _ => (1, (1.0 / self.fraction() - 1.0).round() as u32),
        }
    }
}

/// As the command has it.
impl core::fmt::Display for Method {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Count { interval, space } => write!(f, "count {interval} {space}"),
            Self::Time { interval, space } => write!(f, "time {interval} {space}"),
            Self::Random { size, population } => write!(f, "random {size} {population}"),
            Self::Probability(p) => write!(f, "probability {p}"),
            Self::Hash { first, last } => write!(f, "hash {first} {last}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_selects_nothing_is_refused() {
        let refused = |method: Method| method.check().is_err();
        assert!(refused(Method::Count { interval: 0, space: 1 }));
        assert!(refused(Method::Time { interval: 0, space: 1 }));
        assert!(refused(Method::Random { size: 0, population: 1 }));
        assert!(refused(Method::Random { size: 2, population: 1 }));
        assert!([0.0, -0.5, 1.5, f64::NAN].map(Method::Probability).into_iter().all(refused));
        assert!(refused(Method::Hash { first: 2, last: 1 }));
        assert!(!refused(Method::Count { interval: 1, space: 0 }));
        assert!(!refused(Method::Probability(1.0)));
        assert!(!refused(Method::Hash { first: 0, last: u32::MAX }));
    }

    #[test]
    fn a_method_is_told_as_packets_selected_and_skipped() {
        let told = |method: Method| method.interval_and_space();
        assert_eq!(told(Method::Count { interval: 2, space: 98 }), (2, 98));
        assert_eq!(told(Method::Random { size: 3, population: 10 }), (3, 7));
        assert_eq!(told(Method::Probability(0.001)), (1, 999));
        assert_eq!(told(Method::Probability(1.0)), (1, 0));
        assert_eq!(told(Method::Time { interval: 10, space: 990 }), (1, 99));
        assert_eq!(told(Method::Hash { first: 0, last: u32::MAX / 64 }), (1, 63));
        assert_eq!(told(Method::Probability(1e-300)), (1, u32::MAX));
    }
}
