//! Settings of single interfaces: what is recorded, and when, set before and while they are measured.

use crate::scene::{IP4, IP6, Scene, UDP, UDP6, is};

/// Ten flows of ports, one of addresses.
const FROM: &str = "UDP: 192.168.0.2 -> 10.0.0.1 UDP: 1000-1009 -> 2000 incrementing 18";

/// Packets come by pg0 and leave by pg1.
fn scene(name: &str) -> Scene {
    let scene = Scene::new(name, "");
    scene.params("record l3");
    scene
}

#[test]
fn interfaces_have_record_sets_of_their_own_at_the_same_time() {
    let scene = scene("own-sets");
    scene.lab.run("flowprobe interface set pg1 ip4 record l3 l4");
    scene.feature("pg0 ip4 rx");
    scene.feature("pg1 ip4 tx");
    scene.send(30, &format!("{IP4} {FROM}"));
    scene.lab.run("ipfix flush");
    scene.feature("pg0 ip4 disable");
    scene.feature("pg1 ip4 disable");
    let exported = scene.exported();
    // One flow of addresses came in; ten of ports went out.
    let came = is("flowDirection", 0);
    let left = is("flowDirection", 1);
    assert_eq!(exported.records.iter().filter(|r| came(r)).count(), 1);
    assert_eq!(exported.records.iter().filter(|r| left(r)).count(), 10);
    assert_eq!(exported.sum("packetDeltaCount", &came), 30);
    assert_eq!(exported.sum("packetDeltaCount", &left), 30);
    for record in exported.records.iter().filter(|r| left(r)) {
        assert_eq!(record["destinationTransportPort"], 2000, "{record}");
    }
    assert!(exported.records.iter().any(|r| r.get("destinationTransportPort").is_none()));
}

#[test]
fn a_record_set_changes_while_packets_are_measured_and_flows_end_under_the_old_one() {
    let scene = scene("own-change");
    scene.lab.run(
        "ipfix template add web fields destinationTransportPort,packetDeltaCount,flowEndReason",
    );
    scene.feature("pg0 ip4 rx");
    scene.feature("pg1 ip4 tx");
    let mut sent = 0;
    for (count, words) in
        [(10, "record l3 l4"), (20, "template web"), (40, "default"), (80, "active 5")]
    {
        scene.send(count, &format!("{IP4} {UDP}"));
        scene.lab.run(&format!("flowprobe interface set pg0 ip4 {words}"));
        scene.lab.engine.run_until_idle();
        sent += count;
    }
    scene.feature("pg0 ip4 disable");
    scene.feature("pg1 ip4 disable");
    let exported = scene.exported();
    let came: Vec<_> = exported
        .records
        .iter()
        .filter(|r| r["flowDirection"] != 1)
        .map(|r| r["packetDeltaCount"].clone())
        .collect();
    assert_eq!(came, [10, 20, 40, 80]);
    let of =
        |packets: u64| exported.records.iter().find(|r| r["packetDeltaCount"] == packets).unwrap();
    assert_eq!(of(10)["sourceTransportPort"], serde_json::Value::Null);
    assert_eq!(of(20)["sourceTransportPort"], 1000);
    assert!(
        of(40).get("sourceIPv4Address").is_none() && of(40)["destinationTransportPort"] == 2000
    );
    assert_eq!(of(80)["sourceIPv4Address"], "192.168.0.2");
    assert!(exported.records.iter().all(|r| r["flowEndReason"] == 4));
    assert_eq!(exported.packet_sum(), u64::from(sent) * 2);
    assert_eq!(scene.not_sent(), 0);
}

#[test]
fn timers_of_an_interface_are_its_own_and_others_keep_theirs() {
    let scene = scene("own-timers");
    scene.feature("pg0 ip4 rx");
    scene.feature("pg1 ip4 tx");
    scene.send(1, &format!("{IP4} {UDP}"));
    scene.lab.run("flowprobe interface set pg0 active 1 passive 2");
    scene.send(7, &format!("{IP4} {UDP}"));
    scene.lab.advance(4);
    assert_eq!(scene.flows_held(), 1, "that of pg1");
    // Those of all are other ones now; pg0 keeps its own.
    scene.lab.run("flowprobe timers active 100");
    assert_eq!(
        scene.lab.run("show flowprobe params"),
        " l3 active: 100 passive: 120\n pg0 ip4: active: 1 passive: 2\n pg0 ip6: active: 1 passive: 2\n \
         pg0 l2: active: 1 passive: 2\n pg0 drop: active: 1 passive: 2\n"
    );
    scene.send(5, &format!("{IP4} {UDP}"));
    scene.lab.advance(4);
    assert_eq!(scene.flows_held(), 1);
    scene.feature("pg1 ip4 disable");
    let exported = scene.exported();
    let reasons = |direction: u64| -> Vec<(u64, u64)> {
        let of = exported.records.iter().filter(|r| r["flowDirection"] == direction);
        of.map(|r| (r["packetDeltaCount"].as_u64().unwrap(), r["flowEndReason"].as_u64().unwrap()))
            .collect()
    };
    // Forced end, then by the active timer and nothing behind it.
    assert_eq!(reasons(0), [(1, 4), (7, 2), (5, 2)]);
    // Those that came by pg0 end with its own, and all that have other timers.
    assert_eq!(reasons(1), [(1, 4), (7, 4), (5, 4)]);
}

#[test]
fn a_setting_waits_for_its_interface_and_goes_with_it() {
    let scene = Scene::new("own-before", "");
    let lab = &scene.lab;
    assert!(lab.refused("flowprobe feature add-del pg0 ip4 rx").contains("nothing to record"));
    lab.run("flowprobe interface set pg0 ip4 record l3 l4 passive 0");
    scene.feature("pg0 ip4 rx");
    assert!(lab.refused("flowprobe feature add-del pg1 ip4 rx").contains("nothing to record"));
    assert!(lab.refused("flowprobe interface set pg0 ip4 default").contains("nothing to record"));
    scene.send(3, &format!("{IP4} {UDP}"));
    scene.feature("pg0 ip4 disable");
    // It holds when the interface is measured again.
    scene.feature("pg0 ip4 rx");
    scene.send(4, &format!("{IP4} {UDP}"));
    lab.run("packet-generator delete s");
    lab.engine.with(|main| {
        let pg0 = main.interfaces().find("pg0").unwrap();
        main.change_interfaces(|table| table.delete_hardware(pg0)).unwrap();
    });
    lab.engine.run_until_idle();
    assert_eq!(lab.run("show flowprobe params"), " active: 15 passive: 120\n");
    assert_eq!(lab.run("show flowprobe feature"), "");
    let exported = scene.exported();
    assert_eq!(exported.all("packetDeltaCount"), [3, 4]);
    assert_eq!(exported.all("sourceTransportPort"), [1000, 1000]);
}

#[test]
fn interfaces_with_the_same_setting_share_templates_and_directions_change_with_it() {
    let scene = scene("own-shared");
    scene.feature("pg0 ip4 rx");
    scene.feature("pg1 ip4 tx");
    for interface in ["pg0", "pg1"] {
        scene.lab.run(&format!("flowprobe interface set {interface} ip4 both record l3 l4"));
        scene.lab.engine.run_until_idle();
    }
    scene.send(6, &format!("{IP4} {UDP}"));
    scene.feature("pg0 ip4 disable");
    scene.feature("pg1 ip4 disable");
    let exported = scene.exported();
    // One of the first setting, and two of the other one: records with ports, and those of ICMP.
    assert_eq!(exported.templates.len(), 3, "{:?}", exported.templates);
    assert_eq!(exported.packet_sum(), 12);
    assert_eq!(exported.all("sourceTransportPort"), [1000, 1000]);
}

#[test]
fn sampling_goes_on_under_another_setting() {
    let scene = scene("own-sampled");
    scene.feature("pg0 ip4 rx");
    scene.lab.run("flowprobe sampling pg0 count 1 1");
    scene.send(20, &format!("{IP4} {UDP}"));
    scene.lab.run("flowprobe interface set pg0 record l3 l4");
    scene.feature("pg1 ip4 tx");
    scene.send(20, &format!("{IP4} {UDP}"));
    scene.feature("pg0 ip4 disable");
    scene.feature("pg1 ip4 disable");
    let exported = scene.exported();
    assert_eq!(exported.sum("packetDeltaCount", is("flowDirection", 0)), 20);
    assert_eq!(exported.sum("packetDeltaCount", is("flowDirection", 1)), 20);
    assert_eq!(exported.sum("packetDeltaCount", is("sourceTransportPort", 1000)), 10);
}

#[test]
fn what_an_interface_has_is_shown() {
    let scene = scene("own-shown");
    scene.lab.run("flowprobe interface set pg0 ip4 record l3 l4 active 5 passive 60");
    scene.feature("pg0 ip4 rx");
    scene.feature("pg1 ip4 tx");
    let lab = &scene.lab;
    assert_eq!(
        lab.run("show flowprobe feature"),
        " pg0 ip4 rx l3 l4 active: 5 passive: 60\n pg1 ip4 tx\n"
    );
    assert_eq!(
        lab.run("show flowprobe params"),
        " l3 active: 15 passive: 120\n pg0 ip4: l3 l4 active: 5 passive: 60\n"
    );
    let json: serde_json::Value =
        serde_json::from_str(&lab.run("show flowprobe params json")).unwrap();
    assert_eq!(json["interfaces"][0]["interface"], "pg0");
    assert_eq!(json["interfaces"][0]["l4"], true);
    assert_eq!(json["interfaces"][0]["passive"], 60);
    let json: serde_json::Value =
        serde_json::from_str(&lab.run("show flowprobe feature json")).unwrap();
    assert_eq!(json[0]["setting"], "l3 l4 active: 5 passive: 60");
    assert_eq!(json[1]["setting"], serde_json::Value::Null);
    scene.send(9, &format!("{IP4} {UDP}"));
    scene.send(2, &format!("{IP6} {UDP6}"));
    let shown = lab.run("show flowprobe statistics");
    for line in [
        "  l3 l4 active: 5 passive: 60, of pg0:\n    thread 0: 1 flows of 1048576,",
        "  l3 active: 15 passive: 120, of pg1:\n    thread 0: 1 flows of 1048576,",
    ] {
        assert!(shown.contains(line), "{shown}");
    }
    assert_eq!(shown.matches("packets: 9 seen, 9 measured").count(), 2, "{shown}");
}

#[test]
fn settings_are_refused_by_their_reason_and_nothing_of_them_is_applied() {
    let scene = scene("own-refused");
    scene.feature("pg0 ip4 rx");
    let refused = |line: &str| scene.lab.refused(&format!("flowprobe interface set {line}"));
    assert!(refused("pg0").contains("say what to change"));
    assert!(refused("pg0 ip6 rx record l3").contains("ip6 is not enabled"));
    assert!(refused("pg0 active 300").contains("passive must be greater"));
    assert!(refused("pg0 record l4 passive 3").contains("passive must be greater"));
    assert!(refused("pg0 template dns").contains("no template dns"));
    scene.lab.run("ipfix template add six fields sourceIPv6Address,packetDeltaCount");
    assert!(refused("pg0 ip4 template six").contains("no fields for packets of ip4"));
    assert!(refused("pg0 template six").contains("no fields for packets of ip4"));
    assert_eq!(scene.lab.run("show flowprobe params"), " l3 active: 15 passive: 120\n");
    scene.lab.run("ipfix template del six");
    scene.lab.run("ipfix template add web fields sourceIPv4Address,packetDeltaCount");
    scene.lab.run("flowprobe interface set pg0 ip4 template web");
    assert!(scene.lab.refused("ipfix template del web").contains("in use by flowprobe"));
    scene.lab.run("flowprobe interface set pg0 ip4 default");
    scene.lab.run("ipfix template del web");
}

#[test]
fn the_profile_of_vpp_has_one_setting() {
    let scene = scene("own-vpp");
    scene.lab.run("flowprobe interface set pg1 record l3 l4");
    let refused = scene.lab.refused("flowprobe params record l3 profile vpp");
    assert!(refused.contains("VPP has one setting for all interfaces"), "{refused}");
    scene.lab.run("flowprobe interface set pg1 default");
    scene.params("record l3 profile vpp");
    let refused = scene.lab.refused("flowprobe interface set pg1 active 5");
    assert!(refused.contains("profile rfc"), "{refused}");
}

#[test]
fn settings_are_bounded_and_a_seventeenth_is_refused() {
    let scene = scene("own-many");
    for n in 3..20 {
        scene.lab.run(&format!("create packet-generator interface pg{n}"));
        scene.lab.run(&format!("flowprobe interface set pg{n} ip4 active {}", n + 100));
    }
    for n in 3..18 {
        scene.feature(&format!("pg{n} ip4 rx"));
    }
    scene.feature("pg0 ip4 rx");
    let refused = scene.lab.refused("flowprobe feature add-del pg18 ip4 rx");
    assert!(refused.contains("16 different settings"), "{refused}");
    // With the setting of another one there is room, and in place of one's own.
    scene.lab.run("flowprobe interface set pg18 ip4 active 103");
    scene.feature("pg18 ip4 rx");
    scene.lab.run("flowprobe interface set pg0 ip4 record l3 l4");
    scene.send(5, &format!("{IP4} {UDP}"));
    scene.feature("pg0 ip4 disable");
    assert_eq!(scene.exported().all("packetDeltaCount"), [5]);
}
