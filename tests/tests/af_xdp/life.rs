//! The interface comes and goes, and so does the host's.

use peloton_tests::{
    net::{Kind, Net},
    program::{Running, wait_for},
};

use crate::{buffers_add_up, held, used};

/// Whether there is a program on the host's interface.
fn has_program(net: &Net, device: &str) -> bool {
    net.ip_in("r", &format!("link show {device}")).contains("xdp")
}

#[test]
fn a_killed_router_leaves_no_program_and_starts_again_at_once() {
    let Some(mut net) = Net::xdp(1, "AF_XDP interfaces of a killed program", &[]) else { return };
    for mode in ["native", "generic"] {
        net.start(&format!("mode {mode}"), "");
        assert!(has_program(&net, "ra") && has_program(&net, "rb"));
        assert_eq!(net.ping("-i 0.01 10.2.0.2", 3), 3);
        net.signal("KILL");
        wait_for("the end of the programs", || {
            !has_program(&net, "ra") && !has_program(&net, "rb")
        });
        net.start(&format!("mode {mode}"), "");
        assert_eq!(net.ping("-i 0.01 10.2.0.2", 3), 3);
    }
}

#[test]
fn an_interface_deleted_while_packets_flow_gives_all_buffers_back() {
    let Some(mut net) = Net::xdp(1, "AF_XDP interfaces deleted in use", &[]) else { return };
    net.start("", "cpu { workers 2 }");
    let mac = net.text("a", "cat /sys/class/net/eth0/address");
    let flood = Running::start(&mut net.command("a", "ping -q -f 10.2.0.2"));
    for _ in 0..3 {
        let before = net.counter("xdp-ra", "tx packets");
        wait_for("packets", || net.counter("xdp-ra", "tx packets") > before + 200);
        net.ctl("delete interface af_xdp xdp-ra");
        assert!(!has_program(&net, "ra"));
        wait_for("the buffers", || held(&net) == used(&net));
        // Half of them, less those that are sent at present.
        assert!((1024..2048).contains(&used(&net)), "{}", used(&net));
        for line in [
            &*Kind::Xdp.create("a", ""),
            "set interface state xdp-ra up",
            "set interface ip address xdp-ra 10.1.0.1/24",
            &format!("set ip neighbor xdp-ra 10.1.0.2 {}", mac.trim()),
        ] {
            net.ctl(line);
        }
    }
    drop(flood);
    buffers_add_up(&net);
    assert_eq!(net.ping("-i 0.01 10.2.0.2", 5), 5);
}

/// The node by which the router answers.
const ECHO: &str = "ip4-icmp-echo-request";

#[test]
fn an_interface_that_is_down_leaves_packets_to_the_host() {
    let Some(mut net) = Net::xdp(1, "AF_XDP interfaces that are down", &[]) else { return };
    net.start("", "");
    net.ip_in("r", "addr add 10.1.0.1/24 dev ra");
    // Up, the router has them, and answers; down, the host.
    let by_router = |n| {
        assert_eq!(net.ping("-i 0.01 10.1.0.1", 3), 3);
        assert_eq!(net.vectors(ECHO), n);
    };
    by_router(3);
    net.ctl("set interface state xdp-ra down");
    by_router(3);
    net.ctl("set interface state xdp-ra up");
    by_router(6);
    assert_eq!(net.ping("-i 0.01 10.2.0.2", 3), 3);
}

#[test]
fn packets_of_queues_that_were_not_asked_for_are_left_to_the_host() {
    let Some(mut net) = Net::xdp(2, "queues left to the host", &[]) else { return };
    net.start("num-rx-queues 1", "");
    assert!(net.shows("xdp-ra", "packets of the device's queues 1 to 1 are left to the host"));
    net.ip_in("r", "addr add 10.1.0.1/24 dev ra");
    let mac = net.text("a", "cat /sys/class/net/eth0/address");
    let mut answered = 0;
    for n in 3..30 {
        net.ip_in("a", &format!("addr add 10.1.0.{n}/24 dev eth0"));
        // Answers to the host's questions may be in the router's queue.
        let neighbor = format!("10.1.0.{n} lladdr {} dev ra nud permanent", mac.trim());
        net.ip_in("r", &format!("neigh replace {neighbor}"));
        // And those to the router's may be in the host's.
        net.ctl(&format!("set ip neighbor xdp-ra 10.1.0.{n} {}", mac.trim()));
        answered += net.ping(&format!("-W 0.2 -w 1 -I 10.1.0.{n} 10.1.0.1"), 1);
    }
    assert_eq!(answered, 27);
    // Which queue a flow is in is the sender's choice, by a hash.
    let by_host = answered - net.vectors(ECHO) as u32;
    assert!((3..25).contains(&by_host), "{by_host}");
}

#[test]
fn carrier_and_name_of_the_hosts_interface_are_followed() {
    let Some(mut net) = Net::xdp(1, "links of AF_XDP interfaces", &[]) else { return };
    net.start("", "");
    assert!(net.link("xdp-ra"));
    net.ip_in("a", "link set eth0 down");
    wait_for("the link to go", || !net.link("xdp-ra"));
    assert!(net.shows("xdp-ra", "no carrier"));
    net.ip_in("a", "link set eth0 up");
    wait_for("the link to come", || net.link("xdp-ra"));
    net.ip_in("a", "route replace default via 10.1.0.1");
    net.ip_in("a", "neigh replace 10.1.0.1 lladdr 02:fe:00:00:00:0a dev eth0 nud permanent");
    assert_eq!(net.ping("-i 0.01 10.2.0.2", 5), 5);
    net.ip_in("r", "link set ra down");
    wait_for("the link to go", || !net.link("xdp-ra"));
    net.ip_in("r", "link set ra name other");
    net.ip_in("r", "link set other up");
    wait_for("the name", || net.shows("xdp-ra", "interface on other (ifindex"));
    wait_for("the link to come", || net.link("xdp-ra"));
    assert_eq!(net.ping("-i 0.01 10.2.0.2", 5), 5);
    // Our own name is another matter.
    net.ctl("set interface name xdp-ra wan");
    assert_eq!(net.ping("-i 0.01 10.2.0.2", 5), 5);
    net.ctl("delete interface af_xdp wan");
    assert!(!has_program(&net, "other"));
}

#[test]
fn an_interface_that_the_host_deletes_goes_down_and_another_takes_its_place() {
    let Some(mut net) = Net::xdp(1, "AF_XDP interfaces that go", &[]) else { return };
    for mode in ["interrupt", "polling"] {
        net.start("", "");
        net.ctl(&format!("set interface rx-mode xdp-ra {mode}"));
        assert_eq!(net.ping("-i 0.01 10.2.0.2", 3), 3);
        net.ip_in("r", "link del ra");
        wait_for("the link to go", || !net.link("xdp-ra"));
        assert!(net.shows("xdp-ra", "ra is gone"));
        // Packets to it are lost, and nothing else is.
        let _: std::process::Output = net.run("b", "ping -q -c 3 -i 0.01 -W 1 10.1.0.2");
        net.ctl("delete interface af_xdp xdp-ra");
        net.connect("a");
        for line in [
            "addr add 10.1.0.2/24 dev eth0",
            "link set eth0 up",
            "route add default via 10.1.0.1",
            "neigh replace 10.1.0.1 lladdr 02:fe:00:00:00:0a dev eth0 nud permanent",
        ] {
            net.ip_in("a", line);
        }
        let mac = net.text("a", "cat /sys/class/net/eth0/address");
        for line in [
            &*Kind::Xdp.create("a", ""),
            "set interface state xdp-ra up",
            "set interface ip address xdp-ra 10.1.0.1/24",
            &format!("set ip neighbor xdp-ra 10.1.0.2 {}", mac.trim()),
        ] {
            net.ctl(line);
        }
        wait_for("the new link", || net.link("xdp-ra"));
        assert_eq!(net.ping("-i 0.01 10.2.0.2", 3), 3);
        buffers_add_up(&net);
    }
}
