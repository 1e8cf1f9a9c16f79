//! What the operator sees.

use crate::scene::Scene;

/// A machine with a route to everywhere.
fn machine() -> Scene {
    Scene::new(
        2,
        "set interface ip address pg1 192.0.2.1/24
         set interface ip address pg1 2001:db8:f::1/64
         set ip neighbor pg1 192.0.2.2 02:00:00:00:00:02",
    )
}

#[test]
fn tunnels_are_shown_as_vpp_shows_them() {
    let scene = machine();
    let run = |line: &str| scene.lab.run(line);
    for (kind, none) in [
        ("vxlan", "No vxlan tunnels configured...\n"),
        ("geneve", "No geneve tunnels configured...\n"),
        ("gre", "No GRE tunnels configured...\n"),
        ("ipip", "No IPIP tunnels configured...\n"),
    ] {
        assert_eq!(run(&format!("show {kind} tunnel")), none);
    }
    assert_eq!(run("create vxlan tunnel src 192.0.2.1 dst 192.0.2.2 vni 13"), "vxlan_tunnel0\n");
    assert_eq!(
        run(
            "create vxlan tunnel src 192.0.2.1 dst 192.0.2.2 vni 13 instance 42 src_port 4790 dst_port 4791"
        ),
        "vxlan_tunnel42\n"
    );
    assert_eq!(
        run("create vxlan tunnel src 2001:db8:f::1 dst 2001:db8:e::2 vni 16777215 l3"),
        "vxlan_tunnel2\n"
    );
    // The adjacency has number 1 more than what pg1 had before.
    assert_eq!(
        run("show vxlan tunnel"),
        "[0] instance 0 src 192.0.2.1 dst 192.0.2.2 src_port 4789 dst_port 4789 vni 13 fib-idx 0 sw-if-idx 3 encap-dpo-idx 3 \n\
         [1] instance 42 src 192.0.2.1 dst 192.0.2.2 src_port 4790 dst_port 4791 vni 13 fib-idx 0 sw-if-idx 4 encap-dpo-idx 3 \n\
         [2] instance 2 src 2001:db8:f::1 dst 2001:db8:e::2 src_port 4789 dst_port 4789 vni 16777215 fib-idx 0 sw-if-idx 5 \
         encap-dpo-idx 1 decap-next-ip \n"
    );
    assert_eq!(
        run("create geneve tunnel local 192.0.2.1 remote 192.0.2.2 vni 13"),
        "geneve_tunnel0\n"
    );
    assert_eq!(
        run("show geneve tunnel"),
        "[0] lcl 192.0.2.1 rmt 192.0.2.2 vni 13 fib-idx 0 sw-if-idx 6 encap-dpo-idx 3 decap-next-l2 \n"
    );
    assert_eq!(run("create gre tunnel src 192.0.2.1 dst 192.0.2.2"), "gre0\n");
    assert_eq!(run("create gre tunnel src 192.0.2.1 dst 192.0.2.2 teb instance 7 key 5"), "gre7\n");
    assert_eq!(
        run("show gre tunnel"),
        "[0] instance 0 src 192.0.2.1 dst 192.0.2.2 fib-idx 0 sw-if-idx 7 payload L3 point-to-point \n\
         [1] instance 7 src 192.0.2.1 dst 192.0.2.2 fib-idx 0 sw-if-idx 8 payload TEB key 5 point-to-point \n"
    );
    assert_eq!(
        run(
            "create ipip tunnel src 192.0.2.1 dst 192.0.2.2 flags encap-copy-dscp flags encap-set-df"
        ),
        "ipip0\n"
    );
    assert_eq!(run("create ipip tunnel src 192.0.2.1 dst 192.0.2.3"), "ipip1\n");
    assert_eq!(
        run("show ipip tunnel"),
        "[0] instance 0 src 192.0.2.1 dst 192.0.2.2 table-ID 0 sw-if-idx 9 flags [encap-set-df encap-copy-dscp ] dscp CS0\n\
         [1] instance 1 src 192.0.2.1 dst 192.0.2.3 table-ID 0 sw-if-idx 10 flags [none] dscp CS0\n"
    );
    assert_eq!(
        run("show ipip tunnel 1"),
        "[1] instance 1 src 192.0.2.1 dst 192.0.2.3 table-ID 0 sw-if-idx 10 flags [none] dscp CS0\n"
    );
    assert_eq!(run("show gre tunnel 5"), "unknown index:5\n");
    assert_eq!(
        run("show gre tunnel 1 json"),
        r#"[{"index":1,"instance":7,"interface":"gre7","sw_if_index":8,"local":"192.0.2.1","remote":"192.0.2.2","payload":"ethernet","key":5,"local_port":null,"remote_port":null,"table_id":0,"flags":"","looped":false,"max_packet":8958,"path_mtu":null}]"#
            .to_owned()
            + "\n"
    );
    // UDP tunnels come up by themselves, as VPP's do.
    let shown = run("show interface");
    let state = |name: &str| {
        let line = shown.lines().find(|line| line.starts_with(&format!("{name} ")));
        line.and_then(|line| line.split_whitespace().nth(2)).unwrap_or_default().to_owned()
    };
    let states = ["vxlan_tunnel42", "geneve_tunnel0", "gre0", "ipip0"].map(state);
    assert_eq!(states, ["up", "up", "down", "down"], "{shown}");
}

#[test]
fn what_cannot_be_is_refused_in_vpps_words() {
    let scene = machine();
    scene.lab.script(
        "create vxlan tunnel src 192.0.2.1 dst 192.0.2.2 vni 13
         create gre tunnel src 192.0.2.1 dst 192.0.2.2
         create ipip tunnel src 192.0.2.1 dst 192.0.2.2
         create geneve tunnel local 192.0.2.1 remote 192.0.2.2 vni 13",
    );
    let vxlan = "create vxlan tunnel";
    let geneve = "create geneve tunnel";
    let (gre, ipip) = ("create gre tunnel", "create ipip tunnel");
    for (command, rest, error) in [
        (vxlan, "src 192.0.2.1 dst 192.0.2.2 vni 13", "tunnel already exists..."),
        (vxlan, "src 192.0.2.1 dst 192.0.2.2 vni 14 instance 0", "Instance is in use"),
        (vxlan, "src 192.0.2.1 dst 192.0.2.1 vni 1", "src and dst addresses are identical"),
        (vxlan, "src 192.0.2.1 dst 2001:db8::1 vni 1", "both IPv4 and IPv6 addresses specified"),
        (vxlan, "src 192.0.2.1 dst 239.1.1.1 vni 1", "dst address must be unicast"),
        (vxlan, "src 0.0.0.0 dst 192.0.2.2 vni 1", "src address must be unicast"),
        (vxlan, "src 192.0.2.1 dst 192.0.2.3 vni 1 encap-vrf-id 9", "nonexistent encap-vrf-id 9"),
        (vxlan, "src 192.0.2.1 dst 192.0.2.3 vni 1 src_port 6081", "port 6081 is in use"),
        (vxlan, "src 192.0.2.1 dst 192.0.2.2 vni 99 del", "tunnel does not exist..."),
        (
            vxlan,
            "src 192.0.2.1 dst 192.0.2.2 vni 0",
            "`0' is out of range, allowed is 1 to 16777215",
        ),
        (geneve, "local 192.0.2.1 remote 192.0.2.2 vni 13", "tunnel already exists..."),
        (
            geneve,
            "local 192.0.2.1 remote 192.0.2.1 vni 1",
            "local and remote addresses are identical",
        ),
        (geneve, "local 192.0.2.1 remote 224.0.0.1 vni 1", "remote address must be unicast"),
        (geneve, "local 192.0.2.1 remote 192.0.2.3 vni 1 del", "tunnel does not exist..."),
        (gre, "src 192.0.2.1 dst 192.0.2.2", "GRE tunnel already exists..."),
        (gre, "src 192.0.2.1 dst 192.0.2.1", "src and dst are identical"),
        (gre, "src 192.0.2.1 dst 2001:db8::1", "src and dst address must be the same AF"),
        (gre, "src 192.0.2.1 dst 192.0.2.3 outer-table-id 3", "outer table ID 3 doesn't exist"),
        (gre, "src 192.0.2.1 dst 192.0.2.2 teb del", "GRE tunnel doesn't exist"),
        (ipip, "src 192.0.2.1 dst 192.0.2.2", "IPIP tunnel already exists..."),
        (
            ipip,
            "src 192.0.2.1 dst 2001:db8::1",
            "source and destination must be of same address family",
        ),
        (ipip, "src 192.0.2.1 dst 192.0.2.3 outer-table-id 3", "outer fib ID 3 doesn't exist"),
        ("delete ipip tunnel", "pg1", "IPIP tunnel doesn't exist"),
        ("delete ipip tunnel", "gre0", "IPIP tunnel doesn't exist"),
    ] {
        let refused = scene.lab.refused(&format!("{command} {rest}"));
        assert!(refused.starts_with(&format!("{command}: {error}")), "{rest}: {refused}");
    }
    // A keyword without which there is no tunnel.
    for (line, error) in [
        ("create vxlan tunnel dst 192.0.2.3 vni 1", "missing src <ip-address>"),
        ("create gre tunnel src 192.0.2.1", "missing dst <ip-address>"),
        ("create ipip tunnel src 192.0.2.1 dst 192.0.2.3 flags copy", "`copy' is not"),
    ] {
        let refused = scene.lab.refused(line);
        assert!(refused.contains(error), "{refused}");
    }
    assert_eq!(scene.lab.run("show vxlan tunnel").lines().count(), 1, "nothing was made");
}

#[test]
fn a_tunnel_that_is_deleted_leaves_nothing() {
    let scene = machine();
    let before = scene.lab.run("show interface");
    let adjacencies = || scene.lab.engine.with(|main| main.forwarding().counts());
    let counts = adjacencies();
    for n in 0..2 {
        for (create, delete) in [
            (
                "create vxlan tunnel src 192.0.2.1 dst 192.0.2.2 vni 13",
                "create vxlan tunnel src 192.0.2.1 dst 192.0.2.2 vni 13 del",
            ),
            (
                "create geneve tunnel local 192.0.2.1 remote 192.0.2.2 vni 13",
                "create geneve tunnel local 192.0.2.1 remote 192.0.2.2 vni 13 del",
            ),
            (
                "create gre tunnel src 2001:db8:f::1 dst 2001:db8:f::2 teb",
                "create gre tunnel src 2001:db8:f::1 dst 2001:db8:f::2 teb del",
            ),
            ("create ipip tunnel src 192.0.2.1 dst 192.0.2.2", "delete ipip tunnel ipip0"),
        ] {
            scene.lab.run(create);
            if create.contains("ipip") {
                scene.lab.script("set interface ip address ipip0 10.9.9.1/30\nip route add 10.8.0.0/16 via ipip0");
            } else {
                let name = scene.lab.run("show interface");
                let name = name
                    .lines()
                    .map(|l| l.split_whitespace().next().unwrap())
                    .find(|n| n.contains("tunnel0") || *n == "gre0");
                scene.lab.run(&format!("set interface l2 bridge {} {}", name.unwrap(), n + 1));
            }
            scene.lab.run(delete);
        }
    }
    assert_eq!(scene.lab.run("show interface"), before);
    assert_eq!(adjacencies(), counts);
    assert_eq!(scene.lab.run("show vxlan tunnel"), "No vxlan tunnels configured...\n");
}

#[test]
fn a_route_into_a_tunnel_says_what_that_is_stacked_on() {
    let scene = machine();
    scene.lab.script(
        "create gre tunnel src 192.0.2.1 dst 192.0.2.2
         set interface state gre0 up
         set interface ip address gre0 10.9.0.1/30
         ip route add 10.1.0.0/16 via gre0",
    );
    let shown = scene.lab.run("show ip fib 10.1.0.1");
    let at = shown.find("[@6]: ipv4 via 0.0.0.0 gre0: mtu:8976 next:0 flags:[]\n").expect(&shown);
    let below: Vec<&str> = shown[at..].lines().skip(1).take(2).collect();
    assert!(below[0].starts_with("        stacked-on entry:"), "{shown}");
    assert!(below[1].starts_with("          [@5]: ipv4 via 192.0.2.2 pg1: mtu:9000 "), "{shown}");
    // In it is less room, and none of its own way out.
    scene.lab.run("set interface mtu packet 1500 pg1");
    assert!(scene.lab.run("show ip fib 10.1.0.1").contains("gre0: mtu:1476 "));
    scene.lab.run("ip route add 192.0.2.2/32 via gre0");
    assert!(scene.lab.run("show ip fib 10.1.0.1").contains("[@0]: dpo-drop: stack-loop"));
}
