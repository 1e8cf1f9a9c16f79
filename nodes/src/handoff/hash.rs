//! The hash by which a frame's thread is chosen.

use vnet::wire::{
    flow_hash,
    link::LinkType,
    walk::{self, Ip, Version},
};

/// A hash of addresses, protocol and ports of a frame's outermost IP packet, and of a frame without one its MAC addresses. With
/// `symmetrical` it is the same for both directions.
pub(super) fn of(frame: &[u8], symmetrical: bool) -> u32 {
    let (source, destination, protocol, ports) = ends(frame);
    if symmetrical && (source, ports >> 16) > (destination, ports & 0xffff) {
        flow_hash::of(destination, source, protocol, ports.rotate_left(16))
    } else {
        flow_hash::of(source, destination, protocol, ports)
    }
}

/// Source, destination, protocol, and both ports.
fn ends(frame: &[u8]) -> (u128, u128, u8, u32) {
    let Ok(link) = walk::link(frame, LinkType::Ethernet) else { return (0, 0, 0, 0) };
    let packet = walk::network(frame, &link).ok().and_then(|(version, at)| {
        let bytes = frame.get(at..)?;
        let known = match version {
            Version::V4 => walk::common4(bytes).map(|(header, rest)| Ip::V4(header, rest)),
            Version::V6 => walk::common6(bytes).map(|(header, rest)| Ip::V6(header, rest)),
        };
        known.or_else(|| walk::ip(version, bytes, bytes.len() as u32).ok())
    });
    let v4 = |address: [u8; 4]| u128::from(u32::from_be_bytes(address));
    match packet {
        Some(Ip::V4(header, rest)) => (
            v4(header.source),
            v4(header.destination),
            rest.protocol,
            ports(rest.protocol, rest.ports),
        ),
        Some(Ip::V6(header, rest)) => (
            u128::from_be_bytes(header.source),
            u128::from_be_bytes(header.destination),
            rest.protocol,
            ports(rest.protocol, rest.ports),
        ),
        None => (link.source.get().into(), link.destination.get().into(), 0, 0),
    }
}

/// ICMP has a type in the place of ports, which differs by direction.
const fn ports(protocol: u8, ports: u32) -> u32 {
    const ICMP: u8 = 1;
    const ICMP6: u8 = 58;
    if matches!(protocol, ICMP | ICMP6) { 0 } else { ports }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// UDP over IPv4 over Ethernet.
    fn udp(source: (u8, u16), destination: (u8, u16)) -> Vec<u8> {
        let mut frame = vec![2, 0, 0, 0, 0, destination.0, 2, 0, 0, 0, 0, source.0, 8, 0];
        frame.extend([0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0]);
        frame.extend([10, 0, 0, source.0, 10, 0, 0, destination.0]);
        frame.extend(source.1.to_be_bytes());
        frame.extend(destination.1.to_be_bytes());
        frame.extend([0, 8, 0, 0]);
        frame
    }

    #[test]
    fn both_directions_have_one_hash_where_that_is_asked_for() {
        let mut hashes = Vec::new();
        for port in 1000..1100 {
            let (there, back) = (udp((1, port), (2, 53)), udp((2, 53), (1, port)));
            assert_eq!(of(&there, true), of(&back, true));
            assert_ne!(of(&there, false), of(&back, false));
            hashes.push(of(&there, true));
        }
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), 100);
        // Of the same ends: ports decide.
        assert_eq!(of(&udp((1, 9), (1, 7)), true), of(&udp((1, 7), (1, 9)), true));
    }

    #[test]
    fn frames_without_ip_are_spread_by_their_ends() {
        let arp = |a: u8, b: u8| [2, 0, 0, 0, 0, a, 2, 0, 0, 0, 0, b, 8, 6];
        assert_eq!(of(&arp(1, 2), true), of(&arp(2, 1), true));
        assert_ne!(of(&arp(1, 2), true), of(&arp(1, 3), true));
        assert_eq!(of(&[1, 2, 3], true), of(&[], true));
    }
}
