//! Tables of clients, and addresses of interfaces.

use super::twins::{Twins, index, net, path, special};
use vnet::{api::fib_types::fib_path_type, fib::api::*};

fn table(table_id: u32, name: &str) -> ip_table {
    ip_table { table_id, is_ip6: false, name: name.into() }
}

fn add_del(is_add: bool, table: ip_table) -> ip_table_add_del {
    ip_table_add_del { is_add, table }
}

#[test]
fn tables_come_and_go_as_by_commands_and_have_names() {
    let twins = Twins::new(&["create loopback interface"]);
    let client = twins.client();
    client.call(&add_del(true, table(7, ""))).unwrap();
    let is_ip6 = ip_table { is_ip6: true, ..table(7, "") };
    let request = ip_table_add_del_v2 { table: is_ip6, create_mfib: true, is_add: true };
    client.call(&request).unwrap();
    twins.tell("ip table add 7");
    twins.tell("ip6 table add 7");
    twins.agree("show ip fib");
    twins.agree("show ip6 fib");
    // As often as it likes, and deleted once.
    client.call(&add_del(true, table(7, ""))).unwrap();
    client.call(&add_del(true, table(8, "customers"))).unwrap();
    let shown = twins.asked.command("show ip fib table 8").unwrap();
    assert!(shown.starts_with("customers, fib_index:"), "{shown}");
    let told = client.dump(&ip_table_dump {}).into_iter();
    let told: Vec<_> =
        told.map(|t| (t.table.table_id, t.table.is_ip6, t.table.name.to_string())).collect();
    let expected = [
        (0, false, "ipv4-VRF:0"),
        (7, false, "ipv4-VRF:7"),
        (8, false, "customers"),
        (0, true, "ipv6-VRF:0"),
        (7, true, "ipv6-VRF:7"),
    ];
    assert_eq!(told, expected.map(|(id, is_ip6, name)| (id, is_ip6, name.to_owned())));
    client.call(&add_del(false, table(8, ""))).unwrap();
    client.call(&add_del(false, table(8, ""))).unwrap();
    client.call(&add_del(false, table(0, ""))).unwrap();
    twins.agree("show ip fib");
    twins.asked.command("set interface ip table loop0 7").unwrap();
    // Where an interface uses it, it goes with that, unless it is wanted again meanwhile; its routes go at once.
    let paths = vec![special(fib_path_type::FIB_API_PATH_TYPE_DROP, "0.0.0.0", u32::MAX)];
    let route = ip_route { table_id: 7, stats_index: 0, prefix: net("10.9.0.0/16"), paths };
    client.call(&ip_route_add_del { is_add: true, is_multipath: false, route }).unwrap();
    let shown = || twins.asked.command("show ip fib table 7 10.9.0.1").unwrap_or_default();
    assert!(shown().contains("10.9.0.0/16"));
    client.call(&add_del(false, table(7, ""))).unwrap();
    assert!(shown().contains("0.0.0.0/0") && !shown().contains("10.9.0.0/16"), "{}", shown());
    client.call(&add_del(true, table(7, ""))).unwrap();
    twins.asked.command("set interface ip table loop0 0").unwrap();
    assert!(shown().contains("0.0.0.0/0"), "it was wanted again");
    twins.asked.command("set interface ip table loop0 7").unwrap();
    client.call(&add_del(false, table(7, ""))).unwrap();
    twins.asked.command("set interface ip table loop0 0").unwrap();
    twins.asked.run_until_idle();
    assert_eq!(shown(), "", "it went with its last interface");
    twins.asked.command("ip table add 7").unwrap();
}

#[test]
fn packets_move_while_a_table_of_many_routes_is_deleted() {
    const ROUTES: u64 = 20_000;
    let twins = Twins::new(&[
        "create packet-generator interface pg0",
        "set interface state pg0 up",
        "ip table add 7",
        "ip table add 8",
        "ip route add 10.0.0.0/8 table 7 via ip4-lookup-in-table 8",
        &format!("ip route add 100.0.0.0/24 count {ROUTES} table 7 via drop"),
        "packet-generator new { name s limit 0 maxframe 1 size 60-60 node ethernet-input interface pg0 data { \
         IP4: 02:00:00:00:00:01 -> 02:00:00:00:00:02 UDP: 10.0.0.1 -> 10.0.0.2 UDP: 1 -> 2 incrementing 18 } }",
        "packet-generator enable",
    ]);
    let client = twins.client();
    let generated = || {
        let shown = twins.asked.command("show packet-generator").unwrap();
        let line = shown.lines().find(|line| line.starts_with("s ")).unwrap();
        line.split_whitespace().filter_map(|word| word.parse::<u64>().ok()).next_back().unwrap()
    };
    let before = generated();
    client.call(&add_del(false, table(7, ""))).unwrap();
    let moved = generated() - before;
    assert!(moved >= ROUTES / 256, "{moved} packets while {ROUTES} routes went");
    // What its routes referred to is free when the client hears of it.
    client.call(&add_del(false, table(8, ""))).unwrap();
    for name in [7, 8] {
        assert!(twins.asked.command(&format!("show ip fib table {name}")).is_err());
    }
}

#[test]
fn a_table_that_is_allocated_has_a_number_that_none_had() {
    let twins = Twins::new(&["ip table add 1", "ip table add 3"]);
    let client = twins.client();
    let allocate = |id| client.call(&ip_table_allocate { table: table(id, "") }).map(|r| r.table);
    let first = allocate(u32::MAX).unwrap();
    let second = allocate(u32::MAX).unwrap();
    assert_eq!([first.table_id, second.table_id], [2, 4]);
    assert_eq!(allocate(9).unwrap().table_id, 9);
    [2, 4, 9].iter().for_each(|id| twins.tell(&format!("ip table add {id}")));
    twins.agree("show ip fib");
}

#[test]
fn what_a_client_does_not_give_again_goes_with_the_end_of_the_replacement() {
    let twins = Twins::new(&[
        "create loopback interface",
        "set interface state loop0 up",
        "set interface ip address loop0 10.0.0.1/24",
        "ip route add 198.51.100.0/24 via 10.0.0.2 loop0",
    ]);
    let client = twins.client();
    let loop0 = index(&twins.asked, "loop0");
    let give = |number: u32| {
        let prefix = net(&format!("100.{}.{}.0/24", number >> 8, number & 0xff));
        let route =
            ip_route { prefix, paths: vec![path("10.0.0.2", loop0)], ..ip_route::default() };
        client.call(&ip_route_add_del { is_add: true, is_multipath: false, route }).unwrap();
    };
    let end = || client.call(&ip_table_replace_end { table: table(0, "") });
    (0..1000).for_each(give);
    // Without a beginning nothing is replaced.
    end().unwrap();
    let shown = twins.asked.command("show ip fib").unwrap();
    client.call(&ip_table_replace_begin { table: table(0, "") }).unwrap();
    (0..1000).for_each(give);
    end().unwrap();
    assert_eq!(twins.asked.command("show ip fib").unwrap(), shown);
    client.call(&ip_table_replace_begin { table: table(0, "") }).unwrap();
    (500..600).for_each(give);
    end().unwrap();
    twins.tell("ip route add count 100 100.1.244.0/24 via 10.0.0.2 loop0");
    let prefixes = |text: &str| -> Vec<String> {
        let head = |line: &&str| !line.starts_with(' ') && !line.contains("VRF");
        text.lines().filter(head).map(str::to_owned).collect()
    };
    let left = prefixes(&twins.asked.command("show ip fib").unwrap());
    assert_eq!(left.iter().filter(|prefix| prefix.starts_with("100.")).count(), 100);
    assert!(
        left.contains(&"100.1.244.0/24".to_owned()) && left.contains(&"100.2.87.0/24".to_owned())
    );
    client.call(&ip_table_flush { table: table(0, "") }).unwrap();
    twins.tell("ip route del count 100 100.1.244.0/24");
    assert_eq!(prefixes(&twins.asked.command("show ip fib").unwrap()).len(), left.len() - 100);
    for result in [
        client.call(&ip_table_replace_begin { table: table(9, "") }).err(),
        client.call(&ip_table_replace_end { table: table(9, "") }).err(),
        client.call(&ip_table_flush { table: table(9, "") }).err(),
    ] {
        assert_eq!(result, Some(-3));
    }
}

#[test]
fn addresses_are_told_for_each_interface() {
    let twins = Twins::new(&[
        "create loopback interface",
        "create loopback interface",
        "set interface ip address loop0 10.0.0.1/24",
        "set interface ip address loop0 10.0.1.1/31",
        "set interface ip address loop0 2001:db8::1/64",
        "set interface unnumbered loop1 use loop0",
    ]);
    let client = twins.client();
    let (loop0, loop1) = (index(&twins.asked, "loop0"), index(&twins.asked, "loop1"));
    let addresses = |sw_if_index, is_ipv6| -> Vec<_> {
        let all = client.dump(&ip_address_dump { sw_if_index, is_ipv6 }).into_iter();
        all.map(|details| (details.sw_if_index, details.prefix)).collect()
    };
    let with = |text: &str, len| vnet::api::ip_types::prefix {
        len,
        ..net(&format!("{text}/{}", if text.contains(':') { 128 } else { 32 }))
    };
    let expected = [(loop0, with("10.0.0.1", 24)), (loop0, with("10.0.1.1", 31))];
    assert_eq!(addresses(loop0, false), expected);
    assert_eq!(addresses(loop0, true), [(loop0, with("2001:db8::1", 64))]);
    assert_eq!(addresses(loop1, false), []);
    assert_eq!(addresses(99, false), []);
    let unnumbered = |sw_if_index| client.dump(&ip_unnumbered_dump { sw_if_index });
    let lent = ip_unnumbered_details { sw_if_index: loop1, ip_sw_if_index: loop0 };
    assert_eq!(unnumbered(u32::MAX), std::slice::from_ref(&lent));
    assert_eq!(unnumbered(loop1), [lent]);
    assert_eq!(unnumbered(loop0), []);
    let all: Vec<_> =
        client.dump(&ip_dump { is_ipv6: false }).into_iter().map(|d| d.sw_if_index).collect();
    assert_eq!(all, [0, loop0]);
}

#[test]
fn ipv6_is_enabled_with_a_link_local_address_that_can_be_another() {
    let twins = Twins::new(&["create loopback interface"]);
    let client = twins.client();
    let sw_if_index = index(&twins.asked, "loop0");
    let get =
        || client.call(&sw_interface_ip6_get_link_local_address { sw_if_index }).map(|r| r.ip);
    let enable = |sw_if_index, enable| {
        client.call(&sw_interface_ip6_enable_disable { sw_if_index, enable }).map(drop)
    };
    let set = |sw_if_index, text: &str| {
        let ip = text.parse::<std::net::Ipv6Addr>().unwrap().octets();
        client.call(&sw_interface_ip6_set_link_local_address { sw_if_index, ip }).map(drop)
    };
    assert_eq!(get(), Err(-62));
    enable(sw_if_index, true).unwrap();
    twins.tell("enable ip6 interface loop0");
    twins.agree("show ip6 interface");
    assert_eq!(get().unwrap()[..8], [0xfe, 0x80, 0, 0, 0, 0, 0, 0]);
    set(sw_if_index, "fe80::7").unwrap();
    twins.tell("set interface ip address loop0 fe80::7/128");
    twins.agree("show ip6 interface");
    assert_eq!(std::net::Ipv6Addr::from(get().unwrap()).to_string(), "fe80::7");
    assert_eq!(set(sw_if_index, "2001:db8::1"), Err(-7));
    enable(sw_if_index, false).unwrap();
    twins.tell("disable ip6 interface loop0");
    twins.agree("show ip6 interface");
    assert_eq!(enable(sw_if_index, false), Err(-62));
    assert_eq!([enable(99, true), enable(99, false), set(99, "fe80::7")], [Err(-2); 3]);
}
