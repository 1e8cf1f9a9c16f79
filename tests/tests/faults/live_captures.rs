//! `pcap trace` and `show trace` on live traffic: what they show is what tcpdump took of the same packets.

use std::path::{Path, PathBuf};

use peloton_tests::{
    net::Net,
    program::{Running, wait_for},
    tshark,
};

/// A capture of the kernel's, of an interface in a namespace.
struct Dump {
    tcpdump: Running,
    file: PathBuf,
}

impl Dump {
    fn start(net: &Net, namespace: &str, interface: &str) -> Self {
        let file = net.path(&format!("{namespace}-{interface}.pcap"));
        // What comes in alone; the ring of a packet socket that has no header for offloads takes what is sent, too.
        let line = format!("tcpdump -U --immediate-mode -i {interface} -w {} icmp", file.display());
        let tcpdump = Running::start(&mut net.command(namespace, &line));
        wait_for("tcpdump", || std::fs::metadata(&file).is_ok_and(|file| file.len() >= 24));
        Self { tcpdump, file }
    }

    /// Ends it when it has so many packets.
    fn end(self, packets: usize) -> PathBuf {
        wait_for("tcpdump's packets", || {
            packets_of(&self.file, "icmp").is_some_and(|seen| seen.len() >= packets)
        });
        self.tcpdump.signal("INT");
        self.tcpdump.finish();
        self.file
    }
}

/// What tells packets apart and must not change: all of their bytes that are not an address or a TTL of the way.
fn packets_of(file: &Path, filter: &str) -> Option<Vec<Vec<String>>> {
    let fields = [
        "eth.src",
        "eth.dst",
        "ip.src",
        "ip.dst",
        "ip.ttl",
        "icmp.type",
        "icmp.seq",
        "data.data",
        "frame.len",
    ];
    let mut command = std::process::Command::new("tshark");
    command.args(["-n", "-r"]).arg(file).args(["-Y", filter, "-T", "fields"]);
    for field in fields {
        command.args(["-e", field]);
    }
    let output = command.output().ok()?;
    // A file that is being written may end in the middle of a packet.
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Some(text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect())
}

fn router(test: &str, conf: &str) -> Option<Net> {
    let mut net = Net::new(test, &["tcpdump", "tshark"])?;
    net.start("", conf);
    Some(net)
}

/// Ends the engine's capture, which must have written so many packets.
fn stop(net: &Net, packets: usize, file: &Path) {
    let said = net.ctl("pcap trace off");
    assert_eq!(
        said,
        format!("Write {packets} packets to {}, and stop capture...\n", file.display())
    );
}

#[test]
fn a_capture_of_live_interfaces_has_the_packets_that_tcpdump_took() {
    for conf in ["", "cpu { workers 1 }"] {
        let Some(net) = router("pcap trace on live traffic", conf) else { return };
        let file = net.path("ours.pcap");
        net.ctl(&format!("pcap trace rx tx max 1000 intfc host-rb file {}", file.display()));
        let dump = Dump::start(&net, "b", "eth0");
        assert_eq!(net.ping("-i 0.002 -s 200 10.2.0.2", 50), 50);
        let theirs = packets_of(&dump.end(100), "icmp").unwrap();
        let status = net.ctl("pcap trace status");
        assert!(status.starts_with("pcap rx and tx dispatch capture enabled: "), "{status}");
        net.ctl("pcap trace off");
        // The hosts' own packets (neighbour discovery) may come at any time.
        let ours = packets_of(&file, "icmp").unwrap();
        // Requests may have left together before the first answer came, which the host behind knows nothing of; and where answers are late,
        // ping asks more than fifty times.
        for kind in ["8", "0"] {
            let of_kind = |rows: &[Vec<String>]| -> Vec<_> {
                rows.iter().filter(|row| row[5] == kind).take(50).cloned().collect()
            };
            assert_eq!(of_kind(&ours).len(), 50);
            assert_eq!(of_kind(&ours), of_kind(&theirs));
        }
        // Times are those of the packets.
        let rows = tshark(&file, &["-Y", "icmp"], &["frame.time_epoch"]).unwrap();
        let times: Vec<f64> = rows.iter().map(|row| row[0].parse().unwrap()).collect();
        assert!(times.is_sorted(), "{times:?}");
    }
}

#[test]
fn classifier_filters_choose_what_is_captured() {
    let Some(net) = router("pcap trace with filters", "") else { return };
    let file = net.path("ours.pcap");
    let path = file.display();
    let refused = net.refused(&format!("pcap trace rx filter file {path}"));
    assert!(refused.contains("no classifier filter for packet captures is set"), "{refused}");
    let ping = |n: u32| assert_eq!(net.ping("-i 0.002 10.2.0.2", n), n);
    // Requests, by protocol and source; of all interfaces, received and sent.
    net.ctl("classify filter pcap mask l3 ip4 proto src match l3 ip4 proto 1 src 10.1.0.2");
    net.ctl(&format!("pcap trace rx tx filter file {path}"));
    ping(20);
    stop(&net, 40, &file);
    let rows = packets_of(&file, "icmp").unwrap();
    assert!(rows.iter().all(|row| row[2] == "10.1.0.2" && row[5] == "8"), "{rows:?}");
    // Another rule, of another mask: answers as they leave, by their MAC addresses.
    let mac = net.text("a", "cat /sys/class/net/eth0/address");
    let rule = format!("mask l2 dst proto match l2 dst {} proto 2048", mac.trim());
    net.ctl(&format!("classify filter pcap {rule}"));
    let shown = net.ctl("show classify filter verbose");
    assert!(shown.contains("pcap rx/tx/drop:               table(s) 1 0 none"), "{shown}");
    net.ctl(&format!("pcap trace rx tx filter file {path}"));
    ping(20);
    stop(&net, 60, &file);
    // Sessions count what was taken: 40 requests twice, 20 answers.
    let hits: u64 = net
        .ctl("show classify tables verbose")
        .lines()
        .filter_map(|line| {
            line.trim().strip_prefix("hits ")?.split(',').next()?.parse::<u64>().ok()
        })
        .sum();
    assert_eq!(hits, 100);
    let refused = net.refused("classify table table 0 del");
    assert!(refused.contains("in use"), "{refused}");
    net.ctl("classify filter pcap del");
    assert!(net.ctl("show classify tables").contains("No classifier tables"));
    // An interface's own filter is asked without being asked for.
    net.ctl("classify filter host-ra mask l3 ip4 src match l3 ip4 src 10.1.0.2");
    net.ctl(&format!("pcap trace rx intfc host-ra file {path}"));
    ping(20);
    assert_eq!(net.ping("-i 0.002 -I 10.1.0.2 10.2.0.2", 5), 5);
    stop(&net, 25, &file);
    net.ctl("classify filter host-ra del");
    assert!(net.refused("classify filter host-ra del").contains("there is no such filter"));
}

#[test]
fn drops_of_live_traffic_are_captured_with_their_reason() {
    let Some(net) = router("pcap trace drop on live traffic", "") else { return };
    let file = net.path("drops.pcap");
    net.ctl(&format!("pcap trace drop intfc host-ra file {}", file.display()));
    net.run("a", "ping -q -c 7 -i 0.01 -W 1 -t 1 10.2.0.2");
    wait_for("drops", || {
        let errors = net.ctl("show errors");
        let of_ttl =
            |line: &&str| line.contains("ip4-rewrite") && line.trim_start().starts_with("7 ");
        errors.lines().any(|line| of_ttl(&line))
    });
    net.ctl("pcap trace off");
    let rows = tshark(&file, &["-Y", "icmp"], &["ip.ttl", "frame.len"]).unwrap();
    assert_eq!(rows.len(), 7);
    assert!(rows.iter().all(|row| row[0] == "1"), "{rows:?}");
    let bytes = std::fs::read(&file).unwrap();
    let reason = b"ip4-rewrite: ";
    assert_eq!(bytes.windows(reason.len()).filter(|bytes| bytes == reason).count(), 7);
}

/// Packets of a trace, each with its nodes.
fn traced(shown: &str) -> Vec<Vec<String>> {
    let packets = shown.split("Packet ").skip(1);
    let nodes = |packet: &str| {
        let is_node = |line: &&str| line.as_bytes().get(2) == Some(&b':') && !line.starts_with(' ');
        let name = |line: &str| line.rsplit_once(": ").unwrap().1.to_owned();
        packet.lines().skip(1).filter(is_node).map(name).collect()
    };
    packets.map(nodes).collect()
}

#[test]
fn traces_of_live_traffic_tell_the_way_of_each_packet() {
    let Some(net) = router("show trace on live traffic", "") else { return };
    net.ctl("trace add af-packet-input 40");
    assert_eq!(net.ping("-i 0.002 10.2.0.2", 20), 20);
    // Two pings that the router drops.
    net.ctl("trace add af-packet-input 10");
    net.run("a", "ping -q -c 2 -i 0.01 -W 1 -t 1 10.2.0.2");
    let shown = net.ctl("show trace max 100");
    let all = traced(&shown);
    let way = |out: &str| {
        [
            "af-packet-input",
            "ethernet-input",
            "ip4-input",
            "ip4-lookup",
            "ip4-rewrite",
            "interface-output",
            out,
        ]
        .map(str::to_owned)
        .to_vec()
    };
    for out in ["host-ra-tx", "host-rb-tx"] {
        let there = all.iter().filter(|nodes| **nodes == way(out)).count();
        assert!((19..=20).contains(&there), "{out}: {there} {shown}");
    }
    net.ctl("trace filter include error-drop 50");
    let dropped = traced(&net.ctl("show trace max 100"));
    assert!(
        dropped.len() >= 2
            && dropped.iter().all(|nodes| nodes.ends_with(&["error-drop".to_owned()]))
    );
    net.ctl("trace filter exclude error-drop 50");
    let sent = traced(&net.ctl("show trace max 100"));
    assert_eq!(sent.len() + dropped.len(), all.len());
    net.ctl("trace filter none");
    assert_eq!(traced(&net.ctl("show trace max 3")).len(), 3);
    net.ctl("clear trace");
    assert!(traced(&net.ctl("show trace")).is_empty());
}

#[test]
fn a_filtered_trace_has_only_what_the_filter_takes_and_a_verbose_one_shows_buffers() {
    let Some(net) = router("filtered traces", "") else { return };
    let refused = net.refused("trace add af-packet-input 10 filter");
    assert!(refused.contains("there is no filter of traces"), "{refused}");
    net.ctl("classify filter trace mask l3 ip4 src match l3 ip4 src 10.2.0.2");
    net.ctl("trace add af-packet-input 10 filter verbose");
    assert_eq!(net.ping("-i 0.002 -s 100 10.2.0.2", 20), 20);
    let shown = net.ctl("show trace max 100");
    let all = traced(&shown);
    assert_eq!(all.len(), 10, "{shown}");
    assert!(all.iter().all(|nodes| nodes.last().unwrap() == "host-ra-tx"), "{shown}");
    assert!(shown.contains("buffer: current data 0, length 142, in chain 142, flags "), "{shown}");
    net.ctl("classify filter trace del");
}

#[test]
fn what_is_done_in_software_is_in_the_trace() {
    let test = "traces of large packets";
    let Some(mut net) = Net::new(test, &["iperf3"]) else { return };
    net.start_with("", "cksum-gso-disable", "");
    net.ctl("trace add af-packet-input 200");
    net.iperf3("-c 10.2.0.2");
    let shown = net.ctl("show trace max 200");
    let large = shown.split("Packet ").find(|packet| {
        packet.contains("interface-output-offload\n  checksum-offset 16 gso-size 1448 ")
    });
    let large = large.unwrap_or_else(|| panic!("{shown}"));
    // It goes on as its first segment.
    let (_, behind) = large.split_once("interface-output-offload").unwrap();
    assert!(
        behind.contains("interface-output\n")
            && behind.contains("host-rb-tx\n  length 1514 packets 1"),
        "{large}"
    );
}
