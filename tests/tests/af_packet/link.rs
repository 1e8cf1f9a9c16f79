//! The host's interface changes, goes and comes again.

use peloton_tests::{net::Net, program::wait_for};

#[test]
fn carrier_mtu_and_name_of_the_hosts_interface_are_followed() {
    let Some(mut net) = Net::new("links of host interfaces", &[]) else { return };
    net.start("", "");
    assert!(net.is_up("a"));
    net.ip_in("a", "link set eth0 down");
    wait_for("the link to go", || !net.is_up("a"));
    assert!(net.shows("host-ra", "no carrier"));
    net.ip_in("a", "link set eth0 up");
    wait_for("the link to come", || net.is_up("a"));
    for (mtu, size) in [(9000, 8972), (1300, 1272)] {
        for end in ["a", "b"] {
            net.ip_in("r", &format!("link set r{end} mtu {mtu}"));
            net.ip_in(end, &format!("link set eth0 mtu {mtu}"));
        }
        wait_for("the MTU", || {
            net.ctl("show interface").matches(&format!("{mtu}/0/0/0")).count() == 2
        });
        // Routes and neighbours went with the link of `a`'s interface.
        net.ip_in("a", "route replace default via 10.1.0.1");
        net.ip_in("a", "neigh replace 10.1.0.1 lladdr 02:fe:00:00:00:0a dev eth0 nud permanent");
        assert_eq!(net.ping(&format!("-i 0.01 -M do -s {size} 10.2.0.2"), 5), 5, "{mtu}");
    }
    net.ip_in("r", "link set ra down");
    wait_for("the link to go", || !net.is_up("a"));
    net.ip_in("r", "link set ra name other");
    net.ip_in("r", "link set other up");
    wait_for("the name", || net.shows("host-ra", "interface on other (ifindex"));
    wait_for("the link to come", || net.is_up("a"));
    assert_eq!(net.ping("-i 0.01 10.2.0.2", 5), 5);
}

#[test]
fn an_interface_that_the_host_deletes_goes_down_and_another_takes_its_place() {
    let Some(mut net) = Net::new("host interfaces that go", &[]) else { return };
    for mode in ["interrupt", "polling"] {
        net.start("", "");
        net.ctl(&format!("set interface rx-mode host-ra {mode}"));
        assert_eq!(net.ping("-i 0.01 10.2.0.2", 3), 3);
        net.ip_in("r", "link del ra");
        wait_for("the link to go", || !net.is_up("a"));
        assert!(net.shows("host-ra", "ra is gone"));
        // Packets to it are lost, and nothing else is.
        let _: std::process::Output = net.run("b", "ping -q -c 3 -i 0.01 -W 1 10.1.0.2");
        net.ctl("set interface rx-mode host-ra interrupt");
        net.ctl("set interface state host-ra down");
        net.ctl("set interface state host-ra up");
        net.reconnect("a");
        assert_eq!(net.ping("-i 0.01 10.2.0.2", 3), 3);
    }
}
