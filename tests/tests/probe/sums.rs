//! What is measured equals what tcpdump has of the same interface at the same time.

use std::{collections::BTreeMap, fs, process::Command};

use peloton_tests::{
    program::{not_run, run},
    replay::assert_equals_tshark,
};
use serde_json::Value;

use crate::pair::{Ended, Pair};

/// Frames with one and with two tags, from one end to the other.
fn tagged(from: u32, to: u32) -> String {
    format!(
        "from scapy.all import Dot1AD, Dot1Q, Ether, IP, UDP, sendp\n\
         packet = IP(src='10.9.7.{from}', dst='10.9.7.{to}') / UDP(sport=7, dport=7) / bytes(100)\n\
         sendp(Ether(dst='02:00:00:00:00:07') / Dot1Q(vlan=7) / packet, iface='eth0', count=9, verbose=False)\n\
         sendp(Ether(dst='02:00:00:00:00:07') / Dot1AD(vlan=8) / Dot1Q(vlan=9) / packet, iface='eth0', count=4, verbose=False)\n"
    )
}

#[test]
fn sums_equal_tsharks_of_a_capture_of_the_same_interface() {
    let Some(pair) = Pair::new("sums of a probe", &["tcpdump", "tshark", "iperf3"]) else { return };
    for (end, other) in [("a", 2), ("b", 1)] {
        // No large packets, which tshark would count as one.
        pair.ip_in(end, "link set eth0 gso_max_segs 1");
        fs::write(pair.path(&format!("{end}.py")), tagged(3 - other, other)).unwrap();
    }
    if !run(pair.command("a", "python3 -c").arg("import scapy.all")).status.success() {
        return not_run("sums of a probe", "scapy is missing");
    }
    for workers in [1, 3] {
        let dump = pair.tcpdump("sums.pcap");
        let probe = pair.probe(&format!("eth0 --json --workers {workers}"));
        pair.ping("10.9.0.2", 20);
        pair.ping("-s 4000 10.9.0.2", 5);
        pair.ping("2001:db8:9::2", 20);
        pair.iperf3("-c 10.9.0.2 -n 4M");
        pair.iperf3("-c 2001:db8:9::2 -n 2M -P 4");
        for end in ["a", "b"] {
            pair.text(end, &format!("python3 {}", pair.path(&format!("{end}.py")).display()));
        }
        pair.iperf3("-c 10.9.0.2 -u -b 20M -n 1M");
        let ended = probe.interrupt();
        assert_eq!((ended.code, ended.stderr.lines().count()), (Some(0), 1), "{}", ended.stderr);
        pair.settle("sums.pcap");
        let dumped = dump.interrupt();
        assert!(dumped.stderr.contains("\n0 packets dropped by kernel"), "{}", dumped.stderr);
        let ours = ended.ours();
        fs::write(pair.path("sums.jsonl"), &ours).unwrap();
        assert_equals_tshark(&pair.path("sums.pcap"), &pair.path("sums.jsonl"));
        // What `a` sent left by its interface, and what it received came by it.
        let index: u64 = pair.text("a", "cat /sys/class/net/eth0/ifindex").trim().parse().unwrap();
        let mut tags = Vec::new();
        for line in ours.lines() {
            let record: Value = serde_json::from_str(line).unwrap();
            let source = record.get("sourceIPv4Address").or(record.get("sourceIPv6Address"));
            let is_sent = source.unwrap().as_str().unwrap().ends_with('1');
            let (there, way) =
                if is_sent { ("egressInterface", 1) } else { ("ingressInterface", 0) };
            assert_eq!(
                (record[there].as_u64(), record["flowDirection"].as_u64()),
                (Some(index), Some(way)),
                "{line}"
            );
            tags.push((record["vlanId"].as_u64(), record["packetDeltaCount"].as_u64()));
        }
        for (tag, packets) in [(7, 9), (8, 4)] {
            let of = (Some(tag), Some(packets));
            assert_eq!(tags.iter().filter(|tagged| **tagged == of).count(), 2, "{ours}");
        }
    }
}

/// Packets and octets of TCP connections, each way, of the records that a probe printed.
pub(crate) fn connections(ended: &Ended) -> BTreeMap<(String, String), (u64, u64)> {
    let mut sums = BTreeMap::new();
    for record in ended.records().iter().filter(|record| record["protocolIdentifier"] == 6) {
        let port = |name: &str| record[name].to_string();
        let key = (port("sourceTransportPort"), port("destinationTransportPort"));
        let sum = sums.entry(key).or_insert((0, 0));
        sum.0 += record["packetDeltaCount"].as_u64().unwrap();
        sum.1 += record["octetDeltaCount"].as_u64().unwrap();
    }
    sums
}

/// The same of what tshark reads in a capture, of the innermost headers: large packets are cut at `mss` octets as the sender would.
pub(crate) fn cut(path: &std::path::Path, mss: u64) -> BTreeMap<(String, String), (u64, u64)> {
    let mut tshark = Command::new("tshark");
    tshark.args(["-n", "-r"]).arg(path).args(["-Y", "tcp", "-T", "fields", "-E", "occurrence=l"]);
    for field in ["tcp.srcport", "tcp.dstport", "ip.hdr_len", "tcp.hdr_len", "tcp.len", "ip.len"] {
        tshark.args(["-e", field]);
    }
    let mut sums = BTreeMap::new();
    for line in String::from_utf8(run(&mut tshark).stdout).unwrap().lines() {
        let words: Vec<&str> = line.split('\t').collect();
        let number = |at: usize| words[at].parse::<u64>().unwrap();
        let packets = number(4).div_ceil(mss).max(1);
        let sum = sums.entry((words[0].to_owned(), words[1].to_owned())).or_insert((0, 0));
        *sum = (sum.0 + packets, sum.1 + number(4) + packets * (number(2) + number(3)));
    }
    sums
}

#[test]
fn large_packets_are_those_for_which_they_stand() {
    let Some(pair) = Pair::new("large packets at a probe", &["tcpdump", "tshark", "iperf3"]) else {
        return;
    };
    let dump = pair.tcpdump("large.pcap");
    let probe = pair.probe("eth0 --json");
    pair.iperf3("-c 10.9.0.2 -n 30M");
    let ended = probe.interrupt();
    pair.settle("large.pcap");
    let dumped = dump.interrupt();
    assert!(dumped.stderr.contains("\n0 packets dropped by kernel"), "{}", dumped.stderr);
    // 1500 octets without the headers of IP and TCP and a time stamp.
    let expected = cut(&pair.path("large.pcap"), 1448);
    assert_eq!(connections(&ended), expected);
    assert!(expected.values().any(|(packets, _)| *packets > 10_000), "{expected:?}");
    let largest = Command::new("tshark")
        .args(["-n", "-r"])
        .arg(pair.path("large.pcap"))
        .args(["-Y", "tcp.len > 1448", "-T", "fields", "-e", "tcp.len"])
        .output()
        .unwrap();
    assert!(!largest.stdout.is_empty(), "there was no large packet");
}

#[test]
fn a_loopback_interface_has_each_packet_once() {
    let Some(pair) = Pair::new("loopback at a probe", &[]) else { return };
    for workers in [1, 3] {
        loopback(&pair, workers);
    }
}

fn loopback(pair: &Pair, workers: usize) {
    let probe = pair.probe(&format!("lo --json --workers {workers}"));
    pair.ping("127.0.0.1", 10);
    pair.ping("::1", 10);
    let ended = probe.interrupt();
    let mut packets = BTreeMap::new();
    for record in ended.records() {
        let kind = record.get("icmpTypeCodeIPv4").or(record.get("icmpTypeCodeIPv6")).unwrap();
        *packets.entry(kind.as_u64().unwrap()).or_insert(0) +=
            record["packetDeltaCount"].as_u64().unwrap();
        assert_eq!(record["flowDirection"], 0);
    }
    let expected = [(0, 10), (8 << 8, 10), (128 << 8, 10), (129 << 8, 10)];
    assert_eq!(packets, BTreeMap::from(expected));
}
