//! Tunnels: interfaces whose packets go to one far end inside other packets.
//!
//! A [`Tunnel`] says what there is: kind, ends, key, ports, interface. The [`Tunnels`] of an engine are changed by the main thread
//! and read by nodes, which find a tunnel in two ways: by its interface, for what leaves by it, and by the outer header of a packet
//! that came, which makes a [`Key`]. An interface's outer packets go where its [stack](crate::fib::Stack) leads.
//!
//! # For whoever looks at packets on a tunnel's interface
//! [`Table::of`] gives the tunnel of an interface for the price of an array access, in host byte order throughout:
//!
//! ```
//! # use std::net::IpAddr;
//! # use vnet::{buffer::Buffer, interface::SwIfIndex, tunnel::{Kind, Table}};
//! # fn look(table: &Table, buffer: &Buffer) -> Option<(Kind, Option<u32>, [IpAddr; 2], Option<u16>)> {
//! // By a node, `table` is `tunnels.read(cx.token())`, and `tunnels` what the engine provides as `Tunnels`.
//! let tunnel = table.of(buffer.rx)?;
//! // VNI, or key of GRE; local and remote end; the port of the far end's datagram, as long as nothing was put in front of it.
//! Some((tunnel.kind, tunnel.key, [tunnel.local, tunnel.remote], tunnel.received_port(buffer)))
//! # }
//! ```
//!
//! Of a packet that is about to leave by a tunnel, [`Tunnel::sent_port`] tells from which port it will go.

pub mod api;
mod error;
mod flags;
mod header;
mod inner;
mod key;
mod operations;
mod show;
mod table;

use core::net::IpAddr;

pub use error::TunnelError;
pub use flags::Flags;
pub use header::{MAX_HEADER, Outer};
pub use inner::{Inner, Version};
pub use key::{Ends, Key, Selector};
pub use operations::{NewTunnel, Tunnels};
pub use show::Style;
pub use table::{Sender, Table, Way};

use crate::{
    buffer::Buffer,
    fib::{Family, FibIndex},
    interface::{Overlay, SwIfIndex},
};

/// What a tunnel carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Payload {
    /// Ethernet frames: its interface has a MAC address, and can be bridged.
    Ethernet,
    /// IP packets of both versions: its interface is point-to-point.
    Ip,
}

/// A kind of tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Virtual extensible LAN (RFC 7348).
    Vxlan,
    /// Generic network virtualization encapsulation (RFC 8926).
    Geneve,
    /// Generic routing encapsulation (RFC 2784, 2890).
    Gre,
    /// IP in IP (RFC 2003, 2473, 4213).
    Ipip,
}

impl Kind {
    /// What the names of its interfaces begin with.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Vxlan => "vxlan_tunnel",
            Self::Geneve => "geneve_tunnel",
            Self::Gre => "gre",
            Self::Ipip => "ipip",
        }
    }

    /// The class of its devices.
    #[must_use]
    pub const fn device_class(self) -> &'static str {
        match self {
            Self::Vxlan => "VXLAN",
            Self::Geneve => "GENEVE",
            Self::Gre => "GRE tunnel device",
            Self::Ipip => "IPIP tunnel device",
        }
    }

    /// Whether its packets are datagrams.
    #[must_use]
    pub const fn has_ports(self) -> bool {
        matches!(self, Self::Vxlan | Self::Geneve)
    }
}

/// UDP ports of a tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ports {
    /// Where it receives.
    pub local: u16,
    /// Where the far end receives.
    pub remote: u16,
}

/// A tunnel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tunnel {
    /// What it is.
    pub kind: Kind,
    /// What it carries.
    pub payload: Payload,
    /// Its number among those of its kind, the first that was free.
    pub index: u32,
    /// The number in the name of its interface.
    pub instance: u32,
    /// Its interface.
    pub interface: SwIfIndex,
    /// Its own end.
    pub local: IpAddr,
    /// The far end, of the same family.
    pub remote: IpAddr,
    /// The table in which the far end is looked up, and by whose interfaces its packets come.
    pub table: FibIndex,
    /// VNI of VXLAN and Geneve; key of GRE, where it has one.
    pub key: Option<u32>,
    /// UDP ports, of VXLAN and Geneve.
    pub ports: Option<Ports>,
    /// What goes over from inner to outer headers.
    pub flags: Flags,
}

impl Tunnel {
    /// The family of outer packets.
    #[must_use]
    pub fn family(&self) -> Family {
        Family::of(self.remote)
    }

    /// The network that it is of. layer2SegmentId knows two kinds: VXLAN, and NVGRE (RFC 7637), which is frames in GRE with a key, whose
    /// upper 24 bits are the number of the network. It has none for Geneve.
    #[must_use]
    pub fn overlay(&self) -> Overlay {
        const VXLAN: u64 = 1 << 56;
        const NVGRE: u64 = 2 << 56;
        let key = self.key.unwrap_or(0);
        let segment = match (self.kind, self.payload, self.key) {
            (Kind::Vxlan, _, Some(vni)) => VXLAN | u64::from(vni),
            (Kind::Gre, Payload::Ethernet, Some(key)) => NVGRE | u64::from(key >> 8),
            _ => 0,
        };
        Overlay { segment, gre_key: if self.kind == Kind::Gre { key } else { 0 } }
    }

    /// The source port of the datagram by which the packet in `buffer` came, which `buffer.rx` received: on the arcs `device-input`
    /// and `l2-input-*`, and as long as nothing was put in front of it. `None` without ports.
    #[must_use]
    pub fn received_port(&self, buffer: &Buffer) -> Option<u16> {
        self.source_ports()?.received(buffer)
    }

    /// The source port of the datagram that the packet in `buffer` will be in, whose current position is where the tunnel's payload
    /// begins. `None` without ports.
    #[must_use]
    pub fn sent_port(&self, buffer: &Buffer) -> Option<u16> {
        Some(self.source_ports()?.sent(buffer))
    }

    /// How to find the source ports of its datagrams, for whoever keeps that by interface. `None` without ports.
    #[must_use]
    pub fn source_ports(&self) -> Option<SourcePorts> {
        self.ports.map(|_| SourcePorts(self.payload))
    }
}

/// How to find the source ports of a tunnel's datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourcePorts(Payload);

impl SourcePorts {
    /// See [`Tunnel::received_port`].
    #[inline]
    #[must_use]
    pub fn received(self, buffer: &Buffer) -> Option<u16> {
        buffer.from_offset(buffer.l4_offset).first_chunk().map(|port| u16::from_be_bytes(*port))
    }

    /// See [`Tunnel::sent_port`].
    #[inline]
    #[must_use]
    pub fn sent(self, buffer: &Buffer) -> u16 {
        Inner::of(self.0, buffer.current()).source_port()
    }
}
