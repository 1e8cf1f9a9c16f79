//! What Open vSwitch reads otherwise in damaged headers: by rule, so that each difference has its reason and its size.
//!
//! It takes a header for whole or not at all: a length that leads out of the frame, or out of the header that is around it, hides all
//! that is behind. Ours reads as far as there is anything to read. IP versions it believes the Ethernet type about.

use std::net::Ipv6Addr;

/// Why they differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reason {
    /// An IP header promises more than the frame has, or less than itself: no address is read.
    IpLength,
    /// An IP header has another version than the Ethernet type says: it is read.
    IpVersion,
    /// A TCP, UDP or SCTP header is cut, or shorter than it may be: no port is read.
    Transport,
    /// An IPv6 extension header is cut, or is behind a jumbo payload's length of 0: there is protocol 0, and no port.
    Extension,
}

/// What they make of a frame.
pub(crate) enum Reading {
    /// What we do.
    Same,
    /// What we make of this one.
    As(Vec<u8>),
    /// A packet of protocol 0 between these addresses, without ports.
    NoProtocol([Ipv6Addr; 2]),
}

const TCP: u8 = 6;
const UDP: u8 = 17;
const SCTP: u8 = 132;

/// How Open vSwitch reads a frame, and why so where that is not as we do.
pub(crate) fn reading(frame: &[u8]) -> (Reading, Option<Reason>) {
    let is_tagged = matches!(frame[12..14], [0x81, 0] | [0x88, 0xa8]) && frame.len() >= 18;
    let ip = if is_tagged { 18 } else { 14 };
    match frame[ip - 2..ip] {
        [0x08, 0x00] if frame.len() >= ip + 20 => reading4(frame, ip),
        [0x86, 0xdd] if frame.len() >= ip + 40 => reading6(frame, ip),
        _ => (Reading::Same, None),
    }
}

fn word(octets: &[u8], at: usize) -> usize {
    usize::from(u16::from_be_bytes([octets[at], octets[at + 1]]))
}

/// The frame with other octets at `at`.
fn with(frame: &[u8], at: usize, octets: &[u8]) -> Reading {
    let mut frame = frame.to_vec();
    frame[at..at + octets.len()].copy_from_slice(octets);
    Reading::As(frame)
}

fn reading4(frame: &[u8], at: usize) -> (Reading, Option<Reason>) {
    let ip = &frame[at..];
    let (header, total) = (usize::from(ip[0] & 15) * 4, word(ip, 2));
    if header < 20 || header > total || total > ip.len() {
        return (with(frame, at, &[0]), Some(Reason::IpLength));
    }
    if ip[0] >> 4 != 4 {
        return (with(frame, at, &[0x40 | ip[0] & 15]), Some(Reason::IpVersion));
    }
    let is_later = word(ip, 6) & 0x1fff != 0;
    transport(frame, at + header, [at + total; 2], ip[9], is_later)
}

fn reading6(frame: &[u8], at: usize) -> (Reading, Option<Reason>) {
    let ip = &frame[at..];
    let payload = word(ip, 4);
    if payload > ip.len() - 40 {
        return (with(frame, at, &[0]), Some(Reason::IpLength));
    }
    if ip[0] >> 4 != 6 {
        return (with(frame, at, &[0x60 | ip[0] & 15]), Some(Reason::IpVersion));
    }
    let address = |at: usize| Ipv6Addr::from(<[u8; 16]>::try_from(&ip[at..at + 16]).unwrap());
    let (mut next, mut start, end) = (ip[6], at + 40, at + 40 + payload);
    let mut is_later = false;
    // Hop-by-hop and destination options, routing, authentication, fragment.
    while matches!(next, 0 | 43 | 44 | 51 | 60) {
        let left = &frame[start..end];
        let len = match (next, left) {
            (44, _) => 8,
            (51, [_, words, ..]) => (usize::from(*words) + 2) * 4,
            (_, [_, eights, ..]) => (usize::from(*eights) + 1) * 8,
            _ => 8,
        };
        if left.len() < len.max(8) {
            return (Reading::NoProtocol([address(8), address(24)]), Some(Reason::Extension));
        }
        is_later = next == 44 && word(left, 2) & 0xfff8 != 0;
        if is_later {
            break;
        }
        (next, start) = (left[0], start + len);
    }
    // A length of 0 we take for all that there is, as offloads leave it.
    let shown = if payload == 0 { frame.len() } else { end };
    transport(frame, start, [end, shown], next, is_later)
}

/// Ports are read of a header that is whole; by us, as far as it is shown.
fn transport(
    frame: &[u8],
    start: usize,
    [end, shown]: [usize; 2],
    protocol: u8,
    is_later: bool,
) -> (Reading, Option<Reason>) {
    let header = &frame[start..end];
    let is_whole = match protocol {
        TCP => header.get(12).is_some_and(|offset| {
            let len = usize::from(offset >> 4) * 4;
            header.len() >= 20 && (20..=header.len()).contains(&len)
        }),
        UDP => header.len() >= 8,
        SCTP => header.len() >= 12,
        _ => true,
    };
    let has_ports = matches!(frame[start..shown], [a, b, c, d, ..] if [a, b, c, d] != [0; 4]);
    if is_later || is_whole || !has_ports {
        return (Reading::Same, None);
    }
    (with(frame, start, &[0; 4]), Some(Reason::Transport))
}
