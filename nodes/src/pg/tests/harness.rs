//! The generator as VPP's Python tests drive it: by lines, files in a folder, and questions until it is done.

use std::{fs, os::unix::fs::symlink, path::PathBuf};

use super::{Bed, read, scratch};

const STREAM: &str = "packet-generator new { name x limit 300 source pg0 node pg1 \
                      data { IP4: 1.2.3 -> 4.5.6 UDP: 10.0.0.1 -> 10.0.0.2 UDP: 1 -> 2 incrementing 8 } }";

/// An engine with pg0 and pg1, and a capture with `packets` packets.
fn bed(packets: u64) -> (Bed, PathBuf) {
    let bed = Bed::new();
    for number in 0..2 {
        bed.run(&format!("create packet-generator interface pg{number}"));
    }
    bed.run("set interface state pg1 up");
    bed.run(STREAM);
    let file = scratch("in");
    bed.run(&format!("packet-generator capture pg1 pcap {} count {packets}", file.display()));
    bed.run("packet-generator enable");
    bed.engine.run_until_idle();
    bed.run("packet-generator capture pg1 disable");
    bed.run("packet-generator delete x");
    assert_eq!(read(&file).len() as u64, packets);
    (bed, file)
}

#[test]
fn the_first_interface_is_number_1_behind_local0() {
    let bed = Bed::new();
    bed.run("create packet-generator interface pg0");
    let number = |name| bed.engine.with(|main| main.interfaces().find(name).unwrap().0);
    assert_eq!((number("local0"), number("pg0")), (0, 1));
}

#[test]
fn a_test_of_vpps_runs_line_by_line() {
    let (bed, input) = bed(5);
    let out = scratch("out");
    let capture = format!("packet-generator capture pg1 pcap {}", out.display());
    let new = format!(
        "packet-generator new pcap {} source pg0 name pcap0-sw_if_index-1",
        input.display()
    );
    bed.run(&format!("{new} maxframe 2 worker 0"));
    bed.run(&format!("{capture} disable"));
    bed.run(&capture);
    assert!(!out.exists(), "before the first packet there is no file");
    bed.run("clear trace");
    bed.run("trace add pg-input 1000");
    // It goes out where the packets say; here, by the stream.
    bed.run("packet-generator delete pcap0-sw_if_index-1");
    bed.run(&format!("{new} node pg1 limit 12"));
    bed.run("packet-generator enable");
    bed.engine.run_until_idle();
    let shown = bed.run("show packet-generator");
    assert!(!shown.contains("Yes"), "{shown}");
    let words: Vec<_> = shown.lines().nth(1).unwrap().split_whitespace().take(5).collect();
    assert_eq!(words, ["pcap0-sw_if_index-1", "No", "12", "limit", "12,"], "{shown}");
    assert_eq!(read(&out).len(), 12, "complete before the capture is ended");
    let trace = bed.run("show trace max 100");
    assert_eq!(trace.matches(": pg-input\n").count(), 12, "{trace}");
    bed.run("packet-generator delete pcap0-sw_if_index-1");
    bed.run("packet-generator enable");
    bed.run(&format!("{capture} disable"));
    for file in [input, out] {
        fs::remove_file(file).unwrap();
    }
}

#[test]
fn a_capture_grows_by_whole_packets_as_they_come() {
    let (bed, input) = bed(3);
    let out = scratch("growing");
    bed.run(&format!("packet-generator capture pg1 pcap {}", out.display()));
    bed.run(&format!(
        "packet-generator new pcap {} source pg0 node pg1 name x rate 1",
        input.display()
    ));
    bed.run("packet-generator enable");
    for packets in 1..=3 {
        bed.engine.advance(std::time::Duration::from_secs(1));
        assert_eq!(read(&out).len(), packets);
    }
    for file in [input, out] {
        fs::remove_file(file).unwrap();
    }
}

#[test]
fn no_capture_follows_a_link_whenever_it_was_planted() {
    let (bed, input) = bed(3);
    let (precious, link) = (scratch("precious"), scratch("link"));
    fs::write(&precious, "precious").unwrap();
    let capture = format!("packet-generator capture pg1 pcap {}", link.display());
    for target in [&precious, &PathBuf::from("/nowhere/at/all")] {
        symlink(target, &link).unwrap();
        let refused = bed.refused(&capture);
        assert!(refused.contains("already exists."), "{refused}");
        fs::remove_file(&link).unwrap();
    }
    // Between the command and the first packet.
    bed.run(&capture);
    symlink(&precious, &link).unwrap();
    bed.run(&format!("packet-generator new pcap {} source pg0 node pg1 name x", input.display()));
    bed.run("packet-generator enable");
    bed.engine.run_until_idle();
    let refused = bed.refused("packet-generator capture pg1 disable");
    assert!(refused.contains("File exists"), "{refused}");
    let errors = bed.run("show errors");
    let line = errors.lines().find(|line| line.contains("cannot be written")).unwrap();
    assert!(line.trim_start().starts_with("3 "), "each packet is counted: {line}");
    assert_eq!(fs::read_to_string(&precious).unwrap(), "precious");
    // Nor does a trace.
    let trace = format!("pcap trace rx tx file {}", link.display());
    let refused = bed.engine.execute(&bed.session, trace.as_bytes());
    assert!(!refused.ok, "{}", refused.text);
    assert_eq!(fs::read_to_string(&precious).unwrap(), "precious");
    for file in [input, precious, link] {
        fs::remove_file(file).unwrap();
    }
}

#[test]
fn packets_that_nobody_asked_for_do_not_leave_by_a_generators_interface() {
    let bed = Bed::new();
    let out = scratch("unasked");
    bed.run("create packet-generator interface pg0");
    bed.run(&format!("packet-generator capture pg0 pcap {}", out.display()));
    for line in [
        "set interface state pg0 up",
        "set interface ip address pg0 172.16.1.1/24",
        "set interface ip address pg0 fd01:1::1/64",
        "enable ip6 interface pg0",
    ] {
        bed.run(line);
    }
    for _ in 0..60 {
        bed.engine.advance(std::time::Duration::from_secs(1));
    }
    assert_eq!(bed.run("packet-generator capture pg0 disable"), "0 packets captured\n");
    assert!(!out.exists());
}
