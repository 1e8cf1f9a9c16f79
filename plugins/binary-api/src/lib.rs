//! The sockets of VPP's binary API: clients of VPP (vpp_papi, GoVPP, vppcfg) come here, and find the messages that the crates
//! of an engine have registered with [`vnet::api`](mod@vnet::api).

mod commands;
mod connection;
mod frames;
mod listener;
mod session;
mod settings;
mod trace;

pub use session::Server;
pub use settings::DEFAULT_PATH;
use vnet::plugin::{Plugin, Registrar};

/// The plugin. It listens where `socksvr { socket-name PATH | default }` says, and nowhere without that; `api-trace { on }`
/// has it record messages from the start.
#[must_use]
pub fn plugin() -> Plugin {
    let (settings, [socket, trace]) = settings::stanzas();
    let register = move |r: &mut Registrar| {
        session::register(r, settings.take());
        Ok(())
    };
    let about = "Binary API of VPP over a socket";
    Plugin::new("binary_api", env!("CARGO_PKG_VERSION"), about, register).reads(socket).reads(trace)
}
