//! The messages of `ip.api`. Those about neighbours' links and about fragments are answered by the nodes that have them.

use crate::api::{
    fib_types::fib_path,
    interface_types::interface_index,
    ip_types::{address, address_family, address_with_prefix, ip6_address, mprefix, prefix},
    mfib_types::{mfib_entry_flags, mfib_path},
};

crate::api! {
    /// The file `ip.api`.
    file IP = "ip", [3, 2, 0], 0xc55aec44;
    enum ip_reass_type: u32 { IP_REASS_TYPE_FULL = 0, IP_REASS_TYPE_SHALLOW_VIRTUAL = 1 };
    flags ip_flow_hash_config: u32 {
        IP_API_FLOW_HASH_SRC_IP = 1,
        IP_API_FLOW_HASH_DST_IP = 2,
        IP_API_FLOW_HASH_SRC_PORT = 4,
        IP_API_FLOW_HASH_DST_PORT = 8,
        IP_API_FLOW_HASH_PROTO = 16,
        IP_API_FLOW_HASH_REVERSE = 32,
        IP_API_FLOW_HASH_SYMETRIC = 64,
        IP_API_FLOW_HASH_FLOW_LABEL = 128,
    };
    flags ip_flow_hash_config_v2: u32 {
        IP_API_V2_FLOW_HASH_SRC_IP = 1,
        IP_API_V2_FLOW_HASH_DST_IP = 2,
        IP_API_V2_FLOW_HASH_SRC_PORT = 4,
        IP_API_V2_FLOW_HASH_DST_PORT = 8,
        IP_API_V2_FLOW_HASH_PROTO = 16,
        IP_API_V2_FLOW_HASH_REVERSE = 32,
        IP_API_V2_FLOW_HASH_SYMETRIC = 64,
        IP_API_V2_FLOW_HASH_FLOW_LABEL = 128,
        IP_API_V2_FLOW_HASH_GTPV1_TEID = 256,
    };
    record ip_table { table_id: u32, is_ip6: bool, name: [string; 64] };
    record ip_route { table_id: u32, stats_index: u32, prefix: prefix, paths: [fib_path by n_paths: u8] };
    record ip_route_v2 {
        table_id: u32,
        stats_index: u32,
        prefix: prefix,
        paths: [fib_path by n_paths: u8 across src: u8],
    };
    record ip_mroute {
        table_id: u32,
        entry_flags: mfib_entry_flags,
        rpf_id: u32,
        prefix: mprefix,
        paths: [mfib_path by n_paths: u8],
    };
    record punt_redirect { rx_sw_if_index: interface_index, tx_sw_if_index: interface_index, nh: address };
    record punt_redirect_v2 {
        rx_sw_if_index: interface_index = 4294967295,
        af: address_family,
        paths: [fib_path by n_paths: u32],
    };
    record ip_path_mtu { client_index: u32, context: u32, table_id: u32, nh: address, path_mtu: u16 };
    call ip_table_add_del = 0x0ffdaec0 { is_add: bool = true, table: ip_table }
        -> ip_table_add_del_reply = 0xe8d4e804 {};
    call ip_table_add_del_v2 = 0x14e5081f { table: ip_table, create_mfib: bool = true, is_add: bool = true }
        -> ip_table_add_del_v2_reply = 0xe8d4e804 {};
    call ip_table_allocate = 0xb9d2e09e { table: ip_table }
        -> ip_table_allocate_reply = 0x1728303a { table: ip_table };
    dump ip_table_dump = 0x51077d14 {}
        -> ip_table_details = 0xc79fca0f { table: ip_table };
    call ip_table_replace_begin = 0xb9d2e09e { table: ip_table }
        -> ip_table_replace_begin_reply = 0xe8d4e804 {};
    call ip_table_replace_end = 0xb9d2e09e { table: ip_table }
        -> ip_table_replace_end_reply = 0xe8d4e804 {};
    call ip_table_flush = 0xb9d2e09e { table: ip_table }
        -> ip_table_flush_reply = 0xe8d4e804 {};
    call ip_route_add_del = 0xb8ecfe0d { is_add: bool = true, is_multipath: bool, route: ip_route }
        -> ip_route_add_del_reply = 0x1992deab { stats_index: u32 };
    call ip_route_add_del_v2 = 0x521ef330 { is_add: bool = true, is_multipath: bool, route: ip_route_v2 }
        -> ip_route_add_del_v2_reply = 0x1992deab { stats_index: u32 };
    dump ip_route_dump = 0xb9d2e09e { table: ip_table }
        -> ip_route_details = 0xbda8f315 { route: ip_route };
    dump ip_route_v2_dump = 0xd16f72e6 { src: u8, table: ip_table }
        -> ip_route_v2_details = 0xb09aa6c0 { route: ip_route_v2 };
    call ip_route_lookup = 0x710d6471 { table_id: u32, exact: u8, prefix: prefix }
        -> ip_route_lookup_reply = 0x5d8febcb { route: ip_route };
    call ip_route_lookup_v2 = 0x710d6471 { table_id: u32, exact: u8, prefix: prefix }
        -> ip_route_lookup_v2_reply = 0x84cc9e03 { route: ip_route_v2 };
    call set_ip_flow_hash = 0x084ee09e {
        vrf_id: u32,
        is_ipv6: bool,
        src: bool,
        dst: bool,
        sport: bool,
        dport: bool,
        proto: bool,
        reverse: bool,
        symmetric: bool,
    }
        -> set_ip_flow_hash_reply = 0xe8d4e804 {};
    call set_ip_flow_hash_v2 = 0x6d132100 { table_id: u32, af: address_family, flow_hash_config: ip_flow_hash_config }
        -> set_ip_flow_hash_v2_reply = 0xe8d4e804 {};
    call set_ip_flow_hash_v3 = 0xb7876e07 { table_id: u32, af: address_family, flow_hash_config: ip_flow_hash_config_v2 }
        -> set_ip_flow_hash_v3_reply = 0xe8d4e804 {};
    call set_ip_flow_hash_router_id = 0x03e4f48e { router_id: u32 }
        -> set_ip_flow_hash_router_id_reply = 0xe8d4e804 {};
    call sw_interface_ip6_enable_disable = 0xae6cfcfb { sw_if_index: interface_index, enable: bool }
        -> sw_interface_ip6_enable_disable_reply = 0xe8d4e804 {};
    call sw_interface_ip4_enable_disable = 0xae6cfcfb { sw_if_index: interface_index, enable: bool }
        -> sw_interface_ip4_enable_disable_reply = 0xe8d4e804 {};
    dump_of_client ip_mtable_dump = 0x51077d14 {}
        -> ip_mtable_details = 0xb9d2e09e { table: ip_table };
    call ip_mroute_add_del = 0x0dd7e790 { is_add: bool = true, is_multipath: bool, route: ip_mroute }
        -> ip_mroute_add_del_reply = 0x1992deab { stats_index: u32 };
    dump ip_mroute_dump = 0xb9d2e09e { table: ip_table }
        -> ip_mroute_details = 0xc5cb23fc { route: ip_mroute };
    dump ip_address_dump = 0x2d033de4 { sw_if_index: interface_index, is_ipv6: bool }
        -> ip_address_details = 0xee29b797 { sw_if_index: interface_index, prefix: address_with_prefix };
    dump ip_unnumbered_dump = 0xf9e6675e { sw_if_index: interface_index = 4294967295 }
        -> ip_unnumbered_details = 0xcc59bd42 { sw_if_index: interface_index, ip_sw_if_index: interface_index };
    dump ip_dump = 0x98d231ca { is_ipv6: bool }
        -> ip_details = 0xeb152d07 { sw_if_index: interface_index, is_ipv6: bool };
    dump mfib_signal_dump = 0x51077d14 {}
        -> mfib_signal_details = 0x6f4a4cfb {
        sw_if_index: interface_index,
        table_id: u32,
        prefix: mprefix,
        ip_packet_len: u16,
        ip_packet_data: [u8; 256],
    };
    call ip_punt_redirect = 0x6580f635 { punt: punt_redirect, is_add: bool = true }
        -> ip_punt_redirect_reply = 0xe8d4e804 {};
    dump ip_punt_redirect_dump = 0x2d033de4 { sw_if_index: interface_index, is_ipv6: bool }
        -> ip_punt_redirect_details = 0x2cef63e7 { punt: punt_redirect };
    call add_del_ip_punt_redirect_v2 = 0x9e804227 { is_add: bool = true, punt: punt_redirect_v2 }
        -> add_del_ip_punt_redirect_v2_reply = 0xe8d4e804 {};
    dump ip_punt_redirect_v2_dump = 0xd817a484 { sw_if_index: interface_index, af: address_family }
        -> ip_punt_redirect_v2_details = 0x7ba42e1d { punt: punt_redirect_v2 };
    call ip_container_proxy_add_del = 0x7df1dff1 { pfx: prefix, sw_if_index: interface_index, is_add: bool = true }
        -> ip_container_proxy_add_del_reply = 0xe8d4e804 {};
    dump ip_container_proxy_dump = 0x51077d14 {}
        -> ip_container_proxy_details = 0xa8085523 { sw_if_index: interface_index, prefix: prefix };
    call ip_source_and_port_range_check_add_del = 0x92a067e3 {
        is_add: bool = true,
        prefix: prefix,
        number_of_ranges: u8,
        low_ports: [u16; 32],
        high_ports: [u16; 32],
        vrf_id: u32,
    }
        -> ip_source_and_port_range_check_add_del_reply = 0xe8d4e804 {};
    call ip_source_and_port_range_check_interface_add_del = 0xe1ba8987 {
        is_add: bool = true,
        sw_if_index: interface_index,
        tcp_in_vrf_id: u32,
        tcp_out_vrf_id: u32,
        udp_in_vrf_id: u32,
        udp_out_vrf_id: u32,
    }
        -> ip_source_and_port_range_check_interface_add_del_reply = 0xe8d4e804 {};
    call sw_interface_ip6_set_link_local_address = 0x1c10f15f { sw_if_index: interface_index, ip: ip6_address }
        -> sw_interface_ip6_set_link_local_address_reply = 0xe8d4e804 {};
    call sw_interface_ip6_get_link_local_address = 0xf9e6675e { sw_if_index: interface_index }
        -> sw_interface_ip6_get_link_local_address_reply = 0xd16b7130 { ip: ip6_address };
    call ioam_enable = 0x51ccd868 {
        id: u16,
        seqno: bool,
        analyse: bool,
        pot_enable: bool,
        trace_enable: bool,
        node_id: u32,
    }
        -> ioam_enable_reply = 0xe8d4e804 {};
    call ioam_disable = 0x6b16a45e { id: u16 }
        -> ioam_disable_reply = 0xe8d4e804 {};
    call ip_reassembly_set = 0x16467d25 {
        timeout_ms: u32,
        max_reassemblies: u32,
        max_reassembly_length: u32,
        expire_walk_interval_ms: u32,
        is_ip6: bool,
        r#type: ip_reass_type,
    }
        -> ip_reassembly_set_reply = 0xe8d4e804 {};
    call ip_reassembly_get = 0xea13ff63 { is_ip6: bool, r#type: ip_reass_type }
        -> ip_reassembly_get_reply = 0xd5eb8d34 {
        timeout_ms: u32,
        max_reassemblies: u32,
        max_reassembly_length: u32,
        expire_walk_interval_ms: u32,
        is_ip6: bool,
    };
    call ip_reassembly_enable_disable = 0xeb77968d {
        sw_if_index: interface_index,
        enable_ip4: bool,
        enable_ip6: bool,
        r#type: ip_reass_type,
    }
        -> ip_reassembly_enable_disable_reply = 0xe8d4e804 {};
    call ip_local_reass_enable_disable = 0x34e2ccc4 { enable_ip4: bool, enable_ip6: bool }
        -> ip_local_reass_enable_disable_reply = 0xe8d4e804 {};
    call ip_local_reass_get = 0x51077d14 {}
        -> ip_local_reass_get_reply = 0x3e93a702 { ip4_is_enabled: bool, ip6_is_enabled: bool };
    call ip_path_mtu_update = 0x10bbe5cb { pmtu: ip_path_mtu }
        -> ip_path_mtu_update_reply = 0xe8d4e804 {};
    get ip_path_mtu_get = 0xf75ba505 { cursor: u32 }
        -> ip_path_mtu_get_reply = 0x53b48f5d { cursor: u32 }
        of ip_path_mtu_details = 0xac9539a7 { pmtu: ip_path_mtu };
    call ip_path_mtu_replace_begin = 0x51077d14 {}
        -> ip_path_mtu_replace_begin_reply = 0xe8d4e804 {};
    call ip_path_mtu_replace_end = 0x51077d14 {}
        -> ip_path_mtu_replace_end_reply = 0xe8d4e804 {};
}
