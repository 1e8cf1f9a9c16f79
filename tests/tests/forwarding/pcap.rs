//! `pcap trace`: what is received, sent and dropped, as tshark reads it.

use std::path::{Path, PathBuf};

use peloton_tests::{program::not_run, tshark};

use crate::{
    packets::{Ip4, frame, ip6_udp},
    scene::{Scene, read_pcap},
};

/// Starts a capture to a file of its own.
fn start(scene: &Scene, words: &str) -> PathBuf {
    let path = scene.path("trace.pcap");
    assert_eq!(scene.lab.run(&format!("pcap trace {words} file {}", path.display())), "");
    path
}

/// Ends it; the frames of the file.
fn stop(scene: &Scene, path: &Path) -> Vec<Vec<u8>> {
    let said = scene.lab.run("pcap trace off");
    let frames = read_pcap(path);
    let expected =
        format!("Write {} packets to {}, and stop capture...\n", frames.len(), path.display());
    assert_eq!(said, expected);
    frames
}

/// Three that are forwarded, one of them with IPv6, and two that are not.
fn frames() -> Vec<Vec<u8>> {
    let ip4 = |to: &str| Ip4::udp("192.168.0.2", to).bytes();
    let expired = Ip4 { ttl: 1, ..Ip4::udp("192.168.0.2", "10.0.0.3") }.bytes();
    let ip6 = ip6_udp("2001:db8::2", "2001:db8:10::1", 9, 20);
    [ip4("10.0.0.1"), ip4("172.16.0.1"), ip4("10.0.0.2"), expired, ip6]
        .map(|packet| frame(&[], &packet))
        .to_vec()
}

#[test]
fn frames_are_captured_as_they_come_in_and_as_they_go_out() {
    let scene = Scene::router();
    let path = start(&scene, "rx tx");
    assert_eq!(
        scene.lab.run("pcap trace status"),
        format!(
            "pcap rx and tx dispatch capture enabled: 0 of 1000 pkts...\ncapture to file {}\n",
            path.display()
        )
    );
    scene.send("pg0", &frames());
    let status = scene.lab.run("pcap trace status");
    assert!(status.starts_with("pcap rx and tx dispatch capture enabled: 8 of 1000"), "{status}");
    let captured = stop(&scene, &path);
    assert_eq!(captured[..5], frames(), "received, as they were sent");
    assert_eq!(scene.lab.run("pcap trace status"), "pcap dispatch capture disabled\n");
    let fields = ["eth.dst", "ip.dst", "ip.ttl", "ipv6.hlim", "ip.checksum.status"];
    let options = ["-o", "ip.check_checksum:TRUE"];
    let Some(rows) = tshark(&path, &options, &fields) else {
        return not_run("pcap trace read by tshark", "tshark is missing");
    };
    let expected = [
        ["02:00:00:00:00:09", "10.0.0.1", "63", "", "1"],
        ["02:00:00:00:00:09", "10.0.0.2", "63", "", "1"],
        ["02:00:00:00:00:0a", "", "", "8", ""],
    ];
    assert_eq!(rows[5..], expected);
    // What was on after is in no file.
    scene.send("pg0", &frames());
    assert_eq!(read_pcap(&path).len(), 8);
}

#[test]
fn dropped_packets_are_captured_whole_with_their_reason_behind_them() {
    let scene = Scene::router();
    let path = start(&scene, "drop");
    scene.send("pg0", &frames());
    let dropped = stop(&scene, &path);
    assert_eq!(dropped.len(), 2);
    let sent = frames();
    for (sent, reason) in [
        (&sent[1], "ip4-drop: dropped by its route, or none"),
        (&sent[3], "ip4-rewrite: ip4 ttl <= 1"),
    ] {
        let frame = dropped.iter().find(|frame| frame.starts_with(sent)).expect("the whole frame");
        assert_eq!(String::from_utf8_lossy(&frame[sent.len()..]), reason);
    }
    let Some(mut rows) = tshark(&path, &[], &["ip.dst", "ip.len", "udp.dstport"]) else {
        return not_run("captured drops read by tshark", "tshark is missing");
    };
    rows.sort();
    assert_eq!(rows, [["10.0.0.3", "46", "2000"], ["172.16.0.1", "46", "2000"]]);
    // Only one reason.
    let path = start(&scene, "drop error ip4-rewrite.time-expired");
    scene.send("pg0", &frames());
    assert_eq!(stop(&scene, &path).len(), 1);
    let error = scene.lab.refused("pcap trace drop error ip4-rewrite.nothing");
    assert!(error.contains("unknown reason `ip4-rewrite.nothing'"), "{error}");
    assert!(scene.lab.refused("pcap trace rx error ip4-rewrite.time-expired").contains("drop"));
}

#[test]
fn an_interface_can_be_chosen_and_its_sub_interfaces_belong_to_it() {
    let scene = Scene::router();
    scene.lab.script(
        "create sub-interfaces pg0 100
         create sub-interfaces pg1 200
         set interface state pg0.100 up
         set interface state pg1.200 up
         set interface ip address pg0.100 192.168.100.1/24
         set interface ip address pg1.200 192.168.200.1/24
         set ip neighbor pg1.200 192.168.200.2 02:00:00:00:00:0b",
    );
    let tagged = |to: &str| frame(&[(0x8100, 100)], &Ip4::udp("192.168.100.2", to).bytes());
    let untagged = |to: &str| frame(&[], &Ip4::udp("192.168.0.2", to).bytes());
    let sent = [
        tagged("192.168.200.2"),
        untagged("192.168.200.2"),
        tagged("10.0.0.1"),
        untagged("10.0.0.1"),
        tagged("172.16.0.1"),
    ];
    for (words, expected) in [
        ("rx intfc pg0.100", 3),
        ("rx intfc pg0", 5),
        ("rx intfc any", 5),
        ("rx interface pg1", 0),
        ("tx intfc pg1.200", 2),
        ("tx intfc pg1", 4),
        ("drop intfc pg0.100", 1),
        ("drop intfc pg0", 1),
        ("drop intfc pg1", 0),
    ] {
        let path = start(&scene, words);
        scene.send("pg0", &sent);
        if expected == 0 {
            assert!(scene.lab.refused("pcap trace off").contains("No packets captured..."));
        } else {
            assert_eq!(stop(&scene, &path).len(), expected, "{words}");
        }
    }
    let path = start(&scene, "tx intfc pg1.200");
    scene.send("pg0", &sent);
    let frames = stop(&scene, &path);
    assert!(frames.iter().all(|frame| frame[12..18] == [0x81, 0, 0, 200, 8, 0]), "{frames:02x?}");
}

#[test]
fn a_capture_keeps_no_more_packets_and_bytes_than_it_may() {
    let scene = Scene::router();
    let long = Ip4 { payload: vec![7; 8000], ..Ip4::udp("192.168.0.2", "10.0.0.1") }.bytes();
    let frames: Vec<_> = [frame(&[], &long), frames()[0].clone(), frames()[2].clone()].to_vec();
    let path = start(&scene, "rx max 2 max-bytes-per-pkt 100");
    scene.send("pg0", &frames);
    let captured = stop(&scene, &path);
    assert_eq!(captured, [frames[0][..100].to_vec(), frames[1].clone()]);
    let lengths = tshark(&path, &[], &["frame.len", "frame.cap_len"]);
    if let Some(rows) = lengths {
        assert_eq!(rows, [["8034", "100"], ["60", "60"]]);
    }
    // A packet of several buffers is one record.
    let path = start(&scene, "rx tx preallocate-data max-bytes-per-pkt 9000");
    scene.send("pg0", &frames[..1]);
    let captured = stop(&scene, &path);
    assert_eq!(captured[0], frames[0]);
    assert_eq!(captured[1][34..], frames[0][34..]);
    for refused in ["rx max-bytes-per-pkt 31", "rx max-bytes-per-pkt 9001"] {
        let error = scene.lab.refused(&format!("pcap trace {refused}"));
        assert!(error.contains("Max bytes per pkt must be > 32, < 9000..."), "{error}");
    }
    let error =
        scene.lab.refused("pcap trace rx max 4294967295 max-bytes-per-pkt 9000 preallocate-data");
    assert!(error.contains("no memory for 4294967295 packets of 9000 bytes"), "{error}");
    assert!(scene.lab.refused("pcap trace rx max 0").contains("out of range"));
}

#[test]
fn starting_twice_and_ending_what_is_off_are_errors() {
    let scene = Scene::router();
    let off = scene.lab.refused("pcap trace off");
    assert!(off.contains("dispatch trace already disabled..."), "{off}");
    // VPP's words for a reason, and for the end.
    let path = start(&scene, "drop error ip4-rewrite.time_expired");
    scene
        .send("pg0", &[frame(&[], &Ip4 { ttl: 1, ..Ip4::udp("192.168.0.2", "10.0.0.1") }.bytes())]);
    scene.lab.run("pcap trace drop off");
    assert_eq!(read_pcap(&path).len(), 1);
    let path = start(&scene, "rx");
    let on = scene.lab.refused("pcap trace tx file other.pcap");
    assert!(on.contains("dispatch trace already enabled..."), "{on}");
    scene.send("pg0", &frames());
    assert_eq!(stop(&scene, &path).len(), 5);
    start(&scene, "tx free-data");
    assert!(scene.lab.refused("pcap trace off free-data").contains("No packets captured..."));
    for (line, error) in [
        ("rx off", "dispatch trace already disabled..."),
        ("drop error ip4-drop.no_such", "unknown reason `ip4-drop.no_such'"),
        ("max 5", "nothing to do"),
        ("rx filter", "no classifier filter for packet captures is set"),
        ("rx intfc pg9", "unknown interface `pg9'"),
        ("rx file ../etc/x", "`../etc/x' is not a file name in /tmp, or a path that begins with /"),
        ("rx file /nowhere/x.pcap", "/nowhere/x.pcap: cannot create: No such file or directory"),
    ] {
        let refused = scene.lab.refused(&format!("pcap trace {line}"));
        assert!(refused.contains(error), "{line}: {refused}");
    }
}

#[test]
fn a_name_alone_is_a_file_in_tmp_and_a_full_disk_is_told() {
    let scene = Scene::router();
    let name = format!("peloton-{}-named.pcap", std::process::id());
    let path = Path::new("/tmp").join(&name);
    scene.lab.run(&format!("pcap trace rx file {name}"));
    scene.send("pg0", &frames());
    assert_eq!(stop(&scene, &path).len(), 5);
    std::fs::remove_file(path).unwrap();
    scene.lab.run("pcap trace rx file /dev/full");
    scene.send("pg0", &frames());
    let error = scene.lab.refused("pcap trace off");
    let expected = "I/O writing trace capture... /dev/full: cannot write: No space left on device";
    assert!(error.contains(expected), "{error}");
    assert_eq!(scene.lab.run("pcap trace status"), "pcap dispatch capture disabled\n");
}

#[test]
fn a_capture_that_is_on_when_the_engine_stops_is_written() {
    let scene = Scene::router();
    let path = start(&scene, "rx drop");
    scene.send("pg0", &frames());
    assert!(scene.lab.engine.stop().is_empty());
    assert_eq!(read_pcap(&path).len(), 7);
}

#[test]
fn a_deleted_interface_is_captured_no_more_though_its_number_is_used_again() {
    let scene = Scene::router();
    scene.lab.script("create sub-interfaces pg0 100\nset interface state pg0.100 up");
    let sent = [frame(&[(0x8100, 100)], &Ip4::udp("192.168.100.2", "10.0.0.1").bytes())];
    let path = start(&scene, "rx intfc pg0.100");
    scene.send("pg0", &sent);
    scene.lab.script(
        "delete sub-interface pg0.100
         create sub-interfaces pg0 101 dot1q 100 exact-match
         set interface state pg0.101 up",
    );
    scene.send("pg0", &sent);
    assert_eq!(scene.counter("pg0.101", "rx packets"), 1);
    assert_eq!(stop(&scene, &path).len(), 1);
}

#[test]
fn packets_without_an_ethernet_header_get_one_in_the_file() {
    let scene = Scene::router();
    scene.lab.script(
        "create packet-generator interface pg2 mode ip4
         create packet-generator interface pg3 mode ip6
         set interface state pg2 up
         set interface state pg3 up
         ip route add 10.2.0.0/16 via pg2
         ip route add 2001:db8:30::/48 via pg3",
    );
    let ip4 = Ip4::udp("192.168.0.2", "10.2.0.1").bytes();
    let ip6 = ip6_udp("2001:db8::2", "2001:db8:30::1", 9, 20);
    let path = start(&scene, "tx");
    scene.send("pg0", &[frame(&[], &ip4), frame(&[], &ip6)]);
    let frames = stop(&scene, &path);
    assert_eq!(frames.len(), 2, "{}", scene.lab.run("show errors"));
    let header = |high, low| [[0; 12].as_slice(), &[high, low]].concat();
    assert_eq!(frames[0][..14], header(0x08, 0x00));
    assert_eq!(frames[1][..14], header(0x86, 0xdd));
    assert_eq!(frames[1].len(), 14 + ip6.len());
}
