//! What is dropped is measured, too, with the reason.

use std::collections::BTreeMap;

use peloton_tests::{program::not_run, tshark};
use vnet::flow::Unmeasured;

use crate::scene::{IP4, IP6, Scene, UDP, UDP6, is};

const WHY: &str = "ingressInterface,forwardingStatus/1,sourceIPv4Address,destinationIPv4Address,\
     droppedPacketDeltaCount,droppedOctetDeltaCount";

/// What is dropped of what pg0 receives is measured, with the fields of a template.
fn scene(name: &str, fields: &str) -> Scene {
    let scene = Scene::new(name, "path-mtu 1450");
    scene.lab.run(&format!("ipfix template add why fields {fields}"));
    scene.params("template why");
    scene.feature("pg0 drop");
    scene
}

/// A frame to pg0 with a UDP packet over IPv4 of 46 octets; its checksum is right for what `change` makes of the header.
fn frame(to: [u8; 4], change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let mut frame = vec![0x02, 0xfe, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1, 8, 0];
    frame.extend([0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0, 192, 168, 0, 2]);
    frame.extend(to);
    frame.extend([3, 0xe8, 7, 0xd0, 0, 26, 0, 0]);
    frame.extend([0; 18]);
    change(&mut frame[14..34]);
    if frame[24..26] == [0, 0] {
        let words = frame[14..34].chunks_exact(2);
        let sum: u32 = words.map(|w| u32::from(u16::from_be_bytes([w[0], w[1]]))).sum();
        let sum = !((sum & 0xffff) + (sum >> 16)) as u16;
        frame[24..26].copy_from_slice(&sum.to_be_bytes());
    }
    frame
}

/// Packets that came by pg0 and are to leave by pg1, whatever its state.
fn to_pg1(scene: &Scene, count: u32, data: &str) {
    scene.lab.run(&format!(
        "packet-generator new {{ name d limit {count} interface pg0 tx-interface pg1 node interface-output \
         data {{ {data} }} }}"
    ));
    scene.lab.run("packet-generator enable-stream d");
    scene.lab.engine.run_until_idle();
}

const ROUTED: [u8; 4] = [10, 0, 0, 1];

/// Packets and octets of records by code, as tshark reads them: of drops alone.
fn codes(scene: &Scene) -> Option<BTreeMap<u8, (u64, u64)>> {
    let fields = [
        "cflow.forwarding_status",
        "cflow.forwarding_status_drop_code",
        "cflow.drop_packets",
        "cflow.drop_octets",
    ];
    let rows = tshark(scene.capture(), &["-d", "udp.port==4739,cflow"], &fields)?;
    let mut codes = BTreeMap::new();
    for row in rows.iter().filter(|row| !row[0].is_empty()) {
        let column = |cell: &String| -> Vec<u64> {
            cell.split(',').map(|value| value.parse().unwrap()).collect()
        };
        let columns: Vec<Vec<u64>> = row.iter().map(column).collect();
        let [states, reasons, packets, octets] = &columns[..] else { panic!("{columns:?}") };
        assert!(states.iter().all(|&state| state == 2), "dropped");
        for ((reason, packets), octets) in reasons.iter().zip(packets).zip(octets) {
            let of_reason: &mut (u64, u64) = codes.entry(*reason as u8).or_default();
            *of_reason = (of_reason.0 + packets, of_reason.1 + octets);
        }
    }
    Some(codes)
}

/// RFC 7270 section 4.12.
#[test]
fn tshark_reads_why_packets_were_dropped() {
    let scene = scene("drops-why", WHY);
    // 131: there is no route. 132: nobody knows the next hop's MAC address. 137: the TTL runs out.
    scene.replay(&vec![frame([11, 0, 0, 1], |_| ()); 2]);
    scene.replay(&vec![frame([192, 168, 1, 77], |_| ()); 3]);
    // They have waited for it.
    scene.lab.advance(4);
    scene.replay(&vec![frame(ROUTED, |ip| ip[8] = 1); 4]);
    // 134: the checksum is wrong. 135: the packet is shorter than it says.
    scene.replay(&vec![frame(ROUTED, |ip| ip[10] = 0x55); 5]);
    scene.replay(&vec![frame(ROUTED, |ip| ip[3] = 90); 6]);
    // 133: it is too long for the way out, and must not be cut.
    scene.lab.run("set interface mtu packet 600 pg1");
    let mut long = frame(ROUTED, |ip| {
        ip[2..4].copy_from_slice(&700_u16.to_be_bytes());
        ip[6] = 0x40;
    });
    long.resize(14 + 700, 0);
    scene.replay(&vec![long; 7]);
    // 141: for us, and nobody listens. 142: the interface is down.
    scene.send(8, &format!("{IP4} UDP: 192.168.0.2 -> 192.168.0.1 UDP: 1000 -> 9 incrementing 18"));
    scene.lab.run("set interface state pg1 down");
    to_pg1(&scene, 9, &format!("{IP4} {UDP}"));
    scene.feature("pg0 drop disable");
    let exported = scene.exported();
    let errors = scene.lab.run("show errors");
    assert_eq!(exported.sum("droppedPacketDeltaCount", |_| true), 44, "{errors}");
    let Some(codes) = codes(&scene) else {
        return not_run("reasons of drops read by tshark", "tshark is missing");
    };
    let expected = [
        (3, (2, 2 * 46)),
        (4, (3, 3 * 46)),
        (5, (7, 7 * 700)),
        (6, (5, 5 * 46)),
        (7, (6, 6 * 90)),
        (9, (4, 4 * 46)),
        (13, (8, 8 * 46)),
        (14, (9, 9 * 46)),
    ];
    assert_eq!(codes, BTreeMap::from(expected));
}

#[test]
fn the_reason_tells_flows_apart() {
    let scene =
        scene("drops-apart", "forwardingStatus,droppedPacketDeltaCount/4,droppedPacketTotalCount");
    scene.replay(&[frame(ROUTED, |ip| ip[8] = 1), frame(ROUTED, |ip| ip[10] = 0x55)]);
    scene.replay(&[frame(ROUTED, |ip| ip[8] = 1)]);
    scene.feature("pg0 drop disable");
    let exported = scene.exported();
    let records: Vec<_> = exported.records.iter().map(|r| &r["forwardingStatus"]).collect();
    assert_eq!(records.len(), 2, "{records:?}");
    assert_eq!(exported.sum("droppedPacketDeltaCount", is("forwardingStatus", 137)), 2);
    assert_eq!(exported.sum("droppedPacketTotalCount", is("forwardingStatus", 134)), 1);
}

/// The default fields, of packets whose headers lie at each place at which packets can be dropped.
#[test]
fn drops_have_the_layers_that_are_recorded() {
    let scene = Scene::new("drops-layers", "path-mtu 1450");
    scene.params("record l2 l3 l4");
    scene.feature("pg0 drop");
    assert_eq!(scene.lab.run("show flowprobe feature"), " pg0 drop\n");
    scene.send(2, &format!("{IP4} UDP: 192.168.0.2 -> 11.0.0.1 UDP: 1000 -> 2000 incrementing 18"));
    scene.send(
        3,
        "IP4: 02:00:00:00:00:01 -> 02:fe:00:00:00:99 UDP: 1.0.0.1 -> 10.0.0.1 UDP: 7 -> 8",
    );
    scene.lab.run("set interface state pg1 down");
    to_pg1(&scene, 4, &format!("{IP6} {UDP6}"));
    scene.send(5, "0x1234: 02:00:00:00:00:01 -> 02:fe:00:00:00:99 hex 0x0102");
    scene.feature("pg0 drop disable");
    let exported = scene.exported();
    assert_eq!(exported.records.len(), 4, "{:?}", exported.records);
    for (status, packets, octets, port) in [(131, 2, 92, 1000), (142, 4, 200, 1000)] {
        let of = is("forwardingStatus", status);
        let record = exported.records.iter().find(|r| of(r));
        let record = record.unwrap_or_else(|| panic!("{:?}", exported.records));
        assert_eq!(record["packetDeltaCount"], packets, "{record}");
        assert_eq!(record["octetDeltaCount"], octets, "{record}");
        assert_eq!(record["sourceTransportPort"], port, "{record}");
        assert_eq!(record["ingressInterface"], 1, "{record}");
        assert_eq!(record["layer2OctetDeltaCount"], octets + 14 * packets, "{record}");
    }
    let other = exported.records.iter().find(|r| r["ethernetType"] == 0x1234).unwrap();
    assert_eq!((&other["packetDeltaCount"], &other["forwardingStatus"]), (&5.into(), &128.into()));
    assert_eq!(other["destinationMacAddress"], "02:fe:00:00:00:99");
    let tuple = exported.records.iter().find(|r| r["sourceIPv4Address"] == "1.0.0.1").unwrap();
    assert_eq!(
        (&tuple["packetDeltaCount"], &tuple["destinationTransportPort"]),
        (&3.into(), &8.into())
    );
}

/// Frames that end anywhere, with and without tags, IPv4, IPv6 and neither.
#[test]
fn each_drop_is_in_a_record_or_counted_by_why_it_is_in_none() {
    let scene = Scene::new("drops-all", "path-mtu 1450");
    scene.params("record l2 l3 l4");
    scene.feature("pg0 drop");
    let ip4 = frame([11, 0, 0, 1], |_| ());
    let with_tag = |tags: &[u8]| [&ip4[..12], tags, &ip4[12..]].concat();
    let mut ip6 = ip4[..12].to_vec();
    ip6.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 8, 44, 1]);
    ip6.extend([0x20; 48]);
    let options = frame(ROUTED, |ip| ip[0] = 0x4f);
    let short = frame(ROUTED, |ip| ip[0] = 0x43);
    let frames = [
        ip4.clone(),
        ip6,
        options,
        short,
        with_tag(&[0x81, 0, 0, 7]),
        with_tag(&[0x88, 0xa8, 0, 7, 0x81, 0, 0, 9]),
    ];
    let mut sent = 0;
    for frame in frames {
        let cut: Vec<Vec<u8>> = (1..=frame.len()).map(|len| frame[..len].to_vec()).collect();
        sent += cut.len() as u64;
        scene.replay(&cut);
    }
    // Behind the link layer at once, as packet streams can begin.
    scene.lab.run("packet-generator new { name raw limit 9 interface pg0 node ip4-input data { UDP: 1.0.0.1 -> 11.0.0.1 UDP: 7 -> 8 } }");
    scene.lab.run("packet-generator enable-stream raw");
    scene.lab.engine.run_until_idle();
    sent += 9;
    let statistics = scene.lab.engine.with(|main| scene.probe.statistics(main));
    let [.., drops] = statistics;
    // Of the thread that had packets.
    let meters = drops.settings[0].meters.iter().map(|(_, counters)| *counters);
    let counters = meters.max_by_key(|counters| counters.seen).unwrap();
    let drops = scene.lab.engine.with(|main| {
        let pg0 = main.interfaces().find("pg0").unwrap();
        main.interface_counters().drops.sum(pg0.0)
    });
    let punted = scene.lab.error("error-punt", "punted");
    assert_eq!(counters.seen, drops);
    assert_eq!(drops + punted, sent);
    let truncated = counters.unmeasured(Unmeasured::TruncatedLink);
    assert_eq!(counters.measured + truncated, drops, "{counters:?}");
    scene.feature("pg0 drop disable");
    let exported = scene.exported();
    assert_eq!(exported.packet_sum() + truncated, drops);
    assert_eq!(exported.sum("packetDeltaCount", is("sourceIPv4Address", "1.0.0.1")), 9);
}

#[test]
fn drops_of_others_and_of_nobody_are_as_before() {
    let scene = scene("drops-others", WHY);
    scene.lab.run("set interface state pg2 up");
    scene.lab.run(
        "packet-generator new { name o limit 6 interface pg1 node ethernet-input \
         data { IP4: 1.2.3 -> 2.3.4 UDP: 1.1.1.1 -> 11.0.0.1 UDP: 1 -> 2 } }",
    );
    scene.lab.run("packet-generator enable-stream o");
    scene.lab.engine.run_until_idle();
    assert_eq!(scene.lab.error("ethernet-input", "mac-mismatch"), 6);
    scene.feature("pg0 drop disable");
    scene.send(3, &format!("{IP4} UDP: 192.168.0.2 -> 11.0.0.1 UDP: 1000 -> 2000 incrementing 18"));
    assert_eq!(scene.lab.error("ip4-drop", "route"), 3);
    assert!(scene.exported().records.is_empty());
}

#[test]
fn drops_are_refused_by_their_reason() {
    let scene = Scene::without_collector("drops-refused");
    let refused = |line: &str| scene.lab.refused(line);
    scene.params("record l3 profile vpp");
    assert!(refused("flowprobe feature add-del pg0 drop").contains("profile vpp"));
    scene.params("record l3");
    assert!(refused("flowprobe feature add-del pg0 drop both").contains("in no direction"));
    assert!(refused("flowprobe feature add-del pg0 drop disable").contains("not enabled"));
    scene.feature("pg0 drop");
    assert!(refused("flowprobe interface set pg0 drop tx").contains("in no direction"));
    assert!(refused("flowprobe interface set pg0 drop record l3 biflow").contains("one direction"));
    scene.feature("pg0 drop disable");
    scene.params("record l3 biflow");
    assert!(refused("flowprobe feature add-del pg0 drop").contains("without `biflow'"));
    scene.lab.run("flowprobe interface set pg0 drop record l3");
    scene.feature("pg0 drop");
    assert_eq!(scene.lab.run("show flowprobe feature"), " pg0 drop l3 active: 15 passive: 120\n");
}

/// Each interface with a reason of its own, in records of its own.
#[test]
fn interfaces_have_drops_recorded_by_settings_of_their_own() {
    let scene = scene("drops-own", WHY);
    scene.feature("pg1 drop");
    scene.lab.run("flowprobe interface set pg1 drop record l4");
    let to_nowhere =
        format!("{IP4} UDP: 192.168.0.2 -> 11.0.0.1 UDP: 1000 -> 2000 incrementing 18");
    scene.send(3, &to_nowhere);
    scene.lab.run(
        "packet-generator new { name o limit 6 interface pg1 node ethernet-input \
         data { IP4: 1.2.3 -> 2.3.4 UDP: 1.1.1.1 -> 11.0.0.1 UDP: 7 -> 8 } }",
    );
    scene.lab.run("packet-generator enable-stream o");
    scene.lab.engine.run_until_idle();
    scene.lab.run("flowprobe interface set pg0 drop record l4");
    scene.send(4, &to_nowhere);
    for interface in ["pg0", "pg1"] {
        scene.feature(&format!("{interface} drop disable"));
    }
    let exported = scene.exported();
    assert_eq!(exported.sum("droppedPacketDeltaCount", is("forwardingStatus", 131)), 3);
    assert_eq!(exported.sum("packetDeltaCount", is("forwardingStatus", 131)), 4);
    assert_eq!(exported.sum("packetDeltaCount", is("forwardingStatus", 128)), 6);
    assert_eq!(exported.sum("packetDeltaCount", is("sourceTransportPort", 7)), 6);
}
