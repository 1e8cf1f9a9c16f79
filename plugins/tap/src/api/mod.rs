//! Messages of the binary API.

mod messages;

pub use messages::*;

use std::net::{Ipv4Addr, Ipv6Addr};

use vnet::{
    api::{
        Retval, Text,
        ip_types::{ip4_prefix, ip6_prefix},
    },
    command::{ApiError, value::IpWithLength},
    interface::SwIfIndex,
    plugin::Registrar,
};

use crate::{
    HostRequest, Kind, NewTap, Offload,
    commands::{MAX_ID, MAX_QUEUES, MTUS, is_host_name},
    interfaces::Taps,
    port::Port,
};

/// What stands for all interfaces, and for "whichever number is free".
const NONE: u32 = u32::MAX;

/// Has taps made by each of these messages, which are the newest one or parts of it.
macro_rules! creates {
    ($api:ident, $taps:ident, [$($request:ident -> $reply:ident),*]) => {
        $({
            let of = $taps.clone();
            $api.call_waiting(move |cx, request: $request| {
                let of = of.clone();
                async move {
                    let (new, host) = asked(request.into())?;
                    let SwIfIndex(sw_if_index) = of.make(&cx, new, host).await?;
                    Ok::<_, Retval>($reply { sw_if_index })
                }
            });
        })*
    };
}

pub(crate) fn register(registrar: &mut Registrar, taps: &Taps) {
    let api = registrar.api();
    api.file(&TAPV2);
    creates!(api, taps, [tap_create_v3 -> tap_create_v3_reply, tap_create_v2 -> tap_create_v2_reply]);
    let of = taps.clone();
    api.call(move |cx, request: tap_delete_v2| {
        cx.with(|main| of.delete(main, SwIfIndex(request.sw_if_index)))
    });
    let of = taps.clone();
    api.dump(move |cx, request: sw_interface_tap_v2_dump| {
        let wanted = request.sw_if_index;
        let mut all = of.all();
        all.retain(|port| [NONE, port.sw_if_index.get().0].contains(&wanted));
        let name = |port: &Port| cx.with(|main| main.interface_name(port.sw_if_index.get()));
        all.iter().map(|port| details(port, &name(port))).collect::<Vec<_>>()
    });
}

vnet::api_part!(tap_create_v2 {
    id, use_random_mac, mac_address, num_rx_queues, tx_ring_sz, rx_ring_sz, host_mtu_set, host_mtu_size, host_mac_addr_set,
    host_mac_addr, host_ip4_prefix_set, host_ip4_prefix, host_ip6_prefix_set, host_ip6_prefix, host_ip4_gw_set, host_ip4_gw,
    host_ip6_gw_set, host_ip6_gw, tap_flags, host_namespace_set, host_namespace, host_if_name_set, host_if_name,
    host_bridge_set, host_bridge, tag,
} of tap_create_v3 { num_tx_queues: 1 });

/// What `create tap` would be told. Ring sizes and what else is of vhost alone have no effect.
fn asked(request: tap_create_v3) -> Result<(NewTap, HostRequest), ApiError> {
    let flags = request.tap_flags;
    let known = 1..=tap_flags::TAP_API_FLAG_CONSISTENT_QP.0 * 2 - 1;
    if flags.0 != 0 && !known.contains(&flags.0) {
        return Err(ApiError::InvalidValue);
    }
    if flags.contains(tap_flags::TAP_API_FLAG_GRO_COALESCE) {
        return Err(ApiError::Unsupported);
    }
    let id = (request.id != NONE).then_some(request.id);
    let queues = request.num_rx_queues.max(request.num_tx_queues).max(1);
    let mtu = request.host_mtu_set.then_some(request.host_mtu_size);
    if id.is_some_and(|id| id > MAX_ID)
        || queues > MAX_QUEUES
        || mtu.is_some_and(|mtu| !MTUS.contains(&mtu))
    {
        return Err(ApiError::InvalidValue);
    }
    let ip4 = request.host_ip4_prefix_set.then_some(request.host_ip4_prefix);
    let ip6 = request.host_ip6_prefix_set.then_some(request.host_ip6_prefix);
    let host = HostRequest {
        kind: match flags.contains(tap_flags::TAP_API_FLAG_TUN) {
            true => Kind::Tun,
            false => Kind::Tap,
        },
        name: host_name(request.host_if_name_set, &request.host_if_name)?,
        namespace: text(request.host_namespace_set, &request.host_namespace),
        queues,
        attach: flags.contains(tap_flags::TAP_API_FLAG_ATTACH),
        mac: request.host_mac_addr_set.then_some(request.host_mac_addr),
        mtu,
        bridge: host_name(request.host_bridge_set, &request.host_bridge)?,
        ip4: ip4
            .map(|prefix| address(Ipv4Addr::from(prefix.address), prefix.len, 32))
            .transpose()?,
        ip6: ip6
            .map(|prefix| address(Ipv6Addr::from(prefix.address), prefix.len, 128))
            .transpose()?,
        gateway4: request.host_ip4_gw_set.then(|| request.host_ip4_gw.into()),
        gateway6: request.host_ip6_gw_set.then(|| request.host_ip6_gw.into()),
        offload: match flags {
            flags if flags.contains(tap_flags::TAP_API_FLAG_GSO) => Offload::Gso,
            flags if flags.contains(tap_flags::TAP_API_FLAG_CSUM_OFFLOAD) => Offload::Checksum,
            _ => Offload::None,
        },
    };
    let new = NewTap {
        id,
        name: None,
        mac: (!request.use_random_mac).then_some(request.mac_address),
        persist: flags.contains(tap_flags::TAP_API_FLAG_PERSIST),
    };
    Ok((new, host))
}

fn text(is_set: bool, text: &Text<64>) -> Option<String> {
    is_set.then(|| text.as_str().to_owned())
}

fn host_name(is_set: bool, name: &Text<64>) -> Result<Option<String>, ApiError> {
    match text(is_set, name) {
        Some(name) if !is_host_name(&name) => Err(ApiError::InvalidValue),
        name => Ok(name),
    }
}

fn address(
    address: impl Into<std::net::IpAddr>,
    length: u8,
    longest: u8,
) -> Result<IpWithLength, ApiError> {
    let address = address.into();
    if length <= longest {
        Ok(IpWithLength { address, length })
    } else {
        Err(ApiError::InvalidValue)
    }
}

/// As the host's end is now, with what was asked for it.
fn details(port: &Port, name: &str) -> sw_interface_tap_v2_details {
    let (host, link, asked) = (&*port.host, port.link(), &port.asked);
    let ip4 = asked.ip4.map(|ip4| match ip4.address {
        std::net::IpAddr::V4(address) => ip4_prefix { address: address.octets(), len: ip4.length },
        std::net::IpAddr::V6(_) => ip4_prefix::default(),
    });
    let ip6 = asked.ip6.map(|ip6| match ip6.address {
        std::net::IpAddr::V6(address) => ip6_prefix { address: address.octets(), len: ip6.length },
        std::net::IpAddr::V4(_) => ip6_prefix::default(),
    });
    let flags = tap_flags::TAP_API_FLAG_GSO.when(host.offload == Offload::Gso)
        | tap_flags::TAP_API_FLAG_CSUM_OFFLOAD.when(host.offload == Offload::Checksum)
        | tap_flags::TAP_API_FLAG_ATTACH.when(asked.attach)
        | tap_flags::TAP_API_FLAG_TUN.when(host.kind == Kind::Tun);
    sw_interface_tap_v2_details {
        sw_if_index: port.sw_if_index.get().0,
        id: port.id,
        tx_ring_sz: 0,
        rx_ring_sz: 0,
        host_mtu_size: link.mtu,
        host_mac_addr: link.mac.unwrap_or_default(),
        host_ip4_prefix: ip4.unwrap_or_default(),
        host_ip6_prefix: ip6.unwrap_or_default(),
        tap_flags: flags,
        dev_name: name.into(),
        host_if_name: link.name.into(),
        host_namespace: port.namespace_name().unwrap_or_default().into(),
        host_bridge: asked.bridge.clone().unwrap_or_default().into(),
    }
}
