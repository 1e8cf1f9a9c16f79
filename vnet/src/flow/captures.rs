//! Real captures: what a meter makes of them equals what tshark says, flow by flow.
//!
//! The captures are those in the folder that `PELOTON_CAPTURES` names; tshark must be on the path. A test that lacks one of
//! them says so and checks nothing.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    Addresses, Config, Counters, Details, Families, FlowRecord, Keys, Meter, Observed, RecordSet,
    Scope, Selection, Start, Unmeasured, twin::sorted,
};
use crate::{interface::SwIfIndex, runtime::PacketTime, wire::link::LinkType};

/// A classic pcap file, whole.
struct Capture {
    link: LinkType,
    packets: Vec<(PacketTime, u32, Vec<u8>)>,
}

/// Source, destination, protocol, ports.
type Tuple = (String, String, u8, u16, u16);

/// Packets and IP octets.
type Sums = BTreeMap<Tuple, (u64, u64)>;

impl Capture {
    /// `None` for a link type that is not walked, and for pcapng, which tshark turns into pcap, without tshark.
    fn read(path: &Path) -> Option<Self> {
        let mut bytes = std::fs::read(path).ok()?;
        if bytes.starts_with(&[0x0a, 0x0d, 0x0d, 0x0a]) {
            let mut convert = Command::new("tshark");
            convert.arg("-r").arg(path).args(["-F", "pcap", "-w", "-"]);
            bytes = convert.output().ok()?.stdout;
        }
        let (is_big, unit) = match bytes.get(..4)? {
            [0xd4, 0xc3, 0xb2, 0xa1] => (false, 1000),
            [0x4d, 0x3c, 0xb2, 0xa1] => (false, 1),
            [0xa1, 0xb2, 0xc3, 0xd4] => (true, 1000),
            [0xa1, 0xb2, 0x3c, 0x4d] => (true, 1),
            _ => return None,
        };
        let word = |at: usize| {
            let word = *bytes.get(at..)?.first_chunk::<4>()?;
            Some(if is_big { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) })
        };
        let link = LinkType::from_number(u16::try_from(word(20)?).ok()?)?;
        let mut packets = Vec::new();
        let mut at = 24;
        while let (Some(seconds), Some(fraction), Some(captured), Some(wire)) =
            (word(at), word(at + 4), word(at + 8), word(at + 12))
        {
            let time = u64::from(seconds) * 1_000_000_000 + u64::from(fraction) * unit;
            let Some(data) = bytes.get(at + 16..at + 16 + captured as usize) else { break };
            packets.push((PacketTime(time), wire, data.to_vec()));
            at += 16 + captured as usize;
        }
        Some(Self { link, packets })
    }

    fn records(&self, config: &Config, frame: usize) -> (Vec<FlowRecord>, Counters) {
        let mut meter = Meter::new(config).unwrap();
        let mut records = Vec::new();
        for packets in self.packets.chunks(frame) {
            let packets = packets.iter().map(|(time, wire, bytes)| Observed {
                time: *time,
                wire_length: *wire,
                ..Observed::new(bytes, Start::Link(self.link), SwIfIndex(1))
            });
            meter.frame(packets, &mut |record: &_| records.push(*record));
            meter.sweep(8, &mut |record: &_| records.push(*record));
        }
        meter.flush(Scope::All, &mut |record: &_| records.push(*record));
        (records, *meter.counters())
    }
}

fn captures() -> Vec<PathBuf> {
    let Some(folder) = std::env::var_os("PELOTON_CAPTURES") else {
        eprintln!("did not run: PELOTON_CAPTURES names no folder of captures");
        return Vec::new();
    };
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "pcap"));
    paths.sort();
    assert!(!paths.is_empty(), "no capture in {folder:?}");
    paths
}

fn passive(record: RecordSet, families: Families) -> Config {
    Config { max_flows: 10_000, ..Config::new(families, record | RecordSet::VLAN) }
}

const IP: Families = Families::IP4.union(Families::IP6);
const TUPLE: RecordSet = RecordSet::L3.union(RecordSet::L4);

#[test]
fn sums_of_each_tuple_equal_tsharks() {
    for path in captures() {
        let Some(capture) = Capture::read(&path) else { continue };
        let Some(expected) = tshark(&path) else {
            eprintln!("did not run: no tshark");
            return;
        };
        let (records, counters) = capture.records(&passive(TUPLE, IP), 256);
        let mut sums = Sums::new();
        for record in &records {
            let sum = sums.entry(tuple(record)).or_default();
            sum.0 += record.packets;
            sum.1 += record.octets;
        }
        let packets: u64 = sums.values().map(|sum| sum.0).sum();
        assert_eq!(packets + counters.unmeasured_total(), capture.packets.len() as u64, "{path:?}");
        // tshark shows no addresses where the total length is below that of the header; such a packet is measured.
        sums.retain(|tuple, (packets, octets)| {
            expected.contains_key(tuple) || *octets >= *packets * 20
        });
        for (tuple, sum) in &expected {
            assert_eq!(sums.get(tuple), Some(sum), "{path:?} {tuple:?}");
        }
        assert_eq!(sums, expected, "{path:?}");
        println!("{}: {packets} packets, {} tuples", path.display(), sums.len());
    }
}

#[test]
fn frames_of_1_7_and_256_give_the_same_records() {
    for path in captures() {
        let Some(capture) = Capture::read(&path) else { continue };
        for config in [passive(TUPLE, IP), passive(RecordSet::all(), Families::all())] {
            let (whole, _) = capture.records(&config, 256);
            for frame in [1, 7] {
                let (records, _) = capture.records(&config, frame);
                assert_eq!(sorted(&records), sorted(&whole), "{path:?} in frames of {frame}");
            }
        }
    }
}

#[test]
fn every_packet_is_in_a_record_or_has_a_reason_however_it_is_cut() {
    for path in captures() {
        let Some(mut capture) = Capture::read(&path) else { continue };
        capture.packets.truncate(300);
        for cut in 0..80 {
            for (_, _, bytes) in &mut capture.packets {
                bytes.truncate(80 - cut);
            }
            for families in [IP, Families::all()] {
                let config = passive(RecordSet::all(), families);
                let (records, counters) =
                    capture.records(&Config { max_flows: 1000, ..config }, 256);
                let packets: u64 = records.iter().map(|record| record.packets).sum();
                let total = packets + counters.unmeasured_total();
                assert_eq!(total, capture.packets.len() as u64, "{path:?}");
                if families.contains(Families::OTHER) {
                    assert_eq!(counters.unmeasured(Unmeasured::NotIp), 0, "{path:?}");
                }
            }
        }
    }
}

/// Values of these fields of each packet, every occurrence, outermost first.
fn columns(path: &Path, fields: &[&str]) -> Vec<Vec<Vec<u64>>> {
    let mut command = Command::new("tshark");
    command.arg("-n").arg("-r").arg(path).args(["-T", "fields", "-E", "occurrence=a"]);
    command.args(["-o", "ip.defragment:FALSE"]);
    for field in fields {
        command.args(["-e", field]);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let number = |text: &str| match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    };
    let of_field = |text: &str| text.split(',').filter_map(number).collect();
    let of_packet = |line: &str| line.split('\t').map(of_field).collect();
    String::from_utf8(output.stdout).unwrap().lines().map(of_packet).collect()
}

fn detailed(keys: Keys, families: Families) -> Config {
    let selection = Selection {
        ip4: keys,
        ip6: keys,
        other: keys,
        tcp_flags: false,
        details: true,
        biflow: false,
        sequence: false,
    };
    Config { selection: Some(selection), ..passive(RecordSet::empty(), families) }
}

#[test]
fn tags_and_their_priorities_equal_tsharks() {
    let keys = Keys::VLAN | Keys::PRIORITY | Keys::CUSTOMER_VLAN | Keys::CUSTOMER_PRIORITY;
    for path in captures() {
        if path.ends_with("mpls-vlan-l2vpn.pcap") {
            // tshark shows the tags of frames within a pseudowire, too.
            continue;
        }
        let Some(capture) = Capture::read(&path) else { continue };
        let fields = ["ieee8021ad.id", "vlan.id", "ieee8021ad.priority", "vlan.priority"];
        let mut expected = BTreeMap::<[u64; 4], u64>::new();
        for packet in columns(&path, &fields) {
            let [ids, priorities] =
                [[0, 1], [2, 3]].map(|at| at.map(|at| packet[at].as_slice()).concat());
            let value = |of: &[u64], at: usize| of.get(at).copied().unwrap_or(0);
            let tags =
                [value(&ids, 0), value(&priorities, 0), value(&ids, 1), value(&priorities, 1)];
            *expected.entry(tags).or_default() += 1;
        }
        let (records, counters) = capture.records(&detailed(keys, Families::all()), 256);
        let mut sums = BTreeMap::<[u64; 4], u64>::new();
        for record in &records {
            let keys = record.details.unwrap().keys;
            let outer = [u64::from(record.vlan.unwrap_or(0)), keys.priority.into()];
            let [a, b] = outer;
            let tags = [a, b, keys.customer_vlan.into(), keys.customer_priority.into()];
            *sums.entry(tags).or_default() += record.packets;
        }
        // Frames without a link header that can be read have no tags for tshark.
        *sums.entry([0; 4]).or_default() += counters.unmeasured_total();
        sums.retain(|_, packets| *packets > 0);
        assert_eq!(sums, expected, "{path:?}");
    }
}

#[test]
fn lifetimes_classes_and_lengths_equal_tsharks() {
    let keys = Keys::ADDRESSES | Keys::PROTOCOL | Keys::DSCP | Keys::ECN;
    for path in captures() {
        let Some(capture) = Capture::read(&path) else { continue };
        let fields = ["ip.version", "ip.ttl", "ip.len", "ip.dsfield", "ipv6.version"];
        // Packets, least and greatest lifetime, least and greatest length, by class.
        let mut expected = BTreeMap::<u64, [u64; 5]>::new();
        for packet in columns(&path, &fields) {
            let [Some(4), Some(ttl), Some(length), Some(class), None] =
                [0, 1, 2, 3, 4].map(|at: usize| packet[at].first().copied())
            else {
                continue;
            };
            add(expected.entry(class).or_default(), [1, ttl, ttl, length, length]);
        }
        let is_mixed = columns(&path, &["ip.version", "ipv6.version"])
            .iter()
            .any(|p| !p[0].is_empty() && !p[1].is_empty());
        let is_damaged = path.to_string_lossy().contains("malformed");
        if is_mixed || is_damaged || path.to_string_lossy().contains("mpls") {
            // What is outermost there tshark's columns do not say.
            continue;
        }
        let (records, _) = capture.records(&detailed(keys, Families::IP4), 256);
        let mut sums = BTreeMap::<u64, [u64; 5]>::new();
        for record in &records {
            let Details { keys, meters, .. } = record.details.unwrap();
            let [a, b] = [meters.min_ttl, meters.max_ttl].map(u64::from);
            let [c, d] = [meters.min_octets, meters.max_octets].map(u64::from);
            add(sums.entry(keys.class.into()).or_default(), [record.packets, a, b, c, d]);
        }
        assert_eq!(sums, expected, "{path:?}");
    }
}

fn add(sum: &mut [u64; 5], one: [u64; 5]) {
    if sum[0] == 0 {
        *sum = one;
        return;
    }
    *sum = [
        sum[0] + one[0],
        sum[1].min(one[1]),
        sum[2].max(one[2]),
        sum[3].min(one[3]),
        sum[4].max(one[4]),
    ];
}

#[test]
fn label_stacks_equal_tsharks() {
    for path in captures() {
        let Some(capture) = Capture::read(&path) else { continue };
        let mut expected = BTreeMap::<(u64, u64), u64>::new();
        for packet in columns(&path, &["mpls.label", "mpls.exp"]) {
            if let (Some(&label), Some(&class)) = (packet[0].first(), packet[1].first()) {
                *expected.entry((label, class)).or_default() += 1;
            }
        }
        let (records, _) = capture.records(&detailed(Keys::LABEL, Families::all()), 256);
        let mut sums = BTreeMap::<(u64, u64), u64>::new();
        for record in &records {
            let Details { keys, meters, .. } = record.details.unwrap();
            let [a, b, c] = keys.top_label.map(u64::from);
            if meters.first.label_depth > 0 {
                let label = (a << 12 | b << 4 | c >> 4, c >> 1 & 7);
                *sums.entry(label).or_default() += record.packets;
            }
        }
        assert_eq!(sums, expected, "{path:?}");
    }
}

fn tuple(record: &FlowRecord) -> Tuple {
    let (source, destination) = match record.addresses {
        Addresses::V4(a, b) => {
            (std::net::Ipv4Addr::from(a).to_string(), std::net::Ipv4Addr::from(b).to_string())
        }
        Addresses::V6(a, b) => {
            (std::net::Ipv6Addr::from(a).to_string(), std::net::Ipv6Addr::from(b).to_string())
        }
        Addresses::None => (String::new(), String::new()),
    };
    (source, destination, record.protocol, record.source_port, record.destination_port)
}

const FIELDS: [&str; 23] = [
    "frame.protocols",
    "ip.src",
    "ip.dst",
    "ip.proto",
    "ip.len",
    "ipv6.src",
    "ipv6.dst",
    "ipv6.nxt",
    "ipv6.plen",
    "ipv6.hopopts.nxt",
    "ipv6.routing.nxt",
    "ipv6.fraghdr.nxt",
    "ipv6.dstopts.nxt",
    "tcp.srcport",
    "tcp.dstport",
    "udp.srcport",
    "udp.dstport",
    "sctp.srcport",
    "sctp.dstport",
    "icmp.type",
    "icmp.code",
    "icmpv6.type",
    "icmpv6.code",
];

/// Sums by tshark's dissection of the outermost IP header, without reassembly.
fn tshark(path: &Path) -> Option<Sums> {
    let mut command = Command::new("tshark");
    command.arg("-n").arg("-r").arg(path).args(["-T", "fields", "-E", "occurrence=f"]);
    for preference in ["ip.defragment", "ipv6.defragment", "tcp.desegment_tcp_streams"] {
        command.args(["-o", &format!("{preference}:FALSE")]);
    }
    for field in FIELDS {
        command.args(["-e", field]);
    }
    let output = command.output().ok()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut sums = Sums::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        if let Some((tuple, octets)) = tshark_line(line) {
            let sum = sums.entry(tuple).or_default();
            sum.0 += 1;
            sum.1 += octets;
        }
    }
    Some(sums)
}

fn tshark_line(line: &str) -> Option<(Tuple, u64)> {
    let values: Vec<&str> = line.split('\t').collect();
    let text = |name: &str| values[FIELDS.iter().position(|field| *field == name).unwrap()];
    let number = |name: &str| text(name).parse::<u64>().unwrap_or(0);
    // A pseudowire is no label stack with an IP packet behind it, though tshark finds the Ethernet frame in it.
    let layer = text("frame.protocols")
        .split(':')
        .find(|layer| matches!(*layer, "ip" | "ipv6" | "pwethheuristic" | "pwethcw"))?;
    let (source, destination, protocol, octets) = match layer {
        "ip" => ("ip.src", "ip.dst", number("ip.proto"), number("ip.len")),
        "ipv6" => {
            let mut next = number("ipv6.nxt");
            // The first of each kind of extension header is all that tshark was asked for.
            for (kind, header) in [
                (0, "ipv6.hopopts.nxt"),
                (60, "ipv6.dstopts.nxt"),
                (43, "ipv6.routing.nxt"),
                (44, "ipv6.fraghdr.nxt"),
                (60, "ipv6.dstopts.nxt"),
            ] {
                if next == kind && !text(header).is_empty() {
                    next = number(header);
                }
            }
            ("ipv6.src", "ipv6.dst", next, 40 + number("ipv6.plen"))
        }
        _ => return None,
    };
    if text(source).is_empty() {
        return None;
    }
    let (source_port, destination_port) = match protocol {
        1 => (0, number("icmp.type") << 8 | number("icmp.code")),
        6 => (number("tcp.srcport"), number("tcp.dstport")),
        17 => (number("udp.srcport"), number("udp.dstport")),
        58 => (0, number("icmpv6.type") << 8 | number("icmpv6.code")),
        132 => (number("sctp.srcport"), number("sctp.dstport")),
        _ => (0, 0),
    };
    let tuple = (
        text(source).to_owned(),
        text(destination).to_owned(),
        u8::try_from(protocol).ok()?,
        u16::try_from(source_port).ok()?,
        u16::try_from(destination_port).ok()?,
    );
    Some((tuple, octets))
}
