//! Tunnels of IP in IP.

use vnet::{
    api::{
        Api, Retval,
        interface_types::interface_index,
        ip_types::{address, ip_dscp, ip4_address, ip4_prefix, ip6_prefix},
    },
    command::ApiError,
    interface::SwIfIndex,
    tunnel::{
        Kind, NewTunnel, Payload, Tunnel,
        api::{tunnel_encap_decap_flags, tunnel_mode},
    },
};

use super::{check_mode, create, delete, dump, flags, instance, ip};

vnet::api! {
    /// The file `ipip.api`.
    file IPIP = "ipip", [2, 0, 2], 0x4609caba;
    record ipip_tunnel {
        instance: u32,
        src: address,
        dst: address,
        sw_if_index: interface_index,
        table_id: u32,
        flags: tunnel_encap_decap_flags,
        mode: tunnel_mode,
        dscp: ip_dscp,
    };
    call ipip_add_tunnel = 0x2ac399f5 { tunnel: ipip_tunnel }
        -> ipip_add_tunnel_reply = 0x5383d31f { sw_if_index: interface_index };
    call ipip_del_tunnel = 0xf9e6675e { sw_if_index: interface_index }
        -> ipip_del_tunnel_reply = 0xe8d4e804 {};
    call ipip_6rd_add_tunnel = 0xb9ec1863 {
        ip6_table_id: u32,
        ip4_table_id: u32,
        ip6_prefix: ip6_prefix,
        ip4_prefix: ip4_prefix,
        ip4_src: ip4_address,
        security_check: bool,
        tc_tos: u8,
    }
        -> ipip_6rd_add_tunnel_reply = 0x5383d31f { sw_if_index: interface_index };
    call ipip_6rd_del_tunnel = 0xf9e6675e { sw_if_index: interface_index }
        -> ipip_6rd_del_tunnel_reply = 0xe8d4e804 {};
    dump ipip_tunnel_dump = 0xf9e6675e { sw_if_index: interface_index }
        -> ipip_tunnel_details = 0xd31cb34e { tunnel: ipip_tunnel };
}

pub(super) fn register(api: &mut Api) {
    api.file(&IPIP);
    api.call(|cx, request: ipip_add_tunnel| -> Result<_, Retval> {
        let new = NewTunnel::try_from(&request.tunnel)?;
        let SwIfIndex(sw_if_index) = cx.with(|main| create(main, &new))?;
        Ok(ipip_add_tunnel_reply { sw_if_index })
    });
    api.call(|cx, request: ipip_del_tunnel| {
        cx.with(|main| delete(main, Kind::Ipip, SwIfIndex(request.sw_if_index)))
    });
    api.dump(|cx, request: ipip_tunnel_dump| {
        cx.with(|main| dump(main, Kind::Ipip, request.sw_if_index, details))
    });
}

impl TryFrom<&ipip_tunnel> for NewTunnel {
    type Error = ApiError;

    fn try_from(tunnel: &ipip_tunnel) -> Result<Self, ApiError> {
        check_mode(tunnel.mode)?;
        // Outer packets have the DSCP of the inner ones, or 0.
        if tunnel.dscp != ip_dscp::IP_API_DSCP_CS0 {
            return Err(ApiError::Unsupported);
        }
        Ok(Self {
            kind: Kind::Ipip,
            payload: Payload::Ip,
            instance: instance(tunnel.instance)?,
            local: ip(&tunnel.src)?,
            remote: ip(&tunnel.dst)?,
            table_id: tunnel.table_id,
            key: None,
            ports: None,
            flags: flags(tunnel.flags),
        })
    }
}

fn details(tunnel: &Tunnel, table_id: u32) -> ipip_tunnel_details {
    ipip_tunnel_details {
        tunnel: ipip_tunnel {
            instance: tunnel.instance,
            src: tunnel.local.into(),
            dst: tunnel.remote.into(),
            sw_if_index: tunnel.interface.0,
            table_id,
            flags: tunnel_encap_decap_flags(tunnel.flags.bits()),
            mode: tunnel_mode::TUNNEL_API_MODE_P2P,
            dscp: ip_dscp::IP_API_DSCP_CS0,
        },
    }
}
