//! Collectors and readers that others wrote take what a replay of each capture puts out, without a complaint and to the packet.
//! nfcapd and tshark have theirs in `replay_collector.rs`.

use std::{
    fs,
    net::UdpSocket,
    path::{Path, PathBuf},
    process::Command,
};

use peloton_tests::{
    program::{Running, Scratch, has, peloton, run, wait_for},
    replay::captures,
};
use serde_json::Value;

/// Options that between them give every template that a replay has.
const OPTIONS: [&[&str]; 2] = [&["--non-ip"], &["--non-ip", "--record", "l2,l3,l4"]];

/// What records add up to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Sums {
    records: u64,
    packets: u64,
    octets: u64,
}

impl Sums {
    fn add(&mut self, packets: u64, octets: u64) {
        self.records += 1;
        self.packets += packets;
        self.octets += octets;
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Of a replay's JSON lines: those of IP, and all.
fn of_json(lines: &[u8]) -> (Sums, Sums) {
    let (mut ip, mut all) = (Sums::default(), Sums::default());
    for line in text(lines).lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        let packets = record["packetDeltaCount"].as_u64().unwrap();
        match record["octetDeltaCount"].as_u64() {
            Some(octets) => {
                ip.add(packets, octets);
                all.add(packets, octets);
            }
            None => all.add(packets, 0),
        }
    }
    (ip, all)
}

/// The file that a replay writes of each capture with each set of options, and what is in it. Damaged captures are told of
/// and end with another status; their records count like all others.
fn each_file(test: &str, mut judge: impl FnMut(&str, &Path, (Sums, Sums))) {
    let scratch = Scratch::new(test);
    let file = scratch.path("records.ipfix");
    for capture in captures() {
        for options in OPTIONS {
            let mut replay = peloton();
            replay
                .args(["replay", "--json", "--ipfix-file"])
                .arg(&file)
                .args(options)
                .arg(&capture);
            let output = run(&mut replay);
            judge(&format!("{} {options:?}", capture.display()), &file, of_json(&output.stdout));
        }
    }
}

#[test]
fn ipfix_dump_reads_files_without_a_warning() {
    const TEST: &str = "ipfix_dump_reads_files_without_a_warning";
    if !has(TEST, &["ipfixDump"]) {
        return;
    }
    each_file(TEST, |what, file, (_, all)| {
        let output =
            run(Command::new("ipfixDump").arg("--in").arg(file).args(["--rfc5610", "--data"]));
        assert!(output.status.success(), "{what}: {}", output.status);
        assert_eq!(text(&output.stderr), "", "{what}");
        let mut seen = Sums::default();
        for line in text(&output.stdout).lines() {
            assert!(!line.to_ascii_uppercase().contains("WARNING"), "{what}: {line}");
            let value = || line.rsplit(' ').next().unwrap().parse::<u64>().unwrap();
            if line.contains(" packetDeltaCount :") {
                seen.add(value(), 0);
            } else if line.contains(" octetDeltaCount :") {
                seen.octets += value();
            }
        }
        assert_eq!(seen, all, "{what}");
    });
}

#[test]
fn ipfix2csv_reads_files() {
    const TEST: &str = "ipfix2csv_reads_files";
    if !has(TEST, &["ipfix2csv"]) {
        return;
    }
    each_file(TEST, |what, file, (ip, all)| {
        // A record that lacks a column is left out.
        let sums = |columns: &[&str]| {
            let output = run(Command::new("ipfix2csv").arg("-f").arg(file).args(columns));
            assert!(output.status.success(), "{what}: {}", text(&output.stderr));
            assert_eq!(text(&output.stderr), "", "{what}");
            let mut sums = Sums::default();
            for line in text(&output.stdout).lines().skip(1) {
                let mut values =
                    line.split(',').map(|word| word.trim_matches('"').parse().unwrap());
                sums.add(values.next().unwrap(), values.next().unwrap_or(0));
            }
            sums
        };
        assert_eq!(sums(&["packetDeltaCount", "octetDeltaCount"]), ip, "{what}");
        assert_eq!(sums(&["packetDeltaCount"]), Sums { octets: 0, ..all }, "{what}");
    });
}

#[test]
fn nfacctd_takes_everything() {
    const TEST: &str = "nfacctd_takes_everything";
    if !has(TEST, &["nfacctd"]) {
        return;
    }
    for (host, bind) in [("127.0.0.1", "127.0.0.1"), ("[::1]", "::1")] {
        let Ok(socket) = UdpSocket::bind((bind, 0)) else { continue };
        let port = socket.local_addr().unwrap().port();
        drop(socket);
        let scratch = Scratch::new(&format!("{TEST}-{port}"));
        let shown = scratch.path("records.json");
        let nfacctd = Running::start(
            Command::new("nfacctd").arg("-f").arg(nfacctd_config(&scratch, bind, port, &shown)),
        );
        // The process that prints looks once a second whether there is something, from when it is ready.
        let log = || fs::read_to_string(scratch.path("log")).unwrap_or_default();
        wait_for("nfacctd to be ready", || log().contains("Purging cache"));
        let mut replay = peloton();
        replay.args(["replay", "--json", "--collector", &format!("{host}:{port}")]);
        let output = run(replay.args(captures()));
        let (_, expected) = of_json(&output.stdout);
        // What it has buffered follows when it is asked to end.
        wait_for("nfacctd to read its socket", || waiting(port) == 0);
        nfacctd.signal("INT");
        drop(nfacctd.finish());
        wait_for("nfacctd to print all", || of_nfacctd(&shown).packets >= expected.packets);
        let seen = of_nfacctd(&shown);
        assert_eq!((seen.packets, seen.octets), (expected.packets, expected.octets), "{}", log());
        assert!(!log().contains("WARN") && !log().contains("ERROR"), "{}", log());
    }
}

/// Octets that a socket's owner has not read.
fn waiting(port: u16) -> u64 {
    let mut sum = 0;
    for table in ["/proc/net/udp", "/proc/net/udp6"] {
        for line in fs::read_to_string(table).unwrap_or_default().lines().skip(1) {
            let words: Vec<&str> = line.split_whitespace().collect();
            if words[1].ends_with(&format!(":{port:04X}")) {
                sum += u64::from_str_radix(words[4].split(':').nth(1).unwrap(), 16).unwrap();
            }
        }
    }
    sum
}

fn nfacctd_config(scratch: &Scratch, address: &str, port: u16, output: &Path) -> PathBuf {
    let lines = format!(
        "daemonize: false\n\
         logfile: {}\n\
         nfacctd_ip: {address}\n\
         nfacctd_port: {port}\n\
         nfacctd_time_new: true\n\
         plugins: print\n\
         aggregate: src_host, dst_host, src_port, dst_port, proto, tcpflags, timestamp_start, timestamp_end\n\
         print_output: json\n\
         print_output_file: {}\n\
         print_output_file_append: true\n\
         print_refresh_time: 1\n\
         plugin_pipe_size: 20480000\n\
         plugin_buffer_size: 20480\n",
        scratch.path("log").display(),
        output.display()
    );
    let config = scratch.path("nfacctd.conf");
    fs::write(&config, lines).unwrap();
    config
}

/// What it has printed so far; its last line may be half there.
fn of_nfacctd(path: &Path) -> Sums {
    let lines = fs::read_to_string(path).unwrap_or_default();
    let mut sums = Sums::default();
    for record in lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        sums.add(record["packets"].as_u64().unwrap(), record["bytes"].as_u64().unwrap());
    }
    sums
}
