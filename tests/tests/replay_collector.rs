//! What `peloton replay --collector` sends, judged by who receives it.

use core::sync::atomic::{AtomicBool, Ordering};
use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::{TcpListener, UdpSocket},
    process::{Command, Output, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};

use peloton_tests::{
    program::{Running, Scratch, has, peloton, run, wait_for},
    replay::{Endless, captures},
};
use serde_json::Value;

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Packets and octets of the records that `--json` prints.
fn sums(lines: &[u8]) -> (u64, u64) {
    let mut sums = (0, 0);
    for line in text(lines).lines() {
        let object: Value = serde_json::from_str(line).unwrap();
        sums.0 += object["packetDeltaCount"].as_u64().unwrap();
        sums.1 += object["octetDeltaCount"].as_u64().unwrap_or(0);
    }
    sums
}

/// What arrives at `address` while `send` works, datagram by datagram.
fn received(socket: UdpSocket, send: impl FnOnce()) -> Vec<Vec<u8>> {
    let done = Arc::new(AtomicBool::new(false));
    let is_done = done.clone();
    socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let receiver = thread::spawn(move || {
        let mut datagrams = Vec::new();
        let mut room = vec![0; 1 << 16];
        loop {
            match socket.recv(&mut room) {
                Ok(len) => datagrams.push(room[..len].to_vec()),
                Err(_) if is_done.load(Ordering::Relaxed) => return datagrams,
                Err(_) => {}
            }
        }
    });
    send();
    done.store(true, Ordering::Relaxed);
    receiver.join().unwrap()
}

fn export(args: &[&str], target: &str, capture: &std::path::Path) -> Output {
    run(peloton().args(["replay", "--json", "--collector", target]).args(args).arg(capture))
}

fn word(message: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(message[at..at + 4].try_into().unwrap())
}

/// A raw IP capture of datagrams to a port, for tshark.
fn pcap(port: u16, datagrams: &[Vec<u8>]) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65535, 101] {
        file.extend(word.to_le_bytes());
    }
    for (n, datagram) in datagrams.iter().enumerate() {
        let len = datagram.len() as u32 + 28;
        for word in [1_700_000_000, n as u32, len, len] {
            file.extend(word.to_le_bytes());
        }
        let mut headers = [0; 28];
        headers[..2].copy_from_slice(&[0x45, 0]);
        headers[2..4].copy_from_slice(&(len as u16).to_be_bytes());
        headers[8..10].copy_from_slice(&[64, 17]);
        headers[12..20].copy_from_slice(&[127, 0, 0, 1, 127, 0, 0, 1]);
        headers[20..24].copy_from_slice(&[0x30, 0x39, (port >> 8) as u8, port as u8]);
        headers[24..26].copy_from_slice(&(len as u16 - 20).to_be_bytes());
        file.extend(headers);
        file.extend(datagram);
    }
    file
}

#[test]
fn tshark_reads_what_is_sent_without_a_complaint() {
    const TEST: &str = "tshark_reads_what_is_sent_without_a_complaint";
    if !has(TEST, &["tshark"]) {
        return;
    }
    let scratch = Scratch::new(TEST);
    for path in captures() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let mut output = None;
        let datagrams = received(socket, || {
            output = Some(export(&["--non-ip"], &address.to_string(), &path));
        });
        let expected = sums(&output.unwrap().stdout);
        let file = scratch.path("export.pcap");
        // Not the port that the kernel chose: some of those mean something else to tshark.
        fs::write(&file, pcap(4739, &datagrams)).unwrap();
        let mut tshark = Command::new("tshark");
        tshark.arg("-r").arg(&file).args(["-d", "udp.port==4739,cflow"]);
        tshark.args(["-T", "fields", "-E", "occurrence=a", "-E", "separator=;"]);
        let fields = ["cflow.packets", "cflow.octets", "_ws.expert", "cflow.template_frame"];
        let read = run(tshark.args(fields.iter().flat_map(|field| ["-e", field])));
        let mut seen = (0, 0);
        for line in text(&read.stdout).lines() {
            let fields: Vec<&str> = line.split(';').collect();
            let sum = |field: &str| -> u64 {
                field.split(',').filter_map(|n| n.parse::<u64>().ok()).sum()
            };
            seen.0 += sum(fields[0]);
            seen.1 += sum(fields[1]);
            assert_eq!(fields[2], "", "{}: tshark has a complaint", path.display());
        }
        assert_eq!(seen, expected, "{}", path.display());
    }
}

#[test]
fn messages_keep_to_the_path_mtu_and_count_their_records() {
    let path = captures().into_iter().find(|path| path.ends_with("demo.pcap")).unwrap();
    for (mtu, limit) in [("1420", 1392), ("256", 228), ("9000", 8972)] {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap().to_string();
        let args = ["--path-mtu", mtu, "--domain", "77"];
        let before = now();
        let datagrams = received(socket, || {
            assert!(export(&args, &address, &path).status.success());
        });
        // Templates come first, in messages of their own.
        assert_eq!(datagrams[0][16..18], [0, 2]);
        let longest = datagrams.iter().map(Vec::len).max().unwrap();
        assert!(longest <= limit && longest > limit - 70, "{mtu}: {longest}");
        let (mut sequence, mut last) = (0, None);
        for message in &datagrams {
            assert_eq!(message[..2], [0, 10]);
            assert_eq!(usize::from(u16::from_be_bytes([message[2], message[3]])), message.len());
            assert!((before..=now()).contains(&word(message, 4)), "not the time of export");
            assert_eq!(word(message, 12), 77);
            let number = word(message, 8);
            assert!(number >= sequence, "sequence numbers only grow");
            (sequence, last) = (number, Some(message));
        }
        assert!(sequence < 273 && last.is_some());
    }
}

fn now() -> u32 {
    let now = std::time::SystemTime::now();
    now.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as u32
}

#[test]
fn nfcapd_takes_everything_in_sequence() {
    const TEST: &str = "nfcapd_takes_everything_in_sequence";
    if !has(TEST, &["nfcapd", "nfdump"]) {
        return;
    }
    for (host, bind) in [("127.0.0.1", "127.0.0.1"), ("[::1]", "::1")] {
        let Ok(socket) = UdpSocket::bind((bind, 0)) else { continue };
        let port = socket.local_addr().unwrap().port();
        drop(socket);
        let scratch = Scratch::new(&format!("{TEST}-{port}"));
        let flows = scratch.path("flows");
        fs::create_dir(&flows).unwrap();
        let log = fs::File::create(scratch.path("log")).unwrap();
        let mut nfcapd = Command::new("nfcapd");
        nfcapd
            .args(["-p", &port.to_string(), "-b", bind, "-S", "0", "-t", "300", "-l"])
            .arg(&flows);
        nfcapd.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let mut collector = Child(nfcapd.spawn().unwrap());
        wait_for("nfcapd to listen", || UdpSocket::bind((bind, port)).is_err());
        // One run is one session; nfcapd tells exporters apart by address and domain alone.
        let mut replay = peloton();
        replay.args(["replay", "--json", "--collector", &format!("{host}:{port}")]);
        let output = run(replay.args(captures()));
        assert!(output.status.success(), "{}", text(&output.stderr));
        // It writes what it has received when it is asked to end.
        thread::sleep(Duration::from_millis(500));
        assert!(Command::new("kill").arg(collector.0.id().to_string()).status().unwrap().success());
        wait_for("nfcapd to end", || collector.0.try_wait().unwrap().is_some());
        let log = fs::read_to_string(scratch.path("log")).unwrap();
        let complaints = ["Sequence Errors: 0,", "Bad Packets: 0"];
        for line in log.lines().filter(|line| line.contains("Sequence Errors")) {
            assert!(complaints.iter().all(|none| line.contains(none)), "{log}");
        }
        let dump = run(Command::new("nfdump").arg("-R").arg(&flows).args(["-o", "json"]));
        let shown: Value = serde_json::from_slice(&dump.stdout).unwrap();
        let sum = |name: &str| -> u64 {
            shown.as_array().unwrap().iter().filter_map(|flow| flow[name].as_u64()).sum()
        };
        assert_eq!((sum("in_packets"), sum("in_bytes")), sums(&output.stdout), "{log}");
    }
}

/// A program that does not outlive its test.
struct Child(std::process::Child);

impl Drop for Child {
    fn drop(&mut self) {
        let _: std::io::Result<()> = self.0.kill();
        let _: std::io::Result<std::process::ExitStatus> = self.0.wait();
    }
}

/// `peloton collect` on a free port, once it listens.
struct Collecting {
    running: Running,
    address: String,
    complaints: BufReader<std::process::ChildStderr>,
}

fn collect(args: &[&str]) -> Collecting {
    let mut running =
        Running::start(peloton().args(["collect", "--listen", "127.0.0.1:0"]).args(args));
    let mut complaints = BufReader::new(running.child().stderr.take().unwrap());
    let mut line = String::new();
    complaints.read_line(&mut line).unwrap();
    let address = line.trim_end().strip_prefix("peloton: listening on ").unwrap().to_owned();
    Collecting { running, address, complaints }
}

impl Collecting {
    /// Its status, its standard output, and its standard error behind the first line.
    fn finish(self) -> (Option<i32>, Vec<u8>, String) {
        let Self { running, mut complaints, .. } = self;
        let output = running.finish();
        let mut text = String::new();
        Read::read_to_string(&mut complaints, &mut text).unwrap();
        (output.status.code(), output.stdout, text)
    }
}

#[test]
fn collect_prints_the_records_that_replay_sends() {
    let path = captures().into_iter().find(|path| path.ends_with("demo.pcap")).unwrap();
    let collecting = collect(&["--json", "--once"]);
    let output = export(&["--non-ip"], &collecting.address, &path);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let (status, lines, complaints) = collecting.finish();
    assert_eq!(status, Some(0));
    let keys = |line: &str| -> Vec<String> {
        let object: Value = serde_json::from_str(line).unwrap();
        // What is not known has no key in one form and is zero in the other; times have other digits.
        let known = |(name, value): (&String, &Value)| {
            let is_known = value.as_u64() != Some(0) && !name.ends_with("Milliseconds");
            is_known.then(|| format!("{name} {value}"))
        };
        object.as_object().unwrap().iter().filter_map(known).collect()
    };
    let sorted = |bytes: &[u8]| -> Vec<Vec<String>> {
        let mut lines: Vec<Vec<String>> = text(bytes).lines().map(keys).collect();
        lines.iter_mut().for_each(|line| line.sort());
        lines.sort();
        lines
    };
    assert_eq!(sorted(&lines), sorted(&output.stdout));
    assert!(
        complaints.ends_with(&format!(" {} records\n", text(&lines).lines().count())),
        "{complaints}"
    );
}

#[test]
fn nothing_is_lost_on_the_way_to_a_local_collector() {
    const FLOWS: u32 = 100_000;
    let collecting = collect(&["--json", "--once"]);
    let address = collecting.address.clone();
    let collected = thread::spawn(move || collecting.finish());
    let mut replay =
        Running::start(peloton().args(["replay", "--collector", &address, "--top", "0", "-"]));
    let mut input = replay.child().stdin.take().unwrap();
    std::io::copy(&mut Endless::new(FLOWS, u64::from(FLOWS)), &mut input).unwrap();
    drop(input);
    let sent = replay.finish();
    let (status, lines, complaints) = collected.join().unwrap();
    assert!(sent.status.success(), "{}", text(&sent.stderr));
    assert!(text(&sent.stdout).contains(&format!("sent          {FLOWS} records in ")));
    assert_eq!(status, Some(0));
    assert_eq!(lines.iter().filter(|&&b| b == b'\n').count(), FLOWS as usize, "{complaints}");
    assert!(!complaints.contains("lost"), "{complaints}");
}

#[test]
fn collect_survives_what_is_no_message_and_counts_it() {
    let collecting = collect(&[]);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(&collecting.address).unwrap();
    let header = |len: u16, sequence: u32| -> Vec<u8> {
        let mut message = vec![0, 10];
        message.extend(len.to_be_bytes());
        message.extend([0x65, 0, 0, 0]);
        message.extend(sequence.to_be_bytes());
        message.extend([0, 0, 0, 9]);
        message
    };
    let with = |sequence, body: &[u8]| {
        let mut message = header(16 + body.len() as u16, sequence);
        message.extend(body);
        message
    };
    let template = [0, 2, 0, 12, 1, 0, 0, 1, 0, 8, 0, 4];
    let data = [1, 0, 0, 8, 192, 0, 2, 1];
    for message in [
        vec![],
        vec![0; 3],
        vec![0xff; 500],
        with(0, &[1, 1, 0, 8, 1, 2, 3, 4]),
        with(0, &template),
        with(0, &data),
        with(8, &data),
        with(9, &[1, 0, 0, 3]),
    ] {
        socket.send(&message).unwrap();
    }
    thread::sleep(Duration::from_millis(500));
    collecting.running.signal("INT");
    let (status, lines, complaints) = collecting.finish();
    assert_eq!(status, Some(130));
    let record = "domain 9 template 256: sourceIPv4Address 192.0.2.1";
    assert_eq!(
        text(&lines).lines().filter(|line| line.ends_with(record)).count(),
        2,
        "{complaints}"
    );
    for complaint in [
        "malformed message: octet 0: message of 0 octets, expected a header of 16\n",
        "domain 9: data of template 257, which has not been received: 4 octets not decoded\n",
        "domain 9: sequence number 8: 7 records before it did not arrive\n",
        " 8 messages, 623 octets, 2 records, 4 malformed messages, 1 data sets without template, 7 records lost\n",
    ] {
        assert!(complaints.contains(complaint), "{complaint} is not in\n{complaints}");
    }
}

#[test]
fn collector_that_nobody_runs_is_told() {
    let path = captures().into_iter().find(|path| path.ends_with("demo.pcap")).unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    drop(socket);
    let output = export(&[], &address, &path);
    assert_eq!(
        text(&output.stderr),
        format!("peloton: collector {address}: nobody listens there (connection refused)\n")
    );
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
}

#[test]
fn a_collector_over_tcp_gets_every_record() {
    const TEST: &str = "a_collector_over_tcp_gets_every_record";
    if !has(TEST, &["ipfixDump"]) {
        return;
    }
    let scratch = Scratch::new(TEST);
    let path = captures().into_iter().find(|path| path.ends_with("demo.pcap")).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = format!("tcp:{}", listener.local_addr().unwrap());
    let received = thread::spawn(move || {
        let mut octets = Vec::new();
        listener.accept().unwrap().0.read_to_end(&mut octets).unwrap();
        octets
    });
    let output = export(&[], &target, &path);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let file = scratch.path("received.ipfix");
    fs::write(&file, received.join().unwrap()).unwrap();
    let dumped =
        run(Command::new("timeout").args(["20", "ipfixDump", "--stats", "--in"]).arg(&file));
    assert!(text(&dumped.stdout).contains(" 273 Data Records"), "{}", text(&dumped.stdout));
    // Nobody listens there any more.
    let refused = export(&[], &target, &path);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        text(&refused.stderr).contains("cannot connect: Connection refused"),
        "{}",
        text(&refused.stderr)
    );
}
