//! What VPP's reader reads is what the commands show.

use std::collections::BTreeMap;

use peloton_tests::program::wait_for;
use serde_json::Value;

use crate::engine::Sharing;

fn routed(test: &str) -> Sharing {
    let engine =
        Sharing::start(test, "per-node-counters on update-interval 0.05", "cpu { workers 1 }");
    engine.send("good", 1000, "10.0.0.1", 0);
    engine.send("lost", 50, "99.0.0.1", 0);
    engine
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// The sum over threads of an element, and for packets and bytes of one of the two.
fn sum(rows: &Value, index: u64, half: Option<usize>) -> u64 {
    let rows = rows.as_array().unwrap().iter();
    let element = |row: &Value| match half {
        Some(half) => number(&row[index as usize][half]),
        None => number(&row[index as usize]),
    };
    rows.map(element).sum()
}

#[test]
fn every_counter_of_show_interface_is_the_one_that_is_read() {
    let engine = routed("stats-interfaces");
    let Some(read) = engine.read("stats::interfaces", "values.py", &[]) else { return };
    let (all, shown) = (&read["all"], engine.json("show interface"));
    let mut compared = 0;
    for interface in shown["interfaces"].as_array().unwrap() {
        let (name, index) = (&interface["name"], number(&interface["sw_if_index"]));
        assert_eq!(all["/if/names"][index as usize], *name);
        for path in all.as_object().unwrap().keys() {
            let Some(counter) = path.strip_prefix("/if/").filter(|name| *name != "names") else {
                continue;
            };
            let shown = |name: &str| interface["counters"][name].as_u64().unwrap_or(0);
            let link = &all[format!("/interfaces/{}/{counter}", name.as_str().unwrap())];
            match all[path][0][0] {
                Value::Array(_) => {
                    for (half, what) in ["packets", "bytes"].into_iter().enumerate() {
                        let read = sum(&all[path], index, Some(half));
                        assert_eq!(read, shown(&format!("{counter} {what}")), "{name} {counter}");
                        let by_link: u64 =
                            link.as_array().unwrap().iter().map(|row| number(&row[half])).sum();
                        assert_eq!(read, by_link);
                    }
                }
                _ => {
                    let read = sum(&all[path], index, None);
                    assert_eq!(read, shown(counter), "{name} {counter}");
                    assert_eq!(read, link.as_array().unwrap().iter().map(number).sum::<u64>());
                }
            }
            compared += 1;
        }
    }
    assert_eq!(compared, 3 * 17, "17 counters of three interfaces");
    let rx = |index| sum(&all["/if/rx"], index, Some(0));
    assert_eq!((rx(0), rx(1), rx(2)), (0, 1050, 0));
}

#[test]
fn every_error_and_every_route_counts_what_the_commands_show() {
    let engine = routed("stats-routes");
    let Some(read) = engine.read("stats::routes", "values.py", &[]) else { return };
    let mut shown: Vec<_> = engine
        .json("show errors")
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["node"].as_str().unwrap().to_owned(), number(&row["count"])))
        .collect();
    let mut read_errors: Vec<_> = read["errors"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(path, count)| (path.split('/').nth(2).unwrap().to_owned(), number(count)))
        .collect();
    shown.sort();
    read_errors.sort();
    assert_eq!(read_errors, shown);
    assert!(read_errors.contains(&("ip4-drop".to_owned(), 50)), "{read_errors:?}");

    let to = &read["all"]["/net/route/to"];
    let tables = ["show ip fib", "show ip6 fib"].map(|line| engine.json(line));
    let routes: Vec<&Value> = tables
        .iter()
        .flat_map(|tables| tables.as_array().unwrap())
        .flat_map(|table| table["routes"].as_array().unwrap())
        .collect();
    for route in &routes {
        let index = number(&route["index"]);
        let read = [Some(0), Some(1)].map(|half| sum(to, index, half));
        let shown = ["packets", "bytes"].map(|what| number(&route[what]));
        assert_eq!(read, shown, "{}", route["prefix"]);
    }
    let of =
        |prefix: &str| routes.iter().find(|r| r["prefix"] == prefix).unwrap()["packets"].clone();
    assert_eq!((of("10.0.0.0/8"), of("0.0.0.0/0")), (1000.into(), 50.into()));
}

#[test]
fn the_rules_of_each_access_list_are_a_vector_that_comes_and_goes_with_it() {
    let engine = Sharing::start("stats-lists", "", "cpu { workers 1 }");
    engine.script(
        "set acl-plugin acl permit src 1.1.1.1/32, permit dst 10.0.0.1/32, permit\n\
         set acl-plugin acl permit\n\
         set acl-plugin acl deny src 9.9.9.9/32, permit dst 10.0.0.2/32\n\
         set acl-plugin interface pg0 input acl 0\n\
         set acl-plugin interface pg0 input acl 2\n",
    );
    engine.send("first", 30, "10.0.0.1", 0);
    engine.send("second", 7, "10.0.0.2", 1);
    let Some(read) = engine.read("stats::lists", "values.py", &[]) else { return };
    let packets = |read: &Value, list: u32| -> Vec<u64> {
        let rows = &read["all"][format!("/acl/{list}/matches")];
        let rules = rows[0].as_array().unwrap_or_else(|| panic!("{rows}")).len();
        (0..rules as u64).map(|rule| sum(rows, rule, Some(0))).collect()
    };
    assert_eq!([0, 1, 2].map(|list| packets(&read, list)), [vec![0, 30, 7], vec![0], vec![0, 0]]);
    engine.ctl("set acl-plugin acl index 0 permit dst 10.0.0.1/32");
    engine.ctl("delete acl-plugin acl index 1");
    engine.send("third", 5, "10.0.0.1", 0);
    engine.send("fourth", 4, "10.0.0.2", 0);
    let Some(read) = engine.read("stats::lists", "values.py", &[]) else { return };
    assert_eq!([0, 2].map(|list| packets(&read, list)), [vec![5], vec![0, 4]]);
    assert!(read["all"].get("/acl/1/matches").is_none());
}

#[test]
fn questions_to_neighbours_are_counted_by_interface() {
    let engine = routed("stats-neighbours");
    engine.send("unknown", 20, "192.168.1.7", 0);
    let Some(read) = engine.read("stats::neighbours", "values.py", &[]) else { return };
    let errors = read["errors"].as_object().unwrap().iter();
    let asked = errors.filter(|(name, _)| name.ends_with("/request_sent"));
    let asked: u64 = asked.map(|(_, count)| number(count)).sum();
    let of = |name: &str, index| sum(&read["all"][format!("/net/{name}")], index, None);
    assert_eq!([0, 1, 2].map(|index| of("arp/tx/requests", index)), [0, 0, asked]);
    assert!(asked > 0);
    for name in ["arp/rx/replies", "arp/tx/replies", "arp/tx/gratuitous", "ip6-nd/tx/requests"] {
        assert_eq!(read["all"][format!("/net/{name}")][0].as_array().unwrap().len(), 3, "{name}");
        assert_eq!(of(name, 2), 0, "{name}");
    }
}

/// Calls and packets of each node that is no process, by thread and name.
type Nodes = BTreeMap<(usize, String), [u64; 2]>;

fn shown_nodes(engine: &Sharing) -> Nodes {
    let mut nodes = Nodes::new();
    for (thread, runtime) in engine.json("show runtime").as_array().unwrap().iter().enumerate() {
        for node in runtime["nodes"].as_array().unwrap() {
            if !["any wait", "done"].contains(&node["state"].as_str().unwrap()) {
                let counts = ["calls", "vectors"].map(|what| number(&node[what]));
                nodes.insert((thread, node["name"].as_str().unwrap().to_owned()), counts);
            }
        }
    }
    nodes
}

#[test]
fn every_node_counts_the_calls_and_packets_of_show_runtime_on_each_thread() {
    let engine = routed("stats-nodes");
    let before = shown_nodes(&engine);
    let Some(read) = engine.read("stats::nodes", "values.py", &[]) else { return };
    let after = shown_nodes(&engine);
    let all = &read["all"];
    let names: Vec<_> = all["/sys/node/names"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect();
    let of = |what: &str, thread: usize, index: usize| {
        number(&all[format!("/sys/node/{what}")][thread][index])
    };
    let mut exact = 0;
    for ((thread, name), most) in &after {
        let index = names.iter().position(|n| n == name).unwrap();
        let read = ["calls", "vectors"].map(|what| of(what, *thread, index));
        let least = before.get(&(*thread, name.clone())).copied().unwrap_or([0; 2]);
        // A node may run between two looks.
        for half in [0, 1] {
            let range = least[half]..=most[half];
            assert!(range.contains(&read[half]), "{name}: {} is not in {range:?}", read[half]);
        }
        if least == *most {
            exact += 1;
            assert_eq!(read[0], number(&all[format!("/nodes/{name}/calls")][*thread]));
            assert!(of("clocks", *thread, index) > 0, "{name}");
        }
    }
    assert!(exact > 5, "{exact} of {} nodes stood still", after.len());
    assert_eq!(after[&(1, "ip4-rewrite".to_owned())][1], 1000);
    let process = names.iter().position(|name| *name == "statseg-collector-process").unwrap();
    assert!(of("suspends", 0, process) > 0);
}

#[test]
fn figures_of_the_engine_are_kept_up_to_date() {
    let engine = routed("stats-figures");
    let Some(read) = engine.read("stats::figures", "values.py", &[]) else { return };
    let of = |path: &str| number(&read["all"][path]);
    assert_eq!(of("/sys/num_worker_threads"), 1);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert!((now - 600..=now).contains(&of("/sys/boottime")));
    wait_for("the buffers", || {
        let read = engine.read("", "values.py", &[]).unwrap();
        let buffers = &engine.json("show buffers")[0];
        [("cached", "cached"), ("used", "used"), ("available", "avail")].iter().all(
            |(path, column)| {
                read["all"][format!("/buffer-pools/default-numa-0/{path}")] == buffers[*column]
            },
        )
    });
    for heap in ["stat segment", "buffers"] {
        let [total, used, free] = ["total", "used", "free"]
            .map(|what| number(&read["all"][format!("/mem/{heap}/{what}")][0]));
        assert!(total > 0 && total == used + free, "{heap}: {total} {used} {free}");
    }
    assert_eq!(read["all"]["/sys/loops_per_worker"][0].as_array().unwrap().len(), 2);
    assert_eq!(read["all"]["/sys/vector_rate_per_worker"].as_array().unwrap().len(), 1);
    let beat = |read: &Value| number(&read["all"]["/sys/heartbeat"]);
    let before = beat(&read);
    wait_for("the heart", || beat(&engine.read("", "values.py", &[]).unwrap()) > before);
    engine.script(&crate::engine::stream("more", "rate 1e4", "10.0.0.1", 0));
    wait_for("the rates", || {
        let read = engine.read("", "values.py", &["moving".as_ref()]).unwrap();
        let of = |path: &str| number(&read["all"][path]);
        of("/sys/input_rate") > 1000
            && of("/sys/vector_rate") > 0
            && number(&read["all"]["/sys/loops_per_worker"][0][1]) > 0
    });
}

#[test]
fn what_is_cleared_is_0_for_readers_as_with_vpp_but_for_errors() {
    let engine = routed("stats-clear");
    let Some(before) = engine.read("stats::clear", "values.py", &[]) else { return };
    for line in ["clear interfaces", "clear runtime", "clear errors"] {
        engine.ctl(line);
    }
    let read = engine.read("stats::clear", "values.py", &[]).unwrap();
    for path in ["/if/rx", "/if/tx"] {
        assert!((0..3).all(|index| sum(&read["all"][path], index, Some(0)) == 0), "{path}");
    }
    assert_eq!(sum(&read["all"]["/if/drops"], 1, None), 0);
    // VPP's `clear errors` remembers what it found, too, and readers go on.
    assert_eq!(read["errors"], before["errors"]);
    assert_eq!(read["all"]["/nodes/ip4-rewrite/vectors"], serde_json::json!([0, 0]));
    assert_eq!(before["all"]["/sys/last_stats_clear"], 0);
    engine.send("again", 7, "10.0.0.1", 0);
    let read = engine.read("stats::clear", "values.py", &[]).unwrap();
    assert_eq!(sum(&read["all"]["/if/rx"], 1, Some(0)), 7);
    assert_eq!(
        number(&engine.json("show interface pg0")["interfaces"][0]["counters"]["rx packets"]),
        7
    );
    std::thread::sleep(std::time::Duration::from_millis(1100));
    engine.ctl("clear runtime");
    let read = engine.read("stats::clear", "values.py", &[]).unwrap();
    assert!(number(&read["all"]["/sys/last_stats_clear"]) >= 1);
}

#[test]
fn entries_come_go_and_are_renamed_with_their_interfaces() {
    let engine = Sharing::start("stats-names", "", "");
    let read = |line: &str| {
        engine.ctl(line);
        engine.read("stats::names", "values.py", &[])
    };
    let Some(read_all) = read("create loopback interface") else { return };
    let has = |read: &Value, path: &str| read["all"].get(path).is_some();
    assert!(has(&read_all, "/interfaces/loop0/rx") && !has(&read_all, "/sys/node/names"));
    let renamed = read("set interface name loop0 lan/0.up").unwrap();
    assert!(
        has(&renamed, "/interfaces/lan_0.up/tx-error") && !has(&renamed, "/interfaces/loop0/rx")
    );
    assert_eq!(renamed["all"]["/if/names"][3], "lan/0.up");
    let gone = read("delete loopback interface intfc lan/0.up").unwrap();
    assert!(!has(&gone, "/interfaces/lan_0.up/tx-error"));
    assert_eq!(gone["all"]["/if/names"][3], "deleted");
}
