//! Lists compiled: what nodes read of all lists of an interface in one direction.

use std::{net::IpAddr, rc::Rc};

use vnet::{action::ActionId, command::value::IpWithLength, wire::ip4::protocol};

use crate::{
    key::{IP4_WORDS, IP6_WORDS, Ip, Ip4, Ip6, VALID, layer4},
    rule::{Ports, Rule, TcpFlags, Verdict},
    space::{Pattern, Space},
};

/// A rule, as nodes need it once it was found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Matched {
    /// Its element of the counter.
    pub(crate) counter: u32,
    pub(crate) action: ActionId,
    pub(crate) verdict: Verdict,
}

/// A list, as it is compiled.
pub(crate) struct Source {
    pub(crate) acl: u32,
    /// The element of the counter of its first rule.
    pub(crate) counters: u32,
    pub(crate) rules: Rc<[Rule]>,
}

/// The rules of one family.
pub(crate) struct Program<const N: usize> {
    pub(crate) whole: Space<N>,
    /// For fragments other than the first, which have no ports: rules are compared up to the protocol. None where that is the
    /// same for all packets.
    fragments: Option<Space<N>>,
    /// Whether any rule compares ports or flags.
    has_ports: bool,
}

/// Several lists, one after the other.
pub(crate) struct Lists {
    pub(crate) ip4: Program<IP4_WORDS>,
    pub(crate) ip6: Program<IP6_WORDS>,
    /// By position.
    pub(crate) matched: Box<[Matched]>,
    /// The first position of each list, and which it is.
    firsts: Box<[(u32, u32)]>,
    /// Whether any rule begins sessions.
    pub(crate) reflects: bool,
    /// Whether any rule compares ports or flags: of IPv4, of IPv6.
    pub(crate) has_ports: [bool; 2],
}

impl Lists {
    /// Compiles lists, each behind the one before.
    pub(crate) fn new(sources: &[Source]) -> Self {
        let all = || sources.iter().flat_map(|source| source.rules.iter());
        let matched = sources.iter().flat_map(|source| {
            (0..).zip(source.rules.iter()).map(|(n, rule)| Matched {
                counter: source.counters + n,
                action: rule.action_id,
                verdict: rule.verdict,
            })
        });
        let mut position = 0;
        let firsts = sources.iter().map(|source| {
            let first = position;
            position += source.rules.len() as u32;
            (first, source.acl)
        });
        let firsts = firsts.collect();
        let reflects = all().any(|rule| rule.verdict == Verdict::Reflect);
        let positioned = || (0..).zip(all());
        let ip4 = Program::new::<Ip4, _>(|form| {
            positioned().filter_map(move |(n, rule)| ip4(n, rule, form))
        });
        let ip6 = Program::new::<Ip6, _>(|form| {
            positioned().filter_map(move |(n, rule)| ip6(n, rule, form))
        });
        let has_ports = [ip4.has_ports, ip6.has_ports];
        Self { ip4, ip6, matched: matched.collect(), firsts, reflects, has_ports }
    }

    /// The rule at a position.
    #[inline(always)]
    pub(crate) fn matched(&self, position: u32) -> Option<&Matched> {
        self.matched.get(position as usize)
    }

    /// The list of the rule at a position, and its number there.
    pub(crate) fn named(&self, position: u32) -> Option<(u32, u32)> {
        self.matched(position)?;
        let behind = self.firsts.partition_point(|(first, _)| *first <= position);
        let &(first, acl) = self.firsts.get(behind.checked_sub(1)?)?;
        Some((acl, position - first))
    }
}

/// A version of IP, and what is made of lists for it.
pub(crate) trait Compiled<const N: usize>: Ip<N> {
    /// Parts of a key by which masks may be left out: addresses, and ports with their protocol.
    const FIELDS: [[u64; N]; 4];

    /// Its part of lists.
    fn program(lists: &Lists) -> &Program<N>;
}

/// The last words of fields: of destination and of source ports.
const PORTS: [u64; 2] =
    [layer4(0, u16::MAX, u8::MAX, 0) | VALID, layer4(u16::MAX, 0, u8::MAX, 0) | VALID];

impl Compiled<IP4_WORDS> for Ip4 {
    const FIELDS: [[u64; IP4_WORDS]; 4] =
        [[(u32::MAX as u64) << 32, 0], [u32::MAX as u64, 0], [0, PORTS[0]], [0, PORTS[1]]];

    #[inline(always)]
    fn program(lists: &Lists) -> &Program<IP4_WORDS> {
        &lists.ip4
    }
}

impl Compiled<IP6_WORDS> for Ip6 {
    const FIELDS: [[u64; IP6_WORDS]; 4] = [
        [u64::MAX, u64::MAX, 0, 0, 0],
        [0, 0, u64::MAX, u64::MAX, 0],
        [0, 0, 0, 0, PORTS[0]],
        [0, 0, 0, 0, PORTS[1]],
    ];

    #[inline(always)]
    fn program(lists: &Lists) -> &Program<IP6_WORDS> {
        &lists.ip6
    }
}

impl<const N: usize> Program<N> {
    fn new<F: Compiled<N>, I: Iterator<Item = Pattern<N>>>(patterns: impl Fn(Form) -> I) -> Self {
        let has_ports = patterns(Form::Whole).any(|pattern| pattern.has_ports());
        // Fragments have a protocol, and nothing that is valid beside.
        let has_protocol = patterns(Form::Whole).any(|pattern| pattern.mask[N - 1] != 0);
        Self {
            whole: Space::new(patterns(Form::Whole), &F::FIELDS),
            fragments: has_protocol.then(|| Space::new(patterns(Form::Fragment), &F::FIELDS)),
            has_ports,
        }
    }

    /// What fragments other than the first are looked up in.
    pub(crate) fn fragments(&self) -> &Space<N> {
        self.fragments.as_ref().unwrap_or(&self.whole)
    }
}

impl<const N: usize> Pattern<N> {
    /// Whether ports or flags are compared.
    fn has_ports(&self) -> bool {
        let ranges = [self.source, self.destination];
        self.mask[N - 1] & !(PROTOCOL | VALID) != 0 || ranges.iter().any(|r| *r != Ports::ANY)
    }
}

/// Which packets rules are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Whole,
    Fragment,
}

/// The bits of the protocol in a key's last word.
const PROTOCOL: u64 = layer4(0, 0, u8::MAX, 0);

fn ip4(position: u32, rule: &Rule, form: Form) -> Option<Pattern<IP4_WORDS>> {
    let address = |prefix: &IpWithLength| match prefix.address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix.length)).unwrap_or(0);
            Some((u64::from(mask), u64::from(u32::from(address) & mask)))
        }
        IpAddr::V6(_) => None,
    };
    let ((mask_a, a), (mask_b, b)) = (address(&rule.source)?, address(&rule.destination)?);
    let words = ([mask_a << 32 | mask_b, 0], [a << 32 | b, 0]);
    Some(pattern(position, rule, form, words))
}

fn ip6(position: u32, rule: &Rule, form: Form) -> Option<Pattern<IP6_WORDS>> {
    let address = |prefix: &IpWithLength| match prefix.address {
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix.length)).unwrap_or(0);
            Some((mask, u128::from(address) & mask))
        }
        IpAddr::V4(_) => None,
    };
    let halves = |whole: u128| [(whole >> 64) as u64, whole as u64];
    let ((mask_a, a), (mask_b, b)) = (address(&rule.source)?, address(&rule.destination)?);
    let ([m0, m1], [m2, m3]) = (halves(mask_a), halves(mask_b));
    let ([v0, v1], [v2, v3]) = (halves(a), halves(b));
    Some(pattern(position, rule, form, ([m0, m1, m2, m3, 0], [v0, v1, v2, v3, 0])))
}

/// Adds layer 4 to a pattern of addresses.
fn pattern<const N: usize>(
    position: u32,
    rule: &Rule,
    form: Form,
    (mut mask, mut value): ([u64; N], [u64; N]),
) -> Pattern<N> {
    let mut ranges = [Ports::ANY; 2];
    if rule.protocol != 0 {
        mask[N - 1] = PROTOCOL;
        value[N - 1] = layer4(0, 0, rule.protocol, 0);
        if form == Form::Whole {
            let [source, destination] = [rule.source_ports, rule.destination_ports].map(compared);
            let TcpFlags { value: flags, mask: flag_mask } = match rule.protocol {
                protocol::TCP => rule.tcp_flags,
                _ => TcpFlags::default(),
            };
            mask[N - 1] |= layer4(source.mask, destination.mask, 0, flag_mask) | VALID;
            value[N - 1] |= layer4(source.value, destination.value, 0, flags) | VALID;
            ranges = [source.range, destination.range];
        }
    }
    let [source, destination] = ranges;
    Pattern { mask, value, source, destination, position }
}

/// How ports are compared: by a mask, or as a range.
struct Compared {
    mask: u16,
    value: u16,
    range: Ports,
}

fn compared(ports: Ports) -> Compared {
    match ports.exact() {
        Some(value) => Compared { mask: u16::MAX, value, range: Ports::ANY },
        None => Compared { mask: 0, value: 0, range: ports },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{grammar::Request, key::Layer4, space::NONE};

    fn rule() -> impl Strategy<Value = Rule> {
        let prefix = prop::sample::select(vec![
            "",
            "src 10.0.0.0/8",
            "dst 10.1.0.0/16",
            "src 10.1.1.1/32 dst 10.0.0.0/30",
        ]);
        let layer4 = prop::sample::select(vec![
            "",
            "proto 17",
            "proto 17 dport 1",
            "proto 17 sport 1-2 dport 0-1",
            "proto 6 tcpflags 2 mask 18",
            "proto 6 sport 2 tcpflags 16 mask 16",
        ]);
        (prefix, layer4).prop_map(|(prefix, layer4)| {
            Request::parse(&format!("permit {prefix} {layer4}")).unwrap().rules.swap_remove(0)
        })
    }

    fn key() -> impl Strategy<Value = ([u64; 2], bool)> {
        let address =
            || prop::sample::select(vec![0x0a01_0101_u64, 0x0a01_0001, 0x0a00_0001, 0x0b00_0001]);
        let protocol = prop::sample::select(vec![6_u8, 17, 47]);
        let flags = prop::sample::select(vec![0x02_u8, 0x12, 0x10]);
        (address(), address(), 0..3_u16, 0..3_u16, protocol, flags, any::<bool>()).prop_map(
            |(a, b, sport, dport, protocol, flags, is_fragment)| {
                let flags = if protocol == 6 { flags } else { 0 };
                let word = match is_fragment {
                    true => layer4(0, 0, protocol, 0),
                    false => layer4(sport, dport, protocol, flags) | VALID,
                };
                ([a << 32 | b, word], is_fragment)
            },
        )
    }

    /// As VPP compares one rule after the other.
    fn fits(rule: &Rule, key: &[u64; 2], is_fragment: bool) -> bool {
        let covers = |prefix: &IpWithLength, address: u64| {
            let IpAddr::V4(network) = prefix.address else { return false };
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix.length)).unwrap_or(0);
            address as u32 & mask == u32::from(network)
        };
        let word = Layer4(key[1]);
        let layer4 = || {
            word.protocol() == rule.protocol
                && (is_fragment
                    || rule.source_ports.contains(word.source())
                        && rule.destination_ports.contains(word.destination())
                        && word.flags() & rule.tcp_flags.mask == rule.tcp_flags.value)
        };
        covers(&rule.source, key[0] >> 32)
            && covers(&rule.destination, key[0] & 0xffff_ffff)
            && (rule.protocol == 0 || layer4())
    }

    proptest! {
        #[test]
        fn lists_are_compiled_to_what_their_rules_say(
            lists in prop::collection::vec(prop::collection::vec(rule(), 1..20), 1..3),
            packets in prop::collection::vec(key(), 1..60),
        ) {
            let sources = (0..).zip(lists).map(|(acl, rules)| Source { acl, counters: 100 * acl, rules: rules.into() });
            let sources: Vec<_> = sources.collect();
            let compiled = Lists::new(&sources);
            for (key, is_fragment) in packets {
                let space = if is_fragment { compiled.ip4.fragments() } else { &compiled.ip4.whole };
                let found = space.look_up_one(&key);
                let matched = compiled.matched(found).map(|rule| rule.counter);
                let matched = compiled.named(found).zip(matched).map(|((acl, rule), counter)| (acl, rule, counter));
                let first = sources.iter().find_map(|source| {
                    let rule = source.rules.iter().position(|rule| fits(rule, &key, is_fragment))? as u32;
                    Some((source.acl, rule, source.counters + rule))
                });
                prop_assert_eq!(matched, first);
                prop_assert_eq!(found == NONE, first.is_none());
            }
        }
    }
}
