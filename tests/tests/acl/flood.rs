//! More sessions than there may be.

use crate::{Router, packet::Packet};

const SCRIPT: &str = "set acl-plugin session table max-entries 1000
     set acl-plugin acl permit+reflect proto 17
     set acl-plugin acl deny
     set acl-plugin interface pg0 input acl 0
     set acl-plugin interface pg0 output acl 1";

/// So many packets, each of another session.
fn flood(sessions: u32) -> impl Iterator<Item = Vec<Packet>> {
    let packet = |n: u32| Packet {
        source: (0, (2 + n / 50_000) as u8),
        ..Packet::udp(0, 1, ((n % 50_000) as u16, 9))
    };
    (0..sessions.div_ceil(200))
        .map(move |frame| (0..200).map(|n| packet(frame * 200 + n)).collect())
}

#[test]
fn a_flood_of_sessions_stays_within_bounds_and_those_that_there_are_go_on() {
    let router = Router::new(2, SCRIPT);
    let known: Vec<_> = (0..100).map(|n| Packet::udp(0, 1, (1000 + n, 53))).collect();
    assert_eq!(router.send(0, &known), 100);
    let bytes = |router: &Router| router.json("show acl-plugin sessions")["bytes"].as_u64();
    let reserved = bytes(&router);
    let mut passed = 0;
    for packets in flood(20_000) {
        passed += router.send(0, &packets);
    }
    assert!(passed > 850 && passed <= 900, "{passed} found room");
    assert_eq!(router.live(), 100 + passed);
    assert_eq!(bytes(&router), reserved);
    let refused = router.lab.error("acl-plugin-in-ip4-fa", "acl-too-many-sessions");
    assert_eq!(refused, 20_000 - passed);
    // Those that were there before go on, in both directions.
    let back: Vec<_> = known.iter().map(|packet| packet.back()).collect();
    assert_eq!((router.send(0, &known), router.send(1, &back)), (100, 100));
    // When the flood is over, new ones find room again: at once, whoever has cleaned up or not.
    router.lab.run("set acl-plugin session timeout udp idle 5");
    router.lab.advance(4);
    assert_eq!((router.send(0, &known), router.send(1, &back)), (100, 100));
    router.lab.advance(2);
    let new: Vec<_> = (0..200).map(|n| Packet::udp(0, 1, (5000 + n, 53))).collect();
    assert_eq!(router.send(0, &new), 200);
    assert_eq!(router.send(1, &back), 100);
}

#[test]
fn a_table_changes_its_size_with_those_that_are_in_it() {
    let router = Router::new(2, SCRIPT);
    let known: Vec<_> = (0..200).map(|n| Packet::udp(0, 1, (1000 + n, 53))).collect();
    assert_eq!(router.send(0, &known), 200);
    router.lab.run("set acl-plugin session table max-entries 100000");
    assert_eq!(router.live(), 200);
    let back: Vec<_> = known.iter().map(|packet| packet.back()).collect();
    assert_eq!(router.send(1, &back), 200);
    assert!(flood(20_000).all(|packets| router.send(0, &packets) == 200));
    router.lab.run("set acl-plugin session table max-entries 50");
    assert_eq!(router.live(), 50);
}
