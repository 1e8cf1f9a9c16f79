//! Messages about tables, routes and addresses.

mod flow_hash;
mod interfaces;
mod messages;
mod paths;
mod replace;
mod routes;
mod tables;

pub use messages::*;
pub use paths::{from_api, to_api};

use super::Family;
use crate::plugin::Registrar;

pub(crate) fn register_api(registrar: &mut Registrar) {
    let api = registrar.api();
    api.file(&IP);
    let replacing = replace::Replacing::default();
    tables::register(api, &replacing);
    replace::register(api, &replacing);
    routes::register(api, &replacing);
    interfaces::register(api);
    flow_hash::register(api);
}

/// The family that a message means.
#[must_use]
pub const fn family(is_ip6: bool) -> Family {
    if is_ip6 { Family::Ip6 } else { Family::Ip4 }
}
