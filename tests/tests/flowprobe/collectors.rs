//! Several collectors and several exporters, through the host's own sockets.

use std::{
    net::UdpSocket,
    sync::Arc,
    time::{Duration, Instant},
};

use vnet::ipfix::{
    decode::{Decoder, SessionKind},
    elements::Registry,
};

use crate::scene::{Exported, IP4, Scene, UDP};

/// A collector over UDP that listens on this host.
struct Collector {
    socket: UdpSocket,
    port: u16,
    decoder: Decoder,
    exported: Exported,
}

impl Collector {
    fn new() -> Self {
        Self::at(0)
    }

    fn at(port: u16) -> Self {
        let socket = UdpSocket::bind(("127.0.0.1", port)).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let port = socket.local_addr().unwrap().port();
        let decoder = Decoder::new(SessionKind::Datagrams, Arc::new(Registry::default()));
        Self { socket, port, decoder, exported: Exported::default() }
    }

    /// Everything that has arrived so far.
    fn hear(&mut self) -> &Exported {
        let mut room = [0; 2048];
        while let Ok((len, _)) = self.socket.recv_from(&mut room) {
            self.exported.packets.push(len + 28);
            self.exported.add(&mut self.decoder, &room[..len]);
        }
        &self.exported
    }

    fn packets(&mut self) -> u64 {
        self.hear().packet_sum()
    }
}

/// A probe of pg0 whose exporter 0 has these settings and collectors.
fn scene(name: &str, settings: &str, collectors: &[&Collector]) -> Scene {
    let scene = Scene::without_collector(name);
    scene.lab.run(&format!("ipfix exporter set 0 via kernel {settings}"));
    for collector in collectors {
        scene.lab.run(&format!("ipfix collector add 0 udp 127.0.0.1 port {}", collector.port));
    }
    scene.params("record l3 l4");
    scene.feature("pg0 ip4 rx");
    scene
}

/// `flows` flows of two packets, all told.
fn measure(scene: &Scene, flows: u32) {
    let last = 1 + flows;
    let data = format!("{IP4} UDP: 192.168.0.2 -> 10.0.0.1 UDP: 2-{last} -> 9 incrementing 18");
    scene.send(flows * 2, &data);
    scene.feature("pg0 ip4 disable");
    scene.lab.run("ipfix flush");
    scene.feature("pg0 ip4 rx");
}

#[test]
fn copies_are_whole_streams_of_their_own() {
    let (mut one, mut other) = (Collector::new(), Collector::new());
    let scene = scene("copy", "policy copy", &[&one, &other]);
    measure(&scene, 40);
    for collector in [&mut one, &mut other] {
        assert_eq!((collector.packets(), collector.exported.records.len()), (80, 40));
        // The decoder of the scene accepts no gap: each has its own sequence numbers, from 0.
        assert_eq!(collector.exported.messages[0].0, 0);
    }
    let shown = scene.lab.run("show ipfix collector");
    assert_eq!(shown.lines().filter(|line| line.contains("sends")).count(), 2, "{shown}");
    assert_eq!(scene.probe.exporter().counters().records, 80);
}

#[test]
fn a_collector_that_is_added_later_gets_templates_first() {
    let (mut one, mut late) = (Collector::new(), Collector::new());
    let scene = scene("late", "policy copy", &[&one]);
    measure(&scene, 10);
    scene.lab.run(&format!("ipfix collector add 0 udp 127.0.0.1 port {}", late.port));
    measure(&scene, 10);
    assert_eq!((one.packets(), late.packets()), (40, 20));
    scene.lab.run(&format!("ipfix collector del 0 udp 127.0.0.1 port {}", one.port));
    measure(&scene, 10);
    // The sequence of the one that stays goes on, which its decoder has checked.
    assert_eq!((one.packets(), late.packets()), (40, 40));
}

#[test]
fn shares_are_disjoint_and_add_up_and_both_directions_of_a_flow_meet() {
    let mut collectors = [Collector::new(), Collector::new(), Collector::new()];
    let scene = scene("share", "policy share", &collectors.each_ref());
    let back = "UDP: 10.0.0.1 -> 192.168.0.2 UDP: 9 -> 2-301 incrementing 18";
    scene.send(300, &format!("{IP4} {back}"));
    measure(&scene, 300);
    let mut place = std::collections::HashMap::new();
    let (mut packets, mut records) = (0, 0);
    for (at, collector) in collectors.iter_mut().enumerate() {
        packets += collector.packets();
        let all = &collector.exported.records;
        assert!((120..280).contains(&all.len()), "{}", all.len());
        records += all.len();
        for record in all {
            let ports = [&record["sourceTransportPort"], &record["destinationTransportPort"]];
            let port = ports.iter().map(|p| p.as_u64().unwrap()).find(|p| *p != 9).unwrap_or(9);
            assert_eq!(*place.entry(port).or_insert(at), at, "flow {port}");
        }
    }
    assert_eq!((packets, records), (900, 600));
}

#[test]
fn failover_goes_to_the_next_after_three_refusals_and_back() {
    let (first, mut second) = (Collector::new(), Collector::new());
    let scene = scene("failover", "policy failover template-interval 1", &[&first, &second]);
    measure(&scene, 5);
    let port = first.port;
    let mut first = first;
    assert_eq!((first.packets(), second.packets()), (10, 0));
    drop(first);
    for _ in 0..4 {
        measure_quietly(&scene, 5);
        scene.lab.advance(2);
    }
    let shown = scene.lab.run("show ipfix collector");
    assert!(shown.contains("refuses"), "{shown}");
    let before = second.packets();
    measure_quietly(&scene, 5);
    assert_eq!(second.packets() - before, 10);
    assert!(scene.probe.exporter().kernel_counters().refused >= 3);
    // It is back: templates go there all the time, and once they are not refused, so do records.
    let mut first = Collector::at(port);
    let end = Instant::now() + Duration::from_secs(20);
    while scene.lab.run("show ipfix collector").contains("refuses") {
        assert!(Instant::now() < end);
        scene.lab.advance(2);
        std::thread::sleep(Duration::from_millis(100));
    }
    let before = second.packets();
    measure_quietly(&scene, 5);
    assert_eq!((first.packets(), second.packets() - before), (10, 0));
}

/// As [`measure`], where the flush may well tell of refusals.
fn measure_quietly(scene: &Scene, flows: u32) {
    let last = 1 + flows;
    let data = format!("{IP4} UDP: 192.168.0.2 -> 10.0.0.1 UDP: 2-{last} -> 9 incrementing 18");
    scene.send(flows * 2, &data);
    scene.feature("pg0 ip4 disable");
    scene.lab.engine.run_until_idle();
    scene.feature("pg0 ip4 rx");
}

#[test]
fn templates_are_sent_again_after_so_many_messages() {
    let mut collector = Collector::new();
    let scene = scene("packets", "template-messages 3 template-interval 3600", &[&collector]);
    for _ in 0..12 {
        measure(&scene, 1);
    }
    let exported = collector.hear();
    let data = exported.messages.iter().filter(|(_, records)| *records > 0).count();
    assert_eq!(data, 12);
    // Each re-enabling of the feature is a report with templates of its own; those that lived for three messages repeat.
    assert!(exported.template_messages >= 12, "{}", exported.template_messages);
    let shown = scene.lab.run("show ipfix exporter");
    assert!(shown.contains("templates every 3 messages"), "{shown}");
}

#[test]
fn a_rate_is_kept_and_what_is_beyond_it_waits() {
    let mut collector = Collector::new();
    // 80 kbit/s are 10,000 octets a second; a record has 57.
    let scene = scene("rate", "rate-limit 80", &[&collector]);
    let data = format!("{IP4} UDP: 192.168.0.2 -> 10.0.0.1 UDP: 2-1001 -> 9 incrementing 18");
    scene.send(1000, &data);
    scene.feature("pg0 ip4 disable");
    let mut arrived = Vec::new();
    for _ in 0..8 {
        scene.lab.advance(1);
        let exported = collector.hear();
        arrived.push(exported.packets.iter().map(|len| len - 28).sum::<usize>());
    }
    assert!(arrived[0] >= 8_000, "{arrived:?}");
    for (second, octets) in arrived.iter().enumerate() {
        assert!(*octets <= 10_000 * (second + 1) + 3_000, "{arrived:?}");
    }
    assert_eq!(collector.packets(), 1000);
    assert_eq!(scene.not_sent(), 0);
}

#[test]
fn packets_have_the_source_port_the_domain_and_the_class_that_were_set() {
    let scene = Scene::without_collector("marks");
    scene.lab.run(
        "ipfix exporter set 0 src 192.168.2.1 domain 77 source-port 5555 dscp 46 udp-checksum on",
    );
    scene.lab.run("ipfix collector add 0 udp 192.168.2.9 port 9995");
    scene.lab.run("ipfix exporter set 0 src 2001:db8:2::1");
    scene.lab.run("ipfix collector add 0 udp 2001:db8:2::9");
    scene.params("record l3");
    scene.feature("pg0 ip4 rx");
    scene.send(3, &format!("{IP4} {UDP}"));
    scene.feature("pg0 ip4 disable");
    scene.lab.run("ipfix flush");
    let packets = scene.packets();
    let (v4, v6): (Vec<_>, Vec<_>) = packets.iter().partition(|packet| packet[0] >> 4 == 4);
    assert!(v4.len() >= 2 && v6.len() >= 2);
    for packet in v4 {
        assert_eq!((packet[1] >> 2, &packet[20..24]), (46, &[0x15, 0xb3, 0x27, 0x0b][..]));
        assert_ne!(packet[26..28], [0, 0]);
        assert_eq!(packet[28 + 12..28 + 16], [0, 0, 0, 77]);
    }
    for packet in v6 {
        assert_eq!((packet[0] & 15) << 2 | packet[1] >> 6, 46);
        assert_eq!(packet[48 + 12..48 + 16], [0, 0, 0, 77]);
    }
}

#[test]
fn exporters_have_settings_of_their_own_and_stay_while_they_are_used() {
    let scene = Scene::without_collector("names");
    let lab = &scene.lab;
    lab.run("ipfix exporter add far");
    assert!(lab.refused("ipfix exporter add far").contains("exporter far exists already"));
    assert!(lab.refused("ipfix exporter set far").contains("nothing to set"));
    assert!(lab.refused("ipfix exporter set near dscp 1").contains("no such exporter: near"));
    assert!(lab.refused("ipfix collector add far udp 192.0.2.9").contains("src address required"));
    assert!(lab.refused("ipfix exporter set far dscp 64").contains("64"));
    assert!(lab.refused("ipfix exporter set far template-interval 0").contains("1"));
    assert!(lab.refused("ipfix exporter set far path-mtu 67").contains("68"));
    lab.run("ipfix exporter set far via kernel path-mtu 1400 domain 9 source-port 7000");
    lab.run("ipfix collector add far udp 192.0.2.9");
    let again = lab.refused("ipfix collector add far udp 192.0.2.9");
    assert!(again.contains("has collector udp:192.0.2.9:4739 already"), "{again}");
    let fib = lab.refused("ipfix exporter set far fib-id 7");
    assert!(fib.contains("fib ID 7 doesn't exist"), "{fib}");
    let shown = lab.run("show ipfix exporter");
    assert!(shown.contains("exporter 0: disabled") && shown.contains("path MTU 1400"), "{shown}");
    assert!(shown.contains("domain 9, source port 7000"), "{shown}");
    assert!(lab.refused("ipfix exporter del 0").contains("cannot be deleted"));
    lab.run("ipfix exporter del far");
    assert!(lab.refused("ipfix exporter del far").contains("no such exporter: far"));
    let refused = lab.refused("ipfix collector add 0 udp 192.0.2.9 spool /tmp/x");
    assert!(refused.contains("are for tcp, tls and files"), "{refused}");
    assert!(lab.refused("ipfix collector add 0 tls 192.0.2.9").contains("tls needs `ca <file>'"));
    let refused = lab.refused("ipfix collector add 0 tls 192.0.2.9 ca /nonexistent");
    assert!(refused.contains("/nonexistent: certificates:"), "{refused}");
}

#[test]
fn records_go_to_the_exporter_that_is_named() {
    let (mut default, mut far) = (Collector::new(), Collector::new());
    let scene = Scene::without_collector("named");
    let lab = &scene.lab;
    lab.run(&format!("set ipfix exporter collector 127.0.0.1 port {} via kernel", default.port));
    lab.run("ipfix exporter add far");
    lab.run("ipfix exporter set far via kernel domain 5");
    lab.run(&format!("ipfix collector add far udp 127.0.0.1 port {}", far.port));
    assert!(lab.refused("flowprobe exporter near").contains("no such exporter: near"));
    lab.run("flowprobe exporter far");
    scene.params("record l3 l4");
    scene.feature("pg0 ip4 rx");
    assert!(lab.refused("flowprobe exporter 0").contains("cannot change parameters"));
    assert!(lab.refused("ipfix exporter del far").contains("in use by flowprobe-ip4"));
    measure(&scene, 20);
    scene.feature("pg0 ip4 disable");
    lab.run("ipfix flush");
    assert_eq!((default.packets(), far.packets()), (0, 40));
    lab.run("flowprobe exporter 0");
    lab.run("ipfix exporter del far");
    scene.feature("pg0 ip4 rx");
    measure(&scene, 20);
    assert_eq!((default.packets(), far.packets()), (40, 40));
}
