//! Messages about the hashes by which flows take one of several paths.

use super::{
    family, set_ip_flow_hash, set_ip_flow_hash_router_id, set_ip_flow_hash_v2, set_ip_flow_hash_v3,
};
use crate::{
    api::{Api, Retval},
    command::ApiError,
    fib::{Family, TableId},
    runtime::Main,
    wire::flow_hash::HashFields,
};

pub(super) fn register(api: &mut Api) {
    api.call(|cx, request: set_ip_flow_hash| {
        let chosen = [
            (HashFields::SOURCE, request.src),
            (HashFields::DESTINATION, request.dst),
            (HashFields::SOURCE_PORT, request.sport),
            (HashFields::DESTINATION_PORT, request.dport),
            (HashFields::PROTOCOL, request.proto),
            (HashFields::REVERSE, request.reverse),
            (HashFields::SYMMETRIC, request.symmetric),
        ];
        let chosen = chosen.into_iter().filter(|(_, is_chosen)| *is_chosen);
        let bits = chosen.fold(0, |bits, (field, _)| bits | field.bits());
        cx.with(|main| set(main, family(request.is_ipv6), request.vrf_id, bits))
    });
    api.call(|cx, request: set_ip_flow_hash_v2| {
        let bits = request.flow_hash_config.0;
        cx.with(|main| set(main, Family::try_from(request.af)?, request.table_id, bits))
    });
    api.call(|cx, request: set_ip_flow_hash_v3| {
        let bits = request.flow_hash_config.0;
        cx.with(|main| set(main, Family::try_from(request.af)?, request.table_id, bits))
    });
    api.call(|cx, request: set_ip_flow_hash_router_id| {
        cx.with(|main| main.forwarding_mut().set_flow_hash_router(request.router_id));
        Ok::<_, ApiError>(())
    });
}

fn set(main: &mut Main, family: Family, table: u32, bits: u32) -> Result<(), Retval> {
    let fields = HashFields::from_bits(bits).ok_or(ApiError::InvalidValue)?;
    Ok(main.forwarding_mut().set_flow_hash(family, TableId(table), fields)?)
}
