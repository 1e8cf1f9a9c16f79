//! Targets that are there, that are not, and that come later.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use super::scene::{Collector, Exported, Scene, udp, unknown_name};

/// Lets the threads that ask for addresses answer, while the engine's clock stands.
fn settle(scene: &Scene) {
    for _ in 0..20 {
        scene.lab.engine.run_until_idle();
        thread::sleep(Duration::from_millis(2));
    }
    scene.lab.engine.run_until_idle();
}

#[test]
fn a_target_that_cannot_be_resolved_is_harmless() {
    let scene = Scene::new();
    scene.bridge.set_resolver(|_, _| unknown_name());
    scene.lab.run("ipfix bridge 10 targets xyzzy sampling 1 cache_max_flows 10");
    settle(&scene);
    scene.send(&[udp([1, 2], 60)]);
    scene.wait(30);
    settle(&scene);
    assert!(scene.lab.run("show ipfix bridge").contains("inactive"));
    assert!(scene.lab.run("show logging").contains("IPFIX exporter disabled"));
    scene.lab.run("ipfix bridge 10 del");
}

#[test]
fn one_that_cannot_be_resolved_leaves_the_others_working_and_is_tried_again() {
    let scene = Scene::new();
    let later = Collector::new();
    let (is_known, address) = (Arc::new(AtomicBool::new(false)), later.address());
    let knows = is_known.clone();
    scene.bridge.set_resolver(move |name, port| {
        assert_eq!((name, port), ("xyzzy", 4739));
        if knows.load(Ordering::Relaxed) { Ok(address) } else { unknown_name() }
    });
    let target = scene.collector.address();
    scene.lab.run(&format!(
        "ipfix bridge 10 targets xyzzy,{target} sampling 1 enable-output-sampling false cache_max_flows 0"
    ));
    settle(&scene);
    scene.send(&[udp([1, 2], 60)]);
    assert_eq!(scene.exported().records.len(), 1);
    assert!(later.messages().is_empty());
    is_known.store(true, Ordering::Relaxed);
    scene.wait(15);
    settle(&scene);
    scene.send(&[udp([3, 4], 60)]);
    scene.lab.run("ipfix flush");
    let exported = Exported::of(&later.messages());
    assert_eq!((exported.records.len(), exported.templates.len()), (1, 28));
    assert_eq!(exported.messages.last().map(|m| m.1), Some(0));
}

#[test]
fn a_name_that_moves_is_followed_with_templates() {
    let scene = Scene::new();
    let (first, second) = (Collector::new(), Collector::new());
    let (moved, addresses) =
        (Arc::new(AtomicBool::new(false)), [first.address(), second.address()]);
    let has_moved = moved.clone();
    scene
        .bridge
        .set_resolver(move |_, _| Ok(addresses[usize::from(has_moved.load(Ordering::Relaxed))]));
    scene.lab.run(
        "ipfix bridge 10 targets collector sampling 1 enable-output-sampling false cache_max_flows 0",
    );
    settle(&scene);
    scene.send(&[udp([1, 2], 60)]);
    scene.lab.run("ipfix flush");
    assert_eq!(Exported::of(&first.messages()).records.len(), 1);
    moved.store(true, Ordering::Relaxed);
    for _ in 0..62 {
        scene.wait(1);
        settle(&scene);
    }
    scene.send(&[udp([3, 4], 60)]);
    scene.lab.run("ipfix flush");
    let exported = Exported::of(&second.messages());
    assert_eq!((exported.records.len(), exported.templates.len()), (1, 28));
    assert!(first.messages().iter().all(|(_, message)| message[16..18] == [0, 2]));
}

#[test]
fn each_transport_of_the_exporter_will_do() {
    let scene = Scene::new();
    scene.measure_input("cache_max_flows 0");
    let file =
        std::env::temp_dir().join(format!("peloton-ipfix-bridge-{}.ipfix", std::process::id()));
    drop(std::fs::remove_file(&file));
    scene.lab.run(&format!("ipfix collector add bridge-10 file {}", file.display()));
    scene.lab.engine.run_until_idle();
    scene.send(&[udp([1, 2], 60)]);
    scene.lab.run("ipfix flush");
    // A change of targets leaves it there.
    scene.lab.run("ipfix bridge 10 targets none");
    scene.send(&[udp([3, 4], 60)]);
    scene.lab.run("ipfix flush");
    assert!(scene.lab.engine.stop().is_empty());
    let bytes = std::fs::read(&file).unwrap();
    let mut rest = &bytes[..];
    let mut messages = Vec::new();
    while rest.len() > 4 {
        let len = usize::from(u16::from_be_bytes([rest[2], rest[3]]));
        messages.push((0, rest[..len].to_vec()));
        rest = &rest[len..];
    }
    let exported = Exported::of(&messages);
    std::fs::remove_file(&file).unwrap();
    assert_eq!(exported.all("sourceTransportPort"), [1, 3]);
    // Times are by the header that they were written for.
    assert!(exported.all("flowEndDeltaMicroseconds").iter().all(|delta| *delta < 2_000_000));
}

#[test]
fn messages_go_through_the_graph_where_that_is_asked_for() {
    let scene = Scene::new();
    scene.lab.script(
        "create packet-generator interface pg5
         set interface state pg5 up
         set interface ip address pg5 192.168.2.1/24
         set ip neighbor pg5 192.168.2.9 02:00:00:00:00:0c
         ipfix bridge 10 targets 192.168.2.9 sampling 1 enable-output-sampling false cache_max_flows 0
         ipfix exporter set bridge-10 via graph src 192.168.2.1",
    );
    scene.lab.engine.run_until_idle();
    scene.send(&[udp([1, 2], 60)]);
    scene.lab.run("ipfix flush");
    scene.lab.engine.run_until_idle();
    let interfaces = scene.lab.run("show interface pg5");
    assert!(interfaces.contains("tx packets"), "{interfaces}");
}
