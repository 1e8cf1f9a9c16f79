//! Records of both directions of a flow (RFC 5103), of record sets.

use std::{fs, process::Command};

use peloton_tests::program::not_run;
use serde_json::Value;

use crate::scene::{Exported, IP4, Scene, UDP};

/// What the packet of `UDP` is answered by, from behind pg1.
const ANSWER: &str = "IP4: 02:00:00:00:00:09 -> 02:fe:00:00:00:01 UDP: 10.0.0.1 -> 192.168.0.2 UDP: 2000 -> 1000 incrementing 18";
/// The same on the link of pg0.
const ANSWERED: &str = "UDP: 10.0.0.1 -> 192.168.0.2 UDP: 2000 -> 1000 incrementing 18";

fn scene(name: &str, record: &str) -> Scene {
    let scene = Scene::new(name, "path-mtu 1450");
    scene.lab.run("set ip neighbor pg0 192.168.0.2 02:00:00:00:00:01");
    scene.params(&format!("record {record} biflow"));
    scene
}

/// `count` packets come in by pg1.
fn answer(scene: &Scene, count: u32) {
    scene.lab.run(&format!(
        "packet-generator new {{ name a limit {count} interface pg1 node ethernet-input data {{ {ANSWER} }} }}"
    ));
    scene.lab.run("packet-generator enable-stream a");
    scene.lab.engine.run_until_idle();
}

/// Initiator's packets, responder's packets; interfaces; direction.
fn told(record: &Value) -> [u64; 5] {
    [
        "packetDeltaCount",
        "reversePacketDeltaCount",
        "ingressInterface",
        "egressInterface",
        "flowDirection",
    ]
    .map(|name| record[name].as_u64().unwrap())
}

fn all(exported: &Exported) -> Vec<[u64; 5]> {
    let mut all: Vec<_> = exported.records.iter().map(told).collect();
    all.sort_unstable();
    all
}

#[test]
fn a_record_has_both_directions_of_what_passes_an_interface() {
    let scene = scene("biflow-both", "l3 l4");
    scene.feature("pg0 ip4 both");
    scene.feature("pg1 ip4 both");
    scene.send(10, &format!("{IP4} {UDP}"));
    scene.lab.advance(1);
    answer(&scene, 7);
    assert_eq!(scene.flows_held(), 2);
    scene.feature("pg0 ip4 disable");
    scene.feature("pg1 ip4 disable");
    let exported = scene.exported();
    // The initiator's packets came by pg0, and left by pg1: an interface has a flow of its own.
    assert_eq!(all(&exported), [[10, 7, 0, 2, 1], [10, 7, 1, 0, 0]]);
    for record in &exported.records {
        assert_eq!(record["sourceIPv4Address"], "192.168.0.2");
        assert_eq!(record["sourceTransportPort"], 1000);
        assert_eq!(record["destinationTransportPort"], 2000);
        assert_eq!(record["biflowDirection"], 1);
        assert_eq!(record["octetDeltaCount"], 460);
        assert_eq!(record["reverseOctetDeltaCount"], 7 * 46);
        assert_eq!(record["flowStartMilliseconds"], "2026-01-01T00:00:00.000Z");
        assert_eq!(record["reverseFlowStartMilliseconds"], "2026-01-01T00:00:01.000Z");
        assert_eq!(record["flowEndReason"], 4);
    }
}

#[test]
fn who_hears_a_link_sees_both_directions_on_receipt() {
    let scene = scene("biflow-tap", "l2 l3");
    scene.feature("pg0 l2 rx");
    scene.send(3, &format!("{IP4} {UDP}"));
    scene.send(4, &format!("IP4: 02:fe:00:00:00:00 -> 02:00:00:00:00:01 {ANSWERED}"));
    scene.feature("pg0 l2 disable");
    let exported = scene.exported();
    assert_eq!(all(&exported), [[3, 4, 1, 0, 0]]);
    assert_eq!(exported.records[0]["sourceMacAddress"], "02:00:00:00:00:01");
}

#[test]
fn the_initiator_stays_it_over_all_records_of_a_flow() {
    let scene = scene("biflow-records", "l3 l4");
    scene.feature("pg0 ip4 both");
    scene.send(1, &format!("{IP4} {UDP}"));
    answer(&scene, 2);
    scene.lab.advance(16);
    answer(&scene, 5);
    scene.feature("pg0 ip4 disable");
    assert_eq!(all(&scene.exported()), [[0, 5, 1, 0, 0], [1, 2, 1, 0, 0]]);
}

#[test]
fn an_interface_has_both_directions_in_its_records_and_others_do_not() {
    let scene = scene("biflow-own", "l3");
    scene.params("record l3");
    scene.lab.run("flowprobe interface set pg0 ip4 record l3 biflow");
    scene.feature("pg0 ip4 both");
    scene.feature("pg1 ip4 both");
    assert_eq!(
        scene.lab.run("show flowprobe params"),
        " l3 active: 15 passive: 120\n pg0 ip4: l3 biflow\n"
    );
    scene.send(10, &format!("{IP4} {UDP}"));
    answer(&scene, 7);
    // From one that is shown as it is to one that is not, and back.
    scene.lab.run("flowprobe interface set pg0 ip4 default");
    scene.send(3, &format!("{IP4} {UDP}"));
    scene.lab.run("flowprobe interface set pg1 ip4 record l3 biflow");
    scene.send(2, &format!("{IP4} {UDP}"));
    scene.feature("pg0 ip4 disable");
    answer(&scene, 1);
    scene.feature("pg1 ip4 disable");
    let exported = scene.exported();
    let both = exported.records.iter().filter(|r| r.get("biflowDirection").is_some());
    let both: Vec<_> = both.map(told).collect();
    assert_eq!(both, [[10, 7, 1, 0, 0], [2, 1, 0, 2, 1]]);
    assert_eq!(
        exported.packet_sum() + exported.sum("reversePacketDeltaCount", |_| true),
        2 * 22 + 1
    );
}

#[test]
fn both_directions_are_refused_by_their_reason() {
    let scene = Scene::without_collector("biflow-refused");
    let refused = |line: &str| scene.lab.refused(&format!("flowprobe {line}"));
    assert!(refused("params record l4 biflow").contains("add `l3'"));
    assert!(
        refused("params record l3 biflow profile vpp").contains("no records of both directions")
    );
    assert!(refused("interface set pg0 ip4 record l2 biflow").contains("add `l3'"));
    scene.params("record l3 biflow");
    assert_eq!(scene.lab.run("show flowprobe params"), " l3 biflow active: 15 passive: 120\n");
    let json: Value = serde_json::from_str(&scene.lab.run("show flowprobe params json")).unwrap();
    assert_eq!(json["biflow"], true);
}

#[test]
fn tshark_and_ipfix_dump_read_the_reverse_direction() {
    let scene = scene("biflow-judges", "l2 l3 l4");
    scene.feature("pg0 ip4 both");
    scene.send(10, &format!("{IP4} {UDP}"));
    answer(&scene, 7);
    scene.feature("pg0 ip4 disable");
    scene.exported();
    let tshark = Command::new("tshark")
        .args(["-n", "-d", "udp.port==4739,cflow", "-V", "-r"])
        .arg(scene.capture())
        .output();
    if let Ok(output) = tshark {
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(!text.contains("Malformed") && !text.contains("no template found"), "{text}");
        assert!(text.contains("Biflow Direction: Initiator (1)"), "{text}");
        assert!(text.contains("Packets: 10") && text.contains("Packets: 7 (Reverse"), "{text}");
    } else {
        not_run("both directions read by tshark", "tshark is missing");
    }
    let file = scene.capture().with_extension("ipfix");
    fs::write(&file, scene.messages().concat()).unwrap();
    let dump =
        Command::new("timeout").args(["20", "ipfixDump", "--data", "--in"]).arg(&file).output();
    fs::remove_file(&file).unwrap();
    match dump {
        Ok(output) if output.status.code() != Some(127) => {
            let text = String::from_utf8_lossy(&output.stdout);
            let line = text.lines().find(|line| line.contains("reversePacketDeltaCount"));
            assert!(line.is_some_and(|line| line.trim_end().ends_with('7')), "{text}");
        }
        _ => not_run("both directions read by ipfixDump", "ipfixDump is missing"),
    }
}
