//! Fuzz bodies: one a parser, each a function of any bytes that panics when a promise is broken.
//!
//! The targets of `fuzz/` call them, and `tests/fuzz_corpus.rs` runs them over the stored corpus with the stable toolchain.
//! A body asserts what its parser promises (sums, bounds, the same answer whatever the division of the input), not only
//! that it returns. What it builds once (an engine) it keeps for its thread.

mod acl;
mod api;
mod bridge;
mod capture;
mod commands;
mod control;
mod fields;
mod flow;
mod fragments;
mod generator;
mod graph;
mod gro;
mod headers;
mod input;
mod ipfix;
mod ipfix_file;
mod neighbors;
mod startup;
mod stream;
mod targets;
mod tunnels;

pub use acl::acl;
pub use api::api;
pub use bridge::bridge;
pub use capture::capture;
pub use commands::commands;
pub use control::control;
pub use fields::fields;
pub use flow::flow;
pub use fragments::fragments;
pub use generator::generator;
pub use graph::graph;
pub use gro::gro;
pub use headers::headers;
pub use ipfix::ipfix;
pub use ipfix_file::ipfix_file;
pub use neighbors::neighbors;
pub use startup::startup;
pub use targets::targets;
pub use tunnels::tunnels;

/// A fuzz body.
pub type Body = fn(&[u8]);

/// All bodies by the names of their targets, which are the names of their folders under `fuzz-corpus` as well.
pub const BODIES: &[(&str, Body)] = &[
    ("acl", acl),
    ("api", api),
    ("bridge", bridge),
    ("capture", capture),
    ("commands", commands),
    ("control", control),
    ("fields", fields),
    ("flow", flow),
    ("fragments", fragments),
    ("generator", generator),
    ("graph", graph),
    ("gro", gro),
    ("headers", headers),
    ("ipfix", ipfix),
    ("ipfix_file", ipfix_file),
    ("neighbors", neighbors),
    ("startup", startup),
    ("targets", targets),
    ("tunnels", tunnels),
];
