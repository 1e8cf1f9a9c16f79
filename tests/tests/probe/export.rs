//! What a probe exports by the interface that it measures: everything, and itself never.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use peloton_tests::program::{Running, run, wait_for};

use crate::pair::{Ended, Listening, Pair};

/// A collector over TCP for two sessions, each of which becomes an IPFIX File: the first one is ended from here.
const TCP: &str = r#"
import socket, sys
listener = socket.create_server(("", 9996))
print("listening on 9996", file=sys.stderr, flush=True)
for number in range(2):
    connection, _ = listener.accept()
    with open(f"{sys.argv[1]}{number}", "wb") as file:
        ended = False
        while octets := connection.recv(65536):
            file.write(octets)
            file.flush()
            if number == 0 and file.tell() > 2000 and not ended:
                connection.shutdown(socket.SHUT_WR)
                ended = True
    connection.close()
"#;

/// Packets of the records that came to a collector.
fn packets(ended: &Ended) -> u64 {
    ended.records().iter().map(|record| record["packetDeltaCount"].as_u64().unwrap()).sum()
}

/// Whether a record tells of the export to `port`.
fn tells_of(ended: &Ended, port: u64) -> bool {
    ended.records().iter().any(|record| {
        let is = |name: &str| record.get(name).and_then(serde_json::Value::as_u64) == Some(port);
        is("sourceTransportPort") || is("destinationTransportPort")
    })
}

#[test]
fn nfcapd_gets_all_by_the_interface_that_is_measured() {
    let Some(pair) = Pair::new("nfcapd behind a probe", &["nfcapd", "nfdump", "tcpdump"]) else {
        return;
    };
    let flows = pair.path("flows");
    fs::create_dir(&flows).unwrap();
    let line = format!("nfcapd -p 9995 -w {}", flows.display());
    let nfcapd = Running::start(&mut pair.command("b", &line));
    wait_for("nfcapd", || pair.text("b", "cat /proc/net/udp").contains(":270B "));
    let dump = pair.tcpdump("export.pcap");
    let probe = pair.probe("eth0 --json --active 0.5 --collector 10.9.0.2:9995");
    for _ in 0..3 {
        pair.ping("-i 0.05 10.9.0.2", 20);
        pair.ping("-i 0.05 2001:db8:9::2", 4);
    }
    let ended = probe.interrupt();
    assert_eq!((ended.code, ended.stderr.lines().count()), (Some(0), 1), "{}", ended.stderr);
    wait_for("nfcapd", || pair.text("b", "cat /proc/net/udp").contains(":00000000 00:"));
    nfcapd.signal("INT");
    let said = nfcapd.finish();
    let said =
        String::from_utf8_lossy(&said.stdout).into_owned() + &String::from_utf8_lossy(&said.stderr);
    let expected = format!("Flows: {}, Packets: {},", ended.records().len(), packets(&ended));
    assert!(
        said.contains(&expected) && said.contains("Sequence Errors: 0, Bad Packets: 0"),
        "{expected} {said}"
    );
    assert!(!tells_of(&ended, 9995), "{}", ended.stdout);
    pair.settle("export.pcap");
    dump.interrupt();
    let exported = exported(&pair, "export.pcap", 9995);
    assert!(exported >= 3, "{exported} packets were exported while the probe ran");
}

/// Packets to or from `port` that tcpdump has.
fn exported(pair: &Pair, file: &str, port: u16) -> usize {
    let mut tshark = Command::new("tcpdump");
    let tshark = tshark.args(["-n", "-r"]).arg(pair.path(file)).arg(format!("port {port}"));
    String::from_utf8_lossy(&run(tshark).stdout).lines().count()
}

#[test]
fn a_session_over_tcp_is_not_measured_nor_the_one_after_it() {
    let Some(pair) = Pair::new("TCP behind a probe", &["python3", "tcpdump", "ipfixDump"]) else {
        return;
    };
    fs::write(pair.path("tcp.py"), TCP).unwrap();
    let line =
        format!("python3 {} {}", pair.path("tcp.py").display(), pair.path("stream").display());
    let collector = Listening::start(&mut pair.command("b", &line));
    let dump = pair.tcpdump("tcp.pcap");
    let probe = pair.probe("eth0 --active 0 --collector tcp:10.9.0.2:9996");
    wait_for("the second session", || {
        pair.ping("10.9.0.2", 20);
        fs::metadata(pair.path("stream1")).is_ok_and(|file| file.len() > 0)
    });
    pair.ping("10.9.0.2", 20);
    let ended = probe.interrupt();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(collector.end().code == Some(0));
    pair.settle("tcp.pcap");
    dump.interrupt();
    let (own, exported) =
        (ended.figure("not measured", "own export"), exported(&pair, "tcp.pcap", 9996) as u64);
    // tcpdump began before, and ended after.
    assert!(own >= 10 && own <= exported, "{own} of {exported} packets are the export's own");
    assert!(!ended.stdout.lines().any(|line| line.contains(" tcp .")), "{}", ended.stdout);
    // All of it came; what the first session did not acknowledge in time came again in the second.
    let sent = ended.figure("sent", "sent");
    let received: u64 = ["stream0", "stream1"].iter().map(|name| records(&pair.path(name))).sum();
    assert!(received >= sent && sent > 40, "{received} of {sent} records came");
}

#[test]
fn ipfix_files_are_renamed_when_they_are_large_or_old_and_each_stands_for_itself() {
    let Some(pair) = Pair::new("rotated files of a probe", &["ipfixDump"]) else { return };
    for (case, options) in ["--rotate-size 1024", "--rotate-interval 1"].into_iter().enumerate() {
        let folder = pair.path(&format!("rotated{case}"));
        fs::create_dir(&folder).unwrap();
        let path = folder.join("flows.ipfix");
        fs::write(&path, "of another run").unwrap();
        let names = || -> Vec<_> {
            fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect()
        };
        // A record a packet, of some 60 octets; a message has up to 65,535.
        let line = format!("eth0 --active 0 --quiet --ipfix-file {} {options}", path.display());
        let probe = pair.probe(&line);
        // That of another run, two that are complete, and one that is being written.
        wait_for("two files", || {
            pair.ping("-f 10.9.0.2", 1500);
            names().len() >= 4
        });
        let ended = probe.interrupt();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let is_other = |name: &PathBuf| fs::read(name).unwrap() == b"of another run";
        let (others, made): (Vec<_>, Vec<_>) = names().into_iter().partition(is_other);
        // Nothing is overwritten.
        assert_eq!(others.len(), 1);
        // Each has templates of its own, or nobody could count its records.
        let written: u64 = made.iter().map(|name| records(name)).sum();
        assert_eq!(written, ended.figure("records", "records"), "{}", ended.stdout);
    }
}

/// Data records of a stream of messages, as ipfixDump counts them. A message that the end of a session has cut is none.
fn records(stream: &Path) -> u64 {
    let octets = fs::read(stream).unwrap();
    let mut whole = 0;
    while let Some(&[_, _, high, low, ..]) = octets.get(whole..)
        && whole + usize::from(u16::from_be_bytes([high, low])) <= octets.len()
    {
        whole += usize::from(u16::from_be_bytes([high, low])).max(1);
    }
    fs::write(stream, &octets[..whole]).unwrap();
    let dump =
        run(Command::new("timeout").args(["20", "ipfixDump", "--stats", "--in"]).arg(stream));
    let said = String::from_utf8_lossy(&dump.stdout).into_owned();
    let (before, _) = said.split_once(" Data Records").unwrap_or_else(|| panic!("{said}"));
    before
        .split_whitespace()
        .last()
        .and_then(|word| word.parse().ok())
        .unwrap_or_else(|| panic!("{said}"))
}
