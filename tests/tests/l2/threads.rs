//! Threads that learn the same stations while the table grows and is flushed.

use peloton_tests::Lab;
use serde_json::Value;
use vnet::runtime::Clock;

/// Frames of each stream.
const FRAMES: u64 = 400_000;

#[test]
fn nothing_is_lost_where_threads_learn_the_same_stations_at_a_time() {
    let lab = Lab::with_workers(Clock::real(), 2, Vec::new());
    for n in 0..3 {
        lab.run(&format!("create packet-generator interface pg{n}"));
        lab.run(&format!("set interface state pg{n} up"));
        lab.run(&format!("set interface l2 bridge pg{n} 1"));
    }
    // Each worker brings frames of the same stations by a port of its own: they move back and forth.
    for n in 0..2 {
        lab.run(&format!(
            "packet-generator new {{ name s{n} limit {FRAMES} worker {n} source pg{n} interface pg{n} \
             node ethernet-input size 60-60 data {{ \
             IP4: 02:00:00:00:00:00+02:00:00:00:ff:ff -> 02:00:00:00:00:00+02:00:00:01:00:00 \
             UDP: 10.0.0.1 -> 10.0.0.2 UDP: 1 -> 2 incrementing 18 }} }}"
        ));
    }
    lab.run("packet-generator enable-stream");
    let sum = |of: &str| -> u64 {
        lab.engine.with(|main| {
            let counters = main.interface_counters();
            let of = |i: u32| match of {
                "rx" => counters.rx.sum(i).packets,
                "tx" => counters.tx.sum(i).packets,
                _ => counters.drops.sum(i),
            };
            (1..4).map(of).sum()
        })
    };
    while sum("rx") < 2 * FRAMES {
        lab.run("l2fib flush-mac interface pg0");
        lab.run("show l2fib");
        lab.engine.poll();
    }
    lab.engine.run_until_idle();
    lab.run("l2fib flush-mac interface pg0");
    lab.engine.run_until_idle();
    let copies = lab.error("l2-flood", "copies");
    assert_eq!(2 * FRAMES + copies, sum("tx") + sum("drops"), "{}", lab.run("show errors"));
    // What is counted as learned is what is there.
    let json = |line: &str| -> Value { serde_json::from_str(&lab.run(line)).unwrap() };
    let domain = json("show bridge-domain 1 json");
    assert_eq!(domain[0]["domain"][0]["learn_co"], json("show l2fib json")["learned"]);
    assert_eq!(lab.engine.with(|main| main.pool().owned()), 0);
}
