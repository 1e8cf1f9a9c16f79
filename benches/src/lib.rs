//! What benchmarks of the fast path share.

pub mod direct_mapped;

use peloton::bench::{
    measure::{Length, Measurement, measure},
    workload::Prepared,
};

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
