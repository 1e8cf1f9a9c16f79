//! When flows leave the cache, and with which reason.

use std::time::Duration;

use peloton_tests::{Lab, START};
use vnet::runtime::Clock;

use super::scene::{BD, Scene, udp};

const ACTIVE: u64 = 2;
const FORCED: u64 = 4;
const LACK: u64 = 5;

fn flow(port: u16) -> Vec<Vec<u8>> {
    vec![udp([port, 53], 100)]
}

#[test]
fn without_cache_each_frame_is_a_record_and_the_timeout_says_the_reason() {
    for (timeout, reason) in [(0, ACTIVE), (60, LACK)] {
        let scene = Scene::new();
        scene.measure_input(&format!(
            "cache_max_flows 0 cache_active_timeout {timeout} profile ovs"
        ));
        scene.send(&[udp([1, 53], 100), udp([1, 53], 100), udp([1, 53], 100)]);
        let exported = scene.exported();
        assert_eq!(exported.reasons(), [reason; 3]);
        assert_eq!(exported.all("packetDeltaCount"), [1; 3]);
        // Each in a message of its own.
        let data: Vec<_> = exported.messages.iter().filter(|(_, _, n, _)| *n > 0).collect();
        assert_eq!(data.len(), 3);
    }
}

#[test]
fn without_timeout_flows_leave_with_the_next_look_at_them() {
    let scene = Scene::new();
    scene.measure_input("cache_max_flows 10 cache_active_timeout 0");
    scene.send(&[udp([1, 53], 100), udp([1, 53], 100), udp([2, 53], 100)]);
    scene.wait(1);
    let exported = scene.exported();
    assert_eq!(exported.reasons(), [ACTIVE; 2]);
    assert_eq!(exported.all("packetDeltaCount"), [2, 1]);
}

#[test]
fn the_oldest_flow_makes_room() {
    let scene = Scene::new();
    scene.measure_input("cache_max_flows 2 cache_active_timeout 60");
    for port in [1, 2] {
        scene.send(&flow(port));
        scene.wait(1);
    }
    // The oldest one, though it was seen last.
    scene.send(&flow(1));
    scene.send(&flow(3));
    let exported = scene.exported();
    assert_eq!((exported.all("sourceTransportPort"), exported.reasons()), (vec![1], vec![LACK]));
    assert_eq!(exported.all("packetDeltaCount"), [2]);
}

#[test]
fn a_flow_ends_when_its_first_packet_is_as_old_as_the_timeout() {
    let scene = Scene::new();
    scene.measure_input("cache_max_flows 100 cache_active_timeout 10");
    scene.send(&flow(1));
    scene.wait(9);
    scene.send(&flow(1));
    assert!(scene.exported().records.is_empty());
    scene.wait(1);
    let exported = scene.exported();
    assert_eq!(exported.reasons(), [ACTIVE]);
    assert_eq!(exported.all("packetDeltaCount"), [2]);
    let start = exported.all("flowStartDeltaMicroseconds")[0];
    let end = exported.all("flowEndDeltaMicroseconds")[0];
    assert_eq!(start - end, 9_000_000);
    assert!((10_000_000..12_000_000).contains(&start), "{start}");
    // What comes now is of the next flow.
    scene.send(&flow(1));
    scene.wait(11);
    assert_eq!(scene.exported().all("packetDeltaCount"), [1]);
}

#[test]
fn what_is_configured_no_more_is_sent_first() {
    let scene = Scene::new();
    scene.measure_input("cache_max_flows 100 cache_active_timeout 60");
    scene.send(&[udp([1, 53], 100), udp([2, 53], 100)]);
    scene.lab.run("ipfix bridge 10 del");
    scene.lab.engine.run_until_idle();
    let exported = scene.exported();
    assert_eq!(exported.reasons(), [FORCED; 2]);
    assert!(scene.bridge.bridges().is_empty());
    scene.wait(2);
    assert!(!scene.lab.run("show ipfix exporter").contains("bridge-10"));
}

#[test]
fn clearing_the_targets_and_the_end_of_the_engine_send_what_is_held() {
    let scene = Scene::new();
    scene.measure_input("cache_max_flows 100 cache_active_timeout 60");
    scene.send(&flow(1));
    scene.lab.run("ipfix bridge 10 targets none");
    scene.lab.engine.run_until_idle();
    assert_eq!(scene.exported().reasons(), [FORCED]);
    let scene = Scene::new();
    scene.measure_input("cache_max_flows 100 cache_active_timeout 60");
    scene.send(&flow(1));
    assert!(scene.lab.engine.stop().is_empty());
    let exported = super::scene::Exported::of(&scene.collector.messages());
    assert_eq!(exported.reasons(), [FORCED]);
}

#[test]
fn a_target_that_is_taken_away_is_sent_all_that_is_held() {
    let scene = Scene::new();
    scene.measure_input("cache_max_flows 1000 cache_active_timeout 60");
    let frames: Vec<_> = (1..=300).flat_map(flow).collect();
    scene.send(&frames);
    scene.lab.run("ipfix bridge 10 targets none");
    assert_eq!(scene.exported().reasons(), [FORCED; 300]);
}

#[test]
fn a_bridge_domain_that_goes_away_takes_its_flows_to_the_collector() {
    let scene = Scene::new();
    scene.measure_input("cache_max_flows 100 cache_active_timeout 60");
    scene.send(&flow(1));
    for port in ["pg0", "pg1", "pg2"] {
        scene.lab.run(&format!("set interface l3 {port}"));
    }
    scene.lab.run("create bridge-domain 10 del");
    scene.lab.engine.run_until_idle();
    assert_eq!(scene.exported().reasons(), [FORCED]);
    // It is measured again when it comes back.
    scene.lab.run("set interface l2 bridge pg0 10");
    scene.send(&flow(2));
    scene.lab.run("ipfix bridge 10 targets none");
    assert_eq!(scene.exported().all("sourceTransportPort"), [2]);
}

#[test]
fn a_deleted_port_leaves_the_others_measured() {
    let scene = Scene::new();
    scene.measure_input("cache_max_flows 100 cache_active_timeout 60");
    scene.lab.run("create sub-interfaces pg0 5");
    scene.lab.run("set interface state pg0.5 up");
    scene.lab.run("set interface l2 bridge pg0.5 10");
    scene.lab.run("delete sub-interface pg0.5");
    scene.send(&flow(1));
    scene.lab.run("ipfix bridge 10 targets none");
    assert_eq!(scene.exported().records.len(), 1);
}

#[test]
fn a_record_has_sums_and_bounds_of_its_packets() {
    let scene = Scene::new();
    scene.measure_input("cache_max_flows 100 cache_active_timeout 60");
    let frames: Vec<_> = [100, 1514, 100, 60].map(|len| udp([1, 53], len)).into();
    scene.send(&frames);
    scene.lab.run("ipfix bridge 10 targets none");
    let exported = scene.exported();
    let [record] = &exported.records[..] else { panic!("{:?}", exported.records) };
    let expect = [
        ("packetDeltaCount", 4),
        ("layer2OctetDeltaCount", 100 + 1514 + 100 + 60),
        ("octetDeltaCount", 86 + 1500 + 86 + 46),
        ("octetDeltaSumOfSquares", 86 * 86 + 1500 * 1500 + 86 * 86 + 46 * 46),
        ("minimumIpTotalLength", 46),
        ("maximumIpTotalLength", 1500),
    ];
    for (element, value) in expect {
        assert_eq!(record[element], value, "{element}");
    }
}

#[test]
fn flows_end_when_they_are_idle_or_closed_where_that_is_asked_for() {
    let scene = Scene::new();
    scene.measure_input(
        "cache_max_flows 100 cache_active_timeout 60 cache_idle_timeout 5 end-of-flow true",
    );
    let mut closing = udp([9, 80], 100);
    closing[23] = 6;
    closing[47] = 1;
    scene.send(&[udp([1, 53], 100), closing]);
    scene.wait(4);
    let closed = scene.exported();
    assert_eq!((closed.all("sourceTransportPort"), closed.reasons()), (vec![9], vec![3]));
    scene.wait(4);
    let idle = scene.exported();
    assert_eq!((idle.all("sourceTransportPort"), idle.reasons()), (vec![1], vec![1]));
}

#[test]
fn frames_that_come_and_those_that_leave_are_flows_of_their_own() {
    let directions = |options: &str| {
        let scene = Scene::new();
        scene.configure(&format!(
            "sampling 1 cache_max_flows 100 cache_active_timeout 60 {options}"
        ));
        scene.send(&flow(1));
        scene.lab.run("ipfix bridge 10 targets none");
        let mut directions = scene.exported().all("flowDirection");
        directions.sort_unstable();
        directions
    };
    assert_eq!(directions(""), [0, 1]);
    assert_eq!(directions("enable-input-sampling false"), [1]);
    assert_eq!(directions("enable-output-sampling false"), [0]);
    assert!(directions("enable-input-sampling false enable-output-sampling false").is_empty());
}

#[test]
fn a_flooded_frame_leaves_by_each_port_and_is_counted_there() {
    let scene = Scene::new();
    scene.configure("sampling 1 cache_max_flows 100 cache_active_timeout 60");
    let mut frame = udp([1, 53], 100);
    frame[..6].copy_from_slice(&[0xff; 6]);
    scene.send(&[frame]);
    scene.lab.run("ipfix bridge 10 targets none");
    let exported = scene.exported();
    let mut counts: Vec<(u64, u64)> =
        exported.all("flowDirection").into_iter().zip(exported.all("packetDeltaCount")).collect();
    counts.sort_unstable();
    assert_eq!(counts, [(0, 1), (1, 2)]);
}

#[test]
fn everything_that_was_sampled_is_in_a_record_or_held_or_counted() {
    let scene = Scene::new();
    scene.configure("sampling 1 cache_max_flows 50 cache_active_timeout 3");
    for round in 0..8_u16 {
        let frames: Vec<_> = (0..40).map(|n| udp([round * 16 + n, 53], 64)).collect();
        scene.send(&frames);
        scene.lab.engine.advance(Duration::from_millis(700));
        let statistics =
            scene.lab.engine.with(|main| scene.bridge.bridge_statistics(main, BD).unwrap());
        let metered = statistics.metered;
        assert_eq!(metered.seen, metered.measured + metered.unmeasured_total());
        assert!(statistics.cached <= 50);
        assert_eq!(statistics.sampled.input, u64::from(round + 1) * 40);
        assert_eq!(metered.seen, statistics.sampled.input + statistics.sampled.output);
    }
    scene.lab.run("ipfix bridge 10 targets none");
    assert_eq!(scene.exported().sum("packetDeltaCount"), 2 * 8 * 40);
}

/// `flows` flows of one frame each come by pg0 on a worker.
fn flows_on(scene: &Scene, worker: usize, first: u16, flows: u16) {
    scene.lab.run(&format!(
        "packet-generator new {{ name w worker {worker} limit {flows} size 64-64 interface pg0 \
         node ethernet-input data {{ IP4: 02:00:00:00:00:01 -> 02:00:00:00:00:02 \
         UDP: 10.0.0.1 -> 10.0.0.2 UDP: {first} - {} -> 53 incrementing 18 }} }}",
        first + flows - 1
    ));
    scene.lab.run("packet-generator enable-stream w");
    scene.lab.engine.run_until_idle();
    scene.lab.run("packet-generator delete w");
}

#[test]
fn threads_hold_no_more_flows_together_than_is_configured() {
    let lab = Lab::with_workers(Clock::virtual_at(START), 2, vec![ipfix_bridge::plugin()]);
    let scene = Scene::on(lab);
    scene.measure_input("cache_max_flows 300 cache_active_timeout 4000");
    let cached = || {
        scene.wait(1);
        scene.lab.engine.with(|main| scene.bridge.bridge_statistics(main, BD).unwrap().cached)
    };
    // One thread has all the room that the others do not need.
    flows_on(&scene, 0, 1000, 300);
    assert_eq!(cached(), 300);
    assert!(scene.exported().records.is_empty());
    // Another one has its share, for which the oldest flows of the first one go.
    flows_on(&scene, 1, 2000, 90);
    assert_eq!(cached(), 300);
    let exported = scene.exported();
    assert_eq!(exported.reasons(), [LACK; 90]);
    assert!(exported.all("sourceTransportPort").iter().all(|port| (1000..1090).contains(port)));
    // Less is configured, and more comes to both.
    scene.measure_input("cache_max_flows 50");
    assert!(cached() <= 50);
    let mut told = 90 + scene.exported().sum("packetDeltaCount");
    for round in 0..4 {
        flows_on(&scene, 0, 3000 + 100 * round, 100);
        flows_on(&scene, 1, 4000 + 100 * round, 100);
        assert!(cached() <= 50);
        told += scene.exported().sum("packetDeltaCount");
    }
    scene.lab.run("ipfix bridge 10 targets none");
    told += scene.exported().sum("packetDeltaCount");
    assert_eq!(told, 300 + 90 + 4 * 200);
}
