//! Packets in, packets out: what a router does to them, judged by tshark.

mod packets;
mod routes;
mod scene;
mod vlan;

use std::path::PathBuf;

use peloton_tests::{Lab, program::not_run, tshark};

/// A file of this test run that does not exist yet.
fn fresh(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("peloton-{}-{name}", std::process::id()));
    let _: std::io::Result<()> = std::fs::remove_file(&path);
    path
}

/// Two interfaces, a neighbour behind the second, routes to it.
fn router() -> Lab {
    let lab = Lab::new(Vec::new());
    lab.script(
        "create packet-generator interface pg0
         create packet-generator interface pg1
         set interface state pg0 up
         set interface state pg1 up
         set interface ip address pg0 192.168.0.1/24
         set interface ip address pg1 192.168.1.1/24
         set interface ip address pg0 2001:db8::1/64
         set interface ip address pg1 2001:db8:1::1/64
         set ip neighbor pg1 192.168.1.2 02:00:00:00:00:09
         set ip neighbor pg1 2001:db8:1::2 02:00:00:00:00:0a
         ip route add 10.0.0.0/8 via 192.168.1.2 pg1
         ip route add 2001:db8:10::/48 via 2001:db8:1::2 pg1",
    );
    lab
}

fn stream(lab: &Lab, name: &str, count: u32, data: &str) {
    lab.run(&format!(
        "packet-generator new {{ name {name} limit {count} rate 1e6 size 60-60 \
         interface pg0 node ethernet-input data {{ {data} }} }}"
    ));
    lab.run(&format!("packet-generator enable-stream {name}"));
    lab.advance(1);
}

const TO_US: &str = "IP4: 02:00:00:00:00:01 -> 02:fe:00:00:00:00";

#[test]
fn a_forwarded_packet_has_a_new_header_one_hop_less_and_a_right_checksum() {
    let lab = router();
    let file = fresh("forwarded.pcap");
    lab.run(&format!("packet-generator capture pg1 pcap {}", file.display()));
    let data = format!(
        "{TO_US} UDP: 192.168.0.2 -> 10.0.0.1-10.0.0.9 ttl 64 UDP: 1000 -> 2000 incrementing 18"
    );
    stream(&lab, "s", 300, &data);
    assert_eq!(lab.run("packet-generator capture pg1 disable"), "300 packets captured\n");
    let options = ["-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE"];
    let fields = ["eth.src", "eth.dst", "ip.ttl", "ip.checksum.status", "udp.checksum.status"];
    let Some(rows) = tshark(&file, &options, &fields) else {
        return not_run("forwarded packets read by tshark", "tshark is missing");
    };
    assert_eq!(rows.len(), 300);
    let expected = ["02:fe:00:00:00:01", "02:00:00:00:00:09", "63", "1", "1"];
    assert!(rows.iter().all(|row| *row == expected), "{:?}", rows[0]);
}

#[test]
fn ip6_packets_are_forwarded_like_ip4_ones() {
    let lab = router();
    let file = fresh("forwarded6.pcap");
    lab.run(&format!("packet-generator capture pg1 pcap {}", file.display()));
    let data = "IP6: 02:00:00:00:00:01 -> 02:fe:00:00:00:00 \
                UDP: 2001:db8::2 -> 2001:db8:10::1 hop-limit 9 UDP: 1000 -> 2000 incrementing 18";
    lab.run(&format!(
        "packet-generator new {{ name s limit 50 rate 1e6 size 80-80 interface pg0 node ethernet-input data {{ {data} }} }}"
    ));
    lab.run("packet-generator enable-stream s");
    lab.advance(1);
    assert_eq!(lab.run("packet-generator capture pg1 disable"), "50 packets captured\n");
    let fields = ["eth.dst", "ipv6.hlim", "ipv6.dst", "udp.checksum.status"];
    let Some(rows) = tshark(&file, &["-o", "udp.check_checksum:TRUE"], &fields) else {
        return not_run("forwarded ip6 packets read by tshark", "tshark is missing");
    };
    let expected = ["02:00:00:00:00:0a", "8", "2001:db8:10::1", "1"];
    assert_eq!(rows.len(), 50);
    assert!(rows.iter().all(|row| *row == expected), "{:?}", rows[0]);
}

#[test]
fn what_is_not_forwarded_is_counted_under_its_reason() {
    let udp = "UDP: 1000 -> 2000 incrementing 18";
    let cases = [
        (
            "ttl",
            format!("{TO_US} UDP: 192.168.0.2 -> 10.0.0.1 ttl 1 {udp}"),
            "ip4-rewrite",
            "time-expired",
        ),
        (
            "checksum",
            format!("{TO_US} UDP: 192.168.0.2 -> 10.0.0.1 checksum 1 {udp}"),
            "ip4-input",
            "bad-checksum",
        ),
        ("route", format!("{TO_US} UDP: 192.168.0.2 -> 172.16.0.1 {udp}"), "ip4-drop", "route"),
        ("glean", format!("{TO_US} UDP: 192.168.0.2 -> 192.168.1.77 {udp}"), "ip4-glean", "glean"),
        (
            "mac",
            format!(
                "IP4: 02:00:00:00:00:01 -> 02:00:00:00:00:77 UDP: 192.168.0.2 -> 10.0.0.1 {udp}"
            ),
            "ethernet-input",
            "mac-mismatch",
        ),
        (
            "vlan",
            format!("{TO_US} vlan 7 UDP: 192.168.0.2 -> 10.0.0.1 {udp}"),
            "ethernet-input",
            "unknown-vlan",
        ),
        (
            "listener",
            format!("{TO_US} UDP: 192.168.0.2 -> 192.168.0.1 {udp}"),
            "ip4-udp-lookup",
            "no-listener",
        ),
        (
            "spoofed",
            format!("{TO_US} UDP: 192.168.0.1 -> 192.168.0.1 {udp}"),
            "ip4-local",
            "spoofed-local",
        ),
    ];
    for (name, data, node, reason) in cases {
        let lab = router();
        stream(&lab, name, 40, &data);
        assert_eq!(lab.error(node, reason), 40, "{name}: {}", lab.run("show errors"));
        let interface = lab.run("show interface pg0 json");
        assert!(
            interface.contains("\"drops\":40") || name == "vlan" && interface.contains("40"),
            "{interface}"
        );
        lab.engine.with(|main| assert_eq!(main.pool().owned(), 0));
    }
}

#[test]
fn show_commands_print_what_an_operator_expects() {
    let lab = router();
    let data = format!("{TO_US} UDP: 192.168.0.2 -> 10.0.0.1 UDP: 1000 -> 2000 incrementing 18");
    lab.run("trace add pg-input 1");
    stream(&lab, "s", 10, &data);
    for line in [
        "show interface",
        "show interface addr",
        "show ip fib 10.0.0.1",
        "show ip neighbors",
        "show errors",
        "show trace",
        "show hardware-interfaces",
        "show runtime",
        "show buffers",
        "show packet-generator",
        "show node ip4-lookup",
        "show features",
        "show plugins",
    ] {
        println!("---- {line}\n{}", lab.run(line));
    }
    let fib = lab.run("show ip fib 10.0.0.1 json");
    assert!(fib.contains("\"packets\":10"), "{fib}");
}
