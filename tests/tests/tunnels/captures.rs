//! Tunnels of the world: captures from elsewhere, decapsulated, against what tshark finds in them.

use std::path::{Path, PathBuf};

use peloton_tests::{program::not_run, replay::captures, tshark};

use crate::scene::{Scene, read_pcap, write_pcap};

fn capture(name: &str) -> Option<PathBuf> {
    let found = captures().into_iter().find(|path| path.ends_with(name));
    if found.is_none() {
        not_run(&format!("{name} decapsulated"), "PELOTON_CAPTURES names no folder with it");
    }
    found
}

/// The frames of a capture with this outer source, to the router's `pg0`.
fn to_router(capture: &Path, source: [u8; 4]) -> Vec<Vec<u8>> {
    let mut frames = read_pcap(capture);
    frames.retain(|frame| frame[26..30] == source);
    frames.iter_mut().for_each(|frame| frame[..6].copy_from_slice(&crate::packets::PG0));
    frames
}

/// A machine at the end `local` of what comes from `remote`; what is in it leaves by pg1.
fn receiver(local: &str, remote: &str, script: &str) -> Scene {
    Scene::new(
        2,
        &format!(
            "set interface ip address pg0 {local}/32
             ip route add {remote}/32 via pg0
             {script}"
        ),
    )
}

/// What tshark says of the innermost packets of `frames`, which must be what it says of those in `outside`.
fn assert_same_inside(
    scene: &Scene,
    what: &str,
    outside: &[Vec<u8>],
    inside: &[Vec<u8>],
    fields: &[&str],
) {
    let view = |frames: &[Vec<u8>]| {
        let path = scene.path("view.pcap");
        write_pcap(&path, frames);
        tshark(&path, &["-E", "occurrence=l"], fields)
    };
    let (Some(expected), Some(found)) = (view(outside), view(inside)) else {
        return not_run(what, "tshark is missing");
    };
    assert!(expected.iter().any(|row| row.iter().any(|value| !value.is_empty())), "{what}");
    assert_eq!(found, expected, "{what}");
}

const FRAME: [&str; 8] =
    ["eth.src", "eth.dst", "ip.src", "ip.dst", "ip.id", "ip.ttl", "ip.len", "tcp.seq_raw"];

#[test]
fn vxlan_of_a_cloud() {
    let Some(file) = capture("vxlan.pcap") else { return };
    let outside = to_router(&file, [172, 31, 0, 238]);
    let scene = receiver(
        "172.31.17.188",
        "172.31.0.238",
        "create vxlan tunnel src 172.31.17.188 dst 172.31.0.238 vni 5569041
         set interface l2 xconnect vxlan_tunnel0 pg1",
    );
    scene.capture("pg1");
    scene.send("pg0", &outside);
    let inside = scene.captured("pg1").frames.clone();
    assert_eq!(inside.len(), 100, "{:?}", scene.reasons());
    assert_same_inside(&scene, "vxlan.pcap", &outside, &inside, &FRAME);
}

#[test]
fn geneve_with_options() {
    let Some(file) = capture("geneve.pcap") else { return };
    // Those of the one direction have options that are passed over, those of the other one critical ones, which nobody may pass over
    // who does not know them.
    for (local, remote, source, vni, passed) in [
        ("20.0.0.1", "20.0.0.2", [20, 0, 0, 2], 11, true),
        ("20.0.0.2", "20.0.0.1", [20, 0, 0, 1], 10, false),
    ] {
        let outside = to_router(&file, source);
        let scene = receiver(
            local,
            remote,
            &format!(
                "create geneve tunnel local {local} remote {remote} vni {vni}
                 set interface l2 bridge geneve_tunnel0 1
                 set interface l2 bridge pg1 1"
            ),
        );
        scene.capture("pg1");
        scene.send("pg0", &outside);
        let inside = scene.captured("pg1").frames.clone();
        if passed {
            assert_same_inside(&scene, "geneve.pcap", &outside, &inside, &FRAME);
        } else {
            assert_eq!(inside.len(), 0);
            assert_eq!(scene.lab.error("geneve4-input", "critical-option"), outside.len() as u64);
        }
    }
}

#[test]
fn gre_in_gre() {
    let Some(file) = capture("gre-in-gre.pcap") else { return };
    let outside: Vec<_> = to_router(&file, [72, 205, 54, 70])
        .into_iter()
        .filter(|frame| frame[78..82] == [192, 168, 1, 2])
        .collect();
    let scene = receiver(
        "86.106.164.150",
        "72.205.54.70",
        "create gre tunnel src 86.106.164.150 dst 72.205.54.70
         set interface state gre0 up
         set interface unnumbered gre0 use pg0
         create loopback interface
         set interface ip address loop0 10.10.13.2/32
         ip route add 10.10.11.2/32 via gre0
         create gre tunnel src 10.10.13.2 dst 10.10.11.2
         set interface state gre1 up
         set interface unnumbered gre1 use loop0
         set interface ip address pg1 192.168.1.1/24
         set ip neighbor pg1 192.168.1.2 02:00:00:00:00:02",
    );
    scene.capture("pg1");
    scene.send("pg0", &outside);
    let inside = scene.captured("pg1").frames.clone();
    assert_eq!(inside.len(), 312, "{:?}", scene.reasons());
    assert_eq!(scene.counter("gre0", "rx packets"), 312);
    assert_eq!(scene.counter("gre1", "rx packets"), 312);
    // One hop less than in the tunnel.
    let fields = ["ip.src", "ip.dst", "ip.id", "ip.len", "icmp.seq", "icmp.type"];
    assert_same_inside(&scene, "gre-in-gre.pcap", &outside, &inside, &fields);
}
