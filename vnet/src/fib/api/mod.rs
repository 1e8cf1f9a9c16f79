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
use crate::{api::ip_types::address_family, command::ApiError, plugin::Registrar};

pub(crate) fn register_api(registrar: &mut Registrar) {
    let replacing = replace::Replacing::default();
    tables::register(registrar, &replacing);
    let api = registrar.api();
    api.file(&IP);
    replace::register(api, &replacing);
    routes::register(api, &replacing);
    interfaces::register(api);
    flow_hash::register(api);
}

impl From<Family> for address_family {
    fn from(family: Family) -> Self {
        match family {
            Family::Ip4 => Self::ADDRESS_IP4,
            Family::Ip6 => Self::ADDRESS_IP6,
        }
    }
}

impl TryFrom<address_family> for Family {
    type Error = ApiError;

    fn try_from(family: address_family) -> Result<Self, ApiError> {
        match family {
            address_family::ADDRESS_IP4 => Ok(Self::Ip4),
            address_family::ADDRESS_IP6 => Ok(Self::Ip6),
            _ => Err(ApiError::InvalidAddressFamily),
        }
    }
}

/// The family that a message means.
#[must_use]
pub const fn family(is_ip6: bool) -> Family {
    if is_ip6 { Family::Ip6 } else { Family::Ip4 }
}
