//! Clocks of each node over a time.

use core::time::Duration;
use std::time::Instant;

use vnet::runtime::Main;

use super::workload::Prepared;

/// Rounds between two looks at the clock.
const ROUNDS: usize = 256;
/// The node that makes the packets.
const INPUT: &str = "pg-input";

/// What a node costs.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeCost {
    /// Its name.
    pub name: String,
    /// Clocks of the time-stamp counter for each packet that it saw.
    pub clocks_per_packet: f64,
    /// Packets each time it ran.
    pub vectors_per_call: f64,
}

/// What was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Measurement {
    /// How long.
    pub time: Duration,
    /// Packets that were made.
    pub packets: u64,
    /// Clocks of all nodes.
    pub clocks: u64,
    /// The nodes that saw packets.
    pub nodes: Vec<NodeCost>,
}

impl Measurement {
    /// Packets made and dealt with, a second.
    #[must_use]
    pub fn packets_per_second(&self) -> f64 {
        self.packets as f64 / self.time.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    /// Clocks of all nodes for each packet.
    #[must_use]
    pub fn clocks_per_packet(&self) -> f64 {
        self.clocks as f64 / self.packets.max(1) as f64
    }
}

/// Runs the engine for `time`, or until `goes_on` says no. What it counted before is forgotten.
#[must_use]
pub fn measure(prepared: &Prepared, time: Duration, goes_on: impl Fn() -> bool) -> Measurement {
    let engine = &prepared.assembled.engine;
    engine.with(Main::clear_stats);
    let start = Instant::now();
    while start.elapsed() < time && goes_on() {
        for _ in 0..ROUNDS {
            engine.poll();
        }
    }
    let mut measured =
        Measurement { time: start.elapsed(), packets: 0, clocks: 0, nodes: Vec::new() };
    engine.with(|main| {
        for (index, node) in main.graph().nodes() {
            let stats = main.worker().stats(index);
            if stats.vectors == 0 {
                continue;
            }
            if node.name == INPUT {
                measured.packets = stats.vectors;
            }
            measured.clocks += stats.clocks;
            measured.nodes.push(NodeCost {
                name: node.name.clone(),
                clocks_per_packet: stats.clocks_each(),
                vectors_per_call: stats.vectors_per_call(),
            });
        }
    });
    measured
}
