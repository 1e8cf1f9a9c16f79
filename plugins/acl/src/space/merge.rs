//! Masks that differ in single ports alone become one: their rules are told apart by their ports in chains, as those with ranges are.
//!
//! Each mask costs every packet a look, a chain only those that come to it. Where many rules have all but their ports in common they stay
//! where they are: a look into a table finds one of any number of ports at once.

use std::collections::{BTreeSet, HashMap};

use super::Pattern;
use crate::{
    key::{Layer4, layer4},
    rule::Ports,
};

/// The most rules of a chain that comes of this.
const MOST: usize = 16;
/// The bits of ports in a key's last word.
const SOURCE: u64 = layer4(u16::MAX, 0, 0, 0);
const DESTINATION: u64 = layer4(0, u16::MAX, 0, 0);

/// Merges masks, where that makes fewer of them. The order of patterns is kept.
pub(super) fn merge<const N: usize>(patterns: Vec<Pattern<N>>) -> Vec<Pattern<N>> {
    let mut groups: HashMap<[u64; N], Group<N>> = HashMap::new();
    for pattern in &patterns {
        let without = without_ports(pattern);
        let group = groups.entry(without.mask).or_default();
        group.masks.insert(pattern.mask);
        *group.keys.entry(without.value).or_default() += 1;
    }
    groups.retain(|_, group| group.is_worth_it());
    let merged = |pattern: Pattern<N>| {
        let without = without_ports(&pattern);
        if groups.contains_key(&without.mask) { without } else { pattern }
    };
    patterns.into_iter().map(merged).collect()
}

/// Patterns that compare the same but for ports.
struct Group<const N: usize> {
    masks: BTreeSet<[u64; N]>,
    /// How many rules each key has.
    keys: HashMap<[u64; N], usize>,
}

impl<const N: usize> Default for Group<N> {
    fn default() -> Self {
        Self { masks: BTreeSet::new(), keys: HashMap::new() }
    }
}

impl<const N: usize> Group<N> {
    fn is_worth_it(&self) -> bool {
        self.masks.len() > 1 && self.keys.values().all(|rules| *rules <= MOST)
    }
}

/// The same pattern, with single ports as ranges.
fn without_ports<const N: usize>(pattern: &Pattern<N>) -> Pattern<N> {
    let mut without = *pattern;
    let port = Layer4(pattern.value[N - 1]);
    for (range, bits, port) in [
        (&mut without.source, SOURCE, port.source()),
        (&mut without.destination, DESTINATION, port.destination()),
    ] {
        if pattern.mask[N - 1] & bits == bits && *range == Ports::ANY {
            *range = Ports::one(port);
            without.mask[N - 1] &= !bits;
            without.value[N - 1] &= !bits;
        }
    }
    without
}
