//! Frames that are no good, and where each of them is counted.

use crate::{bridge, frame, station};

#[test]
fn each_bad_frame_is_counted_under_its_reason() {
    let scene = bridge(
        3,
        "create sub-interfaces pg2 10
         set interface state pg2.10 up
         set interface l2 bridge pg2.10 1
         set interface l2 tag-rewrite pg2.10 push dot1q 5
         l2fib add 02:00:00:00:01:07 1 pg1 static
         l2fib add 02:00:00:00:01:08 1 filter
         l2fib add 02:00:00:00:01:09 1 pg0 static
         l2fib add 02:00:00:00:01:0a 1 pg2.10 static",
    );
    let good = frame(station(1), station(7));
    let with = |at: usize, bytes: &[u8]| {
        let mut frame = good.clone();
        frame[at..at + bytes.len()].copy_from_slice(bytes);
        frame
    };
    let cases: [(&str, &str, Vec<u8>, &str, &str); 12] = [
        ("no header", "pg0", good[..13].to_vec(), "ethernet-input", "truncated"),
        ("nothing at all", "pg0", vec![0], "ethernet-input", "truncated"),
        ("half a tag", "pg2", with(12, &[0x81, 0])[..15].to_vec(), "ethernet-input", "truncated"),
        ("802.3 length", "pg0", with(12, &[1, 0]), "ethernet-input", "bad-llc-length"),
        ("to nobody", "pg0", with(0, &[0; 6]), "l2-input", "drop"),
        ("to a filtered station", "pg0", with(5, &[8]), "l2-input", "filter-drop"),
        ("of a filtered station", "pg0", with(11, &[8]), "l2-input", "source-filter-drop"),
        ("of a static one elsewhere", "pg0", with(11, &[7]), "l2-input", "mac-move-violate"),
        ("back where it came from", "pg0", with(5, &[9]), "l2-input", "reflect-drop"),
        ("no tag to be popped", "pg0", with(5, &[10]), "l2-output", "vtr-drop"),
        ("a sub-interface that is down", "pg0", with(5, &[10]), "l2-output", "vtr-drop"),
        ("an interface without mode", "pg0", with(5, &[7]), "ethernet-input", "mac-mismatch"),
    ];
    for (what, port, frame, node, reason) in cases {
        let order = match what {
            "an interface without mode" => "set interface l3 pg0",
            "a sub-interface that is down" => "set interface state pg2.10 down",
            _ => "",
        };
        scene.lab.script(order);
        let (before, drops) = (scene.lab.error(node, reason), scene.counter(port, "drops"));
        scene.send(port, &[frame]);
        assert_eq!(
            scene.lab.error(node, reason) - before,
            1,
            "{what}: {}",
            scene.lab.run("show errors")
        );
        assert_eq!(scene.counter(port, "drops") - drops, 1, "{what}");
        assert_eq!(scene.lab.engine.with(|main| main.pool().owned()), 0, "{what}");
    }
}

#[test]
fn a_source_that_is_no_station_is_not_learned_and_its_frame_goes_on() {
    let scene = bridge(2, "");
    for source in [[1, 0, 0x5e, 0, 0, 1], [0xff; 6], [0; 6]] {
        assert_eq!(crate::sent(&scene, || scene.send("pg0", &[frame(source, station(1))])), [0, 1]);
    }
    assert_eq!(scene.lab.error("l2-input", "source-not-unicast"), 3);
    assert!(scene.lab.run("show l2fib").starts_with("no l2fib entries\n"));
}
