//! What an operator says about routes, and where packets go then.

use serde_json::Value;

use crate::{
    packets::{Ip4, frame, ip6_udp},
    scene::Scene,
};

/// pg0 in, pg1 to pg3 out, each with a neighbour 10.N.0.2.
fn fan() -> Scene {
    let scene = Scene::new(4, "");
    for n in 0..4 {
        scene.lab.script(&format!(
            "set interface ip address pg{n} 10.{n}.0.1/24
             set interface ip address pg{n} 2001:db8:{n}::1/64
             set ip neighbor pg{n} 10.{n}.0.2 02:00:00:00:01:0{n}
             set ip neighbor pg{n} 2001:db8:{n}::2 02:00:00:00:01:0{n}"
        ));
    }
    scene
}

/// Sends one packet to each destination, and says by which interface each left.
fn ways(scene: &Scene, destinations: &[&str]) -> Vec<Option<usize>> {
    let sent = |scene: &Scene| [1, 2, 3].map(|n| scene.counter(&format!("pg{n}"), "tx packets"));
    let way = |destination: &&str| {
        let before = sent(scene);
        let packet = if destination.contains(':') {
            ip6_udp("2001:db8:0::2", destination, 9, 18)
        } else {
            Ip4::udp("10.0.0.2", destination).bytes()
        };
        scene.send("pg0", &[frame(&[], &packet)]);
        let after = sent(scene);
        (0..3).find(|&n| after[n] > before[n]).map(|n| n + 1)
    };
    destinations.iter().map(way).collect()
}

/// The JSON of one route.
fn route(scene: &Scene, line: &str) -> Value {
    let tables: Value = serde_json::from_str(&scene.lab.run(&format!("{line} json"))).unwrap();
    tables[0]["routes"][0].clone()
}

#[test]
fn a_route_added_twice_has_both_paths_and_loses_them_one_by_one() {
    let scene = fan();
    let path = |n: u32| format!("10.9.0.0/16 via 10.{n}.0.2 pg{n}");
    for n in 1..=3 {
        assert_eq!(scene.lab.run(&format!("ip route add {}", path(n))), "");
    }
    let shown = route(&scene, "show ip fib 10.9.0.1");
    assert_eq!(shown["paths"].as_array().unwrap().len(), 3);
    scene.lab.run(&format!("ip route del {}", path(1)));
    scene.lab.run(&format!("ip route del {}", path(3)));
    assert_eq!(ways(&scene, &["10.9.0.1", "10.9.255.1"]), [Some(2); 2]);
    let error = scene.lab.refused(&format!("ip route del {}", path(1)));
    assert!(error.contains("route 10.9.0.0/16 has no such path"), "{error}");
    scene.lab.run(&format!("ip route del {}", path(2)));
    assert_eq!(ways(&scene, &["10.9.0.1"]), [None]);
    let error = scene.lab.refused("ip route del 10.9.0.0/16");
    assert!(error.contains("no route 10.9.0.0/16"), "{error}");
    scene.assert_nothing_is_lost();
}

#[test]
fn one_line_can_add_several_paths_and_several_prefixes() {
    let scene = fan();
    scene
        .lab
        .run("ip route add 10.8.0.0/16 10.9.0.0/16 via 10.1.0.2 pg1 weight 3 via 10.2.0.2 pg2");
    for prefix in ["10.8.0.0/16", "10.9.0.0/16"] {
        let shown = route(&scene, &format!("show ip fib {prefix}"));
        assert_eq!(shown["prefix"], prefix);
        assert_eq!(shown["paths"][0]["weight"], 3);
        assert_eq!(shown["buckets"].as_array().unwrap().len(), 4);
    }
    scene.lab.run("ip route add 2001:db8:9::/48 via 2001:db8:1::2 pg1 via 2001:db8:2::2 pg2");
    let shown = route(&scene, "show ip6 fib 2001:db8:9::/48");
    assert_eq!(shown["buckets"].as_array().unwrap().len(), 2);
    let error = scene.lab.refused("ip route add 10.7.0.0/16 2001:db8:7::/48 via 10.1.0.2 pg1");
    assert!(error.contains("must all be ip4 or all ip6"), "{error}");
}

#[test]
fn count_makes_that_many_routes_and_says_how_fast() {
    let scene = fan();
    let said = scene.lab.run("ip route add count 1000 10.64.0.0/24 via 10.1.0.2 pg1");
    let rate = said.strip_suffix(" routes/sec\n").unwrap();
    assert!(rate.parse::<f64>().unwrap() > 0.0, "{said}");
    scene.lab.run("ip route add count 3 2001:db8:100::/48 via 2001:db8:2::2 pg2");
    let found = ways(&scene, &["10.64.0.1", "10.67.231.255", "10.67.232.1", "2001:db8:102::1"]);
    assert_eq!(found, [Some(1), Some(1), None, Some(2)]);
    assert_eq!(ways(&scene, &["2001:db8:103::1"]), [None]);
    let summary = scene.lab.run("show ip fib summary");
    assert!(summary.contains("                  24            1004\n"), "{summary}");
    scene.lab.run("ip route del count 999 10.64.0.0/24");
    assert_eq!(ways(&scene, &["10.64.0.1", "10.67.231.255"]), [None, Some(1)]);
    let error = scene.lab.refused("ip route add count 3 255.255.254.0/24 via 10.1.0.2 pg1");
    assert!(error.contains("as many prefixes as there are behind the first"), "{error}");
    let error = scene.lab.refused("ip route del count 5 10.67.231.0/24");
    assert!(error.contains("no route 10.67.232.0/24 from this source"), "{error}");
    assert_eq!(ways(&scene, &["10.67.231.255"]), [Some(1)]);
}

#[test]
fn a_line_of_ip_route_is_done_as_a_whole_or_not_at_all() {
    let scene = fan();
    scene.lab.script(
        "ip route add count 3 10.64.0.0/24 via 10.1.0.2 pg1 via 10.2.0.2 pg2
         ip route add 10.64.1.0/24 via 10.3.0.2 pg3",
    );
    let many: String =
        (4..=65).map(|n| format!(" via 10.1.{}.{} pg1", n / 256 + 1, n % 256)).collect();
    let before = scene.lab.run("show ip fib");
    for (line, why) in [
        // A path of several, and a route of several, that is not there.
        ("del 10.64.0.0/24 via 10.1.0.2 pg1 via 10.3.0.2 pg3", "10.64.0.0/24 has no such path"),
        ("del count 3 10.64.0.0/24 via 10.3.0.2 pg3", "10.64.0.0/24 has no such path"),
        ("del count 3 10.64.1.0/24 via 10.2.0.2 pg2", "no route 10.64.3.0/24"),
        ("del 10.64.0.0/24 10.64.9.0/24", "no route 10.64.9.0/24"),
        ("del count 2 10.64.0.0/24 10.64.1.0/24", "10.64.1.0/24 is in the line twice"),
        ("add 10.65.0.0/24 10.65.0.0/24 via 10.1.0.2 pg1", "10.65.0.0/24 is in the line twice"),
        // The last route has one path more than those before it, and only that is too many.
        (&format!("add count 3 10.64.0.0/24{many}"), "can have 64 paths at most"),
        (&format!("add 10.65.0.0/24 10.64.1.0/24{many}"), "can have 64 paths at most"),
    ] {
        let error = scene.lab.refused(&format!("ip route {line}"));
        assert!(error.contains(why), "{line}: {error}");
        assert_eq!(scene.lab.run("show ip fib"), before, "{line}");
    }
}

#[test]
fn the_longest_prefix_decides_and_the_default_route_takes_the_rest() {
    let scene = fan();
    scene.lab.script(
        "ip route add 0.0.0.0/0 via 10.1.0.2 pg1
         ip route add 10.9.0.0/16 via 10.2.0.2 pg2
         ip route add 10.9.9.9/32 via 10.3.0.2 pg3
         ip route add ::/0 via 2001:db8:1::2 pg1
         ip route add 2001:db8:9::/48 via 2001:db8:2::2 pg2
         ip route add 2001:db8:9::9/128 via 2001:db8:3::2 pg3",
    );
    let destinations = ["198.51.100.1", "10.9.9.8", "10.9.9.9"];
    assert_eq!(ways(&scene, &destinations), [Some(1), Some(2), Some(3)]);
    let destinations = ["2001:db8:ffff::1", "2001:db8:9::8", "2001:db8:9::9"];
    assert_eq!(ways(&scene, &destinations), [Some(1), Some(2), Some(3)]);
    // Multicast and reserved addresses are nobody's to route by default.
    assert_eq!(ways(&scene, &["224.1.1.1", "240.0.0.1", "255.255.255.255"]), [None; 3]);
    scene.lab.run("ip route del 0.0.0.0/0");
    assert_eq!(ways(&scene, &["198.51.100.1", "10.9.9.8"]), [None, Some(2)]);
    assert_eq!(scene.lab.error("ip4-drop", "route"), 4);
    scene.assert_nothing_is_lost();
}

#[test]
fn drop_punt_and_local_are_where_packets_end() {
    let scene = fan();
    scene.lab.script(
        "ip route add 0.0.0.0/0 via 10.1.0.2 pg1
         ip route add 10.9.1.0/24 via drop
         ip route add 10.9.2.0/24 via punt
         ip route add 10.9.3.0/24 via local
         ip route add ::/0 via 2001:db8:1::2 pg1
         ip route add 2001:db8:91::/48 via drop
         ip route add 2001:db8:92::/48 via punt
         ip route add 2001:db8:93::/48 via local",
    );
    assert_eq!(ways(&scene, &["10.9.1.1", "10.9.2.1", "10.9.3.1"]), [None; 3]);
    assert_eq!(ways(&scene, &["2001:db8:91::1", "2001:db8:92::1", "2001:db8:93::1"]), [None; 3]);
    for (node, reason) in [
        ("ip4-drop", "route"),
        ("ip4-punt", "punt"),
        ("ip4-udp-lookup", "no-listener"),
        ("ip6-drop", "route"),
        ("ip6-punt", "punt"),
        ("ip6-udp-lookup", "no-listener"),
    ] {
        assert_eq!(scene.lab.error(node, reason), 1, "{node} {reason}");
    }
    // Another path takes all that a drop would have taken; punt stands alone.
    scene.lab.run("ip route add 10.9.1.0/24 via 10.2.0.2 pg2");
    assert_eq!(ways(&scene, &["10.9.1.1", "10.9.1.2"]), [Some(2); 2]);
    scene.lab.run("ip route add 10.9.1.0/24 via punt");
    assert_eq!(ways(&scene, &["10.9.1.1", "10.9.1.2"]), [None; 2]);
    let error = scene.lab.refused("ip route add 10.9.4.0/24 via punt via 10.2.0.2 pg2");
    assert!(error.contains("multiple special adjacencies is unsupported"), "{error}");
    scene.assert_nothing_is_lost();
}

#[test]
fn tables_are_apart_and_routes_lead_from_one_to_another() {
    let scene = Scene::new(4, "");
    scene.lab.script(
        "ip table add 10
         ip6 table add 10
         set interface ip table pg0 10
         set interface ip6 table pg0 10",
    );
    for n in 0..4 {
        scene.lab.script(&format!(
            "set interface ip address pg{n} 10.{n}.0.1/24
             set interface ip address pg{n} 2001:db8:{n}::1/64
             set ip neighbor pg{n} 10.{n}.0.2 02:00:00:00:01:0{n}
             set ip neighbor pg{n} 2001:db8:{n}::2 02:00:00:00:01:0{n}"
        ));
    }
    // The same prefixes in both tables; pg0 belongs to table 10.
    scene.lab.script(
        "ip route add 10.9.0.0/16 via 10.1.0.2 pg1
         ip route add 10.9.0.0/16 table 10 via 10.2.0.2 pg2
         ip route add 10.8.0.0/16 table 10 via 10.3.0.2 next-hop-table 0
         ip route add 10.7.0.0/16 table 10 via ip4-lookup-in-table 0
         ip route add 10.7.7.0/24 via 10.1.0.2 pg1
         ip route add 2001:db8:90::/48 via 2001:db8:1::2 pg1
         ip route add 2001:db8:90::/48 table 10 via 2001:db8:2::2 pg2
         ip route add 2001:db8:80::/48 table 10 via 2001:db8:3::2 next-hop-table 0
         ip route add 2001:db8:70::/48 table 10 via ip6-lookup-in-table 0
         ip route add 2001:db8:70:7::/64 via 2001:db8:1::2 pg1",
    );
    let ip4 = ["10.9.0.1", "10.8.0.1", "10.7.7.1", "10.7.0.1", "10.1.0.2"];
    assert_eq!(ways(&scene, &ip4), [Some(2), Some(3), Some(1), None, None]);
    let ip6 = ["2001:db8:90::1", "2001:db8:80::1", "2001:db8:70:7::1", "2001:db8:70::1"];
    assert_eq!(ways(&scene, &ip6), [Some(2), Some(3), Some(1), None]);
    let shown = scene.lab.run("show ip fib table 10 10.9.0.1");
    assert!(shown.starts_with("ipv4-VRF:10, fib_index:1, flow hash:["), "{shown}");
    assert!(shown.contains("to:[1:46]"), "{shown}");
    assert!(scene.lab.run("show ip fib table 0 10.9.0.1").contains("to:[0:0]"));
    assert!(scene.lab.refused("show ip fib table 11").contains("no ip4 table 11"));
    assert!(scene.lab.refused("ip route add 10.6.0.0/16 table 11 via drop").contains("table 11"));
    let error = scene.lab.refused("ip table del 10");
    assert!(error.contains("ip4 table 10 is in use"), "{error}");
    let error = scene.lab.refused("show ip fib 2001:db8::1");
    assert!(error.contains("`2001:db8::1' is not an ip4 address or prefix"), "{error}");
    scene.assert_nothing_is_lost();
}

#[test]
fn tables_that_lead_to_each_other_end_in_a_counted_drop() {
    let scene = fan();
    scene.lab.script(
        "ip table add 5
         ip route add 10.9.0.0/16 via ip4-lookup-in-table 5
         ip route add 10.9.0.0/16 table 5 via ip4-lookup-in-table 0",
    );
    assert_eq!(ways(&scene, &["10.9.0.1"]), [None]);
    assert_eq!(scene.lab.error("ip4-lookup", "table-loop"), 1);
    scene.assert_nothing_is_lost();
}

#[test]
fn recursive_next_hops_follow_the_route_to_them() {
    let scene = fan();
    scene.lab.script(
        "ip route add 10.9.0.0/16 via 172.16.0.1
         ip route add 172.16.0.0/24 via 192.168.7.7
         ip route add 2001:db8:90::/48 via 2001:db8:ffff::1",
    );
    assert_eq!(ways(&scene, &["10.9.0.1", "2001:db8:90::1"]), [None; 2]);
    scene.lab.script(
        "ip route add 192.168.7.0/24 via 10.1.0.2 pg1
         ip route add 2001:db8:ffff::/48 via 2001:db8:1::2 pg1",
    );
    assert_eq!(ways(&scene, &["10.9.0.1", "2001:db8:90::1"]), [Some(1); 2]);
    // A longer route to the next hop takes over, and gives back.
    scene.lab.run("ip route add 192.168.7.7/32 via 10.2.0.2 pg2");
    scene.lab.run("ip route add 2001:db8:ffff::1/128 via 2001:db8:2::2 pg2");
    assert_eq!(ways(&scene, &["10.9.0.1", "2001:db8:90::1"]), [Some(2); 2]);
    scene.lab.run("set interface state pg2 down");
    assert_eq!(ways(&scene, &["10.9.0.1"]), [None]);
    scene.lab.run("ip route del 192.168.7.7/32");
    assert_eq!(ways(&scene, &["10.9.0.1"]), [Some(1)]);
    // A next hop on a connected prefix is resolved like one that was named with its interface.
    scene.lab.run("ip route add 10.8.0.0/16 via 10.3.0.2");
    assert_eq!(ways(&scene, &["10.8.0.1"]), [Some(3)]);
    // A circle forwards nothing.
    scene.lab.run("ip route add 10.6.0.0/16 via 10.5.0.1");
    scene.lab.run("ip route add 10.5.0.0/16 via 10.6.0.1");
    assert_eq!(ways(&scene, &["10.6.0.9", "10.5.0.9"]), [None; 2]);
    assert!(scene.lab.run("show ip fib 10.6.0.9").contains("oper-flags:recursive-loop,"));
    scene.assert_nothing_is_lost();
}

#[test]
fn a_path_of_lower_preference_steps_in_when_the_better_one_fails() {
    let scene = fan();
    scene.lab.run("ip route add 10.9.0.0/16 via 10.2.0.2 pg2 preference 1 via 10.1.0.2 pg1");
    assert_eq!(ways(&scene, &["10.9.0.1", "10.9.0.2", "10.9.0.3"]), [Some(1); 3]);
    scene.lab.run("set interface state pg1 down");
    assert_eq!(ways(&scene, &["10.9.0.1", "10.9.0.2"]), [Some(2); 2]);
    scene.lab.run("set interface state pg1 up");
    assert_eq!(ways(&scene, &["10.9.0.1", "10.9.0.2"]), [Some(1); 2]);
    let shown = scene.lab.run("show ip fib 10.9.0.1");
    assert!(
        shown.contains("ip4 weight=1 pref=1 attached-nexthop:  oper-flags:resolved,"),
        "{shown}"
    );
    scene.assert_nothing_is_lost();
}

#[test]
fn counters_of_a_route_survive_its_edits_and_not_its_end() {
    let scene = fan();
    let counted = || {
        let shown = route(&scene, "show ip fib 10.9.0.1");
        (shown["packets"].as_u64().unwrap(), shown["bytes"].as_u64().unwrap())
    };
    scene.lab.run("ip route add 10.9.0.0/16 via 10.1.0.2 pg1");
    ways(&scene, &["10.9.0.1", "10.9.0.2"]);
    assert_eq!(counted(), (2, 92));
    scene.lab.run("ip route add 10.9.0.0/16 via 10.2.0.2 pg2");
    scene.lab.run("ip route del 10.9.0.0/16 via 10.1.0.2 pg1");
    scene.lab.run("set interface state pg2 down");
    ways(&scene, &["10.9.0.1"]);
    assert_eq!(counted(), (3, 138), "what the route dropped it took, too");
    // A route with its number would show what it counted.
    scene.lab.run("ip route del 10.9.0.0/16");
    scene.lab.run("ip route add 10.9.0.0/16 via 10.1.0.2 pg1");
    scene.lab.run("ip route add 10.8.0.0/16 via 10.1.0.2 pg1");
    assert_eq!(counted(), (0, 0));
    assert_eq!(route(&scene, "show ip fib 10.8.0.0/16")["packets"], 0);
    ways(&scene, &["10.9.0.1"]);
    assert_eq!(counted(), (1, 46));
    // Readers in other processes see as many counters as there are numbers.
    let (visible, highest) = scene.lab.engine.with(|main| {
        let of = |family| main.forwarding().routes(family, vnet::fib::FibIndex::DEFAULT).unwrap();
        let all = of(vnet::fib::Family::Ip4).chain(of(vnet::fib::Family::Ip6));
        (main.route_counters().len(), all.map(|(_, index)| index.position()).max().unwrap())
    });
    assert!(visible > highest, "{visible} counters, route {highest}");
    scene.assert_nothing_is_lost();
}

#[test]
fn an_unnumbered_interface_takes_packets_by_the_addresses_that_it_borrows() {
    let scene = Scene::new(
        3,
        "set interface ip address pg1 10.1.0.1/24
         set ip neighbor pg1 10.1.0.2 02:00:00:00:01:01
         set ip neighbor pg2 10.2.0.2 02:00:00:00:01:02
         ip route add 10.9.0.0/16 via 10.2.0.2 pg2",
    );
    let packet = |to| frame(&[], &Ip4::udp("10.0.0.2", to).bytes());
    scene.send("pg0", &[packet("10.1.0.2")]);
    assert_eq!(scene.lab.error("ip4-not-enabled", "not-enabled"), 1);
    scene.lab.run("set interface unnumbered pg0 use pg1");
    scene.lab.run("set interface unnumbered pg2 use pg1");
    scene.send("pg0", &[packet("10.1.0.2"), packet("10.9.0.1")]);
    assert_eq!(scene.counter("pg1", "tx packets"), 1);
    assert_eq!(scene.counter("pg2", "tx packets"), 1);
    scene.lab.run("set interface ip address del pg1 10.1.0.1/24");
    scene.send("pg0", &[packet("10.9.0.1")]);
    assert_eq!(scene.lab.error("ip4-not-enabled", "not-enabled"), 2);
    scene.assert_nothing_is_lost();
}
