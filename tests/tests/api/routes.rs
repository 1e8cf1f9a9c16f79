//! Routes of clients: as those of the command line, but for who has given them.

use super::twins::{Twins, index, net, path, special};
use vnet::{
    api::fib_types::{fib_path, fib_path_type},
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
        "set interface ip address loop0 2001:db8::1/64",
        "ip table add 7",
        "ip6 table add 7",
    ])
}

fn change(
    is_add: bool,
    is_multipath: bool,
    prefix: &str,
    paths: Vec<fib_path>,
) -> ip_route_add_del {
    let route = ip_route { table_id: 0, stats_index: 0, prefix: net(prefix), paths };
    ip_route_add_del { is_add, is_multipath, route }
}

fn set(prefix: &str, paths: Vec<fib_path>) -> ip_route_add_del {
    change(true, false, prefix, paths)
}

#[test]
fn each_kind_of_path_leads_where_that_of_the_command_line_does() {
    let twins = twins();
    let client = twins.client();
    let (loop0, loop1) = (index(&twins.asked, "loop0"), index(&twins.asked, "loop1"));
    let in_table = |path: fib_path| fib_path { table_id: 7, ..path };
    let shared = |path: fib_path, weight, preference| fib_path { weight, preference, ..path };
    for (prefix, paths, via) in [
        ("192.0.2.0/24", vec![path("10.0.0.2", loop0)], "via 10.0.0.2 loop0"),
        ("192.0.3.0/24", vec![path("0.0.0.0", loop0)], "via loop0"),
        ("192.0.4.0/24", vec![path("192.0.2.1", NONE)], "via 192.0.2.1"),
        ("192.0.5.0/24", vec![in_table(path("192.0.2.1", NONE))], "via 192.0.2.1 next-hop-table 7"),
        ("192.0.6.0/24", vec![in_table(path("0.0.0.0", NONE))], "via ip4-lookup-in-table 7"),
        (
            "192.0.7.0/24",
            vec![special(fib_path_type::FIB_API_PATH_TYPE_DROP, "0.0.0.0", NONE)],
            "via drop",
        ),
        (
            "192.0.8.0/24",
            vec![special(fib_path_type::FIB_API_PATH_TYPE_ICMP_UNREACH, "0.0.0.0", NONE)],
            "via unreach",
        ),
        (
            "192.0.9.0/24",
            vec![special(fib_path_type::FIB_API_PATH_TYPE_ICMP_PROHIBIT, "0.0.0.0", NONE)],
            "via prohibit",
        ),
        (
            "192.0.10.0/24",
            vec![special(fib_path_type::FIB_API_PATH_TYPE_LOCAL, "0.0.0.0", NONE)],
            "via local",
        ),
        (
            "192.0.11.0/24",
            vec![shared(path("10.0.0.2", loop0), 3, 0), shared(path("10.1.0.2", loop1), 1, 0)],
            "via 10.0.0.2 loop0 weight 3 via 10.1.0.2 loop1",
        ),
        (
            "192.0.12.0/24",
            vec![shared(path("10.0.0.2", loop0), 1, 1), shared(path("10.1.0.2", loop1), 0, 2)],
            "via 10.0.0.2 loop0 preference 1 via 10.1.0.2 loop1 preference 2",
        ),
        ("2001:db8:2::/48", vec![path("2001:db8::2", loop0)], "via 2001:db8::2 loop0"),
        ("2001:db8:3::/48", vec![path("2001:db8:2::1", NONE)], "via 2001:db8:2::1"),
    ] {
        let reply = client.call(&set(prefix, paths)).unwrap();
        twins.tell(&format!("ip route add {prefix} {via}"));
        let shown = twins.asked.command(&format!("show ip{} fib {prefix}", six(prefix))).unwrap();
        assert!(shown.contains(&format!("index:{} ", reply.stats_index)), "{shown}");
        assert!(shown.contains("  API refs:1 src-flags:added,contributing,active,"), "{shown}");
    }
    twins.agree("show ip fib");
    twins.agree("show ip6 fib");
}

const fn six(prefix: &str) -> &str {
    if prefix.as_bytes()[4] == b':' { "6" } else { "" }
}

#[test]
fn paths_come_and_go_one_by_one_or_all_at_once() {
    let twins = twins();
    let client = twins.client();
    let [a, b, c] = ["10.0.0.2", "10.0.0.3", "10.0.0.4"];
    let by = |hop: &str| path(hop, index(&twins.asked, "loop0"));
    let line = |verb: &str, hop: &str| format!("ip route {verb} 192.0.2.0/24 via {hop} loop0");
    client.call(&change(true, true, "192.0.2.0/24", vec![by(a), by(b)])).unwrap();
    client.call(&change(true, true, "192.0.2.0/24", vec![by(c)])).unwrap();
    [a, b, c].iter().for_each(|hop| twins.tell(&line("add", hop)));
    twins.agree("show ip fib");
    client.call(&change(false, true, "192.0.2.0/24", vec![by(b)])).unwrap();
    twins.tell(&line("del", b));
    twins.agree("show ip fib");
    // One in place of those that are left.
    client.call(&set("192.0.2.0/24", vec![by(b)])).unwrap();
    twins.tell("ip route del 192.0.2.0/24");
    twins.tell(&line("add", b));
    twins.agree("show ip fib");
    client.call(&change(false, false, "192.0.2.0/24", vec![])).unwrap();
    twins.tell("ip route del 192.0.2.0/24");
    twins.agree("show ip fib");
    // What is gone is gone, as in VPP.
    assert!(client.call(&change(false, false, "192.0.2.0/24", vec![])).is_ok());
    assert!(client.call(&change(false, true, "192.0.2.0/24", vec![by(b)])).is_ok());
}

#[test]
fn what_cannot_be_a_route_is_refused_and_leaves_nothing() {
    let twins = twins();
    let client = twins.client();
    let before = twins.asked.command("show ip fib").unwrap();
    let loop0 = index(&twins.asked, "loop0");
    let good = || path("10.0.0.2", loop0);
    let with = |path: fib_path| set("192.0.2.0/24", vec![path]);
    let dvr = special(fib_path_type::FIB_API_PATH_TYPE_DVR, "0.0.0.0", loop0);
    for (request, number) in [
        (set("192.0.2.0/24", vec![]), -52),
        (change(false, true, "192.0.2.0/24", vec![]), -52),
        (with(path("2001:db8::2", loop0)), -157),
        (with(path("10.0.0.2", 99)), -54),
        (with(fib_path { table_id: 99, ..path("10.0.0.2", NONE) }), -3),
        (with(fib_path { rpf_id: 5, ..good() }), -3),
        (with(fib_path { n_labels: 1, ..good() }), -126),
        (with(dvr), -126),
        (with(special(fib_path_type(99), "0.0.0.0", loop0)), -7),
        (set("192.0.2.0/24", vec![good(), path("10.0.0.3", 99)]), -54),
    ] {
        assert_eq!(client.call(&request), Err(number), "{request:?}");
    }
    let mut request = with(good());
    request.route.table_id = 99;
    assert_eq!(client.call(&request), Err(-3));
    let mut request = with(good());
    request.route.prefix.len = 33;
    assert_eq!(client.call(&request), Err(-171));
    request.route.prefix = net("192.0.2.0/24");
    request.route.prefix.address.af.0 = 9;
    assert_eq!(client.call(&request), Err(-97));
    let paths = (0..65).map(|last| path(&format!("10.0.0.{}", last + 2), loop0)).collect();
    assert_eq!(client.call(&set("192.0.2.0/24", paths)), Err(-162));
    assert_eq!(twins.asked.command("show ip fib").unwrap(), before);
}

#[test]
fn routes_are_looked_up_exactly_or_by_the_longest_prefix() {
    let twins = twins();
    let client = twins.client();
    let hop = path("10.0.0.2", index(&twins.asked, "loop0"));
    client.call(&set("192.0.0.0/16", vec![hop.clone()])).unwrap();
    let ask = |table_id, exact, prefix: &str| {
        let prefix = net(prefix);
        client.call(&ip_route_lookup { table_id, exact, prefix }).map(|reply| reply.route)
    };
    let route = ask(0, 1, "192.0.0.0/16").unwrap();
    assert_eq!((&route.prefix, &route.paths), (&net("192.0.0.0/16"), &vec![hop]));
    assert_eq!(ask(0, 0, "192.0.2.1/32"), Ok(route));
    assert_eq!(ask(0, 1, "192.0.2.1/32"), Err(-6));
    assert_eq!(ask(99, 0, "192.0.2.1/32"), Err(-3));
    let ask = ip_route_lookup_v2 { table_id: 0, exact: 1, prefix: net("10.0.0.1/32") };
    let route = client.call(&ask).unwrap().route;
    // That of an interface.
    let (src, paths) = route.paths;
    assert_eq!((src, paths[0].r#type), (4, fib_path_type::FIB_API_PATH_TYPE_LOCAL));
}

#[test]
fn many_routes_are_told_in_parts_each_once_and_in_order() {
    let twins = twins();
    let client = twins.client();
    twins.asked.command("ip route add count 1000 100.0.0.0/24 via 10.0.0.2 loop0").unwrap();
    let paths = || vec![path("10.0.0.2", index(&twins.asked, "loop0"))];
    client.call(&set("100.0.0.0/16", paths())).unwrap();
    let table = ip_table::default();
    let told: Vec<_> = client
        .dump(&ip_route_dump { table: table.clone() })
        .into_iter()
        .map(|details| details.route)
        .collect();
    let shown = twins.asked.command("show ip fib table 0").unwrap();
    let shown: Vec<_> = shown.lines().skip(1).filter(|line| !line.starts_with(' ')).collect();
    let text = |route: &ip_route| {
        let address = std::net::IpAddr::try_from(&route.prefix.address).unwrap();
        format!("{address}/{}", route.prefix.len)
    };
    assert!(shown.len() > 1000);
    assert_eq!(told.iter().map(text).collect::<Vec<_>>(), shown);
    // Those of clients alone.
    let of = |src| client.dump(&ip_route_v2_dump { src, table: table.clone() });
    let [mine] = &of(8)[..] else { panic!("one route of clients") };
    assert_eq!((&mine.route.prefix, &mine.route.paths), (&net("100.0.0.0/16"), &(8, paths())));
    assert_eq!(of(9).len(), 1000);
    assert_eq!(of(0).len(), told.len());
    let nowhere = ip_table { table_id: 99, ..ip_table::default() };
    assert_eq!(client.dump(&ip_route_dump { table: nowhere }), []);
}

#[test]
fn a_route_told_is_a_route_that_can_be_given() {
    let twins = twins();
    let client = twins.client();
    for line in [
        "ip route add 192.0.2.0/24 via 10.0.0.2 loop0 weight 3 via 10.1.0.2 loop1",
        "ip route add 192.0.3.0/24 via 192.0.2.1",
        "ip route add 192.0.4.0/24 via unreach",
        "ip route add 192.0.5.0/24 via ip4-lookup-in-table 7",
    ] {
        twins.asked.command(line).unwrap();
        twins.tell(line);
    }
    let table = ip_table::default();
    for details in client.dump(&ip_route_v2_dump { src: 9, table }) {
        let request =
            ip_route_add_del_v2 { is_add: true, is_multipath: false, route: details.route };
        client.call(&request).unwrap();
    }
    twins.agree("show ip fib");
    // In the name of a source that is not a client's.
    let route = ip_route_v2 {
        prefix: net("192.0.9.0/24"),
        paths: (4, Vec::new()),
        ..ip_route_v2::default()
    };
    let request = ip_route_add_del_v2 { is_add: true, is_multipath: false, route };
    assert_eq!(client.call(&request), Err(-7));
}
