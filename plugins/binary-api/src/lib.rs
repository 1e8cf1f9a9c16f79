//! The sockets of VPP's binary API: clients of VPP (vpp_papi, GoVPP, vppcfg) come here, and find the messages that the crates
//! of an engine have registered with [`vnet::api`](mod@vnet::api).

mod commands;
mod connection;
mod frames;
mod listener;
mod session;
mod trace;

use std::{cell::RefCell, path::PathBuf, rc::Rc};

pub use session::Server;
use vnet::plugin::{Plugin, Registrar, Stanza};

/// Where the socket is for `socksvr { default }`.
pub const DEFAULT_PATH: &str = "/run/vpp/api.sock";

/// The plugin. It listens where `socksvr { socket-name PATH | default }` says, and nowhere without that.
#[must_use]
pub fn plugin() -> Plugin {
    let path: Rc<RefCell<Option<PathBuf>>> = Rc::default();
    let (by_default, named) = (path.clone(), path.clone());
    let stanza = Stanza::new("socksvr")
        .flag("default", move || {
            by_default.replace(Some(DEFAULT_PATH.into()));
        })
        .value("socket-name", "a path, or default", move |value| {
            let path = if value == "default" { DEFAULT_PATH } else { value };
            named.replace(Some(path.into()));
            !value.is_empty()
        });
    let register = move |r: &mut Registrar| {
        session::register(r, path.take());
        Ok(())
    };
    let about = "Binary API of VPP over a socket";
    Plugin::new("binary_api", env!("CARGO_PKG_VERSION"), about, register).reads(stanza)
}
