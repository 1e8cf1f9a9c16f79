//! Messages about redirected packets.

use std::net::IpAddr;

use vnet::{
    api::{Api, Retval},
    command::ApiError,
    fib::{Family, Path, PathTarget, Redirect, api::*},
    interface::{SwIfIndex, api::known},
    runtime::Main,
};

/// What stands for all interfaces.
const ALL: u32 = u32::MAX;

pub(super) fn register(api: &mut Api) {
    api.call(|cx, request: ip_punt_redirect| cx.with(|main| set(main, &request)));
    api.call(|cx, request: add_del_ip_punt_redirect_v2| cx.with(|main| set_v2(main, &request)));
    api.dump(|cx, request: ip_punt_redirect_dump| {
        cx.with(|main| {
            let family = family(request.is_ipv6);
            let told = |one: Redirect<'_>| ip_punt_redirect_details { punt: first(family, one) };
            told_of(main, family, request.sw_if_index, told)
        })
    });
    api.dump(|cx, request: ip_punt_redirect_v2_dump| {
        cx.with(|main| {
            let ip_punt_redirect_v2_dump { sw_if_index, af } = request;
            let Ok(family) = Family::try_from(af) else { return Vec::new() };
            told_of(main, family, sw_if_index, |one| {
                let paths = one.paths.iter().map(|path| to_api(main.forwarding(), family, path));
                let (rx_sw_if_index, paths) = (one.rx.0, paths.collect());
                ip_punt_redirect_v2_details { punt: punt_redirect_v2 { rx_sw_if_index, af, paths } }
            })
        })
    });
}

fn set(main: &mut Main, request: &ip_punt_redirect) -> Result<(), Retval> {
    let ip_punt_redirect { punt, is_add } = request;
    let next_hop = IpAddr::try_from(&punt.nh)?;
    let (family, rx) = (Family::of(next_hop), rx(main, punt.rx_sw_if_index)?);
    if !is_add {
        return Ok(super::delete(main, family, rx)?);
    }
    let interface = known(main, punt.tx_sw_if_index)?;
    main.interfaces().output_tags(interface)?;
    let path = match next_hop.is_unspecified() {
        true => Path::attached(interface),
        false => Path::via(next_hop, interface),
    };
    Ok(super::set(main, family, rx, &[path])?)
}

fn set_v2(main: &mut Main, request: &add_del_ip_punt_redirect_v2) -> Result<(), Retval> {
    let add_del_ip_punt_redirect_v2 { is_add, punt } = request;
    let (family, rx) = (Family::try_from(punt.af)?, rx(main, punt.rx_sw_if_index)?);
    if !is_add {
        return Ok(super::delete(main, family, rx)?);
    }
    let paths = punt.paths.iter().map(|path| from_api(main, family, path));
    let paths: Vec<Path> = paths.collect::<Result<_, _>>()?;
    Ok(super::set(main, family, rx, &paths)?)
}

/// The interface whose packets are meant; `local0` stands for all, too.
fn rx(main: &Main, sw_if_index: u32) -> Result<SwIfIndex, ApiError> {
    match sw_if_index {
        ALL => Ok(SwIfIndex::LOCAL0),
        one => known(main, one),
    }
}

/// Those of an interface, or all, of which that for all interfaces has no number.
fn told_of<D>(main: &Main, family: Family, of: u32, told: impl Fn(Redirect<'_>) -> D) -> Vec<D> {
    let all = main.forwarding().punt_redirects(family);
    let chosen = all.filter(|one| [ALL, one.rx.0].contains(&of));
    let numbered = chosen.map(|one| match (of, one.rx) {
        (ALL, SwIfIndex::LOCAL0) => Redirect { rx: SwIfIndex(ALL), ..one },
        _ => one,
    });
    numbered.map(told).collect()
}

/// The first path of a redirect, of which there is room for one.
fn first(family: Family, redirect: Redirect<'_>) -> punt_redirect {
    let target = redirect.paths.first().map_or(PathTarget::Drop, |path| path.target);
    let none: IpAddr = match family {
        Family::Ip4 => std::net::Ipv4Addr::UNSPECIFIED.into(),
        Family::Ip6 => std::net::Ipv6Addr::UNSPECIFIED.into(),
    };
    punt_redirect {
        rx_sw_if_index: redirect.rx.0,
        tx_sw_if_index: target.interface().unwrap_or(SwIfIndex::NONE).0,
        nh: target.next_hop().unwrap_or(none).into(),
    }
}
