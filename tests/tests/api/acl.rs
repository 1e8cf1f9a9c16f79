//! Access lists. Expectations are those of VPP's `test_acl_plugin.py`, beside the commands.

use std::net::IpAddr;

use acl::api::*;
use peloton_tests::api::ApiClient;
use vnet::{api::ip_types::ip_proto, plugin::Engine};

const NONE: u32 = u32::MAX;

fn with_interfaces() -> Engine {
    let engine = super::engine();
    engine.command("create packet-generator interface pg0").unwrap();
    engine.command("create packet-generator interface pg1").unwrap();
    engine
}

fn prefix(text: &str, length: u8) -> vnet::api::ip_types::prefix {
    (text.parse::<IpAddr>().unwrap(), length).into()
}

fn rule() -> acl_rule {
    acl_rule {
        is_permit: acl_action::ACL_ACTION_API_PERMIT,
        src_prefix: prefix("10.0.0.0", 8),
        dst_prefix: prefix("0.0.0.0", 0),
        proto: ip_proto::IP_API_PROTO_UDP,
        srcport_or_icmptype_first: 0,
        srcport_or_icmptype_last: 65535,
        dstport_or_icmpcode_first: 53,
        dstport_or_icmpcode_last: 53,
        tcp_flags_mask: 0,
        tcp_flags_value: 0,
    }
}

fn list(acl_index: u32, r: Vec<acl_rule>) -> acl_add_replace {
    acl_add_replace { acl_index, tag: "a list".into(), r }
}

#[test]
fn a_list_is_that_of_the_command_and_comes_back() {
    let engine = with_interfaces();
    let client = ApiClient::new(&engine);
    let added = client.ask(&list(NONE, vec![rule()]));
    assert_eq!(added, acl_add_replace_reply { acl_index: 0, retval: 0 });
    let by_api = engine.command("show acl-plugin acl").unwrap();
    let line =
        "set acl-plugin acl index 0 permit src 10.0.0.0/8 dst 0.0.0.0/0 proto udp dport 53 tag a";
    engine.command(line).unwrap();
    let by_command = engine.command("show acl-plugin acl").unwrap();
    assert_eq!(by_api.replace("{a list}", "{a}"), by_command);
    assert_eq!(client.ask(&list(0, vec![rule(), rule()])).retval, 0);
    let told = client.dump(&acl_dump { acl_index: NONE });
    let expected = acl_details { acl_index: 0, tag: "a list".into(), r: vec![rule(), rule()] };
    assert_eq!(told, [expected]);
    assert_eq!(client.dump(&acl_dump { acl_index: 0 }), told);
    assert_eq!(client.dump(&acl_dump { acl_index: 1 }), []);
    client.call(&acl_del { acl_index: 0 }).unwrap();
    assert_eq!(client.call(&acl_del { acl_index: 0 }), Err(-6));
}

#[test]
fn what_is_no_rule_is_refused_with_vpps_number() {
    let engine = with_interfaces();
    let client = ApiClient::new(&engine);
    let wrong = [
        (-57, acl_rule { src_prefix: prefix("10.0.0.0", 33), ..rule() }),
        (-58, acl_rule { dst_prefix: prefix("10.0.0.0", 33), ..rule() }),
        (-57, acl_rule { dst_prefix: prefix("2001:db8::", 32), ..rule() }),
        (-8, acl_rule { dstport_or_icmpcode_first: 54, ..rule() }),
        (-7, acl_rule { is_permit: acl_action(3), ..rule() }),
    ];
    for (number, rule) in wrong {
        let refused = client.ask(&list(NONE, vec![rule.clone()]));
        assert_eq!(refused, acl_add_replace_reply { acl_index: NONE, retval: number }, "{rule:?}");
    }
    assert_eq!(client.ask(&list(7, vec![rule()])).retval, -6);
    assert_eq!(client.dump(&acl_dump { acl_index: NONE }), []);
    // A message that ends too early is told so where its reply has the number.
    let cut = client.send::<acl_add_replace>(&[0, 0, 0, 1]);
    assert_eq!(cut.len(), 1);
}

#[test]
fn interfaces_have_lists_in_order() {
    let engine = with_interfaces();
    let client = ApiClient::new(&engine);
    for _ in 0..3 {
        client.ask(&list(NONE, vec![rule()]));
    }
    let give = |is_add, is_input, acl_index| acl_interface_add_del {
        is_add,
        is_input,
        sw_if_index: 1,
        acl_index,
    };
    client.call(&give(true, true, 1)).unwrap();
    client.call(&give(true, true, 0)).unwrap();
    client.call(&give(true, false, 2)).unwrap();
    let of = |sw_if_index| client.dump(&acl_interface_list_dump { sw_if_index });
    let told = acl_interface_list_details { sw_if_index: 1, acls: (2, vec![1, 0, 2]) };
    assert_eq!(of(1), [told]);
    // All interfaces, also such as have none.
    assert_eq!(of(NONE).len(), 3);
    assert_eq!(of(99), []);
    assert!(engine.command("show acl-plugin interface").unwrap().contains("1, 0"));
    assert_eq!(client.call(&give(true, true, 1)), Err(-142));
    assert_eq!(client.call(&give(true, false, 2)), Err(-143));
    assert_eq!(client.call(&give(true, true, 9)), Err(-6));
    assert_eq!(client.call(&give(false, false, 0)), Err(-6));
    assert_eq!(
        client.call(&acl_interface_add_del { sw_if_index: 99, ..give(true, true, 0) }),
        Err(-2)
    );
    assert_eq!(client.call(&acl_del { acl_index: 0 }), Err(-142));
    assert_eq!(client.call(&acl_del { acl_index: 2 }), Err(-143));
    let set = |n_input, acls: &[u32]| acl_interface_set_acl_list {
        sw_if_index: 1,
        acls: (n_input, acls.to_vec()),
    };
    assert_eq!(client.call(&set(2, &[0, 0])), Err(-116));
    assert_eq!(client.call(&set(1, &[0, 9])), Err(-6));
    client.call(&set(1, &[2, 1, 0])).unwrap();
    let told = acl_interface_list_details { sw_if_index: 1, acls: (1, vec![2, 1, 0]) };
    assert_eq!(of(1), [told]);
    client.call(&set(0, &[])).unwrap();
    client.call(&acl_del { acl_index: 2 }).unwrap();
}

#[test]
fn macip_lists_are_replaced_where_they_are() {
    let engine = with_interfaces();
    let client = ApiClient::new(&engine);
    let rule = macip_acl_rule {
        is_permit: acl_action::ACL_ACTION_API_PERMIT,
        src_mac: [2, 0, 0, 0, 0, 1],
        src_mac_mask: [0xff; 6],
        src_prefix: prefix("10.0.0.1", 32),
    };
    let add = macip_acl_add { tag: "m".into(), r: vec![rule.clone()] };
    assert_eq!(client.ask(&add), macip_acl_add_reply { acl_index: 0, retval: 0 });
    let by_api = engine.command("show acl-plugin macip acl").unwrap();
    engine.command("set acl-plugin macip acl permit ip 10.0.0.1/32 mac 02:00:00:00:00:01 mask ff:ff:ff:ff:ff:ff tag m").unwrap();
    let both = engine.command("show acl-plugin macip acl").unwrap();
    assert_eq!(both, format!("{by_api}{}", by_api.replace("acl_index: 0", "acl_index: 1")));
    let give =
        |is_add, acl_index| macip_acl_interface_add_del { is_add, sw_if_index: 1, acl_index };
    client.call(&give(true, 0)).unwrap();
    let replace = |acl_index, r| macip_acl_add_replace { acl_index, tag: "n".into(), r };
    assert_eq!(client.ask(&replace(0, vec![rule.clone(), rule.clone()])).retval, 0);
    assert_eq!(client.ask(&replace(9, vec![])).retval, -6);
    let bad = macip_acl_rule { is_permit: acl_action(2), ..rule.clone() };
    assert_eq!(client.ask(&replace(0, vec![bad])).retval, -7);
    let told = client.dump(&macip_acl_dump { acl_index: 0 });
    assert_eq!(
        told,
        [macip_acl_details { acl_index: 0, tag: "n".into(), r: vec![rule.clone(), rule] }]
    );
    assert_eq!(client.dump(&macip_acl_dump { acl_index: NONE }).len(), 2);
    // Another list takes the place of the one that is there.
    client.call(&give(true, 1)).unwrap();
    assert_eq!(client.ask(&macip_acl_interface_get {}).acls, [NONE, 1]);
    let of = |sw_if_index| client.dump(&macip_acl_interface_list_dump { sw_if_index });
    assert_eq!(of(NONE), [macip_acl_interface_list_details { sw_if_index: 1, acls: vec![1] }]);
    assert_eq!(of(0), []);
    assert_eq!(client.call(&give(true, 9)), Err(-6));
    client.call(&give(false, 1)).unwrap();
    assert_eq!(client.call(&give(false, 1)), Err(-6));
    // A list that goes is taken from interfaces.
    client.call(&give(true, 0)).unwrap();
    client.call(&macip_acl_del { acl_index: 0 }).unwrap();
    assert_eq!(of(NONE), []);
    assert_eq!(client.call(&macip_acl_del { acl_index: 0 }), Err(-6));
}

#[test]
fn the_plugin_tells_what_it_is() {
    let engine = with_interfaces();
    let client = ApiClient::new(&engine);
    let version = client.ask(&acl_plugin_get_version {});
    assert_eq!((version.major, version.minor), (1, 4));
    let ping = client.call(&acl_plugin_control_ping {}).unwrap();
    assert_eq!(ping.vpe_pid, std::process::id());
    engine.command("set acl-plugin session table max-entries 1000").unwrap();
    let entries = client.ask(&acl_plugin_get_conn_table_max_entries {});
    assert_eq!(entries.conn_table_max_entries, 1000);
    client.call(&acl_stats_intf_counters_enable { enable: true }).unwrap();
    assert_eq!(client.call(&acl_stats_intf_counters_enable { enable: false }), Err(-126));
    client.call(&acl_plugin_use_hash_lookup_set { enable: true }).unwrap();
    assert!(client.ask(&acl_plugin_use_hash_lookup_get {}).enable);
    let whitelist = acl_interface_set_etype_whitelist { sw_if_index: 1, ..Default::default() };
    assert_eq!(client.call(&whitelist), Err(-9));
}
