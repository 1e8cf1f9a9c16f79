//! The binary API: messages as VPP's clients know them, answered from the engine's own operations.

mod acl;
mod checksums;
mod classifier;
mod discovery;
mod features;
mod flow_hash;
mod flowprobe;
mod generator;
mod graph;
mod hosts;
mod interfaces;
mod ipfix;
mod layer2;
mod neighbors;
mod papi;
mod probes;
mod program;
mod punt;
mod reference;
mod routes;
mod tables;
mod trace;
mod traces;
mod tunnels;
mod twins;

use std::time::Duration;

use peloton::plugins::{Assembled, Choice};
use vnet::{
    plugin::Engine,
    runtime::{Clock, PacketTime},
};

/// An engine with all plugins, whose clock stands still.
fn engine() -> Engine {
    engine_with(0)
}

/// The same with workers, whose rounds are the main thread's.
fn engine_with(workers: usize) -> Engine {
    let clock = Clock::virtual_at(PacketTime(1_700_000_000_000_000_000));
    let builder = Engine::builder().clock(clock).workers(workers);
    let engine = Assembled::build(builder, &Choice::all()).unwrap().engine;
    engine.advance(Duration::from_secs(1));
    engine
}
