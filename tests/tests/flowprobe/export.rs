//! From a packet to a collector.

use std::process::Command;

use peloton_tests::program::not_run;

use crate::scene::{IP4, IP6, Scene, UDP, UDP6, is};

#[test]
fn tshark_finds_in_the_exported_packets_what_the_generator_sent() {
    let scene = Scene::new("tshark", "path-mtu 1450 udp-checksum");
    scene.params("record l2 l3 l4");
    scene.feature("pg0 ip4 rx");
    scene.feature("pg0 ip6 rx");
    let udp = "UDP: 192.168.0.2 -> 10.0.0.1-10.0.0.250 UDP: 1000 -> 2000 incrementing 18";
    scene.send(1000, &format!("{IP4} {udp}"));
    scene.send(60, &format!("{IP4} TCP: 192.168.0.2 -> 10.0.0.1 TCP: 1 -> 2 syn ack"));
    scene.send(7, &format!("{IP4} ICMP: 192.168.0.2 -> 10.0.0.1 ICMP echo_request"));
    scene.send(50, &format!("{IP6} {UDP6}"));
    scene.lab.advance(130);
    scene.lab.run("ipfix flush");
    let exported = scene.exported();
    assert_eq!(exported.records.len(), 253);
    assert_eq!(exported.packet_sum(), 1117);
    let Ok(output) = Command::new("tshark")
        .args(["-n", "-d", "udp.port==4739,cflow", "-o", "udp.check_checksum:TRUE"])
        .args(["-T", "json", "--no-duplicate-keys", "-r"])
        .arg(scene.capture())
        .output()
    else {
        return not_run("flowprobe's export read by tshark", "tshark is missing");
    };
    let text = String::from_utf8_lossy(&output.stdout);
    for complaint in ["_ws.expert", "_ws.malformed", "no template found"] {
        assert!(!text.contains(complaint), "{complaint}");
    }
    let sum = |field: &str| -> u64 {
        let key = format!("\"{field}\": \"");
        text.split(&key).skip(1).map(|r| r.split('"').next().unwrap().parse::<u64>().unwrap()).sum()
    };
    assert_eq!(sum("cflow.packets"), 1117);
    let octets: u64 = exported.sum("octetDeltaCount", |_| true);
    assert_eq!(sum("cflow.octets"), octets);
    assert_eq!(octets, 1000 * 46 + 60 * 40 + 7 * 24 + 50 * 50);
}

#[test]
fn the_first_template_leaves_at_once() {
    let scene = Scene::new("template", "");
    scene.params("record l3 l4");
    scene.feature("pg0 ip4 rx");
    let exported = scene.exported();
    assert_eq!((exported.template_messages, exported.templates), (1, vec![256, 257]));
}

#[test]
fn three_variants_on_one_interface_each_count_every_packet() {
    let scene = Scene::new("variants", "path-mtu 1450");
    scene.params("record l2 l3 l4");
    for variant in ["l2", "ip4", "ip6"] {
        scene.feature(&format!("pg0 {variant} both"));
    }
    // Device input is behind the generator when it sends to its interface's own node.
    scene.send(90, &format!("{IP4} {UDP}"));
    scene.send(40, &format!("{IP6} {UDP6}"));
    scene.send(5, "0x0806: 02:00:00:00:00:01 -> ff:ff:ff:ff:ff:ff hex 0x00010800");
    for variant in ["l2", "ip4", "ip6"] {
        scene.feature(&format!("pg0 {variant} disable"));
    }
    let exported = scene.exported();
    // l2: without IP, IPv4 and ICMP, IPv6 and ICMPv6; then ip4 and ip6.
    assert_eq!(exported.templates, [256, 257, 258, 259, 260, 261, 262, 263, 264]);
    for (template, packets, octets) in [
        (256, 5, 0),
        (257, 90, 90 * 46),
        (259, 40, 40 * 50),
        (261, 90, 90 * 46),
        (263, 40, 40 * 50),
    ] {
        let of = is("template", template);
        assert_eq!(exported.sum("packetDeltaCount", &of), packets, "{template}");
        assert_eq!(exported.sum("octetDeltaCount", &of), octets, "{template}");
    }
    assert_eq!(exported.packet_sum(), 2 * 130 + 5);
}

#[test]
fn each_direction_is_measured_where_it_is_enabled() {
    for (words, expected) in [("rx", vec![(0, 30)]), ("tx", vec![]), ("both", vec![(0, 30)])] {
        let scene = Scene::new(&format!("in-{words}"), "");
        scene.params("record l3");
        scene.feature(&format!("pg0 ip4 {words}"));
        scene.send(30, &format!("{IP4} {UDP}"));
        scene.feature("pg0 ip4 disable");
        let exported = scene.exported();
        let found: Vec<_> = exported
            .all("flowDirection")
            .into_iter()
            .zip(exported.all("packetDeltaCount"))
            .collect();
        assert_eq!(found, expected, "{words}");
    }
    let scene = Scene::new("out", "");
    scene.params("record l2 l3");
    scene.feature("pg1 ip4");
    scene.feature("pg1 l2 both");
    scene.send(30, &format!("{IP4} {UDP}"));
    scene.feature("pg1 ip4 disable");
    scene.feature("pg1 l2 disable");
    let exported = scene.exported();
    assert_eq!(exported.records.len(), 2);
    for record in &exported.records {
        assert_eq!(record["flowDirection"], 1);
        assert_eq!(
            (&record["ingressInterface"], &record["egressInterface"]),
            (&1.into(), &2.into())
        );
        assert_eq!(record["packetDeltaCount"], 30);
        // The header is the one that it leaves with.
        assert_eq!(record["destinationMacAddress"], "02:00:00:00:00:09");
        assert_eq!(record["ethernetType"], 0x800);
    }
}

#[test]
fn a_flush_ends_when_the_records_are_on_the_wire() {
    let scene = Scene::new("flush", "");
    scene.params("record l3 active 0");
    scene.feature("pg0 ip4 rx");
    scene.send(100, &format!("{IP4} {UDP}"));
    let before = scene.lab.engine.now();
    assert_eq!(scene.lab.run("ipfix flush"), "");
    assert_eq!(scene.lab.engine.now(), before);
    let exported = scene.exported();
    assert_eq!((exported.records.len(), exported.packet_sum()), (100, 100));
}

#[test]
fn another_collector_begins_a_new_session_with_what_is_recorded_after() {
    let scene = Scene::new("session", "");
    scene.params("record l3 active 0");
    scene.feature("pg0 ip4 rx");
    scene.send(20, &format!("{IP4} {UDP}"));
    // The mtu alone changes no session; the port does.
    scene.collector("path-mtu 1000");
    scene.send(5, &format!("{IP4} {UDP}"));
    scene.collector("port 4740");
    scene.send(3, &format!("{IP4} {UDP}"));
    scene.lab.run("ipfix flush");
    let exported = scene.exported();
    assert_eq!(exported.packet_sum(), 28);
    let numbers: Vec<_> = exported.messages.clone();
    assert_eq!(numbers.iter().map(|(_, n)| n).sum::<usize>(), 28);
    // Template, 20 records in pieces of 9, 5 records; template, 3 records.
    assert_eq!(numbers, [(0, 0), (0, 9), (9, 9), (18, 2), (20, 5), (0, 0), (0, 3)]);
}

#[test]
fn templates_are_sent_again_after_each_interval() {
    let scene = Scene::new("interval", "template-interval 7");
    scene.params("record l3");
    scene.feature("pg0 ip4 rx");
    scene.lab.advance(22);
    assert_eq!(scene.exported().template_messages, 4);
}

#[test]
fn a_collector_is_reached_over_ip6() {
    let scene = Scene::without_collector("six");
    scene.lab.run("set ipfix exporter collector 2001:db8:2::9 src 2001:db8:2::1 path-mtu 300");
    scene.params("record l2 l3 l4");
    scene.feature("pg0 ip6 rx");
    scene
        .send(30, &format!("{IP6} UDP: 2001:db8::2 -> 2001:db8:10::1-2001:db8:10::1e UDP: 1 -> 2"));
    scene.feature("pg0 ip6 disable");
    let exported = scene.exported();
    assert_eq!(exported.packet_sum(), 30);
    assert!(exported.packets.iter().all(|&len| len <= 300), "{:?}", exported.packets);
}
