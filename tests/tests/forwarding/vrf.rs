//! Tables with the same addresses in them: nothing that one interface's packets bring about concerns another table.

use std::net::Ipv4Addr;

use crate::{
    packets::{Ip4, checksum, frame_to, icmp6, ip6, ip6_udp},
    scene::Scene,
};

/// The router's addresses on each link, in either table.
const OWN4: &str = "192.168.0.1";
const OWN6: &str = "2001:db8::1";
/// A host's on each link, in either table.
const HOST4: &str = "192.168.0.2";
const HOST6: &str = "2001:db8::2";

/// pg0 and pg1 with the same addresses in tables 0 and 7, each beside a host of its own, and a way beyond it for the same prefixes.
fn twins() -> Scene {
    Scene::new(
        2,
        "ip table add 7
         ip6 table add 7
         set interface ip table pg1 7
         set interface ip6 table pg1 7
         set ip icmp-error-limit rate 1000
         set ip6 icmp-error-limit rate 1000
         set interface ip address pg0 192.168.0.1/24
         set interface ip address pg1 192.168.0.1/24
         set interface ip address pg0 2001:db8::1/64
         set interface ip address pg1 2001:db8::1/64
         set ip neighbor pg0 192.168.0.2 02:00:00:00:00:01
         set ip neighbor pg1 192.168.0.2 02:00:00:00:00:01
         set ip neighbor pg0 2001:db8::2 02:00:00:00:00:01
         set ip neighbor pg1 2001:db8::2 02:00:00:00:00:01",
    )
}

/// The MAC address of an interface of the router.
const fn router(n: u8) -> [u8; 6] {
    [2, 0xfe, 0, 0, 0, n]
}

/// An echo request of the host to the router.
fn echo4() -> Vec<u8> {
    let mut payload = vec![8, 0, 0, 0, 0, 1, 0, 2];
    let sum = checksum(&payload);
    payload[2..4].copy_from_slice(&sum.to_be_bytes());
    Ip4 { protocol: 1, payload, ..Ip4::udp(HOST4, OWN4) }.bytes()
}

fn echo6() -> Vec<u8> {
    let message = icmp6(HOST6, OWN6, &[128, 0, 0, 0, 0, 1, 0, 2]);
    ip6(HOST6, OWN6, (58, 64), &message)
}

/// Which interfaces send what they are expected to, each as many frames as `f` has it send.
fn sent(scene: &Scene, f: impl FnOnce()) -> [u64; 2] {
    let count = || ["pg0", "pg1"].map(|name| scene.counter(name, "tx packets"));
    let before = count();
    f();
    let after = count();
    [after[0] - before[0], after[1] - before[1]]
}

#[test]
fn what_comes_from_a_table_is_answered_into_it() {
    let scene = twins();
    for n in 0..2_u8 {
        let expected = [u64::from(n == 0), u64::from(n == 1)];
        let (port, mac) = (format!("pg{n}"), router(n));
        let cases = [
            ("echo", echo4()),
            ("echo, IPv6", echo6()),
            ("no route", Ip4::udp(HOST4, "10.0.0.1").bytes()),
            ("no route, IPv6", ip6_udp(HOST6, "2001:db8:ffff::1", 64, 20)),
            ("no listener", Ip4::udp(HOST4, OWN4).bytes()),
        ];
        for (what, packet) in cases {
            let frame = frame_to(mac, &[], &packet);
            assert_eq!(sent(&scene, || scene.send(&port, &[frame])), expected, "{what}, {port}");
        }
    }
    scene.assert_nothing_is_lost();
}

#[test]
fn neighbours_and_addresses_are_those_of_their_own_table() {
    let scene = twins();
    // Who has the router's address? Each interface answers with its own MAC address.
    let question = |host: u8| {
        let sender = [2, 0, 0, 0, 1, host];
        let ip = Ipv4Addr::new(192, 168, 0, host).octets();
        let mut bytes = [&[0xff; 6][..], &sender, &[8, 6, 0, 1, 8, 0, 6, 4, 0, 1]].concat();
        bytes.extend(
            [&sender[..], &ip, &[0; 6], &OWN4.parse::<Ipv4Addr>().unwrap().octets()].concat(),
        );
        bytes
    };
    for n in 0..2_u8 {
        let port = format!("pg{n}");
        scene.capture(&port);
        scene.send(&port, &[question(20 + n)]);
        let captured = scene.captured(&port);
        assert_eq!(captured.frames.len(), 1);
        assert_eq!(captured.frames[0][22..28], router(n), "the sender of the answer");
    }
    // Who was heard on one link is no neighbour on the other.
    let learnt = |port: &str| {
        let shown = scene.lab.run(&format!("show ip neighbors {port}"));
        [20, 21].map(|host| shown.contains(&format!("192.168.0.{host} ")))
    };
    assert_eq!([learnt("pg0"), learnt("pg1")], [[true, false], [false, true]]);
    let route = |table: u32, host: u32| {
        scene.lab.run(&format!("show ip fib table {table} 192.168.0.{host}"))
    };
    assert!(route(0, 20).contains("pg0") && route(7, 21).contains("pg1"));
    assert!(
        !route(7, 20).contains("02:00:00:00:01:14") && !route(0, 21).contains("02:00:00:00:01:15")
    );
}

#[test]
fn the_same_prefix_leads_elsewhere_in_each_table() {
    let scene = twins();
    scene.lab.script(
        "ip route add 10.0.0.0/8 via 192.168.0.2 pg0
         ip route add 10.0.0.0/8 table 7 via 192.168.0.2 pg1
         ip route add 2001:db8:10::/48 via 2001:db8::2 pg0
         ip route add 2001:db8:10::/48 table 7 via 2001:db8::2 pg1",
    );
    for n in 0..2_u8 {
        let expected = [2 * u64::from(n == 0), 2 * u64::from(n == 1)];
        let packets =
            [Ip4::udp(HOST4, "10.0.0.1").bytes(), ip6_udp(HOST6, "2001:db8:10::1", 64, 20)];
        let frames = packets.map(|packet| frame_to(router(n), &[], &packet));
        assert_eq!(sent(&scene, || scene.send(&format!("pg{n}"), &frames)), expected);
    }
    scene.assert_nothing_is_lost();
    for family in ["ip", "ip6"] {
        let refused = scene.lab.refused(&format!("{family} table del 7"));
        assert!(refused.contains("is in use by interface pg1"), "{refused}");
        let refused = scene.lab.refused(&format!("{family} table del 0"));
        assert!(
            refused.contains("is in use by interfaces without a table of their own"),
            "{refused}"
        );
        let refused = scene.lab.refused(&format!("{family} table del 8"));
        assert!(refused.contains("table 8: add it first"), "{refused}");
    }
}
