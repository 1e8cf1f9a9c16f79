//! What benchmarks of the fast path share.

pub mod direct_mapped;

use std::time::Instant;

use peloton::bench::{
    measure::{Length, Measurement, measure},
    workload::Prepared,
};
use vnet::{plugin::Engine, runtime::Main};

/// So many frames of a workload; a first call warms it up, whatever it measured.
pub fn run(prepared: &Prepared, frames: u64) -> Measurement {
    measure(prepared, Length::Frames(frames), || true)
}

/// Median and 10th percentile.
#[must_use]
pub fn quantiles(mut samples: Vec<f64>) -> String {
    samples.sort_by(f64::total_cmp);
    let n = samples.len();
    format!("{:.1} {:.1}", samples[n / 2], samples[n / 10])
}

/// Prints the clocks a packet of each node that `shown` names, and those of all, of windows of 16 full frames on the main thread: median
/// and 10th percentile.
pub fn clocks_by_node(engine: &Engine, seconds: u64, shown: impl Fn(&str) -> bool) {
    /// Frames of a window.
    const WINDOW: u32 = 16;
    let mut names: Vec<String> = Vec::new();
    let mut samples: Vec<Vec<f64>> = Vec::new();
    let mut sums = Vec::new();
    let start = Instant::now();
    while sums.is_empty() || start.elapsed().as_secs() < seconds {
        engine.with(Main::clear_stats);
        (0..WINDOW).for_each(|_| {
            engine.poll();
        });
        let packets = f64::from(WINDOW * 256);
        let mut sum = 0.0;
        engine.with(|main| {
            for (index, node) in main.graph().nodes() {
                let stats = main.worker().stats(index);
                if stats.vectors == 0 {
                    continue;
                }
                let clocks = stats.clocks_each() * stats.vectors as f64 / packets;
                sum += clocks;
                let at = names.iter().position(|name| *name == node.name).unwrap_or_else(|| {
                    names.push(node.name.clone());
                    samples.push(Vec::new());
                    names.len() - 1
                });
                samples[at].push(clocks);
            }
        });
        sums.push(sum);
    }
    for (name, samples) in names.iter().zip(samples) {
        if shown(name) {
            println!("  {name:<24}{:>15}", quantiles(samples));
        }
    }
    println!("  {:<24}{:>15}", "all", quantiles(sums));
}
