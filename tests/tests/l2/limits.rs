//! Many stations: the table grows, and no further than it may.

use vnet::{
    plugin::Engine,
    runtime::{Clock, PacketTime},
};

use crate::{bridge, frame, scene::Scene, sent, station};

/// Frames of so many stations behind pg0, to one behind pg1.
fn flood(scene: &Scene, first: u8, count: u32) {
    let [_, a, b, c] = (count - 1).to_be_bytes();
    scene.lab.run(&format!(
        "packet-generator new {{ name flood limit {count} interface pg0 node ethernet-input size 60-60 data {{ \
         IP4: 02:{first:02x}:00:00:00:00-02:{first:02x}:00:{a:02x}:{b:02x}:{c:02x} -> 02:00:00:00:01:02 \
         UDP: 10.0.0.1 -> 10.0.0.2 UDP: 1 -> 2 incrementing 18 }} }}"
    ));
    scene.lab.run("packet-generator enable-stream flood");
    scene.lab.engine.run_until_idle();
    scene.lab.run("packet-generator delete flood");
}

fn fib(scene: &Scene) -> serde_json::Value {
    serde_json::from_str(&scene.lab.run("show l2fib json")).unwrap()
}

#[test]
fn the_table_grows_with_its_stations_and_forgets_none() {
    let scene = bridge(3, "");
    scene.send("pg1", &[frame(station(2), station(9))]);
    assert_eq!(sent(&scene, || flood(&scene, 9, 120_000)), [0, 120_000, 0]);
    let shown = fib(&scene);
    let missed = scene.lab.error("l2-input", "learn-limit");
    assert_eq!(shown["learned"].as_u64().unwrap() + missed, 120_001, "{shown}");
    // What found no place before the table had grown is learned the next time.
    flood(&scene, 9, 120_000);
    let shown = fib(&scene);
    assert_eq!(
        (shown["total"].as_u64(), shown["learned"].as_u64()),
        (Some(120_001), Some(120_001))
    );
    assert!(shown["memory"].as_u64().unwrap() <= 16 << 20, "{shown}");
    assert_eq!(
        sent(&scene, || scene.send("pg1", &[frame(station(2), [2, 9, 0, 1, 0xd4, 0xbf])])),
        [1, 0, 0]
    );
    scene.lab.run("l2fib flush-mac interface pg0");
    scene.lab.engine.run_until_idle();
    assert_eq!(fib(&scene)["total"], 1);
}

#[test]
fn a_flood_of_addresses_takes_no_more_than_its_limit_and_known_stations_stay() {
    let scene = bridge(3, "set bridge-domain learn-limit 1 5000");
    scene.send("pg1", &[frame(station(2), station(9))]);
    scene.send("pg2", &[frame(station(3), station(2))]);
    for first in 16..19 {
        assert_eq!(
            sent(&scene, || flood(&scene, first, 100_000)),
            [0, 100_000, 0],
            "known traffic"
        );
        assert_eq!(sent(&scene, || scene.send("pg2", &[frame(station(3), station(2))])), [0, 1, 0]);
    }
    let shown = fib(&scene);
    assert_eq!(shown["learned"], 5000);
    assert_eq!(shown["memory"], 262_144);
    assert_eq!(scene.lab.error("l2-input", "learn-limit"), 300_000 - 4998);
    // Room is made when stations are forgotten.
    scene.lab.run("l2fib flush-mac interface pg0");
    scene.lab.engine.run_until_idle();
    flood(&scene, 30, 100);
    assert_eq!(fib(&scene)["learned"], 102);
}

#[test]
fn stations_that_come_and_go_do_not_wear_the_table_out() {
    let scene = bridge(2, "set bridge-domain mac-age 1 1");
    for round in 0..40 {
        flood(&scene, 64 + round, 8000);
        scene.lab.advance(180);
        assert_eq!(fib(&scene)["learned"], 0);
    }
    // A few may come at the moment at which the table is made anew.
    assert!(scene.lab.error("l2-input", "learn-limit") < 400);
    assert!(fib(&scene)["memory"].as_u64().unwrap() <= 1 << 20);
}

#[test]
fn without_buffers_copies_are_counted_and_frames_go_on() {
    let clock = Clock::virtual_at(PacketTime(0));
    let builder = Engine::builder().clock(clock).buffers(320);
    let engine = builder.plugin(nodes::plugin()).plugin(nodes::pg::plugin()).build().unwrap();
    let run = |line: &str| engine.command(line).unwrap();
    for n in 0..4 {
        run(&format!("create packet-generator interface pg{n}"));
        run(&format!("set interface state pg{n} up"));
        run(&format!("set interface l2 bridge pg{n} 1"));
    }
    run("packet-generator new { name s limit 2000 interface pg0 node ethernet-input data { \
         IP4: 02:00:00:00:01:01 -> ff:ff:ff:ff:ff:ff UDP: 10.0.0.1 -> 10.0.0.2 UDP: 1 -> 2 } }");
    run("packet-generator enable-stream");
    engine.run_until_idle();
    engine.with(|main| {
        let sent: u64 = (1..5).map(|i| main.interface_counters().tx.sum(i).packets).sum();
        let error = |name: &str| {
            let mut rows = main.errors().rows();
            rows.find(|row| row.node == "l2-flood" && row.reason.name == name)
                .map_or(0, |row| row.count)
        };
        let (copies, failed) = (error("copies"), error("repl-fail"));
        assert_eq!((copies + failed, sent), (2 * 2000, 2000 + copies));
        assert!(failed > 0 && copies > 0, "{copies} {failed}");
        assert_eq!(main.pool().owned(), 0);
    });
}
