//! The text of a stream's definition.

use proptest::prelude::*;

use super::spec;
use crate::pg::{Data, Layer, PacketSpec, Rate, Size, StreamSpec, Value};

fn packet(text: &str) -> PacketSpec {
    match spec(text).data {
        Data::Packet(packet) => packet,
        Data::Replay(_) => panic!("{text} is no description"),
    }
}

fn refused(text: &str) -> String {
    StreamSpec::parse(text).map(|spec| panic!("{text} gives {spec:?}")).unwrap_err().to_string()
}

#[test]
fn parameters_stand_in_any_order_and_the_braces_may_be_there() {
    let s = spec(
        "{ maxframe 300 rate 2.5e3 name x\n limit 1e3 size 64+128 source pg7 tx-interface pg1 \
         data { hex 0xCAfe } interface pg0 node error-drop worker 3 buffer-size 1000 seed 0x10 \
         buffer-flags l4-cksum-computed buffer-flags local }",
    );
    assert_eq!((s.name.as_deref(), s.limit, s.max_frame), (Some("x"), 1000, 256));
    assert_eq!(s.rate, Rate::per_second(2500.0).unwrap());
    assert_eq!(s.size, Some(Size { min: 64, max: 128, random: true }));
    assert_eq!((s.source, s.worker, s.buffer_size, s.seed), (7, 3, 1000, 16));
    assert_eq!(s.node.as_deref(), Some("error-drop"));
    assert_eq!((s.interface.as_deref(), s.tx_interface.as_deref()), (Some("pg0"), Some("pg1")));
    assert_eq!(s.buffer_flags.bits().count_ones(), 2);
    let Data::Packet(PacketSpec { layers, payload }) = s.data else { panic!() };
    assert_eq!((layers, payload), (vec![], vec![0xca, 0xfe]));
}

#[test]
fn what_is_not_given_has_vpps_defaults() {
    let s = spec("node error-drop data { incrementing 10 }");
    assert_eq!((s.limit, s.rate, s.size), (0, Rate::UNLIMITED, None));
    assert_eq!((s.max_frame, s.buffer_size, s.source, s.worker), (256, 2048, 0, 0));
    let packet = packet("node ip4-input data { TCP: 1.2.3.4 -> 5.6.7.8 TCP: 1 -> 2 }");
    let [Layer::Ip4(ip), Layer::Tcp(tcp)] = packet.layers.as_slice() else { panic!() };
    assert_eq!((ip.ttl, ip.length, ip.checksum), (Value::Fixed(64), None, None));
    assert_eq!((tcp.window, tcp.flags), (Value::Fixed(4096), 0));
}

#[test]
fn tcp_options_are_filled_up_and_never_more_than_fit() {
    let tcp = |options: &str| {
        format!(
            "size 99-99 node ip4-input data {{ TCP: 1.2.3.4 -> 5.6.7.8 TCP: 1 -> 2 SYN {options} }}"
        )
    };
    let sizes = [
        ("", 20),
        ("opt sackperm", 24),
        ("opt mss 1460", 24),
        ("opt winscale 7 opt mss 1460", 28),
        ("opt timestamp 1-9 0x10", 32),
        ("opt sack nvalues 4 1 2 3 4 5 6 7 8", 56),
        ("opt sack nvalues 4 1 2 3 4 5 6 7 8 opt mss 9 opt sackperm", 60),
    ];
    for (options, size) in sizes {
        let layers = packet(&tcp(options)).layers;
        let [_, Layer::Tcp(header)] = layers.as_slice() else { panic!("{options}") };
        assert_eq!(header.size(), size, "{options}");
    }
    let refused = [
        "opt mss",
        "opt mss 65536",
        "opt winscale 256",
        "opt unknown 3",
        "opt sack nvalues 0",
        "opt sack nvalues 5 1 2 3 4 5 6 7 8 9 10",
        "opt sack nvalues 2 1 2 3",
        "opt sackperm opt sack nvalues 3 1 2 3 4 5 6 opt timestamp 1 2 opt mss 5",
    ];
    for options in refused {
        let error = StreamSpec::parse(&tcp(options)).unwrap_err().to_string();
        assert!(error.starts_with("failed to parse packet data from `opt "), "{options}: {error}");
    }
}

#[test]
fn a_definition_that_is_none_is_refused_in_vpps_words() {
    let udp = "IP4: 1.2.3 -> 4.5.6 UDP: 1.1.1.1 -> 2.2.2.2 UDP: 1 -> 2";
    let cases = [
        ("", "no packet data given"),
        ("name x limit 5", "no packet data given"),
        ("data { hex 0x00 }", "output interface or node not given"),
        ("node error-drop data { }", "failed to parse packet data from `'"),
        ("node error-drop data { hex 0x123 }", "failed to parse packet data from `hex 0x123'"),
        (
            "node ethernet-input data { IP4: 1.2.3 -> 4.5.6 UDP: 1.1.1.1 -> 2.2.2.2 ttl 256 }",
            "failed to parse packet data from `ttl 256'",
        ),
        (
            "node ip4-input data { UDP: ::1 -> ::2 UDP: 1 -> 2 }",
            "failed to parse packet data from `::1 -> ::2 UDP: 1 -> 2'",
        ),
        ("wrong 5 data { hex 0x00 }", "unknown input `wrong 5 data { hex 0x00 }'"),
        ("limit many", "limit `many': expected packets, from 0 (no limit) to 1e18"),
        ("limit -1", "limit `-1': expected packets, from 0 (no limit) to 1e18"),
        ("size 64", "unknown input `size 64'"),
        ("maxframe 0", "unknown input `maxframe 0'"),
        ("source tap0", "unknown input `source tap0'"),
        ("data { hex 0x00", "unknown input `data { hex 0x00'"),
        (
            "rate -1 node error-drop data { hex 0x00 }",
            "negative rate `-1': expected packets a second, from 0 (as fast as possible) to 1e12",
        ),
        ("buffer-size 0 node error-drop data { hex 0x00 }", "buffer-size must be positive"),
        ("size 65-64 node error-drop data { hex 0x00 }", "max-size < min-size"),
        ("size 64-65536 node error-drop data { hex 0x00 }", "max-size 65536 > 65535"),
        ("size 0-0 node error-drop data { incrementing 4 }", "min-size must be positive"),
    ];
    for (text, expected) in cases {
        assert_eq!(refused(text), expected, "{text}");
    }
    let small = format!("node ethernet-input size 41-60 data {{ {udp} }}");
    assert_eq!(refused(&small), "min-size < total header size 42");
    // A payload counts as long as the largest packet has room for it.
    let range = format!("node ethernet-input size 60-64 data {{ {udp} incrementing 100 }}");
    assert_eq!(refused(&range), "min-size < total header size 64");
    let long = format!("node error-drop data {{ {} }}", "MPLS: label 1 ".repeat(513));
    assert_eq!(refused(&long), "total header size 2052 > 2048");
    let wide = "node ip6-input data { UDP: 1::-2:: -> ::2 UDP: 1 -> 2 }";
    assert_eq!(refused(wide), "the ends of an IPv6 address range must share their first 64 bits");
    let missing = refused("pcap /nowhere/at/all.pcap");
    assert!(missing.starts_with("/nowhere/at/all.pcap: "), "{missing}");
    let verbose = refused(&format!("name {}", "\u{e9} ".repeat(100)));
    assert!(verbose.ends_with("...'") && verbose.len() < 200, "{verbose}");
}

#[test]
fn the_node_says_which_header_comes_first() {
    let first = |node: &str, data: &str| {
        packet(&format!("size 200-200 node {node} data {{ {data} }}")).layers.first().cloned()
    };
    let ip4 = "UDP: 1.1.1.1 -> 2.2.2.2 UDP: 1 -> 2 incrementing 3";
    let ip6 = "UDP: ::1 -> ::2 UDP: 1 -> 2 incrementing 3";
    assert!(matches!(first("ip4-lookup", ip4), Some(Layer::Ip4(_))));
    assert!(matches!(first("ip6-input", ip6), Some(Layer::Ip6(_))));
    // Any other node takes what the text looks like.
    assert!(matches!(first("pg0", ip4), Some(Layer::Ip4(_))));
    assert!(matches!(first("pg0", ip6), Some(Layer::Ip6(_))));
    let mpls = format!("MPLS: label 17 MPLS: label 18 ttl 3 {ip4}");
    assert!(matches!(first("mpls-input", &mpls), Some(Layer::Mpls(_))));
    let ethernet = format!("MPLS: 1.2.3 -> 4.5.6 {mpls}");
    let layers = packet(&format!("size 99-99 node pg0 data {{ {ethernet} }}")).layers;
    assert!(matches!(
        layers.as_slice(),
        [Layer::Ethernet(_), Layer::Mpls(_), Layer::Mpls(_), Layer::Ip4(_), Layer::Udp(_)]
    ));
    let arp = "request: 1.2.3/10.0.0.1 -> 0.0.0/10.0.0.2";
    assert!(matches!(first("arp-input", arp), Some(Layer::Arp(_))));
    assert_eq!(first("ethernet-input", "hex 0x0102"), None);
}

#[test]
fn any_value_can_be_a_range() {
    let packet = packet(
        "size 200-200 node ethernet-input data { 0x0800: 1.2.3-1.2.5 -> 00:00:00:00:00:01+00:00:00:00:00:09 \
         vlan 10-20 priority 1+7 cfi 1 vlan 0x1e }",
    );
    let [Layer::Ethernet(header)] = packet.layers.as_slice() else { panic!() };
    let source = 0x0001_0002_0003_u64;
    assert_eq!(header.source, Value::increment(source, source + 2));
    assert_eq!(header.destination, Value::random(1u8, 9u8));
    let [outer, inner] = header.tags.as_slice() else { panic!() };
    assert_eq!((outer.id, outer.cfi), (Value::increment(10u8, 20u8), Value::Fixed(1)));
    assert_eq!((outer.priority, inner.id), (Value::random(1u8, 7u8), Value::Fixed(30)));
}

#[test]
fn configuring_takes_the_four_parameters_of_sending_and_no_others() {
    let mut s = spec("name x node error-drop data { incrementing 10 }");
    s.configure("limit 7 rate 0.5 size 100-200 buffer-size 512").unwrap();
    assert_eq!((s.limit, s.rate.as_f64(), s.buffer_size), (7, 0.5, 512));
    let refused = s.configure("node ip4-input").unwrap_err().to_string();
    assert_eq!(refused, "unknown input `node ip4-input'");
}

proptest! {
    #[test]
    fn any_text_is_a_stream_or_an_error(text in "\\PC{0,200}") {
        let _: Result<_, _> = StreamSpec::parse(&text);
    }

    #[test]
    fn words_of_the_grammar_in_any_order_are_a_stream_or_an_error(
        words in proptest::collection::vec(proptest::sample::select(WORDS), 0..40),
    ) {
        let text = format!("node x data {{ {} }}", words.join(" "));
        let _: Result<_, _> = StreamSpec::parse(&text);
        let _: Result<_, _> = StreamSpec::parse(&words.join(" "));
    }
}

const WORDS: &[&str] = &[
    "IP4:",
    "IP6:",
    "ARP:",
    "MPLS:",
    "0x0800:",
    "UDP:",
    "TCP:",
    "ICMP:",
    "ICMP6:",
    "17:",
    "label",
    "1.2.3",
    "4.5.6",
    "->",
    "-",
    "+",
    "1.1.1.1",
    "2.2.2.2-2.2.2.9",
    "::1",
    "fe80::1+fe80::9",
    "vlan",
    "10",
    "1-2",
    "3+4",
    "0xffff",
    "priority",
    "cfi",
    "ttl",
    "tos",
    "length",
    "checksum",
    "fragment",
    "id",
    "offset",
    "mf",
    "df",
    "ce",
    "version",
    "header-length",
    "ICMP",
    "echo_request",
    "window",
    "SYN",
    "ACK",
    "opt",
    "mss",
    "sack",
    "nvalues",
    "timestamp",
    "incrementing",
    "hex",
    "0x00ff",
    "{",
    "}",
    "name",
    "node",
    "data",
    "size",
    "64-128",
    "rate",
    "limit",
    "source",
    "pg0",
    "exp",
    "s",
    "hop-limit",
    "traffic-class",
    "flow-label",
    "request:",
    "1.2.3/10.0.0.1",
    "99999999999999999999999999999999999999999",
    "\u{e9}",
];
