//! Lists on interfaces that bridge.

use crate::{
    Router,
    packet::{Packet, framed},
};

const SCRIPT: &str = "set interface l2 bridge pg0 1
     set interface l2 bridge pg1 1";

const UDP: Packet = Packet::udp(0, 1, (1000, 53));

fn crosses(router: &Router, port: usize, frame: Vec<u8>) -> bool {
    let other = 1 - port;
    let before = router.sent()[other];
    router.receive(port, &[frame]);
    router.sent()[other] > before
}

/// With one VLAN tag.
fn tagged(mut frame: Vec<u8>) -> Vec<u8> {
    frame.splice(12..12, [0x81, 0, 0, 5]);
    frame
}

#[test]
fn bridged_packets_are_permitted_and_denied_as_routed_ones_are() {
    let router = Router::new(
        2,
        &format!(
            "{SCRIPT}
             set acl-plugin acl permit proto 17 dport 53, permit dst ::/0 proto 6
             set acl-plugin interface pg0 input acl 0
             set acl-plugin interface pg0 output acl 0"
        ),
    );
    let frame = |port: u8, packet: &Packet| framed(port, packet.is_ip6, &packet.bytes());
    assert!(crosses(&router, 0, frame(0, &UDP)));
    assert!(crosses(&router, 0, tagged(frame(0, &UDP))));
    assert!(!crosses(&router, 0, frame(0, &Packet::udp(0, 1, (1000, 54)))));
    assert!(!crosses(&router, 0, tagged(frame(0, &Packet::udp(0, 1, (1000, 54))))));
    assert!(crosses(&router, 0, frame(0, &Packet::tcp(0, 1, (1, 2), 2).ip6())));
    assert!(!crosses(&router, 0, frame(0, &UDP.ip6())));
    assert!(crosses(&router, 1, frame(1, &UDP)));
    assert!(!crosses(&router, 1, frame(1, &Packet::udp(1, 0, (53, 1000)))));
    // What is not IP is no matter of lists.
    assert!(crosses(
        &router,
        0,
        [&[0xff; 6][..], &[2, 0, 0, 0, 1, 0, 0x88, 0xb5], &[0; 46]].concat()
    ));
    assert_eq!(router.lab.error("acl-plugin-in-ip4-l2", "acl-drop"), 2);
    assert_eq!(router.lab.error("acl-plugin-in-ip6-l2", "acl-drop"), 1);
    assert_eq!(router.lab.error("acl-plugin-out-ip4-l2", "acl-drop"), 1);
}

#[test]
fn sessions_of_bridged_packets_pass_in_both_directions() {
    let router = Router::new(
        2,
        &format!(
            "{SCRIPT}
             set acl-plugin acl permit+reflect proto 17
             set acl-plugin acl deny
             set acl-plugin interface pg0 input acl 0
             set acl-plugin interface pg0 output acl 1"
        ),
    );
    let back = framed(1, false, &UDP.back().bytes());
    assert!(!crosses(&router, 1, back.clone()));
    assert!(crosses(&router, 0, framed(0, false, &UDP.bytes())));
    assert!(crosses(&router, 1, back));
}

#[test]
fn frames_are_filtered_by_tables_as_they_are() {
    let router = Router::new(
        2,
        &format!(
            "{SCRIPT}
             classify table mask l2 src acl-miss-next deny
             classify session acl-hit-next permit table-index 0 match l2 src 02:00:00:00:01:00
             set interface input acl intfc pg0 l2-table 0
             classify table mask l2 tag1 acl-miss-next permit
             classify session acl-hit-next deny table-index 1 match l2 tag1 5
             set interface output acl intfc pg1 l2-table 1"
        ),
    );
    let arp = |last: u8| [&[0xff; 6][..], &[2, 0, 0, 0, 1, last, 8, 6], &[0; 46]].concat();
    for make in [arp, |last| {
        let mut frame = framed(0, last == 9, &UDP.bytes());
        frame[11] = last;
        frame
    }] {
        assert!(crosses(&router, 0, make(0)));
        assert!(!crosses(&router, 0, make(1)));
        assert!(!crosses(&router, 0, tagged(make(0))), "what leaves with tag 5");
    }
    assert_eq!(router.lab.error("l2-input-acl", "hit"), 4);
    assert_eq!(router.lab.error("l2-input-acl", "table-miss"), 2);
    assert_eq!(router.lab.error("l2-output-acl", "session-deny"), 2);
}
