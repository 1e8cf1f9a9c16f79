//! TAP interfaces whose other ends go while packets flow.

use peloton_tests::{
    net::Net,
    program::{Running, not_run, wait_for},
};
use serde_json::Value;

use crate::books::used_buffers;

/// The host's end of both.
const HOST: &str = "plt0";

/// Commands that make a TAP interface towards `end`, and what both ends need to know.
pub(crate) fn make(net: &Net, end: &str) -> String {
    let (n, ns) = (if end == "a" { 3 } else { 4 }, net.name(end));
    format!(
        "create tap id {n} host-ns {ns} host-if-name {HOST} host-ip4-addr 10.{n}.0.2/24 \
         hw-addr 02:fe:00:00:01:0{n} host-mac-addr 02:00:00:00:00:0{n}\n\
         set interface state tap{n} up\n\
         set interface ip address tap{n} 10.{n}.0.1/24\n\
         set ip neighbor tap{n} 10.{n}.0.2 02:00:00:00:00:0{n}\n"
    )
}

/// The other ends' routes, which go with them.
pub(crate) fn route(net: &Net, end: &str) {
    let (n, other) = if end == "a" { (3, 4) } else { (4, 3) };
    for line in [
        format!("neigh replace 10.{n}.0.1 lladdr 02:fe:00:00:01:0{n} dev {HOST} nud permanent"),
        format!("route replace 10.{other}.0.0/24 via 10.{n}.0.1 dev {HOST}"),
    ] {
        net.ip_in(end, &line);
    }
}

fn router(test: &str, conf: &str) -> Option<Net> {
    let mut net = Net::new(test, &[])?;
    if !std::path::Path::new("/dev/net/tun").exists() {
        not_run(test, "there is no /dev/net/tun");
        return None;
    }
    let more = make(&net, "a") + &make(&net, "b");
    net.write("", "", conf, &more);
    net.launch();
    for end in ["a", "b"] {
        route(&net, end);
    }
    Some(net)
}

/// What came by both was sent, counted as dropped, or not taken; all buffers are free.
fn adds_up(net: &Net) {
    wait_for("the counters to add up", || {
        let shown: Value = serde_json::from_str(&net.ctl("show interface tap3 tap4 json")).unwrap();
        let sum = |name: &str| -> u64 {
            let of = |interface: &Value| interface["counters"][name].as_u64().unwrap_or(0);
            shown["interfaces"].as_array().unwrap().iter().map(of).sum()
        };
        used_buffers(net) == 0
            && sum("rx packets") == sum("tx packets") + sum("drops") + sum("punt")
    });
}

fn flood(net: &Net) -> Running {
    let before = net.counter("tap4", "rx packets");
    let ping = Running::start(&mut net.command("a", "ping -q -f -s 300 10.4.0.2"));
    wait_for("packets", || net.counter("tap4", "rx packets") > before + 100);
    ping
}

#[test]
fn a_tap_whose_other_end_is_deleted_under_load_is_made_anew() {
    for conf in ["", "cpu { workers 2 }"] {
        let Some(net) = router("tap deleted under load", conf) else { return };
        for _ in 0..3 {
            let ping = flood(&net);
            net.ip_in("b", &format!("link del {HOST}"));
            wait_for("the link to go", || {
                net.ctl("show hardware-interfaces tap4").contains("deleted by the host")
            });
            // The pings go on.
            let before = net.counter("tap3", "rx packets");
            wait_for("packets", || net.counter("tap3", "rx packets") > before + 20);
            drop(ping);
            adds_up(&net);
            net.ctl("delete tap tap4");
            for line in make(&net, "b").lines() {
                net.ctl(line);
            }
            route(&net, "b");
            net.ctl("clear interfaces");
            assert_eq!(net.ping("-f 10.4.0.2", 500), 500);
            adds_up(&net);
        }
    }
}

#[test]
fn a_namespace_stays_as_long_as_a_tap_is_there() {
    let Some(net) = router("tap namespace gone under load", "cpu { workers 1 }") else { return };
    let ping = flood(&net);
    net.delete_namespace("b");
    // Its name is gone; it stays as long as the TAP interface does, and the cable to `b` with it.
    assert_eq!(net.ping("-f 10.4.0.2", 100), 100);
    assert!(net.is_up("b"));
    net.ctl("delete tap tap4");
    wait_for("the namespace to go", || !net.is_up("b"));
    drop(ping);
    wait_for("all buffers", || used_buffers(&net) == 0);
}
