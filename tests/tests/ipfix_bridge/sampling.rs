//! Sampling is honest: sums that are told are those of all frames, as near as chance allows.

use peloton_tests::Lab;
use vnet::{action::ActionId, interface::SwIfIndex};

use super::{
    sample::{Named, rules},
    scene::{BD, Scene, udp},
};

const FRAMES: u64 = 1_000_000;

/// What the records say that there was, of a million frames at one in `n`.
fn told(n: u32) -> (u64, u64) {
    let scene = Scene::new();
    scene.configure(&format!(
        "sampling {n} enable-output-sampling false cache_max_flows 1000 cache_active_timeout 4200"
    ));
    for _ in 0..10 {
        scene.generate(FRAMES as u32 / 10);
    }
    let statistics =
        scene.lab.engine.with(|main| scene.bridge.bridge_statistics(main, BD)).unwrap();
    assert_eq!(statistics.sampled.input, FRAMES);
    scene.lab.run("ipfix bridge 10 targets none");
    let exported = scene.exported();
    let packets = exported.sum("packetDeltaCount");
    assert_eq!(packets, statistics.sampled.sampled * u64::from(n));
    (packets, exported.sum("layer2OctetDeltaCount"))
}

#[test]
fn sums_lie_within_three_sigma_of_a_million_frames() {
    for n in [1, 2, 10, 400, 65_535, 100_000] {
        let (packets, octets) = told(n);
        let p = 1.0 / f64::from(n);
        // Of a binomial count, scaled.
        let sigma = (FRAMES as f64 * p * (1.0 - p)).sqrt() / p;
        let off = (packets as f64 - FRAMES as f64).abs();
        assert!(off <= 3.0 * sigma, "one in {n}: {packets} packets, sigma {sigma}");
        assert_eq!(octets, packets * 60);
    }
}

#[test]
fn each_direction_is_sampled_by_itself() {
    let scene = Scene::new();
    scene.configure("sampling 10 cache_max_flows 1000 cache_active_timeout 4200");
    scene.generate(100_000);
    scene.lab.run("ipfix bridge 10 targets none");
    let exported = scene.exported();
    assert_eq!(exported.records.len(), 2);
    for packets in exported.all("packetDeltaCount") {
        assert!(packets.abs_diff(100_000) < 3 * 949, "{packets}");
    }
}

/// Where a feature is alone, frames that it does not want pass it unseen: they are counted all the same, and it sees those that it
/// would have seen otherwise.
#[test]
fn frames_that_pass_unseen_change_nothing() {
    let run = |closes_gates: bool| {
        let named = Named::new(ActionId::NONE.bits().into());
        let scene = Scene::on(Lab::new(vec![ipfix_bridge::plugin(), rules(&named)]));
        scene.configure("sampling 400 cache_max_flows 1000 cache_active_timeout 4200");
        if closes_gates {
            scene.lab.engine.with(|main| {
                main.enable_feature("l2-input-ip4", "rules", SwIfIndex(1), 0).unwrap();
                main.enable_feature("l2-output-ip4", "rules", SwIfIndex(2), 0).unwrap();
            });
        }
        for frames in [1, 255, 256, 1000, 50_000] {
            scene.generate(frames);
        }
        let statistics = scene.lab.engine.with(|main| scene.bridge.bridge_statistics(main, BD));
        (statistics.unwrap().sampled, statistics.unwrap().metered.measured, scene)
    };
    let ((open, measured, scene), (closed, measured_closed, _)) = (run(false), run(true));
    assert_eq!((open, measured), (closed, measured_closed));
    assert_eq!((open.input, open.output), (51_512, 51_512));
    // None of them visited the nodes.
    let runtime = scene.lab.run("show runtime");
    assert!(!runtime.contains("ipfix-bridge-input"), "{runtime}");
    assert!(!runtime.contains("ipfix-bridge-output"), "{runtime}");
}

#[test]
fn another_rate_scales_what_comes_after_it_alone() {
    let scene = Scene::new();
    scene.measure_input("cache_max_flows 1000 cache_active_timeout 4200");
    scene.generate(1000);
    scene.lab.run("ipfix bridge 10 sampling 2");
    scene.generate(100_000);
    scene.lab.run("ipfix bridge 10 targets none");
    let mut packets = scene.exported().all("packetDeltaCount");
    packets.sort_unstable();
    let [first, second] = packets[..] else { panic!("{packets:?}") };
    assert_eq!(first, 1000);
    assert!(second % 2 == 0 && second.abs_diff(100_000) < 950, "{second}");
}

#[test]
fn what_is_not_bridged_in_the_domain_is_not_looked_at() {
    let scene = Scene::new();
    scene.configure("sampling 1 cache_max_flows 100 cache_active_timeout 60");
    scene.lab.script(
        "create packet-generator interface pg3
         set interface state pg3 up
         create packet-generator interface pg4
         set interface state pg4 up
         set interface l2 bridge pg3 20
         set interface l2 bridge pg4 20",
    );
    scene.send_by("pg3", &[udp([1, 2], 60)]);
    let input = || {
        let statistics = scene.lab.engine.with(|main| scene.bridge.bridge_statistics(main, BD));
        statistics.unwrap().sampled.input
    };
    assert_eq!(input(), 0);
    // A port that comes later is measured, and one that leaves is not.
    scene.lab.run("set interface l2 bridge pg3 10");
    scene.send_by("pg3", &[udp([1, 2], 60)]);
    assert_eq!(input(), 1);
    scene.lab.run("set interface l2 bridge pg3 20");
    scene.send_by("pg3", &[udp([1, 2], 60)]);
    assert_eq!(input(), 1);
}

#[test]
fn domains_of_one_frame_are_measured_each_by_its_own_exporter() {
    let scene = Scene::new();
    scene.measure_input("cache_max_flows 100 cache_active_timeout 60 obs_domain_id 1");
    scene.lab.script(
        "create packet-generator interface pg3
         set interface state pg3 up
         set interface l2 bridge pg3 20",
    );
    let target = scene.collector.address();
    scene.lab.run(&format!(
        "ipfix bridge 20 targets {target} sampling 1 obs_domain_id 2 cache_max_flows 100 \
         cache_active_timeout 60"
    ));
    // In one vector, in turn.
    for name in ["pg0", "pg3"] {
        scene.lab.run(&format!(
            "packet-generator new {{ name {name} limit 100 size 60-60 interface {name} node ethernet-input \
             data {{ IP4: 02:00:00:00:00:01 -> 02:00:00:00:00:02 \
             UDP: 10.0.0.1 -> 10.0.0.2 UDP: 1 -> 2 incrementing 18 }} }}"
        ));
    }
    scene.lab.run("packet-generator enable-stream");
    scene.lab.engine.run_until_idle();
    scene.lab.run("ipfix bridge 10 targets none");
    scene.lab.run("ipfix bridge 20 targets none");
    let exported = scene.exported();
    let of = |domain: u64| {
        let records = exported.records.iter().filter(|r| r["domain"] == domain);
        records.map(|r| r["packetDeltaCount"].as_u64().unwrap()).sum::<u64>()
    };
    assert_eq!((of(1), of(2)), (100, 100));
}
