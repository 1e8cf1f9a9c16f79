//! Packets that are no good, and where each of them is counted.

use crate::{
    Router,
    packet::{Packet, framed},
};

const UDP: Packet = Packet::udp(0, 1, (1000, 53));
const FIRST: u16 = 0x2000;

/// For each field: a bad value, and the counter expected.
#[test]
fn each_bad_packet_is_counted_under_its_reason() {
    let router = Router::new(
        2,
        "set acl-plugin acl permit proto 17 dport 53, permit dst ::/0 proto 17 dport 53
         set acl-plugin interface pg0 input acl 0",
    );
    let tcp = Packet::tcp(0, 1, (1000, 53), 2);
    let ip4 =
        |packet: &Packet, fragment, behind: &[u8]| framed(0, false, &packet.ip4(fragment, behind));
    let ip6 = |next, behind: &[u8]| framed(0, true, &UDP.ip6().ip6_of(next, behind));
    let (node4, node6) = ("acl-plugin-in-ip4-fa", "acl-plugin-in-ip6-fa");
    let cases: [(&str, Vec<u8>, &str, &str); 9] = [
        ("UDP header: not there", ip4(&UDP, 0, &[]), node4, "acl-cut"),
        ("UDP header: half", ip4(&UDP, 0, &[3, 0xe8, 0]), node4, "acl-cut"),
        ("TCP header: ports alone", ip4(&tcp, 0, &[3, 0xe8, 0, 53]), node4, "acl-cut"),
        ("TCP header: flags cut", ip4(&tcp, 0, &[0; 13]), node4, "acl-cut"),
        ("ICMP header: type alone", ip4(&Packet::icmp(0, 1, 8, 0), 0, &[8]), node4, "acl-cut"),
        (
            "destination port: another",
            ip4(&UDP, 0, &[3, 0xe8, 0, 54, 0, 8, 0, 0]),
            node4,
            "acl-drop",
        ),
        ("protocol: another", framed(0, false, &tcp.bytes()), node4, "acl-drop"),
        ("IPv6 UDP header: half", ip6(17, &[3, 0xe8, 0]), node6, "acl-cut"),
        ("next header: none", ip6(59, &[]), node6, "acl-drop"),
    ];
    for (what, frame, node, reason) in cases {
        let before = (router.lab.error(node, reason), router.lab.error(node, "acl-drop"));
        let sent = router.sent()[1];
        router.receive(0, &[frame]);
        let after = (router.lab.error(node, reason), router.lab.error(node, "acl-drop"));
        assert_eq!(after.0 - before.0, 1, "{what}: {}", router.lab.run("show errors"));
        // None of them has what the rules ask for.
        assert_eq!((after.1 - before.1, router.sent()[1] - sent), (1, 0), "{what}");
        router.lab.engine.with(|main| assert_eq!(main.pool().owned(), 0, "{what}"));
    }
}

#[test]
fn frames_without_whole_headers_are_counted_where_they_are_bridged() {
    let router = Router::new(
        2,
        "set interface l2 bridge pg0 1
         set interface l2 bridge pg1 1
         set acl-plugin acl permit proto 17 dport 53, permit dst ::/0 proto 17 dport 53
         set acl-plugin interface pg0 input acl 0",
    );
    let ip6 = |next, behind: &[u8]| framed(0, true, &UDP.ip6().ip6_of(next, behind));
    let (node4, node6) = ("acl-plugin-in-ip4-l2", "acl-plugin-in-ip6-l2");
    let cases = [
        ("IPv4 header: cut", framed(0, false, &UDP.bytes()[..19]), node4, "acl-no-header"),
        ("IPv4 header: none", framed(0, false, &[]), node4, "acl-no-header"),
        ("IPv6 header: cut", framed(0, true, &UDP.ip6().bytes()[..39]), node6, "acl-no-header"),
        ("first fragment: tiny", framed(0, false, &UDP.ip4(FIRST, &[3])), node4, "acl-cut"),
        ("IPv4 header: length beyond the packet", overlong(), node4, "acl-cut"),
        ("fragment header: cut", ip6(44, &[17, 0, 0]), node6, "acl-cut"),
        ("extension header: cut", ip6(0, &[17, 1, 0, 0]), node6, "acl-cut"),
    ];
    for (what, frame, node, reason) in cases {
        router.receive(0, &[frame]);
        assert_eq!(router.lab.error(node, reason), 1, "{what}");
        router.lab.run("clear errors");
    }
    assert_eq!(router.sent()[1], 0);
}

/// A header that says to be longer than the packet.
fn overlong() -> Vec<u8> {
    let mut packet = UDP.bytes();
    packet[0] = 0x4f;
    framed(0, false, &packet)
}

#[test]
fn later_fragments_match_by_addresses_and_protocol_unless_told_otherwise() {
    let router = Router::new(
        2,
        "set interface l2 bridge pg0 1
         set interface l2 bridge pg1 1
         set acl-plugin acl permit proto 17 dport 53, deny proto 17, permit proto 47
         set acl-plugin interface pg0 input acl 0",
    );
    let passes = |fragment, behind: &[u8]| {
        let before = router.sent()[1];
        router.receive(0, &[framed(0, false, &UDP.ip4(fragment, behind))]);
        router.sent()[1] - before
    };
    let header = [3, 0xe8, 0, 53, 0, 40, 0, 0];
    assert_eq!(passes(FIRST, &header), 1);
    assert_eq!(passes(1, &[0; 32]), 1, "rule 0 as far as it can be told");
    router.lab.run("set acl-plugin l4-match-nonfirst-fragment 0");
    assert_eq!(passes(1, &[0; 32]), 0, "no rule is without protocol");
    router.lab.run("set acl-plugin acl index 0 permit proto 17 dport 53, permit");
    assert_eq!(passes(1, &[0; 32]), 1);
}
