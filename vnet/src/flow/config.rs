//! What a meter is told before the first packet.

use core::time::Duration;

use super::Selection;

bitflags::bitflags! {
    /// Which fields tell flows apart and are recorded: `flowprobe params record [l2] [l3] [l4]`, and the VLAN.
    ///
    /// Interfaces, direction, counters and times always are.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct RecordSet: u8 {
        /// MAC addresses and Ethernet type.
        const L2 = 1;
        /// IP addresses and protocol.
        const L3 = 2;
        /// Ports, protocol and TCP flags. Without it a FIN ends no flow.
        const L4 = 4;
        /// Identifier of the outermost VLAN tag.
        const VLAN = 8;
    }
}

bitflags::bitflags! {
    /// Which packets an observation point measures.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Families: u8 {
        /// IPv4.
        const IP4 = 1;
        /// IPv6.
        const IP6 = 2;
        /// All others whose link header can be read, as flows of MAC addresses and Ethernet type. IP packets of a family that
        /// is not selected are among them.
        const OTHER = 4;
    }
}

/// What a record has for its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StartTime {
    /// When the first packet of the record was seen.
    #[default]
    Record,
    /// When the first packet of the flow was seen, the same in each of its records. A packet that is a record alone is of no
    /// flow, and has 0.
    Flow,
}

/// Pages of the flow tables. With many flows, packets miss the TLB of small pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pages {
    /// Small ones: memory as flows come.
    Small,
    /// Transparent huge pages: 2 MiB of memory, and the time to clear them, at once.
    Huge,
    /// Small ones, until [`Meter::settle`](super::Meter::settle) moves a table in use to huge ones: for live engines, where no
    /// packet should wait for a page.
    Settling,
}

/// Flows as a switch tells them apart: by all of their headers up to ports, TTL and class included, by where they were sampled and by
/// the tunnel that they came in. IP octets are what is behind the Ethernet header and its tag.
///
/// A flow ends by the active timeout, and the oldest one makes room for others, in tables of all families together. With an active
/// timeout of zero a flow is due as soon as it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Switch {
    /// Flows that are held, up to [`Config::max_flows`]; none make a record a packet.
    pub most_flows: usize,
    /// Whether packets are shown with the tunnels that they came in.
    pub tunnels: bool,
    /// Whether a FIN or RST ends a flow.
    pub connections: bool,
    /// Whether IP octets are those that the IP header tells of, where that is less.
    pub trims: bool,
    /// Whether packets are measured by which links are watched: BFD, by the destination ports of RFC 5881.
    pub bfd: bool,
}

impl Switch {
    /// As many flows as there is room for; frames as they are.
    pub const DEFAULT: Self = Self {
        most_flows: usize::MAX,
        tunnels: false,
        connections: false,
        trims: false,
        bfd: true,
    };
}

/// Flows that one table holds unless configured otherwise.
pub const DEFAULT_MAX_FLOWS: usize = 1 << 20;

/// Configuration of a [`Meter`](super::Meter).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// What is measured.
    pub families: Families,
    /// What is recorded of it.
    pub record: RecordSet,
    /// What is recorded instead: fields of a template of a user's own.
    pub selection: Option<Selection>,
    /// Whether flows are told apart as a switch does, whatever was said before.
    pub switch: Option<Switch>,
    /// A record of a flow is made when its first packet is this old. Zero makes one record a packet.
    pub active: Duration,
    /// A flow ends when no packet came for longer than this. Zero is never.
    pub passive: Duration,
    /// Flows a family that are held without any being evicted. Twice as many slots are reserved, of 64 bytes for IPv4
    /// without MAC addresses and for other flows, of 128 bytes for the rest, and used as flows need them.
    pub max_flows: usize,
    /// What records have for their start. That of the flow takes 8 bytes more a slot.
    pub start_time: StartTime,
    /// Where frames of other kinds are measured: whether packets with a VLAN tag or with MPLS labels are among them, though
    /// there is IP behind.
    pub plain_ip: bool,
    /// Whether later fragments are counted in the flow of the first one of their datagram, which alone has ports.
    pub fragments: bool,
    /// Which pages the tables lie on.
    pub pages: Pages,
}

impl Config {
    /// VPP's timers, 15 and 120 seconds, [`DEFAULT_MAX_FLOWS`], and small pages; fragments as they are.
    #[must_use]
    pub const fn new(families: Families, record: RecordSet) -> Self {
        Self {
            families,
            record,
            selection: None,
            switch: None,
            active: Duration::from_secs(15),
            passive: Duration::from_secs(120),
            max_flows: DEFAULT_MAX_FLOWS,
            start_time: StartTime::Record,
            plain_ip: false,
            fragments: false,
            pages: Pages::Small,
        }
    }
    /// What tells flows apart.
    pub(super) fn selected(&self) -> Selection {
        self.selection.unwrap_or_else(|| self.record.into())
    }
}
