//! What a router between two AF_XDP interfaces does.

use std::{fs, time::Duration};

use peloton_tests::{
    net::Net,
    program::{has, not_run, peloton, wait_for},
};

use crate::{INTERFACES, buffers_add_up, seen};

#[test]
fn pings_of_all_sizes_pass_in_the_driver_and_behind_it() {
    for (options, mode) in
        [("mode native", "native"), ("mode generic", "generic"), ("no-zero-copy", "native")]
    {
        let Some(mut net) = Net::xdp(1, "a router between AF_XDP interfaces", &[]) else { return };
        net.start(options, "");
        for interface in INTERFACES {
            let shown = net.ctl(&format!("show hardware-interfaces {interface}"));
            assert!(shown.contains(&format!(" {mode}, the kernel copies")), "{shown}");
        }
        for size in [0, 1, 17, 18, 46, 47, 100, 512, 1000, 1471, 1472] {
            assert_eq!(net.ping(&format!("-i 0.002 -M do -s {size} 10.2.0.2"), 3), 3, "{size}");
        }
        for size in [0, 1000, 1452] {
            let line = format!("-6 -i 0.002 -M do -s {size} 2001:db8:2::2");
            assert_eq!(net.ping(&line, 3), 3, "{size}");
        }
        // Fragments, and a ping across the places of whole rings.
        assert_eq!(net.ping("-i 0.002 -s 4000 10.2.0.2", 5), 5);
        assert_eq!(net.ping("-f 10.2.0.2", 3000), 3000);
        net.adds_up();
        buffers_add_up(&net);
    }
}

/// Octets that iperf3's server received in a run from `a` to `b`.
fn received(run: &serde_json::Value) -> u64 {
    run["end"]["sum_received"]["bytes"].as_u64().unwrap_or_default()
}

#[test]
fn tcp_passes_whose_checksums_the_sender_has_left_to_be_made() {
    let Some(mut net) = Net::xdp(1, "TCP through AF_XDP interfaces", &["iperf3"]) else { return };
    for mode in ["native", "generic"] {
        if mode == "generic" {
            // In the driver the kernel has the sender cut its packets itself.
            for end in ["a", "b"] {
                net.ip_in(end, "link set eth0 gso_max_segs 1");
            }
        }
        net.start(&format!("mode {mode}"), "");
        let ends = [("a", INTERFACES[0]), ("b", INTERFACES[1])];
        // What was sent and did not come, or came before the router was there.
        let gap = || {
            ends.map(|(end, interface)| {
                net.kernel_counter(end, "eth0", "tx_packets") as i64 - seen(&net, interface) as i64
            })
        };
        let mut before = gap();
        wait_for("the line to be quiet", || {
            // What is missed is counted once a second.
            Net::pass(Duration::from_millis(1100));
            std::mem::replace(&mut before, gap()) == before
        });
        for address in ["10.2.0.2", "2001:db8:2::2"] {
            let octets = received(&net.iperf3(&format!("-c {address}")));
            assert!(octets > 10_000_000, "{octets}");
        }
        // Whatever was sent came, or is counted as missed.
        wait_for("the counts", || gap() == before);
        net.adds_up_but_for(&["rx-miss"]);
        let errors = net.ctl("show errors");
        assert!(errors.contains("packets with checksums left to be made"), "{errors}");
        // Nothing that the receiver did not like.
        let statistics = net.text("b", "cat /proc/net/snmp");
        for line in statistics.lines().filter(|line| line.starts_with("Tcp: ")) {
            if let Ok(wrong) = line.split_whitespace().last().unwrap().parse::<u64>() {
                assert_eq!(wrong, 0, "InCsumErrors: {statistics}");
            }
        }
        buffers_add_up(&net);
    }
}

#[test]
fn packets_of_several_buffers_pass_and_an_mtu_that_changes_is_followed() {
    let Some(mut net) = Net::xdp(1, "MTUs of AF_XDP interfaces", &[]) else { return };
    net.start("", "");
    if !net.shows("xdp-ra", "several buffers a packet") {
        return not_run("packets of several buffers", "the kernel lacks XDP_USE_SG (Linux 6.6)");
    }
    for (mtu, sizes) in [(9000, [2000, 2020, 2021, 4096, 8972]), (1300, [0, 100, 900, 1000, 1272])]
    {
        for end in ["a", "b"] {
            net.ip_in("r", &format!("link set r{end} mtu {mtu}"));
            net.ip_in(end, &format!("link set eth0 mtu {mtu}"));
        }
        wait_for("the MTU", || {
            net.ctl("show interface").matches(&format!("{mtu}/0/0/0")).count() == 2
        });
        // Routes and neighbours went with the links.
        for (end, n, mac) in [("a", 1, "02:fe:00:00:00:0a"), ("b", 2, "02:fe:00:00:00:0b")] {
            net.ip_in(end, &format!("route replace default via 10.{n}.0.1"));
            net.ip_in(
                end,
                &format!("neigh replace 10.{n}.0.1 lladdr {mac} dev eth0 nud permanent"),
            );
        }
        for size in sizes {
            let line = format!("-i 0.005 -M do -s {size} 10.2.0.2");
            assert_eq!(net.ping(&line, 20), 20, "{mtu} {size}");
        }
    }
    net.adds_up();
    buffers_add_up(&net);
}

#[test]
fn an_af_xdp_interface_is_made_shown_and_refused_where_it_cannot_be() {
    let Some(mut net) = Net::xdp(1, "the commands of AF_XDP interfaces", &[]) else { return };
    net.start("", "");
    let shown = net.ctl("show hardware-interfaces xdp-ra");
    for expected in [
        "Ethernet address 02:fe:00:00:00:0a",
        "AF_XDP interface on ra (ifindex ",
        "XDP program ",
        " native, the kernel copies (zero-copy: ",
        "RX queue 0: 1024 entries, 1024 in the fill ring, 1024 buffers held",
        "TX queue 0: 1024 entries, 0 to send, ",
    ] {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
    for (line, expected) in [
        ("create interface af_xdp host-if ra", "`ra' is in use: "),
        ("create interface af_xdp host-if nothing", "the host has no interface `nothing'"),
        ("create interface af_xdp host-if lo name xdp-ra", "there is an interface xdp-ra already"),
        ("create interface af_xdp host-if lo rx-queue-size 100", "`100' is not a power of two"),
        ("delete interface af_xdp local0", "local0 is no AF_XDP interface"),
    ] {
        let refused = net.refused(line);
        assert!(refused.contains(expected), "{line}: {refused}");
    }
    let promiscuity = |n| net.ip_in("r", "-d link show ra").contains(&format!("promiscuity {n} "));
    assert!(promiscuity(0));
    net.ctl("set interface promiscuous on xdp-ra");
    assert!(promiscuity(1));
    net.ctl("set interface promiscuous off xdp-ra");
    assert!(promiscuity(0));
    net.ctl("delete interface af_xdp xdp-ra");
    assert!(!net.ctl("show interface").contains("xdp-ra"));
    assert_eq!(net.ping("-w 1 10.2.0.2", 1), 0);
    let refused = net.refused("create interface af_xdp host-if ra num-rx-queues 3");
    assert!(refused.contains("`ra' has 1 receive queues, not 3: "), "{refused}");
    let refused = net.refused("create interface af_xdp host-if ra zero-copy");
    assert!(refused.contains("the driver of `ra' has no zero-copy"), "{refused}");
    not_run("zero-copy of AF_XDP interfaces", "veth has none");
    // Named as VPP does, with rings of another size.
    let made = net.ctl("create interface af_xdp host-if ra rx-queue-size 256 tx-queue-size 64");
    assert!(made.starts_with("ra/"), "{made}");
    assert!(net.shows(made.trim(), "RX queue 0: 256 entries, 256 in the fill ring"), "{made}");
    if has("the capabilities of AF_XDP interfaces", &["setpriv"]) {
        net.ctl(&format!("delete interface af_xdp {}", made.trim()));
        let program = peloton().get_program().to_string_lossy().into_owned();
        let script = net.path("without");
        fs::write(&script, "create interface af_xdp host-if ra\n").unwrap();
        for (capabilities, expected) in [
            ("-net_raw", "cannot open its sockets: "),
            ("-net_admin,-sys_admin", "CAP_NET_ADMIN is needed"),
        ] {
            let without =
                format!("setpriv --bounding-set {capabilities} --inh-caps {capabilities}");
            let output = net.run("r", &format!("{without} {program} exec {}", script.display()));
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(said.contains(expected), "{capabilities}: {said}");
        }
    }
}

#[test]
fn frames_that_cannot_be_sent_are_counted_and_hold_up_no_others() {
    let Some(mut net) = Net::xdp(1, "refused frames of AF_XDP interfaces", &[]) else { return };
    net.start("", "");
    net.ctl("create packet-generator interface pg0");
    // No Ethernet header, a small frame, and one longer than the MTU; in frames of the graph in which they alternate.
    for (name, size) in [("a", 10), ("b", 60), ("c", 2000)] {
        net.ctl(&format!(
            "packet-generator new {{ name {name} limit 200 maxframe 20 size {size}-{size} \
             interface pg0 tx-interface xdp-rb node xdp-rb-tx \
             data {{ hex 0x02000000000902000000 }} }}"
        ));
    }
    let before = net.kernel_counter("r", "rb", "tx_packets");
    net.ctl("packet-generator enable-stream");
    wait_for("the streams", || net.counter("xdp-rb", "tx-error") >= 400);
    wait_for("the frames", || net.kernel_counter("r", "rb", "tx_packets") >= before + 200);
    assert_eq!(net.counter("xdp-rb", "tx-error"), 400);
    let errors = net.ctl("show errors");
    let count = |reason: &str| {
        let line = errors.lines().find(|line| line.contains(reason))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    assert_eq!(count("packet longer than the host's interface takes"), Some(200), "{errors}");
    assert_eq!(count("packet without an Ethernet header"), Some(200), "{errors}");
    assert_eq!(net.ping("-i 0.01 10.2.0.2", 5), 5);
    buffers_add_up(&net);
}
