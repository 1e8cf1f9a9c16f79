//! Making and deleting TAP interfaces, on either side.

use crate::net::{HOST, Net};

/// Names of the host's interfaces in a namespace.
fn links(net: &Net, end: &str) -> String {
    net.shell(end, "ls /sys/class/net 2>/dev/null; ip -o link | cut -d: -f2")
}

#[test]
fn an_interface_is_deleted_and_made_again_while_packets_flow() {
    for workers in [0, 2] {
        let Some(net) = Net::new("tap deletion", &[], workers) else { return };
        for (end, n) in [("a", 1), ("b", 2)] {
            net.connect(n, end, "num-rx-queues 2");
        }
        let mut ping = net.start("a", "exec ping -i 0.002 -W 1 -c 100000 10.2.0.2");
        for _ in 0..3 {
            let before = net.counter("tap2", "tx packets");
            net.wait_for("packets", || net.counter("tap2", "tx packets") > before + 20);
            net.lab.run("delete tap tap2");
            assert_eq!(net.lab.run("show tap tap1").matches("Interface:").count(), 1);
            assert!(net.lab.refused("delete tap tap2").contains("tap2"));
            net.wait_for("the host's interface to go", || !links(&net, "b").contains(HOST));
            net.wait(10);
            assert_eq!(net.connect(2, "b", "num-rx-queues 2"), "tap2");
        }
        net.must("a", "ping -c 2 -i 0.01 10.2.0.2");
        ping.child().kill().unwrap();
        drop(ping);
        net.lab.run("delete tap tap1");
        net.lab.run("delete tap tap2");
        assert_eq!(net.lab.run("show tap"), "");
        net.settle();
    }
}

#[test]
fn an_interface_that_the_host_deletes_loses_its_link_and_costs_nothing() {
    for workers in [0, 1] {
        let Some(net) = Net::new("tap gone", &[], workers) else { return };
        for (end, n) in [("a", 1), ("b", 2)] {
            net.connect(n, end, "");
        }
        net.must("a", "ping -c 2 -i 0.01 10.2.0.2");
        net.shell("b", &format!("ip link del {HOST}"));
        let link = |net: &Net| net.lab.run("show hardware-interfaces tap2");
        net.wait_for("the link to go down", || link(&net).lines().nth(1).unwrap().contains("down"));
        assert!(link(&net).contains("deleted by the host"), "{}", link(&net));
        assert!(net.lab.run("show logging").contains("tap2: the host has deleted its interface"));
        net.settle();
        let before = net.calls("tap-input");
        net.wait(200);
        let after = net.calls("tap-input");
        let grown: u64 = after.iter().sum::<u64>() - before.iter().sum::<u64>();
        assert!(grown < 20, "{before:?} {after:?}");
        let refused = net.lab.refused("set interface rx-mode tap2 polling");
        assert!(refused.contains("was deleted"), "{refused}");
        net.lab.run("delete tap tap2");
        assert_eq!(net.connect(2, "b", ""), "tap2");
        net.must("a", "ping -c 2 -i 0.01 10.2.0.2");
    }
}

#[test]
fn a_namespace_that_is_deleted_leaves_an_interface_that_can_be_deleted() {
    let Some(net) = Net::new("tap namespace", &[], 1) else { return };
    for (end, n) in [("a", 1), ("b", 2)] {
        net.connect(n, end, "");
    }
    let gone = std::process::Command::new("ip").args(["netns", "del", &net.name("b")]).status();
    assert!(gone.unwrap().success());
    net.run("a", "ping -c 3 -i 0.01 -W 1 10.2.0.2");
    net.settle();
    net.lab.run("delete tap tap2");
    net.settle();
}

#[test]
fn the_host_side_is_as_asked() {
    let Some(net) = Net::new("tap host side", &[], 0) else { return };
    let ns = net.name("a");
    net.shell("a", "ip link add br0 type bridge && ip link set br0 up");
    let made = net.lab.run(&format!(
        "create tap id 7 if-name uplink host-ns /var/run/netns/{ns} host-bridge br0 host-if-name port7 \
         host-mac-addr 02:00:00:00:00:77 host-mtu-size 1400 rx-ring-size 1024 packed in-order"
    ));
    assert_eq!(made, "uplink\nno effect without vhost: rx-ring-size, packed, in-order\n");
    let shown = net.shell("a", "ip -d link show port7");
    for word in ["master br0", "02:00:00:00:00:77", "mtu 1400", "NO-CARRIER", "tun type tap"] {
        assert!(shown.contains(word), "{word}: {shown}");
    }
    net.lab.run("set interface state uplink up");
    assert!(net.shell("a", "ip link show port7").contains("LOWER_UP"));
    let shown = net.lab.run("show tap uplink");
    for line in ["Interface: uplink (ifindex ", "  name \"port7\"", "  host-mtu-size \"1400\""] {
        assert!(shown.contains(line), "{shown}");
    }
    assert!(net.lab.run("show interface uplink").contains(" 1400/"), "{}", net.state());
    net.lab.run("set interface state uplink down");
    assert!(net.shell("a", "ip link show port7").contains("NO-CARRIER"));
    // The next number that is free, and a name of the kernel's choice.
    let made = net.lab.run(&format!("create tap host-ns {ns}"));
    assert_eq!(made, "tap0\n");
    assert!(links(&net, "a").contains("tap0"));
}

#[test]
fn an_interface_that_persists_can_be_attached_to() {
    let Some(net) = Net::new("tap persist", &[], 0) else { return };
    let ns = net.name("b");
    net.connect(1, "a", "");
    net.connect(2, "b", "persist num-rx-queues 2");
    net.must("a", "ping -c 1 10.2.0.2");
    net.lab.run("delete tap tap2");
    assert!(links(&net, "b").contains(HOST));
    let make = format!("create tap id 2 host-ns {ns} host-if-name {HOST}");
    let refused = net.lab.refused(&make);
    assert!(refused.contains("already"), "{refused}");
    assert_eq!(net.lab.run(&format!("{make} hw-addr 02:fe:00:00:01:02 attach")), "tap2\n");
    net.lab.script(
        "set interface state tap2 up
         set interface ip address tap2 10.2.0.1/24
         set ip neighbor tap2 10.2.0.2 02:00:00:00:00:02",
    );
    // Its addresses are as they were.
    net.must("a", "ping -c 1 10.2.0.2");
    let refused = net.lab.refused(&format!("create tap host-ns {ns} host-if-name none attach"));
    assert!(refused.contains("the host has no interface none"), "{refused}");
}

#[test]
fn what_is_refused_leaves_nothing_behind() {
    let Some(net) = Net::new("tap refusals", &[], 0) else { return };
    let ns = net.name("a");
    net.shell("a", "ip tuntap add dev taken mode tap");
    let before = links(&net, "a");
    for (words, error) in [
        (
            "host-ns no-such-namespace",
            "namespace no-such-namespace cannot be entered: No such file",
        ),
        ("host-ns pid:999999999", "cannot be entered"),
        ("host-ns NS host-if-name taken", "the host has an interface taken already"),
        ("host-ns NS host-if-name sixteen-letters-", "1 to 15 visible characters"),
        ("host-ns NS host-bridge none", "the host has no interface none to be the bridge"),
        ("host-ns NS host-bridge taken", "host-bridge cannot be set"),
        ("host-ns NS host-ip4-addr 2001:db8::1/64", "an IPv4 address"),
        ("host-ns NS host-ip4-gw 192.0.2.1", "host-ip4-gw cannot be set: Network is unreachable"),
        ("host-ns NS host-mtu-size 20", "allowed is 68 to 65521"),
        ("host-ns NS num-rx-queues 0", "allowed is 1 to 256"),
        ("host-ns NS hw-addr 01:00:00:00:00:01", "unicast"),
        ("host-ns NS if-name local0", "there is an interface local0 already"),
        ("host-ns NS tun host-bridge br0", "host-bridge makes no sense with `tun'"),
        ("host-ns NS attach", "host-if-name"),
    ] {
        let refused = net.lab.refused(&format!("create tap {}", words.replace("NS", &ns)));
        assert!(refused.contains(error), "{words}: {refused}");
        net.wait_for("the host's interface to go", || links(&net, "a") == before);
        assert_eq!(net.lab.run("show tap"), "", "{words}");
    }
    assert!(net.lab.refused("delete tap local0").contains("no TAP or TUN interface"));
    assert!(net.lab.refused("show tap local0").contains("no TAP or TUN interface"));
}
