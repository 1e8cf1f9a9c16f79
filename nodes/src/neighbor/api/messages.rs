//! The messages of `ip_neighbor.api`.

use vnet::api::{
    ethernet_types::mac_address,
    interface_types::interface_index,
    ip_types::{address, address_family},
};

vnet::api! {
    /// The file `ip_neighbor.api`.
    file IP_NEIGHBOR = "ip_neighbor", [1, 0, 1], 0x36db39bd;
    enum ip_neighbor_flags: u8 {
        IP_API_NEIGHBOR_FLAG_NONE = 0,
        IP_API_NEIGHBOR_FLAG_STATIC = 1,
        IP_API_NEIGHBOR_FLAG_NO_FIB_ENTRY = 2,
    };
    enum ip_neighbor_event_flags: u32 {
        IP_NEIGHBOR_API_EVENT_FLAG_ADDED = 1,
        IP_NEIGHBOR_API_EVENT_FLAG_REMOVED = 2,
    };
    record ip_neighbor {
        sw_if_index: interface_index,
        flags: ip_neighbor_flags,
        mac_address: mac_address,
        ip_address: address,
    };
    call ip_neighbor_add_del = 0x0607c257 { is_add: bool, neighbor: ip_neighbor }
        -> ip_neighbor_add_del_reply = 0x1992deab { stats_index: u32 };
    dump ip_neighbor_dump = 0xd817a484 { sw_if_index: interface_index = 4294967295, af: address_family }
        -> ip_neighbor_details = 0xe29d79f0 { age: f64, neighbor: ip_neighbor };
    call ip_neighbor_config = 0xf4a5cf44 { af: address_family, max_number: u32, max_age: u32, recycle: bool }
        -> ip_neighbor_config_reply = 0xe8d4e804 {};
    call ip_neighbor_config_get = 0xa5db7bf7 { af: address_family }
        -> ip_neighbor_config_get_reply = 0x798e6fdd { af: address_family, max_number: u32, max_age: u32, recycle: bool };
    call ip_neighbor_replace_begin = 0x51077d14 {}
        -> ip_neighbor_replace_begin_reply = 0xe8d4e804 {};
    call ip_neighbor_replace_end = 0x51077d14 {}
        -> ip_neighbor_replace_end_reply = 0xe8d4e804 {};
    call ip_neighbor_flush = 0x16aa35d2 { af: address_family, sw_if_index: interface_index = 4294967295 }
        -> ip_neighbor_flush_reply = 0xe8d4e804 {};
    call want_ip_neighbor_events = 0x73e70a86 { enable: bool, pid: u32, ip: address, sw_if_index: interface_index = 4294967295 }
        -> want_ip_neighbor_events_reply = 0xe8d4e804 {}
        events [ip_neighbor_event];
    event ip_neighbor_event = 0xbdb092b2 { neighbor: ip_neighbor };
    call want_ip_neighbor_events_v2 = 0x73e70a86 { enable: bool, pid: u32, ip: address, sw_if_index: interface_index = 4294967295 }
        -> want_ip_neighbor_events_v2_reply = 0xe8d4e804 {}
        events [ip_neighbor_event_v2];
    event ip_neighbor_event_v2 = 0xc1d53dc0 { flags: ip_neighbor_event_flags, neighbor: ip_neighbor };
}
