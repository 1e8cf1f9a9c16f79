//! Packets out: `interface-output`, and the loopback interface.

mod commands;
pub mod loopback;
mod offload;
mod output;

pub use output::add_device;
pub(crate) use output::register;
