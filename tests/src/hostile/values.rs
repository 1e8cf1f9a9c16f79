//! What is put where a value is expected.

use std::path::Path;

use super::Choose;

/// Values of one kind: those that mean something in the scene, and those at and behind the ends of what can be.
struct Pool {
    sound: &'static [&'static str],
    odd: &'static [&'static str],
}

#[rustfmt::skip]
const NUMBERS: Pool = Pool {
    sound: &["0", "1", "2", "3", "7", "64", "100", "255", "256", "1500", "9000", "65535", "0x10"],
    odd: &[
        "4", "24", "32", "33", "68", "127", "128", "129", "4094", "4095", "4096", "9202", "65536", "20000",
        "2147483647", "2147483648", "4294967294", "4294967295", "4294967296", "9223372036854775807",
        "9223372036854775808", "18446744073709551615", "18446744073709551616", "340282366920938463463374607431768211456",
        "-1", "+1", "-0", "00", "0xffffffff", "0xffffffffffffffff", "1e3", "1e30", "1e308", "1e309", "1e-30", "0.5", ".5",
        "5.", "nan", "inf", "-inf", "1k", "1g", "1e9g", "1_000", "١",
    ],
};

const PREFIXES: Pool = Pool {
    sound: &[
        "0.0.0.0/0",
        "10.0.0.0/8",
        "10.1.0.0/16",
        "192.0.2.1/24",
        "192.0.2.77/32",
        "10.0.0.2/32",
        "::/0",
        "2001:db8::1/64",
        "2001:db8:1::/48",
        "2001:db8::2/128",
        "10.9.0.1/31",
    ],
    odd: &[
        "255.255.255.255/32",
        "224.0.0.0/4",
        "128.0.0.0/1",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "10.0.0.0/",
        "/8",
        "10.0.0/8",
        "ff00::/8",
        "fe80::1/10",
        "::1/128",
        "::/129",
        "8000::/1",
        "1.2.3.4/8/8",
        "256.0.0.0/8",
        "127.0.0.1/8",
    ],
};

const ADDRESSES: Pool = Pool {
    sound: &["10.0.0.2", "10.0.0.1", "10.1.0.7", "192.0.2.2", "2001:db8::2", "fe80::1"],
    odd: &[
        "0.0.0.0",
        "127.0.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "1.2.3",
        "1.2.3.4.5",
        "::",
        "::1",
        "ff02::1",
        "::ffff:10.0.0.1",
        "2001:db8::g",
        ":",
        "1::2::3",
    ],
};

/// What may be sent to for real: nothing that leaves this host.
const COLLECTORS: Pool = Pool {
    sound: &["127.0.0.1", "::1"],
    odd: &["127.255.255.254", "0.0.0.0", "::", "1.2.3", "collector"],
};

const MACS: Pool = Pool {
    sound: &["02:00:00:00:00:01", "02:fe:00:00:00:00", "0200.0000.0001"],
    odd: &[
        "ff:ff:ff:ff:ff:ff",
        "00:00:00:00:00:00",
        "01:00:5e:00:00:01",
        "02:00:00:00:00",
        "02:00:00:00:00:01:02",
        "g0:00:00:00:00:00",
    ],
};

const INTERFACES: Pool = Pool {
    sound: &["pg0", "pg1", "loop0", "local0"],
    odd: &[
        "pg2",
        "loop1",
        "pg",
        "pg01",
        "pg4294967295",
        "pg4294967296",
        "eth0",
        "pg0.1",
        "0",
        "pg1 ",
    ],
};

const NODES: Pool = Pool {
    sound: &[
        "pg-input",
        "pcap-input",
        "ip4-lookup",
        "error-drop",
        "ethernet-input",
        "pg1-tx",
        "ip4-input",
    ],
    odd: &["ip6-rewrite", "interface-output", "flow-report-process", "no-such-node", "loop0-tx"],
};

const FEATURES: Pool = Pool {
    sound: &[
        "ip4-not-enabled",
        "ip6-not-enabled",
        "flowprobe-input-ip4",
        "flowprobe-output-l2",
        "interface-tx",
    ],
    odd: &["ip4-lookup", "arp", "sink", "error-drop"],
};

const ARCS: Pool = Pool {
    sound: &["ip4-unicast", "ip6-unicast", "device-input", "interface-output", "ip4-output"],
    odd: &["ip4-multicast", "ip4", "no-arc"],
};

const NAMES: Pool = Pool { sound: &["s", "t", "stream0"], odd: &["stream1", "a b", "pg0", "S"] };

const PARAMETERS: Pool = Pool {
    sound: &[
        "limit 5",
        "rate 1000",
        "size 100-200",
        "size 64+1500 limit 9",
        "buffer-size 1",
        "limit 0 rate 1e9",
    ],
    odd: &[
        "limit -1",
        "limit 18446744073709551615",
        "rate -1",
        "rate nan",
        "rate 1e308",
        "rate 1e-30",
        "size 5-4",
        "size 0-0",
        "size 65536-65536",
        "size 1-1",
        "buffer-size 0",
        "limit",
        "name x",
    ],
};

const SECONDS: Pool = Pool {
    sound: &["0", "0.001", "1"],
    odd: &["1e-9", "-1", "1e18", "1.8e19", "1.9e19", "1e30", "nan", "inf", "4294967296", "x"],
};

/// What is no value of any kind, or one of free text.
#[rustfmt::skip]
const GARBAGE: &[&str] = &[
    "", "-", "--", "?", "json", "verbose", "del", "all", "\"\"", "\"a \\\" b\"", "\"open", "{", "}", "{ }", "{ { } }",
    "{ a", "#", "\\", "\\\n", "\n", "\r\n", "\t", "\0", "\u{1b}[2J", "\u{7f}", "ÿ", "名前", "a\u{301}", "%s%n",
    "$(true)", ";", "|", "..", "*", "via", "table", "weight", "count",
];

const STREAMS: &[&str] = &[
    "{ name s limit 5 rate 1e6 size 64-64 node ethernet-input
       data { IP4: 1.2.3 -> 4.5.6 UDP: 10.0.0.1 -> 10.0.0.2 UDP: 1 -> 2 incrementing 30 } }",
    "{ name t limit 3 size 3000-9000 node ip4-input interface pg0
       data { UDP: 10.0.0.1 - 10.0.0.9 -> 10.1.0.1 + 10.1.0.255 UDP: 1 -> 2 } }",
    "{ limit 4294967296 rate 1e308 size 65535-65535 source pg1 node ip4-lookup maxframe 1 data { hex 0x00 } }",
    "{ limit 1 size 65536-65536 node ip4-lookup data { hex 0x00 } }",
    "{ limit 1 size 5-4 data { } }",
    "{ size 0-0 limit 1 node ip4-input data { } }",
    "{ limit 2 node pg1 interface local0 tx-interface pg1 worker 4294967295 seed 18446744073709551615
       data { incrementing 65535 } }",
    "{ limit 2 node ip4-input
       data { UDP: 1.1.1.1 -> 2.2.2.2 length 65536 ttl 256 fragment id 65536 offset 7 incrementing 99999999 } }",
    "{ pcap /nonexistent }",
    "{ data { data { } }",
    "{ echo inner\nshow nothing }",
    "{ wait 1\n echo later }",
    "{ comment { a }\nuncomment { echo b } }",
    "{ }",
];

/// Files that commands may be pointed at.
pub struct Places<'p> {
    /// A folder that goes with the test: there files may be made.
    pub folder: &'p Path,
    /// Files and other things that are there.
    pub files: &'p [String],
}

/// A value for `hint`: mostly one of its kind, sometimes any.
pub(super) fn value(hint: &str, places: &Places<'_>, choose: &mut impl Choose) -> String {
    let pool = match hint {
        "file" => return file(places, choose),
        "n" | "table-id" | "table" | "bytes" | "port" | "flows" => NUMBERS,
        "seconds" => SECONDS,
        "prefix" | "address/length" => PREFIXES,
        "next-hop" => ADDRESSES,
        "ip-address" => COLLECTORS,
        "mac-address" => MACS,
        "interface" | "pg<N>" => INTERFACES,
        "node" => NODES,
        "name" => NAMES,
        "parameters" => PARAMETERS,
        "feature" => FEATURES,
        "arc" => ARCS,
        _ => return any(choose),
    };
    match choose.below(8) {
        0 => any(choose),
        1 | 2 => (*choose.one(pool.odd)).to_owned(),
        _ => (*choose.one(pool.sound)).to_owned(),
    }
}

/// A block in braces.
pub(super) fn block(choose: &mut impl Choose) -> String {
    (*choose.one(STREAMS)).to_owned()
}

/// Anything but addresses of other hosts, which stand where an exporter could be told to send to them.
pub(super) fn any(choose: &mut impl Choose) -> String {
    let pools = [NUMBERS, PREFIXES, COLLECTORS, MACS, INTERFACES, NODES, NAMES, FEATURES];
    let words = match choose.below(2 * pools.len()) {
        n if n < pools.len() => [pools[n].sound, pools[n].odd][choose.below(2)],
        _ => GARBAGE,
    };
    let word = *choose.one(words);
    match choose.below(24) {
        0 => word.repeat(1 + choose.below(5000)),
        1 => format!("{word}{}", choose.one(GARBAGE)),
        _ => word.to_owned(),
    }
}

fn file(places: &Places<'_>, choose: &mut impl Choose) -> String {
    match choose.below(3) {
        0 => places.folder.join(format!("file{}", choose.below(4))).display().to_string(),
        1 if !places.files.is_empty() => choose.one(places.files).clone(),
        _ => (*choose.one(&["/", "/nonexistent/file", "\"\"", "-"])).to_owned(),
    }
}
