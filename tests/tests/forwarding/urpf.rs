//! uRPF: packets whose sources are elsewhere.

use crate::{
    packets::{Ip4, frame, ip6_udp},
    scene::Scene,
};

/// Of these sources, those whose packets pass from pg0 to pg1.
fn passing(scene: &Scene, sources: &[&'static str]) -> Vec<&'static str> {
    let passes = |source: &&&'static str| {
        let packet = match source.contains(':') {
            true => ip6_udp(source, "2001:db8:10::1", 9, 20),
            false => Ip4::udp(source, "10.0.0.1").bytes(),
        };
        // What is of its link comes as far as the rewrite.
        let passed =
            || scene.counter("pg1", "tx packets") + scene.lab.error("ip6-rewrite", "beyond-scope");
        let before = passed();
        scene.send("pg0", &[frame(&[], &packet)]);
        passed() > before
    };
    sources.iter().filter(passes).copied().collect()
}

const IP4: [&str; 5] = ["192.168.0.2", "10.9.9.9", "172.16.0.1", "11.0.0.1", "192.168.1.1"];
const IP6: [&str; 4] = ["2001:db8::2", "2001:db8:10::9", "3001::1", "fe80::9"];

fn scene() -> Scene {
    let scene = Scene::router();
    scene.lab.script(
        "set ip neighbor pg0 192.168.0.9 02:00:00:00:00:19
         ip route add 172.16.0.0/16 via 192.168.0.9 pg0 via 192.168.1.2 pg1
         ip table add 7
         ip route add 11.0.0.0/8 table 7 via 192.168.0.9 pg0",
    );
    scene
}

#[test]
fn strict_takes_what_is_reached_by_the_same_interface_and_loose_what_is_reached_at_all() {
    let scene = scene();
    assert_eq!(passing(&scene, &IP4), IP4);
    scene.lab.run("set urpf ip4 rx strict pg0");
    scene.lab.run("set urpf ip6 rx strict pg0");
    // One of several ways is enough; our own addresses are nobody else's.
    assert_eq!(passing(&scene, &IP4), ["192.168.0.2", "172.16.0.1"]);
    assert_eq!(passing(&scene, &IP6), ["2001:db8::2", "fe80::9"]);
    assert_eq!(scene.lab.error("ip4-rx-urpf-strict", "urpf-drop"), 3);
    scene.lab.run("set urpf ip4 rx loose pg0");
    scene.lab.run("set urpf ip6 rx loose pg0");
    assert_eq!(passing(&scene, &IP4), ["192.168.0.2", "10.9.9.9", "172.16.0.1"]);
    assert_eq!(passing(&scene, &IP6), ["2001:db8::2", "2001:db8:10::9", "fe80::9"]);
    assert_eq!(
        scene.lab.run("show urpf"),
        "Interface                       Family  Mode    \n\
         pg0                             ip4     loose   \n\
         pg0                             ip6     loose   \n"
    );
    scene.lab.run("set urpf ip4 rx strict pg0 table 7");
    assert_eq!(passing(&scene, &IP4), ["11.0.0.1"]);
    scene.lab.run("set urpf ip4 off pg0");
    assert_eq!(passing(&scene, &IP4), IP4);
    scene.assert_nothing_is_lost();
}

#[test]
fn what_cannot_be_checked_is_refused() {
    let scene = scene();
    let refused = scene.lab.refused("set urpf ip4 rx strict pg0 table 8");
    assert!(refused.contains("no ip4 table 8"), "{refused}");
    let refused = scene.lab.refused("set urpf ip4 tx strict pg0");
    assert!(refused.contains("`tx'"), "{refused}");
    let refused = scene.lab.refused("set urpf strict pg9");
    assert!(refused.contains("pg9"), "{refused}");
}
