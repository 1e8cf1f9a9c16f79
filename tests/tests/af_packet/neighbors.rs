//! Neighbours that find each other: the kernel's ARP, neighbour discovery and autoconfiguration on the other end.

use peloton_tests::{net::Net, program::wait_for};

/// A router that knows nobody, and ends that know nobody.
fn strangers(test: &str, programs: &[&str]) -> Option<Net> {
    let mut net = Net::new(test, programs)?;
    net.start("", "");
    for (end, n) in [("a", 1), ("b", 2)] {
        for address in [format!("10.{n}.0"), format!("2001:db8:{n}:")] {
            let [router, host] = ["1", "2"].map(|last| match address.contains(':') {
                true => format!("{address}:{last}"),
                false => format!("{address}.{last}"),
            });
            net.ctl(&format!("set ip neighbor del host-r{end} {host}"));
            net.ip_in(end, &format!("neigh del {router} dev eth0"));
        }
    }
    Some(net)
}

#[test]
fn hosts_and_the_router_find_each_other_by_arp() {
    let Some(net) = strangers("ARP between host interfaces", &[]) else { return };
    assert_eq!(net.ping("-i 0.01 10.2.0.2", 5), 5, "{}", net.ctl("show errors"));
    let known = net.ip_in("a", "neigh show dev eth0");
    assert!(known.contains("10.1.0.1 lladdr 02:fe:00:00:00:0a"), "{known}");
    let shown = net.ctl("show ip neighbors");
    for (address, interface) in [("10.1.0.2", "host-ra"), ("10.2.0.2", "host-rb")] {
        let is_learnt = |line: &str| {
            let words: Vec<_> = line.split_whitespace().collect();
            words.contains(&address) && words.contains(&"D") && words.contains(&interface)
        };
        assert!(shown.lines().any(is_learnt), "{shown}");
    }
    // Nobody is there.
    assert_eq!(net.ping("-w 2 10.2.0.99", 1), 0);
    // A host with another MAC address tells of it, and is found at once.
    net.text("b", "sh -c echo\u{a0}1\u{a0}>/proc/sys/net/ipv4/conf/eth0/arp_notify");
    net.ip_in("b", "link set dev eth0 address 02:00:00:00:77:77");
    assert_eq!(net.ping("-W 2 10.2.0.2", 3), 3, "{}", net.ctl("show ip neighbors"));
    assert!(net.ctl("show ip neighbors").contains("02:00:00:00:77:77"));
}

#[test]
fn hosts_and_the_router_find_each_other_by_neighbor_discovery() {
    let test = "neighbour discovery between host interfaces";
    let Some(net) = strangers(test, &[]) else { return };
    assert_eq!(net.ping("-6 -i 0.01 2001:db8:2::2", 5), 5, "{}", net.ctl("show errors"));
    let known = net.ip_in("a", "-6 neigh show dev eth0");
    let is_router = |line: &&str| line.starts_with("2001:db8:1::1 ") && line.contains(" router ");
    assert!(known.lines().any(|line| is_router(&line)), "{known}");
    assert!(known.contains("lladdr 02:fe:00:00:00:0a"), "{known}");
    let shown = net.ctl("show ip6 neighbors");
    for address in ["2001:db8:1::2", "2001:db8:2::2"] {
        assert!(shown.contains(address), "{shown}");
    }
    net.adds_up_but_for(&[]);
}

#[test]
fn a_host_makes_itself_an_address_and_a_default_route_of_what_the_router_advertises() {
    let test = "stateless autoconfiguration from router advertisements";
    let Some(net) = strangers(test, &[]) else { return };
    net.text("a", "sh -c echo\u{a0}2\u{a0}>/proc/sys/net/ipv6/conf/eth0/accept_ra");
    net.ip_in("a", "-6 route flush default");
    net.ctl("ip6 nd host-ra prefix 2001:db8:99::/64 7200 3600");
    net.ctl("ip6 nd host-ra ra-interval 4");
    net.ctl("ip6 nd host-ra ra-lifetime 1800");
    wait_for("an address of the prefix", || {
        net.ip_in("a", "-6 addr show dev eth0 dynamic").contains("2001:db8:99:")
    });
    let routes = net.ip_in("a", "-6 route show default");
    assert!(routes.contains("via fe80::fe:ff:fe00:a dev eth0 proto ra"), "{routes}");
    assert_eq!(net.ping("-6 -i 0.01 2001:db8:2::2", 3), 3, "by the route that it was told");
}

#[test]
fn an_address_that_the_host_has_is_not_taken() {
    let Some(net) = strangers("duplicate address detection against the kernel", &[]) else {
        return;
    };
    net.ip_in("b", "-6 addr add 2001:db8:2::77/64 dev eth0 nodad");
    net.ctl("set ip6 dad enable");
    net.ctl("set interface ip address host-rb 2001:db8:2::77/64");
    net.ctl("set interface ip address host-rb 2001:db8:2::78/64");
    let addresses = || net.ctl("show interface addr host-rb");
    wait_for("the address to be given up", || !addresses().contains("2001:db8:2::77"));
    wait_for("the end of the questions", || !net.ctl("show ip6 dad").contains("host-rb"));
    assert!(addresses().contains("2001:db8:2::78"));
}
