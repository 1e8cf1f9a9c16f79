//! What features get to know of fragments: `vnet::reassembly`.

use std::sync::{Arc, Mutex};

use peloton_tests::Lab;
use vnet::{
    buffer::Buffer,
    error::NoError,
    fib::Family,
    graph::{FeatureSpec, Map, NoNext, NodeSpec, PacketCx, Slot},
    interface::SwIfIndex,
    plugin::Plugin,
    reassembly::{self, Direction, Layer4},
    trace::NoTrace,
};

use crate::{
    cut::{Part, cut4, cut6, parts},
    packets::{Ip4, frame, ip6, ip6_flow},
    scene::Scene,
};

/// What was known of each packet, in order.
type Seen = Arc<Mutex<Vec<Option<Layer4>>>>;

/// A feature that asks for the ports of packets.
struct Asks(Seen);

impl Map for Asks {
    type Error = NoError;
    type Next = NoNext;
    type Trace = NoTrace;

    fn map(&mut self, cx: &mut PacketCx<'_, NoNext, NoError>, buffer: &mut Buffer) -> Slot<NoNext> {
        self.0.lock().unwrap().push(Layer4::of(buffer));
        cx.next_feature(buffer)
    }

    fn trace(&self, _: &Buffer) -> NoTrace {
        NoTrace
    }
}

const WAYS: [(Family, Direction, &str); 4] = [
    (Family::Ip4, Direction::Input, "asks-ip4-in"),
    (Family::Ip4, Direction::Output, "asks-ip4-out"),
    (Family::Ip6, Direction::Input, "asks-ip6-in"),
    (Family::Ip6, Direction::Output, "asks-ip6-out"),
];

/// A router that asks for ports in `direction`, and who hears them.
fn asking(direction: Direction) -> (Scene, Seen) {
    let seen = Seen::default();
    let of_nodes = seen.clone();
    let plugin = Plugin::new("asks", "1.0", "Asks for ports", move |r| {
        for (family, direction, name) in WAYS {
            let seen = of_nodes.clone();
            r.node(NodeSpec::map(name, move |_| Asks(seen.clone())));
            let feature = FeatureSpec::new(reassembly::arc(family, direction), name);
            r.feature(feature.after(reassembly::node(family, direction)));
        }
        Ok(())
    });
    let scene = Scene::with(Lab::new(vec![plugin]));
    scene.lab.engine.with(|main| {
        let interface = if direction == Direction::Input { "pg0" } else { "pg1" };
        let interface = main.interfaces().find(interface).unwrap();
        for (family, way, name) in WAYS.into_iter().filter(|(_, way, _)| *way == direction) {
            reassembly::enable(main, family, way, interface).unwrap();
            main.enable_feature(reassembly::arc(family, way), name, interface, 0).unwrap();
        }
    });
    (scene, seen)
}

fn heard(seen: &Seen) -> Vec<Layer4> {
    let all = std::mem::take(&mut *seen.lock().unwrap());
    all.into_iter().map(|layer4| layer4.expect("ports are known")).collect()
}

fn send(scene: &Scene, packets: &[Vec<u8>]) {
    scene.send("pg0", &packets.iter().map(|p| frame(&[], p)).collect::<Vec<_>>());
}

#[test]
fn fragments_have_the_ports_of_their_datagram_in_whichever_order_they_come() {
    let udp = Ip4::flow("192.168.0.2", "10.0.0.1", 1000, &[9; 3000]);
    let udp6 = ip6_flow("2001:db8::2", "2001:db8:10::1", 64, 1000, &[9; 3000]);
    for direction in [Direction::Input, Direction::Output] {
        let (scene, seen) = asking(direction);
        let orders: [(u16, &[usize]); 5] = [
            (1, &[0, 1, 2, 3]),
            (2, &[1, 0, 2, 3]),
            (3, &[3, 2, 1, 0]),
            (4, &[2, 3, 0, 0, 1]),
            (5, &[0, 0, 3]),
        ];
        for (id, order) in orders {
            let of4 = |&n: &usize| cut4(&Ip4 { id, ..udp.clone() }, parts(3008, 800)[n]);
            let of6 = |&n: &usize| cut6(&udp6, id.into(), parts(3008, 800)[n]);
            scene.capture("pg1");
            send(&scene, &order.iter().map(of4).chain(order.iter().map(of6)).collect::<Vec<_>>());
            let left = scene.captured("pg1");
            let place = |f: &Vec<u8>| match f[12] {
                8 => usize::from(u16::from_be_bytes([f[20], f[21]]) & 0x1fff) * 8 / 800,
                _ => usize::from(u16::from_be_bytes([f[56], f[57]]) & 0xfff8) / 800,
            };
            let places: Vec<_> = left.frames.iter().map(place).collect();
            assert_eq!(places, [order, order].concat(), "they leave as they came");
            let known = heard(&seen);
            assert_eq!(known.len(), 2 * order.len());
            for (layer4, place) in known.iter().zip(places) {
                let expected = Layer4 {
                    protocol: 17,
                    source: 1000,
                    destination: 2000,
                    is_later: place > 0,
                    ..Layer4::default()
                };
                assert_eq!(*layer4, expected);
            }
        }
        scene.lab.advance(20);
        let shown = scene.lab.run("show ip4-sv-reassembly");
        assert!(shown.contains("Current IP4 reassemblies count: 0"), "{shown}");
        scene.assert_nothing_is_lost();
    }
}

#[test]
fn whole_packets_have_what_they_say_and_trace_says_so() {
    let (scene, seen) = asking(Direction::Input);
    scene.lab.run("trace add pg-input 10");
    let tcp = [&[0, 80, 1, 0][..], &[0; 9], &[0x12, 0, 0, 0, 0, 0, 0]].concat();
    let packet = Ip4 { protocol: 6, payload: tcp, ..Ip4::udp("192.168.0.2", "10.0.0.1") };
    let late = Ip4::flow("192.168.0.2", "10.0.0.1", 1000, &[9; 500]);
    send(&scene, &[packet.bytes()]);
    send(&scene, &[cut4(&late, (256, 252, false)), cut4(&late, (0, 256, true))]);
    let known = heard(&seen);
    assert_eq!((known[0].source, known[0].destination, known[0].tcp_flags), (80, 256, 0x12));
    let trace = scene.lab.run("show trace");
    for line in [
        "[not-fragmented]",
        "reass id: 0, op id: 0 [cached]",
        "reass id: 0, op id: 1 [first-frag-seen, ip proto=17, src_port=1000, dst_port=2000]",
        "[forward, ip proto=17, src_port=1000, dst_port=2000]",
    ] {
        assert!(trace.contains(line), "{line}: {trace}");
    }
    scene.assert_nothing_is_lost();
}

#[test]
fn what_is_to_pass_by_two_beginnings_or_over_the_ports_does_not() {
    let good = Ip4::flow("192.168.0.2", "10.0.0.1", 1000, &[9; 500]);
    let evil = Ip4::flow("192.168.0.2", "10.0.0.1", 6666, &[9; 500]);
    let tcp6 = ip6("2001:db8::2", "2001:db8:10::1", (6, 64), &[0; 200]);
    let chain =
        ip6("2001:db8::2", "2001:db8:10::1", (60, 64), &[[6, 9].as_slice(), &[0; 62]].concat());
    let mut odd = cut4(&good, (256, 64, true));
    odd[3] = 20;
    let ip = crate::packets::checksum(&[&odd[..10], &[0, 0], &odd[12..20]].concat());
    odd[10..12].copy_from_slice(&ip.to_be_bytes());
    let cases: [(&str, Vec<Vec<u8>>, &str, &str); 6] = [
        (
            "another beginning",
            vec![cut4(&good, (0, 64, true)), cut4(&evil, (0, 64, true))],
            "ip4-sv-reassembly-feature",
            "reass-overlapping-fragment",
        ),
        (
            "over the flags",
            vec![cut6(&tcp6, 1, (8, 64, true))],
            "ip6-sv-reassembly-feature",
            "reass-overlapping-fragment",
        ),
        (
            "headers that go on",
            vec![cut6(&chain, 1, (0, 32, true))],
            "ip6-sv-reassembly-feature",
            "reass-no-upper-layer",
        ),
        ("nothing in it", vec![odd], "ip4-sv-reassembly-feature", "reass-malformed-packet"),
        (
            "beyond the longest",
            vec![cut4(&Ip4 { payload: vec![0; 65_600], ..good.clone() }, (65_528, 40, false))],
            "ip4-sv-reassembly-feature",
            "reass-too-big",
        ),
        (
            "never a beginning",
            vec![cut4(&good, (256, 64, true))],
            "ip4-sv-reassembly-expire",
            "reass-timeout",
        ),
    ];
    for (what, packets, node, reason) in cases {
        let (scene, _) = asking(Direction::Input);
        send(&scene, &packets);
        scene.lab.advance(11);
        assert_eq!(scene.lab.error(node, reason), 1, "{what}: {:?}", scene.reasons());
        scene.assert_nothing_is_lost();
    }
}

#[test]
fn a_flood_without_beginnings_is_held_in_bounds_and_others_pass() {
    let (scene, seen) = asking(Direction::Input);
    scene.lab.run("set ip4 reassembly shallow-virtual max-reassemblies 8");
    let packet = Ip4::flow("192.168.0.2", "10.0.0.1", 1000, &[9; 3000]);
    let part = |id, part: Part| cut4(&Ip4 { id, ..packet.clone() }, part);
    let flood: Vec<_> = (0..3000).map(|id| part(id, (1600, 8, true))).collect();
    let four: Vec<_> = (1..5).map(|n| part(9000, (640 * n, 8, true))).collect();
    let good: Vec<_> = [1, 0, 2, 3].map(|n| part(9999, parts(3008, 800)[n])).into();
    let mixed = flood.chunks(100).flat_map(|some| [some, &good].concat()).collect::<Vec<_>>();
    send(&scene, &mixed);
    let (held, threads) = scene.lab.engine.with(|main| (main.pool().owned(), main.threads()));
    assert!(held <= 8 * threads, "{held}");
    assert_eq!(heard(&seen).len(), 30 * 4, "{:?}", scene.reasons());
    let limit = scene.lab.error("ip4-sv-reassembly-feature", "reass-limit-reached");
    assert_eq!(limit + held as u64, 3000);
    scene.lab.advance(11);
    send(&scene, &four);
    let long = scene.lab.error("ip4-sv-reassembly-feature", "reass-fragment-chain-too-long");
    assert_eq!(long, 4, "three wait, and not four");
    scene.assert_nothing_is_lost();
}

#[test]
fn it_is_on_as_long_as_anybody_needs_it() {
    let (scene, _) = asking(Direction::Input);
    let is_on =
        || scene.lab.run("show interface features pg0").contains("ip4-sv-reassembly-feature");
    scene.lab.run("set interface reassembly pg0 on shallow-virtual");
    scene.lab.run("set interface reassembly pg0 off shallow-virtual");
    assert!(is_on(), "the plugin needs it");
    scene.lab.run("set interface reassembly pg0 off shallow-virtual");
    assert!(is_on(), "what is off is not switched off again");
    let pg0: SwIfIndex = scene.lab.engine.with(|main| main.interfaces().find("pg0").unwrap());
    scene.lab.engine.with(|main| {
        reassembly::disable(main, Family::Ip4, Direction::Input, pg0).unwrap();
        assert!(reassembly::disable(main, Family::Ip4, Direction::Input, pg0).is_err());
    });
    assert!(!is_on());
}
