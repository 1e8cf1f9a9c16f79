//! What templates of users promise.

use proptest::prelude::*;
use serde_json::Value;

use super::{Field, FieldList, NamedTemplates, Role};
use crate::{
    flow::{Families, FlowRecord, Keys},
    ipfix::{
        decode::{Decoder, Event, SessionKind},
        elements::DataType,
        json::{self, FlowWriter},
        tests::{roundtrip, sample, tshark},
    },
};

fn list(text: &str) -> FieldList {
    FieldList::parse(text).unwrap()
}

fn refused(text: &str) -> String {
    FieldList::parse(text).unwrap_err().to_string()
}

/// All fields, in the order of the table.
fn everything() -> String {
    Field::all().iter().map(|field| field.name).collect::<Vec<_>>().join(",")
}

#[test]
fn the_table_is_in_the_order_of_the_registry() {
    let ids: Vec<_> = Field::all().iter().map(|field| field.id().unwrap()).collect();
    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
}

#[test]
fn names_that_are_no_elements_are_answered_with_what_was_meant() {
    assert_eq!(
        refused("sourceIPAddress"),
        "unknown element 'sourceIPAddress'; did you mean sourceIPv4Address, sourceIPv6Address, sourceMacAddress?"
    );
    assert!(refused("octetdeltacount").ends_with("did you mean octetDeltaCount?"));
    assert!(refused("packetDeltaCont").ends_with("did you mean packetDeltaCount?"));
    assert!(refused("colour").ends_with("`show ipfix element' lists the names"));
}

#[test]
fn elements_that_no_meter_has_are_refused_by_their_reason() {
    for (name, reason) in [
        (
            "applicationName",
            "flow records cannot have applicationName: no meter classifies applications",
        ),
        ("bgpSourceAsNumber", "no BGP attributes"),
        ("postNATSourceIPv4Address", "nothing here translates addresses"),
        ("octetTotalSumOfSquares", "`show ipfix element' lists"),
        ("layer2OctetTotalCount", "use delta counts"),
        ("tcpOptions", "RFC 9740 replaced it by tcpOptionsFull"),
        ("mplsLabelStackSection5", "no more than four labels"),
        ("VRFname", "by number"),
        ("valueDistributionMethod", "`show ipfix element' lists"),
        ("9/12", "flow records cannot have 9/12: it is neither in the IANA registry"),
        ("0/105", "neither in the IANA registry"),
        ("reverseApplicationName", "no meter classifies applications"),
        ("29305/4", "there are counts, times and TCP flags alone"),
    ] {
        let text = refused(&format!("packetDeltaCount,{name}"));
        assert!(text.contains(reason), "{name}: {text}");
    }
}

#[test]
fn lists_that_are_none_are_refused_by_their_reason() {
    for (text, reason) in [
        ("", "unknown element ''"),
        ("packetDeltaCount,", "unknown element ''"),
        ("packetDeltaCount,octetDeltaCount,packetDeltaCount", "packetDeltaCount is there twice"),
        ("octetDeltaCount/9", "octetDeltaCount has 1 to 8 octets, not 9"),
        ("interfaceName/8", "interfaceName is text, and as long as it is: leave out /8"),
        ("octetDeltaCount/0", "octetDeltaCount has 1 to 8 octets, not 0"),
        ("sourceIPv4Address/3", "sourceIPv4Address has 4 octets and not 3: only integers"),
        ("flowStartMilliseconds/4", "only integers can be shorter"),
        ("octetDeltaCount/4/4", "is no field"),
        ("octetDeltaCount/four", "is no field"),
        ("9/x", "is no field"),
        (
            "packetDeltaCount,reversePacketDeltaCount",
            "add sourceIPv4Address and destinationIPv4Address",
        ),
        (
            "sourceIPv6Address,destinationIPv6Address,sourceTransportPort,reversePacketDeltaCount",
            "add sourceTransportPort and destinationTransportPort",
        ),
    ] {
        let refused = refused(text);
        assert!(refused.contains(reason), "{text}: {refused}");
    }
}

#[test]
fn a_number_names_the_element_as_well_as_its_name() {
    let by_number = list("0/8,0/12,0/1/4,29305/1/5");
    let expected =
        "sourceIPv4Address,destinationIPv4Address,octetDeltaCount/4,reverseOctetDeltaCount/5";
    assert_eq!(by_number.to_string(), expected);
}

#[test]
fn families_are_those_that_the_fields_are_of() {
    let (ip4, ip6, other) = (Families::IP4, Families::IP6, Families::OTHER);
    for (text, families) in [
        ("packetDeltaCount", ip4 | ip6 | other),
        ("sourceMacAddress,octetDeltaCount", ip4 | ip6 | other),
        ("sourceIPv4Address,packetDeltaCount", ip4),
        ("destinationIPv6Address,packetDeltaCount", ip6),
        ("sourceIPv4Address,sourceIPv6Address", ip4 | ip6),
        ("protocolIdentifier,packetDeltaCount", ip4 | ip6),
        ("sourceIPv4Address,ethernetType", ip4 | other),
        ("icmpTypeIPv4", ip4),
    ] {
        assert_eq!(list(text).families(), families, "{text}");
    }
}

#[test]
fn keys_of_a_family_are_those_that_it_has_fields_for() {
    let list = list("sourceIPv4Address,destinationIPv6Address,icmpTypeIPv4,flowDirection");
    let selection = list.selection();
    assert_eq!(selection.ip4, Keys::SOURCE_ADDRESS | Keys::ICMP_TYPE | Keys::DIRECTION);
    assert_eq!(selection.ip6, Keys::DESTINATION_ADDRESS | Keys::DIRECTION);
    assert_eq!(selection.other, Keys::DIRECTION);
}

#[test]
fn each_kind_of_flow_has_a_template_of_what_it_has_and_equal_ones_are_one() {
    let templates = |text: &str| -> Vec<Vec<&'static str>> {
        let templates = list(text).templates(Families::all());
        let names = templates.encoders().iter().map(|encoder| {
            encoder.fields().iter().map(|f| f.element.element().unwrap().name).collect()
        });
        names.collect()
    };
    assert_eq!(templates("packetDeltaCount"), [["packetDeltaCount"]]);
    assert_eq!(
        templates("sourceIPv4Address,sourceTransportPort,icmpTypeCodeIPv4,packetDeltaCount"),
        [
            ["sourceIPv4Address", "sourceTransportPort", "packetDeltaCount"],
            ["sourceIPv4Address", "icmpTypeCodeIPv4", "packetDeltaCount"],
        ]
    );
}

/// RFC 7011 section 6.2: the significant octets of the integer. Worked by hand.
#[test]
fn records_have_the_octets_of_their_fields_and_those_that_do_not_fit_are_counted() {
    let list = list(
        "sourceIPv4Address,destinationTransportPort/1,octetDeltaCount/4,packetDeltaCount/2,flowStartNanoseconds,\
         flowEndSeconds,flowDurationMilliseconds,vlanId",
    );
    let templates = list.templates(Families::IP4);
    let [_, tcp, ..] = sample::one_of_each_shape();
    let (_, encoder) = templates.select(&tcp).unwrap();
    let mut octets = vec![0xee; encoder.record_len()];
    encoder.encode(&tcp, &mut octets);
    let expected: [&[u8]; 8] = [
        &[192, 0, 2, 1],
        &[80],
        // 2^32 does not fit into 4 octets.
        &[0xff; 4],
        &[0, 10],
        // 1,700,000,000 + 2,208,988,800 seconds, 0.123456789 * 2^32 = 530,242,871.2.
        &[0xe8, 0xfe, 0x6f, 0x80, 0x1f, 0x9a, 0xdd, 0x37],
        &1_700_000_060_u32.to_be_bytes(),
        &60_333_u32.to_be_bytes(),
        &[0, 42],
    ];
    assert_eq!(octets, expected.concat());
    assert_eq!(list.saturated(), 1);
    encoder.encode(&FlowRecord { octets: 0xffff_ffff, ..tcp }, &mut octets);
    assert_eq!(list.saturated(), 1);
}

#[test]
fn names_are_unique_and_a_template_in_use_stays() {
    let templates = NamedTemplates::default();
    templates.add("web", "packetDeltaCount").unwrap();
    let error = |result: Result<(), super::TemplateError>| result.unwrap_err().to_string();
    assert!(error(templates.add("web", "octetDeltaCount")).contains("already"));
    assert!(error(templates.add("a b", "octetDeltaCount")).contains("is no name"));
    assert!(error(templates.add("", "octetDeltaCount")).contains("is no name"));
    assert!(error(templates.remove("dns")).contains("no template dns"));
    let lease = templates.lease("web", "flowprobe").unwrap();
    assert_eq!(error(templates.remove("web")), "template web is in use by flowprobe");
    drop(lease);
    templates.remove("web").unwrap();
    assert!(templates.lease("web", "flowprobe").is_err());
}

#[test]
fn integers_alone_have_values_of_any_size() {
    for field in Field::all() {
        let data_type = field.element().unwrap().data_type;
        let ends = "sourceIPv4Address/4,destinationIPv4Address/4";
        let shorter = match field.name {
            "sourceIPv4Address" | "destinationIPv4Address" => {
                FieldList::parse(&format!("{}/1", field.name))
            }
            name => FieldList::parse(&format!("{ends},{name}/1")),
        };
        let is_integer = matches!(
            data_type,
            DataType::Unsigned8
                | DataType::Unsigned16
                | DataType::Unsigned32
                | DataType::Unsigned64
                | DataType::Unsigned256
        );
        assert_eq!(shorter.is_ok(), is_integer, "{}", field.name);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// What the fields say after the wire is what the direct JSON of a record says.
    #[test]
    fn every_record_of_every_field_survives_the_wire(
        records in prop::collection::vec(sample::records(), 1..40),
    ) {
        let list = list(&everything());
        let templates = list.templates(Families::all());
        let wire = roundtrip::export_as(&templates, &records, roundtrip::request(1400));
        let mut decoder = Decoder::new(SessionKind::Datagrams, std::sync::Arc::default());
        let mut decoded = Vec::new();
        for (_, message) in &wire.0 {
            decoder.decode(message, &mut |_, event| {
                if let Event::Record(record) = event {
                    let mut line = Vec::new();
                    json::write_record(&mut line, &record);
                    decoded.push(String::from_utf8(line).unwrap());
                }
            }).unwrap();
        }
        let mut writer = FlowWriter::new(templates);
        let direct: Vec<String> = records.iter().map(|record| {
            let mut line = Vec::new();
            writer.write(&mut line, record);
            String::from_utf8(line).unwrap()
        }).collect();
        prop_assert_eq!(decoded, direct);
    }
}

/// What tshark calls an element, and its value of the record, where it shows plain numbers.
const TSHARK: [(&str, fn(&FlowRecord) -> u64); 12] = [
    ("cflow.octets", |r| r.octets),
    ("cflow.packets", |r| r.packets),
    ("cflow.protocol", |r| r.protocol.into()),
    ("cflow.srcport", |r| r.source_port.into()),
    ("cflow.dstport", |r| r.destination_port.into()),
    ("cflow.inputint", |r| r.ingress.0.into()),
    ("cflow.vlanid", |r| r.vlan.unwrap_or(0).into()),
    ("cflow.ethernet_type", |r| r.ethertype.into()),
    ("cflow.flow_end_reason", |r| r.end_reason as u64),
    ("cflow.direction", |r| r.direction as u64),
    ("cflow.ip_version", |_| 4),
    ("cflow.layer2_octet_delta_count", |r| r.layer2_octets),
];

#[test]
fn tshark_reads_fields_of_any_choice_and_size() {
    let list = list(
        "packetDeltaCount/4,octetDeltaCount/5,protocolIdentifier,sourceTransportPort,destinationTransportPort,\
         ingressInterface/2,vlanId,ethernetType,flowEndReason,flowDirection,ipVersion,layer2OctetDeltaCount/6,\
         sourceIPv4Address,flowStartMicroseconds,flowEndMicroseconds",
    );
    let [_, tcp, ..] = sample::one_of_each_shape();
    let records = [tcp, FlowRecord { packets: 0x0102_0304, vlan: None, ..tcp }];
    let templates = list.templates(Families::IP4);
    let wire = roundtrip::export_as(&templates, &records, roundtrip::request(1400));
    let Some(text) = tshark::read(&wire, "tshark-fields") else { return };
    assert!(!text.contains("_ws.expert") && !text.contains("_ws.malformed"), "{text}");
    let json: Value = serde_json::from_str(&text).unwrap();
    let mut found = Vec::new();
    tshark::flows(&json, &mut found);
    assert_eq!(found.len(), records.len());
    for (record, flow) in records.iter().zip(found) {
        for (name, value) in TSHARK {
            let shown = flow[name].as_str().unwrap_or_else(|| panic!("no {name} in {flow}"));
            assert_eq!(shown, value(record).to_string(), "{name}");
        }
        assert_eq!(flow["cflow.srcaddr"], "192.0.2.1");
        let start = flow.to_string();
        assert!(start.contains("22:13:20.12345"), "{start}");
    }
}

#[test]
fn every_key_can_be_asked_for() {
    let keys = Field::all().iter().filter_map(|field| match field.role {
        Role::Key(keys) => Some(keys),
        _ => None,
    });
    let all = keys.fold(Keys::empty(), |all, keys| all | keys);
    assert_eq!(all, Keys::all());
}
