//! How a probe ends, and what it says when it cannot begin.

use std::fs;

use peloton_tests::program::{not_run, run};

use crate::pair::{Listening, Pair};

#[test]
fn an_interrupt_ends_all_flows_and_the_sums_add_up() {
    let Some(pair) = Pair::new("the end of a probe", &["iperf3"]) else { return };
    for signal in ["INT", "TERM"] {
        let probe = pair.probe("eth0 --workers 2");
        pair.iperf3("-c 10.9.0.2 -t 1 -P 3");
        probe.signal(signal);
        let ended = probe.end();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let figure = |line, word| ended.figure(line, word);
        let packets = figure("packets ", "packets");
        assert!(packets > 1000, "{}", ended.stdout);
        assert_eq!(figure("balance", "balance") + figure("balance", "+"), packets);
        assert_eq!(figure("balance", "="), packets);
        assert_eq!(figure("kernel", "kernel") + figure("kernel", "+"), figure("kernel", "="));
        assert!(
            ended.stdout.contains(&format!("ended         by SIG{signal}")),
            "{}",
            ended.stdout
        );
        assert!(figure("records", "forced end") > 0, "{}", ended.stdout);
    }
}

#[test]
fn a_time_and_a_count_end_it() {
    let Some(pair) = Pair::new("the limits of a probe", &[]) else { return };
    let ended = pair.probe("eth0 --duration 0.3").end();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let probe = pair.probe("eth0 --count 10");
    pair.ping("10.9.0.2", 10);
    let ended = probe.end();
    assert!(ended.code == Some(0) && ended.figure("packets ", "packets") >= 10, "{}", ended.stdout);
}

#[test]
fn who_may_not_open_packet_sockets_is_told_what_is_needed() {
    let Some(pair) = Pair::new("a probe without capabilities", &["setpriv"]) else { return };
    let program = pair.probe_command("eth0");
    let words: Vec<_> =
        program.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
    let line = format!(
        "setpriv --bounding-set=-net_raw,-net_admin --inh-caps=-net_raw,-net_admin {}",
        words[3..].join(" ")
    );
    let refused = run(&mut pair.command("a", &line));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        said.contains("cannot open a packet socket") && said.contains("CAP_NET_RAW is needed"),
        "{said}"
    );
    // With that one alone it listens.
    let line = line.replace("-net_raw,-net_admin", "-net_admin");
    let ended = Listening::start(&mut pair.command("a", &format!("{line} --duration 0.2"))).end();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

#[test]
fn names_that_there_are_not_are_told() {
    let Some(pair) = Pair::new("a probe of nothing", &[]) else { return };
    let refused = run(&mut pair.probe_command("eth0 nonsense0"));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1));
    assert!(said.contains("the host has no interface `nonsense0'"), "{said}");
}

#[test]
fn an_interface_may_go_down_and_ends_the_probe_when_it_is_removed() {
    let Some(pair) = Pair::new("an interface that goes", &[]) else { return };
    let probe = pair.probe("eth0 --json");
    pair.ping("10.9.0.2", 10);
    pair.ip_in("a", "link set eth0 down");
    probe.wait_for("is down");
    pair.ip_in("a", "link set eth0 up");
    let mac = pair.text("b", "cat /sys/class/net/eth0/address");
    pair.ip_in("a", &format!("neigh replace 10.9.0.2 lladdr {} dev eth0", mac.trim()));
    probe.wait_for("eth0: is up");
    pair.ping("10.9.0.2", 10);
    pair.ip_in("b", "link del eth0");
    let ended = probe.end();
    assert_eq!(ended.code, Some(1));
    for said in
        ["eth0: is down; listening goes on when it is up", "eth0: is up", "eth0: was removed"]
    {
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
    }
    let requests: u64 = ended
        .records()
        .iter()
        .filter(|record| record["icmpTypeCodeIPv4"] == 8 << 8)
        .map(|record| record["packetDeltaCount"].as_u64().unwrap())
        .sum();
    assert_eq!(requests, 20, "{}", ended.stdout);
}

/// A tun device whose other end answers ICMP echo requests.
const TUN: &str = r#"
import fcntl, os, struct, subprocess, sys
tun = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tun, 0x400454CA, struct.pack("16sH22x", b"tun0", 0x1001))
for line in ("addr add 10.9.9.1/24 dev tun0", "link set tun0 up"):
    subprocess.run(["ip", *line.split()], check=True)
print("listening on tun0", file=sys.stderr, flush=True)
while packet := bytearray(os.read(tun, 65536)):
    if packet[0] == 0x45 and packet[9] == 1 and packet[20] == 8:
        packet[12:16], packet[16:20] = packet[16:20], packet[12:16]
        packet[20] = 0
        total = struct.unpack("!H", packet[22:24])[0] + 0x0800
        packet[22:24] = struct.pack("!H", (total & 0xFFFF) + (total >> 16))
        os.write(tun, packet)
"#;

#[test]
fn an_interface_without_link_headers_is_measured_too() {
    let Some(pair) = Pair::new("a tun device at a probe", &["python3"]) else { return };
    if !std::path::Path::new("/dev/net/tun").exists() {
        return not_run("a tun device at a probe", "there is no /dev/net/tun");
    }
    fs::write(pair.path("tun.py"), TUN).unwrap();
    let line = format!("python3 {}", pair.path("tun.py").display());
    let _tun = Listening::start(&mut pair.command("a", &line));
    let probe = pair.probe("tun0 eth0 --json");
    pair.ping("10.9.9.2", 10);
    pair.ping("10.9.0.2", 5);
    let ended = probe.interrupt();
    for (net, packets) in [("\"10.9.9.", 10), ("\"10.9.0.", 5)] {
        for kind in [0, 8 << 8] {
            let found: Vec<_> = ended
                .records()
                .into_iter()
                .filter(|r| r["icmpTypeCodeIPv4"] == kind && r.to_string().contains(net))
                .collect();
            assert_eq!(found.len(), 1, "{}", ended.stdout);
            assert_eq!(found[0]["packetDeltaCount"], packets, "{}", ended.stdout);
            assert_eq!(found[0]["octetDeltaCount"], packets * 84, "{}", ended.stdout);
            assert_eq!(found[0]["flowDirection"], u64::from(kind != 0), "{}", ended.stdout);
        }
    }
}
