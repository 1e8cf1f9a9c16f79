//! Generated packets as tshark sees them.

use std::{fs::OpenOptions, io::Write, path::Path, process::Command};

use super::{Bed, scratch, spec};

/// Descriptions, and what tshark says of their packets: the protocols, and a field with its value.
const CASES: [(&str, &str, &str, &str); 14] = [
    (
        "IP4: 1.2.3 -> 4.5.6 UDP: 10.0.0.1+10.9.9.9 -> 10.0.0.2-10.0.0.200 UDP: 1000-1999 -> 40000 incrementing 10",
        "eth:ethertype:ip:udp",
        "udp.dstport",
        "40000",
    ),
    (
        "IP4: 1.2.3 -> 4.5.6 vlan 100 priority 5 cfi 1 vlan 200-300 UDP: 10.0.0.1 -> 10.0.0.2 ttl 7 df UDP: 1 -> 40000 incrementing 5",
        "eth:ethertype:vlan:ethertype:vlan:ethertype:ip:udp",
        "vlan.priority",
        "5",
    ),
    (
        "IP4: 1.2.3 -> 4.5.6 TCP: 10.0.0.1 -> 10.0.0.2-10.0.0.9 TCP: 1025-2000 -> 40000 seqnum 7+4294967295 acknum 9 window 100 SYN ACK",
        "eth:ethertype:ip:tcp",
        "tcp.flags",
        "0x0012",
    ),
    (
        "IP4: 1.2.3 -> 4.5.6 ICMP: 10.0.0.1-10.0.0.77 -> 10.0.0.2 ICMP echo_request hex 0x00010002",
        "eth:ethertype:ip:icmp",
        "icmp.type",
        "8",
    ),
    (
        "IP4: 1.2.3 -> 4.5.6 ICMP: 10.0.0.1 -> 10.0.0.2 tos 184 ICMP type 13 code 0 incrementing 16",
        "eth:ethertype:ip:icmp",
        "ip.dsfield.dscp",
        "46",
    ),
    (
        "IP6: 1.2.3 -> 4.5.6 UDP: 2001:db8::1-2001:db8::fffe -> 2001:db8::2 flow-label 0x12345 traffic-class 0-255 hop-limit 9 UDP: 5+500 -> 40000 incrementing 3",
        "eth:ethertype:ipv6:udp",
        "ipv6.flow",
        "0x012345",
    ),
    (
        "IP6: 1.2.3 -> 4.5.6 TCP: fe80::1+fe80::ffff -> ff02::1 TCP: 1 -> 40000 FIN PSH incrementing 1",
        "eth:ethertype:ipv6:tcp",
        "tcp.flags",
        "0x0009",
    ),
    (
        "IP4: 1.2.3 -> 4.5.6 TCP: 10.0.0.1 -> 10.0.0.2 TCP: 1 -> 40000-40009 SYN opt mss 1400-1460 opt sackperm opt timestamp 7+9 0 opt winscale 7 incrementing 5",
        "eth:ethertype:ip:tcp",
        "tcp.options.wscale.shift",
        "7",
    ),
    (
        "IP6: 1.2.3 -> 4.5.6 TCP: fe80::1 -> fe80::2 TCP: 1 -> 40000 ACK opt sack nvalues 2 100 200 0x12c 4294967295",
        "eth:ethertype:ipv6:tcp",
        "tcp.options.sack.count",
        "2",
    ),
    (
        "IP6: 1.2.3 -> 4.5.6 ICMP6: 2001:db8::1-2001:db8::9 -> 2001:db8::2 ICMP echo_reply hex 0x00050006",
        "eth:ethertype:ipv6:icmpv6",
        "icmpv6.type",
        "129",
    ),
    (
        "ARP: 1.2.3 -> ffff.ffff.ffff request: 1.2.3/10.0.0.1-10.0.0.9 -> 0.0.0/10.0.0.2",
        "eth:ethertype:arp",
        "arp.opcode",
        "1",
    ),
    (
        "MPLS: 1.2.3 -> 4.5.6 MPLS: label 100-200 exp 3 MPLS: label 17 ttl 5 UDP: 10.0.0.1 -> 10.0.0.2 UDP: 9 -> 40000",
        "eth:ethertype:mpls:ip:udp",
        "mpls.exp",
        "3",
    ),
    (
        "IP4: 1.2.3 -> 4.5.6 UDP: 10.0.0.1 -> 10.0.0.2 fragment id 5-50 offset 0 mf UDP: 9 -> 40000 incrementing 8",
        "eth:ethertype:ip:udp",
        "ip.flags.mf",
        "1",
    ),
    (
        "0x88b5: 1.2.3 -> 4.5.6 vlan 5 incrementing 30",
        "eth:ethertype:vlan:ethertype",
        "vlan.etype",
        "0x88b5",
    ),
];

/// Tells the test run's summary that a scenario lacked what it needs.
pub(super) fn not_run(name: &str, reason: &str) {
    eprintln!("NOT RUN: {name}: {reason}");
    if let Some(path) = std::env::var_os("PELOTON_NOT_RUN") {
        let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
        writeln!(file, "{name}: {reason}").unwrap();
    }
}

/// `fields` of each packet, with all checksums checked.
pub(super) fn tshark(file: &Path, fields: &[&str]) -> Option<Vec<Vec<String>>> {
    let mut command = Command::new("tshark");
    command.args(["-n", "-T", "fields", "-E", "occurrence=f"]);
    for protocol in ["ip", "udp", "tcp"] {
        command.args(["-o", &format!("{protocol}.check_checksum:TRUE")]);
    }
    // Fragments are looked into as if they were whole, and payloads are not guessed at.
    command.args(["-o", "ip.defragment:FALSE"]);
    command.args(["-d", "udp.port==1-65535,data", "-d", "tcp.port==1-65535,data"]);
    for field in fields {
        command.args(["-e", field]);
    }
    let output = command.arg("-r").arg(file).output().ok()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    Some(lines.lines().map(|l| l.split('\t').map(str::to_owned).collect()).collect())
}

/// Packets of each description in each size.
const PACKETS: usize = 60;

#[test]
fn tshark_finds_every_generated_header_well_formed_and_every_checksum_right() {
    let bed = Bed::new();
    bed.run("create packet-generator interface pg0");
    let file = scratch("tshark");
    bed.generator.capture("pg0", &file, None).unwrap();
    let mut streams = Vec::new();
    for case in &CASES {
        for size in ["", "size 200-230", "size 150+1400", "size 3000-3000"] {
            // As in VPP: headers of more than 64 bytes need a size.
            let is_long = case.1.ends_with("ipv6:tcp") || case.0.contains("opt ");
            if size.is_empty() && is_long {
                continue;
            }
            let text = format!("name x limit {PACKETS} {size} node pg0 data {{ {} }}", case.0);
            bed.engine.with(|m| bed.generator.new_stream(m, spec(&text))).unwrap();
            bed.run("packet-generator enable-stream x");
            bed.engine.run_until_idle();
            streams.push((case, text));
        }
    }
    let captured = bed.generator.stop_capture("pg0").unwrap();
    assert_eq!(captured as usize, streams.len() * PACKETS);
    let mut fields = vec!["frame.protocols", "_ws.malformed"];
    let layers = ["ip", "udp", "tcp", "icmp", "icmpv6"];
    let statuses = layers.map(|layer| format!("{layer}.checksum.status"));
    fields.extend(statuses.iter().map(String::as_str));
    fields.extend(CASES.iter().map(|case| case.2));
    let Some(packets) = tshark(&file, &fields) else {
        return not_run("tshark_finds_every_generated_header_well_formed", "tshark is missing");
    };
    assert_eq!(packets.len(), captured as usize);
    for (i, packet) in packets.iter().enumerate() {
        let ((data, protocols, field, value), text) = &streams[i / PACKETS];
        let at = format!("packet {} of {text}: {packet:?}", i % PACKETS);
        assert!(packet[0].starts_with(protocols), "{at}");
        assert_eq!(packet[1], "", "{at}");
        for (layer, status) in layers.iter().zip(&packet[2..]) {
            let there = packet[0].split(':').any(|p| p == *layer);
            // tshark does not look at the transport checksum of a fragment.
            let is_checked = there && !(data.contains(" mf ") && *layer == "udp");
            assert!(status == "1" || !is_checked && status != "0", "{layer} of {at}");
        }
        // tshark fills the last of two columns of the same field.
        let column = fields.iter().rposition(|f| f == field).unwrap();
        assert_eq!(packet[column], *value, "{at}");
    }
    std::fs::remove_file(file).unwrap();
}
