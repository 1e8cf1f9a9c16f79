//! Copies of what an interface receives and sends.

use crate::{bridge, frame, scene::Scene, sent, station};

#[test]
fn packets_are_mirrored_in_the_directions_that_are_asked_for() {
    for (words, received, left) in [("rx", 1, 0), ("tx", 0, 1), ("both", 1, 1), ("", 1, 1)] {
        let scene = bridge(2, "create packet-generator interface pg2\nset interface state pg2 up");
        scene.lab.run(&format!("set interface span pg0 {words} destination pg2"));
        let (there, back) = (frame(station(1), station(2)), frame(station(2), station(1)));
        scene.capture("pg2");
        assert_eq!(
            sent(&scene, || scene.send("pg0", std::slice::from_ref(&there))),
            [0, 1, received]
        );
        assert_eq!(sent(&scene, || scene.send("pg1", std::slice::from_ref(&back))), [1, 0, left]);
        let expected: Vec<_> = [(there, received), (back, left)]
            .into_iter()
            .filter(|(_, mirrored)| *mirrored > 0)
            .map(|(frame, _)| frame)
            .collect();
        assert_eq!(scene.captured("pg2").frames, expected);
        scene.lab.run("set interface span pg0 disable");
        assert_eq!(sent(&scene, || scene.send("pg0", &[frame(station(1), station(2))])), [0, 1, 0]);
        assert_eq!(scene.lab.engine.with(|main| main.pool().owned()), 0);
    }
}

#[test]
fn bridged_frames_of_a_sub_interface_are_mirrored_with_the_tags_of_where_they_leave() {
    let script = "create packet-generator interface pg2
set interface state pg2 up
create sub-interfaces pg0 10
set interface state pg0.10 up
set interface l2 bridge pg0.10 1
set interface l2 tag-rewrite pg0.10 pop 1
create sub-interfaces pg2 20
set interface state pg2.20 up
set interface l2 bridge pg2.20 2
set interface l2 tag-rewrite pg2.20 pop 1";
    let (in_vlan, plain) = (tagged(10), frame(station(3), station(2)));
    for (direction, received, left) in
        [("rx", true, false), ("tx", false, true), ("both", true, true)]
    {
        let scene = bridge(2, script);
        let refused = scene.lab.refused("set interface span pg0.10 rx destination pg2.20");
        assert!(refused.contains("with `l2'"), "{refused}");
        scene.lab.run(&format!("set interface span pg0.10 {direction} l2 destination pg2.20"));
        scene.capture("pg2");
        scene.send("pg0", std::slice::from_ref(&in_vlan));
        scene.send("pg1", &[frame(station(2), station(1))]);
        // Not one of the sub-interface's.
        scene.send("pg0", std::slice::from_ref(&plain));
        // As it came, so with its own tag, and the one that pg2.20 puts in front; as it leaves, likewise.
        let mirrored = |frame: &[u8]| with_tag(20, frame);
        let expected: Vec<_> = [
            (mirrored(&in_vlan), received),
            (mirrored(&with_tag(10, &frame(station(2), station(1)))), left),
        ]
        .into_iter()
        .filter_map(|(frame, is)| is.then_some(frame))
        .collect();
        assert_eq!(scene.captured("pg2").frames, expected, "{direction}");
        let shown = scene.lab.run("show interface span");
        assert!(shown.contains(&format!("(  none)  ({direction:>6})")), "{shown}");
        let shown = scene.lab.run("show interface span json");
        assert!(shown.contains(&format!("\"{direction}\"")), "{shown}");
        scene.lab.run("set interface span pg0.10 disable l2");
        assert_eq!(sent(&scene, || scene.send("pg0", std::slice::from_ref(&in_vlan))), [0, 1, 0]);
        assert_eq!(scene.lab.engine.with(|main| main.pool().owned()), 0);
    }
}

/// A frame behind one more tag.
fn with_tag(id: u16, frame: &[u8]) -> Vec<u8> {
    [&frame[..12], &[0x81, 0x00], &id.to_be_bytes(), &frame[12..]].concat()
}

/// A frame from the first station to the second in a VLAN.
fn tagged(id: u16) -> Vec<u8> {
    with_tag(id, &frame(station(1), station(2)))
}

#[test]
fn interfaces_that_mirror_each_other_do_not_do_so_for_ever() {
    let scene = bridge(2, "");
    scene.lab.run("set interface span pg0 destination pg1");
    scene.lab.run("set interface span pg1 destination pg0");
    // Bridged to pg1, mirrored there as received, and mirrored back as sent.
    assert_eq!(sent(&scene, || scene.send("pg0", &[frame(station(1), station(2))])), [1, 2]);
}

#[test]
fn a_mirror_is_shown_and_goes_with_either_end() {
    let scene = Scene::new(
        3,
        "set interface span pg0 rx destination pg1\nset interface span pg0 tx destination pg2",
    );
    scene.lab.run("create loopback interface");
    scene.lab.run("set interface span pg0 both destination loop0");
    let line = |name: &str, word: &str| {
        format!("{:32} {name:32}  {:8}  {:8}\n", "pg0", format!("({word:>6})"), "(  none)")
    };
    let header = format!("{:32} {:32}   Device      L2   \n", "Source", "Destination");
    let all = [line("pg1", "rx"), line("pg2", "tx"), line("loop0", "both")].concat();
    assert_eq!(scene.lab.run("show interface span"), header.clone() + &all);
    scene.lab.run("delete loopback interface intfc loop0");
    scene.lab.run("set interface span pg0 disable destination pg1");
    assert_eq!(scene.lab.run("show interface span"), header + &line("pg2", "tx"));
    assert!(!scene.lab.run("show interface features pg0").contains("span-input"));
    for (words, error) in [
        ("pg0 destination pg0", "an interface cannot be mirrored to itself"),
        ("pg1 disable", "the interface is not mirrored"),
        ("pg1", "missing destination <interface>"),
        ("pg1 rx tx destination pg0", "`tx' given twice"),
        ("pg1 destination nobody", "unknown interface `nobody'"),
    ] {
        let refused = scene.lab.refused(&format!("set interface span {words}"));
        assert!(refused.contains(error), "{words}: {refused}");
    }
}
