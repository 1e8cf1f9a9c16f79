//! Messages about interfaces: what they answer is what the commands show.

use peloton_tests::api::ApiClient;
use vnet::{
    api::{
        interface_types::{if_status_flags, if_type, link_duplex, rx_mode, sub_if_flags},
        ip_types::prefix,
    },
    fib::api::sw_interface_ip4_enable_disable,
    interface::api::*,
    plugin::Engine,
};

use super::{
    engine,
    twins::{Twins, index},
};

const NONE: u32 = u32::MAX;

/// An engine with these commands run.
fn after(script: &str) -> Engine {
    let engine = engine();
    for line in script.lines() {
        engine.command(line.trim()).unwrap();
    }
    engine
}

fn all(client: &ApiClient<'_>) -> Vec<sw_interface_details> {
    client.dump(&sw_interface_dump { sw_if_index: NONE, ..Default::default() })
}

fn one(client: &ApiClient<'_>, sw_if_index: u32) -> sw_interface_details {
    let found = client.dump(&sw_interface_dump { sw_if_index, ..Default::default() });
    let [one] = found.as_slice() else { panic!("{found:?}") };
    one.clone()
}

#[test]
fn details_have_what_was_ordered_of_an_interface() {
    let engine = after(
        "create packet-generator interface pg0
         create sub-interfaces pg0 5 dot1ad 100 inner-dot1q 200 exact-match
         set interface mac address pg0 02:00:00:00:00:07
         set interface mtu 1500 pg0
         set interface mtu ip4 1400 pg0
         set interface tag pg0 uplink
         set interface state pg0 up
         set interface l2 bridge pg0.5 7
         set interface l2 tag-rewrite pg0.5 translate 2-1 dot1q 9",
    );
    let client = ApiClient::new(&engine);
    let local = all(&client).swap_remove(0);
    assert_eq!(
        (local.interface_name.as_str(), local.interface_dev_type.as_str()),
        ("local0", "local")
    );
    assert_eq!((local.flags.0, local.link_mtu, local.mtu), (0, 0, [0; 4]));
    let both =
        if_status_flags::IF_STATUS_API_FLAG_ADMIN_UP | if_status_flags::IF_STATUS_API_FLAG_LINK_UP;
    let expected = sw_interface_details {
        sw_if_index: 1,
        sup_sw_if_index: 1,
        l2_address: [2, 0, 0, 0, 0, 7],
        flags: both,
        r#type: if_type::IF_API_TYPE_HARDWARE,
        link_duplex: link_duplex::LINK_DUPLEX_API_FULL,
        link_mtu: 1500,
        mtu: [1500, 1400, 0, 0],
        interface_name: "pg0".into(),
        interface_dev_type: "pg".into(),
        tag: "uplink".into(),
        ..Default::default()
    };
    assert_eq!(one(&client, 1), expected);
    let sub = sw_interface_details {
        sw_if_index: 2,
        sup_sw_if_index: 1,
        flags: if_status_flags::IF_STATUS_API_FLAG_LINK_UP,
        r#type: if_type::IF_API_TYPE_SUB,
        link_duplex: link_duplex::LINK_DUPLEX_API_FULL,
        link_mtu: 1500,
        mtu: [1500, 0, 0, 0],
        sub_id: 5,
        sub_number_of_tags: 2,
        sub_outer_vlan_id: 100,
        sub_inner_vlan_id: 200,
        // Two tags, 802.1ad, exact.
        sub_if_flags: sub_if_flags(4 | 8 | 16),
        // Two tags become one 802.1Q tag.
        vtr_op: 7,
        vtr_push_dot1q: 1,
        vtr_tag1: 9,
        interface_name: "pg0.5".into(),
        interface_dev_type: "pg".into(),
        ..Default::default()
    };
    assert_eq!(one(&client, 2), sub);
}

#[test]
fn interfaces_are_found_by_index_and_by_a_part_of_their_names() {
    let engine = engine();
    for n in 0..600 {
        engine.command(&format!("create loopback interface instance {n}")).unwrap();
    }
    engine.command("create packet-generator interface pg0").unwrap();
    let client = ApiClient::new(&engine);
    // Parts of 256 lose none.
    let indices: Vec<_> = all(&client).iter().map(|known| known.sw_if_index).collect();
    assert_eq!(indices, (0..602).collect::<Vec<_>>());
    // 0, which clients send that leave it out, is all of them, too.
    assert_eq!(client.dump(&sw_interface_dump::default()).len(), 602);
    let named = |text: &str, sw_if_index| {
        let (name_filter_valid, name_filter) = (true, text.to_owned());
        let found = client.dump(&sw_interface_dump { sw_if_index, name_filter_valid, name_filter });
        found.into_iter().map(|known| known.interface_name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(named("OOP59", NONE).len(), 11);
    assert_eq!(named("pg", 7), ["pg0"], "a filter goes before an index");
    assert_eq!(named("none such", NONE).len(), 0);
    assert_eq!(client.dump(&sw_interface_dump { sw_if_index: 602, ..Default::default() }), []);
}

#[test]
fn sub_interfaces_are_the_same_by_flags_and_by_words() {
    let words = [
        (2 | 16, 7, 0, "dot1q 7 exact-match"),
        (2 | 16 | 8, 7, 0, "dot1ad 7 exact-match"),
        (2, 8, 0, "dot1q 8"),
        (2 | 64, 0, 0, "dot1q any"),
        (4 | 16, 9, 4095, "dot1q 9 inner-dot1q 4095 exact-match"),
        (4 | 128, 10, 0, "dot1q 10 inner-dot1q any"),
        (4 | 8 | 16, 11, 12, "dot1ad 11 inner-dot1q 12 exact-match"),
        (1 | 16, 0, 0, "untagged"),
        (32, 0, 0, "default"),
    ];
    let engine = after(
        "create packet-generator interface pg0
         create packet-generator interface pg1",
    );
    let client = ApiClient::new(&engine);
    for (sub_id, (flags, outer_vlan_id, inner_vlan_id, words)) in (1..).zip(words) {
        let made = client.call(&create_subif {
            sw_if_index: 1,
            sub_id,
            sub_if_flags: sub_if_flags(flags),
            outer_vlan_id,
            inner_vlan_id,
        });
        let ours = one(&client, made.unwrap().sw_if_index);
        engine.command(&format!("create sub-interfaces pg1 {sub_id} {words}")).unwrap();
        let theirs = one(&client, all(&client).len() as u32 - 1);
        assert_eq!(ours.sub_if_flags.0, flags, "{words}");
        let of = |made: &sw_interface_details| {
            let tags = (made.sub_outer_vlan_id, made.sub_inner_vlan_id, made.sub_number_of_tags);
            (made.sub_id, made.sub_if_flags, tags, made.mtu, made.r#type)
        };
        assert_eq!(of(&ours), of(&theirs), "{words}");
        assert_eq!(ours.interface_name.to_string(), format!("pg0.{sub_id}"));
    }
    let create = |sw_if_index, sub_id, flags, outer_vlan_id| {
        client.call(&create_subif {
            sw_if_index,
            sub_id,
            sub_if_flags: sub_if_flags(flags),
            outer_vlan_id,
            inner_vlan_id: 0,
        })
    };
    assert_eq!(create(99, 50, 2, 50), Err(-2));
    assert_eq!(create(0, 50, 2, 50), Err(-2));
    assert_eq!(create(1, 1, 2, 50), Err(-56), "the id is taken");
    assert_eq!(create(1, 50, 2 | 16, 7), Err(-56), "the tags are");
    assert_eq!(create(1, 50, 2, 4096), Err(-55));
    assert_eq!(create(1, 50, 2 | 4, 50), Err(-72));
    assert_eq!(create(3, 50, 2, 50), Err(-71), "below a sub-interface");
    let made = client.call(&create_vlan_subif { sw_if_index: 3, vlan_id: 99 }).unwrap().sw_if_index;
    let made = one(&client, made);
    assert_eq!((made.interface_name.as_str(), made.sub_if_flags.0), ("pg0.99", 2 | 16));
    let vlan = |sw_if_index, vlan_id| client.call(&create_vlan_subif { sw_if_index, vlan_id });
    assert_eq!(
        [vlan(1, 0), vlan(1, 4096), vlan(1, 99), vlan(99, 9)].map(Result::unwrap_err),
        [-55, -55, -56, -2]
    );
    let delete = |sw_if_index| client.call(&delete_subif { sw_if_index });
    assert!(delete(made.sw_if_index).is_ok());
    assert_eq!(
        [delete(made.sw_if_index), delete(1), delete(0)].map(Result::unwrap_err),
        [-2, -98, -98]
    );
}

#[test]
fn loopback_interfaces_and_bvis_come_with_numbers_and_addresses_and_go() {
    let engine = engine();
    let client = ApiClient::new(&engine);
    let name = |sw_if_index| {
        let made = one(&client, sw_if_index);
        (made.interface_name.to_string(), made.l2_address, made.interface_dev_type.to_string())
    };
    let made = client.call(&create_loopback::default()).unwrap().sw_if_index;
    assert_eq!(name(made), ("loop0".into(), [0xde, 0xad, 0, 0, 0, 0], "Loopback".into()));
    let instance = |is_specified, user_instance, mac_address| {
        client.call(&create_loopback_instance { mac_address, is_specified, user_instance })
    };
    let given = instance(true, 16383, [2, 0, 0, 0, 0, 1]).unwrap().sw_if_index;
    assert_eq!(name(given), ("loop16383".into(), [2, 0, 0, 0, 0, 1], "Loopback".into()));
    assert_eq!(instance(true, 16383, [0; 6]), Err(-31));
    assert_eq!(instance(true, 16384, [0; 6]), Err(-31));
    assert_eq!(name(instance(false, 9, [0; 6]).unwrap().sw_if_index).0, "loop1");
    use vnet::l2::api::{bvi_create, bvi_delete};
    let bvi = |user_instance| client.call(&bvi_create { mac: [0; 6], user_instance });
    let first = bvi(NONE).unwrap().sw_if_index;
    assert_eq!(name(first), ("bvi0".into(), [0xb0, 0xb0, 0, 0, 0, 0], "BVI".into()));
    assert_eq!(bvi(0), Err(-31));
    let delete = |sw_if_index| client.call(&delete_loopback { sw_if_index });
    assert_eq!([delete(0), delete(first), delete(99)].map(Result::unwrap_err), [-2; 3]);
    assert_eq!(client.call(&bvi_delete { sw_if_index: made }), Err(-2));
    assert!(delete(made).is_ok() && client.call(&bvi_delete { sw_if_index: first }).is_ok());
    let left: Vec<_> = all(&client).iter().map(|i| i.interface_name.to_string()).collect();
    assert_eq!(left, ["local0", "loop16383", "loop1"]);
}

#[test]
fn what_is_set_by_messages_is_what_commands_show() {
    let engine = after(
        "create packet-generator interface pg0
         create sub-interfaces pg0 5
         create gre tunnel src 10.0.0.1 dst 10.0.0.2",
    );
    let client = ApiClient::new(&engine);
    let (pg, sub, gre) = (1, 2, 3);
    let up = if_status_flags::IF_STATUS_API_FLAG_ADMIN_UP;
    let flags = |sw_if_index, flags| client.call(&sw_interface_set_flags { sw_if_index, flags });
    assert_eq!(flags(sub, up), Err(-1), "below an interface that is down");
    assert!(flags(pg, up).is_ok() && flags(sub, up).is_ok());
    assert_eq!([flags(0, up), flags(99, up)].map(Result::unwrap_err), [-2, -2]);
    let promisc =
        |sw_if_index| client.call(&sw_interface_set_promisc { sw_if_index, promisc_on: true });
    assert!(promisc(pg).is_ok());
    assert_eq!([promisc(gre), promisc(0), promisc(99)].map(Result::unwrap_err), [-7, -7, -2]);
    let device = |sw_if_index, mtu| client.call(&hw_interface_set_mtu { sw_if_index, mtu });
    assert!(device(pg, 1500).is_ok());
    let wrong = [device(pg, 65535), device(sub, 1500), device(gre, 1500), device(99, 1500)];
    assert_eq!(wrong.map(Result::unwrap_err), [-7, -7, -30, -2]);
    let mtus = |sw_if_index, mtu| client.call(&sw_interface_set_mtu { sw_if_index, mtu });
    assert!(mtus(sub, [1400, 1300, 1200, 1100]).is_ok());
    assert_eq!(mtus(sub, [100, 100, 100, 9999]), Err(-7));
    assert_eq!(mtus(99, [0; 4]), Err(-2));
    let shown = engine.command("show interface pg0 pg0.5").unwrap();
    for (name, columns) in [("pg0 ", "up 1500/0/0/0"), ("pg0.5 ", "up 1400/1300/1200/1100")] {
        let line = shown.lines().find(|line| line.starts_with(name)).expect(name);
        let words: Vec<_> = line.split_whitespace().skip(2).take(2).collect();
        assert_eq!(words.join(" "), columns, "{shown}");
    }
    let mac = |sw_if_index, mac_address| {
        client.call(&sw_interface_set_mac_address { sw_if_index, mac_address })
    };
    assert!(mac(sub, [2, 0, 0, 0, 0, 9]).is_ok(), "that of the interface above");
    let wrong = [mac(pg, [1; 6]), mac(gre, [2; 6]), mac(0, [2; 6]), mac(99, [2; 6])];
    assert_eq!(wrong.map(Result::unwrap_err), [-9, -9, -9, -2]);
    let get = |sw_if_index| {
        client.call(&sw_interface_get_mac_address { sw_if_index }).map(|reply| reply.mac_address)
    };
    assert_eq!(
        [get(pg), get(sub), get(gre)],
        [Ok([2, 0, 0, 0, 0, 9]), Ok([2, 0, 0, 0, 0, 9]), Ok([0; 6])]
    );
    assert_eq!(get(99), Err(-2));
    let tag = |is_add, sw_if_index, tag: &str| {
        client.call(&sw_interface_tag_add_del { is_add, sw_if_index, tag: tag.into() })
    };
    assert!(tag(true, sub, "customer 7").is_ok());
    assert_eq!(engine.command("show interface tag pg0.5").unwrap(), "pg0.5: customer 7\n");
    assert_eq!([tag(true, sub, ""), tag(true, 99, "x")].map(Result::unwrap_err), [-7, -2]);
    assert!(tag(false, sub, "").is_ok());
    assert_eq!(engine.command("show interface tag pg0.5").unwrap(), "pg0.5: (none)\n");
    let rename = |sw_if_index, name: &str| {
        client.call(&sw_interface_set_interface_name { sw_if_index, name: name.into() })
    };
    assert!(rename(pg, "lan").is_ok());
    assert_eq!(one(&client, sub).interface_name.as_str(), "lan.5");
    assert_eq!(
        [rename(pg, ""), rename(pg, "local0"), rename(99, "x")].map(Result::unwrap_err),
        [-7, -2, -2]
    );
    let renumber = interface_name_renumber { sw_if_index: pg, new_show_dev_instance: 7 };
    assert_eq!(client.call(&renumber), Err(-9), "as in VPP for all devices that are here");
}

#[test]
fn counters_begin_anew_for_one_interface_or_for_all() {
    let engine =
        after("create packet-generator interface pg0\ncreate packet-generator interface pg1");
    let client = ApiClient::new(&engine);
    let count = || {
        engine.with(|main| {
            main.interface_writers().drops.add(1, 5);
            main.interface_writers().drops.add(2, 6);
        });
    };
    let drops =
        || [1, 2].map(|index| engine.with(|main| main.interface_counters().drops.sum(index)));
    count();
    assert_eq!(drops(), [5, 6]);
    assert!(client.call(&sw_interface_clear_stats { sw_if_index: 1 }).is_ok());
    assert_eq!(drops(), [0, 6]);
    count();
    assert!(client.call(&sw_interface_clear_stats { sw_if_index: NONE }).is_ok());
    assert_eq!(drops(), [0, 0]);
    assert_eq!(client.call(&sw_interface_clear_stats { sw_if_index: 99 }), Err(-2));
}

fn address(text: &str) -> prefix {
    let (address, length) = text.split_once('/').unwrap();
    (address.parse::<std::net::IpAddr>().unwrap(), length.parse::<u8>().unwrap()).into()
}

#[test]
fn addresses_come_go_and_are_replaced_without_a_gap() {
    let engine =
        after("create packet-generator interface pg0\ncreate packet-generator interface pg1");
    let client = ApiClient::new(&engine);
    let change = |sw_if_index, is_add, del_all, text| {
        let prefix = address(text);
        client.call(&sw_interface_add_del_address { sw_if_index, is_add, del_all, prefix })
    };
    let add = |sw_if_index, text| change(sw_if_index, true, false, text);
    let shown = || {
        let shown = engine.command("show interface addr pg0").unwrap();
        shown
            .lines()
            .filter_map(|line| Some(line.strip_prefix("  L3 ")?.to_owned()))
            .collect::<Vec<_>>()
    };
    for text in ["10.0.0.1/24", "10.0.0.2/24", "2001:db8::1/64"] {
        assert!(add(1, text).is_ok());
    }
    assert_eq!(shown(), ["10.0.0.1/24", "10.0.0.2/24", "2001:db8::1/64"]);
    let wrong = [
        add(1, "10.0.0.1/24"),
        add(2, "10.0.0.9/25"),
        add(1, "10.9.0.1/33"),
        add(0, "10.9.0.1/24"),
        add(99, "10.9.0.1/24"),
    ];
    assert_eq!(wrong.map(Result::unwrap_err), [-127, -105, -7, -2, -2]);
    assert!(change(1, false, false, "10.0.0.2/24").is_ok());
    assert_eq!(change(1, false, false, "10.0.0.2/24"), Err(-60));
    assert!(client.call(&sw_interface_address_replace_begin {}).is_ok());
    assert!(add(1, "10.0.0.1/24").is_ok(), "it stays");
    assert_eq!(add(1, "10.0.0.1/24"), Err(-127), "once");
    assert!(add(1, "10.1.0.1/24").is_ok());
    assert!(client.call(&sw_interface_address_replace_end {}).is_ok());
    assert_eq!(shown(), ["10.0.0.1/24", "10.1.0.1/24"]);
    assert_eq!(add(1, "10.0.0.1/24"), Err(-127), "nothing is replaced any more");
    assert!(change(1, false, true, "0.0.0.0/0").is_ok());
    assert_eq!(shown(), [""; 0]);
}

#[test]
fn tables_and_borrowed_addresses_are_checked() {
    let engine = after(
        "create packet-generator interface pg0
         create packet-generator interface pg1
         create packet-generator interface pg2
         ip table add 7
         ip6 table add 7",
    );
    let client = ApiClient::new(&engine);
    let bind = |sw_if_index, is_ipv6, vrf_id| {
        client.call(&sw_interface_set_table { sw_if_index, is_ipv6, vrf_id })
    };
    let table = |sw_if_index, is_ipv6| {
        client.call(&sw_interface_get_table { sw_if_index, is_ipv6 }).map(|reply| reply.vrf_id)
    };
    assert!(bind(1, true, 7).is_ok());
    assert_eq!([table(1, false), table(1, true), table(99, false)], [Ok(0), Ok(7), Err(-2)]);
    assert_eq!([bind(1, false, 8), bind(99, false, 7)].map(Result::unwrap_err), [-3, -2]);
    engine.command("set interface ip address pg1 10.0.0.1/24").unwrap();
    assert_eq!(bind(2, false, 7), Err(-114), "it has addresses");
    let unnumbered = |donor, borrower, is_add| {
        client.call(&sw_interface_set_unnumbered {
            sw_if_index: donor,
            unnumbered_sw_if_index: borrower,
            is_add,
        })
    };
    assert!(unnumbered(2, 3, true).is_ok());
    let shown = engine.command("show interface addr pg2").unwrap();
    assert!(shown.contains("unnumbered, use pg1"), "{shown}");
    let wrong = [unnumbered(2, 1, true), unnumbered(99, 3, true), unnumbered(2, 99, true)];
    assert_eq!(wrong.map(Result::unwrap_err), [-74, -10, -2]);
    assert!(unnumbered(99, 3, false).is_ok(), "whose addresses it were does not matter");
    assert!(!engine.command("show interface addr pg2").unwrap().contains("unnumbered"));
}

#[test]
fn clients_are_told_of_interfaces_that_come_go_and_change() {
    let engine = after("create loopback interface");
    let [client, other] = [ApiClient::new(&engine), ApiClient::new(&engine)];
    let want = |enable_disable| client.call(&want_interface_events { enable_disable, pid: 77 });
    assert_eq!(want(0), Err(-31));
    assert!(want(1).is_ok());
    assert_eq!(want(1), Err(-31), "once is enough");
    let events = |client: &ApiClient<'_>, line: &str| {
        engine.command(line).unwrap();
        engine.advance(std::time::Duration::from_millis(1));
        let all = client.events();
        let told = all.iter().map(|event| {
            let (_, pid, event) = event.event::<sw_interface_event>(client).expect("an event");
            assert_eq!(pid, 77);
            (event.sw_if_index, event.flags.0, event.deleted)
        });
        told.collect::<Vec<_>>()
    };
    // The link is up with the interface: both at once.
    assert_eq!(events(&client, "set interface state loop0 up"), [(1, 3, false)]);
    assert_eq!(events(&client, "set interface state loop0 up"), []);
    assert_eq!(events(&client, "create sub-interfaces loop0 5"), [(2, 0, false)]);
    assert_eq!(events(&client, "set interface state loop0.5 up"), [(2, 1, false)]);
    assert_eq!(events(&client, "set interface tag loop0 x"), []);
    assert_eq!(events(&client, "set interface state loop0 down"), [(1, 0, false)]);
    assert_eq!(
        events(&client, "delete loopback interface intfc loop0"),
        [(1, 0, true), (2, 0, true)]
    );
    assert!(want(0).is_ok());
    assert_eq!(events(&client, "create loopback interface"), []);
    assert_eq!(other.events(), []);
}

#[test]
fn receive_queues_are_told_placed_and_switched() {
    use std::os::{fd::AsRawFd, unix::net::UnixStream};
    use vnet::{
        graph::InputMode,
        interface::{NewHardware, NewRxQueue, NoWire},
    };
    let (_far, near) = UnixStream::pair().unwrap();
    let engine = super::engine_with(2);
    let new = NewHardware {
        name: "port0".to_owned(),
        device_class: "port",
        device_instance: 0,
        mac: Some([2, 0, 0, 0, 0, 1]),
        max_frame_size: 9000,
        mtu: 1500,
        tx_next: 0,
    };
    let port = engine.with(|main| {
        let port = main.add_device(new, Box::new(NoWire)).unwrap();
        let node = main.graph().find("error-drop").unwrap();
        let queue = |fd, mode| NewRxQueue { node, fd, mode };
        let queues =
            [queue(None, InputMode::Polling), queue(Some(near.as_raw_fd()), InputMode::Interrupt)];
        main.add_rx_queues(port, queues).unwrap();
        port.0
    });
    engine.command("create sub-interfaces port0 5").unwrap();
    let client = ApiClient::new(&engine);
    let placement = |sw_if_index| {
        let queues = client.dump(&sw_interface_rx_placement_dump { sw_if_index });
        let of = |q: &sw_interface_rx_placement_details| {
            (q.sw_if_index, q.queue_id, q.worker_id, q.mode)
        };
        queues.iter().map(of).collect::<Vec<_>>()
    };
    let (polling, interrupt) = (rx_mode::RX_MODE_API_POLLING, rx_mode::RX_MODE_API_INTERRUPT);
    assert_eq!(placement(port), [(port, 0, 1, polling), (port, 1, 2, interrupt)]);
    assert_eq!(placement(NONE), placement(port));
    assert_eq!([placement(0), placement(99)], [[]; 2]);
    let place = |sw_if_index, queue_id, worker_id, is_main| {
        client.call(&sw_interface_set_rx_placement { sw_if_index, queue_id, worker_id, is_main })
    };
    assert!(place(port, 0, 1, false).is_ok() && place(port, 1, 0, true).is_ok());
    let wrong = [
        place(port, 7, 0, false),
        place(port, 70_000, 0, false),
        place(port, 0, 2, false),
        place(port, 0, NONE, false),
        place(port + 1, 0, 0, true),
        place(99, 0, 0, true),
    ];
    assert_eq!(wrong.map(Result::unwrap_err), [-125, -125, -89, -89, -7, -2]);
    let switch = |sw_if_index, queue: Option<u32>, mode| {
        let (queue_id_valid, queue_id) = (queue.is_some(), queue.unwrap_or(0));
        client.call(&sw_interface_set_rx_mode { sw_if_index, queue_id_valid, queue_id, mode })
    };
    assert!(switch(port, Some(1), rx_mode::RX_MODE_API_ADAPTIVE).is_ok());
    assert_eq!(
        placement(port),
        [(port, 1, 0, rx_mode::RX_MODE_API_ADAPTIVE), (port, 0, 2, polling)]
    );
    let wrong = [
        switch(port, None, interrupt),
        switch(port, Some(9), polling),
        switch(port, None, rx_mode(9)),
        switch(port + 1, None, polling),
        switch(99, None, polling),
    ];
    assert_eq!(wrong.map(Result::unwrap_err), [-126, -125, -7, -7, -2]);
    let shown = engine.command("show interface rx-placement").unwrap();
    assert!(
        shown.contains("port0 queue 1 (adaptive)") && shown.contains("port0 queue 0 (polling)"),
        "{shown}"
    );
}

#[test]
fn captures_begin_and_end_by_messages() {
    let engine = after("create packet-generator interface pg0");
    let client = ApiClient::new(&engine);
    let filename = format!("peloton-api-{}.pcap", std::process::id());
    let on = pcap_trace_on {
        capture_rx: true,
        max_packets: 10,
        max_bytes_per_packet: 512,
        sw_if_index: 1,
        filename: filename.as_str().into(),
        ..Default::default()
    };
    let with = |change: fn(&mut pcap_trace_on)| {
        let mut request = on.clone();
        change(&mut request);
        client.call(&request)
    };
    assert_eq!(with(|on| on.filename = "../etc/x".into()), Err(-133));
    assert_eq!(with(|on| on.filename = "".into()), Err(-133));
    assert_eq!(with(|on| on.sw_if_index = 99), Err(-2));
    assert_eq!(with(|on| on.max_bytes_per_packet = 10), Err(-70));
    assert_eq!(client.call(&pcap_trace_off {}), Err(-81), "none is on");
    assert!(client.call(&on).is_ok());
    assert_eq!(client.call(&on), Err(-7), "one is on");
    let shown = engine.command("pcap trace status").unwrap();
    assert!(shown.contains("pcap rx dispatch capture enabled: 0 of 10 pkts"), "{shown}");
    assert!(shown.contains(&format!("/tmp/{filename}")), "{shown}");
    engine.command("packet-generator new { name a limit 3 interface pg0 node ethernet-input data { 0x1234: 02:00:00:00:00:01 -> 02:00:00:00:00:02 hex 0x0102 } }").unwrap();
    engine.command("packet-generator enable-stream a").unwrap();
    engine.run_until_idle();
    assert!(client.call(&pcap_trace_off {}).is_ok());
    let file = std::env::temp_dir().join(&filename);
    assert_eq!(std::fs::read(&file).unwrap().len(), 24 + 3 * (16 + 16));
    std::fs::remove_file(file).unwrap();
}

#[test]
fn an_interface_without_addresses_takes_ipv4_where_it_is_enabled_as_by_commands() {
    let twins = Twins::new(&[
        "create loopback interface",
        "create loopback interface",
        "set interface ip address loop1 10.0.0.1/24",
    ]);
    let client = twins.client();
    let set = |sw_if_index, enable| {
        client.call(&sw_interface_ip4_enable_disable { sw_if_index, enable }).map(drop)
    };
    let takes = |engine: &Engine, name: &str| {
        let features = engine.command(&format!("show interface features {name}")).unwrap();
        !features.contains("ip4-not-enabled")
    };
    let is = || [takes(&twins.asked, "loop0"), takes(&twins.asked, "loop1")];
    assert_eq!(is(), [false, true]);
    set(index(&twins.asked, "loop0"), true).unwrap();
    set(index(&twins.asked, "loop0"), true).unwrap();
    twins.tell("enable ip4 interface loop0");
    assert_eq!(is(), [true, true]);
    twins.agree("show interface features loop0");
    // One with an address takes them anyway; it goes on when that goes.
    set(index(&twins.asked, "loop1"), true).unwrap();
    twins.asked.command("set interface ip address del loop1 10.0.0.1/24").unwrap();
    assert_eq!(is(), [true, true]);
    set(index(&twins.asked, "loop1"), false).unwrap();
    set(index(&twins.asked, "loop0"), false).unwrap();
    set(index(&twins.asked, "loop0"), false).unwrap();
    twins.tell("disable ip4 interface loop0");
    assert_eq!(is(), [false, false]);
    twins.agree("show interface features loop0");
    assert_eq!([set(99, true), set(99, false)], [Err(-2); 2]);
}

#[test]
fn queues_of_new_interfaces_begin_as_was_chosen_as_by_the_command() {
    use std::os::{fd::AsRawFd, unix::net::UnixStream};
    use vnet::{
        graph::InputMode,
        interface::{NewHardware, NewRxQueue, NoWire},
    };
    let (_far, near) = UnixStream::pair().unwrap();
    let add = |engine: &Engine, name: &str| {
        let new = NewHardware {
            name: name.to_owned(),
            device_class: "port",
            device_instance: 0,
            mac: None,
            max_frame_size: 9000,
            mtu: 1500,
            tx_next: 0,
        };
        engine.with(|main| {
            let port = main.add_device(new, Box::new(NoWire)).unwrap();
            let node = main.graph().find("error-drop").unwrap();
            let queue = |fd| NewRxQueue { node, fd, mode: InputMode::Interrupt };
            main.add_rx_queues(port, [queue(None), queue(Some(near.as_raw_fd()))]).unwrap();
        });
    };
    let twins = Twins::new(&[]);
    let client = twins.client();
    let get = || client.call(&sw_interface_get_default_rx_mode {}).unwrap().mode;
    let set = |mode| client.call(&sw_interface_set_default_rx_mode { mode }).map(drop);
    assert_eq!(get(), rx_mode::RX_MODE_API_INTERRUPT);
    [&twins.asked, &twins.told].into_iter().for_each(|engine| add(engine, "port0"));
    for (mode, line) in [
        (rx_mode::RX_MODE_API_ADAPTIVE, "set interface default-rx-mode adaptive"),
        (rx_mode::RX_MODE_API_POLLING, "set interface default-rx-mode polling"),
    ] {
        set(mode).unwrap();
        twins.tell(line);
        assert_eq!(get(), mode);
        let name = format!("port{}", mode.0);
        [&twins.asked, &twins.told].into_iter().for_each(|engine| add(engine, &name));
    }
    twins.agree("show interface rx-placement");
    let shown = twins.asked.command("show interface rx-placement").unwrap();
    for (queue, mode) in [
        ("port0 queue 1", "interrupt"),
        ("port3 queue 0", "polling"),
        ("port3 queue 1", "adaptive"),
        ("port1 queue 1", "polling"),
    ] {
        let line = shown.lines().find(|line| line.contains(queue));
        assert!(line.is_some_and(|line| line.contains(mode)), "{queue}: {shown}");
    }
    let wrong = [rx_mode::RX_MODE_API_UNKNOWN, rx_mode::RX_MODE_API_DEFAULT, rx_mode(99)];
    assert_eq!(wrong.map(set), [Err(-7); 3]);
    assert_eq!(get(), rx_mode::RX_MODE_API_POLLING);
}
