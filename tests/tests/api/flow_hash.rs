//! By what of packets one of several paths is taken.

use super::twins::Twins;
use vnet::{
    api::ip_types::address_family,
    fib::api::{ip_flow_hash_config as v2, ip_flow_hash_config_v2 as v3, *},
    plugin::Engine,
};

const STREAMS: [&str; 2] = [
    "packet-generator new { name four limit 64 size 64-64 interface pg0 node ip4-input \
     data { UDP: 1.2.3.4 -> 10.9.0.2 UDP: 1024-1087 -> 5001 length 36 } }",
    "packet-generator new { name six limit 64 size 80-80 interface pg0 node ip6-input \
     data { UDP: 2001:db8::2 -> 2001:db8:9::2 UDP: 1024-1087 -> 5001 length 32 } }",
];

/// Routers with two paths for what the streams send.
fn twins() -> Twins {
    let mut lines = vec!["ip table add 7".to_owned(), "ip6 table add 7".to_owned()];
    for n in 0..3 {
        lines.extend([
            format!("create packet-generator interface pg{n}"),
            format!("set interface state pg{n} up"),
            format!("set interface ip address pg{n} 10.0.{n}.1/24"),
            format!("set interface ip address pg{n} 2001:db8:{n}::1/64"),
        ]);
    }
    for n in 1..3 {
        lines.extend([
            format!("set ip neighbor pg{n} 10.0.{n}.2 02:00:00:00:00:0{n}"),
            format!("set ip neighbor pg{n} 2001:db8:{n}::2 02:00:00:00:00:0{n}"),
            format!("ip route add 10.9.0.0/16 via 10.0.{n}.2 pg{n}"),
            format!("ip route add 2001:db8:9::/48 via 2001:db8:{n}::2 pg{n}"),
        ]);
    }
    lines.extend(STREAMS.map(str::to_owned));
    Twins::new(&lines.iter().map(String::as_str).collect::<Vec<_>>())
}

/// How many of a stream's packets took each path.
fn paths(engine: &Engine, stream: &str) -> [u64; 2] {
    engine.command("clear interfaces").unwrap();
    engine.command(&format!("packet-generator enable-stream {stream}")).unwrap();
    engine.run_until_idle();
    ["pg1", "pg2"].map(|name| {
        let text = engine.command(&format!("show interface {name}")).unwrap();
        let line = text.lines().find(|line| line.contains("tx packets"));
        line.map_or(0, |line| line.split_whitespace().last().unwrap().parse().unwrap())
    })
}

fn is_one_path([first, second]: [u64; 2]) -> bool {
    matches!((first, second), (64, 0) | (0, 64))
}

#[test]
fn what_counts_is_chosen_by_table_as_by_commands() {
    let twins = twins();
    let client = twins.client();
    let agree = || {
        twins.agree("show ip fib summary");
        let heads = |engine: &Engine| -> Vec<String> {
            let all =
                ["show ip fib", "show ip fib table 7", "show ip6 fib", "show ip6 fib table 7"];
            all.iter()
                .map(|show| engine.command(show).unwrap().lines().next().unwrap().into())
                .collect()
        };
        let asked = heads(&twins.asked);
        assert_eq!(asked, heads(&twins.told));
        asked
    };
    let plain = agree();
    assert!(plain.iter().all(|head| head.contains("hash:[src dst sport dport proto flowlabel ]")));
    for stream in ["four", "six"] {
        let [first, second] = paths(&twins.asked, stream);
        assert!(first + second == 64 && first.abs_diff(second) < 40, "{first} {second}");
    }
    let first = |is_ipv6, vrf_id| set_ip_flow_hash {
        vrf_id,
        is_ipv6,
        src: true,
        dst: true,
        symmetric: true,
        ..Default::default()
    };
    client.call(&first(false, 0)).unwrap();
    twins.tell("set ip flow-hash table 0 src dst symmetric");
    assert!(agree()[0].contains("flow hash:[src dst symmetric ]"));
    assert!(is_one_path(paths(&twins.asked, "four")));
    assert_eq!(paths(&twins.asked, "four"), paths(&twins.told, "four"));
    assert!(!is_one_path(paths(&twins.asked, "six")));
    let flow_hash_config = v2::IP_API_FLOW_HASH_DST_IP | v2::IP_API_FLOW_HASH_PROTO;
    let second = |af, table_id| set_ip_flow_hash_v2 { table_id, af, flow_hash_config };
    client.call(&second(address_family::ADDRESS_IP6, 0)).unwrap();
    twins.tell("set ip6 flow-hash dst proto");
    assert!(is_one_path(paths(&twins.asked, "six")));
    let flow_hash_config = v3::IP_API_V2_FLOW_HASH_GTPV1_TEID | v3::IP_API_V2_FLOW_HASH_REVERSE;
    let third = |af, table_id| set_ip_flow_hash_v3 { table_id, af, flow_hash_config };
    client.call(&third(address_family::ADDRESS_IP4, 7)).unwrap();
    twins.tell("set ip flow-hash gtpv1teid reverse table 7");
    assert!(agree()[1].contains("flow hash:[reverse gtpv1teid ]"));
    // Back, and all is as before; a table that is made anew has forgotten.
    let all = v3(v3::IP_API_V2_FLOW_HASH_FLOW_LABEL.0 | 31);
    for af in [address_family::ADDRESS_IP4, address_family::ADDRESS_IP6] {
        let request = set_ip_flow_hash_v3 { table_id: 0, af, flow_hash_config: all };
        client.call(&request).unwrap();
    }
    twins.asked.command("ip table del 7").unwrap();
    twins.asked.command("ip table add 7").unwrap();
    for line in [
        "set ip flow-hash src dst sport dport proto flowlabel",
        "ip table del 7",
        "ip table add 7",
        "set ip6 flow-hash src dst sport dport proto flowlabel",
    ] {
        twins.tell(line);
    }
    assert_eq!(agree(), plain);
    // What there is not.
    assert_eq!(client.call(&first(false, 9)), Err(-3));
    assert_eq!(client.call(&second(address_family::ADDRESS_IP4, 9)), Err(-3));
    assert_eq!(client.call(&third(address_family(7), 0)), Err(-97));
    let unknown =
        set_ip_flow_hash_v3 { flow_hash_config: v3(512), ..third(address_family::ADDRESS_IP4, 0) };
    assert_eq!(client.call(&unknown), Err(-7));
    for (line, why) in [
        ("set ip flow-hash", "say what counts, or which table"),
        ("set ip flow-hash table 9 src", "no ip4 table 9"),
        ("set ip6 flow-hash colour", "colour"),
    ] {
        let error = twins.asked.command(line).unwrap_err().to_string();
        assert!(error.contains(why), "{line}: {error}");
    }
    assert_eq!(agree(), plain);
}

#[test]
fn routers_in_a_row_decide_differently_by_their_numbers() {
    let twins = twins();
    let client = twins.client();
    let plain = paths(&twins.asked, "four");
    let with = |router_id| {
        client.call(&set_ip_flow_hash_router_id { router_id }).unwrap();
        paths(&twins.asked, "four")
    };
    assert!((1..9).any(|router| with(router) != plain));
    assert_eq!(with(0), plain);
}
