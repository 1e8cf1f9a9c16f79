//! Classifier tables as access lists.

use crate::{Router, packet::Packet};

const UDP: Packet = Packet::udp(0, 1, (1000, 53));

#[test]
fn sessions_say_where_packets_go_and_the_last_table_where_the_others_do() {
    let router = Router::new(
        2,
        "classify table mask l3 ip4 src acl-miss-next deny
         classify table mask l3 ip4 src l4 dst_port next-table 0
         classify session acl-hit-next permit table-index 0 match l3 ip4 src 10.0.0.1
         classify session acl-hit-next deny table-index 1 match l3 ip4 src 10.0.0.1 l4 dst_port 54
         set interface input acl intfc pg0 ip4-table 1",
    );
    assert!(router.passes(0, &UDP));
    assert!(!router.passes(0, &Packet::udp(0, 1, (1000, 54))));
    assert!(!router.passes(0, &Packet { source: (0, 2), ..UDP }));
    assert!(router.passes(0, &UDP.ip6()), "IPv6 has no table");
    let counted = |reason| router.lab.error("ip4-inacl", reason);
    assert_eq!((counted("hit"), counted("chain-hit"), counted("miss")), (2, 1, 1));
    assert_eq!((counted("session-deny"), counted("table-miss")), (1, 1));
    let shown = router.json("show classify tables index 1 verbose");
    assert_eq!(shown["tables"][0]["entries"][0]["hits"], 1);
    // The last table can let pass what belongs to none.
    router.lab.run("classify table table 0 acl-miss-next permit");
    assert!(router.passes(0, &Packet { source: (0, 2), ..UDP }));
    router.lab.run("set interface input acl intfc pg0 ip4-table 1 del");
    assert!(router.passes(0, &Packet::udp(0, 1, (1000, 54))));
}

#[test]
fn what_leaves_is_filtered_with_its_new_header() {
    let router = Router::new(
        2,
        "classify table mask l2 dst l3 ip4 dst acl-miss-next permit
         classify session acl-hit-next deny table-index 0 match l2 dst 02:00:00:00:01:01 l3 ip4 dst 10.0.1.1
         set interface output acl intfc pg1 ip4-table 0
         classify table mask l3 ip6 dst acl-miss-next permit
         classify session acl-hit-next deny table-index 1 match l3 ip6 dst 2001:db8:1::2
         set interface output acl intfc pg1 ip6-table 1",
    );
    assert!(!router.passes(0, &UDP));
    assert!(router.passes(0, &Packet { destination: (1, 2), ..UDP }));
    assert!(router.passes(0, &UDP.ip6()));
    assert!(!router.passes(0, &Packet { destination: (1, 2), ..UDP }.ip6()));
    assert_eq!(router.lab.error("ip4-outacl", "session-deny"), 1);
    assert_eq!(router.lab.error("ip6-outacl", "session-deny"), 1);
}

#[test]
fn a_session_sends_its_packets_to_another_table_of_routes() {
    let router = Router::new(
        3,
        "ip table add 7
         ip route add 10.0.1.0/24 table 7 via 192.168.2.2 pg2
         ip6 table add 7
         ip route add 2001:db8:1::/48 table 7 via 2001:db8:ff02::2 pg2
         classify table mask l3 ip4 src
         classify session table-index 0 match l3 ip4 src 10.0.0.2 action set-ip4-fib-id 7
         set interface input acl intfc pg0 ip4-table 0
         classify table mask l3 ip6 src
         classify session table-index 1 match l3 ip6 src 2001:db8:0::2 action set-ip6-fib-id 7
         set interface input acl intfc pg0 ip6-table 1",
    );
    for packet in [UDP, UDP.ip6()] {
        let before = router.sent();
        assert!(
            router.passes(0, &packet) && router.passes(0, &Packet { source: (0, 2), ..packet })
        );
        let grown: Vec<_> = router.sent().iter().zip(before).map(|(a, b)| a - b).collect();
        assert_eq!(grown, [0, 1, 1]);
    }
}

#[test]
fn the_current_position_moves_as_far_as_the_packet_goes() {
    let router = Router::new(
        2,
        "classify table mask l3 ip4 src
         classify session table-index 0 match l3 ip4 src 10.0.0.1 advance 2000
         classify session table-index 0 match l3 ip4 src 10.0.0.2 advance -200
         set interface input acl intfc pg0 ip4-table 0",
    );
    assert!(!router.passes(0, &UDP));
    assert!(!router.passes(0, &Packet { source: (0, 2), ..UDP }));
    assert_eq!(router.lab.error("ip4-inacl", "advance"), 2);
}

#[test]
fn what_is_missing_or_there_already_is_refused_by_its_reason() {
    let router = Router::new(2, "classify table mask l3 ip4 src");
    let refused = |line: &str| router.lab.refused(line);
    for (line, error) in [
        (
            "set interface input acl intfc pg0",
            "set interface input acl: Table index should be specified.\n",
        ),
        (
            "set interface input acl intfc pg0 ip4-table 0 l2-table 0",
            "set interface input acl: Only one table index per API is allowed.\n",
        ),
        (
            "set interface output acl intfc pg0 ip4-table 9",
            "set interface output acl: no classifier table 9\n",
        ),
        (
            "set interface input acl intfc pg0 ip4-table 0 del",
            "set interface input acl: the interface does not have ip4 input table 0\n",
        ),
        (
            "show inacl type ip5",
            "show inacl: `ip5' is not one of ip4, ip6, l2, ip4-punt, ip6-punt (syntax: show inacl type ip4|ip6|l2|ip4-punt|ip6-punt [sw_if_index <n>] [json])\n",
        ),
        (
            "show outacl",
            "show outacl: missing type ip4|ip6|l2 (syntax: show outacl type ip4|ip6|l2 [sw_if_index <n>] [json])\n",
        ),
        (
            "classify session table-index 0 match l3 ip4 src 10.0.0.1 action carve { deep }",
            "classify session: no action `carve': no plugin of this engine has one\n",
        ),
        (
            "classify session table-index 0 match l3 ip4 src 10.0.0.1 action set-ip4-fib-id 0 { deep }",
            "classify session: arguments in braces are for a plugin's action\n",
        ),
    ] {
        assert_eq!(refused(line), error, "{line}");
    }
    router.lab.run("set interface input acl intfc pg0 ip4-table 0");
    assert_eq!(
        refused("set interface input acl intfc pg0 ip4-table 0"),
        "set interface input acl: the interface has ip4 input table 0 already: take it away with `del' first\n"
    );
    let used = refused("classify table del table 0");
    assert_eq!(
        used,
        "classify table: classifier table 0 is in use: ip4 input access list of sw_if_index 1\n"
    );
    let shown = router.json("show inacl type ip4");
    assert_eq!(shown["tables"][0]["classify_table"], 0);
    assert_eq!(router.json("show outacl type l2")["tables"].as_array().map(Vec::len), Some(0));
}
