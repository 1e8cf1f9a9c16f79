//! Forwarding, measuring, classifying, access lists and tunnels allocate nothing a packet: counted by the allocator.

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
    assert_none_is_made(&lab, "pg1");
    // Each packet made a session.
    let all = u64::from(WARM + COUNTED) * 256;
    assert_eq!(lab.error("ip4-flow-classify", "created"), all);
    // And belongs to one of a list.
    let found = lab.error("acl-plugin-in-ip4-fa", "acl-exist-session");
    assert_eq!(found + lab.error("acl-plugin-in-ip4-fa", "acl-new-session"), all);
    assert_eq!(lab.error("acl-plugin-out-ip4-fa", "acl-permit"), all);
    no_packet_in_a_tunnel_costs_an_allocation();
}

/// Frames into a tunnel, and out of it: in the same test, since allocations of all threads are counted.
fn no_packet_in_a_tunnel_costs_an_allocation() {
    let into = "interface pg0 node ethernet-input data { IP4: 02:00:00:00:01:00 -> 02:00:00:00:02:00 \
                UDP: 10.0.0.2 -> 10.0.2.2-10.0.3.1 UDP: 1 -> 2 incrementing 18 }";
    let out = "interface pg1 node ethernet-input data { IP4: 02:00:00:00:00:02 -> 02:fe:00:00:00:01 \
               UDP: 192.0.2.2 -> 192.0.2.1 UDP: 50000 -> 4789 checksum 0 \
               hex 0x0800000000000d0002000000010002000000020088b5 }";
    for (stream, leaves) in [(into, "pg1"), (out, "pg0")] {
        let lab = Lab::new(Vec::new());
        lab.script(&format!(
            "create packet-generator interface pg0
             create packet-generator interface pg1
             set interface state pg0 up
             set interface state pg1 up
             set interface ip address pg1 192.0.2.1/24
             set ip neighbor pg1 192.0.2.2 02:00:00:00:00:02
             create vxlan tunnel src 192.0.2.1 dst 192.0.2.2 vni 13
             set interface l2 bridge pg0 1
             set interface l2 bridge vxlan_tunnel0 1
             l2fib add 02:00:00:00:01:00 1 pg0 static
             l2fib add 02:00:00:00:02:00 1 vxlan_tunnel0 static
             packet-generator new {{ name s {stream} }}
             packet-generator enable-stream s"
        ));
        assert_none_is_made(&lab, leaves);
    }
}

/// Packets leave by an interface, and nothing is allocated for them.
fn assert_none_is_made(lab: &Lab, interface: &str) {
    let sent = || {
        lab.engine.with(|main| {
            let index = main.interfaces().find(interface).unwrap();
            let counters = main.interface_counters().of(index);
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
}
