//! Checksums and large packets.

use peloton_tests::{
    net::Net,
    program::{Running, wait_for},
    tshark,
};

/// Octets that iperf3's server received in a run from `a` to `b`.
fn received(run: &serde_json::Value) -> u64 {
    run["end"]["sum_received"]["bytes"].as_u64().unwrap_or_default()
}

#[test]
fn tcp_passes_as_large_packets_and_counts_as_those_on_the_wire() {
    let Some(mut net) = Net::new("offloads of host interfaces", &["iperf3"]) else { return };
    net.start("", "");
    for address in ["10.2.0.2", "2001:db8:2::2"] {
        net.ctl("clear interfaces");
        net.ctl("clear runtime");
        let run = net.iperf3(&format!("-c {address}"));
        let octets = received(&run);
        assert!(octets > 10_000_000, "{octets}");
        // As many packets as the payload needs, each of at most 1,448 octets, and not many more.
        let packets = net.counter("host-ra", "rx packets");
        assert!(packets >= octets / 1448, "{packets} for {octets}");
        assert!(packets < octets / 1000 + 1000, "{packets} for {octets}");
        let bytes = net.counter("host-ra", "rx bytes");
        assert!(bytes >= octets + packets * 66, "{bytes} for {octets}");
        net.adds_up();
        // Fewer came through the graph.
        let calls = net.vectors("af-packet-input");
        assert!(calls < packets / 2, "{calls} for {packets}");
    }
}

#[test]
fn what_a_device_is_not_left_to_do_is_done_before() {
    let Some(mut net) = Net::new("software in place of offloads", &["iperf3"]) else { return };
    // Large packets come from `a`, and go to an interface that takes none.
    net.start_with("", "cksum-gso-disable", "");
    for address in ["10.2.0.2", "2001:db8:2::2"] {
        net.ctl("clear interfaces");
        let octets = received(&net.iperf3(&format!("-c {address}")));
        assert!(octets > 1_000_000, "{octets}");
        let packets = net.counter("host-ra", "rx packets");
        assert!(packets >= octets / 1448, "{packets} for {octets}");
        net.adds_up();
    }
    let errors = net.ctl("show errors");
    assert!(errors.contains("segments made of large packets"), "{errors}");
    assert!(!errors.contains("bad-offload"), "{errors}");
    // Nothing that the receiver did not like.
    let statistics = net.text("b", "cat /proc/net/snmp /proc/net/snmp6");
    for line in statistics.lines().filter(|line| line.starts_with("Tcp: ")) {
        if let Ok(wrong) = line.split_whitespace().last().unwrap().parse::<u64>() {
            assert_eq!(wrong, 0, "InCsumErrors: {statistics}");
        }
    }
}

/// Sends a hundred times ten datagrams of 1,000 octets and one of 500 to the first argument, left to be cut (UDP_SEGMENT), or receives
/// them; a port is known by the file that the second argument names.
const DATAGRAMS: &str = "
import os, socket, sys
if sys.argv[1] == 'receive':
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    s.settimeout(20)
    s.bind(('::', 7777))
    open(sys.argv[2], 'w').close()
    seen = [s.recv(65535) for _ in range(1100)]
    assert sorted(len(d) for d in seen) == [500] * 100 + [1000] * 1000, sorted(map(len, seen))
    assert all(set(d[1:]) == {d[0]} for d in seen)
    counts = [sum(d[0] == n for d in seen) for n in range(11)]
    assert counts == [100] * 11, counts
else:
    s = socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.IPPROTO_UDP, 103, 1000)
    whole = b''.join(bytes([n]) * 1000 for n in range(10)) + bytes([10]) * 500
    for _ in range(100):
        s.sendto(whole, (sys.argv[1], 7777))
";

#[test]
fn datagrams_that_their_sender_leaves_to_be_cut_are_cut_whoever_does_it() {
    let test = "UDP offloads of host interfaces";
    // Cut by the host of the receiver, or here.
    for options in ["", "cksum-gso-disable"] {
        let Some(mut net) = Net::new(test, &["python3"]) else { return };
        net.start_with("", options, "");
        let script = net.path("datagrams.py");
        std::fs::write(&script, DATAGRAMS).unwrap();
        for address in ["10.2.0.2", "2001:db8:2::2"] {
            net.ctl("clear interfaces");
            net.ctl("clear runtime");
            let ready = net.path(&format!("ready{}", address.len()));
            let line = format!("python3 {} receive {}", script.display(), ready.display());
            let receiver = Running::start(&mut net.command("b", &line));
            wait_for("the receiver", || ready.exists());
            net.text("a", &format!("python3 {} {address}", script.display()));
            let output = receiver.finish();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{address}: {said}{}", net.ctl("show errors"));
            // They came as large packets, and count as what they stand for.
            assert!(net.counter("host-ra", "rx packets") >= 1100);
            assert!(net.vectors("af-packet-input") < 200, "{}", net.ctl("show runtime"));
            net.adds_up();
        }
    }
}

#[test]
fn without_offloads_packets_are_what_they_are_on_the_wire() {
    let Some(mut net) = Net::new("host interfaces without offloads", &["iperf3"]) else { return };
    // The sender cuts its packets itself; checksums it still leaves to be made.
    net.ip_in("a", "link set eth0 gso_max_segs 1");
    net.start("cksum-gso-disable", "");
    for address in ["10.2.0.2", "2001:db8:2::2"] {
        net.ctl("clear interfaces");
        net.ctl("clear runtime");
        let octets = received(&net.iperf3(&format!("-c {address}")));
        assert!(octets > 1_000_000, "{octets}");
        let packets = net.counter("host-ra", "rx packets");
        net.adds_up();
        assert!(packets >= octets / 1448, "{packets} for {octets}");
        assert_eq!(net.counter("host-ra", "rx-error"), 0);
    }
}

#[test]
fn flow_records_count_what_is_on_the_wire() {
    let test = "flow records of large packets";
    let Some(mut net) = Net::new(test, &["iperf3", "tshark"]) else { return };
    net.start("", "");
    let file = net.path("flows.ipfix");
    for line in [
        &*format!("ipfix collector add 0 file {}", file.display()),
        "flowprobe params record l2 l3 l4",
        "flowprobe feature add-del host-ra ip4 rx",
        "flowprobe feature add-del host-rb ip4 tx",
        "clear interfaces",
    ] {
        net.ctl(line);
    }
    let octets = received(&net.iperf3("-c 10.2.0.2"));
    assert!(octets > 10_000_000, "{octets}");
    for line in [
        "flowprobe feature add-del host-ra ip4 rx disable",
        "flowprobe feature add-del host-rb ip4 tx disable",
        "ipfix flush",
    ] {
        net.ctl(line);
    }
    let fields = ["cflow.direction", "cflow.packets", "cflow.octets"];
    let rows = tshark(&file, &[], &fields).unwrap();
    let mut sums = [(0, 0); 2];
    for row in rows.iter().filter(|row| !row[0].is_empty()) {
        let columns: Vec<Vec<u64>> =
            row.iter().map(|cell| cell.split(',').map(|n| n.parse().unwrap()).collect()).collect();
        for ((&direction, &packets), &octets) in columns[0].iter().zip(&columns[1]).zip(&columns[2])
        {
            let sum = &mut sums[direction as usize];
            sum.0 += packets;
            sum.1 += octets;
        }
    }
    for (sum, (interface, way)) in sums.into_iter().zip([("host-ra", "rx"), ("host-rb", "tx")]) {
        let packets = net.counter(interface, &format!("{way} packets"));
        let bytes = net.counter(interface, &format!("{way} bytes"));
        // IPv6 of the host's neighbour discovery comes, too, and does not leave again.
        let other = if way == "rx" { packets - sum.0 } else { 0 };
        assert!(other < 10, "{interface}: {sum:?} and {packets}");
        if other == 0 {
            assert_eq!(sum, (packets, bytes - 14 * packets), "{interface}");
        }
    }
}
