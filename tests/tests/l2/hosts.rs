//! Hosts with the kernel's own stack, bridged.

use peloton_tests::{net::Net, program::wait_for};

/// Two hosts in one subnet behind a bridge.
fn bridged(test: &str, programs: &[&str]) -> Option<Net> {
    let mut net = Net::new(test, programs)?;
    for (end, n) in [("a", 1), ("b", 2)] {
        net.ip_in(end, &format!("addr add 10.9.0.{n}/24 dev eth0"));
        net.ip_in(end, &format!("addr add 2001:db8:9::{n}/64 dev eth0 nodad"));
    }
    net.start("", "");
    for end in ["a", "b"] {
        net.ctl(&format!("set interface l2 bridge host-r{end} 9"));
    }
    Some(net)
}

fn mac(net: &Net, end: &str) -> String {
    net.text(end, "cat /sys/class/net/eth0/address").trim().to_owned()
}

#[test]
fn hosts_find_and_reach_each_other_over_a_bridge() {
    let Some(net) = bridged("hosts_find_and_reach_each_other_over_a_bridge", &[]) else { return };
    // By broadcast ARP and by neighbour discovery: they know nothing of each other.
    assert_eq!(net.ping("-i 0.01 10.9.0.2", 20), 20);
    assert_eq!(net.ping("-i 0.01 2001:db8:9::2", 20), 20);
    assert_eq!(net.ping("-i 0.01 -s 1400 10.9.0.2", 20), 20);
    let shown = net.ctl("show l2fib all");
    for (end, interface) in [("a", "host-ra"), ("b", "host-rb")] {
        let mac = mac(&net, end);
        let line = shown.lines().find(|line| line.contains(&mac)).unwrap_or_default();
        assert!(line.contains(interface), "{shown}");
    }
    assert!(net.text("a", "ip neigh show 10.9.0.2").contains(&mac(&net, "b")));
    net.adds_up();
}

#[test]
fn a_station_that_moves_is_reached_where_it_is() {
    let Some(net) = bridged("a_station_that_moves_is_reached_where_it_is", &[]) else { return };
    assert_eq!(net.ping("-i 0.01 10.9.0.2", 3), 3);
    let [first, second] = ["a", "b"].map(|end| mac(&net, end));
    // They change places, as far as the bridge can tell.
    net.ip_in("a", "link set eth0 down");
    net.ip_in("b", "link set eth0 down");
    net.ip_in("a", &format!("link set eth0 address {second}"));
    net.ip_in("b", &format!("link set eth0 address {first}"));
    for (end, n) in [("a", 1), ("b", 2)] {
        net.ip_in(end, "link set eth0 up");
        net.ip_in(end, &format!("addr replace 2001:db8:9::{n}/64 dev eth0 nodad"));
    }
    wait_for("the links", || net.is_up("a") && net.is_up("b"));
    assert_eq!(net.ping("-i 0.01 10.9.0.2", 20), 20);
    let shown = net.ctl("show l2fib all");
    for (mac, interface) in [(first, "host-rb"), (second, "host-ra")] {
        let line = shown.lines().find(|line| line.contains(&mac)).unwrap_or_default();
        assert!(line.contains(interface), "{shown}");
    }
    assert!(net.ctl("show errors").contains("L2 mac moves"));
}

#[test]
fn tcp_with_large_segments_crosses_a_bridge() {
    let Some(net) = bridged("tcp_with_large_segments_crosses_a_bridge", &["iperf3"]) else {
        return;
    };
    let result = net.iperf3("-c 10.9.0.2");
    let bytes = result["end"]["sum_received"]["bytes"].as_f64().unwrap_or(0.0);
    assert!(bytes > 1e6, "{result}");
}
