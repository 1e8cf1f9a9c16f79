//! What lists let pass.

use crate::{
    Router,
    packet::{Packet, framed},
};

const TO: Packet = Packet::udp(0, 1, (1000, 53));

#[test]
fn without_a_list_everything_passes_and_with_one_only_what_it_permits() {
    let router = Router::new(2, "");
    assert!(router.passes(0, &TO) && router.passes(0, &TO.ip6()));
    router.lab.script(
        "set acl-plugin acl permit src 10.0.0.0/24 dst 0.0.0.0/0 proto 17 dport 53
         set acl-plugin interface pg0 input acl 0",
    );
    assert!(router.passes(0, &TO));
    // IPv6 is not in the list, and what comes back is no matter of what is received.
    assert!(!router.passes(0, &TO.ip6()));
    assert!(!router.passes(0, &Packet::udp(0, 1, (1000, 54))));
    assert!(router.passes(1, &TO.back()));
    assert_eq!(router.lab.error("acl-plugin-in-ip4-fa", "acl-drop"), 1);
    assert_eq!(router.lab.error("acl-plugin-in-ip6-fa", "acl-drop"), 1);
    router.lab.run("set acl-plugin interface pg0 input acl 0 del");
    assert!(router.passes(0, &TO.ip6()));
}

#[test]
fn the_first_rule_decides_and_lists_are_asked_in_order() {
    let router = Router::new(
        2,
        "set acl-plugin acl deny dst 10.0.1.1/32 proto 17 dport 53, permit dst 10.0.1.0/24 proto 17
         set acl-plugin acl permit proto 17, permit proto 6
         set acl-plugin acl deny
         set acl-plugin interface pg1 output acl 0
         set acl-plugin interface pg1 output acl 1
         set acl-plugin interface pg1 output acl 2",
    );
    assert!(!router.passes(0, &TO));
    assert!(router.passes(0, &Packet::udp(0, 1, (1000, 54))));
    assert!(router.passes(0, &Packet::tcp(0, 1, (1000, 53), 2)));
    assert!(!router.passes(0, &Packet::icmp(0, 1, 8, 0)));
    let packets = |acl| router.counts(acl).into_iter().map(|(n, _)| n).collect::<Vec<_>>();
    assert_eq!((packets(0), packets(1), packets(2)), (vec![1, 1], vec![0, 1], vec![1]));
    // Another order, another answer.
    router.lab.script(
        "set acl-plugin interface pg1 output acl 0 del
         set acl-plugin interface pg1 output acl 2 del",
    );
    assert!(router.passes(0, &TO));
}

#[test]
fn each_rule_counts_its_packets_and_bytes_until_it_is_replaced() {
    let router = Router::new(
        2,
        "set acl-plugin acl permit proto 17 dport 53, deny
         set acl-plugin interface pg0 input acl 0",
    );
    let length = TO.bytes().len() as u64;
    router.send(0, &[TO; 200]);
    router.send(0, &[TO, Packet::udp(0, 1, (1, 2)), TO]);
    assert_eq!(router.counts(0), [(202, 202 * length), (1, length)]);
    router.lab.run("set acl-plugin acl index 0 permit proto 17 dport 53, deny");
    assert_eq!(router.counts(0), [(0, 0), (0, 0)]);
    router.send(0, &[TO]);
    assert_eq!(router.counts(0), [(1, length), (0, 0)]);
}

#[test]
fn lists_that_interfaces_share_count_together_and_change_together() {
    let router = Router::new(
        3,
        "set acl-plugin acl permit proto 17
         set acl-plugin interface pg0 input acl 0
         set acl-plugin interface pg2 input acl 0",
    );
    assert!(router.passes(0, &TO) && router.passes(2, &Packet::udp(2, 1, (1, 2))));
    assert_eq!(router.counts(0)[0].0, 2);
    router.lab.run("set acl-plugin acl index 0 deny proto 17");
    assert!(!router.passes(0, &TO) && !router.passes(2, &Packet::udp(2, 1, (1, 2))));
}

#[test]
fn tcp_flags_and_icmp_types_are_compared() {
    let router = Router::new(
        2,
        "set acl-plugin acl permit proto 6 tcpflags 2 mask 18, permit proto 1 sport 8 dport 0, permit dst ::/0 proto 58 sport 128-129
         set acl-plugin interface pg0 input acl 0",
    );
    let tcp = |flags| router.passes(0, &Packet::tcp(0, 1, (1, 2), flags));
    assert_eq!([0x02, 0xc2, 0x12, 0x10].map(tcp), [true, true, false, false]);
    let icmp = |kind, code| router.passes(0, &Packet::icmp(0, 1, kind, code));
    assert!(icmp(8, 0) && !icmp(8, 1) && !icmp(0, 0));
    let icmp6 = |kind| router.passes(0, &Packet::icmp(0, 1, kind, 0).ip6());
    assert_eq!([127, 128, 129, 130].map(icmp6), [false, true, true, false]);
}

#[test]
fn what_extension_headers_hide_is_found() {
    let router = Router::new(
        2,
        "set acl-plugin acl permit dst ::/0 proto 17 dport 53
         set acl-plugin interface pg0 input acl 0",
    );
    let udp = [0x03, 0xe8, 0, 53, 0, 8, 0, 0];
    let through = |next_header, behind: &[u8]| {
        let before = router.sent()[1];
        router.receive(0, &[framed(0, true, &TO.ip6().ip6_of(next_header, behind))]);
        router.sent()[1] - before
    };
    let options = [&[17, 0, 1, 4, 0, 0, 0, 0], &udp[..]].concat();
    assert_eq!(through(60, &options), 1);
    let other = [&[17, 0, 1, 4, 0, 0, 0, 0, 0x03, 0xe8, 0, 54], &[0; 4][..]].concat();
    assert_eq!(through(60, &other), 0);
    let twice = [&[60, 0, 1, 4, 0, 0, 0, 0], &options[..]].concat();
    assert_eq!(through(60, &twice), 1);
}

#[test]
fn many_ranges_of_ports_for_the_same_addresses_are_told_apart() {
    let rules: Vec<_> = (0..500_u16)
        .map(|n| {
            let verdict = if n % 3 == 0 { "deny" } else { "permit" };
            format!("{verdict} proto 17 dport {}-{}", n * 100, n * 100 + 150)
        })
        .collect();
    let router = Router::new(
        2,
        &format!(
            "set acl-plugin acl {}
             set acl-plugin interface pg0 input acl 0",
            rules.join(", ")
        ),
    );
    for port in [0, 50, 101, 150, 151, 299, 300, 350, 351, 400, 25_049, 49_900, 50_050, 50_051] {
        let first = (0..500).find(|n| (n * 100..=n * 100 + 150).contains(&port));
        let expected = first.is_some_and(|n| n % 3 != 0);
        assert_eq!(router.passes(0, &Packet::udp(0, 1, (9, port))), expected, "{port}");
    }
}

#[test]
fn a_large_list_is_compiled_beside_traffic() {
    let rules: Vec<_> = (0..20_000_u32)
        .map(|n| {
            format!(
                "permit src 10.0.0.{}/32 dst 10.0.1.1/32 proto 17 sport {} dport {}",
                n % 200,
                n / 100,
                n % 100
            )
        })
        .collect();
    let router = Router::new(2, "");
    router.lab.run(&format!("set acl-plugin acl {}", rules.join(", ")));
    router.lab.run("set acl-plugin interface pg0 input acl 0");
    let packet = |source: u8, ports| Packet { source: (0, source), ..Packet::udp(0, 1, ports) };
    assert!(router.passes(0, &packet(7, (10_007 / 100, 7))));
    assert!(!router.passes(0, &packet(7, (10_007 / 100, 8))));
    let shown = router.json("show acl-plugin tables");
    let masks = shown["contexts"][0]["ip4"]["masks"].as_array().unwrap();
    assert_eq!((masks.len(), masks[0]["keys"].as_u64()), (1, Some(20_000)));
}

#[test]
fn an_interface_that_goes_takes_its_lists_along() {
    let router = Router::new(
        2,
        "create loopback interface
         set acl-plugin acl deny
         set acl-plugin interface loop0 input acl 0",
    );
    let error = router.lab.refused("delete acl-plugin acl index 0");
    assert!(error.contains("applied inbound on loop0"), "{error}");
    router.lab.script("delete loopback interface intfc loop0\ndelete acl-plugin acl index 0");
    // Its number may be given to another one, which has no lists.
    router.lab.run("create loopback interface");
    assert_eq!(router.lab.run("show acl-plugin interface"), "");
}

#[test]
fn what_became_of_a_packet_is_in_its_trace() {
    let router = Router::new(
        2,
        "set acl-plugin acl deny proto 6, permit proto 17
         set acl-plugin interface pg0 input acl 0
         packet-generator new { name s limit 1 interface pg0 node ethernet-input data { \
           IP4: 02:00:00:00:00:01 -> 02:fe:00:00:00:00 UDP: 10.0.0.1 -> 10.0.1.1 UDP: 1000 -> 53 incrementing 18 } }
         trace add pg-input 1
         packet-generator enable-stream s",
    );
    router.lab.engine.run_until_idle();
    let trace = router.lab.run("show trace");
    assert!(
        trace.contains("acl-plugin: lc_index: 0, sw_if_index 1, action: 1, match: acl 0 rule 1\n"),
        "{trace}"
    );
    let packet = "l3 ip4 10.0.0.1 -> 10.0.1.1 l4 proto 17 port 1000 -> 53 (valid) tcp flags 00";
    assert!(trace.contains(packet), "{trace}");
}
