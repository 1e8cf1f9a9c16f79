//! The progress bar.

use core::time::Duration;
use std::{
    io::{self, IsTerminal},
    time::Instant,
};

use indicatif::{ProgressBar, ProgressStyle};
use nodes::capture::Progress;

/// Rounds between two looks at the clock.
const ROUNDS: u32 = 64;
/// Between two drawings.
const INTERVAL: Duration = Duration::from_millis(100);

/// How far a run is, on standard error. It goes away when dropped.
pub(super) struct Bar {
    bar: ProgressBar,
    start: Instant,
    drawn: Instant,
    rounds: u32,
}

impl Bar {
    /// A bar for captures of `bytes` in all, where that is known; none when standard error is no terminal.
    #[must_use]
    pub(super) fn new(bytes: Option<u64>) -> Option<Self> {
        if !io::stderr().is_terminal() {
            return None;
        }
        let (bar, template) = match bytes {
            Some(bytes) => (ProgressBar::new(bytes), "{wide_bar} {percent:>3}% {msg} {eta} left"),
            None => (ProgressBar::no_length(), "{spinner} {bytes}, {msg}"),
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        let now = Instant::now();
        Some(Self { bar, start: now, drawn: now, rounds: 0 })
    }

    /// Draws it, now and then.
    pub(super) fn show(&mut self, progress: &Progress) {
        self.rounds += 1;
        if self.rounds < ROUNDS || self.drawn.elapsed() < INTERVAL {
            return;
        }
        self.rounds = 0;
        self.drawn = Instant::now();
        let rate = progress.packets as f64 / self.start.elapsed().as_secs_f64() / 1e6;
        self.bar.set_position(progress.bytes_read);
        let millions = progress.packets as f64 / 1e6;
        self.bar.set_message(format!("{millions:.1} M packets, {rate:.1} M/s"));
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
