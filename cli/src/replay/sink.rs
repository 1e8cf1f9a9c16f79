//! Records and rounds of a run, to its outputs.

use core::ops::ControlFlow;

use nodes::capture::Progress;
use vnet::{flow::FlowRecord, ipfix::time::Precision};

use super::{progress::Bar, run::Sink};
use crate::{
    records::outputs::Outputs,
    signal::{self, Signal},
};

/// Outputs, and whoever looks on: the first failure or signal ends the run.
pub(super) struct Watched {
    outputs: Outputs,
    bar: Option<Bar>,
    signal: Option<Signal>,
}

impl Watched {
    pub(super) fn new(outputs: Outputs, bar: Option<Bar>) -> Self {
        Self { outputs, bar, signal: None }
    }

    /// Whether a failure or a signal has ended the run.
    pub(super) fn is_stopped(&self) -> bool {
        self.outputs.has_failed() || self.signal.is_some()
    }

    /// The outputs, and the signal that ended the run.
    pub(super) fn end(self) -> (Outputs, Option<Signal>) {
        (self.outputs, self.signal)
    }
}

impl Sink for Watched {
    fn record(&mut self, record: &FlowRecord, precision: Precision) {
        self.outputs.record(record, precision);
    }

    fn round(&mut self, progress: &Progress) -> ControlFlow<()> {
        if let Some(bar) = &mut self.bar {
            bar.show(progress);
        }
        self.outputs.tick();
        self.signal = signal::caught();
        if self.is_stopped() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}
