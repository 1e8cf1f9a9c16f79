//! What is left to be done to packets, and segments put together: as tshark finds it.

use std::{path::PathBuf, time::Duration};

use serde_json::Value as Json;
use vnet::{
    plugin::Engine,
    wire::{checksum, checksum::Sum},
};

use super::{
    Bed, StreamSpec,
    oracle::{not_run, tshark},
    read, scratch,
};

/// What tshark says of packets of TCP: whether their checksums are right, where they begin, and what they carry.
const FIELDS: [&str; 5] = [
    "ip.checksum.status",
    "tcp.checksum.status",
    "udp.checksum.status",
    "tcp.seq_raw",
    "tcp.payload",
];

/// A segment with these octets, over IPv4 that nobody may cut, or IPv6.
fn segment(is_ip6: bool, sequence: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut tcp = vec![0x04, 0xd2, 0x10, 0xe1];
    tcp.extend(sequence.to_be_bytes());
    tcp.extend([0, 0, 0, 9, 0x50, flags, 0x20, 0, 0, 0, 0, 0]);
    tcp.extend(payload);
    let (mut packet, pseudo) = match is_ip6 {
        true => {
            let mut packet = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x86, 0xdd, 0x60, 0, 0, 0];
            packet.extend((tcp.len() as u16).to_be_bytes());
            packet.extend([6, 64]);
            packet.extend([[0xfd; 16], [0xfc; 16]].concat());
            (packet, Sum::EMPTY.pseudo6([0xfd; 16], [0xfc; 16], 6, tcp.len() as u32))
        }
        false => {
            let mut ip = vec![0x45, 0];
            ip.extend((20 + tcp.len() as u16).to_be_bytes());
            ip.extend([0, 1, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
            let sum = checksum::of(&ip);
            ip[10..12].copy_from_slice(&sum.to_be_bytes());
            let packet = [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0], &ip[..]].concat();
            (packet, Sum::EMPTY.pseudo4([10, 0, 0, 1], [10, 0, 0, 2], 6, tcp.len() as u16))
        }
    };
    let sum = pseudo.bytes(&tcp).checksum();
    tcp[16..18].copy_from_slice(&sum.to_be_bytes());
    packet.extend(tcp);
    packet
}

const ACK: u8 = 0x10;

/// Octets of a stream, from the first one on.
fn octets(n: usize) -> Vec<u8> {
    (0..n).map(|i| (i * 7 + i / 251) as u8).collect()
}

/// The segments of a stream of `n` times `size` octets.
fn stream(is_ip6: bool, n: usize, size: usize) -> Vec<Vec<u8>> {
    let all = octets(n * size);
    let parts = all.chunks(size).enumerate();
    parts.map(|(i, part)| segment(is_ip6, (i * size) as u32, ACK, part)).collect()
}

/// An engine with these interfaces up, each made with its words.
fn bed(interfaces: &[&str]) -> Bed {
    with(Bed::new(), interfaces)
}

fn with(bed: Bed, interfaces: &[&str]) -> Bed {
    for (i, words) in interfaces.iter().enumerate() {
        bed.run(&format!("create packet-generator interface pg{i} {words}"));
        bed.run(&format!("set interface state pg{i} up"));
    }
    bed
}

/// Sends packets from `pg0` by `to`.
fn send(bed: &Bed, to: &str, packets: &[Vec<u8>]) {
    let spec = StreamSpec::from_packets(to, packets.iter().map(Vec::as_slice)).unwrap();
    let name = bed.engine.with(|main| bed.generator.new_stream(main, spec)).unwrap();
    bed.engine.with(|main| bed.generator.enable(main, Some(&name))).unwrap();
    bed.engine.run_until_idle();
    bed.run(&format!("packet-generator delete {name}"));
}

/// Starts a capture.
fn capture(bed: &Bed, interface: &str) -> PathBuf {
    let file = scratch("offloads");
    bed.generator.capture(interface, &file, None).unwrap();
    file
}

/// Lengths of the packets of a capture. tshark finds their checksums right, and that together they carry the octets of the stream.
fn check(test: &str, file: PathBuf, octets: &[u8]) -> Vec<usize> {
    let lengths = read(&file).iter().map(|seen| seen.data.len()).collect();
    match tshark(&file, &FIELDS) {
        None => not_run(test, "tshark is missing"),
        Some(packets) => {
            let mut carried = vec![None; octets.len()];
            for packet in &packets {
                assert!(
                    packet[..3].iter().all(|status| status.is_empty() || status == "1"),
                    "{packet:?}"
                );
                assert_eq!(packet[1], "1", "{packet:?}");
                let first: usize = packet[3].parse().unwrap();
                let pairs = packet[4].as_bytes().chunks(2);
                let bytes = pairs
                    .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap());
                for (i, byte) in bytes.enumerate() {
                    assert_eq!(carried[first + i].replace(byte), None, "carried twice");
                }
            }
            assert!(carried.iter().zip(octets).all(|(carried, octet)| *carried == Some(*octet)));
        }
    }
    std::fs::remove_file(file).unwrap();
    lengths
}

#[test]
fn checksums_left_to_others_are_made_before_a_packet_leaves() {
    for words in ["csum-offload-enabled", "gso-enabled gso-size 1460"] {
        let bed = bed(&[words, ""]);
        let file = capture(&bed, "pg1");
        // What the field held does not matter.
        for layer in ["UDP", "TCP"] {
            for (outer, from, to) in
                [("IP4", "10.0.0.1", "10.0.0.2"), ("IP6", "fd00::1", "fd00::2")]
            {
                let data = format!(
                    "{outer}: 1.2.3 -> 4.5.6 {layer}: {from} -> {to} {layer}: 1 -> 2 checksum 7 incrementing 30"
                );
                bed.run(&format!(
                    "packet-generator new {{ name x limit 3 size 150-152 node pg1 data {{ {data} }} }}"
                ));
                bed.run("packet-generator enable-stream x");
                bed.engine.run_until_idle();
            }
        }
        assert_eq!(bed.generator.stop_capture("pg1").unwrap(), 12);
        assert!(bed.run("show errors").contains("checksums made"));
        let Some(packets) = tshark(&file, &FIELDS[..3]) else {
            return not_run("checksums_left_to_others_are_made", "tshark is missing");
        };
        for packet in packets {
            let right = packet[1] == "1" || packet[2] == "1";
            assert!(right && !packet.contains(&"0".to_owned()), "{packet:?}");
        }
        std::fs::remove_file(file).unwrap();
        bed.assert_no_buffers_used();
    }
}

#[test]
fn what_is_no_packet_of_its_own_is_sent_as_it_is() {
    let bed = bed(&["gso-enabled gso-size 1000", ""]);
    let mut wrong = segment(false, 0, ACK, &octets(100));
    wrong[50] ^= 1;
    let mut fragment = wrong.clone();
    fragment[20] = 0x20;
    let mut padded = wrong.clone();
    padded.push(0);
    let packets = [vec![1; 60], fragment, padded, wrong[..100].to_vec()];
    let file = capture(&bed, "pg1");
    send(&bed, "pg1", &packets);
    bed.generator.stop_capture("pg1").unwrap();
    let seen: Vec<_> = read(&file).into_iter().map(|seen| seen.data).collect();
    assert_eq!(seen, packets);
    std::fs::remove_file(file).unwrap();
}

#[test]
fn large_packets_leave_whole_where_they_may_and_are_cut_elsewhere() {
    let test = "large_packets_leave_whole_where_they_may";
    for is_ip6 in [false, true] {
        let bed = bed(&["gso-enabled gso-size 1460", "gso-enabled gso-size 9000", ""]);
        let octets = octets(20_000);
        let large = [segment(is_ip6, 0, ACK | 8, &octets)];
        let headers = large[0].len() - octets.len();
        let (whole, cut) = (capture(&bed, "pg1"), capture(&bed, "pg2"));
        send(&bed, "pg1", &large);
        send(&bed, "pg2", &large);
        bed.generator.stop_capture("pg1").unwrap();
        bed.generator.stop_capture("pg2").unwrap();
        assert_eq!(check(test, whole, &octets), [headers + 20_000]);
        let mut expected = vec![headers + 1460; 13];
        expected.push(headers + 20_000 - 13 * 1460);
        assert_eq!(check(test, cut, &octets), expected);
        // Counters count what is on the wire.
        let shown = bed.run("show interface pg0");
        assert!(shown.contains("rx packets                    28"), "{shown}");
        for interface in ["pg1", "pg2"] {
            let shown = bed.run(&format!("show interface {interface}"));
            assert!(shown.contains("tx packets                    14"), "{shown}");
            let bytes = 20_000 + 14 * headers;
            assert!(shown.contains(&format!("tx bytes {bytes:>23}")), "{shown}");
        }
        bed.assert_no_buffers_used();
    }
}

#[test]
fn segments_that_follow_each_other_leave_as_large_packets_and_none_waits_for_ever() {
    let test = "segments_that_follow_each_other_leave_as_large_packets";
    for is_ip6 in [false, true] {
        let bed = bed(&["", "gso-enabled gso-size 1460 coalesce-enabled"]);
        let packets = stream(is_ip6, 124, 1460);
        let headers = packets[0].len() - 1460;
        let file = capture(&bed, "pg1");
        send(&bed, "pg1", &packets);
        assert_eq!(bed.generator.sent("pg1").unwrap().packets, 2);
        let shown = bed.run("show packet-generator interface pg1");
        let line =
            "    flow-table: size 1 gro-total-vectors 124 gro-n-vectors 2 gro-average-rate 62.00\n";
        assert!(shown.contains(line), "{shown}");
        assert!(
            shown.contains("    waiting 36, large packets 2 of 88 segments, without buffers 0\n")
        );
        // Nothing comes any more, and time alone goes by.
        bed.engine.advance(Duration::from_micros(9));
        assert_eq!(bed.generator.sent("pg1").unwrap().packets, 2);
        bed.engine.advance(Duration::from_micros(1));
        assert_eq!(bed.generator.sent("pg1").unwrap().packets, 3);
        bed.generator.stop_capture("pg1").unwrap();
        let expected = [44, 44, 36].map(|n| headers + n * 1460);
        assert_eq!(check(test, file, &octets(124 * 1460)), expected);
        let shown = bed.run("show interface pg1");
        assert!(shown.contains("tx packets                   124"), "{shown}");
        let errors = bed.run("show errors");
        assert!(errors.contains("large packets made of segments"), "{errors}");
        bed.assert_no_buffers_used();
    }
}

#[test]
fn what_waits_is_sent_when_it_is_switched_off_goes_down_is_deleted_or_the_engine_ends() {
    let test = "what_waits_is_sent_when_it_is_switched_off";
    let ends: [(&str, fn(&Bed)); 4] = [
        ("off", |bed| {
            let pg1 = bed.engine.with(|main| main.interfaces().find("pg1")).unwrap();
            bed.engine.with(|main| bed.generator.set_coalescing(main, pg1, false)).unwrap();
            assert!(bed.run("show packet-generator interface pg1").contains("coalesce_enabled: 0"));
        }),
        ("down", |bed| {
            bed.run("set interface state pg1 down");
        }),
        ("deleted", |bed| {
            bed.run("delete packet-generator interface pg1");
        }),
        ("end", |bed| assert!(bed.engine.stop().is_empty())),
    ];
    for (end, run) in ends {
        let bed = bed(&["", "gso-enabled gso-size 1460 coalesce-enabled"]);
        let file = capture(&bed, "pg1");
        send(&bed, "pg1", &stream(false, 5, 1000));
        let shown = bed.run("show packet-generator interface pg1");
        assert!(shown.contains("    waiting 5,"), "{shown}");
        run(&bed);
        assert_eq!(check(test, file, &octets(5000)), [54 + 5000], "{end}");
        bed.assert_no_buffers_used();
        if end == "down" {
            // It goes on when it is up again.
            bed.run("set interface state pg1 up");
            send(&bed, "pg1", &stream(false, 5, 1000));
            assert!(bed.run("show packet-generator interface pg1").contains("waiting 5,"));
            bed.engine.advance(Duration::from_micros(10));
        }
        bed.assert_no_buffers_used();
    }
}

#[test]
fn segments_of_several_workers_wait_side_by_side() {
    let test = "segments_of_several_workers_wait_side_by_side";
    let bed = Bed::built(Engine::builder().workers(2));
    let bed = with(bed, &["", "gso-enabled gso-size 1460 coalesce-enabled"]);
    let file = capture(&bed, "pg1");
    for (worker, is_ip6) in [(0, false), (1, true)] {
        // Each has its half of the numbers.
        let all = octets(600_000);
        let half = worker as usize * 300_000;
        let parts = all[half..half + 300_000].chunks(1000).enumerate();
        let packets: Vec<_> =
            parts.map(|(i, part)| segment(is_ip6, (half + i * 1000) as u32, ACK, part)).collect();
        let packets = packets.iter().map(Vec::as_slice);
        let spec = StreamSpec { worker, ..StreamSpec::from_packets("pg1", packets).unwrap() };
        bed.engine.with(|main| bed.generator.new_stream(main, spec)).unwrap();
    }
    bed.engine.with(|main| bed.generator.enable(main, None)).unwrap();
    bed.engine.run_until_idle();
    bed.engine.advance(Duration::from_micros(20));
    bed.generator.stop_capture("pg1").unwrap();
    let lengths = check(test, file, &octets(600_000));
    assert!(lengths.len() < 20, "{lengths:?}");
    bed.assert_no_buffers_used();
}

#[test]
fn a_traced_segment_shows_where_it_began_to_wait() {
    let bed = bed(&["", "gso-enabled gso-size 1460 coalesce-enabled"]);
    bed.run("trace add pg-input 5");
    send(&bed, "pg1", &stream(false, 2, 1000));
    bed.engine.advance(Duration::from_micros(10));
    let trace = bed.run("show trace");
    assert_eq!(trace.matches("pg1-tx\n").count(), 2, "{trace}");
}

#[test]
fn what_an_interface_offloads_is_shown_and_what_contradicts_itself_is_refused() {
    let bed =
        bed(&["", "csum-offload-enabled", "gso-enabled gso-size 1460 coalesce-enabled mode ip4"]);
    let shown = |name: &str| bed.run(&format!("show packet-generator interface {name}"));
    assert_eq!(
        shown("pg1"),
        "Interface: pg1\n  id: 1\n  mode: ethernet\n  hw-addr: 02:fe:00:00:00:01\n  csum_offload_enabled: 1\n  \
         gso_enabled: 0\n  coalesce_enabled: 0\n"
    );
    assert_eq!(
        shown("pg2"),
        "Interface: pg2\n  id: 2\n  mode: ip4\n  csum_offload_enabled: 0\n  gso_enabled: 1\n    gso_size: 1460\n  \
         coalesce_enabled: 1\n    flow-table: size 0 gro-total-vectors 0 gro-n-vectors 0 gro-average-rate 0.00\n    \
         waiting 0, large packets 0 of 0 segments, without buffers 0\n"
    );
    let json: Json = serde_json::from_str(&shown("pg2 json")).unwrap();
    assert_eq!((&json["gso_size"], &json["coalesce_enabled"]), (&1460.into(), &true.into()));
    let hardware = bed.run("show hardware-interfaces");
    assert!(hardware.contains("  offloads (checksum) on\n"), "{hardware}");
    let line = "  offloads (checksum, gso) on, gso size 1460, segments are coalesced\n";
    assert!(hardware.contains(line), "{hardware}");
    for (words, expected) in [
        ("gso-enabled", "gso enabled but gso size missing"),
        ("gso-size 5", "`gso-size' without `gso-enabled'"),
        ("coalesce-enabled", "`coalesce-enabled' without `gso-enabled'"),
        ("csum-offload-enabled coalesce-enabled", "`coalesce-enabled' without `gso-enabled'"),
        ("gso-enabled gso-size 65536", "65536"),
    ] {
        let refused = bed.refused(&format!("create packet-generator interface pg9 {words}"));
        assert!(refused.contains(expected), "{words}: {refused}");
    }
    let refused = bed.refused("show packet-generator interface local0");
    assert!(refused.contains("Please specify packet-generator interface"), "{refused}");
    let pg1 = bed.engine.with(|main| main.interfaces().find("pg1")).unwrap();
    let refused = bed.engine.with(|main| bed.generator.set_coalescing(main, pg1, true));
    assert_eq!(refused.unwrap_err().to_string(), "interface `pg1' was made without gso");
}
