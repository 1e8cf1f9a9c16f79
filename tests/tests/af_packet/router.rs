//! What a router between two interfaces of the host does.

use std::fs;

use peloton_tests::{
    net::Net,
    program::{Running, has, not_run, peloton, wait_for},
    tshark,
};

#[test]
fn pings_of_all_sizes_pass_and_every_packet_is_accounted_for() {
    for options in ["", "cksum-gso-disable", "qdisc-bypass-disable v2"] {
        let Some(mut net) = Net::new("a router between host interfaces", &[]) else { return };
        net.start(options, "");
        for size in [0, 1, 17, 18, 46, 47, 100, 512, 1000, 1471, 1472] {
            assert_eq!(net.ping(&format!("-i 0.002 -M do -s {size} 10.2.0.2"), 3), 3, "{size}");
        }
        for size in [0, 1000, 1452] {
            let line = format!("-6 -i 0.002 -M do -s {size} 2001:db8:2::2");
            assert_eq!(net.ping(&line, 3), 3, "{size}");
        }
        // Fragments, and a ping across the queue of a whole ring.
        assert_eq!(net.ping("-i 0.002 -s 4000 10.2.0.2", 5), 5);
        assert_eq!(net.ping("-f 10.2.0.2", 3000), 3000);
        net.adds_up();
    }
}

#[test]
fn a_host_interface_is_made_shown_and_deleted() {
    let Some(mut net) = Net::new("the commands of host interfaces", &[]) else { return };
    net.start("", "");
    let shown = net.ctl("show hardware-interfaces host-ra");
    for expected in [
        "Ethernet address 02:fe:00:00:00:0a",
        "Linux PACKET socket interface on ra (ifindex ",
        "offloads (checksum, gso) on, qdisc bypass on",
        "RX queue 0: TPACKET_V2, ",
        "TX queue 0: TPACKET_V2, ",
        "missed by full rings: 0",
    ] {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
    let refused = net.refused("create host-interface name ra");
    assert!(refused.contains("`host-ra' is taken") || refused.contains("host-ra"), "{refused}");
    let refused = net.refused("create host-interface name nothing");
    assert!(refused.contains("the host has no interface `nothing'"), "{refused}");
    let refused = net.refused("create host-interface name lo mode ip");
    assert!(refused.contains("leave out `mode ip'"), "{refused}");
    let refused = net.refused("delete host-interface name lo");
    assert!(refused.contains("there is no host interface `lo'"), "{refused}");
    if has("the capability of packet sockets", &["setpriv"]) {
        let program = peloton().get_program().to_string_lossy().into_owned();
        let without = "setpriv --bounding-set -net_raw --inh-caps -net_raw";
        let script = net.path("without");
        fs::write(&script, "create host-interface name rb\n").unwrap();
        let output = net.run("r", &format!("{without} {program} exec {}", script.display()));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("`rb': cannot open a packet socket: "), "{said}");
        assert!(said.contains("(CAP_NET_RAW is needed)"), "{said}");
    }
    net.ctl("delete host-interface name ra");
    assert!(!net.ctl("show interface").contains("host-ra"));
    assert_eq!(net.ping("-w 1 10.2.0.2", 1), 0);
    assert_eq!(net.ctl("create host-interface name ra num-rx-queues 4"), "host-ra\n");
    let shown = net.ctl("show hardware-interfaces host-ra");
    assert!(shown.contains("RX queue 3: ") && shown.contains("fanout group "), "{shown}");
}

/// Sends frames with one tag and with two from `a`; the first argument is the MAC address that they are for.
const TAGGED: &str = "
import sys
from scapy.all import Dot1AD, Dot1Q, Ether, IP, UDP, sendp
for tags in [Dot1Q(vlan=7, prio=3), Dot1AD(vlan=20) / Dot1Q(vlan=7)]:
    packet = Ether(dst=sys.argv[1]) / tags / IP(src='10.3.0.2', dst='10.4.0.2') / UDP(sport=1, dport=2) / (b'x' * 50)
    sendp([packet] * 10, iface='eth0', verbose=False)
";

#[test]
fn a_tag_that_the_kernel_takes_out_is_seen_and_one_of_ours_is_sent() {
    let test = "VLAN tags on host interfaces";
    for options in ["", "cksum-gso-disable"] {
        let Some(mut net) = Net::new(test, &["tshark", "python3"]) else { return };
        if !net.run("a", "python3 -c import\u{a0}scapy").status.success() {
            return not_run(test, "scapy is missing");
        }
        net.start(options, "");
        for end in ["a", "b"] {
            for line in [
                format!("create sub-interfaces host-r{end} 7"),
                format!("create sub-interfaces host-r{end} 20 dot1ad 20 inner-dot1q 7 exact-match"),
                format!("set interface state host-r{end}.7 up"),
                format!("set interface state host-r{end}.20 up"),
            ] {
                net.ctl(&line);
            }
        }
        for line in [
            "set interface ip address host-ra.7 10.3.0.1/24",
            "set interface ip address host-ra.20 10.5.0.1/24",
            "set interface ip address host-rb.20 10.4.0.1/24",
            "set ip neighbor host-rb.20 10.4.0.2 02:00:00:00:00:09",
        ] {
            net.ctl(line);
        }
        let (file, script) = (net.path("sent.pcap"), net.path("tagged.py"));
        fs::write(&script, TAGGED).unwrap();
        let line = format!(
            "tshark -q -i eth0 -c 20 -f ether\u{a0}dst\u{a0}02:00:00:00:00:09 -w {}",
            file.display()
        );
        let mut judge = Running::start(&mut net.command("b", &line));
        wait_for("tshark", || file.exists());
        net.text("a", &format!("python3 {} 02:fe:00:00:00:0a", script.display()));
        let _: std::io::Result<std::process::ExitStatus> = judge.child().wait();
        let fields = ["ieee8021ad.id", "vlan.id", "ip.src", "ip.ttl", "udp.length", "frame.len"];
        let rows = tshark(&file, &["-Y", "udp"], &fields).unwrap();
        assert_eq!(rows.len(), 20);
        for row in rows {
            assert_eq!(row, ["20", "7", "10.3.0.2", "63", "58", "100"]);
        }
        assert_eq!(net.counter("host-ra.7", "rx packets"), 10);
        assert_eq!(net.counter("host-ra.20", "rx packets"), 10);
        assert_eq!(net.counter("host-rb.20", "tx packets"), 20);
        net.adds_up();
    }
}

#[test]
fn frames_that_the_host_refuses_are_counted_and_hold_up_no_others() {
    let Some(mut net) = Net::new("refused frames of host interfaces", &[]) else { return };
    net.start("", "");
    net.ctl("create packet-generator interface pg0");
    // No Ethernet header, a small frame, and one longer than the MTU; in frames of the graph in which they alternate.
    for (name, size) in [("a", 10), ("b", 60), ("c", 2000)] {
        net.ctl(&format!(
            "packet-generator new {{ name {name} limit 200 maxframe 20 size {size}-{size} \
             interface pg0 tx-interface host-rb node host-rb-tx \
             data {{ hex 0x02000000000902000000 }} }}"
        ));
    }
    let sent = || net.kernel_counter("r", "rb", "tx_packets");
    let before = sent();
    net.ctl("packet-generator enable-stream");
    wait_for("the streams", || net.counter("host-rb", "tx-error") >= 400);
    wait_for("the frames", || sent() >= before + 200);
    assert_eq!(net.counter("host-rb", "tx-error"), 400);
    let errors = net.ctl("show errors");
    let count = |reason: &str| {
        let line = errors.lines().find(|line| line.contains(reason))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    assert_eq!(count("packet longer than the host's interface takes"), Some(200), "{errors}");
    assert_eq!(count("the host did not take the packet"), Some(200), "{errors}");
    // Nothing is left to hold up what comes then; the host itself sends a packet now and then.
    let more = sent() - before;
    assert!((200..210).contains(&more), "{more}");
    assert_eq!(net.ping("-i 0.01 10.2.0.2", 5), 5);
}
