//! Frames that come and leave in tunnels.

use std::{collections::BTreeMap, fs, path::Path};

use ipfix_bridge::Tunnel;
use peloton_tests::{program::not_run, tshark};
use vnet::{flow::TunnelKind, interface::SwIfIndex};

use super::scene::{Exported, Scene, capture, udp};

const LOCAL: [u8; 4] = [10, 9, 0, 1];
const REMOTE: [u8; 4] = [10, 9, 0, 2];

/// pg0 is the end of a tunnel of this kind, and so is pg1, to somebody else.
fn scene(kind: TunnelKind, ports: [u16; 2], options: &str) -> Scene {
    let scene = Scene::new();
    scene.configure(&format!("sampling 1 cache_max_flows 100 cache_active_timeout 60 {options}"));
    scene.lab.engine.with(|main| {
        for (interface, remote, key) in [(1, REMOTE, 0x1234), (2, [10, 9, 0, 3], 0x00ff_fffe)] {
            let tunnel = Tunnel { kind, local: LOCAL, remote, ports, key };
            scene.bridge.set_tunnel(main, SwIfIndex(interface), Some(tunnel));
        }
    });
    scene.lab.engine.run_until_idle();
    scene
}

fn told(scene: &Scene) -> Exported {
    scene.send(&[udp([1, 53], 100)]);
    scene.lab.run("ipfix bridge 10 targets none");
    let mut exported = scene.exported();
    exported.records.sort_by_key(|record| record["flowDirection"].as_u64());
    exported
}

#[test]
fn records_tell_of_the_tunnel_by_which_frames_came_and_of_that_by_which_they_leave() {
    let vxlan = (TunnelKind::Vxlan, [4789, 4790], 17, 3);
    let gre = (TunnelKind::Gre, [0, 0], 47, 4);
    let geneve = (TunnelKind::Geneve, [6081, 6082], 17, 3);
    for (kind, ports, protocol, key_len) in [vxlan, gre, geneve] {
        let exported = told(&scene(kind, ports, ""));
        let [came, left] = &exported.records[..] else { panic!("{:?}", exported.records) };
        let ends = |record: &serde_json::Value| {
            let text = |name: &str| record[name].as_str().unwrap().to_owned();
            (text("tunnelSourceIPv4Address"), text("tunnelDestinationIPv4Address"))
        };
        assert_eq!(ends(came), ("10.9.0.2".to_owned(), "10.9.0.1".to_owned()));
        assert_eq!(ends(left), ("10.9.0.1".to_owned(), "10.9.0.3".to_owned()));
        for (record, port, key) in [(came, ports[0], 0x1234_u64), (left, ports[1], 0x00ff_fffe)] {
            assert_eq!(record["template"], 265, "{kind:?}");
            assert_eq!(record["tunnelType"], kind as u8);
            assert_eq!(record["tunnelProtocolIdentifier"], protocol);
            assert_eq!(record["tunnelDestinationTransportPort"], port);
            let octets = &key.to_be_bytes()[8 - key_len..];
            let hex: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
            assert_eq!(record["tunnelKey"], hex, "{kind:?}");
            // The inner frame is what is measured.
            assert_eq!(record["layer2OctetDeltaCount"], 100);
        }
    }
}

#[test]
fn tunnels_of_the_engine_are_told_of_as_they_are_bridged() {
    let scene = Scene::new();
    scene.configure("sampling 1 cache_max_flows 100 cache_active_timeout 60");
    scene.lab.script(
        "set interface l3 pg2
         set interface ip address pg2 192.0.2.1/24
         set ip neighbor pg2 192.0.2.2 02:00:00:00:00:0a
         create vxlan tunnel src 192.0.2.1 dst 192.0.2.2 vni 13
         set interface l2 bridge vxlan_tunnel0 10
         l2fib add 02:00:00:00:00:02 10 vxlan_tunnel0 static",
    );
    let exported = told(&scene);
    assert_eq!(exported.all("template"), [264, 265]);
    let left = &exported.records[1];
    let text = |name: &str| left[name].as_str().unwrap().to_owned();
    assert_eq!(text("tunnelSourceIPv4Address"), "192.0.2.1");
    assert_eq!(text("tunnelDestinationIPv4Address"), "192.0.2.2");
    assert_eq!(text("tunnelKey"), "00000d");
    assert_eq!(
        (&left["tunnelType"], &left["tunnelDestinationTransportPort"]),
        (&1.into(), &4789.into())
    );
}

/// Source ports of datagrams by those of the datagrams in them, as tshark has them.
fn ports_of(file: &Path) -> Option<BTreeMap<u64, u64>> {
    let ports = |which: &str| -> Option<Vec<u64>> {
        let rows = tshark(file, &["-E", &format!("occurrence={which}")], &["udp.srcport"])?;
        Some(rows.iter().map(|row| row[0].parse().unwrap()).collect())
    };
    Some(ports("l")?.into_iter().zip(ports("f")?).collect())
}

/// The same of records of a direction.
fn ports_told(exported: &Exported, direction: u64) -> BTreeMap<u64, u64> {
    let records = exported.records.iter().filter(|r| r["flowDirection"] == direction);
    let ports = ["sourceTransportPort", "tunnelSourceTransportPort"];
    let told = records.filter(|r| r["template"] == 265);
    told.map(|r| ports.map(|port| r[port].as_u64().unwrap()).into()).collect()
}

#[test]
fn the_source_port_of_a_tunnel_is_that_of_the_datagrams_that_tshark_sees() {
    const TEST: &str = "the_source_port_of_a_tunnel_is_that_of_the_datagrams_that_tshark_sees";
    for (create, interface) in [
        ("vxlan tunnel src 192.0.2.1 dst 192.0.2.2", "vxlan_tunnel0"),
        ("geneve tunnel local 192.0.2.1 remote 192.0.2.2", "geneve_tunnel0"),
    ] {
        let scene = Scene::new();
        scene.configure("sampling 1 cache_max_flows 1000 cache_active_timeout 60");
        let file =
            std::env::temp_dir().join(format!("peloton-{interface}-{}.pcap", std::process::id()));
        scene.lab.script(&format!(
            "set interface l3 pg2
             set interface ip address pg2 192.0.2.1/24
             set ip neighbor pg2 192.0.2.2 02:00:00:00:00:0a
             create {create} vni 13
             set interface l2 bridge {interface} 10
             l2fib add 02:00:00:00:00:02 10 {interface} static
             packet-generator capture pg2 pcap {}",
            file.display()
        ));
        let frames: Vec<_> = (1..=20).map(|port| udp([port, 53], 100)).collect();
        scene.send(&frames);
        scene.lab.run("packet-generator capture pg2 disable");
        scene.lab.run("ipfix bridge 10 targets none");
        let Some(seen) = ports_of(&file) else { return not_run(TEST, "tshark is missing") };
        assert_eq!(ports_told(&scene.exported(), 1), seen, "{interface}");
        let several: std::collections::BTreeSet<_> = seen.values().collect();
        assert!(seen.len() == 20 && several.len() > 10 && !seen.values().any(|port| *port == 0));
        // The same datagrams come back from the other end.
        let mut back = frames_of(&file);
        for frame in &mut back {
            frame[..12].rotate_left(6);
            frame[26..34].rotate_left(4);
        }
        fs::write(&file, capture(&back)).unwrap();
        scene.configure("sampling 1 cache_max_flows 1000 cache_active_timeout 60");
        scene.send_by("pg2", &back);
        scene.lab.run("ipfix bridge 10 targets none");
        assert_eq!(ports_told(&scene.exported(), 0), seen, "{interface}");
        fs::remove_file(file).unwrap();
    }
}

/// The frames of a capture of the generator's.
fn frames_of(file: &Path) -> Vec<Vec<u8>> {
    let (pcap, mut frames) = (fs::read(file).unwrap(), Vec::new());
    let mut rest = &pcap[24..];
    while rest.len() > 16 {
        let len = u32::from_le_bytes(rest[8..12].try_into().unwrap()) as usize;
        frames.push(rest[16..16 + len].to_vec());
        rest = &rest[16 + len..];
    }
    frames
}

#[test]
fn without_tunnel_sampling_and_at_other_ports_records_have_no_tunnel() {
    let scene_of = |options| scene(TunnelKind::Vxlan, [4789; 2], options);
    assert_eq!(told(&scene_of("enable-tunnel-sampling false")).all("template"), [264, 264]);
    let scene = scene_of("");
    // What was measured before goes on its way; what comes by an end that is none any more is as any other.
    scene.lab.engine.with(|main| {
        scene.bridge.set_tunnel(main, SwIfIndex(1), None);
    });
    assert_eq!(told(&scene).all("template"), [264, 265]);
}
