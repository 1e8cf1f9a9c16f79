//! The file `tapv2.api`.

use vnet::api::{
    ethernet_types::mac_address,
    interface_types::interface_index,
    ip_types::{ip4_address, ip4_address_with_prefix, ip6_address, ip6_address_with_prefix},
};

vnet::api! {
    /// The file `tapv2.api`.
    file TAPV2 = "tapv2", [4, 0, 0], 0xc2f80dc7;
    enum tap_flags: u32 {
        TAP_API_FLAG_GSO = 1,
        TAP_API_FLAG_CSUM_OFFLOAD = 2,
        TAP_API_FLAG_PERSIST = 4,
        TAP_API_FLAG_ATTACH = 8,
        TAP_API_FLAG_TUN = 16,
        TAP_API_FLAG_GRO_COALESCE = 32,
    } later {
        TAP_API_FLAG_PACKED = 64,
        TAP_API_FLAG_IN_ORDER = 128,
        TAP_API_FLAG_CONSISTENT_QP = 256,
    };
    call tap_create_v3 = 0x3f3fd1df {
        id: u32 = 4294967295,
        use_random_mac: bool = true,
        mac_address: mac_address,
        num_rx_queues: u16 = 1,
        num_tx_queues: u16 = 1,
        tx_ring_sz: u16 = 256,
        rx_ring_sz: u16 = 256,
        host_mtu_set: bool,
        host_mtu_size: u32,
        host_mac_addr_set: bool,
        host_mac_addr: mac_address,
        host_ip4_prefix_set: bool,
        host_ip4_prefix: ip4_address_with_prefix,
        host_ip6_prefix_set: bool,
        host_ip6_prefix: ip6_address_with_prefix,
        host_ip4_gw_set: bool,
        host_ip4_gw: ip4_address,
        host_ip6_gw_set: bool,
        host_ip6_gw: ip6_address,
        tap_flags: tap_flags,
        host_namespace_set: bool,
        host_namespace: [string; 64],
        host_if_name_set: bool,
        host_if_name: [string; 64],
        host_bridge_set: bool,
        host_bridge: [string; 64],
        tag: string,
    }
        -> tap_create_v3_reply = 0x5383d31f { sw_if_index: interface_index };
    call tap_create_v2 = 0x2d0d6570 {
        id: u32 = 4294967295,
        use_random_mac: bool = true,
        mac_address: mac_address,
        num_rx_queues: u8 = 1,
        tx_ring_sz: u16 = 256,
        rx_ring_sz: u16 = 256,
        host_mtu_set: bool,
        host_mtu_size: u32,
        host_mac_addr_set: bool,
        host_mac_addr: mac_address,
        host_ip4_prefix_set: bool,
        host_ip4_prefix: ip4_address_with_prefix,
        host_ip6_prefix_set: bool,
        host_ip6_prefix: ip6_address_with_prefix,
        host_ip4_gw_set: bool,
        host_ip4_gw: ip4_address,
        host_ip6_gw_set: bool,
        host_ip6_gw: ip6_address,
        tap_flags: tap_flags,
        host_namespace_set: bool,
        host_namespace: [string; 64],
        host_if_name_set: bool,
        host_if_name: [string; 64],
        host_bridge_set: bool,
        host_bridge: [string; 64],
        tag: string,
    }
        -> tap_create_v2_reply = 0x5383d31f { sw_if_index: interface_index };
    call tap_delete_v2 = 0xf9e6675e { sw_if_index: interface_index }
        -> tap_delete_v2_reply = 0xe8d4e804 {};
    dump sw_interface_tap_v2_dump = 0xf9e6675e { sw_if_index: interface_index = 4294967295 }
        -> sw_interface_tap_v2_details = 0x1e2b2a47 {
        sw_if_index: u32,
        id: u32,
        tx_ring_sz: u16,
        rx_ring_sz: u16,
        host_mtu_size: u32,
        host_mac_addr: mac_address,
        host_ip4_prefix: ip4_address_with_prefix,
        host_ip6_prefix: ip6_address_with_prefix,
        tap_flags: tap_flags,
        dev_name: [string; 64],
        host_if_name: [string; 64],
        host_namespace: [string; 64],
        host_bridge: [string; 64],
    };
}
