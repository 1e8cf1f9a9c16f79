//! How many packets come, when, and what varies from one to the next.

use std::{collections::HashMap, time::Duration};

use proptest::prelude::*;
use vnet::{
    command::Terminal,
    graph::NodeKind,
    runtime::{NodeState, PacketTime},
    wire::{checksum::Sum, ethernet::MacAddress},
};

use super::{Bed, Seen, scratch, spec};
use crate::pg::{Mode, NewInterface, Offload, StreamSpec, UdpFlows};

const UDP4: &str = "IP4: 1.2.3 -> 4.5.6 UDP: 10.0.0.1 -> 10.0.0.2 UDP: 1000 -> 2000";

fn number(packet: &Seen, at: usize, bytes: usize) -> u64 {
    packet.data[at..at + bytes].iter().fold(0, |n, &b| n << 8 | u64::from(b))
}

fn input_state(bed: &Bed) -> NodeState {
    bed.engine.with(|main| {
        let node = main.graph().find("pg-input").unwrap();
        main.worker().node_state(node, NodeKind::Input)
    })
}

#[test]
fn a_rate_is_kept_exactly_however_long_and_in_whatever_steps() {
    let bed = Bed::new();
    let streams = [("a", 10_000.0), ("b", 0.1), ("c", 333.333_333), ("d", 123_456.7)];
    for (name, rate) in streams {
        let text = format!("name {name} rate {rate} node error-drop data {{ {UDP4} }}");
        bed.engine.with(|m| bed.generator.new_stream(m, spec(&text))).unwrap();
    }
    bed.run("packet-generator enable-stream");
    let mut elapsed = Duration::ZERO;
    for step in [1, 999, 7_000, 13, 1_000_003, 250_000, 3_333_333, 5_408_651] {
        let step = Duration::from_micros(step);
        bed.engine.advance(step);
        elapsed += step;
        for (name, rate) in streams {
            let micro = (rate * 1e6_f64).round() as u128;
            let due = elapsed.as_nanos() * micro / 1_000_000_000_000_000;
            assert_eq!(u128::from(bed.stream(name).count), due, "{name} after {elapsed:?}");
        }
    }
    assert_eq!(elapsed, Duration::from_secs(10));
    assert_eq!(bed.stream("a").count, 100_000);
    bed.assert_no_buffers_used();
}

#[test]
fn a_limit_is_kept_and_then_nothing_polls() {
    let bed = Bed::new();
    assert_eq!(input_state(&bed), NodeState::Disabled);
    bed.run(&format!(
        "packet-generator new {{ name x limit 1000 node error-drop data {{ {UDP4} }} }}"
    ));
    assert_eq!(input_state(&bed), NodeState::Disabled);
    bed.run("packet-generator enable-stream x");
    assert_eq!(input_state(&bed), NodeState::Polling);
    bed.engine.run_until_idle();
    let row = bed.stream("x");
    assert_eq!((row.count, row.enabled), (1000, false));
    assert_eq!(input_state(&bed), NodeState::Disabled);
    // Enabled again it starts again, and disabled it stops where it is.
    bed.run("packet-generator configure x limit 1000000");
    bed.run("packet-generator enable-stream x");
    bed.engine.poll();
    bed.run("packet-generator disable-stream x");
    let count = bed.stream("x").count;
    assert!((256..10_000).contains(&count), "{count}");
    bed.engine.run_until_idle();
    assert_eq!(bed.stream("x").count, count);
    assert_eq!(input_state(&bed), NodeState::Disabled);
}

#[test]
fn no_call_makes_more_than_maxframe() {
    let bed = Bed::new();
    let text = format!("name x maxframe 10 rate 1000 node error-drop data {{ {UDP4} }}");
    bed.engine.with(|m| bed.generator.new_stream(m, spec(&text))).unwrap();
    bed.run("packet-generator enable-stream x");
    bed.engine.advance(Duration::from_millis(95));
    let stats = bed.engine.with(|main| {
        let node = main.graph().find("pg-input").unwrap();
        main.worker().stats(node)
    });
    assert_eq!(stats.vectors, 95);
    // 9 calls of 10, one of 5, and one that finds nothing due, at least.
    assert!(stats.calls >= 10, "{stats:?}");
    assert!(stats.vectors_at_max <= 10, "{stats:?}");
}

#[test]
fn several_streams_share_fairly() {
    let bed = Bed::new();
    for name in ["a", "b", "c"] {
        bed.run(&format!(
            "packet-generator new {{ name {name} node error-drop data {{ {UDP4} }} }}"
        ));
    }
    bed.run(&format!(
        "packet-generator new {{ name d maxframe 32 node error-drop data {{ {UDP4} }} }}"
    ));
    bed.run("packet-generator enable-stream");
    (0..300).for_each(|_| {
        bed.engine.poll();
    });
    let counts: Vec<u64> = ["a", "b", "c", "d"].map(|n| bed.stream(n).count).into();
    let (least, most) = (counts[..3].iter().min().unwrap(), counts[..3].iter().max().unwrap());
    assert!(most - least <= 256, "{counts:?}");
    // All frames are full, and the fourth has an eighth of what each of the others has.
    assert_eq!(counts.iter().sum::<u64>() % 256, 0);
    assert!(counts[3].abs_diff(least / 8) <= 64, "{counts:?}");
    bed.run("packet-generator disable-stream");
}

#[test]
fn streams_of_one_frame_go_each_its_own_way() {
    let bed = Bed::new();
    bed.run("create packet-generator interface pg0");
    for (name, node, limit) in [("a", "pg0", 1000), ("b", "error-drop", 1500), ("c", "pg0", 1000)] {
        let text = format!("name {name} limit {limit} rate 50000 node {node} data {{ {UDP4} }}");
        bed.engine.with(|m| bed.generator.new_stream(m, spec(&text))).unwrap();
    }
    bed.run("packet-generator enable-stream");
    // Two milliseconds make 100 packets of each, which share frames.
    (0..20).for_each(|_| bed.engine.advance(Duration::from_millis(2)));
    let dropped = bed.engine.with(|main| {
        let node = main.graph().find("error-drop").unwrap();
        main.worker().stats(node).vectors
    });
    assert_eq!((bed.generator.sent("pg0").unwrap().packets, dropped), (2000, 1500));
    bed.assert_no_buffers_used();
}

#[test]
fn features_of_the_receiving_interface_come_first() {
    let bed = Bed::new();
    bed.run("create packet-generator interface pg0");
    bed.run("create packet-generator interface pg1");
    for name in ["pg0", "pg1"] {
        let text = format!("name {name} limit 300 interface {name} node pg0 data {{ {UDP4} }}");
        bed.engine.with(|m| bed.generator.new_stream(m, spec(&text))).unwrap();
    }
    bed.engine.with(|main| {
        let pg1 = main.interfaces().find("pg1").unwrap();
        main.enable_feature("device-input", "sink", pg1, 0).unwrap();
    });
    bed.run("packet-generator enable-stream");
    bed.engine.run_until_idle();
    assert_eq!(bed.generator.sent("pg0").unwrap().packets, 300);
    assert_eq!((bed.stream("pg0").count, bed.stream("pg1").count), (300, 300));
    bed.assert_no_buffers_used();
}

#[test]
fn an_exhausted_pool_delays_packets_and_loses_none() {
    for (buffers, text) in [
        (100, format!("size 64-64 node pg0 data {{ {UDP4} incrementing 4 }}")),
        // Four and five buffers a packet: the pool holds 7 packets at most.
        (37, format!("size 8000-9000 node pg0 data {{ {UDP4} }}")),
    ] {
        let bed = Bed::with_buffers(buffers);
        bed.run("create packet-generator interface pg0");
        let text = format!("name x limit 5000 rate 1e6 {text}");
        bed.engine.with(|m| bed.generator.new_stream(m, spec(&text))).unwrap();
        bed.run("packet-generator enable-stream x");
        bed.engine.advance(Duration::from_millis(1));
        assert_eq!(bed.stream("x").count, 1000, "{text}");
        bed.engine.advance(Duration::from_secs(1));
        assert_eq!((bed.stream("x").count, bed.stream("x").enabled), (5000, false), "{text}");
        assert_eq!(bed.generator.sent("pg0").unwrap().packets, 5000);
        bed.assert_no_buffers_used();
    }
}

#[test]
fn values_count_up_and_start_again() {
    let bed = Bed::new();
    bed.run("create packet-generator interface pg0");
    let seen = bed.sent_by(spec(
        "limit 700 size 60-62 node pg0 data { IP4: 1.2.3 -> 4.5.6 vlan 4094-4095 UDP: \
         10.0.0.254-10.0.1.1 -> 10.0.0.2 ttl 1-255 UDP: 65534-65535 -> 7 incrementing 3 }",
    ));
    assert_eq!(seen.len(), 700);
    for (i, packet) in seen.iter().enumerate() {
        assert_eq!(packet.data.len(), 60 + i % 3);
        assert_eq!(number(packet, 14, 2), 4094 + i as u64 % 2, "packet {i}");
        assert_eq!(number(packet, 30, 4), 0x0a00_00fe + i as u64 % 4, "packet {i}");
        assert_eq!(number(packet, 26, 1), 1 + i as u64 % 255, "packet {i}");
        assert_eq!(number(packet, 38, 2), 65534 + i as u64 % 2, "packet {i}");
        assert_eq!(number(packet, 20, 2), 42 + i as u64 % 3, "packet {i}");
        assert_eq!(&packet.data[46..49], [0, 1, 2]);
        assert!(packet.data[49..].iter().all(|&b| b == 0), "packet {i}");
    }
}

#[test]
fn random_values_depend_on_the_seed_alone_and_are_spread_evenly() {
    let drawn = |seed: u64| -> Vec<(u64, u64, usize)> {
        let bed = Bed::new();
        bed.run("create packet-generator interface pg0");
        let seen = bed.sent_by(spec(&format!(
            "limit 20000 seed {seed} size 60+69 node pg0 data {{ IP4: 1.2.3 -> 4.5.6 \
             UDP: 10.0.0.1+10.0.0.10 -> 10.0.0.2 UDP: 0+65535 -> 7 }}"
        )));
        seen.iter().map(|p| (number(p, 26, 4), number(p, 34, 2), p.data.len())).collect()
    };
    let first = drawn(1);
    assert_eq!(first, drawn(1));
    assert_ne!(first, drawn(2));
    let mut addresses: HashMap<u64, u32> = HashMap::new();
    let mut sizes: HashMap<usize, u32> = HashMap::new();
    for &(address, _, size) in &first {
        *addresses.entry(address).or_default() += 1;
        *sizes.entry(size).or_default() += 1;
    }
    // Ten values each, 2000 times on average; 6 standard deviations are 255.
    for (counts, low) in [
        (
            addresses.values().copied().collect::<Vec<_>>(),
            addresses.keys().min() == Some(&0x0a00_0001),
        ),
        (sizes.values().copied().collect(), sizes.keys().min() == Some(&60)),
    ] {
        assert!(low);
        assert_eq!(counts.len(), 10);
        assert!(counts.iter().all(|n| n.abs_diff(2000) < 255), "{counts:?}");
    }
    assert!(first.iter().any(|p| p.1 > 65000) && first.iter().any(|p| p.1 < 500));
    // Fields of one stream do not follow each other.
    let same = first.iter().filter(|p| (p.0 - 0x0a00_0001) == p.1 * 10 / 65536).count();
    assert!(same < 2400, "{same}");
}

#[test]
fn packets_have_the_time_of_sending_and_count_for_their_interface() {
    let bed = Bed::new();
    bed.run("create packet-generator interface pg0");
    bed.run("create packet-generator interface pg1");
    let file = scratch("times");
    bed.run(&format!(
        "packet-generator new {{ name x rate 10 limit 3 interface pg1 node pg0 data {{ {UDP4} }} }}"
    ));
    bed.run(&format!("packet-generator capture pg0 pcap {}", file.display()));
    bed.run("packet-generator enable-stream x");
    (0..4).for_each(|_| bed.engine.advance(Duration::from_millis(100)));
    bed.run("packet-generator capture pg0 disable");
    let times: Vec<_> = super::read(&file).iter().map(|p| p.time).collect();
    let at = |ms: u64| PacketTime(super::START.0 + ms * 1_000_000);
    assert_eq!(times, [at(100), at(200), at(300)]);
    let shown = bed.engine.with(|main| {
        let pg1 = main.interfaces().find("pg1").unwrap();
        main.interface_counters().of(pg1)
    });
    let expected = [("rx packets", 3), ("rx bytes", 3 * 42)].map(|(n, c)| (n.to_owned(), c));
    assert_eq!(shown, expected);
    std::fs::remove_file(file).unwrap();
}

#[test]
fn a_capture_is_replayed_byte_for_byte_with_its_own_times_and_lengths() {
    let bed = Bed::new();
    bed.run("create packet-generator interface pg0");
    let packets: Vec<Vec<u8>> = [60, 1514, 2048, 2049, 9000, 65535]
        .map(|n| (0..n).map(|i| (i % 253) as u8).collect())
        .into();
    let lent = packets.iter().map(Vec::as_slice);
    let once = StreamSpec::from_packets("pg0", lent).unwrap();
    let seen = bed.sent_by(StreamSpec { limit: 8, ..once });
    let expected: Vec<&Vec<u8>> = packets.iter().cycle().take(8).collect();
    assert_eq!(seen.iter().map(|p| &p.data).collect::<Vec<_>>(), expected);
    // From a file: once through without a limit.
    let file = scratch("replayed");
    bed.generator.capture("pg0", &file, None).unwrap();
    let again = StreamSpec::from_packets("pg0", packets.iter().map(Vec::as_slice)).unwrap();
    let name = bed.engine.with(|m| bed.generator.new_stream(m, again)).unwrap();
    bed.run(&format!("packet-generator enable-stream {name}"));
    bed.engine.run_until_idle();
    assert_eq!(bed.generator.stop_capture("pg0").unwrap(), 6);
    let text = format!("name again node pg0 pcap {}", file.display());
    let seen = bed.sent_by(spec(&text));
    assert_eq!(
        seen.iter().map(|p| &p.data).collect::<Vec<_>>(),
        packets.iter().collect::<Vec<_>>()
    );
    let row = bed.stream("again");
    assert_eq!((row.limit, row.count, row.size.min, row.size.max), (6, 6, 60, 65535));
    std::fs::remove_file(file).unwrap();
}

#[test]
fn flows_for_benchmarks_differ_as_asked() {
    let bed = Bed::new();
    bed.run("create packet-generator interface pg0");
    let flows = UdpFlows {
        flows: 100,
        destinations: 1000,
        size: 64,
        source_mac: MacAddress([2, 0, 0, 0, 0, 1]),
        destination_mac: MacAddress([2, 0, 0, 0, 0, 2]),
    };
    let spec = StreamSpec { limit: 5000, ..StreamSpec::udp4_flows("pg0", flows) };
    let seen = bed.sent_by(spec);
    let first = u64::from(UdpFlows::SOURCE4.to_bits());
    let prefixes = u64::from(UdpFlows::DESTINATION4.to_bits()) >> 8;
    for (i, packet) in seen.iter().enumerate() {
        assert_eq!(number(packet, 26, 4), first + i as u64 % 100);
        assert!((prefixes..prefixes + 1000).contains(&number(packet, 30, 3)));
        assert_eq!(packet.data.len(), 64);
    }
    let met: std::collections::HashSet<_> = seen.iter().map(|p| number(p, 30, 3)).collect();
    // Of 1000 prefixes, 5000 draws leave out 1000 * e^-5, about 7.
    assert!(met.len() > 970, "{}", met.len());
    let spec = StreamSpec { limit: 200, ..StreamSpec::udp6_flows("pg0", flows) };
    let seen = bed.sent_by(spec);
    let met: std::collections::HashSet<_> = seen.iter().map(|p| p.data[22..38].to_vec()).collect();
    assert_eq!(met.len(), 100);
}

#[test]
fn a_running_stream_can_be_configured_and_goes_on_counting() {
    let bed = Bed::new();
    bed.run(&format!(
        "packet-generator new {{ name x rate 100 node error-drop data {{ {UDP4} }} }}"
    ));
    bed.run("packet-generator enable-stream x");
    bed.engine.advance(Duration::from_secs(1));
    bed.run("packet-generator configure x rate 1000 size 100-200");
    bed.engine.advance(Duration::from_secs(1));
    assert_eq!(bed.stream("x").count, 1100);
    let refused = bed.refused("packet-generator configure x limit 5 size 10-20");
    assert!(refused.contains("min-size < total header size 42"), "{refused}");
    assert_eq!((bed.stream("x").limit, bed.stream("x").enabled), (0, true));
    bed.run("packet-generator configure x limit 1200");
    bed.engine.advance(Duration::from_secs(1));
    assert_eq!((bed.stream("x").count, bed.stream("x").enabled), (1200, false));
}

#[test]
fn an_interface_of_mode_ip_receives_without_ethernet() {
    let bed = Bed::new();
    let new = NewInterface { number: 5, mac: None, mode: Mode::Ip4, offload: Offload::None };
    bed.engine.with(|m| bed.generator.create_interface(m, new)).unwrap();
    let ip = spec("node ip4-input source pg5 limit 1 data { UDP: 1.1.1.1 -> 2.2.2.2 UDP: 1 -> 2 }");
    let by_mode = StreamSpec { node: None, ..ip };
    let name = bed.engine.with(|m| bed.generator.new_stream(m, by_mode)).unwrap();
    bed.run("trace add pg-input 1");
    bed.run(&format!("packet-generator enable-stream {name}"));
    bed.engine.run_until_idle();
    let trace = bed.run("show trace");
    let expected = "00:00:00:000000: pg-input\n  stream stream0, 28 bytes, sw_if_index 1, next_node ip4-input\n    \
                    current data 0, length 28\n    UDP: 1.1.1.1 -> 2.2.2.2\n";
    assert!(trace.contains(expected), "{trace}");
}

#[test]
fn a_trace_shows_the_stream_the_packet_and_where_it_went() {
    let bed = Bed::new();
    bed.run("create packet-generator interface pg0");
    bed.run(&format!(
        "packet-generator new {{ name flood limit 5 node pg0 data {{ {UDP4} incrementing 8 }} }}"
    ));
    bed.run("trace add pg-input 1");
    bed.run("packet-generator enable-stream flood");
    bed.engine.run_until_idle();
    let trace = bed.run("show trace");
    let block = "    IP4: 00:01:00:02:00:03 -> 00:04:00:05:00:06\n    UDP: 10.0.0.1 -> 10.0.0.2\n      \
                 tos 0x00, ttl 64, length 36, checksum 0x66c7 dscp CS0 ecn NON_ECN\n      \
                 fragment id 0x0000\n    UDP: 1000 -> 2000\n      length 16, checksum 0x";
    let input = format!(
        "pg-input\n  stream flood, 50 bytes, sw_if_index 1, next_node interface-output\n    \
         current data 0, length 50\n{block}"
    );
    assert!(trace.contains(&input), "{trace}");
    let tx = "pg0-tx\n  current data 0, length 50\n";
    assert!(trace.contains(tx), "{trace}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The twin computes checksums from the bytes alone, as a receiver does.
    #[test]
    fn whatever_varies_lengths_and_checksums_are_right(
        tags in 0usize..3,
        transport in 0usize..3,
        v6 in any::<bool>(),
        payload in 0usize..40,
        size in prop_oneof![Just(None), (0usize..5, 0usize..300).prop_map(Some)],
        random in any::<bool>(),
        fields in proptest::collection::vec(any::<bool>(), 8),
    ) {
        let sign = if random { '+' } else { '-' };
        let vary = |i: usize, low: &str, high: &str| {
            if fields[i] { format!("{low}{sign}{high}") } else { low.to_owned() }
        };
        let tag = format!("vlan {} ", vary(0, "5", "4000")).repeat(tags);
        let mac = vary(1, "00:00:00:00:00:ff", "00:00:00:01:00:01");
        let (ethertype, addresses, options) = if v6 {
            let source = vary(2, "2001:db8::ffff", "2001:db8::f:ffff:ffff");
            let options = format!("hop-limit {} traffic-class {}", vary(3, "1", "200"), vary(4, "0", "255"));
            ("IP6", format!("{source} -> {}", vary(5, "::1", "::ffff:0:0:0")), options)
        } else {
            let source = vary(2, "10.0.0.255", "10.1.0.0");
            let options = format!(
                "ttl {} tos {} fragment id {} offset 0", vary(3, "1", "200"), vary(4, "0", "255"), vary(0, "0", "65535"),
            );
            ("IP4", format!("{source} -> {}", vary(5, "1.1.1.1", "223.255.255.255")), options)
        };
        let ports = format!("{} -> {}", vary(6, "0", "65535"), vary(7, "65530", "65535"));
        let (protocol, header) = match (transport, v6) {
            (0, _) => ("UDP", format!("UDP: {ports}")),
            (1, _) => ("TCP", format!("TCP: {ports} seqnum {} SYN", vary(6, "4294967290", "4294967295"))),
            (_, false) => ("ICMP", "ICMP echo_request".to_owned()),
            (_, true) => ("ICMP6", "ICMP echo_request".to_owned()),
        };
        let data = format!(
            "{ethertype}: {mac} -> 1.2.3 {tag}{protocol}: {addresses} {options} {header} incrementing {payload}"
        );
        let l3 = 14 + 4 * tags;
        let l4 = l3 + if v6 { 40 } else { 20 };
        let transport_size = [8, 20, 4][transport];
        let least = l4 + transport_size + payload;
        let (low, high) = match size {
            None => (least, least),
            Some((more, spread)) => (least + more, least + more + spread),
        };
        let bed = Bed::new();
        bed.run("create packet-generator interface pg0");
        let text = format!("limit 150 size {low}{sign}{high} node pg0 data {{ {data} }}");
        let seen = bed.sent_by(spec(&text));
        prop_assert_eq!(seen.len(), 150);
        for packet in &seen {
            let bytes = &packet.data;
            prop_assert!((low..=high).contains(&bytes.len()));
            let length = bytes.len() - l4;
            let (pseudo, protocol) = if v6 {
                prop_assert_eq!(number(packet, l3 + 4, 2) as usize, length);
                let [source, target] = [l3 + 8, l3 + 24].map(|at| bytes[at..at + 16].try_into().unwrap());
                let protocol = bytes[l3 + 6];
                (Sum::EMPTY.pseudo6(source, target, protocol, length as u32), protocol)
            } else {
                prop_assert_eq!(number(packet, l3 + 2, 2) as usize, bytes.len() - l3);
                prop_assert!(Sum::EMPTY.bytes(&bytes[l3..l4]).is_intact(), "{}", text);
                let [source, target] = [l3 + 12, l3 + 16].map(|at| bytes[at..at + 4].try_into().unwrap());
                let protocol = bytes[l3 + 9];
                (Sum::EMPTY.pseudo4(source, target, protocol, length as u16), protocol)
            };
            if protocol == 17 {
                prop_assert_eq!(number(packet, l4 + 4, 2) as usize, length);
                prop_assert_ne!(number(packet, l4 + 6, 2), 0);
            }
            let sum = if protocol == 1 { Sum::EMPTY } else { pseudo };
            prop_assert!(sum.bytes(&bytes[l4..]).is_intact(), "{}", text);
        }
    }
}

#[test]
fn the_engine_runs_beside_a_stream_that_never_ends() {
    let bed = Bed::new();
    bed.run(&format!("packet-generator new {{ name x node error-drop data {{ {UDP4} }} }}"));
    bed.run("packet-generator enable-stream x");
    // A command runs to its end, and another session sees the same streams.
    let other = bed.engine.session(Terminal::PLAIN);
    let reply = bed.engine.execute(&other, b"show packet-generator");
    assert!(reply.text.contains("x                    Yes"), "{}", reply.text);
    bed.run("packet-generator delete x");
    bed.engine.run_until_idle();
    bed.assert_no_buffers_used();
}
