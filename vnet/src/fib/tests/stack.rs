//! Tunnels stacked on routes.

use super::*;
use crate::fib::{Stack, Stacking};

const TUNNEL: SwIfIndex = SwIfIndex(10);
const OTHER: SwIfIndex = SwIfIndex(11);
const OVERHEAD: u16 = 20;

fn point_to_point(max: u16) -> Link {
    let max_l3_bytes = MaxPacket::both(max);
    Link { kind: LinkKind::PointToPoint, max_l3_bytes, next: 4, up: true }
}

/// Two Ethernet interfaces, and a tunnel to `far`.
fn tunnel_to(far: &str) -> Forwarding {
    let mut forwarding = two_interfaces();
    for (interface, ip) in [(PG0, "192.0.2.1/24"), (PG1, "198.51.100.1/24")] {
        forwarding.add_address(interface, interface_address(ip)).unwrap();
    }
    forwarding.set_interface(TUNNEL, point_to_point(9000)).unwrap();
    stack(&mut forwarding, TUNNEL, far);
    forwarding
}

fn stack(forwarding: &mut Forwarding, interface: SwIfIndex, far: &str) {
    let stack = Stack { destination: address(far), table: FIB, overhead: OVERHEAD };
    forwarding.stack_interface(interface, stack).unwrap();
}

fn stacking(forwarding: &Forwarding, interface: SwIfIndex) -> Stacking {
    forwarding.stacking(interface).unwrap()
}

/// Where the outer packets of an interface go, as its nodes read it.
fn out(forwarding: &Forwarding, interface: SwIfIndex) -> Way {
    let reader = forwarding.reader();
    let dpo = reader.load_balance(stacking(forwarding, interface).word);
    assert_eq!(dpo, stacking(forwarding, interface).dpo);
    Way::of(&reader, dpo)
}

/// How long packets may be that are sent to 172.16.0.1.
fn room(forwarding: &Forwarding) -> u16 {
    let reader = forwarding.reader();
    let table = reader.ip4_table(FIB).unwrap();
    let dpo = reader.load_balance(table.lookup_one(u32::from_be_bytes([172, 16, 0, 1])));
    reader.adjacency(dpo.adjacency_index()).max_l3_bytes()
}

#[test]
fn the_word_of_a_tunnel_follows_the_routes_to_its_far_end() {
    let mut forwarding = tunnel_to("203.0.113.9");
    assert_eq!(out(&forwarding, TUNNEL), Way::Drop);
    let via = |hop: &str, interface| Path::via(address(hop), interface);
    set_route(&mut forwarding, "0.0.0.0/0", &[via("192.0.2.2", PG0)]);
    assert_eq!(out(&forwarding, TUNNEL), Way::Ask(PG0, address("192.0.2.2")));
    // A longer route, a new one for the address itself, and back again.
    set_route(&mut forwarding, "203.0.113.0/24", &[via("198.51.100.2", PG1)]);
    assert_eq!(out(&forwarding, TUNNEL), Way::Ask(PG1, address("198.51.100.2")));
    let mac = [2, 0, 0, 0, 0, 2];
    let flags = NeighborFlags::STATIC;
    forwarding.set_neighbor(PG1, address("198.51.100.2"), mac, flags, EngineTime(0)).unwrap();
    assert_eq!(out(&forwarding, TUNNEL), Way::Send(PG1, address("198.51.100.2")));
    set_route(&mut forwarding, "203.0.113.9/32", &[Path::DROP]);
    assert_eq!(out(&forwarding, TUNNEL), Way::Drop);
    for prefix_ in ["203.0.113.9/32", "203.0.113.0/24"] {
        forwarding.delete_route(FIB, prefix(prefix_), Source::Cli).unwrap();
    }
    assert_eq!(out(&forwarding, TUNNEL), Way::Ask(PG0, address("192.0.2.2")));
    forwarding.set_interface(PG0, ethernet(PG0.0, false)).unwrap();
    assert_eq!(out(&forwarding, TUNNEL), Way::Drop);
    forwarding.delete_interface(TUNNEL).unwrap();
    assert_eq!(forwarding.stacking(TUNNEL), None);
}

#[test]
fn packets_on_a_tunnel_fit_into_those_below_it() {
    let mut forwarding = tunnel_to("192.0.2.2");
    set_route(&mut forwarding, "172.16.0.0/16", &[Path::attached(TUNNEL)]);
    assert_eq!(room(&forwarding), 9000 - OVERHEAD);
    let smaller = Link { max_l3_bytes: MaxPacket::both(1500), ..ethernet(PG0.0, true) };
    forwarding.set_interface(PG0, smaller).unwrap();
    assert_eq!(room(&forwarding), 1480);
    // The interface's own limit holds as well, and a tunnel in the tunnel has what both leave.
    forwarding.set_interface(TUNNEL, point_to_point(1400)).unwrap();
    assert_eq!(room(&forwarding), 1400);
    forwarding.set_interface(OTHER, point_to_point(9000)).unwrap();
    stack(&mut forwarding, OTHER, "172.16.0.9");
    assert_eq!(stacking(&forwarding, OTHER).room, 1380);
    forwarding.set_interface(TUNNEL, point_to_point(9000)).unwrap();
    assert_eq!((room(&forwarding), stacking(&forwarding, OTHER).room), (1480, 1460));
    forwarding.delete_route(FIB, prefix("172.16.0.0/16"), Source::Cli).unwrap();
    assert_eq!(stacking(&forwarding, OTHER).room, u16::MAX);
    forwarding.unstack_interface(TUNNEL);
    set_route(&mut forwarding, "172.16.0.0/16", &[Path::attached(TUNNEL)]);
    assert_eq!(room(&forwarding), 9000);
}

#[test]
fn packets_on_a_tunnel_fit_into_what_passes_all_the_way() {
    let mut forwarding = tunnel_to("192.0.2.2");
    set_route(&mut forwarding, "172.16.0.0/16", &[Path::attached(TUNNEL)]);
    forwarding.set_path_mtu(FIB, address("192.0.2.9"), Some(1300));
    assert_eq!(room(&forwarding), 9000 - OVERHEAD, "that is another way");
    forwarding.set_path_mtu(FIB, address("192.0.2.2"), Some(1400));
    assert_eq!(room(&forwarding), 1380);
    // A tunnel in it, and one of frames with tags.
    forwarding.set_interface(OTHER, ethernet(OTHER.0, true)).unwrap();
    stack(&mut forwarding, OTHER, "172.16.0.9");
    assert_eq!(stacking(&forwarding, OTHER).room, 1360);
    let sub = SwIfIndex(12);
    let tags = OutputTags::Single(TagType::Dot1q, VlanId::new(7).unwrap());
    let LinkKind::Ethernet { mac, .. } = ethernet(OTHER.0, true).kind else { panic!() };
    let kind = LinkKind::Ethernet { mac, tags };
    forwarding.set_interface(sub, Link { kind, ..ethernet(OTHER.0, true) }).unwrap();
    forwarding.set_carrier(sub, OTHER);
    let flags = NeighborFlags::STATIC;
    let far = address("10.0.0.2");
    forwarding.set_neighbor(sub, far, [2; 6], flags, EngineTime(0)).unwrap();
    set_route(&mut forwarding, "172.16.0.0/24", &[Path::via(far, sub)]);
    assert!(stacking(&forwarding, OTHER).looped, "by its own sub-interface");
    set_route(&mut forwarding, "172.17.0.0/16", &[Path::via(far, sub)]);
    forwarding.delete_route(FIB, prefix("172.16.0.0/24"), Source::Cli).unwrap();
    let reader = forwarding.reader();
    let of_sub = |forwarding: &Forwarding| {
        let table = reader.ip4_table(FIB).unwrap();
        let dpo =
            forwarding.reader().load_balance(table.lookup_one(u32::from_be_bytes([172, 17, 0, 1])));
        forwarding.reader().adjacency(dpo.adjacency_index()).max_l3_bytes()
    };
    assert_eq!(of_sub(&forwarding), 1356);
    forwarding.set_path_mtu(FIB, address("192.0.2.2"), None);
    assert_eq!(
        (room(&forwarding), of_sub(&forwarding)),
        (9000 - OVERHEAD, 9000 - 2 * OVERHEAD - 4)
    );
}

#[test]
fn a_tunnel_that_leads_back_to_itself_sends_nothing_until_it_does_no_more() {
    let mut forwarding = tunnel_to("203.0.113.9");
    set_route(&mut forwarding, "203.0.113.0/24", &[Path::attached(TUNNEL)]);
    assert_eq!(stacking(&forwarding, TUNNEL).dpo, Dpo::STACK_LOOP);
    assert!(stacking(&forwarding, TUNNEL).looped);
    // Two that lead to each other; one that leads to them is in no loop.
    forwarding.set_interface(OTHER, point_to_point(9000)).unwrap();
    set_route(&mut forwarding, "203.0.113.0/24", &[Path::attached(OTHER)]);
    assert!(!stacking(&forwarding, TUNNEL).looped);
    set_route(&mut forwarding, "198.18.0.0/24", &[Path::attached(TUNNEL)]);
    stack(&mut forwarding, OTHER, "198.18.0.1");
    let third = SwIfIndex(12);
    forwarding.set_interface(third, point_to_point(9000)).unwrap();
    stack(&mut forwarding, third, "198.18.0.2");
    let looped = [TUNNEL, OTHER, third].map(|i| stacking(&forwarding, i).looped);
    assert_eq!(looped, [true, true, false]);
    // By several paths of which one leads back.
    let around = Path::via(address("192.0.2.2"), PG0);
    set_route(&mut forwarding, "198.18.0.0/24", &[around]);
    let looped = [TUNNEL, OTHER, third].map(|i| stacking(&forwarding, i).looped);
    assert_eq!(looped, [false; 3]);
    assert_eq!(out(&forwarding, OTHER), Way::Ask(PG0, address("192.0.2.2")));
    set_route(&mut forwarding, "198.18.0.0/24", &[around, Path::attached(OTHER)]);
    assert!(stacking(&forwarding, OTHER).looped);
}

#[test]
fn a_table_that_a_tunnel_goes_by_stays() {
    let mut forwarding = two_interfaces();
    let fib = forwarding.add_table(Family::Ip4, TableId(7)).unwrap();
    forwarding.set_interface(TUNNEL, point_to_point(9000)).unwrap();
    let stack = Stack { destination: address("192.0.2.2"), table: fib, overhead: OVERHEAD };
    forwarding.stack_interface(TUNNEL, stack).unwrap();
    let error = forwarding.delete_table(Family::Ip4, TableId(7)).unwrap_err();
    assert_eq!(error.to_string(), "ip4 table 7 is in use by the path of a route");
    forwarding.unstack_interface(TUNNEL);
    forwarding.delete_table(Family::Ip4, TableId(7)).unwrap();
    while forwarding.has_deleted() {
        forwarding.sweep();
    }
    let error = forwarding.stack_interface(TUNNEL, stack).unwrap_err();
    assert!(matches!(error, FibError::NoSuchFib(..)));
}
