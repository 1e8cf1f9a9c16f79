//! The messages of VPP's `l2.api`, and what they are made of.

use crate::api::{
    ethernet_types::mac_address, interface_types::interface_index, ip_types::address,
};

crate::api! {
    /// The file `l2.api`.
    file L2_FILE = "l2", [3, 3, 0], 0x1a53d6cc;
    enum mac_event_action: u32 {
        MAC_EVENT_ACTION_API_ADD = 0,
        MAC_EVENT_ACTION_API_DELETE = 1,
        MAC_EVENT_ACTION_API_MOVE = 2,
    };
    enum l2_intf_feat_flags: u32 {
        L2_INTF_FEAT_NONE = 0,
        L2_INTF_FEAT_LEARN = 1,
        L2_INTF_FEAT_FWD = 2,
        L2_INTF_FEAT_FLOOD = 4,
        L2_INTF_FEAT_UU_FLOOD = 8,
        L2_INTF_FEAT_ARP_TERM = 16,
        L2_INTF_FEAT_ARP_UFWD = 32,
    };
    enum bd_flags: u32 {
        BRIDGE_API_FLAG_NONE = 0,
        BRIDGE_API_FLAG_LEARN = 1,
        BRIDGE_API_FLAG_FWD = 2,
        BRIDGE_API_FLAG_FLOOD = 4,
        BRIDGE_API_FLAG_UU_FLOOD = 8,
        BRIDGE_API_FLAG_ARP_TERM = 16,
        BRIDGE_API_FLAG_ARP_UFWD = 32,
    };
    enum l2_port_type: u32 { L2_API_PORT_TYPE_NORMAL = 0, L2_API_PORT_TYPE_BVI = 1, L2_API_PORT_TYPE_UU_FWD = 2 };
    record mac_entry {
        sw_if_index: interface_index,
        mac_addr: mac_address,
        action: mac_event_action,
        flags: u8,
    };
    record bridge_domain_sw_if { context: u32, sw_if_index: interface_index, shg: u8 };
    record bd_ip_mac { bd_id: u32, ip: address, mac: mac_address };
    dump l2_xconnect_dump = 0x51077d14 {}
        -> l2_xconnect_details = 0x472b6b67 { rx_sw_if_index: interface_index, tx_sw_if_index: interface_index };
    dump l2_fib_table_dump = 0xc25fdce6 { bd_id: u32 }
        -> l2_fib_table_details = 0xa44ef6b8 {
        bd_id: u32,
        mac: mac_address,
        sw_if_index: interface_index,
        static_mac: bool,
        filter_mac: bool,
        bvi_mac: bool,
    };
    call l2_fib_clear_table = 0x51077d14 {}
        -> l2_fib_clear_table_reply = 0xe8d4e804 {};
    call l2fib_flush_all = 0x51077d14 {}
        -> l2fib_flush_all_reply = 0xe8d4e804 {};
    call l2fib_flush_bd = 0xc25fdce6 { bd_id: u32 }
        -> l2fib_flush_bd_reply = 0xe8d4e804 {};
    call l2fib_flush_int = 0xf9e6675e { sw_if_index: interface_index }
        -> l2fib_flush_int_reply = 0xe8d4e804 {};
    call l2fib_add_del = 0xeddda487 {
        mac: mac_address,
        bd_id: u32,
        sw_if_index: interface_index,
        is_add: bool = true,
        static_mac: bool,
        filter_mac: bool,
        bvi_mac: bool,
    }
        -> l2fib_add_del_reply = 0xe8d4e804 {};
    call want_l2_macs_events = 0x9aabdfde {
        learn_limit: u32 = 1000,
        scan_delay: u8 = 10,
        max_macs_in_event: u8 = 10,
        enable_disable: bool = true,
        pid: u32,
    }
        -> want_l2_macs_events_reply = 0xe8d4e804 {}
        events [l2_macs_event];
    call want_l2_macs_events2 = 0xcc1377b0 { max_macs_in_event: u8 = 10, enable_disable: bool = true, pid: u32 }
        -> want_l2_macs_events2_reply = 0xe8d4e804 {};
    call l2fib_set_scan_delay = 0xa3b968a4 { scan_delay: u16 = 10 }
        -> l2fib_set_scan_delay_reply = 0xe8d4e804 {};
    event l2_macs_event = 0x44b8fd64 { mac: [mac_entry by n_macs: u32] };
    call l2_flags = 0xfc41cfe8 { sw_if_index: interface_index, is_set: bool, feature_bitmap: u32 }
        -> l2_flags_reply = 0x29b2a2b3 { resulting_feature_bitmap: u32 };
    call l2_flags_get = 0xf9e6675e { sw_if_index: interface_index }
        -> l2_flags_get_reply = 0x35cb810f { input_feature_bitmap: u32, output_feature_bitmap: u32 };
    call l2_flags_set = 0xd4030647 {
        sw_if_index: interface_index,
        is_set: bool,
        input_feature_bitmap: u32,
        output_feature_bitmap: u32,
    }
        -> l2_flags_set_reply = 0xe8d4e804 {};
    call l2_interface_feat_flags_get = 0xf9e6675e { sw_if_index: interface_index }
        -> l2_interface_feat_flags_get_reply = 0xa4149215 { flags: l2_intf_feat_flags };
    call l2_interface_feat_flags_set = 0xc4e2865c { sw_if_index: interface_index, is_set: bool, flags: l2_intf_feat_flags }
        -> l2_interface_feat_flags_set_reply = 0xe8d4e804 {};
    call bridge_domain_set_mac_age = 0xb537ad7b { bd_id: u32, mac_age: u8 }
        -> bridge_domain_set_mac_age_reply = 0xe8d4e804 {};
    call bridge_domain_set_default_learn_limit = 0xf097ffce { learn_limit: u32 }
        -> bridge_domain_set_default_learn_limit_reply = 0xe8d4e804 {};
    call bridge_domain_set_learn_limit = 0x89c52b5f { bd_id: u32, learn_limit: u32 }
        -> bridge_domain_set_learn_limit_reply = 0xe8d4e804 {};
    call bridge_domain_add_del = 0x600b7170 {
        bd_id: u32,
        flood: bool,
        uu_flood: bool,
        forward: bool,
        learn: bool,
        arp_term: bool,
        arp_ufwd: bool,
        mac_age: u8,
        bd_tag: [string; 64],
        is_add: bool = true,
    }
        -> bridge_domain_add_del_reply = 0xe8d4e804 {};
    call bridge_domain_add_del_v2 = 0x600b7170 {
        bd_id: u32,
        flood: bool,
        uu_flood: bool,
        forward: bool,
        learn: bool,
        arp_term: bool,
        arp_ufwd: bool,
        mac_age: u8,
        bd_tag: [string; 64],
        is_add: bool = true,
    }
        -> bridge_domain_add_del_v2_reply = 0xfcb1e980 { bd_id: u32 };
    dump bridge_domain_dump = 0x74396a43 { bd_id: u32 = 4294967295, sw_if_index: interface_index = 4294967295 }
        -> bridge_domain_details = 0x0fa506fd {
        bd_id: u32,
        flood: bool,
        uu_flood: bool,
        forward: bool,
        learn: bool,
        arp_term: bool,
        arp_ufwd: bool,
        mac_age: u8,
        bd_tag: [string; 64],
        bvi_sw_if_index: interface_index,
        uu_fwd_sw_if_index: interface_index,
        sw_if_details: [bridge_domain_sw_if by n_sw_ifs: u32],
    };
    call bridge_flags = 0x1b0c5fbd { bd_id: u32, is_set: bool, flags: bd_flags }
        -> bridge_flags_reply = 0x29b2a2b3 { resulting_feature_bitmap: u32 };
    call l2_interface_vlan_tag_rewrite = 0x62cc0bbc { sw_if_index: interface_index, vtr_op: u32, push_dot1q: u32, tag1: u32, tag2: u32 }
        -> l2_interface_vlan_tag_rewrite_reply = 0xe8d4e804 {};
    call l2_interface_pbb_tag_rewrite = 0x38e802a8 {
        sw_if_index: interface_index,
        vtr_op: u32,
        outer_tag: u16,
        b_dmac: mac_address,
        b_smac: mac_address,
        b_vlanid: u16,
        i_sid: u32,
    }
        -> l2_interface_pbb_tag_rewrite_reply = 0xe8d4e804 {};
    call l2_patch_add_del = 0xa1f6a6f3 { rx_sw_if_index: interface_index, tx_sw_if_index: interface_index, is_add: bool = true }
        -> l2_patch_add_del_reply = 0xe8d4e804 {};
    call sw_interface_set_l2_xconnect = 0x4fa28a85 { rx_sw_if_index: interface_index, tx_sw_if_index: interface_index, enable: bool = true }
        -> sw_interface_set_l2_xconnect_reply = 0xe8d4e804 {};
    call sw_interface_set_l2_bridge = 0xd0678b13 {
        rx_sw_if_index: interface_index,
        bd_id: u32,
        port_type: l2_port_type,
        shg: u8,
        enable: bool = true,
    }
        -> sw_interface_set_l2_bridge_reply = 0xe8d4e804 {};
    call bd_ip_mac_add_del = 0x0257c869 { is_add: bool = true, entry: bd_ip_mac }
        -> bd_ip_mac_add_del_reply = 0xe8d4e804 {};
    call bd_ip_mac_flush = 0xc25fdce6 { bd_id: u32 }
        -> bd_ip_mac_flush_reply = 0xe8d4e804 {};
    dump bd_ip_mac_dump = 0xc25fdce6 { bd_id: u32 }
        -> bd_ip_mac_details = 0x545af86a { entry: bd_ip_mac };
    call l2_interface_efp_filter = 0x5501adee { sw_if_index: interface_index, enable_disable: bool = true }
        -> l2_interface_efp_filter_reply = 0xe8d4e804 {};
    call sw_interface_set_vpath = 0xae6cfcfb { sw_if_index: interface_index, enable: bool = true }
        -> sw_interface_set_vpath_reply = 0xe8d4e804 {};
    call bvi_create = 0xf5398559 { mac: mac_address, user_instance: u32 = 4294967295 }
        -> bvi_create_reply = 0x5383d31f { sw_if_index: interface_index };
    call bvi_delete = 0xf9e6675e { sw_if_index: interface_index }
        -> bvi_delete_reply = 0xe8d4e804 {};
    call want_l2_arp_term_events = 0x3ec6d6c2 { enable: bool, pid: u32 }
        -> want_l2_arp_term_events_reply = 0xe8d4e804 {}
        events [l2_arp_term_event];
    event l2_arp_term_event = 0x6963e07a { ip: address, sw_if_index: interface_index, mac: mac_address };
}
