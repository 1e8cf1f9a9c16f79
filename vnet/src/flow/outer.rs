//! The outer header of a packet that came, or leaves, in a tunnel.

/// What carries the packet, as VMware's elements have it (tunnelType 6876/891).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum TunnelKind {
    /// VXLAN.
    Vxlan = 1,
    /// GRE.
    Gre = 2,
    /// LISP.
    Lisp = 3,
    /// Stateless transport tunnelling.
    Stt = 4,
    /// GRE in IPsec.
    IpsecGre = 5,
    /// Geneve.
    Geneve = 7,
}

impl TunnelKind {
    const ALL: [Self; 6] =
        [Self::Vxlan, Self::Gre, Self::Lisp, Self::Stt, Self::IpsecGre, Self::Geneve];

    /// Its number; 0 and others that are none have none.
    pub(super) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
    }

    /// The protocol of the outer IP header.
    #[must_use]
    pub const fn protocol(self) -> u8 {
        match self {
            Self::Vxlan | Self::Lisp | Self::Geneve => 17,
            Self::Stt => 6,
            Self::Gre | Self::IpsecGre => 47,
        }
    }

    /// Octets of its key on the wire, 8 at most.
    #[must_use]
    pub const fn key_len(self) -> usize {
        match self {
            Self::Vxlan | Self::Lisp | Self::Geneve => 3,
            Self::Gre | Self::IpsecGre => 4,
            Self::Stt => 8,
        }
    }
}

/// An outer header over IPv4: there are no elements for one over IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Outer {
    /// What carries the packet.
    pub kind: TunnelKind,
    /// Source, in network byte order.
    pub source: [u8; 4],
    /// Destination, likewise.
    pub destination: [u8; 4],
    /// Source port, 0 where it is not known, there is none or each packet says it.
    pub source_port: u16,
    /// Destination port, likewise.
    pub destination_port: u16,
    /// VNI, GRE key and the like.
    pub key: u64,
}
