//! Sequence numbers of received messages: what was lost, came twice, or came late (RFC 7011 section 3.1).

use arrayvec::ArrayVec;

/// Gaps remembered at a time, the youngest: a late message fills one.
const MAX_GAPS: usize = 16;

/// What a message's sequence number tells, when it is not the one expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SequenceEvent {
    /// So many data records before this message did not arrive, or will be late.
    Lost(u32),
    /// The message fills a gap that was reported as lost.
    Late,
    /// Its records have been seen before.
    Duplicate,
    /// The exporter began to count anew.
    Restart,
}

/// Sums over a session and domain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SequenceCounters {
    /// Data records that did not arrive.
    pub lost: u64,
    /// Messages that came late.
    pub late: u64,
    /// Messages that came twice.
    pub duplicates: u64,
    /// Times that an exporter began anew.
    pub restarts: u64,
}

#[derive(Debug, Default)]
pub(super) struct SequenceTracker {
    /// Unknown before the first message, and after one whose records could not be counted.
    expected: Option<u32>,
    /// First missing sequence number, and how many are missing from there.
    gaps: ArrayVec<(u32, u32), MAX_GAPS>,
    last_export_time: u32,
    counters: SequenceCounters,
}

impl SequenceTracker {
    pub(super) fn counters(&self) -> SequenceCounters {
        self.counters
    }

    /// Takes note of a message with this sequence number and as many data records; `None` if they could not be
    /// counted.
    ///
    /// A number that steps back is a late message if it fills a gap, a restart if the exporter's clock has moved on,
    /// and else a duplicate.
    pub(super) fn message(
        &mut self,
        sequence: u32,
        records: Option<u32>,
        export_time: u32,
    ) -> Option<SequenceEvent> {
        let newer = export_time.wrapping_sub(self.last_export_time).cast_signed() > 0;
        let next = records.map(|records| sequence.wrapping_add(records));
        let Some(expected) = self.expected else {
            self.expected = next;
            self.last_export_time = export_time;
            return None;
        };
        let ahead = sequence.wrapping_sub(expected).cast_signed();
        if ahead < 0 && self.fill(sequence, records.unwrap_or(0)) {
            self.counters.late += 1;
            return Some(SequenceEvent::Late);
        }
        if ahead < 0 && !newer {
            // A message without data says nothing that could be counted twice.
            if records == Some(0) {
                return None;
            }
            self.counters.duplicates += 1;
            return Some(SequenceEvent::Duplicate);
        }
        self.expected = next;
        self.last_export_time = export_time;
        if ahead < 0 {
            self.gaps.clear();
            self.counters.restarts += 1;
            return Some(SequenceEvent::Restart);
        }
        if ahead > 0 {
            let lost = ahead.cast_unsigned();
            if self.gaps.is_full() {
                self.gaps.remove(0);
            }
            self.gaps.push((expected, lost));
            self.counters.lost += u64::from(lost);
            return Some(SequenceEvent::Lost(lost));
        }
        None
    }

    /// Whether `records` from `sequence` lie in a gap, which is then narrower, or two.
    fn fill(&mut self, sequence: u32, records: u32) -> bool {
        let inside = |&(start, len): &(u32, u32)| {
            let before = sequence.wrapping_sub(start);
            before < len && records <= len - before
        };
        let Some(found) = self.gaps.iter().position(inside) else { return false };
        let (start, len) = self.gaps[found];
        let before = sequence.wrapping_sub(start);
        let after = len - before - records;
        self.gaps.remove(found);
        for (start, len) in [(start, before), (sequence.wrapping_add(records), after)] {
            if len > 0 && !self.gaps.is_full() {
                self.gaps.push((start, len));
            }
        }
        self.counters.lost -= u64::from(records);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Events of messages given as (sequence, records, export time), and the sums.
    fn story(messages: &[(u32, u32, u32)]) -> (Vec<SequenceEvent>, SequenceCounters) {
        let mut tracker = SequenceTracker::default();
        let events = messages.iter().filter_map(|&(s, n, t)| tracker.message(s, Some(n), t));
        (events.collect(), tracker.counters())
    }

    #[test]
    fn a_stream_in_order_has_nothing_to_tell() {
        assert_eq!(story(&[(0, 0, 1), (0, 5, 1), (5, 3, 2), (8, 0, 2), (8, 1, 3)]).0, []);
        assert_eq!(story(&[(77, 5, 1), (82, 3, 2)]).0, [], "a collector may come later");
        assert_eq!(story(&[(u32::MAX, 3, 1), (2, 1, 1)]).0, [], "numbers wrap");
    }

    #[test]
    fn lost_records_are_counted() {
        let (events, sums) = story(&[(0, 5, 1), (15, 5, 2), (20, 1, 3)]);
        assert_eq!(events, [SequenceEvent::Lost(10)]);
        assert_eq!(sums.lost, 10);
    }

    #[test]
    fn late_messages_fill_their_gap() {
        let (events, sums) = story(&[(0, 5, 1), (15, 5, 1), (10, 5, 1), (5, 5, 1), (20, 1, 1)]);
        assert_eq!(events, [SequenceEvent::Lost(10), SequenceEvent::Late, SequenceEvent::Late]);
        assert_eq!(sums, SequenceCounters { late: 2, ..SequenceCounters::default() });
    }

    #[test]
    fn what_comes_twice_is_told() {
        let (events, sums) = story(&[(0, 5, 1), (5, 5, 1), (5, 5, 1), (10, 5, 1)]);
        assert_eq!(events, [SequenceEvent::Duplicate]);
        assert_eq!(sums.duplicates, 1);
    }

    #[test]
    fn an_exporter_may_begin_anew() {
        let (events, sums) = story(&[(0, 500, 1), (500, 1, 2), (0, 0, 9), (0, 4, 9), (4, 1, 9)]);
        assert_eq!(events, [SequenceEvent::Restart]);
        assert_eq!((sums.restarts, sums.lost), (1, 0));
    }

    #[test]
    fn an_uncountable_message_makes_the_next_one_expected() {
        let mut tracker = SequenceTracker::default();
        assert_eq!(tracker.message(0, Some(3), 1), None);
        assert_eq!(tracker.message(3, None, 1), None);
        assert_eq!(tracker.message(99, Some(1), 1), None);
        assert_eq!(tracker.message(101, Some(1), 1), Some(SequenceEvent::Lost(1)));
    }

    #[test]
    fn gaps_are_bounded() {
        let messages: Vec<_> = (0..100).map(|n| (n * 10, 1, 1)).collect();
        let (events, sums) = story(&messages);
        assert_eq!((events.len(), sums.lost), (99, 891));
    }
}
