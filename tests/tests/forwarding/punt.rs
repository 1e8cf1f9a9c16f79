//! Punted packets: counted, or sent on by paths of their own.

use serde_json::Value;

use crate::{
    arp::Arp,
    packets::{Ip4, PG0, frame, frame_to, ip6_udp},
    scene::Scene,
};

/// What scapy makes of IP(src="10.0.0.2", dst="10.9.1.1", ttl=9, id=77, tos=0x28) / UDP(sport=1000, dport=2000) / b"punted".
const FOUR: &str = "45280022004d000009119c4b0a0000020a09010103e807d0000e9ac070756e746564";
/// And of IPv6(src="2001:db8::2", dst="2001:db8:9::1", hlim=9, tc=0x28, fl=7) / UDP(sport=1000, dport=2000) / b"punted".
const SIX: &str = "62800007000e110920010db800000000000000000000000220010db800090000000000000000000103e807d0000e544e70756e746564";
/// Ether(dst="02:00:00:00:01:01", src="02:fe:00:00:00:01") and Ether(dst="02:00:00:00:01:02", src="02:fe:00:00:00:02") in front of them.
const FOUR_ON_PG1: &str = "02000000010102fe000000010800";
const SIX_ON_PG2: &str = "02000000010202fe0000000286dd";

fn hex(text: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(digit).collect()
}

/// pg0 in, pg1 to pg3 out, each with a neighbour 10.N.0.2. Routes to 10.9.0.0/16 and 2001:db8:9::/48 punt.
fn punting() -> Scene {
    let scene = Scene::new(4, "");
    for n in 0..4 {
        scene.lab.script(&format!(
            "set interface ip address pg{n} 10.{n}.0.1/24
             set interface ip address pg{n} 2001:db8:{n}::1/64
             set ip neighbor pg{n} 10.{n}.0.2 02:00:00:00:01:0{n}
             set ip neighbor pg{n} 2001:db8:{n}::2 02:00:00:00:01:0{n}"
        ));
    }
    scene.lab.script("ip route add 10.9.0.0/16 via punt\nip route add 2001:db8:9::/48 via punt");
    scene
}

/// Sends a packet that is punted, and says by which interface it left.
fn way(scene: &Scene) -> Option<usize> {
    let sent = || [1, 2, 3].map(|n| scene.counter(&format!("pg{n}"), "tx packets"));
    let before = sent();
    scene.send("pg0", &[frame(&[], &hex(FOUR))]);
    let after = sent();
    (0..3).find(|&n| after[n] > before[n]).map(|n| n + 1)
}

#[test]
fn what_is_punted_goes_on_unchanged_by_the_redirect_of_its_interface_or_else_of_all() {
    let scene = punting();
    let packets = [frame(&[], &hex(FOUR)), frame(&[], &hex(SIX))];
    scene.send("pg0", &packets);
    assert_eq!(scene.lab.error("error-punt", "punted"), 2);
    assert_eq!(scene.counter("pg0", "punt"), 2);
    scene.lab.run("ip punt redirect rx pg0 via 10.1.0.2 pg1");
    scene.lab.run("ip6 punt redirect add rx all via 2001:db8:2::2 pg2");
    scene.capture("pg1");
    scene.capture("pg2");
    scene.send("pg0", &packets);
    let four = scene.captured("pg1");
    assert_eq!(four.frames, [hex(&format!("{FOUR_ON_PG1}{FOUR}"))]);
    assert_eq!(scene.captured("pg2").frames, [hex(&format!("{SIX_ON_PG2}{SIX}"))]);
    if let Some(rows) = four.tshark("a redirected packet", &["ip.ttl", "udp.checksum.status"]) {
        assert_eq!(rows, [["9", "1"]]);
    }
    // Another interface has no redirect of its own.
    let from_pg3 = [frame_to([2, 0xfe, 0, 0, 0, 3], &[], &hex(FOUR))];
    scene.send("pg3", &from_pg3);
    assert_eq!(scene.lab.error("error-punt", "punted"), 3);
    scene.lab.run("ip punt redirect rx all via 10.2.0.2 pg2");
    scene.send("pg3", &from_pg3);
    assert_eq!(scene.counter("pg2", "tx packets"), 2);
    assert_eq!(way(&scene), Some(1));
    // Each is taken away by itself.
    scene.lab.run("ip punt redirect del rx pg0");
    assert_eq!(way(&scene), Some(2));
    scene.lab.run("ip punt redirect del rx all");
    scene.lab.run("ip6 punt redirect del rx all");
    assert!(!scene.lab.run("show interface features local0").contains("punt-redirect"));
    scene.send("pg0", &packets);
    assert_eq!(scene.lab.error("error-punt", "punted"), 5);
    assert_eq!(scene.lab.error("ip4-punt-redirect", "redirected"), 4);
    assert_eq!(scene.lab.error("ip6-punt-redirect", "redirected"), 1);
    scene.assert_nothing_is_lost();
}

#[test]
fn a_redirect_follows_what_its_paths_resolve_through() {
    let scene = punting();
    scene.lab.run("ip punt redirect rx pg0 via 10.7.0.1");
    let ended = || scene.lab.error("ip4-punt-redirect", "drop");
    // No route to the next hop, then one, then a longer one; and a way that is down.
    assert_eq!((way(&scene), ended()), (None, 1));
    scene.lab.run("ip route add 10.7.0.0/16 via 10.1.0.2 pg1");
    assert_eq!(way(&scene), Some(1));
    scene.lab.run("ip route add 10.7.0.1/32 via 10.2.0.2 pg2 via 10.3.0.2 pg3 preference 1");
    assert_eq!(way(&scene), Some(2));
    scene.lab.run("set interface state pg2 down");
    assert_eq!(way(&scene), Some(3));
    scene.lab.run("set interface state pg3 down");
    assert_eq!((way(&scene), ended()), (None, 2));
    scene.lab.run("set interface state pg2 up");
    assert_eq!(way(&scene), Some(2));
    // What the route of the next hop leads to is no way on from where packets are punted.
    for (n, special) in [(3, "punt"), (4, "local")] {
        scene.lab.run("ip route del 10.7.0.1/32");
        scene.lab.run(&format!("ip route add 10.7.0.1/32 via {special}"));
        assert_eq!((way(&scene), ended()), (None, n), "{special}");
    }
    scene.lab.run("ip route del 10.7.0.1/32");
    scene.lab.run("ip table add 5");
    scene.lab.run("ip route add 10.7.0.1/32 via lookup-in-table 5");
    assert_eq!((way(&scene), ended()), (None, 5));
    // Another path in place of it.
    scene.lab.run("ip punt redirect rx pg0 via 10.2.0.2 pg2");
    assert_eq!(way(&scene), Some(2));
    assert_eq!(scene.lab.error("error-punt", "punted"), 0);
    scene.assert_nothing_is_lost();
}

#[test]
fn packets_wait_for_the_next_hop_of_a_redirect_and_go_on_unchanged() {
    let scene = punting();
    scene.lab.run("ip punt redirect rx pg0 via 10.1.0.9 pg1");
    scene.capture("pg1");
    scene.send("pg0", &[frame(&[], &hex(FOUR))]);
    assert_eq!(scene.lab.error("ip4-arp", "request-sent"), 1);
    let (peer, pg1) = ([2, 0, 0, 0, 1, 1], [2, 0xfe, 0, 0, 0, 1]);
    let answer = Arp::new(2, (peer, [10, 1, 0, 9]), (pg1, [10, 1, 0, 1])).bytes();
    scene.send("pg1", &[answer]);
    let frames = scene.captured("pg1").frames.clone();
    assert_eq!(frames[1..], [hex(&format!("{FOUR_ON_PG1}{FOUR}"))]);
    // The neighbour has another card.
    scene.lab.run("set ip neighbor pg1 10.1.0.9 02:00:00:00:01:77");
    scene.capture("pg1");
    scene.send("pg0", &[frame(&[], &hex(FOUR))]);
    assert_eq!(scene.captured("pg1").frames[0][..6], [2, 0, 0, 0, 1, 0x77]);
    scene.assert_nothing_is_lost();
}

#[test]
fn with_several_paths_flows_are_shared_by_weight() {
    let scene = punting();
    scene.lab.run("ip punt redirect rx pg0 via 10.1.0.2 pg1 weight 3 via 10.2.0.2 pg2");
    let packets = (0..400)
        .map(|port| frame(&[], &Ip4::flow("10.0.0.2", "10.9.0.1", 1000 + port, b"x").bytes()));
    let packets: Vec<_> = packets.collect();
    scene.send("pg0", &packets);
    let sent = |name| scene.counter(name, "tx packets");
    assert_eq!(sent("pg1") + sent("pg2"), 400);
    assert!((260..=340).contains(&sent("pg1")), "{}", sent("pg1"));
    scene.lab.run("set interface state pg1 down");
    scene.send("pg0", &packets);
    assert_eq!(sent("pg1") + sent("pg2"), 800);
    scene.assert_nothing_is_lost();
}

#[test]
fn redirects_go_with_the_interfaces_that_they_are_about() {
    let scene = punting();
    scene.lab.script(
        "create packet-generator interface pg8
         set interface state pg8 up
         set interface ip address pg8 10.8.0.1/24
         ip punt redirect rx pg8 via 10.1.0.2 pg1
         ip punt redirect rx all via 10.8.0.2 pg8
         ip6 punt redirect rx pg0 via pg8 via 2001:db8:2::2 pg2",
    );
    assert_eq!(scene.lab.run("show ip punt redirect").matches(" via:").count(), 2);
    scene.lab.run("delete packet-generator interface pg8");
    assert_eq!(scene.lab.run("show ip punt redirect"), "");
    let left = scene.lab.run("show ip6 punt redirect json");
    assert_eq!(left.matches("\"type\":\"attached").count(), 1, "{left}");
    let features = scene.lab.run("show interface features local0");
    assert!(features.contains("ip6-punt-redirect") && !features.contains("ip4-punt-redirect"));
    assert_eq!(way(&scene), None);
    assert_eq!(scene.lab.error("error-punt", "punted"), 1);
    scene.assert_nothing_is_lost();
}

#[test]
fn a_packet_that_comes_by_again_and_again_ages_until_it_ends() {
    let scene = punting();
    scene.lab.script(
        "create loopback interface mac 02:00:00:00:00:88
         set interface state loop0 up
         set interface ip address loop0 10.8.0.1/24
         set ip neighbor loop0 10.8.0.2 02:00:00:00:00:88
         ip punt redirect rx all via 10.8.0.2 loop0",
    );
    scene.send("pg0", &[frame(&[], &hex(FOUR))]);
    assert_eq!(scene.lab.error("ip4-rewrite", "time-expired"), 1);
    // One off the TTL of 9 each time but the first.
    assert_eq!(scene.lab.error("ip4-punt-redirect", "redirected"), 10);
}

#[test]
fn a_redirect_is_shown_as_routes_are() {
    let scene = punting();
    scene.lab.run("ip punt redirect rx pg0 via 10.1.0.2 pg1");
    scene.lab.run("ip punt redirect rx all via pg2 preference 3");
    let shown = scene.lab.run("show ip punt redirect");
    let one = " forwarding\n  [@5]: ipv4 via 10.1.0.2 pg1: mtu:9000 next:";
    assert!(shown.starts_with(" rx local0 via:\n    path-list:["), "{shown}");
    assert!(shown.contains(" rx pg0 via:\n    path-list:[") && shown.contains(one), "{shown}");
    let value: Value = serde_json::from_str(&scene.lab.run("show ip punt redirect json")).unwrap();
    assert_eq!((&value[0]["rx"], &value[1]["rx"]), (&"local0".into(), &"pg0".into()));
    assert_eq!(value[0]["paths"][0]["preference"], 3);
    assert_eq!(value[1]["paths"][0]["next_hop"], "10.1.0.2");
    assert_eq!(scene.lab.run("show ip6 punt redirect"), "");
    scene.lab.run("trace add pg-input 1");
    assert_eq!(way(&scene), Some(1));
    let trace = scene.lab.run("show trace");
    assert!(trace.contains("ip4-punt-redirect\n  via redirect:"), "{trace}");
}

#[test]
fn a_redirect_that_cannot_be_is_refused_by_name_and_nothing_changes() {
    let scene = punting();
    scene.lab.run("ip punt redirect rx pg0 via 10.1.0.2 pg1");
    let many: String = (0..65).map(|n| format!(" via 10.1.0.{}", n + 3)).collect();
    let before = scene.lab.run("show ip punt redirect");
    for (line, why) in [
        ("ip punt redirect", "missing rx"),
        ("ip punt redirect rx via 10.1.0.2 pg1", "missing (all | <interface>)"),
        ("ip punt redirect rx pg7 via 10.1.0.2 pg1", "unknown interface `pg7'"),
        ("ip punt redirect rx pg0", "missing via <next-hop>"),
        ("ip punt redirect rx pg0 via", "`via' needs <next-hop>"),
        ("ip punt redirect rx pg0 via pg7", "unknown next hop or interface `pg7'"),
        ("ip punt redirect rx pg0 via 10.1.0.2 pg7", "unknown interface `pg7'"),
        ("ip punt redirect rx pg0 via 10.1.0.2 next-hop-table 9", "no ip4 table 9"),
        (
            "ip punt redirect rx pg0 via 2001:db8::2 pg1",
            "ip4 punt redirect: a path is of another family",
        ),
        (
            "ip6 punt redirect rx pg0 via 10.1.0.2 pg1",
            "ip6 punt redirect: a path is of another family",
        ),
        ("ip punt redirect rx pg0 via punt", "paths lead to next hops or interfaces, or drop"),
        ("ip punt redirect rx pg0 via local", "paths lead to next hops or interfaces, or drop"),
        (
            "ip punt redirect rx pg0 via lookup-in-table 0",
            "paths lead to next hops or interfaces, or drop",
        ),
        (&format!("ip punt redirect rx pg0{many}"), "there can be 64 paths at most"),
        (
            "ip punt redirect del rx pg1",
            "ip4 punt redirect: there is none for what comes in by interface 2",
        ),
        ("ip punt redirect del rx all", "there is none for what comes in by any interface"),
        ("ip6 punt redirect del rx pg0", "ip6 punt redirect: there is none"),
        ("show ip punt redirect pg0", "pg0"),
    ] {
        let refused = scene.lab.refused(line);
        assert!(refused.contains(why), "{line}: {refused}");
        assert_eq!(scene.lab.run("show ip punt redirect"), before, "{line}");
    }
    scene.send("pg0", &[frame_to(PG0, &[], &ip6_udp("2001:db8::2", "2001:db8:9::1", 9, 1))]);
    assert_eq!(scene.lab.error("error-punt", "punted"), 1);
}

/// What scapy makes of IP(src="10.0.0.2", dst="10.0.0.1", ttl=9) / UDP(sport=1000, dport=2000) / b"punted", with port 2001 next, and of
/// IPv6(src="2001:db8::2", dst="2001:db8::1", hlim=9) / IPv6ExtHdrDestOpt() / UDP(sport=1000, dport=2000) / b"punted".
const TO_US: &str = "450000220001000009119dc80a0000020a00000103e807d0000e9bc970756e746564";
const TO_NEXT_PORT: &str = "450000220001000009119dc80a0000020a00000103e807d1000e9bc870756e746564";
const TO_US_6: &str = "6000000000163c0920010db800000000000000000000000220010db8000000000000000000000001110001040000000003e807d0000e545770756e746564";
/// And of IP(src="10.0.0.2", dst="10.0.0.1", ttl=9, proto=89) / b"hello", and the same with TCP(sport=1000, dport=80).
const OSPF: &str = "450000190001000009599d890a0000020a00000168656c6c6f";
const TCP: &str =
    "450000280001000009069dcd0a0000020a00000103e8005000000000000000005002200077a80000";

/// What leaves by pg1 of packets that come in by pg0, in an order of its own.
fn redirected(scene: &Scene, packets: &[&str]) -> Vec<String> {
    scene.capture("pg1");
    let frames: Vec<_> = packets.iter().map(|packet| frame(&[], &hex(packet))).collect();
    scene.send("pg0", &frames);
    let text = |frame: &Vec<u8>| frame[14..].iter().map(|byte| format!("{byte:02x}")).collect();
    let mut packets: Vec<String> = scene.captured("pg1").frames.iter().map(text).collect();
    packets.sort_unstable();
    packets
}

/// In that order.
fn sorted(packets: &[&'static str]) -> Vec<&'static str> {
    let mut packets = packets.to_vec();
    packets.sort_unstable();
    packets
}

#[test]
fn ports_and_protocols_that_nobody_receives_are_punted_whole_when_that_is_said() {
    let scene = punting();
    scene.lab.script(
        "ip punt redirect rx all via 10.1.0.2 pg1
         ip6 punt redirect rx all via 2001:db8:1::2 pg1",
    );
    let all = [TO_US, TO_NEXT_PORT, TO_US_6, OSPF, TCP];
    assert_eq!(redirected(&scene, &all), [""; 0]);
    for (node, n) in [("ip4-udp-lookup", 2), ("ip6-udp-lookup", 1)] {
        assert_eq!(scene.lab.error(node, "no-listener"), n, "{node}");
    }
    for (line, punted) in [
        ("set punt udp 2000", &[TO_US][..]),
        ("set punt ipv6 udp 2000", &[TO_US, TO_US_6]),
        ("set punt protocol 89", &[TO_US, TO_US_6, OSPF]),
        ("set punt", &[TO_US, TO_NEXT_PORT, TO_US_6, OSPF]),
        ("set punt udp 2000 del", &[TO_US, TO_NEXT_PORT, TO_US_6, OSPF]),
        ("set punt tcp all", &all),
        ("set punt del udp all", &[TO_US_6, OSPF, TCP]),
        ("set punt ip6 del 2000", &[OSPF, TCP]),
        ("set punt del protocol 89", &[TCP]),
        ("set punt del protocol 6", &[]),
    ] {
        scene.lab.run(line);
        assert_eq!(redirected(&scene, &all), sorted(punted), "{line}");
    }
    assert_eq!(scene.lab.run("show punt db json"), "[]\n");
    assert_eq!(scene.lab.run("show punt socket registrations json"), "[]\n");
    scene.assert_nothing_is_lost();
}

#[test]
fn without_a_redirect_what_is_punted_is_counted_by_why() {
    let scene = punting();
    scene.lab.script("set punt udp 2000\nset punt protocol 89");
    scene.send("pg0", &[TO_US, OSPF].map(|packet| frame(&[], &hex(packet))));
    assert_eq!(scene.lab.error("ip4-udp-punt", "udp-port"), 1);
    assert_eq!(scene.lab.error("ip4-proto-punt", "protocol"), 1);
    assert_eq!(scene.lab.error("error-punt", "punted"), 2);
    assert_eq!(
        scene.lab.run("show punt db"),
        "Family  Protocol  Port    \n\
         ip4     UDP       2000    \n\
         ip4     89                \n"
    );
    scene.assert_nothing_is_lost();
}

#[test]
fn what_cannot_be_punted_is_refused_by_name() {
    let scene = punting();
    scene.lab.script(
        "set punt udp 2000
         create vxlan tunnel src 10.0.0.1 dst 10.1.0.2 vni 7",
    );
    let before = scene.lab.run("show punt db");
    for (line, why) in [
        ("set punt udp 4789", "datagrams to port 4789 of ip4 have a receiver here"),
        ("set punt protocol 17", "packets of protocol 17 of ip4 have a receiver here"),
        ("set punt protocol 256", "`256' is out of range"),
        ("set punt protocol 89 80", "protocol"),
        ("set punt tcp 80", "punt TCP ports is not supported yet"),
        ("set punt udp 70000", "`70000'"),
        ("set punt sctp 80", "`sctp'"),
        ("set punt del udp 2001", "datagrams to port 2001 of ip4 are not punted"),
        ("set punt del ipv6 all", "datagrams to ports without a listener of ip6 are not punted"),
        ("set punt del tcp all", "packets of protocol 6 of ip4 are not punted"),
        ("create vxlan tunnel src 10.0.0.1 dst 10.1.0.3 vni 8 src_port 2000", "2000"),
        // The engine of this test has no socket of its own.
        ("punt socket register udp 2001 socket /tmp/x", "socket is not configured"),
        ("punt socket register udp all socket /tmp/x", "Port number required"),
        ("punt socket register udp 2000 socket /tmp/x", "have a receiver here"),
        ("punt socket register udp 2001", "missing socket"),
        ("punt socket deregister udp 2000", "are not punted"),
        ("show punt socket registrations ip4", "ip4"),
    ] {
        let refused = scene.lab.refused(line);
        assert!(refused.contains(why), "{line}: {refused}");
        assert_eq!(scene.lab.run("show punt db"), before, "{line}");
    }
}

#[test]
fn tables_filter_what_is_punted_before_it_is_sent_on() {
    let scene = punting();
    // As VPP's test of it: what belongs to no session is dropped.
    scene.lab.script(
        "set punt udp all
         set punt ipv6 udp 2000
         ip punt redirect rx pg0 via 10.1.0.2 pg1
         ip6 punt redirect rx pg0 via 2001:db8:1::2 pg1
         classify table mask l3 ip4 src l4 dst_port acl-miss-next deny
         classify session acl-hit-next permit table-index 0 match l3 ip4 src 10.0.0.2 l4 dst_port 2001
         set interface input acl intfc local0 ip4-punt-table 0",
    );
    assert_eq!(
        redirected(&scene, &[TO_US, TO_NEXT_PORT, TO_US_6]),
        sorted(&[TO_NEXT_PORT, TO_US_6])
    );
    let counted = |node, reason| scene.lab.error(node, reason);
    assert_eq!([counted("ip4-punt-acl", "hit"), counted("ip4-punt-acl", "table-miss")], [1, 1]);
    scene.lab.script(
        "classify table mask l3 ip6 src acl-miss-next permit
         classify session acl-hit-next deny table-index 1 match l3 ip6 src 2001:db8::2
         set interface input acl intfc local0 ip6-punt-table 1",
    );
    assert_eq!(redirected(&scene, &[TO_US_6]), [""; 0]);
    assert_eq!(counted("ip6-punt-acl", "session-deny"), 1);
    let shown = scene.lab.run("show inacl type ip4-punt");
    assert!(shown.contains("local0"), "{shown}");
    assert!(scene.lab.run("show inacl type ip6-punt json").contains("local0"));
    let features = scene.lab.run("show interface features local0");
    let arc = "ip4-punt:\n  ip4-punt-acl\n  ip4-punt-redirect\n";
    assert!(features.contains(arc), "{features}");
    for (line, why) in [
        ("classify table del table 0", "in use: ip4-punt input access list of sw_if_index 0"),
        ("set interface input acl intfc pg0 ip4-punt-table 0", "filtered at local0"),
        (
            "set interface input acl intfc local0 ip4-punt-table 1",
            "has ip4-punt input table 0 already",
        ),
        ("set interface input acl intfc local0 ip4-punt-table 9 del", "does not have"),
        (
            "set interface input acl intfc local0 ip4-punt-table 0 ip6-punt-table 1",
            "Only one table",
        ),
        ("set interface output acl intfc local0 ip4-punt-table 0", "ip4-punt-table"),
        ("show outacl type ip4-punt", "ip4-punt"),
    ] {
        let refused = scene.lab.refused(line);
        assert!(refused.contains(why), "{line}: {refused}");
    }
    scene.lab.run("set interface input acl intfc local0 ip4-punt-table 0 del");
    scene.lab.run("set interface input acl intfc local0 ip6-punt-table 1 del");
    assert_eq!(redirected(&scene, &[TO_US, TO_US_6]), sorted(&[TO_US, TO_US_6]));
    scene.lab.run("classify table del table 0");
    assert_eq!(scene.lab.engine.with(|main| main.pool().owned()), 0);
}
