//! ICMP and ICMPv6: echo requests are answered, and senders told what became of their packets.
//!
//! | file | idea |
//! |---|---|
//! | `input` | `ip4-icmp-input`: from the type of a message to the node that takes it; `nodes::icmp6` has that of IPv6 |
//! | `echo` | `ip4-icmp-echo-request`, `ip6-icmp-echo-request` |
//! | `report` | what is to be said of a packet |
//! | `error` | `ip4-icmp-error`, `ip6-icmp-error`: say it |
//! | `family`, `ip4`, `ip6` | what of that depends on the version: whom one may tell, what, and how it looks |
//! | `limit` | how often anything is said |
//! | `commands` | limits as commands |
//!
//! A node that ends a packet of which the sender may know notes a `Report` on it, and sends it to the error node of its family.
//! That sends the message as a new packet, and the packet itself on to where it ends: it is counted there, under its own reason.

mod commands;
mod echo;
mod error;
mod family;
mod input;
mod ip4;
mod ip6;
mod limit;
mod report;

use vnet::plugin::Registrar;

use crate::{ip::IpProtocols, tunnel::PathMtu};

pub use input::Icmp4Types;
pub(crate) use report::Report;

/// Registers the nodes and commands.
pub(crate) fn register(r: &mut Registrar, protocols: &IpProtocols, path_mtu: &PathMtu) {
    input::register(r, protocols, path_mtu);
    echo::register(r);
    let limits = limit::Limits::new(r);
    error::register(r, &limits);
    commands::register(r, &limits);
}
