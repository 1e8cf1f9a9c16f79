//! What the reference has otherwise than it should, by number: this exporter does what is said instead. What is checked elsewhere is named.

use super::scene::{Collector, Scene, udp};

#[test]
fn d1_sequence_numbers_begin_at_zero_and_count_records() {
    let scene = Scene::new();
    scene.measure_input("cache_max_flows 0");
    let frames: Vec<_> = (0..30).map(|n| udp([n, 53], 100)).collect();
    scene.send(&frames);
    let exported = scene.exported();
    let mut expected = 0;
    for (_, sequence, records, _) in exported.messages {
        assert_eq!(sequence as usize, expected);
        expected += records;
    }
    assert_eq!(expected, 30);
}

#[test]
fn d4_a_collector_that_is_reopened_gets_templates_at_once_and_sequence_zero() {
    let scene = Scene::new();
    scene.measure_input("cache_max_flows 0");
    scene.send(&[udp([1, 2], 60)]);
    scene.exported();
    let other = Collector::new();
    for target in [other.address(), scene.collector.address()] {
        scene.lab.run(&format!("ipfix bridge 10 targets {target}"));
        scene.lab.engine.run_until_idle();
    }
    scene.send(&[udp([1, 2], 60)]);
    let exported = scene.exported();
    assert_eq!((exported.templates.len(), exported.sessions), (28, 1));
    assert_eq!(exported.messages.last().map(|m| (m.1, m.2)), Some((0, 1)));
}

#[test]
fn d6_and_d21_a_step_of_the_wall_clock_delays_no_wake_up() {
    // `a_clock_that_is_set_by_hours_moves_no_timeout` has steps by hours; this one has a single look.
    let scene = Scene::new();
    scene.measure_input("cache_max_flows 10 cache_active_timeout 3");
    scene.send(&[udp([1, 2], 60)]);
    scene.lab.engine.with(|main| main.clock().set_wall(vnet::runtime::PacketTime(1)));
    scene.wait(4);
    assert_eq!(scene.exported().records.len(), 1);
}

#[test]
fn d7_templates_that_were_never_sent_are_due_whatever_the_date() {
    let scene = Scene::new();
    scene.lab.engine.with(|main| main.clock().set_wall(vnet::runtime::PacketTime(0)));
    scene.measure_input("cache_max_flows 0");
    assert_eq!(scene.exported().templates.len(), 28);
}

#[test]
fn d10_and_d14_a_target_that_turns_bad_takes_nothing_with_it() {
    let scene = Scene::new();
    scene.bridge.set_resolver(|_, _| super::scene::unknown_name());
    scene.measure_input("cache_max_flows 10 cache_active_timeout 60");
    scene.send(&[udp([1, 2], 60)]);
    scene.lab.run("ipfix bridge 10 targets xyzzy");
    scene.lab.engine.run_until_idle();
    // What was held went to the old collector, and what comes is not measured.
    scene.send(&[udp([1, 2], 60)]);
    let exported = scene.exported();
    assert_eq!((exported.records.len(), exported.reasons()), (1, vec![4]));
    assert!(scene.lab.run("show ipfix bridge").contains("inactive"));
    scene.lab.run("ipfix collector-set 5 targets xyzzy");
    assert!(scene.lab.run("show ipfix collector-set").contains("inactive"));
}

#[test]
fn d11_collector_sets_alone_have_no_frame_of_a_bridge_sampled() {
    let scene = Scene::new();
    let target = scene.collector.address();
    scene.lab.run(&format!("ipfix collector-set 5 targets {target} cache_max_flows 10"));
    let features = scene.lab.run("show interface features pg0");
    assert!(!features.contains("ipfix-bridge"), "{features}");
}

#[test]
fn d12_switches_of_directions_mean_what_they_say() {
    let scene = Scene::new();
    scene.configure("sampling 1 cache_max_flows 0 enable-output-sampling false");
    scene.send(&[udp([1, 2], 60)]);
    assert_eq!(scene.exported().all("flowDirection"), [0]);
    scene.lab.run("ipfix bridge 10 enable-input-sampling false enable-output-sampling true");
    scene.send(&[udp([1, 2], 60)]);
    assert_eq!(scene.exported().all("flowDirection"), [1]);
}

#[test]
fn d13_frames_are_sampled_as_soon_as_that_is_said() {
    let scene = Scene::new();
    scene.send(&[udp([1, 2], 60)]);
    scene.measure_input("cache_max_flows 0");
    scene.send(&[udp([1, 2], 60)]);
    assert_eq!(scene.exported().records.len(), 1);
}

#[test]
fn d16_and_d19_messages_are_within_the_limit_and_hold_several_records() {
    let scene = Scene::new();
    scene.measure_input("cache_max_flows 0");
    let frames: Vec<_> = (0..40).map(|n| udp([n, 53], 100)).collect();
    scene.send(&frames);
    let exported = scene.exported();
    assert!(exported.messages.iter().all(|(len, ..)| *len <= 1024), "{:?}", exported.messages);
    assert!(exported.messages.iter().any(|(_, _, records, _)| *records == 10));
}

#[test]
fn d18_exporter_statistics_are_told_where_that_is_asked_for() {
    let scene = Scene::new();
    scene.measure_input("cache_max_flows 0");
    scene.lab.run("ipfix options statistics exporter bridge-10");
    scene.lab.engine.run_until_idle();
    scene.send(&[udp([1, 2], 60)]);
    scene.wait(6);
    scene.lab.run("ipfix flush");
    let exported = scene.exported();
    let told = exported.records.iter().filter(|r| !r["exportedMessageTotalCount"].is_null());
    assert!(told.count() > 0, "{:?}", exported.records);
}
