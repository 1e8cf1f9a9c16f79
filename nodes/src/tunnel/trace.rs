//! What nodes of tunnels record of a traced packet, in VPP's words.

use core::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
};

use vnet::{
    interface::SwIfIndex,
    trace::{TraceCx, TraceRecord},
    tunnel::Kind,
    wire::{geneve, gre, ip4, ip6, udp},
};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::encap::word;

/// Of a packet that leaves.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct EncapTrace {
    interface: u32,
    /// `u32::MAX` where the tunnel has none.
    vni: u32,
    protocol: u32,
}

impl EncapTrace {
    /// Of the tunnel `interface`; `bytes` begin with the outer header, if it got one.
    pub(super) fn of(interface: SwIfIndex, bytes: &[u8]) -> Self {
        let (protocol, at) = match bytes.first().map(|first| first >> 4) {
            Some(4) => (bytes.get(9), size_of::<ip4::Header>()),
            _ => (bytes.get(6), size_of::<ip6::Header>()),
        };
        let protocol = protocol.map_or(0, |protocol| u32::from(*protocol));
        let behind = bytes.get(at + size_of::<udp::Header>()..).unwrap_or_default();
        // Both kinds with ports have it at one place.
        let header = geneve::Header::ref_from_prefix(behind).ok();
        let vni = header.filter(|_| protocol == u32::from(ip4::protocol::UDP));
        Self { interface: interface.0, vni: vni.map_or(u32::MAX, |(h, _)| h.vni()), protocol }
    }
}

impl TraceRecord for EncapTrace {
    fn format(&self, f: &mut fmt::Formatter<'_>, cx: &TraceCx<'_>) -> fmt::Result {
        let name = (cx.interface)(SwIfIndex(self.interface));
        let kind = match self.vni {
            u32::MAX if self.protocol == u32::from(gre::PROTOCOL) => Kind::Gre,
            u32::MAX => Kind::Ipip,
            _ if name.starts_with(Kind::Geneve.prefix()) => Kind::Geneve,
            _ => Kind::Vxlan,
        };
        write!(f, "{} encap to {name}", word(kind))?;
        if self.vni != u32::MAX {
            write!(f, " vni {}", self.vni)?;
        }
        Ok(())
    }
}

/// Of a packet that came.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct DecapTrace {
    pub(super) kind: u32,
    pub(super) interface: u32,
    pub(super) vni: u32,
    pub(super) length: u32,
    /// IPv4 addresses in the last four octets.
    pub(super) source: [u8; 16],
    pub(super) destination: [u8; 16],
    pub(super) ip6: u32,
    /// Whether it goes on.
    pub(super) passed: u32,
}

impl DecapTrace {
    fn address(&self, octets: [u8; 16]) -> String {
        let address = Ipv6Addr::from(octets);
        match self.ip6 {
            0 => Ipv4Addr::from_bits(address.to_bits() as u32).to_string(),
            _ => address.to_string(),
        }
    }
}

impl TraceRecord for DecapTrace {
    fn format(&self, f: &mut fmt::Formatter<'_>, cx: &TraceCx<'_>) -> fmt::Result {
        let Self { interface, vni, length, passed, .. } = *self;
        let kind = [Kind::Vxlan, Kind::Geneve, Kind::Gre, Kind::Ipip][self.kind as usize % 4];
        let known = passed != 0;
        match kind {
            Kind::Vxlan | Kind::Geneve if known => {
                let name = (cx.interface)(SwIfIndex(interface));
                write!(f, "{} decap from {name} vni {vni} next 1 error 0", word(kind))
            }
            Kind::Vxlan | Kind::Geneve => {
                write!(f, "{} decap error - tunnel for vni {vni} does not exist", word(kind))
            }
            Kind::Gre | Kind::Ipip => {
                let tunnel = if known { interface as i32 } else { -1 };
                let [source, destination] =
                    [self.source, self.destination].map(|octets| self.address(octets));
                let word = word(kind);
                write!(f, "{word}: tunnel {tunnel} len {length} src {source} dst {destination}")
            }
        }
    }
}
