//! Which fields are worth it: those by which packets that may well come are looked up in fewer tables.

use super::{
    Placed, Space,
    levels::depth,
    prune::{Filter, Order, Pruning},
    set::Set,
    values::{First, Values},
};

/// Packets that are tried.
const SAMPLES: usize = 64;
/// Masks up to this are asked in any case.
const FEW: usize = 2;
/// The longest that all lists of an order may be, for each rule that there is.
const LISTED: usize = 64;

/// A field, and what it says of each sample.
struct Tried<const N: usize> {
    values: Values<N>,
    said: Vec<Vec<First>>,
}

impl<const N: usize> Space<N> {
    /// Takes the field by whose order packets ask the fewest tables, then those that leave most masks out, as long as packets save a
    /// table each by it.
    pub(super) fn choose(&self, rules: &[Placed<N>], fields: &[[u64; N]]) -> Option<Pruning<N>> {
        if self.masks.len() <= FEW {
            return None;
        }
        let samples = self.samples(rules);
        let masks: Vec<_> = self.masks.iter().map(|mask| mask.words).collect();
        let values = fields.iter().filter_map(|field| Values::new(field, &masks, rules));
        let mut left: Vec<_> = values
            .map(|values| Tried {
                said: samples.iter().map(|key| values.of(key)).collect(),
                values,
            })
            .collect();
        let without: usize = samples.iter().map(|key| self.ask_in_turn(key).1).sum();
        let mut among = vec![Set::ALL; samples.len()];
        let asked = |order: &Tried<N>, among: &[Set]| -> usize {
            let each = samples.iter().zip(&order.said).zip(among);
            each.map(|((key, list), among)| self.ask_listed(key, list, among).1).sum()
        };
        let orders = left.iter().enumerate().filter(|(_, tried)| tried.is_short());
        let costs = orders.map(|(n, tried)| (n, tried.searched() + asked(tried, &among)));
        let (n, cost) = costs.min_by_key(|(_, cost)| *cost)?;
        if cost + samples.len() > without {
            return None;
        }
        let order = left.swap_remove(n);
        let mut cost = asked(&order, &among);
        let mut filters = Vec::new();
        loop {
            let with = left.iter().enumerate().map(|(n, tried)| {
                let narrower: Vec<Set> = among
                    .iter()
                    .zip(&tried.said)
                    .map(|(set, said)| self.narrow(set, said))
                    .collect();
                let rest = asked(&order, &narrower);
                (rest + tried.searched(), rest, n, narrower)
            });
            match with.min_by_key(|(with, ..)| *with) {
                Some((with, rest, n, narrower)) if with + samples.len() <= cost => {
                    // What its search costs has been paid for.
                    (cost, among) = (rest, narrower);
                    filters.push(Filter::new(&left.swap_remove(n).values, self.grouping));
                }
                _ => {
                    return Some(Pruning {
                        order: Order::new(&order.values),
                        filters: filters.into(),
                    });
                }
            }
        }
    }

    fn narrow(&self, set: &Set, said: &[First]) -> Set {
        let mut set = *set;
        set.and(&self.grouping.all(said));
        set
    }

    /// Keys for rules all over the list; where a rule does not look they are those of other rules.
    fn samples(&self, rules: &[Placed<N>]) -> Vec<[u64; N]> {
        let sample = |n: usize| {
            let rule = &rules[n * rules.len() / SAMPLES];
            // A stride that is prime to most numbers of rules.
            let other = &rules[(n * 7_919 + rules.len() / 2) % rules.len()];
            let words = &self.masks[rule.mask].words;
            core::array::from_fn(|word| rule.value[word] | other.value[word] & !words[word])
        };
        (0..SAMPLES).map(sample).collect()
    }
}

impl<const N: usize> Tried<N> {
    /// Tables that the searches of all samples ask.
    fn searched(&self) -> usize {
        self.said.len() * depth(self.values.lengths.len())
    }

    /// Whether lists are so short that memory has room for one of each value.
    fn is_short(&self) -> bool {
        let all: usize = self.said.iter().map(Vec::len).sum();
        all <= LISTED * self.said.len()
    }
}
