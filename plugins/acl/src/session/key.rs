//! Which session a packet belongs to.
//!
//! A session is of one interface. Its key is the five-tuple of the packets that this interface receives; that of a packet which it
//! sends is turned round first. So both directions find the same session, whichever threads see them, and whether it began with a packet
//! that came or one that left is a bit of the session. ICMP messages go by type and code in place of ports, as in VPP: an answer is
//! found by the type of what it answers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vnet::{interface::SwIfIndex, wire::ip4::protocol};

use crate::{
    direction::Direction,
    key::{IP4_WORDS, Layer4, VALID, layer4},
};

/// Words of a session's key.
const WORDS: usize = 6;
/// In the last word, beside the interface: the session is of IPv6.
const IP6: u64 = 1 << 32;

/// The key of a session: source and destination, two words each, that of layer 4 without flags, and the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SessionKey(pub(crate) [u64; WORDS]);

impl SessionKey {
    /// Of a packet that goes through `interface` in `direction`.
    #[inline(always)]
    pub(crate) fn new<const N: usize>(
        key: &[u64; N],
        interface: SwIfIndex,
        direction: Direction,
    ) -> Self {
        let layer4 = Layer4(key[N - 1]);
        let (source, destination) = addresses(key);
        let place = u64::from(interface.0) | if N == IP4_WORDS { 0 } else { IP6 };
        match direction {
            Direction::Input => Self::of(source, destination, forward(layer4), place),
            Direction::Output => Self::of(destination, source, turned(layer4), place),
        }
    }

    #[inline(always)]
    const fn of([a, b]: [u64; 2], [c, d]: [u64; 2], layer4: u64, place: u64) -> Self {
        Self([a, b, c, d, layer4, place])
    }

    /// The interface.
    pub(crate) const fn interface(&self) -> SwIfIndex {
        SwIfIndex(self.0[5] as u32)
    }

    /// Whether it is of IPv6.
    pub(crate) const fn is_ip6(&self) -> bool {
        self.0[5] & IP6 != 0
    }

    /// Ports and protocol, as of packets that come in.
    pub(crate) const fn layer4(&self) -> Layer4 {
        Layer4(self.0[4])
    }

    /// The key of a packet of the session that goes in `direction` and has these TCP flags.
    pub(crate) fn packet<const N: usize>(&self, direction: Direction, flags: u8) -> [u64; N] {
        let [a, b, c, d, word, _] = self.0;
        let word = Layer4(word);
        let (source, destination, word) = match direction {
            Direction::Input => ([a, b], [c, d], forward(word)),
            Direction::Output => ([c, d], [a, b], turned(word)),
        };
        let word = word | layer4(0, 0, 0, flags) | VALID;
        let mut key = [0; N];
        key[N - 1] = word;
        if N == IP4_WORDS {
            key[0] = source[1] << 32 | destination[1];
        } else {
            let words = source.into_iter().chain(destination);
            key.iter_mut().take(4).zip(words).for_each(|(place, word)| *place = word);
        }
        key
    }

    /// Source and destination of packets that come in.
    pub(crate) fn addresses(&self) -> (IpAddr, IpAddr) {
        let [a, b, c, d, ..] = self.0;
        let address = |high: u64, low: u64| match self.is_ip6() {
            true => Ipv6Addr::from(u128::from(high) << 64 | u128::from(low)).into(),
            false => Ipv4Addr::from(low as u32).into(),
        };
        (address(a, b), address(c, d))
    }
}

/// Of a packet's key: both addresses.
#[inline(always)]
fn addresses<const N: usize>(key: &[u64; N]) -> ([u64; 2], [u64; 2]) {
    if N == IP4_WORDS {
        ([0, key[0] >> 32], [0, key[0] & 0xffff_ffff])
    } else {
        ([key[0], key[1 % N]], [key[2 % N], key[3 % N]])
    }
}

/// Without what differs between packets of a session.
#[inline(always)]
const fn forward(word: Layer4) -> u64 {
    layer4(word.source(), word.destination(), word.protocol(), 0)
}

/// As of the packets of the other direction.
#[inline(always)]
const fn turned(word: Layer4) -> u64 {
    match word.protocol() {
        protocol::ICMP | protocol::ICMP6 => {
            let kind = answer(word.protocol(), word.source());
            layer4(kind, word.destination(), word.protocol(), 0)
        }
        _ => layer4(word.destination(), word.source(), word.protocol(), 0),
    }
}

/// Questions and answers of ICMP (RFC 792, RFC 950, RFC 4443, RFC 4620).
const PAIRS: [(u8, u16, u16); 6] = [
    (protocol::ICMP, 8, 0),
    (protocol::ICMP, 13, 14),
    (protocol::ICMP, 15, 16),
    (protocol::ICMP, 17, 18),
    (protocol::ICMP6, 128, 129),
    (protocol::ICMP6, 139, 140),
];

/// The type that answers a type, or is answered by it; the same where there is none.
const fn answer(protocol: u8, kind: u16) -> u16 {
    let mut at = 0;
    while at < PAIRS.len() {
        let (of, question, reply) = PAIRS[at];
        if of == protocol && kind == question {
            return reply;
        }
        if of == protocol && kind == reply {
            return question;
        }
        at += 1;
    }
    kind
}

/// Whether a packet may begin a session: of ICMP those alone that ask a question.
pub(crate) fn begins_session(word: Layer4) -> bool {
    let asks = || {
        PAIRS.iter().any(|&(of, question, _)| of == word.protocol() && question == word.source())
    };
    !matches!(word.protocol(), protocol::ICMP | protocol::ICMP6) || asks()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_directions_have_the_same_key_and_each_gives_its_packet_back() {
        for word in [layer4(1000, 53, 17, 0), layer4(8, 0, 1, 0), layer4(13, 0, 1, 0)] {
            let (there, back) = (word | VALID, turned(Layer4(word)) | VALID);
            let there = [0x0a00_0001_0a00_0002, there];
            let back = [0x0a00_0002_0a00_0001, back];
            let interface = SwIfIndex(3);
            let key = SessionKey::new(&there, interface, Direction::Input);
            assert_eq!(key, SessionKey::new(&back, interface, Direction::Output));
            assert_ne!(key, SessionKey::new(&there, interface, Direction::Output));
            assert_ne!(key, SessionKey::new(&there, SwIfIndex(4), Direction::Input));
            assert_eq!(key.packet(Direction::Input, 0), there);
            assert_eq!(key.packet(Direction::Output, 0), back);
            assert_eq!((key.interface(), key.is_ip6()), (interface, false));
        }
        let there = [1, 2, 3, 4, layer4(128, 0, 58, 0) | VALID];
        let back = [3, 4, 1, 2, layer4(129, 0, 58, 0) | VALID];
        let key = SessionKey::new(&there, SwIfIndex(0), Direction::Output);
        assert_eq!(key, SessionKey::new(&back, SwIfIndex(0), Direction::Input));
        assert_eq!(key.packet(Direction::Output, 0), there);
        assert!(key.is_ip6());
    }

    #[test]
    fn flags_are_no_part_of_a_session() {
        let key = |flags| {
            SessionKey::new(&[1, layer4(1, 2, 6, flags) | VALID], SwIfIndex(1), Direction::Input)
        };
        assert_eq!(key(2), key(0x10));
        assert_eq!(key(2).packet(Direction::Input, 2), [1, layer4(1, 2, 6, 2) | VALID]);
    }

    #[test]
    fn of_icmp_messages_questions_begin_sessions() {
        let begins = |protocol, kind| begins_session(Layer4(layer4(kind, 0, protocol, 0)));
        assert!(begins(1, 8) && begins(58, 128) && begins(6, 0));
        assert!(!begins(1, 0) && !begins(1, 3) && !begins(58, 135));
    }
}
