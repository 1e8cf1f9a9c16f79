//! Fragments for this machine, and such as are put together on their way.

use peloton_tests::{Lab, START, program::not_run};
use vnet::{random::Random, runtime::Clock};

use crate::{
    cut::{Part, cut4, cut6, echo4, echo6, parts},
    packets::{Ip4, frame, ip6_flow},
    scene::Scene,
};

const LOCAL4: &str = "ip4-local-full-reassembly";
const LOCAL6: &str = "ip6-local-full-reassembly";

/// A router that is known to a host on its first link, which carries 1500 octets.
fn scene() -> Scene {
    let scene = Scene::router();
    scene.lab.script(
        "set ip icmp-error-limit rate 1000
         set ip6 icmp-error-limit rate 1000
         set interface mtu packet 1500 pg0
         set ip neighbor pg0 192.168.0.2 02:00:00:00:00:01
         set ip neighbor pg0 2001:db8::2 02:00:00:00:00:01",
    );
    scene
}

fn send4(scene: &Scene, packet: &Ip4, parts: &[Part]) {
    let frames: Vec<_> = parts.iter().map(|&part| frame(&[], &cut4(packet, part))).collect();
    scene.send("pg0", &frames);
}

fn send6(scene: &Scene, packet: &[u8], parts: &[Part]) {
    let frames: Vec<_> = parts.iter().map(|&part| frame(&[], &cut6(packet, 7, part))).collect();
    scene.send("pg0", &frames);
}

/// Octets of data of each echo reply that left by pg0.
fn replies(scene: &Scene, send: impl FnOnce()) -> Vec<usize> {
    scene.capture("pg0");
    send();
    let captured = scene.captured("pg0");
    let fields =
        ["icmp.type", "icmp.checksum.status", "icmpv6.type", "icmpv6.checksum.status", "data.len"];
    let rows = captured.tshark("echo replies read by tshark", &fields);
    let replies = rows.into_iter().flatten().filter(|row| !row[0].is_empty() || !row[2].is_empty());
    replies
        .map(|row| {
            assert!(row[..2] == ["0", "1"] || row[2..4] == ["129", "1"], "{row:?}");
            row[4].parse().unwrap()
        })
        .collect()
}

#[test]
fn a_fragmented_echo_request_is_answered_by_a_fragmented_reply() {
    let scene = scene();
    for length in [1473, 5000, 20_000, 65_507] {
        let packet = echo4(length as u16, length);
        let got = replies(&scene, || send4(&scene, &packet, &parts(packet.payload.len(), 1480)));
        assert_eq!(got, [length], "{:?}", scene.reasons());
    }
    assert_eq!(scene.lab.error(LOCAL4, "reass-success"), 4);
    assert_eq!(scene.lab.error(LOCAL4, "reass-fragments-reassembled"), 2 + 4 + 14 + 45);
    for length in [1473, 20_000, 65_527 - 8] {
        let packet = echo6(length);
        let got = replies(&scene, || send6(&scene, &packet, &parts(packet.len() - 40, 1448)));
        assert_eq!(got, [length], "{:?}", scene.reasons());
    }
    assert_eq!(scene.lab.error(LOCAL6, "reass-success"), 3);
    scene.assert_nothing_is_lost();
}

#[test]
fn whatever_the_order_and_however_often_a_datagram_comes_together_once() {
    let scene = scene();
    let mut random = Random::new(1);
    let mut below = |n: usize| random.below(n as u32) as usize;
    let mut lengths = Vec::new();
    let mut send = |id| {
        let length = 100 + below(3000);
        lengths.push(length);
        let all = parts(length + 8, 8 * (1 + below(40)).max((length + 8) / 480 + 1));
        let mut order = all.clone();
        for i in (1..order.len()).rev() {
            order.swap(i, below(i + 1));
        }
        // Some come twice, before the last one that was missing.
        let last = order.pop().unwrap();
        let twice: Vec<_> =
            (0..below(4)).filter_map(|_| order.get(below(all.len())).copied()).collect();
        let before = scene.lab.error(LOCAL4, "reass-duplicate-fragment");
        order.extend(&twice);
        order.push(last);
        send4(&scene, &echo4(id, length), &order);
        let duplicates = scene.lab.error(LOCAL4, "reass-duplicate-fragment") - before;
        assert_eq!(duplicates, twice.len() as u64);
    };
    let got = replies(&scene, || (1..=60).for_each(&mut send));
    assert_eq!(got, lengths);
    scene.assert_nothing_is_lost();
}

#[test]
fn attacks_end_under_their_reasons() {
    let long: Vec<Part> = (0..65).map(|n| (16 * n, 8, true)).collect();
    let cases: &[(&str, Vec<Part>, &str, u64)] = &[
        ("teardrop", vec![(0, 64, true), (24, 16, false)], "reass-overlapping-fragment", 2),
        (
            "what comes after",
            vec![(0, 64, true), (24, 16, false), (64, 8, false)],
            "reass-overlapping-fragment",
            3,
        ),
        ("two ends", vec![(64, 8, false), (72, 8, false)], "reass-overlapping-fragment", 2),
        ("the ping of death", vec![(0, 64, true), (65528, 40, false)], "reass-too-big", 1),
        ("nothing in it", vec![(64, 0, false)], "reass-malformed-packet", 1),
        ("an odd length", vec![(0, 20, true)], "reass-invalid-frag-len", 1),
        ("too many", long, "reass-fragment-chain-too-long", 65),
        ("the same again", vec![(0, 64, true), (0, 64, true)], "reass-duplicate-fragment", 1),
    ];
    for (what, parts, reason, count) in cases {
        for (node, is6) in [(LOCAL4, false), (LOCAL6, true)] {
            let scene = scene();
            // The one that ends beyond all others has to have the octets.
            let mut packet = echo4(1, 60_000);
            packet.payload.resize(65_528 + 40, 1);
            let mut long6 = echo6(60_000);
            long6.resize(40 + 65_528 + 40, 1);
            match is6 {
                true => send6(&scene, &long6, parts),
                false => send4(&scene, &packet, parts),
            }
            assert_eq!(
                scene.lab.error(node, reason),
                *count,
                "{what} {node}: {:?}",
                scene.reasons()
            );
            scene.assert_nothing_is_lost();
        }
    }
}

#[test]
fn senders_of_ip6_are_told_what_is_wrong_with_fragments() {
    let scene = scene();
    let packet = echo6(3000);
    let whole = ip6_flow("2001:db8::2", "2001:db8::1", 64, 1, &[1; 100]);
    let mut chain = whole.clone();
    // Destination options that promise more than is there.
    chain[6] = 60;
    chain[40..42].copy_from_slice(&[17, 7]);
    let mut far = whole.clone();
    far.resize(40 + 65_528 + 40, 1);
    // Type, code and pointer of RFC 4443, section 3.4.
    let cases = [
        ("an odd length", cut6(&packet, 1, (0, 20, true)), [4, 0, 4]),
        ("too far", cut6(&far, 2, (65_528, 40, false)), [4, 0, 42]),
        ("headers that go on", cut6(&chain, 3, (0, 24, true)), [4, 3, 0]),
    ];
    for (what, fragment, expected) in cases {
        scene.capture("pg0");
        scene.send("pg0", &[frame(&[], &fragment)]);
        let captured = scene.captured("pg0");
        let message =
            &captured.frames.first().unwrap_or_else(|| panic!("{what}: {:?}", scene.reasons()))
                [54..];
        assert_eq!([message[0], message[1], message[7]], expected, "{what}");
    }
    scene.assert_nothing_is_lost();
}

#[test]
fn what_does_not_become_whole_ends_in_time_and_its_sender_is_told_if_the_first_came() {
    let scene = scene();
    let packet = echo4(1, 4000);
    let packet6 = echo6(4000);
    scene.capture("pg0");
    send4(&scene, &packet, &[(0, 1480, true), (1480, 1480, true)]);
    send4(&scene, &Ip4 { id: 2, ..packet }, &[(1480, 1480, true)]);
    send6(&scene, &packet6, &[(1448, 1448, true), (0, 1448, true)]);
    let shown = scene.lab.run("show ip4-full-reassembly details");
    assert!(shown.contains("src: 192.168.0.2, dst: 192.168.0.1, frag_id: 1, proto: 1"), "{shown}");
    assert!(shown.contains("data_len: 2960"), "{shown}");
    assert!(shown.contains("Current full IP4 reassemblies count: 2"), "{shown}");
    scene.lab.advance(1);
    let shown = scene.lab.run("show ip4-full-reassembly json");
    assert!(shown.contains("\"reassemblies-count\":0"), "{shown}");
    assert_eq!(scene.lab.error("ip4-full-reassembly-expire", "reass-timeout"), 3);
    assert_eq!(scene.lab.error("ip6-full-reassembly-expire", "reass-timeout"), 2);
    let captured = scene.captured("pg0");
    let told: Vec<_> = captured
        .frames
        .iter()
        .map(|f| if f[12] == 8 { [f[34], f[35]] } else { [f[54], f[55]] })
        .collect();
    assert_eq!(told, [[11, 1], [3, 1]], "{:?}", scene.reasons());
    scene.assert_nothing_is_lost();
}

#[test]
fn a_flood_holds_no_more_than_is_configured_and_others_get_through() {
    let scene = scene();
    scene.lab.run("set ip4 reassembly max-reassemblies 16 max-reassembly-length 64");
    let flood: Vec<_> = (0..5000u16)
        .map(|n| {
            let source = std::net::Ipv4Addr::from_bits(0xc0a8_0003 + u32::from(n % 200));
            frame(&[], &cut4(&Ip4 { id: n, source, ..echo4(n, 100) }, (16, 16, true)))
        })
        .collect();
    let through = frame(&[], &Ip4::udp("192.168.0.2", "10.0.0.1").bytes());
    let echo = echo4(9999, 3000);
    let whole: Vec<_> =
        parts(3008, 1480).into_iter().map(|p| frame(&[], &cut4(&echo, p))).collect();
    let mixed: Vec<_> = flood
        .chunks(50)
        .flat_map(|some| [some, std::slice::from_ref(&through), &whole].concat())
        .collect();
    scene.send("pg0", &mixed);
    let held = scene.lab.engine.with(|main| main.pool().owned());
    let threads = scene.lab.engine.with(|main| main.threads());
    assert!(held <= 16 * threads && held > 0, "{held} {:?}", scene.reasons());
    assert_eq!(scene.counter("pg1", "tx packets"), 100);
    assert_eq!(scene.lab.error(LOCAL4, "reass-success"), 100, "{:?}", scene.reasons());
    assert_eq!(scene.lab.error(LOCAL4, "reass-limit-reached"), 5000 - held as u64);
    scene.assert_nothing_is_lost();
}

#[test]
fn an_interface_that_reassembles_forwards_whole_packets() {
    let scene = scene();
    scene.lab.run("set interface reassembly pg0 on");
    let packet = Ip4::flow("192.168.0.2", "10.0.0.1", 1000, &[9; 5000]);
    let packet6 = ip6_flow("2001:db8::2", "2001:db8:10::1", 64, 1000, &[9; 5000]);
    scene.capture("pg1");
    send4(&scene, &packet, &parts(5008, 1480));
    send6(&scene, &packet6, &parts(5008, 1448));
    // Without Ip4's own fragments: what was whole stays so.
    scene.send("pg0", &[frame(&[], &Ip4::udp("192.168.0.2", "10.0.0.1").bytes())]);
    let captured = scene.captured("pg1");
    let lengths: Vec<_> = captured.frames.iter().map(Vec::len).collect();
    assert_eq!(lengths, [14 + 5028, 14 + 5048, 14 + 46]);
    assert_eq!(captured.frames[0][34..], packet.payload);
    assert_eq!(captured.frames[1][54..], packet6[40..]);
    assert_eq!(captured.frames[1][20], 17, "the fragment header has gone");
    captured.tshark("reassembled packets read by tshark", &["frame.number"]);
    scene.lab.run("set interface reassembly pg0 off");
    send4(&scene, &packet, &parts(5008, 1480));
    assert_eq!(scene.counter("pg1", "tx packets"), 3 + 4);
    scene.assert_nothing_is_lost();
}

#[test]
fn datagrams_of_two_tables_are_kept_apart() {
    let scene = scene();
    scene.lab.script(
        "ip table add 7
         create packet-generator interface pg2
         set interface state pg2 up
         set interface ip table pg2 7
         set interface ip address pg2 192.168.0.1/24",
    );
    let packet = echo4(1, 100);
    let to = |part| frame(&[], &cut4(&packet, part));
    scene.send("pg0", &[to((0, 64, true))]);
    let mut other = to((64, 44, false));
    // The packet generator's third interface.
    other[..6].copy_from_slice(&[2, 0xfe, 0, 0, 0, 2]);
    scene.send("pg2", &[other]);
    assert_eq!(scene.lab.error(LOCAL4, "reass-success"), 0);
    let shown = scene.lab.run("show ip4-full-reassembly details");
    assert!(shown.contains("fib_index: 0,") && shown.contains("fib_index: 1,"), "{shown}");
    scene.send("pg0", &[to((64, 44, false))]);
    assert_eq!(scene.lab.error(LOCAL4, "reass-success"), 1);
    scene.assert_nothing_is_lost();
}

#[test]
fn limits_that_cannot_be_are_refused_and_others_shown() {
    let scene = scene();
    let run = |line: &str| scene.lab.run(line);
    assert_eq!(
        run("show ip6-full-reassembly"),
        "---------------------
IP6 reassembly status
---------------------
---------------------
Current full IP6 reassemblies count: 0
Maximum configured concurrent full IP6 reassemblies per worker-thread: 1024
Maximum configured amount of fragments per full IP6 reassembly: 64
Maximum configured full IP6 reassembly timeout: 200ms
Maximum configured full IP6 reassembly expire walk interval: 50ms
"
    );
    run(
        "set ip4 reassembly shallow-virtual timeout 5 max-reassemblies 6 max-reassembly-length 7 expire-walk-interval 8",
    );
    let json = run("show ip4-sv-reassembly json");
    for field in [
        "\"timeout\":5",
        "\"max-reassemblies\":6",
        "\"max-reassembly-length\":7",
        "\"expire-walk-interval\":8",
    ] {
        assert!(json.contains(field), "{json}");
    }
    let refused = |line: &str| scene.lab.refused(line);
    let many = refused("set ip4 reassembly max-reassemblies 65536 max-reassembly-length 64");
    assert!(many.contains("is 4194304: at most 1048576 fragments can wait on a thread"), "{many}");
    let nothing = refused("set ip4 reassembly");
    assert!(nothing.contains("timeout, max-reassemblies, max-reassembly-length"), "{nothing}");
    for (line, says) in [
        ("set ip4 reassembly timeout 86400001", "is out of range, allowed is 0 to 86400000"),
        ("set ip4 reassembly expire-walk-interval 0", "allowed is 1 to 600000"),
        ("set interface reassembly", "interface"),
        ("set interface reassembly pg9 on", "pg9"),
        ("set interface reassembly pg0 sometimes", "sometimes"),
    ] {
        let text = refused(line);
        assert!(text.contains(says), "{line}: {text}");
    }
}

#[test]
fn what_waits_when_limits_change_is_given_up() {
    let scene = scene();
    send4(&scene, &echo4(1, 4000), &[(0, 1480, true)]);
    scene.lab.run("set ip4 reassembly timeout 1000");
    scene.lab.engine.run_until_idle();
    assert_eq!(scene.lab.error("ip4-full-reassembly-expire", "reass-reset"), 1);
    let echo = echo4(2, 3000);
    send4(&scene, &echo, &parts(3008, 1480));
    assert_eq!(scene.lab.error(LOCAL4, "reass-success"), 1);
    scene.assert_nothing_is_lost();
}

#[test]
fn fragments_meet_on_one_worker_whichever_they_come_to() {
    let lab = Lab::with_workers(Clock::virtual_at(START), 2, Vec::new());
    let scene = Scene::with(lab);
    scene.lab.script(
        "set ip neighbor pg0 192.168.0.2 02:00:00:00:00:01
         set ip neighbor pg0 2001:db8::2 02:00:00:00:00:01
         set interface reassembly pg0 ip4
         set interface handoff pg0 workers 0-1",
    );
    // Their ports have first and later fragments come to different workers.
    let udp = |id| Ip4 { id, ..Ip4::flow("192.168.0.2", "10.0.0.1", 1000 + id, &[9; 3000]) };
    for id in 1..=40 {
        send4(&scene, &udp(id), &parts(3008, 1000));
        send4(&scene, &echo4(id, 3000), &parts(3008, 1000));
        let packet = echo6(3000);
        let frames: Vec<_> = parts(3008, 1000)
            .into_iter()
            .map(|p| frame(&[], &cut6(&packet, id.into(), p)))
            .collect();
        scene.send("pg0", &frames);
    }
    let reasons = scene.reasons();
    let count = |node: &str, reason: &str| {
        reasons.get(&(node.to_owned(), reason.to_owned())).copied().unwrap_or(0)
    };
    assert_eq!(count("ip4-full-reassembly-feature", "reass-success"), 80, "{reasons:?}");
    assert_eq!(count(LOCAL6, "reass-success"), 40, "{reasons:?}");
    assert_eq!(scene.counter("pg1", "tx packets"), 40);
    let handed = scene.lab.run("show handoff");
    assert!(handed.contains("ip4-full-reassembly-feature"), "{handed}");
    scene.assert_nothing_is_lost();
}

#[test]
fn captured_datagrams_become_what_tshark_makes_of_them() {
    // Those of the project itself have faults that tshark lets pass.
    let is_real = |path: &std::path::PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        name.is_some_and(|name| name.starts_with("ipv") && name.contains("fragments"))
    };
    let captures: Vec<_> = peloton_tests::replay::captures().into_iter().filter(is_real).collect();
    if captures.is_empty() {
        return not_run("captured fragments", "PELOTON_CAPTURES names no folder with them");
    }
    for path in captures {
        let fields = ["ip.reassembled.data", "ipv6.reassembled.data"];
        let Some(rows) = peloton_tests::tshark(&path, &[], &fields) else {
            return not_run("captured fragments", "tshark is missing");
        };
        let mut expected: Vec<String> =
            rows.into_iter().flatten().filter(|data| !data.is_empty()).collect();
        assert!(!expected.is_empty(), "{}", path.display());
        // tshark puts together what is longer than a datagram may be.
        let all = expected.len();
        expected.retain(|data| data.len() / 2 <= 65_535);
        let too_big = (all - expected.len()) as u64;
        let scene = scene();
        scene.lab.script(
            "set interface reassembly pg0 on
             ip route add 0.0.0.0/0 via 192.168.1.2 pg1
             ip route add ::/0 via 2001:db8:1::2 pg1",
        );
        let mut frames = crate::scene::read_pcap(&path);
        frames.iter_mut().for_each(|frame| frame[..6].copy_from_slice(&crate::packets::PG0));
        scene.capture("pg1");
        scene.send("pg0", &frames);
        let captured = scene.captured("pg1");
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let payload = |frame: &Vec<u8>| match frame[12] {
            8 => hex(&frame[14 + usize::from(frame[14] & 15) * 4..]),
            _ => hex(&frame[54..]),
        };
        let sent: std::collections::BTreeSet<String> =
            captured.frames.iter().map(payload).collect();
        let count: u64 = ["ip4-full-reassembly-feature", "ip6-full-reassembly-feature"]
            .iter()
            .map(|node| scene.lab.error(node, "reass-success"))
            .sum();
        assert_eq!(count, expected.len() as u64, "{}: {:?}", path.display(), scene.reasons());
        let told = scene.lab.error("ip6-full-reassembly-feature", "reass-too-big");
        assert_eq!(told, too_big, "{}: {:?}", path.display(), scene.reasons());
        expected.retain(|data| !sent.contains(data));
        assert!(expected.is_empty(), "{}: {} are others", path.display(), expected.len());
        scene.assert_nothing_is_lost();
    }
}
