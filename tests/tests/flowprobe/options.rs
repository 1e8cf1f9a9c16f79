//! What options records tell a collector of the exporter, and of flow records.

use std::{fs, process::Command};

use peloton_tests::{START, program::not_run};
use serde_json::Value;
use vnet::ipfix::{
    decode::{Decoder, SessionKind},
    elements::{DataType, ElementId, REVERSE_PEN, Semantics, Units},
    export::{Output, Report, ReportKey, StreamKey, TemplateFields},
    options::ElementType,
    template::FieldSpecifier,
};

use crate::scene::{Exported, IP4, IP6, Scene, UDP, UDP6};

/// Every subject of the exporter itself.
const ALL: [&str; 6] = [
    "statistics",
    "metering-reliability",
    "exporting-reliability",
    "flow-keys",
    "interfaces",
    "types",
];

fn enable_all(scene: &Scene) {
    for word in ALL {
        scene.lab.run(&format!("ipfix options {word}"));
    }
    scene.lab.engine.run_until_idle();
}

fn with<'a>(exported: &'a Exported, element: &'a str) -> Vec<&'a Value> {
    exported.records.iter().filter(|record| record.get(element).is_some()).collect()
}

#[test]
fn statistics_are_those_before_the_message_that_tells_them() {
    let scene = Scene::new("options-statistics", "");
    scene.params("record l3 l4");
    scene.feature("pg0 ip4 rx");
    scene.lab.run("ipfix options statistics interval 60");
    let udp = "UDP: 192.168.0.2 -> 10.0.0.1-10.0.0.250 UDP: 1000 -> 2000 incrementing 18";
    for _ in 0..3 {
        scene.send(250, &format!("{IP4} {udp}"));
        scene.lab.advance(130);
    }
    let messages = scene.packets();
    let (mut before, mut octets, mut flows, mut told) = (0, 0, 0, 0);
    let mut decoder = Decoder::new(SessionKind::Datagrams, Default::default());
    for message in messages.iter().map(|packet| &packet[28..]) {
        let mut exported = Exported::default();
        exported.add(&mut decoder, message);
        for record in &exported.records {
            if record.get("observationDomainId").is_none() {
                flows += 1;
                continue;
            }
            told += 1;
            assert_eq!(record["observationDomainId"], 1);
            assert_eq!(record["exportedMessageTotalCount"], before);
            assert_eq!(record["exportedOctetTotalCount"], octets);
            assert_eq!(record["exportedFlowRecordTotalCount"], flows);
            assert_eq!(record["systemInitTimeMilliseconds"], "2026-01-01T00:00:00.000Z");
        }
        before += 1;
        octets += message.len();
    }
    assert!(flows == 750 && (6..=8).contains(&told), "{flows} flows, told {told} times");
    let told_by_show = format!("{told}  ");
    assert!(scene.lab.run("show ipfix options").contains(&told_by_show));
}

/// RFC 7011: sections 3.1 (message), 3.3.2 (set), 3.4.2.2 (options template), 7 (variable length). By hand.
#[test]
fn names_of_interfaces_are_these_octets() {
    let scene = Scene::new("options-interfaces", "path-mtu 1450");
    scene.lab.run("set interface tag pg1 uplink");
    scene.lab.run("ipfix options interfaces");
    scene.lab.engine.run_until_idle();
    let packets = scene.packets();
    let [template, names] = &packets[..] else { panic!("{} packets", packets.len()) };
    let time = ((START.0 / 1_000_000_000) as u32).to_be_bytes();
    let expected = [
        // Version, length; export time; sequence; domain.
        &[0, 10, 0, 38][..],
        &time,
        &[0, 0, 0, 0, 0, 0, 0, 1],
        // Options template set; identifier 256, 3 fields, 1 scope field.
        &[0, 3, 0, 22, 1, 0, 0, 3, 0, 1],
        // ingressInterface 10, interfaceName 82, interfaceDescription 83.
        &[0, 10, 0, 4, 0, 82, 255, 255, 0, 83, 255, 255],
    ];
    assert_eq!(template[28..], expected.concat());
    let expected = [
        &[0, 10, 0, 74][..],
        &time,
        &[0, 0, 0, 0, 0, 0, 0, 1],
        &[1, 0, 0, 58],
        &[0, 0, 0, 0, 6],
        b"local0",
        &[5],
        b"local",
        &[0, 0, 0, 1, 3],
        b"pg0",
        &[2],
        b"pg",
        &[0, 0, 0, 2, 3],
        b"pg1",
        &[6],
        b"uplink",
        &[0, 0, 0, 3, 3],
        b"pg2",
        &[2],
        b"pg",
    ];
    assert_eq!(names[28..], expected.concat());
}

#[test]
fn a_new_name_is_told_at_once_and_all_names_in_a_new_session() {
    let scene = Scene::new("options-names", "path-mtu 1450 template-interval 3600");
    scene.lab.run("ipfix options interfaces");
    scene.lab.engine.run_until_idle();
    scene.lab.run("create packet-generator interface pg7");
    scene.lab.advance(10);
    scene.lab.run("set interface tag pg7 late");
    scene.lab.advance(10);
    scene.collector("path-mtu 1450 template-interval 3600 port 4740");
    scene.lab.advance(700);
    let exported = scene.exported();
    let names: Vec<_> = with(&exported, "interfaceName")
        .iter()
        .map(|r| {
            (r["ingressInterface"].as_u64().unwrap(), r["interfaceDescription"].as_str().unwrap())
        })
        .collect();
    let first = [(0, "local"), (1, "pg"), (2, "pg"), (3, "pg")];
    let all = [(0, "local"), (1, "pg"), (2, "pg"), (3, "pg"), (4, "late")];
    assert_eq!(names, [&first[..], &[(4, "pg"), (4, "late")], &all, &all].concat());
}

#[test]
fn flow_keys_follow_each_template() {
    let scene = Scene::new("options-keys", "template-interval 20");
    scene.params("record l3 l4");
    scene.lab.run("ipfix options flow-keys");
    scene.feature("pg0 ip4 rx");
    scene.lab.advance(100);
    let exported = scene.exported();
    let keys = |template: u64| {
        let of = with(&exported, "flowKeyIndicator");
        let of = of.iter().filter(|record| record["templateId"] == template);
        of.map(|record| record["flowKeyIndicator"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    // The interfaces and the direction; addresses and protocol behind packets, times and reason; ports behind octets.
    let bits = |fields: &[u32]| fields.iter().map(|n| 1_u64 << n).sum::<u64>();
    let tcp = bits(&[0, 1, 2, 7, 8, 9, 11, 12]);
    let icmp = bits(&[0, 1, 2, 7, 8, 9, 11]);
    // At once, and every 20 seconds.
    assert_eq!((keys(257), keys(258)), (vec![tcp; 6], vec![icmp; 6]));
}

#[test]
fn packets_that_no_meter_could_take_are_told() {
    let scene = Scene::new("options-metering", "");
    scene.params("record l2 l3 l4");
    scene.lab.run("ipfix options metering-reliability");
    scene.feature("pg0 l2 rx");
    scene.lab.advance(20);
    // They end within their link header.
    scene.replay(&vec![vec![2; 10]; 3]);
    scene.lab.advance(20);
    let exported = scene.exported();
    let told = with(&exported, "ignoredPacketTotalCount");
    let packets: Vec<_> = told.iter().map(|r| r["ignoredPacketTotalCount"].clone()).collect();
    assert_eq!(packets, [0, 3]);
    let times = told[1]["observationTimeMilliseconds"].as_array().unwrap();
    assert!(times[0] == times[1] && times[0].as_str().unwrap() >= "2026-01-01T00:00:20");
}

#[test]
fn octets_of_packets_that_no_meter_could_take_are_those_behind_their_link_headers() {
    let scene = Scene::new("options-metering-octets", "");
    scene.lab.run("ipfix template add ip fields sourceIPv4Address,packetDeltaCount");
    scene.params("template ip");
    scene.lab.run("ipfix options metering-reliability");
    scene.feature("pg0 l2 rx");
    // They end within their IP header, one behind a tag.
    let macs = [2; 12];
    let plain = [&macs[..], &[8, 0], &[0x45; 10]].concat();
    let tagged = [&macs[..], &[0x81, 0, 0, 7, 8, 0], &[0x45; 7]].concat();
    scene.replay(&[plain.clone(), plain, tagged]);
    scene.lab.advance(700);
    let exported = scene.exported();
    let told = with(&exported, "ignoredPacketTotalCount");
    let last = told.last().unwrap();
    let of = |name: &str| last[name].as_u64().unwrap();
    assert_eq!((of("ignoredPacketTotalCount"), of("ignoredOctetTotalCount")), (3, 27));
}

/// Records of an element of an enterprise, and of one of the reverse direction.
struct Riders;

const RIDERS: ElementId = ElementId { enterprise: 32473, id: 7 };
const REVERSE_PACKETS: ElementId = ElementId { enterprise: REVERSE_PEN, id: 2 };

impl Report for Riders {
    fn template(&mut self, _: usize) -> TemplateFields {
        let field = |element| FieldSpecifier::new(element, 8);
        TemplateFields::data(&[field(RIDERS), field(REVERSE_PACKETS)])
    }

    fn data(&mut self, output: &mut Output<'_>) {
        output.record(0, 16, |room| room.fill(1)).unwrap();
    }
}

#[test]
fn enterprise_elements_are_read_by_the_names_and_types_that_are_told() {
    let scene = Scene::new("options-types", "path-mtu 1450 template-interval 3600");
    scene.lab.run("ipfix options types");
    scene.lab.engine.run_until_idle();
    let ipfix = scene.probe.exporter();
    ipfix.options().describe(ElementType {
        id: RIDERS,
        name: "riderCount".to_owned(),
        data_type: DataType::Unsigned64,
        semantics: Semantics::DeltaCounter,
        units: Units::None,
        range: Some((1, 300)),
        description: "riders of a peloton".to_owned(),
    });
    let key = ReportKey { name: "riders", opaque: 0 };
    ipfix.add_report(key, StreamKey::DEFAULT, Box::new(Riders)).unwrap();
    scene.lab.advance(12);
    let exported = scene.exported();
    let told = with(&exported, "informationElementName");
    let names: Vec<_> =
        told.iter().map(|record| record["informationElementName"].clone()).collect();
    assert_eq!(names, ["reversePacketDeltaCount", "riderCount"]);
    assert_eq!(told[1]["informationElementRangeEnd"], 300);
    let file = scene.capture().with_extension("ipfix");
    fs::write(&file, scene.messages().concat()).unwrap();
    let dump = Command::new("timeout")
        .args(["20", "ipfixDump", "--rfc5610", "--data", "--in"])
        .arg(&file)
        .output();
    fs::remove_file(&file).unwrap();
    match dump {
        Ok(output) if output.status.code() != Some(127) => {
            let text = String::from_utf8_lossy(&output.stdout);
            // The record behind them is shown by its name.
            assert!(text.matches("riderCount").count() > 1, "{text}");
            assert!(text.contains("72340172838076673"), "{text}");
        }
        _ => not_run("types of elements read by ipfixDump", "ipfixDump is missing"),
    }
}

#[test]
fn tshark_and_ipfix_dump_accept_every_options_record() {
    let scene = Scene::new("options-tshark", "path-mtu 1450 udp-checksum");
    scene.params("record l2 l3 l4");
    scene.feature("pg0 ip4 rx");
    scene.feature("pg0 ip6 rx");
    enable_all(&scene);
    scene.send(100, &format!("{IP4} {UDP}"));
    scene.send(50, &format!("{IP6} {UDP6}"));
    scene.lab.advance(700);
    scene.exported();
    if let Ok(output) = Command::new("tshark")
        .args(["-n", "-d", "udp.port==4739,cflow", "-o", "udp.check_checksum:TRUE", "-V", "-r"])
        .arg(scene.capture())
        .output()
    {
        let text = String::from_utf8_lossy(&output.stdout);
        for complaint in ["Expert Info", "Malformed", "no template found"] {
            assert!(!text.contains(complaint), "{complaint}");
        }
        for field in
            ["IfName: pg1", "IfDescr: pg", "floKeyIndicator", "Ignored Packets", "Not Sent Flows"]
        {
            assert!(text.contains(field), "no {field} in {text}");
        }
    } else {
        not_run("options records read by tshark", "tshark is missing");
    }
    let file = scene.capture().with_extension("ipfix");
    fs::write(&file, scene.messages().concat()).unwrap();
    let dump = Command::new("timeout")
        .args(["20", "ipfixDump", "--rfc5610", "--data", "--in"])
        .arg(&file)
        .output();
    fs::remove_file(&file).unwrap();
    match dump {
        Ok(output) if output.status.code() != Some(127) => {
            let errors = String::from_utf8_lossy(&output.stderr);
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success() && errors.is_empty(), "{errors}");
            assert!(!text.contains("WARNING"), "{text}");
            assert!(text.contains("interfaceName") && text.contains("flowKeyIndicator"), "{text}");
        }
        _ => not_run("options records read by ipfixDump", "ipfixDump is missing"),
    }
}

#[test]
fn each_exporter_tells_of_itself_what_is_enabled_for_it() {
    let scene = Scene::without_collector("options-named");
    let lab = &scene.lab;
    let here = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    here.set_nonblocking(true).unwrap();
    let port = here.local_addr().unwrap().port();
    lab.run("ipfix exporter add second");
    lab.run("ipfix exporter set second via kernel domain 7");
    lab.run(&format!("ipfix collector add second udp 127.0.0.1 port {port}"));
    lab.run("flowprobe exporter second");
    scene.params("record l3");
    scene.feature("pg0 ip4 rx");
    for words in ["statistics interval 60", "flow-keys", "exporting-reliability"] {
        let (word, more) = words.split_once(' ').unwrap_or((words, ""));
        lab.run(&format!("ipfix options {word} exporter second {more}"));
    }
    lab.engine.run_until_idle();
    scene.send(5, &format!("{IP4} {UDP}"));
    lab.advance(130);
    let (mut exported, mut datagram) = (Exported::default(), [0; 2048]);
    let mut decoder = Decoder::new(SessionKind::Datagrams, Default::default());
    while let Ok(len) = here.recv(&mut datagram) {
        exported.add(&mut decoder, &datagram[..len]);
    }
    let statistics = with(&exported, "exportedFlowRecordTotalCount");
    assert!(statistics.len() >= 2, "{:?}", exported.records);
    let last = statistics.last().unwrap();
    assert_eq!(last["observationDomainId"], 7);
    assert_eq!(last["exportedFlowRecordTotalCount"], 1);
    // Interfaces, direction; addresses and protocol behind packets, times and the reason of the end. By hand.
    let keys = with(&exported, "flowKeyIndicator");
    assert!(!keys.is_empty() && keys.iter().all(|keys| keys["flowKeyIndicator"] == 0b11_1000_0111));
    let not_sent = with(&exported, "notSentFlowTotalCount")[0];
    assert_eq!(
        (&not_sent["exportingProcessId"], &not_sent["notSentFlowTotalCount"]),
        (&2.into(), &0.into())
    );
    // Exporter 0 tells nothing.
    let shown = lab.run("show ipfix options");
    let rows = |word: &str, state: &str, exporter: &str| {
        let lines = shown.lines().filter(|line| line.starts_with(word) && line.contains(state));
        lines.filter(|line| line.ends_with(exporter)).count()
    };
    assert_eq!(rows("statistics", "enabled", "second"), 1, "{shown}");
    assert_eq!(rows("statistics", "disabled", "0"), 1, "{shown}");
    assert!(lab.refused("ipfix options statistics disable").contains("not enabled"));
    assert!(lab.refused("ipfix options types exporter third").contains("no such exporter: third"));
    scene.feature("pg0 ip4 disable");
    let refused = lab.refused("ipfix exporter del second");
    assert!(refused.contains("options-statistics"), "{refused}");
    for word in ["statistics", "flow-keys", "exporting-reliability"] {
        lab.run(&format!("ipfix options {word} exporter second disable"));
    }
    lab.run("flowprobe exporter 0");
    lab.run("ipfix exporter del second");
    assert_eq!(lab.run("show ipfix options").matches("second").count(), 0);
}
