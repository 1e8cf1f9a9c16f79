//! Tunnels that lead back to themselves: an error with a counter, and the end.

use crate::{
    KINDS, adds_up, end,
    packets::{Ip4, PG0, frame_to},
    scene::Scene,
};

fn packet() -> Vec<u8> {
    frame_to(PG0, &[], &Ip4::udp("10.10.0.2", "10.11.0.2").bytes())
}

#[test]
fn a_tunnel_routed_into_itself_drops_and_says_so() {
    let kind = KINDS[5];
    let near = end(&kind, ["192.0.2.1", "203.0.113.9"], 0);
    near.lab.run("ip route add 203.0.113.0/24 via ipip0");
    near.send("pg0", &[packet()]);
    assert_eq!(near.lab.error("adj-midchain-tx", "stack-loop"), 1, "{:?}", near.reasons());
    assert_eq!(
        near.lab.run("show ipip tunnel"),
        "[0] instance 0 src 192.0.2.1 dst 203.0.113.9 table-ID 0 sw-if-idx 3 flags [none] dscp CS0 stack-loop\n"
    );
    assert!(near.lab.run("show ipip tunnel json").contains("\"looped\":true"));
    adds_up(&near);
    // It works again when it leads elsewhere.
    near.lab.run("ip route add 203.0.113.9/32 via 192.0.2.2 pg1");
    near.lab.run("set ip neighbor pg1 192.0.2.2 02:fe:00:00:00:01");
    near.capture("pg1");
    near.send("pg0", &[packet()]);
    assert_eq!(near.captured("pg1").frames.len(), 1);
    assert!(!near.lab.run("show ipip tunnel").contains("stack-loop"));
}

#[test]
fn tunnels_that_are_routed_into_each_other_drop() {
    let near = end(&KINDS[5], ["192.0.2.1", "203.0.113.9"], 0);
    near.lab.script(
        "create gre tunnel src 192.0.2.1 dst 198.51.100.9
         set interface state gre0 up
         set interface unnumbered gre0 use pg0
         ip route add 203.0.113.0/24 via gre0
         ip route add 198.51.100.0/24 via ipip0",
    );
    near.send("pg0", &[packet()]);
    assert_eq!(near.lab.error("adj-midchain-tx", "stack-loop"), 1, "{:?}", near.reasons());
    assert!(near.lab.run("show gre tunnel").ends_with("point-to-point stack-loop \n"));
    adds_up(&near);
}

#[test]
fn a_tunnel_to_this_machine_itself_drops() {
    let near = end(&KINDS[0], ["192.0.2.1", "10.0.0.9"], 0);
    near.lab.script("create loopback interface\nset interface ip address loop0 10.0.0.9/32");
    near.send("pg0", &[frame_to([2, 0, 0, 0, 0, 9], &[], &[0x45; 46])]);
    assert_eq!(near.lab.error("vxlan4-encap", "local-far-end"), 1, "{:?}", near.reasons());
    adds_up(&near);
}

#[test]
fn what_goes_round_through_tunnels_and_a_loopback_interface_comes_to_an_end() {
    // What leaves by the one tunnel goes out of a loopback interface, comes back, and comes in by the other one: both are in a bridge
    // domain, so that it is flooded into the first again.
    let scene = Scene::new(
        2,
        "create loopback interface
         set interface state loop0 up
         ip table add 7
         set interface ip address loop0 10.0.0.2/32
         set interface ip address pg1 192.0.2.1/24
         set ip neighbor pg1 192.0.2.2 02:fe:00:00:00:01
         ip route add 10.0.0.1/32 via 192.0.2.2 pg1
         set ip neighbor loop0 10.9.9.9 de:ad:00:00:00:00
         ip route add 10.0.0.2/32 table 7 via 10.9.9.9 loop0
         create vxlan tunnel src 10.0.0.1 dst 10.0.0.2 vni 5 encap-vrf-id 7
         create vxlan tunnel src 10.0.0.2 dst 10.0.0.1 vni 5
         set interface l2 bridge pg0 1
         set interface l2 bridge vxlan_tunnel0 1
         set interface l2 bridge vxlan_tunnel1 1",
    );
    scene.send("pg0", &[frame_to([0xff; 6], &[], &[0x45; 46])]);
    assert_eq!(
        scene.lab.error("vxlan4-encap", "too-many-encapsulations"),
        1,
        "{:?}",
        scene.reasons()
    );
    assert_eq!(scene.counter("vxlan_tunnel1", "rx packets"), 7);
    adds_up(&scene);
}

#[test]
fn tunnels_in_tunnels_have_the_room_that_there_is() {
    // Each is in the next: three of them, 40 octets each, fit into the headroom, and four do not.
    let scene = Scene::new(
        2,
        "set interface ip address pg0 10.10.0.1/24
         set interface ip address pg1 2001:db8:f::1/64
         set ip neighbor pg1 2001:db8:f::2 02:fe:00:00:00:01",
    );
    for n in 0..4 {
        let far = if n == 0 { "2001:db8:f::2".to_owned() } else { format!("2001:db8:{n}::2") };
        scene.lab.script(&format!(
            "create ipip tunnel src 2001:db8:f::1 dst {far}
             set interface state ipip{n} up
             set interface ip address ipip{n} 10.9{n}.0.1/30
             set interface ip address ipip{n} 2001:db8:a{n}::1/64
             ip route add 10.1{n}.1.0/24 via ipip{n}
             ip route add 2001:db8:{}::/64 via ipip{n}",
            n + 1
        ));
    }
    scene.capture("pg1");
    let to = |n: u8| frame_to(PG0, &[], &Ip4::udp("10.10.0.2", &format!("10.1{n}.1.2")).bytes());
    scene.send("pg0", &[to(2), to(3)]);
    assert_eq!(scene.captured("pg1").frames.len(), 1, "{:?}", scene.reasons());
    let none = ["adj-midchain-tx", "ip6-rewrite"].map(|node| scene.lab.error(node, "no-headroom"));
    assert_eq!(none.iter().sum::<u64>(), 1, "{:?}", scene.reasons());
    adds_up(&scene);
}
