//! Interfaces of the host by AF_XDP sockets: packets are written by the kernel into the engine's buffers and sent out of them.
//!
//! `create interface af_xdp host-if eth0` makes `eth0/0`. Each of its queues is a socket with four rings: filled and received,
//! sent and completed. All buffers of the engine are the sockets' memory (their UMEM); what is in a ring is the address of a buffer,
//! which is the kernel's until it comes back by the other ring. A small BPF program on the host's interface, attached by a link
//! that goes with this process, sends packets of the device's receive queues to the sockets.
//!
//! The main thread owns [`XdpInterfaces`]; nodes share a queue with it, whose locks are taken once a frame. A process follows
//! what the host says of its interfaces.

mod abi;
pub mod api;
mod attach;
mod bpf;
mod commands;
mod error;
mod input;
mod interfaces;
mod open;
mod output;
mod port;
mod program;
mod queue;
mod ring;
mod rx;
mod socket;
mod tx;

use vnet::plugin::{Plugin, Registrar};

pub use error::XdpError;
pub use interfaces::XdpInterfaces;
pub use open::{Copying, Mode, NewXdpInterface};

/// The plugin. It provides the engine's [`XdpInterfaces`].
#[must_use]
pub fn plugin() -> Plugin {
    let register = |r: &mut Registrar| {
        let interfaces = XdpInterfaces::register(r);
        api::register(r, &interfaces);
        commands::commands(&interfaces).into_iter().for_each(|command| r.command(command));
        r.provide(interfaces);
        Ok(())
    };
    let version = env!("CARGO_PKG_VERSION");
    Plugin::new("af_xdp", version, "Interfaces of the host by AF_XDP sockets", register)
        .load_after("nodes")
}
