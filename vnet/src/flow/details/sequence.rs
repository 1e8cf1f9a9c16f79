//! What the sequence numbers of one direction of a TCP connection tell: segments that came again, too late, or behind a gap.
//!
//! The definitions are in `docs/FLOWS.md`. They are those of Wireshark's analysis as far as one direction can tell without the
//! acknowledgments of the other one.

use zerocopy::FromZeros;

use super::Seen;
use crate::wire::tcp::flags::{FIN, RST, SYN};

/// Counts of a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromZeros)]
pub struct Anomalies {
    /// Segments that bring nothing new, or fill a gap later than [`REORDERING`].
    pub retransmitted: u32,
    /// Segments that fill a gap within [`REORDERING`].
    pub out_of_order: u32,
    /// Segments behind a gap: as many events of loss, of one packet or more each.
    pub losses: u32,
}

/// How late a segment may be to count as reordered by the network and not as sent again, after the one that was farthest:
/// Wireshark's time where it knows no round trip.
pub const REORDERING: core::time::Duration = core::time::Duration::from_millis(3);

const REORDERING_NANOS: u64 = REORDERING.as_nanos() as u64;

/// Gaps that are known at a time.
const GAPS: usize = 3;

/// No window is wider (RFC 7323 section 2.3): what is farther off is of another connection.
const MAX_WINDOW: i32 = 1 << 30;

/// What is kept of a direction. Zeros are of none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromZeros)]
pub(super) struct Track {
    /// When `next` was reached.
    reached: u64,
    /// Behind the farthest octet seen.
    next: u32,
    /// Of the SYN that began it.
    initial: u32,
    /// First octet, and that behind the last one; empty where there is none.
    gaps: [[u32; 2]; GAPS],
    is_known: bool,
    has_initial: bool,
}

/// What a segment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anomaly {
    Retransmitted,
    OutOfOrder,
    Loss,
}

impl Anomalies {
    pub(super) fn count(&mut self, anomaly: Anomaly) {
        let count = match anomaly {
            Anomaly::Retransmitted => &mut self.retransmitted,
            Anomaly::OutOfOrder => &mut self.out_of_order,
            Anomaly::Loss => &mut self.losses,
        };
        *count = count.saturating_add(1);
    }
}

impl Track {
    /// Takes a packet. What is no TCP segment, or was cut or fragmented, leaves nothing known.
    pub(super) fn add(&mut self, seen: &Seen) -> Option<Anomaly> {
        if seen.has(RST) {
            return None;
        }
        let Some(octets) = seen.segment() else {
            self.is_known = false;
            return None;
        };
        let first = seen.sequence;
        let length = octets + u32::from(seen.has(SYN)) + u32::from(seen.has(FIN));
        let end = first.wrapping_add(length);
        if seen.has(SYN) {
            if self.is_known && self.has_initial && self.initial == first {
                return Some(Anomaly::Retransmitted);
            }
            self.begin(end, seen.time);
            (self.initial, self.has_initial) = (first, true);
            return None;
        }
        let ahead = distance(self.next, first);
        if !self.is_known || ahead.checked_abs().is_none_or(|far| far > MAX_WINDOW) {
            self.begin(end, seen.time);
            return None;
        }
        if ahead >= 0 {
            let gap = [self.next, first];
            if length > 0 || ahead > 0 {
                self.reach(end, seen.time);
            }
            return (ahead > 0).then(|| {
                self.note(gap);
                Anomaly::Loss
            });
        }
        // Without data it is an acknowledgment; with one octet that is known, what keeps a connection alive (RFC 9293 section
        // 3.8.4) or probes a window.
        let is_probe = octets <= 1 && ahead == -1 && !seen.has(FIN);
        if length == 0 || is_probe {
            return None;
        }
        let is_soon = seen.time.saturating_sub(self.reached) <= REORDERING_NANOS;
        let fills = self.fill(first, end);
        if distance(self.next, end) > 0 {
            self.reach(end, seen.time);
        }
        Some(if fills && is_soon { Anomaly::OutOfOrder } else { Anomaly::Retransmitted })
    }

    fn begin(&mut self, next: u32, time: u64) {
        *self = Self {
            reached: time,
            next,
            initial: 0,
            gaps: [[0; 2]; GAPS],
            is_known: true,
            has_initial: false,
        };
    }

    fn reach(&mut self, next: u32, time: u64) {
        (self.next, self.reached) = (next, time);
    }

    /// The oldest gap makes room.
    fn note(&mut self, gap: [u32; 2]) {
        let free = self.gaps.iter().position(|[first, end]| first == end);
        let at = free.unwrap_or_else(|| {
            self.gaps.rotate_left(1);
            GAPS - 1
        });
        self.gaps[at] = gap;
    }

    /// Takes octets out of the gaps, and says whether any were there.
    fn fill(&mut self, first: u32, end: u32) -> bool {
        let (mut fills, mut rest) = (false, None);
        for gap in &mut self.gaps {
            let [from, to] = *gap;
            let overlaps = distance(first, to) > 0 && distance(from, end) > 0 && from != to;
            if !overlaps {
                continue;
            }
            fills = true;
            let has_left = distance(from, first) > 0;
            let has_right = distance(end, to) > 0;
            *gap = match (has_left, has_right) {
                (true, _) => [from, first],
                (false, true) => [end, to],
                (false, false) => [0; 2],
            };
            if has_left && has_right {
                rest = Some([end, to]);
            }
        }
        if let Some(rest) = rest {
            self.note(rest);
        }
        fills
    }
}

/// From one number on to the other; less than 0 where that is before it, across the end of numbers, too.
const fn distance(from: u32, to: u32) -> i32 {
    to.wrapping_sub(from).cast_signed()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MILLISECOND: u64 = 1_000_000;

    fn segment(sequence: u32, octets: u32, flags: u16, time: u64) -> Seen {
        let (tcp_header, segment) = (20, octets);
        Seen { sequence, segment, tcp_flags: flags, tcp_header, time, ..Seen::NONE }
    }

    fn told(segments: &[Seen]) -> Vec<Option<Anomaly>> {
        let mut track: Track = FromZeros::new_zeroed();
        segments.iter().map(|seen| track.add(seen)).collect()
    }

    #[test]
    fn syn_and_fin_count_one_and_numbers_wrap() {
        let start = u32::MAX - 1;
        let data = start.wrapping_add(1);
        assert_eq!(
            told(&[
                segment(start, 0, SYN, 0),
                segment(data, 100, 0x10, 0),
                segment(data.wrapping_add(100), 0, 0x11, 0),
                segment(data.wrapping_add(101), 0, 0x10, 0),
                segment(data.wrapping_add(100), 0, 0x11, 10 * MILLISECOND),
            ]),
            [None, None, None, None, Some(Anomaly::Retransmitted)]
        );
    }

    #[test]
    fn what_fills_a_gap_is_late_and_what_fills_none_was_sent_again() {
        let soon = |time| {
            told(&[
                segment(1, 100, 0x10, 0),
                segment(201, 100, 0x10, 0),
                segment(101, 100, 0x10, time),
                segment(101, 100, 0x10, time),
            ])
        };
        let (loss, again) = (Some(Anomaly::Loss), Some(Anomaly::Retransmitted));
        assert_eq!(soon(3 * MILLISECOND), [None, loss, Some(Anomaly::OutOfOrder), again]);
        assert_eq!(soon(3 * MILLISECOND + 1), [None, loss, again, again]);
    }

    #[test]
    fn a_gap_can_be_filled_from_its_middle() {
        let late = Some(Anomaly::OutOfOrder);
        assert_eq!(
            told(&[
                segment(1, 100, 0x10, 0),
                segment(501, 100, 0x10, 0),
                segment(201, 100, 0x10, 0),
                segment(101, 100, 0x10, 0),
                segment(301, 200, 0x10, 0),
                segment(301, 200, 0x10, 0),
            ]),
            [None, Some(Anomaly::Loss), late, late, late, Some(Anomaly::Retransmitted)]
        );
    }

    #[test]
    fn what_is_no_data_is_no_retransmission() {
        let base = [segment(100, 0, SYN, 0), segment(101, 50, 0x18, 0)];
        for (next, expected) in [
            (segment(120, 0, 0x10, 0), None),
            // Keeps alive, with an octet and without.
            (segment(150, 1, 0x10, 0), None),
            (segment(150, 0, 0x10, 0), None),
            (segment(9, 0, 0x14, 0), None),
            (segment(100, 0, SYN, 0), Some(Anomaly::Retransmitted)),
            // Another connection: numbers begin anew.
            (segment(5_000_000, 0, SYN, 0), None),
            (segment(101_u32.wrapping_add(1 << 31), 10, 0x10, 0), None),
        ] {
            let segments = [&base[..], &[next]].concat();
            assert_eq!(told(&segments)[2], expected, "{next:?}");
        }
    }

    #[test]
    fn a_segment_that_was_not_captured_whole_leaves_nothing_known() {
        let cut = Seen { tcp_header: 0, ..segment(0, 0, 0x10, 0) };
        let fragment = Seen { fragment_flags: 0x20, ..segment(101, 60, 0x10, 0) };
        for part in [cut, fragment] {
            let segments = [segment(1, 100, 0x10, 0), part, segment(900, 10, 0x10, 0)];
            assert_eq!(told(&segments), [None; 3]);
        }
    }

    /// Each octet that was seen, without bounds: the twin of gaps.
    fn twin(segments: &[(u32, u32)]) -> Vec<Option<Anomaly>> {
        let mut seen = std::collections::BTreeSet::new();
        let mut next = None;
        let mut told = Vec::new();
        for &(first, octets) in segments {
            let end = first + octets;
            let reached = next.unwrap_or(first);
            let brings_new = (first..end)
                .any(|at| at < reached && !seen.contains(&at) && Some(at) >= seen.first().copied());
            told.push(match first.cmp(&reached) {
                core::cmp::Ordering::Greater => Some(Anomaly::Loss),
                core::cmp::Ordering::Equal => None,
                core::cmp::Ordering::Less if octets == 1 && first + 1 == reached => None,
                core::cmp::Ordering::Less if brings_new => Some(Anomaly::OutOfOrder),
                core::cmp::Ordering::Less => Some(Anomaly::Retransmitted),
            });
            // An octet that keeps alive is in no gap: it is the last one.
            seen.extend(first..end);
            next = Some(reached.max(end));
        }
        told
    }

    proptest! {
        /// With no more gaps than are kept, whatever the numbers begin with.
        #[test]
        fn segments_are_what_they_are_to_a_twin_that_remembers_everything(
            segments in prop::collection::vec((0..12_u32, 1..4_u32), 1..5), base in any::<u32>(),
        ) {
            let segments: Vec<(u32, u32)> = core::iter::once((0, 1)).chain(segments).collect();
            let gaps = segments.iter().scan(0, |next, &(first, octets)| {
                let is_gap = first > *next;
                *next = (*next).max(first + octets);
                Some(u32::from(is_gap))
            });
            prop_assume!(gaps.sum::<u32>() <= 1);
            let own: Vec<_> = segments
                .iter()
                .map(|&(at, octets)| segment(base.wrapping_add(at), octets, 0x10, 0))
                .collect();
            prop_assert_eq!(told(&own), twin(&segments));
        }
    }
}
