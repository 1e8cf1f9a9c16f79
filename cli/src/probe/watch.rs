//! A probe's main loop: records out, what happens to interfaces, a line each second, the end.

use core::time::Duration;
use std::{
    io::{self, IsTerminal, Write},
    time::Instant,
};

use vnet::{flow::FlowRecord, ipfix::time::Precision, process::Cx};

use super::{
    listen::{Ears, Listened, Totals},
    options::Options,
    status::Line,
};
use crate::{
    complain,
    records::outputs::Outputs,
    signal::{self, Signal},
};

/// Between two looks at what is due.
const TICK: Duration = Duration::from_millis(100);
/// Between two lines, and the longest that a record waits for others.
const SECOND: Duration = Duration::from_secs(1);
/// Between two looks at what still waits at the end, and how long there are looks.
const LAST_TICK: Duration = Duration::from_millis(5);
const LAST: Duration = Duration::from_secs(5);
/// The kernel's times have all digits.
pub(super) const PRECISION: Precision = Precision::Nanoseconds;

/// Why a probe ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It was told to.
    Signal(Signal),
    /// It has seen enough, or listened for long enough.
    Enough,
    /// All interfaces were removed.
    Removed,
    /// An output has failed.
    Output,
}

/// A probe that runs.
pub(super) struct Watch {
    pub(super) options: Options,
    pub(super) ears: Ears,
    pub(super) outputs: Outputs,
    pub(super) totals: Totals,
    /// When it began.
    pub(super) start: Instant,
    records: Vec<FlowRecord>,
    links: Vec<(Listened, State)>,
    line: Option<Line>,
}

/// What is known of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Up,
    Down,
    Removed,
}

impl Watch {
    pub(super) fn new(options: Options, ears: Ears, outputs: Outputs) -> Self {
        let links = ears.listened.iter().map(|listened| (listened.clone(), State::Up)).collect();
        let line = (!options.quiet && io::stderr().is_terminal()).then(Line::default);
        let (totals, records) = (Totals::default(), Vec::new());
        Self { options, ears, outputs, totals, start: Instant::now(), records, links, line }
    }

    /// Runs until the end, which comes when all that was heard is recorded and put out.
    pub(super) async fn run(mut self, cx: Cx) -> (Self, End) {
        let mut second = self.start;
        let end = loop {
            cx.sleep(TICK).await;
            self.put_out(&cx);
            self.follow();
            if second.elapsed() >= SECOND {
                second = Instant::now();
                self.each_second(&cx);
            }
            if let Some(end) = self.end(&cx) {
                break end;
            }
        };
        self.finish(&cx).await;
        (self, end)
    }

    fn end(&mut self, cx: &Cx) -> Option<End> {
        if let Some(signal) = signal::caught() {
            return Some(End::Signal(signal));
        }
        if self.outputs.has_failed() {
            return Some(End::Output);
        }
        if self.links.iter().all(|(_, state)| *state == State::Removed) {
            return Some(End::Removed);
        }
        let is_over = self.options.duration.is_some_and(|most| self.start.elapsed() >= most);
        let is_enough = |most| {
            let totals = cx.with(|main| self.ears.totals(main));
            totals.sums.flows.seen >= most
        };
        (is_over || self.options.count.is_some_and(is_enough)).then_some(End::Enough)
    }

    /// Puts out the records that are due. Threads go on meanwhile.
    fn put_out(&mut self, cx: &Cx) {
        self.ears.walk();
        let Self { ears, records, outputs, .. } = self;
        cx.with(|main| ears.collect(main, records));
        records.drain(..).for_each(|record| outputs.record(&record, PRECISION));
    }

    fn each_second(&mut self, cx: &Cx) {
        self.outputs.put_ready();
        if let Some(news) = self.outputs.news() {
            complain(&news);
        }
        let Self { ears, line, totals, outputs, .. } = self;
        if let Some(line) = line {
            *totals = cx.with(|main| ears.totals(main));
            let text = line.next(totals, outputs.sent());
            // Nobody is there to be told.
            let _: io::Result<()> = writeln!(io::stderr(), "{text}");
        }
    }

    /// Tells what happens to interfaces.
    fn follow(&mut self) {
        for (listened, before) in &mut self.links {
            let now = match self.ears.link(listened) {
                None => State::Removed,
                Some(link) if link.up => State::Up,
                Some(_) => State::Down,
            };
            if now != core::mem::replace(before, now) {
                let what = match now {
                    State::Up => "is up",
                    State::Down => "is down; listening goes on when it is up",
                    State::Removed => "was removed",
                };
                complain(&format_args!("{}: {what}", listened.name));
            }
        }
    }

    /// Takes what still waits in the rings, and makes the records of all flows.
    async fn finish(&mut self, cx: &Cx) {
        self.ears.shut();
        let start = Instant::now();
        loop {
            cx.sleep(LAST_TICK).await;
            self.put_out(cx);
            if self.ears.heard().waiting() == 0 || start.elapsed() > LAST {
                break;
            }
        }
        self.put_out(cx);
        let Self { ears, outputs, totals, .. } = self;
        cx.with(|main| ears.flush(main, &mut |record| outputs.record(record, PRECISION)));
        *totals = cx.with(|main| ears.totals(main));
    }
}
