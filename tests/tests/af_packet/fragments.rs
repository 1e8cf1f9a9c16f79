//! A Linux host's fragments: to the router, from it, and through it.

use peloton_tests::{net::Net, program::wait_for};

/// Runs lines of scapy in `a`.
fn scapy(net: &Net, lines: &str) {
    let script = net.path("fragments.py");
    std::fs::write(&script, format!("from scapy.all import *\nconf.verb = 0\n{lines}")).unwrap();
    net.text("a", &format!("python3 {}", script.display()));
}

/// How often `node` counted `reason`, by the words of `show errors`.
fn count(net: &Net, node: &str, reason: &str) -> u64 {
    let shown = net.ctl("show errors");
    let lines = shown.lines().filter(|line| line.contains(node) && line.contains(reason));
    lines.map(|line| line.split_whitespace().next().unwrap().parse::<u64>().unwrap()).sum()
}

#[test]
fn a_linux_host_and_the_router_exchange_datagrams_of_any_size() {
    let Some(mut net) = Net::new("a Linux host's fragments", &[]) else { return };
    net.start("", "");
    for size in [1473, 2953, 20_000, 65_507] {
        assert_eq!(net.ping(&format!("-i 0.002 -s {size} 10.1.0.1"), 3), 3, "{size}");
    }
    for size in [1453, 20_000, 65_527 - 8] {
        assert_eq!(net.ping(&format!("-6 -i 0.002 -s {size} 2001:db8:1::1"), 3), 3, "{size}");
    }
    // Through it, as fragments and put together on the way.
    assert_eq!(net.ping("-i 0.002 -s 20000 10.2.0.2", 3), 3);
    assert_eq!(net.ping("-6 -i 0.002 -s 20000 2001:db8:2::2", 3), 3);
    net.ctl("set interface reassembly host-ra ip4");
    assert_eq!(net.ping("-i 0.002 -s 20000 10.2.0.2", 3), 3);
    assert_eq!(count(&net, "ip4-full-reassembly-feature", "successful reassemblies"), 3);
    net.ctl("set interface reassembly host-ra on shallow-virtual");
    assert_eq!(net.ping("-6 -i 0.002 -s 20000 2001:db8:2::2", 3), 3);
}

#[test]
fn what_scapy_makes_of_fragments_harms_nobody() {
    let Some(mut net) = Net::new("scapy's fragments", &["scapy"]) else { return };
    net.start("", "");
    net.ctl("set ip icmp-error-limit rate 1000");
    scapy(
        &net,
        "
to = dict(dst='10.1.0.1', src='10.1.0.2')
send(IP(id=1, flags='MF', proto=17, **to)/('x'*64))
send(IP(id=1, frag=3, proto=17, **to)/('x'*16))
send(IP(id=2, flags='MF', proto=1, **to)/('x'*64))
send(IP(id=3, frag=8189, proto=1, **to)/('x'*400))
send(fragment6(IPv6(dst='2001:db8:1::1', src='2001:db8:1::2')/IPv6ExtHdrFragment()/UDP()/('x'*3000), 1400)[1:])
",
    );
    wait_for("the end of what does not become whole", || {
        count(&net, "ip4-full-reassembly-expire", "reassembly timeout") == 1
            && count(&net, "ip6-full-reassembly-expire", "reassembly timeout") == 2
    });
    assert_eq!(count(&net, "ip4-local-full-reassembly", "contradict each other"), 2);
    assert_eq!(count(&net, "ip4-local-full-reassembly", "more than 65535"), 1);
    assert_eq!(count(&net, "ip4-icmp-error", "hop limit exceeded response sent"), 1);
    assert_eq!(net.ping("-i 0.002 -s 20000 10.1.0.1", 3), 3);
}
