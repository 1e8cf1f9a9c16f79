//! Punted packets: where they are sent on, which are let pass, and what is punted.

use super::twins::{Twins, index, ip, path, special};
use nodes::punt::api::*;
use vnet::{
    api::{
        fib_types::fib_path_type,
        ip_types::{address_family, ip_proto},
    },
    classify::api::*,
    fib::api::*,
};

const NONE: u32 = u32::MAX;

fn twins() -> Twins {
    Twins::new(&[
        "create loopback interface",
        "create loopback interface",
        "set interface state loop0 up",
        "set interface state loop1 up",
        "set interface ip address loop0 10.0.0.1/24",
        "set interface ip address loop1 10.1.0.1/24",
        "set interface ip address loop1 2001:db8:1::1/64",
    ])
}

fn one_path(rx: u32, tx: u32, next_hop: &str, is_add: bool) -> ip_punt_redirect {
    let nh = ip(next_hop);
    ip_punt_redirect { punt: punt_redirect { rx_sw_if_index: rx, tx_sw_if_index: tx, nh }, is_add }
}

#[test]
fn a_redirect_of_one_path_is_that_of_the_command() {
    let twins = twins();
    let client = twins.client();
    let (loop0, loop1) = (index(&twins.asked, "loop0"), index(&twins.asked, "loop1"));
    let both = || {
        twins.agree("show ip punt redirect");
        twins.agree("show ip6 punt redirect");
        twins.agree("show interface features local0");
    };
    for (rx, next_hop, line) in [
        (loop0, "10.1.0.2", "ip punt redirect rx loop0 via 10.1.0.2 loop1"),
        (NONE, "0.0.0.0", "ip punt redirect rx all via loop1"),
        (loop0, "2001:db8:1::2", "ip6 punt redirect add rx loop0 via 2001:db8:1::2 loop1"),
    ] {
        client.call(&one_path(rx, loop1, next_hop, true)).unwrap();
        twins.tell(line);
        both();
    }
    let dump = |sw_if_index, is_ipv6| {
        let told = client.dump(&ip_punt_redirect_dump { sw_if_index, is_ipv6 });
        told.into_iter().map(|of| of.punt).collect::<Vec<_>>()
    };
    let told = |rx, nh| punt_redirect { rx_sw_if_index: rx, tx_sw_if_index: loop1, nh: ip(nh) };
    assert_eq!(dump(NONE, false), [told(NONE, "0.0.0.0"), told(loop0, "10.1.0.2")]);
    assert_eq!(dump(loop0, true), [told(loop0, "2001:db8:1::2")]);
    assert_eq!((dump(loop1, false), dump(99, true)), (vec![], vec![]));
    // Whatever path is named when it goes.
    client.call(&one_path(loop0, NONE, "0.0.0.0", false)).unwrap();
    twins.tell("ip punt redirect del rx loop0");
    both();
    client.call(&one_path(0, loop1, "0.0.0.0", false)).unwrap();
    twins.tell("ip punt redirect del rx all");
    both();
    for (number, request) in [
        (-2, one_path(99, loop1, "10.1.0.2", true)),
        (-2, one_path(loop0, 99, "10.1.0.2", true)),
        (-2, one_path(loop0, NONE, "10.1.0.2", true)),
        (-6, one_path(loop0, loop1, "10.1.0.2", false)),
    ] {
        assert_eq!(client.call(&request), Err(number), "{request:?}");
    }
    let mut other = one_path(loop0, loop1, "10.1.0.2", true);
    other.punt.nh.af = address_family(9);
    assert_eq!(client.call(&other), Err(-97));
    both();
}

#[test]
fn a_redirect_of_several_paths_is_that_of_the_command() {
    let twins = twins();
    let client = twins.client();
    let (loop0, loop1) = (index(&twins.asked, "loop0"), index(&twins.asked, "loop1"));
    let set = |rx_sw_if_index, af, paths, is_add| add_del_ip_punt_redirect_v2 {
        is_add,
        punt: punt_redirect_v2 { rx_sw_if_index, af, paths },
    };
    let (four, six) = (address_family::ADDRESS_IP4, address_family::ADDRESS_IP6);
    let mut second = path("10.0.0.7", NONE);
    second.preference = 1;
    let paths = vec![path("10.1.0.2", loop1), second];
    client.call(&set(loop0, four, paths.clone(), true)).unwrap();
    twins.tell("ip punt redirect rx loop0 via 10.1.0.2 loop1 via 10.0.0.7 preference 1");
    twins.agree("show ip punt redirect");
    let dump = |af| client.dump(&ip_punt_redirect_v2_dump { sw_if_index: NONE, af });
    let [told] = &dump(four)[..] else { panic!("one redirect") };
    assert_eq!((told.punt.rx_sw_if_index, told.punt.af, &told.punt.paths), (loop0, four, &paths));
    assert_eq!(client.dump(&ip_punt_redirect_v2_dump { sw_if_index: 0, af: four }), []);
    assert_eq!((dump(six), dump(address_family(7))), (vec![], vec![]));
    let local = special(fib_path_type::FIB_API_PATH_TYPE_LOCAL, "0.0.0.0", NONE);
    for (number, request) in [
        (-52, set(loop0, four, vec![], true)),
        (-126, set(loop0, four, vec![path("0.0.0.0", NONE)], true)),
        (-2, set(99, four, paths.clone(), true)),
        (-157, set(loop0, six, paths.clone(), true)),
        (-97, set(loop0, address_family(7), paths, true)),
        (-126, set(loop0, four, vec![local], true)),
        (-6, set(NONE, four, vec![], false)),
    ] {
        assert_eq!(client.call(&request), Err(number), "{request:?}");
    }
    twins.agree("show ip punt redirect");
    client.call(&set(loop0, four, vec![], false)).unwrap();
    twins.tell("ip punt redirect del rx loop0");
    assert_eq!(dump(four), []);
}

#[test]
fn tables_of_what_is_punted_are_those_of_the_command_and_stay_as_long_as_they_are_used() {
    let table = "classify table mask l3 ip4 src miss-next 0 current-data-flag 1";
    let twins = Twins::new(&[table, table]);
    let client = twins.client();
    let set = |is_add, ip4_table_index, ip6_table_index| {
        client.call(&punt_acl_add_del { ip4_table_index, ip6_table_index, is_add }).map(drop)
    };
    let get = || {
        let told = client.call(&punt_acl_get {}).unwrap();
        (told.ip4_table_index, told.ip6_table_index)
    };
    let agree = || {
        twins.agree("show inacl type ip4-punt");
        twins.agree("show inacl type ip6-punt");
        twins.agree("show interface features local0");
    };
    assert_eq!(get(), (NONE, NONE));
    set(true, 0, 1).unwrap();
    twins.tell("set interface input acl intfc local0 ip4-punt-table 0");
    twins.tell("set interface input acl intfc local0 ip6-punt-table 1");
    agree();
    assert_eq!(get(), (0, 1));
    // What is so already is fine; other tables are not, and none goes that is used.
    set(true, 0, NONE).unwrap();
    assert_eq!(
        [set(true, 1, NONE), set(true, NONE, 9), set(false, 1, NONE)],
        [Err(-81), Err(-81), Err(-65)]
    );
    let refused = twins.asked.command("classify table del table 0").unwrap_err().to_string();
    assert!(refused.contains("in use: ip4-punt input access list of sw_if_index 0"), "{refused}");
    set(false, 0, NONE).unwrap();
    twins.tell("set interface input acl intfc local0 ip4-punt-table 0 del");
    agree();
    assert_eq!((get(), set(true, 9, NONE)), ((NONE, 1), Err(-65)));
    twins.asked.command("classify table del table 0").unwrap();
}

#[test]
fn what_is_punted_is_said_as_by_commands() {
    let twins = twins();
    let client = twins.client();
    let of_port = |is_add, af: address_family, protocol: ip_proto, port: u16| {
        let [high, low] = port.to_be_bytes();
        let punt = punt {
            r#type: punt_type::PUNT_API_TYPE_L4,
            punt: punt_union([af.0, protocol.0, high, low]),
        };
        client.call(&set_punt { is_add, punt }).map(drop)
    };
    let other = |is_add, r#type, octets| {
        client.call(&set_punt { is_add, punt: punt { r#type, punt: punt_union(octets) } }).map(drop)
    };
    let (four, six) = (address_family::ADDRESS_IP4, address_family::ADDRESS_IP6);
    let (udp, tcp) = (ip_proto::IP_API_PROTO_UDP, ip_proto::IP_API_PROTO_TCP);
    let protocol = punt_type::PUNT_API_TYPE_IP_PROTO;
    let say = |done: Result<(), i32>, line: &str| {
        assert_eq!(done, Ok(()), "{line}");
        twins.tell(line);
        twins.agree("show punt db");
    };
    say(of_port(true, four, udp, 125), "set punt udp 125");
    say(of_port(true, six, udp, 125), "set punt ipv6 udp 125");
    say(of_port(true, four, udp, u16::MAX), "set punt udp all");
    say(of_port(true, six, tcp, u16::MAX), "set punt ip6 tcp all");
    say(other(true, protocol, [0, 89, 0, 0]), "set punt protocol 89");
    say(of_port(true, four, udp, 125), "set punt ipv4 udp 125");
    let exception = punt_type::PUNT_API_TYPE_EXCEPTION;
    assert_eq!(
        [
            of_port(true, four, tcp, 80),
            of_port(true, four, ip_proto(89), 80),
            of_port(true, address_family(5), udp, 80),
            of_port(false, four, udp, 126),
            other(true, protocol, [0, 17, 0, 0]),
            other(true, exception, [0, 0, 0, 1]),
            other(true, punt_type(7), [0; 4]),
        ],
        [-126, -7, -97, -6, -81, -6, -7].map(Err)
    );
    twins.agree("show punt db");
    say(of_port(false, four, udp, 125), "set punt del 125");
    say(of_port(false, four, udp, u16::MAX), "set punt udp del all");
    say(other(false, protocol, [0, 89, 0, 0]), "set punt del protocol 89");
}
