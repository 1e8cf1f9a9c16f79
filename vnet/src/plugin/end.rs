//! The end of an engine: nothing that it holds is lost.

use core::{error::Error, time::Duration};

use super::Engine;
use crate::runtime::Main;

/// How long the collector may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// Rounds in which packets that are on their way find their end. An input that never ends does not hold it up.
const ROUNDS: usize = 1000;

/// The exporter did not get everything out in time.
#[derive(Debug, thiserror::Error)]
#[error("export: not everything was sent within {} seconds", PATIENCE.as_secs())]
struct TooSlow;

impl Engine {
    /// Ends the engine's work in order: packets on their way find their end, what was measured becomes records, the exporter
    /// sends them, files are written. Gives back what went wrong with that. To be called once, when the engine is to run no
    /// more.
    #[must_use]
    pub fn stop(&self) -> Vec<Box<dyn Error>> {
        self.settle();
        self.with(Main::close);
        self.settle();
        self.drain_hooks.take().into_iter().for_each(|hook| self.with(hook));
        let mut errors: Vec<_> = self.flush_exporter().err().into_iter().collect();
        self.settle();
        let hooks = self.stop_hooks.take();
        errors.extend(hooks.into_iter().filter_map(|hook| self.with(hook).err()));
        errors
    }

    /// Lets the packets that are on their way find their end, or some of those that an input keeps bringing.
    fn settle(&self) {
        let mut rounds = 0..ROUNDS;
        while rounds.next().is_some() && self.poll() {}
    }

    fn flush_exporter(&self) -> Result<(), Box<dyn Error>> {
        let (cx, ipfix) = (self.cx(), self.ipfix.clone());
        let flushed = self
            .run_until(async move { cx.timeout(PATIENCE, async { ipfix.flush().await }).await });
        Ok(flushed.and_then(Result::ok).ok_or(TooSlow)??)
    }
}
