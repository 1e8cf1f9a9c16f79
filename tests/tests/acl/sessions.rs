//! Sessions: what comes back, for how long, and by which lists.

use peloton_tests::{Lab, START};
use vnet::runtime::Clock;

use crate::{
    Router,
    packet::{Packet, framed},
};

/// Hosts behind pg0 may ask those behind pg1 for names, and open connections; nobody may do so from there.
const SCRIPT: &str = "set acl-plugin acl permit+reflect src 10.0.0.0/24 proto 17 dport 53, permit+reflect src 10.0.0.0/24 proto 6, \
     permit+reflect src 10.0.0.0/24 proto 1, permit+reflect dst 2001:db8:1::/48 tag out
     set acl-plugin acl deny, deny dst ::/0 tag closed
     set acl-plugin interface pg0 input acl 0
     set acl-plugin interface pg0 output acl 1";

const ASK: Packet = Packet::udp(0, 1, (1000, 53));

#[test]
fn answers_come_back_and_nothing_else() {
    let router = Router::new(2, SCRIPT);
    assert!(!router.passes(1, &ASK.back()));
    assert!(router.passes(0, &ASK));
    assert!(router.passes(1, &ASK.back()));
    let stranger = Packet { source: (1, 2), ..ASK.back() };
    assert!(!router.passes(1, &stranger));
    assert!(!router.passes(1, &Packet::udp(1, 0, (53, 1001))));
    assert!(router.passes(0, &ASK.ip6()) && router.passes(1, &ASK.ip6().back()));
    // Echo replies to those who asked.
    let echo = Packet::icmp(0, 1, 8, 0);
    let reply = Packet { ports: (0, 0), ..echo.back() };
    assert!(!router.passes(1, &reply));
    assert!(router.passes(0, &echo) && router.passes(1, &reply));
    assert!(!router.passes(1, &Packet { ports: (8, 0), ..reply }));
    // Other messages begin nothing.
    let before = router.live();
    assert!(router.passes(0, &Packet::icmp(0, 1, 0, 0)));
    assert_eq!(router.live(), before);
    assert_eq!(router.lab.error("acl-plugin-in-ip4-fa", "acl-new-session"), 2);
    assert_eq!(router.lab.error("acl-plugin-out-ip4-fa", "acl-exist-session"), 2);
}

#[test]
fn packets_of_a_frame_that_begin_a_session_make_one() {
    let router = Router::new(2, SCRIPT);
    assert_eq!(router.send(0, &[ASK; 100]), 100);
    assert_eq!(router.live(), 1);
    assert_eq!(router.lab.error("acl-plugin-in-ip4-fa", "acl-new-session"), 1);
    assert_eq!(router.lab.error("acl-plugin-in-ip4-fa", "acl-exist-session"), 99);
}

#[test]
fn a_session_may_begin_with_what_leaves() {
    let router = Router::new(
        2,
        "set acl-plugin acl permit+reflect proto 17
         set acl-plugin acl deny
         set acl-plugin interface pg1 output acl 0
         set acl-plugin interface pg1 input acl 1",
    );
    assert!(!router.passes(1, &ASK.back()));
    assert!(router.passes(0, &ASK));
    assert!(router.passes(1, &ASK.back()));
    let shown = router.lab.run("show acl-plugin sessions verbose");
    assert!(
        shown.contains("  sw_if_index 2 output proto 17 10.0.1.1 port 53 <-> 10.0.0.1 port 1000"),
        "{shown}"
    );
}

#[test]
fn sessions_last_as_long_as_their_state_says() {
    let router = Router::new(
        2,
        &format!(
            "{SCRIPT}
             set acl-plugin session timeout udp idle 30
             set acl-plugin session timeout tcp transient 10
             set acl-plugin session timeout tcp idle 100"
        ),
    );
    assert!(router.passes(0, &ASK));
    router.lab.advance(30);
    assert!(router.passes(1, &ASK.back()), "heard 30 seconds ago");
    router.lab.advance(31);
    assert!(!router.passes(1, &ASK.back()));
    // TCP: transient until both sides have opened it, and after one has closed it.
    let tcp = |flags| Packet::tcp(0, 1, (1000, 80), flags);
    let (syn, syn_ack, ack, fin) = (tcp(2), tcp(0x12).back(), tcp(0x10), tcp(0x11));
    assert!(router.passes(0, &syn));
    router.lab.advance(11);
    assert!(!router.passes(1, &syn_ack), "the connection was not answered in time");
    assert!(router.passes(0, &syn) && router.passes(1, &syn_ack) && router.passes(0, &ack));
    router.lab.advance(99);
    assert!(router.passes(1, &ack.back()), "it is open, and may be idle for longer");
    assert!(router.passes(0, &fin));
    router.lab.advance(11);
    assert!(!router.passes(1, &ack.back()), "it is closed");
}

#[test]
fn what_is_over_gives_its_place_up_though_no_packet_comes() {
    let router = Router::new(
        2,
        &format!(
            "set acl-plugin session table max-entries 100\n{SCRIPT}\nset acl-plugin session timeout udp idle 5"
        ),
    );
    let asks: Vec<_> = (0..50).map(|n| Packet::udp(0, 1, (1000 + n, 53))).collect();
    assert_eq!(router.send(0, &asks), 50);
    assert_eq!(router.live(), 50);
    router.lab.advance(7);
    assert_eq!(router.live(), 0);
}

#[test]
fn changed_lists_are_asked_about_sessions_at_once() {
    let router = Router::new(2, SCRIPT);
    let web = Packet::tcp(0, 1, (1000, 80), 2);
    assert!(router.passes(0, &ASK) && router.passes(0, &web));
    // Names are no longer asked for; connections may go on.
    router
        .lab
        .run("set acl-plugin acl index 0 permit+reflect src 10.0.0.0/24 proto 6 tcpflags 2 mask 2");
    assert!(!router.passes(1, &ASK.back()));
    assert!(!router.passes(0, &ASK));
    assert!(
        router.passes(1, &Packet { flags: 0x12, ..web.back() }),
        "the packet with which it began counts"
    );
    assert!(router.passes(0, &Packet { flags: 0x10, ..web }));
    assert_eq!(router.lab.error("acl-plugin-out-ip4-fa", "acl-stale-session"), 1);
    // What is merely permitted has no session.
    router.lab.run("set acl-plugin acl index 0 permit src 10.0.0.0/24 proto 6");
    assert!(router.passes(0, &web));
    assert!(!router.passes(1, &web.back()));
    assert_eq!(router.live(), 0);
}

#[test]
fn a_list_that_is_taken_away_ends_its_sessions() {
    let router = Router::new(2, SCRIPT);
    assert!(router.passes(0, &ASK) && router.passes(1, &ASK.back()));
    router.lab.run("set acl-plugin interface pg0 input acl 0 del");
    assert!(!router.passes(1, &ASK.back()));
    router.lab.run("set acl-plugin interface pg0 input acl 0");
    assert!(!router.passes(1, &ASK.back()));
    assert!(router.passes(0, &ASK) && router.passes(1, &ASK.back()));
    router.lab.run("clear acl-plugin sessions");
    assert!(!router.passes(1, &ASK.back()));
}

#[test]
fn icmp_errors_about_packets_of_sessions_come_back() {
    let router = Router::new(2, SCRIPT);
    let error = |about: &Packet| {
        let message = [&[3, 1, 0, 0, 0, 0, 0, 0], &about.bytes()[..28]].concat();
        framed(1, false, &Packet::icmp(1, 0, 3, 1).ip4(0, &message))
    };
    let comes_back = |about: &Packet| {
        let before = router.sent()[0];
        router.receive(1, &[error(about)]);
        router.sent()[0] - before
    };
    assert_eq!(comes_back(&ASK), 0);
    assert!(router.passes(0, &ASK));
    assert_eq!(comes_back(&ASK), 1);
    assert_eq!(comes_back(&ASK.back()), 0, "about a packet that nobody sent");
    assert_eq!(router.lab.error("acl-plugin-out-ip4-fa", "acl-icmp-error"), 1);
}

#[test]
fn both_directions_meet_on_different_threads() {
    let lab = Lab::with_workers(Clock::virtual_at(START), 2, vec![acl::plugin()]);
    let router = Router::of(lab, 2, SCRIPT);
    let streams = "
        packet-generator new { name ask limit 1000 worker 0 interface pg0 node ethernet-input data {
          IP4: 02:00:00:00:01:00 -> 02:fe:00:00:00:00 UDP: 10.0.0.1 -> 10.0.1.1 UDP: 1000-1099 -> 53 incrementing 18 } }
        packet-generator new { name answer limit 1000 worker 1 interface pg1 node ethernet-input data {
          IP4: 02:00:00:00:01:01 -> 02:fe:00:00:00:01 UDP: 10.0.1.1 -> 10.0.0.1 UDP: 53 -> 1000-1099 incrementing 18 } }";
    for stream in streams.split("packet-generator new").skip(1) {
        router.lab.run(&format!("packet-generator new{}", stream.replace('\n', " ")));
    }
    router.lab.run("packet-generator enable-stream ask");
    router.lab.engine.run_until_idle();
    assert_eq!((router.sent()[1], router.live()), (1000, 100));
    router.lab.run("packet-generator enable-stream answer");
    router.lab.engine.run_until_idle();
    assert_eq!((router.sent()[0], router.live()), (1000, 100));
}
