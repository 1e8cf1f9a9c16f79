//! Which parts of a datagram are there (RFC 815, told the other way round: ranges that are there instead of holes).
//!
//! Fragments that overlap are no accident: nobody sends them but to have different machines put together different datagrams. The whole
//! datagram is refused then, and what else comes of it, in IPv6 (RFC 5722, RFC 8200, section 4.5) and, as Linux does, in IPv4. A fragment
//! that comes again as it was is a fault of the network, and does no harm.

use vnet::wire::fragment::Fragment;

use super::errors::Error;

/// A part that is there: octets of the payload from `start` up to `end`, which is not among them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Range {
    start: u16,
    end: u16,
}

/// What is known of a datagram's parts. The ranges themselves lie elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Parts {
    /// How many ranges there are, by their start.
    count: usize,
    /// Octets in all of them.
    have: usize,
    /// Where the last fragment ends, when that is there.
    end: Option<usize>,
}

/// What becomes of the datagram by a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Added {
    /// Others are missing.
    Waits,
    /// It is all there.
    Whole,
}

impl Parts {
    /// Octets that are there.
    pub(super) fn have(&self) -> usize {
        self.have
    }

    /// The last octet, when the last fragment is there.
    pub(super) fn last_octet(&self) -> Option<usize> {
        self.end.map(|end| end - 1)
    }

    /// Takes note of a fragment, which is not empty and ends where a datagram may end; `ranges` has a place for each that there may be.
    ///
    /// # Errors
    /// [`Error::Duplicate`] when it is there already: it is to be forgotten. Everything else is the end of the datagram.
    pub(super) fn add(
        &mut self,
        ranges: &mut [Range],
        fragment: &Fragment,
    ) -> Result<Added, Error> {
        let (start, end) = (fragment.start, fragment.end());
        // Both fit, since no datagram is longer.
        let new = Range { start: start as u16, end: end as u16 };
        let at = ranges[..self.count].partition_point(|range| usize::from(range.start) < start);
        if ranges[..self.count].get(at) == Some(&new) && self.agrees_on_end(fragment) {
            return Err(Error::Duplicate);
        }
        let before = at.checked_sub(1).map_or(0, |before| usize::from(ranges[before].end));
        let behind = ranges[..self.count].get(at).map_or(usize::MAX, |range| range.start.into());
        let is_beyond = self.end.is_some_and(|known| end > known || fragment.more && end == known);
        let is_last_of_all = self.count == 0 || usize::from(ranges[self.count - 1].end) <= end;
        let contradicts = !fragment.more && (self.end.is_some() || !is_last_of_all);
        if before > start || behind < end || is_beyond || contradicts {
            return Err(Error::Overlap);
        }
        if self.count == ranges.len() {
            return Err(Error::TooLong);
        }
        ranges[at..=self.count].rotate_right(1);
        ranges[at] = new;
        self.count += 1;
        self.have += fragment.length;
        if !fragment.more {
            self.end = Some(end);
        }
        Ok(if self.end == Some(self.have) { Added::Whole } else { Added::Waits })
    }

    /// Whether a fragment that is there already says the same of the end as it did before.
    fn agrees_on_end(&self, fragment: &Fragment) -> bool {
        fragment.more != (self.end == Some(fragment.end()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fragment(start: usize, length: usize, more: bool) -> Fragment {
        Fragment {
            identification: 1,
            protocol: 17,
            start,
            length,
            more,
            header: 20,
            names_fragment: 0,
        }
    }

    /// What comes of fragments, one after the other, with room for eight.
    fn all(fragments: &[(usize, usize, bool)]) -> Vec<Result<Added, Error>> {
        let (mut parts, mut ranges) = (Parts::default(), [Range::default(); 8]);
        let add =
            |&(start, length, more): &_| parts.add(&mut ranges, &fragment(start, length, more));
        fragments.iter().map(add).collect()
    }

    #[test]
    fn attacks_are_the_end_of_the_datagram() {
        let overlap = Some(Err(Error::Overlap));
        let cases: &[(&str, &[(usize, usize, bool)])] = &[
            ("teardrop: inside another one", &[(0, 32, true), (8, 8, false)]),
            ("over the end of another one", &[(0, 24, true), (16, 16, true)]),
            ("over the beginning of another one", &[(16, 16, true), (0, 24, true)]),
            ("around another one", &[(8, 8, true), (0, 32, false)]),
            ("the same beginning and another end", &[(0, 16, true), (0, 24, true)]),
            ("a second end behind the first", &[(16, 8, false), (24, 8, false)]),
            ("a second end before the first", &[(16, 8, false), (8, 8, false)]),
            ("behind the end", &[(16, 8, false), (24, 8, true)]),
            ("an end before what is there", &[(16, 8, true), (0, 8, false)]),
            ("more behind the end", &[(8, 8, false), (8, 8, true)]),
            ("an end where more was to come", &[(8, 8, true), (8, 8, false)]),
        ];
        for (what, fragments) in cases {
            assert_eq!(all(fragments).last().copied(), overlap, "{what}");
        }
        let nine: Vec<_> = (0..9).map(|n| (16 * n, 8, true)).collect();
        assert_eq!(all(&nine).last().copied(), Some(Err(Error::TooLong)));
    }

    proptest! {
        #[test]
        fn parts_are_those_of_a_naive_map_of_octets(
            steps in proptest::collection::vec((0usize..8, 1usize..4, any::<bool>()), 1..14),
        ) {
            let (mut parts, mut ranges) = (Parts::default(), [Range::default(); 8]);
            // Who has each unit of the datagram, and whether that one ended it.
            let mut units = [None; 16];
            let mut seen: Vec<(usize, usize, bool)> = Vec::new();
            for step @ (start, length, more) in steps {
                let got = parts.add(&mut ranges, &fragment(8 * start, 8 * length, more));
                if seen.contains(&step) {
                    prop_assert_eq!(got, Err(Error::Duplicate));
                    continue;
                }
                let end = seen.iter().find(|(.., more)| !more).map(|(s, l, _)| s + l);
                let last = seen.iter().map(|(s, l, _)| s + l).max().unwrap_or(0);
                let is_taken = units[start..start + length].iter().any(Option::is_some);
                let is_wrong = match (end, more) {
                    (Some(end), true) => start + length >= end,
                    (Some(_), false) => true,
                    (None, true) => false,
                    (None, false) => last > start + length,
                };
                if is_taken || is_wrong {
                    prop_assert_eq!(got, Err(Error::Overlap));
                    return Ok(());
                }
                units[start..start + length].fill(Some(()));
                seen.push(step);
                let end = seen.iter().find(|(.., more)| !more).map(|(s, l, _)| s + l);
                let is_whole = end.is_some_and(|end| units[..end].iter().all(Option::is_some));
                prop_assert_eq!(got, Ok(if is_whole { Added::Whole } else { Added::Waits }));
                if is_whole {
                    return Ok(());
                }
            }
        }
    }
}
