//! nfcapd takes what is sent by UDP, and nfdump finds the same flows in its files.

use core::net::{Ipv4Addr, Ipv6Addr};
use std::{
    fs,
    net::UdpSocket,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{oracle, roundtrip, sample};
use crate::{
    flow::{Addresses, FlowRecord},
    interface::SwIfIndex,
    ipfix::profile::RecordSet,
};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A collector of somebody else's, which does not outlive the test.
struct Collector(Child);

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until `ready` says so; whether it did in time.
fn wait_for(mut ready: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if ready() {
            return true;
        }
        thread::sleep(Duration::from_millis(10));
    }
    false
}

/// Octets that wait in the receive queue of the host's UDP socket with this port, if there is one.
fn receive_queue(port: u16) -> Option<u64> {
    let table = fs::read_to_string("/proc/net/udp").ok()?;
    let suffix = format!(":{port:04X}");
    let line = table
        .lines()
        .find(|l| l.split_whitespace().nth(1).is_some_and(|a| a.ends_with(&suffix)))?;
    let queues = line.split_whitespace().nth(4)?;
    u64::from_str_radix(queues.split_once(':')?.1, 16).ok()
}

/// Has nfcapd collect these messages; its closing line, and the flows that nfdump then shows.
fn collect(messages: &[Vec<u8>], nfcapd: &Path, nfdump: &Path) -> (String, Value) {
    let scratch = oracle::Scratch::new("nfcapd");
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let log = fs::File::create(scratch.path().join("log")).unwrap();
    let flows = scratch.path().join("flows");
    fs::create_dir(&flows).unwrap();
    let mut command = Command::new(nfcapd);
    command.args(["-p", &port.to_string(), "-b", "127.0.0.1", "-S", "0", "-t", "300", "-l"]);
    command.arg(&flows).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    let mut collector = Collector(command.spawn().unwrap());
    assert!(wait_for(|| receive_queue(port).is_some()), "nfcapd does not listen");

    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for message in messages {
        socket.send_to(message, ("127.0.0.1", port)).unwrap();
        assert!(wait_for(|| receive_queue(port) == Some(0)), "nfcapd does not receive");
    }
    oracle::run(Command::new("kill").arg(collector.0.id().to_string()));
    assert!(wait_for(|| collector.0.try_wait().unwrap().is_some()), "nfcapd does not end");
    let log = fs::read_to_string(scratch.path().join("log")).unwrap();
    let sums = log.lines().find(|line| line.contains("Sequence Errors")).unwrap_or(&log).to_owned();
    let mut nfdump = Command::new(nfdump);
    let shown = oracle::run(nfdump.env("TZ", "UTC").arg("-R").arg(&flows).args(["-o", "json"]));
    (sums, serde_json::from_str(&shown).unwrap())
}

/// What nfdump 1.7 can tell of a flow, as text: addresses, protocol, ports or ICMP, counts, interfaces, VLAN.
fn shown(flow: &Value) -> String {
    let text = |name: &str| flow[name].as_str().unwrap_or_default().to_owned();
    let number = |name: &str| flow[name].as_u64().unwrap_or(0);
    let ports = match flow.get("icmp_type") {
        Some(_) => format!("icmp {}", number("icmp_type") << 8 | number("icmp_code")),
        None => format!("{} {} {}", number("src_port"), number("dst_port"), text("tcp_flags")),
    };
    format!(
        "{}{} {}{} proto {} {ports} packets {} bytes {} in {} out {} direction {} vlan {} {} {}",
        text("src4_addr"),
        text("src6_addr"),
        text("dst4_addr"),
        text("dst6_addr"),
        number("proto"),
        number("in_packets"),
        number("in_bytes"),
        number("input_snmp"),
        number("output_snmp"),
        number("direction"),
        number("src_vlan"),
        text("in_src_mac"),
        text("in_dst_mac"),
    )
}

/// [`shown`], from the record.
fn expected(r: &FlowRecord) -> String {
    let (source, destination) = match r.addresses {
        Addresses::None => (String::new(), String::new()),
        Addresses::V4(s, d) => (Ipv4Addr::from(s).to_string(), Ipv4Addr::from(d).to_string()),
        Addresses::V6(s, d) => (Ipv6Addr::from(s).to_string(), Ipv6Addr::from(d).to_string()),
    };
    let interface = |i: SwIfIndex| if i == SwIfIndex::NONE { 0 } else { i.0 };
    let mac = |octets: [u8; 6]| octets.map(|octet| format!("{octet:02x}")).join(":");
    let flags: String = (0..8)
        .map(|bit| if r.tcp_flags << bit & 0x80 != 0 { b"CEUAPRSF"[bit] as char } else { '.' })
        .collect();
    let ip = r.addresses != Addresses::None;
    let ports = match r.protocol {
        1 | 58 => format!("icmp {}", r.destination_port),
        _ if ip => format!("{} {} {flags}", r.source_port, r.destination_port),
        _ => "0 0 ........".to_owned(),
    };
    format!(
        "{source} {destination} proto {} {ports} packets {} bytes {} in {} out {} direction {} vlan {} {} {}",
        r.protocol,
        r.packets,
        r.octets,
        interface(r.ingress),
        interface(r.egress),
        r.direction as u8,
        r.vlan.unwrap_or(0),
        mac(r.source_mac),
        mac(r.destination_mac),
    )
}

#[test]
fn nfdump_shows_the_flows_that_were_sent() {
    let test = "nfdump_shows_the_flows_that_were_sent";
    let (Some(nfcapd), Some(nfdump)) =
        (oracle::program("nfcapd", test), oracle::program("nfdump", test))
    else {
        return;
    };
    let mut records = [&sample::one_of_each_shape()[..], &sample::many(500)].concat();
    // nfdump takes ICMP over the other IP version for ICMP too, and makes type and code up.
    records.retain(|r| {
        !matches!((r.addresses, r.protocol), (Addresses::V4(..), 58) | (Addresses::V6(..), 1))
    });
    let wire = roundtrip::export(&records, RecordSet::all(), roundtrip::request(1400));
    let messages: Vec<Vec<u8>> = wire.0.into_iter().map(|(_, message)| message).collect();
    let (sums, flows) = collect(&messages, &nfcapd, &nfdump);
    assert!(sums.contains("Sequence Errors: 0, Bad Packets: 0"), "{sums}");
    let mut shown: Vec<String> = flows.as_array().unwrap().iter().map(shown).collect();
    let mut expected: Vec<String> = records.iter().map(expected).collect();
    shown.sort();
    expected.sort();
    assert_eq!(shown.len(), expected.len());
    for (shown, expected) in shown.iter().zip(&expected) {
        assert_eq!(shown, expected);
    }
}
