//! Counting per interface without touching a counter for each packet.

use super::SwIfIndex;

/// Packets and bytes of the present run of packets of one interface. Packets of a frame mostly belong to the same one.
#[derive(Debug)]
pub struct Runs {
    interface: SwIfIndex,
    packets: u64,
    bytes: u64,
}

impl Default for Runs {
    fn default() -> Self {
        Self { interface: SwIfIndex::NONE, packets: 0, bytes: 0 }
    }
}

impl Runs {
    /// One more packet of `interface`; when a run ends by it, `count` gets the run. Whether a run begins with
    /// it; a first one of packets of [`SwIfIndex::NONE`] does not.
    #[inline(always)]
    pub fn add(
        &mut self,
        interface: SwIfIndex,
        bytes: u64,
        count: impl FnOnce(SwIfIndex, u64, u64),
    ) -> bool {
        let begins = interface != self.interface;
        if begins {
            if self.packets > 0 {
                count(self.interface, self.packets, self.bytes);
            }
            *self = Self { interface, packets: 0, bytes: 0 };
        }
        self.packets += 1;
        self.bytes += bytes;
        begins
    }

    /// Ends the last run.
    #[inline]
    pub fn end(self, count: impl FnOnce(SwIfIndex, u64, u64)) {
        if self.packets > 0 {
            count(self.interface, self.packets, self.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_add_up_per_interface() {
        let (mut seen, mut begun) = (Vec::new(), Vec::new());
        let mut runs = Runs::default();
        for (interface, bytes) in [(1, 10), (1, 20), (2, 5), (1, 1)] {
            begun.push(runs.add(SwIfIndex(interface), bytes, |i, p, b| seen.push((i.0, p, b))));
        }
        assert_eq!(begun, [true, false, true, true]);
        runs.end(|i, p, b| seen.push((i.0, p, b)));
        assert_eq!(seen, [(1, 2, 30), (2, 1, 5), (1, 1, 1)]);
    }
}
