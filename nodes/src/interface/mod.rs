//! Packets out: `interface-output`, and the loopback interface.

mod commands;
mod link;
pub mod loopback;
mod output;

pub(crate) use link::{UP as LINK_UP, follow_state};
pub use output::add_device;
pub(crate) use output::register;
