//! GRE tunnels.

use vnet::{
    api::{Api, Retval, interface_types::interface_index, ip_types::address},
    command::ApiError,
    tunnel::{
        Kind, NewTunnel, Payload, Tunnel,
        api::{tunnel_encap_decap_flags, tunnel_mode},
    },
};

use super::{change, check_mode, dump, flags, instance, ip};

vnet::api! {
    /// The file `gre.api`.
    file GRE = "gre", [2, 2, 0], 0x1bfeec2;
    enum gre_tunnel_type: u8 {
        GRE_API_TUNNEL_TYPE_L3 = 0,
        GRE_API_TUNNEL_TYPE_TEB = 1,
        GRE_API_TUNNEL_TYPE_ERSPAN = 2,
    };
    record gre_tunnel {
        r#type: gre_tunnel_type,
        mode: tunnel_mode,
        flags: tunnel_encap_decap_flags,
        session_id: u16,
        instance: u32,
        outer_table_id: u32,
        sw_if_index: interface_index,
        src: address,
        dst: address,
    };
    record gre_tunnel_v2 {
        r#type: gre_tunnel_type,
        mode: tunnel_mode,
        flags: tunnel_encap_decap_flags,
        session_id: u16,
        instance: u32,
        outer_table_id: u32,
        sw_if_index: interface_index,
        src: address,
        dst: address,
        key: u32,
    };
    call gre_tunnel_add_del = 0xa27d7f17 { is_add: bool, tunnel: gre_tunnel }
        -> gre_tunnel_add_del_reply = 0x5383d31f { sw_if_index: interface_index };
    call gre_tunnel_add_del_v2 = 0x7d9576de { is_add: bool, tunnel: gre_tunnel_v2 }
        -> gre_tunnel_add_del_v2_reply = 0x5383d31f { sw_if_index: interface_index };
    dump gre_tunnel_dump = 0xf9e6675e { sw_if_index: interface_index }
        -> gre_tunnel_details = 0x24435433 { tunnel: gre_tunnel };
    message gre_tunnel_dump_reply = 0xe8d4e804 { context: u32, retval: i32 };
    call gre_tunnel_dump_v2 = 0xf9e6675e { sw_if_index: interface_index }
        -> gre_tunnel_dump_v2_reply = 0xe8d4e804 {}
        events [gre_tunnel_details_v2];
    message gre_tunnel_details_v2 = 0x65521177 { context: u32, tunnel: gre_tunnel_v2 };
    dump gre_tunnel_v2_dump = 0xf9e6675e { sw_if_index: interface_index }
        -> gre_tunnel_v2_details = 0x65521177 { tunnel: gre_tunnel_v2 };
    message gre_tunnel_v2_dump_reply = 0xe8d4e804 { context: u32, retval: i32 };
}

pub(super) fn register(api: &mut Api) {
    api.file(&GRE);
    api.call(|cx, request: gre_tunnel_add_del| -> Result<_, Retval> {
        let new = NewTunnel::try_from(&gre_tunnel_v2::from(request.tunnel))?;
        let sw_if_index = cx.with(|main| change(main, &new, request.is_add))?;
        Ok(gre_tunnel_add_del_reply { sw_if_index })
    });
    api.call(|cx, request: gre_tunnel_add_del_v2| -> Result<_, Retval> {
        let new = NewTunnel::try_from(&request.tunnel)?;
        let sw_if_index = cx.with(|main| change(main, &new, request.is_add))?;
        Ok(gre_tunnel_add_del_v2_reply { sw_if_index })
    });
    api.dump(|cx, request: gre_tunnel_dump| {
        cx.with(|main| dump(main, Kind::Gre, request.sw_if_index, details))
    });
    api.dump(|cx, request: gre_tunnel_v2_dump| {
        cx.with(|main| dump(main, Kind::Gre, request.sw_if_index, details_v2))
    });
}

vnet::api_part!(gre_tunnel {
    r#type, mode, flags, session_id, instance, outer_table_id, sw_if_index, src, dst,
} of gre_tunnel_v2 { key: 0 });

impl TryFrom<&gre_tunnel_v2> for NewTunnel {
    type Error = ApiError;

    fn try_from(tunnel: &gre_tunnel_v2) -> Result<Self, ApiError> {
        check_mode(tunnel.mode)?;
        let payload = match tunnel.r#type {
            gre_tunnel_type::GRE_API_TUNNEL_TYPE_L3 => Payload::Ip,
            gre_tunnel_type::GRE_API_TUNNEL_TYPE_TEB => Payload::Ethernet,
            gre_tunnel_type::GRE_API_TUNNEL_TYPE_ERSPAN => return Err(ApiError::Unsupported),
            _ => return Err(ApiError::InvalidValue),
        };
        Ok(Self {
            kind: Kind::Gre,
            payload,
            instance: instance(tunnel.instance)?,
            local: ip(&tunnel.src)?,
            remote: ip(&tunnel.dst)?,
            table_id: tunnel.outer_table_id,
            key: (tunnel.key != 0).then_some(tunnel.key),
            ports: None,
            flags: flags(tunnel.flags),
        })
    }
}

fn details(tunnel: &Tunnel, table: u32) -> gre_tunnel_details {
    let told = message(tunnel, table);
    gre_tunnel_details {
        tunnel: gre_tunnel {
            r#type: told.r#type,
            mode: told.mode,
            flags: told.flags,
            session_id: told.session_id,
            instance: told.instance,
            outer_table_id: told.outer_table_id,
            sw_if_index: told.sw_if_index,
            src: told.src,
            dst: told.dst,
        },
    }
}

fn details_v2(tunnel: &Tunnel, table: u32) -> gre_tunnel_v2_details {
    gre_tunnel_v2_details { tunnel: message(tunnel, table) }
}

fn message(tunnel: &Tunnel, outer_table_id: u32) -> gre_tunnel_v2 {
    gre_tunnel_v2 {
        r#type: match tunnel.payload {
            Payload::Ip => gre_tunnel_type::GRE_API_TUNNEL_TYPE_L3,
            Payload::Ethernet => gre_tunnel_type::GRE_API_TUNNEL_TYPE_TEB,
        },
        mode: tunnel_mode::TUNNEL_API_MODE_P2P,
        flags: tunnel_encap_decap_flags(tunnel.flags.bits()),
        session_id: 0,
        instance: tunnel.instance,
        outer_table_id,
        sw_if_index: tunnel.interface.0,
        src: tunnel.local.into(),
        dst: tunnel.remote.into(),
        key: tunnel.key.unwrap_or(0),
    }
}
