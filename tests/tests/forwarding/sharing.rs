//! Flows over several paths.

use std::collections::BTreeSet;

use crate::{
    packets::{Ip4, frame, ip6_flow},
    scene::Scene,
};

const FLOWS: u16 = 4096;

/// pg0 in, pg1 to pg3 out with a neighbour each.
fn fan(routes: &str) -> Scene {
    let scene = Scene::new(4, "");
    for n in 0..4 {
        scene.lab.script(&format!(
            "set interface ip address pg{n} 10.{n}.0.1/24
             set interface ip address pg{n} 2001:db8:{n}::1/64
             set ip neighbor pg{n} 10.{n}.0.2 02:00:00:00:01:0{n}
             set ip neighbor pg{n} 2001:db8:{n}::2 02:00:00:00:01:0{n}"
        ));
    }
    scene.lab.script(routes);
    scene
}

/// Sends a packet of each flow; the source ports that left by each interface.
fn ports(scene: &Scene, packet: impl Fn(u16) -> Vec<u8>) -> [BTreeSet<u16>; 3] {
    for n in 1..=3 {
        scene.capture(&format!("pg{n}"));
    }
    let frames: Vec<_> = (0..FLOWS).map(|flow| frame(&[], &packet(1000 + flow))).collect();
    scene.send("pg0", &frames);
    [1, 2, 3].map(|n| {
        let frames = &scene.captured(&format!("pg{n}")).frames;
        let port = |frame: &Vec<u8>| {
            let header = if frame[14] >> 4 == 4 { usize::from(frame[14] & 15) * 4 } else { 40 };
            let at = 14 + header;
            u16::from_be_bytes([frame[at], frame[at + 1]])
        };
        frames.iter().map(port).collect()
    })
}

fn ip4(port: u16) -> Vec<u8> {
    Ip4::flow("10.0.0.2", "10.9.0.1", port, &[7; 18]).bytes()
}

fn ip6(port: u16) -> Vec<u8> {
    ip6_flow("2001:db8:0::2", "2001:db8:90::1", 9, port, &[7; 18])
}

/// The shares are those of the weights, within four standard deviations of flows that are thrown by dice.
fn assert_shares(found: &[BTreeSet<u16>; 3], weights: [f64; 3]) {
    let (all, sum) = (f64::from(FLOWS), weights.iter().sum::<f64>());
    for (ports, weight) in found.iter().zip(weights) {
        let share = weight / sum;
        let tolerance = 4.0 * (all * share * (1.0 - share)).sqrt();
        let difference = (ports.len() as f64 - all * share).abs();
        assert!(difference <= tolerance, "{} of {all} for {share}", ports.len());
    }
    let together: usize = found.iter().map(BTreeSet::len).sum();
    assert_eq!(together, usize::from(FLOWS), "no flow is lost or takes two paths");
}

#[test]
fn flows_are_shared_by_weight_and_each_keeps_to_its_path() {
    for (weights, words) in [
        ([1.0, 1.0, 1.0], ["", "", ""]),
        ([1.0, 3.0, 0.0], ["", "weight 3", "preference 9"]),
        ([10.0, 5.0, 1.0], ["weight 10", "weight 5", "weight 1"]),
        ([200.0, 55.0, 1.0], ["weight 200", "weight 55", ""]),
    ] {
        let [a, b, c] = words;
        let scene = fan(&format!(
            "ip route add 10.9.0.0/16 via 10.1.0.2 pg1 {a} via 10.2.0.2 pg2 {b} via 10.3.0.2 pg3 {c}
             ip route add 2001:db8:90::/48 via 2001:db8:1::2 pg1 {a} via 2001:db8:2::2 pg2 {b} \
             via 2001:db8:3::2 pg3 {c}"
        ));
        let first = ports(&scene, ip4);
        assert_shares(&first, weights);
        assert_eq!(ports(&scene, ip4), first, "a flow stays on its path");
        let other = |port| {
            let options = vec![1; 4];
            Ip4 { ttl: 9, options, ..Ip4::flow("10.0.0.2", "10.9.0.1", port, &[1; 900]) }.bytes()
        };
        assert_eq!(ports(&scene, other), first, "whatever else its packets have");
        assert_shares(&ports(&scene, ip6), weights);
        scene.assert_nothing_is_lost();
    }
}

#[test]
fn fragments_of_a_datagram_take_one_path() {
    let scene = fan("ip route add 10.9.0.0/16 via 10.1.0.2 pg1 via 10.2.0.2 pg2 via 10.3.0.2 pg3");
    let fragments: Vec<_> = [0x2000, 0x2002, 3]
        .iter()
        .map(|&fragment| Ip4 { fragment, ..Ip4::udp("10.0.0.2", "10.9.0.1") }.bytes())
        .map(|packet| frame(&[], &packet))
        .collect();
    scene.send("pg0", &fragments);
    let sent = [1, 2, 3].map(|n| scene.counter(&format!("pg{n}"), "tx packets"));
    assert!(sent.contains(&3), "{sent:?}");
}

#[test]
fn shares_follow_through_recursive_next_hops() {
    // Half by pg1; the other half is shared 3 to 1 by what leads to the second next hop.
    let scene = fan("ip route add 192.168.7.0/24 via 10.2.0.2 pg2 weight 3 via 10.3.0.2 pg3
         ip route add 10.9.0.0/16 via 10.1.0.2 via 192.168.7.7");
    assert_shares(&ports(&scene, ip4), [4.0, 3.0, 1.0]);
    // What leads nowhere leaves its share to the others.
    scene.lab.run("set interface state pg2 down");
    assert_shares(&ports(&scene, ip4), [1.0, 0.0, 1.0]);
    scene.lab.run("ip route del 192.168.7.0/24");
    assert_shares(&ports(&scene, ip4), [1.0, 0.0, 0.0]);
    scene.assert_nothing_is_lost();
}
