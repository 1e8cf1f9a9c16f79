//! Classifier tables: packets go in, sessions are counted, and a collector hears of them.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use peloton_tests::{
    program::{Scratch, has},
    replay::captures,
    tshark,
};
use serde_json::Value;

use crate::scene::{Exported, IP4, Scene, UDP};

const MASK: &str = "mask l3 ip4 src dst proto l4 src_port dst_port";

/// A router that counts what pg0 receives by table 0, and reports it.
fn reporting(name: &str, exporter: &str) -> Scene {
    let scene = Scene::new(name, exporter);
    scene.lab.run(&format!("classify table {MASK}"));
    scene.lab.run("set flow classify interface pg0 ip4-table 0");
    scene.lab.run("set ipfix classify stream domain 7 src-port 4777");
    scene.lab.run("ipfix classify table add 0 ip4 udp");
    scene.lab.engine.run_until_idle();
    scene
}

/// Records with the elements of classifier reports: source port to packets, in the order in which they came.
fn ports(exported: &Exported) -> Vec<(u64, u64)> {
    let of = |record: &Value| {
        Some((record["udpSourcePort"].as_u64()?, record["packetTotalCount"].as_u64()?))
    };
    exported.records.iter().filter_map(of).collect()
}

#[test]
fn messages_are_the_bytes_that_the_mask_says() {
    let scene = reporting("golden", "");
    scene.send(3, &format!("{IP4} {UDP}"));
    scene.lab.run("ipfix flush");
    scene.lab.run("packet-generator capture pg2 disable");
    let bytes = fs::read(scene.capture()).unwrap();
    // Behind the headers of file, record, Ethernet, IPv4 and UDP.
    let messages = |bytes: &[u8]| {
        let (mut rest, mut messages) = (bytes[24..].to_vec(), Vec::new());
        while !rest.is_empty() {
            let len = u32::from_le_bytes(rest[8..12].try_into().unwrap()) as usize;
            messages.push(rest[16 + 42..16 + len].to_vec());
            rest.drain(..16 + len);
        }
        messages
    };
    let messages = messages(&bytes);
    let template = [
        0x00, 0x0a, 0x00, 0x30, 0x69, 0x55, 0xb9, 0x00, 0, 0, 0, 0, 0, 0, 0, 7, // header
        0x00, 0x02, 0x00, 0x20, 0x01, 0x00, 0x00, 0x06, // set 2, template 256, 6 fields
        0x00, 0x08, 0x00, 0x04, 0x00, 0x0c, 0x00, 0x04, 0x00, 0x04, 0x00,
        0x01, // addresses, protocol
        0x00, 0xb4, 0x00, 0x02, 0x00, 0xb5, 0x00, 0x02, 0x00, 0x56, 0x00,
        0x08, // ports, packets
    ];
    assert_eq!(messages[0], template);
    let data = [
        0x00, 0x0a, 0x00, 0x29, 0x69, 0x55, 0xb9, 0x00, 0, 0, 0, 0, 0, 0, 0, 7, // header
        0x01, 0x00, 0x00, 0x19, 192, 168, 0, 2, 10, 0, 0, 1, 17, 0x03, 0xe8, 0x07, 0xd0, //
        0, 0, 0, 0, 0, 0, 0, 3,
    ];
    assert_eq!(messages[1], data);
    assert_eq!(messages.len(), 2);
}

/// Packets counted by some fields.
struct Count {
    version: &'static str,
    ethertype: &'static str,
    mask: &'static str,
    /// Behind the version in `ipfix classify table add`.
    transport: &'static str,
    /// What tshark calls the fields of a packet.
    fields: &'static [&'static str],
    /// And those of a record.
    elements: &'static [&'static str],
    /// The length field of the IP header, and what it does not count of a packet without tags.
    length: (&'static str, u32),
    /// Only this protocol is compared.
    protocol: Option<&'static str>,
    captures: &'static [&'static str],
}

const COUNTS: [Count; 3] = [
    Count {
        version: "ip4",
        ethertype: "0x0800",
        mask: "src dst proto",
        transport: "",
        fields: &["ip.src", "ip.dst", "ip.proto"],
        elements: &["cflow.srcaddr", "cflow.dstaddr", "cflow.protocol"],
        length: ("ip.len", 14),
        protocol: None,
        captures: &["demo.pcap", "big-endian.pcap", "mix-lan-v4v6.pcap", "tcp-tls-v4v6.pcap"],
    },
    Count {
        version: "ip6",
        ethertype: "0x86dd",
        mask: "src dst proto",
        transport: "",
        fields: &["ipv6.src", "ipv6.dst", "ipv6.nxt"],
        elements: &["cflow.srcaddrv6", "cflow.dstaddrv6", "cflow.protocol"],
        length: ("ipv6.plen", 54),
        protocol: None,
        captures: &["demo.pcap", "mix-lan-v4v6.pcap", "tcp-tls-v4v6.pcap", "ipv6-icmp6.pcap"],
    },
    // Captures without fragments and options.
    Count {
        version: "ip4",
        ethertype: "0x0800",
        mask: "src dst proto l4 src_port dst_port",
        transport: "udp",
        fields: &["ip.src", "ip.dst", "ip.proto", "udp.srcport", "udp.dstport"],
        elements: &[
            "cflow.srcaddr",
            "cflow.dstaddr",
            "cflow.protocol",
            "cflow.srcport",
            "cflow.dstport",
        ],
        length: ("ip.len", 14),
        protocol: Some("17"),
        captures: &["demo.pcap", "mix-lan-v4v6.pcap", "udp-rtp-video.pcap"],
    },
];

impl Count {
    /// Unicast packets of a capture as tshark counts them.
    fn expected(&self, capture: &Path) -> BTreeMap<String, u64> {
        let Self { ethertype, fields, length: (length, uncounted), .. } = self;
        // The router has no sub-interfaces; a tag of VLAN 0 is none. A fragment of offset 1 is refused (RFC 1858), as is a
        // header whose checksum is wrong, which tshark looks at when it is asked to.
        let filter = format!(
            "(eth.type == {ethertype} or (vlan.id == 0 and vlan.etype == {ethertype})) \
             and not ip.frag_offset == 1 and not ip.checksum.status == 0"
        );
        let options = ["-o", "ip.check_checksum:TRUE", "-Y", &filter, "-E", "occurrence=f"];
        let more = ["frame.cap_len", "vlan.id", length];
        let mut counts = BTreeMap::new();
        for row in tshark(capture, &options, &[&more[..], fields].concat()).unwrap() {
            let [captured, length] = [&row[0], &row[2]].map(|n| n.parse::<u32>().unwrap());
            let tag = if row[1].is_empty() { 0 } else { 4 };
            // What was cut by the capture is not forwarded.
            let is_cut = uncounted + tag + length > captured;
            if !is_cut && !is_multicast(&row[4]) && self.is_compared(&row[5]) {
                *counts.entry(row[3..].join(" ")).or_default() += 1;
            }
        }
        counts
    }

    /// What a collector behind pg2 hears when the capture has come in by pg0, and packets counted and sessions made.
    fn told(&self, capture: &Path, scratch: &Scratch) -> (BTreeMap<String, u64>, [u64; 2]) {
        let Self { version, mask, transport, .. } = self;
        let scene = Scene::without_collector("classifier");
        let file = scratch.path("export.pcap");
        let _: std::io::Result<()> = fs::remove_file(&file);
        scene.lab.script(&format!(
            "classify table mask l3 {version} {mask} memory-size 8M
             set flow classify interface pg0 {version}-table 0
             set ipfix classify stream
             ipfix classify table add 0 {version} {transport}
             packet-generator new {{ name r interface pg0 node ethernet-input pcap {} }}
             packet-generator enable-stream r",
            to_router(capture, scratch).display()
        ));
        scene.lab.engine.run_until_idle();
        // What pg2 has sent so far is none of the exporter's.
        scene.lab.run("packet-generator capture pg2 disable");
        scene.lab.run(&format!("packet-generator capture pg2 pcap {}", file.display()));
        scene.collector("");
        scene.lab.run("packet-generator capture pg2 disable");
        let node = format!("{version}-flow-classify");
        let [hits, created, misses] =
            ["hits", "created", "misses"].map(|counter| scene.lab.error(&node, counter));
        assert_eq!(misses, created);
        (self.read(&file), [hits + created, created])
    }

    /// What tshark reads of the records in a capture of exported packets.
    fn read(&self, capture: &Path) -> BTreeMap<String, u64> {
        let more = ["_ws.expert.message", "ip.len", "cflow.permanent_packets"];
        let fields = [&more[..], self.elements].concat();
        let mut read = BTreeMap::new();
        for row in tshark(capture, &["-d", "udp.port==4739,cflow"], &fields).unwrap() {
            assert_eq!(row[0], "", "tshark has a complaint");
            assert!(row[1].parse::<u32>().unwrap() <= 512, "no packet is longer than the path MTU");
            let cells: Vec<Vec<&str>> = row[2..].iter().map(|c| c.split(',').collect()).collect();
            for (n, packets) in cells[0].iter().enumerate() {
                let Ok(packets) = packets.parse::<u64>() else { continue };
                let key: Vec<&str> = cells[1..].iter().map(|column| column[n]).collect();
                if self.is_compared(key[2]) {
                    assert_eq!(read.insert(key.join(" "), packets), None, "told once");
                }
            }
        }
        read
    }

    fn is_compared(&self, protocol: &str) -> bool {
        self.protocol.is_none_or(|only| only == protocol)
    }
}

fn is_multicast(address: &str) -> bool {
    let first = address.split('.').next().and_then(|part| part.parse::<u8>().ok());
    first.is_some_and(|first| (224..240).contains(&first)) || address.starts_with("ff")
}

/// The capture with all frames to the router.
fn to_router(capture: &Path, scratch: &Scratch) -> PathBuf {
    let mut bytes = fs::read(capture).unwrap();
    let big = bytes[..4] == [0xa1, 0xb2, 0xc3, 0xd4];
    let mut at = 24;
    while at < bytes.len() {
        let len: [u8; 4] = bytes[at + 8..at + 12].try_into().unwrap();
        let len = if big { u32::from_be_bytes(len) } else { u32::from_le_bytes(len) };
        let is_group = bytes[at + 16] & 1 == 1;
        if !is_group {
            bytes[at + 16..at + 22].copy_from_slice(&[2, 0xfe, 0, 0, 0, 0]);
        }
        at += 16 + len as usize;
    }
    let file = scratch.path("to-router.pcap");
    fs::write(&file, bytes).unwrap();
    file
}

#[test]
fn a_collector_hears_what_tshark_counts_in_the_captures() {
    const TEST: &str = "a_collector_hears_what_tshark_counts_in_the_captures";
    if !has(TEST, &["tshark"]) {
        return;
    }
    let scratch = Scratch::new(TEST);
    let mut seen = 0;
    for capture in captures() {
        let counts = COUNTS.iter();
        for count in counts.filter(|c| c.captures.iter().any(|name| capture.ends_with(name))) {
            let expected = count.expected(&capture);
            let (told, counted) = count.told(&capture, &scratch);
            assert_eq!(told, expected, "{capture:?} {}", count.mask);
            if count.protocol.is_none() {
                let sessions = expected.len() as u64;
                assert_eq!(counted, [expected.values().sum::<u64>(), sessions], "{capture:?}");
            }
            seen += told.len();
        }
    }
    assert!(seen > 50, "{seen}");
}

#[test]
fn a_table_is_told_whole_every_five_seconds_and_on_a_flush() {
    let scene = reporting("whole", "template-interval 600");
    scene.send(2, &format!("{IP4} UDP: 192.168.0.2 -> 10.0.0.1 UDP: 1 -> 2 incrementing 18"));
    scene.lab.run("ipfix flush");
    scene.send(1, &format!("{IP4} UDP: 192.168.0.2 -> 10.0.0.1 UDP: 3 -> 2 incrementing 18"));
    scene.lab.run("ipfix flush");
    scene.lab.advance(11);
    let exported = scene.exported();
    assert_eq!(ports(&exported), [(1, 2), (1, 2), (3, 1), (1, 2), (3, 1), (1, 2), (3, 1)]);
    assert_eq!((exported.template_messages, exported.templates.len()), (1, 1));
    let sequences: Vec<u32> = exported.messages.iter().map(|(sequence, _)| *sequence).collect();
    assert_eq!(sequences, [0, 0, 1, 3, 5]);
}

#[test]
fn many_sessions_are_each_told_once_in_packets_of_the_path_mtu() {
    const SESSIONS: u32 = 5000;
    let scene = reporting("many", "");
    // Somebody else has much to say meanwhile, and passes go on because of it.
    scene.params("record l3 l4 active 0");
    scene.feature("pg0 ip4 rx");
    scene.send(
        2 * SESSIONS,
        &format!("{IP4} UDP: 192.168.0.2 -> 10.0.0.1 UDP: 1-{SESSIONS} -> 2 incrementing 18"),
    );
    scene.lab.run("ipfix flush");
    let exported = scene.exported();
    let mut told = ports(&exported);
    told.sort_unstable();
    let expected: Vec<_> = (1..=u64::from(SESSIONS)).map(|port| (port, 2)).collect();
    assert!(told == expected, "{} records of {SESSIONS} sessions", told.len());
    assert!(exported.packets.iter().all(|len| *len <= 512));
    // Behind 48 octets of headers, records of 21.
    assert!(exported.packets.iter().filter(|len| **len == 48 + 22 * 21).count() > 200);
}

#[test]
fn own_exports_are_not_measured() {
    let scene = reporting("own", "");
    scene.params("record l3 l4");
    scene.feature("pg2 ip4 tx");
    scene.send(3, &format!("{IP4} {UDP}"));
    scene.lab.run("ipfix flush");
    assert_eq!(scene.flows_held(), 0);
    assert_eq!(ports(&scene.exported()), [(1000, 3)]);
}

#[test]
fn a_renamed_stream_begins_anew_and_a_conflict_changes_nothing() {
    let scene = reporting("renamed", "");
    scene.params("record l3 l4");
    // Its report is on the stream of domain 1 and port 4739.
    scene.feature("pg1 ip4 tx");
    scene.send(1, &format!("{IP4} {UDP}"));
    scene.lab.run("ipfix flush");
    for words in ["domain 8 src-port 4739", "domain 1 src-port 4888"] {
        let said = scene.lab.refused(&format!("set ipfix classify stream {words}"));
        assert!(said.contains("must be used together or not at all"), "{said}");
    }
    let said = scene.lab.refused("set ipfix classify stream src-port 0");
    assert!(said.contains("tables are reported on the stream"), "{said}");
    let shown = scene.lab.run("show ipfix classify");
    assert!(
        shown.starts_with(
            "domain 7 src-port 4777
"
        ),
        "{shown}"
    );
    scene.lab.run("set ipfix classify stream domain 8 src-port 4888");
    scene.lab.run("ipfix flush");
    let exported = scene.exported();
    let renamed = exported.messages.iter().rev().take(2);
    assert!(
        renamed.clone().any(|(sequence, records)| (*sequence, *records) == (0, 1)),
        "{renamed:?}"
    );
}

#[test]
fn what_is_missing_or_there_already_is_refused_by_its_reason() {
    let scene = Scene::new("refused", "");
    let lab = &scene.lab;
    let refused = |line: &str, why: &str| {
        let said = lab.refused(line);
        assert!(said.contains(why), "{line}: {said}");
    };
    refused("ipfix classify table add 0 ip4", "no stream: `set ipfix classify stream' first");
    lab.run("set ipfix classify stream");
    refused("ipfix classify table add 0 ip4", "no classifier table 0");
    refused("ipfix classify table 0 ip4", "missing add|del");
    refused("ipfix classify table add ip4", "missing <table>");
    refused("ipfix classify table add 0", "missing ip4|ip6");
    refused("ipfix classify table add 0 ip4 sctp", "unknown input `sctp'");
    lab.run(&format!("classify table {MASK}"));
    refused("ipfix classify table del 0 ip4", "classifier table 0 is not reported");
    lab.run("ipfix classify table add 0 ip4 tcp");
    refused("ipfix classify table add 0 ip4", "classifier table 0 is reported already");
    refused("classify table del table 0", "in use: it is reported by IPFIX");
    lab.run("ipfix classify table del 0 ip4");
    lab.run("ipfix classify table add 0 ip4 tcp");
    lab.run("ipfix classify table del 0 ip4");
    refused("set flow classify interface pg0", "neither ip4-table nor ip6-table was given");
    refused("set flow classify interface pg0 ip4-table 5", "no classifier table 5");
    refused("set flow classify interface pg0 ip4-table 0 ip6-table 5", "no classifier table 5");
    refused("set flow classify interface pg0 ip4-table 0 del", "does not have ip4 table 0");
    assert_eq!(lab.run("show classify flow type ip4").lines().count(), 1);
    lab.run("set flow classify interface pg0 ip4-table 0");
    refused("set flow classify interface pg0 ip4-table 0", "the interface has ip4 table 0 already");
    refused("classify table del table 0", "in use: ip4 flow classification of sw_if_index 1");
    lab.run("set flow classify interface pg0 ip4-table 0 del");
    lab.run("classify table del table 0");
}

#[test]
fn packets_are_counted_under_what_became_of_them() {
    let scene = Scene::new("counted", "");
    let lab = &scene.lab;
    lab.run("classify table mask l3 ip4 proto");
    lab.run("classify table mask l3 ip4 src dst l4 src_port memory-size 1K next-table 0");
    lab.run("classify session table-index 0 match l3 ip4 proto tcp");
    lab.run("set flow classify interface pg0 ip4-table 1");
    let expected = " Intfc idx      Classify table    Interface name
         1                   1    pg0
";
    assert_eq!(lab.run("show classify flow type ip4"), expected);
    assert_eq!(
        lab.run("show classify flow type ip6 json"),
        "[]
"
    );
    lab.run("trace add pg-input 1");
    scene.send(100, &format!("{IP4} UDP: 192.168.0.2 -> 10.0.0.1 UDP: 1-50 -> 2 incrementing 18"));
    scene.send(7, &format!("{IP4} TCP: 192.168.0.2 -> 10.0.0.1 TCP: 1000 -> 2 incrementing 18"));
    let of = |counter| lab.error("ip4-flow-classify", counter);
    let [hits, chain, misses] = ["hits", "chain-hits", "misses"].map(of);
    let [created, full] = ["created", "table-full"].map(of);
    assert_eq!((hits + chain + misses, chain, created + full), (107, 7, misses));
    assert!(created > 10 && full > 10 && hits == created, "{created} created, {full} full");
    let shown = lab.run("show classify tables json");
    let tables: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(tables["tables"][1]["sessions"], created);
    assert_eq!(tables["tables"][1]["limit"], created);
    let trace = lab.run("show trace");
    assert!(
        trace.contains(
            "ip4-flow-classify
"
        ),
        "{trace}"
    );
    assert!(
        trace.contains(
            "FLOW_CLASSIFY: sw_if_index 1 table 1 created
"
        ),
        "{trace}"
    );
    // All of them were routed.
    assert_eq!(lab.error("ip4-drop", "none"), 0);
}

#[test]
fn a_session_that_is_configured_goes_on_counting_what_packets_made_of_it() {
    let scene = Scene::new("configured", "");
    let lab = &scene.lab;
    lab.run("classify table mask l3 ip4 src");
    lab.run("set flow classify interface pg0 ip4-table 0");
    scene.send(5, &format!("{IP4} {UDP}"));
    lab.run("classify session table-index 0 opaque-index 3 match l3 ip4 src 192.168.0.2");
    lab.advance(2);
    scene.send(2, &format!("{IP4} {UDP}"));
    let shown = lab.run("show classify tables verbose");
    assert!(
        shown.contains(
            "opaque 3 action 0 metadata 0
"
        ),
        "{shown}"
    );
    assert!(
        shown.ends_with(
            "        hits 7, last_heard 2.00
"
        ),
        "{shown}"
    );
    lab.run("classify session table-index 0 match l3 ip4 src 192.168.0.2 del");
    scene.send(1, &format!("{IP4} {UDP}"));
    let shown = lab.run("show classify tables verbose");
    assert!(
        shown.ends_with(
            "        hits 1, last_heard 2.00
"
        ),
        "{shown}"
    );
}

#[test]
fn an_interface_that_goes_lets_go_of_its_tables() {
    let scene = Scene::new("gone", "");
    let lab = &scene.lab;
    lab.run("create loopback interface");
    lab.run("classify table mask l3 ip6 src");
    lab.run("set flow classify interface loop0 ip6-table 0");
    lab.refused("classify table del table 0");
    lab.run("delete loopback interface intfc loop0");
    assert_eq!(
        lab.run("show classify flow type ip6 json"),
        "[]
"
    );
    lab.run("classify table del table 0");
}
