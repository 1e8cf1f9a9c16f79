//! Gates: how features that look at few packets are no cost to the others.
//!
//! A feature that samples knows how many packets come before the next one that it wants. Where it is alone on its arc for an
//! interface, and says that it is [gated](super::FeatureSpec::gated), the node at the beginning of the arc may let packets pass for as
//! long as there are enough of them, without a visit of the feature's node. What is enabled beside it closes the gate for good:
//! then packets take their usual way, and the feature counts down itself.

/// Which one: what was given when the feature was enabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gate(pub u32);

/// The gates of a thread, for the nodes that let packets pass and for the features whose they are.
#[derive(Debug, Default)]
pub struct Gates(Vec<Countdown>);

/// What a gate knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Countdown {
    /// Packets that come before the next one that the feature wants to see.
    pub left: u64,
    /// Packets that the feature did not see.
    pub passed: u64,
}

impl Gates {
    /// Whether `n` packets can pass.
    #[inline]
    #[must_use]
    pub fn lets(&self, Gate(gate): Gate, n: usize) -> bool {
        self.0.get(gate as usize).is_some_and(|gate| gate.left >= n as u64)
    }

    /// Notes that `n` have, which can.
    #[inline]
    pub fn pass(&mut self, Gate(gate): Gate, n: usize) {
        if let Some(gate) = self.0.get_mut(gate as usize) {
            gate.left = gate.left.saturating_sub(n as u64);
            gate.passed += n as u64;
        }
    }

    /// One of them, for its feature. Those that nobody has asked for let nothing pass.
    #[inline]
    pub fn of_mut(&mut self, Gate(gate): Gate) -> &mut Countdown {
        let at = gate as usize;
        if self.0.len() <= at {
            self.0.resize(at + 1, Countdown::default());
        }
        &mut self.0[at]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_pass_until_the_one_that_is_wanted() {
        let mut gates = Gates::default();
        assert!(!gates.lets(Gate(3), 1));
        gates.of_mut(Gate(3)).left = 10;
        assert!(gates.lets(Gate(3), 10) && !gates.lets(Gate(3), 11) && !gates.lets(Gate(2), 1));
        gates.pass(Gate(3), 7);
        assert_eq!(*gates.of_mut(Gate(3)), Countdown { left: 3, passed: 7 });
    }
}
