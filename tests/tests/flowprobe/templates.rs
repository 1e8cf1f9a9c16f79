//! Records of templates that users make.

use serde_json::Value;

use crate::scene::{IP4, IP6, Scene, UDP, UDP6, is};

/// A UDP packet of 46 octets to another port, from another one.
const OTHER: &str = "UDP: 192.168.0.2 -> 10.0.0.1 UDP: 1001 -> 2001 incrementing 18";
/// From the first port again.
const THIRD: &str = "UDP: 192.168.0.3 -> 10.0.0.1 UDP: 1002 -> 2000 incrementing 18";

fn scene(name: &str, fields: &str) -> Scene {
    let scene = Scene::new(name, "");
    scene.lab.run(&format!("ipfix template add web fields {fields}"));
    scene.params("template web");
    scene
}

#[test]
fn records_have_the_fields_of_the_template_and_only_its_keys_tell_flows_apart() {
    let fields = "destinationTransportPort,packetDeltaCount/2,octetDeltaCount/4";
    let scene = scene("template-keys", fields);
    scene.feature("pg0 ip4 rx");
    scene.send(3, &format!("{IP4} {UDP}"));
    scene.send(4, &format!("{IP4} {OTHER}"));
    scene.send(5, &format!("{IP4} {THIRD}"));
    scene.feature("pg0 ip4 disable");
    let exported = scene.exported();
    assert_eq!(exported.records.len(), 2, "{:?}", exported.records);
    assert_eq!(exported.sum("packetDeltaCount", is("destinationTransportPort", 2000)), 8);
    assert_eq!(exported.sum("octetDeltaCount", is("destinationTransportPort", 2001)), 4 * 46);
    for record in &exported.records {
        let names: Vec<_> = record.as_object().unwrap().keys().collect();
        let expected = ["destinationTransportPort", "packetDeltaCount", "octetDeltaCount"];
        assert_eq!(names[..3], expected, "{record}");
    }
}

#[test]
fn one_template_has_records_of_each_family_with_the_fields_of_that() {
    let fields = "ethernetType,sourceMacAddress,sourceIPv4Address,sourceIPv6Address,octetDeltaCount,layer2OctetDeltaCount";
    let scene = scene("template-families", fields);
    scene.feature("pg0 l2 rx");
    scene.send(3, &format!("{IP4} {UDP}"));
    scene.send(4, &format!("{IP6} {UDP6}"));
    scene.send(5, "0x0806: 02:00:00:00:00:01 -> ff:ff:ff:ff:ff:ff hex 0x00010800");
    scene.feature("pg0 l2 disable");
    let exported = scene.exported();
    let of = |ethertype: u64| -> &Value {
        exported.records.iter().find(|r| r["ethernetType"] == ethertype).unwrap()
    };
    assert_eq!(exported.records.len(), 3);
    assert_eq!(of(0x800)["sourceIPv4Address"], "192.168.0.2");
    assert_eq!(of(0x800)["octetDeltaCount"], 3 * 46);
    assert_eq!(of(0x86dd)["sourceIPv6Address"], "2001:db8::2");
    assert_eq!(of(0x86dd)["layer2OctetDeltaCount"], 4 * 64);
    assert_eq!(of(0x806)["octetDeltaCount"], Value::Null);
    assert_eq!(of(0x806)["sourceMacAddress"], "02:00:00:00:00:01");
}

#[test]
fn layer_2_octets_of_routed_packets_are_those_of_their_frames() {
    let scene = scene("template-l2", "sourceIPv4Address,layer2OctetDeltaCount");
    scene.feature("pg0 ip4 rx");
    scene.send(2, &format!("{IP4} {UDP}"));
    scene.feature("pg0 ip4 disable");
    assert_eq!(scene.exported().all("layer2OctetDeltaCount"), [2 * 60]);
}

#[test]
fn templates_are_refused_by_their_reason() {
    let scene = scene("template-refused", "sourceIPv4Address,packetDeltaCount");
    let refused = |line: &str| scene.lab.refused(line);
    assert!(refused("flowprobe params template dns").contains("no template dns"));
    assert!(refused("flowprobe params template web record l3").contains("not both"));
    assert!(refused("flowprobe params template web profile vpp").contains("leave out"));
    assert!(refused("flowprobe params template web passive 5").contains("passive must be"));
    assert!(refused("ipfix template del web").contains("in use by flowprobe"));
    let ip6 = refused("flowprobe feature add-del pg0 ip6 rx");
    assert!(ip6.contains("template web has no fields for packets of ip6"), "{ip6}");
    let name = refused("ipfix template add x fields applicationName");
    assert!(name.contains("no meter classifies applications"), "{name}");
    scene.params("record l3");
    scene.lab.run("ipfix template del web");
    assert!(refused("ipfix template del web").contains("no template web"));
}

#[test]
fn templates_are_shown_with_who_uses_them_and_what_did_not_fit() {
    let scene = scene("template-shown", "destinationTransportPort/1,packetDeltaCount");
    assert_eq!(scene.lab.run("show flowprobe params"), " template web active: 15 passive: 120\n");
    let text = scene.lab.run("show ipfix template");
    assert!(text.starts_with("template web, used by flowprobe: 0 values did not fit\n"), "{text}");
    scene.feature("pg0 ip4 rx");
    scene.send(3, &format!("{IP4} {UDP}"));
    scene.feature("pg0 ip4 disable");
    let text = scene.lab.run("show ipfix template");
    assert!(text.contains("template web, used by flowprobe: 1 values did not fit\n"), "{text}");
    assert_eq!(scene.exported().all("destinationTransportPort"), [255]);
}

#[test]
fn records_of_a_template_add_up() {
    let scene = scene("template-sums", "protocolIdentifier,packetDeltaCount");
    for feature in ["pg0 ip4 rx", "pg1 ip4 tx", "pg0 l2 rx"] {
        scene.feature(feature);
    }
    scene.send(300, &format!("{IP4} {UDP}"));
    scene.send(7, &format!("{IP6} {UDP6}"));
    for feature in ["pg0 ip4", "pg1 ip4", "pg0 l2"] {
        scene.feature(&format!("{feature} disable"));
    }
    assert_eq!(scene.exported().packet_sum(), 300 + 300 + 307);
}

#[test]
fn tshark_reads_the_names_of_interfaces_of_any_length() {
    let scene = scene("template-names", "interfaceName,packetDeltaCount,interfaceDescription");
    scene.lab.run("set interface tag pg0 uplink-to-the-north");
    scene.feature("pg0 ip4 rx");
    scene.feature("pg1 ip4 rx");
    scene.send(3, &format!("{IP4} {UDP}"));
    scene.feature("pg0 ip4 disable");
    scene.lab.run("ipfix flush");
    // A name is that of the moment in which the record is sent.
    scene.lab.run("set interface tag pg0 down");
    scene.feature("pg0 ip4 rx");
    scene.send(4, &format!("{IP4} {UDP}"));
    scene.feature("pg0 ip4 disable");
    scene.lab.run("ipfix flush");
    let shown = scene.lab.run("show ipfix template");
    assert!(shown.contains("interfaceName") && shown.contains("variable"), "{shown}");
    let exported = scene.exported();
    let told = exported.records.iter().map(|record| {
        assert_eq!(record["interfaceName"], "pg0");
        (record["interfaceDescription"].as_str().unwrap(), record["packetDeltaCount"].as_u64())
    });
    let expected = [("uplink-to-the-north", Some(3)), ("down", Some(4))];
    assert_eq!(told.collect::<Vec<_>>(), expected);
    let fields = ["cflow.if_name", "cflow.if_descr", "cflow.packets"];
    let options = ["-d", "udp.port==4739,cflow", "-Y", "cflow.packets && !_ws.malformed"];
    let Some(rows) = peloton_tests::tshark(scene.capture(), &options, &fields) else { return };
    assert_eq!(rows, [["pg0", "uplink-to-the-north", "3"], ["pg0", "down", "4"]]);
}
