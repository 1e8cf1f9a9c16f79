//! Sets of masks: a bit each, or one for several in a row where there are more masks than bits.

use super::values::First;

/// Words of a set.
const WORDS: usize = 4;

/// A set of masks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Set([u64; WORDS]);

/// What a bit stands for: so many masks in a row, as a power of two.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grouping(u32);

impl Set {
    pub(super) const NONE: Self = Self([0; WORDS]);
    pub(super) const ALL: Self = Self([u64::MAX; WORDS]);

    #[inline(always)]
    pub(super) fn and(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(word, other)| *word &= other);
    }

    /// Whether a mask is in it, or may be.
    #[inline(always)]
    pub(super) fn has(&self, Grouping(each): Grouping, mask: u32) -> bool {
        let bit = mask >> each;
        self.0.get((bit / 64) as usize).is_some_and(|word| word >> (bit % 64) & 1 == 1)
    }
}

impl Grouping {
    /// Of so many masks.
    pub(super) const fn of(masks: usize) -> Self {
        Self(masks.div_ceil(WORDS * 64).next_power_of_two().trailing_zeros())
    }

    /// The set of masks, and of those that share their bits.
    pub(super) fn all(self, masks: &[First]) -> Set {
        let mut set = Set::NONE;
        for bit in masks.iter().map(|first| first.mask >> self.0) {
            set.0[(bit / 64) as usize] |= 1 << (bit % 64);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_the_masks_it_was_made_of() {
        for masks in [1, 64, 65, 256, 257, 1_000] {
            let grouping = Grouping::of(masks);
            let thirds = (0..masks as u32).step_by(3);
            let firsts: Vec<_> = thirds.clone().map(|mask| First { position: 7, mask }).collect();
            let set = grouping.all(&firsts);
            assert!(thirds.into_iter().all(|mask| set.has(grouping, mask)), "{masks} masks");
            let has = (0..masks as u32).filter(|mask| set.has(grouping, *mask)).count();
            assert!(masks > 256 || has == masks.div_ceil(3), "{masks} masks");
        }
    }
}
