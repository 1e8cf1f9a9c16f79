//! Addresses of interfaces, told; link-local ones, set.

use std::net::IpAddr;

use super::{
    family, ip_address_details, ip_address_dump, ip_details, ip_dump, ip_unnumbered_details,
    ip_unnumbered_dump, sw_interface_ip6_get_link_local_address,
    sw_interface_ip6_get_link_local_address_reply, sw_interface_ip6_set_link_local_address,
};
use crate::{
    api::{Api, Retval},
    command::ApiError,
    interface::{InterfaceAddress, SwIfIndex, SwInterface},
    runtime::Main,
};

pub(super) fn register(api: &mut Api) {
    api.dump(|cx, request: ip_address_dump| cx.with(|main| addresses(main, &request)));
    api.dump(|cx, request: ip_unnumbered_dump| {
        cx.with(|main| {
            let only = Some(request.sw_if_index).filter(|index| *index != u32::MAX);
            let chosen = |of: &&SwInterface| only.is_none_or(|index| index == of.index.0);
            let all = main.interfaces().interfaces().filter(chosen);
            let details = |of: &SwInterface| {
                let ip_sw_if_index = of.unnumbered?.0;
                Some(ip_unnumbered_details { sw_if_index: of.index.0, ip_sw_if_index })
            };
            all.filter_map(details).collect::<Vec<_>>()
        })
    });
    // All that have addresses of their own, or could.
    api.dump(|cx, request: ip_dump| {
        cx.with(|main| {
            let all = main.interfaces().interfaces().filter(|of| of.unnumbered.is_none());
            let details =
                |of: &SwInterface| ip_details { sw_if_index: of.index.0, is_ipv6: request.is_ipv6 };
            all.map(details).collect::<Vec<_>>()
        })
    });
    api.call(|cx, request: sw_interface_ip6_set_link_local_address| {
        let (interface, ip) = (SwIfIndex(request.sw_if_index), IpAddr::from(request.ip));
        cx.with(|main| {
            if !matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local()) {
                return Err(Retval::from(ApiError::InvalidValue));
            }
            let address = InterfaceAddress::new(ip, 128)?;
            main.change_interfaces(|table| table.add_address(interface, address))?;
            Ok(())
        })
    });
    api.call(|cx, request: sw_interface_ip6_get_link_local_address| {
        cx.with(|main| {
            let of = main.interfaces().interface(SwIfIndex(request.sw_if_index));
            let of = of.ok_or(ApiError::InvalidSwIfIndex)?;
            let ip = of.link_local.ok_or(ApiError::Ip6NotEnabled)?.octets();
            Ok::<_, ApiError>(sw_interface_ip6_get_link_local_address_reply { ip })
        })
    });
}

/// Those of the interface's own: a client would take borrowed ones for prefixes of two links.
fn addresses(main: &Main, request: &ip_address_dump) -> Vec<ip_address_details> {
    let ip_address_dump { sw_if_index, is_ipv6 } = *request;
    let of = main.interfaces().interface(SwIfIndex(sw_if_index));
    let own = of.into_iter().flat_map(|of| &of.addresses);
    own.filter(|own| own.family() == family(is_ipv6))
        .map(|own| ip_address_details { sw_if_index, prefix: (own.address(), own.length()).into() })
        .collect()
}
