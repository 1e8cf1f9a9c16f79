//! Collectors over TCP and TLS, and IPFIX Files, in a whole engine.

use std::{
    fs,
    io::Read,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    thread::{self, JoinHandle},
};

use peloton_tests::{
    program::{Scratch, has, not_run, wait_for as until},
    tls::{certificates, serve},
};
use vnet::ipfix::{
    decode::{Decoder, SessionKind},
    elements::Registry,
};

use crate::scene::{Exported, IP4, Scene};

/// A program that ends with the test.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _: std::io::Result<()> = self.0.kill();
        let _: std::io::Result<_> = self.0.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Reads a session to its end, on a thread.
fn read(listener: TcpListener) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let (mut stream, _): (TcpStream, _) = listener.accept().unwrap();
        let mut octets = Vec::new();
        // An end by reset is an end, too.
        let _: std::io::Result<usize> = stream.read_to_end(&mut octets);
        octets
    })
}

/// What a collector makes of a session; it complains of nothing.
fn session(octets: &[u8]) -> Exported {
    let mut decoder = Decoder::new(SessionKind::Stream, Arc::new(Registry::default()));
    let (mut exported, mut rest) = (Exported::default(), octets);
    while let [_, _, high, low, ..] = *rest {
        let (message, behind) = rest.split_at(usize::from(u16::from_be_bytes([high, low])));
        exported.add(&mut decoder, message);
        rest = behind;
    }
    exported
}

fn scene(name: &str, collector: &str) -> Scene {
    let scene = Scene::without_collector(name);
    scene.lab.run(&format!("ipfix collector add 0 {collector}"));
    scene.params("record l3 l4");
    scene.feature("pg0 ip4 rx");
    scene
}

/// `flows` flows of one packet from these source ports on, which wait for the exporter.
fn measure(scene: &Scene, first: u32, flows: u32) {
    let ports = format!("{first}-{}", first + flows - 1);
    let data = format!("{IP4} UDP: 192.168.0.2 -> 10.0.0.1 UDP: {ports} -> 9 incrementing 18");
    scene.send(flows, &data);
    scene.lab.engine.with(|main| scene.probe.flush(main));
    scene.lab.engine.run_until_idle();
}

fn phase(scene: &Scene) -> String {
    let shown = scene.lab.run("show ipfix collector json");
    let json: serde_json::Value = serde_json::from_str(&shown).unwrap();
    json[0]["state"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_flush_returns_when_the_collector_has_everything() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let collector = read(listener);
    let scene = scene("tcp", &format!("tcp 127.0.0.1 port {port}"));
    measure(&scene, 1, 500);
    assert_eq!(scene.lab.run("ipfix flush"), "");
    let shown = scene.lab.run("show ipfix collector json");
    let json: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(
        (&json[0]["records_delivered"], &json[0]["records_queued"]),
        (&500.into(), &0.into())
    );
    scene.lab.run(&format!("ipfix collector del 0 tcp 127.0.0.1 port {port}"));
    let exported = session(&collector.join().unwrap());
    assert_eq!((exported.records.len(), exported.packet_sum()), (500, 500));
    // Templates come once a session, each by itself.
    assert_eq!((exported.templates, exported.template_messages), (vec![256, 257], 2));
}

#[test]
fn a_report_that_goes_withdraws_its_templates() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let collector = read(listener);
    let scene = scene("withdrawal", &format!("tcp 127.0.0.1 port {port}"));
    measure(&scene, 1, 5);
    scene.feature("pg0 ip4 disable");
    scene.lab.run("ipfix flush");
    scene.lab.run(&format!("ipfix collector del 0 tcp 127.0.0.1 port {port}"));
    let octets = collector.join().unwrap();
    // Both templates of the report: sets of 8 octets with identifier and field count 0 (RFC 7011 section 8.1).
    for id in [256_u16, 257] {
        let withdrawal = [&[0, 2, 0, 8][..], &id.to_be_bytes(), &[0, 0]].concat();
        assert!(octets.windows(8).any(|octets| octets == withdrawal), "{id}");
    }
}

#[test]
fn each_session_is_told_the_options_anew() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let scene = scene("options-tcp", &format!("tcp 127.0.0.1 port {port}"));
    scene.lab.run("ipfix options interfaces");
    scene.lab.run("ipfix options statistics");
    let names = |octets: &[u8]| {
        let mut names: Vec<String> = session(octets)
            .records
            .iter()
            .filter_map(|record| Some(record["interfaceName"].as_str()?.to_owned()))
            .collect();
        names.sort();
        names
    };
    let (mut first, _) = listener.accept().unwrap();
    until("the session is up", || phase(&scene) == "up");
    scene.lab.advance(1);
    assert_eq!(scene.lab.run("ipfix flush"), "");
    let mut octets = vec![0; 65536];
    let len = first.read(&mut octets).unwrap();
    assert_eq!(names(&octets[..len]), ["local0", "pg0", "pg1", "pg2"]);
    drop((first, listener));
    until("the end is noticed", || phase(&scene) == "down");
    let second = read(TcpListener::bind(("127.0.0.1", port)).unwrap());
    until("the next session is up", || phase(&scene) == "up");
    scene.lab.advance(10);
    measure(&scene, 1, 7);
    assert_eq!(scene.lab.run("ipfix flush"), "");
    scene.lab.run(&format!("ipfix collector del 0 tcp 127.0.0.1 port {port}"));
    let octets = second.join().unwrap();
    assert_eq!(names(&octets), ["local0", "pg0", "pg1", "pg2"]);
    assert_eq!(session(&octets).packet_sum(), 7);
}

#[test]
fn a_collector_that_is_away_for_long_gets_everything_from_memory_and_spool() {
    let folder = Scratch::new("spool");
    let port = free_port();
    let spool = folder.path("spool");
    let words =
        format!("tcp 127.0.0.1 port {port} queue 64K spool {} spool-size 16M", spool.display());
    let scene = scene("away", &words);
    until("nobody listens", || phase(&scene) == "down");
    // An hour of the engine's time, and far more than the queue has room for.
    for round in 0..20 {
        measure(&scene, 1 + round * 1000, 1000);
        scene.lab.advance(180);
    }
    let told = scene.lab.run("ipfix flush");
    assert!(told.contains("messages wait for their collector"), "{told}");
    assert!(fs::metadata(&spool).unwrap().len() > 500_000);
    assert_eq!(scene.not_sent(), 0);
    let collector = read(TcpListener::bind(("127.0.0.1", port)).unwrap());
    until("it is found again", || phase(&scene) == "up");
    assert_eq!(scene.lab.run("ipfix flush"), "");
    scene.lab.run(&format!("ipfix collector del 0 tcp 127.0.0.1 port {port}"));
    let exported = session(&collector.join().unwrap());
    assert_eq!((exported.records.len(), exported.packet_sum()), (20_000, 20_000));
    until("the spool goes with its collector", || !spool.exists());
}

#[test]
fn what_finds_no_room_is_counted_as_not_sent() {
    let port = free_port();
    let scene = scene("full", &format!("tcp 127.0.0.1 port {port} queue 64K"));
    until("nobody listens", || phase(&scene) == "down");
    for round in 0..10 {
        measure(&scene, 1 + round * 1000, 1000);
        // Each message that finds no room is followed by a rest.
        scene.lab.advance(5);
    }
    let counters = scene.probe.exporter().counters();
    assert_eq!(counters.records + counters.records_not_sent, 10_000);
    assert!(counters.records_not_sent > 5_000, "{counters:?}");
    let shown = scene.lab.run("show ipfix statistics");
    assert!(shown.contains("last error: the queue of the collector is full"), "{shown}");
    scene.lab.run(&format!("ipfix collector del 0 tcp 127.0.0.1 port {port}"));
    until("what was left is counted", || {
        let shown = scene.lab.run("show ipfix statistics json");
        let json: serde_json::Value = serde_json::from_str(&shown).unwrap();
        json["records_lost"].as_u64() == Some(counters.records)
    });
}

#[test]
fn failover_leaves_a_collector_whose_session_is_down() {
    let (port, listener) = (free_port(), TcpListener::bind("127.0.0.1:0").unwrap());
    let second = listener.local_addr().unwrap().port();
    let collector = read(listener);
    let scene = scene("failover-tcp", &format!("tcp 127.0.0.1 port {port}"));
    scene.lab.run("ipfix exporter set 0 policy failover");
    scene.lab.run(&format!("ipfix collector add 0 tcp 127.0.0.1 port {second}"));
    until("nobody listens", || phase(&scene) == "down");
    measure(&scene, 1, 50);
    scene.lab.run("ipfix flush");
    scene.lab.run(&format!("ipfix collector del 0 tcp 127.0.0.1 port {second}"));
    assert_eq!(session(&collector.join().unwrap()).packet_sum(), 50);
}

#[test]
fn ipfix2csv_takes_what_is_sent_over_tcp() {
    let test = "export over TCP collected by ipfix2csv";
    if !Path::new("/usr/bin/ipfix2csv").exists() {
        return not_run(test, "ipfix2csv is missing");
    }
    let (port, folder) = (free_port(), Scratch::new("ipfix2csv"));
    let output = folder.path("csv");
    let mut command = Command::new("/usr/bin/ipfix2csv");
    command.args(["-c", "tcp", "-b", "127.0.0.1", "-p", &port.to_string()]);
    command.args(["sourceIPv4Address", "sourceTransportPort", "packetDeltaCount"]);
    command.env("PYTHONUNBUFFERED", "1").stdin(Stdio::null());
    command.stdout(fs::File::create(&output).unwrap()).stderr(Stdio::null());
    let _collector = Program(command.spawn().unwrap());
    let scene = scene("csv", &format!("tcp 127.0.0.1 port {port}"));
    until("ipfix2csv listens", || phase(&scene) == "up");
    measure(&scene, 1, 300);
    assert_eq!(scene.lab.run("ipfix flush"), "");
    until("ipfix2csv has written all", || {
        fs::read_to_string(&output).unwrap().lines().filter(|l| l.contains("192.168.0.2")).count()
            == 300
    });
}

#[test]
fn tls_delivers_to_openssl_and_proves_who_we_are() {
    if !has("export over TLS to openssl", &["openssl"]) {
        return;
    }
    let folder = Scratch::new("tls");
    certificates(&folder);
    let server = serve(&folder);
    let port = server.port;
    let file = |name: &str| folder.path(name).display().to_string();
    let words = format!(
        "tls 127.0.0.1 port {port} ca {} cert {} key {}",
        file("ca.pem"),
        file("client.pem"),
        file("client.key")
    );
    let scene = scene("tls", &words);
    until("the session is up", || phase(&scene) == "up");
    measure(&scene, 1, 400);
    assert_eq!(scene.lab.run("ipfix flush"), "");
    until("openssl has written all", || {
        session(&fs::read(folder.path("got")).unwrap()).records.len() == 400
    });
    drop(server);
}

#[test]
fn a_collector_that_is_not_who_it_should_be_gets_nothing() {
    if !has("certificates that are wrong", &["openssl"]) {
        return;
    }
    let folder = Scratch::new("tls-wrong");
    certificates(&folder);
    let server = serve(&folder);
    let port = server.port;
    let file = |name: &str| folder.path(name).display().to_string();
    let own = format!("cert {} key {}", file("client.pem"), file("client.key"));
    for (words, expected) in [
        // Somebody else vouches for it; the name is another one; we are nobody.
        (format!("ca {} {own}", file("other.pem")), "UnknownIssuer"),
        (
            format!("ca {} {own} server-name elsewhere.example", file("ca.pem")),
            "not valid for name",
        ),
        (format!("ca {}", file("ca.pem")), "alert"),
    ] {
        let scene = scene("tls-wrong", &format!("tls 127.0.0.1 port {port} {words}"));
        measure(&scene, 1, 10);
        let mut last = String::new();
        until("the session ends", || {
            last = scene.lab.run("show ipfix collector");
            last.contains("down")
        });
        assert!(last.contains(expected), "{expected}: {last}");
        let told = scene.lab.run("ipfix flush");
        assert!(told.contains("messages wait for their collector"), "{told}");
    }
    assert_eq!(fs::read(folder.path("got")).unwrap(), b"");
}

#[test]
fn complete_files_are_set_aside_and_ipfix_dump_reads_each_without_a_warning() {
    let folder = Scratch::new("files");
    let path = folder.path("flows.ipfix");
    let scene = scene("files", &format!("file {} rotate-size 16K", path.display()));
    for round in 0..5 {
        measure(&scene, 1 + round * 500, 500);
        assert_eq!(scene.lab.run("ipfix flush"), "");
    }
    scene.lab.run(&format!("ipfix collector del 0 file {}", path.display()));
    let files = || -> Vec<PathBuf> {
        fs::read_dir(folder.path("")).unwrap().map(|entry| entry.unwrap().path()).collect()
    };
    let sum = || -> usize {
        files().iter().map(|file| session(&fs::read(file).unwrap()).records.len()).sum()
    };
    until("all is written", || sum() == 2500);
    assert!(files().len() >= 5, "{:?}", files());
    if !has("rotated IPFIX Files read by ipfixDump", &["ipfixDump"]) {
        return;
    }
    for file in files() {
        let mut command = Command::new("timeout");
        command.args(["20", "ipfixDump", "--stats", "--in"]).arg(&file);
        let output = command.output().unwrap();
        let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && complaints.is_empty(), "{complaints}");
    }
}

/// A file system of 64 KiB, where root may make one.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn new(path: PathBuf) -> Option<Self> {
        fs::create_dir_all(&path).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"]).arg(&path).stderr(Stdio::null());
        mount.status().is_ok_and(|status| status.success()).then_some(Self(path))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _: std::io::Result<_> = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_is_waited_for_and_leaves_no_half_of_a_message() {
    let folder = Scratch::new("full-disk");
    let Some(disk) = SmallDisk::new(folder.path("disk")) else {
        return not_run("an IPFIX File on a full disk", "no right to mount a file system");
    };
    let (path, ballast) = (disk.0.join("flows.ipfix"), disk.0.join("ballast"));
    fs::write(&ballast, vec![0; 48 << 10]).unwrap();
    let scene = scene("full-disk", &format!("file {}", path.display()));
    measure(&scene, 1, 500);
    let told = scene.lab.run("ipfix flush");
    assert!(told.contains("No space left on device"), "{told}");
    session(&fs::read(&path).unwrap());
    fs::remove_file(&ballast).unwrap();
    until("it goes on", || session(&fs::read(&path).unwrap()).records.len() == 500);
    assert_eq!(scene.lab.run("ipfix flush"), "");
}
