//! Frames to send, byte by byte.

use std::net::{Ipv4Addr, Ipv6Addr};

/// The router's first interface, as the packet generator numbers addresses.
pub(crate) const PG0: [u8; 6] = [2, 0xfe, 0, 0, 0, 0];
/// A host on the first link.
pub(crate) const HOST: [u8; 6] = [2, 0, 0, 0, 0, 1];

/// A VLAN tag: its EtherType and its control field.
pub(crate) type Tag = (u16, u16);

/// A frame from the host to the router's first interface.
pub(crate) fn frame(tags: &[Tag], packet: &[u8]) -> Vec<u8> {
    frame_to(PG0, tags, packet)
}

/// A frame from the host to `destination`, whose payload is an IP packet.
pub(crate) fn frame_to(destination: [u8; 6], tags: &[Tag], packet: &[u8]) -> Vec<u8> {
    let mut bytes = [destination, HOST].concat();
    for (ethertype, control) in tags {
        bytes.extend(ethertype.to_be_bytes());
        bytes.extend(control.to_be_bytes());
    }
    let ethertype: u16 = if packet.first().is_some_and(|b| b >> 4 == 6) { 0x86dd } else { 0x0800 };
    bytes.extend(ethertype.to_be_bytes());
    bytes.extend(packet);
    bytes
}

/// An IPv4 packet in the making. What is not said is that of a UDP packet with nothing special about it.
#[derive(Clone)]
pub(crate) struct Ip4 {
    pub(crate) source: Ipv4Addr,
    pub(crate) destination: Ipv4Addr,
    pub(crate) id: u16,
    pub(crate) ttl: u8,
    pub(crate) protocol: u8,
    /// Flags and offset in units of 8 bytes.
    pub(crate) fragment: u16,
    /// A multiple of 4 bytes.
    pub(crate) options: Vec<u8>,
    pub(crate) payload: Vec<u8>,
}

impl Ip4 {
    /// UDP with 18 bytes of data.
    pub(crate) fn udp(source: &str, destination: &str) -> Self {
        Self::flow(source, destination, 1000, &[7; 18])
    }

    /// UDP from a port, with some data.
    pub(crate) fn flow(source: &str, destination: &str, port: u16, data: &[u8]) -> Self {
        let (source, destination) = (source.parse().unwrap(), destination.parse().unwrap());
        let pseudo = [source, destination].map(|a: Ipv4Addr| a.octets()).concat();
        let payload = udp(&pseudo, (port, 2000), data);
        Self {
            id: 0x1234,
            source,
            destination,
            ttl: 64,
            protocol: 17,
            fragment: 0,
            options: Vec::new(),
            payload,
        }
    }

    /// With a right checksum.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let header = 20 + self.options.len();
        let total = (header + self.payload.len()) as u16;
        let mut bytes = vec![0x40 | (header / 4) as u8, 0];
        bytes.extend(total.to_be_bytes());
        bytes.extend(self.id.to_be_bytes());
        bytes.extend(self.fragment.to_be_bytes());
        bytes.extend([self.ttl, self.protocol, 0, 0]);
        bytes.extend(self.source.octets());
        bytes.extend(self.destination.octets());
        bytes.extend(&self.options);
        let checksum = checksum(&bytes);
        bytes[10..12].copy_from_slice(&checksum.to_be_bytes());
        bytes.extend(&self.payload);
        bytes
    }
}

/// An IPv6 packet with UDP and `length` bytes of data.
pub(crate) fn ip6_udp(source: &str, destination: &str, hop_limit: u8, length: usize) -> Vec<u8> {
    ip6_flow(source, destination, hop_limit, 1000, &vec![7; length])
}

/// An IPv6 packet with UDP from a port, and some data.
pub(crate) fn ip6_flow(
    source: &str,
    destination: &str,
    hop_limit: u8,
    port: u16,
    data: &[u8],
) -> Vec<u8> {
    let payload = udp(&pseudo6(source, destination), (port, 2000), data);
    ip6(source, destination, (17, hop_limit), &payload)
}

/// An IPv6 packet: its first next header, its hop limit, and what is behind its header.
pub(crate) fn ip6(
    source: &str,
    destination: &str,
    (next_header, hop_limit): (u8, u8),
    payload: &[u8],
) -> Vec<u8> {
    let mut bytes = vec![0x60, 0, 0, 0];
    bytes.extend((payload.len() as u16).to_be_bytes());
    bytes.extend([next_header, hop_limit]);
    bytes.extend(pseudo6(source, destination));
    bytes.extend(payload);
    bytes
}

/// An ICMPv6 message, whose checksum is made.
pub(crate) fn icmp6(source: &str, destination: &str, message: &[u8]) -> Vec<u8> {
    let mut bytes = message.to_vec();
    bytes[2..4].fill(0);
    let mut covered = pseudo6(source, destination);
    covered.extend((bytes.len() as u32).to_be_bytes());
    covered.extend([0, 0, 0, 58]);
    covered.extend(&bytes);
    bytes[2..4].copy_from_slice(&checksum(&covered).to_be_bytes());
    bytes
}

/// The addresses of a packet, one after the other.
fn pseudo6(source: &str, destination: &str) -> Vec<u8> {
    [source, destination].map(|a| a.parse::<Ipv6Addr>().unwrap().octets()).concat()
}

/// A UDP datagram; `pseudo` are the addresses of the packet.
pub(crate) fn udp(pseudo: &[u8], (from, to): (u16, u16), data: &[u8]) -> Vec<u8> {
    let length = (8 + data.len()) as u16;
    let mut bytes = [from, to, length, 0].map(u16::to_be_bytes).concat();
    bytes.extend(data);
    let mut covered = pseudo.to_vec();
    covered.extend([0, 17].into_iter().chain(length.to_be_bytes()));
    covered.extend(&bytes);
    bytes[6..8].copy_from_slice(&checksum(&covered).to_be_bytes());
    bytes
}

/// The Internet checksum (RFC 1071) of bytes in which its field is 0.
pub(crate) fn checksum(bytes: &[u8]) -> u16 {
    let word = |pair: &[u8]| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
    let mut sum: u32 = bytes.chunks(2).map(word).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
