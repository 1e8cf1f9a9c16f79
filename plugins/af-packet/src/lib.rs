//! Interfaces of the host: packets come and go through the rings of packet sockets (packet(7), Linux's packet_mmap).
//!
//! `create host-interface name eth0` makes `host-eth0`. Each receive queue is a socket with a ring; several share the packets
//! of their interface by the hash of the flow (PACKET_FANOUT). A queue that waits for interrupts has a ring of the second
//! version, which shows each packet at once; one that is polled has the third version's, whose blocks cost less. Each
//! transmit queue has a ring and a socket of its own. With offloads, packets have virtio-net headers on both: checksums may be
//! still to be made, and a large packet may stand for many.
//!
//! The main thread owns [`HostInterfaces`]; nodes share a queue with it, whose lock is taken once a frame. A process follows
//! what the host says of its interfaces.

mod abi;
pub mod api;
mod commands;
mod error;
mod geometry;
mod input;
mod interfaces;
mod listen;
mod output;
mod port;
mod queue;
mod rx;
mod socket;
mod tx;

use vnet::plugin::{Plugin, Registrar};

pub use error::HostError;
pub use interfaces::HostInterfaces;
pub use listen::{Heard, Listener, Listening};
pub use port::NewHostInterface;

/// The plugin. It provides the engine's [`HostInterfaces`].
#[must_use]
pub fn plugin() -> Plugin {
    let register = |r: &mut Registrar| {
        let interfaces = HostInterfaces::register(r);
        api::register(r, &interfaces);
        commands::commands(&interfaces).into_iter().for_each(|command| r.command(command));
        r.provide(interfaces);
        Ok(())
    };
    let version = env!("CARGO_PKG_VERSION");
    Plugin::new("af_packet", version, "Interfaces of the host", register).load_after("nodes")
}
