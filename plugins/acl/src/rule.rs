//! Rules: what packets they are about, and what becomes of those.

use std::{fmt, rc::Rc};

use vnet::{action::ActionId, command::value::IpWithLength};

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Verdict {
    /// It is dropped.
    Deny = 0,
    /// It goes on.
    Permit = 1,
    /// It goes on, and so do those of its session, in both directions.
    Reflect = 2,
}

impl Verdict {
    /// By VPP's number, as in `action 2`.
    #[must_use]
    pub const fn of_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Deny),
            1 => Some(Self::Permit),
            2 => Some(Self::Reflect),
            _ => None,
        }
    }

    /// As rules are written.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Deny => "deny",
            Self::Permit => "permit",
            Self::Reflect => "permit+reflect",
        }
    }
}

/// Ports from the first to the last, or types and codes of ICMP messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// The lowest one.
    pub first: u16,
    /// The highest one.
    pub last: u16,
}

impl Ports {
    /// All of them.
    pub const ANY: Self = Self { first: 0, last: u16::MAX };

    /// One.
    #[must_use]
    pub const fn one(port: u16) -> Self {
        Self { first: port, last: port }
    }

    /// Whether a port is among them.
    #[inline(always)]
    #[must_use]
    pub const fn contains(self, port: u16) -> bool {
        self.first <= port && port <= self.last
    }

    /// The only one, if there is but one.
    #[must_use]
    pub fn exact(self) -> Option<u16> {
        (self.first == self.last).then_some(self.first)
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.exact() {
            Some(port) => write!(f, "{port}"),
            None => write!(f, "{}-{}", self.first, self.last),
        }
    }
}

/// Flags that a TCP header must have: those of `mask` are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpFlags {
    /// How they are to be.
    pub value: u8,
    /// Which ones.
    pub mask: u8,
}

/// A rule's action, as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// What stood in braces behind it.
    pub arguments: String,
}

/// A rule. Both prefixes are of the same family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What becomes of its packets.
    pub verdict: Verdict,
    /// Where they come from.
    pub source: IpWithLength,
    /// Where they go to.
    pub destination: IpWithLength,
    /// Their protocol, that behind all extension headers; 0 is any, and then ports and flags are not looked at.
    pub protocol: u8,
    /// Source ports, or types of ICMP messages.
    pub source_ports: Ports,
    /// Destination ports, or codes of ICMP messages.
    pub destination_ports: Ports,
    /// Flags, of TCP alone.
    pub tcp_flags: TcpFlags,
    /// What else is done.
    pub action: Option<Rc<Named>>,
    /// That as nodes know it, once the rule is part of a list.
    pub action_id: ActionId,
}

impl Rule {
    /// Whether it is about IPv6.
    #[must_use]
    pub fn is_ip6(&self) -> bool {
        self.source.address.is_ipv6()
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = if self.is_ip6() { "ipv6" } else { "ipv4" };
        let Self {
            verdict, source, destination, protocol, source_ports, destination_ports, ..
        } = self;
        write!(f, "{family} {} src {source} dst {destination} proto {protocol}", verdict.word())?;
        write!(f, " sport {source_ports} dport {destination_ports}")?;
        if self.tcp_flags != TcpFlags::default() {
            write!(f, " tcpflags {} mask {}", self.tcp_flags.value, self.tcp_flags.mask)?;
        }
        match self.action.as_deref() {
            None => Ok(()),
            Some(Named { name, arguments }) if arguments.is_empty() => write!(f, " action {name}"),
            Some(Named { name, arguments }) => write!(f, " action {name} {{ {arguments} }}"),
        }
    }
}
