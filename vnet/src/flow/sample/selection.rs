//! Which packets of a frame are selected.

use core::ops::Range;

use crate::frame::FRAME_SIZE;

/// A bit for each packet of a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Selection([u64; FRAME_SIZE / 64]);

impl Selection {
    /// Adds a packet. One behind the end of a frame is none.
    #[inline(always)]
    pub fn add(&mut self, at: usize) {
        if let Some(word) = self.0.get_mut(at / 64) {
            *word |= 1 << (at % 64);
        }
    }

    /// Adds packets that follow each other.
    #[inline]
    pub fn add_run(&mut self, run: Range<usize>) {
        for (n, word) in self.0.iter_mut().enumerate() {
            let start = run.start.clamp(n * 64, n * 64 + 64) - n * 64;
            let end = run.end.clamp(n * 64, n * 64 + 64) - n * 64;
            if start < end {
                *word |= (u64::MAX >> (64 - (end - start))) << start;
            }
        }
    }

    /// Whether a packet is selected.
    #[inline(always)]
    #[must_use]
    pub fn has(&self, at: usize) -> bool {
        self.0.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 == 1)
    }

    /// How many are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0 == [0; FRAME_SIZE / 64]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_run_is_its_packets(start in 0_usize..260, len in 0_usize..260) {
            let (mut at_once, mut one_by_one) = (Selection::default(), Selection::default());
            at_once.add_run(start..start + len);
            (start..start + len).for_each(|at| one_by_one.add(at));
            prop_assert_eq!(at_once, one_by_one);
            prop_assert_eq!(at_once.len(), (start + len).min(256).saturating_sub(start));
            prop_assert!((0..256).all(|at| at_once.has(at) == (start..start + len).contains(&at)));
        }
    }
}
