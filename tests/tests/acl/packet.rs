//! Packets between hosts.

use vnet::wire::{
    checksum,
    ip4::{self, protocol},
};
use zerocopy::{FromBytes, IntoBytes};

/// A packet from one host to another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) is_ip6: bool,
    /// The interface behind which each host is, and its number there.
    pub(crate) source: (u8, u8),
    pub(crate) destination: (u8, u8),
    pub(crate) protocol: u8,
    /// Ports, or type and code.
    pub(crate) ports: (u16, u16),
    pub(crate) flags: u8,
}

/// Without options.
const IP4: usize = 20;

impl Packet {
    /// UDP from host 1 behind an interface to host 1 behind another one.
    pub(crate) const fn udp(from: u8, to: u8, ports: (u16, u16)) -> Self {
        Self {
            is_ip6: false,
            source: (from, 1),
            destination: (to, 1),
            protocol: protocol::UDP,
            ports,
            flags: 0,
        }
    }

    /// As [`Self::udp`], of TCP.
    pub(crate) const fn tcp(from: u8, to: u8, ports: (u16, u16), flags: u8) -> Self {
        Self { protocol: protocol::TCP, flags, ..Self::udp(from, to, ports) }
    }

    /// As [`Self::udp`], an ICMP message.
    pub(crate) const fn icmp(from: u8, to: u8, kind: u16, code: u16) -> Self {
        Self { protocol: protocol::ICMP, ..Self::udp(from, to, (kind, code)) }
    }

    /// The same between the same hosts by IPv6.
    pub(crate) const fn ip6(self) -> Self {
        let protocol =
            if self.protocol == protocol::ICMP { protocol::ICMP6 } else { self.protocol };
        Self { is_ip6: true, protocol, ..self }
    }

    /// What comes back.
    pub(crate) const fn back(self) -> Self {
        let ports = (self.ports.1, self.ports.0);
        Self { source: self.destination, destination: self.source, ports, ..self }
    }

    fn layer4(&self) -> Vec<u8> {
        let (a, b) = (self.ports.0.to_be_bytes(), self.ports.1.to_be_bytes());
        match self.protocol {
            protocol::TCP => [&a[..], &b, &[0; 8], &[0x50, self.flags], &[0; 6]].concat(),
            protocol::UDP => [&a[..], &b, &[0, 18, 0, 0], &[0; 10]].concat(),
            protocol::ICMP | protocol::ICMP6 => [&[a[1], b[1]][..], &[0; 16]].concat(),
            _ => vec![0; 16],
        }
    }

    /// From the IP header on.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let behind = self.layer4();
        match self.is_ip6 {
            false => self.ip4(0, &behind),
            true => self.ip6_of(self.protocol, &behind),
        }
    }

    /// An IPv4 packet with flags and fragment offset as they stand in its header.
    pub(crate) fn ip4(&self, flags_fragment: u16, behind: &[u8]) -> Vec<u8> {
        let ((a, b), (c, d)) = (self.source, self.destination);
        let mut packet = vec![0x45, 0, 0, 0, 0, 7, 0, 0, 64, self.protocol, 0, 0];
        packet.extend([10, 0, a, b, 10, 0, c, d]);
        packet.extend(behind);
        let length = packet.len() as u16;
        packet[2..4].copy_from_slice(&length.to_be_bytes());
        packet[6..8].copy_from_slice(&flags_fragment.to_be_bytes());
        let sum = checksum::of(&packet[..IP4]);
        packet[10..12].copy_from_slice(&sum.to_be_bytes());
        packet
    }

    /// An IPv6 packet with this header behind its own.
    pub(crate) fn ip6_of(&self, next_header: u8, behind: &[u8]) -> Vec<u8> {
        let address = |(net, host): (u8, u8)| {
            let mut address = [0; 16];
            address[..4].copy_from_slice(&[0x20, 1, 0x0d, 0xb8]);
            (address[5], address[15]) = (net, host);
            address
        };
        let mut packet = vec![0x60, 0, 0, 0, 0, behind.len() as u8, next_header, 64];
        packet.extend(address(self.source));
        packet.extend(address(self.destination));
        packet.extend(behind);
        packet
    }

    /// As the interface `port` receives it.
    pub(crate) fn frame(&self, port: u8) -> Vec<u8> {
        framed(port, self.is_ip6, &self.bytes())
    }
}

/// A packet as the interface `port` receives it.
pub(crate) fn framed(port: u8, is_ip6: bool, packet: &[u8]) -> Vec<u8> {
    let mut frame = vec![2, 0xfe, 0, 0, 0, port, 2, 0, 0, 0, 1, port];
    frame.extend(if is_ip6 { [0x86, 0xdd] } else { [8, 0] });
    frame.extend(packet);
    frame
}

/// A header as it was built.
#[test]
fn packets_are_what_they_say() {
    let bytes = Packet::udp(0, 1, (5, 6)).bytes();
    let (header, _) = ip4::Header::ref_from_prefix(&bytes).unwrap();
    assert_eq!(header.total_length.get() as usize, bytes.len());
    assert_eq!(checksum::of(header.as_bytes()), 0);
}
