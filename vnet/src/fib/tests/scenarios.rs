//! What an operator orders, and what must follow.

use super::*;

#[test]
fn a_new_table_has_the_prefixes_that_are_never_routed() {
    let mut forwarding = Forwarding::new().unwrap();
    let specials = ["0.0.0.0/0", "0.0.0.0/32", "224.0.0.0/4", "240.0.0.0/4", "255.255.255.255/32"];
    assert_eq!(listed(&forwarding, Family::Ip4, FIB), specials);
    assert_eq!(listed(&forwarding, Family::Ip6, FIB), ["::/0", "fe80::/10", "ff02::/16"]);
    for destination in
        ["0.0.0.0", "1.2.3.4", "224.0.0.1", "240.0.0.1", "255.255.255.255", "2001:db8::1"]
    {
        assert_eq!(ways_to(&forwarding, destination), [Way::Drop]);
    }
    assert_eq!(ways_to(&forwarding, "fe80::1"), [Way::Local(SwIfIndex::NONE)]);
    let fib = forwarding.add_table(Family::Ip4, TableId(10)).unwrap();
    assert_eq!(listed(&forwarding, Family::Ip4, fib), specials);
    // The operator's default route wins over the table's, and multicast is not the operator's to route.
    set_route(&mut forwarding, "0.0.0.0/0", &[Path::PUNT]);
    set_route(&mut forwarding, "224.0.0.0/4", &[Path::PUNT]);
    assert_eq!(ways_to(&forwarding, "1.2.3.4"), [Way::Punt]);
    assert_eq!(ways_to(&forwarding, "224.0.0.1"), [Way::Drop]);
    assert_eq!(ways(&forwarding.reader(), fib, address("1.2.3.4")), [Way::Drop]);
}

#[test]
fn an_interface_address_is_local_and_connects_its_prefix() {
    let mut forwarding = two_interfaces();
    let before = listed(&forwarding, Family::Ip4, FIB);
    forwarding.add_address(PG0, interface_address("10.0.0.1/24")).unwrap();
    assert_eq!(ways_to(&forwarding, "10.0.0.1"), [Way::Local(PG0)]);
    assert_eq!(ways_to(&forwarding, "10.0.0.2"), [Way::Glean(PG0)]);
    assert_eq!(ways_to(&forwarding, "10.0.0.0"), [Way::Drop]);
    assert_eq!(ways_to(&forwarding, "10.0.0.255"), [Way::Drop]);
    // A second address in the prefix keeps it connected when the first one goes.
    forwarding.add_address(PG0, interface_address("10.0.0.2/24")).unwrap();
    forwarding.delete_address(PG0, interface_address("10.0.0.1/24")).unwrap();
    assert_eq!(ways_to(&forwarding, "10.0.0.1"), [Way::Glean(PG0)]);
    assert_eq!(ways_to(&forwarding, "10.0.0.2"), [Way::Local(PG0)]);
    forwarding.delete_address(PG0, interface_address("10.0.0.2/24")).unwrap();
    assert_eq!(listed(&forwarding, Family::Ip4, FIB), before);
    // RFC 3021: both addresses of a /31 are hosts.
    forwarding.add_address(PG0, interface_address("10.0.0.0/31")).unwrap();
    assert_eq!(ways_to(&forwarding, "10.0.0.0"), [Way::Local(PG0)]);
    assert_eq!(ways_to(&forwarding, "10.0.0.1"), [Way::Glean(PG0)]);
    forwarding.add_address(PG1, interface_address("2001:db8::1/64")).unwrap();
    assert_eq!(ways_to(&forwarding, "2001:db8::1"), [Way::Local(PG1)]);
    assert_eq!(ways_to(&forwarding, "2001:db8::"), [Way::Glean(PG1)]);
}

#[test]
fn addresses_that_collide_are_refused() {
    let mut forwarding = two_interfaces();
    forwarding.add_address(PG0, interface_address("10.0.0.1/24")).unwrap();
    let before = listed(&forwarding, Family::Ip4, FIB);
    let error = |done: Result<(), FibError>| done.unwrap_err().to_string();
    assert_eq!(
        error(forwarding.add_address(PG0, interface_address("10.0.0.1/25"))),
        "interface 1 has 10.0.0.1/25 already"
    );
    assert_eq!(
        error(forwarding.add_address(PG1, interface_address("10.0.0.129/25"))),
        "10.0.0.129/25 overlaps a prefix of interface 1 in the same table"
    );
    assert_eq!(
        error(forwarding.delete_address(PG0, interface_address("10.0.0.1/25"))),
        "interface 1 does not have 10.0.0.1/25"
    );
    assert_eq!(
        error(forwarding.add_address(SwIfIndex(9), interface_address("10.0.0.1/25"))),
        "no interface with index 9"
    );
    assert_eq!(listed(&forwarding, Family::Ip4, FIB), before);
    // In a table of its own the prefix is free.
    let fib = forwarding.add_table(Family::Ip4, TableId(7)).unwrap();
    forwarding.bind_table(PG1, Family::Ip4, fib).unwrap();
    forwarding.add_address(PG1, interface_address("10.0.0.129/25")).unwrap();
    assert!(matches!(
        forwarding.bind_table(PG1, Family::Ip4, FIB),
        Err(FibError::HasAddresses(PG1, Family::Ip4))
    ));
}

#[test]
fn paths_are_replaced_or_added_as_ordered() {
    let mut forwarding = two_interfaces();
    for (interface, peer) in [(PG0, "10.0.0.2"), (PG1, "10.0.1.2")] {
        set_neighbor(&mut forwarding, interface, peer, 9);
    }
    let (a, b) = (address("10.0.0.2"), address("10.0.1.2"));
    let route = set_route(&mut forwarding, "192.0.2.0/24", &[Path::via(a, PG0)]);
    assert_eq!(set_route(&mut forwarding, "192.0.2.0/24", &[Path::via(b, PG1)]), route);
    assert_eq!(ways_to(&forwarding, "192.0.2.1"), [Way::Send(PG1, b)]);
    let heavy = Path::via(a, PG0).weighted(3);
    forwarding.add_paths(FIB, prefix("192.0.2.0/24"), Source::Cli, &[heavy]).unwrap();
    let (to_a, to_b) = (Way::Send(PG0, a), Way::Send(PG1, b));
    assert_eq!(ways_to(&forwarding, "192.0.2.1"), [to_a, to_a, to_a, to_b]);
    let light = Path::via(a, PG0);
    forwarding.add_paths(FIB, prefix("192.0.2.0/24"), Source::Cli, &[light]).unwrap();
    assert_eq!(ways_to(&forwarding, "192.0.2.1"), [to_a, to_b]);
    let mut remove = |path: Path| {
        forwarding.remove_paths(FIB, prefix("192.0.2.0/24"), Source::Cli, &[path.target])
    };
    remove(Path::via(a, PG0)).unwrap();
    assert!(matches!(remove(Path::via(a, PG0)), Err(FibError::NoSuchPath(_))));
    remove(Path::via(b, PG1)).unwrap();
    assert!(matches!(remove(Path::via(b, PG1)), Err(FibError::NoSuchRoute(_))));
    assert_eq!(ways_to(&forwarding, "192.0.2.1"), [Way::Drop]);
}

#[test]
fn what_cannot_be_a_route_is_refused() {
    let mut forwarding = two_interfaces();
    let before = (listed(&forwarding, Family::Ip4, FIB), forwarding.counts());
    let many: Vec<_> =
        (0..=MAX_PATHS as u8).map(|i| Path::via([10, 0, 0, i].into(), PG0)).collect();
    let cases: [(&[Path], &str); 6] = [
        (&[], "route 192.0.2.0/24 needs a path"),
        (&many, "route 192.0.2.0/24 can have 64 paths at most"),
        (&[via("2001:db8::1")], "a path of route 192.0.2.0/24 is not ip4"),
        (&[Path::attached(SwIfIndex(9))], "no interface with index 9"),
        (&[Path::recursive([10, 0, 0, 1].into(), FibIndex(5))], "no ip4 table with FIB index 5"),
        (&[Path::to(PathTarget::Lookup { table: FibIndex(5) })], "no ip4 table with FIB index 5"),
    ];
    for (paths, message) in cases {
        let done = forwarding.set_route(FIB, prefix("192.0.2.0/24"), Source::Cli, paths);
        assert_eq!(done.unwrap_err().to_string(), message);
    }
    let done =
        forwarding.set_route(FibIndex(5), prefix("192.0.2.0/24"), Source::Cli, &[Path::PUNT]);
    assert_eq!(done.unwrap_err().to_string(), "no ip4 table with FIB index 5");
    assert_eq!((listed(&forwarding, Family::Ip4, FIB), forwarding.counts()), before);
}

#[test]
fn a_next_hop_on_a_connected_prefix_becomes_a_neighbor_like_any_other() {
    let mut forwarding = two_interfaces();
    set_route(&mut forwarding, "192.0.2.0/24", &[via("10.0.0.2")]);
    assert_eq!(ways_to(&forwarding, "192.0.2.1"), [Way::Drop]);
    forwarding.add_address(PG0, interface_address("10.0.0.1/24")).unwrap();
    let peer = address("10.0.0.2");
    assert_eq!(ways_to(&forwarding, "192.0.2.1"), [Way::Ask(PG0, peer)]);
    set_neighbor(&mut forwarding, PG0, "10.0.0.2", 9);
    assert_eq!(ways_to(&forwarding, "192.0.2.1"), [Way::Send(PG0, peer)]);
    forwarding.delete_neighbor(PG0, peer).unwrap();
    assert_eq!(ways_to(&forwarding, "192.0.2.1"), [Way::Ask(PG0, peer)]);
    forwarding.set_interface(PG0, ethernet(1, false)).unwrap();
    assert_eq!(ways_to(&forwarding, "192.0.2.1"), [Way::Drop]);
    forwarding.set_interface(PG0, ethernet(1, true)).unwrap();
    forwarding.delete_address(PG0, interface_address("10.0.0.1/24")).unwrap();
    assert_eq!(ways_to(&forwarding, "192.0.2.1"), [Way::Drop]);
}

#[test]
fn a_loop_drops_and_says_so_until_it_is_broken() {
    let mut forwarding = two_interfaces();
    let a = set_route(&mut forwarding, "10.0.0.0/8", &[via("11.0.0.1")]);
    set_route(&mut forwarding, "11.0.0.0/8", &[via("12.0.0.1")]);
    set_route(&mut forwarding, "12.0.0.0/8", &[via("10.0.0.1")]);
    for destination in ["10.0.0.1", "11.0.0.1", "12.0.0.1"] {
        assert_eq!(ways_to(&forwarding, destination), [Way::Drop]);
    }
    assert!(forwarding.route(a).unwrap().looped);
    set_route(&mut forwarding, "12.0.0.0/8", &[Path::attached(PG1)]);
    assert!(!forwarding.route(a).unwrap().looped);
    let next_hop = Way::Ask(PG1, address("12.0.0.1"));
    assert_eq!(ways_to(&forwarding, "10.0.0.1"), [next_hop]);
    assert_eq!(ways_to(&forwarding, "12.0.0.9"), [Way::Glean(PG1)]);
}

#[test]
fn a_chain_of_any_length_resolves() {
    let mut forwarding = two_interfaces();
    let hop = |i: u32| core::net::Ipv4Addr::from_bits(0x0a00_0000 + i);
    for i in 0..1_000 {
        let prefix = IpPrefix::host(hop(i).into());
        let path = Path::recursive(hop(i + 1).into(), FIB);
        forwarding.set_route(FIB, prefix, Source::Cli, &[path]).unwrap();
    }
    let end = IpPrefix::host(hop(1_000).into());
    assert_eq!(ways_to(&forwarding, "10.0.0.0"), [Way::Drop]);
    forwarding.set_route(FIB, end, Source::Cli, &[Path::PUNT]).unwrap();
    assert_eq!(ways_to(&forwarding, "10.0.0.0"), [Way::Punt]);
    let back = Path::recursive(hop(0).into(), FIB);
    forwarding.set_route(FIB, end, Source::Cli, &[back]).unwrap();
    assert_eq!(ways_to(&forwarding, "10.0.0.0"), [Way::Drop]);
}

#[test]
fn the_first_source_in_rank_forwards_and_the_next_takes_over() {
    let mut forwarding = two_interfaces();
    set_neighbor(&mut forwarding, PG0, "10.0.0.2", 9);
    let host = prefix("10.0.0.2/32");
    assert_eq!(ways_to(&forwarding, "10.0.0.2"), [Way::Send(PG0, address("10.0.0.2"))]);
    forwarding.set_route(FIB, host, Source::Cli, &[Path::PUNT]).unwrap();
    assert_eq!(ways_to(&forwarding, "10.0.0.2"), [Way::Punt]);
    forwarding.set_route(FIB, host, Source::Api, &[Path::DROP]).unwrap();
    assert_eq!(ways_to(&forwarding, "10.0.0.2"), [Way::Drop]);
    let index = forwarding.find(FIB, host).unwrap().unwrap();
    let sources: Vec<_> =
        forwarding.route(index).unwrap().sources.iter().map(|(source, _)| source.name()).collect();
    assert_eq!(sources, ["API", "CLI", "adjacency"]);
    forwarding.delete_route(FIB, host, Source::Cli).unwrap();
    forwarding.delete_route(FIB, host, Source::Api).unwrap();
    assert_eq!(ways_to(&forwarding, "10.0.0.2"), [Way::Send(PG0, address("10.0.0.2"))]);
    assert!(matches!(
        forwarding.delete_route(FIB, host, Source::Cli),
        Err(FibError::NoSuchRoute(_))
    ));
}

#[test]
fn neighbors_that_are_static_or_without_route_stay_so() {
    let mut forwarding = two_interfaces();
    let peer = address("10.0.0.2");
    let mut set = |last: u8, flags| {
        let mac = [2, 0, 0, 0, 0, last];
        forwarding.set_neighbor(PG0, peer, mac, flags, EngineTime(u64::from(last))).unwrap();
        (
            forwarding.neighbor(PG0, peer).unwrap().mac[5],
            forwarding.find(FIB, prefix("10.0.0.2/32")),
        )
    };
    assert!(matches!(set(1, NeighborFlags::empty()), (1, Ok(Some(_)))));
    assert!(matches!(set(2, NeighborFlags::STATIC | NeighborFlags::NO_FIB_ENTRY), (2, Ok(None))));
    assert!(matches!(set(3, NeighborFlags::empty()), (2, Ok(None))));
    assert!(matches!(set(4, NeighborFlags::STATIC), (4, Ok(Some(_)))));
    assert_eq!(forwarding.neighbors(Family::Ip4).count(), 1);
    // Link-local addresses are not routed: they mean something on their link only.
    set_neighbor(&mut forwarding, PG0, "fe80::2", 5);
    assert_eq!(forwarding.find(FIB, prefix("fe80::2/128")).unwrap(), None);
    forwarding.delete_neighbor(PG0, address("fe80::2")).unwrap();
    assert!(matches!(
        forwarding.delete_neighbor(PG0, address("fe80::2")),
        Err(FibError::NoSuchNeighbor(PG0, _))
    ));
}

#[test]
fn an_interface_that_changes_its_mac_address_sends_from_it() {
    let mut forwarding = two_interfaces();
    set_neighbor(&mut forwarding, PG0, "10.0.0.2", 9);
    let route = forwarding.find(FIB, prefix("10.0.0.2/32")).unwrap().unwrap();
    let reader = forwarding.reader();
    let source = || {
        let tail = reader.adjacency(reader.load_balance(route).adjacency_index()).rewrite_tail();
        tail[8..14].to_vec()
    };
    assert_eq!(source(), [2, 0xfe, 0, 0, 0, 1]);
    let kind = LinkKind::ethernet([6; 6]);
    forwarding.set_interface(PG0, Link { kind, ..ethernet(1, true) }).unwrap();
    assert_eq!(source(), [6; 6]);
}

#[test]
fn a_deleted_interface_leaves_nothing_behind() {
    let mut forwarding = two_interfaces();
    let fresh = (forwarding.counts(), listed(&forwarding, Family::Ip4, FIB));
    forwarding.add_address(PG0, interface_address("10.0.0.1/24")).unwrap();
    forwarding.add_address(PG0, interface_address("2001:db8::1/64")).unwrap();
    set_neighbor(&mut forwarding, PG0, "10.0.0.2", 9);
    set_neighbor(&mut forwarding, PG0, "fe80::2", 9);
    let peer = address("10.0.0.2");
    set_route(&mut forwarding, "192.0.2.0/24", &[Path::via(peer, PG0)]);
    set_route(&mut forwarding, "198.51.100.0/24", &[Path::via(peer, PG0), Path::attached(PG1)]);
    set_route(&mut forwarding, "203.0.113.0/24", &[via("10.0.0.2")]);
    forwarding.delete_interface(PG0).unwrap();
    assert_eq!(ways_to(&forwarding, "192.0.2.1"), [Way::Drop]);
    assert_eq!(forwarding.find(FIB, prefix("192.0.2.0/24")).unwrap(), None);
    assert_eq!(ways_to(&forwarding, "198.51.100.1"), [Way::Glean(PG1)]);
    assert_eq!(ways_to(&forwarding, "203.0.113.1"), [Way::Drop]);
    assert!(matches!(forwarding.delete_interface(PG0), Err(FibError::NoSuchInterface(PG0))));
    // Another interface with the same number starts afresh.
    forwarding.set_interface(PG0, ethernet(1, true)).unwrap();
    assert_eq!(ways_to(&forwarding, "192.0.2.1"), [Way::Drop]);
    forwarding.delete_route(FIB, prefix("198.51.100.0/24"), Source::Cli).unwrap();
    forwarding.delete_route(FIB, prefix("203.0.113.0/24"), Source::Cli).unwrap();
    assert_eq!((forwarding.counts(), listed(&forwarding, Family::Ip4, FIB)), fresh);
}

#[test]
fn tables_are_separate_and_go_only_when_nothing_uses_them() {
    let mut forwarding = two_interfaces();
    let fib = forwarding.add_table(Family::Ip4, TableId(10)).unwrap();
    assert!(matches!(
        forwarding.add_table(Family::Ip4, TableId(10)),
        Err(FibError::TableExists(Family::Ip4, TableId(10)))
    ));
    set_neighbor(&mut forwarding, PG0, "10.0.0.2", 9);
    forwarding.bind_table(PG0, Family::Ip4, fib).unwrap();
    assert_eq!(forwarding.reader().fib_of(PG0, Family::Ip4), fib);
    assert_eq!(forwarding.reader().fib_of(PG0, Family::Ip6), FIB);
    // The neighbour's route moved along.
    assert_eq!(forwarding.find(FIB, prefix("10.0.0.2/32")).unwrap(), None);
    assert!(forwarding.find(fib, prefix("10.0.0.2/32")).unwrap().is_some());
    let refused = |forwarding: &mut Forwarding| {
        forwarding.delete_table(Family::Ip4, TableId(10)).unwrap_err().to_string()
    };
    assert_eq!(refused(&mut forwarding), "ip4 table 10 is in use by interface 1");
    forwarding.bind_table(PG0, Family::Ip4, FIB).unwrap();
    set_route(&mut forwarding, "192.0.2.0/24", &[Path::to(PathTarget::Lookup { table: fib })]);
    assert_eq!(ways_to(&forwarding, "192.0.2.1"), [Way::Lookup(fib)]);
    assert_eq!(refused(&mut forwarding), "ip4 table 10 is in use by the path of a route");
    set_route(&mut forwarding, "192.0.2.0/24", &[Path::recursive(address("10.0.0.2"), fib)]);
    assert_eq!(refused(&mut forwarding), "ip4 table 10 is in use by the path of a route");
    forwarding.delete_route(FIB, prefix("192.0.2.0/24"), Source::Cli).unwrap();
    forwarding.delete_table(Family::Ip4, TableId(10)).unwrap();
    assert!(matches!(forwarding.table(Family::Ip4, TableId(10)), Err(FibError::NoSuchTable(..))));
    assert!(matches!(
        forwarding.delete_table(Family::Ip4, TableId(0)),
        Err(FibError::TableInUse(_, _, TableUse::Default))
    ));
    assert_eq!(forwarding.tables(Family::Ip4), [(TableId(0), FIB)]);
}

#[test]
fn a_deleted_table_loses_its_name_at_once_and_its_routes_in_parts() {
    const ROUTES: u32 = 1000;
    let mut forwarding = two_interfaces();
    let route = |number: u32| {
        IpPrefix::new(std::net::Ipv4Addr::from_bits(0x6400_0000 | number << 8).into(), 24).unwrap()
    };
    let fib = forwarding.add_table(Family::Ip4, TableId(10)).unwrap();
    let path = [Path::via(address("10.0.0.2"), PG0)];
    for number in 0..ROUTES {
        forwarding.set_route(fib, route(number), Source::Api, &path).unwrap();
    }
    let lists = forwarding.counts().path_lists;
    let path = [Path::PUNT];
    forwarding.delete_table(Family::Ip4, TableId(10)).unwrap();
    let again = forwarding.add_table(Family::Ip4, TableId(10)).unwrap();
    forwarding.set_route(again, route(0), Source::Api, &path).unwrap();
    let mut left = ROUTES as usize;
    while forwarding.has_deleted() {
        forwarding.sweep();
        let there = forwarding.routes(Family::Ip4, fib).map_or(0, |all| {
            all.filter(|(prefix, _)| (0..ROUTES).any(|number| route(number) == *prefix)).count()
        });
        assert!(there < left && left - there <= 256, "{left}, then {there}");
        left = there;
    }
    assert_eq!(left, 0);
    assert!(forwarding.routes(Family::Ip4, fib).is_err());
    // The list of the old routes is gone, that of the new one is there.
    assert_eq!(forwarding.counts().path_lists, lists);
    // The new one of the same name is another.
    assert_eq!(forwarding.table(Family::Ip4, TableId(10)).unwrap(), again);
    assert!(forwarding.find(again, route(0)).unwrap().is_some());
}

#[test]
fn a_deleted_routes_number_is_used_again_only_after_a_quiescent_period() {
    let mut forwarding = two_interfaces();
    let add = |forwarding: &mut Forwarding| set_route(forwarding, "192.0.2.0/24", &[Path::PUNT]);
    let delete = |forwarding: &mut Forwarding| {
        forwarding.delete_route(FIB, prefix("192.0.2.0/24"), Source::Cli).unwrap();
    };
    let first = add(&mut forwarding);
    delete(&mut forwarding);
    let second = add(&mut forwarding);
    assert_ne!(first, second);
    forwarding.seal();
    delete(&mut forwarding);
    forwarding.reclaim();
    // What was sealed is free, what was given up since is not.
    assert_eq!(add(&mut forwarding), first);
    delete(&mut forwarding);
    assert!(![first, second].contains(&add(&mut forwarding)));
}

#[test]
fn readers_go_to_other_threads() {
    fn is_shared<T: Send + Sync + Clone>(_: &T) {}
    let forwarding = Forwarding::new().unwrap();
    let reader = forwarding.reader();
    is_shared(&reader);
    // And outlive the writer.
    drop(forwarding);
    let table = reader.ip4_table(FIB).unwrap();
    assert_eq!(reader.load_balance(table.lookup_one(1)), Dpo::refused(Refusal::NoRoute));
}

#[test]
fn routes_are_counted_by_length() {
    let mut forwarding = two_interfaces();
    for route in ["10.0.0.0/8", "10.0.0.0/24", "10.0.1.0/24"] {
        set_route(&mut forwarding, route, &[Path::PUNT]);
    }
    let counts = forwarding.routes_per_length(Family::Ip4, FIB).unwrap();
    assert_eq!((counts[0], counts[4], counts[8], counts[24], counts[32]), (1, 2, 1, 2, 2));
    assert_eq!(counts.iter().sum::<u32>(), 8);
}
