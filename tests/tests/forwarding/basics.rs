//! The packets of the packet generator's own grammar, through a router of two interfaces.

use crate::scene::Scene;

const TO_US: &str = "IP4: 02:00:00:00:00:01 -> 02:fe:00:00:00:00";

/// `count` packets of `data` come in by pg0.
fn stream(scene: &Scene, count: u32, size: usize, data: &str) {
    scene.lab.run(&format!(
        "packet-generator new {{ name s limit {count} rate 1e6 size {size}-{size} \
         interface pg0 node ethernet-input data {{ {data} }} }}"
    ));
    scene.lab.run("packet-generator enable-stream s");
    scene.lab.advance(1);
}

#[test]
fn a_forwarded_packet_has_a_new_header_one_hop_less_and_a_right_checksum() {
    let scene = Scene::router();
    scene.capture("pg1");
    let data = format!(
        "{TO_US} UDP: 192.168.0.2 -> 10.0.0.1-10.0.0.9 ttl 64 UDP: 1000 -> 2000 incrementing 18"
    );
    stream(&scene, 300, 60, &data);
    let captured = scene.captured("pg1");
    assert_eq!(captured.frames.len(), 300);
    scene.assert_nothing_is_lost();
    let fields = ["eth.src", "eth.dst", "ip.ttl", "ip.checksum.status", "udp.checksum.status"];
    let Some(rows) = captured.tshark("forwarded packets read by tshark", &fields) else { return };
    let expected = ["02:fe:00:00:00:01", "02:00:00:00:00:09", "63", "1", "1"];
    assert!(rows.iter().all(|row| *row == expected), "{:?}", rows[0]);
}

#[test]
fn ip6_packets_are_forwarded_like_ip4_ones() {
    let scene = Scene::router();
    scene.capture("pg1");
    let data = "IP6: 02:00:00:00:00:01 -> 02:fe:00:00:00:00 \
                UDP: 2001:db8::2 -> 2001:db8:10::1 hop-limit 9 UDP: 1000 -> 2000 incrementing 18";
    stream(&scene, 50, 80, data);
    let captured = scene.captured("pg1");
    assert_eq!(captured.frames.len(), 50);
    scene.assert_nothing_is_lost();
    let fields = ["eth.dst", "ipv6.hlim", "ipv6.dst", "udp.checksum.status"];
    let Some(rows) = captured.tshark("forwarded ip6 packets read by tshark", &fields) else {
        return;
    };
    let expected = ["02:00:00:00:00:0a", "8", "2001:db8:10::1", "1"];
    assert!(rows.iter().all(|row| *row == expected), "{:?}", rows[0]);
}

#[test]
fn what_is_not_forwarded_is_counted_under_its_reason() {
    let udp = "UDP: 1000 -> 2000 incrementing 18";
    let other_mac = "IP4: 02:00:00:00:00:01 -> 02:00:00:00:00:77";
    let cases = [
        (
            format!("{TO_US} UDP: 192.168.0.2 -> 10.0.0.1 ttl 1 {udp}"),
            "ip4-rewrite",
            "time-expired",
        ),
        (
            format!("{TO_US} UDP: 192.168.0.2 -> 10.0.0.1 checksum 1 {udp}"),
            "ip4-input",
            "bad-checksum",
        ),
        (format!("{TO_US} UDP: 192.168.0.2 -> 172.16.0.1 {udp}"), "ip4-drop", "route"),
        (
            format!("{other_mac} UDP: 192.168.0.2 -> 10.0.0.1 {udp}"),
            "ethernet-input",
            "mac-mismatch",
        ),
        (
            format!("{TO_US} vlan 7 UDP: 192.168.0.2 -> 10.0.0.1 {udp}"),
            "ethernet-input",
            "unknown-vlan",
        ),
        (format!("{TO_US} UDP: 192.168.0.2 -> 192.168.0.1 {udp}"), "ip4-udp-lookup", "no-listener"),
        (
            format!("{TO_US} UDP: 192.168.0.1 -> 192.168.0.1 {udp}"),
            "ip4-local",
            "spoofed-local-packets",
        ),
    ];
    for (data, node, reason) in cases {
        let scene = Scene::router();
        stream(&scene, 40, 60, &data);
        assert_eq!(scene.lab.error(node, reason), 40, "{}", scene.lab.run("show errors"));
        assert_eq!(scene.counter("pg0", "drops"), 40, "{reason}");
        scene.assert_nothing_is_lost();
    }
}

#[test]
fn show_commands_tell_of_the_packets_that_went_through() {
    let scene = Scene::router();
    let data = format!("{TO_US} UDP: 192.168.0.2 -> 10.0.0.1 UDP: 1000 -> 2000 incrementing 18");
    scene.lab.run("trace add pg-input 1");
    stream(&scene, 10, 60, &data);
    for (line, part) in [
        ("show interface", "rx packets                    10\n"),
        ("show interface addr", "pg0 (up):\n  L3 192.168.0.1/24\n"),
        ("show ip fib 10.0.0.1", "uRPF:-1 to:[10:460]]\n    [0] [@5]: ipv4 via 192.168.1.2 pg1: "),
        ("show ip neighbors", "192.168.1.2"),
        ("show trace", ": ip4-rewrite\n"),
        ("show hardware-interfaces", "Ethernet address 02:fe:00:00:00:01\n"),
        ("show runtime", "ip4-lookup"),
        ("show packet-generator", "s"),
        ("show features", "ip4-unicast:\n"),
        ("show plugins", "nodes"),
    ] {
        let shown = scene.lab.run(line);
        assert!(shown.contains(part), "{line}\n{shown}");
    }
    assert!(!scene.lab.run("show errors").contains("ip4"), "nothing went wrong");
    let fib: serde_json::Value =
        serde_json::from_str(&scene.lab.run("show ip fib 10.0.0.1 json")).unwrap();
    assert_eq!(fib[0]["routes"][0]["packets"], 10);
}
