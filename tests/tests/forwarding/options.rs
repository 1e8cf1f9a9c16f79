//! Options of IPv4 and extension headers of IPv6.

use crate::{
    packets::{Ip4, frame, icmp6, ip6, ip6_udp},
    scene::Scene,
};

/// A router that says what became of packets, and knows who asks.
fn scene() -> Scene {
    let scene = Scene::router();
    scene.lab.script(
        "set ip icmp-error-limit rate 1000
         set ip6 icmp-error-limit rate 1000
         set ip neighbor pg0 192.168.0.2 02:00:00:00:00:01
         set ip neighbor pg0 2001:db8::2 02:00:00:00:00:01",
    );
    scene
}

/// What came back: type, code, and the four octets behind the checksum.
fn told(scene: &Scene, packet: &[u8]) -> Option<(u8, u8, u32)> {
    scene.capture("pg0");
    scene.send("pg0", &[frame(&[], packet)]);
    let captured = scene.captured("pg0");
    let frame = captured.frames.first()?;
    let message = &frame[if frame[12] == 8 { 34 } else { 54 }..];
    Some((message[0], message[1], u32::from_be_bytes(message[4..8].try_into().unwrap())))
}

#[test]
fn options_of_ip4_pass_or_end_by_what_they_are() {
    let scene = scene();
    let mut passed = 0;
    let way = |options: &[u8]| {
        let udp = Ip4::udp("192.168.0.2", "10.0.0.1");
        Ip4 { options: options.to_vec(), ..udp }.bytes()
    };
    for options in [
        vec![148, 4, 0, 0],
        vec![7, 7, 4, 0, 0, 0, 0, 0],
        vec![68, 12, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        vec![130, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        vec![1, 1, 1, 0],
        vec![222, 4, 1, 2],
    ] {
        assert_eq!(told(&scene, &way(&options)), None, "{options:?}");
        passed += 1;
        assert_eq!(scene.counter("pg1", "tx packets"), passed, "{options:?}");
    }
    let erroneous = |at: u32| Some((12, 0, at << 24));
    for (options, reason, message) in [
        (vec![131, 7, 4, 10, 0, 0, 9, 0], "source-route", Some((3, 5, 0))),
        (vec![1, 137, 7, 4, 10, 0, 0, 9], "source-route", Some((3, 5, 0))),
        (vec![7, 9, 4, 0], "bad-option", erroneous(21)),
        (vec![7, 3, 2, 0], "bad-option", erroneous(22)),
        (vec![1, 1, 68, 1], "bad-option", erroneous(23)),
        (vec![148, 0, 0, 0], "bad-option", erroneous(21)),
    ] {
        let before = scene.lab.error("ip4-options", reason);
        assert_eq!(told(&scene, &way(&options)), message, "{options:?}");
        assert_eq!(scene.lab.error("ip4-options", reason) - before, 1, "{options:?}");
    }
    scene.assert_nothing_is_lost();
}

#[test]
fn what_is_for_this_machine_and_nobody_takes_is_told_of() {
    let scene = scene();
    let packet = Ip4 { protocol: 253, ..Ip4::udp("192.168.0.2", "192.168.0.1") };
    assert_eq!(told(&scene, &packet.bytes()), Some((3, 2, 0)));
    let packet = ip6("2001:db8::2", "2001:db8::1", (253, 64), &[0; 8]);
    assert_eq!(told(&scene, &packet), Some((4, 1, 6)));
    let behind = [&[253, 0, 1, 4, 0, 0, 0, 0][..], &[0; 8]].concat();
    let packet = ip6("2001:db8::2", "2001:db8::1", (60, 64), &behind);
    assert_eq!(told(&scene, &packet), Some((4, 1, 40)));
    assert_eq!(scene.lab.error("ip4-local", "unknown-protocol"), 1);
    assert_eq!(scene.lab.error("ip6-local", "unknown-protocol"), 2);
    scene.assert_nothing_is_lost();
}

/// An IPv6 packet with UDP behind `header`, whose first octet says so.
fn behind(next: u8, header: &[u8], to: &str) -> Vec<u8> {
    let whole = ip6_udp("2001:db8::2", to, 64, 18);
    ip6("2001:db8::2", to, (next, 64), &[header, &whole[40..]].concat())
}

#[test]
fn hop_by_hop_options_are_looked_at_on_the_way() {
    let scene = scene();
    let option = |kind: u8| behind(0, &[17, 0, kind, 4, 0, 0, 0, 0], "2001:db8:10::1");
    for (kind, passes, message) in [
        (1, 1, None),
        (0x1e, 1, None),
        (0x5e, 0, None),
        (0x9e, 0, Some((4, 2, 42))),
        (0xde, 0, Some((4, 2, 42))),
        (0xc2, 0, Some((4, 2, 42))),
    ] {
        let before = scene.counter("pg1", "tx packets");
        assert_eq!(told(&scene, &option(kind)), message, "{kind:#x}");
        assert_eq!(scene.counter("pg1", "tx packets") - before, passes, "{kind:#x}");
    }
    assert_eq!(scene.lab.error("ip6-hop-by-hop", "unknown-option"), 4);
    for (header, reason) in [
        (&[17, 9, 1, 4, 0, 0, 0, 0][..], "bad-option"),
        (&[17, 0, 0x1e, 5, 0, 0, 0, 0], "bad-option"),
        (&[&[17, 7][..], &[0; 62]].concat(), "too-many-options"),
    ] {
        let before = scene.lab.error("ip6-hop-by-hop", reason);
        assert_eq!(told(&scene, &behind(0, header, "2001:db8:10::1")), None);
        assert_eq!(scene.lab.error("ip6-hop-by-hop", reason) - before, 1, "{header:?}");
    }
    scene.assert_nothing_is_lost();
}

#[test]
fn extension_headers_of_what_is_for_this_machine_are_judged() {
    let scene = scene();
    let us = "2001:db8::1";
    let tower = [60, 0, 1, 4, 0, 0, 0, 0].repeat(12);
    let after = [&[0, 0, 1, 4, 0, 0, 0, 0][..], &[17, 0, 1, 4, 0, 0, 0, 0]].concat();
    for (what, next, header, reason, message) in [
        ("routing type 0", 43, vec![17, 0, 0, 1, 0, 0, 0, 0], "routing-header", Some((4, 0, 42))),
        ("routing type 4", 43, vec![17, 0, 4, 1, 0, 0, 0, 0], "routing-header", Some((4, 0, 42))),
        ("an option", 60, vec![17, 0, 0x9e, 4, 0, 0, 0, 0], "unknown-option", Some((4, 2, 42))),
        ("a quiet option", 60, vec![17, 0, 0x5e, 4, 0, 0, 0, 0], "unknown-option", None),
        ("a long option", 60, vec![17, 0, 1, 5, 0, 0, 0, 0], "truncated", None),
        ("a tower", 60, tower, "too-many-headers", None),
        ("hop-by-hop later", 60, after, "hop-by-hop-misplaced", Some((4, 1, 40))),
        (
            "a fragment behind AH",
            51,
            [&[44, 0][..], &[0; 6], &[17, 0, 0, 1, 0, 0, 0, 1]].concat(),
            "hop-by-hop-misplaced",
            Some((4, 1, 40)),
        ),
    ] {
        let before = scene.lab.error("ip6-local", reason);
        assert_eq!(
            told(&scene, &behind(next, &header, us)),
            message,
            "{what}: {:?}",
            scene.reasons()
        );
        assert_eq!(scene.lab.error("ip6-local", reason) - before, 1, "{what}");
    }
    // No segments left: the packet has arrived.
    let done = behind(43, &[17, 0, 0, 0, 0, 0, 0, 0], us);
    assert_eq!(told(&scene, &done), Some((1, 4, 0)), "nobody listens at the port");
    scene.assert_nothing_is_lost();
}

#[test]
fn options_in_packets_to_groups_are_told_of_only_where_they_ask_for_it() {
    let scene = scene();
    let to = "ff02::1";
    let message = icmp6("2001:db8::2", to, &[200, 0, 0, 0, 0, 0, 0, 0]);
    for (kind, answer) in [(0x9e, Some((4, 2, 42))), (0xde, None)] {
        let payload = [&[58, 0, kind, 4, 0, 0, 0, 0][..], &message].concat();
        let packet = ip6("2001:db8::2", to, (0, 64), &payload);
        scene.capture("pg0");
        let group = crate::packets::frame_to([0x33, 0x33, 0, 0, 0, 1], &[], &packet);
        scene.send("pg0", &[group]);
        let captured = scene.captured("pg0");
        let got = captured.frames.first().map(|f| (f[54], f[55], u32::from(f[61])));
        assert_eq!(got, answer, "{kind:#x} {:?}", scene.reasons());
    }
    scene.assert_nothing_is_lost();
}
