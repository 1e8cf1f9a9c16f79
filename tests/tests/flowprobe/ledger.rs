//! Defects of VPP's flowprobe and exporter, each by its absence.

use vnet::interface::SwIfIndex;

use crate::scene::{IP4, IP6, Scene, UDP, UDP6, is};

#[test]
fn families_on_different_interfaces_keep_their_own_templates() {
    let scene = Scene::new("families", "");
    scene.params("record l3");
    scene.feature("pg0 ip4 rx");
    scene.feature("pg0 ip6 rx");
    scene.send(4, &format!("{IP4} {UDP}"));
    scene.send(6, &format!("{IP6} {UDP6}"));
    // One family goes; the other one's records still have their template.
    scene.feature("pg0 ip4 disable");
    scene.send(2, &format!("{IP6} {UDP6}"));
    scene.feature("pg0 ip6 disable");
    let exported = scene.exported();
    assert_eq!(exported.templates, [256, 257]);
    assert_eq!(exported.sum("packetDeltaCount", is("sourceIPv4Address", "192.168.0.2")), 4);
    assert_eq!(exported.sum("packetDeltaCount", is("sourceIPv6Address", "2001:db8::2")), 8);
}

#[test]
fn frames_without_ip_have_a_template_whatever_is_recorded() {
    for (number, record) in ["l2", "l3", "l4", "l2 l3", "l3 l4", "l2 l3 l4"].iter().enumerate() {
        let scene = Scene::new(&format!("no-ip-{number}"), "");
        scene.params(&format!("record {record}"));
        scene.feature("pg0 l2 rx");
        scene.send(9, "0x88b5: 02:00:00:00:00:01 -> 02:fe:00:00:00:00 incrementing 46");
        scene.feature("pg0 l2 disable");
        let exported = scene.exported();
        assert_eq!(exported.packet_sum(), 9, "{record}");
        assert_eq!(exported.all("ethernetType"), [0x88b5]);
        assert_eq!(exported.all("layer2OctetDeltaCount"), [9 * 60]);
    }
}

#[test]
fn the_mode_can_change_between_one_record_a_packet_and_timers() {
    let scene = Scene::new("modes", "");
    for (params, records) in
        [("active 0", 5), ("active 10", 1), ("active 0 passive 0", 5), ("active 1 passive 1", 1)]
    {
        scene.params(&format!("record l3 {params}"));
        scene.feature("pg0 ip4 rx");
        let before = scene.probe.exporter().counters().records;
        scene.send(5, &format!("{IP4} {UDP}"));
        scene.feature("pg0 ip4 disable");
        assert_eq!(scene.probe.exporter().counters().records - before, records, "{params}");
    }
    assert_eq!(scene.exported().packet_sum(), 20);
}

#[test]
fn a_record_of_one_packet_starts_when_the_packet_came() {
    let scene = Scene::new("one-packet", "");
    scene.params("record l3 active 0");
    scene.feature("pg0 ip4 rx");
    scene.lab.advance(3);
    scene.send(1, &format!("{IP4} {UDP}"));
    scene.lab.run("ipfix flush");
    let exported = scene.exported();
    assert_eq!(exported.records[0]["flowStartMilliseconds"], "2026-01-01T00:00:03.000Z");
    assert_eq!(exported.records[0]["flowEndMilliseconds"], "2026-01-01T00:00:03.000Z");
}

#[test]
fn disabling_needs_no_direction_and_leaves_no_node_behind() {
    for enabled in ["rx", "tx", "both"] {
        for disabled in ["", "rx", "tx", "both"] {
            let scene = Scene::without_collector(&format!("disable-{enabled}-{disabled}"));
            scene.params("record l3");
            scene.feature(&format!("pg0 ip4 {enabled}"));
            scene.feature(&format!("pg0 ip4 {disabled} disable"));
            let left = scene.lab.engine.with(|main| {
                let on = main.features().enabled(SwIfIndex(1));
                on.iter().flat_map(|(_, nodes)| nodes).filter(|n| n.contains("flowprobe")).count()
            });
            assert_eq!(left, 0, "{enabled} {disabled}");
        }
    }
}

#[test]
fn nothing_is_lost_when_an_interface_is_disabled() {
    let scene = Scene::new("disabled", "");
    scene.params("record l3 l4");
    scene.feature("pg0 ip4 rx");
    scene.feature("pg1 ip4 tx");
    scene.send(300, &format!("{IP4} UDP: 192.168.0.2 -> 10.0.0.1-10.0.0.90 UDP: 1 -> 2"));
    scene.feature("pg0 ip4 disable");
    scene.feature("pg1 ip4 disable");
    // Nothing leaks into flows that come later.
    scene.feature("pg0 ip4 rx");
    scene.send(7, &format!("{IP4} {UDP}"));
    scene.feature("pg0 ip4 disable");
    let exported = scene.exported();
    assert_eq!(exported.sum("packetDeltaCount", is("flowDirection", 0)), 307);
    assert_eq!(exported.sum("packetDeltaCount", is("flowDirection", 1)), 300);
    assert!(exported.all("flowEndReason").iter().all(|&reason| reason == 4));
}

#[test]
fn flows_that_end_all_at_once_are_sent_a_little_at_a_time() {
    let scene = Scene::new("all-at-once", "path-mtu 1450");
    scene.params("record l3");
    scene.feature("pg0 ip4 rx");
    let flows = 100_000;
    scene.send(flows, &format!("{IP4} UDP: 192.168.0.2 -> 10.0.0.0-10.1.134.159 UDP: 1 -> 2"));
    assert_eq!(scene.flows_held(), flows as usize);
    scene.feature("pg0 ip4 disable");
    assert_eq!(scene.not_sent(), 0);
    assert_eq!(scene.exported().packet_sum(), u64::from(flows));
}

#[test]
fn records_without_a_collector_are_counted() {
    let scene = Scene::without_collector("no-collector");
    scene.params("record l3 active 0");
    scene.feature("pg0 ip4 rx");
    scene.send(30, &format!("{IP4} {UDP}"));
    let (counters, waiting) = scene.probe.queue_counters(flowprobe::Variant::Ip4);
    assert_eq!((counters.without_collector, counters.packets_without_collector), (30, 30));
    assert_eq!((counters.handed_over, counters.dropped, waiting), (0, 0, 0));
    scene.collector("");
    scene.send(5, &format!("{IP4} {UDP}"));
    scene.lab.run("ipfix flush");
    assert_eq!(scene.exported().packet_sum(), 5);
}

#[test]
fn a_full_frame_of_records_fits_and_rings_for_the_exporter() {
    let scene = Scene::new("full-frame", "path-mtu 1450");
    scene.params("record l3 active 0");
    scene.feature("pg0 ip4 rx");
    scene.send(200_000, &format!("{IP4} {UDP}"));
    scene.lab.run("ipfix flush");
    let (counters, _) = scene.probe.queue_counters(flowprobe::Variant::Ip4);
    assert_eq!((counters.handed_over, counters.dropped), (200_000, 0));
    assert_eq!(scene.not_sent(), 0);
    assert_eq!(scene.exported().packet_sum(), 200_000);
}

#[test]
fn the_walker_rests_while_there_are_no_flows() {
    let scene = Scene::new("rest", "");
    scene.params("record l3 l4");
    scene.feature("pg0 ip4 rx");
    let walks = || {
        scene.lab.engine.with(|main| {
            let walker = main.graph().find("flowprobe-walker").unwrap();
            main.worker().stats(walker).calls
        })
    };
    scene.lab.advance(100);
    assert_eq!(walks(), 0);
    scene.send(3, &format!("{IP4} {UDP}"));
    scene.lab.advance(10);
    // Ten a second, and once a second a round through the whole table in eight pieces.
    let busy = walks();
    assert!((90..=200).contains(&busy), "{busy}");
    scene.lab.advance(130);
    let ended = walks();
    scene.lab.advance(1000);
    assert_eq!(walks(), ended);
}

#[test]
fn a_walk_is_bounded_and_leaves_nothing_behind() {
    let scene = Scene::new("walk", "path-mtu 1450");
    scene.params("record l3 active 5 passive 5");
    scene.feature("pg0 ip4 rx");
    scene.send(50_000, &format!("{IP4} UDP: 192.168.0.2 -> 10.0.0.0-10.0.195.79 UDP: 1 -> 2"));
    scene.lab.advance(20);
    assert_eq!(scene.flows_held(), 0);
    let (counters, waiting) = scene.probe.queue_counters(flowprobe::Variant::Ip4);
    assert_eq!((counters.handed_over, counters.dropped, waiting), (50_000, 0, 0));
    assert_eq!(scene.exported().packet_sum(), 50_000);
}

#[test]
fn ports_tell_flows_apart_only_when_they_are_recorded() {
    let scene = Scene::new("l3-alone", "");
    scene.params("record l3");
    scene.feature("pg0 ip6 rx");
    scene.send(9, &format!("{IP6} UDP: 2001:db8::2 -> 2001:db8:10::1 UDP: 1-9 -> 2"));
    scene.feature("pg0 ip6 disable");
    assert_eq!(scene.exported().all("packetDeltaCount"), [9]);
}

#[test]
fn a_deleted_interface_takes_its_flows_to_the_collector() {
    let scene = Scene::new("deleted", "");
    scene.params("record l2 l3");
    for words in ["pg0 ip4 rx", "pg0 l2 rx", "pg1 ip4 tx"] {
        scene.feature(words);
    }
    scene.send(11, &format!("{IP4} {UDP}"));
    scene.lab.run("packet-generator delete s");
    scene.lab.engine.with(|main| {
        let pg0 = main.interfaces().find("pg0").unwrap();
        main.change_interfaces(|table| table.delete_hardware(pg0)).unwrap();
    });
    scene.lab.engine.run_until_idle();
    assert_eq!(scene.lab.run("show flowprobe feature"), " pg1 ip4 tx\n");
    // The flow that came in by it has ended, too: the number will be another interface's.
    assert_eq!(scene.flows_held(), 0);
    scene.lab.run("ipfix flush");
    let exported = scene.exported();
    assert_eq!(exported.records.len(), 3);
    assert!(exported.all("packetDeltaCount").iter().all(|&packets| packets == 11));
}

#[test]
fn options_tags_and_fragments_are_read_as_what_they_are() {
    let scene = Scene::new("odd-headers", "");
    scene.params("record l2 l3 l4");
    scene.feature("pg0 l2 rx");
    let mut options = frame(&[0x08, 0x00], 24);
    options.extend([0x94, 4, 0, 0]);
    options.extend([0, 53, 0, 99, 0, 8, 0, 0]);
    let mut service = frame(&[0x88, 0xa8, 0, 42, 0x81, 0, 0, 7, 0x08, 0x00], 20);
    service.extend([0, 53, 0, 99, 0, 8, 0, 0]);
    let mut fragment = frame(&[0x08, 0x00], 20);
    let flags = fragment.len() - 20 + 6;
    fragment[flags..flags + 2].copy_from_slice(&[0, 100]);
    fragment.extend([0xde, 0xad, 0xbe, 0xef, 1, 2, 3, 4]);
    scene.replay(&[options, service, fragment]);
    scene.feature("pg0 l2 disable");
    let exported = scene.exported();
    let mut found: Vec<_> = exported
        .records
        .iter()
        .map(|r| {
            let number = |name: &str| r[name].as_u64().unwrap();
            (number("vlanId"), number("sourceTransportPort"), number("destinationTransportPort"))
        })
        .collect();
    found.sort_unstable();
    assert_eq!(found, [(0, 0, 0), (0, 53, 99), (42, 53, 99)]);
}

#[test]
fn bridged_frames_are_measured_where_they_come_and_where_they_leave_with_their_tags() {
    let scene = Scene::new("bridged", "");
    scene.lab.script(
        "create sub-interfaces pg1 9 dot1q 9 exact-match
         set interface state pg1.9 up
         set interface l2 bridge pg0 1
         set interface l2 bridge pg1.9 1
         set interface l2 tag-rewrite pg1.9 push dot1q 5",
    );
    // Frames that leave lose a tag by that, and frames that come gain one.
    scene.params("record l2 l3 l4");
    scene.feature("pg0 l2 rx");
    scene.feature("pg1.9 l2 tx");
    let mut tagged = frame(&[0x81, 0x00, 0, 5, 0x81, 0x00, 0, 9, 0x08, 0x00], 20);
    tagged.extend([0, 53, 0, 99, 0, 8, 0, 0]);
    scene.replay(&[tagged.clone(), tagged]);
    scene.feature("pg0 l2 disable");
    scene.feature("pg1.9 l2 tx disable");
    let exported = scene.exported();
    let mut found: Vec<_> = exported
        .records
        .iter()
        .map(|r| {
            ["vlanId", "packetDeltaCount", "sourceTransportPort"]
                .map(|name| r[name].as_u64().unwrap())
        })
        .collect();
    found.sort_unstable();
    assert_eq!(found, [[5, 2, 53], [9, 2, 53]], "{}", scene.lab.run("show errors"));
}

/// An Ethernet header with these bytes behind the addresses, and an IPv4 header of `header` octets (options follow) for 8
/// octets of UDP.
fn frame(types: &[u8], header: u8) -> Vec<u8> {
    let mut frame = vec![2, 0xfe, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1];
    frame.extend(types);
    frame.extend([0x40 | (header / 4), 0, 0, header + 8, 0, 0, 0, 0, 64, 17, 0, 0]);
    frame.extend([192, 168, 0, 2, 10, 0, 0, 1]);
    frame
}

#[test]
fn own_exports_are_not_measured() {
    let scene = Scene::new("own", "");
    scene.params("record l3 active 0");
    scene.feature("pg2 ip4 tx");
    scene.feature("pg2 l2 tx");
    scene.feature("pg0 ip4 rx");
    scene.send(50, &format!("{IP4} {UDP}"));
    scene.lab.run("ipfix flush");
    scene.lab.advance(60);
    assert_eq!(scene.exported().packet_sum(), 50);
}

#[test]
fn each_node_counts_what_happened_at_it() {
    let scene = Scene::new("counts", "");
    scene.params("record l3 active 0");
    scene.feature("pg0 ip4 rx");
    scene.feature("pg1 ip4 tx");
    scene.feature("pg0 ip6 rx");
    scene.send(12, &format!("{IP4} {UDP}"));
    scene.send(5, &format!("{IP6} {UDP6}"));
    let records = |node| scene.lab.error(node, "records");
    assert_eq!(
        (
            records("flowprobe-input-ip4"),
            records("flowprobe-output-ip4"),
            records("flowprobe-input-ip6")
        ),
        (12, 12, 5)
    );
    assert_eq!(records("flowprobe-output-l2"), 0);
}
