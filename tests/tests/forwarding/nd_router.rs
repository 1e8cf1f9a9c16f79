//! What a router tells its links: router advertisements, and the groups that it listens to.

use std::time::Duration;

use crate::{
    nd::Message,
    packets::HOST,
    scene::{Captured, Scene},
};

const LOCAL0: &str = "fe80::fe:ff:fe00:0";
const ALL_ROUTERS: [u8; 6] = [0x33, 0x33, 0, 0, 0, 2];

/// pg0 with an address.
fn router() -> Scene {
    Scene::new(1, "set interface ip address pg0 2001:db8::1/64")
}

/// A host that asks who is a router.
fn solicitation() -> Vec<u8> {
    let bytes = [&[133, 0, 0, 0, 0, 0, 0, 0, 1, 1][..], &HOST].concat();
    Message::new((ALL_ROUTERS, HOST), "fe80::2", "ff02::2", bytes).frame()
}

fn is_advertisement(frame: &[u8]) -> bool {
    frame[20] == 58 && frame[54] == 134
}

#[test]
fn nothing_is_advertised_before_it_is_configured() {
    let scene = router();
    scene.capture("pg0");
    scene.lab.advance(700);
    scene.send("pg0", &[solicitation()]);
    scene.lab.advance(10);
    assert_eq!(scene.captured("pg0").frames.len(), 0);
    assert_eq!(scene.lab.error("icmp6-router-solicitation", "router-solicitations-rx"), 1);
    let refused = Scene::new(1, "").lab.refused("ip6 nd pg0 ra-interval 20");
    assert!(
        refused.contains("IPv6 is not enabled on pg0: `enable ip6 interface pg0'"),
        "{refused}"
    );
}

#[test]
fn an_advertisement_says_what_was_configured() {
    let scene = router();
    scene.capture("pg0");
    scene.lab.script(
        "ip6 nd pg0 prefix 2001:db8::/64
         ip6 nd pg0 prefix 2001:db8:1::/56 7200 3600 off-link no-autoconfig
         ip6 nd pg0 prefix 2001:db8:2::/64 infinite
         ip6 nd pg0 prefix 2001:db8:3::/64 no-advertise
         set interface mtu packet 1480 pg0
         ip6 nd pg0 ra-managed-config-flag ra-other-config-flag ra-lifetime 1800",
    );
    scene.lab.engine.run_until_idle();
    let captured: Captured = scene.captured("pg0");
    assert_eq!(captured.frames.len(), 1);
    let fields = [
        "eth.dst",
        "ipv6.src",
        "ipv6.dst",
        "ipv6.hlim",
        "icmpv6.type",
        "icmpv6.checksum.status",
        "icmpv6.nd.ra.flag.m",
        "icmpv6.nd.ra.flag.o",
        "icmpv6.nd.ra.router_lifetime",
        "icmpv6.nd.ra.cur_hop_limit",
        "icmpv6.opt.linkaddr",
        "icmpv6.opt.mtu",
        "icmpv6.opt.prefix",
        "icmpv6.opt.prefix.length",
        "icmpv6.opt.prefix.flag.l",
        "icmpv6.opt.prefix.flag.a",
        "icmpv6.opt.prefix.valid_lifetime",
        "icmpv6.opt.prefix.preferred_lifetime",
    ];
    let Some(rows) = captured.tshark("router advertisements read by tshark", &fields) else {
        return;
    };
    let said: Vec<_> =
        rows[0].iter().map(|word| word.replace("True", "1").replace("False", "0")).collect();
    let expected = [
        "33:33:00:00:00:01",
        LOCAL0,
        "ff02::1",
        "255",
        "134",
        "1",
        "1",
        "1",
        "1800",
        "64",
        "02:fe:00:00:00:00",
        "1480",
        "2001:db8::,2001:db8:1::,2001:db8:2::",
        "64,56,64",
        "1,0,1",
        "1,0,1",
        "2592000,7200,4294967295",
        "604800,3600,4294967295",
    ];
    assert_eq!(said, expected);
}

/// Seconds at which advertisements left within `seconds`, to the tenth.
fn times(scene: &Scene, seconds: u64) -> Vec<f64> {
    let mut times = Vec::new();
    for tenth in 0..seconds * 10 {
        scene.capture("pg0");
        scene.lab.engine.advance(Duration::from_millis(100));
        let frames = scene.captured("pg0").frames.clone();
        let n = frames.iter().filter(|f| is_advertisement(f)).count();
        times.extend(std::iter::repeat_n(tenth as f64 / 10.0, n));
    }
    times
}

#[test]
fn advertisements_follow_each_other_fast_at_first_and_then_by_chance_between_the_intervals() {
    let scene = router();
    scene.capture("pg0");
    scene.lab.run("ip6 nd pg0 ra-interval 40 20");
    scene.lab.engine.run_until_idle();
    assert_eq!(scene.captured("pg0").frames.len(), 1, "the first at once");
    let times = [vec![0.0], times(&scene, 400)].concat();
    let gaps: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps[..2].iter().all(|gap| *gap <= 16.1), "{gaps:?}");
    assert!(gaps[2..].iter().all(|gap| (19.8..=40.2).contains(gap)), "{gaps:?}");
    assert!(gaps[2..].windows(2).any(|pair| (pair[0] - pair[1]).abs() > 0.5), "{gaps:?}");
    let shown = scene.lab.run("show ip6 interface pg0");
    let sent = format!("ND router advertisements sent {}\n", times.len());
    assert!(shown.contains(&sent), "{sent}: {shown}");
}

#[test]
fn who_asks_is_answered_soon_and_all_at_most_every_three_seconds() {
    let scene = router();
    scene.lab.run("ip6 nd pg0 ra-interval 1800 ra-lifetime 0");
    times(&scene, 60);
    scene.send("pg0", &[solicitation()]);
    assert_eq!(times(&scene, 1).len(), 1);
    // Once more within the three seconds.
    scene.send("pg0", &[solicitation()]);
    let times_after = times(&scene, 5);
    assert_eq!(times_after.len(), 1);
    assert!(times_after[0] >= 1.5, "{times_after:?}");
    // Alone, where that is wanted.
    scene.lab.run("ip6 nd pg0 ra-send-unicast");
    times(&scene, 60);
    scene.capture("pg0");
    scene.send("pg0", &[solicitation()]);
    let frames = scene.captured("pg0").frames.clone();
    assert_eq!(frames.len(), 1);
    assert_eq!(frames[0][..6], HOST);
    assert!(scene.lab.run("show ip6 neighbors").contains("fe80::2"));
}

#[test]
fn a_router_that_ceases_says_so_and_one_that_is_suppressed_is_silent() {
    let scene = router();
    scene.lab.run("ip6 nd pg0 ra-interval 20");
    times(&scene, 60);
    scene.capture("pg0");
    scene.lab.run("ip6 nd pg0 ra-cease");
    scene.lab.advance(60);
    let last = scene.captured("pg0").frames.clone();
    assert_eq!(last.len(), 3);
    assert!(last.iter().all(|f| is_advertisement(f) && f[60..62] == [0, 0]), "lifetime 0");
    assert_eq!(times(&scene, 60).len(), 0);
    scene.lab.run("ip6 nd pg0 no ra-cease");
    assert!(!times(&scene, 30).is_empty());
    scene.lab.run("ip6 nd pg0 ra-suppress");
    assert_eq!(times(&scene, 60).len(), 0);
}

#[test]
fn settings_that_cannot_be_are_refused_by_what_is_wrong_with_them() {
    let scene = router();
    for (line, why) in [
        ("ra-interval 3", "`3' is out of range, allowed is 4 to 1800"),
        ("ra-interval 40 31", "the shortest, 31, is more than three quarters of the longest, 40"),
        ("ra-lifetime 9001", "`9001' is out of range, allowed is 0 to 9000"),
        ("ra-lifetime 100", "ra-lifetime 100 must be 0 or more than the longest ra-interval, 200"),
        ("ra-initial 4 16", "`4' is out of range, allowed is 1 to 3"),
        ("prefix 10.0.0.0/8", "10.0.0.0"),
        ("prefix 2001:db8::/64 10 20", "preferred for 20 seconds, longer than valid, 10"),
        ("prefix 2001:db8::/64 10", "two lifetimes, `infinite', or neither"),
        ("no prefix 2001:db8::/64", "no prefix 2001:db8::/64"),
    ] {
        let refused = scene.lab.refused(&format!("ip6 nd pg0 {line}"));
        assert!(refused.contains(why), "{line}: {refused}");
    }
    scene.capture("pg0");
    scene.lab.advance(60);
    assert_eq!(scene.captured("pg0").frames.len(), 0, "nothing of it was applied");
}

/// A query, to all groups or to one.
fn query(group: &str, bytes: usize) -> Message {
    let octets = group.parse::<std::net::Ipv6Addr>().unwrap().octets();
    let mut message = [&[130, 0, 0, 0, 0x03, 0xe8, 0, 0][..], &octets, &[2, 125, 0, 0]].concat();
    message.truncate(bytes);
    let mut query = Message::new(([0x33, 0x33, 0, 0, 0, 1], HOST), "fe80::2", "ff02::1", message);
    query.hop_limit = 1;
    query.extension = Some((0, vec![58, 0, 5, 2, 0, 0, 1, 0]));
    query
}

/// Types and groups of the reports among frames, as tshark reads them.
fn reports(captured: &Captured) -> Option<Vec<String>> {
    let fields = [
        "ipv6.src",
        "ipv6.dst",
        "ipv6.hlim",
        "icmpv6.type",
        "icmpv6.checksum.status",
        "icmpv6.mldr.mar.record_type",
        "icmpv6.mldr.mar.multicast_address",
        "icmpv6.mld.multicast_address",
    ];
    let rows = captured.tshark("multicast listener reports read by tshark", &fields)?;
    Some(rows.into_iter().map(|row| row.join(" ").trim().to_owned()).collect())
}

#[test]
fn groups_are_told_when_they_change_and_when_somebody_asks() {
    let scene = router();
    let ask = |query: Message| {
        scene.capture("pg0");
        scene.send("pg0", &[query.frame()]);
        scene.lab.advance(2);
        scene.captured("pg0")
    };
    let groups = "ff02::2,ff02::1:ff00:0,ff02::1:ff00:1";
    let all = format!("{LOCAL0} ff02::16 1 143 1 2,2,2 {groups}");
    let Some(told) = reports(&ask(query("::", 28))) else { return };
    assert_eq!(told, [all]);
    let one = format!("{LOCAL0} ff02::16 1 143 1 2 ff02::1:ff00:1");
    assert_eq!(reports(&ask(query("ff02::1:ff00:1", 28))).unwrap(), [one]);
    assert_eq!(ask(query("ff02::1:ff00:9", 28)).frames.len(), 0);
    let old = format!("{LOCAL0} ff02::1:ff00:1 1 131 1   ff02::1:ff00:1");
    assert_eq!(reports(&ask(query("ff02::1:ff00:1", 24))).unwrap(), [old]);
    // Unasked, where the interface speaks: twice.
    scene.lab.run("set ip neighbor-announce pg0 enable");
    scene.lab.advance(5);
    scene.capture("pg0");
    scene.lab.run("set interface ip address pg0 2001:db8::9/64");
    scene.lab.advance(5);
    let told = reports(&scene.captured("pg0")).unwrap();
    let change = format!("{LOCAL0} ff02::16 1 143 1 4,4,4,4 {groups},ff02::1:ff00:9");
    assert_eq!(told.iter().filter(|line| **line == change).count(), 2, "{told:?}");
}

#[test]
fn queries_that_are_not_of_the_link_are_not_answered() {
    const NODE: &str = "icmp6-multicast-listener";
    let case = |change: fn(&mut Message)| {
        let mut message = query("::", 28);
        change(&mut message);
        message.frame()
    };
    let cases = [
        (
            "a global source",
            case(|m| m.source = "2001:db8::2".to_owned()),
            NODE,
            "query-not-of-link",
        ),
        ("hop limit 2", case(|m| m.hop_limit = 2), NODE, "query-not-of-link"),
        (
            "no router alert",
            case(|m| m.extension = Some((0, vec![58, 0, 1, 4, 0, 0, 0, 0]))),
            NODE,
            "query-without-alert",
        ),
        ("no options", case(|m| m.extension = None), NODE, "query-without-alert"),
        (
            "an alert for others",
            case(|m| m.extension = Some((0, vec![58, 0, 5, 2, 0, 1, 1, 0]))),
            NODE,
            "query-without-alert",
        ),
        ("26 bytes", case(|m| m.bytes.truncate(26)), NODE, "truncated"),
        ("23 bytes", case(|m| m.bytes.truncate(23)), "ip6-icmp-input", "too-short"),
        ("a report", case(|m| m.bytes[0] = 131), NODE, "listener-reports-rx"),
        (
            "a report of version 2",
            case(|m| m.bytes = vec![143, 0, 0, 0, 0, 0, 0, 0]),
            NODE,
            "listener-reports-rx",
        ),
    ];
    let scene = router();
    scene.capture("pg0");
    for (what, bytes, node, reason) in &cases {
        let before = scene.lab.error(node, reason);
        scene.send("pg0", std::slice::from_ref(bytes));
        assert_eq!(scene.lab.error(node, reason) - before, 1, "{what}: {:?}", scene.reasons());
    }
    scene.lab.advance(20);
    assert_eq!(scene.captured("pg0").frames.len(), 0);
    scene.assert_nothing_is_lost();
}
