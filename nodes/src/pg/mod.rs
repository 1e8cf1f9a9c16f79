//! The packet generator: makes packets by description, or repeats those of a capture, and takes back what is sent.
//!
//! A *stream* ([`StreamSpec`]) says what its packets look like, how many there are, how fast they come and where they go. Its
//! text form is VPP's `packet-generator new { ... }`. When it is defined it is compiled once: into a template of the packet
//! and a list of the fields that vary, so that a packet without varying fields costs a copy. The node `pg-input` sends
//! the packets of all enabled streams and polls only while there are any. Lengths and checksums that a description does
//! not give are filled in with the right values, also where fields or sizes vary.
//!
//! An *interface* `pg<N>` is where the packets of a stream appear to come from; what leaves by it ends in the node
//! `pg<N>-tx`, which counts it and can write it to a capture file. What packets leave to others an interface is told when it is made
//! ([`Offload`]); one by which large packets leave can put segments together.
//!
//! The main thread owns definitions and interfaces ([`Generator`]). The node reads the list of enabled streams under the
//! barrier and owns how far each has come; the number of packets made goes back through an atomic counter.

pub mod api;
mod coalesce;
mod commands;
mod error;
mod flows;
mod generator;
mod grammar;
mod input;
mod interfaces;
mod layout;
mod offload;
mod packet;
mod port;
mod program;
mod replay;
mod schedule;
mod show;
mod spec;
mod stream;
mod trace;
mod transmit;
mod value;

#[cfg(test)]
mod tests;

use vnet::plugin::{Plugin, Registrar};

pub use error::{PgError, SpecError};
pub use flows::UdpFlows;
pub use generator::Generator;
pub(crate) use interfaces::CLASS;
pub use offload::Offload;
pub use packet::{Arp, Ethernet, Icmp, Ip4, Ip6, Layer, Mpls, PacketSpec, Tag, Tcp, Udp};
pub use port::{Mode, NewInterface, Sent};
pub use replay::Replay;
pub use show::{StreamRow, show};
pub use spec::{DEFAULT_SIZE, Data, MAX_SIZE, Rate, Size, StreamSpec};
pub use value::Value;

/// The plugin of the packet generator. It provides the engine's [`Generator`].
#[must_use]
pub fn plugin() -> Plugin {
    let register = |r: &mut Registrar| {
        let generator = Generator::register(r);
        api::register(r, &generator);
        commands::commands(&generator).into_iter().for_each(|command| r.command(command));
        r.provide(generator);
        Ok(())
    };
    Plugin::new("pg", env!("CARGO_PKG_VERSION"), "Packet generator", register).load_after("nodes")
}
