//! Geneve tunnels.

use vnet::{
    api::{Api, Retval, interface_types::interface_index, ip_types::address},
    command::ApiError,
    tunnel::{Flags, Kind, NewTunnel, Payload, Ports, Tunnel},
    wire::geneve::PORT,
};

use super::{DECAP_L2, NONE, changes, check_decap, dump, ip, vni};

vnet::api! {
    /// The file `geneve.api`.
    file GENEVE = "geneve", [2, 1, 0], 0xe3dbb8a3;
    call geneve_add_del_tunnel = 0x99445831 {
        is_add: bool,
        local_address: address,
        remote_address: address,
        mcast_sw_if_index: interface_index,
        encap_vrf_id: u32,
        decap_next_index: u32,
        vni: u32,
    }
        -> geneve_add_del_tunnel_reply = 0x5383d31f { sw_if_index: interface_index };
    call geneve_add_del_tunnel2 = 0x8c2a9999 {
        is_add: bool,
        local_address: address,
        remote_address: address,
        mcast_sw_if_index: interface_index,
        encap_vrf_id: u32,
        decap_next_index: u32,
        vni: u32,
        l3_mode: bool,
    }
        -> geneve_add_del_tunnel2_reply = 0x5383d31f { sw_if_index: interface_index };
    dump geneve_tunnel_dump = 0xf9e6675e { sw_if_index: interface_index }
        -> geneve_tunnel_details = 0x6b16eb24 {
        sw_if_index: interface_index,
        src_address: address,
        dst_address: address,
        mcast_sw_if_index: interface_index,
        encap_vrf_id: u32,
        decap_next_index: u32,
        vni: u32,
    };
    call sw_interface_set_geneve_bypass = 0x65247409 { sw_if_index: interface_index, is_ipv6: bool, enable: bool }
        -> sw_interface_set_geneve_bypass_reply = 0xe8d4e804 {};
}

pub(super) fn register(api: &mut Api) {
    api.file(&GENEVE);
    changes!(api, Asked, [
        geneve_add_del_tunnel -> geneve_add_del_tunnel_reply,
        geneve_add_del_tunnel2 -> geneve_add_del_tunnel2_reply,
    ]);
    api.dump(|cx, request: geneve_tunnel_dump| {
        cx.with(|main| dump(main, Kind::Geneve, request.sw_if_index, details))
    });
}

/// The newer message, of which the other one is a part.
type Asked = geneve_add_del_tunnel2;

vnet::api_part!(geneve_add_del_tunnel {
    is_add, local_address, remote_address, mcast_sw_if_index, encap_vrf_id, decap_next_index, vni,
} of geneve_add_del_tunnel2 { l3_mode: false });

impl TryFrom<Asked> for NewTunnel {
    type Error = Retval;

    fn try_from(request: Asked) -> Result<Self, Retval> {
        let new = Self {
            kind: Kind::Geneve,
            payload: Payload::Ethernet,
            instance: None,
            local: ip(&request.local_address)?,
            remote: ip(&request.remote_address)?,
            table_id: request.encap_vrf_id,
            key: vni(request.vni)?,
            ports: Some(Ports { local: PORT, remote: PORT }),
            flags: Flags::empty(),
        };
        if request.is_add {
            check_decap(request.decap_next_index)?;
        }
        if request.l3_mode {
            return Err(ApiError::Unsupported.into());
        }
        Ok(new)
    }
}

fn details(tunnel: &Tunnel, encap_vrf_id: u32) -> geneve_tunnel_details {
    geneve_tunnel_details {
        sw_if_index: tunnel.interface.0,
        src_address: tunnel.local.into(),
        dst_address: tunnel.remote.into(),
        mcast_sw_if_index: NONE,
        encap_vrf_id,
        decap_next_index: DECAP_L2,
        vni: tunnel.key.unwrap_or(0),
    }
}
