//! MAC addresses and the IP addresses that they may use.

use crate::{
    Router,
    packet::{Packet, framed},
};

const UDP: Packet = Packet::udp(0, 1, (1000, 53));
/// Behind pg0, by the frames that tests make.
const RULES: &str = "permit ip 10.0.0.1/32 mac 02:00:00:00:01:00, deny ip 10.0.0.0/24 mac 02:00:00:00:01:00, \
     permit ip 10.0.0.0/24 mac 02:00:00:00:00:00 mask ff:ff:ff:ff:00:00, permit ip 2001:db8::/32 mac 02:00:00:00:01:00";

fn from(mac: u8, mut frame: Vec<u8>) -> Vec<u8> {
    frame[11] = mac;
    frame
}

fn arp(mac: u8, address: [u8; 4]) -> Vec<u8> {
    let sender = [2, 0, 0, 0, 1, mac];
    let mut frame =
        [&[0xff; 6][..], &sender, &[8, 6, 0, 1, 8, 0, 6, 4, 0, 1], &sender, &address].concat();
    frame.extend([0; 6]);
    frame.extend([10, 0, 0, 254]);
    frame
}

#[test]
fn sources_are_held_against_their_mac_addresses() {
    let router = Router::new(
        2,
        &format!(
            "set acl-plugin macip acl {RULES} tag hosts
             set acl-plugin macip interface pg0 acl 0"
        ),
    );
    let passes = |packet: &Packet, mac| {
        let before = router.sent()[1];
        router.receive(0, &[from(mac, packet.frame(0))]);
        router.sent()[1] > before
    };
    let other = Packet { source: (0, 2), ..UDP };
    assert!(passes(&UDP, 0) && passes(&UDP.ip6(), 0));
    assert!(!passes(&other, 0), "not its address");
    assert!(passes(&other, 7), "one of many that may have any");
    assert!(!passes(&UDP.ip6(), 7), "of IPv6 there is one");
    assert_eq!(router.lab.error("acl-plugin-macip-ip4", "macip-drop"), 1);
    assert_eq!(router.lab.error("acl-plugin-macip-ip6", "macip-drop"), 1);
    assert_eq!(router.lab.error("acl-plugin-macip-ip4", "macip-permit"), 2);
    router.lab.run("set acl-plugin macip interface pg0 acl 0 del");
    assert!(passes(&other, 0) && passes(&UDP.ip6(), 7));
}

#[test]
fn senders_of_arp_are_held_to_the_same() {
    let router = Router::new(
        2,
        "set interface ip address pg0 10.0.0.254/24
         set acl-plugin macip acl permit ip 10.0.0.1/32 mac 02:00:00:00:01:00
         set acl-plugin macip interface pg0 acl 0",
    );
    router.receive(0, &[arp(0, [10, 0, 0, 1]), arp(0, [10, 0, 0, 2]), arp(7, [10, 0, 0, 1])]);
    assert_eq!(router.lab.error("acl-plugin-macip-arp", "macip-drop"), 2);
    assert_eq!(router.sent()[0], 1, "one is answered");
}

#[test]
fn bridged_frames_are_held_to_it_by_what_they_carry() {
    let router = Router::new(
        2,
        &format!(
            "set interface l2 bridge pg0 1
             set interface l2 bridge pg1 1
             set acl-plugin macip acl {RULES}
             set acl-plugin macip interface pg0 acl 0"
        ),
    );
    let crosses = |frame: Vec<u8>| {
        let before = router.sent()[1];
        router.receive(0, &[frame]);
        router.sent()[1] > before
    };
    assert!(crosses(UDP.frame(0)) && crosses(UDP.ip6().frame(0)) && crosses(arp(0, [10, 0, 0, 1])));
    assert!(!crosses(Packet { source: (0, 2), ..UDP }.frame(0)));
    assert!(!crosses(arp(0, [10, 0, 0, 2])));
    assert!(
        crosses([&[0xff; 6][..], &[2, 0, 0, 0, 1, 0, 0x88, 0xb5], &[0; 46]].concat()),
        "nobody's address"
    );
    // For each field: a bad value, and the counter expected.
    for (what, frame, node) in [
        ("IPv4 header: cut", framed(0, false, &UDP.bytes()[..19]), "acl-plugin-macip-ip4-l2"),
        ("IPv6 header: cut", framed(0, true, &UDP.ip6().bytes()[..39]), "acl-plugin-macip-ip6-l2"),
        ("ARP packet: cut", arp(0, [10, 0, 0, 1])[..30].to_vec(), "acl-plugin-macip-arp-l2"),
    ] {
        assert!(!crosses(frame), "{what}");
        assert_eq!(router.lab.error(node, "macip-cut"), 1, "{what}");
    }
}

#[test]
fn lists_are_shown_as_vpp_does_and_what_is_wrong_is_said() {
    let router = Router::new(
        2,
        &format!(
            "set acl-plugin macip acl {RULES} tag hosts
             set acl-plugin macip interface pg0 acl 0"
        ),
    );
    let shown = router.lab.run("show acl-plugin macip acl");
    assert!(
        shown.starts_with(
            "MACIP acl_index: 0, count: 4 (true len 4) tag {hosts} is free pool slot: 0\n    \
             rule 0: ipv4 action 1 ip 10.0.0.1/32 mac 02:00:00:00:01:00 mask ff:ff:ff:ff:ff:ff\n"
        ),
        "{shown}"
    );
    assert!(shown.ends_with("  applied on sw_if_index(s): 1\n"), "{shown}");
    assert_eq!(router.lab.run("show acl-plugin macip interface"), "  sw_if_index 1: 0\n");
    let json = router.json("show acl-plugin macip acl index 0");
    assert_eq!((&json[0]["tag"], &json[0]["sw_if_indices"][0]), (&"hosts".into(), &1.into()));
    assert_eq!(router.json("show acl-plugin macip interface")[0]["name"], "pg0");
    for (line, error) in [
        (
            "set acl-plugin macip acl permit ip 1.2.3.4/99",
            "set acl-plugin macip acl: rule 0: `1.2.3.4/99' is not an IP prefix\n",
        ),
        (
            "set acl-plugin macip interface pg0 acl 0",
            "set acl-plugin macip interface: the interface has MACIP ACL 0 already\n",
        ),
        (
            "set acl-plugin macip interface pg1 acl 7",
            "set acl-plugin macip interface: no MACIP ACL with index 7\n",
        ),
        (
            "set acl-plugin macip interface pg1 acl 0 del",
            "set acl-plugin macip interface: the interface does not have MACIP ACL 0\n",
        ),
        (
            "delete acl-plugin macip acl index 0",
            "delete acl-plugin macip acl: MACIP ACL 0 is applied on pg0: take it from there first\n",
        ),
        (
            "delete acl-plugin macip acl index 7",
            "delete acl-plugin macip acl: no MACIP ACL with index 7\n",
        ),
        (
            "show acl-plugin macip acl index 7",
            "show acl-plugin macip acl: no MACIP ACL with index 7\n",
        ),
    ] {
        assert_eq!(router.lab.refused(line), error, "{line}");
    }
}
