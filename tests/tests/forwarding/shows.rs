//! What an operator sees of the graph and sets on interfaces.

use crate::{
    packets::{Ip4, frame, ip6_udp},
    scene::Scene,
};

#[test]
fn show_node_reads_as_in_vpp_by_name_and_by_number() {
    let scene = Scene::router();
    let to = |to: &str| frame(&[], &Ip4::udp("192.168.0.2", to).bytes());
    scene.send("pg0", &[to("10.0.0.1"), to("10.0.0.2"), to("172.16.0.1")]);
    let shown = scene.lab.run("show node ip4-lookup verbose");
    let index = scene.lab.engine.with(|main| main.graph().find("ip4-lookup").unwrap().0);
    let head = format!(
        "node ip4-lookup, type internal, state active, index {index}\n  node function variants:\n    \
         default only\n\n  next nodes:\n    next-index  node-index               Node               Vectors\n"
    );
    assert!(shown.starts_with(&head), "{shown}");
    let rewrite = scene.lab.engine.with(|main| main.graph().find("ip4-rewrite").unwrap().0);
    let line = shown.lines().find(|line| line.contains("ip4-rewrite")).unwrap();
    let words: Vec<_> = line.split_whitespace().collect();
    assert_eq!(words[1..], [&rewrite.to_string(), "ip4-rewrite", "2"]);
    assert!(shown.contains("\n  known previous nodes:\n    "), "{shown}");
    let title = "  Thread     Calls       Clocks       Vectors     Max Clock   Max Vectors";
    assert!(shown.contains(title), "{shown}");
    for other in [format!("show node {index} verbose"), format!("show node index {index} verbose")]
    {
        assert_eq!(scene.lab.run(&other), shown);
    }
    assert!(scene.lab.run("show node ip4-lookup").ends_with("\n"));
    let error = scene.lab.refused("show node ip4-nothing");
    assert!(error.contains("unknown node name: `ip4-nothing'"), "{error}");
    assert!(scene.lab.refused("show node 30000").contains("please specify valid node"));
    // An input has nobody before it, a last node nobody behind.
    let last = scene.lab.run("show node drop");
    assert!(last.contains("next nodes:\n    none\n"), "{last}");
    assert!(!scene.lab.run("show node pg-input").contains("known previous nodes"));
    scene.lab.run("clear runtime");
    let cleared = scene.lab.run("show node ip4-lookup");
    let line = cleared.lines().find(|line| line.contains("ip4-rewrite")).unwrap();
    assert!(line.trim_end().ends_with(" 0"), "{line}");
}

#[test]
fn the_graph_is_drawn_whole_or_as_far_as_it_ran() {
    let scene = Scene::router();
    let whole = scene.lab.run("show vlib graphviz");
    assert!(whole.starts_with("digraph {\n  \"") && whole.ends_with("\"\n}\n"), "{whole}");
    assert!(whole.contains("  \"ip4-lookup\" -> \"ip4-rewrite\"\n"));
    assert!(whole.contains("\"ip6-lookup\""));
    scene.send("pg0", &[frame(&[], &Ip4::udp("192.168.0.2", "10.0.0.1").bytes())]);
    let path = scene.path("graph.dot");
    let said = scene.lab.run(&format!("show vlib graphviz filter file {}", path.display()));
    let path = path.display();
    assert_eq!(said, format!("vlib graph dumped into `{path}'. Run eg. `dot -Tsvg -O {path}'.\n"));
    let drawn = std::fs::read_to_string(path.to_string()).unwrap();
    assert!(drawn.contains("rankdir=\"LR\"") && drawn.contains("subgraph cluster_legend"));
    assert!(drawn.contains("  \"ip4-lookup\" -> \"ip4-rewrite\"\n"), "{drawn}");
    assert!(drawn.contains("  \"ip4-lookup\" [shape=circle width="), "{drawn}");
    assert!(drawn.contains(" fillcolor=1 style=filled colorscheme=ylorrd8]\n"), "{drawn}");
    assert!(!drawn.contains("\"ip6-lookup\""), "it did not run");
    let calls = scene.lab.run("show vlib graphviz filter calls");
    assert!(calls.contains("\"ip4-input\" [shape=circle"), "{calls}");
    assert_eq!(calls.matches('{').count(), calls.matches('}').count());
    let error = scene.lab.refused("show vlib graphviz file /nowhere/x.dot");
    assert!(error.contains("/nowhere/x.dot: cannot write: No such file"), "{error}");
    assert!(scene.lab.refused("show vlib graphviz calls").contains("unknown input `calls'"));
}

#[test]
fn packets_longer_than_the_mtu_are_counted_and_not_sent() {
    let scene = Scene::router();
    scene.lab.run("create sub-interfaces pg1 7");
    scene.lab.script(
        "set interface state pg1.7 up
         set interface ip address pg1.7 192.168.7.1/24
         set interface ip address pg1.7 2001:db8:7::1/64
         set ip neighbor pg1.7 192.168.7.2 02:00:00:00:00:07
         set ip neighbor pg1.7 2001:db8:7::2 02:00:00:00:00:07",
    );
    let ip4 = |to: &str, length: usize| {
        // Not to be cut.
        let (fragment, payload) = (0x4000, vec![7; length - 20]);
        let packet = Ip4 { fragment, payload, protocol: 253, ..Ip4::udp("192.168.0.2", to) };
        frame(&[], &packet.bytes())
    };
    let ip6 = |to: &str, length: usize| frame(&[], &ip6_udp("2001:db8::2", to, 9, length - 48));
    // The longest packets that leave by pg1 and by pg1.7 of each family, under some settings.
    let cases: [(&str, [usize; 4]); 6] = [
        ("", [9000, 9000, 9000, 9000]),
        ("set interface mtu packet 1500 pg1", [1500, 1500, 1500, 1500]),
        ("set interface mtu ip4 1400 pg1", [1400, 1400, 1500, 1500]),
        ("set interface mtu ip6 1300 pg1.7", [1400, 1400, 1500, 1300]),
        ("set interface mtu 2000 pg1", [1400, 2000, 2000, 1300]),
        ("set interface mtu ip4 0 pg1", [2000, 2000, 2000, 1300]),
    ];
    for (setting, most) in cases {
        if !setting.is_empty() {
            scene.lab.run(setting);
        }
        let to = ["10.0.0.1", "192.168.7.2", "2001:db8:10::1", "2001:db8:7::2"];
        for (destination, most) in to.into_iter().zip(most) {
            let packet = |length| match destination.contains(':') {
                true => ip6(destination, length),
                false => ip4(destination, length),
            };
            let family = if destination.contains(':') { "ip6" } else { "ip4" };
            let dropped = || scene.lab.error(&format!("{family}-rewrite"), "mtu-exceeded");
            let (sent, before) = (scene.counter("pg1", "tx packets"), dropped());
            scene.send("pg0", &[packet(most), packet(most + 1)]);
            let sent = scene.counter("pg1", "tx packets") - sent;
            assert_eq!((sent, dropped() - before), (1, 1), "{setting}: {destination} {most}");
        }
    }
    let shown = scene.lab.run("show interface pg1.7");
    assert!(shown.contains(" 2000/0/1300/0 "), "{shown}");
    let error = scene.lab.refused("set interface mtu 2000 pg1.7");
    assert!(error.contains("pg1.7 is a sub-interface"), "{error}");
    let error = scene.lab.refused("set interface mtu packet 9300 pg1");
    assert!(error.contains("pg1 takes packets of at most 9202 bytes, not of 9300"), "{error}");
    scene.assert_nothing_is_lost();
}

#[test]
fn counters_of_interfaces_start_again_when_they_are_cleared() {
    let scene = Scene::router();
    let packet = frame(&[], &Ip4::udp("192.168.0.2", "10.0.0.1").bytes());
    scene.send("pg0", &[packet.clone(), packet.clone()]);
    scene.lab.run("clear interfaces");
    assert_eq!(scene.counter("pg0", "rx packets"), 0);
    scene.send("pg0", &[packet]);
    assert_eq!(scene.counter("pg0", "rx packets"), 1);
    assert_eq!(scene.counter("pg1", "tx packets"), 1);
}
