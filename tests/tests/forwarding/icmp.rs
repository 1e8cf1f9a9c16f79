//! What the router says of packets to those who sent them, and how it answers to echo requests.

use std::{net::Ipv4Addr, time::Duration};

use crate::{
    packets::{HOST, Ip4, PG0, checksum, frame, frame_to, icmp6, ip6, ip6_udp},
    scene::Scene,
};

/// The router, and a host on its first link that it can talk to.
fn scene() -> Scene {
    let scene = Scene::router();
    scene.lab.script(
        "set ip icmp-error-limit rate 1000
         set ip6 icmp-error-limit rate 1000
         set ip neighbor pg0 192.168.0.2 02:00:00:00:00:01
         set ip neighbor pg0 2001:db8::2 02:00:00:00:00:01
         set interface mtu packet 1300 pg1
         ip route add 10.66.0.0/16 via prohibit
         ip route add 10.67.0.0/16 via unreach
         ip route add 10.68.0.0/16 via drop
         ip route add 2001:db8:66::/48 via prohibit",
    );
    scene
}

/// An ICMP message with a right checksum.
fn icmp4(destination: &str, message: &[u8]) -> Ip4 {
    let mut payload = message.to_vec();
    payload[2..4].fill(0);
    let sum = checksum(&payload);
    payload[2..4].copy_from_slice(&sum.to_be_bytes());
    Ip4 { protocol: 1, payload, ..Ip4::udp("192.168.0.2", destination) }
}

fn message6(destination: &str, message: &[u8]) -> Vec<u8> {
    let source = "2001:db8::2";
    ip6(source, destination, (58, 64), &icmp6(source, destination, message))
}

/// Bytes of an echo request with some data.
fn echo(kind: u8, data: usize) -> Vec<u8> {
    let mut message = vec![kind, 0, 0, 0, 0x12, 0x34, 0, 9];
    message.extend((0..data).map(|n| n as u8));
    message
}

fn big(length: usize, fragment: u16) -> Vec<u8> {
    let udp = Ip4::flow("192.168.0.2", "10.0.0.1", 1000, &vec![7; length]);
    frame(&[], &Ip4 { fragment, ..udp }.bytes())
}

#[test]
fn senders_are_told_what_became_of_their_packets() {
    let scene = scene();
    let udp = |to| frame(&[], &Ip4::udp("192.168.0.2", to).bytes());
    let udp6 = |to, hop_limit| frame(&[], &ip6_udp("2001:db8::2", to, hop_limit, 20));
    let expired = frame(&[], &Ip4 { ttl: 1, ..Ip4::udp("192.168.0.2", "10.0.0.1") }.bytes());
    let options = Ip4 { ttl: 1, options: vec![1; 8], ..Ip4::udp("192.168.0.2", "10.0.0.1") };
    let cases: Vec<(&str, Vec<u8>, [&str; 3])> = vec![
        ("ttl 1", expired, ["192.168.0.1", "11", "0"]),
        ("ttl 1 and options", frame(&[], &options.bytes()), ["192.168.0.1", "11", "0"]),
        ("no route", udp("11.0.0.1"), ["192.168.0.1", "3", "0"]),
        ("unreachable route", udp("10.67.0.1"), ["192.168.0.1", "3", "1"]),
        ("prohibited route", udp("10.66.0.1"), ["192.168.0.1", "3", "13"]),
        ("no listener", udp("192.168.0.1"), ["192.168.0.1", "3", "3"]),
        // To the address itself, whichever interface it is of.
        ("no listener elsewhere", udp("192.168.1.1"), ["192.168.1.1", "3", "3"]),
        ("too big", big(1300, 0x4000), ["192.168.0.1", "3", "4"]),
        ("hop limit 1", udp6("2001:db8:10::1", 1), ["2001:db8::1", "3", "0"]),
        ("no route for IPv6", udp6("2001:db9::1", 9), ["2001:db8::1", "1", "0"]),
        ("prohibited IPv6", udp6("2001:db8:66::1", 9), ["2001:db8::1", "1", "1"]),
        ("no IPv6 listener", udp6("2001:db8:1::1", 9), ["2001:db8:1::1", "1", "4"]),
        (
            "too big for IPv6",
            frame(&[], &ip6_udp("2001:db8::2", "2001:db8:10::1", 9, 1300)),
            ["2001:db8::1", "2", "0"],
        ),
    ];
    scene.capture("pg0");
    // One by one: packets of a frame that end in different ways are told of in another order.
    cases.iter().for_each(|(_, frame, _)| scene.send("pg0", std::slice::from_ref(frame)));
    let captured = scene.captured("pg0");
    assert_eq!(captured.frames.len(), cases.len(), "{:?}", scene.reasons());
    for ((what, sent, [_, _, _]), got) in cases.iter().zip(&captured.frames) {
        assert_eq!(got[..12], [HOST, PG0].concat(), "{what}");
        // The quote is the packet as it came, cut where the longest message ends.
        let (headers, longest) = if got[12] == 8 { (28, 576) } else { (48, 1280) };
        let packet = &sent[14..];
        let quote = &got[14 + headers..];
        assert_eq!(quote.len(), packet.len().min(longest - headers), "{what}");
        assert_eq!(quote, &packet[..quote.len()], "{what}");
    }
    let fields = ["ip.src", "ipv6.src", "icmp.type", "icmpv6.type", "icmp.code", "icmpv6.code"];
    let fields = fields.into_iter().chain([
        "icmp.checksum.status",
        "icmpv6.checksum.status",
        "icmp.mtu",
        "icmpv6.mtu",
        "ip.ttl",
        "ipv6.hlim",
    ]);
    let Some(rows) = captured.tshark("ICMP errors", &fields.collect::<Vec<_>>()) else { return };
    for ((what, _, expected), row) in cases.iter().zip(&rows) {
        // tshark lists fields of the quoted packet, too: the first value is the message's own.
        let first = |i: usize| row[i].split(',').next().unwrap_or_default();
        let either = |a: usize, b: usize| if first(a).is_empty() { first(b) } else { first(a) };
        let is_six = what.contains("IPv6") || what.contains("hop limit");
        let pick = |a: usize, b: usize| if is_six { first(b) } else { first(a) };
        assert_eq!([pick(0, 1), pick(2, 3), pick(4, 5)], *expected, "{what}: {row:?}");
        assert_eq!(either(6, 7), "1", "{what}: its checksum is good");
        assert_eq!(pick(10, 11), "255", "{what}");
        if what.starts_with("too big") {
            assert_eq!(pick(8, 9), "1300", "{what}: what would pass");
        }
    }
    scene.assert_nothing_is_lost();
}

#[test]
fn senders_are_told_of_next_hops_that_do_not_answer() {
    let scene = scene();
    let udp = frame(&[], &Ip4::udp("192.168.0.2", "192.168.1.77").bytes());
    let udp6 = frame(&[], &ip6_udp("2001:db8::2", "2001:db8:1::77", 9, 20));
    scene.capture("pg0");
    scene.send("pg0", &[udp.clone(), udp6.clone()]);
    assert_eq!(scene.told(), 0, "they are asked for first");
    scene.lab.engine.advance(Duration::from_millis(3500));
    // They did not answer just now.
    scene.send("pg0", &[udp.clone(), udp6.clone()]);
    let captured = scene.captured("pg0");
    assert_eq!(captured.frames.len(), 4, "{:?}", scene.reasons());
    for got in &captured.frames {
        let (about, headers, what) =
            if got[12] == 8 { (&udp, 28, [3, 1]) } else { (&udp6, 48, [1, 3]) };
        assert_eq!(got[14 + headers - 8..14 + headers - 6], what);
        assert_eq!(got[14 + headers..], about[14..]);
    }
    scene.assert_nothing_is_lost();
}

#[test]
fn nothing_is_said_from_an_address_that_may_be_somebody_elses() {
    let scene = Scene::new(
        1,
        "set ip6 icmp-error-limit rate 1000
         set ip6 dad enable delay 5
         set interface ip address pg0 2001:db8::1/64
         set ip neighbor pg0 2001:db8::2 02:00:00:00:00:01",
    );
    let nowhere = frame(&[], &ip6_udp("2001:db8::2", "2001:db8:ffff::1", 64, 20));
    scene.send("pg0", std::slice::from_ref(&nowhere));
    assert_eq!(scene.lab.error("ip6-icmp-error", "no-source"), 1);
    scene.lab.advance(6);
    scene.capture("pg0");
    scene.send("pg0", &[nowhere]);
    let captured = scene.captured("pg0");
    assert_eq!(captured.frames.len(), 1, "{:?}", scene.reasons());
    assert_eq!(
        captured.frames[0][22..38],
        "2001:db8::1".parse::<std::net::Ipv6Addr>().unwrap().octets()
    );
}

#[test]
fn nobody_is_told_who_must_not_be() {
    let scene = scene();
    let spoilt = |change: fn(&mut Ip4)| {
        let mut packet = Ip4::udp("192.168.0.2", "11.0.0.1");
        change(&mut packet);
        frame(&[], &packet.bytes())
    };
    let from = |source: &str| {
        let source: Ipv4Addr = source.parse().unwrap();
        frame(&[], &Ip4 { source, ..Ip4::udp("192.168.0.2", "11.0.0.1") }.bytes())
    };
    let from6 = |source, to| frame(&[], &ip6_udp(source, to, 9, 20));
    let later6 = [&[17, 0, 0, 8, 0, 0, 0, 1], &[7; 16][..]].concat();
    let destination6 = "2001:db9::1";
    let quoted6 =
        |kind: u8| frame(&[], &message6(destination6, &[kind, 0, 0, 0, 0, 0, 0, 0, 1, 2]));
    let quoted =
        |kind: u8| frame(&[], &icmp4("11.0.0.1", &[kind, 0, 0, 0, 0, 0, 0, 0, 1, 2]).bytes());
    let mut cases: Vec<(String, Vec<u8>, &str, &str)> = Vec::new();
    for kind in [3, 4, 5, 11, 12] {
        cases.push((format!("icmp type {kind}"), quoted(kind), "ip4-icmp-error", "about-error"));
    }
    for kind in [1, 2, 3, 4, 100, 127, 137] {
        cases.push((format!("icmp6 type {kind}"), quoted6(kind), "ip6-icmp-error", "about-error"));
    }
    let more: Vec<(&str, Vec<u8>, &str, &str)> = vec![
        ("a later fragment", spoilt(|p| p.fragment = 0x20), "ip4-icmp-error", "not-first"),
        ("no source", from("0.0.0.0"), "ip4-icmp-error", "not-unicast"),
        ("a source of this network", from("0.1.2.3"), "ip4-icmp-error", "not-unicast"),
        ("a loopback source", from("127.0.0.1"), "ip4-icmp-error", "not-unicast"),
        ("a multicast source", from("224.0.0.9"), "ip4-icmp-error", "not-unicast"),
        ("a broadcast source", from("255.255.255.255"), "ip4-icmp-error", "not-unicast"),
        (
            "a frame for all",
            frame_to([0xff; 6], &[], &Ip4::udp("192.168.0.2", "11.0.0.1").bytes()),
            "ip4-icmp-error",
            "not-unicast",
        ),
        (
            "an error without its type",
            spoilt(|p| {
                p.protocol = 1;
                p.payload.clear();
            }),
            "ip4-icmp-error",
            "malformed",
        ),
        ("no IPv6 source", from6("::", destination6), "ip6-icmp-error", "not-unicast"),
        (
            "a multicast IPv6 source",
            from6("ff02::1", destination6),
            "ip6-icmp-error",
            "not-unicast",
        ),
        (
            "a later IPv6 fragment",
            frame(&[], &ip6("2001:db8::2", destination6, (44, 9), &later6)),
            "ip6-icmp-error",
            "not-first",
        ),
        (
            "a silent route",
            frame(&[], &Ip4::udp("192.168.0.2", "10.68.0.1").bytes()),
            "ip4-drop",
            "route",
        ),
    ];
    cases.extend(more.into_iter().map(|(what, f, node, why)| (what.to_owned(), f, node, why)));
    scene.capture("pg0");
    for (what, bytes, node, reason) in &cases {
        let before = scene.lab.error(node, reason);
        scene.send("pg0", std::slice::from_ref(bytes));
        assert_eq!(scene.lab.error(node, reason) - before, 1, "{what}: {:?}", scene.reasons());
    }
    assert_eq!(scene.captured("pg0").frames, [[0_u8; 0]; 0]);
    assert_eq!(scene.told(), 0);
}

#[test]
fn a_flood_is_told_no_more_than_the_limits_allow() {
    let scene = scene();
    let flood: Vec<_> = (0..500)
        .map(|n| frame(&[], &Ip4 { id: n, ..Ip4::udp("192.168.0.2", "11.0.0.1") }.bytes()))
        .collect();
    let sent = || scene.lab.error("ip4-icmp-error", "dest-unreach-sent");
    scene.send("pg0", &flood);
    assert_eq!(sent(), 20);
    assert_eq!(scene.lab.error("ip4-icmp-error", "rate-limited"), 480);
    scene.lab.advance(1);
    scene.send("pg0", &flood);
    assert_eq!(sent(), 40);
    // The packets themselves end as they did, told or not.
    assert_eq!(scene.lab.error("ip4-drop", "route"), 1000);
    // Who is told no more of that is still told of packets that are too long: path MTU discovery goes on.
    scene.send("pg0", &[big(1400, 0x4000)]);
    assert_eq!(sent(), 41);
    // Another sender is not held responsible.
    let other = Ip4::udp("192.168.0.77", "11.0.0.1").bytes();
    scene.send("pg0", &[frame(&[], &other)]);
    assert_eq!(sent(), 42);
    scene.lab.run("set ip icmp-error-limit sender-rate 1000 sender-burst 90");
    scene.send("pg0", &flood);
    assert_eq!(sent(), 132);
    let shown = scene.lab.run("show ip icmp-error-limit");
    assert!(shown.contains("1000           100          1000            90"), "{shown}");
    let refused = scene.lab.refused("set ip icmp-error-limit");
    let why = "set ip icmp-error-limit: missing rate, burst, sender-rate or sender-burst";
    assert!(refused.starts_with(why), "{refused}");
}

#[test]
fn echo_requests_are_answered_with_their_data() {
    let scene = scene();
    let sizes = [0, 1, 56, 1000, 1472];
    let mut frames: Vec<_> =
        sizes.iter().map(|&n| frame(&[], &icmp4("192.168.0.1", &echo(8, n)).bytes())).collect();
    frames.extend(sizes.iter().map(|&n| frame(&[], &message6("2001:db8:1::1", &echo(128, n)))));
    // Extension headers are the request's alone.
    let message = icmp6("2001:db8::2", "2001:db8::1", &echo(128, 8));
    let extended = [&[58, 0, 1, 4, 0, 0, 0, 0], &message[..]].concat();
    frames.push(frame(&[], &ip6("2001:db8::2", "2001:db8::1", (60, 64), &extended)));
    scene.capture("pg0");
    scene.send("pg0", &frames);
    let captured = scene.captured("pg0");
    assert_eq!(captured.frames.len(), frames.len(), "{:?}", scene.reasons());
    for (sent, got) in frames.iter().zip(&captured.frames).take(10) {
        let header = if sent[12] == 8 { 20 } else { 40 };
        // Identifier, number and data.
        assert_eq!(sent[14 + header + 4..], got[14 + header + 4..]);
    }
    let fields = [
        "icmp.type",
        "icmpv6.type",
        "icmp.checksum.status",
        "icmpv6.checksum.status",
        "ip.src",
        "ipv6.src",
        "ip.ttl",
        "ipv6.hlim",
        "ipv6.nxt",
    ];
    let Some(rows) = captured.tshark("echoes", &fields) else { return };
    for row in &rows[..5] {
        assert_eq!(row[..5], ["0", "", "1", "", "192.168.0.1"], "{row:?}");
        assert_eq!(row[6], "64");
    }
    for (i, row) in rows[5..].iter().enumerate() {
        let source = if i < 5 { "2001:db8:1::1" } else { "2001:db8::1" };
        assert_eq!(row[..6], ["", "129", "", "1", "", source], "{row:?}");
        assert_eq!(row[7..9], ["64", "58"]);
    }
    assert_eq!(scene.lab.error("ip4-icmp-echo-request", "echo-replies-sent"), 5);
    assert_eq!(scene.lab.error("ip6-icmp-echo-request", "echo-replies-sent"), 6);
}

#[test]
fn who_has_a_link_local_address_alone_is_answered_over_its_link() {
    let scene = scene();
    scene.lab.script(
        "create sub-interfaces pg0 7
         set interface state pg0.7 up
         set interface ip address pg0.7 2001:db8:7::1/64
         set ip neighbor pg0 fe80::9 02:00:00:00:00:01
         set ip neighbor pg0.7 fe80::9 02:00:00:00:00:01",
    );
    let ours = "fe80::fe:ff:fe00:0";
    let request = |to: &str| ip6("fe80::9", to, (58, 64), &icmp6("fe80::9", to, &echo(128, 8)));
    let all = [0x33, 0x33, 0, 0, 0, 1];
    let tag = (0x8100, 7);
    scene.capture("pg0");
    scene.send("pg0", &[frame(&[], &request(ours))]);
    scene.send("pg0", &[frame(&[tag], &request(ours))]);
    scene.send("pg0", &[frame_to(all, &[], &request("ff02::1"))]);
    let captured = scene.captured("pg0");
    let back = [HOST, PG0].concat();
    assert_eq!(captured.frames.len(), 3, "{:?}", scene.reasons());
    for (got, tagged) in captured.frames.iter().zip([false, true, false]) {
        assert_eq!(got[..12], back);
        assert_eq!(got[12..14] == [0x81, 0], tagged);
    }
    let fields = ["ipv6.src", "ipv6.dst", "icmpv6.type", "icmpv6.checksum.status"];
    if let Some(rows) = captured.tshark("echoes over a link", &fields) {
        assert!(rows.iter().all(|row| *row == [ours, "fe80::9", "129", "1"]), "{rows:?}");
    }
    // An address that another host may have.
    scene.send("pg0", &[frame(&[], &request("fe80::1234"))]);
    assert_eq!(scene.lab.error("ip6-icmp-echo-request", "not-ours"), 1);
}

#[test]
fn messages_that_cannot_be_are_dropped_by_what_is_wrong_with_them() {
    let scene = scene();
    let spoilt = |change: fn(&mut Vec<u8>)| {
        let mut packet = icmp4("192.168.0.1", &echo(8, 20));
        change(&mut packet.payload);
        frame(&[], &packet.bytes())
    };
    let cases = [
        ("a wrong bit", spoilt(|m| m[12] ^= 1), "ip4-icmp-input", "bad-checksum"),
        ("seven octets", spoilt(|m| m.truncate(7)), "ip4-icmp-input", "too-short"),
        ("no octet", spoilt(Vec::clear), "ip4-icmp-input", "too-short"),
        (
            "a type that nobody takes",
            frame(&[], &icmp4("192.168.0.1", &[13, 0, 0, 0, 0, 0, 0, 0]).bytes()),
            "ip4-icmp-input",
            "unknown-type",
        ),
    ];
    for (what, bytes, node, reason) in cases {
        scene.send("pg0", &[bytes]);
        assert_eq!(scene.lab.error(node, reason), 1, "{what}: {:?}", scene.reasons());
        scene.lab.run("clear errors");
    }
    assert_eq!(scene.counter("pg0", "tx packets"), 0);
}
