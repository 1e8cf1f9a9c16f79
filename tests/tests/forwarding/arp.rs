//! ARP: who has an address, asked and answered.

use crate::{
    packets::{HOST, Ip4, PG0, Tag, frame, frame_to},
    scene::Scene,
};

/// The router's second interface.
pub(crate) const PG1: [u8; 6] = [2, 0xfe, 0, 0, 0, 1];
pub(crate) const PEER: [u8; 6] = [2, 0, 0, 0, 0, 9];
const ALL: [u8; 6] = [0xff; 6];

/// An ARP packet in the making, byte by byte as RFC 826 has it.
#[derive(Clone)]
pub(crate) struct Arp {
    destination: [u8; 6],
    source: [u8; 6],
    tags: &'static [Tag],
    fixed: [u8; 8],
    sender: ([u8; 6], [u8; 4]),
    target: ([u8; 6], [u8; 4]),
}

impl Arp {
    pub(crate) fn new(
        operation: u8,
        sender: ([u8; 6], [u8; 4]),
        target: ([u8; 6], [u8; 4]),
    ) -> Self {
        let destination = if operation == 1 { ALL } else { target.0 };
        let fixed = [0, 1, 8, 0, 6, 4, 0, operation];
        Self { destination, source: sender.0, tags: &[], fixed, sender, target }
    }

    pub(crate) fn request(sender: ([u8; 6], [u8; 4]), target: [u8; 4]) -> Self {
        Self::new(1, sender, ([0; 6], target))
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = [self.destination, self.source].concat();
        for (ethertype, control) in self.tags {
            bytes.extend([ethertype.to_be_bytes(), control.to_be_bytes()].concat());
        }
        bytes.extend([8, 6]);
        bytes.extend(self.fixed);
        for (mac, ip) in [self.sender, self.target] {
            bytes.extend(mac.iter().chain(&ip));
        }
        bytes
    }
}

/// pg0 and pg1 with IPv4 addresses; nobody is known on either link.
pub(crate) fn strangers() -> Scene {
    Scene::new(
        2,
        "set interface ip address pg0 192.168.0.1/24
         set interface ip address pg1 192.168.1.1/24
         ip route add 10.0.0.0/8 via 192.168.1.2 pg1",
    )
}

pub(crate) fn udp(to: &str, n: u16) -> Vec<u8> {
    let mut packet = Ip4::udp("192.168.0.2", to);
    packet.id = n;
    frame(&[], &packet.bytes())
}

/// Identifications of the IPv4 packets among frames, and how many ARP requests there are.
pub(crate) fn ids_and_requests(frames: &[Vec<u8>]) -> (Vec<u16>, usize) {
    let is_arp = |f: &&Vec<u8>| f[12..14] == [8, 6];
    let ids = frames.iter().filter(|f| !is_arp(f)).map(|f| u16::from_be_bytes([f[18], f[19]]));
    (ids.collect(), frames.iter().filter(is_arp).count())
}

pub(crate) fn answer_from_peer() -> Vec<u8> {
    Arp::new(2, (PEER, [192, 168, 1, 2]), (PG1, [192, 168, 1, 1])).bytes()
}

#[test]
fn a_request_for_our_address_is_answered_and_its_sender_learnt() {
    let scene = strangers();
    let ask = |sender, target| Arp::request((HOST, sender), target).bytes();
    scene.capture("pg0");
    scene.send("pg0", &[ask([192, 168, 0, 2], [192, 168, 0, 1])]);
    // Who looks whether our address is free is told, and has none to be learnt.
    scene.send("pg0", &[ask([0; 4], [192, 168, 0, 1])]);
    let reply = |to| Arp::new(2, (PG0, [192, 168, 0, 1]), (HOST, to)).bytes();
    let expected = [reply([192, 168, 0, 2]), reply([0; 4])];
    assert_eq!(scene.captured("pg0").frames, expected);
    assert_eq!(scene.lab.error("arp-reply", "replies-sent"), 2);
    let shown = scene.lab.run("show ip neighbors json");
    assert!(shown.contains("\"address\":\"192.168.0.2\"") && !shown.contains("0.0.0.0"), "{shown}");
    scene.assert_nothing_is_lost();
}

#[test]
fn what_is_no_proper_arp_is_dropped_by_what_is_wrong_with_it() {
    let good = Arp::request((HOST, [192, 168, 0, 2]), [192, 168, 0, 1]);
    let case = |change: fn(&mut Arp)| {
        let mut arp = good.clone();
        change(&mut arp);
        arp.bytes()
    };
    let mut short = good.bytes();
    short.truncate(14 + 27);
    let own = |mac: [u8; 6]| {
        let mut arp = good.clone();
        (arp.source, arp.sender.0) = (mac, mac);
        arp.bytes()
    };
    let cases = [
        ("27 bytes", short, "arp-input", "truncated"),
        ("hardware type 6", case(|a| a.fixed[1] = 6), "arp-input", "l2-type-not-ethernet"),
        ("hardware length 8", case(|a| a.fixed[4] = 8), "arp-input", "l2-type-not-ethernet"),
        ("protocol ARP", case(|a| a.fixed[3] = 6), "arp-input", "l3-type-not-ip4"),
        ("protocol length 16", case(|a| a.fixed[5] = 16), "arp-input", "l3-type-not-ip4"),
        ("operation 0", case(|a| a.fixed[7] = 0), "arp-input", "opcode-not-request"),
        ("RARP", case(|a| a.fixed[7] = 3), "arp-input", "opcode-not-request"),
        ("no target", case(|a| a.target.1 = [0; 4]), "arp-input", "l3-dst-address-unset"),
        ("not its own MAC", case(|a| a.source[5] = 7), "arp-reply", "l2-address-mismatch"),
        ("sent by all", own(ALL), "arp-reply", "l2-address-no-host"),
        ("sent by a group", own([1, 0, 0x5e, 0, 0, 1]), "arp-reply", "l2-address-no-host"),
        ("sent by nobody", own([0; 6]), "arp-reply", "l2-address-no-host"),
        ("sent by us", own(PG0), "arp-reply", "l2-address-no-host"),
        ("off subnet", case(|a| a.sender.1[0] = 172), "arp-reply", "l3-src-address-not-local"),
        ("of the other link", case(|a| a.sender.1[2] = 1), "arp-reply", "l3-src-address-not-local"),
        ("from the network", case(|a| a.sender.1[3] = 0), "arp-reply", "l3-src-address-not-local"),
        ("from all", case(|a| a.sender.1[3] = 255), "arp-reply", "l3-src-address-not-local"),
        (
            "from a group",
            case(|a| a.sender.1 = [224, 0, 0, 5]),
            "arp-reply",
            "l3-src-address-not-local",
        ),
        ("with our address", case(|a| a.sender.1[3] = 1), "arp-reply", "l3-src-address-is-local"),
        ("for another", case(|a| a.target.1[3] = 9), "arp-reply", "l3-dst-address-not-local"),
        (
            "for the other link",
            case(|a| a.target.1[2] = 1),
            "arp-reply",
            "l3-dst-address-not-local",
        ),
        ("unknown, announced", case(|a| a.target.1[3] = 2), "arp-reply", "gratuitous-arp"),
        (
            "an answer to another",
            case(|a| (a.fixed[7], a.target.1[3]) = (2, 9)),
            "arp-reply",
            "l3-dst-address-not-local",
        ),
    ];
    let scene = strangers();
    scene.capture("pg0");
    for (what, bytes, node, reason) in &cases {
        let before = scene.lab.error(node, reason);
        scene.send("pg0", std::slice::from_ref(bytes));
        assert_eq!(scene.lab.error(node, reason) - before, 1, "{what}: {:?}", scene.reasons());
    }
    assert_eq!(scene.captured("pg0").frames.len(), 0, "nobody is answered");
    assert_eq!(scene.lab.run("show ip neighbors json"), "[]\n", "nobody is learnt");
    scene.assert_nothing_is_lost();
}

#[test]
fn an_interface_without_ip4_address_says_nothing_to_arp() {
    let scene = strangers();
    scene.lab.run("set interface ip address del pg0 192.168.0.1/24");
    scene.send("pg0", &[Arp::request((HOST, [192, 168, 0, 2]), [192, 168, 0, 1]).bytes()]);
    assert_eq!(scene.lab.error("arp-disabled", "disabled"), 1);
    scene.assert_nothing_is_lost();
}

#[test]
fn announcements_change_those_that_are_known_and_make_nobody_known() {
    let scene = strangers();
    let announce = |mac: [u8; 6], last| {
        let own = (mac, [192, 168, 0, last]);
        scene.send("pg0", &[Arp::request(own, own.1).bytes()]);
    };
    scene.send("pg0", &[Arp::request((HOST, [192, 168, 0, 2]), [192, 168, 0, 1]).bytes()]);
    scene.lab.run("set ip neighbor pg0 192.168.0.5 02:00:00:00:00:05 static");
    [2, 3, 5].into_iter().for_each(|last| announce([2, 0, 0, 0, 7, last], last));
    let shown = scene.lab.run("show ip neighbors");
    assert!(shown.contains("02:00:00:00:07:02"), "{shown}");
    assert!(!shown.contains("192.168.0.3"), "{shown}");
    assert!(shown.contains("02:00:00:00:00:05"), "what is static stays: {shown}");
    scene.assert_nothing_is_lost();
}

#[test]
fn no_more_neighbors_are_learnt_than_the_limit_says_and_recycling_forgets_the_oldest() {
    let scene = strangers();
    let meet = |last| {
        let sender = ([2, 0, 0, 0, 1, last], [192, 168, 0, last]);
        scene.send("pg0", &[Arp::request(sender, [192, 168, 0, 1]).bytes()]);
        scene.lab.advance(1);
    };
    let known = || {
        let shown = scene.lab.run("show ip neighbors json");
        let known = (2..20).filter(|last| shown.contains(&format!("\"192.168.0.{last}\"")));
        known.collect::<Vec<_>>()
    };
    scene.lab.run("set ip neighbor-config ip4 limit 3");
    assert_eq!(
        scene.lab.run("show ip neighbor-config"),
        "ip4:\n  limit:3, age:0, recycle:0\nip6:\n  limit:50000, age:0, recycle:0\n"
    );
    (2..7).for_each(meet);
    assert_eq!(known(), [2, 3, 4]);
    scene.lab.run("set ip neighbor-config ip4 recycle");
    // 2 is heard of again, so 3 is the oldest.
    [2, 10, 11].into_iter().for_each(meet);
    assert_eq!(known(), [2, 10, 11]);
    scene.assert_nothing_is_lost();
}

#[test]
fn those_that_were_not_heard_of_are_asked_alone_and_forgotten_when_they_do_not_answer() {
    let scene = strangers();
    scene.lab.run("set ip neighbor-config ip4 age 60");
    for last in [2, 3] {
        let sender = ([2, 0, 0, 0, 1, last], [192, 168, 0, last]);
        scene.send("pg0", &[Arp::request(sender, [192, 168, 0, 1]).bytes()]);
    }
    scene.lab.advance(59);
    scene.capture("pg0");
    scene.lab.advance(1);
    let question = |last| {
        let mut arp = Arp::request((PG0, [192, 168, 0, 1]), [192, 168, 0, last]);
        arp.destination = [2, 0, 0, 0, 1, last];
        arp.bytes()
    };
    assert_eq!(scene.captured("pg0").frames, [question(2), question(3)]);
    let here = Arp::new(2, ([2, 0, 0, 0, 1, 2], [192, 168, 0, 2]), (PG0, [192, 168, 0, 1]));
    scene.send("pg0", &[here.bytes()]);
    scene.lab.advance(4);
    let shown = scene.lab.run("show ip neighbors");
    assert!(shown.contains("192.168.0.2") && !shown.contains("192.168.0.3"), "{shown}");
    assert_eq!(scene.counter("pg0", "tx packets"), 2 + 2 + 2, "replies, then questions");
}

#[test]
fn what_was_learnt_goes_with_its_prefix_and_its_link() {
    let scene = strangers();
    let meet = || {
        let sender = (HOST, [192, 168, 0, 2]);
        scene.send("pg0", &[Arp::request(sender, [192, 168, 0, 1]).bytes()]);
        assert!(scene.lab.run("show ip neighbors").contains("192.168.0.2"));
    };
    scene.lab.run("set ip neighbor pg0 192.168.0.5 02:00:00:00:00:05");
    for (line, back) in [
        ("set interface state pg0 down", "set interface state pg0 up"),
        (
            "set interface ip address del pg0 192.168.0.1/24",
            "set interface ip address pg0 192.168.0.1/24",
        ),
    ] {
        meet();
        scene.lab.run(line);
        let shown = scene.lab.run("show ip neighbors");
        assert!(!shown.contains("192.168.0.2") && shown.contains("192.168.0.5"), "{line}: {shown}");
        scene.lab.run(back);
    }
    meet();
    scene.lab.run("set ip neighbor del pg0 192.168.0.2 02:00:00:00:00:01");
    meet();
    scene.lab.run("create loopback interface");
    meet();
    scene.assert_nothing_is_lost();
}

#[test]
fn an_address_that_a_route_says_is_here_is_answered_for_on_the_link_of_that_route() {
    let scene = strangers();
    scene.lab.script(
        "ip route add 192.168.0.77/32 via local pg0
         ip route add 192.168.1.77/32 via local",
    );
    let ask = |sender, target| Arp::request((HOST, sender), target).bytes();
    scene.capture("pg0");
    scene.send("pg0", &[ask([192, 168, 0, 2], [192, 168, 0, 77])]);
    let reply = Arp::new(2, (PG0, [192, 168, 0, 77]), (HOST, [192, 168, 0, 2]));
    assert_eq!(scene.captured("pg0").frames, [reply.bytes()]);
    // Nor that of another link, nor one of no link.
    scene.send("pg1", &[ask([192, 168, 1, 2], [192, 168, 0, 77])]);
    scene.send("pg1", &[ask([192, 168, 1, 2], [192, 168, 1, 77])]);
    assert_eq!(scene.lab.error("arp-reply", "l3-dst-address-not-local"), 2);
    scene.assert_nothing_is_lost();
}

#[test]
fn a_host_that_is_known_is_not_asked_for_where_another_table_leads_to_its_link() {
    let scene = strangers();
    scene.lab.script(
        "ip table add 7
         create packet-generator interface pg2
         set interface ip table pg2 7
         set interface ip address pg2 192.168.2.1/24
         set interface state pg2 up
         ip route add 192.168.1.0/24 table 7 via pg1
         set ip neighbor pg1 192.168.1.2 02:00:00:00:00:09",
    );
    scene.capture("pg1");
    let mut frame = udp("192.168.1.2", 5);
    frame[..6].copy_from_slice(&[2, 0xfe, 0, 0, 0, 2]);
    scene.send("pg2", &[frame]);
    let got = scene.captured("pg1");
    assert_eq!(ids_and_requests(&got.frames), (vec![5], 0));
    assert_eq!(got.frames[0][..6], PEER);
    scene.assert_nothing_is_lost();
}

#[test]
fn proxies_answer_for_the_addresses_they_were_given_where_they_are_enabled() {
    let scene = strangers();
    scene.lab.script(
        "set arp proxy start 192.168.0.100 end 192.168.0.103
         set interface proxy-arp pg0 enable",
    );
    assert_eq!(
        scene.lab.run("show arp proxy"),
        "Proxy arps enabled for:\nFib_index 0   192.168.0.100 - 192.168.0.103 \n\
         \nProxy arps enabled on interfaces:\n  pg0\n"
    );
    scene.capture("pg0");
    let ask = |last| Arp::request((HOST, [192, 168, 0, 2]), [192, 168, 0, last]).bytes();
    scene.send("pg0", &[99, 100, 103, 104].map(ask));
    let reply = |last| Arp::new(2, (PG0, [192, 168, 0, last]), (HOST, [192, 168, 0, 2])).bytes();
    assert_eq!(scene.captured("pg0").frames, [reply(100), reply(103)]);
    assert_eq!(scene.lab.error("arp-proxy", "proxy-arp-replies-sent"), 2);
    let refused = scene.lab.refused("set arp proxy start 192.168.0.9 end 192.168.0.8");
    assert!(refused.contains("`end' 192.168.0.8 is before `start' 192.168.0.9"), "{refused}");
    scene.lab.run("set interface proxy-arp pg0 disable");
    scene.send("pg0", &[ask(100)]);
    assert_eq!(scene.lab.error("arp-proxy", "proxy-arp-replies-sent"), 2);
    scene.assert_nothing_is_lost();
}

#[test]
fn an_unnumbered_interface_asks_and_answers_with_the_address_that_it_borrows() {
    let scene = Scene::new(
        2,
        "set interface ip address pg0 192.168.0.1/24
         create loopback interface
         set interface state loop0 up
         set interface ip address loop0 10.0.0.1/32
         set interface unnumbered pg1 use loop0
         ip route add 10.0.0.2/32 via 10.0.0.2 pg1",
    );
    scene.capture("pg1");
    scene.send("pg0", &[udp("10.0.0.2", 7)]);
    let peer = (PEER, [10, 0, 0, 2]);
    scene.send("pg1", &[Arp::new(2, peer, (PG1, [10, 0, 0, 1])).bytes()]);
    scene.send("pg1", &[Arp::request(peer, [10, 0, 0, 1]).bytes()]);
    // Not ours here, though it is on pg0.
    scene.send("pg1", &[Arp::request(peer, [192, 168, 0, 1]).bytes()]);
    let frames = scene.captured("pg1").frames.clone();
    assert_eq!(frames[0], Arp::request((PG1, [10, 0, 0, 1]), [10, 0, 0, 2]).bytes());
    assert_eq!(frames[2], Arp::new(2, (PG1, [10, 0, 0, 1]), peer).bytes());
    assert_eq!(ids_and_requests(&frames), (vec![7], 2));
    scene.assert_nothing_is_lost();
}

#[test]
fn a_sub_interface_asks_and_answers_with_its_tags() {
    const TAGS: &[Tag] = &[(0x8100, 7)];
    let scene = Scene::new(
        2,
        "set interface ip address pg0 192.168.0.1/24
         create sub-interfaces pg1 7
         set interface state pg1.7 up
         set interface ip address pg1.7 192.168.7.1/24",
    );
    let tagged = |mut arp: Arp| {
        arp.tags = TAGS;
        arp.bytes()
    };
    scene.capture("pg1");
    scene.send("pg0", &[udp("192.168.7.2", 1)]);
    let peer = (PEER, [192, 168, 7, 2]);
    scene.send("pg1", &[tagged(Arp::new(2, peer, (PG1, [192, 168, 7, 1])))]);
    scene.send("pg1", &[tagged(Arp::request(peer, [192, 168, 7, 1]))]);
    let frames = scene.captured("pg1").frames.clone();
    assert_eq!(frames[0], tagged(Arp::request((PG1, [192, 168, 7, 1]), [192, 168, 7, 2])));
    assert_eq!(
        frames[1][..18],
        frame_to(PEER, TAGS, &[])[..18]
            .iter()
            .copied()
            .enumerate()
            .map(|(i, b)| if (6..12).contains(&i) { PG1[i - 6] } else { b })
            .collect::<Vec<_>>()
    );
    assert_eq!(frames[2], tagged(Arp::new(2, (PG1, [192, 168, 7, 1]), peer)));
    scene.assert_nothing_is_lost();
}

#[test]
fn an_interface_that_speaks_tells_of_an_address_of_its_link_and_of_its_mac_address() {
    let scene = Scene::new(1, "set ip neighbor-announce pg0 enable");
    scene.lab.advance(5);
    let announcement = |mac: [u8; 6]| {
        let own = (mac, [192, 168, 0, 1]);
        Arp::request(own, own.1).bytes()
    };
    let said_after = |line: &str| {
        scene.capture("pg0");
        scene.lab.run(line);
        scene.lab.advance(5);
        scene.captured("pg0").frames.clone()
    };
    let twice = |mac| vec![announcement(mac); 2];
    assert_eq!(said_after("set interface ip address pg0 192.168.0.1/24"), twice(PG0));
    assert_eq!(said_after("set interface state pg0 down").len(), 0);
    assert_eq!(said_after("set interface state pg0 up"), twice(PG0));
    let other = [2, 0, 0, 0, 0, 0x44];
    assert_eq!(said_after("set interface mac address pg0 02:00:00:00:00:44"), twice(other));
    scene.lab.run("set ip neighbor-announce pg0 disable");
    assert_eq!(said_after("set interface mac address pg0 02:00:00:00:00:45").len(), 0);
    let shown = scene.lab.run("show ip neighbor-announce");
    assert!(shown.contains("pg0") && !shown.contains("yes"), "{shown}");
}
