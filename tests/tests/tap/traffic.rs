//! Packets through TAP and TUN interfaces.

use std::process::Command;

use peloton_tests::{
    program::{Scratch, run, wait_for},
    tshark,
};

use crate::net::{HOST, Net};

/// Sizes of pings' data: small ones, those around the ends of buffers (2,048 bytes of frame), for IPv4 and IPv6.
const SIZES: &str = "0 1 17 18 19 56 100 500 1471 1472 1473 1999 2000 2005 2006 2007 2008 2020 2021 4053 4054 4055 \
                     4056 6101 6102 6103 6104 8149 8150 8151 8152";

/// Pings `to` with each size, up to `most`, with which the packet is as long as the MTU. ping compares the data.
fn ping_all_sizes(net: &Net, to: &str, most: u32) {
    let sizes = format!("{SIZES} {} {most}", most - 1);
    let script = format!("for s in {sizes}; do ping -M do -c 1 -W 5 -s $s {to} || exit 1; done");
    let said = net.must("a", &script);
    assert_eq!(said.matches(" 0% packet loss").count(), sizes.split(' ').count(), "{said}");
    assert!(!said.contains("wrong data") && !said.contains("truncated"), "{said}");
}

/// What came in was sent or counted, and the kernel has counted the same.
fn adds_up(net: &Net, names: [&str; 2]) {
    net.settle();
    let sum = |counter| names.iter().map(|name| net.counter(name, counter)).sum::<u64>();
    let ends = sum("drops") + sum("punt");
    assert_eq!(sum("rx packets"), sum("tx packets") + ends, "{}", net.state());
    assert_eq!((sum("tx-error"), sum("rx-no-buf")), (0, 0));
    for (name, end) in names.into_iter().zip(["a", "b"]) {
        let ours = (net.counter(name, "tx packets"), net.counter(name, "rx packets"));
        assert_eq!(net.kernel(end), ours, "{name}: {}", net.state());
    }
}

#[test]
fn pings_of_all_sizes_pass_and_the_kernel_counts_the_same_packets() {
    let Some(net) = Net::new("tap pings", &[], 0) else { return };
    let made = [("a", 1), ("b", 2)].map(|(end, n)| net.connect(n, end, "host-mtu-size 9000"));
    assert_eq!(made, ["tap1", "tap2"]);
    ping_all_sizes(&net, "10.2.0.2", 8972);
    ping_all_sizes(&net, "2001:db8:2::2", 8952);
    net.must("a", "ping -f -c 3000 -s 1000 10.2.0.2");
    assert!(net.counter("tap1", "rx packets") > 3000);
    adds_up(&net, ["tap1", "tap2"]);
}

#[test]
fn packets_without_ethernet_pass_between_tun_interfaces_and_take_features_of_devices() {
    let Some(net) = Net::new("tun pings", &[], 2) else { return };
    let made = [("a", 1), ("b", 2)].map(|(end, n)| net.connect(n, end, "tun host-mtu-size 9000"));
    assert_eq!(made, ["tun1", "tun2"]);
    ping_all_sizes(&net, "10.2.0.2", 8972);
    ping_all_sizes(&net, "2001:db8:2::2", 8952);
    // Handed over on the arc of devices, at whose end they find the protocol by themselves.
    net.lab.run("set interface handoff tun1 workers 0-1");
    net.must("a", "ping -c 3 -i 0.01 10.2.0.2 && ping -c 3 -i 0.01 2001:db8:2::2");
    assert!(net.vectors("worker-handoff-arrival").iter().sum::<u64>() >= 6);
    adds_up(&net, ["tun1", "tun2"]);
}

#[test]
fn frames_are_as_tshark_expects_them() {
    let Some(net) = Net::new("tap frames", &["tcpdump", "tshark"], 0) else { return };
    for (end, n) in [("a", 1), ("b", 2)] {
        net.connect(n, end, "");
    }
    let scratch = Scratch::new("tap-frames");
    let file = scratch.path("b.pcap");
    let listen = format!("exec tcpdump -U -i {HOST} -c 10 -w {} icmp", file.display());
    let mut dump = net.start("b", &listen);
    // The header of the file is there once it listens.
    wait_for("tcpdump", || std::fs::metadata(&file).is_ok_and(|file| file.len() >= 24));
    net.lab.run("trace add tap-input 50");
    net.must("a", "ping -c 5 -i 0.01 -s 300 10.2.0.2");
    let trace = net.lab.run("show trace");
    let ends = ["tap-input\n  sw_if_index 1, 342 bytes", "tap2-tx\n  sw_if_index 2, 342 bytes"];
    assert!(ends.iter().all(|end| trace.contains(end)), "{trace}");
    net.wait_for("ten packets", || dump.child().try_wait().unwrap().is_some());
    let check = ["-o", "ip.check_checksum:TRUE"];
    let fields = ["eth.src", "eth.dst", "ip.ttl", "ip.checksum.status", "icmp.checksum.status"];
    let rows = tshark(&file, &check, &fields).unwrap();
    let (router, host) = ("02:fe:00:00:01:02", "02:00:00:00:00:02");
    let request = [router, host, "63", "1", "1"].map(str::to_owned);
    let reply = [host, router, "64", "1", "1"].map(str::to_owned);
    let all: Vec<Vec<String>> = (0..5).flat_map(|_| [request.to_vec(), reply.to_vec()]).collect();
    assert_eq!(rows, all);
}

#[test]
fn each_worker_has_a_queue() {
    let Some(net) = Net::new("tap queues", &[], 2) else { return };
    for (end, n) in [("a", 1), ("b", 2)] {
        net.connect(n, end, "num-rx-queues 2");
    }
    let placement = net.lab.run("show interface rx-placement");
    for (thread, queue) in [(1, 0), (2, 1)] {
        let thread = format!("Thread {thread} (vpp_wk_{}):\n  node tap-input:\n", thread - 1);
        let (_, behind) = placement.split_once(&thread).unwrap_or_else(|| panic!("{placement}"));
        assert!(
            behind.starts_with(&format!("    tap1 queue {queue} (interrupt)\n")),
            "{placement}"
        );
    }
    // The kernel gives a flow, which is a pair of addresses here, to a queue.
    for i in 10..42 {
        net.shell("b", &format!("ip addr add 10.2.0.{i}/24 dev {HOST}"));
        net.lab.run(&format!("set ip neighbor tap2 10.2.0.{i} 02:00:00:00:00:02"));
    }
    let to = "for i in $(seq 10 41); do ping -c 2 -i 0.01 -W 5 10.2.0.$i || exit 1; done";
    let said = net.must("a", to);
    assert_eq!(said.matches(" 0% packet loss").count(), 32, "{said}");
    let seen = net.vectors("tap-input");
    assert!(seen[0] == 0 && seen[1] > 0 && seen[2] > 0, "{seen:?}");
    // In whichever way threads learn of packets.
    for mode in ["polling", "adaptive", "interrupt"] {
        net.lab.run(&format!("set interface rx-mode tap1 {mode}"));
        net.must("a", "ping -c 200 -f -s 100 10.2.0.10");
    }
    adds_up(&net, ["tap1", "tap2"]);
}

/// Octets that [`sends`] sends.
const OCTETS: u64 = 4_000_000;

/// Sends from `a` to `b` by TCP, whose kernel believes no segment with a wrong checksum; what arrives is what was sent.
fn sends(net: &Net, to: &str) {
    const DATA: &str =
        "import hashlib, socket; data = b''.join(i.to_bytes(4, 'big') for i in range(1000000))";
    let receive = "s = socket.create_server(('::', 5201), family=socket.AF_INET6, dualstack_ipv6=True); \
                   f = s.accept()[0].makefile('rb'); got = f.read(); print(len(got), got == data)";
    let send = format!("c = socket.create_connection(('{to}', 5201)); c.sendall(data); c.close()");
    let mut server = net.start("b", &format!("exec python3 -c \"{DATA}; {receive}\""));
    net.wait_for("the server", || net.shell("b", "ss -Hltn 'sport = 5201'").contains("LISTEN"));
    net.must("a", &format!("python3 -c \"{DATA}; {send}\""));
    net.wait_for("the server's end", || server.child().try_wait().unwrap().is_some());
    let said = String::from_utf8(server.finish().stdout).unwrap();
    assert_eq!(said, format!("{OCTETS} True\n"));
}

#[test]
fn large_packets_pass_whole_and_are_cut_where_an_end_does_not_take_them() {
    let ends = [
        ("gso", "gso"),
        ("gso", ""),
        ("", "gso"),
        ("csum-offload", "csum-offload"),
        ("tun gso", "tun gso"),
    ];
    for (a, b) in ends {
        let Some(net) = Net::new("large packets of taps", &["python3", "ss"], 0) else { return };
        let names =
            [("a", 1, a), ("b", 2, b)].map(|(end, n, options)| net.connect(n, end, options));
        for (name, options) in [(&names[0], a), (&names[1], b)] {
            let shown = net.lab.run(&format!("show tap {name}"));
            let on = |has: bool| u8::from(has);
            let (gso, checksum) = (on(options.contains("gso")), on(!options.is_empty()));
            let lines = format!("gso-enabled {gso}\n  csum-enabled {checksum}\n");
            assert!(shown.contains(&lines), "{options}: {shown}");
        }
        sends(&net, "10.2.0.2");
        sends(&net, "2001:db8:2::2");
        net.settle();
        let sum = |counter| names.iter().map(|name| net.counter(name, counter)).sum::<u64>();
        assert_eq!(
            sum("rx packets"),
            sum("tx packets") + sum("drops") + sum("punt"),
            "{}",
            net.state()
        );
        assert_eq!((sum("tx-error"), sum("rx-no-buf")), (0, 0), "{}", net.state());
        // 1,448 octets of TCP a packet at most, whatever passes at once.
        let segments = 2 * OCTETS.div_ceil(1448);
        let came = net.counter(&names[0], "rx packets");
        assert!(came >= segments, "{a}, {b}: {came} of {segments}");
        let seen: u64 = net.vectors("tap-input").iter().sum();
        let large = seen < sum("rx packets") / 2;
        assert_eq!(large, a.contains("gso"), "{a}, {b}: {seen} of {}", sum("rx packets"));
        let (arrived, sent) = (net.kernel("b").0, net.counter(&names[1], "tx packets"));
        let whole = a.contains("gso") && b.contains("gso");
        assert!(
            if whole { arrived < sent / 2 } else { arrived == sent },
            "{a}, {b}: {arrived} of {sent}"
        );
    }
}

#[test]
fn an_idle_engine_sleeps() {
    let Some(net) = Net::new("tap idle", &[], 1) else { return };
    for end in ["a", "b"] {
        net.shell(end, "sysctl -qw net.ipv6.conf.default.disable_ipv6=1");
    }
    for (end, n) in [("a", 1), ("b", 2)] {
        let ns = net.name(end);
        let options = format!("host-ip4-addr 10.{n}.0.2/24 host-mac-addr 02:00:00:00:00:0{n}");
        net.lab.run(&format!("create tap id {n} host-ns {ns} host-if-name {HOST} {options}"));
        net.lab.run(&format!("set interface state tap{n} up"));
    }
    net.settle();
    let before = (net.calls("tap-input"), net.calls("ethernet-input"));
    net.wait(300);
    assert_eq!((net.calls("tap-input"), net.calls("ethernet-input")), before);
}

#[test]
fn packets_that_the_host_does_not_take_are_counted() {
    let Some(net) = Net::new("tap lost", &[], 0) else { return };
    for (end, n) in [("a", 1), ("b", 2)] {
        net.connect(n, end, "");
    }
    net.shell("b", &format!("ip link set {HOST} down"));
    // Those that are on their way when it goes.
    net.lab.engine.with(|main| {
        let node = main.graph().require("tap2-tx").unwrap();
        for _ in 0..5 {
            main.frame_to(node).push(|buffer| buffer.append(&[2; 60])).unwrap();
        }
    });
    net.settle();
    let lost = net.lab.error("tap2-tx", "host-down");
    assert_eq!((lost, net.counter("tap2", "tx-error")), (5, 5), "{}", net.state());
    // Those that come after have no way there, and nobody tries.
    let output = net.run("a", "ping -c 7 -i 0.01 -W 1 10.2.0.2");
    assert!(!output.status.success());
    net.settle();
    assert_eq!(net.counter("tap2", "tx-error"), 5, "{}", net.state());
    assert!(net.counter("tap1", "drops") >= 7, "{}", net.state());
}

#[test]
fn a_process_without_the_capability_is_told_which_it_lacks() {
    let test = "tap capability";
    let Some(net) = Net::new(test, &["setpriv"], 0) else { return };
    let scratch = Scratch::new("tap-capability");
    let file = scratch.path("create.vpp");
    std::fs::write(&file, format!("create tap host-ns {}\n", net.name("a"))).unwrap();
    for lacking in ["net_admin", "sys_admin"] {
        let peloton = peloton_tests::program::peloton();
        let mut command = Command::new("setpriv");
        command.arg(format!("--bounding-set=-{lacking}")).arg(format!("--inh-caps=-{lacking}"));
        let output = run(command.arg(peloton.get_program()).arg("exec").arg(&file));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let name = format!("needs the capability CAP_{}: ", lacking.to_uppercase());
        assert!(!output.status.success() && said.contains(&name), "{said}");
    }
}
