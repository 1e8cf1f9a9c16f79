//! Workers forward, measure and hand over packets, and nothing is lost between them.

use std::{fs, path::Path, sync::Arc, thread, time::Duration};

use peloton_tests::{Lab, START};
use serde_json::Value;
use vnet::{
    ipfix::{
        decode::{Decoder, Event, SessionKind},
        elements::Registry,
        json,
    },
    runtime::Clock,
};

const ROUTER: &str = "create packet-generator interface pg0
    create packet-generator interface pg1
    set interface state pg0 up
    set interface state pg1 up
    set interface ip address pg0 192.168.0.1/24
    set interface ip address pg1 192.168.1.1/24
    set ip neighbor pg1 192.168.1.2 02:00:00:00:00:09
    ip route add 10.0.0.0/8 via 192.168.1.2 pg1";

fn router(clock: Clock, workers: usize) -> Lab {
    let lab = Lab::with_workers(clock, workers, vec![flowprobe::plugin()]);
    lab.script(ROUTER);
    lab
}

fn turns(workers: usize) -> Lab {
    router(Clock::virtual_at(START), workers)
}

/// A stream of packets of 200 flows, which a worker sends.
fn stream(lab: &Lab, name: &str, worker: usize, limit: u64) {
    lab.run(&format!(
        "packet-generator new {{ name {name} worker {worker} limit {limit} size 64-64 interface pg0 \
         node ethernet-input data {{ IP4: 02:00:00:00:00:01 -> 02:fe:00:00:00:00 \
         UDP: 192.168.0.2-192.168.0.201 -> 10.0.0.1 UDP: 1000 -> 2000 incrementing 18 }} }}"
    ));
}

fn json(lab: &Lab, line: &str) -> Value {
    serde_json::from_str(&lab.run(&format!("{line} json"))).unwrap()
}

/// Packets that `node` saw, by thread.
fn vectors(lab: &Lab, node: &str) -> Vec<u64> {
    lab.engine.with(|main| {
        let node = main.graph().find(node).unwrap();
        main.by_thread(|worker| worker.stats(node).vectors)
    })
}

fn counter(lab: &Lab, interface: &str, name: &str) -> u64 {
    lab.engine.with(|main| {
        let index = main.interfaces().find(interface).unwrap();
        let lines = main.interface_counters().of(index);
        lines.into_iter().find(|(n, _)| n == name).map_or(0, |(_, value)| value)
    })
}

fn nothing_is_held(lab: &Lab) {
    lab.engine.with(|main| assert_eq!(main.pool().owned(), 0, "buffers that nobody gave back"));
}

#[test]
fn a_stream_runs_on_the_worker_that_it_names() {
    let lab = turns(2);
    stream(&lab, "a", 0, 1000);
    stream(&lab, "b", 1, 300);
    // There is none of that number, so that the first one does it.
    stream(&lab, "c", 7, 20);
    lab.run("packet-generator enable-stream");
    lab.engine.run_until_idle();
    assert_eq!(vectors(&lab, "ip4-lookup"), [0, 1020, 300]);
    assert_eq!(counter(&lab, "pg1", "tx packets"), 1320);
    nothing_is_held(&lab);
}

#[test]
fn an_interface_is_spread_over_workers_by_flow_and_back() {
    let lab = turns(2);
    stream(&lab, "a", 0, 20_000);
    lab.run("set interface handoff pg0 workers 0-1");
    lab.run("packet-generator enable-stream");
    lab.engine.run_until_idle();
    let spread = vectors(&lab, "worker-handoff-arrival");
    assert_eq!((spread[0], spread[1] + spread[2]), (0, 20_000));
    // 200 flows of 100 packets each.
    assert!(spread.iter().all(|packets| packets % 100 == 0), "{spread:?}");
    assert!(spread[1] > 4000 && spread[2] > 4000, "{spread:?}");
    assert_eq!(vectors(&lab, "ip4-lookup"), spread);
    let shown = json(&lab, "show handoff");
    assert_eq!(shown[0]["vectors"], spread[2], "{shown}");
    assert_eq!(shown[0]["drops"], 0, "{shown}");
    assert_eq!(counter(&lab, "pg1", "tx packets"), 20_000);
    lab.run("clear handoff counters");
    lab.run("set interface handoff pg0 disable");
    stream(&lab, "b", 1, 100);
    lab.run("packet-generator enable-stream b");
    lab.engine.run_until_idle();
    assert_eq!(vectors(&lab, "ip4-lookup"), [0, spread[1], spread[2] + 100]);
    assert_eq!(json(&lab, "show handoff")[0]["vectors"], 0);
    let refused = lab.refused("set interface handoff pg0 disable");
    assert!(refused.contains("packets of this interface are not handed over"), "{refused}");
    let refused = lab.refused("set interface handoff pg0 workers 1-2");
    assert!(refused.contains("there is no vpp_wk_2"), "{refused}");
    nothing_is_held(&lab);
}

#[test]
fn packets_without_an_ethernet_header_are_spread_too() {
    let lab = turns(2);
    lab.script(
        "create packet-generator interface pg2 mode ip4
         set interface state pg2 up
         set interface ip address pg2 192.168.2.1/24
         set interface handoff pg2 workers 0-1
         packet-generator new { name a limit 2000 size 64-64 interface pg2 node ip4-input data { \
         UDP: 192.168.2.2-192.168.2.201 -> 10.0.0.1 UDP: 1000 -> 2000 incrementing 18 } }
         packet-generator enable-stream",
    );
    lab.engine.run_until_idle();
    let spread = vectors(&lab, "worker-handoff-arrival");
    assert!(spread[1] > 400 && spread[2] > 400, "{spread:?}");
    assert_eq!(vectors(&lab, "ip4-lookup"), spread);
    assert_eq!(counter(&lab, "pg1", "tx packets"), 2000);
    nothing_is_held(&lab);
}

#[test]
fn what_a_queue_has_no_room_for_is_dropped_and_counted() {
    let lab = turns(2);
    stream(&lab, "a", 0, 10_000);
    lab.run("set interface handoff pg0 workers 1");
    lab.run("set handoff queue index 0 size 64");
    lab.run("packet-generator enable-stream");
    lab.engine.run_until_idle();
    let dropped = lab.error("worker-handoff", "congestion-drop");
    assert!(dropped > 0);
    let arrived = vectors(&lab, "worker-handoff-arrival");
    assert_eq!(arrived, [0, 0, 10_000 - dropped]);
    let shown = json(&lab, "show handoff index 0");
    assert_eq!(shown[2]["drops"], dropped, "{shown}");
    assert_eq!(counter(&lab, "pg0", "drops"), dropped);
    assert_eq!(counter(&lab, "pg1", "tx packets"), 10_000 - dropped);
    let errors = json(&lab, "show errors verbose");
    let named = |thread: &Value, counters: &str| {
        let rows = thread[counters].as_array().unwrap();
        rows.iter()
            .filter(|r| r["node"] == "worker-handoff")
            .map(|r| r["count"].as_u64().unwrap())
            .sum()
    };
    let by_thread: Vec<u64> = (0..3).map(|t| named(&errors[t], "counters")).collect();
    assert_eq!((by_thread, named(&errors[3], "total")), (vec![0, dropped, 0], dropped));
    for line in ["set handoff queue index 0 size 63", "set handoff queue index 9 size 64"] {
        lab.refused(line);
    }
    nothing_is_held(&lab);
}

#[test]
fn the_trace_of_a_packet_goes_on_at_its_new_thread() {
    let lab = turns(2);
    stream(&lab, "a", 0, 3);
    lab.run("set interface handoff pg0 workers 1");
    lab.run("trace add pg-input 10");
    lab.run("packet-generator enable-stream");
    lab.engine.run_until_idle();
    let shown = lab.run("show trace");
    let (before, after) = shown.split_once("Start of thread 2 vpp_wk_1").unwrap();
    assert_eq!(before.matches("worker-handoff\n").count(), 3, "{shown}");
    assert_eq!(before.matches("ip4-lookup\n").count(), 0, "{shown}");
    for n in 0..3 {
        let first = format!("HANDED-OFF: from thread 1 trace index {n}\n");
        assert!(after.contains(&first), "{shown}");
    }
    assert_eq!(after.matches("ip4-lookup\n").count(), 3, "{shown}");
}

/// What is wrong with the messages of an IPFIX file, and the packets of all its records.
fn packets_in(file: &Path) -> u64 {
    let bytes = fs::read(file).unwrap();
    let mut decoder = Decoder::new(SessionKind::Stream, Arc::new(Registry::default()));
    let (mut rest, mut packets, mut records, mut sequence) = (&bytes[..], 0, 0, 0);
    while !rest.is_empty() {
        let (message, behind) = rest.split_at(usize::from(u16::from_be_bytes([rest[2], rest[3]])));
        let header = decoder.decode(message, &mut |_, event| match event {
            Event::Record(record) => {
                let mut line = Vec::new();
                json::write_record(&mut line, &record);
                let value: Value = serde_json::from_slice(&line).unwrap();
                packets += value["packetDeltaCount"].as_u64().unwrap();
                records += 1;
            }
            Event::Template(_) => {}
            other => panic!("{other:?}"),
        });
        // The sequence number is that of the records before the message (RFC 7011, 3.1).
        assert_eq!(header.unwrap().sequence.get(), sequence);
        sequence = records;
        rest = behind;
    }
    packets
}

#[test]
fn sums_of_packets_and_records_are_exact_while_everything_changes() {
    let lab = router(Clock::real(), 2);
    let file = std::env::temp_dir().join(format!("peloton-workers-{}.ipfix", std::process::id()));
    lab.run(&format!("ipfix collector add 0 file {}", file.display()));
    lab.run("flowprobe params record l3 l4 active 1 passive 2");
    lab.run("flowprobe feature add-del pg0 ip4 rx");
    let packets = 3_000_000;
    stream(&lab, "a", 0, packets);
    stream(&lab, "b", 1, packets);
    lab.run("packet-generator enable-stream");
    let mut rounds = 0;
    while counter(&lab, "pg0", "rx packets") < 2 * packets {
        for line in [
            "create loopback interface",
            "set interface state loop0 up",
            "ip route add 172.16.0.0/12 via drop",
            "ip route del 172.16.0.0/12",
            "trace add pg-input 20",
            "show trace",
            "clear trace",
            "show runtime",
            "show flowprobe table max 5",
            "flowprobe timers active 1 passive 3",
            "flowprobe timers active 1 passive 2",
            "set interface handoff pg0 workers 0-1",
            "set interface handoff pg0 disable",
            "delete loopback interface intfc loop0",
        ] {
            lab.run(line);
        }
        rounds += 1;
        thread::sleep(Duration::from_millis(1));
        lab.engine.poll();
    }
    assert!(rounds > 3, "{rounds}");
    let errors = lab.engine.stop();
    assert!(errors.is_empty(), "{errors:?}");
    // No packet was on its way when the chains of features changed under it.
    let dropped = lab.error("worker-handoff", "congestion-drop");
    assert_eq!(counter(&lab, "pg0", "drops"), dropped, "{}", lab.run("show errors"));
    let (rx, tx) = (counter(&lab, "pg0", "rx packets"), counter(&lab, "pg1", "tx packets"));
    assert_eq!((rx, tx), (2 * packets, 2 * packets - dropped));
    nothing_is_held(&lab);
    let exported = packets_in(&file);
    fs::remove_file(&file).unwrap();
    assert_eq!(exported, tx);
}
