//! Messages about reassembly.

use vnet::{
    api::{Api, Retval},
    command::ApiError,
    fib::api::{
        family, ip_local_reass_enable_disable, ip_local_reass_get, ip_local_reass_get_reply,
        ip_reass_type, ip_reassembly_enable_disable, ip_reassembly_get, ip_reassembly_get_reply,
        ip_reassembly_set,
    },
    interface::SwIfIndex,
};

use super::{
    commands::{SetInterface, SetLimits, Switched, Switches, set_interface, set_limits},
    settings::{InForce, Kind, Limits, Settings},
};

pub(super) fn register(api: &mut Api, in_force: &InForce, switches: &Switches) {
    let (of_set, of_get, switches) = (in_force.clone(), in_force.clone(), switches.clone());
    api.call(move |cx, request: ip_reassembly_set| {
        let args = SetLimits {
            kind: kind(request.r#type)?,
            timeout: within(request.timeout_ms, Limits::TIMEOUT)?,
            max_reassemblies: within(request.max_reassemblies, Limits::REASSEMBLIES)?,
            max_length: within(request.max_reassembly_length, Limits::LENGTH)?,
            expire_walk_interval: within(request.expire_walk_interval_ms, Limits::INTERVAL)?,
        };
        cx.with(|main| set_limits(main, &of_set, family(request.is_ip6), &args))?;
        Ok::<_, Retval>(())
    });
    api.call(move |cx, request: ip_reassembly_get| {
        let (kind, family) = (kind(request.r#type)?, family(request.is_ip6));
        let Settings { timeout, max_reassemblies, max_length, expire_walk_interval } =
            cx.with(|main| of_get.held(main.held(), kind, family));
        Ok::<_, ApiError>(ip_reassembly_get_reply {
            timeout_ms: timeout,
            max_reassemblies,
            max_reassembly_length: max_length,
            expire_walk_interval_ms: expire_walk_interval,
            is_ip6: request.is_ip6,
        })
    });
    api.call(move |cx, request: ip_reassembly_enable_disable| {
        let interface = SwIfIndex(request.sw_if_index);
        let on = Switched([request.enable_ip4, request.enable_ip6]);
        let args = SetInterface { interface, on, kind: kind(request.r#type)? };
        cx.with(|main| {
            let found = main.interfaces().interface(interface);
            found.ok_or(ApiError::InvalidSwIfIndex)?;
            Ok::<_, Retval>(set_interface(main, &switches, &args)?)
        })
    });
    // Fragments for this machine are always put together.
    api.call(|_, request: ip_local_reass_enable_disable| {
        match request.enable_ip4 && request.enable_ip6 {
            true => Ok(()),
            false => Err(ApiError::Unsupported),
        }
    });
    api.call(|_, _: ip_local_reass_get| {
        Ok::<_, ApiError>(ip_local_reass_get_reply { ip4_is_enabled: true, ip6_is_enabled: true })
    });
}

fn kind(kind: ip_reass_type) -> Result<Kind, ApiError> {
    match kind {
        ip_reass_type::IP_REASS_TYPE_FULL => Ok(Kind::Full),
        ip_reass_type::IP_REASS_TYPE_SHALLOW_VIRTUAL => Ok(Kind::ShallowVirtual),
        _ => Err(ApiError::InvalidValue),
    }
}

/// A number, if it is as a command would have it.
fn within(value: u32, allowed: core::ops::RangeInclusive<u32>) -> Result<Option<u32>, ApiError> {
    match allowed.contains(&value) {
        true => Ok(Some(value)),
        false => Err(ApiError::InvalidValue),
    }
}
