//! Features of bridged frames.

use peloton_tests::Lab;
use vnet::prelude::*;

vnet::next_nodes! { enum Next { Drop => "error-drop" } }
vnet::node_errors! { enum Error { Caught => ("caught", "caught", Error) } }

/// Drops frames whose last octet is 9 and lets all others go on.
struct Guard;

impl Map for Guard {
    type Error = Error;
    type Next = Next;
    type Trace = NoTrace;

    fn map(&mut self, cx: &mut PacketCx<'_, Next, Error>, buffer: &mut Buffer) -> Slot<Next> {
        if buffer.current().last() == Some(&9) {
            cx.error(buffer, Error::Caught);
            return Next::Drop.into();
        }
        cx.next_feature(buffer)
    }

    fn trace(&self, _: &Buffer) -> NoTrace {
        NoTrace
    }
}

const ARCS: [&str; 6] = [
    "l2-input-ip4",
    "l2-input-ip6",
    "l2-input-nonip",
    "l2-output-ip4",
    "l2-output-ip6",
    "l2-output-nonip",
];

/// pg0, pg1 and pg2 bridged, and a guard on each arc that is enabled nowhere.
fn guarded() -> Lab {
    let guard = Plugin::new("guard", "1", "", |r| {
        for arc in ARCS {
            let name = format!("guard-{arc}");
            r.node(NodeSpec::map(&name, |_| Guard));
            r.feature(FeatureSpec::new(arc, &name));
        }
        Ok(())
    });
    let lab = Lab::new(vec![guard.load_after("nodes")]);
    for n in 0..3 {
        lab.run(&format!("create packet-generator interface pg{n}"));
        lab.run(&format!("set interface state pg{n} up"));
        lab.run(&format!("set interface l2 bridge pg{n} 1"));
    }
    lab
}

/// Sends frames in by pg0: of each kind one that a guard takes and one that none takes. What has left by pg1 and pg2.
fn send(lab: &Lab, tags: &[u8]) -> [u64; 2] {
    let frames = [[0x08, 0x00], [0x86, 0xdd], [0x88, 0xb5]].map(|kind| {
        [1, 9].map(|last| {
            let mut frame = [[0xff; 6], [2, 0, 0, 0, 0, 1]].concat();
            frame.extend(tags);
            frame.extend(kind);
            frame.extend([0; 45]);
            frame.push(last);
            frame
        })
    });
    let sent = |main: &mut Main| [2, 3].map(|i| main.interface_counters().tx.sum(i).packets);
    let before = lab.engine.with(sent);
    lab.engine.with(|main| {
        let node = main.graph().find("ethernet-input").unwrap();
        let mut to = main.frame_to(node);
        for frame in frames.iter().flatten() {
            to.push(|buffer| {
                buffer.rx = SwIfIndex(1);
                buffer.append(frame);
            });
        }
    });
    lab.engine.run_until_idle();
    assert_eq!(lab.engine.with(|main| main.pool().owned()), 0);
    let after = lab.engine.with(sent);
    [0, 1].map(|i| after[i] - before[i])
}

#[test]
fn features_see_the_frames_of_their_kind_and_interface_and_no_others() {
    for tags in [&[][..], &[0x81, 0, 0, 5]] {
        let lab = guarded();
        assert_eq!(send(&lab, tags), [6, 6]);
        for arc in ARCS {
            let [interface, expected] =
                if arc.contains("input") { ["pg0", "5 5"] } else { ["pg1", "5 6"] };
            let feature = format!("guard-{arc}");
            let switch = |on| {
                lab.engine.with(|main| {
                    let interface = main.interfaces().find(interface).unwrap();
                    main.switch_feature(arc, &feature, interface, on).unwrap();
                });
            };
            switch(true);
            let [one, two] = send(&lab, tags);
            assert_eq!(format!("{one} {two}"), expected, "{arc}");
            assert_eq!(lab.error(&feature, "caught"), 1);
            switch(false);
            assert_eq!(send(&lab, tags), [6, 6]);
        }
    }
}

#[test]
fn features_come_before_tags_are_rewritten_and_after() {
    let lab = guarded();
    lab.run("set interface l2 tag-rewrite pg0 push dot1q 7");
    lab.run("set interface l2 xconnect pg0 pg1");
    lab.run("set interface l2 tag-rewrite pg1 push dot1q 7");
    lab.engine.with(|main| {
        for (arc, interface) in [("l2-input-ip4", 1), ("l2-output-ip6", 2)] {
            main.switch_feature(arc, &format!("guard-{arc}"), SwIfIndex(interface), true).unwrap();
        }
    });
    // What is pushed where it comes in is popped where it leaves.
    assert_eq!(send(&lab, &[]), [4, 0]);
    assert_eq!(lab.error("guard-l2-input-ip4", "caught"), 1);
    assert_eq!(lab.error("guard-l2-output-ip6", "caught"), 1);
}
