//! Where punted packets go.

use super::*;

/// Where punted packets of an interface go, as nodes read it; `None` where nothing is said.
fn out(forwarding: &Forwarding, rx: SwIfIndex) -> Option<Vec<Way>> {
    let reader = forwarding.reader();
    let word = reader.punt_redirect(rx, Family::Ip4);
    (word != LoadBalanceIndex::NONE).then(|| {
        let dpo = reader.load_balance(word);
        match dpo.kind() {
            DpoKind::Multi => {
                (0..dpo.buckets()).map(|hash| Way::of(&reader, reader.bucket(dpo, hash))).collect()
            }
            _ => vec![Way::of(&reader, dpo)],
        }
    })
}

fn redirect(forwarding: &mut Forwarding, rx: SwIfIndex, paths: &[Path]) {
    forwarding.set_punt_redirect(Family::Ip4, rx, paths).unwrap();
}

fn via(hop: &str, interface: SwIfIndex) -> Path {
    Path::via(address(hop), interface)
}

#[test]
fn a_word_follows_the_paths_of_its_redirect_and_an_interface_without_has_that_of_all() {
    let mut forwarding = two_interfaces();
    assert_eq!(out(&forwarding, PG0), None);
    redirect(&mut forwarding, SwIfIndex::LOCAL0, &[via("192.0.2.2", PG0)]);
    redirect(&mut forwarding, PG1, &[Path::recursive(address("203.0.113.1"), FIB)]);
    assert_eq!(out(&forwarding, PG0), Some(vec![Way::Ask(PG0, address("192.0.2.2"))]));
    assert_eq!(out(&forwarding, SwIfIndex(99_999)), out(&forwarding, PG0));
    assert_eq!(out(&forwarding, PG1), Some(vec![Way::Drop]));
    set_neighbor(&mut forwarding, PG0, "192.0.2.2", 2);
    assert_eq!(out(&forwarding, PG0), Some(vec![Way::Send(PG0, address("192.0.2.2"))]));
    // A route to the next hop, with several paths and then with one.
    let several = [via("192.0.2.2", PG0), via("198.51.100.2", PG1)];
    set_route(&mut forwarding, "203.0.113.0/24", &several);
    let both = [Way::Send(PG0, address("192.0.2.2")), Way::Ask(PG1, address("198.51.100.2"))];
    let mut found = out(&forwarding, PG1).unwrap();
    found.sort_unstable();
    assert_eq!(found, both);
    forwarding.set_interface(PG1, ethernet(PG1.0, false)).unwrap();
    assert_eq!(out(&forwarding, PG1), Some(vec![Way::Send(PG0, address("192.0.2.2"))]));
    set_route(&mut forwarding, "203.0.113.0/24", &[Path::PUNT]);
    assert_eq!(out(&forwarding, PG1), Some(vec![Way::Punt]));
    forwarding.delete_punt_redirect(Family::Ip4, PG1).unwrap();
    assert_eq!(out(&forwarding, PG1), out(&forwarding, PG0));
    assert!(forwarding.delete_punt_redirect(Family::Ip4, PG1).is_err());
    assert!(forwarding.delete_punt_redirect(Family::Ip6, SwIfIndex::LOCAL0).is_err());
}

#[test]
fn what_a_redirect_needs_stays_as_long_as_it_and_no_longer() {
    let mut forwarding = two_interfaces();
    let before = forwarding.counts();
    let fib = forwarding.add_table(Family::Ip4, TableId(7)).unwrap();
    let with_table = forwarding.counts();
    redirect(&mut forwarding, PG0, &[via("198.51.100.2", PG1), via("192.0.2.2", PG0)]);
    redirect(&mut forwarding, PG0, &[Path::recursive(address("203.0.113.1"), fib)]);
    let error = forwarding.delete_table(Family::Ip4, TableId(7)).unwrap_err();
    assert!(matches!(error, FibError::TableInUse(..)), "{error}");
    redirect(&mut forwarding, PG0, &[via("198.51.100.2", PG1)]);
    redirect(&mut forwarding, PG1, &[via("192.0.2.2", PG0), via("198.51.100.2", PG1)]);
    redirect(
        &mut forwarding,
        SwIfIndex::LOCAL0,
        &[via("192.0.2.2", PG0), via("198.51.100.2", PG1)],
    );
    // With the interface go its redirect, paths by it, and a redirect without another path.
    forwarding.delete_interface(PG1).unwrap();
    let left: Vec<_> = forwarding.punt_redirects(Family::Ip4).map(|one| one.rx).collect();
    assert_eq!(left, [SwIfIndex::LOCAL0]);
    assert_eq!(out(&forwarding, PG1), Some(vec![Way::Ask(PG0, address("192.0.2.2"))]));
    forwarding.delete_punt_redirect(Family::Ip4, SwIfIndex::LOCAL0).unwrap();
    assert_eq!(forwarding.counts(), with_table);
    forwarding.delete_table(Family::Ip4, TableId(7)).unwrap();
    assert_eq!(forwarding.counts(), before);
}
