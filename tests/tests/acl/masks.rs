//! Lists of so many masks that most are left out for a packet, of both versions. What differs in ports alone shares one.

use std::net::Ipv6Addr;

use crate::{Router, packet::Packet};

/// A rule about the sources of a prefix and, where they are said, ports.
#[derive(Clone, Copy)]
struct Rule {
    length: u32,
    host: u8,
    ports: (Option<u16>, Option<u16>),
    permits: bool,
}

impl Rule {
    fn text(&self, is_ip6: bool) -> String {
        let verdict = if self.permits { "permit" } else { "deny" };
        let side = |word: &str, port: Option<u16>| {
            port.map(|port| format!(" {word} {port}")).unwrap_or_default()
        };
        let ports = side("sport", self.ports.0) + &side("dport", self.ports.1);
        let prefix = match is_ip6 {
            false => {
                let address = 10 << 24 | u32::from(self.host);
                let network = address & u32::MAX.checked_shl(32 - self.length).unwrap_or(0);
                format!("{}/{}", std::net::Ipv4Addr::from(network), self.length)
            }
            true => {
                let address = "2001:db8::".parse::<Ipv6Addr>().unwrap().to_bits();
                let address = address | u128::from(self.host);
                let network = address & u128::MAX.checked_shl(128 - self.length).unwrap_or(0);
                format!("{}/{}", Ipv6Addr::from(network), self.length)
            }
        };
        let any = if is_ip6 { "::/0" } else { "0.0.0.0/0" };
        format!("{verdict} src {prefix} dst {any} proto 17{ports}")
    }

    /// Both hosts have the same bits but for the last eight.
    fn takes(&self, host: u8, (sport, dport): (u16, u16), bits: u32) -> bool {
        let differing = bits - self.length.min(bits);
        let is_same = differing >= 8 || self.host >> differing == host >> differing;
        let (source, destination) = self.ports;
        is_same
            && source.is_none_or(|port| port == sport)
            && destination.is_none_or(|port| port == dport)
    }
}

/// For many lengths, each with one port, with none, with both.
fn rules(bits: u32, longest_first: bool) -> Vec<Rule> {
    let lengths = (bits - 24..=bits).chain([bits, bits - 1]);
    let mut all: Vec<Rule> = lengths
        .zip(1..)
        .flat_map(|(length, n)| {
            let host = if n % 3 == 0 { 2 } else { 1 };
            let both = (Some(1001), Some(54));
            [(Some(1000), None), (None, None), both, (None, Some(53))].map(|ports| Rule {
                length,
                host,
                ports,
                permits: (length + u32::from(ports.0.or(ports.1).unwrap_or(0))) % 2 == 0,
            })
        })
        .collect();
    if longest_first {
        all.reverse();
    }
    all
}

#[test]
fn the_first_rule_decides_whichever_masks_are_left_out() {
    let router =
        Router::new(2, "set acl-plugin acl permit\nset acl-plugin interface pg0 input acl 0");
    for is_ip6 in [false, true] {
        let (bits, word) = if is_ip6 { (128, "ip6") } else { (32, "ip4") };
        for longest_first in [true, false] {
            let rules = rules(bits, longest_first);
            let text: Vec<_> = rules.iter().map(|rule| rule.text(is_ip6)).collect();
            router.lab.run(&format!("set acl-plugin acl index 0 {}", text.join(", ")));
            let shown = router.json("show acl-plugin tables");
            let family = &shown["contexts"][0][word];
            assert_eq!(family["masks"].as_array().map(Vec::len), Some(25), "{word}");
            for host in 1..=9 {
                for ports in [(999, 53), (1000, 53), (1000, 54), (1001, 53), (1001, 54)] {
                    let packet = Packet { source: (0, host), ..Packet::udp(0, 1, ports) };
                    let packet = if is_ip6 { packet.ip6() } else { packet };
                    let first = rules.iter().find(|rule| rule.takes(host, ports, bits));
                    let expected = first.is_some_and(|rule| rule.permits);
                    assert_eq!(router.passes(0, &packet), expected, "{word} {host} {ports:?}");
                }
            }
        }
    }
}

#[test]
fn masks_are_left_out_by_what_tells_rules_apart() {
    let router =
        Router::new(2, "set acl-plugin acl permit\nset acl-plugin interface pg0 input acl 0");
    for is_ip6 in [false, true] {
        // A rule for each host, which compares other bits than the others.
        let rule = |n: usize| {
            let ports = ["", " sport 1024", " dport 5001", " sport 1024 dport 5001"][n % 4];
            let (host, length) = (n + 1, 8 + n / 4);
            match is_ip6 {
                false => {
                    format!("permit src 10.0.0.{host}/32 dst 10.0.0.0/{length} proto 17{ports}")
                }
                true => format!(
                    "permit src 2001:db8::{host:x}/128 dst 2001:db8::/{} proto 17{ports}",
                    length + 24
                ),
            }
        };
        let text: Vec<_> = (0..64).map(rule).collect();
        router.lab.run(&format!("set acl-plugin acl index 0 {}", text.join(", ")));
        let shown = router.json("show acl-plugin tables");
        let family = &shown["contexts"][0][if is_ip6 { "ip6" } else { "ip4" }];
        assert_eq!(family["masks"].as_array().map(Vec::len), Some(16));
        assert!(family["fields"].as_u64() > Some(0), "{family}");
        for n in 0..66 {
            for (sport, dport) in [(1024, 5001), (1024, 1), (1, 5001), (1, 1)] {
                let source = (0, n as u8 + 1);
                let packet = Packet { source, ..Packet::udp(0, 1, (sport, dport)) };
                let packet = if is_ip6 { packet.ip6() } else { packet };
                let fits = [true, sport == 1024, dport == 5001, (sport, dport) == (1024, 5001)];
                let expected = n < 64 && fits[n % 4];
                assert_eq!(router.passes(0, &packet), expected, "{n} {sport} {dport}");
            }
        }
    }
}
