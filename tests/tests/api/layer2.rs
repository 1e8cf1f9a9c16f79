//! Messages about layer 2: what they answer is what the commands show.

use std::time::Duration;

use peloton_tests::api::ApiClient;
use vnet::{
    api::ip_types::address,
    interface::api::{sw_interface_details, sw_interface_dump},
    l2::api::*,
    plugin::Engine,
};

const NONE: u32 = u32::MAX;
const FLAGS: u32 = 0b111_111;

/// An engine with pg0 to pg3, interfaces 1 to 4, up, then these commands.
fn after(script: &str) -> Engine {
    let engine = super::engine();
    for n in 0..4 {
        engine.command(&format!("create packet-generator interface pg{n}")).unwrap();
        engine.command(&format!("set interface state pg{n} up")).unwrap();
    }
    for line in script.lines() {
        engine.command(line.trim()).unwrap();
    }
    engine
}

/// A frame of an experimental type comes in.
fn send(engine: &Engine, port: &str, header: &str) {
    let stream = format!(
        "packet-generator new {{ name in limit 1 interface {port} node ethernet-input data {{ {header} }} }}"
    );
    engine.command(&stream).unwrap();
    engine.command("packet-generator enable-stream in").unwrap();
    engine.run_until_idle();
    engine.command("packet-generator delete in").unwrap();
}

const fn station(n: u8) -> [u8; 6] {
    [2, 0, 0, 0, 1, n]
}

/// Station `n` is heard of.
fn heard(engine: &Engine, port: &str, n: u8) {
    send(engine, port, &format!("0x88b5: 02:00:00:00:01:{n:02x} -> 02:00:00:00:01:ff hex 0x0102"));
}

fn bridge(
    client: &ApiClient<'_>,
    port: u32,
    bd_id: u32,
    port_type: u32,
    shg: u8,
) -> Result<(), i32> {
    let done = client.call(&sw_interface_set_l2_bridge {
        rx_sw_if_index: port,
        bd_id,
        port_type: l2_port_type(port_type),
        shg,
        enable: true,
    });
    done.map(drop)
}

fn domains(client: &ApiClient<'_>, bd_id: u32) -> Vec<bridge_domain_details> {
    client.dump(&bridge_domain_dump { bd_id, sw_if_index: NONE })
}

fn details(client: &ApiClient<'_>, sw_if_index: u32) -> sw_interface_details {
    let mut found = client.dump(&sw_interface_dump { sw_if_index, ..Default::default() });
    found.pop().unwrap()
}

#[test]
fn bridge_domains_are_made_told_and_deleted() {
    let engine = after("");
    let client = ApiClient::new(&engine);
    let add = bridge_domain_add_del {
        bd_id: 13,
        flood: true,
        forward: true,
        arp_term: true,
        mac_age: 7,
        bd_tag: "vppcfg".into(),
        is_add: true,
        ..Default::default()
    };
    let call = |bd_id, is_add| {
        client.call(&bridge_domain_add_del { bd_id, is_add, ..add.clone() }).map(drop)
    };
    assert_eq!(call(13, true), Ok(()));
    assert_eq!(
        [call(13, true), call(0, true), call(1 << 24, true)],
        [Err(-119), Err(-119), Err(-122)]
    );
    assert_eq!([call(14, false), call(0, false)], [Err(-6), Err(-121)]);
    let second = |bd_id, is_add| {
        let reply = client.call(&bridge_domain_add_del_v2 { bd_id, is_add, ..Default::default() });
        reply.map(|reply| reply.bd_id)
    };
    assert_eq!([second(NONE, true), second(NONE, true), second(3, true)], [Ok(1), Ok(2), Ok(3)]);
    assert_eq!(
        [second(NONE, true), second(3, true), second(NONE, false)],
        [Ok(4), Err(-119), Err(-6)]
    );
    let expected = bridge_domain_details {
        bd_id: 13,
        flood: true,
        forward: true,
        arp_term: true,
        mac_age: 7,
        bd_tag: "vppcfg".into(),
        bvi_sw_if_index: NONE,
        uu_fwd_sw_if_index: NONE,
        ..Default::default()
    };
    assert_eq!(domains(&client, 13), [expected]);
    assert_eq!(domains(&client, NONE).len(), 5);
    assert!(domains(&client, 0).is_empty() && domains(&client, 99).is_empty());
    // As VPP, which cannot look for the domain of an interface.
    assert_eq!(client.dump(&bridge_domain_dump { bd_id: NONE, sw_if_index: 1 }), []);
    assert_eq!(bridge(&client, 1, 13, 0, 0), Ok(()));
    assert_eq!(call(13, false), Err(-120), "an interface is in it");
    assert_eq!(call(1, false), Ok(()));
}

#[test]
fn what_domains_do_is_switched_one_by_one() {
    let engine = after("create bridge-domain 1");
    let client = ApiClient::new(&engine);
    let flags = |bd_id, is_set, flags| {
        let reply = client.call(&bridge_flags { bd_id, is_set, flags: bd_flags(flags) });
        reply.map(|reply| reply.resulting_feature_bitmap)
    };
    // VPP's bits: flood 2, arp-ufwd 3, arp-term 4, uu-flood 5, forward 7, learn 9; what no domain switches is always set.
    let others = !(1 << 2 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 9);
    assert_eq!(flags(1, false, FLAGS), Ok(others));
    for (flag, bit, word) in [
        (1, 9, "learn"),
        (2, 7, "forward"),
        (4, 2, "flood"),
        (8, 5, "uu_flood"),
        (16, 4, "arp_term"),
        (32, 3, "arp_ufwd"),
    ] {
        assert_eq!(flags(1, true, flag), Ok(others | 1 << bit), "{word}");
        let told = &domains(&client, 1)[0];
        let is_on =
            [told.learn, told.forward, told.flood, told.uu_flood, told.arp_term, told.arp_ufwd];
        assert_eq!(is_on.map(u32::from).into_iter().rev().fold(0, |all, on| all << 1 | on), flag);
        assert_eq!(flags(1, false, flag), Ok(others));
    }
    assert_eq!([flags(0, true, 1), flags(9, true, 1)], [Err(-121), Err(-6)]);
    let age = |bd_id| client.call(&bridge_domain_set_mac_age { bd_id, mac_age: 9 }).map(drop);
    assert_eq!([age(1), age(0), age(9)], [Ok(()), Err(-121), Err(-6)]);
    assert_eq!(domains(&client, 1)[0].mac_age, 9);
    let limit =
        |bd_id| client.call(&bridge_domain_set_learn_limit { bd_id, learn_limit: 77 }).map(drop);
    assert_eq!([limit(1), limit(0), limit(9)], [Ok(()), Err(-121), Err(-6)]);
    assert!(client.call(&bridge_domain_set_default_learn_limit { learn_limit: 78 }).is_ok());
    engine.command("create bridge-domain 2").unwrap();
    let shown = engine.command("show bridge-domain").unwrap();
    assert!(shown.contains("       77 ") && shown.contains("       78 "), "{shown}");
}

#[test]
fn interfaces_join_domains_as_commands_show() {
    let engine =
        after("create loopback interface\nbvi create\ncreate gre tunnel src 10.0.0.1 dst 10.0.0.2");
    let client = ApiClient::new(&engine);
    assert_eq!(bridge(&client, 1, 10, 0, 3), Ok(()));
    assert_eq!(bridge(&client, 5, 10, 1, 0), Ok(()), "a BVI");
    assert_eq!(bridge(&client, 2, 10, 2, 0), Ok(()), "for unknown unicast");
    let [told] = domains(&client, 10).try_into().unwrap();
    assert_eq!((told.bvi_sw_if_index, told.uu_fwd_sw_if_index), (5, 2));
    let member = |sw_if_index, shg| bridge_domain_sw_if { context: 0, sw_if_index, shg };
    assert_eq!(told.sw_if_details, [member(1, 3), member(5, 0)]);
    let shown = engine.command("show mode pg0 loop0").unwrap();
    assert_eq!(shown, "l2 bridge pg0 bd_id 10 shg 3\nl2 bridge loop0 bd_id 10 bvi shg 0\n");
    let wrong = [
        bridge(&client, 99, 10, 0, 0),
        bridge(&client, 0, 10, 0, 0),
        bridge(&client, 3, 10, 3, 0),
        bridge(&client, 3, 1 << 24, 0, 0),
        bridge(&client, 3, 0, 0, 0),
        bridge(&client, 6, 10, 1, 0),
        bridge(&client, 7, 10, 0, 0),
    ];
    let numbers = [-2, -2, -7, -122, -121, -152, -151];
    assert_eq!(wrong.map(Result::unwrap_err), numbers);
    let connect = |rx_sw_if_index, tx_sw_if_index, enable| {
        client
            .call(&sw_interface_set_l2_xconnect { rx_sw_if_index, tx_sw_if_index, enable })
            .map(drop)
    };
    assert_eq!([connect(3, 4, true), connect(4, 3, true)], [Ok(()); 2]);
    let wrong = [connect(99, 3, true), connect(3, 99, true), connect(3, 3, true)];
    assert_eq!(wrong.map(Result::unwrap_err), [-2, -10, -82]);
    let pair =
        |rx_sw_if_index, tx_sw_if_index| l2_xconnect_details { rx_sw_if_index, tx_sw_if_index };
    assert_eq!(client.dump(&l2_xconnect_dump {}), [pair(3, 4), pair(4, 3)]);
    assert_eq!(connect(3, 0, false), Ok(()));
    assert_eq!(client.dump(&l2_xconnect_dump {}), [pair(4, 3)]);
    let leave = sw_interface_set_l2_bridge { rx_sw_if_index: 1, ..Default::default() };
    assert!(client.call(&leave).is_ok());
    assert_eq!(engine.command("show mode pg0 pg2").unwrap(), "l3 pg0\nl3 pg2\n");
    assert_eq!(domains(&client, 10)[0].sw_if_details, [member(5, 0)]);
}

#[test]
fn tag_rewrites_are_told_as_they_were_ordered() {
    let engine = after(
        "create sub-interfaces pg0 5 dot1q 7 inner-dot1q 8 exact-match\ncreate gre tunnel src 10.0.0.1 dst 10.0.0.2",
    );
    let client = ApiClient::new(&engine);
    let rewrite = |sw_if_index, vtr_op, push_dot1q, tag1, tag2| {
        client
            .call(&l2_interface_vlan_tag_rewrite { sw_if_index, vtr_op, push_dot1q, tag1, tag2 })
            .map(drop)
    };
    assert_eq!(rewrite(5, 0, 0, 0, 0), Ok(()), "a routed interface rewrites none");
    assert_eq!(rewrite(5, 3, 0, 0, 0), Ok(()), "until it is bridged");
    assert_eq!(bridge(&client, 5, 1, 0, 0), Ok(()));
    assert_eq!(bridge(&client, 2, 1, 0, 0), Ok(()));
    let told = || {
        let of = details(&client, 5);
        [of.vtr_op, of.vtr_push_dot1q, of.vtr_tag1, of.vtr_tag2]
    };
    assert_eq!(told()[0], 3, "what was ordered before");
    let words = [
        "push-1 dot1q 9",
        "push-2 dot1ad 9 10",
        "pop-1",
        "pop-2",
        "trans-1-1 dot1q 9",
        "trans-1-2 dot1ad 9 10",
        "trans-2-1 dot1q 9",
        "trans-2-2 dot1ad 9 10",
    ];
    for (op, words) in (1..).zip(words) {
        let tags = if words.starts_with("pop") {
            [0, 0]
        } else if words.ends_with(" 10") {
            [9, 10]
        } else {
            [9, 0]
        };
        let dot1q = u32::from(words.contains("dot1q"));
        // Tags that are not put on do not matter.
        assert_eq!(rewrite(5, op, dot1q, 9, 10), Ok(()), "{words}");
        assert_eq!(told(), [op, dot1q, tags[0], tags[1]], "{words}");
        let shown = engine.command("show interface vtr pg0.5").unwrap();
        assert_eq!(shown, format!("pg0.5:  VTR {words}\n"));
    }
    assert_eq!(rewrite(5, 0, 1, 9, 9), Ok(()));
    assert_eq!(told(), [0; 4]);
    let wrong = [
        rewrite(5, 9, 0, 0, 0),
        rewrite(2, 3, 0, 0, 0),
        rewrite(5, 1, 1, 4096, 0),
        rewrite(6, 1, 1, 9, 0),
        rewrite(99, 1, 1, 9, 0),
    ];
    assert_eq!(wrong.map(Result::unwrap_err), [-7, -72, -55, -71, -2]);
    let filter = |sw_if_index, enable_disable| {
        client.call(&l2_interface_efp_filter { sw_if_index, enable_disable }).map(drop)
    };
    assert_eq!([filter(5, true), filter(2, true), filter(99, true)], [Ok(()), Err(-71), Err(-2)]);
    let pbb = l2_interface_pbb_tag_rewrite { sw_if_index: 5, ..Default::default() };
    assert_eq!(client.call(&pbb), Err(-9));
    let patch = l2_patch_add_del { rx_sw_if_index: 3, tx_sw_if_index: 4, is_add: true };
    assert_eq!(client.call(&patch), Err(-9));
}

#[test]
fn what_is_done_to_frames_of_a_port_has_vpps_bits() {
    let engine = after("create sub-interfaces pg1 5 exact-match dot1q 5");
    let client = ApiClient::new(&engine);
    let get = |sw_if_index| {
        let reply = client.call(&l2_flags_get { sw_if_index });
        reply.map(|reply| (reply.input_feature_bitmap, reply.output_feature_bitmap))
    };
    assert_eq!([get(1), get(0), get(99)], [Err(-2); 3], "no interface of layer 2");
    bridge(&client, 1, 1, 0, 0).unwrap();
    bridge(&client, 5, 1, 0, 0).unwrap();
    // Drop 0, flood 2, arp-ufwd 3, arp-term 4, uu-flood 5, uu-fwd 6, forward 7, learn 9; output 0.
    let all = 1 | 0b1111_1100 | 1 << 9;
    assert_eq!(get(1), Ok((all, 1)));
    let flags = |sw_if_index, is_set, feature_bitmap| {
        let reply = client.call(&l2_flags { sw_if_index, is_set, feature_bitmap });
        reply.map(|reply| reply.resulting_feature_bitmap)
    };
    assert_eq!(flags(1, false, 1), Ok(all & !(1 << 9)));
    assert_eq!(flags(1, true, 1), Ok(all));
    assert_eq!([flags(3, true, 1), flags(99, true, 1)], [Err(-2); 2]);
    let set = |sw_if_index, is_set, input_feature_bitmap, output_feature_bitmap| {
        client
            .call(&l2_flags_set {
                sw_if_index,
                is_set,
                input_feature_bitmap,
                output_feature_bitmap,
            })
            .map(drop)
    };
    assert_eq!(set(5, true, 0, 1 << 6), Ok(()), "the EFP filter");
    assert_eq!(get(5), Ok((all, 1 | 1 << 6)));
    assert_eq!(set(5, false, 1 << 7, 1 << 6), Ok(()));
    assert_eq!(get(5), Ok((all & !(1 << 7), 1)));
    assert_eq!(
        [set(5, true, 1 << 14, 0), set(99, true, 1 << 7, 0), set(3, true, 1 << 7, 0)],
        [Err(-7), Err(-2), Err(-2)]
    );
    let features = |sw_if_index| {
        client.call(&l2_interface_feat_flags_get { sw_if_index }).map(|reply| reply.flags.0)
    };
    let change = |sw_if_index, is_set, flags| {
        let flags = l2_intf_feat_flags(flags);
        client.call(&l2_interface_feat_flags_set { sw_if_index, is_set, flags }).map(drop)
    };
    assert_eq!(features(5), Ok(FLAGS & !2));
    assert_eq!(change(5, false, 1 | 8), Ok(()));
    assert_eq!(
        [features(5), features(3), features(99)],
        [Ok(FLAGS & !(1 | 2 | 8)), Err(-2), Err(-2)]
    );
    assert_eq!([change(3, true, 1), change(99, true, 1)], [Err(-2); 2]);
    engine.command("set interface l2 xconnect pg2 pg3").unwrap();
    assert_eq!(get(3), Ok((0b11, 1)), "drop and cross-connect");
    assert_eq!(features(3), Err(-2), "it is no bridge's");
}

#[test]
fn addresses_of_stations_are_added_told_flushed_and_deleted() {
    let engine = after(
        "create bridge-domain 9\ncreate loopback interface\nset interface l2 bridge loop0 1 bvi",
    );
    let client = ApiClient::new(&engine);
    for port in 1..=2 {
        bridge(&client, port, 1, 0, 0).unwrap();
    }
    bridge(&client, 3, 2, 0, 0).unwrap();
    let add = l2fib_add_del {
        mac: station(1),
        bd_id: 1,
        sw_if_index: 1,
        is_add: true,
        ..Default::default()
    };
    let with = |change: fn(&mut l2fib_add_del)| {
        let mut request = add.clone();
        change(&mut request);
        client.call(&request).map(drop)
    };
    assert_eq!(with(|_| ()), Ok(()));
    assert_eq!(with(|r| (r.mac, r.static_mac) = (station(2), true)), Ok(()));
    assert_eq!(with(|r| (r.mac, r.filter_mac, r.sw_if_index) = (station(3), true, 99)), Ok(()));
    heard(&engine, "pg1", 4);
    heard(&engine, "pg2", 5);
    assert_eq!(with(|r| r.bd_id = 77), Err(-6));
    assert_eq!(with(|r| r.sw_if_index = 99), Err(-2));
    assert_eq!(with(|r| r.sw_if_index = 3), Err(-2), "it is in another domain");
    assert_eq!(with(|r| r.mac = [1; 6]), Err(-7));
    let told = |bd_id| {
        let mut all = client.dump(&l2_fib_table_dump { bd_id });
        all.sort_by_key(|entry| entry.mac);
        let of = |e: &l2_fib_table_details| {
            (e.bd_id, e.mac, e.sw_if_index, [e.static_mac, e.filter_mac, e.bvi_mac])
        };
        all.iter().map(of).collect::<Vec<_>>()
    };
    let bvi = (1, [0xde, 0xad, 0, 0, 0, 0], 5, [true, false, true]);
    let fixed =
        [(1, station(2), 1, [true, false, false]), (1, station(3), NONE, [true, true, false])];
    let expected =
        [(1, station(1), 1, [false; 3]), fixed[0], fixed[1], (1, station(4), 2, [false; 3]), bvi];
    assert_eq!(told(1), expected);
    assert_eq!(
        (told(2), told(NONE).len(), told(77)),
        (vec![(2, station(5), 3, [false; 3])], 6, vec![])
    );
    let shown = engine.command("show l2fib all").unwrap();
    assert!(shown.contains("L2FIB total/learned entries: 6/2"), "{shown}");
    let delete = |n, sw_if_index| {
        client
            .call(&l2fib_add_del { mac: station(n), bd_id: 1, sw_if_index, ..Default::default() })
            .map(drop)
    };
    assert_eq!(
        [delete(4, 1), delete(4, 2), delete(4, 2), delete(9, 0)],
        [Err(-6), Ok(()), Err(-6), Err(-6)]
    );
    let flush_interface = |sw_if_index| client.call(&l2fib_flush_int { sw_if_index }).map(drop);
    assert_eq!([flush_interface(1), flush_interface(99)], [Ok(()), Err(-2)]);
    assert_eq!(told(1), [fixed[0], fixed[1], bvi]);
    let flush_domain = |bd_id| client.call(&l2fib_flush_bd { bd_id }).map(drop);
    assert_eq!([flush_domain(2), flush_domain(77)], [Ok(()), Err(-6)]);
    assert_eq!(told(2), []);
    heard(&engine, "pg2", 5);
    assert!(client.call(&l2fib_flush_all {}).is_ok());
    assert_eq!(told(NONE).len(), 3);
    assert!(client.call(&l2_fib_clear_table {}).is_ok());
    assert_eq!(told(NONE), [bvi], "it stays as long as its interface");
}

#[test]
fn a_large_table_is_told_whole() {
    let engine = after("");
    let client = ApiClient::new(&engine);
    bridge(&client, 1, 1, 0, 0).unwrap();
    for n in 0..1000_u32 {
        let [.., high, low] = n.to_be_bytes();
        let mac = [2, 0, 0, 0, high, low];
        let add =
            l2fib_add_del { mac, bd_id: 1, sw_if_index: 1, is_add: true, ..Default::default() };
        client.call(&add).unwrap();
    }
    let told = client.dump(&l2_fib_table_dump { bd_id: 1 });
    let all: std::collections::BTreeSet<_> = told.iter().map(|entry| entry.mac).collect();
    assert_eq!((told.len(), all.len()), (1000, 1000));
}

#[test]
fn domains_tell_the_addresses_that_they_were_given() {
    let engine =
        after("create bridge-domain 1\ncreate bridge-domain 2\nset bridge-domain arp term 1");
    let client = ApiClient::new(&engine);
    let ip = |text: &str| address::from(text.parse::<std::net::IpAddr>().unwrap());
    let entry = |bd_id, text, n| bd_ip_mac { bd_id, ip: ip(text), mac: station(n) };
    let change = |is_add, entry| client.call(&bd_ip_mac_add_del { is_add, entry }).map(drop);
    let four = entry(1, "10.0.0.9", 9);
    let six = entry(1, "2001:db8::9", 9);
    assert_eq!(
        [change(true, four.clone()), change(true, six.clone()), change(true, four.clone())],
        [Ok(()); 3]
    );
    let told = |bd_id| {
        client
            .dump(&bd_ip_mac_dump { bd_id })
            .into_iter()
            .map(|told| told.entry)
            .collect::<Vec<_>>()
    };
    assert_eq!(told(1), [four.clone(), six.clone()]);
    assert_eq!((told(NONE).len(), told(2).len(), told(77).len()), (2, 0, 0));
    let shown = engine.command("show bridge-domain 1 arp").unwrap();
    assert!(shown.contains("10.0.0.9") && shown.contains("02:00:00:00:01:09"), "{shown}");
    assert_eq!(
        [change(true, entry(0, "10.0.0.9", 9)), change(true, entry(77, "10.0.0.9", 9))],
        [Err(-121), Err(-6)]
    );
    assert_eq!(change(false, entry(1, "10.0.0.9", 8)), Err(-1), "another address is there");
    assert_eq!(change(false, four), Ok(()));
    assert_eq!(told(1), [six]);
    let flush = |bd_id| client.call(&bd_ip_mac_flush { bd_id }).map(drop);
    assert_eq!([flush(1), flush(0), flush(77)], [Ok(()), Err(-121), Err(-6)]);
    assert_eq!(told(1), []);
}

#[test]
fn a_client_is_told_of_stations_that_are_learned_move_and_go() {
    let engine = after("");
    let [client, other] = [ApiClient::new(&engine), ApiClient::new(&engine)];
    for port in 1..=2 {
        bridge(&client, port, 1, 0, 0).unwrap();
    }
    heard(&engine, "pg0", 1);
    let want = |client: &ApiClient<'_>, pid, max_macs_in_event, enable_disable| {
        client.call(&want_l2_macs_events2 { max_macs_in_event, enable_disable, pid }).map(drop)
    };
    assert_eq!(want(&client, 7, 0, true), Err(-7));
    assert_eq!(want(&client, 7, 1, true), Ok(()));
    assert_eq!(want(&other, 8, 1, true), Err(-124), "another client is told");
    let events = || {
        engine.advance(Duration::from_millis(250));
        let all = client.events();
        let macs = all.iter().map(|event| {
            let (_, pid, event) = event.event::<l2_macs_event>(&client).expect("an event");
            assert_eq!(pid, 7);
            event.mac
        });
        macs.collect::<Vec<_>>()
    };
    let entry = |n, sw_if_index, action| mac_entry {
        sw_if_index,
        mac_addr: station(n),
        action: mac_event_action(action),
        flags: 0,
    };
    // All were forgotten when it asked.
    assert!(events().is_empty());
    heard(&engine, "pg0", 1);
    assert_eq!(events(), [vec![entry(1, 1, 0)]]);
    assert!(events().is_empty());
    heard(&engine, "pg1", 1);
    assert_eq!(events(), [vec![entry(1, 2, 2)]]);
    engine.command("l2fib flush-mac interface pg1").unwrap();
    assert_eq!(events(), [vec![entry(1, 2, 1)]]);
    for n in 1..=25 {
        heard(&engine, "pg0", n);
    }
    let sizes: Vec<_> = events().iter().map(Vec::len).collect();
    assert_eq!(sizes, [10, 10, 5], "ten times as many as it asked for");
    assert_eq!(want(&client, 7, 0, false), Ok(()));
    heard(&engine, "pg1", 1);
    assert!(events().is_empty());
    let first = want_l2_macs_events {
        learn_limit: 1000,
        scan_delay: 100,
        max_macs_in_event: 2,
        enable_disable: true,
        pid: 7,
    };
    for wrong in [
        want_l2_macs_events { learn_limit: 0, ..first.clone() },
        want_l2_macs_events { learn_limit: NONE, ..first.clone() },
        want_l2_macs_events { scan_delay: 0, ..first.clone() },
        want_l2_macs_events { max_macs_in_event: 0, ..first.clone() },
    ] {
        assert_eq!(client.call(&wrong), Err(-7));
    }
    // It says how many stations there may be, in all domains, while it is told.
    let shown = |limit: u32| {
        engine.command("show l2fib").unwrap().contains(&format!("Learn limit: {limit} "))
    };
    let few = want_l2_macs_events { learn_limit: 2, ..first.clone() };
    assert!(client.call(&few).is_ok() && shown(2));
    (1..=3).for_each(|n| heard(&engine, "pg0", n));
    let known = engine.command("show l2fib").unwrap();
    assert!(known.contains("total/learned entries: 2/2"), "{known}");
    assert!(client.call(&want_l2_macs_events { enable_disable: false, ..few }).is_ok());
    assert!(shown(16 << 20));
    engine.advance(Duration::from_secs(2));
    events();
    assert!(client.call(&first).is_ok());
    engine.advance(Duration::from_millis(10));
    heard(&engine, "pg0", 1);
    // The second is not over.
    assert!(events().is_empty());
    engine.advance(Duration::from_millis(500));
    assert_eq!(events(), [vec![entry(1, 1, 0)]]);
    let delay = |scan_delay| client.call(&l2fib_set_scan_delay { scan_delay }).map(drop);
    assert_eq!([delay(0), delay(10)], [Err(-7), Ok(())]);
    drop(client);
    assert_eq!(want(&other, 8, 1, true), Ok(()), "nobody is told any more");
}

#[test]
fn clients_are_told_who_asks_where_a_domain_answers() {
    let engine = after("create bridge-domain 1\nset bridge-domain arp term 1");
    let client = ApiClient::new(&engine);
    bridge(&client, 1, 1, 0, 0).unwrap();
    let want = |enable| client.call(&want_l2_arp_term_events { enable, pid: 5 }).map(drop);
    assert_eq!([want(false), want(true), want(true)], [Err(-31), Ok(()), Err(-31)]);
    let ask = |sender: u8, ip: u8, operation: u8| {
        send(
            &engine,
            "pg0",
            &format!(
                "ARP: 02:00:00:00:01:01 -> ff:ff:ff:ff:ff:ff hex 0x00010800060400{operation:02x}0200000001{sender:02x}0a0000{ip:02x}0000000000000a000063"
            ),
        );
        let all = client.events();
        let told = all.iter().map(|event| {
            let (_, pid, event) = event.event::<l2_arp_term_event>(&client).expect("an event");
            assert_eq!((pid, event.sw_if_index), (5, 1));
            (std::net::IpAddr::try_from(&event.ip).unwrap().to_string(), event.mac)
        });
        told.collect::<Vec<_>>()
    };
    assert_eq!(ask(1, 7, 1), [("10.0.0.7".to_owned(), station(1))]);
    assert_eq!(ask(1, 7, 1), [], "just told");
    assert_eq!(ask(1, 8, 1), [("10.0.0.8".to_owned(), station(1))]);
    assert_eq!(ask(9, 9, 1), [], "not who it says");
    assert_eq!(ask(1, 9, 2), [], "an answer");
    engine.advance(Duration::from_secs(11));
    assert_eq!(ask(1, 8, 1), [("10.0.0.8".to_owned(), station(1))], "again, after a while");
    assert_eq!(want(false), Ok(()));
    assert_eq!(ask(1, 10, 1), []);
}

#[test]
fn mirrored_interfaces_are_those_of_the_command() {
    use nodes::span::api::*;
    let engine = after("create sub-interfaces pg0 5");
    let client = ApiClient::new(&engine);
    let set = |sw_if_index_from, sw_if_index_to, state, is_l2| {
        let state = span_state(state);
        client
            .call(&sw_interface_span_enable_disable {
                sw_if_index_from,
                sw_if_index_to,
                state,
                is_l2,
            })
            .map(drop)
    };
    let told = |is_l2| {
        let all = client.dump(&sw_interface_span_dump { is_l2 });
        assert!(all.iter().all(|pair| pair.is_l2 == is_l2));
        all.iter()
            .map(|pair| (pair.sw_if_index_from, pair.sw_if_index_to, pair.state.0))
            .collect::<Vec<_>>()
    };
    assert_eq!([set(1, 2, 3, false), set(1, 3, 1, false), set(5, 3, 2, true)], [Ok(()); 3]);
    assert_eq!((told(false), told(true)), (vec![(1, 2, 3), (1, 3, 1)], vec![(5, 3, 2)]));
    let shown = engine.command("show interface span").unwrap();
    assert!(
        shown.contains("(  both)") && shown.contains("(    rx)") && shown.contains("(    tx)"),
        "{shown}"
    );
    assert_eq!(set(1, 2, 2, false), Ok(()), "in another direction");
    assert_eq!(told(false), [(1, 2, 2), (1, 3, 1)]);
    let wrong = [
        set(1, 2, 4, false),
        set(1, 1, 1, false),
        set(NONE, 1, 1, false),
        set(1, NONE, 1, false),
        set(99, 1, 1, false),
        set(1, 99, 1, false),
        set(5, 1, 1, false),
    ];
    assert_eq!(wrong.map(Result::unwrap_err), [-9, -71, -71, -71, -2, -2, -2]);
    assert_eq!([set(1, 2, 0, false), set(1, 2, 0, false)], [Ok(()); 2], "it is not mirrored");
    assert_eq!(told(false), [(1, 3, 1)]);
    assert_eq!(set(1, NONE, 0, false), Ok(()));
    assert_eq!(told(false), []);
}
