//! Types of VPP's API for tunnels.

use crate::api::{
    interface_types::interface_index,
    ip_types::{address, ip_dscp},
};

crate::api! {
    /// The file `tunnel_types.api`.
    file TUNNEL_TYPES = "tunnel_types", [1, 0, 1], 0x882f6758;
    enum tunnel_encap_decap_flags: u8 {
        TUNNEL_API_ENCAP_DECAP_FLAG_NONE = 0,
        TUNNEL_API_ENCAP_DECAP_FLAG_ENCAP_COPY_DF = 1,
        TUNNEL_API_ENCAP_DECAP_FLAG_ENCAP_SET_DF = 2,
        TUNNEL_API_ENCAP_DECAP_FLAG_ENCAP_COPY_DSCP = 4,
        TUNNEL_API_ENCAP_DECAP_FLAG_ENCAP_COPY_ECN = 8,
        TUNNEL_API_ENCAP_DECAP_FLAG_DECAP_COPY_ECN = 16,
    } later {
        TUNNEL_API_ENCAP_DECAP_FLAG_ENCAP_INNER_HASH = 32,
        TUNNEL_API_ENCAP_DECAP_FLAG_ENCAP_COPY_HOP_LIMIT = 64,
        TUNNEL_API_ENCAP_DECAP_FLAG_ENCAP_COPY_FLOW_LABEL = 128,
    };
    enum tunnel_mode: u8 { TUNNEL_API_MODE_P2P = 0, TUNNEL_API_MODE_MP = 1 };
    flags tunnel_flags: u8 { TUNNEL_API_FLAG_TRACK_MTU = 1 };
    record tunnel {
        instance: u32,
        src: address,
        dst: address,
        sw_if_index: interface_index,
        table_id: u32,
        encap_decap_flags: tunnel_encap_decap_flags,
        mode: tunnel_mode,
        flags: tunnel_flags,
        dscp: ip_dscp,
        hop_limit: u8,
    };
}
