//! Learning, forwarding, flooding, ageing.

use crate::{bridge, frame, scene::Scene, sent, station};

const ALL: [u8; 6] = [0xff; 6];

#[test]
fn frames_are_flooded_until_their_station_is_known() {
    let scene = bridge(3, "");
    let [one, two] = [station(1), station(2)];
    assert_eq!(sent(&scene, || scene.send("pg0", &[frame(one, two)])), [0, 1, 1]);
    assert_eq!(sent(&scene, || scene.send("pg1", &[frame(two, one)])), [1, 0, 0]);
    assert_eq!(sent(&scene, || scene.send("pg0", &[frame(one, two)])), [0, 1, 0]);
    assert_eq!(sent(&scene, || scene.send("pg2", &[frame(station(3), ALL)])), [1, 1, 0]);
    let count = |reason| scene.lab.error("l2-input", reason);
    assert_eq!((count("learn-miss"), count("mac-move")), (3, 0));
    // The station moves to another port.
    assert_eq!(sent(&scene, || scene.send("pg2", &[frame(two, one)])), [1, 0, 0]);
    assert_eq!(sent(&scene, || scene.send("pg0", &[frame(one, two)])), [0, 0, 1]);
    assert_eq!((count("learn-miss"), count("mac-move")), (3, 1));
    assert_eq!(scene.lab.error("l2-flood", "copies"), 2);
}

#[test]
fn frames_of_a_vector_learn_from_those_before_them() {
    let scene = bridge(2, "");
    let frames: Vec<_> = (1..=200).map(|n| frame(station(n), station(n.wrapping_sub(1)))).collect();
    // All but the first are to stations of the same port.
    assert_eq!(sent(&scene, || scene.send("pg0", &frames)), [0, 1]);
    assert_eq!(scene.lab.error("l2-input", "reflect-drop"), 199);
    // They move, each to the port of the one before it.
    assert_eq!(sent(&scene, || scene.send("pg1", &frames[..100])), [1, 0]);
    assert_eq!(scene.lab.error("l2-input", "mac-move"), 100);
}

#[test]
fn split_horizon_keeps_frames_of_a_group_from_its_interfaces() {
    let scene = Scene::new(
        4,
        "set interface l2 bridge pg0 1 5
         set interface l2 bridge pg1 1 5
         set interface l2 bridge pg2 1 6
         set interface l2 bridge pg3 1",
    );
    let [one, two] = [station(1), station(2)];
    assert_eq!(sent(&scene, || scene.send("pg0", &[frame(one, ALL)])), [0, 0, 1, 1]);
    assert_eq!(sent(&scene, || scene.send("pg1", &[frame(two, one)])), [0; 4]);
    assert_eq!(scene.lab.error("l2-input", "shg-drop"), 1);
    assert_eq!(sent(&scene, || scene.send("pg2", &[frame(station(3), one)])), [1, 0, 0, 0]);
    assert_eq!(sent(&scene, || scene.send("pg3", &[frame(station(4), two)])), [0, 1, 0, 0]);
}

#[test]
fn stations_are_forgotten_when_nothing_was_heard_of_them_and_not_earlier() {
    let scene = bridge(3, "set bridge-domain mac-age 1 5");
    let learned = || scene.lab.run("show bridge-domain 1 json");
    scene.send("pg0", &[frame(station(1), station(9))]);
    scene.lab.run("l2fib add 02:00:00:00:01:07 1 pg1 static");
    scene.lab.run("l2fib add 02:00:00:00:01:08 1 pg1");
    scene.lab.advance(200);
    scene.send("pg1", &[frame(station(2), station(1))]);
    scene.lab.advance(100);
    let to = |n| sent::<3>(&scene, || scene.send("pg2", &[frame(station(5), station(n))]));
    assert_eq!(to(1), [1, 0, 0], "{}", learned());
    // Nothing was heard of stations 1 and 8 for six minutes; of 2 for three.
    scene.lab.advance(80);
    assert_eq!(to(1), [1, 1, 0], "{}", scene.lab.run("show l2fib all"));
    assert_eq!(to(8), [1, 1, 0]);
    assert_eq!((to(2), to(7)), ([0, 1, 0], [0, 1, 0]));
    let domain: serde_json::Value = serde_json::from_str(&learned()).unwrap();
    assert_eq!(domain[0]["domain"][0]["learn_co"], 2);
    // Who is heard stays.
    for _ in 0..20 {
        scene.lab.advance(60);
        scene.send("pg1", &[frame(station(2), ALL)]);
    }
    assert_eq!(to(2), [0, 1, 0]);
}

#[test]
fn entries_that_were_added_stay_where_they_are() {
    let scene = bridge(
        3,
        "l2fib add 02:00:00:00:01:01 1 pg0 static
         l2fib add 02:00:00:00:01:02 1 filter",
    );
    let reason = |reason| scene.lab.error("l2-input", reason);
    assert_eq!(sent(&scene, || scene.send("pg1", &[frame(station(3), station(1))])), [1, 0, 0]);
    assert_eq!(sent(&scene, || scene.send("pg1", &[frame(station(1), station(3))])), [0; 3]);
    assert_eq!(reason("mac-move-violate"), 1);
    assert_eq!(sent(&scene, || scene.send("pg1", &[frame(station(3), station(2))])), [0; 3]);
    assert_eq!(sent(&scene, || scene.send("pg1", &[frame(station(2), station(3))])), [0; 3]);
    assert_eq!((reason("filter-drop"), reason("source-filter-drop")), (1, 1));
    scene.lab.run("l2fib flush-mac all");
    assert_eq!(sent(&scene, || scene.send("pg1", &[frame(station(3), station(1))])), [1, 0, 0]);
    scene.lab.run("l2fib del 02:00:00:00:01:01 1");
    assert_eq!(sent(&scene, || scene.send("pg1", &[frame(station(3), station(1))])), [1, 0, 1]);
}

#[test]
fn a_flush_holds_from_the_moment_it_is_ordered() {
    let scene = bridge(3, "");
    let learn = || {
        scene.send("pg0", &[frame(station(1), ALL)]);
        scene.send("pg1", &[frame(station(2), ALL)]);
    };
    let to = |n| sent::<3>(&scene, || scene.send("pg2", &[frame(station(3), station(n))]));
    let flushes = [
        ("l2fib flush-mac interface pg0", [[1, 1, 0], [0, 1, 0]]),
        ("l2fib flush-mac interface pg1", [[1, 0, 0], [1, 1, 0]]),
        ("l2fib flush-mac bridge-domain 1", [[1, 1, 0], [1, 1, 0]]),
        ("l2fib flush-mac all", [[1, 1, 0], [1, 1, 0]]),
        ("clear l2fib", [[1, 1, 0], [1, 1, 0]]),
    ];
    // Often, so that epochs begin again.
    for (flush, expected) in flushes.into_iter().cycle().take(200) {
        learn();
        assert_eq!([to(1), to(2)], [[1, 0, 0], [0, 1, 0]]);
        scene.lab.run(flush);
        assert_eq!([to(1), to(2)], expected, "{flush}");
    }
}

#[test]
fn unknown_unicast_is_flooded_dropped_or_sent_to_one_port() {
    let scene = bridge(3, "");
    let unknown = || sent::<3>(&scene, || scene.send("pg0", &[frame(station(1), station(9))]));
    assert_eq!(unknown(), [0, 1, 1]);
    scene.lab.run("set bridge-domain uu-flood 1 disable");
    assert_eq!(unknown(), [0; 3]);
    assert_eq!(scene.lab.error("l2-input", "uu-flood-drop"), 1);
    scene.lab.run("set interface l2 bridge pg2 1 uu-fwd");
    assert_eq!(unknown(), [0, 0, 1]);
    assert_eq!(sent(&scene, || scene.send("pg0", &[frame(station(1), ALL)])), [0, 1, 0]);
    scene.lab.run("set bridge-domain flood 1 disable");
    assert_eq!(sent(&scene, || scene.send("pg0", &[frame(station(1), ALL)])), [0; 3]);
    assert_eq!(scene.lab.error("l2-input", "flood-drop"), 1);
}

#[test]
fn a_switch_of_a_domain_or_of_a_port_is_about_what_it_says() {
    // To a known station, to an unknown one, to all.
    let as_usual = [[0, 1, 0], [0, 1, 1], [0, 1, 1]];
    for (switch, off) in [
        ("forward", [[0, 1, 1], [0, 1, 1], [0, 1, 1]]),
        ("uu-flood", [[0, 1, 0], [0, 0, 0], [0, 1, 1]]),
        ("flood", [[0, 1, 0], [0, 1, 1], [0, 0, 0]]),
    ] {
        for (command, others) in [
            (format!("set bridge-domain {switch} 1"), off),
            (format!("set interface l2 {switch} pg0"), as_usual),
        ] {
            let scene = bridge(4, "set interface l2 bridge pg3 2");
            scene.send("pg1", &[frame(station(2), ALL)]);
            let from = |port: &str, source: u8| {
                [station(2), station(9), ALL]
                    .map(|to| sent::<3>(&scene, || scene.send(port, &[frame(station(source), to)])))
            };
            assert_eq!(from("pg0", 1), as_usual, "{command}");
            scene.lab.run(&format!("{command} disable"));
            assert_eq!(from("pg0", 1), off, "{command}");
            // What another port may is its own.
            let mirrored = others.map(|[_, b, c]| [c, b, 0]);
            assert_eq!(from("pg2", 3), mirrored, "{command}");
            scene.lab.run(&command);
            assert_eq!(from("pg0", 1), as_usual, "{command}");
            crate::adds_up(&scene);
        }
    }
}

#[test]
fn cross_connected_interfaces_pass_everything_on() {
    let scene = Scene::new(
        2,
        "set interface l2 xconnect pg0 pg1
         set interface l2 xconnect pg1 pg0",
    );
    let frames = [frame(station(1), station(2)), frame(station(2), ALL), frame([0; 6], [0; 6])];
    scene.capture("pg1");
    assert_eq!(sent(&scene, || scene.send("pg0", &frames)), [0, 3]);
    assert_eq!(scene.captured("pg1").frames, frames);
    assert_eq!(sent(&scene, || scene.send("pg1", &frames)), [3, 0]);
    crate::adds_up(&scene);
    assert_eq!(scene.lab.run("show mode"), "l3 local0\nl2 xconnect pg0 pg1\nl2 xconnect pg1 pg0\n");
    scene.lab.run("set interface l3 pg0");
    assert_eq!(sent(&scene, || scene.send("pg0", &frames)), [0, 0]);
}

#[test]
fn interfaces_that_come_and_go_take_what_was_known_along() {
    let scene = bridge(3, "create sub-interfaces pg2 10\nset interface state pg2.10 up");
    scene.lab.run("set interface l2 bridge pg2.10 1");
    scene.send("pg0", &[frame(station(1), ALL)]);
    scene.lab.run("l2fib add 02:00:00:00:01:05 1 pg2.10 static");
    scene.lab.run("delete sub-interface pg2.10");
    scene.lab.run("create sub-interfaces pg2 11");
    let shown = scene.lab.run("show l2fib all");
    assert!(!shown.contains("02:00:00:00:01:05"), "its number is another one's now: {shown}");
    scene.lab.run("set interface l3 pg0");
    assert_eq!(sent(&scene, || scene.send("pg1", &[frame(station(2), station(1))])), [0, 0, 1]);
    let refused = scene.lab.refused("create bridge-domain 1 del");
    assert!(refused.contains("bridge domain 1 has 2 interfaces"), "{refused}");
    scene.lab.script("set interface l3 pg1\nset interface l3 pg2\ncreate bridge-domain 1 del");
    assert_eq!(scene.lab.run("show bridge-domain"), "no bridge-domains in use\n");
}

#[test]
fn what_is_known_and_done_is_shown_as_vpp_shows_it() {
    let scene = bridge(
        2,
        "create loopback interface
         set interface l2 bridge loop0 1 bvi
         set bridge-domain mac-age 1 10
         l2fib add 02:00:00:00:01:07 1 pg1 static
         trace add pg-input 2",
    );
    scene.send("pg0", &[frame(station(1), station(7)), frame(station(1), ALL)]);
    assert_eq!(
        scene.lab.run("show bridge-domain"),
        "  BD-ID   Index   BSN  Age(min)  Learning  U-Forwrd   UU-Flood   Flooding  ARP-Term  arp-ufwd Learn-co Learn-li   BVI-Intf \n\
         \x20   1       1      0      10        on        on       flood        on       off       off        1    16777216    loop0   \n"
    );
    assert_eq!(
        scene.lab.run("show bridge-domain 1 int").lines().skip(3).collect::<Vec<_>>(),
        [
            "           Interface           If-idx ISN  SHG  BVI  TxFlood        VLAN-Tag-Rewrite       ",
            "              pg0                1     1    0    -      *                 none             ",
            "              pg1                2     1    0    -      *                 none             ",
            "             loop0               3     1    0    *      *                 none             ",
        ]
    );
    let shown = scene.lab.run("show l2fib all");
    assert_eq!(
        shown.lines().take(4).collect::<Vec<_>>(),
        [
            "    Mac-Address     BD-Idx If-Idx BSN-ISN Age(min) static filter bvi         Interface-Name        ",
            " 02:00:00:00:01:01    1      1      0/1      0       -      -     -                pg0             ",
            " 02:00:00:00:01:07    1      2      0/1      no      *      -     -                pg1             ",
            " de:ad:00:00:00:00    1      3      0/1      no      *      -     *               loop0            ",
        ]
    );
    assert!(shown.contains("L2FIB total/learned entries: 3/1"), "{shown}");
    assert_eq!(
        scene.lab.run("show mode pg0 loop0"),
        "l2 bridge pg0 bd_id 1 shg 0\nl2 bridge loop0 bd_id 1 bvi shg 0\n"
    );
    let shown = scene.lab.run("show interface addr pg1 loop0");
    for line in [
        "pg1 (up):\n  L2 bridge bd-id 1 idx 1 shg 0\n",
        "loop0 (dn):\n  L2 bridge bd-id 1 idx 1 shg 0 bvi\n",
    ] {
        assert!(shown.contains(line), "{shown}");
    }
    let trace = scene.lab.run("show trace");
    for line in [
        "l2-input: sw_if_index 1 dst 02:00:00:00:01:07 src 02:00:00:00:01:01 [l2-learn l2-fwd l2-flood ]",
        "l2-learn: sw_if_index 1 dst 02:00:00:00:01:07 src 02:00:00:00:01:01 bd_index 1",
        "l2-fwd:   sw_if_index 1 dst 02:00:00:00:01:07 src 02:00:00:00:01:01 bd_index 1 result [0x7000",
        ", 2] static age-not",
        "bd_index 1 result [0xffffffffffffffff, -1] none",
        "l2-flood: sw_if_index 1 dst ff:ff:ff:ff:ff:ff src 02:00:00:00:01:01 bd_index 1",
    ] {
        assert!(trace.contains(line), "{line}: {trace}");
    }
}

#[test]
fn frames_count_on_the_interfaces_they_come_and_leave_by() {
    let scene = bridge(
        2,
        "create sub-interfaces pg1 10
         set interface state pg1.10 up
         set interface l2 bridge pg1.10 1
         set interface l2 tag-rewrite pg1.10 pop 1",
    );
    scene.send("pg0", &[frame(station(1), ALL)]);
    for (interface, packets, bytes) in [("pg1", 2, 60 + 64), ("pg1.10", 1, 64), ("pg0", 0, 0)] {
        assert_eq!(scene.counter(interface, "tx packets"), packets, "{interface}");
        assert_eq!(scene.counter(interface, "tx bytes"), bytes, "{interface}");
    }
    let mut tagged = frame(station(2), station(1));
    tagged.splice(12..12, [0x81, 0, 0, 10]);
    scene.send("pg1", &[tagged]);
    assert_eq!(scene.counter("pg1.10", "rx packets"), 1);
    assert_eq!(scene.counter("pg0", "tx bytes"), 60);
    scene.lab.run("set interface state pg1 down");
    scene.send("pg0", &[frame(station(1), station(2))]);
    assert_eq!(scene.lab.error("interface-output", "down"), 1);
    assert_eq!(scene.counter("pg0", "drops"), 1);
}
