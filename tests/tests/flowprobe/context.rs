//! Fields of records that come from the engine and not from packets.

use peloton_tests::{program::not_run, tshark};

use crate::scene::{IP4, IP6, Scene, UDP, UDP6, is};

fn scene(name: &str, fields: &str) -> Scene {
    let scene = Scene::new(name, "path-mtu 1450");
    scene.lab.run(&format!("ipfix template add way fields {fields}"));
    scene.params("template way");
    scene
}

/// The values of `fields` in the one record that there is.
fn read(scene: &Scene, fields: &[&str]) -> Option<Vec<String>> {
    let rows = tshark(scene.capture(), &["-d", "udp.port==4739,cflow"], fields)?;
    rows.into_iter().find(|row| row.iter().all(|cell| !cell.is_empty()))
}

#[test]
fn tshark_reads_tables_next_hop_and_status_of_packets_that_are_sent() {
    let scene = scene(
        "context-ip4",
        "ingressVRFID,egressVRFID,ipNextHopIPv4Address,egressInterface,forwardingStatus/1,packetDeltaCount",
    );
    scene.lab.script(
        "ip table add 5
         set interface ip address del pg0 192.168.0.1/24
         set interface ip table pg0 5
         set interface ip address pg0 192.168.0.1/24
         ip route add 10.0.0.0/8 table 5 via 192.168.1.2 pg1",
    );
    scene.feature("pg1 ip4 tx");
    scene.send(4, &format!("{IP4} {UDP}"));
    scene.feature("pg1 ip4 disable");
    let exported = scene.exported();
    assert_eq!((exported.records.len(), exported.packet_sum()), (1, 4), "{:?}", exported.records);
    let fields = [
        "cflow.ingress_vrfid",
        "cflow.egress_vrfid",
        "cflow.nexthop",
        "cflow.outputint",
        "cflow.forwarding_status",
        "cflow.forwarding_status_forward_code",
        "cflow.packets",
    ];
    let Some(row) = read(&scene, &fields) else {
        return not_run("tables and next hops read by tshark", "tshark is missing");
    };
    assert_eq!(row, ["5", "0", "192.168.1.2", "2", "1", "0", "4"]);
}

#[test]
fn tshark_reads_tables_and_next_hop_of_ip6() {
    let scene =
        scene("context-ip6", "ingressVRFID/2,egressVRFID,ipNextHopIPv6Address,packetDeltaCount");
    scene.lab.script(
        "ip6 table add 600
         set interface ip address del pg1 2001:db8:1::1/64
         set interface ip6 table pg1 600
         set interface ip address pg1 2001:db8:1::1/64
         set ip neighbor pg1 2001:db8:1::2 02:00:00:00:00:0a
         ip route add 2001:db8:10::/48 via 2001:db8:1::2 pg1",
    );
    scene.feature("pg1 ip6 tx");
    scene.send(3, &format!("{IP6} {UDP6}"));
    scene.feature("pg1 ip6 disable");
    assert_eq!(scene.exported().packet_sum(), 3);
    let fields = ["cflow.ingress_vrfid", "cflow.egress_vrfid", "cflow.nexthopv6", "cflow.packets"];
    let Some(row) = read(&scene, &fields) else {
        return not_run("next hops of IPv6 read by tshark", "tshark is missing");
    };
    assert_eq!(row, ["0", "600", "2001:db8:1::2", "3"]);
}

#[test]
fn tables_and_next_hops_tell_flows_apart() {
    let scene = scene("context-keys", "ipNextHopIPv4Address,packetDeltaCount");
    scene.lab.script(
        "set ip neighbor pg1 192.168.1.3 02:00:00:00:00:0b
         ip route add 10.5.0.0/16 via 192.168.1.3 pg1",
    );
    scene.feature("pg1 ip4 tx");
    scene.send(300, &format!("{IP4} {UDP}"));
    scene
        .send(20, &format!("{IP4} UDP: 192.168.0.2 -> 10.5.0.1 UDP: 1000 -> 2000 incrementing 18"));
    scene.send(
        50,
        &format!("{IP4} UDP: 192.168.0.2 -> 10.6.0.1-10.6.0.50 UDP: 1000 -> 2000 incrementing 18"),
    );
    scene.feature("pg1 ip4 disable");
    let exported = scene.exported();
    let mut records: Vec<_> = exported
        .records
        .iter()
        .map(|r| {
            (r["ipNextHopIPv4Address"].as_str().unwrap(), r["packetDeltaCount"].as_u64().unwrap())
        })
        .collect();
    records.sort_unstable();
    assert_eq!(records, [("192.168.1.2", 350), ("192.168.1.3", 20)]);
}

/// One template for both families: each looks into its own table, on receipt of routed packets and of frames.
#[test]
fn a_packet_has_the_table_of_its_family() {
    let scene = scene("context-families", "ipVersion,ingressVRFID,packetDeltaCount");
    scene.lab.script(
        "ip table add 4
         ip6 table add 6
         set interface ip address del pg0 192.168.0.1/24
         set interface ip address del pg0 2001:db8::1/64
         set interface ip table pg0 4
         set interface ip6 table pg0 6
         set interface ip address pg0 192.168.0.1/24
         set interface ip address pg0 2001:db8::1/64",
    );
    for feature in ["pg0 ip4 rx", "pg0 ip6 rx", "pg0 l2 rx"] {
        scene.feature(feature);
    }
    scene.send(2, &format!("{IP4} {UDP}"));
    scene.send(3, &format!("{IP6} {UDP6}"));
    for feature in ["pg0 ip4", "pg0 ip6", "pg0 l2"] {
        scene.feature(&format!("{feature} disable"));
    }
    let exported = scene.exported();
    let of = |version: u64| {
        let of_version = exported.records.iter().filter(move |r| r["ipVersion"] == version);
        of_version.map(|r| (r["ingressVRFID"].clone(), r["packetDeltaCount"].clone()))
    };
    assert_eq!(of(4).collect::<Vec<_>>(), [(4.into(), 2.into()), (4.into(), 2.into())]);
    assert_eq!(of(6).collect::<Vec<_>>(), [(6.into(), 3.into()), (6.into(), 3.into())]);
}

#[test]
fn what_is_not_known_where_packets_are_measured_is_refused_by_its_reason() {
    for (field, feature, reason) in [
        (
            "egressVRFID",
            "pg0 ip4 rx",
            "egressVRFID is known when packets are sent (tx), and not by ip4 rx",
        ),
        (
            "ipNextHopIPv4Address",
            "pg0 ip4 both",
            "(ip4 tx, ip6 tx), and not by ip4 rx of template way",
        ),
        ("ipNextHopIPv6Address", "pg0 l2 tx", "and not by l2 tx"),
        ("forwardingStatus", "pg0 l2 rx", "when packets are sent (tx) or dropped"),
        ("droppedPacketDeltaCount", "pg0 ip4 tx", "of drops alone"),
        ("egressVRFID", "pg0 drop", "and not by drop of template way"),
    ] {
        let scene = scene("context-refused", &format!("{field},packetDeltaCount"));
        let refused = scene.lab.refused(&format!("flowprobe feature add-del {feature}"));
        assert!(refused.contains(reason), "{refused}");
        assert_eq!(scene.lab.run("show flowprobe feature"), "");
    }
    let scene = scene("context-set", "egressVRFID,packetDeltaCount");
    scene.feature("pg1 ip4 tx");
    assert!(
        scene.lab.refused("flowprobe interface set pg1 ip4 both").contains("and not by ip4 rx")
    );
    assert_eq!(scene.lab.run("show flowprobe feature"), " pg1 ip4 tx\n");
}

/// A template of one interface is judged by where that is measured, or will be by the same line.
#[test]
fn what_is_not_known_is_refused_in_settings_of_single_interfaces() {
    let scene = scene("context-own-refused", "egressVRFID,packetDeltaCount");
    scene.params("record l3");
    scene.feature("pg0 ip4 rx");
    let lab = &scene.lab;
    let refused = |words: &str| lab.refused(&format!("flowprobe interface set pg0 {words}"));
    assert!(refused("ip4 template way").contains("and not by ip4 rx of template way"));
    assert!(refused("template way").contains("and not by ip4 rx of template way"));
    assert!(refused("ip4 both template way").contains("and not by ip4 rx of template way"));
    assert_eq!(lab.run("show flowprobe params"), " l3 active: 15 passive: 120\n");
    lab.run("flowprobe interface set pg0 ip4 tx template way");
    assert!(refused("ip4 rx").contains("and not by ip4 rx of template way"));
    assert!(refused("ip4 rx active 5").contains("and not by ip4 rx of template way"));
    lab.run("flowprobe interface set pg0 ip4 rx default");
    assert_eq!(lab.run("show flowprobe feature"), " pg0 ip4 rx\n");
    // Before it is measured there is no place, yet.
    lab.run("flowprobe interface set pg1 ip4 template way");
    assert!(lab.refused("flowprobe feature add-del pg1 ip4 rx").contains("and not by ip4 rx"));
    scene.feature("pg1 ip4 tx");
}

/// Interfaces with context beside others without, whichever is first, and alone when the others are gone.
#[test]
fn interfaces_with_and_without_context_are_measured_beside_each_other() {
    let scene = scene("context-own", "ipNextHopIPv4Address,egressInterface,packetDeltaCount");
    scene.params("record l3");
    scene.feature("pg0 ip4 rx");
    scene.lab.run("flowprobe interface set pg1 ip4 template way");
    scene.feature("pg1 ip4 tx");
    scene.send(5, &format!("{IP4} {UDP}"));
    scene.feature("pg0 ip4 disable");
    scene.send(7, &format!("{IP4} {UDP}"));
    scene.feature("pg0 ip4 rx");
    scene.send(9, &format!("{IP4} {UDP}"));
    scene.feature("pg1 ip4 disable");
    scene.feature("pg0 ip4 disable");
    let exported = scene.exported();
    assert_eq!(exported.sum("packetDeltaCount", is("ipNextHopIPv4Address", "192.168.1.2")), 21);
    assert_eq!(exported.sum("packetDeltaCount", is("ingressInterface", 1)), 14);
    assert_eq!(exported.packet_sum(), 35);
}

/// By hand: 100 octets from 1000 on, the same again, and 100 behind a gap of as many.
#[test]
fn sequence_numbers_are_followed_beside_next_hops() {
    let scene = scene(
        "context-sequence",
        "ipNextHopIPv4Address,packetDeltaCount,RETRANSMITTED_IN_PKTS,TRANSPORT_EVENT_PACKET_LOSS",
    );
    scene.feature("pg1 ip4 tx");
    for sequence in [1000_u32, 1000, 1200] {
        scene.replay(&[segment(sequence)]);
    }
    scene.feature("pg1 ip4 disable");
    let exported = scene.exported();
    let [record] = &exported.records[..] else { panic!("{:?}", exported.records) };
    assert_eq!(record["ipNextHopIPv4Address"], "192.168.1.2", "{record}");
    assert_eq!(record["packetDeltaCount"], 3, "{record}");
    assert_eq!(record["RETRANSMITTED_IN_PKTS"], 1, "{record}");
    assert_eq!(record["TRANSPORT_EVENT_PACKET_LOSS"], 1, "{record}");
}

/// A frame to pg0 with a TCP segment of 100 octets that is routed to pg1.
fn segment(sequence: u32) -> Vec<u8> {
    let mut frame = vec![0x02, 0xfe, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1, 8, 0];
    frame.extend([0x45, 0, 0, 140, 0, 0, 0, 0, 64, 6, 0, 0, 192, 168, 0, 2, 10, 0, 0, 1]);
    let words = frame[14..34].chunks_exact(2);
    let sum: u32 = words.map(|w| u32::from(u16::from_be_bytes([w[0], w[1]]))).sum();
    let sum = !((sum & 0xffff) + (sum >> 16)) as u16;
    frame[24..26].copy_from_slice(&sum.to_be_bytes());
    frame.extend([3, 0xe8, 7, 0xd0]);
    frame.extend(sequence.to_be_bytes());
    frame.extend([0, 0, 0, 1, 0x50, 0x10, 0xff, 0xff, 0, 0, 0, 0]);
    frame.extend([0; 100]);
    frame
}

#[test]
fn records_of_a_sampled_interface_name_the_selector_that_options_tell_of() {
    let scene = scene("context-selector", "selectorId,ingressInterface,packetDeltaCount");
    scene.lab.run("ipfix options sampling");
    scene.feature("pg0 ip4 rx");
    scene.feature("pg1 ip4 tx");
    scene.feature("pg0 l2 rx");
    for rate in ["count 1 9", "count 1 4"] {
        scene.lab.run(&format!("flowprobe sampling pg0 {rate}"));
        scene.lab.engine.run_until_idle();
        scene.send(100, &format!("{IP4} {UDP}"));
        scene.lab.advance(130);
    }
    let exported = scene.exported();
    let mut selectors = std::collections::BTreeMap::<u64, u64>::new();
    for record in exported.records.iter().filter(|r| r.get("packetDeltaCount").is_some()) {
        let selector = record["selectorId"].as_u64().unwrap();
        *selectors.entry(selector).or_default() += record["packetDeltaCount"].as_u64().unwrap();
    }
    // Each setting has a selector at each site; pg1 is measured whole.
    let packets: Vec<u64> = selectors.values().copied().collect();
    assert_eq!(packets, [200, 10, 10, 20, 20], "{selectors:?}");
    assert_eq!(selectors[&0], 200);
    for selector in selectors.into_keys().filter(|&selector| selector != 0) {
        let told = |r: &&serde_json::Value| {
            r["selectorId"] == selector && r.get("samplingPacketInterval").is_some()
        };
        assert!(exported.records.iter().any(|r| told(&r)), "selector {selector}");
    }
}
