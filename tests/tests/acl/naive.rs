//! Access lists as one would write them down: every rule of every list in turn, and sessions in a plain list.

use std::collections::BTreeMap;

use acl::{Direction, Ports, Rule, Verdict};
use vnet::{
    command::value::IpWithLength,
    wire::ip4::protocol::{ICMP, ICMP6, TCP},
};

use crate::packet::Packet;

/// Interfaces.
pub(crate) const PORTS: usize = 3;
/// Lists that steps speak of.
pub(crate) const LISTS: u32 = 4;

/// A rule, before it is written down.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) verdict: Verdict,
    pub(crate) is_ip6: bool,
    /// Behind which interface, and which host; `None` is any.
    pub(crate) source: (Option<u8>, Option<u8>),
    pub(crate) destination: (Option<u8>, Option<u8>),
    pub(crate) protocol: u8,
    pub(crate) ports: (Ports, Ports),
    /// Value and mask.
    pub(crate) flags: (u8, u8),
}

/// What happens.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Packet(Packet),
    Put { acl: Option<u32>, rules: Vec<Draft> },
    Delete(u32),
    Apply { port: usize, direction: Direction, acl: u32 },
    Unapply { port: usize, direction: Direction, acl: u32 },
    Clear,
    Timeout { kind: usize, seconds: u64 },
    Wait { seconds: u64 },
}

impl Draft {
    /// As it is typed.
    pub(crate) fn text(&self) -> String {
        let prefix = |(net, host): (Option<u8>, Option<u8>)| match (self.is_ip6, net, host) {
            (false, Some(net), Some(host)) => format!("10.0.{net}.{host}/32"),
            (false, Some(net), None) => format!("10.0.{net}.0/24"),
            (false, None, _) => "0.0.0.0/0".to_owned(),
            (true, Some(net), Some(host)) => format!("2001:db8:{net}::{host}/128"),
            (true, Some(net), None) => format!("2001:db8:{net}::/48"),
            (true, None, _) => "::/0".to_owned(),
        };
        let ports = match self.protocol {
            0 => String::new(),
            _ => format!("proto {} sport {} dport {}", self.protocol, self.ports.0, self.ports.1),
        };
        let flags = match (self.protocol, self.flags) {
            (TCP, (value, mask)) => format!("tcpflags {} mask {mask}", value & mask),
            _ => String::new(),
        };
        let (verdict, source, destination) =
            (self.verdict.word(), prefix(self.source), prefix(self.destination));
        format!("{verdict} src {source} dst {destination} {ports} {flags}")
    }

    fn takes(&self, packet: &Packet) -> bool {
        let covers = |(net, host): (Option<u8>, Option<u8>), (n, h): (u8, u8)| {
            net.is_none_or(|net| net == n && host.is_none_or(|host| host == h))
        };
        let layer4 = || {
            self.protocol == packet.protocol
                && self.ports.0.contains(packet.own_ports().0)
                && self.ports.1.contains(packet.own_ports().1)
                && (packet.protocol != TCP
                    || packet.flags & self.flags.1 == self.flags.0 & self.flags.1)
        };
        self.is_ip6 == packet.is_ip6
            && covers(self.source, packet.source)
            && covers(self.destination, packet.destination)
            && (self.protocol == 0 || layer4())
    }
}

impl Packet {
    /// Those that lists see: protocols without ports have none.
    fn own_ports(&self) -> (u16, u16) {
        match self.protocol {
            47 => (0, 0),
            _ => self.ports,
        }
    }

    /// The packet that would come back in the same session.
    fn answer(&self) -> Self {
        let back = self.back();
        match (self.protocol, self.ports.0) {
            (ICMP | ICMP6, kind) => {
                let other = self.questions().iter().find_map(|&[asks, answers]| match kind {
                    _ if kind == asks => Some(answers),
                    _ if kind == answers => Some(asks),
                    _ => None,
                });
                Self { ports: (other.unwrap_or(kind), self.ports.1), ..back }
            }
            _ => back,
        }
    }

    /// Types of messages that ask, and those that answer: echo, timestamp, information, address mask; echo, node information.
    fn questions(&self) -> &'static [[u16; 2]] {
        match self.protocol {
            ICMP => &[[8, 0], [13, 14], [15, 16], [17, 18]],
            ICMP6 => &[[128, 129], [139, 140]],
            _ => &[],
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        let of = |packet: &Self| Self { flags: 0, ports: packet.own_ports(), ..*packet };
        of(self) == of(other)
    }
}

struct Session {
    port: usize,
    /// As it would come in.
    packet: Packet,
    began: Direction,
    /// The packet with which it began.
    first: Packet,
    heard: u64,
    /// Flags of packets that came in, and that left.
    seen: [u8; 2],
}

/// The lists.
pub(crate) struct Naive {
    lists: BTreeMap<u32, Vec<(Draft, u64)>>,
    applied: BTreeMap<(usize, Direction), Vec<u32>>,
    sessions: Vec<Session>,
    timeouts: [u64; 3],
    now: u64,
}

const FIN_SYN_RST_ACK: u8 = 0x17;
const SYN_ACK: u8 = 0x12;

impl Naive {
    pub(crate) fn new() -> Self {
        Self {
            lists: BTreeMap::new(),
            applied: BTreeMap::new(),
            sessions: Vec::new(),
            timeouts: [600, 86_400, 120],
            now: 0,
        }
    }

    /// What a step does: whether a packet gets through, and whether an operation is done.
    pub(crate) fn run(&mut self, step: &Step) -> bool {
        let done = self.do_step(step);
        // Lists that let no sessions begin have none.
        let reflecting: Vec<_> =
            self.applied.keys().copied().filter(|key| self.reflects(*key)).collect();
        self.sessions.retain(|session| reflecting.contains(&(session.port, session.began)));
        done
    }

    fn reflects(&self, (port, direction): (usize, Direction)) -> bool {
        let lists = self.applied(port, direction);
        let mut rules = lists.iter().flat_map(|acl| &self.lists[acl]);
        rules.any(|(rule, _)| rule.verdict == Verdict::Reflect)
    }

    fn do_step(&mut self, step: &Step) -> bool {
        match step {
            Step::Packet(packet) => {
                let (from, to) = (packet.source.0.into(), packet.destination.0.into());
                self.check(from, Direction::Input, packet)
                    && self.check(to, Direction::Output, packet)
            }
            Step::Put { acl, rules } => {
                let acl = match acl {
                    Some(acl) if self.lists.contains_key(acl) => *acl,
                    Some(_) => return false,
                    None => (0..).find(|acl| !self.lists.contains_key(acl)).unwrap_or(0),
                };
                self.lists.insert(acl, rules.iter().cloned().map(|rule| (rule, 0)).collect());
                true
            }
            Step::Delete(acl) => {
                let is_used = self.applied.values().any(|lists| lists.contains(acl));
                !is_used && self.lists.remove(acl).is_some()
            }
            Step::Apply { port, direction, acl } => {
                if !self.lists.contains_key(acl) {
                    return false;
                }
                let lists = self.applied.entry((*port, *direction)).or_default();
                let is_new = !lists.contains(acl);
                if is_new {
                    lists.push(*acl);
                }
                is_new
            }
            Step::Unapply { port, direction, acl } => {
                let lists = self.applied.entry((*port, *direction)).or_default();
                let at = lists.iter().position(|known| known == acl);
                at.map(|at| lists.remove(at)).is_some()
            }
            Step::Clear => {
                self.sessions.clear();
                true
            }
            Step::Timeout { kind, seconds } => {
                self.timeouts[*kind] = *seconds;
                true
            }
            Step::Wait { seconds } => {
                self.now += seconds;
                let over = |s: &Session| self.now - s.heard > self.timeout(s);
                let over: Vec<_> = self.sessions.iter().map(over).collect();
                let mut over = over.into_iter();
                self.sessions.retain(|_| !over.next().unwrap_or(false));
                true
            }
        }
    }

    /// Packets that each rule of each list has matched.
    pub(crate) fn counts(&self) -> BTreeMap<u32, Vec<u64>> {
        let of = |rules: &Vec<(Draft, u64)>| rules.iter().map(|(_, count)| *count).collect();
        self.lists.iter().map(|(acl, rules)| (*acl, of(rules))).collect()
    }

    fn applied(&self, port: usize, direction: Direction) -> Vec<u32> {
        self.applied.get(&(port, direction)).cloned().unwrap_or_default()
    }

    /// The list and the rule that decide.
    fn decide(&self, port: usize, direction: Direction, packet: &Packet) -> Option<(u32, usize)> {
        self.applied(port, direction).into_iter().find_map(|acl| {
            let rules = self.lists[&acl].iter();
            let takes = |(rule, _): &(Draft, u64)| rule.takes(packet);
            Some((acl, rules.into_iter().position(takes)?))
        })
    }

    fn verdict(&self, port: usize, direction: Direction, packet: &Packet) -> Verdict {
        let decided = self.decide(port, direction, packet);
        decided.map_or(Verdict::Deny, |(acl, rule)| self.lists[&acl][rule].0.verdict)
    }

    fn check(&mut self, port: usize, direction: Direction, packet: &Packet) -> bool {
        if self.applied(port, direction).is_empty() {
            return true;
        }
        let mut ways = [Direction::Input, Direction::Output].into_iter();
        let reflects = ways.any(|way| self.reflects((port, way)));
        if reflects && self.is_of_session(port, direction, packet) {
            return true;
        }
        let Some((acl, rule)) = self.decide(port, direction, packet) else { return false };
        let (rule, count) = &mut self.lists.get_mut(&acl).unwrap()[rule];
        *count += 1;
        let asks = match packet.protocol {
            ICMP | ICMP6 => packet.questions().iter().any(|[asks, _]| *asks == packet.ports.0),
            _ => true,
        };
        if rule.verdict == Verdict::Reflect && asks {
            let mut seen = [0; 2];
            seen[direction as usize] = packet.own_flags();
            self.sessions.push(Session {
                port,
                packet: inbound(direction, packet),
                began: direction,
                first: *packet,
                heard: self.now,
                seen,
            });
        }
        self.verdict(port, direction, packet) != Verdict::Deny
    }

    fn is_of_session(&mut self, port: usize, direction: Direction, packet: &Packet) -> bool {
        let wanted = inbound(direction, packet);
        let is_it = |session: &Session| session.port == port && session.packet.is_same(&wanted);
        let Some(at) = self.sessions.iter().position(is_it) else { return false };
        let session = &self.sessions[at];
        let is_over = self.now - session.heard > self.timeout(session);
        let goes_on = self.verdict(port, session.began, &session.first) == Verdict::Reflect;
        if is_over || !goes_on {
            self.sessions.remove(at);
            return false;
        }
        let now = self.now;
        let session = &mut self.sessions[at];
        session.heard = now;
        session.seen[direction as usize] |= packet.own_flags();
        true
    }

    fn timeout(&self, session: &Session) -> u64 {
        let [a, b] = session.seen.map(|flags| flags & FIN_SYN_RST_ACK);
        match session.packet.protocol {
            TCP if a == SYN_ACK && b == SYN_ACK => self.timeouts[1],
            TCP => self.timeouts[2],
            _ => self.timeouts[0],
        }
    }
}

impl Packet {
    fn own_flags(&self) -> u8 {
        if self.protocol == TCP { self.flags } else { 0 }
    }
}

/// A packet of a session as it would come in.
fn inbound(direction: Direction, packet: &Packet) -> Packet {
    match direction {
        Direction::Input => *packet,
        Direction::Output => packet.answer(),
    }
}

/// What was typed is what was meant.
#[test]
fn a_draft_is_read_as_it_was_meant() {
    let draft = Draft {
        verdict: Verdict::Reflect,
        is_ip6: false,
        source: (Some(1), Some(2)),
        destination: (Some(0), None),
        protocol: TCP,
        ports: (Ports::one(5), Ports { first: 1, last: 3 }),
        flags: (2, 18),
    };
    let request = acl::Request::parse(&draft.text()).unwrap();
    let [Rule { source, destination, destination_ports, .. }] = &*request.rules else {
        panic!("one rule")
    };
    let prefix = |text: &str, length| IpWithLength { address: text.parse().unwrap(), length };
    assert_eq!((*source, *destination), (prefix("10.0.1.2", 32), prefix("10.0.0.0", 24)));
    assert_eq!(*destination_ports, Ports { first: 1, last: 3 });
}
