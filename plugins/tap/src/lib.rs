//! TAP and TUN interfaces: the other end of an interface of the host, over which its network stack and Peloton send each other
//! packets.
//!
//! `create tap` makes both ends, the host's in a network namespace if asked, and sets the host's up. A queue is a descriptor of
//! `/dev/net/tun`, read and written a packet at a time without blocking. A process follows what the host does to its end, in
//! whichever namespace that is. `docs/INTERFACES.md` has the commands.

pub mod api;
mod commands;
mod error;
mod host;
mod interfaces;
mod netlink;
mod port;
mod queue;
mod rx;
mod show;
mod sys;
mod tx;

use vnet::plugin::{Plugin, Registrar};

use interfaces::Taps;

pub use error::TapError;
pub use host::{HostRequest, Kind, Offload};
pub use interfaces::NewTap;

/// The plugin.
#[must_use]
pub fn plugin() -> Plugin {
    let register = |r: &mut Registrar| {
        let taps = Taps::register(r);
        api::register(r, &taps);
        commands::commands(&taps).into_iter().for_each(|command| r.command(command));
        Ok(())
    };
    Plugin::new("tap", env!("CARGO_PKG_VERSION"), "TAP and TUN interfaces", register)
}
