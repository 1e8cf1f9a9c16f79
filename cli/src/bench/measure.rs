//! Clocks of each node: the median of many short windows.
//!
//! Other programs share the machine, and a mean would be theirs as much as ours. A window is a few frames, so that few
//! interruptions meet the same node in it, and the sum is one of medians, which no interruption moves.

use core::time::Duration;
use std::time::Instant;

use vnet::{frame::FRAME_SIZE, graph::NodeIndex, plugin::Engine, runtime::Main};

use super::workload::Prepared;

/// Rounds of a window; each is a frame of 256 packets.
const WINDOW: u64 = 16;
/// The node that makes the packets.
const INPUT: &str = "pg-input";

/// How much is measured, in whole windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// So long.
    Time(Duration),
    /// So many frames: always the same work, for those who count instructions.
    Frames(u64),
}

/// What a node costs.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeCost {
    /// Its name.
    pub name: String,
    /// Clocks of the time-stamp counter for each packet that it saw, in the median window.
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
    /// Clocks of all nodes for each packet: the sum over the nodes, each by its share of the packets.
    pub clocks_per_packet: f64,
    /// The nodes that saw packets.
    pub nodes: Vec<NodeCost>,
    /// Packets that each worker made; none where the main thread made all.
    pub by_worker: Vec<u64>,
}

impl Measurement {
    /// Packets made and dealt with, a second.
    #[must_use]
    pub fn packets_per_second(&self) -> f64 {
        self.packets as f64 / self.time.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

/// Runs the engine for `length`, or until `goes_on` says no. What it counted before is forgotten.
#[must_use]
pub fn measure(prepared: &Prepared, length: Length, goes_on: impl Fn() -> bool) -> Measurement {
    let engine = &prepared.assembled.engine;
    if engine.with(|main| main.threads()) > 1 {
        return measure_workers(engine, length, goes_on);
    }
    let mut windows = Windows::default();
    let start = Instant::now();
    let is_over = |frames| match length {
        Length::Time(time) => start.elapsed() >= time,
        Length::Frames(number) => frames >= number,
    };
    let mut frames = 0;
    while !is_over(frames) && goes_on() {
        engine.with(Main::clear_stats);
        for _ in 0..WINDOW {
            engine.poll();
        }
        frames += WINDOW;
        engine.with(|main| windows.add(main));
    }
    windows.measurement(start.elapsed())
}

/// As [`measure`], of all workers together: they run by themselves, so that clocks are those of the whole time.
fn measure_workers(engine: &Engine, length: Length, goes_on: impl Fn() -> bool) -> Measurement {
    let input = engine.with(|main| main.graph().find(INPUT));
    let made = |main: &mut Main| match input {
        Some(input) => main.by_thread(|worker| worker.stats(input).vectors),
        None => Vec::new(),
    };
    engine.with(Main::clear_stats);
    let start = Instant::now();
    let is_over = || match length {
        Length::Time(time) => start.elapsed() >= time,
        Length::Frames(frames) => {
            engine.with(made).iter().sum::<u64>() >= frames * FRAME_SIZE as u64
        }
    };
    while !is_over() && goes_on() {
        let cx = engine.cx();
        let waited = async move { cx.sleep(Duration::from_millis(10)).await };
        engine.run_until(waited);
    }
    engine.with(|main| {
        let time = start.elapsed();
        let mut windows = Windows::default();
        windows.add(main);
        let by_worker = made(main).split_off(1);
        Measurement { by_worker, ..windows.measurement(time) }
    })
}

/// What each window saw.
#[derive(Default)]
struct Windows(Vec<Node>);

struct Node {
    index: NodeIndex,
    name: String,
    calls: u64,
    vectors: u64,
    clocks: Vec<f64>,
}

impl Windows {
    fn add(&mut self, main: &mut Main) {
        let Self(nodes) = self;
        let all: Vec<_> = main.graph().nodes().map(|(index, _)| index).collect();
        let stats: Vec<_> = all.into_iter().map(|index| main.stats(index)).collect();
        for ((index, info), stats) in main.graph().nodes().zip(stats) {
            if stats.vectors == 0 {
                continue;
            }
            let at = nodes.iter().position(|node| node.index == index).unwrap_or_else(|| {
                let (name, clocks) = (info.name.clone(), Vec::new());
                nodes.push(Node { index, name, calls: 0, vectors: 0, clocks });
                nodes.len() - 1
            });
            let node = &mut nodes[at];
            node.calls += stats.calls;
            node.vectors += stats.vectors;
            node.clocks.push(stats.clocks_each());
        }
    }

    fn measurement(self, time: Duration) -> Measurement {
        let Self(mut nodes) = self;
        nodes.sort_by_key(|node| node.index);
        let input = nodes.iter().find(|node| node.name == INPUT);
        let packets = input.map_or(0, |input| input.vectors);
        let mut measured = Measurement {
            time,
            packets,
            clocks_per_packet: 0.0,
            nodes: Vec::new(),
            by_worker: Vec::new(),
        };
        for Node { name, calls, vectors, clocks, .. } in nodes {
            let clocks_per_packet = median(clocks);
            measured.clocks_per_packet +=
                clocks_per_packet * vectors as f64 / packets.max(1) as f64;
            let vectors_per_call = vectors as f64 / calls.max(1) as f64;
            measured.nodes.push(NodeCost { name, clocks_per_packet, vectors_per_call });
        }
        measured
    }
}

/// The value in the middle; 0 of none.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_unmoved_by_interruptions() {
        assert_eq!(median(vec![60.0, 61.0, 5000.0, 59.0, 60.5]), 60.5);
        assert_eq!(median(Vec::new()), 0.0);
    }
}
