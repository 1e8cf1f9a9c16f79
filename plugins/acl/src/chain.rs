//! Rules of one masked key that differ in ranges of ports.
//!
//! A range cannot be compared by a mask. Where several rules have the same key and different ranges, the ports of one side are
//! cut where a range begins or ends, and each piece has the rules that cover it, lowest position first and none behind one that
//! takes every port of the other side. So a packet costs a binary search and few comparisons, however many rules there are.

use crate::rule::Ports;

/// A rule, as far as ports decide about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ranged {
    pub(crate) position: u32,
    pub(crate) source: Ports,
    pub(crate) destination: Ports,
}

/// The rules of a key.
#[derive(Debug)]
pub(crate) enum Chain {
    /// Compared one after the other, in as few cache lines as can be.
    Few { rules: [Ranged; FEW], len: u8 },
    /// Cut into pieces by ports.
    Many(Pieces),
}

/// Rules, cut into pieces.
#[derive(Debug)]
pub(crate) struct Pieces {
    /// Whether pieces are of source ports; of destination ports otherwise.
    by_source: bool,
    /// The first port of each piece; that of the first is 0.
    starts: Box<[u16]>,
    /// Where the rules of each piece begin, and behind the last one where they end.
    offsets: Box<[u32]>,
    rules: Box<[Ranged]>,
}

/// Rules up to this are compared one after the other: all in one piece.
const FEW: usize = 4;
/// The most rules that all pieces have together, for each rule that there is; beyond that they are compared in turn.
const MOST: usize = 64;

impl Chain {
    /// Of rules in the order of their positions.
    pub(crate) fn new(rules: &[Ranged]) -> Self {
        let Some(first) = rules.first().filter(|_| rules.len() <= FEW) else {
            return Self::Many(Pieces::new(rules));
        };
        let mut few = [*first; FEW];
        few[..rules.len()].copy_from_slice(rules);
        Self::Few { rules: few, len: rules.len() as u8 }
    }

    /// The position of the first rule for these ports.
    #[inline]
    pub(crate) fn find(&self, source: u16, destination: u16) -> Option<u32> {
        let rules = match self {
            Self::Few { rules, len } => rules.get(..usize::from(*len))?,
            Self::Many(pieces) => pieces.piece(source, destination)?,
        };
        let fits =
            |rule: &&Ranged| rule.source.contains(source) && rule.destination.contains(destination);
        rules.iter().find(fits).map(|rule| rule.position)
    }

    /// How many rules it was made of are left.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Few { len, .. } => (*len).into(),
            Self::Many(pieces) => pieces.rules.len(),
        }
    }
}

impl Pieces {
    fn new(rules: &[Ranged]) -> Self {
        let one = || Self {
            by_source: false,
            starts: [0].into(),
            offsets: [0, rules.len() as u32].into(),
            rules: rules.into(),
        };
        let all = [false, true].into_iter().filter_map(|by_source| Self::cut(rules, by_source));
        all.min_by_key(Self::longest).unwrap_or_else(one)
    }

    /// Cuts the ports of a side; `None` when that would need too much memory.
    fn cut(rules: &[Ranged], by_source: bool) -> Option<Self> {
        let mut starts = vec![0];
        for rule in rules {
            let (own, _) = sides(rule, by_source);
            starts.push(own.first);
            starts.extend(own.last.checked_add(1));
        }
        starts.sort_unstable();
        starts.dedup();
        let (mut offsets, mut kept) = (vec![0], Vec::new());
        for &start in &starts {
            for rule in rules {
                let (own, other) = sides(rule, by_source);
                if own.contains(start) {
                    kept.push(*rule);
                    if other == Ports::ANY {
                        break;
                    }
                }
            }
            if kept.len() > rules.len().saturating_mul(MOST) {
                return None;
            }
            offsets.push(kept.len() as u32);
        }
        let (starts, offsets, rules) = (starts.into(), offsets.into(), kept.into());
        Some(Self { by_source, starts, offsets, rules })
    }

    /// The most rules of a piece.
    fn longest(&self) -> u32 {
        self.offsets.windows(2).map(|ends| ends[1] - ends[0]).max().unwrap_or(0)
    }

    /// The rules of the piece that ports are in.
    #[inline]
    fn piece(&self, source: u16, destination: u16) -> Option<&[Ranged]> {
        let own = if self.by_source { source } else { destination };
        // The first piece begins at 0.
        let piece = self.starts.partition_point(|&start| start <= own).checked_sub(1)?;
        let from = *self.offsets.get(piece)? as usize;
        let to = *self.offsets.get(piece + 1)? as usize;
        self.rules.get(from..to)
    }
}

fn sides(rule: &Ranged, by_source: bool) -> (Ports, Ports) {
    match by_source {
        true => (rule.source, rule.destination),
        false => (rule.destination, rule.source),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ports() -> impl Strategy<Value = Ports> {
        prop_oneof![
            1 => Just(Ports::ANY),
            2 => (0..40_u16).prop_map(Ports::one),
            4 => (0..40_u16, 0..40_u16).prop_map(|(a, b)| Ports { first: a.min(b), last: a.max(b) }),
            1 => (0..40_u16).prop_map(|a| Ports { first: a, last: u16::MAX }),
        ]
    }

    proptest! {
        #[test]
        fn the_first_rule_that_takes_the_ports_is_found(
            rules in prop::collection::vec((ports(), ports()), 1..60),
            packets in prop::collection::vec((0..42_u16, 0..42_u16), 20),
        ) {
            let rules: Vec<_> = (0..).zip(rules)
                .map(|(position, (source, destination))| Ranged { position, source, destination })
                .collect();
            let chain = Chain::new(&rules);
            for (source, destination) in packets {
                let takes = |rule: &&Ranged| {
                    rule.source.contains(source) && rule.destination.contains(destination)
                };
                let expected = rules.iter().find(takes).map(|rule| rule.position);
                prop_assert_eq!(chain.find(source, destination), expected);
            }
        }
    }

    #[test]
    fn ranges_of_one_side_leave_one_rule_in_each_piece() {
        let rule = |n: u16| Ranged {
            position: n.into(),
            source: Ports::ANY,
            destination: Ports { first: n * 10, last: n * 10 + 500 },
        };
        let rules: Vec<_> = (0..1_000).map(rule).collect();
        let chain = Chain::new(&rules);
        assert_eq!(chain.find(7, 5_000), Some(450));
        assert!(matches!(chain, Chain::Many(pieces) if pieces.longest() == 1));
    }
}
