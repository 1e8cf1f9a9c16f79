//! Link-local addresses: what is sent to them leaves by their link, and what is from them stays there.

use crate::{
    cut::{cut6, parts},
    packets::{frame, icmp6, ip6, ip6_udp},
    scene::Scene,
};

/// The router's link-local address on its first link, of its MAC address.
const OURS: &str = "fe80::fe:ff:fe00:0";
const HOST: &str = "fe80::77";

fn scene() -> Scene {
    let scene = Scene::router();
    scene.lab.script(
        "set ip6 icmp-error-limit rate 1000
         set interface mtu packet 1500 pg0
         set interface mtu packet 1500 pg1",
    );
    scene
}

fn echo(length: usize) -> Vec<u8> {
    let mut message = vec![128, 0, 0, 0, 0, 7, 0, 9];
    message.resize(8 + length, 5);
    ip6(HOST, OURS, (58, 64), &icmp6(HOST, OURS, &message))
}

/// Types of the ICMPv6 messages that left by an interface, and lengths of frames.
fn left(scene: &Scene, interface: &str, send: impl FnOnce()) -> Vec<(u8, usize)> {
    scene.capture(interface);
    send();
    let captured = scene.captured(interface);
    captured.frames.iter().map(|f| (f[if f[20] == 44 { 62 } else { 54 }], f.len())).collect()
}

#[test]
fn replies_to_link_local_senders_leave_by_their_link_as_soon_as_they_are_known() {
    let scene = scene();
    // Nobody has said who that is: it is asked for, and the reply waits.
    let ask = left(&scene, "pg0", || scene.send("pg0", &[frame(&[], &echo(10))]));
    assert_eq!(ask.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), [135]);
    let target: std::net::Ipv6Addr = HOST.parse().unwrap();
    let link =
        [&[136, 0, 0, 0, 0x60, 0, 0, 0][..], &target.octets(), &[2, 1, 2, 0, 0, 0, 0, 1]].concat();
    let advertisement = ip6(HOST, OURS, (58, 255), &icmp6(HOST, OURS, &link));
    let reply = left(&scene, "pg0", || {
        scene.send("pg0", &[frame(&[], &advertisement)]);
        scene.lab.advance(1);
    });
    assert_eq!(reply, [(129, 14 + 40 + 18)]);
    let shown = scene.lab.run("show ip6-ll pg0");
    for line in [
        format!("{OURS}/128 "),
        format!("{HOST}/128 "),
        "fe80::/64 ".to_owned(),
        "glean".to_owned(),
        "neighbor".to_owned(),
    ] {
        assert!(shown.contains(&line), "{line}: {shown}");
    }
    // On the other link nobody is called so.
    assert!(!scene.lab.run("show ip6-ll pg1").contains(HOST));
    let long = echo(3000);
    let fragments: Vec<_> =
        parts(3008, 1448).into_iter().map(|p| frame(&[], &cut6(&long, 9, p))).collect();
    let replies = left(&scene, "pg0", || scene.send("pg0", &fragments));
    assert_eq!(
        replies.iter().map(|(_, length)| *length).collect::<Vec<_>>(),
        [1510, 1510, 14 + 48 + 112]
    );
    scene.assert_nothing_is_lost();
}

#[test]
fn the_same_address_on_two_links_is_two_hosts() {
    let scene = scene();
    scene.lab.script(
        "set ip neighbor pg0 fe80::77 02:00:00:00:00:01
         set ip neighbor pg1 fe80::77 02:00:00:00:00:09",
    );
    let none = left(&scene, "pg1", || {
        let some = left(&scene, "pg0", || scene.send("pg0", &[frame(&[], &echo(10))]));
        assert_eq!(some, [(129, 72)]);
    });
    assert!(none.is_empty());
    scene.lab.run("set ip neighbor pg0 fe80::77 02:00:00:00:00:01 del");
    let shown = scene.lab.run("show ip6-ll json");
    assert_eq!(shown.matches("fe80::77/128").count(), 1, "{shown}");
    scene.assert_nothing_is_lost();
}

#[test]
fn packets_from_link_local_addresses_do_not_go_to_other_links() {
    let scene = scene();
    scene.lab.run("set ip neighbor pg0 fe80::77 02:00:00:00:00:01");
    let packet = ip6_udp(HOST, "2001:db8:10::1", 64, 18);
    scene.capture("pg0");
    scene.send("pg0", &[frame(&[], &packet)]);
    let captured = scene.captured("pg0");
    // Beyond the scope of the source (RFC 4443, section 3.1).
    assert_eq!(captured.frames.first().map(|f| [f[54], f[55]]), Some([1, 2]));
    assert_eq!(scene.lab.error("ip6-rewrite", "beyond-scope"), 1);
    assert_eq!(scene.counter("pg1", "tx packets"), 0);
    scene.assert_nothing_is_lost();
}
