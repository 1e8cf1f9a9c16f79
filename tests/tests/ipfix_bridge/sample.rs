//! The action `sample`, of rules that choose every frame.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use peloton_tests::Lab;
use vnet::{
    action::{ActionId, Choice, Performing},
    graph::FeatureSpec,
    prelude::*,
    trace::NoTrace,
};

use super::scene::{Scene, udp};

/// What the rules name, or no action.
pub(crate) type Named = Arc<AtomicU32>;

/// Names an action for every frame that bridge domains get.
struct Rules {
    by: Performing,
    named: Named,
}

impl Node for Rules {
    type Error = NoError;
    type Next = NoNext;
    type Trace = NoTrace;

    fn process(
        &mut self,
        cx: &mut NodeCx<'_, NoNext, NoError>,
        frame: &mut Frame,
    ) -> Verdict<NoNext> {
        let action = ActionId::from_bits(self.named.load(Ordering::Relaxed));
        if action.is_some() {
            let all = 0..frame.len() as u16;
            let choices: Vec<Choice> = all.map(|at| Choice { at, action }).collect();
            cx.perform(self.by, frame, &choices);
        }
        cx.each(frame, |cx, buffer| cx.next_feature(buffer))
    }

    fn trace(&self, _: &Buffer) -> NoTrace {
        NoTrace
    }
}

pub(crate) fn rules(named: &Named) -> Plugin {
    let named = named.clone();
    Plugin::new("rules", "1.0", "A rule for everything", move |r| {
        let (by, named) = (r.actions().performers(), named.clone());
        r.node(NodeSpec::internal("rules", move |_| Rules { by, named: named.clone() }));
        for arc in ["l2-input-ip4", "l2-output-ip4"] {
            r.feature(FeatureSpec::new(arc, "rules"));
        }
        Ok(())
    })
    .load_after("ipfix_bridge")
}

struct Sampling {
    scene: Scene,
    named: Named,
}

impl Sampling {
    fn new() -> Self {
        let named = Arc::new(AtomicU32::new(ActionId::NONE.bits()));
        let scene = Scene::on(Lab::new(vec![ipfix_bridge::plugin(), rules(&named)]));
        scene.lab.engine.with(|main| {
            main.enable_feature("l2-input-ip4", "rules", SwIfIndex(1), 0).unwrap();
        });
        Self { scene, named }
    }

    fn set(&self, id: u32, options: &str) {
        let target = self.scene.collector.address();
        self.scene.lab.run(&format!("ipfix collector-set {id} targets {target} {options}"));
        self.scene.lab.engine.run_until_idle();
    }

    fn configure(&self, arguments: &str) -> Result<ActionId, String> {
        self.scene.lab.engine.with(|main| {
            let actions = main.actions().clone();
            actions.configure(main, "sample", arguments).map_err(|error| error.to_string())
        })
    }

    /// Has the rules name what these arguments say.
    fn name(&self, arguments: &str) -> ActionId {
        let action = self.configure(arguments).unwrap();
        self.named.store(action.bits(), Ordering::Relaxed);
        self.scene.lab.engine.run_until_idle();
        action
    }

    fn release(&self, action: ActionId) {
        self.named.store(ActionId::NONE.bits(), Ordering::Relaxed);
        self.scene.lab.engine.with(|main| {
            let actions = main.actions().clone();
            actions.release(main, action);
        });
    }
}

#[test]
fn what_a_rule_samples_goes_to_its_set_with_domain_and_point() {
    let sampling = Sampling::new();
    sampling.set(7, "cache_max_flows 0");
    sampling.name("probability 65535 collector-set 7 obs_domain_id 5 obs_point_id 6");
    sampling.scene.send(&[udp([1, 53], 100), udp([1, 3784], 100)]);
    let exported = sampling.scene.exported();
    assert_eq!(exported.all("observationPointId"), [6, 6]);
    assert_eq!(exported.all("domain"), [5, 5]);
    // BFD is measured here, and frames have come.
    assert_eq!(exported.all("destinationTransportPort"), [53, 3784]);
    assert_eq!(exported.all("flowDirection"), [0, 0]);
    assert!(exported.records.iter().all(|r| r["sourceMacAddress"] == "02:00:00:00:00:01"));
}

#[test]
fn bfd_is_not_exported_by_the_bridge_exporter_and_is_by_a_collector_set() {
    let scene = Scene::new();
    scene.measure_input("cache_max_flows 0");
    scene.send(&[3783, 3784, 3785, 3786].map(|port| udp([1, port], 100)));
    assert_eq!(scene.exported().all("destinationTransportPort"), [3783, 3786]);
    assert!(scene.lab.run("show ipfix bridge").contains("not measured, BFD: 2"));
}

#[test]
fn two_domains_of_a_set_have_templates_and_sequence_numbers_of_their_own() {
    let sampling = Sampling::new();
    sampling.set(7, "cache_max_flows 100 cache_active_timeout 60");
    let first = sampling.name("probability 65535 collector-set 7 obs_domain_id 1");
    sampling.scene.send(&[udp([1, 53], 100)]);
    sampling.name("probability 65535 collector-set 7 obs_domain_id 2");
    sampling.scene.send(&[udp([1, 53], 100), udp([2, 53], 100)]);
    sampling.scene.wait(61);
    let exported = sampling.scene.exported();
    for domain in [1, 2] {
        let templates = exported.templates.iter().filter(|(of, _)| *of == domain).count();
        assert_eq!(templates, 28, "D3: domain {domain}");
        let of_domain = exported.messages.iter().filter(|m| m.3 == domain);
        let mut expected = 0;
        for (_, sequence, records, _) in of_domain {
            assert_eq!(*sequence as usize, expected, "D2: domain {domain}");
            expected += records;
        }
        assert_eq!(expected as u32, domain);
    }
    // A domain of which nothing is sampled any more sends what it has, and goes.
    sampling.scene.send(&[udp([9, 53], 100)]);
    sampling.release(first);
    assert_eq!(sampling.scene.exported().records.len(), 1);
}

#[test]
fn sums_of_samples_lie_within_three_sigma() {
    const FRAMES: f64 = 200_000.0;
    for probability in [65_535_u16, 40_000, 6_554, 655, 16] {
        let sampling = Sampling::new();
        sampling.set(1, "cache_max_flows 100 cache_active_timeout 4200");
        sampling.name(&format!("probability {probability} collector-set 1"));
        sampling.scene.generate(FRAMES as u32);
        sampling.scene.lab.run("ipfix collector-set 1 targets none");
        let packets = sampling.scene.exported().sum("packetDeltaCount") as f64;
        let p = f64::from(probability) / 65_535.0;
        let sigma = (FRAMES * p * (1.0 - p)).sqrt() / p;
        // A count that is scaled by no whole number is rounded.
        assert!((packets - FRAMES).abs() <= 3.0 * sigma + 1.0, "{probability}: {packets}, {sigma}");
    }
}

#[test]
fn samples_without_a_set_are_counted_and_reach_one_that_comes_later() {
    let sampling = Sampling::new();
    sampling.name("probability 65535 collector-set 9");
    sampling.scene.send(&[udp([1, 53], 100)]);
    sampling.set(9, "cache_max_flows 0");
    sampling.scene.send(&[udp([2, 53], 100)]);
    assert_eq!(sampling.scene.exported().all("sourceTransportPort"), [2]);
    let shown: serde_json::Value =
        serde_json::from_str(&sampling.scene.lab.run("show ipfix collector-set json")).unwrap();
    let sampler = &shown[0]["samplers"][0];
    assert_eq!(
        (&sampler["chosen"], &sampler["sampled"], &sampler["lost"]),
        (&2.into(), &2.into(), &1.into())
    );
}

#[test]
fn a_set_that_rules_use_is_not_deleted() {
    let sampling = Sampling::new();
    sampling.set(7, "cache_max_flows 100 cache_active_timeout 60");
    let action = sampling.name("probability 65535 collector-set 7");
    sampling.scene.send(&[udp([1, 53], 100)]);
    assert_eq!(
        sampling.scene.lab.refused("ipfix collector-set 7 del").trim(),
        "ipfix collector-set: collector set 7 is in use by 1 sample actions"
    );
    sampling.release(action);
    sampling.scene.lab.run("ipfix collector-set 7 del");
    assert_eq!(sampling.scene.exported().reasons(), [4]);
}

#[test]
fn arguments_are_checked_and_described() {
    let sampling = Sampling::new();
    for (arguments, expected) in [
        ("probability 0 collector-set 1", "1 to 65535"),
        ("probability 65536 collector-set 1", "1 to 65535"),
        ("probability 5", "collector-set"),
        ("collector-set 1", "probability"),
        ("probability 5 collector-set 1 color 7", "color"),
    ] {
        let refused = sampling.configure(arguments).unwrap_err();
        assert!(refused.contains(expected), "{arguments}: {refused}");
    }
    let action = sampling.configure("collector-set 1 probability 5").unwrap();
    let described = sampling.scene.lab.engine.with(|main| main.actions().describe(main, action));
    assert_eq!(
        described,
        "sample { probability 5 collector-set 1 obs_domain_id 0 obs_point_id 0 }"
    );
}
