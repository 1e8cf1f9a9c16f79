//! Messages about interfaces.

mod addresses;
mod bond;
mod details;
mod events;
mod messages;
mod queues;
mod settings;
mod sub;

pub use messages::*;

use super::SwIfIndex;
use crate::{command::ApiError, plugin::Registrar, runtime::Main};

/// Registers them. Those about loopback interfaces and captures are answered where these are.
pub(crate) fn register_api(registrar: &mut Registrar) {
    let api = registrar.api();
    api.file(&INTERFACE);
    addresses::register(api);
    bond::register(api);
    details::register(api);
    queues::register(api);
    settings::register(api);
    sub::register(api);
    events::register(registrar);
}

/// The interface that a message names.
///
/// # Errors
/// When there is none.
pub fn known(main: &Main, sw_if_index: u32) -> Result<SwIfIndex, ApiError> {
    let interface = SwIfIndex(sw_if_index);
    match main.interfaces().interface(interface) {
        Some(_) => Ok(interface),
        None => Err(ApiError::InvalidSwIfIndex),
    }
}

/// The main interface that a message names.
///
/// # Errors
/// When there is none, or it is a sub-interface.
fn known_main(main: &Main, sw_if_index: u32) -> Result<SwIfIndex, ApiError> {
    let interface = known(main, sw_if_index)?;
    match main.interfaces().interface(interface).and_then(|known| known.sub()) {
        Some(_) => Err(ApiError::InvalidValue),
        None => Ok(interface),
    }
}
