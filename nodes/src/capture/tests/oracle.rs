//! Every capture at hand, packet by packet as tshark sees it.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use vnet::runtime::PacketTime;

use super::super::{Precision, Reader, Writer, WriterOptions};
use super::{Seen, read_all};
use vnet::wire::link::LinkType;

/// The repo's own captures, and those of the folder that `PELOTON_CAPTURES` names.
fn captures() -> Vec<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/captures");
    let shared = std::env::var_os("PELOTON_CAPTURES").map(PathBuf::from);
    let mut found: Vec<PathBuf> = [Some(own), shared]
        .into_iter()
        .flatten()
        .filter_map(|folder| folder.read_dir().ok())
        .flatten()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "pcap" || e == "pcapng"))
        .collect();
    found.sort();
    found
}

/// What tshark says of each packet: epoch seconds with nine digits, length on the wire, captured length.
fn tshark(path: &Path) -> Option<Vec<(String, u32, usize)>> {
    let fields = ["-e", "frame.time_epoch", "-e", "frame.len", "-e", "frame.cap_len"];
    let mut command = Command::new("tshark");
    command.args(["-n", "--disable-protocol", "ip", "--disable-protocol", "ipv6", "-T", "fields"]);
    let output = command.args(fields).arg("-r").arg(path).output().ok()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    let line = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        (fields[0].to_owned(), fields[1].parse().unwrap(), fields[2].parse().unwrap())
    };
    Some(lines.lines().map(line).collect())
}

/// Tells the test run's summary that a scenario lacked what it needs.
fn not_run(name: &str, reason: &str) {
    eprintln!("NOT RUN: {name}: {reason}");
    if let Some(path) = std::env::var_os("PELOTON_NOT_RUN") {
        let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
        writeln!(file, "{name}: {reason}").unwrap();
    }
}

fn assert_same(path: &Path, seen: &[Seen], expected: &[(String, u32, usize)]) {
    assert_eq!(seen.len(), expected.len(), "{}", path.display());
    for (i, (seen, (time, wire_len, captured))) in seen.iter().zip(expected).enumerate() {
        let at = format!("{} packet {}", path.display(), i + 1);
        let PacketTime(nanos) = seen.time;
        let ours = format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000);
        assert_eq!(&ours, time, "{at}");
        assert_eq!((seen.wire_len, seen.data.len()), (*wire_len, *captured), "{at}");
    }
}

#[test]
fn every_capture_reads_as_tshark_reads_it() {
    let captures = captures();
    assert!(!captures.is_empty());
    for path in captures {
        let Some(expected) = tshark(&path) else {
            return not_run("every_capture_reads_as_tshark_reads_it", "tshark is missing");
        };
        for max in [1, 256] {
            let (seen, end) = read_all(&mut Reader::open(&path).unwrap(), max);
            end.unwrap();
            assert_same(&path, &seen, &expected);
        }
    }
}

#[test]
fn tshark_reads_what_the_writer_writes() {
    let path = std::env::temp_dir().join(format!("peloton-written-{}.pcap", std::process::id()));
    let mut expected = Vec::new();
    let options = WriterOptions {
        link: LinkType::Ethernet,
        precision: Precision::Nanos,
        snaplen: 2000,
        max_packets: None,
    };
    let mut writer = Writer::create(&path, options).unwrap();
    for i in 0..500_u32 {
        let data = vec![i as u8; (i * 7) as usize];
        let time = PacketTime(1_700_000_000_000_000_000 + u64::from(i) * 1_000_000_007);
        writer.write(time, i * 7, [&data[..]]).unwrap();
        let (seconds, nanos) = (time.0 / 1_000_000_000, time.0 % 1_000_000_000);
        expected.push((format!("{seconds}.{nanos:09}"), i * 7, data.len().min(2000)));
    }
    writer.finish().unwrap();
    let read = tshark(&path);
    std::fs::remove_file(&path).unwrap();
    match read {
        Some(read) => assert_eq!(read, expected),
        None => not_run("tshark_reads_what_the_writer_writes", "tshark is missing"),
    }
}
