//! Messages of the binary API.

mod lists;
mod macip;
mod messages;
mod rules;

pub(crate) use macip::register as register_macip;
pub use messages::*;

use vnet::{
    api::Retval, command::ApiError, interface::SwIfIndex, plugin::Registrar, runtime::Main,
};

use crate::Acl;

/// What stands for all lists or interfaces in dumps, and for none elsewhere.
const NONE: u32 = u32::MAX;

pub(crate) fn register(registrar: &mut Registrar, acl: &Acl) {
    let api = registrar.api();
    api.file(&ACL_TYPES);
    api.file(&ACL);
    lists::register(api, acl);
}

/// The number of a list, and that of the error.
fn numbered(result: Result<u32, Retval>, asked: u32) -> (u32, i32) {
    match result {
        Ok(index) => (index, 0),
        Err(Retval(number)) => (asked, number),
    }
}

fn known(main: &Main, sw_if_index: u32) -> Result<SwIfIndex, ApiError> {
    let interface = SwIfIndex(sw_if_index);
    let known = main.interfaces().interface(interface);
    known.map(|_| interface).ok_or(ApiError::InvalidSwIfIndex)
}

/// Whether a dump that asks for `wanted` asks for `index`, too.
fn is_wanted(wanted: u32, index: u32) -> bool {
    wanted == NONE || wanted == index
}
