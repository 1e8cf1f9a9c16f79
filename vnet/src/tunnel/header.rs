//! Outer headers: what of them is the same for all packets of a tunnel.

use core::net::IpAddr;

use arrayvec::ArrayVec;
use zerocopy::IntoBytes;

use super::{Kind, Payload, Tunnel};
use crate::wire::{ethernet::Header as Ethernet, geneve, gre, ip4, ip6, tunnel, udp, vxlan};

/// Octets of the longest: IPv6, UDP and VXLAN.
pub const MAX_HEADER: usize = 56;

/// IPv4 TTL and IPv6 hop limit of outer packets, as VPP has them. Those of IP in IP are the defaults of the host (RFC 2003, section
/// 3.1).
const fn lives(kind: Kind) -> [u8; 2] {
    match kind {
        Kind::Vxlan | Kind::Geneve | Kind::Gre => [254, 255],
        Kind::Ipip => [64, 64],
    }
}

/// The outer header of a tunnel, lengths, checksums and what depends on the packet inside being zeros.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outer(ArrayVec<u8, MAX_HEADER>);

impl Outer {
    /// That of a tunnel.
    #[must_use]
    pub fn of(of: &Tunnel) -> Self {
        let mut bytes = ArrayVec::new();
        let protocol = match of.kind {
            Kind::Vxlan | Kind::Geneve => ip4::protocol::UDP,
            Kind::Gre => gre::PROTOCOL,
            Kind::Ipip => tunnel::IP4_IN_IP,
        };
        let [ttl, hop_limit] = lives(of.kind);
        let mut put = |more: &[u8]| bytes.extend(more.iter().copied());
        match (of.local, of.remote) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => put(ip4::Header {
                version_ihl: ip4::Header::VERSION_IHL,
                tos: 0,
                total_length: 0.into(),
                identification: 0.into(),
                flags_fragment: 0.into(),
                ttl,
                protocol,
                checksum: 0.into(),
                source: source.octets(),
                destination: destination.octets(),
            }
            .as_bytes()),
            (source, destination) => put(ip6::Header {
                version_class_flow: (6 << 28).into(),
                payload_length: 0.into(),
                next_header: protocol,
                hop_limit,
                source: octets(source),
                destination: octets(destination),
            }
            .as_bytes()),
        }
        if let Some(ports) = of.ports {
            let destination_port = ports.remote.into();
            let (source_port, length, checksum) = (0.into(), 0.into(), 0.into());
            put(udp::Header { source_port, destination_port, length, checksum }.as_bytes());
        }
        let key = of.key.unwrap_or(0);
        match of.kind {
            Kind::Vxlan => put(vxlan::Header::new(key).as_bytes()),
            Kind::Geneve => put(geneve::Header::new(key, gre::BRIDGED).as_bytes()),
            Kind::Gre => {
                let flags = if of.key.is_some() { gre::Header::KEY } else { 0 };
                let protocol = if of.payload == Payload::Ip { 0 } else { gre::BRIDGED };
                put(gre::Header { flags: flags.into(), protocol: protocol.into() }.as_bytes());
                if of.key.is_some() {
                    put(&key.to_be_bytes());
                }
            }
            Kind::Ipip => {}
        }
        Self(bytes)
    }

    /// The octets, from the IP header on.
    #[inline]
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Octets that an outer packet has more than the IP packet inside.
    #[must_use]
    pub fn overhead(&self, payload: Payload) -> u16 {
        let link = if payload == Payload::Ethernet { size_of::<Ethernet>() } else { 0 };
        (self.0.len() + link) as u16
    }
}

fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}
