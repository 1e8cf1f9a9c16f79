//! Software interfaces.

use super::{HwIfIndex, InterfaceAddress, SubInterface, SwIfIndex};
use crate::fib::Family;
use std::net::Ipv6Addr;

/// What kind of software interface it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SwKind {
    /// The main interface of a hardware interface.
    Hardware,
    /// A sub-interface.
    Sub(SubInterface),
}

/// The table in which an interface's packets are looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TableBinding {
    /// Number that the operator gave the table; 0 is the default one.
    pub table_id: u32,
    /// The table's index in the FIB.
    pub fib_index: u32,
}

impl TableBinding {
    /// The default table.
    pub const DEFAULT: Self = Self { table_id: 0, fib_index: 0 };
}

/// What an MTU is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MtuKind {
    /// Packets of any protocol (`set interface mtu packet`).
    L3,
    /// IPv4 packets.
    Ip4,
    /// IPv6 packets.
    Ip6,
    /// MPLS packets.
    Mpls,
}

/// MTUs of an interface in bytes, headers below the network layer not counted; 0 is "not set".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mtu {
    /// Packets of any protocol.
    pub l3: u32,
    /// IPv4 packets, when it differs.
    pub ip4: u32,
    /// IPv6 packets, when it differs.
    pub ip6: u32,
    /// MPLS packets, when it differs.
    pub mpls: u32,
}

impl Mtu {
    /// One MTU for all protocols.
    #[must_use]
    pub const fn of_packets(l3: u32) -> Self {
        Self { l3, ip4: 0, ip6: 0, mpls: 0 }
    }

    /// One of the MTUs, as it was set.
    #[must_use]
    pub const fn of(&self, kind: MtuKind) -> u32 {
        match kind {
            MtuKind::L3 => self.l3,
            MtuKind::Ip4 => self.ip4,
            MtuKind::Ip6 => self.ip6,
            MtuKind::Mpls => self.mpls,
        }
    }

    pub(super) fn set(&mut self, kind: MtuKind, bytes: u32) {
        match kind {
            MtuKind::L3 => self.l3 = bytes,
            MtuKind::Ip4 => self.ip4 = bytes,
            MtuKind::Ip6 => self.ip6 = bytes,
            MtuKind::Mpls => self.mpls = bytes,
        }
    }
}

/// A software interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwInterface {
    /// Its index.
    pub index: SwIfIndex,
    /// Its name.
    pub name: String,
    /// What kind it is.
    pub kind: SwKind,
    /// The hardware interface that carries it.
    pub hw_if_index: HwIfIndex,
    /// Whether the operator wants it up. New interfaces are down.
    pub admin_up: bool,
    /// Whether all that it receives while it is down is punted.
    pub punt: bool,
    /// Whether what it receives is bridged or cross-connected, not routed: frames for whomever.
    pub layer2: bool,
    /// Its MTUs.
    pub mtu: Mtu,
    /// Its addresses, in the order in which they were added; link-local ones are not among them.
    pub addresses: Vec<InterfaceAddress>,
    /// The IPv6 link-local address that was set.
    pub link_local: Option<Ipv6Addr>,
    /// IPv6 addresses of its own that it does not use yet, since another node of the link may have them (RFC 4862 section 5.4).
    pub tentative: Vec<Ipv6Addr>,
    /// Its IPv4 table.
    pub ip4_table: TableBinding,
    /// Its IPv6 table.
    pub ip6_table: TableBinding,
    /// The interface whose addresses it uses, having none of its own.
    pub unnumbered: Option<SwIfIndex>,
    /// The operator's note.
    pub tag: String,
    /// The overlay network that it is of.
    pub overlay: Overlay,
}

/// The overlay network that an interface is of, as elements of IANA have it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overlay {
    /// layer2SegmentId (351): the kind of encapsulation in the first octet, 1 for VXLAN and 2 for NVGRE, and the number of the network
    /// in the last three; 0 for none.
    pub segment: u64,
    /// greKey (296); 0 for none.
    pub gre_key: u32,
}

impl SwInterface {
    /// The table of a family.
    #[must_use]
    pub fn table(&self, family: Family) -> TableBinding {
        match family {
            Family::Ip4 => self.ip4_table,
            Family::Ip6 => self.ip6_table,
        }
    }

    /// The sub-interface that it is, if it is one.
    #[must_use]
    pub fn sub(&self) -> Option<&SubInterface> {
        match &self.kind {
            SwKind::Hardware => None,
            SwKind::Sub(sub) => Some(sub),
        }
    }
}
