//! flowprobe in a whole engine: packets go in, records come out at a collector.

mod captures;
mod classifier;
mod export;
mod kernel;
mod ledger;
mod limits;
mod operations;
mod scene;
mod templates;
mod timers;
mod vpp;
