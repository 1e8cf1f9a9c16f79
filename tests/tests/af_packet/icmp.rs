//! A Linux host's ping, traceroute, tracepath and path MTU discovery, to the router and through it, and the router's own.

use peloton_tests::net::Net;

/// A router whose way to `b` is narrow, and routes that lead nowhere.
fn net(test: &str) -> Option<Net> {
    let mut net = Net::new(test, &["traceroute", "tracepath", "python3"])?;
    net.start("", "");
    for line in [
        "set ip icmp-error-limit rate 1000",
        "set ip6 icmp-error-limit rate 1000",
        "set interface mtu packet 1300 host-rb",
        "ip route add 10.66.0.0/16 via prohibit",
        "ip route add 2001:db8:66::/48 via prohibit",
    ] {
        net.ctl(line);
    }
    Some(net)
}

/// What a ping says, whether it is answered or not.
fn ping(net: &Net, line: &str) -> String {
    let output = net.run("a", &format!("ping -n -c 1 -W 2 {line}"));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_linux_host_pings_the_router_and_hears_what_became_of_its_packets() {
    let Some(net) = net("a Linux host and the router's ICMP") else { return };
    for size in [0, 1, 56, 1000, 1472] {
        assert_eq!(net.ping(&format!("-i 0.002 -M do -s {size} 10.1.0.1"), 3), 3, "{size}");
        // By way of the router to its own other address.
        assert_eq!(net.ping(&format!("-i 0.002 -s {size} 10.2.0.1"), 3), 3, "{size}");
    }
    for size in [0, 1000, 1452] {
        assert_eq!(net.ping(&format!("-6 -i 0.002 -s {size} 2001:db8:1::1"), 3), 3, "{size}");
    }
    // The link-local address of its MAC address.
    net.ip_in("a", "addr add fe80::2/64 dev eth0 nodad");
    assert_eq!(net.ping("-6 -i 0.002 fe80::fe:ff:fe00:a%eth0", 3), 3);
    assert_eq!(net.ping("-6 -i 0.002 -s 20000 fe80::fe:ff:fe00:a%eth0", 3), 3);
    let said = net.ctl("ping fe80::2 source host-ra repeat 3 interval 0.1");
    assert!(said.contains("3 sent, 3 received"), "{said}");
    for (line, heard) in [
        ("-t 1 10.2.0.2", "From 10.1.0.1 icmp_seq=1 Time to live exceeded"),
        ("-6 -t 1 2001:db8:2::2", "From 2001:db8:1::1 icmp_seq=1 Time exceeded: Hop limit"),
        ("10.99.0.1", "From 10.1.0.1 icmp_seq=1 Destination Net Unreachable"),
        ("-6 2001:db8:99::1", "From 2001:db8:1::1 icmp_seq=1 Destination unreachable: No route"),
        ("10.66.0.1", "From 10.1.0.1 icmp_seq=1 Packet filtered"),
        (
            "-6 2001:db8:66::1",
            "From 2001:db8:1::1 icmp_seq=1 Destination unreachable: Administratively prohibited",
        ),
        ("-M do -s 1400 10.2.0.2", "From 10.1.0.1 icmp_seq=1 Frag needed and DF set (mtu = 1300)"),
        (
            "-6 -M do -s 1400 2001:db8:2::2",
            "From 2001:db8:1::1 icmp_seq=1 Packet too big: mtu=1300",
        ),
    ] {
        let said = ping(&net, line);
        assert!(said.contains(heard), "{line}: {said}");
    }
    let output = net.run("a", "ping -n -c 1 -W 6 10.2.0.77");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("From 10.1.0.1 icmp_seq=1 Destination Host Unreachable"), "{said}");
    // The kernel remembers: the next packets are no longer.
    for (get, mtu) in
        [("route get 10.2.0.2", "mtu 1300"), ("-6 route get 2001:db8:2::2", "mtu 1300")]
    {
        let said = net.ip_in("a", get);
        assert!(said.contains(mtu), "{get}: {said}");
    }
    assert_eq!(net.ping("-i 0.002 -s 1400 -M want 10.2.0.2", 2), 2, "fragments of the host");
    // It is to forget that.
    net.ip_in("a", "route flush cache");
    assert_eq!(net.ping("-i 0.002 -s 1400 -M dont 10.2.0.2", 2), 2, "fragments of the router");
    let errors = net.ctl("show errors");
    assert!(errors.contains("number of sent fragments"), "{errors}");
    let refused = net.run(
        "a",
        "python3 -c import\u{a0}socket;s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM);\
         s.settimeout(5);s.connect(('10.1.0.1',9));s.send(b'x');s.recv(9)",
    );
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("ConnectionRefusedError"), "{said}");
}

#[test]
fn traceroute_and_tracepath_see_the_router() {
    let Some(net) = net("traceroute and tracepath") else { return };
    for (line, first, last) in [
        ("traceroute -n -w 2 10.2.0.2", "10.1.0.1", "10.2.0.2"),
        ("traceroute -n -w 2 -I 10.2.0.2", "10.1.0.1", "10.2.0.2"),
        ("traceroute -6 -n -w 2 2001:db8:2::2", "2001:db8:1::1", "2001:db8:2::2"),
    ] {
        let said = net.text("a", line);
        let hops: Vec<_> = said.lines().skip(1).collect();
        assert_eq!(hops.len(), 2, "{said}");
        for (hop, address) in hops.iter().zip([first, last]) {
            assert!(hop.contains(address) && !hop.contains('*'), "{line}: {said}");
        }
    }
    for (line, to) in [
        ("tracepath -n -m 4 10.2.0.2", "10.2.0.2"),
        ("tracepath -6 -n -m 4 2001:db8:2::2", "2001:db8:2::2"),
    ] {
        let said = net.text("a", line);
        assert!(said.contains("pmtu 1300") && said.contains(to), "{said}");
        assert!(said.contains("Resume: pmtu 1300 hops 2"), "{said}");
    }
}

#[test]
fn the_router_pings_and_traces_itself() {
    let Some(net) = net("the router's ping and traceroute") else { return };
    for to in ["10.1.0.2", "10.2.0.2", "2001:db8:1::2", "2001:db8:2::2", "10.1.0.1"] {
        let said = net.ctl(&format!("ping {to} repeat 3 interval 0.01 size 100"));
        let lines: Vec<_> = said.lines().collect();
        assert_eq!(lines.len(), 5, "{said}");
        for (n, line) in lines[..3].iter().enumerate() {
            let begin = format!("108 bytes from {to}: icmp_seq={} ttl=64 time=", n + 1);
            assert!(line.starts_with(&begin), "{said}");
        }
        assert_eq!(lines[4], "Statistics: 3 sent, 3 received, 0% packet loss");
    }
    net.ip_in("a", "addr add 10.77.0.1/32 dev eth0");
    net.ctl("ip route add 10.77.0.0/16 via 10.1.0.2 host-ra");
    let said = net.ctl("traceroute 10.77.0.1 timeout 2");
    assert!(
        said.starts_with(
            "traceroute to 10.77.0.1, 30 hops max, 32 octets of data\n 1  10.77.0.1  "
        ),
        "{said}"
    );
    assert_eq!(said.lines().count(), 2, "{said}");
    // A host that forwards is a hop.
    net.text("a", "sysctl -qw net.ipv4.ip_forward=1");
    net.ip_in("a", "route add unreachable 10.77.9.0/24");
    let said = net.ctl("traceroute 10.77.9.1 timeout 2 queries 1");
    assert!(said.contains(" 1  10.1.0.2  ") && said.contains(" !H"), "{said}");
    let said = net.ctl("ping 10.77.9.1 repeat 1");
    assert!(said.contains("From 10.1.0.2: icmp_seq=1 host unreachable"), "{said}");
    assert!(said.contains("Statistics: 1 sent, 0 received, 100% packet loss"), "{said}");
    for (line, why) in [
        ("ping 10.99.0.1", "ping: there is no route to 10.99.0.1"),
        ("ping 10.1.0.2 table-id 7", "ping: there is no table 7"),
        (
            "ping 10.1.0.2 source local0",
            "ping: interface `local0' has no address to send from to 10.1.0.2",
        ),
        ("traceroute 10.99.0.1", "traceroute: there is no route to 10.99.0.1"),
    ] {
        assert!(net.refused(line).contains(why), "{line}: {}", net.refused(line));
    }
}
