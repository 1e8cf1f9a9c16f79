//! A run: captures into an engine, flow records out of it.

use core::{num::NonZeroU32, ops::ControlFlow, time::Duration};
use std::{sync::Arc, thread, time::Instant};

use flowprobe::passive::{self, Passive, PassivePoints, Seen};
use nodes::capture::{Captures, Progress, ReadError, Reader};
use vnet::{
    flow::{Counters, FlowRecord},
    graph::{FeatureError, GraphError, InputMode},
    interface::SwIfIndex,
    ipfix::time::Precision,
    plugin::{BuildError, Engine},
};

/// The most packets of a frame.
pub const FRAME_SIZE: usize = vnet::frame::FRAME_SIZE;
/// The interface on which all captures come in.
const INTERFACE: SwIfIndex = SwIfIndex(1);
/// The longest sleep of a run that is held back, so that a signal is noticed soon.
const NAP: Duration = Duration::from_millis(20);
/// Between two looks at an input that has nothing yet.
const PAUSE: Duration = Duration::from_millis(1);

/// Who gets the records of a run.
pub trait Sink {
    /// A record; `precision` says how many digits of its times the captures know.
    fn record(&mut self, record: &FlowRecord, precision: Precision);

    /// Called after each round, when its records have been handed over: a run is held back by what its sink waits for.
    /// [`ControlFlow::Break`] ends the reading.
    fn round(&mut self, progress: &Progress) -> ControlFlow<()>;
}

/// Why a run cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The engine.
    #[error(transparent)]
    Engine(#[from] BuildError),
    /// The passive observation point.
    #[error(transparent)]
    Feature(#[from] FeatureError),
    /// The input.
    #[error(transparent)]
    Input(#[from] GraphError),
    /// The flow cache.
    #[error("{0}")]
    Meter(String),
}

/// What a run has seen and made.
#[derive(Clone, Copy, Debug)]
pub struct Totals {
    /// Of the captures.
    pub read: Progress,
    /// Of the meter.
    pub flows: Counters,
    /// What was looked at.
    pub seen: Seen,
}

impl Totals {
    /// Whether every packet of the captures is in a record or listed as not measured. Holds when a run is over.
    #[must_use]
    pub fn is_balanced(&self) -> bool {
        self.read.packets == self.flows.seen
            && self.flows.recorded + self.flows.unmeasured_total() == self.read.packets
    }
}

/// An engine that measures captures.
pub struct Replay {
    engine: Engine,
    captures: Arc<Captures>,
    points: PassivePoints,
    frame_size: usize,
    rate: Option<Rate>,
}

impl Replay {
    /// An engine with frames of at most `frame_size` packets, 1 to [`FRAME_SIZE`], that reads at most `rate` packets a second.
    ///
    /// # Errors
    /// When there is not enough memory.
    pub fn new(
        passive: impl Into<Passive>,
        frame_size: usize,
        rate: Option<NonZeroU32>,
    ) -> Result<Self, StartError> {
        let captures = Captures::new();
        captures.set_batch(frame_size);
        let passive = passive.into();
        // What tunnels carry lies behind the headers.
        captures.set_headers_only(!passive.inner);
        let (passive, points) = passive::plugin(passive);
        let engine = Engine::builder()
            .plugin(nodes::plugin())
            .plugin(nodes::capture::plugin(captures.clone()))
            .plugin(passive)
            .build()?;
        engine.with(|main| {
            main.enable_feature(passive::ARC, passive::FEATURE, INTERFACE, 0)?;
            main.enable_feature(passive::ARC, "sink", INTERFACE, 0)?;
            let input = main.graph().require("pcap-input")?;
            main.set_input_mode(input, InputMode::Polling);
            match points.counters(main) {
                Ok(_) => Ok(()),
                Err(error) => Err(StartError::Meter(error.to_string())),
            }
        })?;
        Ok(Self { engine, captures, points, frame_size, rate: rate.map(Rate::new) })
    }

    /// Measures the packets of a capture, until its end or until `sink` ends the reading.
    ///
    /// # Errors
    /// What is wrong with the capture. The packets before it have been measured.
    pub fn read(&mut self, reader: Reader, sink: &mut impl Sink) -> Result<(), ReadError> {
        self.captures.push(reader, INTERFACE);
        let mut idle = 0;
        while !self.captures.is_done() {
            let may_read = self.hold_back();
            if may_read {
                idle = if self.engine.poll() { 0 } else { idle + 1 };
                self.take(sink);
            }
            // The end of a capture takes an idle round; after more, its input is one that does not wait.
            if idle > 1 {
                thread::sleep(PAUSE);
            }
            let progress = self.captures.progress();
            if sink.round(&progress).is_break() {
                break;
            }
            if let Some(rate) = self.rate.as_mut().filter(|_| may_read) {
                rate.packets = progress.packets;
            }
        }
        self.captures.take_errors().into_iter().next().map_or(Ok(()), Err)
    }

    /// Makes the records of all flows that are still held.
    pub fn finish(&mut self, sink: &mut impl Sink) {
        let precision = precision(&self.captures.progress());
        let each = &mut |record: &FlowRecord| sink.record(record, precision);
        self.engine.with(|main| self.points.flush(main, each));
    }

    /// What was seen and made so far.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let sums = self.engine.with(|main| self.points.sums(main));
        Totals { read: self.captures.progress(), flows: sums.flows, seen: sums.seen }
    }

    fn take(&self, sink: &mut impl Sink) {
        let precision = precision(&self.captures.progress());
        let each = &mut |record: &FlowRecord| sink.record(record, precision);
        self.engine.with(|main| self.points.take(main, each));
    }

    /// Whether packets may be read now; sleeps a little when not.
    fn hold_back(&self) -> bool {
        let Some(rate) = &self.rate else { return true };
        let packets = rate.allowance(self.frame_size);
        self.captures.set_batch(packets);
        if packets == 0 {
            thread::sleep(rate.wait().min(NAP));
        }
        packets > 0
    }
}

/// How many digits of its times a run knows.
#[must_use]
pub const fn precision(read: &Progress) -> Precision {
    match read.digits {
        0 => Precision::Seconds,
        1..=3 => Precision::Milliseconds,
        4..=6 => Precision::Microseconds,
        _ => Precision::Nanoseconds,
    }
}

/// How fast packets are read.
struct Rate {
    per_second: f64,
    start: Instant,
    /// Read so far.
    packets: u64,
}

impl Rate {
    fn new(per_second: NonZeroU32) -> Self {
        Self { per_second: per_second.get().into(), start: Instant::now(), packets: 0 }
    }

    /// Packets that may be read now, at most `most`. The first one may at once.
    fn allowance(&self, most: usize) -> usize {
        let due = (self.start.elapsed().as_secs_f64() * self.per_second) as u64 + 1;
        usize::try_from(due.saturating_sub(self.packets)).map_or(most, |due| due.min(most))
    }

    /// Until the next packet may be read.
    fn wait(&self) -> Duration {
        let due = Duration::from_secs_f64(self.packets as f64 / self.per_second);
        due.saturating_sub(self.start.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_lets_no_more_packets_in_than_were_due() {
        let mut rate = Rate::new(NonZeroU32::new(1000).unwrap());
        assert!(rate.allowance(256) >= 1);
        rate.packets = 1_000_000;
        assert_eq!(rate.allowance(256), 0);
        let wait = rate.wait();
        assert!(wait > Duration::from_secs(990) && wait <= Duration::from_secs(1000));
        rate.start -= Duration::from_secs(5000);
        assert_eq!((rate.allowance(256), rate.wait()), (256, Duration::ZERO));
    }
}
