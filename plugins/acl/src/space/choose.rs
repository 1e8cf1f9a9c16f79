//! Which fields are worth it: those by which packets that may well come are looked up in fewer tables.

use super::{
    Space,
    prune::{Field, Pruning},
    set::Set,
};

/// Packets that are tried.
const SAMPLES: usize = 64;
/// Masks up to this are asked in any case.
const FEW: usize = 2;

/// A field, with what it says of each sample, and how many tables that takes.
struct Tried<const N: usize> {
    field: Field<N>,
    said: Vec<(Set, usize)>,
}

impl<const N: usize> Space<N> {
    /// Takes the field that saves most, then the next one, as long as packets save a table each by it. Rules are the number of their
    /// mask and their value.
    pub(super) fn choose(
        &self,
        rules: &[(usize, [u64; N])],
        fields: &[[u64; N]],
    ) -> Option<Pruning<N>> {
        if self.masks.len() <= FEW {
            return None;
        }
        let samples = self.samples(rules);
        let masks: Vec<_> = self.masks.iter().map(|mask| mask.words).collect();
        let mut left: Vec<_> = fields
            .iter()
            .filter_map(|field| Field::new(field, &masks, rules))
            .map(|field| Tried {
                said: samples.iter().map(|key| field.search(key)).collect(),
                field,
            })
            .collect();
        let mut chosen = Vec::new();
        let mut sets = vec![Set::ALL; samples.len()];
        let mut cost = self.cost(&samples, &sets);
        loop {
            let with = left.iter().enumerate().map(|(n, tried)| {
                let mut sets = sets.clone();
                sets.iter_mut().zip(&tried.said).for_each(|(set, (said, _))| set.and(said));
                let asked: usize = tried.said.iter().map(|(_, asked)| asked).sum();
                (self.cost(&samples, &sets) + asked, n, sets)
            });
            match with.min_by_key(|(cost, ..)| *cost) {
                Some((with, n, narrower)) if with + samples.len() <= cost => {
                    // The tables of this field have been paid for.
                    let Tried { field, said } = left.swap_remove(n);
                    cost = with - said.iter().map(|(_, asked)| asked).sum::<usize>();
                    sets = narrower;
                    chosen.push(field);
                }
                _ => return (!chosen.is_empty()).then(|| Pruning(chosen.into())),
            }
        }
    }

    /// Keys for rules all over the list; where a rule does not look they are those of other rules.
    fn samples(&self, rules: &[(usize, [u64; N])]) -> Vec<[u64; N]> {
        let sample = |n: usize| {
            let (mask, value) = rules[n * rules.len() / SAMPLES];
            // A stride that is prime to most numbers of rules.
            let (_, other) = rules[(n * 7_919 + rules.len() / 2) % rules.len()];
            let words = &self.masks[mask].words;
            core::array::from_fn(|word| value[word] | other[word] & !words[word])
        };
        (0..SAMPLES).map(sample).collect()
    }

    /// Masks that samples are asked about, of these sets.
    fn cost(&self, samples: &[[u64; N]], sets: &[Set]) -> usize {
        samples.iter().zip(sets).map(|(key, set)| self.ask(key, *set).1).sum()
    }
}
