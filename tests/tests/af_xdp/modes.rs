//! How threads learn of packets, which, and what happens when there is no room.

use std::time::{Duration, Instant};

use peloton_tests::{net::Net, program::wait_for};

use crate::{INTERFACES, buffers_add_up, held, seen};

#[test]
fn an_idle_router_sleeps_and_wakes_at_the_first_packet() {
    let Some(mut net) = Net::xdp(1, "interrupts of AF_XDP interfaces", &[]) else { return };
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

/// A way to have a driver not run the program: what it says then, and what is done to `ra` beforehand.
type Unwilling = (&'static str, fn(&Net));

const UNWILLING: [Unwilling; 2] = [
    // A bridge has no such driver. Its port has another name, and it the port's.
    ("Operation not supported (os error 95)", |net| {
        net.ip_in("r", "link set ra down");
        net.ip_in("r", "link set ra name port");
        net.ip_in("r", "link add ra type bridge mcast_snooping 0");
        net.ip_in("r", "link set ra address 02:fe:00:00:00:0a");
        net.ip_in("r", "link set port master ra up");
        net.ip_in("r", "link set ra up");
    }),
    // One of veth does not, where the other end sends by more queues than it receives with.
    ("No space left on device (os error 28)", |net| {
        net.text("r", "ethtool -L ra rx 1");
    }),
];

#[test]
fn where_the_driver_does_not_run_the_program_it_runs_behind_it_and_the_line_says_why() {
    for (why, prepare) in UNWILLING {
        let test = "AF_XDP interfaces whose drivers do not run programs";
        let Some(mut net) = Net::xdp(2, test, &["ethtool"]) else { return };
        prepare(&net);
        // Which queue a flow is in is the kernel's choice.
        net.start("num-rx-queues all", "");
        let shown = net.ctl("show hardware-interfaces xdp-ra");
        let line = format!(" generic (native: {why}), the kernel copies");
        assert!(shown.contains(&line), "{line}: {shown}");
        assert!(net.shows("xdp-rb", " native, the kernel copies"));
        let host = net.ip_in("r", "link show ra");
        assert!(host.contains("xdpgeneric"), "{host}");
        for size in [0, 1, 512, 1472] {
            assert_eq!(net.ping(&format!("-i 0.002 -M do -s {size} 10.2.0.2"), 3), 3, "{why}");
        }
        assert_eq!(net.ping("-6 -i 0.002 -s 1452 2001:db8:2::2", 3), 3, "{why}");
        assert_eq!(net.ping("-f 10.2.0.2", 1000), 1000, "{why}");
        net.adds_up();
        buffers_add_up(&net);
        // Who asks for the driver alone is told the same.
        net.ctl("delete interface af_xdp xdp-ra");
        let refused = net.refused("create interface af_xdp host-if ra mode native");
        assert!(refused.contains(&format!("`ra': cannot run in the driver: {why}")), "{refused}");
        assert!(!net.ip_in("r", "link show ra").contains("xdp"));
    }
}

#[test]
fn packets_pass_while_the_mode_of_their_queue_changes() {
    let Some(mut net) = Net::xdp(1, "modes of AF_XDP interfaces", &[]) else { return };
    net.start("", "");
    for mode in ["polling", "adaptive", "interrupt"] {
        for interface in INTERFACES {
            net.ctl(&format!("set interface rx-mode {interface} {mode}"));
        }
        assert!(net.ctl("show interface rx-placement").contains(&format!("queue 0 ({mode})")));
        for size in [0, 1472] {
            assert_eq!(net.ping(&format!("-i 0.002 -s {size} 10.2.0.2"), 50), 50, "{mode}");
        }
        assert_eq!(net.ping("-f 10.2.0.2", 2000), 2000, "{mode}");
    }
    net.adds_up();
}

#[test]
fn two_workers_share_the_flows_of_two_queues() {
    let Some(mut net) = Net::xdp(2, "queues of AF_XDP interfaces", &[]) else { return };
    net.start("num-rx-queues all", "cpu { workers 2 }");
    let placement = net.ctl("show interface rx-placement");
    for thread in ["vpp_wk_0", "vpp_wk_1"] {
        assert!(placement.contains(thread), "{placement}");
    }
    let mac = net.text("a", "cat /sys/class/net/eth0/address");
    for n in 3..40 {
        net.ip_in("a", &format!("addr add 10.1.0.{n}/24 dev eth0"));
        net.ctl(&format!("set ip neighbor xdp-ra 10.1.0.{n} {}", mac.trim()));
    }
    for n in 2..40 {
        assert_eq!(net.ping(&format!("-I 10.1.0.{n} -i 0.002 10.2.0.2"), 10), 10, "{n}");
    }
    let threads = net.ctl("show runtime");
    let busy = threads.split("Thread ").filter(|thread| {
        let mut lines = thread.lines();
        let line = lines.find(|line| line.trim_start().starts_with("af-xdp-input"));
        let vectors = line.and_then(|line| line.split_whitespace().rev().nth(3));
        vectors.and_then(|n| n.parse::<u64>().ok()).is_some_and(|n| n > 40)
    });
    assert_eq!(busy.count(), 2, "{threads}");
    net.adds_up();
    buffers_add_up(&net);
}

#[test]
fn packets_that_find_no_room_are_counted() {
    let Some(mut net) = Net::xdp(1, "full rings of AF_XDP interfaces", &[]) else { return };
    net.start("rx-queue-size 256", "");
    let sent = || net.kernel_counter("a", "eth0", "tx_packets");
    let (sent_before, seen_before) = (sent(), seen(&net, "xdp-ra"));
    net.signal("STOP");
    // More than a ring holds.
    for _ in 0..3 {
        let _: std::process::Output =
            net.run("a", "ping -q -f -l 500 -c 500 -s 1400 -w 1 10.2.0.2");
    }
    net.signal("CONT");
    let expected = seen_before + sent() - sent_before;
    wait_for("what was lost", || seen(&net, "xdp-ra") >= expected);
    assert_eq!(seen(&net, "xdp-ra"), expected, "{}", net.ctl("show interface"));
    let missed = net.counter("xdp-ra", "rx-miss");
    assert!(missed > 1000, "{missed}");
    // The kernel has no buffer left when the ring is full, since there are as many.
    assert!(net.shows("xdp-ra", &format!("missed: no buffer or too long {missed}, ")), "{missed}");
    assert_eq!(net.ping("-i 0.01 10.2.0.2", 5), 5);
    buffers_add_up(&net);
}

#[test]
fn too_few_buffers_for_all_rings_slow_nothing_down_for_good() {
    let Some(mut net) = Net::xdp(1, "AF_XDP interfaces without buffers", &[]) else { return };
    // The first interface takes most of them, the second has few.
    net.start("", "buffers { buffers-per-numa 1100 }");
    wait_for("all buffers to be in the rings", || held(&net) == 1100);
    assert!(!net.shows("xdp-rb", "1024 in the fill ring"));
    assert_eq!(net.ping("-f 10.2.0.2", 2000), 2000);
    let errors = net.ctl("show errors");
    assert!(errors.contains("fill ring not filled for want of buffers"), "{errors}");
    net.adds_up();
    // What one gives up the other gets, whether packets come or not.
    net.ctl("delete interface af_xdp xdp-ra");
    wait_for("the buffers", || net.shows("xdp-rb", "1024 in the fill ring, 1024 buffers held"));
    buffers_add_up(&net);
}
