//! Interfaces that route for a bridge domain, and domains that answer for their stations.

use crate::{
    bridge,
    packets::{Ip4, frame_to},
    sent, station,
};

const ALL: [u8; 6] = [0xff; 6];
const BVI: [u8; 6] = [0xde, 0xad, 0, 0, 0, 0];

#[test]
fn frames_to_a_bvi_are_routed_and_what_it_sends_is_bridged() {
    for (create, name, mac) in [
        ("create loopback interface", "loop0", BVI),
        ("bvi create", "bvi0", [0xb0, 0xb0, 0, 0, 0, 0]),
    ] {
        let scene = bridge(
            2,
            &format!(
                "create packet-generator interface pg2
                 set interface state pg2 up
                 set interface ip address pg2 10.2.0.1/24
                 set ip neighbor pg2 10.2.0.2 02:00:00:00:02:02
                 {create}
                 set interface state {name} up
                 set interface ip address {name} 10.1.0.1/24
                 set ip neighbor {name} 10.1.0.5 02:00:00:00:01:05
                 set interface l2 bridge {name} 1 bvi"
            ),
        );
        let out = Ip4::udp("10.1.0.5", "10.2.0.2").bytes();
        let mut from_station = frame_to(mac, &[], &out);
        from_station[6..12].copy_from_slice(&station(5));
        scene.capture("pg2");
        assert_eq!(sent(&scene, || scene.send("pg1", &[from_station])), [0, 0, 1]);
        let routed = scene.captured("pg2");
        assert_eq!(routed.frames[0][..6], [2, 0, 0, 0, 2, 2]);
        if let Some(rows) =
            routed.tshark("routed by a BVI, read by tshark", &["ip.ttl", "ip.checksum.status"])
        {
            assert_eq!(rows[0], ["63", "1"]);
        }
        // Back: to the port where the station is, and nowhere else.
        let back = frame_to([2, 0xfe, 0, 0, 0, 2], &[], &Ip4::udp("10.2.0.2", "10.1.0.5").bytes());
        scene.capture("pg1");
        assert_eq!(sent(&scene, || scene.send("pg2", std::slice::from_ref(&back))), [0, 1, 0]);
        let frames = &scene.captured("pg1").frames;
        assert_eq!(frames[0][..12], [station(5), mac].concat());
        scene.lab.run("clear l2fib");
        assert_eq!(sent(&scene, || scene.send("pg2", &[back])), [1, 1, 0], "flooded");
        assert_eq!(scene.counter(name, "rx packets"), 1);
        assert_eq!(scene.counter(name, "tx packets"), 2);
        // A frame to all is for the router, too; one to an unknown station is not.
        let error = |reason| scene.lab.error("ethernet-input", reason);
        scene.send("pg0", &[crate::frame(station(1), ALL), crate::frame(station(1), station(77))]);
        assert_eq!((error("unknown-type"), error("mac-mismatch")), (1, 0));
        assert_eq!(scene.lab.engine.with(|main| main.pool().owned()), 0);
    }
}

#[test]
fn the_address_of_a_bvi_is_that_of_its_interface() {
    let scene = bridge(2, "create loopback interface\nset interface l2 bridge loop0 1 bvi");
    let entries = || {
        let shown = scene.lab.run("show l2fib all");
        shown.lines().filter(|line| line.contains("loop0")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(entries()[0].contains("de:ad:00:00:00:00"));
    scene.lab.run("set interface mac address loop0 02:00:00:00:00:77");
    assert!(entries().len() == 1 && entries()[0].contains("02:00:00:00:00:77"), "{:?}", entries());
    for line in ["l2fib del 02:00:00:00:00:77 1", "l2fib add 02:00:00:00:00:77 1 pg0"] {
        assert!(scene.lab.refused(line).contains("is the address of a BVI"));
    }
    let refused = scene.lab.refused("set interface l2 bridge pg0 1 bvi");
    assert!(refused.contains("pg0 cannot be a BVI"), "{refused}");
    scene.lab.run("create loopback interface");
    let refused = scene.lab.refused("set interface l2 bridge loop1 1 bvi");
    assert!(refused.contains("bridge domain 1 has a BVI already: loop0"), "{refused}");
    scene.lab.run("set interface l3 loop0");
    assert!(entries().is_empty());
}

/// A question of station 1 by ARP.
fn who_has(sender: [u8; 4], target: [u8; 4]) -> Vec<u8> {
    let mut frame = [ALL, station(1)].concat();
    frame.extend([0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1]);
    frame.extend(station(1));
    frame.extend(sender);
    frame.extend([0; 6]);
    frame.extend(target);
    frame.resize(60, 0);
    frame
}

/// The same by a neighbour solicitation, with a right checksum.
fn solicitation(target: [u8; 16]) -> Vec<u8> {
    let source: [u8; 16] = "2001:db8::1".parse::<std::net::Ipv6Addr>().unwrap().octets();
    let mut group = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 0];
    group[13..].copy_from_slice(&target[13..]);
    let mut icmp = vec![135, 0, 0, 0, 0, 0, 0, 0];
    icmp.extend(target);
    icmp.extend([1, 1]);
    icmp.extend(station(1));
    let covered = [&source[..], &group, &[0, 0, 0, 32, 0, 0, 0, 58], &icmp].concat();
    let sum = crate::packets::checksum(&covered);
    icmp[2..4].copy_from_slice(&sum.to_be_bytes());
    let mut frame = vec![0x33, 0x33, 0xff, target[13], target[14], target[15]];
    frame.extend(station(1));
    frame.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 32, 58, 255]);
    frame.extend([&source[..], &group, &icmp].concat());
    frame
}

#[test]
fn a_bridge_domain_answers_for_the_stations_it_was_told_of() {
    let scene = bridge(
        2,
        "set bridge-domain arp term 1
         set bridge-domain arp entry 1 10.0.0.9 02:00:00:00:01:09
         set bridge-domain arp entry 1 2001:db8::9 02:00:00:00:01:09",
    );
    let nine = "2001:db8::9".parse::<std::net::Ipv6Addr>().unwrap().octets();
    scene.capture("pg0");
    let questions = [who_has([10, 0, 0, 1], [10, 0, 0, 9]), solicitation(nine)];
    assert_eq!(sent(&scene, || scene.send("pg0", &questions)), [2, 0]);
    let answers = scene.captured("pg0");
    let fields = [
        "eth.dst",
        "eth.src",
        "arp.opcode",
        "arp.src.proto_ipv4",
        "arp.src.hw_mac",
        "arp.dst.hw_mac",
        "icmpv6.type",
        "icmpv6.checksum.status",
        "icmpv6.nd.na.target_address",
        "icmpv6.opt.linkaddr",
        "icmpv6.nd.na.flag.s",
    ];
    let (one, mac) = ("02:00:00:00:01:01", "02:00:00:00:01:09");
    if let Some(rows) = answers.tshark("ARP and ND answers read by tshark", &fields) {
        assert_eq!(rows[0][..6], [one, mac, "2", "10.0.0.9", mac, one]);
        assert_eq!(rows[1][..2], [one, mac]);
        assert_eq!(rows[1][6..10], ["136", "1", "2001:db8::9", mac]);
        assert!(["1", "True"].contains(&rows[1][10].as_str()));
    }
    let count = |reason| scene.lab.error("arp-term-l2bd", reason);
    assert_eq!((count("arp-replies"), count("nd-replies")), (1, 1));
    let shown = scene.lab.run("show bridge-domain 1 arp");
    for line in ["IP4/IP6 to MAC table for ARP Termination", "10.0.0.9", "2001:db8::9"] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    scene.lab.run("set bridge-domain arp entry 1 10.0.0.9 del");
    assert_eq!(sent(&scene, || scene.send("pg0", &questions[..1])), [0, 1], "asked of all");
    scene.lab.run("set bridge-domain flood 1 disable");
    assert_eq!(sent(&scene, || scene.send("pg0", &questions[..1])), [0, 0]);
    assert_eq!(count("flood-drop"), 1);
    scene.lab.run("set bridge-domain flood 1");
    scene.lab.run("set bridge-domain arp term 1 disable");
    assert_eq!(sent(&scene, || scene.send("pg0", &questions)), [0, 2]);
}

#[test]
fn what_is_no_question_is_flooded_as_it_is() {
    let scene = bridge(
        2,
        "set bridge-domain arp term 1
         set bridge-domain arp entry 1 10.0.0.9 02:00:00:00:01:09
         set bridge-domain arp entry 1 2001:db8::9 02:00:00:00:01:09",
    );
    let nine = "2001:db8::9".parse::<std::net::Ipv6Addr>().unwrap().octets();
    let (arp, ns) = (who_has([10, 0, 0, 1], [10, 0, 0, 9]), solicitation(nine));
    // A question, the place of an octet, what it is instead.
    let cases: [(&[u8], usize, u8, &str); 12] = [
        (&arp, 15, 2, "hardware type"),
        (&arp, 17, 1, "protocol type"),
        (&arp, 18, 5, "hardware length"),
        (&arp, 19, 5, "protocol length"),
        (&arp, 21, 2, "a reply"),
        (&arp, 22, 3, "a sender that is a group"),
        (&arp, 27, 9, "a sender other than that of the frame"),
        (&arp, 31, 9, "for its own address"),
        (&ns, 21, 254, "forwarded by somebody"),
        (&ns, 57, 1, "checksum"),
        (&ns, 55, 1, "code"),
        (&ns, 78, 2, "option"),
    ];
    for (question, at, octet, what) in cases {
        let mut other = question.to_vec();
        assert_ne!(other[at], octet, "{what}");
        other[at] = octet;
        scene.capture("pg1");
        assert_eq!(sent(&scene, || scene.send("pg0", &[other.clone()])), [0, 1], "{what}");
        assert_eq!(scene.captured("pg1").frames, [other], "{what}");
    }
    for cut in [arp[..41].to_vec(), ns[..85].to_vec()] {
        assert_eq!(sent(&scene, || scene.send("pg0", &[cut])), [0, 1]);
    }
    assert_eq!(scene.lab.error("arp-term-l2bd", "unknown"), 14);
}
