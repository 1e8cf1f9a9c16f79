//! The messages of VPP's `interface.api`, and what they are made of.

use crate::api::{
    ethernet_types::mac_address,
    interface_types::{
        if_status_flags, if_type, interface_index, link_duplex, rx_mode, sub_if_flags,
    },
    ip_types::address_with_prefix,
};

crate::api! {
    /// The file `interface.api`.
    file INTERFACE = "interface", [3, 2, 5], 0x98d849f6;
    call sw_interface_set_flags = 0xf5aec1b8 { sw_if_index: interface_index, flags: if_status_flags }
        -> sw_interface_set_flags_reply = 0xe8d4e804 {};
    call sw_interface_set_promisc = 0xd40860d4 { sw_if_index: interface_index, promisc_on: bool }
        -> sw_interface_set_promisc_reply = 0xe8d4e804 {};
    call hw_interface_set_mtu = 0xe6746899 { sw_if_index: interface_index, mtu: u16 }
        -> hw_interface_set_mtu_reply = 0xe8d4e804 {};
    call sw_interface_set_mtu = 0x5cbe85e5 { sw_if_index: interface_index, mtu: [u32; 4] }
        -> sw_interface_set_mtu_reply = 0xe8d4e804 {};
    call sw_interface_set_ip_directed_broadcast = 0xae6cfcfb { sw_if_index: interface_index, enable: bool }
        -> sw_interface_set_ip_directed_broadcast_reply = 0xe8d4e804 {};
    event sw_interface_event = 0x2d3d95a7 { sw_if_index: interface_index, flags: if_status_flags, deleted: bool };
    call want_interface_events = 0x476f5a08 { enable_disable: u32, pid: u32 }
        -> want_interface_events_reply = 0xe8d4e804 {}
        events [sw_interface_event];
    dump sw_interface_dump = 0xaa610c27 {
        sw_if_index: interface_index = 4294967295,
        name_filter_valid: bool,
        name_filter: string,
    }
        -> sw_interface_details = 0x6c221fc7 {
        sw_if_index: interface_index,
        sup_sw_if_index: u32,
        l2_address: mac_address,
        flags: if_status_flags,
        r#type: if_type,
        link_duplex: link_duplex,
        link_speed: u32,
        link_mtu: u16,
        mtu: [u32; 4],
        sub_id: u32,
        sub_number_of_tags: u8,
        sub_outer_vlan_id: u16,
        sub_inner_vlan_id: u16,
        sub_if_flags: sub_if_flags,
        vtr_op: u32,
        vtr_push_dot1q: u32,
        vtr_tag1: u32,
        vtr_tag2: u32,
        outer_tag: u16,
        b_dmac: mac_address,
        b_smac: mac_address,
        b_vlanid: u16,
        i_sid: u32,
        interface_name: [string; 64],
        interface_dev_type: [string; 64],
        tag: [string; 64],
    };
    call sw_interface_add_del_address = 0x5463d73b {
        sw_if_index: interface_index,
        is_add: bool,
        del_all: bool,
        prefix: address_with_prefix,
    }
        -> sw_interface_add_del_address_reply = 0xe8d4e804 {};
    call sw_interface_address_replace_begin = 0x51077d14 {}
        -> sw_interface_address_replace_begin_reply = 0xe8d4e804 {};
    call sw_interface_address_replace_end = 0x51077d14 {}
        -> sw_interface_address_replace_end_reply = 0xe8d4e804 {};
    call sw_interface_set_table = 0xdf42a577 { sw_if_index: interface_index, is_ipv6: bool, vrf_id: u32 }
        -> sw_interface_set_table_reply = 0xe8d4e804 {};
    call sw_interface_get_table = 0x2d033de4 { sw_if_index: interface_index, is_ipv6: bool }
        -> sw_interface_get_table_reply = 0xa6eb0109 { vrf_id: u32 };
    call sw_interface_set_unnumbered = 0x154a6439 { sw_if_index: interface_index, unnumbered_sw_if_index: interface_index, is_add: bool }
        -> sw_interface_set_unnumbered_reply = 0xe8d4e804 {};
    call sw_interface_clear_stats = 0xf9e6675e { sw_if_index: interface_index }
        -> sw_interface_clear_stats_reply = 0xe8d4e804 {};
    call sw_interface_tag_add_del = 0x426f8bc1 { is_add: bool, sw_if_index: interface_index, tag: [string; 64] }
        -> sw_interface_tag_add_del_reply = 0xe8d4e804 {};
    call sw_interface_add_del_mac_address = 0x638bb9f4 { sw_if_index: u32, addr: mac_address, is_add: u8 }
        -> sw_interface_add_del_mac_address_reply = 0xe8d4e804 {};
    call sw_interface_set_mac_address = 0xc536e7eb { sw_if_index: interface_index, mac_address: mac_address }
        -> sw_interface_set_mac_address_reply = 0xe8d4e804 {};
    call sw_interface_get_mac_address = 0xf9e6675e { sw_if_index: interface_index }
        -> sw_interface_get_mac_address_reply = 0x40ef2c08 { mac_address: mac_address };
    call sw_interface_set_rx_mode = 0xb04d1cfe { sw_if_index: interface_index, queue_id_valid: bool, queue_id: u32, mode: rx_mode }
        -> sw_interface_set_rx_mode_reply = 0xe8d4e804 {};
    call sw_interface_set_rx_placement = 0xdb65f3c9 { sw_if_index: interface_index, queue_id: u32, worker_id: u32, is_main: bool }
        -> sw_interface_set_rx_placement_reply = 0xe8d4e804 {};
    call sw_interface_set_tx_placement = 0x4e0cd5ff { sw_if_index: interface_index, queue_id: u32, threads: [u32 by array_size: u32] }
        -> sw_interface_set_tx_placement_reply = 0xe8d4e804 {};
    call sw_interface_set_interface_name = 0x45a1d548 { sw_if_index: interface_index, name: [string; 64] }
        -> sw_interface_set_interface_name_reply = 0xe8d4e804 {};
    dump_of_client sw_interface_rx_placement_dump = 0xf9e6675e { sw_if_index: interface_index }
        -> sw_interface_rx_placement_details = 0x9e44a7ce { sw_if_index: interface_index, queue_id: u32, worker_id: u32, mode: rx_mode };
    get_of_client sw_interface_tx_placement_get = 0x47250981 { cursor: u32, sw_if_index: interface_index }
        -> sw_interface_tx_placement_get_reply = 0x53b48f5d { cursor: u32 }
        of sw_interface_tx_placement_details = 0x00381a2e {
        sw_if_index: interface_index,
        queue_id: u32,
        shared: u8,
        threads: [u32 by array_size: u32],
    };
    call interface_name_renumber = 0x2b8858b8 { sw_if_index: interface_index, new_show_dev_instance: u32 }
        -> interface_name_renumber_reply = 0xe8d4e804 {};
    call create_subif = 0x790ca755 {
        sw_if_index: interface_index,
        sub_id: u32,
        sub_if_flags: sub_if_flags,
        outer_vlan_id: u16,
        inner_vlan_id: u16,
    }
        -> create_subif_reply = 0x5383d31f { sw_if_index: interface_index };
    call create_vlan_subif = 0xaf34ac8b { sw_if_index: interface_index, vlan_id: u32 }
        -> create_vlan_subif_reply = 0x5383d31f { sw_if_index: interface_index };
    call delete_subif = 0xf9e6675e { sw_if_index: interface_index }
        -> delete_subif_reply = 0xe8d4e804 {};
    call create_loopback = 0x42bb5d22 { mac_address: mac_address }
        -> create_loopback_reply = 0x5383d31f { sw_if_index: interface_index };
    call create_loopback_instance = 0xd36a3ee2 { mac_address: mac_address, is_specified: bool, user_instance: u32 }
        -> create_loopback_instance_reply = 0x5383d31f { sw_if_index: interface_index };
    call delete_loopback = 0xf9e6675e { sw_if_index: interface_index }
        -> delete_loopback_reply = 0xe8d4e804 {};
    call collect_detailed_interface_stats = 0x5501adee { sw_if_index: interface_index, enable_disable: bool }
        -> collect_detailed_interface_stats_reply = 0xe8d4e804 {};
    call pcap_set_filter_function = 0x616abb92 { filter_function_name: string }
        -> pcap_set_filter_function_reply = 0xe8d4e804 {};
    call pcap_trace_on = 0xcb39e968 {
        capture_rx: bool,
        capture_tx: bool,
        capture_drop: bool,
        filter: bool,
        preallocate_data: bool,
        free_data: bool,
        max_packets: u32 = 1000,
        max_bytes_per_packet: u32 = 512,
        sw_if_index: interface_index,
        error: [string; 128],
        filename: [string; 64],
    }
        -> pcap_trace_on_reply = 0xe8d4e804 {};
    call pcap_trace_off = 0x51077d14 {}
        -> pcap_trace_off_reply = 0xe8d4e804 {};
    call sw_interface_set_default_rx_mode = 0x776b4837 { mode: rx_mode }
        -> sw_interface_set_default_rx_mode_reply = 0xe8d4e804 {};
    call sw_interface_get_default_rx_mode = 0x51077d14 {}
        -> sw_interface_get_default_rx_mode_reply = 0x2339da5a { mode: rx_mode };
    call sw_interface_set_link_speed = 0x2f0867fa { sw_if_index: interface_index, link_speed: u32 }
        -> sw_interface_set_link_speed_reply = 0xe8d4e804 {};
    call sw_interface_get_speed_capa = 0xf9e6675e { sw_if_index: interface_index }
        -> sw_interface_get_speed_capa_reply = 0x20b21417 { speeds: [u32 by count: u32] };
}
