//! Sub-interfaces: frames with VLAN tags in and out.

use crate::{
    packets::{Ip4, Tag, frame, ip6_udp},
    scene::Scene,
};

const DOT1Q: u16 = 0x8100;
const DOT1AD: u16 = 0x88a8;

/// One subnet behind each of four sub-interfaces, and the tags of its frames.
const LINKS: [(&str, &[Tag]); 4] = [
    ("pg0.100", &[(DOT1Q, 100)]),
    ("pg0.200", &[(DOT1Q, 200), (DOT1Q, 30)]),
    ("pg1.300", &[(DOT1AD, 300)]),
    ("pg1.400", &[(DOT1AD, 400), (DOT1Q, 4)]),
];

fn stacked() -> Scene {
    let scene = Scene::new(2, "");
    for (line, name) in [
        ("pg0 100", "pg0.100"),
        ("pg0 200 dot1q 200 inner-dot1q 30 exact-match", "pg0.200"),
        ("pg1 300 dot1ad 300 exact-match", "pg1.300"),
        ("pg1 400 dot1ad 400 inner-dot1q 4 exact-match", "pg1.400"),
    ] {
        assert_eq!(scene.lab.run(&format!("create sub-interfaces {line}")), format!("{name}\n"));
    }
    for (n, (interface, _)) in LINKS.iter().enumerate() {
        scene.lab.script(&format!(
            "set interface state {interface} up
             set interface ip address {interface} 10.{n}.0.1/24
             set interface ip address {interface} 2001:db8:{n}::1/64
             set ip neighbor {interface} 10.{n}.0.2 02:00:00:00:01:0{n}
             set ip neighbor {interface} 2001:db8:{n}::2 02:00:00:00:01:0{n}"
        ));
    }
    scene
}

/// What tshark prints of a frame's tags: EtherType and identifiers, by kind of tag.
fn as_tshark(tags: &[Tag]) -> [String; 3] {
    let ids = |kind| {
        let ids = tags.iter().filter(|(ethertype, _)| *ethertype == kind);
        ids.map(|(_, id)| id.to_string()).collect::<Vec<_>>().join(",")
    };
    [format!("0x{:04x}", tags[0].0), ids(DOT1AD), ids(DOT1Q)]
}

#[test]
fn frames_are_routed_between_sub_interfaces_and_leave_with_the_tags_of_theirs() {
    for (from, (_, tags_in)) in LINKS.iter().enumerate() {
        for (to, (_, tags_out)) in LINKS.iter().enumerate().filter(|(to, _)| *to != from) {
            let scene = stacked();
            let [input, output] = [from, to].map(|n| format!("pg{}", n / 2));
            scene.capture(&output);
            let ip4 = Ip4::udp(&format!("10.{from}.0.2"), &format!("10.{to}.0.2")).bytes();
            let ip6 = ip6_udp(&format!("2001:db8:{from}::2"), &format!("2001:db8:{to}::2"), 9, 20);
            let mac = [2, 0xfe, 0, 0, 0, (from / 2) as u8];
            let frames = [ip4, ip6].map(|packet| crate::packets::frame_to(mac, tags_in, &packet));
            scene.send(&input, &frames);
            let captured = scene.captured(&output);
            assert_eq!(captured.frames.len(), 2, "{}", scene.lab.run("show errors"));
            scene.assert_nothing_is_lost();
            let fields = [
                "eth.dst",
                "eth.type",
                "ieee8021ad.id",
                "vlan.id",
                "vlan.priority",
                "ip.ttl",
                "ipv6.hlim",
                "ip.checksum.status",
                "udp.checksum.status",
            ];
            let Some(rows) = captured.tshark("routed VLANs read by tshark", &fields) else {
                return;
            };
            let [ethertype, ad, q] = as_tshark(tags_out);
            for (row, [ttl, hops]) in rows.iter().zip([["63", ""], ["", "8"]]) {
                assert_eq!(row[0], format!("02:00:00:00:01:0{to}"));
                assert_eq!(row[1..4], [ethertype.as_str(), &ad, &q], "{from} to {to}");
                assert!(row[4].split(',').all(|priority| priority == "0" || priority.is_empty()));
                assert_eq!(row[5..7], [ttl, hops]);
                assert_eq!(row[8], "1");
            }
            assert_eq!(rows[0][7], "1", "checksum after the TTL");
        }
    }
}

#[test]
fn packets_count_on_the_sub_interface_and_on_what_carries_it() {
    let scene = stacked();
    let packet = Ip4::udp("10.0.0.2", "10.2.0.2").bytes();
    let lost = Ip4::udp("10.0.0.2", "172.16.0.1").bytes();
    let tagged = |packet| frame(&[(DOT1Q, 100)], packet);
    scene.send("pg0", &[tagged(&packet), tagged(&packet), tagged(&lost), frame(&[], &packet)]);
    let length = 14 + 4 + packet.len() as u64;
    for (interface, name, expected) in [
        ("pg0", "rx packets", 4),
        ("pg0", "rx bytes", 4 * length - 4),
        ("pg0.100", "rx packets", 3),
        ("pg0.100", "rx bytes", 3 * length),
        ("pg0.100", "ip4", 3),
        ("pg0.200", "rx packets", 0),
        ("pg1", "tx packets", 2),
        ("pg1", "tx bytes", 2 * length),
        ("pg1.300", "tx packets", 2),
        ("pg1.300", "tx bytes", 2 * length),
        ("pg1.400", "tx packets", 0),
        ("pg0.100", "drops", 1),
        // The untagged frame is pg0's own, which has no address.
        ("pg0", "drops", 2),
    ] {
        assert_eq!(scene.counter(interface, name), expected, "{interface} {name}");
    }
    scene.assert_nothing_is_lost();
}

#[test]
fn priority_is_not_looked_at_and_other_vlans_are_unknown() {
    let scene = stacked();
    let packet = Ip4::udp("10.0.0.2", "10.2.0.2").bytes();
    let cases: [(&[Tag], u64); 5] = [
        (&[(DOT1Q, 0xe000 | 100)], 1),
        (&[(DOT1Q, 101)], 0),
        (&[(DOT1AD, 100)], 0),
        (&[(DOT1Q, 100), (DOT1Q, 30)], 0),
        (&[(DOT1Q, 200)], 0),
    ];
    for (tags, forwarded) in cases {
        let (sent, unknown) =
            (scene.counter("pg1", "tx packets"), scene.lab.error("ethernet-input", "unknown-vlan"));
        scene.send("pg0", &[frame(tags, &packet)]);
        assert_eq!(scene.counter("pg1", "tx packets") - sent, forwarded, "{tags:?}");
        let counted = scene.lab.error("ethernet-input", "unknown-vlan") - unknown;
        assert_eq!(counted, 1 - forwarded, "{tags:?}");
    }
    scene.assert_nothing_is_lost();
}

#[test]
fn an_untagged_and_a_default_sub_interface_take_what_no_other_takes() {
    let scene = stacked();
    assert_eq!(scene.lab.run("create sub-interfaces pg0 1 untagged"), "pg0.1\n");
    assert_eq!(scene.lab.run("create sub-interfaces pg0 2 default"), "pg0.2\n");
    scene.lab.script(
        "set interface state pg0.1 up
         set interface state pg0.2 up
         set interface ip address pg0.1 10.9.0.1/24
         set ip neighbor pg0.1 10.9.0.2 02:00:00:00:01:09",
    );
    scene.capture("pg0");
    let packet = Ip4::udp("10.0.0.2", "10.9.0.2").bytes();
    scene.send("pg0", &[frame(&[(DOT1Q, 100)], &packet), frame(&[(DOT1Q, 77)], &packet)]);
    scene.send("pg0", &[frame(&[], &Ip4::udp("10.9.0.2", "10.0.0.2").bytes())]);
    let frames = &scene.captured("pg0").frames;
    assert_eq!(frames.len(), 2);
    assert_eq!(frames[0][12..14], [8, 0], "untagged");
    assert_eq!(frames[1][12..18], [0x81, 0, 0, 100, 8, 0]);
    // The default one cannot route, so that it has no address.
    assert_eq!(scene.counter("pg0.2", "rx packets"), 1);
    assert_eq!(scene.lab.error("ip4-not-enabled", "not-enabled"), 1);
    scene.assert_nothing_is_lost();
}

#[test]
fn what_takes_several_vlans_is_refused_where_frames_would_have_to_leave() {
    let scene = Scene::router();
    for line in [
        "pg1 1 dot1q 1",
        "pg1 2 dot1q any exact-match",
        "pg1 3 dot1q 3 inner-dot1q any exact-match",
        "pg1 4 dot1ad any inner-dot1q 4 exact-match",
        "pg1 5 default",
    ] {
        scene.lab.run(&format!("create sub-interfaces {line}"));
        let name = format!("pg1.{}", line.split(' ').nth(1).unwrap());
        scene.lab.run(&format!("set interface state {name} up"));
        for refused in [
            format!("set interface ip address {name} 10.0.0.1/24"),
            format!("set interface ip address {name} 2001:db8:9::1/64"),
            format!("set interface unnumbered {name} use pg0"),
            format!("set ip neighbor {name} 10.0.0.2 02:00:00:00:00:02"),
            format!("ip route add 10.1.0.0/16 via 10.0.0.2 {name}"),
            format!("ip route add 10.1.0.0/16 via {name}"),
        ] {
            let error = scene.lab.refused(&refused);
            let says = error
                .contains("sub-interface without exact-match doesn't support IP addressing")
                || error.contains(&format!("{name} takes "))
                    && error.contains("no certain VLAN tags");
            assert!(says, "{refused}: {error}");
        }
    }
    assert!(!scene.lab.run("show ip fib 10.1.0.1").contains("10.1.0.0/16"));
}

#[test]
fn a_range_makes_a_sub_interface_for_each_vlan_that_has_none() {
    let scene = Scene::new(1, "create sub-interfaces pg0 12");
    assert_eq!(scene.lab.run("create sub-interfaces pg0 10-13"), "pg0.10\npg0.11\npg0.13\n");
    for (line, error) in [
        ("pg0 12", "pg0 has a sub-interface 12 already"),
        ("pg0 10-13", "nothing to do"),
        ("pg0 20 dot1q 10 exact-match", "is already in use by pg0.10"),
        ("pg0 13-10", "expected ID or ID MIN-MAX, got `13-10'"),
        ("pg0 x", "expected ID or ID MIN-MAX, got `x'"),
        ("pg0 4090-4096", "invalid VLAN 4096"),
        ("pg0 30 dot1q 4096", "`4096' is out of range, allowed is 1 to 4095"),
        ("pg0 30 dot1q", "`dot1q' needs <vlanId>|any"),
        ("pg0 30 inner-dot1q 5", "missing dot1q|dot1ad <vlanId>|any"),
        ("pg0 30 default dot1q 5", "`dot1q' does not go with what was given before"),
        ("pg0 30-31 dot1q 5", "a range of IDs is one of VLANs with one tag each"),
        ("pg0.10 30", "pg0.10 is a sub-interface"),
        ("local0 30", "local0"),
        ("pg7 30", "unknown interface `pg7'"),
    ] {
        let refused = scene.lab.refused(&format!("create sub-interfaces {line}"));
        assert!(refused.contains(error), "{line}: {refused}");
    }
    // A refused line has made nothing.
    assert_eq!(scene.lab.run("create sub-interfaces pg0 4090"), "pg0.4090\n");
    scene.lab.run("delete sub-interface pg0.12");
    assert!(scene.lab.refused("delete sub-interface pg0").contains("pg0 is not a sub-interface"));
    assert_eq!(scene.lab.run("create sub-interfaces pg0 12"), "pg0.12\n");
}

#[test]
fn a_deleted_sub_interface_takes_its_routes_along() {
    let scene = stacked();
    scene.lab.run("ip route add 172.16.0.0/12 via 10.2.0.2 pg1.300");
    scene.lab.run("delete sub-interface pg1.300");
    let packets = ["10.2.0.2", "172.16.0.1"].map(|to| Ip4::udp("10.0.0.2", to).bytes());
    scene.send("pg0", &packets.map(|packet| frame(&[(DOT1Q, 100)], &packet)));
    assert_eq!(scene.lab.error("ip4-drop", "route"), 2);
    assert!(!scene.lab.run("show ip fib").contains("172.16.0.0/12"));
    assert!(!scene.lab.run("show ip neighbors").contains("10.2.0.2"));
    scene.assert_nothing_is_lost();
}

#[test]
fn a_sub_interface_needs_itself_and_what_carries_it_to_be_up() {
    let scene = stacked();
    let packet = frame(&[(DOT1Q, 100)], &Ip4::udp("10.0.0.2", "10.2.0.2").bytes());
    let send = || scene.send("pg0", std::slice::from_ref(&packet));
    let counted = |node, reason| scene.lab.error(node, reason);
    scene.lab.run("set interface state pg0.100 down");
    send();
    assert_eq!(counted("ethernet-input", "down"), 1);
    scene.lab.run("set interface state pg0.100 up");
    scene.lab.run("set interface state pg1.300 down");
    send();
    // A path by an interface that is down forwards nothing.
    assert_eq!(counted("ip4-drop", "route"), 1);
    scene.lab.run("set interface state pg1.300 up");
    send();
    assert_eq!(scene.counter("pg1.300", "tx packets"), 1);
    scene.lab.run("set interface state pg1 down");
    let refused = scene.lab.run("set interface state pg1.300 down");
    assert_eq!(refused, "");
    let error = scene.lab.refused("set interface state pg1.300 up");
    assert!(error.contains("super-interface pg1 must be up"), "{error}");
    send();
    assert_eq!(counted("ip4-drop", "route"), 2);
    scene.assert_nothing_is_lost();
}

#[test]
fn an_interface_that_punts_hands_over_all_that_it_receives() {
    let scene = stacked();
    let packet = frame(&[(DOT1Q, 100)], &Ip4::udp("10.0.0.2", "10.2.0.2").bytes());
    scene.lab.run("set interface state pg0.100 punt");
    assert!(scene.lab.run("show interface pg0.100").contains("down/punt"));
    scene.send("pg0", &[packet.clone(), packet.clone()]);
    assert_eq!(scene.lab.error("ethernet-input", "punted"), 2);
    for interface in ["pg0", "pg0.100"] {
        assert_eq!(scene.counter(interface, "punt"), 2, "{interface}");
        assert_eq!(scene.counter(interface, "rx packets"), 2, "{interface}");
    }
    scene.lab.run("set interface state pg0.100 enable");
    scene.send("pg0", std::slice::from_ref(&packet));
    assert_eq!(scene.lab.error("ethernet-input", "down"), 1);
    scene.lab.run("set interface state pg0.100 up");
    scene.send("pg0", &[packet]);
    assert_eq!(scene.counter("pg1", "tx packets"), 1);
    scene.assert_nothing_is_lost();
}

#[test]
fn frames_of_several_vlans_in_one_vector_each_count_for_their_own_interface() {
    let scene = Scene::new(
        2,
        "create sub-interfaces pg0 10
         create sub-interfaces pg0 20 dot1q 20 exact-match
         create sub-interfaces pg0 21 dot1q 20 inner-dot1q 7 exact-match
         create sub-interfaces pg0 30
         create sub-interfaces pg0 40
         set interface state pg0.10 up
         set interface state pg0.20 up
         set interface state pg0.21 up
         set interface state pg0.30 up
         set interface ip address pg0 10.0.0.1/24
         set interface ip address pg0.10 10.0.10.1/24
         set interface ip address pg0.20 10.0.20.1/24
         set interface ip address pg0.21 10.0.21.1/24
         set interface l2 xconnect pg0.30 pg1
         set interface ip address pg1 10.1.0.1/24
         set ip neighbor pg1 10.1.0.2 02:00:00:00:00:09",
    );
    // Tags, and the interface; none where the frame is dropped by `ethernet-input`.
    let kinds: [(&[Tag], Option<&str>); 8] = [
        (&[], Some("pg0")),
        (&[(DOT1Q, 10)], Some("pg0.10")),
        (&[(DOT1Q, 0xe00a)], Some("pg0.10")),
        (&[(DOT1Q, 20)], Some("pg0.20")),
        (&[(DOT1Q, 20), (DOT1Q, 7)], Some("pg0.21")),
        (&[(DOT1Q, 30)], Some("pg0.30")),
        // Down, and nobody's.
        (&[(DOT1Q, 40)], None),
        (&[(DOT1AD, 10)], None),
    ];
    let packet = Ip4::udp("10.0.0.2", "10.1.0.2").bytes();
    // Runs of one to four frames, in an order that repeats itself after more than a vector.
    let order: Vec<usize> =
        (0..600_usize).flat_map(|n| std::iter::repeat_n((n * 5 + n / 11) % 8, 1 + n % 4)).collect();
    let frames: Vec<_> = order.iter().map(|kind| frame(kinds[*kind].0, &packet)).collect();
    scene.send("pg0", &frames);
    let count = |of: &dyn Fn(usize) -> bool| order.iter().filter(|kind| of(**kind)).count() as u64;
    for interface in ["pg0.10", "pg0.20", "pg0.21", "pg0.30"] {
        let expected = count(&|kind| kinds[kind].1 == Some(interface));
        assert!(expected > 50, "{interface}: {expected}");
        assert_eq!(scene.counter(interface, "rx packets"), expected, "{interface}");
        let bytes: u64 = order
            .iter()
            .zip(&frames)
            .filter(|(kind, _)| kinds[**kind].1 == Some(interface))
            .map(|(_, frame)| frame.len() as u64)
            .sum();
        assert_eq!(scene.counter(interface, "rx bytes"), bytes, "{interface}");
    }
    assert_eq!(scene.counter("pg0", "rx packets"), frames.len() as u64);
    let dropped = count(&|kind| kinds[kind].1.is_none());
    let (down, unknown) = ("down", "unknown-vlan");
    let errors = [down, unknown].map(|reason| scene.lab.error("ethernet-input", reason));
    assert_eq!(errors.iter().sum::<u64>(), dropped);
    assert_eq!(errors[1], count(&|kind| kind == 7));
    assert_eq!(scene.counter("pg1", "tx packets"), frames.len() as u64 - dropped);
    scene.assert_nothing_is_lost();
}
