//! Some packets of an interface are measured instead of all.

use std::{fs, process::Command};

use peloton_tests::program::not_run;
use serde_json::Value;

use crate::{
    kernel::collect,
    scene::{Exported, IP4, Scene, UDP, is},
};

/// pg0 is measured on receipt as ip4 and as l2.
fn scene(name: &str) -> Scene {
    let scene = Scene::new(&format!("sampling-{name}"), "path-mtu 1450 udp-checksum");
    scene.params("record l3 l4");
    scene.feature("pg0 ip4 rx");
    scene
}

/// Observed, selected and not selected at each site.
fn counts(scene: &Scene) -> Vec<[u64; 3]> {
    let sites = scene.lab.engine.with(|main| scene.probe.sampled_sites(main));
    let counts = sites.iter().map(|site| site.sampled);
    counts.map(|sampled| [sampled.observed, sampled.selected, sampled.skipped()]).collect()
}

fn with<'a>(exported: &'a Exported, element: &str) -> Vec<&'a Value> {
    exported.records.iter().filter(|record| record.get(element).is_some()).collect()
}

#[test]
fn records_have_the_packets_that_were_selected_and_counts_are_exact() {
    for (method, selected) in [
        ("count 1 9", 100),
        ("count 3 7", 300),
        ("count 1 0", 1000),
        ("random 2 10", 200),
        ("time 1 1000000", 1000),
        ("hash 0 4294967295", 1000),
        ("probability 1", 1000),
    ] {
        let scene = scene(&format!("counts-{}", method.replace(' ', "-")));
        scene.lab.run(&format!("flowprobe sampling pg0 {method}"));
        scene.send(1000, &format!("{IP4} {UDP}"));
        assert_eq!(counts(&scene), [[1000, selected, 1000 - selected]], "{method}");
        scene.feature("pg0 ip4 disable");
        let exported = scene.exported();
        assert_eq!(exported.packet_sum(), selected, "{method}");
        assert_eq!(exported.sum("octetDeltaCount", |_| true), selected * 46, "{method}");
    }
}

#[test]
fn a_seed_selects_the_same_packets_again() {
    let flows = |seed: u64| {
        let scene = scene(&format!("seed-{seed}"));
        scene.lab.run(&format!("flowprobe sampling pg0 probability 0.3 seed {seed}"));
        let udp = "UDP: 192.168.0.2 -> 10.0.0.1-10.0.0.250 UDP: 1000 -> 2000 incrementing 18";
        scene.send(250, &format!("{IP4} {udp}"));
        scene.feature("pg0 ip4 disable");
        let records = scene.exported().records;
        let mut to: Vec<String> =
            records.iter().map(|r| r["destinationIPv4Address"].to_string()).collect();
        to.sort();
        to
    };
    let first = flows(1);
    assert!((40..110).contains(&first.len()), "{}", first.len());
    assert_eq!(flows(1), first);
    assert_ne!(flows(2), first);
}

#[test]
fn sampling_changes_while_packets_are_measured_and_no_record_has_two_rates() {
    let scene = scene("changes");
    scene.send(100, &format!("{IP4} {UDP}"));
    scene.lab.run("flowprobe sampling pg0 count 1 9");
    scene.send(100, &format!("{IP4} {UDP}"));
    scene.lab.run("flowprobe sampling pg0 count 1 1");
    scene.send(100, &format!("{IP4} {UDP}"));
    assert_eq!(counts(&scene), [[100, 50, 50]]);
    scene.lab.run("flowprobe sampling pg0 off");
    scene.send(100, &format!("{IP4} {UDP}"));
    assert!(counts(&scene).is_empty());
    scene.feature("pg0 ip4 disable");
    let exported = scene.exported();
    assert_eq!(exported.all("packetDeltaCount"), [100, 10, 50, 100]);
}

#[test]
fn each_site_of_an_interface_has_a_selector_of_its_own() {
    let scene = scene("sites");
    scene.lab.run("flowprobe sampling pg0 count 1 4");
    scene.lab.run("flowprobe sampling pg1 count 1 1");
    scene.feature("pg0 l2 both");
    scene.feature("pg1 ip4 tx");
    scene.send(100, &format!("{IP4} {UDP}"));
    // pg0: ip4 rx, l2 rx and tx; pg1: ip4 tx.
    assert_eq!(counts(&scene), [[100, 20, 80], [100, 20, 80], [0, 0, 0], [100, 50, 50]]);
    scene.feature("pg0 l2 disable");
    assert_eq!(counts(&scene), [[100, 20, 80], [100, 50, 50]]);
    let shown = scene.lab.run("show flowprobe sampling");
    assert!(shown.contains("count 1 4") && shown.lines().count() == 3, "{shown}");
    scene.lab.engine.with(|main| {
        let pg1 = main.interfaces().find("pg1").unwrap();
        main.change_interfaces(|table| table.delete_hardware(pg1)).unwrap();
    });
    assert_eq!(counts(&scene), [[100, 20, 80]]);
    assert_eq!(scene.lab.run("show flowprobe sampling").lines().count(), 2);
}

#[test]
fn an_interface_that_is_not_sampled_is_measured_whole_beside_one_that_is() {
    let scene = scene("beside");
    scene.feature("pg1 ip4 rx");
    scene.lab.run("flowprobe sampling pg1 count 1 9");
    scene.send(100, &format!("{IP4} {UDP}"));
    scene.feature("pg0 ip4 disable");
    assert_eq!(scene.exported().packet_sum(), 100);
}

#[test]
fn a_method_that_selects_nothing_is_refused_and_nothing_changes() {
    let scene = scene("refused");
    scene.lab.run("flowprobe sampling pg0 count 1 9");
    for (words, why) in [
        ("count 0 1", "allowed is 1 to"),
        ("random 3 2", "3 of 2 packets"),
        ("probability 0", "a probability of 0"),
        ("probability 1.5", "a probability of 1.5"),
        ("hash 9 8", "no hash is from 9 to 8"),
        ("", "missing"),
    ] {
        let error = scene.lab.refused(&format!("flowprobe sampling pg0 {words}"));
        assert!(error.contains(why), "{words}: {error}");
    }
    assert!(scene.lab.refused("flowprobe sampling pg2 off").contains("not sampled"));
    scene.send(100, &format!("{IP4} {UDP}"));
    assert_eq!(counts(&scene), [[100, 10, 90]]);
}

/// RFC 7011 sections 3.3.2 and 3.4.2.2, elements of RFC 5477. By hand.
#[test]
fn rate_and_selector_are_these_octets() {
    let scene = scene("octets");
    scene.lab.run("ipfix options sampling interval 5");
    scene.lab.engine.run_until_idle();
    scene.lab.run("flowprobe sampling pg0 count 2 98");
    scene.lab.advance(5);
    let packets = scene.packets();
    let message = packets.last().unwrap();
    // Identifiers: 256 and 257 are those of ip4; the eight of sampling follow.
    let expected = [
        // pg0 is interface 1: 2 packets and 98.
        &[1, 2, 0, 16][..],
        &[0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 98],
        // Selector 1: systematic by count, the same.
        &[1, 5, 0, 22],
        &[0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 2, 0, 0, 0, 98],
        // It is at interface 1 on receipt, and has seen nothing.
        &[1, 4, 0, 37],
        &[0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0],
        &[0; 16],
    ];
    assert_eq!(message[28 + 16..], expected.concat());
}

#[test]
fn tshark_and_ipfix_dump_accept_what_is_told_of_sampling() {
    let scene = scene("tshark");
    scene.feature("pg0 l2 rx");
    scene.feature("pg1 ip4 tx");
    scene.lab.run("ipfix options sampling interval 60");
    for method in [
        "count 2 98",
        "time 100 900",
        "random 1 10",
        "probability 0.25",
        "hash 0 1073741823 seed 9",
    ] {
        scene.lab.run(&format!("flowprobe sampling pg0 {method}"));
        scene.lab.run(&format!("flowprobe sampling pg1 {method}"));
        scene.send(200, &format!("{IP4} {UDP}"));
        scene.lab.advance(61);
    }
    let expected: u64 = counts(&scene).iter().map(|[_, selected, _]| selected).sum();
    let exported = scene.exported();
    let told = with(&exported, "selectorIdTotalPktsSelected");
    let last =
        told.iter().rev().take(3).map(|r| r["selectorIdTotalPktsSelected"].as_u64().unwrap());
    assert_eq!(last.sum::<u64>(), expected);
    assert!(told.iter().any(|r| is("egressInterface", 2)(r)));
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
            ["Selector Algorithm: Systematic count-based Sampling (1)", "Sampling Packet Space: 98"]
        {
            assert!(text.contains(field), "no {field}");
        }
    } else {
        not_run("options of sampling read by tshark", "tshark is missing");
    }
    let file = scene.capture().with_extension("ipfix");
    fs::write(&file, scene.messages().concat()).unwrap();
    let dump =
        Command::new("timeout").args(["20", "ipfixDump", "--data", "--in"]).arg(&file).output();
    fs::remove_file(&file).unwrap();
    match dump {
        Ok(output) if output.status.code() != Some(127) => {
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && errors.is_empty(), "{errors}");
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(text.contains("hashSelectedRangeMax"), "{text}");
        }
        _ => not_run("options of sampling read by ipfixDump", "ipfixDump is missing"),
    }
}

#[test]
fn nfcapd_scales_flows_by_the_rate_that_it_is_told() {
    for (method, selected, scaled) in
        [("count 1 49", 20, 1000), ("random 2 10", 200, 1000), ("hash 0 4294967295", 1000, 1000)]
    {
        let collected = collect("nfcapd-sampling", |port, has_received| {
            let scene = Scene::without_collector("nfcapd-sampling");
            let line = format!("set ipfix exporter collector 127.0.0.1 port {port} via kernel");
            scene.lab.run(&line);
            scene.params("record l3 l4");
            scene.feature("pg0 ip4 rx");
            scene.lab.run(&format!("flowprobe sampling pg0 {method}"));
            scene.lab.run("ipfix options sampling");
            scene.lab.advance(5);
            has_received();
            scene.send(1000, &format!("{IP4} {UDP}"));
            assert_eq!(counts(&scene), [[1000, selected, 1000 - selected]]);
            scene.feature("pg0 ip4 disable");
            scene.lab.run("ipfix flush");
        });
        let Some((sums, folder)) = collected else { return };
        let expected = format!("Packets: {scaled}, Bytes: {}", scaled * 46);
        assert!(sums.contains(&expected), "{method}: {sums}");
        fs::remove_dir_all(&folder).unwrap();
    }
}
