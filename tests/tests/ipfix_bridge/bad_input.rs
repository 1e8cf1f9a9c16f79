//! Frames, clocks and orders that nobody should be sent.

use std::time::Duration;

use vnet::runtime::PacketTime;

use super::scene::{BD, Scene, udp};

/// Each frame, what it is, and how many flows or counts of a reason come of it.
#[test]
fn frames_that_are_not_what_they_say_are_a_flow_or_a_reason() {
    let whole = udp([1, 2], 60);
    let cut = |len: usize| whole[..len].to_vec();
    let with = |at: usize, octet: u8| {
        let mut frame = whole.clone();
        frame[at] = octet;
        frame
    };
    let tagged = |len: usize| {
        let mut frame = whole[..12].to_vec();
        frame.extend([0x81, 0, 0, 5, 8, 0]);
        frame.truncate(len);
        frame
    };
    // Frame, packets that are measured, template.
    let table = [
        ("ends behind its type", cut(14), Some(262)),
        ("ends within the IP header", cut(20), Some(262)),
        ("ends within the ports", cut(36), Some(264)),
        ("version 5", with(14, 0x55), Some(262)),
        ("header of 16 octets", with(14, 0x44), Some(262)),
        ("total length of 0", with(17, 0), Some(264)),
        ("total length above the frame", with(16, 0xff), Some(264)),
        ("a tag that is cut", tagged(16), Some(256)),
        ("a tag and nothing behind it", tagged(18), Some(280)),
    ];
    for (what, frame, template) in table {
        let scene = Scene::new();
        scene.measure_input("cache_max_flows 0");
        scene.exported();
        let len = frame.len() as u64;
        scene.send(&[frame]);
        let exported = scene.exported();
        let found = exported.records.first().map(|r| r["template"].as_u64().unwrap());
        assert_eq!(found, template, "{what}");
        assert_eq!(exported.sum("layer2OctetDeltaCount"), len, "{what}");
        let metered =
            scene.lab.engine.with(|main| scene.bridge.bridge_statistics(main, BD).unwrap().metered);
        assert_eq!(metered.seen, metered.measured + metered.unmeasured_total(), "{what}");
    }
}

#[test]
fn a_clock_that_is_set_by_hours_moves_no_timeout() {
    for hours in [-5_i64, 5] {
        let scene = Scene::new();
        scene.measure_input("cache_max_flows 100 cache_active_timeout 10");
        scene.exported();
        scene.send(&[udp([1, 2], 60)]);
        scene.wait(5);
        scene.lab.engine.with(|main| {
            let wall = main.clock().wall().0.cast_signed() + hours * 3_600_000_000_000;
            main.clock().set_wall(PacketTime(wall.cast_unsigned()));
        });
        scene.send(&[udp([1, 2], 60)]);
        scene.wait(4);
        assert!(scene.exported().records.is_empty(), "{hours} hours");
        scene.wait(2);
        let exported = scene.exported();
        assert_eq!(exported.all("packetDeltaCount"), [2], "{hours} hours");
        // Ages are told by the clock that nobody sets.
        let start = exported.all("flowStartDeltaMicroseconds")[0];
        assert!((10_000_000..13_000_000).contains(&start), "{hours} hours: {start}");
    }
}

#[test]
fn many_changes_leave_nothing_behind() {
    let scene = Scene::new();
    let target = scene.collector.address();
    for round in 0..20 {
        scene.lab.run(&format!(
            "ipfix bridge 10 targets {target} sampling {} obs_domain_id {} cache_max_flows {} \
             enable-tunnel-sampling {} profile {}",
            round % 3 + 1,
            round % 4,
            round % 5,
            round % 2 == 0,
            ["rfc", "ovs"][round % 2]
        ));
        scene.send(&[udp([1, 2], 60)]);
        scene.lab.engine.advance(Duration::from_millis(300));
        if round % 7 == 6 {
            scene.lab.run("ipfix bridge 10 del");
        }
    }
    scene.lab.run("ipfix bridge 10 del");
    scene.lab.run("ipfix flush");
    scene.wait(3);
    assert!(!scene.lab.run("show ipfix exporter").contains("bridge-10"));
    assert!(!scene.lab.run("show ipfix report").contains("ipfix-bridge"));
    let features = scene.lab.run("show interface features pg0");
    assert!(!features.contains("ipfix-bridge"), "{features}");
}
