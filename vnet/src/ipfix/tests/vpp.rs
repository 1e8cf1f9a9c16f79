//! Messages as VPP's flowprobe sends them.

use serde_json::Value;

use super::{
    roundtrip::{Wire, export_as, request},
    sample, tshark,
};
use crate::{
    flow::FlowRecord,
    ipfix::{
        export::{Exporter, FlowReport, Output, Report, ReportKey, StreamKey, TemplateFields},
        profile::{Families, FlowTemplates, Profile, RecordSet},
        template::FieldSpecifier,
    },
    runtime::EngineTime,
};

const L2: RecordSet = RecordSet::L2;
const L3: RecordSet = RecordSet::L3;
const L4: RecordSet = RecordSet::L4;

fn templates(set: RecordSet, families: Families) -> FlowTemplates {
    Profile::Vpp.templates(set, families)
}

fn packet_len((session, message): &(crate::ipfix::export::Session, Vec<u8>)) -> usize {
    session.headers(message).len() + message.len()
}

fn is_template(message: &[u8]) -> bool {
    message[16..18] == [0, 2]
}

fn sequence(message: &[u8]) -> u32 {
    u32::from_be_bytes(message[8..12].try_into().unwrap())
}

fn set_id(message: &[u8]) -> u16 {
    u16::from_be_bytes([message[16], message[17]])
}

/// Octets of the only set, its header included, and the message has nothing else.
fn set_len(message: &[u8]) -> usize {
    let len = usize::from(u16::from_be_bytes([message[18], message[19]]));
    assert_eq!(16 + len, message.len());
    len
}

/// Lengths of the packets with data.
fn data_packets(wire: &Wire) -> Vec<usize> {
    wire.0.iter().filter(|(_, m)| !is_template(m)).map(packet_len).collect()
}

#[test]
fn packets_are_filled_as_vpp_fills_them() {
    let [_, ip4, _, ip6, _] = sample::one_of_each_shape();
    let all = L2 | L3 | L4;
    // Path MTU, then records and octets of a packet. Four of them are longer than the path MTU.
    for (mtu, expected) in [
        (260, [(3, 258), (2, 236), (4, 248), (3, 270)]),
        (512, [(6, 468), (5, 518), (9, 498), (6, 492)]),
        (1024, [(13, 958), (10, 988), (19, 998), (13, 1010)]),
        (1450, [(20, 1448), (15, 1458), (28, 1448), (19, 1454)]),
    ] {
        let kinds = [(all, ip4, 70), (all, ip6, 94), (L3, ip4, 50), (L3, ip6, 74)];
        for ((set, record, len), (records, octets)) in kinds.into_iter().zip(expected) {
            let templates = templates(set, Families::IP4 | Families::IP6);
            let wire = export_as(&templates, &vec![record; 3 * records + 1], request(mtu));
            assert_eq!(octets, 48 + records * len);
            assert_eq!(data_packets(&wire), [octets, octets, octets, 48 + len], "{mtu} {len}");
        }
    }
}

#[test]
fn with_a_path_mtu_of_100_each_record_has_a_packet_whatever_its_length() {
    let [non_ip, ip4, _, ip6, _] = sample::one_of_each_shape();
    for record in [non_ip, ip4, ip6] {
        let templates = templates(L2 | L3 | L4, Families::all());
        let wire = export_as(&templates, &[record; 3], request(100));
        assert_eq!(data_packets(&wire).len(), 3);
    }
    let wire = export_as(&templates(L2 | L3 | L4, Families::all()), &[ip6], request(68));
    assert_eq!(wire.0.iter().map(packet_len).collect::<Vec<_>>(), [88, 116, 116, 142]);
}

#[test]
fn each_template_has_a_packet_of_its_own_and_identifiers_follow_vpps_order() {
    let wire = export_as(&templates(L2 | L3 | L4, Families::all()), &[], request(1450));
    let sent: Vec<_> = wire
        .0
        .iter()
        .map(|(_, m)| (is_template(m), u16::from_be_bytes([m[20], m[21]]), sequence(m)))
        .collect();
    assert_eq!(sent, [(true, 256, 0), (true, 257, 0), (true, 258, 0)]);
    // 52 octets and 4 a field: 9, 16 and 16 fields.
    assert_eq!(wire.0.iter().map(packet_len).collect::<Vec<_>>(), [88, 116, 116]);
}

#[test]
fn records_of_each_template_fill_messages_of_their_own_and_each_message_counts_one() {
    let [_, ip4, icmp, ip6, _] = sample::one_of_each_shape();
    let turns: Vec<FlowRecord> = [ip4, ip6, icmp].into_iter().cycle().take(30).collect();
    let wire = export_as(&templates(L2 | L3 | L4, Families::all()), &turns, request(512));
    let data: Vec<_> = wire.0.iter().map(|(_, m)| m).filter(|m| !is_template(m)).collect();
    // 20 of IPv4, six a message, and 10 of IPv6, five a message: each message leaves when it is full.
    let told: Vec<_> = data.iter().map(|m| (set_id(m), set_len(m) - 4)).collect();
    let (six, five, two) = ((257, 6 * 70), (258, 5 * 94), (257, 2 * 70));
    assert_eq!(told, [six, five, six, six, five, two]);
    let sequences: Vec<u32> = data.iter().map(|m| sequence(m)).collect();
    assert_eq!(sequences, [0, 1, 2, 3, 4, 5]);
}

#[test]
fn frames_that_no_template_describes_are_sent_in_set_0() {
    let [non_ip, ip4, ..] = sample::one_of_each_shape();
    let wire = export_as(&templates(L3, Families::all()), &[non_ip, ip4], request(512));
    // Two templates: none of them is for frames.
    let (_, message) = &wire.0[2];
    let golden = [
        &[0, 10, 0, 53, 0x65, 0x53, 0xf1, 0x01, 0, 0, 0, 0, 0, 0, 0, 1][..], // message header
        &[0, 0, 0, 37],                                                      // set header
        &[0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0],                            // interfaces, ingress
        &[0, 0, 0, 0, 0, 0, 0, 10],                                          // packets
        &[0xe8, 0xfe, 0x6f, 0x80, 0x07, 0x5b, 0xcd, 0x15],                   // start
        &[0xe8, 0xfe, 0x6f, 0xbc, 0x1b, 0x3a, 0x0c, 0x14],                   // end
    ]
    .concat();
    assert_eq!(message, &golden);
    assert_eq!((set_id(&wire.0[3].1), sequence(&wire.0[3].1)), (256, 1));
    // The size of a template that is not there is 0.
    let wire = export_as(&templates(L3, Families::all()), &[non_ip; 20], request(512));
    assert_eq!(data_packets(&wire), [48 + 15 * 33, 48 + 5 * 33]);
}

/// A report of somebody else, with three records in each pass.
struct Other;

impl Report for Other {
    fn template(&mut self, _: usize) -> TemplateFields {
        TemplateFields::data(&[FieldSpecifier::iana("octetDeltaCount", 8)])
    }

    fn data(&mut self, output: &mut Output<'_>) {
        for _ in 0..3 {
            output.record(0, 8, |octets| octets.fill(0)).unwrap();
        }
    }
}

#[test]
fn another_report_of_the_stream_goes_on_counting_records() {
    let (mut wire, mut exporter) = (Wire::default(), Exporter::new());
    exporter.configure(request(512).check(|_| None).unwrap().into(), 0, &mut wire);
    let templates = templates(L3, Families::IP4);
    let flow = Box::new(FlowReport::new(templates.clone()));
    let key = ReportKey { name: "flow", opaque: 0 };
    let id = exporter.add_report(key, StreamKey::DEFAULT, flow).unwrap();
    let other = ReportKey { name: "other", opaque: 0 };
    exporter.add_report(other, StreamKey::DEFAULT, Box::new(Other)).unwrap();
    let [_, ip4, ..] = sample::one_of_each_shape();
    for seconds in 0..2 {
        exporter.run(EngineTime(seconds * 1_000_000_000), 0, &mut wire);
        let added = exporter.with_output(id, 0, &mut wire, |out| out.flow(&templates, &ip4));
        added.unwrap().unwrap();
    }
    exporter.run(EngineTime(2_000_000_000), 0, &mut wire);
    let data: Vec<_> = wire.0.iter().map(|(_, m)| m).filter(|m| !is_template(m)).collect();
    let told: Vec<_> = data.iter().map(|m| (set_id(m), sequence(m))).collect();
    assert_eq!(told, [(257, 0), (257, 3), (256, 6), (257, 7), (256, 10)]);
}

#[test]
fn tshark_reads_the_templates_and_what_is_plain_in_the_records() {
    let [non_ip, ip4, _, ip6, _] = sample::one_of_each_shape();
    let templates = templates(L2 | L3 | L4, Families::all());
    let wire = export_as(&templates, &[non_ip, ip4, ip6], request(1450));
    let Some(text) = tshark::read(&wire, "tshark-vpp") else { return };
    for complaint in ["_ws.malformed", "no template found"] {
        assert!(!text.contains(complaint), "{complaint}");
    }
    let json: Value = serde_json::from_str(&text).unwrap();
    let mut found = Vec::new();
    tshark::flows(&json, &mut found);
    for (flow, expected) in found.iter().zip([
        [
            ("cflow.outputint", "4294967295"),
            ("cflow.ethernet_type", "1544"),
            ("cflow.packets", "10"),
        ],
        [("cflow.ethernet_type", "8"), ("cflow.srcport", "49152"), ("cflow.tcpflags", "0x001b")],
        [("cflow.ethernet_type", "56710"), ("cflow.direction", "1"), ("cflow.protocol", "6")],
    ]) {
        for (name, value) in expected {
            assert_eq!(flow[name].as_str(), Some(value), "{name}: {flow}");
        }
    }
    assert_eq!(found.len(), 3);
}
