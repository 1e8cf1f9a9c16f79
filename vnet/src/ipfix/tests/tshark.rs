//! tshark reads every field of what is sent, and finds nothing to complain about.

use core::net::{Ipv4Addr, Ipv6Addr};
use std::{fs, process::Command};

use serde_json::Value;

use super::{oracle, roundtrip, roundtrip::Wire, sample};
use crate::{
    flow::{Addresses, FlowRecord},
    interface::SwIfIndex,
    ipfix::{
        export::ExporterRequest,
        file::{FileWriter, FlowFile},
        profile::{Families, Profile, RecordSet},
        time::{Precision, Timestamp},
    },
};

/// What tshark makes of the packets, or `None` when there is no tshark.
pub(in crate::ipfix) fn read(wire: &Wire, test: &str) -> Option<String> {
    let tshark = oracle::program("tshark", test)?;
    let scratch = oracle::Scratch::new(test);
    let path = scratch.path().join("export.pcap");
    fs::write(&path, oracle::pcap(wire)).unwrap();
    let mut command = Command::new(tshark);
    command.arg("-r").arg(path).args(["-n", "-T", "json", "--no-duplicate-keys"]);
    command.args(["-d", "udp.port==4739,cflow"]);
    command.args(["-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE"]);
    Some(oracle::run(command.env("TZ", "UTC")))
}

/// The objects called `Flow N`, in order.
pub(in crate::ipfix) fn flows<'a>(value: &'a Value, found: &mut Vec<&'a Value>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                if name.starts_with("Flow ") {
                    found.push(value);
                } else {
                    flows(value, found);
                }
            }
        }
        Value::Array(array) => array.iter().for_each(|value| flows(value, found)),
        _ => {}
    }
}

/// Every field that a record of all layers has, as tshark 4 shows it; trees of flag bits and the times are apart.
fn expected(record: &FlowRecord) -> Vec<(&'static str, String)> {
    let interface = |i: SwIfIndex| if i == SwIfIndex::NONE { 0 } else { i.0 }.to_string();
    let mac = |octets: [u8; 6]| octets.map(|octet| format!("{octet:02x}")).join(":");
    let mut fields = vec![
        ("cflow.inputint", interface(record.ingress)),
        ("cflow.outputint", interface(record.egress)),
        ("cflow.direction", (record.direction as u8).to_string()),
        ("cflow.packets", record.packets.to_string()),
        ("cflow.flow_end_reason", (record.end_reason as u8).to_string()),
        ("cflow.srcmac", mac(record.source_mac)),
        ("cflow.dstmac", mac(record.destination_mac)),
        ("cflow.ethernet_type", record.ethertype.to_string()),
        ("cflow.vlanid", record.vlan.unwrap_or(0).to_string()),
    ];
    let icmp = match record.addresses {
        Addresses::None => {
            fields.push(("cflow.layer2_octet_delta_count", record.layer2_octets.to_string()));
            return fields;
        }
        Addresses::V4(source, destination) => {
            fields.push(("cflow.srcaddr", Ipv4Addr::from(source).to_string()));
            fields.push(("cflow.dstaddr", Ipv4Addr::from(destination).to_string()));
            record.protocol == 1
        }
        Addresses::V6(source, destination) => {
            fields.push(("cflow.srcaddrv6", Ipv6Addr::from(source).to_string()));
            fields.push(("cflow.dstaddrv6", Ipv6Addr::from(destination).to_string()));
            record.protocol == 58
        }
    };
    fields.push(("cflow.protocol", record.protocol.to_string()));
    fields.push(("cflow.octets", record.octets.to_string()));
    if icmp && record.protocol == 1 {
        fields.push(("cflow.icmp_type_code_ipv4", format!("0x{:04x}", record.destination_port)));
    } else if icmp {
        fields.push(("cflow.icmp_ipv6_type", (record.destination_port >> 8).to_string()));
        fields.push(("cflow.icmp_ipv6_code", (record.destination_port & 255).to_string()));
    } else {
        fields.push(("cflow.srcport", record.source_port.to_string()));
        fields.push(("cflow.dstport", record.destination_port.to_string()));
        fields.push(("cflow.tcpflags", format!("0x{:04x}", record.tcp_flags)));
    }
    fields
}

/// A time in milliseconds as tshark 4 shows it: month by name, day without zeros, nine digits.
fn date(nanos: u64) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let text = Timestamp::from_unix_nanos(nanos, Precision::Milliseconds).to_string();
    let number = |range: core::ops::Range<usize>| text[range].parse::<usize>().unwrap();
    let (month, day) = (MONTHS[number(5..7) - 1], number(8..10));
    format!("{month} {day:2}, {} {}000000 UTC", &text[..4], &text[11..23])
}

/// IPv6 text differs between libraries (`::1.2.3.4`), so that addresses are compared as addresses.
fn same(name: &str, shown: &str, expected: &str) -> bool {
    if name.ends_with("addrv6") {
        return shown.parse::<Ipv6Addr>() == expected.parse();
    }
    shown == expected
}

fn check(records: &[FlowRecord], request: ExporterRequest, test: &str) {
    let wire = roundtrip::export(records, RecordSet::all(), request);
    let Some(text) = read(&wire, test) else { return };
    for complaint in ["_ws.expert", "_ws.malformed", "no template found"] {
        assert!(!text.contains(complaint), "{complaint}");
    }
    let json: Value = serde_json::from_str(&text).unwrap();
    let mut found = Vec::new();
    flows(&json, &mut found);
    assert_eq!(found.len(), records.len());
    for (record, flow) in records.iter().zip(found) {
        let fields = expected(record);
        for (name, value) in &fields {
            let shown = flow[*name].as_str().unwrap_or_else(|| panic!("no {name} in {flow}"));
            assert!(same(name, shown, value), "{name}: {shown}, expected {value}");
        }
        let times = &flow["cflow.timedelta_tree"];
        assert_eq!(times["cflow.abstimestart"], date(record.start.0));
        assert_eq!(times["cflow.abstimeend"], date(record.end.0));
        let shown = flow.as_object().unwrap().keys().filter(|name| !name.contains("_tree"));
        // The times are one field more to tshark: their difference.
        assert_eq!(shown.count(), fields.len() + 1, "{flow}");
    }
}

#[test]
fn tshark_reads_every_field_over_ip4() {
    check(&sample::one_of_each_shape(), roundtrip::request(1450), "tshark-shapes");
    check(&sample::many(300), roundtrip::request(512), "tshark-many");
}

#[test]
fn tshark_reads_every_field_over_ip6() {
    let request = ExporterRequest {
        collector: "2001:db8::9".parse().unwrap(),
        source: "2001:db8::1".parse().unwrap(),
        ..roundtrip::request(1280)
    };
    check(&sample::many(100), request, "tshark-ip6");
}

#[test]
fn tshark_accepts_the_udp_checksum() {
    let request = ExporterRequest { udp_checksum: true, ..roundtrip::request(700) };
    check(&sample::many(100), request, "tshark-checksum");
}

#[test]
fn tshark_reads_an_ipfix_file() {
    let test = "tshark-file";
    let Some(tshark) = oracle::program("tshark", test) else { return };
    let scratch = oracle::Scratch::new(test);
    let path = scratch.path().join("flows.ipfix");
    let records = sample::many(2000);
    let templates = Profile::Rfc.templates(RecordSet::all(), Families::all());
    let writer = FileWriter::create(&path).unwrap();
    let mut file = FlowFile::new(writer, templates, 1, 1_700_000_000).unwrap();
    for record in &records {
        file.write(record, 1_700_000_001).unwrap();
    }
    file.finish(1_700_000_002).unwrap();
    let mut command = Command::new(tshark);
    let text =
        oracle::run(command.arg("-r").arg(&path).args(["-n", "-T", "json", "--no-duplicate-keys"]));
    assert!(!text.contains("_ws.expert") && !text.contains("_ws.malformed"));
    let json: Value = serde_json::from_str(&text).unwrap();
    let mut found = Vec::new();
    flows(&json, &mut found);
    let packets: Vec<&str> = found.iter().filter_map(|f| f["cflow.packets"].as_str()).collect();
    let expected: Vec<String> = records.iter().map(|r| r.packets.to_string()).collect();
    assert_eq!(packets, expected);
}

/// The judge of the tests above is awake: it sees a lost message.
#[test]
fn tshark_complains_of_a_lost_message() {
    let mut wire = roundtrip::export(&sample::many(50), RecordSet::all(), roundtrip::request(512));
    let middle = wire.0.len() / 2;
    wire.0.remove(middle);
    let Some(text) = read(&wire, "tshark-lost") else { return };
    assert!(text.contains("_ws.expert"));
}
