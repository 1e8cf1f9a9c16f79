//! Through the host's own sockets.

use std::{
    fs,
    net::UdpSocket,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use peloton_tests::program::{not_run, wait_for};
use vnet::ipfix::{
    decode::{Decoder, SessionKind},
    elements::Registry,
};

use crate::scene::{Exported, IP4, IP6, Scene, UDP, UDP6};

fn listener() -> (UdpSocket, u16) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let port = socket.local_addr().unwrap().port();
    (socket, port)
}

/// Everything that has arrived, and the ports that it came from.
fn received(socket: &UdpSocket) -> (Exported, Vec<u16>) {
    let mut decoder = Decoder::new(SessionKind::Datagrams, Arc::new(Registry::default()));
    let (mut exported, mut ports, mut room) = (Exported::default(), Vec::new(), [0; 2048]);
    while let Ok((len, from)) = socket.recv_from(&mut room) {
        exported.packets.push(len + 28);
        exported.add(&mut decoder, &room[..len]);
        ports.push(from.port());
    }
    ports.dedup();
    (exported, ports)
}

#[test]
fn a_probe_without_a_routed_interface_reaches_its_collector() {
    let (socket, port) = listener();
    let scene = Scene::without_collector("kernel");
    let line = scene.lab.run(&format!(
        "set ipfix exporter collector 127.0.0.1 port {port} via kernel path-mtu 400"
    ));
    assert!(line.ends_with("via kernel\n"), "{line}");
    scene.params("record l3 l4");
    scene.feature("pg0 ip4 rx");
    scene.send(500, &format!("{IP4} UDP: 192.168.0.2 -> 10.0.0.1-10.0.0.50 UDP: 1 -> 2"));
    scene.feature("pg0 ip4 disable");
    scene.lab.run("ipfix flush");
    let (exported, ports) = received(&socket);
    assert_eq!((exported.records.len(), exported.packet_sum()), (50, 500));
    assert!(exported.packets.iter().all(|&len| len <= 400));
    assert_eq!(exported.messages[1].0, 0);
    // One socket, with a port of the host's choice.
    assert_eq!(ports.len(), 1);
    assert_ne!(ports[0], 4739);
    assert!(scene.exported().packets.is_empty());
}

#[test]
fn a_collector_that_is_away_costs_nothing_but_its_records_and_finds_the_next_ones() {
    let (socket, port) = listener();
    drop(socket);
    let scene = Scene::without_collector("refused");
    scene.lab.run(&format!("set ipfix exporter collector 127.0.0.1 port {port} via kernel"));
    scene.params("record l3 active 0");
    scene.feature("pg0 ip4 rx");
    for _ in 0..5 {
        scene.send(20, &format!("{IP4} {UDP}"));
        scene.lab.advance(6);
    }
    let counters = scene.probe.exporter().kernel_counters();
    assert!(counters.refused > 0, "{counters:?}");
    assert_eq!((counters.failed, counters.abandoned, scene.not_sent()), (0, 0, 0));
    assert!(scene.lab.run("ipfix flush").contains("messages were refused"));
    let socket = UdpSocket::bind(("127.0.0.1", port)).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    scene.lab.advance(20);
    scene.send(3, &format!("{IP4} {UDP}"));
    scene.lab.run("ipfix flush");
    assert_eq!(received(&socket).0.packet_sum(), 3);
}

#[test]
fn a_flush_tells_of_messages_that_a_pass_before_it_sent_in_vain_and_tells_once() {
    let (socket, port) = listener();
    drop(socket);
    let scene = Scene::without_collector("vain");
    scene.params("record l3 active 0");
    scene.feature("pg0 ip4 rx");
    scene.lab.run(&format!("set ipfix exporter collector 127.0.0.1 port {port} via kernel"));
    // The template leaves by itself, and nothing is left for the flush to send.
    scene.lab.engine.run_until_idle();
    let told = scene.lab.run("ipfix flush");
    assert!(
        told.contains(&format!("collector 127.0.0.1:{port}: "))
            && told.contains("1 messages were refused"),
        "{told}"
    );
    assert_eq!(scene.lab.run("ipfix flush"), "");
    // So it is at the engine's end: a pass takes the records on their way before the last flush is asked for.
    scene.send(20, &format!("{IP4} {UDP}"));
    scene.lab.advance(6);
    let errors = scene.lab.engine.stop();
    assert!(
        errors.len() == 1 && errors[0].to_string().contains("messages were refused"),
        "{errors:?}"
    );
}

#[test]
fn an_address_that_is_not_the_hosts_is_counted_and_loses_what_was_sent() {
    let scene = Scene::without_collector("bind");
    scene.lab.run("set ipfix exporter collector 127.0.0.1 src 192.0.2.77 via kernel");
    scene.params("record l3");
    scene.feature("pg0 ip4 rx");
    let refused = scene.lab.run("ipfix flush");
    assert!(refused.contains("not everything was sent"), "{refused}");
    assert!(refused.contains("Cannot assign requested address"), "{refused}");
    let counters = scene.probe.exporter().counters();
    assert!(counters.send_errors > 0 && counters.templates_not_sent > 0, "{counters:?}");
}

/// A collector of somebody else's, which does not outlive the test.
struct Collector(Child);

impl Drop for Collector {
    fn drop(&mut self) {
        let _: std::io::Result<()> = self.0.kill();
        let _: std::io::Result<_> = self.0.wait();
    }
}

/// Octets that wait in the receive queue of the host's UDP socket with this port, if there is one.
fn receive_queue(port: u16) -> Option<u64> {
    let table = fs::read_to_string("/proc/net/udp").ok()?;
    let suffix = format!(":{port:04X}");
    let mut lines = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let line = lines.find(|words| words.get(1).is_some_and(|a| a.ends_with(&suffix)))?;
    u64::from_str_radix(line.get(4)?.split_once(':')?.1, 16).ok()
}

/// Has nfcapd collect what `send` sends to the port that it is told, and waits whenever the collector is to have received; what
/// nfcapd says at its end, and the folder of its flows. `None` when there is no nfcapd.
pub(crate) fn collect(name: &str, send: impl FnOnce(u16, &dyn Fn())) -> Option<(String, PathBuf)> {
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let folder = std::env::temp_dir().join(format!("peloton-{}-{name}", std::process::id()));
    let _: std::io::Result<()> = fs::remove_dir_all(&folder);
    fs::create_dir_all(folder.join("flows")).unwrap();
    let log = fs::File::create(folder.join("log")).unwrap();
    let mut command = Command::new("nfcapd");
    command.args(["-p", &port.to_string(), "-b", "127.0.0.1", "-S", "0", "-t", "300", "-l"]);
    command.arg(folder.join("flows")).stdin(Stdio::null());
    command.stdout(log.try_clone().unwrap()).stderr(log);
    let Ok(child) = command.spawn() else {
        not_run(&format!("{name} collected by nfcapd"), "nfcapd is missing");
        return None;
    };
    let mut collector = Collector(child);
    wait_for("nfcapd's socket", || receive_queue(port).is_some());
    let has_received = || wait_for("nfcapd to read", || receive_queue(port) == Some(0));
    send(port, &has_received);
    has_received();
    let id = collector.0.id().to_string();
    assert!(Command::new("kill").arg(id).status().unwrap().success());
    wait_for("nfcapd's end", || collector.0.try_wait().unwrap().is_some());
    let log = fs::read_to_string(folder.join("log")).unwrap();
    let sums = log.lines().find(|line| line.contains("Sequence Errors")).unwrap_or(&log);
    Some((sums.to_owned(), folder))
}

#[test]
fn nfcapd_takes_what_is_sent_without_complaint() {
    let collected = collect("nfcapd", |port, has_received| {
        let scene = Scene::without_collector("nfcapd");
        scene.lab.run(&format!("set ipfix exporter collector 127.0.0.1 port {port} via kernel"));
        scene.params("record l2 l3 l4");
        scene.feature("pg0 ip4 rx");
        scene.feature("pg0 ip6 rx");
        for _ in 0..3 {
            scene.send(60, &format!("{IP4} UDP: 192.168.0.2 -> 10.0.0.1-10.0.0.20 UDP: 1 -> 2"));
            scene.send(8, &format!("{IP6} {UDP6}"));
            scene.lab.advance(40);
            has_received();
        }
        scene.feature("pg0 ip4 disable");
        scene.feature("pg0 ip6 disable");
        scene.lab.run("ipfix flush");
    });
    let Some((sums, folder)) = collected else { return };
    assert!(sums.contains("Sequence Errors: 0") && sums.contains("Bad Packets: 0"), "{sums}");
    let mut nfdump = Command::new("nfdump");
    nfdump.arg("-R").arg(folder.join("flows")).args(["-o", "csv", "-A", "proto"]);
    let Ok(output) = nfdump.output() else {
        return not_run("flowprobe's export read by nfdump", "nfdump is missing");
    };
    let text = String::from_utf8_lossy(&output.stdout);
    // Its closing line: flows, octets, packets.
    let last = text.lines().last().unwrap_or_default();
    let octets = 3 * (60 * 28 + 8 * 50);
    assert!(last.starts_with(&format!("63,{octets},204,")), "{text}");
    fs::remove_dir_all(&folder).unwrap();
}
