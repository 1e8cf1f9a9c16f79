//! What rules say of a field: a part of the key, as the source address. What masks compare of it are nested, as prefixes are.

use std::collections::HashMap;

use super::{Placed, table::and};

/// A mask, and the position of its first rule for some values of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct First {
    pub(super) position: u32,
    pub(super) mask: u32,
}

/// What rules say of a field.
pub(super) struct Values<const N: usize> {
    /// What is compared of it, the shortest first.
    pub(super) lengths: Vec<[u64; N]>,
    /// Masks with rules for this value, and neither a shorter nor a longer one, by lengths.
    own: Vec<HashMap<[u64; N], Vec<First>>>,
    /// Masks that do not look at the field.
    without: Vec<First>,
}

impl<const N: usize> Values<N> {
    /// Of rules in the order of their positions. `None` where what masks compare of the field is not nested, or nothing.
    pub(super) fn new(field: &[u64; N], masks: &[[u64; N]], rules: &[Placed<N>]) -> Option<Self> {
        let lengths = nested(masks.iter().map(|mask| and(mask, field)))?;
        let length = |mask: &[u64; N]| lengths.iter().position(|known| *known == and(mask, field));
        let length_of: Vec<_> = masks.iter().map(length).collect();
        let mut own = vec![HashMap::new(); lengths.len()];
        let mut without = Vec::new();
        for rule in rules {
            let firsts: &mut Vec<First> = match length_of[rule.mask] {
                Some(n) => own[n].entry(and(&rule.value, &lengths[n])).or_default(),
                None => &mut without,
            };
            let mask = rule.mask as u32;
            if firsts.iter().all(|first| first.mask != mask) {
                firsts.push(First { position: rule.position, mask });
            }
        }
        Some(Self { lengths, own, without })
    }

    /// Values of a length that rules have.
    pub(super) fn own(&self, length: usize) -> impl Iterator<Item = &[u64; N]> {
        self.own[length].keys()
    }

    /// Masks with rules for a value or for a shorter one, of the first so many lengths, in the order of those rules.
    pub(super) fn firsts(&self, value: &[u64; N], lengths: usize) -> Vec<First> {
        let mut all = self.without.clone();
        for (own, length) in self.own.iter().zip(&self.lengths).take(lengths) {
            all.extend(own.get(&and(value, length)).into_iter().flatten());
        }
        // A mask compares as much of the field in all of its rules: it is there but once.
        all.sort_unstable();
        all
    }

    /// The same of a packet.
    pub(super) fn of(&self, key: &[u64; N]) -> Vec<First> {
        self.firsts(key, self.lengths.len())
    }
}

/// What there is but nothing, the shortest first; `None` where one is not part of the next, or there is none.
fn nested<const N: usize>(masks: impl Iterator<Item = [u64; N]>) -> Option<Vec<[u64; N]>> {
    let bits = |mask: &[u64; N]| mask.iter().map(|word| word.count_ones()).sum::<u32>();
    let mut all: Vec<_> = masks.filter(|mask| bits(mask) > 0).collect();
    all.sort_unstable_by_key(|mask| (bits(mask), *mask));
    all.dedup();
    let is_nested = all.windows(2).all(|pair| and(&pair[0], &pair[1]) == pair[0]);
    (is_nested && !all.is_empty()).then_some(all)
}
