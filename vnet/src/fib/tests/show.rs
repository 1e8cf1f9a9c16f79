//! What `show ip fib` prints, against lines of VPP's.

use super::*;
use crate::{
    command::{Format, Output},
    counter::Count,
};

struct Names;

impl ShowContext for Names {
    fn interface_name(&self, interface: SwIfIndex) -> String {
        format!("pg{}", interface.0 - 1)
    }

    fn route_count(&self, _: LoadBalanceIndex) -> Count {
        Count { packets: 3, bytes: 252 }
    }
}

fn sample() -> Forwarding {
    let mut forwarding = two_interfaces();
    forwarding.add_address(PG0, interface_address("10.0.0.1/24")).unwrap();
    set_neighbor(&mut forwarding, PG0, "10.0.0.2", 9);
    let peer = Path::via(address("10.0.0.2"), PG0);
    let silent = Path::via(address("10.0.1.2"), PG1);
    set_route(&mut forwarding, "192.0.2.0/24", &[peer, silent]);
    let table = forwarding.add_table(Family::Ip4, TableId(7)).unwrap();
    set_route(&mut forwarding, "198.51.100.0/24", &[Path::to(PathTarget::Lookup { table })]);
    forwarding
}

/// A route's text without the numbers that depend on the order of edits.
fn text(forwarding: &Forwarding, route: &str, detail: bool) -> String {
    let index = forwarding.find(FIB, prefix(route)).unwrap().unwrap();
    let record = forwarding.describe_route(index, detail, &Names).unwrap();
    let text = Output::from(record).render(Format::Text);
    text.replace(&format!("index:{index} "), "index:N ")
}

#[test]
fn tables_read_as_in_vpp() {
    let forwarding = sample();
    let hash = "flow hash:[src dst sport dport proto flowlabel ] epoch:0 flags:none";
    assert_eq!(
        forwarding.describe_table(Family::Ip4, FIB).unwrap(),
        format!("ipv4-VRF:0, fib_index:0, {hash} locks:[interface:2, default-route:1, ]")
    );
    let other = forwarding.table(Family::Ip4, TableId(7)).unwrap();
    assert_eq!(
        forwarding.describe_table(Family::Ip4, other).unwrap(),
        format!("ipv4-VRF:7, fib_index:{other}, {hash} locks:[CLI:1, ]")
    );
}

#[test]
fn routes_read_as_in_vpp() {
    let forwarding = sample();
    let cases = [
        ("0.0.0.0/0", 1, "    [0] [@0]: dpo-drop ip4\n"),
        (
            "10.0.0.0/24",
            1,
            "    [0] [@4]: ipv4-glean: [src:10.0.0.0/24] pg0: mtu:9000 next:3 flags:[] \
             ffffffffffff02fe000000010806\n",
        ),
        ("10.0.0.1/32", 1, "    [0] [@2]: dpo-receive: 10.0.0.1 on pg0\n"),
        (
            "192.0.2.0/24",
            2,
            "    [0] [@5]: ipv4 via 10.0.0.2 pg0: mtu:9000 next:3 flags:[] \
             02000000000902fe000000010800\n    [1] [@3]: arp-ipv4: via 10.0.1.2 pg1\n",
        ),
        ("198.51.100.0/24", 1, "    [0] [@10]: dst-address,unicast lookup in ipv4-VRF:7\n"),
    ];
    for (route, buckets, lines) in cases {
        let expected = format!(
            "{route}\n  unicast-ip4-chain\n  [@0]: dpo-load-balance: [proto:ip4 index:N \
             buckets:{buckets} uRPF:-1 to:[3:252]]\n{lines}"
        );
        assert_eq!(text(&forwarding, route, false), expected);
    }
}

#[test]
fn a_route_in_detail_has_its_sources_and_paths() {
    let mut forwarding = sample();
    let peer = address("10.0.0.2");
    let paths =
        [Path::via(peer, PG0).weighted(2), Path::recursive(peer, FIB).preferred(9), Path::DROP];
    set_route(&mut forwarding, "203.0.113.0/24", &paths);
    let api = [Path::attached(PG1)];
    forwarding.set_route(FIB, prefix("203.0.113.0/24"), Source::Api, &api).unwrap();
    let via = forwarding.find(FIB, IpPrefix::host(peer)).unwrap().unwrap();
    let shown = text(&forwarding, "203.0.113.0/24", true);
    // The numbers of path lists depend on the order of edits, too.
    let list = |line: &str| {
        let (before, rest) = line.split_once("path-list:[").unwrap_or((line, ""));
        let end = rest.split_once(']').map_or("", |(_, end)| end);
        if rest.is_empty() { line.to_owned() } else { format!("{before}path-list:[L]{end}") }
    };
    let shown: Vec<String> = shown
        .lines()
        .map(|line| match line.split_once("pl-index:") {
            Some((before, rest)) => {
                format!("{before}pl-index:L{}", &rest[rest.find(' ').unwrap()..])
            }
            None => list(line),
        })
        .collect();
    let adjacency =
        "[@5]: ipv4 via 10.0.0.2 pg0: mtu:9000 next:3 flags:[] 02000000000902fe000000010800";
    let expected = [
        "203.0.113.0/24 fib:0 index:N locks:2".to_owned(),
        "  API refs:1 src-flags:added,contributing,active,".to_owned(),
        "    path-list:[L] locks:1 flags:shared,".to_owned(),
        "      path:[0] pl-index:L ip4 weight=1 pref=0 attached:  oper-flags:resolved,".to_owned(),
        "         pg1".to_owned(),
        "  CLI refs:1 src-flags:added,".to_owned(),
        "    path-list:[L] locks:1 flags:shared,".to_owned(),
        "      path:[0] pl-index:L ip4 weight=2 pref=0 attached-nexthop:  oper-flags:resolved,"
            .to_owned(),
        "        10.0.0.2 pg0".to_owned(),
        format!("      {adjacency}"),
        "      path:[1] pl-index:L ip4 weight=1 pref=0 special:".to_owned(),
        "        [@0]: dpo-drop ip4".to_owned(),
        "      path:[2] pl-index:L ip4 weight=1 pref=9 recursive:  oper-flags:resolved,".to_owned(),
        format!("        via 10.0.0.2 in fib:0 via-fib:{via} via-dpo:[dpo-load-balance:{via}]"),
        String::new(),
        " forwarding:   unicast-ip4-chain".to_owned(),
        "  [@0]: dpo-load-balance: [proto:ip4 index:N buckets:1 uRPF:-1 to:[3:252]]".to_owned(),
        "    [0] [@4]: ipv4-glean: [src:203.0.113.0/24] pg1: mtu:9000 next:3 flags:[] \
         ffffffffffff02fe000000020806"
            .to_owned(),
    ];
    assert_eq!(shown, expected);
}

#[test]
fn programs_get_the_facts_of_a_route_by_name() {
    let forwarding = sample();
    let index = forwarding.find(FIB, prefix("192.0.2.0/24")).unwrap().unwrap();
    let json = forwarding.describe_route(index, false, &Names).unwrap().to_json();
    assert_eq!(json["prefix"], "192.0.2.0/24");
    assert_eq!((&json["packets"], &json["bytes"]), (&3.into(), &252.into()));
    assert_eq!(json["sources"][0], "CLI");
    assert_eq!(json["buckets"].as_array().unwrap().len(), 2);
    let path = &json["paths"][0];
    assert_eq!((&path["next_hop"], &path["interface"]), (&"10.0.0.2".into(), &"pg0".into()));
    assert_eq!((&path["weight"], &path["preference"]), (&1.into(), &0.into()));
    assert_eq!(path["resolved"], true);
}
