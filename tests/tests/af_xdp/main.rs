//! AF_XDP interfaces: `peloton` between network namespaces, judged by the kernel's ping, iperf3 and `ip link`.

mod life;
mod modes;
mod router;

use peloton_tests::{net::Net, program::wait_for};

/// The router's interfaces.
const INTERFACES: [&str; 2] = ["xdp-ra", "xdp-rb"];

/// Buffers that packets and devices have, as `show buffers` says.
fn used(net: &Net) -> u64 {
    let shown = net.ctl("show buffers");
    let line = shown.lines().last().unwrap_or_default();
    line.split_whitespace()
        .next_back()
        .and_then(|n| n.parse().ok())
        .unwrap_or_else(|| panic!("{shown}"))
}

/// Buffers that the interfaces say they have.
fn held(net: &Net) -> u64 {
    let shown = net.ctl("show hardware-interfaces");
    let counts = shown.lines().filter_map(|line| line.trim().strip_prefix("buffers held: "));
    counts.map(|n| n.parse::<u64>().unwrap()).sum()
}

/// All buffers that are not free are those of the interfaces.
fn buffers_add_up(net: &Net) {
    wait_for("the buffers", || held(net) == used(net));
}

/// What came to an interface, and what of that was lost in its rings.
fn seen(net: &Net, interface: &str) -> u64 {
    net.counter(interface, "rx packets") + net.counter(interface, "rx-miss")
}
