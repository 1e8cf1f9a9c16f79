//! Signals in the middle of everything: what is held becomes records, and nobody hangs for a collector or a pipe.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::UdpSocket,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use peloton_tests::program::{Running, Scratch, peloton, run, workspace};
use vnet::ipfix::{
    decode::{Collector, Event},
    json,
};

/// An orderly end takes no longer, on a busy machine.
const PROMPTLY: Duration = Duration::from_secs(20);

/// 300 packets of ten flows that no timer ends.
const FLOWS: &str = "
create packet-generator interface pg0
set interface state pg0 up
set interface ip address pg0 192.168.0.1/24
flowprobe params record l3 l4 active 3600 passive 7200
flowprobe feature add-del pg0 ip4 rx
set ipfix exporter collector 127.0.0.1 port PORT via kernel
packet-generator new {
  name s limit 300 size 64-64 interface pg0 node ip4-input
  data { UDP: 1.2.3.4 -> 16.0.0.1 UDP: 1024-1033 -> 5001 length 64 }
}
packet-generator enable-stream
wait 0.2
echo ready
";

/// A collector's socket, or the port of one that nobody has.
fn collector(is_there: bool) -> (Option<UdpSocket>, u16) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let port = socket.local_addr().unwrap().port();
    (Some(socket).filter(|_| is_there), port)
}

/// Packets of all records that have arrived.
fn packets(socket: &UdpSocket) -> u64 {
    let (mut collector, mut room, mut sum) = (Collector::new(Default::default()), [0; 2048], 0);
    while let Ok((length, from)) = socket.recv_from(&mut room) {
        let decoded = collector.decode(from, &room[..length], &mut |_, event| {
            let Event::Record(record) = event else { return };
            let mut line = Vec::new();
            json::write_record(&mut line, &record);
            let line: serde_json::Value = serde_json::from_slice(&line).unwrap();
            sum += line["packetDeltaCount"].as_u64().unwrap();
        });
        decoded.unwrap();
    }
    sum
}

/// The engine in one of its ways, up to where all flows are held.
fn started(way: &str, folder: &Scratch, port: u16) -> Running {
    let script = FLOWS.replace("PORT", &port.to_string());
    let (file, socket) = (folder.path("script"), folder.path("cli.sock"));
    let unix = |words: &str| format!("unix {{ {words} cli-listen {} }}\n", socket.display());
    let mut command = peloton();
    match way {
        "daemon" => {
            fs::write(&file, script).unwrap();
            let conf = folder.path("startup.conf");
            fs::write(&conf, unix(&format!("nodaemon exec {}", file.display()))).unwrap();
            command.arg("-c").arg(conf);
        }
        "exec" => {
            fs::write(&file, script + "wait 1000\n").unwrap();
            command.arg("exec").arg(file);
        }
        _ => {
            fs::write(&file, script).unwrap();
            command.arg(unix("interactive"));
        }
    }
    let mut running = Running::start(&mut command);
    if way == "prompt" {
        let lines = fs::read(folder.path("script")).unwrap();
        running.child().stdin.as_mut().unwrap().write_all(&lines).unwrap();
    }
    let mut out = BufReader::new(running.child().stdout.take().unwrap());
    let mut line = String::new();
    while line != "ready\n" {
        line.clear();
        assert!(out.read_line(&mut line).unwrap() > 0, "{way} ended early");
    }
    // Its other end stays open until the program has ended.
    thread::spawn(move || out.read_to_end(&mut Vec::new()));
    running
}

/// Signals a program whose standard input stays open, waits for it, and gives its status and complaints.
fn signalled(mut running: Running, signal: &str) -> (Option<i32>, String) {
    let input = running.child().stdin.take();
    let start = Instant::now();
    running.signal(signal);
    let output = running.finish();
    assert!(start.elapsed() < PROMPTLY, "{:?}", start.elapsed());
    drop(input);
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn flows_that_an_engine_holds_reach_the_collector_when_a_signal_ends_it() {
    for (way, signal, status) in [
        ("daemon", "INT", 0),
        ("daemon", "TERM", 0),
        ("prompt", "INT", 0),
        ("prompt", "TERM", 0),
        ("exec", "INT", 130),
        ("exec", "TERM", 143),
    ] {
        let folder = Scratch::new(&format!("held-{way}-{signal}"));
        let (socket, port) = collector(true);
        let running = started(way, &folder, port);
        assert_eq!(signalled(running, signal), (Some(status), String::new()), "{way} {signal}");
        assert_eq!(packets(&socket.unwrap()), 300, "{way} {signal}");
        assert!(!folder.path("cli.sock").exists(), "{way} leaves its socket");
    }
}

#[test]
fn a_collector_that_is_away_holds_no_end_up_and_is_told() {
    for (way, signal) in [("daemon", "TERM"), ("prompt", "INT"), ("exec", "INT")] {
        let folder = Scratch::new(&format!("away-{way}-{signal}"));
        let (_, port) = collector(false);
        let (status, complaint) = signalled(started(way, &folder, port), signal);
        let begins = format!("peloton: collector 127.0.0.1:{port}: not everything was sent, ");
        assert!(complaint.starts_with(&begins), "{way}: {complaint}");
        assert!(
            complaint.ends_with("messages were refused: nobody listens there\n"),
            "{complaint}"
        );
        assert_eq!(status, Some(1), "{way}");
    }
}

fn demo() -> std::path::PathBuf {
    workspace().join("tests/captures/demo.pcap")
}

#[test]
fn a_replay_that_is_ended_in_its_middle_has_sent_what_it_has_read() {
    let (socket, port) = collector(true);
    let socket = socket.unwrap();
    let mut command = peloton();
    let address = format!("127.0.0.1:{port}");
    command.args(["replay", "--rate", "300", "--top", "0", "--collector", &address]).arg(demo());
    let running = Running::start(&mut command);
    // The templates come first.
    socket.set_read_timeout(Some(PROMPTLY)).unwrap();
    socket.peek(&mut [0; 16]).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    thread::sleep(Duration::from_millis(300));
    running.signal("TERM");
    let output = running.finish();
    let summary = String::from_utf8(output.stdout).unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(143), 0), "{summary}");
    let sent = packets(&socket);
    assert!(
        sent > 0 && summary.contains(&format!("balance       {sent} in records + ")),
        "{summary}"
    );
    assert!(summary.contains("interrupted   by SIGTERM"), "{summary}");
}

fn pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn a_pipe_that_is_silent_or_has_no_other_end_does_not_keep_a_signal_away() {
    let folder = Scratch::new("pipes");
    let (silent, unread) = (folder.path("silent"), folder.path("unread"));
    pipe(&silent);
    pipe(&unread);
    let cases: [(&[&str], &Path, &str); 3] = [
        (&["replay", "--top", "0"], &silent, "0 in records + 0 not measured = 0 packets"),
        (&["replay", "--top", "0"], Path::new("-"), "0 in records + 0 not measured = 0 packets"),
        (&["replay", "--ipfix-file", unread.to_str().unwrap()], &demo(), ""),
    ];
    for (args, capture, says) in cases {
        for (signal, status) in [("INT", 130), ("TERM", 143)] {
            let mut running = Running::start(peloton().args(args).arg(capture));
            let input = running.child().stdin.take();
            // Nothing tells that it waits, and a signal that comes sooner finds the same end.
            thread::sleep(Duration::from_millis(300));
            running.signal(signal);
            let output = running.finish();
            drop(input);
            let out = String::from_utf8_lossy(&output.stdout);
            assert_eq!(output.status.code(), Some(status), "{args:?} {capture:?}: {out}");
            assert!(out.contains(says), "{args:?}: {out}");
        }
    }
}

#[test]
fn a_named_pipe_is_a_capture_and_an_output_like_a_file() {
    let folder = Scratch::new("named");
    let (from, to) = (folder.path("from"), folder.path("to"));
    pipe(&from);
    pipe(&to);
    let source = from.clone();
    let writer = thread::spawn(move || fs::write(source, fs::read(demo()).unwrap()));
    let output = run(peloton().args(["replay", "--top", "0"]).arg(&from));
    writer.join().unwrap().unwrap();
    let summary = String::from_utf8_lossy(&output.stdout);
    let balance = "balance       1487 in records + 13 not measured = 1500";
    assert!(summary.contains(balance), "{summary}");
    let target = to.clone();
    let reader = thread::spawn(move || fs::read(target).unwrap().len());
    let file = folder.path("file");
    for path in [&to, &file] {
        assert!(
            run(peloton().args(["replay", "--ipfix-file"]).arg(path).arg(demo())).status.success()
        );
    }
    assert_eq!(reader.join().unwrap() as u64, fs::metadata(file).unwrap().len());
}
