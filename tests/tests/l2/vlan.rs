//! VLAN tags of bridged frames: sub-interfaces, and every form of rewrite.

use peloton_tests::{
    program::{Scratch, not_run},
    tshark,
};

use crate::{
    packets::{Ip4, Tag, frame_to},
    scene::{Scene, write_pcap},
    station,
};

const Q: u16 = 0x8100;
const AD: u16 = 0x88a8;

/// A sub-interface, the tags of its frames, a rewrite, and the tags of those frames on the other port.
type Form = (&'static str, &'static [Tag], &'static str, &'static [Tag]);

const SINGLE: &str = "10 dot1q 10 exact-match";
const DOUBLE: &str = "20 dot1q 20 inner-dot1q 7 exact-match";
const STACKED: &str = "20 dot1ad 20 inner-dot1q 7 exact-match";

const FORMS: [Form; 18] = [
    (SINGLE, &[(Q, 10)], "disable", &[(Q, 10)]),
    (SINGLE, &[(Q, 10)], "pop 1", &[]),
    (DOUBLE, &[(Q, 20), (Q, 7)], "pop 1", &[(Q, 7)]),
    (DOUBLE, &[(Q, 20), (Q, 7)], "pop 2", &[]),
    (STACKED, &[(AD, 20), (Q, 7)], "pop 1", &[(Q, 7)]),
    (STACKED, &[(AD, 20), (Q, 7)], "pop 2", &[]),
    (SINGLE, &[(Q, 10)], "push dot1q 100", &[(Q, 100), (Q, 10)]),
    (SINGLE, &[(Q, 10)], "push dot1ad 100", &[(AD, 100), (Q, 10)]),
    (SINGLE, &[(Q, 10)], "push dot1q 100 200", &[(Q, 100), (Q, 200), (Q, 10)]),
    (SINGLE, &[(Q, 10)], "push dot1ad 100 200", &[(AD, 100), (Q, 200), (Q, 10)]),
    (SINGLE, &[(Q, 10)], "translate 1-1 dot1q 300", &[(Q, 300)]),
    (SINGLE, &[(Q, 10)], "translate 1-1 dot1ad 300", &[(AD, 300)]),
    (SINGLE, &[(Q, 10)], "translate 1-2 dot1q 300 4", &[(Q, 300), (Q, 4)]),
    (SINGLE, &[(Q, 10)], "translate 1-2 dot1ad 300 4", &[(AD, 300), (Q, 4)]),
    (DOUBLE, &[(Q, 20), (Q, 7)], "translate 2-1 dot1q 300", &[(Q, 300)]),
    (STACKED, &[(AD, 20), (Q, 7)], "translate 2-1 dot1ad 300", &[(AD, 300)]),
    (DOUBLE, &[(Q, 20), (Q, 7)], "translate 2-2 dot1q 300 4", &[(Q, 300), (Q, 4)]),
    (STACKED, &[(AD, 20), (Q, 7)], "translate 2-2 dot1ad 300 4", &[(AD, 300), (Q, 4)]),
];

/// What tshark prints of a frame's tags: 802.1ad identifiers, 802.1Q identifiers, and the address behind.
fn as_tshark(tags: &[Tag]) -> [String; 3] {
    let ids = |kind| {
        let ids = tags.iter().filter(|(ethertype, _)| *ethertype == kind);
        ids.map(|(_, id)| id.to_string()).collect::<Vec<_>>().join(",")
    };
    [ids(AD), ids(Q), "10.0.0.2".to_owned()]
}

/// Frames that have left, with the tags that they must have.
#[derive(Default)]
struct Left(Vec<(Vec<u8>, &'static [Tag])>);

impl Left {
    /// Sends a frame in by one interface, which leaves by the other as `expected`, byte for byte.
    fn pass(
        &mut self,
        scene: &Scene,
        (from, tags): (&str, &[Tag]),
        (to, expected): (&str, &'static [Tag]),
        what: &str,
    ) {
        let packet = Ip4::udp("10.0.0.2", "10.0.0.3").bytes();
        scene.capture(to);
        scene.send(from, &[frame_to(station(9), tags, &packet)]);
        let frames = &scene.captured(to).frames;
        assert_eq!(*frames, [frame_to(station(9), expected, &packet)], "{what}");
        self.0.push((frames[0].clone(), expected));
    }

    /// As tshark reads them.
    fn judge(&self, test: &str) {
        let scratch = Scratch::new(test);
        let file = scratch.path("left.pcap");
        let frames: Vec<_> = self.0.iter().map(|(frame, _)| frame.clone()).collect();
        write_pcap(&file, &frames);
        let fields = ["ieee8021ad.id", "vlan.id", "ip.src"];
        let Some(rows) = tshark(&file, &[], &fields) else {
            return not_run("rewritten VLAN tags read by tshark", "tshark is missing");
        };
        assert_eq!(rows.len(), frames.len());
        for (row, (frame, expected)) in rows.iter().zip(&self.0) {
            assert_eq!(*row, as_tshark(expected), "{frame:?}");
        }
    }
}

#[test]
fn the_rewrite_of_an_interface_is_shown() {
    let scene = Scene::new(1, "create sub-interfaces pg0 10\nset interface l2 bridge pg0.10 1");
    for (rewrite, shown) in [
        ("disable", "none"),
        ("pop 1", "pop-1"),
        ("push dot1ad 100 200", "push-2 dot1ad 100 200"),
        ("translate 1-1 dot1q 300", "trans-1-1 dot1q 300"),
    ] {
        scene.lab.run(&format!("set interface l2 tag-rewrite pg0.10 {rewrite}"));
        assert_eq!(scene.lab.run("show interface vtr pg0.10"), format!("pg0.10:  VTR {shown}\n"));
        let json = scene.lab.run("show interface vtr pg0.10 json");
        assert!(json.contains(&format!("\"tag_rewrite\":\"{shown}\"")), "{json}");
    }
    let refused = scene.lab.refused("show interface vtr");
    assert!(refused.contains("missing <interface>"), "{refused}");
}

#[test]
fn every_form_of_rewrite_is_undone_on_the_way_back() {
    let mut left = Left::default();
    for (sub, tags, rewrite, other) in FORMS {
        let what = format!("{sub}: {rewrite}");
        let scene = Scene::new(2, &format!("create sub-interfaces pg0 {sub}"));
        let name = format!("pg0.{}", &sub[..2]);
        scene.lab.script(&format!(
            "set interface state {name} up
             set interface l2 bridge {name} 1
             set interface l2 bridge pg1 1
             set interface l2 tag-rewrite {name} {rewrite}"
        ));
        left.pass(&scene, ("pg0", tags), ("pg1", other), &what);
        left.pass(&scene, ("pg1", other), ("pg0", tags), &what);
        // The same without a bridge.
        scene.lab.script(&format!(
            "set interface l2 xconnect {name} pg1
             set interface l2 xconnect pg1 {name}"
        ));
        left.pass(&scene, ("pg0", tags), ("pg1", other), &what);
        left.pass(&scene, ("pg1", other), ("pg0", tags), &what);
        crate::adds_up(&scene);
    }
    left.judge("every-form");
}

#[test]
fn an_interface_without_tags_of_its_own_can_push_and_nothing_else() {
    let mut left = Left::default();
    let scene =
        Scene::new(2, "set interface l2 xconnect pg0 pg1\nset interface l2 xconnect pg1 pg0");
    scene.lab.run("set interface l2 tag-rewrite pg0 push dot1ad 5 6");
    left.pass(&scene, ("pg0", &[]), ("pg1", &[(AD, 5), (Q, 6)]), "push");
    left.pass(&scene, ("pg1", &[(AD, 5), (Q, 6)]), ("pg0", &[]), "pop");
    scene
        .send("pg1", &[frame_to(station(9), &[(Q, 5)], &Ip4::udp("10.0.0.2", "10.0.0.3").bytes())]);
    assert_eq!(scene.lab.error("l2-output", "vtr-drop"), 1, "one tag is too few");
    let refused = scene.lab.refused("set interface l2 tag-rewrite pg0 pop 1");
    assert!(refused.contains("the interface has 0 certain ones"), "{refused}");
    crate::adds_up(&scene);
    left.judge("push-only");
}

#[test]
fn all_frames_of_a_bridged_interface_are_bridged_but_those_of_its_sub_interfaces() {
    let scene = Scene::new(
        3,
        "create sub-interfaces pg0 10
         create sub-interfaces pg0 11
         set interface state pg0.10 up
         set interface l2 bridge pg0 1
         set interface l2 bridge pg1 1
         set interface l2 bridge pg0.10 2
         set interface l2 bridge pg2 2",
    );
    let packet = Ip4::udp("10.0.0.2", "10.0.0.3").bytes();
    let cases: [(&[Tag], [u64; 2]); 6] = [
        (&[], [1, 0]),
        (&[(Q, 10)], [0, 1]),
        (&[(Q, 9)], [1, 0]),
        (&[(Q, 10), (Q, 1)], [1, 0]),
        (&[(AD, 10)], [1, 0]),
        // Its sub-interface is down.
        (&[(Q, 11)], [0, 0]),
    ];
    for (tags, expected) in cases {
        let [_, one, two] = crate::sent::<3>(&scene, || {
            scene.send("pg0", &[frame_to(station(9), tags, &packet)]);
        });
        assert_eq!([one, two], expected, "{tags:?}");
    }
    scene.lab.run("set interface l3 pg0");
    let [_, one, _] = crate::sent::<3>(&scene, || {
        scene.send("pg0", &[frame_to(station(9), &[(Q, 9)], &packet)]);
    });
    assert_eq!(one, 0);
    assert_eq!(scene.lab.error("ethernet-input", "unknown-vlan"), 1);
    crate::adds_up(&scene);
}

#[test]
fn an_efp_filter_lets_out_what_would_be_let_in() {
    let scene = Scene::new(
        2,
        "create sub-interfaces pg1 10 dot1q 10 exact-match
         set interface state pg1.10 up
         set interface l2 xconnect pg0 pg1.10
         set interface l2 xconnect pg1.10 pg0
         set interface l2 efp-filter pg1.10",
    );
    let packet = Ip4::udp("10.0.0.2", "10.0.0.3").bytes();
    let sent = |tags: &[Tag]| {
        let [_, out] = crate::sent::<2>(&scene, || {
            scene.send("pg0", &[frame_to(station(9), tags, &packet)]);
        });
        out
    };
    assert_eq!(
        (sent(&[(Q, 10)]), sent(&[(Q, 11)]), sent(&[]), sent(&[(Q, 10), (Q, 1)])),
        (1, 0, 0, 0)
    );
    assert_eq!(scene.lab.error("l2-output", "efp-drop"), 3);
    scene.lab.run("set interface l2 efp-filter pg1.10 disable");
    assert_eq!(sent(&[]), 1);
    crate::adds_up(&scene);
}
