//! Packets that wait for the MAC address of their next hop.

use std::time::Duration;

use peloton_tests::{Lab, START};
use vnet::runtime::Clock;

use crate::arp::{Arp, PEER, PG1, answer_from_peer, ids_and_requests, strangers, udp};

#[test]
fn packets_wait_until_the_next_hop_answers_and_go_on_in_order() {
    for to in ["10.1.2.3", "192.168.1.2"] {
        let scene = strangers();
        scene.capture("pg1");
        scene.send("pg0", &[udp(to, 1), udp(to, 2)]);
        scene.send("pg0", &[udp(to, 3)]);
        scene.send("pg1", &[answer_from_peer()]);
        scene.send("pg0", &[udp(to, 4)]);
        let frames = scene.captured("pg1").frames.clone();
        let question = Arp::request((PG1, [192, 168, 1, 1]), [192, 168, 1, 2]).bytes();
        assert_eq!(frames[0], question, "{to}");
        assert_eq!(ids_and_requests(&frames), (vec![1, 2, 3, 4], 1), "{to}");
        assert!(frames[1..].iter().all(|f| f[..12] == [PEER, PG1].concat()), "{to}");
        let shown = scene.lab.run("show ip neighbors");
        assert!(shown.contains("192.168.1.2") && shown.contains(" D "), "{shown}");
        scene.assert_nothing_is_lost();
    }
}

#[test]
fn packets_go_on_that_wait_for_a_neighbor_whom_an_operator_names() {
    for to in ["10.1.2.3", "192.168.1.2"] {
        let scene = strangers();
        scene.capture("pg1");
        scene.send("pg0", &[udp(to, 1), udp(to, 2)]);
        scene.lab.run("set ip neighbor pg1 192.168.1.2 02:00:00:00:00:09");
        scene.lab.engine.advance(Duration::from_millis(200));
        let frames = scene.captured("pg1").frames.clone();
        assert_eq!(ids_and_requests(&frames), (vec![1, 2], 1), "{to}");
        assert!(frames[1..].iter().all(|f| f[..12] == [PEER, PG1].concat()), "{to}");
        scene.assert_nothing_is_lost();
    }
}

#[test]
fn a_neighbor_that_does_not_answer_is_asked_three_times_and_then_left_alone_for_a_while() {
    let scene = strangers();
    scene.capture("pg1");
    scene.send("pg0", &[udp("10.1.2.3", 1)]);
    let waiting = || scene.lab.engine.with(|main| main.pool().owned());
    let mut counts = Vec::new();
    for _ in 0..4 {
        counts.push((scene.lab.error("ip4-arp", "request-sent"), waiting()));
        scene.lab.advance(1);
    }
    assert_eq!(scene.lab.error("ip-neighbor-waiting", "request-sent"), 2);
    assert_eq!(counts, [(1, 1), (1, 1), (1, 1), (1, 0)]);
    assert_eq!(scene.lab.error("ip4-arp", "unresolved"), 1);
    // For a second after the last one nobody asks, and packets do not wait.
    let scene = strangers();
    scene.capture("pg1");
    scene.send("pg0", &[udp("10.1.2.3", 1)]);
    scene.lab.engine.advance(Duration::from_millis(3500));
    scene.send("pg0", &[udp("10.1.2.3", 2)]);
    assert_eq!(scene.lab.error("ip4-arp", "unresolved"), 2);
    scene.lab.advance(1);
    scene.send("pg0", &[udp("10.1.2.3", 3)]);
    scene.send("pg1", &[answer_from_peer()]);
    assert_eq!(ids_and_requests(&scene.captured("pg1").frames), (vec![3], 4));
    scene.assert_nothing_is_lost();
}

#[test]
fn a_few_packets_wait_for_a_neighbor_and_the_latest_of_them() {
    let scene = strangers();
    scene.capture("pg1");
    let all: Vec<_> = (0..20).map(|n| udp("192.168.1.2", n)).collect();
    scene.send("pg0", &all);
    assert_eq!(scene.lab.error("ip4-glean", "queue-full"), 12);
    scene.send("pg1", &[answer_from_peer()]);
    let expected: Vec<u16> = (12..20).collect();
    assert_eq!(ids_and_requests(&scene.captured("pg1").frames), (expected, 1));
    scene.assert_nothing_is_lost();
}

#[test]
fn floods_stay_within_bounds_and_other_packets_go_on() {
    let scene = strangers();
    scene.lab.run("set ip neighbor pg1 192.168.1.2 02:00:00:00:00:09");
    scene.lab.run("set interface ip address pg0 11.0.0.1/8");
    scene.lab.run("set ip neighbor-config ip4 limit 500");
    // Everybody on a large link asks, and a scan looks for all of them.
    let ask = |n: u32| {
        let [_, _, c, d] = n.to_be_bytes();
        Arp::request(([2, 1, 0, 0, c, d], [11, 1, c, d]), [11, 0, 0, 1]).bytes()
    };
    let scan = |n: u32| udp(&format!("11.2.{}.{}", n / 250, 1 + n % 250), n as u16);
    for round in 0..40_u32 {
        let mut frames: Vec<_> =
            (0..100).flat_map(|i| [ask(round * 100 + i), scan(round * 100 + i)]).collect();
        frames.push(udp("10.1.1.1", 1));
        scene.send("pg0", &frames);
        let held = scene.lab.engine.with(|main| main.pool().owned());
        assert!(held <= 1024, "{held} packets wait");
    }
    assert_eq!(scene.counter("pg1", "tx packets"), 40);
    assert_eq!(scene.lab.run("show ip neighbors json").matches("\"11.1.").count(), 500);
    assert!(scene.lab.error("ip4-glean", "throttled") > 0);
    scene.lab.advance(3);
    scene.assert_nothing_is_lost();
}

#[test]
fn packets_that_still_wait_at_the_end_are_dropped_and_counted() {
    for workers in [0, 2] {
        let lab = Lab::with_workers(Clock::virtual_at(START), workers, Vec::new());
        lab.script(
            "create packet-generator interface pg0
             set interface state pg0 up
             set interface ip address pg0 192.168.0.1/24
             packet-generator new { name a limit 3 interface pg0 node ip4-input worker 1 data { UDP: 192.168.0.2 -> 192.168.0.9 } }
             packet-generator enable-stream",
        );
        lab.engine.run_until_idle();
        assert_eq!(lab.engine.with(|main| main.pool().owned()), 3);
        assert!(lab.engine.stop().is_empty());
        assert_eq!(lab.error("ip4-glean", "glean"), 3);
        assert_eq!(lab.engine.with(|main| main.pool().owned()), 0);
    }
}

#[test]
fn each_worker_lets_its_own_packets_wait_and_all_go_on_when_one_hears_the_answer() {
    let lab = Lab::with_workers(Clock::virtual_at(START), 2, Vec::new());
    lab.script(
        "create packet-generator interface pg0
         create packet-generator interface pg1
         set interface state pg0 up
         set interface state pg1 up
         set interface ip address pg0 192.168.0.1/24
         set interface ip address pg1 192.168.1.1/24",
    );
    for worker in [0, 1] {
        lab.run(&format!(
            "packet-generator new {{ name w{worker} limit 2 interface pg0 node ip4-input worker {worker} \
             data {{ UDP: 192.168.0.2 -> 192.168.1.9 }} }}"
        ));
    }
    lab.run("packet-generator enable-stream");
    lab.engine.run_until_idle();
    assert_eq!(lab.engine.with(|main| main.pool().owned()), 4);
    lab.run("set ip neighbor pg1 192.168.1.9 02:00:00:00:00:09");
    lab.advance(1);
    assert_eq!(lab.engine.with(|main| main.pool().owned()), 0);
    assert_eq!(lab.error("ip4-glean", "glean"), 0);
    let sent = lab.run("show interface pg1");
    // Two questions, four packets.
    assert!(sent.contains("tx packets                     6"), "{sent}");
}

#[test]
fn where_a_link_has_changed_its_hosts_are_asked_for_at_once_and_nobody_waits_where_it_is_down() {
    let scene = strangers();
    scene.send("pg0", &[udp("10.1.2.3", 1)]);
    scene.lab.run("set interface mac address pg1 02:00:00:00:00:77");
    scene.capture("pg1");
    scene.send("pg0", &[udp("10.1.2.3", 2)]);
    let question = Arp::request(([2, 0, 0, 0, 0, 0x77], [192, 168, 1, 1]), [192, 168, 1, 2]);
    assert_eq!(scene.captured("pg1").frames, [question.bytes()]);
    let waiting = || scene.lab.engine.with(|main| main.pool().owned());
    assert_eq!(waiting(), 2);
    scene.lab.run("set interface state pg1 down");
    scene.lab.engine.advance(Duration::from_millis(200));
    assert_eq!(waiting(), 0);
    assert_eq!(scene.lab.error("ip4-arp", "unresolved"), 2);
    scene.lab.run("set interface state pg1 up");
    scene.capture("pg1");
    scene.send("pg0", &[udp("10.1.2.3", 3)]);
    assert_eq!(scene.captured("pg1").frames, [question.bytes()]);
    scene.lab.advance(5);
    scene.assert_nothing_is_lost();
}
