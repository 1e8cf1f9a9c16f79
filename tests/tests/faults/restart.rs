//! The engine is killed, so that it cleans nothing up, and started again at once.

use std::{
    fs,
    time::{Duration, Instant},
};

use peloton_tests::{
    net::Net,
    program::{not_run, wait_for},
};
use serde_json::Value;

use crate::{
    books::{Books, Load},
    taps,
};

/// Until an engine that was killed forwards again.
const PROMPTLY: Duration = Duration::from_secs(5);

#[test]
fn an_engine_that_is_killed_under_load_starts_again_and_forwards_at_once() {
    let test = "kill -9 and restart";
    let Some(mut net) = Net::new(test, &[]) else { return };
    let mut more = String::new();
    if std::path::Path::new("/dev/net/tun").exists() {
        more = taps::make(&net, "a") + &taps::make(&net, "b");
    } else {
        not_run(test, "there is no /dev/net/tun: without TAP interfaces");
    }
    let (file, spool) = (net.path("flows.ipfix"), net.path("spool"));
    more += &format!(
        "ipfix collector add 0 file {}\n\
         ipfix collector add 0 tcp 127.0.0.1 port 9 queue 64K spool {}\n\
         flowprobe params record l3 l4 active 1 passive 1\n",
        file.display(),
        spool.display()
    );
    net.write("", "", "cpu { workers 1 }", &more);
    net.launch();
    for round in 0..3 {
        net.ctl("flowprobe feature add-del host-ra ip4 rx");
        let load = Load::start(&net);
        net.kill();
        let pid = net.path("cli.sock.pid");
        assert!(
            pid.exists() && net.path("cli.sock").exists(),
            "killed before it could remove them"
        );
        let start = Instant::now();
        net.launch();
        assert_eq!(net.ping("-i 0.01 10.2.0.2", 1), 1, "{round}");
        assert!(start.elapsed() < PROMPTLY, "{:?}", start.elapsed());
        let written = fs::read_to_string(&pid).unwrap();
        assert_eq!(written.trim(), net.pid().to_string());
        load.end();
        if !more.contains("create tap") {
            continue;
        }
        for end in ["a", "b"] {
            taps::route(&net, end);
        }
        assert_eq!(net.ping("-f 10.4.0.2", 100), 100, "{round}");
        let books = Books::open(&net);
        assert_eq!(net.ping("-f 10.2.0.2", 500), 500, "{round}");
        books.close(&net, &["a", "b"]);
    }
    // What each engine had written is still there.
    let folder = fs::read_dir(file.parent().unwrap()).unwrap();
    let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let files: Vec<String> = names.filter(|name| name.starts_with("flows.ipfix")).collect();
    assert!(files.len() >= 4, "{files:?}");
}

/// Octets in the spool of the collector over TCP.
fn spooled(net: &Net) -> u64 {
    let shown = net.ctl("show ipfix collector json");
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let rows = shown.as_array().unwrap();
    let is_its =
        |row: &&Value| row["collector"].as_str().is_some_and(|name| name.starts_with("tcp:"));
    let row = rows.iter().find(is_its).unwrap_or_else(|| panic!("{shown}"));
    row["spool_octets"].as_u64().unwrap_or_else(|| panic!("{row}"))
}

/// Data records that are lost.
fn records_lost(net: &Net) -> u64 {
    let shown: Value = serde_json::from_str(&net.ctl("show ipfix statistics json")).unwrap();
    shown["records_lost"].as_u64().unwrap_or_else(|| panic!("{shown}"))
}

#[test]
fn records_that_a_killed_engine_left_in_its_spool_are_counted_by_the_next_one() {
    let Some(mut net) = Net::new("spool of a killed engine", &[]) else { return };
    let spool = net.path("spool");
    let more = format!(
        "ipfix collector add 0 tcp 127.0.0.1 port 9 queue 64K spool {} spool-size 1M\n\
         flowprobe params record l3 l4\n",
        spool.display()
    );
    net.write("", "", "buffers { buffers-per-numa 4096 }", &more);
    net.launch();
    assert_eq!(records_lost(&net), 0);
    // Each flow is a record; what 64 KiB do not hold is in the spool.
    net.ctl("create packet-generator interface pg0");
    net.ctl("set interface state pg0 up");
    net.ctl("set interface ip address pg0 10.9.0.1/24");
    net.ctl("flowprobe feature add-del pg0 ip4 rx");
    net.ctl(
        "packet-generator new { name s limit 3000 size 64-64 interface pg0 node ip4-input \
         data { UDP: 1.2.3.4 -> 10.2.0.2 UDP: 1024-4023 -> 5001 length 36 } }",
    );
    net.ctl("packet-generator enable-stream");
    wait_for("the stream", || net.counter("pg0", "rx packets") == 3000);
    net.ctl("flowprobe feature add-del pg0 ip4 rx disable");
    // The collector does not get anything.
    let told = net.ctl("ipfix flush");
    assert!(told.contains("not everything was sent"), "{told}");
    wait_for("records in the spool", || spooled(&net) > 10_000);
    net.kill();
    assert!(spool.exists());
    net.launch();
    assert_eq!(spooled(&net), 0);
    let lost = records_lost(&net);
    assert!((100..=3000).contains(&lost), "{lost}");
    let log = net.ctl("show logging");
    assert!(log.contains("an engine that was killed left "), "{log}");
    assert!(log.contains(&format!("with {lost} records, which are lost")), "{log}");
    assert_eq!(net.ping("-f 10.2.0.2", 200), 200);
}
