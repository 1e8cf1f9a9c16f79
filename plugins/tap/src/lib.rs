//! TAP and TUN interfaces: the other end of an interface of the host, over which its network stack and Peloton send each other
//! packets.
//!
//! `create tap` makes both ends, the host's in a network namespace if asked, and sets the host's up. A queue is a descriptor of
//! `/dev/net/tun`, read and written a packet at a time without blocking. `docs/INTERFACES.md` has the commands.

mod commands;
mod error;
mod host;
mod netlink;
mod port;
mod rx;
mod show;
mod sys;
mod tx;

use vnet::{
    graph::{InputMode, NodeSpec},
    plugin::{Plugin, Registrar},
    process::Cx,
};

use port::{Ports, Taps};

pub use error::TapError;
pub use host::{HostRequest, Kind, Offload};
pub use port::NewTap;

/// The plugin.
#[must_use]
pub fn plugin() -> Plugin {
    let register = |r: &mut Registrar| {
        let taps = Taps::new(r.shared(Ports::new()));
        let (placement, theirs) = (r.rx_placement(), taps.clone());
        let input =
            NodeSpec::input(rx::NODE, move |at| rx::Input::new(at, placement.clone(), &theirs));
        r.node(input.mode(InputMode::Disabled));
        let followed = taps.clone();
        r.on_interface_event(move |main, event| followed.follow(main, event));
        let watched = taps.clone();
        r.process("tap-process", move |cx| watch(cx, watched));
        commands::commands(&taps).into_iter().for_each(|command| r.command(command));
        Ok(())
    };
    Plugin::new("tap", env!("CARGO_PKG_VERSION"), "TAP and TUN interfaces", register)
}

/// Gives up interfaces that the host has deleted.
async fn watch(cx: Cx, taps: Taps) {
    loop {
        taps.gone.wait().await;
        cx.with(|main| taps.retire(main));
    }
}
