//! Packets that must not be forwarded: each is dropped, under the reason that is its own.

use crate::{
    packets::{HOST, Ip4, PG0, checksum, frame, icmp6, ip6, ip6_udp},
    scene::Scene,
};

/// Changes some bytes of a packet, and puts its header checksum right again.
fn spoilt(packet: &[u8], change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut packet = packet.to_vec();
    change(&mut packet);
    let header = usize::from(packet[0] & 15) * 4;
    if header >= 20 && packet.len() >= header {
        packet[10..12].fill(0);
        let sum = checksum(&packet[..header]);
        packet[10..12].copy_from_slice(&sum.to_be_bytes());
    }
    packet
}

/// Sends frames one by one, and checks where and why each ended.
fn end_as_expected(cases: &[(&str, Vec<u8>, &str, &str)]) {
    let scene = Scene::router();
    for (what, bytes, node, reason) in cases {
        let before = scene.lab.error(node, reason);
        scene.send("pg0", std::slice::from_ref(bytes));
        assert_eq!(scene.lab.error(node, reason) - before, 1, "{what}: {:?}", scene.reasons());
    }
    assert_eq!(scene.counter("pg1", "tx packets"), 0);
    assert_eq!(scene.counter("pg0", "rx packets"), cases.len() as u64);
    scene.assert_nothing_is_lost();
}

#[test]
fn ip4_headers_that_cannot_be_are_dropped_by_what_is_wrong_with_them() {
    let good = Ip4::udp("192.168.0.2", "10.0.0.1").bytes();
    let cases = |change: fn(&mut Vec<u8>)| frame(&[], &spoilt(&good, change));
    let one_bit = frame(&[], &{
        let mut packet = good.clone();
        packet[15] ^= 1;
        packet
    });
    // An IPv6 header behind the IPv4 EtherType.
    let version = cases(|p| p[0] = 0x65);
    end_as_expected(&[
        ("no header", [&PG0[..], &HOST, &[8, 0]].concat(), "ip4-input", "too-short"),
        ("half a header", frame(&[], &good[..19]), "ip4-input", "too-short"),
        ("version 6", [&version[..12], &[8, 0], &version[14..]].concat(), "ip4-input", "version"),
        ("header of 16 bytes", cases(|p| p[0] = 0x44), "ip4-input", "too-short"),
        ("total below header", cases(|p| p[3] = 19), "ip4-input", "too-short"),
        ("total beyond the frame", cases(|p| p[3] += 1), "ip4-input", "bad-length"),
        ("65,535 bytes", cases(|p| p[2..4].fill(255)), "ip4-input", "bad-length"),
        ("options beyond the packet", cases(|p| p[0] = 0x4f), "ip4-input", "too-short"),
        ("one bit", one_bit, "ip4-input", "bad-checksum"),
        (
            "second fragment inside a header",
            cases(|p| p[7] = 1),
            "ip4-input",
            "fragment-offset-one",
        ),
        ("ttl 0", cases(|p| p[8] = 0), "ip4-input", "time-expired"),
        ("ttl 1", cases(|p| p[8] = 1), "ip4-rewrite", "time-expired"),
    ]);
}

#[test]
fn ip6_headers_that_cannot_be_are_dropped_by_what_is_wrong_with_them() {
    let good = ip6_udp("2001:db8::2", "2001:db8:10::1", 9, 20);
    let cases = |change: fn(&mut Vec<u8>)| {
        let mut packet = good.clone();
        change(&mut packet);
        [&PG0[..], &HOST, &[0x86, 0xdd], &packet].concat()
    };
    end_as_expected(&[
        ("no header", cases(Vec::clear), "ip6-input", "too-short"),
        ("half a header", cases(|p| p.truncate(39)), "ip6-input", "too-short"),
        ("version 4", cases(|p| p[0] = 0x45), "ip6-input", "version"),
        ("length beyond the frame", cases(|p| p[5] += 1), "ip6-input", "bad-length"),
        ("hop limit 0", cases(|p| p[7] = 0), "ip6-input", "time-expired"),
        ("hop limit 1", cases(|p| p[7] = 1), "ip6-rewrite", "time-expired"),
        ("no route", cases(|p| p[24] = 0x3f), "ip6-drop", "route"),
    ]);
}

#[test]
fn ethernet_frames_that_cannot_be_are_dropped_by_what_is_wrong_with_them() {
    let good = frame(&[], &Ip4::udp("192.168.0.2", "10.0.0.1").bytes());
    let cases = |change: fn(&mut Vec<u8>)| {
        let mut frame = good.clone();
        change(&mut frame);
        frame
    };
    end_as_expected(&[
        ("13 bytes", cases(|f| f.truncate(13)), "ethernet-input", "truncated"),
        (
            "a tag cut off",
            cases(|f| {
                f.truncate(17);
                f[12..14].copy_from_slice(&[0x81, 0]);
            }),
            "ethernet-input",
            "truncated",
        ),
        (
            "a longer 802.3 length",
            cases(|f| f[12..14].copy_from_slice(&[0, 47])),
            "ethernet-input",
            "bad-llc-length",
        ),
        (
            "an LLC frame",
            cases(|f| f[12..14].copy_from_slice(&[0, 46])),
            "ethernet-input",
            "unknown-type",
        ),
        (
            "an unknown type",
            cases(|f| f[12..14].copy_from_slice(&[0x12, 0x34])),
            "ethernet-input",
            "unknown-type",
        ),
        ("to another", cases(|f| f[5] = 0x77), "ethernet-input", "mac-mismatch"),
        (
            "a tag nobody takes",
            cases(|f| f[12..16].copy_from_slice(&[0x81, 0, 0, 9])),
            "ethernet-input",
            "unknown-vlan",
        ),
    ]);
}

#[test]
fn an_interface_that_is_down_neither_receives_nor_sends() {
    let scene = Scene::router();
    let packets = || {
        [
            frame(&[], &Ip4::udp("192.168.0.2", "10.0.0.1").bytes()),
            frame(&[], &ip6_udp("2001:db8::2", "2001:db8:10::1", 9, 20)),
        ]
    };
    scene.lab.run("set interface state pg1 down");
    scene.send("pg0", &packets());
    // Paths by it lead nowhere.
    assert_eq!(scene.lab.error("ip4-drop", "route"), 1);
    assert_eq!(scene.lab.error("ip6-drop", "route"), 1);
    // What is sent there all the same does not leave.
    let path = scene.path("direct.pcap");
    crate::scene::write_pcap(&path, &packets());
    scene.lab.run(&format!(
        "packet-generator new {{ name direct interface pg0 tx-interface pg1 node interface-output pcap {} }}",
        path.display()
    ));
    scene.lab.run("packet-generator enable-stream direct");
    scene.lab.engine.run_until_idle();
    assert_eq!(scene.lab.error("interface-output", "down"), 2);
    assert_eq!(scene.counter("pg1", "tx-error"), 2);
    assert_eq!(scene.counter("pg1", "tx packets"), 0);
    scene.lab.run("set interface state pg1 up");
    scene.send("pg0", &packets());
    assert_eq!(scene.counter("pg1", "tx packets"), 2);
    scene.assert_nothing_is_lost();
}

#[test]
fn packets_for_this_machine_are_checked_like_a_host_does() {
    let scene = Scene::router();
    let to_us = |change: fn(&mut Ip4)| {
        let mut packet = Ip4::udp("192.168.0.2", "192.168.0.1");
        change(&mut packet);
        frame(&[], &packet.bytes())
    };
    for (what, frame, node, reason) in [
        ("a wrong udp checksum", to_us(|p| p.payload[8] ^= 1), "ip4-local", "bad-l4-checksum"),
        ("a longer udp length", to_us(|p| p.payload[5] += 1), "ip4-local", "udp-length"),
        ("no udp checksum", to_us(|p| p.payload[6..8].fill(0)), "ip4-udp-lookup", "no-listener"),
        (
            "a source without a route",
            to_us(|p| p.source = [172, 16, 0, 1].into()),
            "ip4-local",
            "src-lookup-miss",
        ),
        ("a protocol nobody takes", to_us(|p| p.protocol = 253), "ip4-local", "unknown-protocol"),
        ("ttl 1, which is enough", to_us(|p| p.ttl = 1), "ip4-udp-lookup", "no-listener"),
    ] {
        let before = scene.lab.error(node, reason);
        scene.send("pg0", std::slice::from_ref(&frame));
        assert_eq!(scene.lab.error(node, reason) - before, 1, "{what}: {:?}", scene.reasons());
    }
    assert_eq!(scene.counter("pg0", "punt"), 0);
    scene.assert_nothing_is_lost();
}

/// Octets behind a datagram, of which UDP says that they are not its own.
fn padded(packet: &mut Vec<u8>) {
    packet.extend([0x55; 3]);
    packet[5] += 3;
}

#[test]
fn ip6_packets_for_this_machine_are_checked_like_a_host_does() {
    let scene = Scene::router();
    let to_us = |next: u8, payload: &[u8]| {
        frame(&[], &ip6("2001:db8::2", "2001:db8::1", (next, 64), payload))
    };
    let message = |kind: u8| icmp6("2001:db8::2", "2001:db8::1", &[kind, 0, 0, 0, 0, 1, 0, 1]);
    let behind = |next: u8, offset_more: u16| {
        let mut bytes = vec![next, 0];
        bytes.extend(offset_more.to_be_bytes());
        bytes.extend([0, 0, 0, 1]);
        bytes.extend(message(200));
        bytes
    };
    let mut wrong = message(200);
    wrong[7] ^= 1;
    let udp = |source: &str, change: fn(&mut Vec<u8>)| {
        let mut packet = ip6_udp(source, "2001:db8::1", 64, 18);
        change(&mut packet);
        frame(&[], &packet)
    };
    let host = "2001:db8::2";
    for (what, frame, node, reason) in [
        ("a type nobody takes", to_us(58, &message(200)), "ip6-icmp-input", "unknown-type"),
        ("an atomic fragment", to_us(44, &behind(58, 0)), "ip6-icmp-input", "unknown-type"),
        ("one bit", to_us(58, &wrong), "ip6-local", "bad-icmp-checksum"),
        ("a header that is cut", to_us(60, &[58, 200, 0, 0]), "ip6-local", "truncated"),
        ("a protocol nobody takes", to_us(253, &[0; 8]), "ip6-local", "unknown-protocol"),
        ("a wrong udp checksum", udp(host, |p| p[48] ^= 1), "ip6-local", "bad-l4-checksum"),
        ("a longer udp length", udp(host, |p| p[45] += 1), "ip6-local", "udp-length"),
        ("a udp length of nothing", udp(host, |p| p[45] = 7), "ip6-local", "udp-length"),
        ("what udp has not", udp(host, padded), "ip6-udp-lookup", "no-listener"),
        ("hop limit 1, which is enough", udp(host, |p| p[7] = 1), "ip6-udp-lookup", "no-listener"),
        ("a source without a route", udp("2001:db8:99::1", |_| ()), "ip6-local", "src-lookup-miss"),
        ("a source of ours", udp("2001:db8:1::1", |_| ()), "ip6-local", "spoofed-local-packets"),
        ("a source on the link", udp("fe80::2", |_| ()), "ip6-udp-lookup", "no-listener"),
    ] {
        let before = scene.lab.error(node, reason);
        scene.send("pg0", std::slice::from_ref(&frame));
        assert_eq!(scene.lab.error(node, reason) - before, 1, "{what}: {:?}", scene.reasons());
    }
    assert_eq!(scene.counter("pg0", "punt"), 0);
    scene.assert_nothing_is_lost();
}

#[test]
fn what_this_machine_routes_to_itself_by_a_loopback_ages_and_ends() {
    let scene = Scene::new(
        1,
        "create loopback interface mac 02:00:00:00:00:88
         set interface state loop0 up
         set interface ip address loop0 10.8.0.1/24
         set interface ip address loop0 2001:db8:8::1/64
         set ip neighbor loop0 10.8.0.2 02:00:00:00:00:88
         set ip neighbor loop0 2001:db8:8::2 02:00:00:00:00:88
         ip route add 10.9.0.0/16 via 10.8.0.2 loop0
         ip route add 2001:db8:9::/48 via 2001:db8:8::2 loop0",
    );
    for (node, addresses) in
        [("ip4-lookup", "10.8.0.1 -> 10.9.0.1"), ("ip6-lookup", "2001:db8:8::1 -> 2001:db8:9::1")]
    {
        scene.lab.script(&format!(
            "packet-generator new {{ name {node} limit 1 size 64-64 interface pg0 node {node} buffer-flags local data {{ UDP: {addresses} UDP: 1 -> 2 incrementing 8 }} }}
             packet-generator enable-stream {node}",
        ));
        scene.lab.engine.run_until_idle();
    }
    for node in ["ip4-rewrite", "ip6-rewrite"] {
        assert_eq!(scene.lab.error(node, "time-expired"), 1, "{:?}", scene.reasons());
    }
}
