//! `peloton replay` as a user calls it.

use std::{
    fs,
    io::Write,
    path::PathBuf,
    process::{Output, Stdio},
    time::{Duration, Instant},
};

use peloton_tests::{
    program::{Running, Scratch, has, peloton, run, workspace},
    replay::captures,
};
use serde_json::Value;

fn capture(name: &str) -> PathBuf {
    workspace().join("tests/captures").join(name)
}

fn replay(args: &[&str], capture: &str) -> Output {
    run(peloton().arg("replay").args(args).arg(self::capture(capture)))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn objects(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn sum(objects: &[Value], name: &str) -> u64 {
    objects.iter().filter_map(|object| object[name].as_u64()).sum()
}

/// A capture of these packets, with times in microseconds since 1970.
fn pcap(packets: &[(u64, &[u8])]) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65535, 1] {
        file.extend(word.to_le_bytes());
    }
    for (time, packet) in packets {
        let len = packet.len() as u32;
        for word in [(time / 1_000_000) as u32, (time % 1_000_000) as u32, len, len] {
            file.extend(word.to_le_bytes());
        }
        file.extend(*packet);
    }
    file
}

#[test]
fn json_line_has_iana_names_and_all_digits_known() {
    let mut syn = vec![0; 54];
    syn[..12].copy_from_slice(&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1]);
    syn[12..18].copy_from_slice(&[8, 0, 0x45, 0, 0, 40]);
    syn[22..24].copy_from_slice(&[64, 6]);
    syn[26..38].copy_from_slice(&[192, 0, 2, 1, 198, 51, 100, 2, 0xc0, 0, 0, 80]);
    syn[46..48].copy_from_slice(&[0x50, 0x02]);
    let mut tagged = syn.clone();
    tagged.splice(12..12, [0x81, 0, 0, 42]);
    let scratch = Scratch::new("json_line");
    let path = scratch.path("two.pcap");
    fs::write(&path, pcap(&[(1_600_000_000_000_001, &syn), (1_600_000_000_250_000, &tagged)]))
        .unwrap();
    let output = run(peloton().args(["replay", "--json", "--record", "l2,l3,l4"]).arg(&path));
    let mut lines: Vec<String> = text(&output.stdout).lines().map(str::to_owned).collect();
    lines.sort();
    let line = |time: &str, vlan: &str| {
        format!(
            "{{\"ingressInterface\":1,\"flowDirection\":0,\"packetDeltaCount\":1,\
             \"flowStartMilliseconds\":\"{time}\",\"flowEndMilliseconds\":\"{time}\",\
             \"flowEndReason\":4,\"sourceMacAddress\":\"02:00:00:00:00:01\",\
             \"destinationMacAddress\":\"02:00:00:00:00:02\",\"ethernetType\":2048{vlan},\
             \"sourceIPv4Address\":\"192.0.2.1\",\"destinationIPv4Address\":\"198.51.100.2\",\
             \"protocolIdentifier\":6,\"octetDeltaCount\":40,\"sourceTransportPort\":49152,\
             \"destinationTransportPort\":80,\"tcpControlBits\":2}}"
        )
    };
    let expected = [
        line("2020-09-13T12:26:40.000001Z", ""),
        line("2020-09-13T12:26:40.250000Z", ",\"vlanId\":42"),
    ];
    assert_eq!(lines, expected);
    assert_eq!(output.stderr, b"");
}

#[test]
fn nanoseconds_are_told_when_the_capture_knows_them() {
    for object in objects(&replay(&["--json"], "nanosecond.pcapng")) {
        let time = object["flowStartMilliseconds"].as_str().unwrap();
        assert_eq!(time.len(), "2020-09-13T12:26:40.123456789Z".len(), "{time}");
    }
}

#[test]
fn report_ends_with_sums_that_add_up() {
    let output = replay(&["--top", "3"], "demo.pcap");
    let out = text(&output.stdout);
    let (table, summary) = out.split_once("\n\n").unwrap();
    assert_eq!(table.lines().count(), 4, "{out}");
    assert!(table.starts_with("Source "), "{out}");
    for line in [
        "packets       1500\n",
        "not measured  13 (not IP 13)\n",
        "balance       1487 in records + 13 not measured = 1500 packets\n",
    ] {
        assert!(format!("{summary}\n").contains(line), "{out}");
    }
    assert!(output.status.success() && output.stderr.is_empty());
    let none = text(&replay(&["--top", "0"], "demo.pcap").stdout);
    assert!(none.starts_with("packets "), "{none}");
}

#[test]
fn what_is_not_ip_is_recorded_when_asked_for() {
    let without = objects(&replay(&["--json"], "demo.pcap"));
    let with = objects(&replay(&["--json", "--non-ip"], "demo.pcap"));
    assert_eq!(sum(&with, "packetDeltaCount"), sum(&without, "packetDeltaCount") + 13);
    let arp = with.iter().find(|object| object["ethernetType"] == 0x0806).unwrap();
    assert!(arp["sourceMacAddress"].is_string() && arp["layer2OctetDeltaCount"].is_u64());
    assert!(arp["octetDeltaCount"].is_null() && arp["sourceIPv4Address"].is_null());
}

#[test]
fn runs_are_repeatable_to_the_byte() {
    for path in captures() {
        let run = || run(peloton().args(["replay", "--json", "--non-ip"]).arg(&path)).stdout;
        assert!(run() == run(), "{}", path.display());
    }
}

#[test]
fn standard_input_and_several_captures_are_read_in_order() {
    let mut command = peloton();
    command.args(["replay", "--json"]).arg(capture("raw.pcap")).arg("-").arg(capture("mpls.pcap"));
    let mut running = Running::start(&mut command);
    let demo = fs::read(capture("demo.pcap")).unwrap();
    running.child().stdin.take().unwrap().write_all(&demo).unwrap();
    let all = objects(&running.finish());
    let alone = ["raw.pcap", "demo.pcap", "mpls.pcap"]
        .map(|name| sum(&objects(&replay(&["--json"], name)), "packetDeltaCount"));
    assert_eq!(sum(&all, "packetDeltaCount"), alone.iter().sum::<u64>());
}

#[test]
fn ipfix_file_holds_the_same_sums_for_tshark() {
    const TEST: &str = "ipfix_file_holds_the_same_sums_for_tshark";
    if !has(TEST, &["tshark"]) {
        return;
    }
    let scratch = Scratch::new(TEST);
    let path = scratch.path("demo.ipfix");
    let output = replay(&["--ipfix-file", path.to_str().unwrap(), "--top", "0"], "demo.pcap");
    assert!(text(&output.stdout).contains("written       273 records to "));
    let mut tshark = std::process::Command::new("tshark");
    tshark.arg("-r").arg(&path).args(["-T", "fields", "-E", "occurrence=a", "-E", "separator=;"]);
    let read = run(tshark.args(["-e", "cflow.packets", "-e", "cflow.octets", "-e", "_ws.expert"]));
    let (mut packets, mut octets) = (0, 0);
    for line in text(&read.stdout).lines() {
        let fields: Vec<&str> = line.split(';').collect();
        let sum =
            |field: &str| -> u64 { field.split(',').filter_map(|n| n.parse::<u64>().ok()).sum() };
        packets += sum(fields[0]);
        octets += sum(fields[1]);
        assert_eq!(fields[2], "", "tshark has a complaint");
    }
    let objects = objects(&replay(&["--json"], "demo.pcap"));
    let expected = (sum(&objects, "packetDeltaCount"), sum(&objects, "octetDeltaCount"));
    assert_eq!((packets, octets), expected);
    // The same bytes, but for the time of export, on standard output.
    let piped = replay(&["--ipfix-file", "-"], "demo.pcap").stdout;
    assert_eq!(piped.len(), fs::read(&path).unwrap().len());
}

#[test]
fn full_disk_is_told_and_fails() {
    for args in [&["--json"][..], &["--top", "3"], &["--ipfix-file", "-"]] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = peloton();
        command.arg("replay").args(args).arg(capture("demo.pcap"));
        let output = command.stdout(full).stderr(Stdio::piped()).output().unwrap();
        let error = text(&output.stderr);
        assert_eq!(error, "peloton: standard output: No space left on device (os error 28)\n");
        assert_eq!(output.status.code(), Some(1));
    }
    let output = replay(&["--ipfix-file", "/dev/full"], "demo.pcap");
    let error = text(&output.stderr);
    assert_eq!(error, "peloton: /dev/full: No space left on device (os error 28)\n");
    assert_eq!((output.status.code(), output.stdout), (Some(1), Vec::new()));
}

#[test]
fn closed_pipe_is_told_and_fails() {
    for args in [&["--json"][..], &["--top", "3"], &["--ipfix-file", "-"]] {
        let mut running =
            Running::start(peloton().arg("replay").args(args).arg("-").arg(capture("demo.pcap")));
        // The first capture ends only when the pipe has been closed.
        drop(running.child().stdout.take());
        let mut input = running.child().stdin.take().unwrap();
        input.write_all(&fs::read(capture("raw.pcap")).unwrap()).unwrap();
        drop(input);
        let output = running.finish();
        assert_eq!(text(&output.stderr), "peloton: standard output: Broken pipe (os error 32)\n");
        assert_eq!(output.status.code(), Some(1));
    }
}

#[test]
fn cut_capture_is_told_and_what_was_read_is_put_out() {
    let scratch = Scratch::new("cut_capture");
    let path = scratch.path("cut.pcap");
    let whole = fs::read(capture("raw.pcap")).unwrap();
    fs::write(&path, &whole[..whole.len() - 10]).unwrap();
    let output = run(peloton().args(["replay", "--json"]).arg(&path).arg(capture("mpls.pcap")));
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert!(error.contains("cut.pcap: offset ") && error.contains(" remain\n"), "{error}");
    let packets = |name: &str| sum(&objects(&replay(&["--json"], name)), "packetDeltaCount");
    let expected = packets("raw.pcap") - 1 + packets("mpls.pcap");
    let lines = text(&output.stdout);
    let seen: u64 = lines
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["packetDeltaCount"].as_u64().unwrap()
        })
        .sum();
    assert_eq!(seen, expected);
}

#[test]
fn what_is_no_capture_is_told_before_anything_is_read() {
    let scratch = Scratch::new("no_capture");
    let (readme, folder) = (workspace().join("Cargo.toml"), workspace().to_owned());
    for (path, complaint) in [
        (scratch.path("missing"), "No such file or directory (os error 2)"),
        (readme, "which is neither pcap nor pcapng"),
        (folder, "Is a directory (os error 21)"),
    ] {
        let output = run(peloton().arg("replay").arg(capture("demo.pcap")).arg(&path));
        let error = text(&output.stderr);
        assert!(error.starts_with(&format!("peloton: {}: ", path.display())), "{error}");
        assert!(error.ends_with(&format!("{complaint}\n")), "{error}");
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
    }
    let copy = scratch.path("copy.pcap");
    fs::copy(capture("demo.pcap"), &copy).unwrap();
    let output = run(peloton().args(["replay", "--ipfix-file"]).args([&copy, &copy]));
    assert!(text(&output.stderr).ends_with("--ipfix-file would overwrite this capture\n"));
    assert_eq!(fs::read(&copy).unwrap(), fs::read(capture("demo.pcap")).unwrap());
}

#[test]
fn interrupt_puts_out_what_there_is() {
    for (signal, status) in [("INT", 130), ("TERM", 143)] {
        let mut running = Running::start(peloton().args(["replay", "--top", "1", "-"]));
        let mut input = running.child().stdin.take().unwrap();
        input.write_all(&fs::read(capture("demo.pcap")).unwrap()).unwrap();
        // Nothing tells when it has read; what it has read by then adds up in any case.
        std::thread::sleep(Duration::from_millis(300));
        running.signal(signal);
        let output = running.finish();
        drop(input);
        let out = text(&output.stdout);
        assert_eq!(output.status.code(), Some(status), "{out}");
        assert!(out.contains("balance       1487 in records + 13 not measured = 1500"), "{out}");
        assert!(out.contains(&format!("interrupted   by SIG{signal}")), "{out}");
    }
}

#[test]
fn rate_is_kept() {
    let start = Instant::now();
    let output = replay(&["--json", "--rate", "2500"], "demo.pcap");
    let elapsed = start.elapsed();
    assert_eq!(sum(&objects(&output), "packetDeltaCount"), 1487);
    assert!(elapsed >= Duration::from_millis(590), "{elapsed:?}");
}

#[test]
fn wrong_command_lines_are_told_with_status_2() {
    for (args, complaint) in [
        (&["nonsense"][..], "peloton: no command `nonsense'; see `peloton --help'\n"),
        (&["replay"], "peloton: replay: no CAPTURE; see `peloton replay --help'\n"),
        (
            &["collect", "x"],
            "peloton: collect: unexpected argument \"x\"; see `peloton collect --help'\n",
        ),
    ] {
        let output = run(peloton().args(args));
        assert_eq!(text(&output.stderr), complaint);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    }
    for args in [&["--help"][..], &["help"], &["replay", "--help"], &["collect", "-h"]] {
        let output = run(peloton().args(args));
        assert!(output.status.success() && text(&output.stdout).contains("Usage: peloton"));
    }
    let version = run(peloton().args(["replay", "--version"]));
    assert_eq!(text(&version.stdout), concat!("peloton ", env!("CARGO_PKG_VERSION"), "\n"));
}
