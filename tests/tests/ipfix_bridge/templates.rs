//! Templates: all at once, again after ten minutes, for each domain and each new session.

use super::scene::{Collector, Exported, Scene, udp};

const IDS: [u16; 28] = [
    256, 257, 262, 263, 264, 265, 266, 267, 268, 269, 270, 271, 272, 273, 274, 275, 280, 281, 282,
    283, 284, 285, 286, 287, 288, 289, 290, 291,
];

fn ids(exported: &Exported) -> Vec<u16> {
    exported.templates.iter().map(|(_, id)| *id).collect()
}

#[test]
fn all_templates_come_first_and_again_after_ten_minutes() {
    let scene = Scene::new();
    scene.measure_input("cache_max_flows 100 cache_active_timeout 5");
    assert_eq!(ids(&scene.exported()), IDS);
    scene.wait(590);
    assert!(scene.exported().templates.is_empty());
    scene.wait(20);
    assert_eq!(ids(&scene.exported()), IDS);
}

#[test]
fn profile_ovs_sends_the_four_messages_of_open_vswitch() {
    let scene = Scene::new();
    scene.measure_input("obs_domain_id 123 cache_max_flows 0 profile ovs");
    let messages = scene.collector.messages();
    let lengths: Vec<usize> = messages.iter().map(|(_, message)| message.len()).collect();
    assert_eq!(lengths, [1048, 1168, 1172, 316]);
    assert!(messages.iter().all(|(_, m)| m[8..16] == [0, 0, 0, 1, 0, 0, 0, 123]));
    scene.send(&[udp([1, 2], 60), udp([3, 4], 60)]);
    scene.lab.run("ipfix flush");
    let sequences: Vec<u8> = scene.collector.messages().iter().map(|(_, m)| m[11]).collect();
    assert_eq!(sequences, [1, 2]);
}

#[test]
fn the_class_of_a_frame_is_the_number_of_its_template() {
    let scene = Scene::new();
    scene.measure_input("cache_max_flows 0");
    scene.exported();
    let tagged = |frame: &[u8]| {
        let mut tagged = frame.to_vec();
        tagged.splice(12..12, [0x81, 0, 0, 0]);
        tagged
    };
    let with = |at: usize, octets: &[u8]| {
        let mut frame = udp([1, 2], 100);
        frame[at..at + octets.len()].copy_from_slice(octets);
        frame
    };
    let v6 = |protocol: u8| {
        let mut frame = with(12, &[0x86, 0xdd, 0x60, 0, 0, 0, 0, 46, protocol, 64]);
        frame[54] = 128;
        frame
    };
    let plain = [
        with(12, &[8, 6]),
        with(23, &[47]),
        udp([1, 2], 100),
        with(23, &[1]),
        v6(89),
        v6(6),
        v6(58),
    ];
    let frames: Vec<Vec<u8>> =
        plain.iter().cloned().chain(plain.iter().map(|frame| tagged(frame))).collect();
    scene.send(&frames);
    let mut found = scene.exported().all("template");
    found.sort_unstable();
    let expected: Vec<u64> =
        IDS.into_iter().filter(|id| (id - 256) % 2 == 0).map(u64::from).collect();
    assert_eq!(found, expected);
}

#[test]
fn a_new_collector_gets_templates_at_once_and_the_old_ones_session_goes_on() {
    let scene = Scene::new();
    scene.measure_input("cache_max_flows 0");
    scene.send(&[udp([1, 2], 60)]);
    let port = |messages: &[(u16, Vec<u8>)]| messages.first().map(|(port, _)| *port);
    scene.lab.run("ipfix flush");
    let before = scene.collector.messages();
    let other = Collector::new();
    scene.lab.run(&format!(
        "ipfix bridge 10 targets {},{}",
        scene.collector.address(),
        other.address()
    ));
    scene.send(&[udp([3, 4], 60)]);
    scene.lab.run("ipfix flush");
    let (here, there) = (scene.collector.messages(), other.messages());
    assert_eq!(port(&here), port(&before));
    let there = Exported::of(&there);
    assert_eq!(ids(&there), IDS);
    // Sequence numbers are those of each session.
    assert_eq!(there.messages.last().map(|m| (m.1, m.2)), Some((0, 1)));
    assert_eq!(here.last().map(|(_, m)| m[11]), Some(1));
}

#[test]
fn flows_of_a_domain_are_sent_in_it_when_another_one_is_said() {
    let scene = Scene::new();
    scene.measure_input("cache_max_flows 100 cache_active_timeout 60 obs_domain_id 1");
    for domain in 2..5 {
        scene.send(&[udp([1, 2], 60)]);
        scene.lab.run(&format!("ipfix bridge 10 obs_domain_id {domain}"));
        scene.lab.engine.run_until_idle();
    }
    scene.send(&[udp([1, 2], 60)]);
    scene.lab.run("ipfix bridge 10 targets none");
    let exported = scene.exported();
    assert_eq!(exported.all("domain"), [1, 2, 3, 4]);
    for domain in 1..5 {
        let of_domain: Vec<u16> =
            exported.templates.iter().filter(|(d, _)| *d == domain).map(|(_, id)| *id).collect();
        assert_eq!(of_domain, IDS, "domain {domain}");
    }
}

#[test]
fn options_that_change_have_templates_sent_again_and_those_that_do_not_do_nothing() {
    let scene = Scene::new();
    scene.measure_input("cache_max_flows 100 cache_active_timeout 60");
    scene.exported();
    scene.send(&[udp([1, 2], 60)]);
    // In another order, too.
    let target = scene.collector.address();
    scene.lab.run(&format!("ipfix bridge 10 cache_max_flows 100 sampling 1 targets {target}"));
    scene.lab.engine.run_until_idle();
    let nothing = scene.exported();
    assert!(nothing.messages.is_empty(), "{:?}", nothing.messages);
    scene.lab.run("ipfix bridge 10 obs_point_id 7");
    scene.lab.engine.run_until_idle();
    let changed = scene.exported();
    assert_eq!((ids(&changed), changed.sessions), (IDS.to_vec(), 1));
    // The flow goes on, and what is new has the new point.
    assert!(changed.records.is_empty());
    scene.send(&[udp([3, 4], 60)]);
    scene.lab.run("ipfix bridge 10 targets none");
    let mut points = scene.exported().all("observationPointId");
    points.sort_unstable();
    assert_eq!(points, [0, 7]);
}
