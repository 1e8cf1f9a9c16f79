//! Sets of masks: a bit each, or one for several in a row where there are more masks than bits.

/// Words of a set.
const WORDS: usize = 4;

/// A set of masks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Set([u64; WORDS]);

/// What a bit stands for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grouping {
    /// So many masks in a row.
    each: u32,
}

/// Masks of a set that are still to be asked, in their order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidates {
    set: Set,
    /// The next mask of the bit that was taken last, and how many of it are left.
    next: u32,
    left: u32,
}

impl Set {
    pub(super) const NONE: Self = Self([0; WORDS]);
    pub(super) const ALL: Self = Self([u64::MAX; WORDS]);

    #[inline(always)]
    pub(super) fn and(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(word, other)| *word &= other);
    }

    pub(super) fn or(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(word, other)| *word |= other);
    }

    /// Takes the lowest bit out.
    #[inline(always)]
    fn pop(&mut self) -> Option<u32> {
        for (base, word) in (0..).step_by(64).zip(&mut self.0) {
            if *word != 0 {
                let bit = word.trailing_zeros();
                *word &= *word - 1;
                return Some(base + bit);
            }
        }
        None
    }
}

impl Grouping {
    /// Of so many masks.
    pub(super) fn of(masks: usize) -> Self {
        Self { each: masks.div_ceil(WORDS * 64).max(1) as u32 }
    }

    /// The set of a mask, and those that share its bit.
    pub(super) fn set(self, mask: usize) -> Set {
        let bit = mask / self.each as usize;
        let mut set = Set::NONE;
        set.0[bit / 64] |= 1 << (bit % 64);
        set
    }
}

impl Candidates {
    /// Nothing to be asked.
    pub(super) const NONE: Self = Self::of(Set::NONE);

    #[inline(always)]
    pub(super) const fn of(set: Set) -> Self {
        Self { set, next: 0, left: 0 }
    }

    /// The next mask by its number, which may be one that does not exist: then there are no more.
    #[inline(always)]
    pub(super) fn next(&mut self, grouping: Grouping) -> Option<usize> {
        if self.left == 0 {
            self.next = self.set.pop()? * grouping.each;
            self.left = grouping.each;
        }
        self.left -= 1;
        self.next += 1;
        Some(self.next as usize - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_masks_of_a_set_are_asked_in_their_order() {
        for masks in [1, 64, 65, 256, 257, 1_000] {
            let grouping = Grouping::of(masks);
            let mut set = Set::NONE;
            (0..masks).step_by(3).for_each(|mask| set.or(&grouping.set(mask)));
            let mut candidates = Candidates::of(set);
            let asked: Vec<_> = core::iter::from_fn(|| candidates.next(grouping)).collect();
            assert!(asked.is_sorted_by(|a, b| a < b));
            assert!((0..masks).step_by(3).all(|mask| asked.contains(&mask)), "{masks} masks");
            assert!(masks > 256 || asked.len() == masks.div_ceil(3));
        }
    }
}
