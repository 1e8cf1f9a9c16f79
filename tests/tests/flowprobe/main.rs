//! flowprobe in a whole engine: packets go in, records come out at a collector.

mod biflow;
mod captures;
mod classifier;
mod collectors;
mod context;
mod day;
mod drops;
mod export;
mod fragments;
mod kernel;
mod ledger;
mod limits;
mod operations;
mod options;
mod own;
mod sampling;
mod scene;
mod settings;
mod tcp;
mod templates;
mod timers;
mod tunnels;
mod vpp;
