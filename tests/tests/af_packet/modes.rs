//! How threads learn of packets, and which.

use std::time::{Duration, Instant};

use peloton_tests::{net::Net, program::wait_for};

#[test]
fn an_idle_router_sleeps_and_wakes_at_the_first_packet() {
    let Some(mut net) = Net::new("interrupts of host interfaces", &[]) else { return };
    net.start("", "cpu { workers 2 }");
    assert_eq!(net.ping("-i 0.01 10.2.0.2", 5), 5);
    let (before, start) = (net.used(), Instant::now());
    Net::pass(Duration::from_secs(3));
    let share = (net.used() - before) / start.elapsed().as_secs_f64();
    assert!(share < 0.02, "{share}");
    let output = net.text("a", "ping -c 1 -W 2 10.2.0.2");
    let time = output.split("time=").nth(1).and_then(|rest| rest.split_whitespace().next());
    // Two wake-ups there and two back, and whoever else wants the processor meanwhile.
    let time: f64 = time.and_then(|time| time.parse().ok()).unwrap_or_else(|| panic!("{output}"));
    assert!(time < 50.0, "{time} ms");
}

#[test]
fn packets_pass_while_the_mode_of_their_queue_changes() {
    let Some(mut net) = Net::new("modes of host interfaces", &[]) else { return };
    net.start("", "");
    for (mode, ring) in [
        ("polling", "TPACKET_V3"),
        ("adaptive", "TPACKET_V2"),
        ("polling", "TPACKET_V3"),
        ("interrupt", "TPACKET_V2"),
    ] {
        net.ctl(&format!("set interface rx-mode host-ra {mode}"));
        net.ctl(&format!("set interface rx-mode host-rb {mode}"));
        let shown = net.ctl("show hardware-interfaces host-ra");
        assert!(shown.contains(&format!("RX queue 0: {ring}")), "{shown}");
        for size in [0, 1472] {
            assert_eq!(net.ping(&format!("-i 0.002 -s {size} 10.2.0.2"), 50), 50, "{mode}");
        }
        assert_eq!(net.ping("-f 10.2.0.2", 2000), 2000, "{mode}");
    }
    // 2,100 requests and as many answers four times; each came by one interface and left by the other.
    for interface in ["host-ra", "host-rb"] {
        for counter in ["rx packets", "tx packets"] {
            let n = net.counter(interface, counter);
            assert!((8400..8450).contains(&n), "{interface} {counter} {n}");
        }
        assert_eq!(net.counter(interface, "rx-miss"), 0);
    }
}

#[test]
fn two_workers_share_the_flows_of_two_queues() {
    let Some(mut net) = Net::new("queues of host interfaces", &[]) else { return };
    net.start("num-rx-queues 2 num-tx-queues 2", "cpu { workers 2 }");
    let placement = net.ctl("show interface rx-placement");
    for thread in ["vpp_wk_0", "vpp_wk_1"] {
        assert!(placement.contains(thread), "{placement}");
    }
    for n in 3..40 {
        net.ip_in("a", &format!("addr add 10.1.0.{n}/24 dev eth0"));
        let mac = net.text("a", "cat /sys/class/net/eth0/address");
        net.ctl(&format!("set ip neighbor host-ra 10.1.0.{n} {}", mac.trim()));
    }
    for n in 2..40 {
        assert_eq!(net.ping(&format!("-I 10.1.0.{n} -i 0.002 10.2.0.2"), 10), 10, "{n}");
    }
    let threads = net.ctl("show runtime");
    let busy: Vec<_> = threads
        .split("Thread ")
        .filter(|thread| {
            let mut lines = thread.lines();
            let line = lines.find(|line| line.trim_start().starts_with("af-packet-input"));
            let vectors = line.and_then(|line| line.split_whitespace().rev().nth(3));
            vectors.and_then(|n| n.parse::<u64>().ok()).is_some_and(|n| n > 40)
        })
        .collect();
    assert_eq!(busy.len(), 2, "{threads}");
    // 38 times ten requests, and no more than a few that hosts say by themselves: nothing that leaves by the interface.
    let received = net.counter("host-ra", "rx packets");
    assert!((380..480).contains(&received), "{received}");
}

/// Packets that `af-packet-input` has seen on each worker.
fn of_workers(net: &Net) -> Vec<u64> {
    let runtime = net.ctl("show runtime");
    let of = |thread: &str| {
        let mut lines = thread.lines();
        let line = lines.find(|line| line.trim_start().starts_with("af-packet-input"));
        let vectors = line.and_then(|line| line.split_whitespace().rev().nth(3));
        vectors.and_then(|n| n.parse().ok()).unwrap_or(0)
    };
    runtime.split("Thread ").filter(|thread| thread.contains("vpp_wk_")).map(of).collect()
}

#[test]
fn both_directions_of_a_flow_come_by_queues_of_the_same_number() {
    let Some(mut net) = Net::new("symmetric queues of host interfaces", &[]) else { return };
    net.start("num-rx-queues 2 num-tx-queues 2", "cpu { workers 2 }");
    for end in ["a", "b"] {
        for queue in [0, 1] {
            net.ctl(&format!(
                "set interface rx-placement host-r{end} queue {queue} worker {queue}"
            ));
        }
    }
    let mac = net.text("a", "cat /sys/class/net/eth0/address");
    let mut used = [0; 2];
    for n in 3..19 {
        net.ip_in("a", &format!("addr add 10.1.0.{n}/24 dev eth0"));
        net.ctl(&format!("set ip neighbor host-ra 10.1.0.{n} {}", mac.trim()));
        net.ctl("clear runtime");
        assert_eq!(net.ping(&format!("-I 10.1.0.{n} -i 0.002 10.2.0.2"), 20), 20);
        // The hosts themselves send a packet now and then.
        let seen = of_workers(&net);
        let busy = usize::from(seen[1] > seen[0]);
        assert!(seen[busy] >= 40 && seen[1 - busy] < 10, "{seen:?}");
        used[busy] += 1;
    }
    assert!(used[0] > 0 && used[1] > 0, "{used:?}");
}

#[test]
fn packets_that_find_no_room_are_counted() {
    let Some(mut net) = Net::new("full rings of host interfaces", &[]) else { return };
    net.start("", "");
    for mode in ["interrupt", "polling"] {
        net.ctl(&format!("set interface rx-mode host-ra {mode}"));
        let sent = || net.kernel_counter("a", "eth0", "tx_packets");
        let seen = || {
            let missed = net.counter("host-ra", "rx-miss");
            (net.counter("host-ra", "rx packets") + missed, missed)
        };
        let (sent_before, (seen_before, missed_before)) = (sent(), seen());
        net.signal("STOP");
        // More than a ring holds: packets of both versions' rings are counted in slots or in octets.
        for _ in 0..10 {
            let _: std::process::Output =
                net.run("a", "ping -q -f -l 1500 -c 1500 -s 1400 -w 1 10.2.0.2");
        }
        net.signal("CONT");
        let expected = seen_before + sent() - sent_before;
        wait_for("what was lost", || seen().0 >= expected);
        let (now, missed) = seen();
        assert_eq!(now, expected, "{mode}: {}", net.ctl("show interface"));
        assert!(missed > missed_before + 100, "{mode}: {missed}");
    }
}
