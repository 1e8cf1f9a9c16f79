//! Packets out: `interface-output`, and the loopback interface.

mod api;
mod commands;
pub mod loopback;
mod offload;
mod output;
mod queued;

pub use output::add_device;
pub(crate) use output::register;
pub use queued::{DeviceError, Outlet, QueuedDevices, Queues};
