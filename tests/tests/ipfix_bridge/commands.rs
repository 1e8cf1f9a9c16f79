//! What the commands print, and what they refuse.

use super::scene::{Scene, udp};

#[test]
fn options_out_of_their_ranges_are_refused_and_change_nothing() {
    let scene = Scene::new();
    for (line, expected) in [
        ("ipfix bridge 0 sampling 1", "1 to 16777215"),
        ("ipfix bridge 16777216 sampling 1", "1 to 16777215"),
        ("ipfix bridge 10 sampling 0", "1 to 4294967295"),
        ("ipfix bridge 10 sampling 4294967296", "1 to 4294967295"),
        ("ipfix bridge 10 cache_active_timeout 4201", "0 to 4200"),
        ("ipfix bridge 10 cache_max_flows 4294967296", "4294967295"),
        ("ipfix bridge 10 obs_domain_id 4294967296", "4294967295"),
        ("ipfix bridge 10 obs_point_id -1", "4294967295"),
        ("ipfix bridge 10 enable-input-sampling yes", "true"),
        ("ipfix bridge 10 targets host:0", "ports 1 to 65535"),
        ("ipfix bridge 10 targets a,,b", "ports 1 to 65535"),
        ("ipfix bridge 10 profile vpp", "ovs"),
        ("ipfix collector-set 4294967296", "4294967295"),
        ("ipfix collector-set 1 sampling 2", "sampling"),
        ("ipfix collector-set 1 cache_active_timeout 4201", "0 to 4200"),
    ] {
        let refused = scene.lab.refused(line);
        assert!(refused.contains(expected), "{line}: {refused}");
    }
    assert!(scene.bridge.bridges().is_empty() && scene.bridge.collector_sets().is_empty());
    assert_eq!(
        scene.lab.refused("ipfix bridge 10 del").trim(),
        "ipfix bridge: bridge domain 10 has no IPFIX exporter"
    );
    assert_eq!(
        scene.lab.refused("ipfix collector-set 7 del").trim(),
        "ipfix collector-set: no such collector set: 7"
    );
}

#[test]
fn a_set_that_is_said_twice_is_one() {
    let scene = Scene::new();
    let target = scene.collector.address();
    for _ in 0..2 {
        scene
            .lab
            .run(&format!("ipfix collector-set 7 targets {target},{target} cache_max_flows 5"));
    }
    assert_eq!(scene.bridge.collector_sets(), [7]);
    assert_eq!(scene.bridge.collector_set(7).unwrap().cache.targets.len(), 1);
    scene.lab.run("ipfix collector-set 7 del");
    assert!(scene.bridge.collector_sets().is_empty());
}

#[test]
fn the_exporter_of_a_bridge_domain_stays_while_it_is_in_use() {
    let scene = Scene::new();
    scene.measure_input("cache_max_flows 5");
    let refused = scene.lab.refused("ipfix exporter del bridge-10");
    assert!(refused.contains("exporter bridge-10 is in use by ipfix-bridge"), "{refused}");
}

#[test]
fn what_is_shown_is_what_was_said_and_what_was_done() {
    let scene = Scene::new();
    scene.configure(
        "sampling 1 obs_domain_id 123 obs_point_id 456 cache_active_timeout 60 cache_max_flows 2",
    );
    scene.send(&[udp([1, 2], 60), udp([3, 4], 60)]);
    scene.lab.run("ipfix flush");
    let target = scene.collector.address().to_string();
    let expected = "bridge-domain 10: measures, exporter bridge-10\n  \
         sampling 1 obs_domain_id 123 obs_point_id 456\n  \
         enable-input-sampling true enable-output-sampling true enable-tunnel-sampling true\n  \
         cache_active_timeout 60 cache_max_flows 2 cache_idle_timeout 0 end-of-flow false ip-length false profile rfc\n  \
         frames: 2 in, 2 out, 4 sampled\n  \
         flows: 2 cached, 4 measured packets\n  \
         records: 2 made (2 by lack of resources)\n  \
         records: 2 exported, 0 waiting, 0 without collector, 0 dropped\n";
    let shown = scene.lab.run("show ipfix bridge");
    assert!(shown.starts_with(expected), "{shown}\n{expected}");
    assert!(shown.contains(&target), "{shown}");
    let json: serde_json::Value =
        serde_json::from_str(&scene.lab.run("show ipfix bridge json")).unwrap();
    let bridge = &json[0];
    for (key, value) in [
        ("bd_id", 10),
        ("sampling", 1),
        ("obs_domain_id", 123),
        ("obs_point_id", 456),
        ("cache_active_timeout", 60),
        ("cache_max_flows", 2),
        ("frames_in", 2),
        ("frames_out", 2),
        ("sampled", 4),
        ("cached", 2),
        ("records_lack_of_resources", 2),
        ("exported", 2),
        ("dropped", 0),
    ] {
        assert_eq!(bridge[key], value, "{key} in {json}");
    }
    assert_eq!(bridge["enable-tunnel-sampling"], true);
    assert_eq!(bridge["targets"][0]["target"], target.as_str());
    assert_eq!(bridge["targets"][0]["records"], 2);
}
