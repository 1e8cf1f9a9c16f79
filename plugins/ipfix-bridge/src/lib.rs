//! Flow records of what bridge domains carry, and of packets that others choose: Open vSwitch's IPFIX exporter.
//!
//! `ipfix bridge` measures the frames of a bridge domain as they come in and as they leave, each or one of so many. `ipfix
//! collector-set` measures what is sampled into the set by its number. Both are an exporter of the engine
//! ([`vnet::ipfix::engine`]) with a meter on each thread ([`vnet::flow::Meter`]), whose flows are told apart as a switch does
//! ([`vnet::flow::Switch`]); this crate says what is sampled, and how the two are configured.
//!
//! | file | idea |
//! |---|---|
//! | `options` | what `ipfix bridge` and `ipfix collector-set` say |
//! | `target` | `host[:port]`, and the addresses that come of it |
//! | `exporter` | an exporter of the engine, and how its collectors follow the targets |
//! | `metering` | the meters of an exporter, and a report for each observation domain |
//! | `bridges` | [`IpfixBridge`]: what is configured, and where it is kept |
//! | `bridge`, `sets` | the exporter of a bridge domain, and that of a collector set |
//! | `exporters` | how they come and go |
//! | `ports` | which interfaces are observed, and what is known of their frames |
//! | `tunnel` | ports that are ends of tunnels |
//! | `point` | what a thread has |
//! | `room` | how many flows threads hold together |
//! | `node` | the two observation points in the graph |
//! | `sample` | the action by which rules of others sample into collector sets |
//! | `past` | frames that `l2-input` shows where they pass the observation points |
//! | `walker` | `ipfix-bridge-walker`: ends flows when no packet comes |
//! | `retry` | `ipfix-bridge-process`: targets that could not be resolved |
//! | `show` | the `show` commands as data |
//! | `commands` | the commands |
//!
//! `docs/OVS-IPFIX.md` says how to use it, and where it differs from Open vSwitch's.

mod bridge;
mod bridges;
mod commands;
mod error;
mod exporter;
mod exporters;
mod metering;
mod node;
mod options;
mod past;
mod point;
mod ports;
mod retry;
mod room;
mod sample;
mod sets;
mod show;
mod target;
mod tunnel;
mod walker;

use vnet::plugin::{Plugin, Registrar};

pub use bridges::{IpfixBridge, Sampled};
pub use error::IpfixBridgeError;
pub use options::{
    BridgeChange, BridgeOptions, Cache, CacheChange, Profile, SetChange, SetOptions,
};
pub use show::Statistics;
pub use target::{Target, TargetError};
pub use tunnel::Tunnel;

/// The plugin. It provides the engine's [`IpfixBridge`].
#[must_use]
pub fn plugin() -> Plugin {
    let register = |r: &mut Registrar| {
        let bridge = IpfixBridge::register(r)?;
        commands::register(r, &bridge);
        r.provide(bridge);
        Ok(())
    };
    let about = "IPFIX of bridge domains, as Open vSwitch has it";
    Plugin::new("ipfix_bridge", env!("CARGO_PKG_VERSION"), about, register).load_after("nodes")
}
