//! What becomes of the host's end while the interface is there.

use crate::net::{HOST, Net};

/// Waits until `show hardware-interfaces` says `text` of an interface.
fn shows(net: &Net, interface: &str, text: &str) {
    net.wait_for(text, || {
        net.lab.run(&format!("show hardware-interfaces {interface}")).contains(text)
    });
}

/// Waits until the link of an interface is up, or down.
fn has_link(net: &Net, interface: &str, word: &str) {
    net.wait_for(word, || {
        let shown = net.lab.run(&format!("show hardware-interfaces {interface}"));
        shown.lines().nth(1).and_then(|line| line.split_whitespace().nth(2)) == Some(word)
    });
}

#[test]
fn state_name_mtu_and_mac_address_of_the_hosts_end_are_followed() {
    for workers in [0, 1] {
        let Some(net) = Net::new("tap links", &[], workers) else { return };
        for (end, n) in [("a", 1), ("b", 2)] {
            net.connect(n, end, "");
        }
        let ns = net.name("b");
        net.must("a", "ping -c 1 10.2.0.2");
        net.shell("b", &format!("ip link set {HOST} down"));
        has_link(&net, "tap2", "down");
        shows(&net, "tap2", &format!("host interface {HOST} in namespace {ns}, down"));
        // Nothing is lost to a host that is known not to take it: routes go elsewhere.
        net.run("a", "ping -c 1 -W 1 10.2.0.2");
        assert_eq!(net.counter("tap2", "tx-error"), 0, "{}", net.state());
        // The end at the same number in another namespace is not meant.
        has_link(&net, "tap1", "up");

        net.shell("b", &format!("ip link set {HOST} name other && ip link set other up"));
        has_link(&net, "tap2", "up");
        shows(&net, "tap2", &format!("host interface other in namespace {ns}\n"));
        // The host's route and neighbour went when its end was down.
        net.shell(
            "b",
            "ip route add default via 10.2.0.1 &&
             ip neigh replace 10.2.0.1 lladdr 02:fe:00:00:01:02 dev other nud permanent",
        );
        net.must("a", "ping -c 1 10.2.0.2");

        for mtu in [1300, 9000] {
            net.shell("b", &format!("ip link set other mtu {mtu}"));
            net.wait_for("the MTU", || {
                net.lab.run("show interface tap2").contains(&format!(" {mtu}/0/0/0"))
            });
            assert!(net.lab.run("show tap tap2").contains(&format!("host-mtu-size \"{mtu}\"")));
        }
        net.shell("b", "ip link set other address 02:00:00:00:00:99");
        net.wait_for("the MAC address", || {
            net.lab.run("show tap tap2").contains("host-mac-addr: 02:00:00:00:00:99")
        });
        assert!(net.lab.run("show tap tap1").contains("host-mac-addr: 02:00:00:00:00:01"));
        net.settle();
    }
}

#[test]
fn an_end_is_followed_into_another_namespace_and_its_end_is_noticed_there() {
    let Some(net) = Net::new("tap moves", &[], 1) else { return };
    net.connect(1, "a", "");
    let (a, b) = (net.name("a"), net.name("b"));
    shows(&net, "tap1", &format!("in namespace {a}\n"));
    net.shell("a", &format!("ip link set {HOST} netns {b}"));
    // The kernel sets it down on the way.
    has_link(&net, "tap1", "down");
    shows(&net, "tap1", &format!("in namespace {b}, down"));
    net.shell(
        "b",
        &format!(
            "ip addr add 10.1.0.2/24 dev {HOST} && ip link set {HOST} mtu 1400 up &&
             ip neigh replace 10.1.0.1 lladdr 02:fe:00:00:01:01 dev {HOST} nud permanent"
        ),
    );
    has_link(&net, "tap1", "up");
    let before = net.counter("tap1", "rx packets");
    net.run("b", "ping -c 3 -i 0.01 -W 1 10.1.0.1");
    assert!(net.counter("tap1", "rx packets") >= before + 3, "{}", net.state());
    net.wait_for("the MTU", || net.lab.run("show interface tap1").contains(" 1400/0/0/0"));
    // Also of an interface that is down.
    net.lab.run("set interface state tap1 down");
    net.shell("b", &format!("ip link del {HOST}"));
    shows(&net, "tap1", "deleted by the host");
    assert!(net.lab.run("show logging").contains("tap1: the host has deleted its interface plt0"));
    net.lab.run("set interface state tap1 up");
    has_link(&net, "tap1", "down");
    net.lab.run("delete tap tap1");
    net.settle();
}
