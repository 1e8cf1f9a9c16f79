//! What can be configured, and what `show` says of it.

use crate::scene::{IP4, IP6, Scene, UDP, UDP6};

#[test]
fn parameters_are_refused_by_their_reason() {
    let scene = Scene::without_collector("params");
    let lab = &scene.lab;
    assert!(
        lab.refused("flowprobe params record l3 passive 5").contains("passive must be greater")
    );
    assert!(
        lab.refused("flowprobe params record l3 active 300").contains("passive must be greater")
    );
    lab.run("flowprobe params record l3 active 300 passive 0");
    assert_eq!(lab.run("show flowprobe params"), " l3 active: 300 passive: 0\n");
    lab.run("flowprobe params passive 200 record l4 l2");
    assert_eq!(lab.run("show flowprobe params"), " l2 l4 active: 15 passive: 200\n");
    scene.feature("pg0");
    assert!(lab.refused("flowprobe params record l3").contains("while flowprobe is enabled"));
    scene.feature("pg0 disable");
    lab.run("flowprobe params");
    assert_eq!(lab.run("show flowprobe params"), " active: 15 passive: 120\n");
    assert!(lab.refused("flowprobe feature add-del pg0").contains("flowprobe params record"));
}

#[test]
fn features_are_refused_by_their_reason() {
    let scene = Scene::without_collector("features");
    let lab = &scene.lab;
    scene.params("record l3");
    assert!(lab.refused("flowprobe feature add-del nowhere").contains("unknown interface"));
    assert!(lab.refused("flowprobe feature add-del pg0 ip4 disable").contains("not enabled"));
    scene.feature("pg0 ip4 rx");
    assert!(lab.refused("flowprobe feature add-del pg0 ip4 tx").contains("already enabled"));
    assert!(lab.refused("flowprobe feature add-del pg0 ip6 disable").contains("not enabled"));
    scene.feature("pg0 l2 both");
    scene.feature("pg1");
    let text = " pg0 ip4 rx\n pg0 l2 rx tx\n pg1 ip4 tx\n";
    assert_eq!(lab.run("show flowprobe feature"), text);
    let json = lab.run("show flowprobe feature json");
    assert!(json.starts_with(r#"[{"interface":"pg0","variant":"ip4","direction":"rx"}"#), "{json}");
}

#[test]
fn a_sub_interface_has_no_l2_receive_side() {
    let scene = Scene::without_collector("sub");
    scene.params("record l2");
    scene.lab.engine.with(|main| {
        main.change_interfaces(|table| {
            let pg0 = table.find("pg0").unwrap();
            let tags = vnet::interface::TagMatch::Untagged;
            table.create_sub(pg0, 7, tags).unwrap();
        });
    });
    let refused = scene.lab.refused("flowprobe feature add-del pg0.7 l2 both");
    assert!(refused.contains("main interface"), "{refused}");
    scene.feature("pg0.7 l2 tx");
}

#[test]
fn the_table_shows_flows_with_their_counts() {
    let scene = Scene::without_collector("table");
    scene.params("record l3 l4");
    scene.feature("pg0 ip4 rx");
    scene.feature("pg0 ip6 rx");
    scene.send(12, &format!("{IP4} {UDP}"));
    scene.send(3, &format!("{IP6} {UDP6}"));
    let text = scene.lab.run("show flowprobe table");
    let lines: Vec<Vec<&str>> = text.lines().map(|l| l.split_whitespace().collect()).collect();
    let no_mac = "00:00:00:00:00:00";
    assert_eq!(lines[0].join(" "), "Flow table, 2 flows");
    assert_eq!(
        lines[2],
        [
            "ip4",
            "rx",
            "1",
            "-1",
            no_mac,
            no_mac,
            "192.168.0.2",
            "->",
            "10.0.0.1",
            "17",
            "1000",
            "2000",
            "12",
            "552"
        ]
    );
    assert_eq!(
        lines[3],
        [
            "ip6",
            "rx",
            "1",
            "-1",
            no_mac,
            no_mac,
            "2001:db8::2",
            "->",
            "2001:db8:10::1",
            "17",
            "1000",
            "2000",
            "3",
            "150"
        ]
    );
    assert!(scene.lab.run("show flowprobe table max 1").starts_with("Flow table, 1 of 2 flows\n"));
    let statistics = scene.lab.run("show flowprobe statistics");
    assert!(statistics.contains("1 flows of 1048576, 0% utilised"), "{statistics}");
}

#[test]
fn a_trace_tells_what_the_meter_sees() {
    let scene = Scene::without_collector("trace");
    scene.params("record l2 l3 l4");
    for variant in ["ip4", "ip6", "l2"] {
        scene.feature(&format!("pg0 {variant} rx"));
        scene.feature(&format!("pg1 {variant} tx"));
    }
    scene.lab.run("trace add pg-input 2");
    scene.send(1, &format!("{IP4} {UDP}"));
    scene.send(1, &format!("{IP6} {UDP6}"));
    let trace = scene.lab.run("show trace");
    for (node, header, flow) in [
        (
            "input-l2",
            "L2-IP4]: rx_sw_if_index 1, tx_sw_if_index -1,",
            "17: 192.168.0.2:1000 -> 10.0.0.1:2000",
        ),
        (
            "input-ip4",
            "IP4]: rx_sw_if_index 1, tx_sw_if_index -1,",
            "17: 192.168.0.2:1000 -> 10.0.0.1:2000",
        ),
        (
            "output-ip4",
            "IP4]: rx_sw_if_index 1, tx_sw_if_index 2,",
            "17: 192.168.0.2:1000 -> 10.0.0.1:2000",
        ),
        (
            "output-ip6",
            "IP6]: rx_sw_if_index 1, tx_sw_if_index 2,",
            "17: [2001:db8::2]:1000 -> [2001:db8:10::1]:2000",
        ),
        (
            "output-l2",
            "L2-IP6]: rx_sw_if_index 1, tx_sw_if_index 2,",
            "17: [2001:db8::2]:1000 -> [2001:db8:10::1]:2000",
        ),
    ] {
        let node = format!(": flowprobe-{node}\n");
        let found = trace.split(&node).skip(1).any(|rest| {
            let mut lines = rest.lines().map(str::trim);
            let (first, second) = (lines.next().unwrap(), lines.next().unwrap());
            first.contains(header)
                && first.contains("timestamp 1767225600.000000000, size ")
                && !first.ends_with("size 0")
                && second == flow
        });
        assert!(found, "{node} {header}\n{trace}");
    }
}

#[test]
fn the_exporters_line_is_applied_whole_or_not_at_all() {
    let scene = Scene::without_collector("exporter");
    let lab = &scene.lab;
    let line =
        lab.run("set ipfix exporter collector 192.168.2.9 src 192.168.2.1 path-mtu 1000 port 4740");
    let expected = "Collector 192.168.2.9, src address 192.168.2.1, fib index -1, path MTU 1000, \
                    template resend interval 20s, udp checksum disabled\n";
    assert_eq!(line, expected);
    let set = "set ipfix exporter collector 192.168.2.8";
    for (words, why) in [
        ("", "src address required"),
        ("src 2001:db8::1", "same IP version"),
        ("src 192.168.2.1 path-mtu 1451", "maximum is 1450"),
        ("src 192.168.2.1 path-mtu 67", "minimum is 68"),
        ("src 192.168.2.1 template-interval 0", "minimum is 1"),
        ("src 192.168.2.1 fib-id 9", "fib ID 9 doesn't exist"),
        ("src 192.168.2.1 port 0", "out of range"),
        ("src 192.168.2.1 sideways", "unknown input `sideways'"),
    ] {
        let refused = lab.refused(&format!("{set} {words}"));
        assert!(refused.contains(why), "{words}: {refused}");
    }
    let collector =
        scene.probe.exporter().with_exporter(|e| e.config().unwrap().endpoints().collector());
    assert_eq!(collector.to_string(), "192.168.2.9");
    assert_eq!(lab.run("set ipfix exporter"), "IPFIX Collector is disabled\n");
    assert!(!scene.probe.exporter().is_enabled());
    assert_eq!(lab.run("ipfix flush"), "");
}

#[test]
fn a_collector_is_looked_up_in_the_table_that_is_given() {
    let scene = Scene::without_collector("fib");
    scene.lab.run("ip table add 7");
    scene.lab.run("ip route add 172.16.0.0/16 table 7 via 192.168.2.9 pg2");
    let line = scene.lab.run("set ipfix exporter collector 172.16.0.1 src 192.168.2.1 fib-id 7");
    assert!(line.contains("fib index 1,"), "{line}");
    scene.params("record l3 active 0");
    scene.feature("pg0 ip4 rx");
    scene.send(3, &format!("{IP4} {UDP}"));
    scene.lab.run("ipfix flush");
    assert_eq!(scene.exported().packet_sum(), 3);
}
