//! A header field's value: the same in each packet, or another one each time.

/// What a header field holds, as a number in host order. A range includes both of its ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// The same in every packet.
    Fixed(u128),
    /// `low` in the first packet, one more in each further one, `low` again after `high`.
    Increment {
        /// The first value.
        low: u128,
        /// The last value.
        high: u128,
    },
    /// Drawn for each packet, every value of the range equally likely.
    Random {
        /// The smallest value.
        low: u128,
        /// The largest value.
        high: u128,
    },
}

impl Value {
    /// The values that count up from `low` to `high`; fixed when they are the same.
    ///
    /// # Panics
    /// When `high` is below `low`.
    #[must_use]
    pub fn increment(low: impl Into<u128>, high: impl Into<u128>) -> Self {
        Self::ordered(low.into(), high.into(), |low, high| Self::Increment { low, high })
    }

    /// The values drawn from `low..=high`; fixed when they are the same.
    ///
    /// # Panics
    /// When `high` is below `low`.
    #[must_use]
    pub fn random(low: impl Into<u128>, high: impl Into<u128>) -> Self {
        Self::ordered(low.into(), high.into(), |low, high| Self::Random { low, high })
    }

    fn ordered(low: u128, high: u128, make: impl FnOnce(u128, u128) -> Self) -> Self {
        assert!(low <= high, "a range that ends before it starts: {low} to {high}");
        if low == high { Self::Fixed(low) } else { make(low, high) }
    }

    /// The value, where it is always the same.
    #[must_use]
    pub fn fixed(self) -> Option<u128> {
        match self {
            Self::Fixed(value) => Some(value),
            Self::Increment { .. } | Self::Random { .. } => None,
        }
    }
}

macro_rules! fixed_from {
    ($($number:ty),+) => {
        $(impl From<$number> for Value {
            fn from(value: $number) -> Self {
                Self::Fixed(u128::from(value))
            }
        })+
    };
}

fixed_from!(u8, u16, u32, u64, u128);

impl From<[u8; 6]> for Value {
    /// A MAC address, first byte first.
    fn from(mac: [u8; 6]) -> Self {
        Self::Fixed(mac.iter().fold(0, |sum, &byte| sum << 8 | u128::from(byte)))
    }
}

impl From<std::net::Ipv4Addr> for Value {
    fn from(address: std::net::Ipv4Addr) -> Self {
        Self::Fixed(u128::from(address.to_bits()))
    }
}

impl From<std::net::Ipv6Addr> for Value {
    fn from(address: std::net::Ipv6Addr) -> Self {
        Self::Fixed(address.to_bits())
    }
}
