//! Links and namespaces go while packets flow.

use peloton_tests::{
    net::Net,
    program::{Running, wait_for},
};

use crate::books::{Books, Load};

/// Rx modes, and workers.
const WAYS: [(&str, &str); 3] =
    [("interrupt", ""), ("polling", ""), ("adaptive", "cpu { workers 2 }")];

fn routed(test: &str, mode: &str, conf: &str) -> Option<Net> {
    let mut net = Net::new(test, &[])?;
    net.start("", conf);
    for end in ["a", "b"] {
        net.ctl(&format!("set interface rx-mode host-r{end} {mode}"));
    }
    Some(net)
}

#[test]
fn an_interface_that_the_host_deletes_under_load_costs_its_own_packets_only() {
    for (mode, conf) in WAYS {
        let Some(net) = routed("host interface deleted under load", mode, conf) else { return };
        let books = Books::open(&net);
        let load = Load::start(&net);
        net.ip_in("r", "link del ra");
        wait_for("the link to go", || !net.is_up("a"));
        let shown = net.ctl("show hardware-interfaces host-ra");
        assert!(shown.contains("ra is gone"), "{shown}");
        // `b` goes on sending to where nobody is.
        let before = net.counter("host-rb", "rx packets");
        wait_for("packets from b", || net.counter("host-rb", "rx packets") > before + 20);
        load.end();
        books.close(&net, &["b"]);
        net.reconnect("a");
        let books = Books::open(&net);
        assert_eq!(net.ping("-f 10.2.0.2", 500), 500, "{mode}");
        books.close(&net, &["a", "b"]);
    }
}

#[test]
fn an_interface_that_is_moved_to_another_namespace_is_gone() {
    let Some(net) = routed("host interface moved away", "interrupt", "") else { return };
    let load = Load::start(&net);
    let to = net.name("a");
    net.ip_in("r", &format!("link set ra netns {to}"));
    wait_for("the link to go", || !net.is_up("a"));
    load.end();
    assert!(net.ctl("show hardware-interfaces host-ra").contains("ra is gone"));
    net.ip_in("a", "link del ra");
    net.reconnect("a");
    let books = Books::open(&net);
    assert_eq!(net.ping("-f 10.2.0.2", 500), 500);
    books.close(&net, &["a", "b"]);
}

#[test]
fn namespaces_go_under_load_those_of_neighbours_and_that_of_the_engine() {
    let Some(net) = routed("namespaces that go", "interrupt", "") else { return };
    // The name goes; the namespace stays as long as the engine does.
    net.delete_namespace("r");
    net.ctl("show version");
    assert_eq!(net.ping("-f 10.2.0.2", 500), 500);
    // Without a process in it, which would keep it.
    let ping = Running::start(&mut net.command("a", "ping -q -f 10.2.0.2"));
    let before = net.counter("host-rb", "rx packets");
    wait_for("packets", || net.counter("host-rb", "rx packets") > before + 100);
    net.delete_namespace("b");
    wait_for("the link to go", || !net.is_up("b"));
    drop(ping);
    assert!(net.ctl("show hardware-interfaces host-rb").contains("rb is gone"));
    wait_for("all buffers", || crate::books::used_buffers(&net) == 0);
    net.ctl("delete host-interface name rb");
    wait_for("all buffers", || crate::books::used_buffers(&net) == 0);
    assert!(net.is_up("a"));
}

#[test]
fn a_link_that_flaps_loses_what_is_on_its_way_and_counts_it() {
    for (mode, conf) in WAYS {
        let Some(net) = routed("flapping links", mode, conf) else { return };
        let books = Books::open(&net);
        let load = Load::start(&net);
        for _ in 0..30 {
            net.ip_in("r", "link set ra down");
            net.ip_in("r", "link set ra up");
        }
        wait_for("the link", || net.is_up("a"));
        load.end();
        assert_eq!(net.ping("-f 10.2.0.2", 500), 500, "{mode}");
        books.close(&net, &["a", "b"]);
    }
}
