//! Neighbour discovery: messages in and out, byte by byte as RFC 4861 has them.

use std::net::Ipv6Addr;

use nodes::nd::{
    api::{ip6_ra_event, want_ip6_ra_events},
    dad::api::{ip6_dad_event, ip6_dad_state, want_ip6_dad_events},
};
use peloton_tests::api::ApiClient;

use crate::{
    arp::{PEER, PG1},
    packets::{HOST, PG0, icmp6, ip6, ip6_flow},
    scene::Scene,
};

/// Link-local addresses of the router's interfaces, as RFC 4291 makes them of their MAC addresses.
const LOCAL0: &str = "fe80::fe:ff:fe00:0";
const LOCAL1: &str = "fe80::fe:ff:fe00:1";

fn octets(address: &str) -> [u8; 16] {
    address.parse::<Ipv6Addr>().unwrap().octets()
}

/// The group of an address.
fn group(address: &str) -> String {
    let [.., a, b, c] = octets(address);
    Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | u16::from(a), u16::from(b) << 8 | u16::from(c))
        .to_string()
}

/// The MAC address of a group.
fn group_mac(group: &str) -> [u8; 6] {
    let [.., a, b, c, d] = octets(group);
    [0x33, 0x33, a, b, c, d]
}

/// A message in the making.
#[derive(Clone)]
pub(crate) struct Message {
    pub(crate) frame: ([u8; 6], [u8; 6]),
    pub(crate) source: String,
    pub(crate) destination: String,
    pub(crate) hop_limit: u8,
    /// In front of the message: next header and bytes.
    pub(crate) extension: Option<(u8, Vec<u8>)>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) spoil: bool,
}

impl Message {
    pub(crate) fn new(
        frame: ([u8; 6], [u8; 6]),
        source: &str,
        destination: &str,
        bytes: Vec<u8>,
    ) -> Self {
        let (source, destination) = (source.to_owned(), destination.to_owned());
        Self { frame, source, destination, hop_limit: 255, extension: None, bytes, spoil: false }
    }

    /// The frame.
    pub(crate) fn frame(&self) -> Vec<u8> {
        let mut message = icmp6(&self.source, &self.destination, &self.bytes);
        message[3] ^= u8::from(self.spoil);
        let (next, payload) = match &self.extension {
            None => (58, message),
            Some((next, bytes)) => (*next, [&bytes[..], &message].concat()),
        };
        let packet = ip6(&self.source, &self.destination, (next, self.hop_limit), &payload);
        [&self.frame.0[..], &self.frame.1, &[0x86, 0xdd], &packet].concat()
    }
}

fn option(kind: u8, mac: [u8; 6]) -> Vec<u8> {
    [&[kind, 1][..], &mac].concat()
}

/// A neighbour solicitation.
fn ask((mac, source): ([u8; 6], &str), target: &str) -> Message {
    let to = group(target);
    let mut bytes = [&[135, 0, 0, 0, 0, 0, 0, 0][..], &octets(target)].concat();
    if source != "::" {
        bytes.extend(option(1, mac));
    }
    Message::new((group_mac(&to), mac), source, &to, bytes)
}

/// A neighbour advertisement; the flags are the first octet of theirs.
fn tell((mac, target): ([u8; 6], &str), (to_mac, to): ([u8; 6], &str), flags: u8) -> Message {
    let bytes = [&[136, 0, 0, 0, flags, 0, 0, 0][..], &octets(target), &option(2, mac)].concat();
    Message::new((to_mac, mac), target, to, bytes)
}

const ROUTER: u8 = 0x80;
const SOLICITED: u8 = 0x40;
const OVERRIDE: u8 = 0x20;

/// pg0 and pg1 with addresses; nobody is known on either link.
fn strangers() -> Scene {
    Scene::new(
        2,
        "set interface ip address pg0 2001:db8::1/64
         set interface ip address pg1 2001:db8:1::1/64
         ip route add 2001:db8:10::/48 via 2001:db8:1::2 pg1
         ip route add 2001:db8:20::/48 via fe80::2 pg1",
    )
}

fn udp(to: &str, port: u16) -> Vec<u8> {
    let packet = ip6_flow("2001:db8::2", to, 9, port, &[7; 20]);
    [&PG0[..], &HOST, &[0x86, 0xdd], &packet].concat()
}

/// Source ports of the UDP packets among frames.
fn ports(frames: &[Vec<u8>]) -> Vec<u16> {
    let is_udp = |f: &&Vec<u8>| f[20] == 17;
    frames.iter().filter(is_udp).map(|f| u16::from_be_bytes([f[54], f[55]])).collect()
}

#[test]
fn packets_wait_until_the_next_hop_advertises_itself_and_go_on_in_order() {
    for (to, next_hop, own) in [
        ("2001:db8:10::9", "2001:db8:1::2", "2001:db8:1::1"),
        ("2001:db8:1::2", "2001:db8:1::2", "2001:db8:1::1"),
        ("2001:db8:20::9", "fe80::2", LOCAL1),
    ] {
        let scene = strangers();
        scene.capture("pg1");
        scene.send("pg0", &[udp(to, 1), udp(to, 2)]);
        let answer = tell((PEER, next_hop), (PG1, own), SOLICITED | OVERRIDE);
        scene.send("pg1", &[answer.frame()]);
        scene.send("pg0", &[udp(to, 3)]);
        let captured = scene.captured("pg1");
        assert_eq!(captured.frames[0], ask((PG1, own), next_hop).frame(), "{to}");
        assert_eq!(ports(&captured.frames), [1, 2, 3], "{to}: {:?}", scene.reasons());
        assert!(captured.frames[1..].iter().all(|f| f[..12] == [PEER, PG1].concat()));
        let shown = scene.lab.run("show ip6 neighbors");
        assert!(shown.contains(next_hop) && shown.contains(" D "), "{shown}");
        scene.assert_nothing_is_lost();
        let fields = ["icmpv6.type", "icmpv6.nd.ns.target_address", "icmpv6.checksum.status"];
        if let Some(rows) = captured.tshark("solicitations read by tshark", &fields) {
            assert_eq!(rows[0], ["135", next_hop, "1"]);
        }
    }
}

#[test]
fn a_solicitation_for_our_addresses_is_answered_and_its_sender_learnt() {
    let scene = strangers();
    scene.capture("pg0");
    let asker = (HOST, "2001:db8::2");
    scene.send("pg0", &[ask(asker, "2001:db8::1").frame()]);
    scene.send("pg0", &[ask((HOST, "fe80::7"), LOCAL0).frame()]);
    // Whether it is free.
    scene.send("pg0", &[ask((HOST, "::"), "2001:db8::1").frame()]);
    let flags = ROUTER | SOLICITED | OVERRIDE;
    let captured = scene.captured("pg0");
    assert_eq!(
        captured.frames,
        [
            tell((PG0, "2001:db8::1"), asker, flags).frame(),
            tell((PG0, LOCAL0), (HOST, "fe80::7"), flags).frame(),
            tell((PG0, "2001:db8::1"), (group_mac("ff02::1"), "ff02::1"), ROUTER | OVERRIDE)
                .frame(),
        ]
    );
    let shown = scene.lab.run("show ip6 neighbors json");
    for address in ["2001:db8::2", "fe80::7"] {
        assert!(shown.contains(&format!("\"address\":\"{address}\"")), "{shown}");
    }
    scene.assert_nothing_is_lost();
    let fields = ["icmpv6.type", "icmpv6.checksum.status"];
    if let Some(rows) = captured.tshark("advertisements read by tshark", &fields) {
        assert!(rows.iter().all(|row| *row == ["136", "1"]), "{rows:?}");
    }
}

#[test]
fn what_is_no_proper_message_is_dropped_by_what_is_wrong_with_it() {
    let good = ask((HOST, "2001:db8::2"), "2001:db8::1");
    let ns = |change: fn(&mut Message)| {
        let mut message = good.clone();
        change(&mut message);
        message.frame()
    };
    let told = tell((HOST, "2001:db8::2"), (PG0, "2001:db8::1"), SOLICITED | OVERRIDE);
    let na = |change: fn(&mut Message)| {
        let mut message = told.clone();
        change(&mut message);
        message.frame()
    };
    let solicits = Message::new(
        (group_mac("ff02::2"), HOST),
        "fe80::2",
        "ff02::2",
        [&[133, 0, 0, 0, 0, 0, 0, 0][..], &option(1, HOST)].concat(),
    );
    let rs = |change: fn(&mut Message)| {
        let mut message = solicits.clone();
        change(&mut message);
        message.frame()
    };
    let advertises = Message::new(
        (group_mac("ff02::1"), HOST),
        "fe80::2",
        "ff02::1",
        [&[134, 0, 0, 0, 64, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], &option(1, HOST)].concat(),
    );
    let ra = |change: fn(&mut Message)| {
        let mut message = advertises.clone();
        change(&mut message);
        message.frame()
    };
    const INPUT: &str = "ip6-icmp-input";
    const NS: &str = "icmp6-neighbor-solicitation";
    const NA: &str = "icmp6-neighbor-advertisement";
    const RS: &str = "icmp6-router-solicitation";
    const RA: &str = "icmp6-router-advertisement";
    let cases = [
        // RFC 4861, section 7.1.1.
        ("hop limit 254", ns(|m| m.hop_limit = 254), INPUT, "invalid-hop-limit"),
        ("one bit", ns(|m| m.spoil = true), "ip6-local", "bad-icmp-checksum"),
        ("code 1", ns(|m| m.bytes[1] = 1), INPUT, "invalid-code"),
        ("23 bytes", ns(|m| m.bytes.truncate(23)), INPUT, "too-short"),
        ("target ff02::1", ns(|m| m.bytes[8] = 0xff), NS, "target-is-multicast"),
        ("option of length 0", ns(|m| m.bytes[25] = 0), NS, "option-with-zero-length"),
        ("option beyond the end", ns(|m| m.bytes[25] = 2), NS, "options-with-odd-length"),
        ("half an option", ns(|m| m.bytes.truncate(28)), NS, "options-with-odd-length"),
        ("one byte of an option", ns(|m| m.bytes.truncate(25)), NS, "options-with-odd-length"),
        (
            "from nobody to one",
            ns(|m| {
                m.source = "::".to_owned();
                m.destination = "2001:db8::1".to_owned();
                m.frame.0 = PG0;
            }),
            NS,
            "unspecified-to-others",
        ),
        (
            "from nobody with address",
            ns(|m| m.source = "::".to_owned()),
            NS,
            "unspecified-with-address",
        ),
        // RFC 6980.
        (
            "a fragment that is the whole",
            ns(|m| m.extension = Some((44, vec![58, 0, 0, 0, 0, 0, 0, 1]))),
            NS,
            "nd-fragment",
        ),
        // Ours.
        ("off link", ns(|m| m.source = "2001:db8:7::2".to_owned()), NS, "source-not-on-link"),
        ("from our address", ns(|m| m.source = "2001:db8::1".to_owned()), NS, "source-is-ours"),
        ("a group's MAC address", ns(|m| m.bytes[26] = 1), NS, "link-address-no-host"),
        (
            "our MAC address",
            ns(|m| m.bytes[26..].copy_from_slice(&PG0)),
            NS,
            "link-address-no-host",
        ),
        ("for another", ns(|m| m.bytes[23] = 9), NS, "unknown-target"),
        (
            "for our other link",
            ns(|m| m.bytes[8..24].copy_from_slice(&octets("2001:db8:1::1"))),
            NS,
            "unknown-target",
        ),
        // Section 7.1.2.
        ("hop limit 1", na(|m| m.hop_limit = 1), INPUT, "invalid-hop-limit"),
        ("code 255", na(|m| m.bytes[1] = 255), INPUT, "invalid-code"),
        ("20 bytes", na(|m| m.bytes.truncate(20)), INPUT, "too-short"),
        ("target ff02::2", na(|m| m.bytes[8] = 0xff), NA, "target-is-multicast"),
        (
            "solicited, to all",
            na(|m| {
                m.destination = "ff02::1".to_owned();
                m.frame.0 = group_mac("ff02::1");
            }),
            NA,
            "solicited-multicast",
        ),
        ("option of length 0", na(|m| m.bytes[25] = 0), NA, "option-with-zero-length"),
        ("without address", na(|m| m.bytes.truncate(24)), NA, "no-link-address"),
        (
            "our address",
            na(|m| m.bytes[8..24].copy_from_slice(&octets("2001:db8::1"))),
            NA,
            "source-is-ours",
        ),
        ("off link", na(|m| m.bytes[12] = 7), NA, "source-not-on-link"),
        ("a group's MAC address", na(|m| m.bytes[26] = 0x33), NA, "link-address-no-host"),
        // Section 6.1.1.
        ("hop limit 64", rs(|m| m.hop_limit = 64), INPUT, "invalid-hop-limit"),
        ("code 3", rs(|m| m.bytes[1] = 3), INPUT, "invalid-code"),
        ("7 bytes", rs(|m| m.bytes.truncate(7)), INPUT, "too-short"),
        ("option of length 0", rs(|m| m.bytes[9] = 0), RS, "option-with-zero-length"),
        (
            "from nobody with address",
            rs(|m| m.source = "::".to_owned()),
            RS,
            "unspecified-with-address",
        ),
        (
            "off link",
            rs(|m| m.source = "2001:db8:7::2".to_owned()),
            RS,
            "router-source-not-on-link",
        ),
        // Section 6.1.2.
        (
            "not link-local",
            ra(|m| m.source = "2001:db8::2".to_owned()),
            RA,
            "router-not-link-local",
        ),
        ("hop limit 2", ra(|m| m.hop_limit = 2), INPUT, "invalid-hop-limit"),
        ("code 1", ra(|m| m.bytes[1] = 1), INPUT, "invalid-code"),
        ("15 bytes", ra(|m| m.bytes.truncate(15)), INPUT, "too-short"),
        ("option of length 0", ra(|m| m.bytes[17] = 0), RA, "option-with-zero-length"),
        (
            "a redirect",
            ns(|m| {
                m.bytes = vec![137; 40];
                m.bytes[1] = 0;
            }),
            INPUT,
            "unknown-type",
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
    assert_eq!(scene.lab.run("show ip6 neighbors json"), "[]\n", "nobody is learnt");
    scene.assert_nothing_is_lost();
}

#[test]
fn an_advertisement_is_believed_when_it_was_asked_for_or_its_sender_known() {
    let scene = strangers();
    let all = (group_mac("ff02::1"), "ff02::1");
    let known = || scene.lab.run("show ip6 neighbors");
    let mac = |last| [2, 0, 0, 0, 7, last];
    scene.send("pg1", &[tell((mac(1), "2001:db8:1::2"), all, OVERRIDE).frame()]);
    assert!(!known().contains("2001:db8:1::2"), "nobody has asked");
    scene.send("pg1", &[ask((mac(2), "2001:db8:1::2"), "2001:db8:1::1").frame()]);
    assert!(known().contains("02:00:00:00:07:02"), "{}", known());
    scene.lab.advance(2);
    scene.send("pg1", &[tell((mac(3), "2001:db8:1::2"), all, 0).frame()]);
    assert!(known().contains("02:00:00:00:07:02"), "it does not override: {}", known());
    scene.lab.advance(2);
    scene.send("pg1", &[tell((mac(4), "2001:db8:1::2"), all, OVERRIDE).frame()]);
    assert!(known().contains("02:00:00:00:07:04"), "{}", known());
    scene.assert_nothing_is_lost();
}

#[test]
fn an_interface_gets_a_link_local_address_with_ip6_and_loses_it_with_the_last_address() {
    let scene = Scene::new(1, "");
    let local = || scene.lab.run("show ip6 interface pg0");
    assert_eq!(local(), "IPv6 is not enabled on pg0\n");
    scene.lab.run("enable ip6 interface pg0");
    let shown = local();
    for part in [
        "pg0 is admin up\n  Local address(es):\n    fe80::fe:ff:fe00:0\n",
        "  Joined group address(es):\n    ff02::1\n    ff02::2\n    ff02::1:ff00:0\n",
        "    MTU is 9000\n    ND DAD is disabled\n    ND router advertisements are not configured\n",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    scene.capture("pg0");
    scene.send("pg0", &[ask((HOST, "fe80::7"), LOCAL0).frame()]);
    assert_eq!(scene.captured("pg0").frames.len(), 1);
    scene.lab.run("set interface ip address pg0 2001:db8::1/64");
    scene.lab.run("disable ip6 interface pg0");
    assert!(local().contains(LOCAL0), "it has another address");
    scene.lab.run("set interface ip address del pg0 2001:db8::1/64");
    assert_eq!(local(), "IPv6 is not enabled on pg0\n");
    let refused = scene.lab.refused("disable ip6 interface pg0");
    assert!(refused.contains("IPv6 was not enabled on pg0"), "{refused}");
    scene.send("pg0", &[ask((HOST, "fe80::7"), LOCAL0).frame()]);
    assert_eq!(scene.lab.error("ip6-not-enabled", "not-enabled"), 1);
    scene.assert_nothing_is_lost();
}

/// What a client was told of an address since it was asked last: states, and how many solicitations had been sent.
fn states_of(address: &str, client: &ApiClient<'_>) -> Vec<(ip6_dad_state, u8)> {
    let address = address.parse::<Ipv6Addr>().unwrap().octets();
    let events = client.events().into_iter().map(|event| event.event::<ip6_dad_event>(client));
    let of_address = events.map(Option::unwrap).filter(|(_, pid, told)| {
        assert_eq!((*pid, told.dad_transmits), (7, 2));
        told.address == address
    });
    of_address.map(|(_, _, told)| (told.state, told.dad_count)).collect()
}

#[test]
fn an_address_that_somebody_else_has_is_given_up_and_another_one_used_when_nobody_objects() {
    let probe = |address| ask((PG0, "::"), address).frame();
    let scene = Scene::new(1, "set ip6 dad enable transmits 2 delay 0.5");
    assert_eq!(scene.lab.run("show ip6 dad"), "DAD is enabled, transmits 2, delay 0.5 seconds\n");
    let client = ApiClient::new(&scene.lab.engine);
    client.call(&want_ip6_dad_events { enable_disable: true, pid: 7 }).unwrap();
    scene.capture("pg0");
    scene.lab.run("set interface ip address pg0 2001:db8::1/64");
    scene.send("pg0", &[ask((HOST, "2001:db8::2"), "2001:db8::1").frame()]);
    assert_eq!(scene.lab.error("icmp6-neighbor-solicitation", "tentative"), 1);
    // Our own question, which comes back, is nobody's.
    scene.send("pg0", &[probe("2001:db8::1")]);
    assert_eq!(scene.lab.error("icmp6-neighbor-solicitation", "tentative"), 2);
    scene.lab.advance(2);
    scene.send("pg0", &[ask((HOST, "2001:db8::2"), "2001:db8::1").frame()]);
    let frames = scene.captured("pg0").frames.clone();
    let count = |frame: &[u8]| frames.iter().filter(|f| f[..] == *frame).count();
    assert_eq!((count(&probe("2001:db8::1")), count(&probe(LOCAL0))), (2, 2));
    assert_eq!(frames.len(), 2 + 2 + 2 + 1, "probes, then each is announced, then an answer");
    let (tentative, preferred) =
        (ip6_dad_state::IP6_DAD_STATE_TENTATIVE, ip6_dad_state::IP6_DAD_STATE_PREFERRED);
    let expected = [(tentative, 0), (tentative, 1), (tentative, 2), (preferred, 2)];
    assert_eq!(states_of("2001:db8::1", &client), expected);

    for objection in [
        tell((HOST, "2001:db8::5"), (group_mac("ff02::1"), "ff02::1"), OVERRIDE).frame(),
        ask((HOST, "::"), "2001:db8::5").frame(),
    ] {
        scene.lab.run("set interface ip address pg0 2001:db8::5/64");
        assert!(scene.lab.run("show interface addr pg0").contains("2001:db8::5/64"));
        scene.send("pg0", &[objection]);
        assert!(!scene.lab.run("show interface addr pg0").contains("2001:db8::5/64"));
        let duplicate = (ip6_dad_state::IP6_DAD_STATE_DUPLICATE, 1);
        assert_eq!(states_of("2001:db8::5", &client).last(), Some(&duplicate));
        scene.lab.advance(2);
    }
    let log = scene.lab.run("show logging");
    assert!(log.contains("2001:db8::5 on pg0 is somebody else's: it is removed"), "{log}");
    assert_eq!(scene.lab.engine.with(|main| main.pool().owned()), 0);
}

#[test]
fn who_asks_for_a_host_of_another_link_is_answered_in_its_place() {
    let (host, own) = ("2001:db8::77", "2001:db8::1");
    let scene = strangers();
    scene.lab.run(&format!("set ip6 nd proxy pg1 {host}"));
    let shown = scene.lab.run("show ip6 nd proxy");
    assert!(shown.lines().any(|l| l.split_whitespace().eq([host, "pg1", "0"])), "{shown}");
    scene.capture("pg0");
    scene.capture("pg1");
    // Asked for by a host, and by one who looks whether the address is free.
    scene.send("pg0", &[ask((HOST, "2001:db8::2"), host).frame(), ask((HOST, "::"), host).frame()]);
    scene.send("pg0", &[udp(host, 7)]);
    scene.send("pg1", &[tell((PEER, host), (PG1, LOCAL1), SOLICITED | OVERRIDE).frame()]);
    // On its own link it answers itself, and no other address is answered for.
    scene.send("pg1", &[ask((HOST, "2001:db8:1::2"), host).frame()]);
    scene.send("pg0", &[ask((HOST, "2001:db8::2"), "2001:db8::78").frame()]);
    assert_eq!(
        scene.lab.error("icmp6-neighbor-solicitation", "unknown-target"),
        2,
        "{:?}",
        scene.reasons()
    );

    let answer = |destination: ([u8; 6], &str), flags: u8| {
        let bytes = [&[136, 0, 0, 0, flags, 0, 0, 0][..], &octets(host), &option(2, PG0)].concat();
        Message::new((destination.0, PG0), own, destination.1, bytes).frame()
    };
    let all = (group_mac("ff02::1"), "ff02::1");
    let got = scene.captured("pg0");
    assert_eq!(got.frames, [answer((HOST, "2001:db8::2"), SOLICITED), answer(all, 0)]);
    let got = scene.captured("pg1");
    assert_eq!(got.frames[0], ask((PG1, LOCAL1), host).frame());
    assert_eq!(ports(&got.frames), [7]);

    // It takes the link of its prefix for its own, and asks there for the router's address of that prefix.
    scene.capture("pg1");
    scene.send("pg1", &[ask((PEER, host), own).frame(), ask((PEER, host), "2001:db8::78").frame()]);
    let bytes = [&[136, 0, 0, 0, SOLICITED, 0, 0, 0][..], &octets(own), &option(2, PG1)].concat();
    let expected = Message::new((PEER, PG1), LOCAL1, host, bytes).frame();
    assert_eq!(scene.captured("pg1").frames, [expected]);

    for (line, error) in [
        ("pg0 2001:db8::77", "2001:db8::77 is behind pg1 already"),
        ("pg0 del 2001:db8::77", "2001:db8::77 is behind pg1"),
        ("pg0 del 2001:db8::78", "2001:db8::78 is behind no interface"),
        ("pg0 fe80::1", "fe80::1 is no address of a host on another link"),
        ("pg0", "missing <ip6-address>"),
        ("pg7 ::7", "unknown interface `pg7'"),
    ] {
        let refused = scene.lab.refused(&format!("set ip6 nd proxy {line}"));
        assert!(refused.contains(error), "{line}: {refused}");
    }
    assert!(scene.lab.run("show ip6 nd proxy json").contains("\"2001:db8::77\""));
    scene.lab.run(&format!("set ip6 nd proxy pg1 del {host}"));
    assert!(!scene.lab.run("show ip6 nd proxy").contains(host));
    assert!(!scene.lab.run("show ip6 fib").contains("IPv6-proxy-nd"));
    scene.assert_nothing_is_lost();
}

#[test]
fn floods_stay_within_bounds() {
    let scene = strangers();
    scene.lab.script(
        "set ip neighbor-config ip6 limit 300
         set ip neighbor pg1 2001:db8:1::2 02:00:00:00:00:09",
    );
    let stranger = |n: u32| {
        let [_, _, c, d] = n.to_be_bytes();
        ask(([2, 1, 0, 0, c, d], &format!("2001:db8::1:{n:x}")), "2001:db8::1").frame()
    };
    for round in 0..20 {
        let mut frames: Vec<_> = (0..100)
            .flat_map(|i| {
                let n = round * 100 + i;
                [stranger(n), udp(&format!("2001:db8:1::9:{n:x}"), 9)]
            })
            .collect();
        frames.push(udp("2001:db8:10::1", 1));
        scene.send("pg0", &frames);
        let held = scene.lab.engine.with(|main| main.pool().owned());
        assert!(held <= 1024, "{held} packets wait");
    }
    assert_eq!(scene.lab.run("show ip6 neighbors json").matches("\"2001:db8::1:").count(), 300);
    assert!(scene.lab.error("ip6-glean", "throttled") > 0);
    scene.lab.advance(3);
    scene.assert_nothing_is_lost();
}

#[test]
fn a_client_is_told_of_what_other_routers_advertise_while_it_wants_to_know() {
    let scene = Scene::new(1, "set interface ip address pg0 2001:db8::1/64");
    let client = ApiClient::new(&scene.lab.engine);
    let want = |enable| client.call(&want_ip6_ra_events { enable, pid: 7 }).map(drop);
    let prefix = |length: u8, last: u8| {
        let lifetimes = [0, 0, 14, 16, 0, 0, 7, 8];
        let front = [&[3, 4, length, 0xc0][..], &lifetimes, &[0; 4]].concat();
        [&front[..], &octets(&format!("2001:db8:{last}::"))].concat()
    };
    let advertise = |options: &[Vec<u8>]| {
        let fixed = [134, 0, 0, 0, 64, 0x80, 7, 8, 0, 0, 3, 232, 0, 0, 0, 100];
        let message = [&fixed[..], &options.concat()].concat();
        Message::new((group_mac("ff02::1"), HOST), "fe80::2", "ff02::1", message).frame()
    };
    let send = |options: &[Vec<u8>]| {
        scene.send("pg0", &[advertise(options)]);
        let events = client.events();
        let told = events.iter().map(|event| event.event::<ip6_ra_event>(&client).unwrap());
        told.map(|(_, pid, told)| (pid, told)).collect::<Vec<_>>()
    };
    assert_eq!(send(&[]), []);
    want(true).unwrap();
    assert_eq!([want(true), want(false), want(false)], [Err(-31), Ok(()), Err(-31)]);
    want(true).unwrap();
    // The MTU is none of the prefixes, and there is no prefix of 129 bits.
    let mtu = vec![5, 1, 0, 0, 0, 0, 5, 220];
    let told = send(&[option(1, HOST), prefix(64, 5), mtu, prefix(129, 6), prefix(48, 7)]);
    let [(7, told)] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!((told.sw_if_index, told.router_addr), (1, octets("fe80::2")));
    assert_eq!((told.current_hop_limit, told.flags, told.router_lifetime_in_sec), (64, 0x80, 1800));
    assert_eq!(told.neighbor_reachable_time_in_msec, 1000);
    assert_eq!(told.time_in_msec_between_retransmitted_neighbor_solicitations, 100);
    let prefixes: Vec<_> =
        told.prefixes.iter().map(|of| (of.prefix.address.un.0, of.prefix.len)).collect();
    assert_eq!(prefixes, [(octets("2001:db8:5::"), 64), (octets("2001:db8:7::"), 48)]);
    let [first, _] = told.prefixes.as_slice() else { panic!("{told:?}") };
    assert_eq!((first.flags, first.valid_time, first.preferred_time), (0xc0, 3600, 1800));
    // As many as there is room for.
    let many: Vec<_> = (0..20).map(|n| prefix(64, n)).collect();
    assert_eq!(send(&many)[0].1.prefixes.len(), 16);
    want(false).unwrap();
    assert_eq!(send(&[]), []);
    assert_eq!(scene.lab.error("icmp6-router-advertisement", "router-advertisements-rx"), 4);
    scene.assert_nothing_is_lost();
}
