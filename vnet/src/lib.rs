//! The framework of Peloton: everything that the author of a node or of a plugin touches.

pub mod action;
pub mod adjacency;
pub mod api;
pub mod buffer;
pub mod classify;
pub mod command;
pub mod counter;
pub mod error;
pub mod fib;
pub mod flow;
pub mod frame;
pub mod graph;
pub mod gro;
pub mod hash_tables;
pub mod host;
pub mod huge_pages;
pub mod interface;
pub mod ipfix;
pub mod l2;
pub mod log;
pub mod neighbor;
pub mod plugin;
pub mod prelude;
pub mod process;
pub mod random;
pub mod reassembly;
pub mod runtime;
pub mod trace;
pub mod tunnel;
pub mod wire;

/// The crate whose traits headers and trace records implement, in the version that is used here.
pub use zerocopy;
