//! When a session is over.

use core::time::Duration;

use vnet::{
    runtime::EngineTime,
    wire::{ip4::protocol, tcp::flags},
};

use crate::direction::Direction;

/// When a packet of a session was heard last: tenths of a second of engine time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Heard(pub(crate) u32);

/// Nanoseconds of a tenth of a second.
const TENTH: u64 = 100_000_000;

impl Heard {
    pub(crate) const fn at(now: EngineTime) -> Self {
        Self((now.0 / TENTH) as u32)
    }

    /// How long ago that was.
    pub(crate) const fn ago(self, now: Self) -> Duration {
        Duration::from_millis(now.0.saturating_sub(self.0) as u64 * 100)
    }
}

/// TCP flags that were seen in both directions: SYN, ACK, FIN, RST.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen(pub(crate) u32);

/// Those flags that decide.
const KEPT: u32 = (flags::FIN | flags::SYN | flags::RST | flags::ACK) as u32;
/// Those of a connection that stands.
const OPEN: u32 = (flags::SYN | flags::ACK) as u32;
/// Where the flags of packets that leave are.
const OUTPUT: u32 = 8;

impl Seen {
    /// Those of a packet.
    #[inline(always)]
    pub(crate) const fn of(flags: u8, direction: Direction) -> Self {
        let kept = flags as u32 & KEPT;
        match direction {
            Direction::Input => Self(kept),
            Direction::Output => Self(kept << OUTPUT),
        }
    }

    /// Whether both sides have opened the connection and none has begun to close it.
    const fn is_established(self) -> bool {
        self.0 == OPEN | OPEN << OUTPUT
    }
}

/// Which timeout a session has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeoutKind {
    /// Everything but TCP.
    UdpIdle,
    /// TCP, while the connection stands.
    TcpIdle,
    /// TCP, before and after.
    TcpTransient,
}

impl TimeoutKind {
    pub(crate) const fn of(protocol: u8, seen: Seen) -> Self {
        match protocol {
            protocol::TCP if seen.is_established() => Self::TcpIdle,
            protocol::TCP => Self::TcpTransient,
            _ => Self::UdpIdle,
        }
    }

    /// As commands and `show` name it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::UdpIdle => "udp idle",
            Self::TcpIdle => "tcp idle",
            Self::TcpTransient => "tcp transient",
        }
    }
}

/// How long sessions of which nothing is heard last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    /// In seconds.
    pub(crate) udp_idle: u32,
    pub(crate) tcp_idle: u32,
    pub(crate) tcp_transient: u32,
}

impl Timeouts {
    /// VPP's.
    pub(crate) const DEFAULT: Self = Self { udp_idle: 600, tcp_idle: 86_400, tcp_transient: 120 };

    /// In seconds.
    pub(crate) const fn of(&self, kind: TimeoutKind) -> u32 {
        match kind {
            TimeoutKind::UdpIdle => self.udp_idle,
            TimeoutKind::TcpIdle => self.tcp_idle,
            TimeoutKind::TcpTransient => self.tcp_transient,
        }
    }

    pub(crate) fn set(&mut self, kind: TimeoutKind, seconds: u32) {
        match kind {
            TimeoutKind::UdpIdle => self.udp_idle = seconds,
            TimeoutKind::TcpIdle => self.tcp_idle = seconds,
            TimeoutKind::TcpTransient => self.tcp_transient = seconds,
        }
    }

    /// Whether a session is over.
    #[inline(always)]
    pub(crate) const fn is_over(&self, protocol: u8, seen: Seen, heard: Heard, now: Heard) -> bool {
        let idle = now.0.saturating_sub(heard.0);
        idle > self.of(TimeoutKind::of(protocol, seen)).saturating_mul(10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_idle_when_both_have_opened_it_and_none_has_closed_it() {
        use Direction::{Input, Output};
        let kind = |all: &[(u8, Direction)]| {
            let seen = all.iter().fold(0, |seen, &(flags, way)| seen | Seen::of(flags, way).0);
            TimeoutKind::of(protocol::TCP, Seen(seen))
        };
        let open = [(0x02, Input), (0x12, Output), (0x18, Input)];
        assert_eq!(kind(&open[..1]), TimeoutKind::TcpTransient);
        assert_eq!(kind(&open[..2]), TimeoutKind::TcpTransient);
        assert_eq!(kind(&open), TimeoutKind::TcpIdle);
        for (end, way) in [(0x11, Input), (0x11, Output), (0x04, Input), (0x14, Output)] {
            assert_eq!(kind(&[&open[..], &[(end, way)]].concat()), TimeoutKind::TcpTransient);
        }
        assert_eq!(TimeoutKind::of(protocol::UDP, Seen(0)), TimeoutKind::UdpIdle);
    }

    #[test]
    fn a_session_lasts_as_long_as_its_timeout_says() {
        let over = |seconds: u32| {
            let now = Heard(5 + seconds * 10);
            Timeouts::DEFAULT.is_over(protocol::UDP, Seen(0), Heard(5), now)
        };
        assert!(!over(600) && over(601));
        assert!(!Timeouts::DEFAULT.is_over(protocol::UDP, Seen(0), Heard(5), Heard(0)));
    }
}
