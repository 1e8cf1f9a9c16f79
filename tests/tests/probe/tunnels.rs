//! What tunnels carry.

use std::{fs, process::Command};

use peloton_tests::{
    program::{has, peloton, run, workspace},
    replay::captures,
};

use crate::{
    pair::Pair,
    sums::{connections, cut},
};

/// Holds records of what tunnels carry against tshark's of the innermost IP headers.
fn assert_equals_tshark(capture: &std::path::Path, records: &std::path::Path) -> String {
    let script = workspace().join("tests/oracle/inner.py");
    let compared = run(Command::new("python3").arg(script).args([capture, records]));
    let said = String::from_utf8_lossy(&compared.stdout).into_owned();
    assert!(compared.status.success(), "{said}{}", String::from_utf8_lossy(&compared.stderr));
    said
}

/// Tunnels of all kinds, as scapy writes them.
const TUNNELS: &str = r#"
import sys
from scapy.all import *
from scapy.contrib.gtp import GTP_U_Header, GTPPDUSessionContainer
from scapy.contrib.geneve import GENEVE
from scapy.layers.vxlan import VXLAN
link = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
v4, v6 = IP(src="192.0.2.1", dst="192.0.2.2"), IPv6(src="2001:db8::1", dst="2001:db8::2")
def carried():
    yield IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=1111, dport=53) / b"question"
    yield IP(src="10.0.0.1", dst="10.0.0.2") / TCP(sport=2222, dport=80, flags="S")
    yield IPv6(src="fd00::1", dst="fd00::2") / UDP(sport=3333, dport=53) / b"question"
    yield IP(src="10.0.0.1", dst="10.0.0.2") / ICMP()
packets = []
for outer in (v4, v6):
    for inner in carried():
        kind = 0x0800 if IP in inner else 0x86dd
        packets.append(link / outer / inner)
        packets.append(link / Dot1Q(vlan=5) / outer / inner)
        packets.append(link / outer / GRE(proto=kind) / inner)
        packets.append(link / outer / GRE(proto=kind, key_present=1, key=7, seqnum_present=1, seqence_number=9) / inner)
        packets.append(link / outer / GRE(proto=0x6558) / link / inner)
        packets.append(link / outer / UDP(sport=4444, dport=4789) / VXLAN(vni=7, flags=8) / link / Dot1Q(vlan=9) / inner)
        packets.append(link / outer / UDP(sport=4444, dport=6081) / GENEVE(vni=7, proto=0x6558) / link / inner)
        packets.append(link / outer / UDP(sport=2152, dport=2152) / GTP_U_Header(teid=7, gtp_type=255) / inner)
        packets.append(link / outer / UDP(sport=2152, dport=2152) / GTP_U_Header(teid=7, gtp_type=255, S=1, seq=3) / inner)
        packets.append(link / outer / UDP(sport=2152, dport=2152) / GTP_U_Header(teid=7, gtp_type=255) / GTPPDUSessionContainer(type=0, QFI=3) / inner)
        packets.append(link / v6 / outer / UDP(sport=4444, dport=4789) / VXLAN(vni=7, flags=8) / link / inner)
    packets.append(link / outer / UDP(sport=4444, dport=4789) / VXLAN(vni=7, flags=8) / link / ARP())
    packets.append(link / outer / UDP(sport=2152, dport=2152) / GTP_U_Header(teid=0, gtp_type=1, S=1))
wrpcap(sys.argv[1], packets)
"#;

#[test]
fn a_replay_of_tunnels_equals_tsharks_innermost_headers() {
    const TEST: &str = "a_replay_of_tunnels_equals_tsharks_innermost_headers";
    if !has(TEST, &["tshark", "python3", "scapy"]) {
        return;
    }
    let scratch = peloton_tests::program::Scratch::new(TEST);
    let made = scratch.path("tunnels.pcap");
    let scapy = run(Command::new("python3").args(["-c", TUNNELS]).arg(&made));
    assert!(scapy.status.success(), "{}", String::from_utf8_lossy(&scapy.stderr));
    let is_tunnel = |path: &std::path::PathBuf| {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        ["geneve", "vxlan", "gre-in-gre", "gtp-u"].contains(&&*name)
    };
    let captures = captures().into_iter().filter(is_tunnel).chain([made]);
    for capture in captures {
        let replayed = run(peloton().args(["replay", "--json", "--inner"]).arg(&capture));
        assert!(replayed.status.success());
        let records = scratch.path("tunnels.jsonl");
        fs::write(&records, &replayed.stdout).unwrap();
        assert_equals_tshark(&capture, &records);
    }
}

/// A VXLAN between both ends.
fn add_vxlan(pair: &Pair) {
    for (end, own, other) in [("a", 1, 2), ("b", 2, 1)] {
        let ends = format!("local 10.9.0.{own} remote 10.9.0.{other} dev eth0");
        pair.ip_in(end, &format!("link add vx0 type vxlan id 42 dstport 4789 {ends}"));
        pair.ip_in(end, &format!("addr add 10.9.42.{own}/24 dev vx0"));
        pair.ip_in(end, "link set vx0 up");
    }
}

#[test]
fn large_packets_in_a_vxlan_are_those_for_which_they_stand() {
    let programs = ["tcpdump", "tshark", "iperf3"];
    let Some(pair) = Pair::new("large packets in a VXLAN", &programs) else { return };
    add_vxlan(&pair);
    let dump = pair.tcpdump("large.pcap");
    let inner = pair.probe("eth0 --json --inner");
    let outer = pair.probe("eth0 --json");
    pair.iperf3("-c 10.9.42.2 -n 20M");
    let (inner, outer) = (inner.interrupt(), outer.interrupt());
    pair.settle("large.pcap");
    let dumped = dump.interrupt();
    assert!(dumped.stderr.contains("\n0 packets dropped by kernel"), "{}", dumped.stderr);
    // 1500 octets without those of the VXLAN, IP, TCP and a time stamp.
    let expected = cut(&pair.path("large.pcap"), 1398);
    assert_eq!(connections(&inner), expected);
    // Outside each of them has 50 octets more.
    let (mut packets, mut octets) = (0, 0);
    for record in outer.records().iter().filter(|r| r["destinationTransportPort"] == 4789) {
        packets += record["packetDeltaCount"].as_u64().unwrap();
        octets += record["octetDeltaCount"].as_u64().unwrap();
    }
    let (sum, all) = expected.values().fold((0, 0), |sum, of| (sum.0 + of.0, sum.1 + of.1));
    // A client of iperf3 ends when it has handed over all that it has, and what still waits in its socket need not be sent. And ARP is
    // there.
    assert!(sum > 5_000 && (sum..sum + 20).contains(&packets), "{packets} of {sum} packets");
    assert!((all + sum * 50..all + packets * 150).contains(&octets), "{octets} of {all} octets");
}

#[test]
fn a_probe_measures_what_a_vxlan_carries() {
    let programs = ["tcpdump", "tshark", "python3", "iperf3"];
    let Some(pair) = Pair::new("VXLAN at a probe", &programs) else { return };
    add_vxlan(&pair);
    for end in ["a", "b"] {
        for name in ["eth0", "vx0"] {
            pair.ip_in(end, &format!("link set {name} gso_max_segs 1"));
        }
    }
    let dump = pair.tcpdump("vxlan.pcap");
    let probe = pair.probe("eth0 --json --inner --workers 2");
    pair.ping("10.9.42.2", 20);
    pair.ping("10.9.0.2", 20);
    pair.iperf3("-c 10.9.42.2 -n 2M");
    let ended = probe.interrupt();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    pair.settle("vxlan.pcap");
    let dumped = dump.interrupt();
    assert!(dumped.stderr.contains("\n0 packets dropped by kernel"), "{}", dumped.stderr);
    // What the hosts say by themselves inside of the tunnel tcpdump has, too.
    fs::write(pair.path("vxlan.jsonl"), &ended.stdout).unwrap();
    let is_vxlan = |line: &str| line.contains("\"10.9.42.");
    assert!(ended.stdout.lines().filter(|line| is_vxlan(line)).count() >= 6, "{}", ended.stdout);
    let ours = ended.ours();
    fs::write(pair.path("vxlan.jsonl"), ours).unwrap();
    let only = format!("{}", pair.path("ours.pcap").display());
    let filtered = run(Command::new("tshark").args(["-n", "-r"]).arg(pair.path("vxlan.pcap")).args([
        "-Y",
        "(vxlan and ip.addr == 10.9.42.0/24 and not arp) or (not vxlan and ip.addr == 10.9.0.0/24 and not arp)",
        "-w",
        &only,
    ]));
    assert!(filtered.status.success(), "{}", String::from_utf8_lossy(&filtered.stderr));
    let said = assert_equals_tshark(&pair.path("ours.pcap"), &pair.path("vxlan.jsonl"));
    assert!(said.contains("with 2 IP headers"), "{said}");
}
