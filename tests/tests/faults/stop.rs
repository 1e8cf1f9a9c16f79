//! The engine is stopped for a minute, and goes on.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use peloton_tests::{
    net::Net,
    program::{Running, wait_for},
    tshark,
};

use crate::books::{Books, Load};

/// How long it is stopped: so long that a timer of a second that made up for what it missed would go off sixty times.
const STOPPED: Duration = Duration::from_secs(60);

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

/// Times of packets in a capture that `filter` lets pass.
fn times(file: &std::path::Path, filter: &str) -> Vec<f64> {
    let options = ["-d", "udp.port==4739,cflow", "-Y", filter];
    let rows = tshark(file, &options, &["frame.time_epoch"]).unwrap();
    rows.iter().map(|row| row[0].parse().unwrap()).collect()
}

#[test]
fn an_engine_that_was_stopped_for_a_minute_loses_what_came_and_makes_up_for_nothing() {
    let Some(mut net) = Net::new("SIGSTOP", &["tcpdump", "tshark"]) else { return };
    net.start("", "");
    for line in [
        "set ipfix exporter collector 10.2.0.2 src 10.2.0.1 template-interval 1",
        "flowprobe params record l3 l4 active 1 passive 3",
        "flowprobe feature add-del host-ra ip4 rx",
    ] {
        net.ctl(line);
    }
    let file = net.path("b.pcap");
    let listen = format!("tcpdump -U -i eth0 -w {} udp\u{a0}port\u{a0}4739", file.display());
    let dump = Running::start(&mut net.command("b", &listen));
    wait_for("tcpdump", || std::fs::metadata(&file).is_ok_and(|file| file.len() >= 24));
    let load = Load::start(&net);
    wait_for("records", || std::fs::metadata(&file).is_ok_and(|file| file.len() > 2000));
    let books_before = net.counter("host-ra", "rx-miss");
    net.signal("STOP");
    // A client that comes meanwhile waits.
    let mut waits = peloton_tests::program::peloton();
    waits.args(["ctl", "-s"]).arg(net.path("cli.sock")).arg("show version");
    let waits = Running::start(&mut waits);
    Net::pass(STOPPED);
    let continued = now();
    net.signal("CONT");
    let answered = waits.finish();
    assert!(answered.status.success() && !answered.stdout.is_empty());
    let (sent, received) = load.end();
    assert!(sent > received, "{sent} {received}");
    let books = Books::open(&net);
    assert!(net.counter("host-ra", "rx-miss") > books_before, "{}", net.ctl("show interface"));
    assert_eq!(net.ping("-f 10.2.0.2", 500), 500);
    books.close(&net, &["a", "b"]);
    // A flow that goes on, for whose records there is a timer of a second.
    assert_eq!(net.ping("-i 0.2 10.2.0.2", 25), 25);
    Net::pass(Duration::from_millis(1500));
    dump.signal("INT");
    dump.finish();
    // Of what is due every second there is one, and then one a second.
    for (what, filter) in [("templates", "cflow.flowset_id == 2"), ("records", "cflow.srcaddr")] {
        let all: Vec<f64> = times(&file, filter).iter().map(|at| at - continued).collect();
        let at_once = all.iter().filter(|at| (0.0..3.0).contains(*at)).count();
        assert!((1..=8).contains(&at_once), "{what}: {all:?}");
        assert!(all.iter().any(|at| *at > 3.0), "{what} go on: {all:?}");
    }
}
