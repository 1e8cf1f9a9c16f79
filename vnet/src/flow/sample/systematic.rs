//! Systematic sampling: packets are selected and skipped in turn, by their count or by their time.

use core::ops::Range;

use super::{Packets, Selection};

/// By count.
#[derive(Clone, Debug)]
pub(super) struct Counted {
    interval: u32,
    space: u32,
    /// Whether the next packets are selected, and how many.
    selects: bool,
    left: u32,
}

impl Counted {
    pub(super) fn new(interval: u32, space: u32) -> Self {
        Self { interval, space, selects: true, left: interval }
    }

    #[inline]
    pub(super) fn select(&mut self, run: Range<usize>, selection: &mut Selection) -> usize {
        let (mut at, mut selected) = (run.start, 0);
        while at < run.end {
            let n = (run.end - at).min(self.left as usize);
            if self.selects {
                selection.add_run(at..at + n);
                selected += n;
            }
            at += n;
            self.left -= n as u32;
            if self.left == 0 {
                self.turn();
            }
        }
        selected
    }

    fn turn(&mut self) {
        self.selects = !self.selects || self.space == 0;
        self.left = if self.selects { self.interval } else { self.space };
    }
}

/// By time. Whether a packet is selected follows from its time and that of the first one.
#[derive(Clone, Debug)]
pub(super) struct Timed {
    /// Nanoseconds.
    interval: u64,
    period: u64,
    origin: Option<u64>,
    /// The interval or the space of the packet before, and whether it selects.
    window: Range<u64>,
    selects: bool,
}

impl Timed {
    /// Both in microseconds.
    pub(super) fn new(interval: u32, space: u32) -> Self {
        let (interval, space) = (u64::from(interval) * 1000, u64::from(space) * 1000);
        Self { interval, period: interval + space, origin: None, window: 0..0, selects: false }
    }

    #[inline]
    pub(super) fn select(
        &mut self,
        run: Range<usize>,
        packets: &mut impl Packets,
        selection: &mut Selection,
    ) -> usize {
        let mut selected = 0;
        for at in run {
            let time = packets.packet(at).time.0;
            if !self.window.contains(&time) {
                self.open(time);
            }
            if self.selects {
                selection.add(at);
                selected += 1;
            }
        }
        selected
    }

    /// Finds the interval or space that a time is in; times before the first packet have theirs, too.
    fn open(&mut self, time: u64) {
        let origin = *self.origin.get_or_insert(time);
        let phase = match time.checked_sub(origin) {
            Some(since) => since % self.period,
            None => (self.period - (origin - time) % self.period) % self.period,
        };
        self.selects = phase < self.interval;
        let (from, to) =
            if self.selects { (0, self.interval) } else { (self.interval, self.period) };
        self.window = time.saturating_sub(phase - from)..time.saturating_add(to - phase);
    }
}
