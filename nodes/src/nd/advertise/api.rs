//! Messages about what an interface advertises as a router.

use vnet::{
    api::{Api, Retval},
    command::{ApiError, value::IpWithLength},
    fib::IpPrefix,
    interface::{MtuKind, SwIfIndex},
    runtime::{EngineTime, Main},
};

use super::{
    Advertiser,
    commands::{Initial, Interval, MAX_LIFETIME, MAX_MAX_INTERVAL, Nd, PrefixArgs},
    config::{HOP_LIMIT, INFINITE, INITIAL, INITIAL_INTERVAL, Prefix, Router},
};
use crate::nd::api::{
    ip6nd_ra_prefix, sw_interface_ip6nd_ra_config, sw_interface_ip6nd_ra_details,
    sw_interface_ip6nd_ra_dump, sw_interface_ip6nd_ra_prefix,
};

pub(super) fn register(api: &mut Api, advertiser: &Advertiser) {
    let (of_config, of_prefix, of_dump) =
        (advertiser.clone(), advertiser.clone(), advertiser.clone());
    api.call(move |cx, request: sw_interface_ip6nd_ra_config| {
        cx.with(|main| {
            let interface = known(main, request.sw_if_index)?;
            let args = settings(&request, &of_config.router(interface))?;
            Ok::<_, Retval>(of_config.set(main, &args)?)
        })
    });
    api.call(move |cx, request: sw_interface_ip6nd_ra_prefix| {
        cx.with(|main| {
            let interface = known(main, request.sw_if_index)?;
            let prefix = Some(prefix_args(&request)?);
            let args = Nd { prefix, ..nothing(interface, request.is_no) };
            Ok::<_, Retval>(of_prefix.set(main, &args)?)
        })
    });
    api.dump(move |cx, request: sw_interface_ip6nd_ra_dump| {
        cx.with(|main| {
            let all = main.interfaces().interfaces();
            let chosen = all.filter(|of| {
                let is_asked = [u32::MAX, of.index.0].contains(&request.sw_if_index);
                is_asked && (of.link_local.is_some() || of_dump.knows(of.index))
            });
            let told = chosen.map(|of| details(main, of.index, &of_dump.router(of.index)));
            told.collect::<Vec<_>>()
        })
    });
}

fn known(main: &Main, sw_if_index: u32) -> Result<SwIfIndex, ApiError> {
    let found = main.interfaces().interface(SwIfIndex(sw_if_index));
    found.map(|of| of.index).ok_or(ApiError::InvalidSwIfIndex)
}

/// What leaves all as it is.
const fn nothing(interface: SwIfIndex, no: bool) -> Nd {
    Nd {
        interface,
        no,
        managed: false,
        other: false,
        suppress: false,
        suppress_link: false,
        unicast: false,
        lifetime: None,
        initial: None,
        interval: None,
        cease: false,
        prefix: None,
    }
}

/// Numbers that are 0 stay as they are.
fn settings(request: &sw_interface_ip6nd_ra_config, now: &Router) -> Result<Nd, ApiError> {
    let given = |value: u32, otherwise: u32| if value == 0 { otherwise } else { value };
    let interval = match (request.max_interval, request.min_interval) {
        (0, 0) => None,
        (max, min) => {
            let max = given(max, now.max_interval);
            if !(4..=MAX_MAX_INTERVAL).contains(&max) || (1..3).contains(&min) {
                return Err(ApiError::InvalidValue);
            }
            Some(Interval { max, min: Some(min).filter(|min| *min > 0) })
        }
    };
    let initial = match (request.initial_count, request.initial_interval) {
        (0, 0) => None,
        (count, interval) if count <= INITIAL && interval <= INITIAL_INTERVAL => Some(Initial {
            count: given(count, now.initial),
            interval: given(interval, now.initial_interval),
        }),
        _ => return Err(ApiError::InvalidValue),
    };
    let lifetime = request.lifetime.min(MAX_LIFETIME);
    Ok(Nd {
        managed: request.managed == 1,
        other: request.other == 1,
        suppress: request.suppress == 1,
        suppress_link: request.ll_option == 1,
        unicast: request.send_unicast == 1,
        cease: request.cease == 1,
        lifetime: (request.default_router == 1).then_some(lifetime),
        initial,
        interval,
        ..nothing(SwIfIndex(request.sw_if_index), request.is_no)
    })
}

fn prefix_args(request: &sw_interface_ip6nd_ra_prefix) -> Result<PrefixArgs, ApiError> {
    let prefix = IpPrefix::try_from(&request.prefix)?;
    let prefix = IpWithLength { address: prefix.address(), length: prefix.len() };
    let times = [request.val_lifetime, request.pref_lifetime];
    let infinite = !request.use_default && times.contains(&INFINITE);
    let [valid, preferred] =
        times.map(|time| Some(time).filter(|_| !request.use_default && !infinite));
    Ok(PrefixArgs {
        prefix,
        valid,
        preferred,
        infinite,
        _default: request.use_default,
        no_advertise: request.no_advertise,
        off_link: request.off_link,
        no_autoconfig: request.no_autoconfig,
        no_onlink: request.no_onlink,
    })
}

fn details(main: &Main, interface: SwIfIndex, router: &Router) -> sw_interface_ip6nd_ra_details {
    let now = main.clock().now();
    let ago = |at: Option<EngineTime>| at.map_or(0.0, |at| now.since(at).as_secs_f64());
    sw_interface_ip6nd_ra_details {
        sw_if_index: interface.0,
        cur_hop_limit: HOP_LIMIT,
        adv_managed_flag: router.managed,
        adv_other_flag: router.other,
        adv_router_lifetime: u16::try_from(router.lifetime).unwrap_or(u16::MAX),
        adv_link_mtu: main.interfaces().effective_mtu(interface, MtuKind::Ip6).unwrap_or(0),
        send_radv: router.sends,
        cease_radv: router.ceasing,
        send_unicast: router.unicast,
        adv_link_layer_address: router.link_option,
        max_radv_interval: router.max_interval.into(),
        min_radv_interval: router.min_interval.into(),
        last_radv_time: ago(router.last),
        last_multicast_time: ago(router.last),
        next_multicast_time: router.due.since(now).as_secs_f64(),
        initial_adverts_count: router.initial,
        initial_adverts_interval: router.initial_interval.into(),
        initial_adverts_sent: router.left == 0,
        n_advertisements_sent: router.sent as u32,
        n_solicitations_rcvd: router.solicited as u32,
        n_solicitations_dropped: router.dropped as u32,
        prefixes: router.prefixes.iter().map(|(key, prefix)| told(*key, *prefix)).collect(),
        // What is advertised as unspecified.
        adv_neighbor_reachable_time: 0,
        adv_retransmit_interval: 0,
    }
}

/// Lifetimes are advertised as they are set, and do not run down.
fn told((address, len): (std::net::Ipv6Addr, u8), of: Prefix) -> ip6nd_ra_prefix {
    ip6nd_ra_prefix {
        prefix: (std::net::IpAddr::from(address), len).into(),
        onlink_flag: of.on_link,
        autonomous_flag: of.autoconfig,
        val_lifetime: of.valid,
        pref_lifetime: of.preferred,
        valid_lifetime_expires: if of.valid == INFINITE { 0.0 } else { of.valid.into() },
        pref_lifetime_expires: if of.preferred == INFINITE { 0.0 } else { of.preferred.into() },
        decrement_lifetime_flag: false,
        no_advertise: !of.advertise,
    }
}
