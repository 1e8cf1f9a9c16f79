//! `peloton replay --template`: fields that an analyst chooses.

use std::fs;

use peloton_tests::{
    program::{Scratch, has, peloton, run, workspace},
    replay::{assert_equals_tshark, captures},
};

/// What tells flows apart in the tables of most tools.
const TUPLE: &str = "sourceIPv4Address,destinationIPv4Address,sourceIPv6Address,destinationIPv6Address,\
     protocolIdentifier,sourceTransportPort,destinationTransportPort,icmpTypeCodeIPv4,icmpTypeCodeIPv6,\
     packetDeltaCount,octetDeltaCount";

fn replay(options: &[&str]) -> (bool, String, String) {
    let capture = workspace().join("tests/captures/demo.pcap");
    let output = run(peloton().arg("replay").args(options).arg(capture));
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

#[test]
fn sums_of_chosen_fields_equal_those_of_tshark() {
    const TEST: &str = "sums_of_chosen_fields_equal_those_of_tshark";
    if !has(TEST, &["tshark", "python3"]) {
        return;
    }
    let scratch = Scratch::new(TEST);
    for path in captures() {
        let output = run(peloton().args(["replay", "--json", "--template", TUPLE]).arg(&path));
        assert!(output.status.success(), "{}", path.display());
        let records = scratch.path("records.jsonl");
        fs::write(&records, output.stdout).unwrap();
        assert_equals_tshark(&path, &records);
    }
}

#[test]
fn objects_have_the_chosen_fields_in_their_order() {
    let (success, text, _) =
        replay(&["--json", "--template", "packetDeltaCount,protocolIdentifier"]);
    assert!(success);
    let is_sound =
        |line: &str| line.starts_with("{\"packetDeltaCount\":") && line.matches(':').count() == 2;
    assert!(!text.is_empty() && text.lines().all(is_sound), "{text}");
}

#[test]
fn what_is_no_template_is_refused_by_its_reason() {
    for (options, reason) in [
        (&["--template", "sourceIPAddress"][..], "did you mean sourceIPv4Address"),
        (&["--template", "applicationName"], "no meter classifies applications"),
        (&["--template", "packetDeltaCount", "--record", "l3"], "--record"),
    ] {
        let (success, _, complaint) = replay(options);
        assert!(!success && complaint.contains(reason), "{complaint}");
    }
}

const MACS: [u8; 12] = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];

/// A TCP packet with DSCP 46 and ECN 1, behind two tags and two labels.
fn labelled(ttl: u8, flags: u8) -> Vec<u8> {
    let mut frame = MACS.to_vec();
    frame.extend([0x88, 0xa8, 0xa0, 100, 0x81, 0, 0x60, 200, 0x88, 0x47]);
    frame.extend([0x00, 0x01, 0xda, 254, 0x00, 0x01, 0x01, 64]);
    frame.extend([0x45, 0xb9, 0, 44, 0x12, 0x34, 0x40, 0, ttl, 6, 0, 0]);
    frame.extend([10, 0, 0, 1, 10, 0, 0, 2, 0, 80, 0, 81, 0, 0, 0, 9, 0, 0, 0, 8]);
    frame.extend([0x60, flags, 0x20, 0, 0, 0, 0, 0, 2, 4, 5, 0xb4]);
    frame
}

fn pcap(frames: &[Vec<u8>]) -> Vec<u8> {
    let mut pcap = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    pcap.extend([0xff, 0xff, 0, 0, 1, 0, 0, 0]);
    for (second, frame) in (1_700_000_000_u32..).zip(frames) {
        let len = (frame.len() as u32).to_le_bytes();
        pcap.extend([second.to_le_bytes(), [0; 4], len, len].concat());
        pcap.extend(frame);
    }
    pcap
}

/// The elements, what tshark calls them, and their values of the two packets below.
const DETAILS: [(&str, &str, &str); 34] = [
    ("ipClassOfService", "cflow.tos", "0xb9"),
    ("minimumIpTotalLength/2", "cflow.length_min", "44"),
    ("maximumIpTotalLength", "cflow.length_max", "44"),
    ("minimumTTL", "cflow.ttl_min", "7"),
    ("maximumTTL", "cflow.ttl_max", "9"),
    ("fragmentIdentification", "cflow.frag_ident", "4660"),
    ("octetTotalCount", "cflow.permanent_octets", "88"),
    ("packetTotalCount", "cflow.permanent_packets", "2"),
    ("fragmentOffset", "cflow.fragment_offset", "0"),
    ("tcpSequenceNumber", "cflow.tcp_seq_num", "9"),
    ("tcpAcknowledgementNumber", "cflow.tcp_ack_num", "8"),
    ("tcpWindowSize", "cflow.tcp_windows_size", "8192"),
    ("ipHeaderLength", "cflow.ip_header_length", "20"),
    ("ipTTL", "cflow.ip_ttl", "9"),
    ("ipDiffServCodePoint", "cflow.ip_dscp", "46"),
    ("ipPrecedence", "cflow.ip_precedence", "5"),
    ("fragmentFlags", "cflow.ip_fragment_flags", "0x40"),
    ("mplsTopLabelTTL", "cflow.mpls_top_label_ttl", "254"),
    ("mplsLabelStackDepth", "cflow.mpls_label_depth", "2"),
    ("mplsTopLabelExp", "cflow.mpls_top_label_exp", "5"),
    ("mplsTopLabelStackSection", "cflow.mpls_label", "29"),
    ("tcpSynTotalCount/1", "cflow.total_tcp_syn", "1"),
    ("tcpFinTotalCount", "cflow.total_tcp_fin", "0"),
    ("tcpRstTotalCount", "cflow.total_tcp_rst", "0"),
    ("tcpPshTotalCount", "cflow.total_tcp_psh", "1"),
    ("tcpAckTotalCount", "cflow.total_tcp_ack", "2"),
    ("tcpUrgTotalCount", "cflow.total_tcp_urg", "0"),
    ("dot1qVlanId", "cflow.dot1q_vlan_id", "100"),
    ("dot1qPriority", "cflow.dot1q_priority", "5"),
    ("dot1qCustomerVlanId", "cflow.dot1q_customer_vlan_id", "200"),
    ("dot1qCustomerPriority", "cflow.dot1q_customer_priority", "3"),
    ("minimumLayer2TotalLength", "cflow.minimum_layer2_total_length", "74"),
    ("maximumLayer2TotalLength", "cflow.maximum_layer2_total_length", "74"),
    ("ipVersion", "cflow.ip_version", "4"),
];

#[test]
fn tshark_reads_the_details_that_were_asked_for() {
    const TEST: &str = "tshark_reads_the_details_that_were_asked_for";
    if !has(TEST, &["tshark"]) {
        return;
    }
    let scratch = Scratch::new(TEST);
    let (capture, file) = (scratch.path("packets.pcap"), scratch.path("flows.ipfix"));
    fs::write(&capture, pcap(&[labelled(9, 0x12), labelled(7, 0x18)])).unwrap();
    let list = DETAILS.map(|(element, ..)| element).join(",");
    let output = run(peloton()
        .args(["replay", "--template", &list, "--ipfix-file"])
        .args([&file, &capture]));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut tshark = std::process::Command::new("tshark");
    tshark.args(["-n", "-r"]).arg(&file).args(["-Y", "cflow.tos", "-T", "fields"]);
    for (_, field, _) in DETAILS {
        tshark.args(["-e", field]);
    }
    let output = run(&mut tshark);
    let text = String::from_utf8(output.stdout).unwrap();
    let values: Vec<&str> = text.trim_end_matches('\n').split('\t').collect();
    for ((element, _, expected), value) in DETAILS.into_iter().zip(values) {
        assert_eq!(value, expected, "{element}: {text}");
    }
}

/// Packets of demo.pcap by conversation, whichever end is first.
fn conversations(lines: &str, packets: impl Fn(&serde_json::Value) -> u64) -> Vec<(String, u64)> {
    let mut sums = std::collections::BTreeMap::<String, u64>::new();
    for line in lines.lines() {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        let end = |way: &str| {
            format!(
                "{} {}",
                record[format!("{way}IPv4Address")],
                record[format!("{way}TransportPort")]
            )
        };
        let mut ends = [end("source"), end("destination")];
        ends.sort();
        *sums.entry(ends.join(" - ")).or_default() += packets(&record);
    }
    sums.into_iter().collect()
}

#[test]
fn both_directions_in_one_record_are_the_sums_of_two() {
    let tuple = "sourceIPv4Address,destinationIPv4Address,sourceTransportPort,destinationTransportPort,\
         packetDeltaCount";
    let (_, alone, _) = replay(&["--json", "--template", tuple]);
    let both =
        format!("{tuple},reversePacketDeltaCount,reverseFlowStartNanoseconds,biflowDirection");
    let (success, both, complaint) = replay(&["--json", "--template", &both]);
    assert!(success, "{complaint}");
    assert!(both.lines().count() < alone.lines().count());
    let count = |record: &serde_json::Value, name: &str| record[name].as_u64().unwrap();
    let alone = conversations(&alone, |record| count(record, "packetDeltaCount"));
    let both = conversations(&both, |record| {
        assert_eq!(record["biflowDirection"], 1);
        count(record, "packetDeltaCount") + count(record, "reversePacketDeltaCount")
    });
    assert_eq!(alone, both);
}

/// What tshark shows of an element and of its reverse direction, one behind the other.
#[test]
fn tshark_reads_both_directions() {
    const TEST: &str = "tshark_reads_both_directions";
    if !has(TEST, &["tshark"]) {
        return;
    }
    let scratch = Scratch::new(TEST);
    let (capture, file) = (scratch.path("packets.pcap"), scratch.path("flows.ipfix"));
    // A SYN, its answer, two segments of data, the second sent again, and one behind a gap from the other side.
    let data = |turned, sequence: u32, flags, octets| segment(turned, sequence, flags, octets);
    let frames = [
        data(false, 99, 0x02, 0),
        data(true, 499, 0x12, 0),
        data(false, 100, 0x10, 10),
        data(false, 110, 0x10, 10),
        data(false, 110, 0x18, 10),
        data(true, 600, 0x10, 5),
    ];
    fs::write(&capture, pcap(&frames)).unwrap();
    let list = "sourceIPv4Address,destinationIPv4Address,sourceTransportPort,destinationTransportPort,\
        packetDeltaCount,octetDeltaCount,tcpControlBits,flowStartSeconds,TRANSPORT_EVENT_PACKET_LOSS,\
        reversePacketDeltaCount,reverseOctetDeltaCount/4,reverseTcpControlBits,reverseFlowStartSeconds,\
        RETRANSMITTED_IN_PKTS,RETRANSMITTED_OUT_PKTS/2,OOORDER_IN_PKTS,OOORDER_OUT_PKTS"
        .replace(char::is_whitespace, "");
    let output = run(peloton()
        .args(["replay", "--template", &list, "--ipfix-file"])
        .args([&file, &capture]));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let fields = [
        "cflow.srcport",
        "cflow.packets",
        "cflow.octets",
        "cflow.tcpflags",
        "cflow.pie.ntop.retransmitted_in_pkts",
        "cflow.pie.ntop.retransmitted_out_pkts",
        "cflow.pie.ntop.ooorder_in_pkts",
        "cflow.pie.ntop.ooorder_out_pkts",
        "_ws.malformed",
    ];
    let rows = peloton_tests::tshark(&file, &["-Y", "cflow.packets"], &fields).unwrap();
    let octets = format!("{},{}", 40 + 3 * 50, 40 + 45);
    let octets = octets.as_str();
    assert_eq!(rows, [["1000", "4,2", octets, "0x001a,0x0012", "1", "0", "0", "0", ""]]);
}

/// A TCP segment from 10.0.0.1 port 1000 to 10.0.0.2 port 80, or back.
fn segment(turned: bool, sequence: u32, flags: u8, octets: u8) -> Vec<u8> {
    let mut frame = MACS.to_vec();
    frame.extend([0x08, 0x00, 0x45, 0, 0, 40 + octets, 0, 0, 0, 0, 64, 6, 0, 0]);
    let (one, other) = ([10, 0, 0, 1], [10, 0, 0, 2]);
    let (from, to) = if turned { (other, one) } else { (one, other) };
    frame.extend([from, to].concat());
    let (here, there) = ([0x03, 0xe8], [0, 80]);
    let (from, to) = if turned { (there, here) } else { (here, there) };
    frame.extend([from, to].concat());
    frame.extend(sequence.to_be_bytes());
    frame.extend([0, 0, 0, 0, 0x50, flags, 0x20, 0, 0, 0, 0, 0]);
    frame.resize(frame.len() + usize::from(octets), 0);
    frame
}

/// What Wireshark's analysis of one direction after the other says, which knows acknowledgments, too.
#[test]
fn segments_that_came_again_and_gaps_are_those_of_wireshark() {
    const TEST: &str = "segments_that_came_again_and_gaps_are_those_of_wireshark";
    if !has(TEST, &["tshark", "python3"]) {
        return;
    }
    let scratch = Scratch::new(TEST);
    let list = format!("{TUPLE},TRANSPORT_EVENT_PACKET_LOSS,RETRANSMITTED_IN_PKTS,OOORDER_IN_PKTS");
    let crafted = scratch.path("crafted.pcap");
    fs::write(&crafted, lossy()).unwrap();
    let mut sums = [0; 3];
    let own = WHOLE.map(|name| workspace().join("tests/captures").join(name));
    for path in own.into_iter().chain([crafted]) {
        let options = ["replay", "--json", "--active", "86400", "--passive", "0", "--template"];
        let output = run(peloton().args(options).arg(&list).arg(&path));
        assert!(output.status.success(), "{}", path.display());
        let records = scratch.path("records.jsonl");
        fs::write(&records, output.stdout).unwrap();
        let mut python = std::process::Command::new("python3");
        python.arg(workspace().join("tests/oracle/sequence.py")).args([&path, &records]);
        let compared = run(&mut python);
        let text = String::from_utf8(compared.stdout).unwrap();
        assert!(compared.status.success(), "{}: {text}", path.display());
        for (sum, count) in sums.iter_mut().zip(text.split_whitespace()) {
            *sum += count.parse::<u64>().unwrap();
        }
    }
    assert!(sums.iter().all(|&sum| sum > 0), "{sums:?}");
}

/// Captures of whole segments, neither cut nor fragmented, whose IP headers say how long they are and whom they are for.
const WHOLE: [&str; 6] =
    ["demo.pcap", "mpls.pcap", "pppoe.pcap", "raw.pcap", "time-jumps.pcap", "vlan-qinq.pcap"];

/// A connection in one direction whose numbers wrap: with a loss, a segment that is late by a millisecond, one that comes half a
/// second later, one that comes twice, and a FIN that does.
fn lossy() -> Vec<u8> {
    let start = u32::MAX - 25;
    let at = |octets: u32| start.wrapping_add(octets);
    let segments = [
        (0, at(0), 0x10, 10),
        (100, at(20), 0x10, 10),
        (1_100, at(10), 0x10, 10),
        (50_000, at(40), 0x10, 10),
        (550_000, at(30), 0x10, 10),
        (600_000, at(50), 0x10, 10),
        (900_000, at(50), 0x18, 10),
        (910_000, at(60), 0x11, 0),
        (980_000, at(60), 0x11, 0),
    ];
    let mut pcap = pcap(&[]);
    for (micros, sequence, flags, octets) in segments {
        let frame = segment(false, sequence, flags, octets);
        let len = (frame.len() as u32).to_le_bytes();
        pcap.extend([1_700_000_000_u32.to_le_bytes(), u32::to_le_bytes(micros), len, len].concat());
        pcap.extend(frame);
    }
    pcap
}
