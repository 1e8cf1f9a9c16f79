//! Forwarding, measuring, classifying and access lists allocate nothing a packet: counted by the allocator.

use peloton_tests::{Lab, allocations};

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;

/// Frames of 256 packets to send: before anything is counted, and counted.
const WARM: u32 = 1_000;
const COUNTED: u32 = 2_000;

#[test]
fn no_forwarded_packet_costs_an_allocation() {
    let lab = Lab::new(vec![flowprobe::plugin(), acl::plugin()]);
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
         classify table mask l3 ip4 src
         set interface input acl intfc pg0 ip4-table 1
         set acl-plugin acl deny proto 17 dport 5-9, permit+reflect proto 17 dport 2
         set acl-plugin interface pg0 input acl 0
         set acl-plugin acl permit proto 17 sport 0-7 dport 1-3
         set acl-plugin interface pg1 output acl 1
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
    // And belongs to one of a list.
    let checked = u64::from(WARM + COUNTED) * 256;
    let found = lab.error("acl-plugin-in-ip4-fa", "acl-exist-session");
    assert_eq!(found + lab.error("acl-plugin-in-ip4-fa", "acl-new-session"), checked);
    assert_eq!(lab.error("acl-plugin-out-ip4-fa", "acl-permit"), checked);
}
