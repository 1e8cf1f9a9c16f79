//! The file `classify.api`.

use crate::api::interface_types::interface_index;

crate::api! {
    /// The file `classify.api`.
    file CLASSIFY = "classify", [3, 1, 0], 0x92a4f2c8;
    enum classify_action: u8 {
        CLASSIFY_API_ACTION_NONE = 0,
        CLASSIFY_API_ACTION_SET_IP4_FIB_INDEX = 1,
        CLASSIFY_API_ACTION_SET_IP6_FIB_INDEX = 2,
        CLASSIFY_API_ACTION_SET_METADATA = 3,
    } later { CLASSIFY_API_ACTION_MARK_FLOW = 4 };
    enum policer_classify_table: u8 {
        POLICER_CLASSIFY_API_TABLE_IP4 = 0,
        POLICER_CLASSIFY_API_TABLE_IP6 = 1,
        POLICER_CLASSIFY_API_TABLE_L2 = 2,
    };
    enum flow_classify_table: u8 { FLOW_CLASSIFY_API_TABLE_IP4 = 0, FLOW_CLASSIFY_API_TABLE_IP6 = 1 };
    call classify_add_del_table = 0x6849e39e {
        is_add: bool,
        del_chain: bool,
        table_index: u32 = 4294967295,
        nbuckets: u32 = 2,
        memory_size: u32 = 2097152,
        skip_n_vectors: u32 = 0,
        match_n_vectors: u32 = 1,
        next_table_index: u32 = 4294967295,
        miss_next_index: u32 = 4294967295,
        current_data_flag: u8 = 0,
        current_data_offset: i16 = 0,
        mask: [u8 by mask_len: u32],
    }
        -> classify_add_del_table_reply = 0x05486349 { new_table_index: u32, skip_n_vectors: u32, match_n_vectors: u32 };
    call classify_add_del_session = 0xf20879f0 {
        is_add: bool,
        table_index: u32,
        hit_next_index: u32 = 4294967295,
        opaque_index: u32 = 4294967295,
        advance: i32 = 0,
        action: classify_action = 0,
        metadata: u32 = 0,
        r#match: [u8 by match_len: u32],
    }
        -> classify_add_del_session_reply = 0xe8d4e804 {};
    call policer_classify_set_interface = 0xde7ad708 {
        sw_if_index: interface_index,
        ip4_table_index: u32,
        ip6_table_index: u32,
        l2_table_index: u32,
        is_add: bool,
    }
        -> policer_classify_set_interface_reply = 0xe8d4e804 {};
    dump policer_classify_dump = 0x56cbb5fb { r#type: policer_classify_table, sw_if_index: interface_index }
        -> policer_classify_details = 0xdfd08765 { sw_if_index: interface_index, table_index: u32 };
    call classify_table_ids = 0x51077d14 {}
        -> classify_table_ids_reply = 0xd1d20e1d { ids: [u32 by count: u32] };
    call classify_table_by_interface = 0xf9e6675e { sw_if_index: interface_index }
        -> classify_table_by_interface_reply = 0xed4197db { sw_if_index: interface_index, l2_table_id: u32, ip4_table_id: u32, ip6_table_id: u32 };
    call classify_table_info = 0x0cca2cd9 { table_id: u32 }
        -> classify_table_info_reply = 0x4a573c0e {
        table_id: u32,
        nbuckets: u32,
        match_n_vectors: u32,
        skip_n_vectors: u32,
        active_sessions: u32,
        next_table_index: u32,
        miss_next_index: u32,
        mask: [u8 by mask_length: u32],
    };
    dump classify_session_dump = 0x0cca2cd9 { table_id: u32 }
        -> classify_session_details = 0x60e3ef94 {
        retval: i32,
        table_id: u32,
        hit_next_index: u32,
        advance: i32,
        opaque_index: u32,
        r#match: [u8 by match_length: u32],
    };
    call flow_classify_set_interface = 0xb6192f1c {
        sw_if_index: interface_index,
        ip4_table_index: u32,
        ip6_table_index: u32,
        is_add: bool,
    }
        -> flow_classify_set_interface_reply = 0xe8d4e804 {};
    dump flow_classify_dump = 0x25dd3e4c { r#type: flow_classify_table, sw_if_index: interface_index }
        -> flow_classify_details = 0xdfd08765 { sw_if_index: interface_index, table_index: u32 };
    call classify_set_interface_ip_table = 0xe0b097c7 { is_ipv6: bool, sw_if_index: interface_index, table_index: u32 }
        -> classify_set_interface_ip_table_reply = 0xe8d4e804 {};
    call classify_set_interface_l2_tables = 0x5a6ddf65 {
        sw_if_index: interface_index,
        ip4_table_index: u32,
        ip6_table_index: u32,
        other_table_index: u32,
        is_input: bool,
    }
        -> classify_set_interface_l2_tables_reply = 0xe8d4e804 {};
    call input_acl_set_interface = 0xde7ad708 {
        sw_if_index: interface_index,
        ip4_table_index: u32,
        ip6_table_index: u32,
        l2_table_index: u32,
        is_add: bool,
    }
        -> input_acl_set_interface_reply = 0xe8d4e804 {};
    call punt_acl_add_del = 0xa93bf3a0 {
        ip4_table_index: u32 = 4294967295,
        ip6_table_index: u32 = 4294967295,
        is_add: bool = true,
    }
        -> punt_acl_add_del_reply = 0xe8d4e804 {};
    call punt_acl_get = 0x51077d14 {}
        -> punt_acl_get_reply = 0x8409b9dd { ip4_table_index: u32, ip6_table_index: u32 };
    call output_acl_set_interface = 0xde7ad708 {
        sw_if_index: interface_index,
        ip4_table_index: u32,
        ip6_table_index: u32,
        l2_table_index: u32,
        is_add: bool,
    }
        -> output_acl_set_interface_reply = 0xe8d4e804 {};
    call classify_pcap_lookup_table = 0xe1b4cc6b {
        sw_if_index: interface_index = 4294967295,
        skip_n_vectors: u32 = 0,
        match_n_vectors: u32 = 1,
        mask: [u8 by mask_len: u32],
    }
        -> classify_pcap_lookup_table_reply = 0x9c6c6773 { table_index: u32 };
    call classify_pcap_set_table = 0x006051b3 { sw_if_index: interface_index, table_index: u32 = 4294967295, sort_masks: bool = false }
        -> classify_pcap_set_table_reply = 0x9c6c6773 { table_index: u32 };
    call classify_pcap_get_tables = 0xf9e6675e { sw_if_index: interface_index }
        -> classify_pcap_get_tables_reply = 0x5f5bc9e6 { indices: [u32 by count: u32] };
    call classify_trace_lookup_table = 0x3f7b72e4 { skip_n_vectors: u32 = 0, match_n_vectors: u32 = 1, mask: [u8 by mask_len: u32] }
        -> classify_trace_lookup_table_reply = 0x9c6c6773 { table_index: u32 };
    call classify_trace_set_table = 0x3909b55a { table_index: u32 = 4294967295, sort_masks: bool = false }
        -> classify_trace_set_table_reply = 0x9c6c6773 { table_index: u32 };
    call classify_trace_get_tables = 0x51077d14 {}
        -> classify_trace_get_tables_reply = 0x5f5bc9e6 { indices: [u32 by count: u32] };
}
