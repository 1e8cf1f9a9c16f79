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
