//! VXLAN tunnels.

use vnet::{
    api::{Api, Retval, interface_types::interface_index, ip_types::address},
    tunnel::{Flags, Kind, NewTunnel, Payload, Ports, Tunnel},
    wire::vxlan::PORT,
};

use super::{DECAP_L2, NONE, changes, check_decap, dump, instance, ip, vni};

vnet::api! {
    /// The file `vxlan.api`.
    file VXLAN = "vxlan", [2, 1, 0], 0x95381587;
    call vxlan_add_del_tunnel = 0x0c09dc80 {
        is_add: bool = true,
        instance: u32,
        src_address: address,
        dst_address: address,
        mcast_sw_if_index: interface_index,
        encap_vrf_id: u32,
        decap_next_index: u32,
        vni: u32,
    }
        -> vxlan_add_del_tunnel_reply = 0x5383d31f { sw_if_index: interface_index };
    call vxlan_add_del_tunnel_v2 = 0x4f223f40 {
        is_add: bool = true,
        instance: u32 = 4294967295,
        src_address: address,
        dst_address: address,
        src_port: u16,
        dst_port: u16,
        mcast_sw_if_index: interface_index,
        encap_vrf_id: u32,
        decap_next_index: u32,
        vni: u32,
    }
        -> vxlan_add_del_tunnel_v2_reply = 0x5383d31f { sw_if_index: interface_index };
    call vxlan_add_del_tunnel_v3 = 0x0072b037 {
        is_add: bool = true,
        instance: u32 = 4294967295,
        src_address: address,
        dst_address: address,
        src_port: u16,
        dst_port: u16,
        mcast_sw_if_index: interface_index,
        encap_vrf_id: u32,
        decap_next_index: u32,
        vni: u32,
        is_l3: bool = false,
    }
        -> vxlan_add_del_tunnel_v3_reply = 0x5383d31f { sw_if_index: interface_index };
    dump vxlan_tunnel_dump = 0xf9e6675e { sw_if_index: interface_index }
        -> vxlan_tunnel_details = 0xc3916cb1 {
        sw_if_index: interface_index,
        instance: u32,
        src_address: address,
        dst_address: address,
        mcast_sw_if_index: interface_index,
        encap_vrf_id: u32,
        decap_next_index: u32,
        vni: u32,
    };
    dump vxlan_tunnel_v2_dump = 0xf9e6675e { sw_if_index: interface_index }
        -> vxlan_tunnel_v2_details = 0xd3bdd4d9 {
        sw_if_index: interface_index,
        instance: u32,
        src_address: address,
        dst_address: address,
        src_port: u16,
        dst_port: u16,
        mcast_sw_if_index: interface_index,
        encap_vrf_id: u32,
        decap_next_index: u32,
        vni: u32,
    };
    call sw_interface_set_vxlan_bypass = 0x65247409 { sw_if_index: interface_index, is_ipv6: bool, enable: bool = true }
        -> sw_interface_set_vxlan_bypass_reply = 0xe8d4e804 {};
    call vxlan_offload_rx = 0x9cc95087 { hw_if_index: interface_index, sw_if_index: interface_index, enable: bool = true }
        -> vxlan_offload_rx_reply = 0xe8d4e804 {};
}

pub(super) fn register(api: &mut Api) {
    api.file(&VXLAN);
    changes!(api, Asked, [
        vxlan_add_del_tunnel -> vxlan_add_del_tunnel_reply,
        vxlan_add_del_tunnel_v2 -> vxlan_add_del_tunnel_v2_reply,
        vxlan_add_del_tunnel_v3 -> vxlan_add_del_tunnel_v3_reply,
    ]);
    api.dump(|cx, request: vxlan_tunnel_dump| {
        cx.with(|main| dump(main, Kind::Vxlan, request.sw_if_index, details))
    });
    api.dump(|cx, request: vxlan_tunnel_v2_dump| {
        cx.with(|main| dump(main, Kind::Vxlan, request.sw_if_index, details_v2))
    });
}

/// The newest message, of which the others are parts.
type Asked = vxlan_add_del_tunnel_v3;

vnet::api_part!(vxlan_add_del_tunnel {
    is_add, instance, src_address, dst_address, mcast_sw_if_index, encap_vrf_id, decap_next_index, vni,
} of vxlan_add_del_tunnel_v3 { src_port: 0, dst_port: 0, is_l3: false });

vnet::api_part!(vxlan_add_del_tunnel_v2 {
    is_add, instance, src_address, dst_address, src_port, dst_port, mcast_sw_if_index, encap_vrf_id, decap_next_index, vni,
} of vxlan_add_del_tunnel_v3 { is_l3: false });

impl TryFrom<Asked> for NewTunnel {
    type Error = Retval;

    fn try_from(request: Asked) -> Result<Self, Retval> {
        if request.is_add {
            check_decap(request.decap_next_index)?;
        }
        // Ports that are not said are 0.
        let port = |port: u16| if port == 0 { PORT } else { port };
        Ok(Self {
            kind: Kind::Vxlan,
            payload: if request.is_l3 { Payload::Ip } else { Payload::Ethernet },
            instance: instance(request.instance)?,
            local: ip(&request.src_address)?,
            remote: ip(&request.dst_address)?,
            table_id: request.encap_vrf_id,
            key: vni(request.vni)?,
            ports: Some(Ports { local: port(request.src_port), remote: port(request.dst_port) }),
            flags: Flags::empty(),
        })
    }
}

fn details(tunnel: &Tunnel, encap_vrf_id: u32) -> vxlan_tunnel_details {
    vxlan_tunnel_details {
        sw_if_index: tunnel.interface.0,
        instance: tunnel.instance,
        src_address: tunnel.local.into(),
        dst_address: tunnel.remote.into(),
        mcast_sw_if_index: NONE,
        encap_vrf_id,
        decap_next_index: DECAP_L2,
        vni: tunnel.key.unwrap_or(0),
    }
}

fn details_v2(tunnel: &Tunnel, encap_vrf_id: u32) -> vxlan_tunnel_v2_details {
    let ports = tunnel.ports.unwrap_or(Ports { local: 0, remote: 0 });
    vxlan_tunnel_v2_details {
        sw_if_index: tunnel.interface.0,
        instance: tunnel.instance,
        src_address: tunnel.local.into(),
        dst_address: tunnel.remote.into(),
        src_port: ports.local,
        dst_port: ports.remote,
        mcast_sw_if_index: NONE,
        encap_vrf_id,
        decap_next_index: DECAP_L2,
        vni: tunnel.key.unwrap_or(0),
    }
}
