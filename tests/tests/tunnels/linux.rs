//! The kernel's own VXLAN at the far end.

use peloton_tests::{net::Net, program::wait_for};

/// A host behind the router's bridge, and one behind the VXLAN of the kernel in `b`, of whose address the outer packets are.
fn overlay(test: &str, ends: [&str; 2], programs: &[&str]) -> Option<Net> {
    let mut net = Net::new(test, programs)?;
    net.start("", "");
    let [ours, theirs] = ends;
    net.ip_in(
        "b",
        &format!(
            "link add vx0 type vxlan id 42 local {theirs} remote {ours} dstport 4789 nolearning"
        ),
    );
    // A bridge, as hosts have.
    net.ip_in("b", "link add br0 type bridge");
    net.ip_in("b", "link set vx0 master br0");
    for (end, device, n) in [("a", "eth0", 1), ("b", "br0", 2)] {
        net.ip_in(end, &format!("addr add 10.9.0.{n}/24 dev {device}"));
        net.ip_in(end, &format!("addr add 2001:db8:9::{n}/64 dev {device} nodad"));
    }
    net.ip_in("b", "link set vx0 up");
    net.ip_in("b", "link set br0 up");
    net.ctl(&format!("create vxlan tunnel src {ours} dst {theirs} vni 42"));
    net.ctl("set interface l2 bridge host-ra 9");
    net.ctl("set interface l2 bridge vxlan_tunnel0 9");
    wait_for("the link", || net.is_up("b"));
    Some(net)
}

fn reach(net: &Net) {
    assert_eq!(net.ping("-i 0.01 10.9.0.2", 20), 20, "{}", net.ctl("show errors"));
    assert_eq!(net.ping("-i 0.01 2001:db8:9::2", 20), 20, "{}", net.ctl("show errors"));
    assert_eq!(net.ping("-i 0.01 -s 1300 10.9.0.2", 20), 20);
    let counted = |name: &str| net.counter("vxlan_tunnel0", name);
    assert!(counted("rx packets") >= 60 && counted("tx packets") >= 60);
}

#[test]
fn a_host_behind_the_kernels_vxlan_over_ip4_is_reached() {
    let test = "a_host_behind_the_kernels_vxlan_over_ip4_is_reached";
    let Some(net) = overlay(test, ["10.2.0.1", "10.2.0.2"], &[]) else { return };
    reach(&net);
}

#[test]
fn a_host_behind_the_kernels_vxlan_over_ip6_is_reached() {
    let test = "a_host_behind_the_kernels_vxlan_over_ip6_is_reached";
    // The kernel drops what has no checksum.
    let Some(net) = overlay(test, ["2001:db8:2::1", "2001:db8:2::2"], &[]) else { return };
    reach(&net);
}

#[test]
fn tcp_with_large_segments_crosses_a_tunnel_to_the_kernel() {
    let test = "tcp_with_large_segments_crosses_a_tunnel_to_the_kernel";
    let Some(net) = overlay(test, ["10.2.0.1", "10.2.0.2"], &["iperf3"]) else { return };
    net.ip_in("a", "link set eth0 mtu 1450");
    let result = net.iperf3("-c 10.9.0.2");
    let bytes = result["end"]["sum_received"]["bytes"].as_f64().unwrap_or(0.0);
    assert!(bytes > 1e6, "{result} {}", net.ctl("show errors"));
}
