//! Paths that wait until those before them lead nowhere, paths that lead nowhere, and the counters of routes.

use super::*;
use crate::counter::{Count, Segment, ThreadIndex};

/// A route by PG0, or else by PG1, or else to nowhere.
fn with_a_spare() -> Forwarding {
    let mut forwarding = two_interfaces();
    for (interface, peer) in [(PG0, "10.0.0.2"), (PG1, "10.0.1.2")] {
        set_neighbor(&mut forwarding, interface, peer, 9);
    }
    let first = Path::via(address("10.0.0.2"), PG0).preferred(1);
    let spare = Path::via(address("10.0.1.2"), PG1).preferred(2);
    set_route(&mut forwarding, "192.0.2.0/24", &[spare, first]);
    forwarding
}

#[test]
fn the_preferred_path_forwards_while_it_leads_anywhere() {
    let mut forwarding = with_a_spare();
    let [first, spare] =
        [(PG0, "10.0.0.2"), (PG1, "10.0.1.2")].map(|(i, a)| Way::Send(i, address(a)));
    let route = forwarding.find(FIB, prefix("192.0.2.0/24")).unwrap();
    assert_eq!(ways_to(&forwarding, "192.0.2.1"), [first]);
    forwarding.set_interface(PG0, ethernet(1, false)).unwrap();
    assert_eq!(ways_to(&forwarding, "192.0.2.1"), [spare]);
    forwarding.set_interface(PG1, ethernet(2, false)).unwrap();
    assert_eq!(ways_to(&forwarding, "192.0.2.1"), [Way::Drop]);
    forwarding.set_interface(PG0, ethernet(1, true)).unwrap();
    assert_eq!(ways_to(&forwarding, "192.0.2.1"), [first]);
    // The route and its counters stay the same all the while.
    assert_eq!(forwarding.find(FIB, prefix("192.0.2.0/24")).unwrap(), route);
    // A next hop without a MAC address is asked for: that leads somewhere.
    forwarding.delete_neighbor(PG0, address("10.0.0.2")).unwrap();
    assert_eq!(ways_to(&forwarding, "192.0.2.1"), [Way::Ask(PG0, address("10.0.0.2"))]);
}

#[test]
fn paths_of_equal_preference_share_and_those_behind_wait() {
    let mut forwarding = with_a_spare();
    let [a, b, c] = ["10.0.0.3", "10.0.0.4", "10.0.1.3"].map(address);
    let paths = [Path::via(a, PG0).weighted(3), Path::via(b, PG0)].map(|path| path.preferred(0));
    forwarding.add_paths(FIB, prefix("192.0.2.0/24"), Source::Cli, &paths).unwrap();
    let ask = |hop| Way::Ask(PG0, hop);
    assert_eq!(ways_to(&forwarding, "192.0.2.1"), [ask(a), ask(a), ask(a), ask(b)]);
    // A recursive path to where no route leads gives way as well.
    let lost = Path::recursive(c, FIB);
    set_route(&mut forwarding, "192.0.2.0/24", &[lost, Path::via(a, PG0).preferred(200)]);
    assert_eq!(ways_to(&forwarding, "192.0.2.1"), [ask(a)]);
    set_route(&mut forwarding, "10.0.1.0/24", &[Path::attached(PG1)]);
    assert_eq!(ways_to(&forwarding, "192.0.2.1"), [Way::Ask(PG1, c)]);
}

#[test]
fn drop_among_other_paths_takes_no_share() {
    let mut forwarding = with_a_spare();
    let peer = address("10.0.0.2");
    set_route(&mut forwarding, "192.0.2.0/24", &[Path::DROP, Path::via(peer, PG0)]);
    assert_eq!(ways_to(&forwarding, "192.0.2.1"), [Way::Send(PG0, peer)]);
    set_route(&mut forwarding, "192.0.2.0/24", &[Path::DROP]);
    assert_eq!(ways_to(&forwarding, "192.0.2.1"), [Way::Drop]);
}

#[test]
fn the_prefix_that_covers_another_is_found() {
    let mut forwarding = with_a_spare();
    set_route(&mut forwarding, "192.0.0.0/16", &[Path::PUNT]);
    for (asked, found) in [
        ("192.0.2.0/24", "192.0.2.0/24"),
        ("192.0.2.128/25", "192.0.2.0/24"),
        ("192.0.2.0/23", "192.0.0.0/16"),
        ("192.0.0.0/8", "0.0.0.0/0"),
    ] {
        let index = forwarding.covering(FIB, prefix(asked)).unwrap();
        assert_eq!(forwarding.route(index).unwrap().prefix, prefix(found), "{asked}");
    }
}

#[test]
fn a_number_that_is_used_again_counts_from_zero_and_is_visible() {
    let mut segment = Segment::new(2).unwrap();
    let counters = segment.combined("/net/route/to", MAX_ROUTES).unwrap();
    let writer = counters.writer(ThreadIndex(1)).unwrap();
    let mut forwarding = two_interfaces();
    forwarding.count_by(counters.clone()).unwrap();
    let visible = counters.len();
    let default = forwarding.longest_match(FIB, address("1.2.3.4")).unwrap();
    assert!(default.position() < visible, "routes that were there before are visible");
    let route = set_route(&mut forwarding, "192.0.2.0/24", &[Path::PUNT]);
    assert_eq!(counters.len(), route.position() + 1);
    writer.add(route.0, 3, 180);
    // Other paths are no other route.
    assert_eq!(set_route(&mut forwarding, "192.0.2.0/24", &[Path::DROP]), route);
    assert_eq!(counters.sum(route.0), Count { packets: 3, bytes: 180 });
    forwarding.delete_route(FIB, prefix("192.0.2.0/24"), Source::Cli).unwrap();
    forwarding.quiescent();
    let other = set_route(&mut forwarding, "198.51.100.0/24", &[Path::PUNT]);
    assert_eq!(other, route);
    assert_eq!(counters.sum(other.0), Count::default());
    writer.add(other.0, 1, 60);
    assert_eq!(counters.sum(other.0), Count { packets: 1, bytes: 60 });
}
