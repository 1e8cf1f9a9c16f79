//! The messages of `ip6_nd.api`.

use vnet::api::{
    interface_types::interface_index,
    ip_types::{ip6_address, prefix},
};

vnet::api! {
    /// The file `ip6_nd.api`.
    file IP6_ND = "ip6_nd", [1, 1, 0], 0x5f19a809;
    record ip6nd_ra_prefix {
        prefix: prefix,
        onlink_flag: bool,
        autonomous_flag: bool,
        val_lifetime: u32,
        pref_lifetime: u32,
        valid_lifetime_expires: f64,
        pref_lifetime_expires: f64,
        decrement_lifetime_flag: bool,
        no_advertise: bool,
    };
    record ip6_ra_prefix_info { prefix: prefix, flags: u8, valid_time: u32, preferred_time: u32 };
    call sw_interface_ip6nd_ra_config = 0x3eb00b1c {
        sw_if_index: interface_index,
        suppress: u8,
        managed: u8,
        other: u8,
        ll_option: u8,
        send_unicast: u8,
        cease: u8,
        is_no: bool,
        default_router: u8,
        max_interval: u32,
        min_interval: u32,
        lifetime: u32,
        initial_count: u32,
        initial_interval: u32,
    }
        -> sw_interface_ip6nd_ra_config_reply = 0xe8d4e804 {};
    call sw_interface_ip6nd_ra_prefix = 0x82cc1b28 {
        sw_if_index: interface_index,
        prefix: prefix,
        use_default: bool,
        no_advertise: bool,
        off_link: bool,
        no_autoconfig: bool,
        no_onlink: bool,
        is_no: bool,
        val_lifetime: u32,
        pref_lifetime: u32,
    }
        -> sw_interface_ip6nd_ra_prefix_reply = 0xe8d4e804 {};
    dump sw_interface_ip6nd_ra_dump = 0xf9e6675e { sw_if_index: interface_index }
        -> sw_interface_ip6nd_ra_details = 0xd3198de5 {
        sw_if_index: interface_index,
        cur_hop_limit: u8,
        adv_managed_flag: bool,
        adv_other_flag: bool,
        adv_router_lifetime: u16,
        adv_neighbor_reachable_time: u32,
        adv_retransmit_interval: u32,
        adv_link_mtu: u32,
        send_radv: bool,
        cease_radv: bool,
        send_unicast: bool,
        adv_link_layer_address: bool,
        max_radv_interval: f64,
        min_radv_interval: f64,
        last_radv_time: f64,
        last_multicast_time: f64,
        next_multicast_time: f64,
        initial_adverts_count: u32,
        initial_adverts_interval: f64,
        initial_adverts_sent: bool,
        n_advertisements_sent: u32,
        n_solicitations_rcvd: u32,
        n_solicitations_dropped: u32,
        prefixes: [ip6nd_ra_prefix by n_prefixes: u32],
    };
    call ip6nd_proxy_enable_disable = 0x7daa1e3a { sw_if_index: interface_index, is_enable: bool }
        -> ip6nd_proxy_enable_disable_reply = 0xe8d4e804 {};
    call ip6nd_proxy_add_del = 0xc2e4a686 { sw_if_index: interface_index, is_add: bool, ip: ip6_address }
        -> ip6nd_proxy_add_del_reply = 0xe8d4e804 {};
    dump ip6nd_proxy_dump = 0x51077d14 {}
        -> ip6nd_proxy_details = 0x30b9ff4a { sw_if_index: interface_index, ip: ip6_address };
    call ip6nd_send_router_solicitation = 0xe5de609c { irt: u32, mrt: u32, mrc: u32, mrd: u32, sw_if_index: interface_index, stop: bool }
        -> ip6nd_send_router_solicitation_reply = 0xe8d4e804 {};
    call want_ip6_ra_events = 0x3ec6d6c2 { enable: bool, pid: u32 }
        -> want_ip6_ra_events_reply = 0xe8d4e804 {}
        events [ip6_ra_event];
    event ip6_ra_event = 0x0364c1c5 {
        sw_if_index: interface_index,
        router_addr: ip6_address,
        current_hop_limit: u8,
        flags: u8,
        router_lifetime_in_sec: u16,
        neighbor_reachable_time_in_msec: u32,
        time_in_msec_between_retransmitted_neighbor_solicitations: u32,
        prefixes: [ip6_ra_prefix_info by n_prefixes: u32],
    };
}
