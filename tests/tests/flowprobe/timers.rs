//! When records are made.

use crate::scene::{IP4, Scene, UDP, is};

fn scene(name: &str, params: &str) -> Scene {
    let scene = Scene::new(name, "");
    scene.params(params);
    scene.feature("pg0 ip4 rx");
    scene
}

#[test]
fn an_idle_flow_is_reported_when_the_passive_timer_has_run_out() {
    let scene = scene("idle", "record l3 l4 active 10 passive 10");
    scene.send(3, &format!("{IP4} {UDP}"));
    scene.lab.advance(10);
    assert_eq!(scene.flows_held(), 1);
    scene.lab.advance(6);
    assert_eq!(scene.flows_held(), 0);
    let exported = scene.exported();
    assert_eq!(exported.all("packetDeltaCount"), [3]);
    // Active and passive timer are due together: the active one was first, and nothing is left for the other.
    assert_eq!(exported.all("flowEndReason"), [2]);
}

#[test]
fn a_live_flow_is_reported_when_the_active_timer_has_run_out() {
    let scene = scene("active", "record l3 l4 active 15 passive 60");
    for _ in 0..40 {
        scene.send(1, &format!("{IP4} {UDP}"));
        scene.lab.advance(1);
    }
    scene.lab.advance(100);
    let exported = scene.exported();
    assert_eq!(exported.packet_sum(), 40);
    assert_eq!(exported.all("flowEndReason"), [2, 2, 2]);
    assert_eq!(exported.all("packetDeltaCount"), [15, 15, 10]);
    let starts: Vec<&str> =
        exported.records.iter().map(|r| r["flowStartMilliseconds"].as_str().unwrap()).collect();
    assert_eq!(
        starts,
        ["2026-01-01T00:00:00.000Z", "2026-01-01T00:00:15.000Z", "2026-01-01T00:00:30.000Z"]
    );
}

#[test]
fn a_closed_connection_is_reported_soon() {
    let scene = scene("closed", "record l3 l4");
    let tcp = "TCP: 192.168.0.2 -> 10.0.0.1 TCP: 1 -> 2";
    for flags in ["syn", "ack", "fin ack"] {
        scene.send(1, &format!("{IP4} {tcp} {flags}"));
    }
    scene.lab.advance(8);
    let exported = scene.exported();
    assert_eq!(
        (exported.all("flowEndReason"), exported.all("packetDeltaCount")),
        (vec![3], vec![3])
    );
    assert_eq!(exported.all("tcpControlBits"), [0x13]);
}

#[test]
fn without_an_active_timer_each_packet_is_a_record() {
    let scene = scene("stateless", "record l3 l4 active 0");
    scene.send(4, &format!("{IP4} {UDP}"));
    scene.lab.advance(1);
    scene.send(4, &format!("{IP4} {UDP}"));
    assert_eq!(scene.flows_held(), 0);
    scene.lab.run("ipfix flush");
    let exported = scene.exported();
    assert_eq!(exported.all("packetDeltaCount"), [1; 8]);
    let early = is("flowStartMilliseconds", "2026-01-01T00:00:00.000Z");
    let late = is("flowStartMilliseconds", "2026-01-01T00:00:01.000Z");
    assert_eq!(
        (exported.sum("packetDeltaCount", early), exported.sum("packetDeltaCount", late)),
        (4, 4)
    );
}

#[test]
fn a_passive_timer_of_zero_never_ends_a_flow() {
    let scene = scene("never", "record l3 active 5 passive 0");
    scene.send(2, &format!("{IP4} {UDP}"));
    scene.lab.advance(3600);
    assert_eq!(scene.flows_held(), 1);
    assert_eq!(scene.exported().all("flowEndReason"), [2]);
}
