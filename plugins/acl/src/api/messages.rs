//! The files `acl_types.api` and `acl.api`.

use vnet::api::{
    ethernet_types::mac_address,
    interface_types::interface_index,
    ip_types::{ip_proto, prefix},
};

vnet::api! {
    /// The file `acl_types.api`.
    file ACL_TYPES = "acl_types", [1, 0, 0], 0x878da4fa;
    enum acl_action: u8 { ACL_ACTION_API_DENY = 0, ACL_ACTION_API_PERMIT = 1, ACL_ACTION_API_PERMIT_REFLECT = 2 };
    record acl_rule {
        is_permit: acl_action,
        src_prefix: prefix,
        dst_prefix: prefix,
        proto: ip_proto,
        srcport_or_icmptype_first: u16,
        srcport_or_icmptype_last: u16,
        dstport_or_icmpcode_first: u16,
        dstport_or_icmpcode_last: u16,
        tcp_flags_mask: u8,
        tcp_flags_value: u8,
    };
    record macip_acl_rule {
        is_permit: acl_action,
        src_mac: mac_address,
        src_mac_mask: mac_address,
        src_prefix: prefix,
    };
}

vnet::api! {
    /// The file `acl.api`.
    file ACL = "acl", [2, 0, 1], 0x5133bba0;
    ask acl_plugin_get_version = 0x51077d14 {}
        -> acl_plugin_get_version_reply = 0x9b32cf86 { major: u32, minor: u32 };
    call acl_plugin_control_ping = 0x51077d14 {}
        -> acl_plugin_control_ping_reply = 0xf6b0b8ca { client_index: u32, vpe_pid: u32 };
    ask acl_plugin_get_conn_table_max_entries = 0x51077d14 {}
        -> acl_plugin_get_conn_table_max_entries_reply = 0x7a096d3d { conn_table_max_entries: u64 };
    ask acl_add_replace = 0xee5c2f18 { acl_index: u32, tag: [string; 64], r: [acl_rule by count: u32] }
        -> acl_add_replace_reply = 0xac407b0c { acl_index: u32, retval: i32 };
    call acl_del = 0xef34fea4 { acl_index: u32 }
        -> acl_del_reply = 0xe8d4e804 {};
    call acl_interface_add_del = 0x4b54bebd { is_add: bool = true, is_input: bool, sw_if_index: interface_index, acl_index: u32 }
        -> acl_interface_add_del_reply = 0xe8d4e804 {};
    call acl_interface_set_acl_list = 0x473982bd { sw_if_index: interface_index, acls: [u32 by count: u8 across n_input: u8] }
        -> acl_interface_set_acl_list_reply = 0xe8d4e804 {};
    dump acl_dump = 0xef34fea4 { acl_index: u32 }
        -> acl_details = 0x95babae0 { acl_index: u32, tag: [string; 64], r: [acl_rule by count: u32] };
    dump acl_interface_list_dump = 0xf9e6675e { sw_if_index: interface_index = 4294967295 }
        -> acl_interface_list_details = 0xe695d256 { sw_if_index: interface_index, acls: [u32 by count: u8 across n_input: u8] };
    ask macip_acl_add = 0xce6fbad0 { tag: [string; 64], r: [macip_acl_rule by count: u32] }
        -> macip_acl_add_reply = 0xac407b0c { acl_index: u32, retval: i32 };
    ask macip_acl_add_replace = 0x2a461dd4 { acl_index: u32 = 4294967295, tag: [string; 64], r: [macip_acl_rule by count: u32] }
        -> macip_acl_add_replace_reply = 0xac407b0c { acl_index: u32, retval: i32 };
    call macip_acl_del = 0xef34fea4 { acl_index: u32 }
        -> macip_acl_del_reply = 0xe8d4e804 {};
    call macip_acl_interface_add_del = 0x4b8690b1 { is_add: bool = true, sw_if_index: interface_index, acl_index: u32 }
        -> macip_acl_interface_add_del_reply = 0xe8d4e804 {};
    dump macip_acl_dump = 0xef34fea4 { acl_index: u32 = 4294967295 }
        -> macip_acl_details = 0x27135b59 { acl_index: u32, tag: [string; 64], r: [macip_acl_rule by count: u32] };
    ask macip_acl_interface_get = 0x51077d14 {}
        -> macip_acl_interface_get_reply = 0xaccf9b05 { acls: [u32 by count: u32] };
    dump macip_acl_interface_list_dump = 0xf9e6675e { sw_if_index: interface_index }
        -> macip_acl_interface_list_details = 0xa0c5d56d { sw_if_index: interface_index, acls: [u32 by count: u8] };
    call acl_interface_set_etype_whitelist = 0x3f5c2d2d { sw_if_index: interface_index, whitelist: [u16 by count: u8 across n_input: u8] }
        -> acl_interface_set_etype_whitelist_reply = 0xe8d4e804 {};
    dump acl_interface_etype_whitelist_dump = 0xf9e6675e { sw_if_index: interface_index }
        -> acl_interface_etype_whitelist_details = 0xcc2bfded { sw_if_index: interface_index, whitelist: [u16 by count: u8 across n_input: u8] };
    call acl_stats_intf_counters_enable = 0xb3e225d2 { enable: bool }
        -> acl_stats_intf_counters_enable_reply = 0xe8d4e804 {};
    call acl_plugin_use_hash_lookup_set = 0xb3e225d2 { enable: bool }
        -> acl_plugin_use_hash_lookup_set_reply = 0xe8d4e804 {};
    ask acl_plugin_use_hash_lookup_get = 0x51077d14 {}
        -> acl_plugin_use_hash_lookup_get_reply = 0x5392ad31 { enable: bool };
}
