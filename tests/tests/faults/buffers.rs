//! Kernel queues and the buffer pool run full.

use peloton_tests::{net::Net, program::wait_for};
use serde_json::Value;

use crate::books::{Books, buffers};

/// How often a thread asked for more buffers than were free.
fn exhausted(net: &Net) -> u64 {
    let shown: Value = serde_json::from_str(&net.ctl("show buffers json")).unwrap();
    buffers(&shown, "exhausted")
}

#[test]
fn packets_for_which_there_are_no_buffers_are_counted_and_the_next_ones_pass() {
    let Some(mut net) = Net::new("exhausted buffers", &[]) else { return };
    for end in ["a", "b"] {
        net.ip_in("r", &format!("link set r{end} mtu 9000"));
        net.ip_in(end, "link set eth0 mtu 9000");
    }
    net.start("", "buffers { buffers-per-numa 256 }");
    for mode in ["interrupt", "polling"] {
        net.ctl(&format!("set interface rx-mode host-ra {mode}"));
        let (books, none) = (Books::open(&net), net.counter("host-ra", "rx-no-buf"));
        // A frame of the graph is up to 256 packets, each of which takes five buffers.
        net.signal("STOP");
        net.run("a", "ping -q -f -l 200 -c 200 -s 8900 -w 1 10.2.0.2");
        net.signal("CONT");
        wait_for("an exhausted pool", || net.counter("host-ra", "rx-no-buf") > none);
        assert!(exhausted(&net) > 0);
        assert_eq!(net.ping("-i 0.002 -s 8900 10.2.0.2", 100), 100, "{mode}");
        books.close(&net, &["a", "b"]);
    }
}

#[test]
fn a_kernel_queue_that_overflows_is_counted_and_empties_itself() {
    let Some(mut net) = Net::new("overflowing queues", &[]) else { return };
    net.start("num-rx-queues 2", "cpu { workers 2 }");
    for mode in ["interrupt", "polling", "adaptive"] {
        net.ctl(&format!("set interface rx-mode host-ra {mode}"));
        let (books, missed) = (Books::open(&net), net.counter("host-ra", "rx-miss"));
        net.signal("STOP");
        for _ in 0..2 {
            net.run("a", "ping -q -f -l 8000 -c 8000 -s 1400 -w 1 10.2.0.2");
        }
        net.signal("CONT");
        wait_for("what was lost", || net.counter("host-ra", "rx-miss") > missed);
        assert_eq!(net.ping("-f 10.2.0.2", 500), 500, "{mode}");
        books.close(&net, &["a", "b"]);
    }
}
