//! Messages about neighbours.

mod events;
mod messages;
mod neighbors;

pub use messages::*;

use vnet::{
    api::Retval, command::ApiError, fib::Family, neighbor::NeighborConfig, plugin::Registrar,
    process::Bell,
};

use super::commands::MAX_LIMIT;

/// `ages` has the processes that wait for neighbours to grow old look again.
pub(super) fn register(r: &mut Registrar, ages: &[Bell; 2]) {
    let api = r.api();
    api.file(&IP_NEIGHBOR);
    let of_config = ages.clone();
    api.call(move |cx, request: ip_neighbor_config| {
        let ip_neighbor_config { af, max_number, max_age, recycle } = request;
        let config = NeighborConfig { limit: max_number, age: max_age, recycle };
        let family = Family::try_from(af)?;
        if max_number > MAX_LIMIT {
            return Err(ApiError::InvalidValue);
        }
        cx.with(|main| main.forwarding_mut().set_neighbor_config(family, config));
        of_config.iter().for_each(Bell::ring);
        Ok(())
    });
    api.call(|cx, request: ip_neighbor_config_get| {
        let family = Family::try_from(request.af)?;
        let config = cx.with(|main| main.forwarding().neighbor_config(family));
        let NeighborConfig { limit, age, recycle } = config;
        Ok::<_, Retval>(ip_neighbor_config_get_reply {
            af: request.af,
            max_number: limit,
            max_age: age,
            recycle,
        })
    });
    neighbors::register(api, ages);
    events::register(r);
}
