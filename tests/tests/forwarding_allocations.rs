//! Forwarding, measuring and classifying allocate nothing a packet: counted by the allocator.

use peloton_tests::{Lab, allocations};

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;

/// Frames of 256 packets to send: before anything is counted, and counted.
const WARM: u32 = 1_000;
const COUNTED: u32 = 2_000;

#[test]
fn no_forwarded_packet_costs_an_allocation() {
    let lab = Lab::new(vec![flowprobe::plugin()]);
    lab.script(
        "create packet-generator interface pg0
         create packet-generator interface pg1
         set interface state pg0 up
         set interface state pg1 up
         set interface ip address pg0 192.168.0.1/24
         set interface ip address pg1 192.168.1.1/24
         set ip neighbor pg1 192.168.1.2 02:00:00:00:00:09
         ip route add 10.0.0.0/8 via 192.168.1.2 pg1
         flowprobe params record l3 l4
         flowprobe feature add-del pg0 ip4 rx
         classify table mask l3 ip4 fragment_id dst memory-size 128M
         set flow classify interface pg0 ip4-table 0
         packet-generator new { name s interface pg0 node ethernet-input data { \
          IP4: 02:00:00:00:00:01 -> 02:fe:00:00:00:00 \
           UDP: 192.168.0.2 -> 10.0.0.1-10.0.3.232 fragment id 0-65520 offset 0 \
           UDP: 1 -> 2 incrementing 18 } }
         packet-generator enable-stream s",
    );
    let sent = || {
        lab.engine.with(|main| {
            let pg1 = main.interfaces().find("pg1").unwrap();
            let counters = main.interface_counters().of(pg1);
            counters.iter().find(|(name, _)| name == "tx packets").map_or(0, |(_, n)| *n)
        })
    };
    for _ in 0..WARM {
        lab.engine.poll();
    }
    let (packets, before) = (sent(), allocations::made());
    for _ in 0..COUNTED {
        lab.engine.poll();
    }
    let (after, all) = (allocations::made(), sent());
    assert_eq!(all - packets, u64::from(COUNTED) * 256);
    assert_eq!(after - before, 0);
    // Each packet made a session.
    assert_eq!(lab.error("ip4-flow-classify", "created"), u64::from(WARM + COUNTED) * 256);
}
